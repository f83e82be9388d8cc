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
from pilotage.envs import BulletDynamics, EnvDynamics, ModelEnv, ModelVectorEnv, MujocoDynamics
from pilotage.envs.registry import ENVIRONMENTS
from pilotage.models import task

NAMES = [f"pilotage/{name}-v0" for name, *_ in ENVIRONMENTS]
SLED = """<mujoco><worldbody><body><joint name="x" type="slide" axis="1 0 0"/><geom size="0.1" mass="1"/></body>
</worldbody>
<actuator><motor name="push" joint="x" gear="1e9"/></actuator></mujoco>"""


ROD = """<robot name="rod"><link name="world"/><link name="rod"><inertial><mass value="1"/><inertia ixx="1" iyy="1"
izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link><joint name="a" type="continuous"><parent link="world"/>
<child link="rod"/></joint></robot>"""
BROKEN = {
    "cut off": ROD[:200],
    "no parent": ROD.replace('parent link="world"', 'parent link="moon"'),
    "a mass in words": ROD.replace('mass value="1"', 'mass value="heavy"'),
    "a mass of NaN": ROD.replace('mass value="1"', 'mass value="nan"'),
    "a ring": ROD.replace(
        "</robot>", '<joint name="b" type="fixed"><parent link="rod"/><child link="world"/></joint></robot>'
    ),
    "empty": "",
    "no text": bytes(range(256)),
    "text in Latin-1": ROD.replace("rod", "bâton").encode("latin-1"),
}


@pytest.mark.parametrize(
    "text", ["<mujoco><worldbody><body>", "<mujoco><nonsense/></mujoco>", "<robot name='a'><link/></robot>", "<robot>"]
)
def test_broken_files(text):
    with pytest.raises(ModelError, match=r"MuJoCo cannot read|XML"):
        MujocoDynamics(text)


@pytest.mark.parametrize("kind", ["mujoco", "bullet"])
@pytest.mark.parametrize("broken", BROKEN)
def test_broken_urdf_files(broken, kind, tmp_path):
    if kind == "bullet":
        pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")
    file, text = tmp_path / "robot.urdf", BROKEN[broken]
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelError):
        (MujocoDynamics if kind == "mujoco" else BulletDynamics)(file)


def test_a_urdf_file_without_links():
    pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")
    with pytest.raises(ModelError, match="no links"):
        BulletDynamics("<robot name='a'/>")


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
        np.testing.assert_allclose(far[part], near[part], rtol=1e-6, atol=1e-6)  # bounds of the box are float32


def simulated(kind):
    """A body in a simulator that one push can throw beyond all numbers."""
    if kind == "mujoco":
        return MujocoDynamics(SLED)
    pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")
    return BulletDynamics(ROD)


def world(model, kind=ModelEnv, **settings):
    still = task(state=model.state, action=model.action)(lambda x, u, p, m: x[0] ** 2)
    return kind(model, None, still(initial=Gaussian.of(model.state, [0, 0], std=1e-3), dt=0.1, horizon=50), **settings)


@pytest.mark.parametrize("kind", ["mujoco", "bullet"])
def test_a_simulator_that_diverges(kind):
    """A push beyond all numbers: the simulation is lost, and the episode is truncated where it last was."""
    env = world(simulated(kind))
    env.reset(seed=0)
    env.step([0.0])
    before = env.state
    with pytest.raises(ShapeError):
        env.step([np.nan])
    np.testing.assert_array_equal(env.state, before)
    observation, reward, terminated, truncated, info = env.step([1e20])
    assert (terminated, truncated, info["lost"]) == (False, True, True)
    assert np.isfinite(observation).all() and np.isfinite(reward)
    np.testing.assert_array_equal(env.state, before)


@pytest.mark.parametrize("kind", ["mujoco", "bullet"])
def test_one_of_several_simulations_diverges(kind):
    envs = world(simulated(kind), ModelVectorEnv, num_envs=3)
    envs.reset(seed=0)
    observations, rewards, terminated, truncated, infos = envs.step(np.array([[0.0], [1e20], [0.1]], np.float32))
    assert truncated.tolist() == infos["lost"].tolist() == [False, True, False] and not terminated.any()
    assert np.isfinite(observations).all() and np.isfinite(rewards).all()


@pytest.mark.parametrize("kind", ["mujoco", "bullet"])
def test_actions_of_a_model_that_are_none(kind):
    model = simulated(kind)
    xs = model.step(np.zeros((4, 2)), np.array([[np.nan], [np.inf], [1e200], [0.5]]), 0.01)
    assert np.isnan(xs).all(-1).tolist() == [True, True, True, False]
    np.testing.assert_array_equal(model.step([0.0, 0.0], [0.5], 0.01), xs[3])


def test_mujoco_starts_no_environment_again_unnoticed(tmp_path, monkeypatch):
    """MuJoCo resets a simulation that it has lost; as dynamics, an environment of Gymnasium does not jump there."""
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log
    hopper = EnvDynamics(gymnasium.make("Hopper-v5"))
    x, u = hopper.start(0), np.zeros(3)
    after = hopper.step(x, u, 0.008)
    for size in (1e9, 1e11):
        fast = x.copy()
        fast[6:] = size
        y, cost = hopper.both(fast, u)
        assert np.isnan(y).all() and np.isnan(cost) and not hopper.ended(y)
    np.testing.assert_array_equal(hopper.step(x, u, 0.008), after)


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
    for _ in range(1100):
        robot = BulletDynamics(ROD)
        assert np.isfinite(robot.step(np.zeros(robot.state.size), np.zeros(robot.action.size), 0.01)).all()
        robot.close()


@pytest.mark.slow
def test_two_thousand_models_of_mujoco():
    first = MujocoDynamics(SLED).step([0.0, 0.0], [1.0], 0.01)
    for _ in range(2000):
        np.testing.assert_array_equal(MujocoDynamics(SLED).step([0.0, 0.0], [1.0], 0.01), first)


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
from pilotage.core import Gaussian
from pilotage.envs import ModelEnv, MujocoDynamics
from pilotage.models import task
rod = MujocoDynamics("<mujoco><worldbody><body><joint/><geom size='1' pos='1 0 0'/></body></worldbody></mujoco>")
still = task(state=rod.state, action=rod.action)(lambda x, u, p, m: x[0] ** 2)
env = ModelEnv(rod, None, still(initial=Gaussian.of(rod.state, [0, 1], std=0.1)), render_mode="rgb_array")
env.reset(seed=0)
env.step([])
assert env.render().std() > 1.0
"""
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"}
    bare = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
