"""Errors that last as components of the state: their law, their names, and filters that are consistent with them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, Gaussian, ModelError, Space
from pilotage.estimators import EKF, Verdict, consistency
from pilotage.models import (
    LinearDynamics,
    bicycle,
    coloured,
    coloured_readings,
    constant_velocity,
    gnss,
    range_bearing,
    singer,
    unicycle,
)
from pilotage.testing import check_dynamics, check_sensor


def test_a_linear_model_with_a_coloured_acceleration_is_singer() -> None:
    line = LinearDynamics([[0, 1], [0, 0]], state=Space("x [m]", "vx [m/s]"))
    manoeuvring, known = coloured(line, "vx", time=3.0, std=0.7), singer(1, tau=3.0, accel_std=0.7)
    for dt in (0.1, 2.0):
        x = np.array([1.0, 2.0, 0.5])
        assert np.allclose(manoeuvring.step(x, [], dt), known.step(x, [], dt), atol=1e-12)
        assert np.allclose(manoeuvring.noise(x, [], dt), known.noise(x, [], dt), atol=1e-12)
    assert manoeuvring.state.names == ("x", "vx", "vx_error")


@pytest.mark.parametrize(
    "model",
    [
        coloured(unicycle(noise=0.05), "speed yaw_rate", time=(2.0, 1.0), std=0.2),
        coloured(bicycle(), "yaw", time=2.0, std=0.1),
        coloured(constant_velocity(2), "vx vy", time=5.0, std=1.0),
        coloured(bicycle(action_noise=0.1), "accel", time=2.0, std=0.1),
    ],
    ids=["actions", "rates", "steps", "action noise"],
)
def test_the_error_is_stationary_and_the_model_a_model(model: Any) -> None:
    check_dynamics(model)
    n = len(model.state.names)
    first = next(i for i, name in enumerate(model.state.names) if name.endswith("_error"))
    x = np.zeros(n)
    x[first:] = 1.0
    dt = 0.4
    F, Q = model.linearize(x, np.zeros(model.action.size), dt)[0], model.noise(x, np.zeros(model.action.size), dt)
    std = [value for name, value in model.params.items() if name.endswith("_error_std")]
    P = np.diag(np.square(std))
    kept = F[first:, first:] @ P @ F[first:, first:].T + Q[first:, first:]
    assert np.allclose(kept, P, rtol=1e-3)
    assert pickle.loads(pickle.dumps(model)) == model


def test_without_errors_nothing_changes() -> None:
    car, x, u = bicycle(action_noise=0.1), np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 0.1])
    larger = coloured(car, "accel yaw", time=1.0, std=0.3)
    wide = np.append(x, [0.0, 0.0])
    assert np.allclose(larger.step(wide, u, 0.1)[:4], car.step(x, u, 0.1), atol=1e-12)
    assert np.allclose(larger.noise(wide, u, 0.1)[:4, :4], car.noise(x, u, 0.1), atol=1e-12)
    assert np.allclose(
        larger.step(np.append(x, [0.2, 0.0]), u, 1e-3)[3], car.step(x, u + [0.2, 0.0], 1e-3)[3], atol=1e-6
    )


def test_readings_of_several_sensors() -> None:
    moving, receiver = coloured_readings(unicycle(), gnss(std=0.5), time=20.0, std=2.0)
    moving, sonar = coloured_readings(moving, range_bearing(), "bearing", time=5.0, std=0.1)
    assert moving.state.names[3:] == ("gnss_x_error", "gnss_y_error", "range_bearing_bearing_error")
    x = np.array([1.0, 2.0, 0.0, 0.3, 0.4, 0.05])
    assert np.allclose(receiver.on(moving.state).observe(x), [1.3, 2.4])
    assert np.allclose(sonar.on(moving.state).observe(x, [4.0, 2.0]), [3.0, 0.05])
    assert np.allclose(receiver.noise(receiver.state.identity()), 0.25 * np.eye(2))
    check_sensor(receiver.on(moving.state))
    assert pickle.loads(pickle.dumps(sonar)) == sonar


def test_two_sensors_of_one_kind() -> None:
    moving, front = coloured_readings(unicycle(), gnss(std=0.5), "x", time=20.0, std=2.0, name="front")
    moving, rear = coloured_readings(moving, gnss(std=0.5), "x", time=20.0, std=2.0, name="rear")
    assert moving.state.names[3:] == ("front_x_error", "rear_x_error")
    x = np.array([1.0, 2.0, 0.0, 0.3, 0.4])
    assert np.allclose(front.on(moving.state).observe(x), [1.3, 2.0])
    assert np.allclose(rear.on(moving.state).observe(x), [1.4, 2.0])


def test_slip_over_two_seconds() -> None:
    """A filter that takes lasting slip for white noise is overconfident; one with the error as a state is not."""
    rng, dt, steps, rows = np.random.default_rng(3), 0.1, 200, 40
    real = coloured(unicycle(noise=0.02), "speed", time=2.0, std=0.3)
    white = unicycle(action_noise=(0.3, 0.0), noise=0.02)
    us, receiver = np.tile([1.0, 0.2], (steps, 1)), gnss(std=3.0)
    start = Gaussian.of(real.state, np.zeros((rows, 4)), std=[0.1, 0.1, 0.1, 0.3])
    Q, x, xs = real.noise(np.zeros(4), us[0], dt), start.sample(1, rng=rng)[:, 0], []
    for u in us:
        x = real.state.plus(real.step(x, u, dt), rng.multivariate_normal(np.zeros(4), Q, size=rows))
        xs.append(x)
    truth = np.stack(xs, axis=1)
    zs = receiver.on(real.state).sample(truth, rng=rng)

    def report(model: Dynamics, d: int) -> Any:
        belief = Gaussian.of(model.state, start.mean[:, :d], std=[0.1, 0.1, 0.1, 0.3][:d])
        run = EKF().run(belief, model, us, zs, dt, sensor=receiver)
        return consistency(run, truth[..., :d])

    good, bad = report(real, 4), report(white, 3)
    assert good.consistent, good
    assert bad.verdict is Verdict.OVERCONFIDENT and bad.nees.mean() / 3 > 5.0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: coloured(unicycle(), "slip", time=1.0, std=0.1), "slip"),
        (lambda: coloured(unicycle(), "speed", time=0.0, std=0.1), "time"),
        (lambda: coloured(unicycle(), "speed yaw_rate", time=1.0, std=(0.1,) * 3), "std"),
        (lambda: coloured(LinearDynamics.discrete([[1.0]], Q=0), "x1", time=1.0, std=1.0), "linear"),
        (lambda: coloured_readings(unicycle(), gnss(), "z", time=1.0, std=1.0), "'z'"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        make()
