"""The task of following a path, clear of obstacles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import ShapeError
from ..core.plan import Plan
from ..core.raster import Raster
from ..core.settings import positive
from ..core.space import Space
from ..models import TracedTask, task
from ..models.portable import variants
from ..models.task_family import TaskFamily
from .path import Path, Progress, paced

Array = NDArray[np.float64]
POSE = Space("x y [m]", "yaw: angle")
CHORD_SECONDS = 1.0
"""The direction of the path is that of a chord which takes so long to drive, as paths on grids are all corners."""
TURNED = math.radians(15.0)
"""A robot that faces so near to the direction of the path drives and turns at once."""
WEIGHTS = {"along": 8.0, "across": 4.0, "heading": 1.0, "near": 40.0, "collision": 1000.0, "final": 4.0}


def follow(
    plan: Plan | ArrayLike,
    grid: Any = None,
    *,
    speed: float = 1.0,
    decel: float = 1.0,
    radius: float = 0.2,
    margin: float = 0.3,
    tolerance: float = 0.2,
    turn_rate: float | None = None,
    weights: dict[str, float] | None = None,
    **settings: Any,
) -> TracedTask:
    """Drive along a path to its end and stop there, clear of what the map shows.

    ::

        r_k       the point that the path reaches after k steps at the speed wanted, from where the robot is now
        cost    = along e_s^2 + across e_n^2 + heading (1 - cos(yaw - yaw_r))             e = (x, y) - r_k
                + near max(0, 1 - (c - radius) / margin)^2 + collision [c < radius]       c = clearance(x, y)
        terminal cost = final (along e_s^2 + across e_n^2 + heading (1 - cos(yaw - yaw_r)))

    Works on every state that has x, y and yaw (bicycle, unicycle, differential drive, a pose in SE(2)). The task
    remembers how far along the robot has come, never goes back, and starts anew when the clock does: one task, one
    robot.

    Obstacles that appear are told by ``drive.retarget(task.replace(clearance=grid.distance_field()))``: a parameter,
    so nothing is compiled again, whatever the size of the new grid.

    Args:
        plan: a `Plan`, or its path ``(K, >= 2)``, x and y [m] first.
        grid: an `OccupancyGrid` or a `Raster` of distances to the nearest obstacle [m]; None: open space. Of a grid
            that was inflated for the planner the original obstacles count.
        speed: along the path [m/s].
        decel: what the reference slows down with before the end [m/s^2].
        radius: of the robot [m]; with its centre nearer to an obstacle it collides.
        margin: within so much more, nearness costs [m].
        tolerance: the task is done so close to the end [m], with at most twice as much of the path ahead: a path that
            leads back to where it begins is driven.
        turn_rate: how fast the robot turns on the spot [rad/s]. A robot that faces elsewhere is given the time to turn
            before it is expected on its way; without, the point that it should have come to by now may draw it
            straight towards what the path leads around. None for robots that cannot.
        weights: by the names above; what is not given keeps its default.
        settings: `initial`, `dt` and `horizon` of the task.

    Example:
        >>> from pilotage.control import MPPI
        >>> from pilotage.models import unicycle
        >>> task = follow([[0, 0], [5, 0]], speed=0.5)
        >>> MPPI(unicycle(), task, samples=256, rng=0).act([0, 0, 0]).u.shape
        (2,)
    """
    path = Path(plan)
    strange = sorted(set(weights or {}) - set(WEIGHTS))
    if strange:
        raise ShapeError(f"follow has no weight {strange[0]!r}; there are {', '.join(WEIGHTS)}")
    given = {"speed": speed, "decel": decel, "margin": margin, "tolerance": tolerance}
    for name, value in (given if turn_rate is None else {**given, "turn_rate": turn_rate}).items():
        positive(value, name)
    positive(radius, "radius", zero=True)
    params: dict[str, Any] = {**WEIGHTS, **(weights or {})}
    if grid is not None:
        params |= {"radius": float(radius), "margin": float(margin), "clearance": clearance(grid)}

    reference = _Reference(path, float(speed), float(decel), settings.get("dt", 0.1), turn_rate)
    done = _Arrived(reference, float(tolerance))
    return _family(grid is not None)(reference=reference, done=done, **params, **settings)


def clearance(grid: Any) -> Raster:
    """Distances to the nearest obstacle [m] out of a grid or a raster."""
    if isinstance(grid, Raster):
        return grid
    if not hasattr(grid, "distance_field"):
        raise ShapeError(f"{grid!r} is no map; expected an OccupancyGrid, or a Raster of distances [m]")
    return grid.distance_field()


class _Reference:
    """Where the robot should be during the coming steps: rows x, y, cos yaw, sin yaw."""

    def __init__(self, path: Path, speed: float, decel: float, dt: float, turn_rate: float | None) -> None:
        self.progress = Progress(path, ahead=max(2.0, speed))
        self.speed, self.decel, self.dt, self.turn_rate = speed, decel, dt, turn_rate

    def __call__(self, x: Array, t: float, steps: int) -> Array:
        rows = np.empty((steps + 1, 4))
        path, chord = self.progress.path, self.speed * CHORD_SECONDS
        begin = self.progress.update(x[:2], t)
        paced(path.points, path.s, begin, self.speed, self.decel, self.dt, chord, rows)
        if self.turn_rate is not None:
            turning = self._turning(float(x[2]), rows[0, 2], rows[0, 3], self.turn_rate)
            return rows[np.maximum(np.arange(steps + 1) - turning, 0)]
        return rows

    def _turning(self, yaw: float, c: float, s: float, turn_rate: float) -> int:
        """Steps that it takes to turn from `yaw` to the direction (c, s), or near enough to drive on."""
        off = abs(math.atan2(s * math.cos(yaw) - c * math.sin(yaw), c * math.cos(yaw) + s * math.sin(yaw)))
        return math.ceil(max(off - TURNED, 0.0) / (turn_rate * self.dt))

    def left(self, x: Array) -> Any:
        """Metres of path still ahead; of states ``(..., 3)`` when nobody has been on the way yet."""
        path, s = self.progress.path, self.progress.s
        if s is not None:
            return path.length - s
        places = np.reshape(x, (-1, np.shape(x)[-1]))[:, :2]
        return np.reshape([path.length - self.progress.find(one) for one in places], np.shape(x)[:-1])


class _Arrived:
    """Whether the robot is at the end of the path, and has come along it."""

    def __init__(self, reference: _Reference, tolerance: float) -> None:
        self.reference, self.tolerance = reference, tolerance

    def __call__(self, x: Array) -> Any:
        gx, gy = self.reference.progress.path.goal
        near = np.hypot(x[..., 0] - gx, x[..., 1] - gy) < self.tolerance
        return near & (self.reference.left(x) <= 2.0 * self.tolerance)


@variants
def _family(mapped: bool) -> TaskFamily:
    def offset(x: Any, r: Any, p: Any, m: Any) -> Any:
        px, py, yaw = x
        dx, dy, c, s = px - r[0], py - r[1], r[2], r[3]
        along, across = c * dx + s * dy, c * dy - s * dx
        turned = 1.0 - (c * m.cos(yaw) + s * m.sin(yaw))
        return p.along * along * along + p.across * across * across + p.heading * turned

    def terminal(x: Any, r: Any, p: Any, m: Any) -> Any:
        return p.final * offset(x, r, p, m)

    def follow(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        if not mapped:
            return offset(x, r, p, m)
        room = m.lookup(p.clearance, x[0], x[1]) - p.radius
        near = m.maximum(1.0 - room / p.margin, 0.0)
        return offset(x, r, p, m) + p.near * near * near + m.where(room < 0.0, p.collision, 0.0)

    params: dict[str, Any] = dict(WEIGHTS)
    if mapped:
        params |= {"radius": 0.0, "margin": 1.0, "clearance": Raster(np.zeros((1, 1)), 1.0)}
    return task(state=POSE, action=Space(), params=params, terminal=terminal, reference=4)(follow)
