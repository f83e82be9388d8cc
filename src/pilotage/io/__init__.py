"""Readers and writers of file formats, which take and return plain values.

- `read_ros_map`, `write_ros_map`: maps of the ROS map_server (yaml with pgm or png)
- `read_movingai_map`, `read_movingai_scenarios`: grid-planning benchmarks
- `read_octomap`, `write_octomap`: octrees of OctoMap (.bt and .ot)
- `read_pcd`, `write_pcd`: point clouds
- `read_g2o`, `write_g2o`: pose graphs; `read_pyfg`: graphs of poses, landmarks and ranges; `read_isam`: logs of
  landmarks; `read_bal`: bundle adjustment problems
- `read_laser_log`, `read_carmen`, `read_gfs_json`: logs of lasers
- `read_tum`, `write_tum`, `read_kitti_poses`: trajectories
- `read_relations`: known relations between poses
- `read_racetrack`: race tracks of F1TENTH
- `read_pedestrians`: tracks of people of ETH and UCY
- `read_mot_truth`, `read_mot_tracks`, `read_mot_detections`, `write_mot_tracks`: boxes of MOTChallenge
- `read_camera_motion`: the motion of a camera between frames
- `read_kitti_labels`, `read_kitti_detections`, `write_kitti_tracks`: the tracking benchmark of KITTI
- `read_adsb`, `read_ais`, `read_geographic`: aircraft, ships, and anything else by latitude and longitude
- `read_radar_csv`, `read_track_csv`, `write_track_csv`: detections and tracks in csv files
- `read_pgm`: grey images
- `read_car_log`, `read_phone_log`, `read_gtsam_log`, `read_laser_radar`: inertial sensors with fixes
- `read_bag`, `write_bag`: bags of ROS 1 and ROS 2; `from_ros`: the values of messages
- `read_ngsim`, `read_commonroad`: recorded traffic
- `read_minari`, `write_minari`, `write_lerobot`, `write_sequences`, `Sequences`: episodes for learning
- `write_atomic`: replace a file in one step
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .adsb import read_adsb as read_adsb
from .ais import read_ais as read_ais
from .atomic import write_atomic as write_atomic
from .bags import Bag as Bag
from .bags import BagMessage as BagMessage
from .bags import read_bag as read_bag
from .bags import write_bag as write_bag
from .bal import BundleProblem as BundleProblem
from .bal import read_bal as read_bal
from .camera_motion import read_camera_motion as read_camera_motion
from .carmen import LaserLog as LaserLog
from .carmen import read_carmen as read_carmen
from .commonroad import Lanelet as Lanelet
from .commonroad import RoadProblem as RoadProblem
from .commonroad import RoadScenario as RoadScenario
from .commonroad import read_commonroad as read_commonroad
from .episodes import Episode as Episode
from .g2o import PoseGraph as PoseGraph
from .g2o import read_g2o as read_g2o
from .g2o import write_g2o as write_g2o
from .geographic import GeographicTracks as GeographicTracks
from .geographic import read_geographic as read_geographic
from .gfs_json import read_gfs_json as read_gfs_json
from .inertial_logs import InertialLog as InertialLog
from .inertial_logs import LaserRadarLog as LaserRadarLog
from .inertial_logs import PoseFixLog as PoseFixLog
from .inertial_logs import read_car_log as read_car_log
from .inertial_logs import read_gtsam_log as read_gtsam_log
from .inertial_logs import read_laser_radar as read_laser_radar
from .inertial_logs import read_phone_log as read_phone_log
from .isam import LandmarkLog as LandmarkLog
from .isam import read_isam as read_isam
from .kitti_tracking import KittiLabels as KittiLabels
from .kitti_tracking import read_kitti_detections as read_kitti_detections
from .kitti_tracking import read_kitti_labels as read_kitti_labels
from .kitti_tracking import write_kitti_tracks as write_kitti_tracks
from .laser_logs import read_laser_log as read_laser_log
from .lerobot import write_lerobot as write_lerobot
from .minari import minari_facts as minari_facts
from .minari import read_minari as read_minari
from .minari import write_minari as write_minari
from .motchallenge import read_mot_detections as read_mot_detections
from .motchallenge import read_mot_tracks as read_mot_tracks
from .motchallenge import read_mot_truth as read_mot_truth
from .motchallenge import write_mot_tracks as write_mot_tracks
from .movingai import Scenario as Scenario
from .movingai import find_movingai_map as find_movingai_map
from .movingai import read_movingai_map as read_movingai_map
from .movingai import read_movingai_scenarios as read_movingai_scenarios
from .ngsim import Traffic as Traffic
from .ngsim import read_ngsim as read_ngsim
from .octomap import OctoMapFile as OctoMapFile
from .octomap import read_octomap as read_octomap
from .octomap import write_octomap as write_octomap
from .pcd import PointCloud as PointCloud
from .pcd import read_pcd as read_pcd
from .pcd import write_pcd as write_pcd
from .pedestrians import PedestrianTracks as PedestrianTracks
from .pedestrians import read_pedestrians as read_pedestrians
from .pgm import read_pgm as read_pgm
from .plane_poses import planar as planar
from .plane_poses import planar_cov as planar_cov
from .plane_poses import spatial as spatial
from .plane_poses import spatial_cov as spatial_cov
from .pyfg import LandmarkGraph as LandmarkGraph
from .pyfg import read_pyfg as read_pyfg
from .racetrack import RaceLine as RaceLine
from .racetrack import RaceTrack as RaceTrack
from .racetrack import read_racetrack as read_racetrack
from .radar_csv import read_radar_csv as read_radar_csv
from .radar_csv import read_track_csv as read_track_csv
from .radar_csv import write_track_csv as write_track_csv
from .relations import Relations as Relations
from .relations import read_relations as read_relations
from .ros_map import RosMap as RosMap
from .ros_map import read_ros_map as read_ros_map
from .ros_map import write_ros_map as write_ros_map
from .ros_messages import from_ros as from_ros
from .ros_values import LaserScan as LaserScan
from .ros_values import Odometry as Odometry
from .ros_values import StampedMap as StampedMap
from .ros_values import StampedPath as StampedPath
from .ros_values import StampedPose as StampedPose
from .ros_values import StampedTransform as StampedTransform
from .ros_values import Twist as Twist
from .sequences import Sequences as Sequences
from .sequences import write_sequences as write_sequences
from .trajectories import Trajectory as Trajectory
from .trajectories import read_kitti_poses as read_kitti_poses
from .trajectories import read_tum as read_tum
from .trajectories import write_tum as write_tum

__all__ = [
    "Bag",
    "BagMessage",
    "BundleProblem",
    "Episode",
    "GeographicTracks",
    "InertialLog",
    "KittiLabels",
    "LandmarkGraph",
    "LandmarkLog",
    "Lanelet",
    "LaserLog",
    "LaserRadarLog",
    "LaserScan",
    "OctoMapFile",
    "Odometry",
    "PedestrianTracks",
    "PointCloud",
    "PoseFixLog",
    "PoseGraph",
    "RaceLine",
    "RaceTrack",
    "Relations",
    "RoadProblem",
    "RoadScenario",
    "RosMap",
    "Scenario",
    "Sequences",
    "StampedMap",
    "StampedPath",
    "StampedPose",
    "StampedTransform",
    "Traffic",
    "Trajectory",
    "Twist",
    "find_movingai_map",
    "from_ros",
    "minari_facts",
    "planar",
    "planar_cov",
    "read_adsb",
    "read_ais",
    "read_bag",
    "read_bal",
    "read_camera_motion",
    "read_car_log",
    "read_carmen",
    "read_commonroad",
    "read_g2o",
    "read_geographic",
    "read_gfs_json",
    "read_gtsam_log",
    "read_isam",
    "read_kitti_detections",
    "read_kitti_labels",
    "read_kitti_poses",
    "read_laser_log",
    "read_laser_radar",
    "read_minari",
    "read_mot_detections",
    "read_mot_tracks",
    "read_mot_truth",
    "read_movingai_map",
    "read_movingai_scenarios",
    "read_ngsim",
    "read_octomap",
    "read_pcd",
    "read_pedestrians",
    "read_pgm",
    "read_phone_log",
    "read_pyfg",
    "read_racetrack",
    "read_radar_csv",
    "read_relations",
    "read_ros_map",
    "read_track_csv",
    "read_tum",
    "spatial",
    "spatial_cov",
    "write_atomic",
    "write_bag",
    "write_g2o",
    "write_kitti_tracks",
    "write_lerobot",
    "write_minari",
    "write_mot_tracks",
    "write_octomap",
    "write_pcd",
    "write_ros_map",
    "write_sequences",
    "write_track_csv",
    "write_tum",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
