"""Sigma-point filters on any space: points carry mean and covariance through the models, see `_points`.

The covariance is ``P - K S K'`` in Joseph's form, which stays positive where that difference would not.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np

from ..core import Space
from ..core.settings import settings
from ..models.trace import call, driver
from ._algebra import cholesky, cholesky_semidefinite, gemm, joseph, plausible, score, solve, symmetrize, times
from ._backward import Backward, backward, rts_gain
from ._gaussian import GaussianEstimator
from ._memory import (
    address,
    fill,
    job_at,
    matrix,
    model_at,
    select,
    space_at,
    transposed,
    vector,
)
from ._points import points_of, spread_of, transform
from ._steps import (
    PREDICTION_FAILED,
    UPDATE_FAILED,
    Inner,
    drop_noise,
    found_at,
    gaussian_at,
    inner_steps,
    judge,
    note_innovation,
    settle,
)
from .sigma_points import SigmaPoints


@driver
def observe_points(h, b, context, z, state, L, reach, points, n, d, Z, G, R, T, mean, e, expected, y, w, lanes):
    """The points' readings Z, what they show of noise R, slopes T and innovation e, without what was not measured.

    Returns how many components were measured, and whether what the sensor says of them makes sense.
    """
    reading = space_at(h.space)
    k, m = reading.size, reading.dim
    given, _ = vector(z, k, lanes)
    transform(h, context, z, b, state, L, reach, points, n, d, Z, G, mean, w, lanes)
    call(h.noise, b, context, z, h.parameters, address(R))
    call(reading.minus, z, address(mean), 0, 0, address(e))
    measured, good = note_innovation(e, mean, y, expected, given, k, m, lanes)
    slopes(y, G, R, T, points, d, m, lanes)
    good = good & plausible(R, m, lanes)
    symmetrize(R, m)
    return measured, good


@driver
def spread_ahead(job, b, u, dt, P, L, Y, D, y, w, lanes):
    """L L' = P, and where the dynamics take the points of the belief at b: Y, D = Y (-) y, and y, their mean.

    False where P is no covariance.
    """
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    reach, _, points = points_of(job.settings, d)
    good = cholesky_semidefinite(P, L, d, lanes)
    transform(f, u, dt, b, space, L, reach, points, n, d, Y, D, y, w, lanes)
    return good


@driver(inline=True)
def ukf_predict(at, b, u, dt, w, lanes):
    """Predict the belief at address b by the action at u and the seconds at dt, for the job at `at`; w is scratch."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    _, count, points = points_of(job.settings, d)
    x, P, _ = gaussian_at(b, n, d, lanes)
    L, w = matrix(w, d, d, lanes)
    Y, w = matrix(w, count, n, lanes)
    D, w = matrix(w, count, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    y, w = vector(w, n, lanes)
    good = spread_ahead(job, b, u, dt, P, L, Y, D, y, w, lanes)
    call(f.noise, b, u, dt, f.parameters, address(Q))
    spread_of(D, points, Q, N, d)
    settle(job, x, P, y, N, good & plausible(Q, d, lanes), PREDICTION_FAILED, n, d, lanes)


@driver(inline=True)
def ukf_update(at, b, z, context, w, lanes):
    """Update the belief at address b with the reading at z and its context, for the job at `at`; w is scratch."""
    job = job_at(at)
    h, space = model_at(job.sensor), space_at(job.state)
    reading = space_at(h.space)
    n, d, k, m = space.size, space.dim, reading.size, reading.dim
    reach, count, points = points_of(job.settings, d)
    x, P, behind = gaussian_at(b, n, d, lanes)
    expected, y, S, found = found_at(behind, k, m, lanes)
    L, w = matrix(w, d, d, lanes)
    Z, w = matrix(w, count, k, lanes)
    G, w = matrix(w, count, m, lanes)
    R, w = matrix(w, m, m, lanes)
    T, w = matrix(w, d, m, lanes)
    H, w = matrix(w, m, d, lanes)
    K, w = matrix(w, m, d, lanes)
    root, w = matrix(w, m, m, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, m, d, lanes)
    M, w = matrix(w, d, d, lanes)
    B, w = matrix(w, d, d, lanes)
    mean, w = vector(w, k, lanes)
    e, w = vector(w, m, lanes)
    v, w = vector(w, m, lanes)
    dx, w = vector(w, d, lanes)
    new, w = vector(w, n, lanes)
    good = cholesky_semidefinite(P, L, d, lanes)
    measured, sound = observe_points(
        h, b, context, z, space, L, reach, points, n, d, Z, G, R, T, mean, e, expected, y, w, lanes
    )
    spread_of(G, points, R, S, m)
    good = good & sound & cholesky(S, root, m, lanes)
    score(root, e, v, measured, found, m, lanes)
    gemm(1.0, transposed(T), transposed(L), 0.0, K, K, m, d, d, d, lanes)  # C', which becomes that of the gain
    bending(G, T, points, R, d, m)
    divide(T, L, H, d, m, lanes)
    solve(root, K, m, d, lanes)
    joseph(P, H, R, K, N, A, M, B, d, m, lanes)
    times(K, e, dx, d, m, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    judge(job, h, good, found, measured, m, lanes)
    settle(job, x, P, new, N, good, UPDATE_FAILED, n, d, lanes)


@driver
def slopes(y, G, R, T, points, d, m, lanes):
    """``T = sum w_k xi_k G_k'``, so that C = L T and H L = T'; what was not measured does not deviate."""
    for r in range(m):
        seen = y[r] == y[r]
        for k in range(points.shape[0]):
            G[k, r] = select(seen, G[k, r], 0.0)
        drop_noise(seen, R, r, m)
        for i in range(d):
            T[i, r] = fill(0.0, lanes)
            for k in range(1, points.shape[0]):
                a = points[k, 0] * points[k, 2 + i]
                if a != 0.0:
                    T[i, r] = T[i, r] + a * G[k, r]


@driver
def bending(G, T, points, R, d, m):
    """R += B, by G_k - H d_k, which takes the place of G."""
    for k in range(1, points.shape[0]):
        for i in range(d):
            a = points[k, 2 + i]
            if a != 0.0:
                for r in range(m):
                    G[k, r] = G[k, r] - a * T[i, r]
    spread_of(G, points, R, R, m)


@driver
def divide(T, L, H, d, m, lanes):
    """H (m, d) with H L = T'; a direction without variance takes no part."""
    for r in range(m):
        for i in range(d - 1, -1, -1):
            a = T[i, r]
            for k in range(i + 1, d):
                a -= L[k, i] * H[r, k]
            some = L[i, i] > 0.0
            H[r, i] = select(some, a / select(some, L[i, i], 1.0), 0.0)


@driver(inline=True)
def rts_unscented(at, b, u, dt, w, lanes):
    """A step of the smoother whose prediction moved the points of the filtered belief at address b; see `rts_gain`.

    Points have the slope F with ``F L = sum w_k D_k xi_k'``, and what they deviate from it counts as process noise.
    """
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    _, count, points = points_of(job.settings, d)
    _, P, _ = gaussian_at(b, n, d, lanes)
    L, w = matrix(w, d, d, lanes)
    Y, w = matrix(w, count, n, lanes)
    D, w = matrix(w, count, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    T, w = matrix(w, d, d, lanes)
    F, w = matrix(w, d, d, lanes)
    K, w = matrix(w, d, d, lanes)
    y, w = vector(w, max(n, d), lanes)
    spread_ahead(job, b, u, dt, P, L, Y, D, y, w, lanes)
    call(f.noise, b, u, dt, f.parameters, address(Q))
    for i in range(d):
        y[i] = fill(0.0, lanes)  # every component counts as measured
    slopes(y, D, Q, T, points, d, d, lanes)
    gemm(1.0, transposed(T), transposed(L), 0.0, K, K, d, d, d, d, lanes)
    bending(D, T, points, Q, d, d)
    divide(T, L, F, d, d, lanes)
    rts_gain(at, F, Q, K, b, False, w, lanes)


@settings
class SigmaPointFilter(GaussianEstimator):
    """Base of the filters that move sigma points; subclasses say which."""

    inner: ClassVar[Inner] = inner_steps(ukf_predict, ukf_update)
    dynamics_results: ClassVar[tuple[str, str, str]] = ("", "y", "Q")
    sensor_results: ClassVar[tuple[str, str, str]] = ("", "h", "R")
    jacobian: ClassVar[bool] = False
    smoother: ClassVar[Backward] = backward(rts_unscented, dynamics_results)

    @abstractmethod
    def sigma_points(self) -> SigmaPoints:
        """The points of a standard normal distribution."""

    def constants(self, space: Space) -> np.ndarray:
        """How far points lie from the middle, how many there are, and weights and place of each."""
        xi, w, v = self.sigma_points().unit(space.dim)
        reach = math.sqrt(float((xi**2).sum(-1).max(initial=0.0)))
        return np.array([reach, len(xi), *np.column_stack([w, v, xi]).ravel()])

    def smoothing(self, space: Space) -> np.ndarray:
        return SigmaPointFilter.constants(self, space)

    def vectors(self, space: Space) -> int:
        """Vectors of scratch beside the matrices."""
        return 2 * len(self.sigma_points().unit(space.dim)[0])
