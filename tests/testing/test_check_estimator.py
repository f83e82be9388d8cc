"""`check_estimator` passes what keeps the contract, and says what is wrong with what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, Gaussian, Sensor, Update
from pilotage.estimators import EKF, KF, UKF
from pilotage.estimators.particle import ParticleFilter
from pilotage.testing import check_estimator


@pytest.mark.parametrize("estimator", [EKF(), EKF(gate=0.9999), UKF()], ids=repr)
def test_own_estimators_pass(estimator: Any) -> None:
    check_estimator(estimator)


def test_linear_only() -> None:
    check_estimator(KF(), angles=False)


def test_particles_pass() -> None:
    check_estimator(ParticleFilter(n=20_000))


class Altered:
    """The EKF with one thing done wrong."""

    own_contexts: Any = False

    def predict(self, belief: Gaussian, dynamics: Dynamics, u: Any, dt: float) -> Any:
        return EKF().predict(belief, dynamics, u, dt)

    def expect(self, belief: Gaussian, sensor: Sensor, context: Any = None) -> Gaussian:
        return EKF().expect(belief, sensor, context)

    def update(self, belief: Gaussian, sensor: Sensor, z: Any, context: Any = None) -> Update:
        return EKF().update(belief, sensor, z, context)


class NoContexts(Altered):
    own_contexts = None


class NoProcessNoise(Altered):
    def predict(self, belief: Gaussian, dynamics: Dynamics, u: Any, dt: float) -> Any:
        F, _ = dynamics.linearize(belief.mean, u, dt)
        return Gaussian(belief.space, dynamics.step(belief.mean, u, dt), F @ belief.cov @ np.swapaxes(F, -1, -2))


class RawAngles(Altered):
    def update(self, belief: Gaussian, sensor: Sensor, z: Any, context: Any = None) -> Update:
        if sensor.reading.names != ("yaw",):
            return super().update(belief, sensor, z, context)
        H, R = sensor.on(belief.space).linearize(belief.mean), sensor.on(belief.space).noise(belief.mean)
        y, S = z - sensor.on(belief.space).observe(belief.mean), H @ belief.cov @ H.T + R
        K = belief.cov @ H.T @ np.linalg.inv(S)
        cov = (np.eye(3) - K @ H) @ belief.cov
        return Update(
            Gaussian(belief.space, belief.mean + K @ y, 0.5 * (cov + cov.T)), y, S, float(y @ y / S[0, 0]), 0.0
        )


class ZeroForMissing(Altered):
    def update(self, belief: Gaussian, sensor: Sensor, z: Any, context: Any = None) -> Update:
        return super().update(belief, sensor, np.nan_to_num(z), context)


class WrongNis(Altered):
    def update(self, belief: Gaussian, sensor: Sensor, z: Any, context: Any = None) -> Update:
        good = super().update(belief, sensor, z, context)
        return Update(good.belief, good.innovation, good.S, 2.0 * good.nis, good.log_likelihood)


class BeliefOnly(Altered):
    def update(self, belief: Gaussian, sensor: Sensor, z: Any, context: Any = None) -> Any:
        return super().update(belief, sensor, z, context).belief


class Impatient(Altered):
    def update(self, belief: Gaussian, sensor: Sensor, z: Any, context: Any = None) -> Update:
        good = super().update(belief, sensor, z, context)
        return Update(
            good.belief, good.innovation, good.S, good.nis, good.log_likelihood - 1.0 * bool(np.isfinite(good.nis))
        )


class OneAtATime(Altered):
    def predict(self, belief: Gaussian, dynamics: Dynamics, u: Any, dt: float) -> Any:
        flat = Gaussian(belief.space, np.atleast_2d(belief.mean)[0], belief.cov.reshape(-1, *belief.cov.shape[-2:])[0])
        return super().predict(flat, dynamics, u, dt)


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (NoContexts(), "own_contexts is None"),
        (NoProcessNoise(), "on a linear model the mean, against the Kalman filter"),
        (RawAngles(), "is it wrapped"),
        (ZeroForMissing(), "after a reading of NaN the mean"),
        (WrongNis(), "nis is"),
        (BeliefOnly(), "must return an Update, not Gaussian"),
        (Impatient(), "log-likelihood"),
        (OneAtATime(), "a batch of 3 gave"),
        (object(), "no method `predict`"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_broken_estimators_are_named(estimator: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_estimator(estimator)


def test_deliberate_difference_is_allowed() -> None:
    with pytest.raises(AssertionError):
        check_estimator(NoProcessNoise())
    check_estimator(NoProcessNoise(), kalman=False)
