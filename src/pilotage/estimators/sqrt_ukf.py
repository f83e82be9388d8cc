"""The square-root unscented Kalman filter: the covariance is never formed, so it cannot cease to be one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..core import Space
from ..core.errors import SettingError
from ..core.settings import settings
from ..models.trace import call, driver
from ._algebra import cholesky_semidefinite, plausible, score, symmetrize
from ._memory import address, job_at, matrix, model_at, space_at, sqrt, vector
from ._points import points_of, transform
from ._rooted import Rooted, reduce_array, triangularize
from ._steps import PREDICTION_FAILED, UPDATE_FAILED, Inner, found_at, gaussian_at, inner_steps, judge, settle
from ._unscented import observe_points
from .ukf import UKF


@driver(inline=True)
def sqrt_ukf_predict(at, b, u, dt, w, lanes):
    """Predict the belief at address b by the action at u and the seconds at dt, for the job at `at`; w is scratch."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    reach, count, points = points_of(job.settings, d)
    x, L, _ = gaussian_at(b, n, d, lanes)
    Y, w = matrix(w, count, n, lanes)
    D, w = matrix(w, count, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, d, count + d, lanes)
    v, w = vector(w, count + d, lanes)
    y, w = vector(w, n, lanes)
    transform(f, u, dt, b, space, L, reach, points, n, d, Y, D, y, w, lanes)
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
    settle(job, x, L, y, N, good, PREDICTION_FAILED, n, d, lanes)


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
    measured, good = observe_points(
        h, b, context, z, space, L, reach, points, n, d, Z, G, R, T, mean, e, expected, y, w, lanes
    )
    cholesky_semidefinite(R, root, m, lanes)
    beside(A, G, root, T, points, d, m)
    good = good & reduce_array(A, L, e, S, N, v, dx, s, m, d, count + m, lanes)
    score(A, e, v, measured, found, m, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    judge(job, h, good, found, measured, m, lanes)
    settle(job, x, L, new, N, good, UPDATE_FAILED, n, d, lanes)


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
