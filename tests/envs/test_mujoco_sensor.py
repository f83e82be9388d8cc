"""Sensors of MuJoCo models: MuJoCo's own numbers, as readings of a state."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("mujoco")

import mujoco

from pilotage.core import ModelError
from pilotage.envs import MujocoDynamics, MujocoSensor
from pilotage.testing import check_sensor

BALL = """<mujoco><worldbody><geom type="plane" size="5 5 1"/><body name="ball" pos="0 0 1"><freejoint name="free"/>
<geom size="0.1" mass="1"/><site name="imu"/><site name="down" zaxis="0 0 -1"/></body>
<body pos="2 0 1"><joint name="slider" type="slide" axis="1 0 0"/><geom size="0.1" mass="2"/></body></worldbody>
<actuator><motor name="push" joint="slider"/></actuator>
<sensor><accelerometer name="acc" site="imu"/><gyro name="gyro" site="imu"/><framequat name="turn" objtype="body"
objname="ball"/><framepos name="place" objtype="body" objname="ball"/><rangefinder name="height" site="down"/>
<jointpos name="at" joint="slider"/><jointvel name="speed" joint="slider"/><actuatorfrc name="force" actuator="push"/>
</sensor></mujoco>"""


@pytest.fixture
def model():
    return MujocoDynamics(BALL)


def somewhere(model, seed=0):
    rng = np.random.default_rng(seed)
    x = model.state.plus(model.start(), 0.3 * rng.normal(size=model.state.dim))
    return x, rng.normal(size=1)


def test_readings_are_mujocos(model):
    every = MujocoSensor(model)
    x, u = somewhere(model)
    d = mujoco.MjData(model.model)
    d.qpos, d.qvel, d.ctrl = x[: model.model.nq], x[model.model.nq :], u
    mujoco.mj_forward(model.model, d)
    z = every.observe(x, u)
    np.testing.assert_allclose(every.reading.minus(z, d.sensordata), 0.0, atol=1e-12)
    assert every.reading.dim == every.reading.size - 1, "the orientation is a quaternion"
    assert every.context == model.action
    assert [every.reading.units[every.reading.find(n)] for n in ("acc.x", "height", "at", "speed")] == [
        "m/s^2", "m", "m", "m/s",
    ]  # fmt: skip


def test_the_laws_of_sensors(model):
    check_sensor(MujocoSensor(model, ["place", "turn", "gyro", "at"], std=0.02))


def test_what_a_ball_in_the_air_reads(model):
    """In free fall an accelerometer reads nothing; a range finder reads the height, or infinity upwards."""
    x = model.start()
    assert np.abs(MujocoSensor(model, ["acc"]).observe(x, [0.0])).max() < 1e-9
    # MuJoCo leaves out the body of the sensor; the ray begins at its middle.
    height = MujocoSensor(model, ["height"])
    assert height.context.size == 0
    np.testing.assert_allclose(height.observe(x), [1.0])
    over = x.copy()
    over[3:7] = [0.0, 1.0, 0.0, 0.0]
    assert np.isinf(height.observe(np.stack([x, over]))[1]).all()
    pushed = MujocoSensor(model, ["force"]).observe(x, [[0.5], [-2.0]])
    np.testing.assert_allclose(pushed, [[0.5], [-2.0]])


def test_it_travels_and_lost_states_read_nothing(model):
    seen = pickle.loads(pickle.dumps(MujocoSensor(model, ["at", "place"])))
    x = np.stack([model.start(), np.full(model.state.size, np.nan)])
    z = seen.observe(x)
    assert np.isfinite(z[0]).all() and np.isnan(z[1]).all()


def test_sensors_that_do_not_exist(model):
    with pytest.raises(ModelError, match="'nose'"):
        MujocoSensor(model, ["nose"])
    with pytest.raises(ModelError, match="no sensors"):
        MujocoSensor(MujocoDynamics("<mujoco><worldbody><body><joint/><geom size='1'/></body></worldbody></mujoco>"))
