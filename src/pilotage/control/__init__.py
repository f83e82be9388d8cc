"""From a belief to an action, every tick.

- `MPPI`: the mean of random plans, weighted by how well they do; any dynamics, any task
- `PurePursuit`: the arc to a point ahead on the path
- `follow`, `reach`: tasks: along a path clear of obstacles, to a goal
- `Path`, `Progress`: a path by arc length, and how far along it a robot has come
"""

from __future__ import annotations

from .follow import follow as follow
from .mppi import MPPI as MPPI
from .path import Path as Path
from .path import Progress as Progress
from .pursuit import PurePursuit as PurePursuit
from .reach import reach as reach

__all__ = ["MPPI", "Path", "Progress", "PurePursuit", "follow", "reach"]
