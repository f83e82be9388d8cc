"""A tick by machine code and by the methods of the models: the same numbers from the same random streams."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from pilotage.core import Dynamics, Gaussian, Sensor, Space, Task
from pilotage.envs import ModelEnv, ModelVectorEnv
from pilotage.models import cart_pole, compass, constant_velocity, gnss, quadrotor, radar, task, unicycle

from .worlds import SENSORS, fix, going_home, rover
from .worlds import compass as heading


class Hidden:
    """A model behind its protocol: nothing of it is a formula."""

    def __init__(self, inner):
        self.inner = inner
        for name in ("state", "action", "reading", "context", "stage", "dt", "horizon", "initial"):
            if hasattr(inner, name):
                setattr(self, name, getattr(inner, name))


class HiddenDynamics(Hidden, Dynamics):
    def step(self, x, u, dt):
        return self.inner.step(x, u, dt)

    def noise(self, x, u, dt):
        return self.inner.noise(x, u, dt)


class HiddenSensor(Hidden, Sensor):
    def observe(self, x, context=None):
        return self.inner.observe(x, context)

    def noise(self, x, context=None):
        return self.inner.noise(x, context)


class HiddenTask(Hidden, Task):
    def __init__(self, inner):
        super().__init__(inner)
        self.state = inner.state.select(inner.state.names[:2])  # what the constraints of this file read

    def on(self, state, action=None):
        return HiddenTask(self.inner.on(state, action))

    def cost(self, x, u, r=None):
        return self.inner.cost(x, u)

    def terminal_cost(self, x, r=None):
        return self.inner.terminal_cost(x)

    def constraint(self, x, u, r=None):
        return self.inner.constraint(x, u)

    def done(self, x, r=None):
        return self.inner.done(x)


def goal_of(model, *, done=None, fence=2.0):
    """A task for any model: squares, a fence around the start in the first two components, and an end."""
    names = Space(*model.state.parts)

    @task(state=names, action=model.action, terminal=lambda x, p, m: x[0] * 3.0, constraint=_fence(fence))
    def near(x, u, p, m):
        return sum(e * e for e in x) + sum(e * e for e in u)

    mean = model.state.identity()
    return near(initial=Gaussian.of(model.state, mean, std=0.3), dt=0.1, horizon=30, done=done)


def _fence(width):
    return lambda x, u, p, m: (m.abs(x[0]) - width, x[1] - width)


def _far(x):
    return x[..., 0] > 1.0


WORLDS = {
    "rover": lambda: (rover(), SENSORS, going_home()),
    "rover without sensors": lambda: (rover(), None, going_home(done=None)),
    "rover without noise": lambda: (rover(noise=0.0), {"fix": fix(), "heading": heading()}, going_home()),
    "cart-pole": lambda: (cart_pole(), None, goal_of(cart_pole())),
    "quadrotor": lambda: (quadrotor(), gnss(3), goal_of(quadrotor())),
    "correlated noise": lambda: (constant_velocity(2), radar(), goal_of(constant_velocity(2), done=_far)),
    "noise of actions": lambda: (
        unicycle(action_noise=0.3),
        {"gnss": gnss(std=1.0), "compass": compass()},
        goal_of(unicycle(), done=_far, fence=0.5),
    ),
}
BY_METHODS = {"noise of actions"}
"""Worlds whose noise depends on the state, so that there is no machine code of the whole tick."""


CALM = {"quadrotor": 1e-3}
"""The largest action in worlds that would tumble, where rounding grows."""


def hidden(dynamics, sensors, goal):
    """The same world without formulas."""

    def hide(sensor):
        return (HiddenSensor(sensor[0]), sensor[1]) if isinstance(sensor, tuple) else HiddenSensor(sensor)

    if isinstance(sensors, dict):
        seen = {name: hide(sensor) for name, sensor in sensors.items()}
    else:
        seen = None if sensors is None else hide(sensors)
    return HiddenDynamics(dynamics), seen, HiddenTask(goal)


def same(one, other):
    """Observations, rewards, ends and infos are equal to rounding."""
    assert type(one) is type(other) or np.isscalar(one)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            same(one[name], other[name])
    elif isinstance(one, tuple):
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif np.asarray(one).dtype == np.float32:  # rounding may fall either way
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-6)
    else:
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", WORLDS)
def test_machine_code_and_methods_are_one_world(name):
    world = WORLDS[name]()
    fast, slow = ModelEnv(*world), ModelEnv(*hidden(*world))
    assert (fast.world.machine is None) == (name in BY_METHODS)
    assert slow.world.machine is None
    rng, ends = np.random.default_rng(0), 0
    for seed in range(4):
        same(fast.reset(seed=seed), slow.reset(seed=seed))
        for _ in range(31):
            u = CALM.get(name, 1.2) * rng.uniform(-1.0, 1.0, fast.action_space.shape)
            a, b = fast.step(u), slow.step(u)
            same(a, b)
            ends += a[2] + a[3]
        assert fast.np_random.random() == slow.np_random.random(), "the streams are used alike"
    assert ends


@pytest.mark.parametrize("name", WORLDS)
def test_many_worlds_by_machine_code_and_by_methods(name):
    world = WORLDS[name]()
    fast, slow = (ModelVectorEnv(*models, num_envs=5, max_episode_steps=25) for models in (world, hidden(*world)))
    same(fast.reset(seed=3), slow.reset(seed=3))
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        u = CALM.get(name, 1.2) * rng.uniform(-1.0, 1.0, fast.action_space.shape)
        a, b = fast.step(u), slow.step(u)
        same(a, b)
        ends += (a[2] | a[3]).sum()
    assert ends > 5


def test_an_environment_that_ran_can_be_copied_and_sent():
    """Machine code stays behind, and is made again."""
    env = ModelEnv(rover(), SENSORS, going_home(done=None))
    env.reset(seed=0)
    env.step([0.1, 0.2])
    twins = copy.deepcopy(env), pickle.loads(pickle.dumps(env))
    after = env.step([0.3, 0.1])
    for twin in twins:
        same(after, twin.step([0.3, 0.1]))


def test_a_parameter_that_learns_is_read_at_every_tick():
    torch = pytest.importorskip("torch")
    weight = torch.tensor(1.0, dtype=torch.float64)
    cost = task(state=Space("x y [m]"), action=rover().action, params={"w": weight})(lambda x, u, p, m: p.w)
    env = ModelEnv(rover(), None, cost(initial=going_home().initial))
    env.reset(seed=0)
    assert env.step([0.0, 0.0])[1] == -1.0
    weight.fill_(5.0)
    assert env.step([0.0, 0.0])[1] == -5.0
