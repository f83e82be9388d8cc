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
from ..models import TracedTask, task
from ..models.trace.portable import variants
from ..models.trace.task import TaskFamily
from ._polyline import nearest, paced
from .path import YAW_TOLERANCE, Path, Progress

Array = NDArray[np.float64]
POSE = Space("x y [m]", "yaw: angle")
STAGE = Space("rx ry [m]", "cos sin", "left [m]")
"""Of a stage: the point to be at, the heading there, and how much of the path is left."""
CHORD_SECONDS = 1.0
"""The direction of a path of points is that of a chord which takes so long to drive: paths on grids are all corners."""
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
    yaw_tolerance: float = YAW_TOLERANCE,
    weights: dict[str, float] | None = None,
    **settings: Any,
) -> TracedTask:
    """The task of driving along a path to its end and stopping there, clear of what the map shows.

    ::

        r_k       the point that the leg reaches after k steps at the speed wanted, from where the robot is now
        yaw_r     the direction of the path there; the heading of the plan, where it has one
        cost    = along e_s^2 + across e_n^2 + heading (1 - cos(yaw - yaw_r))             e = (x, y) - r_k
                + near max(0, 1 + max_j g_j / margin)^2
        terminal cost = final (along e_s^2 + across e_n^2 + heading (1 - cos(yaw - yaw_r)))
        constraint    = g_j = a_j - clearance((x, y) + R(yaw) c_j)       discs j of the robot: centre c_j, radius a_j

    Works on every state that has x, y and yaw (bicycle, unicycle, differential drive, a pose in SE(2)). The carry of
    its references is how far along the path a robot has come, which never goes back.

    A plan whose states have a heading is driven as they say, forwards or backwards, one leg after the other: the
    references of a leg slow down and stand still at its end, a cusp or a turn on the spot, and those of the next leg
    begin when the robot has come there, to within `tolerance`. A plan of points is one leg, driven forwards. Where a
    plan ends with a turn on the spot, a robot with a `turn_rate` is done when it faces the last heading, too, to within
    `yaw_tolerance`; one without is done at the end of the path, whatever its heading.

    The constraint is that of ``grid.problem(start, goal, footprint)``: distances are those to the faces of cells, and
    unknown cells and all that is off the map are blocked. A planner is given the task itself as
    ``Problem(space, start, goal, task)``. New obstacles are a new parameter,
    ``drive.retarget(task.replace(clearance=grid.obstacles().field))``: nothing is compiled again, whatever the size of
    the new grid.

    Args:
        plan: a `Plan`, or its path ``(K, >= 2)``, x and y [m] first.
        grid: an `OccupancyGrid`; or a `Raster` of distances to the nearest obstacle [m], such as
            ``grid.obstacles().field``, that are taken as they are: between centres of cells, as those of
            `ObstacleLayer.clearance`, they are larger than to faces by up to 0.7 cells; None: open space.
        speed: along the path [m/s].
        decel: what the reference slows down with before the end [m/s^2].
        radius: of a round robot [m], which is short for ``footprint=Footprint.disc(radius)``.
        footprint: of the robot, in place of the radius.
        margin: within so much more, nearness costs [m].
        tolerance: the task is done so close to the end [m], with at most twice as much of the path ahead: a path that
            leads back to where it begins is driven. A leg before the last is done so close to its end, along the path.
        turn_rate: how fast the robot turns on the spot [rad/s]. A robot that faces elsewhere is given the time to turn
            before it is expected on its way; without, the point that it should have come to by now may draw it
            straight towards what the path leads around. None for robots that cannot turn on the spot.
        yaw_tolerance: a last turn on the spot is done so close to its heading [rad].
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
    given = {"speed": speed, "decel": decel, "margin": margin, "tolerance": tolerance, "yaw_tolerance": yaw_tolerance}
    for name, value in (given if turn_rate is None else {**given, "turn_rate": turn_rate}).items():
        positive(value, name)
    disc = Footprint.disc(positive(radius, "radius", zero=True))
    shape = disc if footprint is None else instance(footprint, Footprint, "follow")
    params: dict[str, Any] = {**WEIGHTS, **(weights or {})}
    if grid is not None:
        params |= {"margin": float(margin), "clearance": clearance(grid)}
    progress = Progress(path, ahead=max(2.0, speed), reached=float(tolerance))
    _ = paced.compiled, nearest.compiled  # here, and not in the first tick
    references = Pace(progress, float(speed), float(decel), float(settings.get("dt", 0.1)), turn_rate)
    turn = None if path.turn is None or turn_rate is None else tuple(path.turn.tolist())
    done = Arrived(tuple(path.goal.tolist()), float(tolerance), turn, float(yaw_tolerance))
    return _family(None if grid is None else shape)(references=references, done=done, **params, **settings)


def clearance(grid: Any) -> Raster:
    """Distances to the nearest obstacle [m], out of a grid or a raster."""
    if isinstance(grid, Raster):
        return grid
    if not isinstance(grid, OccupancyGrid):
        raise SettingError(f"{grid!r} is no map; expected an OccupancyGrid, or a Raster of distances [m]")
    return grid.obstacles().field


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
        leg, chord = path.leg(begin), self.speed * CHORD_SECONDS
        paced(leg.points, leg.s, leg.headings, begin, self.speed, self.decel, self.dt, chord, rows)
        rows[:, 4] += path.length - leg.end
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
    """Whether the robot is at the end of the path, has come along it, and faces the heading of a last turn, if any."""

    goal: tuple[float, ...]
    tolerance: float
    turn: tuple[float, ...] | None
    yaw_tolerance: float

    def __call__(self, x: Array, r: Array) -> Any:
        near = np.hypot(x[..., 0] - self.goal[0], x[..., 1] - self.goal[1]) < self.tolerance
        there = near & (np.asarray(r)[..., 4] <= 2.0 * self.tolerance)
        if self.turn is None:
            return there
        c, s = self.turn
        return there & (c * np.cos(x[..., 2]) + s * np.sin(x[..., 2]) >= math.cos(self.yaw_tolerance))


@variants
def _family(footprint: Footprint | None) -> TaskFamily:
    """The tasks of robots of that footprint on maps; in open space, where there is none."""

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
        if footprint is None:
            return offset(x, r, p, m)
        worst = functools.reduce(m.maximum, constraint(x, u, r, p, m))
        return [*offset(x, r, p, m), m.sqrt(p.near) * m.maximum(1.0 + worst / p.margin, 0.0)]

    def constraint(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        px, py, yaw = x
        return [] if footprint is None else footprint.constraint(px, py, yaw, p.clearance, m)

    mapped = {} if footprint is None else {"margin": 1.0, "clearance": Raster(np.zeros((1, 1)), 1.0)}
    return task(
        state=POSE, action=Space(), params={**WEIGHTS, **mapped}, terminal=terminal, constraint=constraint,
        weights=(1.0,) * (5 if mapped else 4), terminal_weights=(1.0,) * 4, stage=STAGE,
    )(follow)  # fmt: skip
