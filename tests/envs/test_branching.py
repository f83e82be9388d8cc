"""Any Gymnasium environment, saved and restored in the middle of an episode, and as dynamics."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest

from pilotage.control import MPPI
from pilotage.core import ModelError, SettingError, Space, Task
from pilotage.envs import EnvDynamics, restore_state, save_state

CLASSIC = ["CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "FrozenLake-v1"]
PHYSICS = ["InvertedPendulum-v5", "Reacher-v5", "Hopper-v5", "Ant-v5"]


def equal(one, other) -> bool:
    if isinstance(one, dict):
        return all(equal(one[name], other[name]) for name in one)
    return np.array_equal(one, other)


@pytest.mark.filterwarnings("ignore:.*You are calling 'step.*")
@pytest.mark.parametrize("name", [*CLASSIC, *PHYSICS])
def test_a_restored_episode_is_equal_to_the_bit(name):
    if name in PHYSICS:
        pytest.importorskip("mujoco")
    env, other = gymnasium.make(name, max_episode_steps=20), gymnasium.make(name, max_episode_steps=20)
    env.reset(seed=1)
    env.action_space.seed(0)
    for _ in range(4):
        env.step(env.action_space.sample())
    saved, actions = save_state(env), [env.action_space.sample() for _ in range(18)]
    once = [env.step(u) for u in actions]
    assert any(row[2] or row[3] for row in once), "the time limit is counted from the saved state"
    other.reset(seed=5)
    for twin in (env, other):
        restore_state(twin, saved)
        for u, row in zip(actions, once, strict=True):
            assert all(equal(a, b) for a, b in zip(row, twin.step(u), strict=True))


def test_what_cannot_be_saved():
    class Closed(gymnasium.Env):  # type: ignore[type-arg]
        action_space = observation_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            return 0, {}

    with pytest.raises(SettingError, match="get_state"):
        save_state(Closed())
    with pytest.raises(SettingError, match="get_state"):
        EnvDynamics(Closed())
    env = gymnasium.make("Pendulum-v1")
    with pytest.raises(SettingError, match="save_state"):
        restore_state(env, 3.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Pendulum-v1", "CartPole-v1", "InvertedPendulum-v5", "pilotage/Reacher-v0"])
def test_an_environment_is_dynamics(name):
    """Steps from its own states are its own states, whatever was stepped in between."""
    if name == "InvertedPendulum-v5":
        pytest.importorskip("mujoco")
    env, model = gymnasium.make(name), EnvDynamics(gymnasium.make(name))
    env.reset(seed=3)
    x, rng, dt = model.start(3), np.random.default_rng(0), model.dt or 0.05
    for _ in range(6):
        u = model.action.sample(rng=rng) if np.isfinite(model.action.low).all() else rng.normal(size=1)
        u = np.rint(u) if name == "CartPole-v1" else u.astype(np.float32).astype(np.float64)
        env.step(int(u[0]) if name == "CartPole-v1" else u.astype(np.float32))
        model.step(model.start(8), u, dt)
        x = model.step(x, u, dt)
        np.testing.assert_allclose(x, model._way.get(env.unwrapped), atol=1e-6)
    xs = model.rollout(np.stack([x, x]), np.zeros((2, 3, model.action.size)), dt)
    np.testing.assert_array_equal(xs[0], xs[1])
    assert np.isnan(model.step(np.full(len(x), np.nan), np.zeros(model.action.size), dt)).all()


def test_a_controller_plans_with_it():
    """MPPI brings Gymnasium's pendulum up from near upright, with the environment as the model."""
    model = EnvDynamics(gymnasium.make("Pendulum-v1"), Space("theta: angle", "rate [rad/s]"))

    class Upright(Task):
        state, action, dt, horizon = model.state, model.action, 0.05, 40

        def cost(self, x, u, r=None):
            return np.asarray(x)[..., 0] ** 2 + 0.1 * np.asarray(x)[..., 1] ** 2

    controller, x = MPPI(model, Upright(), horizon=8, samples=24), np.array([0.3, 0.0])
    for _ in range(25):
        x = model.step(x, controller.act(x).u, 0.05)
    assert abs(x[0]) < 0.15


def test_times_that_are_no_steps():
    model = EnvDynamics(gymnasium.make("Pendulum-v1"))
    x = model.step([1.0, 0.0], [0.5], 0.1)
    np.testing.assert_array_equal(x, model.step(model.step([1.0, 0.0], [0.5], 0.05), [0.5], 0.05))
    with pytest.raises(ModelError, match="0.07"):
        model.step([1.0, 0.0], [0.5], 0.07)


def test_environments_of_ours_can_be_sent_with_their_state():
    env = gymnasium.make("pilotage/TwoRooms-v0").unwrapped
    env.reset(seed=0)
    twin = pickle.loads(pickle.dumps(env))
    assert all(equal(a, b) for a, b in zip(env.step([1.0, 0.5]), twin.step([1.0, 0.5]), strict=True))
