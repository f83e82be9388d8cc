"""Observers have the poles that were asked for; observability names what cannot be seen."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import CovarianceError, ModelError, Readings, SettingError, ShapeError, Space
from pilotage.estimators import KF, Luenberger, consistency, observability, observer_gain
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    bearing_to,
    coloured_readings,
    constant_velocity,
    gnss,
    pendulum,
    position,
    range_to,
    sensor,
    unicycle,
    velocity,
)

DT = 0.1


@settings(max_examples=15)
@given(st.lists(st.floats(-8.0, -0.5), min_size=3, max_size=3, unique_by=lambda p: round(p, 1)))
def test_the_error_has_the_poles(poles: list[float]) -> None:
    chain = LinearDynamics([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    tape = LinearSensor([[1.0, 0.0, 0.0]], R=0.1)
    F, H = chain.linearize(np.zeros(3), [], DT)[0], tape.linearize(np.zeros(3))
    L = observer_gain(chain, tape, poles, DT)
    found = np.linalg.eigvals((np.eye(3) - L @ H) @ F)
    assert np.allclose(np.sort(found.real), np.sort(np.exp(np.array(poles) * DT)), atol=1e-6)
    complex_ones = np.array([0.5, 0.6 + 0.2j, 0.6 - 0.2j])
    L = observer_gain(chain, tape, complex_ones, DT, discrete=True)
    found = np.linalg.eigvals((np.eye(3) - L @ H) @ F)
    assert np.allclose(np.sort_complex(found), np.sort_complex(complex_ones), atol=1e-6)


def test_an_observer_follows_a_pendulum_and_its_covariance_is_honest() -> None:
    """The gain follows the linearisation; P is that of this gain, wider than the Kalman filter's and consistent."""
    rng, line = np.random.default_rng(1), constant_velocity(1, density=0.5)
    F, Q = line.linearize(np.zeros(2), [], DT)[0], line.noise(np.zeros(2), [], DT)
    x, xs = np.zeros(2), []
    for _ in range(300):
        x = F @ x + rng.multivariate_normal(np.zeros(2), Q)
        xs.append(x)
    truth = np.array(xs)
    zs = truth[:, :1] + 0.3 * rng.normal(size=(300, 1))
    zs[50:60] = np.nan
    tape = position(1, std=0.3)
    observer = Luenberger(line, poles=(-1.0, -1.5), dt=DT).start(std=0.3)
    twin = pickle.loads(pickle.dumps(copy.deepcopy(observer)))
    run = observer.run(None, [Readings(tape, zs, DT * np.arange(1, 301))])
    assert np.allclose(twin.run(None, zs, sensor=tape).beliefs.mean, run.beliefs.mean, atol=1e-9)
    nees = next(c for c in consistency(run, truth).checks if c.kind == "NEES")
    assert nees.low < nees.value < nees.high
    best = KF(line, dt=DT).start(std=0.3).run(None, zs, sensor=tape)
    assert (run.beliefs.std[-1] > best.beliefs.std[-1]).all()
    swing, encoder = (
        pendulum(),
        sensor(state=Space("angle: angle"), reading=Space("angle: angle"), std=0.01)(lambda x, c, p, m: x),
    )
    seen = encoder(reads=swing.state.names[0])
    eye = Luenberger(swing, poles=(-5.0, -6.0), dt=0.02).start(mean=[0.5, 0.0], std=1.0)
    state = np.array([3.0, -1.0])
    for _ in range(200):
        state = swing.step(state, [0.2], 0.02)
        eye.step(seen, state[:1], u=[0.2])
    assert np.allclose(swing.state.minus(state, eye.belief.mean), 0.0, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: observer_gain(constant_velocity(1), position(1), [-1.0], DT), SettingError, "2"),
        (lambda: observer_gain(constant_velocity(1), position(1), [1.0, -1.0], DT), SettingError, "negative"),
        (lambda: observer_gain(constant_velocity(1), position(1), [-1 + 1j, -2.0], DT), SettingError, "pairs"),
        (lambda: observer_gain(constant_velocity(1), velocity(1), [-1.0, -2.0], DT), ModelError, "observe"),
        (lambda: observability(unicycle(), gnss(), [0.0, 0.0], dt=DT), ShapeError, "state"),
        (
            lambda: observability(
                constant_velocity(1), LinearSensor([[1.0]], 0.0, state=Space("x [m]")), [0, 0], dt=DT
            ),
            CovarianceError,
            "singular",
        ),
        (lambda: observability(unicycle(), gnss(), np.zeros((2, 3)), dt=DT), ShapeError, "first state"),
        (
            lambda: observability(unicycle(), gnss(), np.zeros(3), np.zeros((4, 2)), dt=DT, steps=3),
            ShapeError,
            "actions",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def test_the_gramian_is_the_information_of_a_filter_without_noise() -> None:
    """The inverse of G, carried on, is the covariance of a Kalman filter without process noise and prior."""
    line, tape = constant_velocity(1, density=0.0), position(1, std=0.5)
    found = observability(line, tape, [0.0, 1.0], dt=DT, steps=9)
    kf = KF(line, dt=DT).start(std=1e5)
    kf.update(tape, [0.0])
    for _ in range(9):
        kf.predict()
        kf.update(tape, [0.0])
    Phi = np.linalg.matrix_power(line.linearize(np.zeros(2), [], DT)[0], 9)
    assert np.allclose(Phi @ np.linalg.inv(found.gramian) @ Phi.T, kf.belief.cov, rtol=1e-4)
    assert found.observable and np.allclose(found.std, np.sqrt(np.diag(np.linalg.inv(found.gramian))))


@pytest.mark.parametrize("step", [None, 0.01], ids=["exact", "empirical"])
def test_hidden_directions_are_named(step: float | None) -> None:
    robot = unicycle()
    still, driven = np.zeros((8, 2)), np.tile([1.0, 0.3], (8, 1))
    beacon: dict[str, Any] = {"dt": DT, "contexts": [3.0, 0.0], "step": step}
    at_rest = observability(robot, gnss(), np.zeros(3), still, dt=DT, step=step)
    assert str(at_rest) == "2 of 3 directions are observed; yaw cannot be observed"
    assert np.isinf(at_rest.std[2]) and np.isfinite(at_rest.std[:2]).all()
    assert observability(robot, gnss(), np.zeros(3), driven, dt=DT, step=step).observable
    # Around the beacon the robot may turn with its heading: x does not change to first order, y and yaw do.
    ring = observability(robot, range_to(), [0.0, 0.0, 0.0], driven, **beacon)
    assert ring.rank == 2 and np.allclose(ring.unseen[0] / ring.unseen[0][1], [0.0, 1.0, -1.0 / 3.0], atol=1e-3)
    assert "y and yaw" in str(ring)
    both = observability(
        robot, [range_to(), bearing_to()], [0.0, 0.0, 0.0], driven, dt=DT, contexts=[[3.0, 0.0]] * 2, step=step
    )
    assert both.rank == 2  # one landmark tells where the robot is but for a turn around it


def test_a_constant_bias_and_the_position_shift_together() -> None:
    moving, receiver = coloured_readings(constant_velocity(1, density=0.1), position(1), time=1e12, std=1.0)
    said = str(observability(moving, receiver, np.zeros(3), dt=DT))
    assert said == "2 of 3 directions are observed; x and position_x_error can change together unseen, by 1 : -1"


def test_units_do_not_decide() -> None:
    """A state in millimetres and one in kilometres have the same rank, once their sizes are given."""
    state = Space("a [mm]", "b [km]")
    model = LinearDynamics(np.zeros((2, 2)), state=state)
    reads = LinearSensor([[1e-3, 0.0], [0.0, 1e6]], R=np.eye(2), state=state)
    assert not observability(model, reads, [0, 0], dt=1.0).observable
    assert observability(model, reads, [0, 0], dt=1.0, scale=[1e3, 1e-6]).observable
