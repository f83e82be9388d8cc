"""One state by machine code, and batches by numpy: the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import Sensor, Space
from pilotage.models import bicycle, dynamics, gnss, task

from .registry import DYNAMICS, SENSORS, TIME_STEP, seed_of

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("name", DYNAMICS)
def test_a_step_of_one_state_is_that_of_a_batch(name):
    model, dt = DYNAMICS[name](), TIME_STEP.get(name, 0.1)
    rng = np.random.default_rng(seed_of(name))
    x, u = model.state.sample(3, rng=rng), model.action.sample(3, rng=rng)
    for method in (model.step, model.noise):
        many = method(x, u, dt)
        for k in range(3):
            np.testing.assert_allclose(method(x[k], u[k], dt), many[k], **CLOSE)


@pytest.mark.parametrize("name", SENSORS)
def test_a_reading_of_one_state_is_that_of_a_batch(name):
    model = SENSORS[name]()
    rng = np.random.default_rng(seed_of(name))
    x = model.state.sample(3, rng=rng)
    context = None if model.context is None or not model.context.size else model.context.sample(3, rng=rng)
    for method in (model.observe, model.noise):
        many = method(x, context)
        for k in range(3):
            alone = method(x[k], None if context is None else context[k])
            np.testing.assert_allclose(alone, many[k] if many.ndim > alone.ndim else many, **CLOSE)


@pytest.mark.parametrize("name", SENSORS)
def test_readings_are_drawn_as_sensor_says(name):
    """`TracedSensor.sample` is `Sensor.sample`, of one state and of a batch, and uses the stream alike."""
    model = SENSORS[name]()
    rng = np.random.default_rng(seed_of(name))
    x = model.state.sample(3, rng=rng)
    context = None if model.context is None or not model.context.size else model.context.sample(3, rng=rng)
    for k in (0, slice(None)):
        given = None if context is None else context[k]
        ours, theirs = np.random.default_rng(5), np.random.default_rng(5)
        z = model.sample(x[k], given, rng=ours)
        wanted = Sensor.sample(model, x[k], given, rng=theirs)
        np.testing.assert_allclose(model.reading.minus(z, wanted), 0.0, atol=1e-12)
        assert ours.random() == theirs.random()


STATE, PUSH = Space("x y [m]", "yaw: angle"), Space("u v [m/s]")


@task(
    state=Space("x y [m]"),
    action=PUSH,
    params={"goal": (1.0, 2.0)},
    terminal=lambda x, p, m: m.hypot(x[0], x[1]),
    constraint=lambda x, u, p, m: (m.abs(x[0]) - 2.0, x[1] * u[0]),
)
def reach(x, u, p, m):
    return (x[0] - p.goal[0]) ** 2 + m.exp(u[1])


def test_a_cost_of_one_state_is_that_of_a_batch():
    one = reach(goal=(0.5, 0.0)).on(STATE)
    rng = np.random.default_rng(1)
    x, u = STATE.sample(4, rng=rng), rng.standard_normal((4, 2))
    np.testing.assert_allclose([one.cost(a, b) for a, b in zip(x, u, strict=True)], one.cost(x, u), **CLOSE)
    np.testing.assert_allclose(
        [one.constraint(*each) for each in zip(x, u, strict=True)], one.constraint(x, u), **CLOSE
    )
    np.testing.assert_allclose([one.terminal_cost(a) for a in x], one.terminal_cost(x), **CLOSE)
    assert np.shape(one.cost(x[0], u[0])) == ()


def test_a_cost_of_the_state_alone_keeps_the_axes_of_the_actions():
    far = task(state=Space("x [m]"), action=Space())(lambda x, u, p, m: x[0])()
    assert far.cost([2.0], np.zeros((5, 3))).shape == (5,)
    assert float(far.cost([2.0], np.zeros(3))) == 2.0


def test_machine_code_does_not_write_into_what_it_is_given():
    car, x, u = bicycle(), np.array([0.0, 0.0, 0.1, 1.0]), np.array([0.1, 0.2])
    x.flags.writeable = u.flags.writeable = False
    y = car.step(x, u, 0.1)
    assert y.flags.writeable
    first = y.copy()
    car.step(y, u, 0.1)
    np.testing.assert_array_equal(y, first)


def test_other_parameters_are_other_numbers():
    """Models of one trace share machine code, and each has its own parameters."""
    x, u = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.3])
    short, long = bicycle(wheelbase=1.0), bicycle(wheelbase=4.0)
    assert short.step(x, u, 0.1)[2] == pytest.approx(4.0 * long.step(x, u, 0.1)[2], rel=1e-9)
    assert gnss(std=3.0).noise([0.0, 0.0])[0, 0] == pytest.approx(9.0 * gnss(std=1.0).noise([0.0, 0.0])[0, 0])


def test_long_models_are_left_to_numpy():
    """Nobody waits for the compiler because of one step."""

    @dynamics(state=Space("x [m]"), action=Space())
    def long(x, u, p, m):
        value = x[0]
        for k in range(1000):
            value = m.sin(value + k) * 0.5
        return (value,)

    model = long()
    model.step([0.3], [], 0.1)
    assert model._singles["y"] is None
    np.testing.assert_allclose(model.step([0.3], [], 0.1), model.step([[0.3]], [], 0.1)[0], **CLOSE)
