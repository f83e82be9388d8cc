"""What users and simulators do wrong, with environments: broken files, actions that are none, thousands of them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from pilotage.core import Gaussian, ModelError, ShapeError
from pilotage.envs import ModelEnv, MujocoDynamics
from pilotage.envs.registry import ENVIRONMENTS
from pilotage.models import task

NAMES = [f"pilotage/{name}-v0" for name, *_ in ENVIRONMENTS]
SLED = """<mujoco><worldbody><body><joint name="x" type="slide" axis="1 0 0"/><geom size="0.1" mass="1"/></body>
</worldbody>
<actuator><motor name="push" joint="x" gear="1e9"/></actuator></mujoco>"""


@pytest.mark.parametrize(
    "text", ["<mujoco><worldbody><body>", "<mujoco><nonsense/></mujoco>", "<robot name='a'><link/></robot>", "<robot>"]
)
def test_broken_files(text):
    with pytest.raises(ModelError, match=r"MuJoCo cannot read|XML"):
        MujocoDynamics(text)


@pytest.mark.parametrize("name", NAMES)
def test_actions_that_are_none(name):
    """NaN and wrong shapes are refused and change nothing; numbers outside the box are clipped."""
    env = gymnasium.make(name, disable_env_checker=True).unwrapped
    env.reset(seed=0)
    size = env.action_space.shape[0]
    before = env.state
    for wrong in (np.full(size, np.nan), np.full(size, np.inf), np.zeros(size + 1), "left", None):
        with pytest.raises((ShapeError, ModelError)):
            env.step(wrong)
    np.testing.assert_array_equal(before, env.state)
    saved = env.get_state()
    far = env.step(np.full(size, 1e6))[0]
    env.set_state(saved)
    near = env.step(env.action_space.high)[0]
    if not isinstance(far, dict):
        far, near = {"only": far}, {"only": near}
    for part in far:
        np.testing.assert_array_equal(far[part], near[part])


def test_a_simulator_that_diverges():
    """A push beyond all numbers: MuJoCo loses the sled, and the episode is truncated where it last was."""
    sled = MujocoDynamics(SLED)
    still = task(state=sled.state, action=sled.action)(lambda x, u, p, m: x[0] ** 2)
    env = ModelEnv(sled, None, still(initial=Gaussian.of(sled.state, [0.0, 0.0], std=1e-3), dt=0.1, horizon=50))
    env.reset(seed=0)
    env.step([0.0])
    before = env.state
    observation, reward, terminated, truncated, info = env.step([1e9])
    assert (terminated, truncated, info["lost"]) == (False, True, True)
    assert np.isfinite(observation).all() and np.isfinite(reward)
    np.testing.assert_array_equal(env.state, before)


def test_two_thousand_environments_open_and_close():
    for i in range(2000):
        env = gymnasium.make(
            NAMES[4 + i % 8], disable_env_checker=True, render_mode="rgb_array" if i % 200 == 0 else None
        )
        env.reset(seed=i)
        if i % 200 == 0:
            env.render()
        env.close()
    gc.collect()


@pytest.mark.slow
def test_more_robots_than_bullet_has_servers():
    """Bullet has 1024 servers at most in a process; those of robots that are gone are free again."""
    pytest.importorskip("pybullet")
    from pilotage.envs import BulletDynamics

    text = """<robot name="rod"><link name="world"/><link name="rod"><inertial><mass value="1"/><inertia ixx="1" iyy="1"
    izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link><joint name="a" type="continuous"><parent link="world"/>
    <child link="rod"/></joint></robot>"""
    for _ in range(1100):
        BulletDynamics(text).close()


def test_environments_run_in_other_processes():
    envs = gymnasium.make_vec("pilotage/TwoRooms-v0", num_envs=2, vectorization_mode="async")
    seen, _ = envs.reset(seed=3)
    alone = gymnasium.make("pilotage/TwoRooms-v0")
    np.testing.assert_array_equal(seen[1], alone.reset(seed=4)[0])
    actions = np.array([[0.5, 0.2], [-1.0, 1.0]], np.float32)
    np.testing.assert_array_equal(envs.step(actions)[0][1], alone.step(actions[1])[0])
    envs.close()


def test_pictures_need_no_display():
    """Without a display and without SDL's dummy driver, `render` still returns pictures."""
    code = """import gymnasium, pilotage.envs
for name in ("Parking", "Tracking", "PendulumPixels"):
    env = gymnasium.make(f"pilotage/{name}-v0", render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().std() > 1.0
"""
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"}
    bare = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
