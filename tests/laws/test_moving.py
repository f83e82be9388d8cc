"""Plans among moving obstacles touch none of them, on the geodesics of their own space and not only on the chords."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Plan, Problem, Space
from pilotage.core.moving import bows
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import dynamics, unicycle
from pilotage.models.trace import driver
from pilotage.planners import (
    SST,
    AStar,
    Dubins,
    FrenetPlanner,
    KinodynamicRRT,
    MovingObstacle,
    ReferenceLine,
    SpaceTimeAStar,
    TimeParameterization,
)
from pilotage.planners.sampling._problem import compiled
from pilotage.planners.sampling._space import WORLD, bow

SPACES = {
    "flat": Space("x y [m]", "yaw: angle"),
    "SE2": Space("pose: SE2"),
    "SE2 and more": Space("speed [m/s]", "pose: SE2"),
    "SE3": Space("pose: SE3"),
}
POSE, RIDE = SPACES["SE2"], Space("pose: SE2", "speed [m/s]")
HALL = OccupancyGrid.from_occupied(np.zeros((100, 100), bool), 0.1)
RADIUS, OTHER = 0.2, 0.3
DISC, ROBOT = Footprint.disc(RADIUS), unicycle()
angle = np.linspace(0.0, 3.0, 200)
BEND = ReferenceLine(np.array([1.0, 2.0]) + 5.0 * np.stack([np.sin(angle), 1.0 - np.cos(angle)], -1))


@dynamics(state=POSE, action=Space("v [m/s] in [0, 2]", "w [rad/s] in [-2, 2]"))
def twist(x, u, p, m):
    """A pose in SE(2) with constant velocities: each step is an arc of a circle."""
    return u[0], 0.0, u[1]


Moving = Sequence[MovingObstacle]


def by_twists(planner: type[KinodynamicRRT] | type[SST], moving: Moving) -> Plan:
    problem = HALL.problem([1.5, 2.0, 0.0], [8.0, 7.0, 0.0], DISC, space=POSE, moving=moving)
    return planner(twist(), dt=0.5, tolerance=1.5, iterations=2000).plan(problem, rng=3)


def on_a_curve(moving: Moving) -> Plan:
    path = Dubins(1.0).connect([4.0, 4.0, 0.0], [4.0, 6.0, np.pi])
    problem = HALL.problem(path.xs[0], path.xs[-1], DISC, space=POSE, moving=moving)
    return TimeParameterization(spacing=0.5).parameterize(path, problem)


def on_cells(moving: Moving, timed: bool) -> Plan:
    problem = HALL.problem([1.0, 2.0], [8.0, 7.0], DISC, moving=moving)
    return SpaceTimeAStar().plan(problem) if timed else TimeParameterization().parameterize(
        AStar().plan(problem.still), problem
    )  # fmt: skip


def along_a_road(moving: Moving, space: Space = RIDE) -> Plan:
    planner = FrenetPlanner(BEND, speed=6.0, lateral=9.0, curvature=0.5, durations=(2.0,), dt=0.3)
    start = BEND.to_cartesian([0.5, 4.0, 0.0, 0.0, 0.0, 0.0])[:4]
    return planner.plan(HALL.problem(start, space, DISC, space=space, moving=moving))


def unicycles(moving: Moving) -> Plan:
    problem = HALL.problem([1.0, 2.0, 0.0], [8.0, 7.0, 0.0], DISC, space=ROBOT.state, moving=moving)
    controls = ROBOT.action.bounded({"speed": (0, 1), "yaw_rate": (-1, 1)})
    return KinodynamicRRT(ROBOT, controls, dt=0.3, tolerance=1.0).plan(problem, rng=0)


CURVED: dict[str, Callable[[Moving], Plan]] = {
    "KinodynamicRRT": lambda moving: by_twists(KinodynamicRRT, moving),
    "SST": lambda moving: by_twists(SST, moving),
    "TimeParameterization": on_a_curve,
    "FrenetPlanner": along_a_road,
}
PLANNERS = CURVED | {
    "SpaceTimeAStar": lambda moving: on_cells(moving, timed=True),
    "TimeParameterization of AStar": lambda moving: on_cells(moving, timed=False),
    "FrenetPlanner on a flat space": lambda moving: along_a_road(moving, Space("x y [m]", "yaw: angle", "speed [m/s]")),
    "KinodynamicRRT on a flat space": unicycles,
}


def least_gap(plan: Plan, moving: Moving) -> float:
    """The least room between robot and obstacles on the geodesics between the states."""
    assert plan.xs is not None and plan.ts is not None and plan.space is not None
    shares = np.linspace(0.0, 1.0, 101)
    at = [i for i, name in enumerate(plan.space.names) if name.rpartition(".")[2] in ("x", "y")]
    xy = plan.space.interpolate(plan.xs[:-1, None], plan.xs[1:, None], shares)[..., at]
    ts = plan.ts[:-1, None] + shares * np.diff(plan.ts)[:, None]
    gaps = [np.linalg.norm(xy - each.at(ts), axis=-1).min() - np.max(each.radius) for each in moving]
    return float(min(gaps)) - RADIUS


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_room_is_no_more_than_between_the_states(name: str, seed: int) -> None:
    draw, space = np.random.default_rng(seed), SPACES[name]
    xs = space.plus(space.identity(), draw.uniform(-1.5, 1.5, (4, space.dim)))
    ts, shares = np.cumsum(draw.uniform(0.1, 1.0, 4)), np.linspace(0.0, 1.0, 401)
    moving = [MovingObstacle([0.0, 2.0], draw.uniform(-2.0, 2.0, (2, 2)), 0.3) for _ in range(2)]
    fine = space.interpolate(xs[:-1, None], xs[1:, None], shares)
    xyz = [i for i, each in enumerate(space.names) if each.rpartition(".")[2] in ("x", "y", "z")]
    chords = xs[:-1, None, xyz] + shares[:, None] * np.diff(xs[:, xyz], axis=0)[:, None]
    away = np.linalg.norm(fine[..., xyz] - chords, axis=-1).max(-1)
    np.testing.assert_allclose(bows(space, xs), away, atol=1e-12)
    when, at = ts[:-1, None] + shares * np.diff(ts)[:, None], [space.find(each) for each in ("x", "y")]
    sampled = np.min([np.linalg.norm(fine[..., at] - each.at(when), axis=-1).min(-1) for each in moving], axis=0) - 0.3
    room = Problem(space, xs[0], xs[-1], moving=moving).room_among(xs, ts)
    assert (room <= sampled + 1e-9).all()
    assert (room >= sampled - 2.0 * away - 0.03).all()


@driver(f"f8({WORLD}, f8[::1], f8[::1], i8, i8)")
def compiled_bow(world, a, b, i, j):
    """`bow`, to be called from Python."""
    return bow(world, a, b, i, j)


@pytest.mark.parametrize("name", ["flat", "SE2", "SE2 and more"])
def test_compiled_bows_are_those_of_numpy(name: str) -> None:
    draw, space = np.random.default_rng(0), SPACES[name]
    i, j = space.find("x"), space.find("y")
    for _ in range(20):
        a, b = space.plus(space.identity(), draw.uniform(-2.0, 2.0, (2, space.dim)))
        world = compiled(Problem(space, a, b), None, draws=False).world
        assert compiled_bow(world, a, b, i, j) == pytest.approx(bows(space, np.stack([a, b]))[0], abs=1e-14)


@pytest.mark.parametrize("name", CURVED)
def test_an_obstacle_that_only_the_arc_touches_is_avoided(name: str) -> None:
    """It rests beside the largest arc of the plan that ignores it: the chord is clear, and its middle is not."""
    alone = CURVED[name]([])
    assert alone.ok, alone.reason
    away = bows(alone.space, alone.xs)
    largest = np.flatnonzero(away > 0.999 * away.max())
    k = largest[len(largest) // 2]
    middle = alone.space.interpolate(alone.xs[k], alone.xs[k + 1], 0.5)[:2]
    out = (middle - 0.5 * (alone.xs[k] + alone.xs[k + 1])[:2]) / away[k]
    assert away[k] > 0.005
    for gap in (-1e-3 * away[k], 0.03):
        other = MovingObstacle([0.0], [middle + (RADIUS + OTHER + gap) * out], OTHER)
        assert (least_gap(alone, [other]) < 0.0) == (gap < 0.0)
        plan = CURVED[name]([other])
        assert plan.ok or gap < 0.0, plan.reason
        if plan.ok:
            assert least_gap(plan, [other]) >= -1e-9


@pytest.mark.parametrize("name", PLANNERS)
def test_plans_touch_nothing_that_moves(name: str) -> None:
    draw, solved = np.random.default_rng(1), 0
    for _ in range(8):
        moving = []
        for _ in range(4):
            ts, places = np.append(0.0, np.cumsum(draw.uniform(1.0, 4.0, 3))), draw.uniform(0.0, 10.0, (4, 2))
            moving.append(MovingObstacle(ts, places, OTHER))
        plan = PLANNERS[name](moving)
        if plan.ok:
            solved += 1
            assert least_gap(plan, moving) >= -1e-9
    assert solved >= 2
