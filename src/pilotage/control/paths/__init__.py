"""Following a path: trackers with a law of steering, the task `follow`, and `Path` with the `Progress` along it."""

from __future__ import annotations

from .follow import follow as follow
from .path import Path as Path
from .path import Progress as Progress
from .pure_pursuit import PurePursuit as PurePursuit
from .regulated_pursuit import RegulatedPurePursuit as RegulatedPurePursuit
from .space_time_pursuit import SpaceTimePursuit as SpaceTimePursuit
from .stanley import Stanley as Stanley
from .tracker import PathTracker as PathTracker
from .tracker import Sight as Sight
from .tracker import Steering as Steering

__all__ = [
    "Path",
    "PathTracker",
    "Progress",
    "PurePursuit",
    "RegulatedPurePursuit",
    "Sight",
    "SpaceTimePursuit",
    "Stanley",
    "Steering",
    "follow",
]
