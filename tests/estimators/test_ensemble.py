"""The ensemble Kalman filter: it tends to the Kalman filter, on any space, and refuses what is no reading."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import FilterStatus, Gaussian, ModelError, Particles, ShapeError
from pilotage.estimators import EKF, KF, EnsembleKF
from pilotage.models import constant_velocity, gyroscope, position, quadrotor

from .linear import DT, Plain, PlainSensor, system

TARGET, FIX = constant_velocity(2, density=0.5), position(2, std=0.5)
START = Gaussian.of(TARGET.state, [0.0, 0.0, 1.0, 0.0], std=[1.0, 1.0, 0.5, 0.5])


def after(estimator: Any, zs: Any, **seed: int) -> Gaussian:
    filter = type(estimator)(**{**vars(estimator), "dynamics": TARGET, "dt": 0.1}).start(belief=START, **seed)
    for z in zs:
        filter.step(FIX, z)
    return filter.belief.moments()


def test_more_members_come_nearer_to_the_kalman_filter() -> None:
    """The distance from it falls as the square root of the number of members, and is that of what was drawn."""
    zs = np.array([[0.2, 0.1], [0.3, np.nan], [0.4, -0.2], [0.6, 0.0]])
    exact, gaps = after(KF(), zs), []
    for n in (100, 10_000):
        found = [after(EnsembleKF(n=n), zs, rng=seed) for seed in range(12)]
        gaps.append(np.sqrt(np.mean([np.square(g.cov - exact.cov).sum() for g in found])))
        means = np.sqrt(np.mean([np.square((g.mean - exact.mean) / exact.std).mean() for g in found]))
        assert means < 3.0 / np.sqrt(n)
    assert 5.0 < gaps[0] / gaps[1] < 20.0


def test_few_members_expect_the_innovation_covariance() -> None:
    """Of ensembles of four, the mean S is that of the belief they are drawn from (Evensen 2003): n - 1 divides."""
    many = Gaussian(START.space, np.tile(START.mean, (20_000, 1)), START.cov)
    cloud = EnsembleKF(n=4).predict(many, TARGET, None, 0.1, rng=1)
    S = np.asarray(EnsembleKF().update(cloud, FIX, [0.0, 0.0]).S)
    exact = KF().expect(KF().predict(START, TARGET, None, 0.1), FIX).cov
    np.testing.assert_allclose(S.mean(0), exact, atol=5.0 * float(S.std(0).max()) / 20_000**0.5)


def test_an_undefined_reading_is_named() -> None:
    """It is no overflow, and it holds back no other row; where nothing was measured, nothing need be defined."""

    class Holes(PlainSensor):
        def observe(self, x: Any, context: Any = None) -> Any:
            z = np.array(super().observe(x, context))
            z[..., 0] = np.where(np.asarray(x)[..., 0] > 1e3, np.nan, z[..., 0])
            return z

    holes, far = Holes(FIX.on(TARGET.state)), [2e3, 0.0, 1.0, 0.0]
    both = Gaussian.of(TARGET.state, [START.mean, far], std=[1.0, 1.0, 0.5, 0.5])
    found = EnsembleKF(n=20).update(both, holes, [[0.2, 0.1], [2e3, 0.0]], rng=1)
    assert found.status.tolist() == [FilterStatus.ACCEPTED, FilterStatus.UNDEFINED_READING]
    with pytest.raises(ModelError):
        EnsembleKF(n=20).update(both[1], holes, [2e3, 0.0], rng=1)
    assert EnsembleKF(n=20).update(both[1], holes, [np.nan, 0.0], rng=1).accepted


def test_quaternions() -> None:
    """Members stay on the space, and agree with the EKF where the belief is narrow."""
    craft, spin = quadrotor(), gyroscope(std=0.01)
    start = Gaussian.of(craft.state, craft.state.identity(), std=0.02)
    mine = EnsembleKF(n=20_000)
    cloud = mine.predict(start, craft, None, 0.02, rng=1)
    update = mine.update(cloud, spin, [0.01, -0.02, 0.03], rng=2)
    np.testing.assert_allclose(craft.state.normalize(update.belief.points), update.belief.points, atol=1e-12)
    other = EKF().update(EKF().predict(start, craft, None, 0.02), spin, [0.01, -0.02, 0.03]).belief
    found = update.belief.moments()
    assert np.abs(craft.state.minus(found.mean, other.mean) / other.std).max() < 0.1
    np.testing.assert_allclose(found.std, other.std, rtol=0.05)


def test_batches_gates_and_infinity() -> None:
    """Each row of a batch has its status; a row that is refused keeps its members."""
    many = Gaussian(START.space, np.tile(START.mean, (4, 1)), START.cov)
    cloud = EnsembleKF(n=500).predict(many, TARGET, None, 0.1, rng=1)
    zs = np.array([[0.1, 0.0], [np.inf, 0.0], [90.0, 0.0], [np.nan, np.nan]])
    update = EnsembleKF(gate=0.99).update(cloud, FIX, zs, rng=2)
    kept = FilterStatus.ACCEPTED, FilterStatus.NOT_FINITE_READING, FilterStatus.GATED, FilterStatus.NO_READING
    assert tuple(update.status) == kept
    for i in (1, 2):
        np.testing.assert_array_equal(update.belief.points[i], cloud.points[i])
    np.testing.assert_allclose(update.belief.points[3], cloud.points[3], atol=1e-12)
    assert update.log_likelihood[3] == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ShapeError, match="infinity"):
        EnsembleKF().update(cloud[0], FIX, [np.inf, 0.0], rng=2)


def test_models_that_nobody_traced() -> None:
    """A simulator in Python is asked for all members at once."""
    s = system(5)
    start = Gaussian(s.dynamics.state, s.x0, s.P0)
    found = [
        EnsembleKF().update(EnsembleKF().predict(start, f, s.us[0], DT, rng=1), h, s.zs[0], rng=2).belief.points
        for f, h in ((s.dynamics, s.sensor), (Plain(s.dynamics), PlainSensor(s.sensor)))
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-10)


def test_inflation_and_weights() -> None:
    """Inflation multiplies the covariance by its square; members of unequal weight are drawn from first."""
    still = constant_velocity(2, density=0.0)
    wide, plain = (EnsembleKF(inflation=a).predict(START, still, None, 0.1, rng=3).moments() for a in (1.2, 1.0))
    np.testing.assert_allclose(wide.cov, 1.44 * plain.cov, rtol=1e-9)
    np.testing.assert_allclose(wide.mean, plain.mean, atol=1e-9)
    heavy = Particles(START.space, np.array([[0.0, 0.0, 0.0, 0.0], [9.0, 9.0, 9.0, 9.0]]), np.array([0.0, -np.inf]))
    cloud = EnsembleKF().predict(heavy, still, None, 0.1, rng=3)
    np.testing.assert_array_equal(cloud.points, np.zeros((2, 4)))
    np.testing.assert_allclose(cloud.weights, 0.5)


def sample_moments(cloud: Particles) -> Gaussian:
    """Mean and unbiased covariance of members."""
    return Gaussian.trusted(cloud.space, cloud.points.mean(0), np.cov(cloud.points.T))


@pytest.mark.parametrize("n", [3, 20])
def test_an_update_draws_nothing(n: int) -> None:
    """Mean and sample covariance of members are those of the Kalman filter that starts from theirs, to rounding."""
    cloud = EnsembleKF(n=n).predict(START, TARGET, None, 0.1, rng=1)
    for z in ([0.3, -0.2], [0.3, np.nan]):
        mine = EnsembleKF().update(cloud, FIX, z)
        other = KF().update(sample_moments(cloud), FIX, z)
        found = sample_moments(mine.belief)
        np.testing.assert_allclose(found.mean, other.belief.mean, atol=1e-12)
        np.testing.assert_allclose(found.cov, other.belief.cov, atol=1e-12)
        np.testing.assert_allclose(mine.S, other.S, atol=1e-12)
        np.testing.assert_allclose(EnsembleKF().expect(cloud, FIX).cov, KF().expect(sample_moments(cloud), FIX).cov)
        np.testing.assert_allclose([mine.nis, mine.log_likelihood], [other.nis, other.log_likelihood], atol=1e-12)


def test_one_member_is_refused() -> None:
    """It has no covariance: the sample's divides by zero."""
    alone = Particles(TARGET.state, np.zeros((1, 4)), np.zeros(1))
    for call in (lambda: EnsembleKF().expect(alone, FIX), lambda: EnsembleKF().update(alone, FIX, [1.0, 0.0])):
        with pytest.raises(ShapeError, match="one member"):
            call()
