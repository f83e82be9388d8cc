"""Fusion rules, against the filter of all readings, least squares and exact covariances of errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Gaussian, Space
from pilotage.core.errors import CovarianceError, SettingError, ShapeError, SpaceError
from pilotage.estimators import KF
from pilotage.estimators.tracking.fusion import (
    CovarianceIntersection,
    covariance_intersection,
    cross_covariance_fusion,
    independent_fusion,
    information_fusion,
    inverse_covariance_intersection,
    predicted_cross_covariance,
    updated_cross_covariance,
)
from pilotage.models import LinearSensor, constant_velocity, position

PAIRS: dict[str, Any] = {
    "independent": independent_fusion,
    "covariance intersection": covariance_intersection,
    "inverse": inverse_covariance_intersection,
    "information": lambda a, b: information_fusion(a, b, Gaussian(a.space, a.mean, 1e12 * (a.cov + b.cov))),
    "cross-covariance": lambda a, b: cross_covariance_fusion(a, b, np.zeros_like(a.cov)),
}
CURVED = Space("x y [m]", "q: quaternion", "yaw: angle")
PLANE = Space("a b c")
CAR = constant_velocity(density=0.5)


def covariance(rng: np.random.Generator, d: int, scale: float = 1.0) -> Any:
    M = scale * rng.normal(size=(d, d))
    return M @ M.T + 0.05 * scale**2 * np.eye(d)


def beliefs(space: Any, seed: int, *, std: float = 0.3, batch: tuple[int, ...] = ()) -> tuple[Gaussian, Gaussian]:
    """Two beliefs that agree, with covariances of that size."""
    rng = np.random.default_rng(seed)
    center = space.sample(rng=rng)
    shape = (2, *batch, space.dim)
    d = std * rng.normal(size=shape)
    covs = np.array([covariance(rng, space.dim, std) for _ in range(int(np.prod(shape[:-1])))])
    means, covs = np.asarray(space.plus(center, d)), covs.reshape(*shape, space.dim)
    return Gaussian(space, means[0], covs[0]), Gaussian(space, means[1], covs[1])


def close(a: Gaussian, b: Gaussian, tol: float = 1e-9) -> None:
    np.testing.assert_allclose(a.space.minus(a.mean, b.mean), 0.0, atol=tol)
    np.testing.assert_allclose(a.cov, b.cov, atol=tol, rtol=1e-7)


def bounded(small: Any, large: Any, tol: float = 1e-9) -> bool:
    """Whether large - small is positive semidefinite."""
    return bool(np.linalg.eigvalsh(large - small).min() >= -tol * np.abs(large).max())


def weights(rule: Any, A: Any, B: Any) -> tuple[Any, Any, Any]:
    """The matrices W_a and W_b of ``c = W_a a + W_b b``, and C, from the rule alone."""
    d = len(A)
    space = Space(" ".join(f"x{i}" for i in range(d)))
    zero = Gaussian(space, np.zeros(d), A)
    units = Gaussian(space, np.eye(d), B)
    fused = rule(zero, units)
    W = fused.mean.T
    return np.eye(d) - W, W, fused.cov[0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(-1.0, 1.0), st.sampled_from(["determinant", "trace"]))
def test_covariance_intersection_holds_for_every_correlation(seed: int, d: int, rho: float, criterion: Any) -> None:
    """The covariance of the error of the result, for errors with any covariance X, is no larger than it says."""
    rng = np.random.default_rng(seed)
    A, B = covariance(rng, d), covariance(rng, d, 2.0)
    U, _, V = np.linalg.svd(rng.normal(size=(d, d)))
    X = np.linalg.cholesky(A) @ (rho * U @ np.diag(rng.uniform(-1.0, 1.0, d)) @ V) @ np.linalg.cholesky(B).T
    W_a, W_b, C = weights(lambda a, b: covariance_intersection(a, b, criterion=criterion), A, B)
    true = W_a @ A @ W_a.T + W_b @ B @ W_b.T + W_a @ X @ W_b.T + W_b @ X.T @ W_a.T
    assert bounded(true, C)
    size = np.linalg.det if criterion == "determinant" else np.trace
    for w in np.linspace(0.0, 1.0, 41):
        assert size(C) <= size(np.linalg.inv(w * np.linalg.inv(A) + (1.0 - w) * np.linalg.inv(B))) * (1.0 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(0.01, 100.0), st.sampled_from(["determinant", "trace"]))
def test_inverse_intersection_holds_for_common_information(seed: int, d: int, size: float, criterion: Any) -> None:
    """Both are fusions of a common belief G with independent ones; the result is no larger than by intersection."""
    rng = np.random.default_rng(seed)
    G, A0, B0 = covariance(rng, d, size), covariance(rng, d), covariance(rng, d, 2.0)
    A, B = (np.linalg.inv(np.linalg.inv(G) + np.linalg.inv(each)) for each in (A0, B0))
    X = A @ np.linalg.inv(G) @ B
    W_a, W_b, C = weights(lambda a, b: inverse_covariance_intersection(a, b, criterion=criterion), A, B)
    true = W_a @ A @ W_a.T + W_b @ B @ W_b.T + W_a @ X @ W_b.T + W_b @ X.T @ W_a.T
    assert bounded(true, C, 1e-7)
    wide = weights(lambda a, b: covariance_intersection(a, b, criterion=criterion), A, B)[2]
    measure = np.linalg.det if criterion == "determinant" else np.trace
    assert measure(C) <= measure(wide) * (1.0 + 1e-7)


def test_independent_fusion_is_overconfident_where_intersection_is_not() -> None:
    A, B = np.eye(2), np.eye(2)
    for rule, holds in ((independent_fusion, False), (covariance_intersection, True)):
        W_a, W_b, C = weights(rule, A, B)
        X = 0.9 * np.eye(2)
        true = W_a @ A @ W_a.T + W_b @ B @ W_b.T + W_a @ X @ W_b.T + W_b @ X.T @ W_a.T
        assert bounded(true, C) is holds


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-0.95, 0.95))
def test_cross_covariance_fusion_is_least_squares_of_both(seed: int, rho: float) -> None:
    """The fusion is that of generalised least squares on the stacked beliefs, with their joint covariance."""
    rng = np.random.default_rng(seed)
    a, b = beliefs(PLANE, seed)
    X = rho * np.linalg.cholesky(a.cov) @ np.linalg.qr(rng.normal(size=(3, 3)))[0] @ np.linalg.cholesky(b.cov).T
    H, R = np.concatenate([np.eye(3)] * 2), np.block([[a.cov, X], [X.T, b.cov]])
    C = np.linalg.inv(H.T @ np.linalg.solve(R, H))
    mean = C @ H.T @ np.linalg.solve(R, np.concatenate([a.mean, b.mean]))
    close(cross_covariance_fusion(a, b, X), Gaussian(PLANE, mean, 0.5 * (C + C.T)), 1e-7)


def test_fusion_of_a_belief_with_itself_by_its_cross_covariance_changes_nothing() -> None:
    a, _ = beliefs(PLANE, 0)
    close(cross_covariance_fusion(a, a, a.cov), a)
    close(covariance_intersection(a, a), a)
    close(inverse_covariance_intersection(a, a), a)
    close(information_fusion(a, a, a), a)


def drives(seed: int) -> Any:
    """Two filters with readings of one target each and the filter of all, step by step: before, after, readings."""
    car = CAR
    near, far = position(std=0.5).on(car.state), LinearSensor([[1.0, 0.3, 0.0, 0.0]], [[0.64]], state=car.state)
    kf, rng, dt = KF(car, dt=0.7), np.random.default_rng(seed), 0.7
    x = rng.normal(size=4)
    start = Gaussian.of(car.state, std=[3.0, 3.0, 2.0, 2.0])
    a = b = central = start
    for _ in range(12):
        x = car.step(x, [], dt) + np.linalg.cholesky(car.noise(x, [], dt)) @ rng.normal(size=4)
        priors = tuple(kf.predict(each, car, [], dt) for each in (a, b, central))
        z = [near.observe(x) + 0.5 * rng.normal(size=2), far.observe(x) + 0.8 * rng.normal(size=1)]
        a, b = kf.update(priors[0], near, z[0]).belief, kf.update(priors[1], far, z[1]).belief
        central = kf.update(kf.update(priors[2], near, z[0]).belief, far, z[1]).belief
        yield car, kf, dt, priors, (a, b, central)


def test_information_fusion_is_the_filter_of_all_readings() -> None:
    """With a message at each update: the fused belief, and each filter's prediction as what is common."""
    fused: Gaussian | None = None
    for car, kf, dt, priors, (a, b, central) in drives(0):
        mine = priors[2] if fused is None else kf.predict(fused, car, [], dt)
        fused = information_fusion(information_fusion(mine, a, priors[0]), b, priors[1])
        close(fused, central)


