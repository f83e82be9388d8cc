"""Sets of sigma points: their moments, the filters that move them, and how far they are exact."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, SettingError, Space
from pilotage.estimators import (
    CKF,
    GHKF,
    UKF,
    CubaturePoints,
    GaussHermitePoints,
    JulierPoints,
    MerwePoints,
    SimplexPoints,
)
from pilotage.models import sensor

from .linear import close
from .test_ukf import CAMERA, CAR, LANDMARK, START, by_definition

SETS = [
    MerwePoints(), MerwePoints(0.3, 2.0, 0.0), JulierPoints(), JulierPoints(-0.5), CubaturePoints(), SimplexPoints(),
    SimplexPoints(0.0), GaussHermitePoints(2), GaussHermitePoints(3), GaussHermitePoints(4),
]  # fmt: skip


@pytest.mark.parametrize("points", SETS, ids=repr)
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_moments(points: Any, dim: int) -> None:
    """Weights sum to 1, the mean is 0 and the covariance I; the middle comes first."""
    xi, w, v = points.unit(dim)
    close(w.sum(), 1.0, 1e-12)
    close(w @ xi, np.zeros(dim), 1e-12)
    close((v[:, None] * xi).T @ xi, np.eye(dim), 1e-12)
    np.testing.assert_array_equal(xi[0], np.zeros(dim))
    np.testing.assert_array_equal(v[1:], w[1:])


@pytest.mark.parametrize("order", [2, 3, 5])
def test_gauss_hermite_is_exact(order: int) -> None:
    """Moments of a normal distribution up to degree 2p - 1: 0 where that is odd, else (k - 1)!!."""
    xi, w, _ = GaussHermitePoints(order).unit(2)
    for k in range(2 * order):
        exact = float(np.prod(np.arange(k - 1, 0, -2))) if k % 2 == 0 else 0.0
        close(w @ xi[:, 0] ** k, exact, 1e-10)
        close(w @ (xi[:, 0] ** (k % 2) * xi[:, 1] ** k), 0.0 if k % 2 else exact, 1e-10)


def test_the_kalman_filters_points_are_three_of_a_kind() -> None:
    """Cubature is Julier's with kappa 0, which is Merwe's with alpha 1 and beta 0; order 3 in one dimension is both."""
    for one, other, dim in (
        (CubaturePoints(), JulierPoints(0.0), 4),
        (JulierPoints(2.0), MerwePoints(1.0, 0.0, 2.0), 3),
        (GaussHermitePoints(3), JulierPoints(2.0), 1),
    ):
        mine, theirs = (sorted(np.column_stack([*s.unit(dim)]).round(12).tolist()) for s in (one, other))
        close(mine, theirs, 1e-12)


FILTERS = [
    UKF(points=JulierPoints(0.5)), UKF(points=SimplexPoints()), UKF(points=SimplexPoints(0.0)), CKF(),
    GHKF(), GHKF(order=4),
]  # fmt: skip


@pytest.mark.parametrize("estimator", FILTERS, ids=repr)
def test_definition(estimator: Any) -> None:
    """A drive by the formulas of the textbook, whose points are those of the set."""
    told = type(estimator)(**{**vars(estimator), "dynamics": CAR, "dt": 0.2})
    filter, belief, u = told.start(belief=START), START, np.array([0.5, 0.3])
    for z in ([6.1, 0.1], [5.9, -0.2], [5.5, -0.4]):
        filter.step(CAMERA, z, u, context=LANDMARK)
        belief = by_definition(estimator, belief, u, 0.2, np.array(z))
        close(CAR.state.minus(filter.belief.mean, belief.mean), np.zeros(4), 1e-10)
        close(filter.belief.cov, belief.cov, 1e-10)


def test_a_block_is_a_loop() -> None:
    """Many beliefs side by side, each with 81 points."""
    rng = np.random.default_rng(0)
    starts = Gaussian(CAR.state, CAR.state.plus(START.mean, 0.1 * rng.normal(size=(20, 4))), START.cov)
    many = GHKF().update(GHKF().predict(starts, CAR, [0.5, 0.3], 0.2), CAMERA, [6.1, 0.1], LANDMARK).belief
    for i in (0, 19):
        one = GHKF().update(GHKF().predict(starts[i], CAR, [0.5, 0.3], 0.2), CAMERA, [6.1, 0.1], LANDMARK).belief
        close(many.mean[i], one.mean)
        close(many.cov[i], one.cov)


def test_polynomials() -> None:
    """``z = x^3`` has mean 0 and variance 15 for a standard normal x: order 4 is exact, and order 3 falls short."""

    @sensor(state=Space("x"), reading=Space("z"), std=0.1)
    def cube(x: Any, c: Any, p: Any, m: Any) -> Any:
        return (x[0] * x[0] * x[0],)

    belief = Gaussian.of(Space("x"), [0.0], std=1.0)
    close(GHKF(order=4).expect(belief, cube()).cov, [[15.0 + 0.01]], 1e-10)
    assert abs(GHKF(order=3).expect(belief, cube()).cov[0, 0] - 15.0) > 1.0


def test_settings_are_checked() -> None:
    assert math.isfinite(GHKF(order=2).constants(CAR.state).sum())
    with pytest.raises(SettingError, match="16777216 points in 24 dimensions"):
        GaussHermitePoints(2).unit(24)
    with pytest.raises(SettingError, match="alpha, beta and kappa"):
        UKF(alpha=0.5, points=SimplexPoints())
    with pytest.raises(SettingError, match="kappa is -4.0"):
        JulierPoints(-4.0).unit(4)
