"""The view of vector environments that Stable-Baselines3 trains on."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from pilotage.core import SettingError
from pilotage.envs import ModelEnv, ModelVectorEnv, sb3_vec_env
from pilotage.envs.wrappers import DegradedObservation, Link, vector

from .worlds import SENSORS, going_home, rover

sb3 = pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed")

from stable_baselines3.common.vec_env import DummyVecEnv  # noqa: E402

SAME = AutoresetMode.SAME_STEP


@pytest.mark.parametrize("sensors", [None, SENSORS], ids=["state", "several"])
def test_it_is_what_stable_baselines_makes_of_single_environments(sensors):
    def single():
        return gymnasium.wrappers.TimeLimit(ModelEnv(rover(), sensors, going_home()), 25)

    ours = sb3_vec_env(
        ModelVectorEnv(rover(), sensors, going_home(), num_envs=4, max_episode_steps=25, autoreset_mode=SAME)
    )
    theirs = DummyVecEnv([single] * 4)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    for envs in (ours, theirs):
        envs.seed(3)
    assert equal(ours.reset(), theirs.reset())
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        us = rng.uniform(-1.0, 1.0, (4, 2)).astype(np.float32)
        a, b = ours.step(us), theirs.step(us)
        assert equal(a[0], b[0])
        np.testing.assert_allclose(a[1], b[1], rtol=1e-5)
        np.testing.assert_array_equal(a[2], b[2])
        for mine, other in zip(a[3], b[3], strict=True):
            assert mine["TimeLimit.truncated"] == other["TimeLimit.truncated"]
            np.testing.assert_allclose(mine["state"], other["state"], atol=1e-9)
            assert ("terminal_observation" in mine) == ("terminal_observation" in other)
            if "terminal_observation" in mine:
                assert equal(mine["terminal_observation"], other["terminal_observation"])
        ends += a[2].sum()
    assert ends > 3


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[name], b[name]) for name in a)
    return np.allclose(a, b, atol=1e-6)


def test_a_learner_takes_it():
    envs = gymnasium.make_vec("pilotage/CartPole-v0", num_envs=4, autoreset_mode=SAME)
    learner = sb3.PPO("MlpPolicy", sb3_vec_env(envs), n_steps=32, batch_size=64, n_epochs=1, seed=0, device="cpu")
    learner.learn(128)
    assert learner.num_timesteps == 128


def pair(sensors=None):
    """Three environments as one, and as Stable-Baselines3 makes them of single ones."""
    ours = ModelVectorEnv(rover(), sensors, going_home(), num_envs=3, autoreset_mode=SAME)
    return sb3_vec_env(ours), DummyVecEnv([lambda: ModelEnv(rover(), sensors, going_home())] * 3)


@pytest.mark.parametrize("options", [
    [{"state": [9.0, 0.0, 0.0, 1.0]}, {}, {}],
    [{}, {"state": np.array([9.0, 0.0, 0.0, 1.0])}, {"state": None}],
    [{"state": [float(i), 0.0, 0.0, 1.0]} for i in range(3)],
    {"state": [9.0, 0.0, 0.0, 1.0]},
    {},
])  # fmt: skip
def test_options_are_those_of_each_environment(options):
    starts = []
    for envs in pair():
        envs.seed(3)
        envs.set_options(options)
        starts.append(envs.reset())
    np.testing.assert_array_equal(*starts)


@pytest.mark.parametrize("options", [{"stat": [9.0, 0.0, 0.0, 1.0]}, [{}, {"stat": None}, {}]])
def test_options_that_are_none_are_refused(options):
    for envs in pair():
        envs.set_options(options)
        with pytest.raises(SettingError, match="no option 'stat'"):
            envs.reset()


def test_wrapped_environments_are_what_stable_baselines_makes_of_wrapped_ones():
    """Readings that come late: observations, last observations, ages, and attributes of the environment within."""
    links = {"fix": Link(delay=0.2, dropout=0.2), "compass": Link(std=0.1), "beacon": Link(period=0.3)}

    def single():
        return DegradedObservation(ModelEnv(rover(), SENSORS, going_home(horizon=12)), links)

    many = ModelVectorEnv(rover(), SENSORS, going_home(horizon=12), num_envs=3, autoreset_mode=SAME)
    ours, theirs = sb3_vec_env(vector.DegradedObservation(many, links)), DummyVecEnv([single] * 3)
    for envs in (ours, theirs):
        envs.seed(3)
    assert equal(ours.reset(), theirs.reset())
    rng, ends = np.random.default_rng(0), 0
    for _ in range(30):
        us = rng.uniform(-1.0, 1.0, (3, 2)).astype(np.float32)
        a, b = ours.step(us), theirs.step(us)
        assert equal(a[0], b[0])
        for mine, other in zip(a[3], b[3], strict=True):
            assert mine["age"] == pytest.approx(other["age"])
            if "terminal_observation" in other:
                assert equal(mine["terminal_observation"], other["terminal_observation"])
                ends += 1
    assert ends >= 3
    np.testing.assert_allclose(ours.get_attr("state"), theirs.get_attr("state"), atol=1e-9)
    assert ours.get_attr("observation_space") == theirs.get_attr("observation_space")


@pytest.mark.parametrize("indices", [None, 1, [2, 0]])
def test_attributes_are_those_of_each_environment(indices):
    ours, theirs = pair()
    for envs in (ours, theirs):
        envs.seed(3)
        envs.reset()
        envs.step(np.zeros((3, 2), dtype=np.float32))
    for name in ("state", "time", "np_random_seed", "render_mode", "action_space", "observation_space"):
        for mine, other in zip(ours.get_attr(name, indices), theirs.get_attr(name, indices), strict=True):
            if name == "state":
                np.testing.assert_allclose(mine, other, atol=1e-9)
            else:
                assert mine == other
    assert ours.has_attr("state")
    assert not ours.has_attr("nonsense")


def test_what_is_for_some_environments_is_not_done_to_all():
    ours, _ = pair()
    with pytest.raises(SettingError, match=r"set_attr is for environments \[1\], but all 3 are one object"):
        ours.set_attr("mood", "good", 1)
    assert not ours.has_attr("mood")
    for everyone in (None, [0, 1, 2]):
        ours.set_attr("mood", "good", everyone)
        assert ours.get_attr("mood") == ["good"] * 3
    ours.reset()
    with pytest.raises(SettingError, match="env_method is for environments"):
        ours.env_method("reset", indices=[0, 2])
    assert len(ours.env_method("render")) == 3


def test_it_says_which_mode_it_needs():
    with pytest.raises(SettingError, match="SAME_STEP"):
        sb3_vec_env(ModelVectorEnv(rover(), None, going_home(), num_envs=2))


def test_navigation_is_trained_on_as_any_other():
    made = gymnasium.make_vec(
        "pilotage/Navigation-v0",
        num_envs=2,
        vectorization_mode="vector_entry_point",
        map="turtlebot3_world",
        normalized=True,
        autoreset_mode=SAME,
        beams=8,
    )
    envs = sb3_vec_env(made.unwrapped)
    assert envs.action_space.low.tolist() == [-1.0, -1.0]
    first = envs.reset()
    assert first["lidar"].shape == (2, 8)
    observations, rewards, _, _ = envs.step(np.ones((2, 2), dtype=np.float32))
    assert observations["odometry"].shape == (2, 2) and np.isfinite(rewards).all()
