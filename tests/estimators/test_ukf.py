"""The unscented filter: its points, its weights, its covariance, angles and rotations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import CovarianceError, Gaussian, SettingError, Space
from pilotage.estimators import CKF, EKF, UKF
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    bicycle,
    compass,
    constant_velocity,
    position,
    range_bearing,
    sensor,
    unicycle,
)

from .linear import DT, close

CAR = bicycle(wheelbase=2.7)
START = Gaussian.of(CAR.state, [0.0, 0.0, 3.1, 2.0], cov=np.diag([0.5, 0.3, 0.05, 0.2]) + 0.01)
CAMERA = range_bearing(std=(0.3, 0.05))
LANDMARK = np.array([-6.0, 1.0])


def points(estimator: Any, belief: Gaussian) -> tuple[Any, Any, Any]:
    """Sigma points by their definition, with their weights for means and covariances; those of a set are its own."""
    d = belief.space.dim
    if not (isinstance(estimator, UKF) and estimator.points is None):
        xi, w, v = estimator.sigma_points().unit(d)
        return belief.space.plus(belief.mean, xi @ np.linalg.cholesky(belief.cov).T), w, v
    spread = estimator.alpha**2 * (d + estimator.kappa)
    L = np.linalg.cholesky(belief.cov) * np.sqrt(spread)
    X = belief.space.plus(belief.mean, np.concatenate([np.zeros((1, d)), L.T, -L.T]))
    w = np.full(2 * d + 1, 0.5 / spread)
    w[0] = 1.0 - d / spread
    v = w.copy()
    v[0] += 1.0 - estimator.alpha**2 + estimator.beta
    return X, w, v


def by_definition(estimator: Any, belief: Gaussian, u: Any, dt: float, z: Any) -> Gaussian:
    """A whole step, by the textbook's formulas: ``P - K S K'``."""
    space, reads = CAR.state, CAMERA.on(CAR.state)
    X, w, v = points(estimator, belief)
    Y = CAR.step(X, u, dt)
    mean = space.mean(Y, w)
    D = space.minus(Y, mean)
    belief = Gaussian(space, mean, (v[:, None] * D).T @ D + CAR.noise(belief.mean, u, dt))
    Y, w, v = points(estimator, belief)
    D = space.minus(Y, mean)
    Z = reads.observe(Y, LANDMARK)
    expected = reads.reading.mean(Z, w)
    G = reads.reading.minus(Z, expected)
    S = (v[:, None] * G).T @ G + reads.noise(mean, LANDMARK)
    K = (v[:, None] * D).T @ G @ np.linalg.inv(S)
    y = reads.reading.minus(z, expected)
    return Gaussian(space, space.plus(mean, K @ y), belief.cov - K @ S @ K.T)


@pytest.mark.parametrize(
    ("alpha", "beta", "kappa"), [(1.0, 2.0, 1.0), (0.5, 2.0, 0.0), (1.0, 0.0, -1.0), (0.01, 2.0, 0.0)]
)
def test_definition(alpha: float, beta: float, kappa: float) -> None:
    estimator = UKF(CAR, dt=0.2, alpha=alpha, beta=beta, kappa=kappa)
    filter, belief, u = estimator.start(belief=START), START, np.array([0.5, 0.3])
    for z in ([6.1, 0.1], [5.9, -0.2], [5.5, -0.4]):
        filter.step(CAMERA, z, u, context=LANDMARK)
        belief = by_definition(estimator, belief, u, 0.2, np.array(z))
        slack = 1e-10 if alpha > 0.1 else 1e-7  # weights of 40 000 cost digits
        close(CAR.state.minus(filter.belief.mean, belief.mean), np.zeros(4), slack)
        close(filter.belief.cov, belief.cov, slack)


def test_singular_covariance() -> None:
    """A state known without error has no spread, and draws no complaint."""
    target, reads = constant_velocity(2, density=0.0), position(2, std=0.5)
    P = np.diag([1.0, 0.0, 0.25, 0.0])
    start = Gaussian.trusted(target.state, np.array([0.0, 0.0, 1.0, 2.0]), P)
    unscented, extended = (e.update(e.predict(start, target, None, DT), reads, [0.7, 0.9]) for e in (UKF(), EKF()))
    close(unscented.belief.mean, extended.belief.mean)
    close(unscented.belief.cov, extended.belief.cov)
    assert unscented.belief.cov[3, 3] == 0.0


def test_angles_with_negative_weights() -> None:
    """The heading crosses half a turn while the weight in the middle is far below zero."""
    robot, needle = unicycle(), compass(std=0.05)
    estimator = UKF(robot, dt=0.1, alpha=0.01, kappa=0.0)
    filter = estimator.start(mean=[0.0, 0.0, np.pi - 0.3], std=[0.1, 0.1, 0.3])
    rng, yaw = np.random.default_rng(0), np.pi - 0.1
    for _ in range(60):
        yaw += 0.05
        filter.step(needle, needle.reading.plus([yaw], 0.05 * rng.normal(size=1)), [0.0, 0.5])
    mean = filter.belief.mean
    assert abs(robot.state.minus(mean, [0.0, 0.0, robot.state.normalize([0, 0, yaw])[2]])[2]) < 0.1
    assert np.all(np.linalg.eigvalsh(filter.belief.cov) > 0.0)


@pytest.mark.parametrize("make", [UKF, CKF, lambda: UKF(alpha=0.3, kappa=0.0)], ids=["UKF", "CKF", "negative weight"])
def test_covariances_stay_symmetric_and_positive(make: Any) -> None:
    """Precise readings of what was vague: there ``P - K S K'``, as other libraries have it, is a covariance no more."""
    rng, state = np.random.default_rng(0), Space("a b c d")
    naive, P = [], np.diag([1e9, 1e9, 10.0, 1.0])
    belief: Any = Gaussian(state, np.zeros(4), P)
    at_rest = LinearDynamics.discrete(np.eye(4), Q=1e-9 * np.eye(4), state=state)
    for _ in range(5):
        H = rng.normal(size=(2, 4))
        reads = LinearSensor(H, 1e-8 * np.eye(2), state=state)
        belief = make().update(make().predict(belief, at_rest, None, 1.0), reads, H @ np.ones(4)).belief
        P = P + 1e-9 * np.eye(4)
        S = H @ P @ H.T + 1e-8 * np.eye(2)
        K = P @ H.T @ np.linalg.inv(S)
        P = P - K @ S @ K.T
        naive.append(np.linalg.eigvalsh(P).min())
        np.testing.assert_array_equal(belief.cov, belief.cov.T)
        assert np.linalg.eigvalsh(belief.cov).min() > 0.0
    assert min(naive) < 0.0


