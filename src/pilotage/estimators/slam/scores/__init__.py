"""Scores of trajectories and maps.

- `absolute_trajectory_error`, `alignment`: how far poses are from the truth (ATE)
- `relative_pose_error`: the drift from one pose to another (RPE)
- `relation_errors`: errors of known relations between poses
- `map_quality`, `MapQuality`: how scans agree with a map
- `TrajectoryErrors`, `associate`: errors with their statistics; poses of the same times
"""

from __future__ import annotations

from .ate import absolute_trajectory_error as absolute_trajectory_error
from .ate import alignment as alignment
from .errors import TrajectoryErrors as TrajectoryErrors
from .errors import associate as associate
from .map_quality import MapQuality as MapQuality
from .map_quality import map_quality as map_quality
from .relations import relation_errors as relation_errors
from .rpe import relative_pose_error as relative_pose_error

__all__ = [
    "MapQuality",
    "TrajectoryErrors",
    "absolute_trajectory_error",
    "alignment",
    "associate",
    "map_quality",
    "relation_errors",
    "relative_pose_error",
]
