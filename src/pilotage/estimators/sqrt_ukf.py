"""The square-root unscented Kalman filter: the covariance is never formed, so it cannot cease to be one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..core import Space
from ..core.errors import SettingError
from ..core.settings import settings
from ..models.trace import call, driver
from ._algebra import cholesky_semidefinite, finite, finite_matrix, plausible, score, symmetrize
from ._memory import address, fill, job_at, mark, matrix, model_at, opposite, space_at, sqrt, vector
from ._rooted import Rooted, reduce_array, triangularize
from ._steps import (
    PREDICTION_FAILED,
    UPDATE_FAILED,
    Inner,
    commit,
    found_at,
    gate,
    gaussian_at,
    inner_steps,
    note_innovation,
)
from ._unscented import beyond, centred, halvings, points_of, propagate, slopes
from .ukf import UKF


@driver
def variances(L, P, d, lanes):
    """The diagonal of ``P = L L'``."""
    for i in range(d):
        a = fill(0.0, lanes)
        for j in range(i + 1):
            a += L[i, j] * L[i, j]
        P[i, i] = a


@driver(inline=True)
def sqrt_ukf_predict(at, b, u, dt, w, lanes):
    """Predict the belief at address b by the action at u and the seconds at dt, for the job at `at`; w is scratch."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    reach, count, points = points_of(job.settings, d)
    x, L, _ = gaussian_at(b, n, d, lanes)
    P, w = matrix(w, d, d, lanes)
    Y, w = matrix(w, count, n, lanes)
    D, w = matrix(w, count, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, d, count + d, lanes)
    v, w = vector(w, count + d, lanes)
    y, w = vector(w, n, lanes)
    variances(L, P, d, lanes)
    halved = halvings(P, reach, space, d)
    propagate(f, u, dt, b, space, L, points, n, d, Y, D, halved, w, lanes)
    if halved == 0 and beyond(D, count, space, d):
        halved = 3
        propagate(f, u, dt, b, space, L, points, n, d, Y, D, halved, w, lanes)
    centred(space, Y, D, y, points, halved, w, lanes)
    call(f.noise, b, u, dt, f.parameters, address(Q))
    symmetrize(Q, d)
    good = plausible(Q, d, lanes)
    cholesky_semidefinite(Q, N, d, lanes)
    for i in range(d):
        for k in range(count):
            A[i, k] = sqrt(points[k, 1]) * D[k, i]
        for j in range(d):
            A[i, count + j] = N[i, j]
    triangularize(A, d, count + d, v, lanes)
    for i in range(d):
        for j in range(d):
            N[i, j] = A[i, j]
    good = good & finite(y, n, lanes) & finite_matrix(N, d, d, lanes)
    mark(job.status, opposite(good), PREDICTION_FAILED)
    commit(x, L, y, N, job.status, n, d, lanes)


@driver(inline=True)
def sqrt_ukf_update(at, b, z, context, w, lanes):
    """Update the belief at address b with the reading at z and its context, for the job at `at`; w is scratch."""
    job = job_at(at)
    h, space = model_at(job.sensor), space_at(job.state)
    reading = space_at(h.space)
    n, d, k, m = space.size, space.dim, reading.size, reading.dim
    reach, count, points = points_of(job.settings, d)
    x, L, behind = gaussian_at(b, n, d, lanes)
    expected, y, S, found = found_at(behind, k, m, lanes)
    given, _ = vector(z, k, lanes)
    P, w = matrix(w, d, d, lanes)
    Z, w = matrix(w, count, k, lanes)
    G, w = matrix(w, count, m, lanes)
    R, w = matrix(w, m, m, lanes)
    T, w = matrix(w, d, m, lanes)
    root, w = matrix(w, m, m, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, m + d, count + m + d, lanes)
    s, w = vector(w, count + m + d, lanes)
    mean, w = vector(w, k, lanes)
    e, w = vector(w, m, lanes)
    v, w = vector(w, m, lanes)
    dx, w = vector(w, d, lanes)
    new, w = vector(w, n, lanes)
    variances(L, P, d, lanes)
    halved = halvings(P, reach, space, d)
    propagate(h, context, z, b, space, L, points, n, d, Z, G, halved, w, lanes)
    if halved == 0 and beyond(G, count, reading, m):
        halved = 3
        propagate(h, context, z, b, space, L, points, n, d, Z, G, halved, w, lanes)
    centred(reading, Z, G, mean, points, halved, w, lanes)
    call(h.noise, b, context, z, h.parameters, address(R))
    call(reading.minus, z, address(mean), 0, 0, address(e))
    measured, good = note_innovation(e, mean, y, expected, given, k, m, lanes)
    slopes(y, G, R, T, points, d, m, lanes)
    symmetrize(R, m)
    good = good & plausible(R, m, lanes)
    cholesky_semidefinite(R, root, m, lanes)
    beside(A, G, root, T, points, d, m)
    good = good & reduce_array(A, L, e, S, N, v, dx, s, m, d, count + m, lanes)
    score(A, e, v, measured, found, m, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    good = good & finite(new, n, lanes) & finite_matrix(N, d, d, lanes) & (found[1] - found[1] == 0.0)
    mark(job.status, opposite(good), UPDATE_FAILED)
    gate(h.gates, found[0], measured, job.status, m, lanes)
    commit(x, L, new, N, job.status, n, d, lanes)


@driver
def beside(A, G, root, T, points, d, m):
    """The upper rows of the update's array: the curvature and the noise of the reading beside T'."""
    count = points.shape[0]
    for i in range(m):
        for k in range(count):
            a = G[k, i]
            for j in range(d):
                a -= points[k, 2 + j] * T[j, i]
            A[i, k] = sqrt(points[k, 1]) * a
        for j in range(m):
            A[i, count + j] = root[i, j]
        for j in range(d):
            A[i, count + m + j] = T[j, i]


@settings
class SquareRootUKF(Rooted, UKF):
    """Square-root unscented Kalman filter for any dynamics and sensors; needs no Jacobian.

    ::

        points    X_i = x (+) L xi_i,   P = L L',   with the weights of the `UKF`
        predict   [sqrt(v_i) e_i, Q^1/2] U = [L, 0]              e_i = f(X_i) (-) x, their mean
        update    [sqrt(v_i) b_i  R^1/2  T']     [S^1/2  0  0]   T  = sum w_i xi_i r_i'   r_i = h(X_i) (-) z^
                  [     0           0    L ] U = [ K_s   L  0]   b_i = r_i - T' xi_i
                  x = x (+) K_s S^-1/2 (z (-) z^)

    with orthogonal matrices U, of Householder's reflections: the mean and the covariance of the `UKF`, of which only
    the root is kept. That holds twice the digits: where the smallest standard deviation is 1e-9 of the largest, it is
    still right. Beliefs are `Gaussian` with a root (`Gaussian.rooted`).

    Source: van der Merwe and Wan, "The square-root unscented Kalman filter for state and parameter-estimation", ICASSP
    2001; the update as an array, Kailath, Sayed and Hassibi, *Linear Estimation*, 2000, section 12.1.

    Args:
        dynamics, dt, gate: as for `EKF`.
        alpha, beta, kappa, points: as for `UKF`; a set with a negative weight has no such root, and is refused.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> ukf = SquareRootUKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> ukf.predict(u=[1.0, 0.0])
        >>> round(ukf.update(range_bearing(std=(0.1, 0.02)), z=[5.0, 0.1], context=[5.0, 0.0]).nis, 1)
        0.2
    """

    inner: ClassVar[Inner] = inner_steps(sqrt_ukf_predict, sqrt_ukf_update)

    def constants(self, space: Space) -> np.ndarray:
        least = float(self.sigma_points().unit(space.dim)[2].min())
        if least < 0.0:
            raise SettingError(
                f"{self.sigma_points()} has the weight {least:.3g} in {space.dim} dimensions; a square root needs "
                "weights of at least 0: choose alpha and kappa so that alpha^2 (d + kappa) >= d"
            )
        return UKF.constants(self, space)

    def vectors(self, space: Space) -> int:
        """Vectors of scratch beside the matrices: the points, and their part of the array."""
        return 3 * UKF.vectors(self, space)