def test_reads_what_bends_better_than_the_ekf() -> None:
    """``z = x^2`` around 0 tells the EKF nothing; the points see that the mean of x^2 is its variance."""

    @sensor(state=Space("x1"), reading=Space("square"), std=0.1)
    def square(x, c, p, m):
        return (x[0] * x[0],)

    belief = Gaussian.of(Space("x1"), [0.0], std=1.0)
    update = UKF(beta=0.0, kappa=2.0).update(belief, square(), [0.0])
    close(update.innovation, [-1.0])
    close(update.S, [[2.0 + 0.01]])
    close(EKF().update(belief, square(), [0.0]).innovation, [0.0])


def test_settings_are_checked() -> None:
    with pytest.raises(SettingError, match="alpha"):
        UKF(alpha=0)
    with pytest.raises(SettingError, match="kappa is -4.0"):
        UKF(CAR, dt=0.1, kappa=-4.0).start(belief=START)


def test_indefinite_covariance_has_no_points() -> None:
    bad = Gaussian.trusted(CAR.state, np.zeros(4), np.diag([1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(CovarianceError, match="no sigma points"):
        UKF().predict(bad, CAR, [0.0, 0.0], 0.1)


@pytest.mark.parametrize("std", [0.1, 1.0, 1.81, 4.0, 30.0])
def test_an_uncertain_heading_stays_uncertain(std: float) -> None:
    """Deviations of a heading are followed beyond half a turn: on models linear in the angle, the EKF's numbers."""
    from pilotage.models.turning import ctrv

    target, needle = ctrv(), compass(std=0.05)
    unscented, extended = (
        e.start(mean=[0] * 5, std=[1, 1, std, 0.1, 0.1]) for e in (UKF(target, dt=0.1), EKF(target, dt=0.1))
    )
    for _ in range(3):
        for filter in (unscented, extended):
            filter.predict()
        close(unscented.belief.std[2], extended.belief.std[2], 1e-9)
    mine, other = (f.update(needle, [2.9]) for f in (unscented, extended))
    close(mine.nis, other.nis, 1e-9)
    close(mine.S, other.S, 1e-9)
    close(mine.belief.std[2], other.belief.std[2], 1e-9)
    assert std != 1.81 or abs(mine.nis - 2.6) < 0.1


def test_an_uncertain_turn_rate_counts() -> None:
    """The motion leads beyond half a turn, too."""
    from pilotage.models.turning import ctrv

    for rate in (5.0, 17.0):
        start = Gaussian.of(ctrv().state, [0.0, 0.0, 0.0, 0.0, 0.0], std=[1.0, 1.0, 0.1, 0.1, rate])
        mine, other = (e.predict(start, ctrv(), None, 0.1) for e in (UKF(), EKF()))
        close(mine.std[2], other.std[2], 1e-9)


def test_a_batch_with_one_uncertain_heading() -> None:
    robot = unicycle()
    start = Gaussian(
        robot.state, np.zeros((40, 3)), np.stack([np.diag([0.1, 0.1, 3.0 if i == 7 else 0.01]) for i in range(40)])
    )
    many = UKF().predict(start, robot, [1.0, 0.1], 0.1)
    for i in (0, 7, 39):
        one = UKF().predict(start[i], robot, [1.0, 0.1], 0.1)
        close(many.cov[i], one.cov, 1e-10)
        close(many.mean[i], one.mean, 1e-10)
