"""The task of following a path, clear of obstacles."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.belief import Belief
from ..core.errors import SettingError
from ..core.plan import Plan
from ..core.problem import Problem
from ..core.raster import Raster
from ..core.settings import by_name, instance, positive, shown
from ..core.space import Space
from ..maps import Footprint, FootprintConstraint, OccupancyGrid
from ..models import TracedTask, task
from ..models.trace.portable import variants
from ..models.trace.task import TaskFamily
from ._pace import STAGE, Pace
from ._pace import TURNED as TURNED
from ._polyline import nearest, paced
from ._verdicts import Arrived, headway
from .path import YAW_TOLERANCE, Path, Progress, standing

Array = NDArray[np.float64]
POSE = Space("x y [m]", "yaw: angle")
MOVING = Space("speed lateral_speed vx vy [m/s]")
"""Components of a speed, of which the task reads those that the state has."""
WEIGHTS = {
    "along": 8.0, "across": 4.0, "heading": 1.0, "near": 40.0, "stop": 2.0, "pace": 0.5, "limit": 4.0,
    "forward": 15.0, "final": 4.0,
}  # fmt: skip


@by_name
def follow(
    plan: Plan | ArrayLike,
    grid: Any = None,
    *,
    speed: float = 1.0,
    decel: float = 1.0,
    radius: float | None = None,
    footprint: Footprint | None = None,
    margin: float = 0.3,
    tolerance: float = 0.2,
    turn_rate: float | None = None,
    yaw_tolerance: float = YAW_TOLERANCE,
    weights: dict[str, float] | None = None,
    initial: Belief | None = None,
    dt: float = 0.1,
    horizon: int = 200,
    reads: str | Sequence[str] | None = None,
) -> TracedTask:
    """The task of driving along a path to its end and stopping there, clear of what the map shows.

    ::

        r_k       the point that the leg reaches after k steps at the speed wanted, from where the robot is now
        yaw_r     the direction of the path there; the heading of the plan, where it has one
        cost    = along e_s^2 + across e_n^2 + heading (1 - cos(yaw - yaw_r))             e = (x, y) - r_k
                + stop v^2 max(0, 1 - left / tolerance)^2                v the speed, left of the path at r_k [m]
                + pace (v - v_r)^2                                       v_r the speed of the reference
                + limit max(0, |v| - speed)^2
                + forward max(0, -w v)^2 min(1, left / tolerance)^2      w = 1 on a path of points, else 0
                + near max(0, 1 + max_j g_j / margin)^2
        terminal cost = final times all of this but nearness
        constraint    = g_j = a_j - clearance((x, y) + R(yaw) c_j)       discs j of the robot: centre c_j, radius a_j

    Works on every state that has x, y and yaw (bicycle, unicycle, differential drive, a pose in SE(2)). The carry of
    its references is how far along the path a robot has come, which never goes back.

    A plan whose states have a heading is driven as they say, forwards or backwards, one leg after the other: the
    references of a leg slow down and stand still at its end, a cusp or a turn on the spot, and those of the next leg
    begin when the robot has come there, to within `tolerance`. A plan of points is driven forwards, and cut into legs
    where it turns back by 120 degrees or more. References that a robot makes no way along for a second run ahead of it,
    by a second of driving at most: where the best plan is to drive on later, as before a corner, they draw it on. The
    speed of a robot that has one in its state (`speed`, `lateral_speed`, `vx`, `vy`) costs where the reference is about
    to stand at the end of the path, and such a robot is done when it stands there. Where a plan ends with a turn on the
    spot, a robot with a `turn_rate` is done when it faces the last heading, too, to within `yaw_tolerance`; one without
    is done at the end of the path, whatever its heading.

    A robot that comes along by less than a twentieth of its speed for 5 s, and the time for half a turn, is STUCK:
    the controller goes on, and the reason says where it is, and what is near.

    The constraint is that of ``grid.problem(start, goal, footprint)``: distances are those to the faces of cells, and
    unknown cells and all that is off the map are blocked. A planner is given the task itself as
    ``Problem(space, start, goal, task)``. New obstacles are a new parameter,
    ``drive.retarget(task.replace(clearance=grid.obstacles().field))``: nothing is compiled again, whatever the size of
    the new grid.

    Args:
        plan: a `Plan`, or its path ``(K, >= 2)``, x and y [m] first.
        grid: an `OccupancyGrid`; or a `Raster` of distances to the nearest obstacle [m], such as
            ``grid.obstacles().field``, that are taken as they are: between centres of cells, as those of
            `ObstacleLayer.clearance`, they are larger than to faces by up to 0.7 cells; None: open space. Or the
            `Problem` that was planned for, ``grid.problem(start, goal, footprint)``, whose footprint and obstacles are
            those of the task.
        speed: along the path [m/s]; more costs a robot that has a speed in its state, but is not ruled out.
        decel: what the reference slows down with before the end [m/s^2].
        radius: of a round robot [m], which is short for ``footprint=Footprint.disc(radius)``; default: 0.2 m, whatever
            the dynamics are, and a car is larger. How far a map was inflated for the planner does not count.
        footprint: of the robot, in place of the radius; not both.
        margin: within so much more, nearness costs [m]; 0 for a cost of none.
        tolerance: the task is done so close to the end [m], with at most twice as much of the path ahead: a path that
            leads back to where it begins is driven. A robot stands at a speed from which it brakes, with `decel`,
            within a fortieth of it. A leg before the last is done so close to its end, along the path.
        turn_rate: how fast the robot turns on the spot [rad/s]. A robot that faces elsewhere is given the time to turn
            before it is expected on its way; without, the point that it should have come to by now may draw it
            straight towards what the path leads around. None for robots that cannot turn on the spot.
        yaw_tolerance: a last turn on the spot is done so close to its heading [rad].
        weights: by the names above; what is not given keeps its default.
        initial, dt, horizon, reads: settings of every task: where an episode starts, seconds between decisions, their
            number in an episode, other names for x, y and yaw in the state.

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
    positive(margin, "margin", zero=True)
    given = {"speed": speed, "decel": decel, "tolerance": tolerance, "yaw_tolerance": yaw_tolerance}
    for name, value in (given if turn_rate is None else {**given, "turn_rate": turn_rate}).items():
        positive(value, name)
    grid, shape = _surroundings(grid, radius, footprint)
    params: dict[str, Any] = {**WEIGHTS, **(weights or {}), "tolerance": float(tolerance), "speed": float(speed)}
    if grid is not None:
        params |= {"margin": float(margin), "clearance": grid}
        params["near"] *= float(margin > 0.0)
    progress = Progress(path, ahead=max(2.0, speed), reached=float(tolerance))
    _ = paced.compiled, nearest.compiled  # here, and not in the first tick
    references = Pace(progress, float(speed), float(decel), float(dt), turn_rate)
    turn = None if path.turn is None or turn_rate is None else tuple(path.turn.tolist())
    done = Arrived(tuple(path.goal.tolist()), float(tolerance), standing(decel, tolerance), turn, float(yaw_tolerance))
    gauge, made = headway(speed, float(tolerance), turn_rate, references), _family(None if grid is None else shape)
    return made(
        references=references, done=done, gauge=gauge, initial=initial, dt=dt, horizon=horizon, reads=reads, **params
    )


