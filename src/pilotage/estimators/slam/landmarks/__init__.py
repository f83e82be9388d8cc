"""SLAM by landmarks: a vehicle and landmarks with one belief, while the robot drives.

- `EKFSLAM`, `InvariantEKFSLAM`: the algorithms; `GaussianSLAM`: what they share
- `LandmarkMapper`: what robot code holds; `LandmarkMap`, `MapUpdate`: the map, and the outcome of a scan
- `LandmarkEngine`: the base of what computes behind a `LandmarkMapper`
- `JointCompatibility`, `NearestNeighbor`, `Association`: which landmark a detection shows
- `DelayedInitiation`: landmarks that a single reading does not determine, such as range-only beacons
"""

from __future__ import annotations

from .association import Association as Association
from .association import JointCompatibility as JointCompatibility
from .association import NearestNeighbor as NearestNeighbor
from .ekf_slam import EKFSLAM as EKFSLAM
from .ekf_slam import GaussianSLAM as GaussianSLAM
from .initiation import DelayedInitiation as DelayedInitiation
from .invariant_ekf_slam import InvariantEKFSLAM as InvariantEKFSLAM
from .landmark_map import LandmarkMap as LandmarkMap
from .landmark_map import MapUpdate as MapUpdate
from .mapper import LandmarkEngine as LandmarkEngine
from .mapper import LandmarkMapper as LandmarkMapper

__all__ = [
    "EKFSLAM",
    "Association",
    "DelayedInitiation",
    "GaussianSLAM",
    "InvariantEKFSLAM",
    "JointCompatibility",
    "LandmarkEngine",
    "LandmarkMap",
    "LandmarkMapper",
    "MapUpdate",
    "NearestNeighbor",
]
