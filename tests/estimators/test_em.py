"""Expectation maximisation: a likelihood that never falls, known noise that is recovered, and another search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from pilotage.core import Gaussian, ModelError, Readings, SettingError, Space
from pilotage.estimators import KF, expectation_maximization
from pilotage.models import LinearDynamics, LinearSensor, constant_velocity, dynamics, position, unicycle, velocity

F, Q = np.array([[1.0, 0.1], [-0.2, 0.9]]), np.array([[0.04, 0.01], [0.01, 0.09]])
H, R = np.eye(2), np.array([[0.25, 0.05], [0.05, 0.16]])
MODEL, METER = LinearDynamics.discrete(F, Q=np.eye(2)), LinearSensor(H, np.eye(2))
START = Gaussian.of(MODEL.state, std=1.0)
FALL = dynamics(state=Space("y [m]", "vy [m/s]"), noise=(0.0, 0.1))(lambda x, u, p, m: (x[1], -9.81))()


def simulated(rng: np.random.Generator, count: int, steps: int, H: Any = H, R: Any = R) -> Any:
    x, xs = rng.normal(size=(count, 2)), []
    for _ in range(steps):
        x = x @ F.T + rng.multivariate_normal(np.zeros(2), Q, size=count)
        xs.append(x)
    states = np.stack(xs, axis=1)
    return states @ H.T + rng.multivariate_normal(np.zeros(len(R)), R, size=(count, steps))


@pytest.mark.parametrize("learn", ["Q", "R", "Q R", "Q R F", "Q R F H initial"])
def test_the_likelihood_never_falls(learn: str) -> None:
    """Whatever is learned, also with readings that are missing, wholly or in part."""
    zs = simulated(np.random.default_rng(1), 2, 40)
    zs[0, 3:7], zs[1, ::4, 1], zs[0, ::5, 0] = np.nan, np.nan, np.nan
    start = Gaussian.of(MODEL.state, np.zeros((2, 2)), std=1.0)
    found = expectation_maximization(start, MODEL, zs, 1.0, sensor=METER, learn=learn, rounds=15, tolerance=1e-12)
    assert len(found.log_likelihoods) == 16
    assert (np.diff(found.log_likelihoods) > -1e-7).all() and np.ptp(found.log_likelihoods) > 1.0


def test_readings_that_miss_parts_teach_the_matrix_too() -> None:
    """The matrix of a sensor is learned from what partial readings say, or the likelihood falls (pykalman #58)."""
    rng = np.random.default_rng(2)
    H, R = (
        np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]),
        np.array([[0.25, 0.05, 0.1], [0.05, 0.16, 0.0], [0.1, 0.0, 0.3]]),
    )
    zs = simulated(rng, 1, 300, H, R)[0]
    zs[rng.random(zs.shape) < 0.3] = np.nan
    meter = LinearSensor(H, np.eye(3))
    found = expectation_maximization(START, MODEL, zs, 1.0, sensor=meter, learn="H", rounds=20, tolerance=1e-12)
    assert (np.diff(found.log_likelihoods) > 0.0).all() and not found.converged


def test_known_noise_is_recovered_from_many_sequences() -> None:
    zs = simulated(np.random.default_rng(2), 30, 150)
    start = Gaussian.of(MODEL.state, np.zeros((30, 2)), std=1.0)
    found = expectation_maximization(start, MODEL, zs, 1.0, sensor=METER, rounds=40)
    assert np.allclose(found.Q, Q, atol=0.025) and np.allclose(found.R[0], R, atol=0.025)
    diagonal = expectation_maximization(start, MODEL, zs, 1.0, sensor=METER, rounds=5, diagonal=True)
    assert diagonal.Q[0, 1] == 0.0 and diagonal.R[0][0, 1] == 0.0


def test_it_ends_where_a_search_ends() -> None:
    """For two standard deviations, the maximum is that of a derivative-free search over the filter's likelihood."""
    rng = np.random.default_rng(3)
    zs = np.cumsum(0.5 * rng.normal(size=(150, 1)), axis=0) + rng.normal(size=(150, 1))
    zs[40:50] = np.nan

    def models(logs: Any) -> Any:
        q, r = np.exp(2.0 * np.asarray(logs))
        return LinearDynamics.discrete([[1.0]], Q=q), LinearSensor([[1.0]], R=r)

    def cost(logs: Any) -> float:
        walk, meter = models(logs)
        return -float(
            KF().run(Gaussian.of(walk.state, std=1.0), walk, None, zs, 1.0, sensor=meter).log_likelihood.sum()
        )

    best = minimize(cost, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-8}).x
    walk, meter = models([0.0, 0.0])
    found = expectation_maximization(
        Gaussian.of(walk.state, std=1.0), walk, zs, 1.0, sensor=meter, rounds=500, tolerance=1e-9
    )
    assert found.converged
    assert np.allclose([found.Q[0, 0], found.R[0][0, 0]], np.exp(2.0 * best), rtol=0.01)


def test_several_sensors() -> None:
    rng, dt = np.random.default_rng(4), 0.1
    line = constant_velocity(1, density=0.5)
    A, W = line.linearize(np.zeros(2), [], dt)[0], line.noise(np.zeros(2), [], dt)
    x, xs = np.zeros(2), []
    for _ in range(600):
        x = A @ x + rng.multivariate_normal(np.zeros(2), W)
        xs.append(x)
    truth, ts = np.array(xs), dt * np.arange(1, 601)
    readings = [
        Readings(position(1, std=1.0), truth[:, :1] + 0.3 * rng.normal(size=(600, 1)), ts),
        Readings(velocity(1, std=1.0), truth[::2, 1:] + 0.2 * rng.normal(size=(300, 1)), ts[::2]),
    ]
    found = expectation_maximization(Gaussian.of(line.state, std=1.0), line, readings, learn="R", rounds=40)
    assert np.allclose([float(r[0, 0]) ** 0.5 for r in found.R], [0.3, 0.2], rtol=0.15)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda zs: expectation_maximization(START, MODEL, zs, 1.0, sensor=METER, learn="S"), SettingError, "learn"),
        (
            lambda zs: expectation_maximization(
                Gaussian.of(unicycle().state, std=1.0), unicycle(), zs, 1.0, sensor=METER
            ),
            ModelError,
            "not linear",
        ),
        (
            lambda zs: expectation_maximization(START, MODEL, [Readings(METER, zs, [1.0, 2.0, 4.0])], learn="R"),
            ModelError,
            "equally",
        ),
        (
            lambda zs: expectation_maximization(
                Gaussian.of(FALL.state, std=1.0), FALL, zs[:, :1], 0.1, sensor=position(1, reads="y")
            ),
            ModelError,
            "offset",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call(np.zeros((3, 2)))
