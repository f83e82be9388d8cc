"""The iterated EKF: a prior that counts once, the most likely state, what does not converge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize

from pilotage.core import FilterStatus, Gaussian, ModelError, Space
from pilotage.estimators import EKF, IEKF
from pilotage.models import range_bearing, sensor, unicycle

from .linear import close

ROBOT = unicycle()
SONAR = range_bearing(std=(0.02, 0.01))
NEAR = np.array([1.5, 0.5])
LINE = Space("x")


@sensor(state=Space("pose: SE2"), reading=Space("u v"), std=0.05)
def marked(x: Any, c: Any, p: Any, m: Any) -> Any:
    """A mark at (2, 1), as it looks from the pose."""
    px, py, yaw = x
    dx, dy = 2.0 - px, 1.0 - py
    return m.cos(yaw) * dx + m.sin(yaw) * dy, m.cos(yaw) * dy - m.sin(yaw) * dx


@sensor(state=Space("attitude: quaternion"), reading=Space("a b c"), std=0.02)
def gravity(q: Any, c: Any, p: Any, m: Any) -> Any:
    """The third row of the rotation matrix."""
    w, x, y, z = q
    return 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)


def most_likely(belief: Gaussian, reads: Any, z: Any, context: Any = None) -> tuple[Any, Any]:
    """The state where the posterior is greatest, and the inverse of Gauss and Newton's Hessian in its tangent."""
    space = belief.space
    whiten = np.linalg.inv(np.linalg.cholesky(belief.cov))

    def residual(x: Any) -> Any:
        root = np.linalg.cholesky(np.asarray(reads.noise(x, context)))
        off = reads.reading.minus(z, reads.observe(x, context))
        return np.concatenate([whiten @ space.minus(x, belief.mean), np.linalg.solve(root, off)])

    start = np.zeros(space.dim)
    found = least_squares(lambda d: residual(space.plus(belief.mean, d)), start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    x = np.asarray(space.plus(belief.mean, found.x))
    steps = 1e-6 * np.eye(space.dim)
    J = np.stack([(residual(space.plus(x, e)) - residual(space.plus(x, -e))) / 2e-6 for e in steps], axis=-1)
    return x, np.linalg.inv(J.T @ J)


@pytest.mark.parametrize("iterations", [2, 5, 50])
def test_the_prior_counts_once(iterations: int) -> None:
    """N(0, 1) and a reading of 1 with variance 1: 1/2 and 1/2, and not 1/3 or 1/6, however many rounds."""

    @sensor(state=LINE, reading=Space("z"), std=1.0)
    def itself(x: Any, c: Any, p: Any, m: Any) -> Any:
        return (x[0],)

    result = IEKF(iterations=iterations).update(Gaussian.of(LINE, [0.0], std=1.0), itself(), [1.0])
    close(result.belief.mean, [0.5], 1e-15)
    close(result.belief.cov, [[0.5]], 1e-15)


POSE = np.array([[0.5, 0.1, 0.2], [0.1, 0.4, -0.1], [0.2, -0.1, 0.3]])
PROBLEMS: dict[str, tuple[Any, Any, Any, Any]] = {
    "unicycle": (Gaussian(ROBOT.state, [0.0, 0.0, 3.0], POSE), SONAR.on(ROBOT.state), [1.2, -2.5], NEAR),
    "SE2": (Gaussian(Space("pose: SE2"), [0.0, 0.0, 1.0], POSE), marked(), [1.4, -1.2], None),
    "quaternion": (
        Gaussian(Space("attitude: quaternion"), [1.0, 0.0, 0.0, 0.0], POSE), gravity(), [0.5, 0.3, 0.8], None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("problem", PROBLEMS)
def test_most_likely_state(problem: str) -> None:
    belief, reads, z, context = PROBLEMS[problem]
    x, P = most_likely(belief, reads, np.array(z), context)
    mine, first = (e.update(belief, reads, z, context) for e in (IEKF(tolerance=1e-7), EKF()))
    close(belief.space.minus(mine.belief.mean, x), np.zeros(3), 1e-6)
    close(mine.belief.cov, P, 1e-5 * np.abs(P).max())
    assert np.abs(belief.space.minus(first.belief.mean, x)).max() > 0.01, "the EKF was to end elsewhere"
    for name in ("innovation", "S", "nis", "log_likelihood"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(first, name))


@sensor(state=LINE, reading=Space("z"), std=1.0)
def square(x: Any, c: Any, p: Any, m: Any) -> Any:
    return (x[0] ** 2,)


def test_steps_that_would_go_back_and_forth() -> None:
    """No state explains the reading -3 of a square: its curvature counts sevenfold, and whole steps never end."""
    belief = Gaussian.of(LINE, [1.0], std=1.0)
    x, _ = most_likely(belief, square(), np.array([-3.0]))
    close(IEKF(tolerance=1e-5).update(belief, square(), [-3.0]).belief.mean, x, 1e-5)


def test_partly_measured() -> None:
    belief, reads, z, context = PROBLEMS["unicycle"]
    half = IEKF(tolerance=1e-7).update(belief, reads, [z[0], np.nan], context)

    @sensor(state=ROBOT.state, reading=Space("range"), std=0.02)
    def ranged(x: Any, c: Any, p: Any, m: Any) -> Any:
        return (m.sqrt((x[0] - NEAR[0]) ** 2 + (x[1] - NEAR[1]) ** 2),)

    x, P = most_likely(belief, ranged(), np.array(z[:1]))
    close(belief.space.minus(half.belief.mean, x), np.zeros(3), 1e-6)
    close(half.belief.cov, P, 1e-5)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_batch_is_a_loop(problem: str) -> None:
    rng = np.random.default_rng(0)
    belief, reads, z, context = PROBLEMS[problem]
    means = belief.space.plus(belief.mean, 0.3 * rng.normal(size=(30, 3)))
    zs = np.array(z) + 0.1 * rng.normal(size=(30, len(z)))
    many = IEKF().update(Gaussian(belief.space, means, POSE), reads, zs, context)
    for i in range(30):
        one = IEKF().update(Gaussian(belief.space, means[i], POSE), reads, zs[i], context)
        close(many.belief.mean[i], one.belief.mean)
        close(many.belief.cov[i], one.belief.cov)


@sensor(state=LINE, reading=Space("z"), std=0.05)
def bent(x: Any, c: Any, p: Any, m: Any) -> Any:
    return (x[0] + 2.0 * m.sin(2.0 * x[0]),)


def test_what_does_not_converge_says_so() -> None:
    """Two rounds are too few: one alone raises; in a batch it has a status, and others are done."""
    short, wide = IEKF(iterations=2, tolerance=1e-9), Gaussian.of(LINE, [0.3], std=1.0)
    with pytest.raises(ModelError, match="did not converge"):
        short.update(wide, bent(), [2.5])
    filter = IEKF(unicycle(), dt=0.1, iterations=2, tolerance=1e-9).start(belief=PROBLEMS["unicycle"][0])
    with pytest.raises(ModelError, match="did not converge"):
        filter.update(SONAR, PROBLEMS["unicycle"][2], context=NEAR)
    np.testing.assert_array_equal(filter.belief.mean, PROBLEMS["unicycle"][0].mean)
    means = np.full((20, 1), 0.3)
    zs = np.asarray(bent().observe(means))
    zs[7] = 2.5
    many = short.update(Gaussian.of(LINE, means, std=1.0), bent(), zs)
    assert many.status[7] == FilterStatus.NOT_CONVERGED
    assert np.delete(many.accepted, 7).all()
    np.testing.assert_array_equal(many.belief.mean[7], means[7])
    gated = IEKF(iterations=2, tolerance=1e-9, gate=0.99).update(wide, bent(), [40.0])
    assert gated.status == FilterStatus.GATED


def test_less_error_than_the_ekf() -> None:
    """Range and bearing of a mark that is near: the EKF's covariance is too small, the iterated one's fits."""
    rng, n = np.random.default_rng(3), 2000
    belief = Gaussian.of(ROBOT.state, [0.0, 0.0, 0.0], std=[0.5, 0.5, 0.1])
    truth = belief.sample(n, rng=rng)
    zs = SONAR.reading.plus(SONAR.on(ROBOT.state).observe(truth, NEAR), rng.normal(size=(n, 2)) * [0.02, 0.01])
    starts = Gaussian(ROBOT.state, np.tile(belief.mean, (n, 1)), belief.cov)
    scores = {}
    for estimator in (EKF(), IEKF()):
        after = estimator.update(starts, SONAR, zs, NEAR).belief
        e = ROBOT.state.minus(truth, after.mean)
        nees = np.einsum("ri,ri->r", e, np.linalg.solve(after.cov, e[..., None])[..., 0])
        scores[type(estimator).__name__] = float(np.sqrt((e[:, :2] ** 2).sum(1).mean())), float(np.median(nees))
    assert scores["IEKF"][0] < 0.8 * scores["EKF"][0], scores
    assert scores["IEKF"][1] < 4.0 < scores["EKF"][1], scores


def rim(x: Any, c: Any, p: Any, m: Any) -> Any:
    """How far from the origin, and a sum that is noisy."""
    return m.hypot(x[0], x[1]), x[0] + x[1]


@pytest.mark.parametrize("stds", [(0.0, 0.3), (0.0, 0.0)])
@pytest.mark.parametrize("count", [1, 40])
def test_readings_without_noise(stds: Any, count: int) -> None:
    """The end is the most likely of the states that such a reading allows, one lane at a time and in blocks."""
    sure = sensor(state=Space("x y [m]"), reading=Space("range [m]", "sum"), std=stds)(rim)()
    prior = Gaussian(Space("x y [m]"), [2.0, 1.0], [[0.5, 0.1], [0.1, 0.4]])
    z = np.array([3.0, 3.9])
    many = Gaussian(prior.space, np.tile(prior.mean, (count, 1)), prior.cov)
    result = IEKF().update(many, sure, z)
    assert (np.asarray(result.status) == FilterStatus.ACCEPTED).all()

    def cost(x: Any) -> float:
        d, off = x - prior.mean, (x.sum() - z[1]) / stds[1] if stds[1] else 0.0
        return float(0.5 * d @ np.linalg.solve(prior.cov, d) + 0.5 * off**2)

    bound = [lambda x: np.hypot(*x) - z[0], lambda x: x.sum() - z[1]][: 1 if stds[1] else 2]
    found = minimize(cost, [2.4, 1.5], constraints=[{"type": "eq", "fun": f} for f in bound], tol=1e-14)
    close(result.belief.mean, np.tile(found.x, (count, 1)), 1e-5)
    close(np.hypot(*result.belief.mean.T), np.full(count, 3.0), 1e-8)
    across = found.x / np.linalg.norm(found.x)
    close(np.einsum("i,nij,j->n", across, result.belief.cov, across), np.zeros(count), 1e-6)
