"""Hybrid A* for the trailer, and a pursuit that backs it along the path."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ....control.paths.pure_pursuit import arc
from ....core import Problem, Space, Task
from ....core.arrays import Array
from ....core.settings import NonNegative, Positive, setting
from ....envs.truck.starts import BOX, FRONT
from ....models import task
from ....planners import Dubins, HybridAStar
from ._steering import Steering
from .bending import NUMBERS, WIDEST, bending, trailer
from .kinematics import TRAILER

POSE = Space("pose: SE2").bounded({"pose.x": (-20.0, 80.0), "pose.y": (-40.0, 40.0)})
"""The axle of the trailer, in the direction in which it is backed."""
SPACING, BEYOND = 0.1, 10.0
"""Distance of points of a path, and the way that it goes straight on behind the dock [m]."""
AHEAD = 40
"""Points of the path among which the nearest is searched."""


class TrailerPursuit(Steering):
    """A controller that plans a path for the trailer's axle at the start, and backs the trailer along it.

    ::

        path    HybridAStar(Dubins(radius)) from the axle to the dock, in the direction of backing
        kappa   = 2 b / (a^2 + b^2)              (a, b): point of the path `lookahead` ahead, seen from the axle
        bend    = -atan(d kappa)                 hitch angle on an arc of this curvature
        steer     by `bending`

    Between walls, the path keeps the axle and the front of a cab in line with the trailer inside the yard. Where there
    is none, the trailer is backed straight to the dock.

    Args:
        radius: smallest turning radius of the trailer [m].
        lookahead: distance to the point that is pursued [m].
        walls: whether the walls of the yard count.
        margin: distance to the walls [m].

    Source: Dolgov et al., "Practical search techniques in path planning for autonomous driving", 2008; Coulter,
    "Implementation of the pure pursuit path tracking algorithm", 1992.

    Example:
        >>> bool(abs(TrailerPursuit().act([20.0, 0.0, 0.0, 0.0, 0.0]).u[0]) < 1e-6)
        True
    """

    def __init__(
        self, *, radius: float = 5.0, lookahead: float = 1.5, walls: bool = False, margin: float = 0.3
    ) -> None:
        super().__init__()
        self.radius, self.lookahead = setting(radius, Positive, "radius"), setting(lookahead, Positive, "lookahead")
        margin = setting(margin, NonNegative, "margin")
        self._yard = yard(margin) if setting(walls, bool, "walls") else None
        self._way: Way | None = None

    def reset(self, *, seed: int | None = None) -> None:
        super().reset(seed=seed)
        self._way = None

    def decide(self, x: Array) -> Array:
        along, across, heading, _ = trailer(x.tolist())
        if self._way is None:
            self._way = Way(self._path(along, across, heading))
        target = self._way.ahead(along, across, self.lookahead)
        cos, sin = -math.cos(heading), -math.sin(heading)
        dx, dy = target[0] - along, target[1] - across
        kappa = arc(cos * dx + sin * dy, cos * dy - sin * dx, 1.0).curvature
        bend = NUMBERS.clip(-math.atan(TRAILER * kappa), -WIDEST, WIDEST)
        return np.array([bending(x.tolist(), bend, NUMBERS)])

    def _path(self, along: float, across: float, heading: float) -> Array:
        """Points ``(K, 2)`` from the axle to the dock and straight on behind it."""
        start, goal = [along, across, heading + math.pi], [0.0, 0.0, math.pi]
        plan = HybridAStar(Dubins(self.radius), step=2.0, nodes=200_000).plan(Problem(POSE, start, goal, self._yard))
        corners = np.array([start, goal]) if plan.xs is None else plan.xs
        parts = [spaced(a, b) for a, b in pairwise(corners)]
        behind = np.arange(0.0, BEYOND, SPACING)
        return np.concatenate([*parts, np.column_stack([-behind, 0.0 * behind])])


class Way:
    """A path, and how far it has been driven.

    Args:
        points: the points of the path ``(K, 2)``.
    """

    def __init__(self, points: Array) -> None:
        self.points, self.at = points, 0
        self.lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])

    def ahead(self, x: float, y: float, distance: float) -> Array:
        """The point of the path that is `distance` beyond the one nearest to (x, y), of those that are next."""
        near = self.points[self.at : self.at + AHEAD] - (x, y)
        self.at += int(np.argmin(near[:, 0] ** 2 + near[:, 1] ** 2))
        i = int(np.searchsorted(self.lengths, self.lengths[self.at] + distance))
        return self.points[min(i, len(self.points) - 1)]


def spaced(a: Array, b: Array) -> Array:
    """Points ``(K, 2)`` from a pose to the next one, without the last."""
    count = max(1, math.ceil(math.hypot(b[0] - a[0], b[1] - a[1]) / SPACING))
    return np.asarray(POSE.interpolate(a, b, np.arange(count) / count))[:, :2]


def yard(margin: float) -> Task:
    """The constraint of the walls, for poses of the axle; the cab is in line with the trailer."""
    length = TRAILER + FRONT

    def inside(x: Any, u: Any, p: Any, m: Any) -> Any:
        px, py, yaw = x
        fx, fy = px - length * m.cos(yaw), py - length * m.sin(yaw)
        sides = [m.abs(py) - BOX[1], m.abs(fy) - BOX[1], px - BOX[0], fx - BOX[0], -fx]
        return [side + margin for side in sides]

    @task(state=Space("x y [m]", "yaw: angle"), action=Space(), constraint=inside)
    def clear(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    return clear()
