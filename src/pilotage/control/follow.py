"""The task of following a path, clear of obstacles."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import SettingError
from ..core.plan import Plan
from ..core.raster import Raster
from ..core.settings import instance, positive, shown
from ..core.space import Space
from ..maps import Footprint, OccupancyGrid
from ..maps.footprint import touching
from ..models import TracedTask, task
from ..models.trace.portable import variants
from ..models.trace.task import TaskFamily
from .path import Path, Progress, nearest, paced

Array = NDArray[np.float64]
POSE = Space("x y [m]", "yaw: angle")
STAGE = Space("rx ry [m]", "cos sin", "left [m]")
"""Of a stage: the point to be at, the direction of the path there, and how much of it is left."""
CHORD_SECONDS = 1.0
"""The direction of the path is that of a chord which takes so long to drive, as paths on grids are all corners."""
TURNED = math.radians(15.0)
"""A robot that faces so near to the direction of the path drives and turns at once."""
WEIGHTS = {"along": 8.0, "across": 4.0, "heading": 1.0, "near": 40.0, "final": 4.0}


def follow(
    plan: Plan | ArrayLike,
    grid: Any = None,
    *,
    speed: float = 1.0,
    decel: float = 1.0,
    radius: float = 0.2,
    footprint: Footprint | None = None,
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
                + near max(0, 1 + max_j g_j / margin)^2
        terminal cost = final (along e_s^2 + across e_n^2 + heading (1 - cos(yaw - yaw_r)))
        constraint    = g_j = a_j - clearance((x, y) + R(yaw) c_j)       discs j of the robot: centre c_j, radius a_j

    Works on every state that has x, y and yaw (bicycle, unicycle, differential drive, a pose in SE(2)). The carry of
    its references is how far along the path a robot has come, which never goes back.

    With a footprint the constraint is that of ``grid.problem(start, goal, footprint)``, and a planner is given the task
    itself as ``Problem(space, start, goal, task)``. New obstacles are a new parameter,
    ``drive.retarget(task.replace(clearance=grid.distance_field()))``, or ``grid.obstacles().field`` with a footprint:
    nothing is compiled again, whatever the size of the new grid.

    Args:
        plan: a `Plan`, or its path ``(K, >= 2)``, x and y [m] first.
        grid: an `OccupancyGrid` or a `Raster` of distances to the nearest obstacle [m]; None: open space.
        speed: along the path [m/s].
        decel: what the reference slows down with before the end [m/s^2].
        radius: of a round robot [m]; with its centre nearer to the centre of an occupied cell it collides, as on
            ``grid.inflate(radius)``.
        footprint: of the robot, in place of the radius; distances are those to the surfaces of obstacles.
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
    if weights is not None and not isinstance(weights, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"weights are {shown(weights)}; expected weights by name, of {', '.join(WEIGHTS)}")
    strange = [name for name in weights or {} if name not in WEIGHTS]
    if strange:
        raise SettingError(f"follow has no weight {strange[0]!r}; there are {', '.join(WEIGHTS)}")
    given = {"speed": speed, "decel": decel, "margin": margin, "tolerance": tolerance}
    for name, value in (given if turn_rate is None else {**given, "turn_rate": turn_rate}).items():
        positive(value, name)
    if footprint is not None:
        instance(footprint, Footprint, "follow")
    round_robot = {"radius": positive(radius, "radius", zero=True)} if footprint is None else {}
    params: dict[str, Any] = {**WEIGHTS, **(weights or {})}
    if grid is not None:
        params |= {**round_robot, "margin": float(margin), "clearance": clearance(grid, footprint)}
    progress = Progress(path, ahead=max(2.0, speed))
    _ = paced.compiled, nearest.compiled  # here, and not in the first tick
    references = Pace(progress, float(speed), float(decel), float(settings.get("dt", 0.1)), turn_rate)
    done = Arrived(tuple(path.goal.tolist()), float(tolerance))
    return _family(grid is not None, footprint)(references=references, done=done, **params, **settings)


def clearance(grid: Any, footprint: Footprint | None = None) -> Raster:
    """Distances to the nearest obstacle [m] out of a grid or a raster: to centres of cells, of a footprint to faces."""
    if isinstance(grid, Raster):
        return grid
    if not isinstance(grid, OccupancyGrid):
        raise SettingError(f"{grid!r} is no map; expected an OccupancyGrid, or a Raster of distances [m]")
    return grid.distance_field() if footprint is None else grid.obstacles().field


@dataclass(frozen=True)
class Along:
    """The carry of `follow`: a robot has come `s` metres along this path."""

    path: Path
    s: float


@dataclass(frozen=True)
class Pace:
    """References of the coming steps: rows of `STAGE`."""

    progress: Progress
    speed: float
    decel: float
    dt: float
    turn_rate: float | None

    def __call__(self, x: Array, t: float, steps: int, carry: Any = None) -> tuple[Array, Along]:
        path, rows = self.progress.path, np.empty((steps + 1, STAGE.size))
        known = isinstance(carry, Along) and carry.path == path  # the carry of another path says nothing about this one
        begin = self.progress.advance(carry.s if known else None, x[:2])
        paced(path.points, path.s, begin, self.speed, self.decel, self.dt, self.speed * CHORD_SECONDS, rows)
        if self.turn_rate is not None:
            turning = self._turning(float(x[2]), rows[0, 2], rows[0, 3], self.turn_rate)
            rows = rows[np.maximum(np.arange(steps + 1) - turning, 0)]
        return rows, Along(path, begin)

    def _turning(self, yaw: float, c: float, s: float, turn_rate: float) -> int:
        """Steps that it takes to turn from `yaw` to the direction (c, s), or near enough to drive on."""
        off = abs(math.atan2(s * math.cos(yaw) - c * math.sin(yaw), c * math.cos(yaw) + s * math.sin(yaw)))
        return math.ceil(max(off - TURNED, 0.0) / (turn_rate * self.dt))


@dataclass(frozen=True)
class Arrived:
    """Whether the robot is at the end of the path, and has come along it."""

    goal: tuple[float, ...]
    tolerance: float

    def __call__(self, x: Array, r: Array) -> Any:
        near = np.hypot(x[..., 0] - self.goal[0], x[..., 1] - self.goal[1]) < self.tolerance
        return near & (np.asarray(r)[..., 4] <= 2.0 * self.tolerance)


@variants
def _family(mapped: bool, footprint: Footprint | None) -> TaskFamily:
    def offset(x: Any, r: Any, p: Any, m: Any) -> list[Any]:
        px, py, yaw = x
        dx, dy, c, s, _ = px - r[0], py - r[1], *r[2:]
        turned = m.sqrt(0.5 * p.heading)  # (cos yaw - c)^2 + (sin yaw - s)^2 = 2 (1 - cos(yaw - yaw_r))
        return [
            m.sqrt(p.along) * (c * dx + s * dy), m.sqrt(p.across) * (c * dy - s * dx),
            turned * (m.cos(yaw) - c), turned * (m.sin(yaw) - s),
        ]  # fmt: skip

    def terminal(x: Any, r: Any, p: Any, m: Any) -> Any:
        return [m.sqrt(p.final) * e for e in offset(x, r, p, m)]

    def follow(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        if not mapped:
            return offset(x, r, p, m)
        worst = functools.reduce(m.maximum, constraint(x, u, r, p, m))
        return [*offset(x, r, p, m), m.sqrt(p.near) * m.maximum(1.0 + worst / p.margin, 0.0)]

    def constraint(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        discs, (px, py, yaw) = [(0.0, 0.0, p.radius)] if footprint is None else footprint.discs, x
        return touching(discs, px, py, yaw, p.clearance, m)

    params: dict[str, Any] = dict(WEIGHTS)
    if mapped:
        params |= {"radius": 0.0} if footprint is None else {}
        params |= {"margin": 1.0, "clearance": Raster(np.zeros((1, 1)), 1.0)}
    return task(
        state=POSE, action=Space(), params=params, terminal=terminal, constraint=constraint if mapped else None,
        weights=(1.0,) * (5 if mapped else 4), terminal_weights=(1.0,) * 4, stage=STAGE,
    )(follow)  # fmt: skip