def test_cross_covariance_over_time_is_that_of_the_errors() -> None:
    """The covariance that the fusion reports is the exact one of its error, from the joint system of both errors."""
    start = Gaussian.of(CAR.state, std=[3.0, 3.0, 2.0, 2.0])
    X, joint = start.cov, np.kron(np.ones((2, 2)), start.cov)
    for car, _, dt, priors, (a, b, central) in drives(1):
        F, Q = car.linearize(a.mean, [], dt)[0], car.noise(a.mean, [], dt)
        X = updated_cross_covariance(predicted_cross_covariance(X, F, F, Q), (priors[0], a), (priors[1], b))
        joint = np.kron(np.eye(2), F) @ joint @ np.kron(np.eye(2), F).T + np.kron(np.ones((2, 2)), Q)
        for k, (prior, H, R) in enumerate(
            ((priors[0], np.eye(2, 4), 0.25 * np.eye(2)), (priors[1], np.array([[1.0, 0.3, 0.0, 0.0]]), [[0.64]]))
        ):
            K = prior.cov @ H.T @ np.linalg.inv(H @ prior.cov @ H.T + R)
            J, E = np.eye(8), np.zeros((8, len(H)))
            J[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] -= K @ H
            E[4 * k : 4 * k + 4] = K
            joint = J @ joint @ J.T + E @ R @ E.T
        np.testing.assert_allclose(X, joint[:4, 4:], atol=1e-9)
        fused = cross_covariance_fusion(a, b, X)
        W = np.concatenate([np.eye(4), np.eye(4)])
        exact = np.linalg.inv(W.T @ np.linalg.solve(joint, W))
        np.testing.assert_allclose(fused.cov, exact, atol=1e-7)
        assert bounded(central.cov, fused.cov, 1e-7) and bounded(fused.cov, a.cov, 1e-7)


