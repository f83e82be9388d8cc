"""What happens between two ticks counts: nobody passes a wall, however long a tick is."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import Gaussian, Space, Task
from pilotage.envs import ModelEnv, ModelVectorEnv, Navigation, NavigationVector, Robot
from pilotage.maps import Footprint, FootprintConstraint, OccupancyGrid
from pilotage.models import dynamics, task, unicycle

CELL = 0.1
HALL = OccupancyGrid.from_ascii(["#" * 82, *["#" + "." * 40 + "#" + "." * 39 + "#"] * 20, "#" * 82], resolution=CELL)
"""A hall with a wall of 10 cm in its middle, at x in [4.1, 4.2]."""
STARTS = np.linspace(0.8, 3.6, 13)


def world(kind, dt):
    """A robot of 10 cm in the hall: its dynamics and task; the task is a formula, or a class of one's own."""
    robot = unicycle(noise=0.0, limits={"speed": (-3.0, 3.0)})
    clear = FootprintConstraint(HALL.obstacles("free"), Footprint.disc(0.1), robot.state)
    start = Gaussian.of(robot.state, [1.0, 1.0, 0.0], std=0.01)
    if kind == "formula":

        @task(
            state=Space("x y [m]"),
            action=robot.action,
            params={"field": clear.obstacles.field},
            constraint=lambda x, u, p, m: 0.1 - m.lookup(p.field, x[0], x[1]),
        )
        def stay(x, u, p, m):
            return 0.0

        return robot, stay(initial=start, dt=dt)
    return robot, Walls(clear, start, dt)


class Walls(Task):
    def __init__(self, clear, initial, dt):
        self.clear, self.initial, self.dt = clear, initial, dt

    def cost(self, x, u, r=None):
        return 0.0 * x[..., 0]

    def constraint(self, x, u, r=None):
        return self.clear(x)


@pytest.mark.parametrize("kind", ["formula", "class"])
@pytest.mark.parametrize("dt", [0.05, 0.5, 2.0, 60.0])
def test_no_start_passes_a_wall(kind, dt):
    models = world(kind, dt)
    one, many = ModelEnv(models[0], None, models[1]), ModelVectorEnv(models[0], None, models[1], num_envs=13)
    states = np.stack([STARTS, np.full(13, 1.0), np.zeros(13)], -1)
    last = []
    for state in states:
        one.reset(options={"state": state})
        over = False
        while not over:
            *_, over, _, info = one.step([3.0, 0.0])
        assert info["violated"]
        last.append(info["state"])
    x = np.array(last)[:, 0]
    # It ends where it first touched the wall: at 4.0, the wall's face less the radius.
    assert (x > 3.9).all()
    assert (x < 4.0 + 0.06).all()
    many.reset(options={"state": states})
    ended = np.zeros(13, dtype=bool)
    for _ in range(200):
        *_, terminated, _, info = many.step(np.tile([3.0, 0.0], (13, 1)))
        fresh = terminated & ~ended
        np.testing.assert_allclose(info["state"][fresh], np.array(last)[fresh], atol=1e-9)
        ended |= terminated
        if ended.all():
            break
    assert ended.all()


@pytest.mark.parametrize("dt", [0.1, 0.5, 3.0])
def test_no_robot_passes_a_wall_of_its_map(dt):
    small = unicycle(limits={"speed": (-3.0, 3.0)})
    robot = Robot(small, small, Footprint.disc(0.05))
    settings = {"obstacles": 0, "goals": [[2.0, 1.6]], "slip": 0.0, "dt": dt, "tolerance": 1e-3}
    one, many = Navigation(HALL, robot, **settings), NavigationVector(13, HALL, robot, **settings)
    assert one.world.resolution <= 0.05
    for begin in STARTS:
        one.reset(seed=0)
        x = one.state
        x[:3] = begin, 1.0, 0.0
        one.reset(options={"state": x})
        over, total = False, 0.0
        while not over:
            _, reward, over, _, info = one.step([3.0, 0.0])
            total += reward
        assert info["collision"]
        assert info["pose"][0] < 4.2
        assert total < -1000.0, "a collision between two ticks costs what a collision costs"
    many.reset(seed=0)
    states = many.states
    states[:, :3] = np.stack([STARTS, np.full(13, 1.0), np.zeros(13)], -1)
    many.reset(options={"state": states})
    ended = np.zeros(13, dtype=bool)
    for _ in range(100):
        *_, terminated, _, info = many.step(np.tile([3.0, 0.0], (13, 1)))
        assert (info["pose"][:, 0] < 4.2)[~ended].all()
        ended |= terminated
    assert ended.all()


