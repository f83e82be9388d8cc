"""The task of following a path, clear of obstacles."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.belief import Belief
from ...core.errors import SettingError
from ...core.plan import Plan
from ...core.problem import Problem
from ...core.raster import Raster
from ...core.settings import by_name, instance, positive, shown
from ...core.space import Space
from ...maps import Footprint, FootprintConstraint, OccupancyGrid
from ...models import TracedTask, task
from ...models.trace.portable import variants
from ...models.trace.task import TaskFamily
from ._pace import STAGE, Pace
from ._pace import TURNED as TURNED
from ._polyline import nearest, paced
from ._verdicts import Arrived, headway
from .path import POSE, YAW_TOLERANCE, Path, Progress, standing

MOVING = Space("speed lateral_speed vx vy [m/s]")
"""The components of a speed; the task uses those that the state has."""
WEIGHTS = {
    "along": 8.0, "across": 4.0, "heading": 1.0, "turn": 4.0, "near": 40.0, "stop": 2.0, "pace": 0.5, "limit": 4.0,
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
    """The task of driving along a path to its end and stopping there, clear of the obstacles of a map.

    ::

        r_k       the point of the leg after k steps at the desired speed, from the current position of the robot
        yaw_r     the direction of the path there, or the heading of the plan if it has one
        cost    = along e_s^2 + across e_n^2 + heading (1 - cos(yaw - yaw_r))             e = (x, y) - r_k
                                                                         while it turns about: turn for heading
                + stop v^2 max(0, 1 - left / tolerance)^2                v the speed, left of the path at r_k [m]
                + pace (v - v_r)^2                                       v_r the speed of the reference
                + limit max(0, |v| - speed)^2
                + forward max(0, -w v)^2 min(1, left / tolerance)^2      w = 1 on a path of points, else 0
                + near max(0, 1 + max_j g_j / margin)^2
        terminal cost = final times all of this except nearness
        constraint    = g_j = a_j - clearance((x, y) + R(yaw) c_j)       discs j of the robot: centre c_j, radius a_j

    It works for every state with x, y and yaw (bicycle, unicycle, differential drive, a pose in SE(2)). The carry of
    its references is the progress of the robot along the path, which never decreases.

    A plan whose states have a heading is driven accordingly, forwards or backwards, leg by leg: the references of a leg
    slow down and stop at its end, which is a cusp or a turn on the spot, and those of the next leg begin once the robot
    is there to within `tolerance`. A plan of points is driven forwards, and divided into legs where it turns back by
    120 degrees or more. A robot without a `turn_rate` that faces away from such a path by more than 90 degrees turns
    about first, near where it is: its references wait there while their heading turns, and w is 0, since a car turns
    about forwards and backwards in turn. If a robot makes no progress for a second, its references move ahead by at
    most a second of driving. This resolves situations in which waiting is always the best plan, as before a corner. A
    robot with a speed in its state (`speed`, `lateral_speed`, `vx`, `vy`) pays for it near the end of the path, and is
    done only once it stands there. If a plan ends with a turn on the spot, a robot with a `turn_rate` is done once it
    also faces the final heading to within `yaw_tolerance`; other robots are done at the end of the path with any
    heading.

    A robot is STUCK if it progresses at less than a twentieth of its speed for 5 s plus the time for half a turn. The
    controller continues, and its reason gives the position and nearby obstacles.

    The constraint equals that of ``grid.problem(start, goal, footprint)``: distances are measured to the faces of
    cells, and unknown cells and everything off the map are blocked. To plan with the task itself, use
    ``Problem(space, start, goal, task)``. New obstacles are a new parameter,
    ``drive.retarget(task.replace(clearance=grid.obstacles().field))``; nothing is compiled again, even if the new grid
    has another size.

    Args:
        plan: a `Plan`, or an array of x and y ``(K, 2)``, or of x, y and yaw ``(K, 3)`` [m, m, rad], as for `Path`.
        grid: an `OccupancyGrid`; a `Raster` of distances to the nearest obstacle [m], such as
            ``grid.obstacles().field``; the `Problem` of the plan, ``grid.problem(start, goal, footprint)``, with its
            footprint and obstacles; or None for open space. The values of a raster are used unchanged: distances
            between the centres of cells, as in `OccupancyGrid.distance_field`, exceed those to faces by up to 0.7
            cells; those of `ObstacleLayer.clearance` are to faces.
        speed: speed along the path [m/s]. If the state has a speed, exceeding it costs, but is not excluded.
        decel: deceleration of the reference before the end [m/s^2]; less if the bounds of the action `accel` allow
            only less.
        radius: radius of a round robot [m], short for ``footprint=Footprint.disc(radius)``. The default is the
            footprint of the problem that the plan solves, and 0.2 m for plans and paths without one; a car is larger.
            The inflation of the planner's map has no effect here.
        footprint: outline of the robot, instead of the radius; not both.
        margin: additional distance to obstacles within which nearness costs [m]; 0 for no such cost.
        tolerance: distance to the end of the path at which the task is done [m], with at most twice as much of the path
            ahead, so that a path that returns to its start is driven. It is also the distance along the path at which
            an earlier leg is done. A robot stands if it can stop with `decel` within a fortieth of it.
        turn_rate: rate at which the robot turns on the spot [rad/s]; None if it cannot. If the robot faces another
            direction, its references wait while it turns. Otherwise they move on, and may draw it straight towards an
            obstacle that the path avoids.
        yaw_tolerance: tolerance of the heading at the end of a final turn on the spot [rad].
        weights: weights by the names above; others keep their defaults.
        initial, dt, horizon, reads: settings of every task: the initial belief of an episode, the seconds between
            decisions, the number of decisions in an episode, and other names for x, y and yaw in the state.

    Example:
        >>> from pilotage.control import MPPI
        >>> from pilotage.models import unicycle
        >>> task = follow([[0, 0], [5, 0]], speed=0.5)
        >>> MPPI(unicycle(), task, samples=256, rng=0).act([0, 0, 0]).u.shape
        (2,)
    """
    path, chosen = Path(plan), _weights(weights)
    positive(margin, "margin", zero=True)
    given = {"speed": speed, "decel": decel, "tolerance": tolerance, "yaw_tolerance": yaw_tolerance}
    for name, value in (given if turn_rate is None else {**given, "turn_rate": turn_rate}).items():
        positive(value, name)
    planned = plan.footprint if isinstance(plan, Plan) else None
    grid, shape = _surroundings(grid, radius, footprint, planned)
    params: dict[str, Any] = {**chosen, "tolerance": float(tolerance), "speed": float(speed)}
    if grid is not None:
        params |= {"margin": float(margin), "clearance": grid}
        params["near"] *= float(margin > 0.0)
    progress = Progress(path, ahead=max(2.0, speed), reached=float(tolerance))
    _ = paced.compiled, nearest.compiled  # compiles them now rather than in the first tick
    references = Pace(progress, float(speed), float(decel), float(dt), turn_rate)
    turn = None if path.turn is None or turn_rate is None else tuple(path.turn.tolist())
    done = Arrived(tuple(path.goal.tolist()), float(tolerance), standing(decel, tolerance), turn, float(yaw_tolerance))
    gauge, made = headway(speed, float(tolerance), turn_rate, references), _family(None if grid is None else shape)
    return made(
        references=references, done=done, gauge=gauge, initial=initial, dt=dt, horizon=horizon, reads=reads, **params
    )


def _weights(given: Any) -> dict[str, float]:
    """All weights, of which some are given by name."""
    if given is not None and not isinstance(given, dict):
        raise SettingError(f"weights are {shown(given)}; expected weights by name, of {', '.join(WEIGHTS)}")
    strange = [name for name in given or {} if name not in WEIGHTS]
    if strange:
        raise SettingError(f"follow has no weight {strange[0]!r}; there are {', '.join(WEIGHTS)}")
    return {**WEIGHTS, **(given or {})}


def _surroundings(
    grid: Any, radius: float | None, footprint: Footprint | None, planned: Any
) -> tuple[Raster | None, Footprint]:
    """The distances to the nearest obstacle [m] from a grid, raster or problem, and the footprint of the robot."""
    if radius is not None and footprint is not None:
        raise SettingError("radius and footprint are two shapes of one robot; give one of them")
    disc = Footprint.disc(0.2 if radius is None else positive(radius, "radius", zero=True))
    given = planned if footprint is None and radius is None else footprint
    shape = disc if given is None else instance(given, Footprint, "follow")
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
    """The task family for robots of a footprint on maps, or for open space if there is none."""

    def offset(x: Any, r: Any, p: Any, m: Any) -> list[Any]:
        px, py, yaw, *v = x
        dx, dy, c, s, left, pace, way, _ = px - r[0], py - r[1], *r[2:]
        stopped = m.sqrt(p.stop) * m.maximum(1.0 - left / p.tolerance, 0.0)
        driven = v[0]
        lag = 0.0 if isinstance(driven, float) else driven - pace  # a number where there is no such component
        over = functools.reduce(m.maximum, (m.abs(each) for each in v)) - p.speed
        heading = p.heading + (p.turn - p.heading) * m.maximum(-way, 0.0)
        turned = m.sqrt(0.5 * heading)  # (cos yaw - c)^2 + (sin yaw - s)^2 = 2 (1 - cos(yaw - yaw_r))
        return [
            m.sqrt(p.along) * (c * dx + s * dy), m.sqrt(p.across) * (c * dy - s * dx),
            turned * (m.cos(yaw) - c), turned * (m.sin(yaw) - s), *(stopped * each for each in v),
            m.sqrt(p.pace) * lag, m.sqrt(p.limit) * m.maximum(over, 0.0),
            m.sqrt(p.forward) * m.minimum(left / p.tolerance, 1.0) * m.maximum(-m.maximum(way, 0.0) * driven, 0.0),
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