def test_cross_covariance_fusion_of_one_reading_each_is_the_filter_of_all_readings() -> None:
    """Where nothing was known before, the two beliefs hold all information, and all three rules are the filter."""
    car, rng = CAR, np.random.default_rng(3)
    both = [LinearSensor(rng.normal(size=(4, 4)), 0.25 * np.eye(4), state=car.state) for _ in range(2)]
    z = [each.observe(np.ones(4)) + 0.5 * rng.normal(size=4) for each in both]
    wide, kf = Gaussian.of(car.state, std=1e5), KF(car, dt=1.0)
    a, b = (kf.update(wide, each, reading).belief for each, reading in zip(both, z, strict=True))
    central = kf.update(a, both[1], z[1]).belief
    X = updated_cross_covariance(wide.cov, (wide, a), (wide, b))
    for found in (cross_covariance_fusion(a, b, X), information_fusion(a, b, wide), independent_fusion(a, b)):
        close(found, central, 1e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_order_has_no_effect_and_batches_are_their_rows(name: str) -> None:
    """On a curved space; information fusion takes the news of the second, which are all of it here."""
    rule = PAIRS[name]
    a, b = beliefs(CURVED, 1, batch=(3, 2))
    both = rule(a, b)
    close(both, rule(b, a), 1e-8)
    for i in np.ndindex(3, 2):
        close(both[i], rule(a[i], b[i]), 1e-10)
    wide = rule(a[0, 0], b)
    assert wide.mean.shape == (3, 2, CURVED.size)
    close(wide[1, 1], rule(a[0, 0], b[1, 1]), 1e-10)


@pytest.mark.parametrize("name", PAIRS)
def test_small_beliefs_on_a_curved_space_are_those_on_its_tangent(name: str) -> None:
    rule = PAIRS[name]
    a, b = beliefs(CURVED, 2, std=1e-5)
    flat = CURVED.tangent
    at = [Gaussian(flat, np.zeros(CURVED.dim), a.cov), Gaussian(flat, CURVED.minus(b.mean, a.mean), b.cov)]
    found, wanted = rule(a, b), rule(*at)
    np.testing.assert_allclose(CURVED.minus(found.mean, a.mean), wanted.mean, atol=1e-9)
    np.testing.assert_allclose(found.cov, wanted.cov, rtol=1e-3, atol=1e-14)


@pytest.mark.parametrize("name", PAIRS)
def test_angles_are_fused_the_short_way(name: str) -> None:
    space = Space("yaw: angle")
    found = PAIRS[name](Gaussian.of(space, [3.1], std=0.1), Gaussian.of(space, [-3.1], std=0.1))
    assert abs(abs(float(found.mean[0])) - np.pi) < 1e-9


def test_news_that_are_less_than_nothing_are_none() -> None:
    a, b = beliefs(PLANE, 5)
    common = Gaussian(PLANE, a.mean, 0.5 * b.cov)
    close(information_fusion(a, b, common), a)


def test_bad_input() -> None:
    a, b = beliefs(PLANE, 0)
    other = Gaussian.of(Space("x"), std=1.0)
    for rule in PAIRS.values():
        with pytest.raises((SpaceError, ShapeError)):
            rule(a, other)
    with pytest.raises(SettingError, match="volume"):
        covariance_intersection(a, b, criterion="volume")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="volume"):
        CovarianceIntersection(criterion="volume")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match="cross"):
        cross_covariance_fusion(a, b, np.eye(2))
    with pytest.raises(CovarianceError):
        covariance_intersection(Gaussian.trusted(PLANE, np.zeros(3), np.zeros((3, 3))), b)