def _surroundings(grid: Any, radius: float | None, footprint: Footprint | None) -> tuple[Raster | None, Footprint]:
    """Distances to the nearest obstacle [m], out of a grid, a raster or a problem, and the footprint of the robot."""
    if radius is not None and footprint is not None:
        raise SettingError("radius and footprint are two shapes of one robot; give one of them")
    disc = Footprint.disc(0.2 if radius is None else positive(radius, "radius", zero=True))
    shape = disc if footprint is None else instance(footprint, Footprint, "follow")
    if grid is None or isinstance(grid, Raster):
        return grid, shape
    if isinstance(grid, OccupancyGrid):
        return grid.obstacles().field, shape
    kept = grid.constraint if isinstance(grid, Problem) else None
    if not isinstance(kept, FootprintConstraint):
        raise SettingError(
            f"{grid!r} is no map; expected an OccupancyGrid, a Raster of distances [m], or a Problem that a map made"
        )
    if (radius is not None or footprint is not None) and shape != kept.footprint:
        raise SettingError(f"the footprint is {shape!r}, but the problem was planned for {kept.footprint!r}")
    return kept.obstacles.field, kept.footprint


@variants
def _family(footprint: Footprint | None) -> TaskFamily:
    """The tasks of robots of that footprint on maps; in open space, where there is none."""

    def offset(x: Any, r: Any, p: Any, m: Any) -> list[Any]:
        px, py, yaw, *v = x
        dx, dy, c, s, left, pace, way, _ = px - r[0], py - r[1], *r[2:]
        stopped = m.sqrt(p.stop) * m.maximum(1.0 - left / p.tolerance, 0.0)
        driven = v[0]
        lag = 0.0 if isinstance(driven, float) else driven - pace  # a number where there is no such component
        over = functools.reduce(m.maximum, (m.abs(each) for each in v)) - p.speed
        turned = m.sqrt(0.5 * p.heading)  # (cos yaw - c)^2 + (sin yaw - s)^2 = 2 (1 - cos(yaw - yaw_r))
        return [
            m.sqrt(p.along) * (c * dx + s * dy), m.sqrt(p.across) * (c * dy - s * dx),
            turned * (m.cos(yaw) - c), turned * (m.sin(yaw) - s), *(stopped * each for each in v),
            m.sqrt(p.pace) * lag, m.sqrt(p.limit) * m.maximum(over, 0.0),
            m.sqrt(p.forward) * m.minimum(left / p.tolerance, 1.0) * m.maximum(-way * driven, 0.0),
        ]  # fmt: skip

    def terminal(x: Any, r: Any, p: Any, m: Any) -> Any:
        return [m.sqrt(p.final) * e for e in offset(x, r, p, m)]

    def follow(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        if footprint is None:
            return offset(x, r, p, m)
        worst = functools.reduce(m.maximum, constraint(x, u, r, p, m))
        return [*offset(x, r, p, m), m.sqrt(p.near) * m.maximum(1.0 + worst / m.maximum(p.margin, 1e-9), 0.0)]

    def constraint(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        px, py, yaw, *_ = x
        return [] if footprint is None else footprint.constraint(px, py, yaw, p.clearance, m)

    mapped = {} if footprint is None else {"margin": 1.0, "clearance": Raster(np.zeros((1, 1)), 1.0)}
    return task(
        state=POSE, action=Space(), params={**WEIGHTS, "tolerance": 1.0, "speed": 1.0, **mapped}, terminal=terminal,
        constraint=constraint, weights=(1.0,) * (12 if mapped else 11), terminal_weights=(1.0,) * 11, stage=STAGE,
        optional=MOVING,
    )(follow)  # fmt: skip
