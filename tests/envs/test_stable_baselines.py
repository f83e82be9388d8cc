"""The view of vector environments that Stable-Baselines3 trains on."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from pilotage.core import SettingError
from pilotage.envs import ModelEnv, ModelVectorEnv, sb3_vec_env

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


def test_it_says_which_mode_it_needs():
    with pytest.raises(SettingError, match="SAME_STEP"):
        sb3_vec_env(ModelVectorEnv(rover(), None, going_home(), num_envs=2))
