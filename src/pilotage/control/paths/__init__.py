"""Following a path: `PurePursuit`, the task `follow`, and `Path` with the `Progress` of a robot along it."""

from __future__ import annotations

from .follow import follow as follow
from .path import Path as Path
from .path import Progress as Progress
from .pure_pursuit import PurePursuit as PurePursuit

__all__ = ["Path", "Progress", "PurePursuit", "follow"]
