"""Beliefs of extended objects, against integrals over their distributions and against a Kalman filter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from pilotage.core import Gaussian, SettingError
from pilotage.core.errors import PilotageError
from pilotage.estimators import EKF, IMM, KF
from pilotage.estimators.tracking import Detector, Tracker
from pilotage.estimators.tracking._targets import Targets
from pilotage.estimators.tracking.extended import GGIWPMBM, Ellipse, LineOfSight, Outline, Rectangle, fit_rectangle
from pilotage.estimators.tracking.extended._body_targets import BodyTargets
from pilotage.models import constant_turn, position, radar

from .oracle import CAR, Body, Single, updated

NEAR = Gaussian.of(CAR.state, std={"x": 1.0, "y": 0.7, "vx": 1.0, "vy": 1.0})
SURE = Gaussian.of(CAR.state, std=1e-6)
ROUND = Ellipse(length=4.0, width=2.0, certainty=9.0, rate=3.0, rate_std=2.0, scale=1.0)


def counts(extent: Any, n: int) -> float:
    """The probability of so many points: negative binomial."""
    alpha, beta = extent.gamma
    return float(stats.nbinom.pmf(n, alpha, beta / (beta + 1.0)))


def test_update_is_that_of_the_formulas() -> None:
    rng, one = np.random.default_rng(0), Single(ROUND, NEAR, 0.3)
    body = Body(*ROUND.gamma, np.zeros(4), NEAR.cov, 15.0, 9.0 * ROUND.matrix)
    for n in (1, 2, 5):
        z = rng.normal(size=(n, 2)) + [0.5, 0.2]
        expected, log = updated(body, z, 0.09 * np.eye(2), 1.0)
        found = one.after(z)
        assert one.log(z) == pytest.approx(log, abs=1e-10)
        np.testing.assert_allclose(found.V[0], expected.V, rtol=1e-10)
        belief = one.targets.unpack(found)
        np.testing.assert_allclose(belief.mean[0], expected.m, atol=1e-12)
        np.testing.assert_allclose(belief.cov[0], expected.P, atol=1e-12)
        np.testing.assert_allclose(found.gamma[0], [expected.alpha, expected.beta])


def test_rate_is_the_conjugate_of_a_poisson_count() -> None:
    """The integral over the rate gives the probability of the count, and the mean after it."""
    alpha, beta = ROUND.gamma
    for n in (0, 1, 4):
        gamma = np.linspace(1e-9, 60.0, 200_001)
        weight = stats.gamma.pdf(gamma, alpha, scale=1.0 / beta) * stats.poisson.pmf(n, gamma)
        assert np.trapezoid(weight, gamma) == pytest.approx(counts(ROUND, n), rel=1e-6)
        mean = np.trapezoid(gamma * weight, gamma) / np.trapezoid(weight, gamma)
        assert mean == pytest.approx((alpha + n) / (beta + 1.0), rel=1e-6)


def test_extent_is_the_conjugate_of_normal_points() -> None:
    """With a known place and exact points: likelihood and mean by a sum over draws from the inverse Wishart prior."""
    z = np.array([[1.0, 0.5], [-0.8, 0.4], [1.4, -1.2]])
    one = Single(ROUND, SURE, 1e-6)
    X = stats.invwishart(df=15.0 - 3.0, scale=9.0 * ROUND.matrix).rvs(100_000, random_state=np.random.default_rng(1))
    inverse, size = np.linalg.inv(X), np.linalg.slogdet(X)[1]
    logs = -0.5 * np.einsum("ka,nab,kb->n", z, inverse, z) - 1.5 * size - 3.0 * math.log(2.0 * math.pi)
    weight = np.exp(logs)
    assert one.log(z) == pytest.approx(math.log(weight.mean() * counts(ROUND, 3)) + gammaln(4.0), abs=0.01)
    mean = np.einsum("n,nab->ab", weight, X) / weight.sum()
    np.testing.assert_allclose(one.targets.extent(one.after(z))[0], mean, atol=0.02)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ["ellipse", "rectangle", "sides"])
def test_likelihood_integrates_to_the_probability_of_the_count(kind: str, n: int) -> None:
    """n! times that for points in order; by importance sampling from a heavy-tailed proposal."""
    rng = np.random.default_rng(n)
    extent = Ellipse(4.0, 2.0, certainty=9.0, rate=3.0, rate_std=2.0)
    box = Rectangle(4.0, 2.0, certainty=9.0, rate=3.0, rate_std=2.0)
    sight = LineOfSight((-9.0, -6.0)) if kind == "sides" else None
    one = Single(extent if kind == "ellipse" else box, NEAR, 0.4, sight=sight, heading=0.6)
    expected = one.expected
    C, Y = (expected.table[0, [[a, a + 1], [a + 1, a + 2]]] for a in (8, 11))
    if kind == "sides":  # wide enough for all views
        Y = Y + np.eye(2)
    spread = 1.5 * (np.kron(np.ones((n, n)), C) + np.kron(np.eye(n), Y))
    proposal = stats.multivariate_t(np.tile(expected.place[0], n), spread, 6.0)
    z = proposal.rvs(8_000, random_state=rng).reshape(-1, 2 * n)
    ratio = np.exp(one.logs(z.reshape(-1, n, 2)) - proposal.logpdf(z))
    error = ratio.std() / math.sqrt(len(z))
    assert error < 0.06 * ratio.mean()
    assert ratio.mean() == pytest.approx(math.factorial(n) * counts(extent, n), abs=4.0 * error)


def test_object_without_size_and_with_one_point_is_that_of_a_kalman_filter() -> None:
    point = Ellipse(1e-4, 1e-4, certainty=1e7, rate=3.0, rate_std=2.0)
    one, z = Single(point, NEAR, 0.5), np.array([[0.7, -0.4]])
    update = KF().update(NEAR, position(std=0.5), z[0])
    found = one.targets.unpack(one.after(z))
    np.testing.assert_allclose(found.mean[0], update.belief.mean, atol=1e-7)
    np.testing.assert_allclose(found.cov[0], update.belief.cov, atol=1e-7)
    assert one.log(z) == pytest.approx(update.log_likelihood + math.log(counts(point, 1)), abs=1e-5)


def test_evidence_turns_with_the_plane() -> None:
    """A rectangle and its points, turned together, have the same likelihood and the same sizes."""
    rng = np.random.default_rng(3)
    z, even = rng.normal(size=(6, 2)) * [1.2, 0.5], Gaussian.of(CAR.state, std=1.0)
    box = Rectangle(4.0, 2.0, certainty=9.0)
    found = []
    for angle in (0.0, 1.1):
        c, s = math.cos(angle), math.sin(angle)
        T = np.array([[c, -s], [s, c]])
        eye = T @ [-8.0, 5.0]
        one = Single(box, even, 0.2, sight=LineOfSight((float(eye[0]), float(eye[1]))), heading=angle)
        found.append((one.log(z @ T.T), one.after(z @ T.T).V[0]))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-9)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-9)


def test_posteriors_hold_the_truth_as_often_as_they_say() -> None:
    """Objects drawn from the prior: the place has its NEES, and a variance of the extent its quantiles."""
    rng, extent = np.random.default_rng(5), Ellipse(4.0, 2.0, certainty=20.0, rate=8.0, rate_std=3.0, scale=1.0)
    std, nees, quantiles = 0.1, [], []
    drawn = stats.invwishart(df=23.0, scale=20.0 * extent.matrix).rvs(300, random_state=rng)
    for X in drawn:
        x = NEAR.sample(1, rng=rng)[0]
        z = rng.multivariate_normal(x[:2], X + std**2 * np.eye(2), 8)
        one = Single(extent, NEAR, std)
        after = one.after(z)
        belief = one.targets.unpack(after)
        e = x[:2] - belief.mean[0, :2]
        nees.append(e @ np.linalg.solve(belief.cov[0, :2, :2], e))
        quantiles.append(stats.chi2.cdf(after.V[0, 0, 0] / X[0, 0], after.v[0] - 4.0))
    assert 1.6 < np.mean(nees) < 2.6
    assert stats.kstest(quantiles, "uniform").pvalue > 0.01


def test_prediction_keeps_the_means_and_forgets() -> None:
    extent = Ellipse(4.0, 2.0, certainty=50.0, memory=2.0, rate_memory=1.0)
    one = Single(extent, Gaussian.of(CAR.state, [0, 0, 3, 0], std=0.1), 0.1)
    one.bodies.gamma[:] *= 4.0  # three times as much as is known of new objects
    before = one.bodies.copy()
    one.targets.predict(one.bodies, 1.0)
    np.testing.assert_allclose(one.targets.extent(one.bodies), one.targets.extent(before), rtol=1e-12)
    assert one.bodies.v[0] - 6.0 == pytest.approx(50.0 * math.exp(-0.5))
    np.testing.assert_allclose(one.bodies.gamma, before.gamma * math.exp(-1.0))
    for _ in range(100):
        one.targets.predict(one.bodies, 1e3)  # a sensor is silent for a day
    np.testing.assert_allclose(one.bodies.gamma, 0.25 * before.gamma)


def test_ellipse_turns_with_its_motion() -> None:
    """A coordinated turn by a quarter turns the extent by a quarter."""
    turn = constant_turn(density=0.01)
    mean = {"vx": 4.0, "yaw_rate": 0.5 * math.pi}
    names = {name: mean.get(name, 0.0) for name in turn.state.names}
    targets = BodyTargets(Targets(EKF(turn, dt=1.0)), (Ellipse(4.0, 2.0),), None)
    bodies = targets.born(targets.inner.pack(Gaussian.of(turn.state, list(names.values()), std=0.001)), 0)
    bodies.V[0] = np.diag([40.0, 10.0])
    before = targets.extent(bodies)[0]
    targets.predict(bodies, 1.0)
    np.testing.assert_allclose(targets.extent(bodies)[0], before[::-1, ::-1], atol=1e-3)
    (outline,) = targets.outlines(bodies)
    assert abs(outline.heading) == pytest.approx(0.5 * math.pi, abs=1e-3)


def test_rate_of_an_object_without_points_has_the_moments_of_both_reasons() -> None:
    one = Single(ROUND, NEAR, 0.1)
    alpha, beta = ROUND.gamma
    rng = np.random.default_rng(0)
    gamma = rng.gamma(alpha, 1.0 / beta, 400_000)
    weight = 1.0 - 0.7 + 0.7 * np.exp(-gamma)
    mean = np.average(gamma, weights=weight)
    variance = np.average((gamma - mean) ** 2, weights=weight)
    a, b = one.targets.unseen(one.bodies, np.array([0.7])).gamma[0]
    assert a / b == pytest.approx(mean, rel=0.01)
    assert a / b**2 == pytest.approx(variance, rel=0.02)


def test_sides_that_a_lidar_sees() -> None:
    """Mean and covariance of points on the near sides, by draws; each side by the angle that it fills."""
    car, place = Rectangle(4.0, 2.0), np.array([-12.0, -9.0])
    rng, n = np.random.default_rng(0), 200_000
    fill = np.array([1.0 * (12.0 - 2.0), 2.0 * (9.0 - 1.0)])  # half the side times the distance of the sensor from it
    rear = rng.random(n) < fill[0] / fill.sum()
    x = np.where(rear, -2.0, rng.uniform(-2.0, 2.0, n))
    y = np.where(rear, rng.uniform(-1.0, 1.0, n), -1.0)
    views, mean, cov = car.spread(car.matrix[None], place[None], np.zeros(1))
    for k, some in enumerate((rear | ~rear, rear, ~rear)):  # both sides, or one of them
        np.testing.assert_allclose(mean[k, 0], [x[some].mean(), y[some].mean()], atol=0.02)
        np.testing.assert_allclose(cov[k, 0], np.cov(x[some], y[some]), atol=0.03)
    assert np.exp(views).sum() == pytest.approx(1.0)


def test_an_axis_that_is_not_seen_keeps_its_size() -> None:
    """A lidar straight behind a car tells its width, and not its length."""
    known = Gaussian.of(CAR.state, [20.0, 0.0, 5.0, 0.0], std=0.1)
    one = Single(Rectangle(4.5, 2.6, certainty=10.0), known, 0.05, sight=LineOfSight())
    z = np.stack([np.full(12, 17.75), np.linspace(-0.8, 0.8, 12)], -1)
    for _ in range(5):
        one.bodies = one.after(z)
    (found,) = one.targets.outlines(one.bodies)
    assert found.length == pytest.approx(4.5, abs=0.1)
    assert found.width == pytest.approx(1.7, abs=0.25)
    assert found.center[0] == pytest.approx(20.0, abs=0.1)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2, 2.5])
def test_rectangle_fit_finds_the_corner(angle: float) -> None:
    rng = np.random.default_rng(0)
    side, end = rng.uniform(0.0, 4.2, 30), rng.uniform(0.0, 1.8, 14)
    ell = np.concatenate([np.stack([side, 0.0 * side], -1), np.stack([0.0 * end, end], -1), [[4.2, 0.0], [0.0, 1.8]]])
    c, s = math.cos(angle), math.sin(angle)
    T = np.array([[c, -s], [s, c]])
    found = fit_rectangle(ell @ T.T + 0.02 * rng.normal(size=ell.shape) + [5.0, -3.0])
    assert (found.heading - angle + 0.5 * math.pi) % math.pi - 0.5 * math.pi == pytest.approx(0.0, abs=0.04)
    np.testing.assert_allclose([found.length, found.width], [4.2, 1.8], atol=0.15)
    np.testing.assert_allclose(found.center, T @ [2.1, 0.9] + [5.0, -3.0], atol=0.1)


def test_outline() -> None:
    one = Outline(np.array([1.0, 2.0]), 4.0, 2.0, 0.5, False, 3.0, "car")
    d = one.curve - one.center
    np.testing.assert_allclose(np.einsum("ka,ab,kb->k", d, np.linalg.inv(one.matrix), d), 1.0)
    np.testing.assert_allclose(np.linalg.norm(one.corners - one.center, axis=-1), math.hypot(2.0, 1.0))


def test_what_does_not_fit_is_refused() -> None:
    birth = Gaussian.of(CAR.state, std=10.0)
    turn = IMM((CAR, constant_turn(density=0.1)), 0.95, dt=1.0)
    with pytest.raises(SettingError, match="several models"):
        Tracker(turn, Detector(position(std=0.1)), turn.first(std=10.0), GGIWPMBM())
    with pytest.raises(SettingError, match="points in the plane"):
        Tracker(EKF(CAR, dt=1.0), Detector(radar(place=(0.0, 0.0), std=(1.0, 0.1, 1.0))), birth, GGIWPMBM())
    with pytest.raises(SettingError, match="-1"):
        Ellipse(length=-1.0)
    plain = Tracker(KF(CAR, dt=1.0), Detector(position(std=0.1)), birth)
    with pytest.raises(PilotageError, match="extents"):
        _ = plain.update([[0.0, 0.0]], 0.0).extents
