from __future__ import annotations

import pickle

import numpy as np
import pytest

from pilotage.core import Gaussian, ModelError, Quaternion, Space, SpaceError
from pilotage.envs import ModelEnv
from pilotage.models import dynamics, task
from pilotage.testing import check_dynamics

pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")

from pilotage.envs import BulletDynamics

PENDULUM = """<robot name="pendulum"><link name="world"/><link name="rod"><inertial><origin xyz="0 0 -0.5"/>
<mass value="0.5"/><inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/></inertial></link>
<joint name="theta" type="continuous"><parent link="world"/><child link="rod"/><axis xyz="0 1 0"/>
<limit effort="2" velocity="50"/></joint></robot>"""
STATE = Space("theta: angle", "rate [rad/s]")


@dynamics(state=STATE, action=Space("torque [N m] in [-2, 2]"))
def twin(x, u, p, m):
    return x[1], (u[0] - 0.5 * 9.81 * 0.5 * m.sin(x[0])) / (0.5 * 0.25 + 1e-4)


def pendulum(**settings):
    return BulletDynamics(PENDULUM, state=STATE, **settings)


def test_it_is_a_pendulum():
    model = pendulum()
    assert model.action == Space("theta [N m] in [-2, 2]")
    us = np.random.default_rng(0).uniform(-1, 1, (100, 1))
    ours, exact = model.rollout([0.5, 0.0], us, 0.01), twin().rollout([0.5, 0.0], us, 0.01)
    # Bullet integrates by semi-implicit Euler, of first order in its step of 1/300 s here.
    np.testing.assert_allclose(STATE.minus(ours, exact), 0.0, atol=0.05)


def test_it_keeps_the_contract():
    check_dynamics(pendulum(noise=0.1), dt=0.02, tolerance=1e-3)


def test_a_free_base():
    heavy = '<link name="world"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
    flying = PENDULUM.replace('<link name="world"/>', f"{heavy}</inertial></link>")
    model = BulletDynamics(flying, fixed=False, gravity=(0, 0, -10.0))
    assert (model.state.size, model.state.dim) == (7 + 1 + 6 + 1, 6 + 1 + 6 + 1)
    assert isinstance(model.state.parts[3], Quaternion)
    x = model.state.identity()
    x[model.state.index("base.vx")] = 2.0
    y = model.step(x, [0.0], 0.5)
    assert y[2] == pytest.approx(-0.5 * 10 * 0.25, rel=0.02)
    assert y[0] == pytest.approx(1.0, rel=1e-3)


def test_instances_do_not_meet():
    a, b = pendulum(), pendulum(gravity=(0, 0, 0))
    assert a.client != b.client
    before = a.step([0.5, 0.0], [0.0], 0.1)
    b.step([1.0, 3.0], [1.0], 0.1)
    np.testing.assert_array_equal(a.step([0.5, 0.0], [0.0], 0.1), before)
    b.close()
    b.close()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(a)).step([0.5, 0.0], [0.0], 0.1), before)


def test_in_an_environment():
    model = pendulum(noise=0.05)
    goal = task(state=STATE, action=model.action)(lambda x, u, p, m: x[0] ** 2)
    env = ModelEnv(model, None, goal(initial=Gaussian.of(STATE, std=0.1), dt=0.05, horizon=20))
    env.reset(seed=0)
    for _ in range(20):
        *_, truncated, _ = env.step([0.5])
    assert truncated


def test_a_robot_from_a_file(data):
    model = BulletDynamics(data / "robot_models" / "urdf" / "2link_robot.urdf")
    assert model.state.size == 2 * model.action.size
    assert np.isfinite(model.rollout(np.zeros(model.state.size), np.zeros((20, model.action.size)), 0.02)).all()


def test_sentences(tmp_path):
    with pytest.raises(ModelError, match="there is no URDF at nowhere"):
        BulletDynamics("nowhere")
    with pytest.raises(ModelError, match="no moving joint 'knee'; there are theta"):
        BulletDynamics(PENDULUM, joints=["knee"])
    with pytest.raises(SpaceError, match="does not have the layout of the robot"):
        BulletDynamics(PENDULUM, state=Space("theta: angle"))
    with pytest.raises(ModelError, match="noise must be 2 standard deviations"):
        BulletDynamics(PENDULUM, noise=(1, 2, 3))
    with pytest.raises(ModelError, match="dt is 0"):
        pendulum().step([0, 0], [0], 0)
    assert np.isnan(pendulum().step([[np.nan, 0], [0, 0]], [0], 0.1)).all(-1).tolist() == [True, False]