def test_obstacles_that_are_on_no_map_are_passed_by_nobody():
    robot = Robot(unicycle(), unicycle(), Footprint.disc(0.05))
    env = Navigation(HALL, robot, obstacles=1, goals=[[2.0, 1.0]], slip=0.0, dt=1.0, tolerance=1e-3)
    env.reset(seed=0)
    x = env.state
    x[:3] = 0.8, 1.0, 0.0
    x[7:10] = 1.8, 1.0, 0.1
    env.reset(options={"state": x})
    _, _, over, _, info = env.step([2.0, 0.0])
    assert over
    assert info["collision"]
    assert info["pose"][0] == pytest.approx(1.65, abs=0.06)


def test_a_way_that_is_free_stays_free():
    """Judging more states forbids nothing that is allowed: along a wall, and where only the action is judged."""
    robot, goal = world("formula", 2.0)
    env = ModelEnv(robot, None, goal)
    env.reset(options={"state": [1.0, 0.3, 0.0]})
    assert env.step([1.4, 0.0])[2:4] == (False, False)
    assert env.state[0] == pytest.approx(3.8)


def test_the_angle_goes_the_short_way():
    """From 170 to -170 degrees the arm does not pass 0, where a constraint would stop it."""
    turning = dynamics(state=Space("yaw: angle"), action=Space("rate [rad/s] in [-9, 9]"))(lambda x, u, p, m: u[0])
    goal = task(
        state=Space("yaw: angle"), action=Space("rate [rad/s] in [-9, 9]"), constraint=lambda x, u, p, m: m.cos(x[0])
    )(lambda x, u, p, m: 0.0)
    models = turning(), None, goal(dt=1.0, initial=Gaussian.of(Space("yaw: angle"), [3.0], std=0.1))
    env = ModelEnv(*models)
    env.reset(options={"state": [2.97]})
    assert not env.step([0.34])[2]
    env.reset(options={"state": [1.7]})
    assert env.step([-0.3])[2]


class Unknown(Task):
    """A wall of which nothing is known, halfway."""

    dt, initial = 1.0, Gaussian.of(Space("x [m]"), [0.0], std=1e-9)

    def cost(self, x, u, r=None):
        return 0.0 * x[..., 0]

    def constraint(self, x, u, r=None):
        return np.where(abs(x - 1.0) < 0.04, np.nan, -1.0)


class Vague(Task):
    """A task that does not know whether it is over."""

    dt, initial = 1.0, Gaussian.of(Space("x [m]"), [0.0], std=1e-9)

    def cost(self, x, u, r=None):
        return 0.0 * x[..., 0]

    def done(self, x, r=None):
        return np.full(np.shape(x)[:-1], np.nan)


@pytest.mark.parametrize("goal", [Unknown, Vague])
def test_what_is_not_known_is_violated(goal):
    line = dynamics(state=Space("x [m]"), action=Space("v [m/s] in [-3, 3]"))(lambda x, u, p, m: u[0])()
    one, many = ModelEnv(line, None, goal()), ModelVectorEnv(line, None, goal(), num_envs=2)
    one.reset(seed=0)
    many.reset(seed=0)
    *_, terminated, _, info = one.step([2.0])
    assert terminated
    assert info["violated"]
    *_, terminated, _, info = many.step([[2.0], [2.0]])
    assert terminated.all()
    assert info["violated"].all()


def test_a_formula_that_is_nan_is_violated():
    space, action = Space("x [m]"), Space("v [m/s] in [-3, 3]")
    line = dynamics(state=space, action=action)(lambda x, u, p, m: u[0])()
    root = task(state=space, action=action, constraint=lambda x, u, p, m: -m.sqrt(x[0]))(lambda x, u, p, m: 0.0)
    for make in (ModelEnv, lambda *models: ModelVectorEnv(*models, num_envs=1)):
        env = make(line, None, root(initial=Gaussian.of(space, [1.0], std=1e-9), dt=1.0))
        env.reset(seed=0)
        assert np.all(env.step(np.full(env.action_space.shape, -3.0))[2])


def test_the_end_of_an_episode_stays_its_end():
    space, action = Space("x [m]"), Space("v [m/s] in [-3, 3]")
    line = dynamics(state=space, action=action)(lambda x, u, p, m: u[0])()
    fence = task(state=space, action=action, constraint=lambda x, u, p, m: x[0] - 1.0, terminal=lambda x, p, m: 7.0)(
        lambda x, u, p, m: 1.0
    )(initial=Gaussian.of(space, [0.0], std=1e-9), dt=1.0, horizon=3)
    env = ModelEnv(line, None, fence)
    env.reset(seed=0)
    steps = [env.step([0.0]) for _ in range(6)]
    assert [s[3] for s in steps] == [False, False, True, True, True, True], "truncated"
    assert not any(s[2] for s in steps)
    assert [s[1] for s in steps] == [-1.0, -1.0, -8.0, -1.0, -1.0, -1.0], "the terminal cost is charged once"
    env.reset(seed=0)
    ends = [env.step([v])[2:4] for v in (2.0, -3.0, 0.0, 0.0)]
    assert ends == [(True, False)] * 4, "terminated, and back inside the fence it stays so"
    env.reset(seed=0)
    assert env.step([0.0])[2:4] == (False, False)
