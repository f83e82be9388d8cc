"""Vision: the way of a camera and a map of points, from tracked features.

- `Camera`, `PlanarCamera`, `CameraModel`: a pinhole camera or a pair of them, a pair in the plane, and what they share
- `VisualOdometry`, `VisualOdometer`, `VisualStep`, `VisualStatus`: the system, what robot code holds, and what a frame
  has changed
- `bundle_adjustment`, `bundle_graph`: poses and points that explain all readings best; `free_lens_graph`: and lenses
- `TwoViewGeometry`, `TwoView`, `TwoViewStatus`: the motion between two views; `essential_matrices` of five points,
  `homographies` and `homography_motions` of points in a plane
- `Resection`, `Resected`: a pose from known points; `three_point_poses`, `bearing_poses`: three points
- `triangulate`, `Triangulation`: points from known poses
- `TrackSimulator`, `FeatureTracks`: features of a simulated camera
"""

from __future__ import annotations

from .bundle import bundle_adjustment as bundle_adjustment
from .bundle import bundle_graph as bundle_graph
from .camera import Camera as Camera
from .camera_model import CameraModel as CameraModel
from .five_point import essential_matrices as essential_matrices
from .free_lenses import free_lens_graph as free_lens_graph
from .homography import homographies as homographies
from .homography import homography_motions as homography_motions
from .odometry import VisualOdometer as VisualOdometer
from .odometry import VisualOdometry as VisualOdometry
from .p3p import three_point_poses as three_point_poses
from .planar_camera import PlanarCamera as PlanarCamera
from .resection import Resected as Resected
from .resection import Resection as Resection
from .simulation import FeatureTracks as FeatureTracks
from .simulation import TrackSimulator as TrackSimulator
from .three_bearings import bearing_poses as bearing_poses
from .triangulation import Triangulation as Triangulation
from .triangulation import triangulate as triangulate
from .two_view import TwoView as TwoView
from .two_view import TwoViewGeometry as TwoViewGeometry
from .two_view import TwoViewStatus as TwoViewStatus
from .visual_step import VisualStatus as VisualStatus
from .visual_step import VisualStep as VisualStep

__all__ = [
    "Camera",
    "CameraModel",
    "FeatureTracks",
    "PlanarCamera",
    "Resected",
    "Resection",
    "TrackSimulator",
    "Triangulation",
    "TwoView",
    "TwoViewGeometry",
    "TwoViewStatus",
    "VisualOdometer",
    "VisualOdometry",
    "VisualStatus",
    "VisualStep",
    "bearing_poses",
    "bundle_adjustment",
    "bundle_graph",
    "essential_matrices",
    "free_lens_graph",
    "homographies",
    "homography_motions",
    "three_point_poses",
    "triangulate",
]
