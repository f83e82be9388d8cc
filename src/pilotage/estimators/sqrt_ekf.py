"""The square-root extended Kalman filter: the covariance is never formed, so it cannot cease to be one."""

from __future__ import annotations

from typing import ClassVar

from ..core.settings import settings
from ..models.trace import call, driver
from ._algebra import cholesky_semidefinite, gemm, plausible, score, symmetrize
from ._gaussian import GaussianEstimator
from ._memory import address, job_at, matrix, model_at, plain, space_at, vector
from ._rooted import Rooted, reduce_array, triangularize
from ._steps import (
    PREDICTION_FAILED,
    UPDATE_FAILED,
    Inner,
    found_at,
    gaussian_at,
    inner_steps,
    judge,
    linearize,
    settle,
)
from .ekf import EKF


@driver(inline=True)
def sqrt_ekf_predict(at, b, u, dt, w, lanes):
    """Predict the belief at address b by the action at u and the seconds at dt, for the job at `at`; w is scratch."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    x, L, _ = gaussian_at(b, n, d, lanes)
    y, w = vector(w, n, lanes)  # y, F and Q, as the model writes them
    F, w = matrix(w, d, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    root, w = matrix(w, d, d, lanes)
    A, w = matrix(w, d, 2 * d, lanes)
    v, w = vector(w, 2 * d, lanes)
    call(f.all, b, u, dt, f.parameters, address(y))
    symmetrize(Q, d)
    good = plausible(Q, d, lanes)
    cholesky_semidefinite(Q, root, d, lanes)
    gemm(1.0, plain(F), plain(L), 0.0, N, N, d, d, d, d, lanes)
    for i in range(d):
        for j in range(d):
            A[i, j] = N[i, j]
            A[i, d + j] = root[i, j]
    triangularize(A, d, 2 * d, v, lanes)
    for i in range(d):
        for j in range(d):
            N[i, j] = A[i, j]
    settle(job, x, L, y, N, good, PREDICTION_FAILED, n, d, lanes)


@driver(inline=True)
def sqrt_ekf_update(at, b, z, context, w, lanes):
    """Update the belief at address b with the reading at z and its context, for the job at `at`; w is scratch."""
    job = job_at(at)
    h, space = model_at(job.sensor), space_at(job.state)
    reading = space_at(h.space)
    n, d, k, m = space.size, space.dim, reading.size, reading.dim
    x, L, behind = gaussian_at(b, n, d, lanes)
    expected, y, S, found = found_at(behind, k, m, lanes)
    predicted, w = vector(w, k, lanes)  # h, e, H and R, as the model writes them
    e, w = vector(w, m, lanes)
    H, w = matrix(w, m, d, lanes)
    R, w = matrix(w, m, m, lanes)
    root, w = matrix(w, m, m, lanes)
    T, w = matrix(w, m, d, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, m + d, m + d, lanes)
    s, w = vector(w, m + d, lanes)
    v, w = vector(w, m, lanes)
    dx, w = vector(w, d, lanes)
    new, w = vector(w, n, lanes)
    measured, good = linearize(h, b, context, z, predicted, e, H, R, expected, y, d, k, m, lanes)
    cholesky_semidefinite(R, root, m, lanes)
    gemm(1.0, plain(H), plain(L), 0.0, T, T, m, d, d, d, lanes)
    for i in range(m):
        for j in range(m):
            A[i, j] = root[i, j]
        for j in range(d):
            A[i, m + j] = T[i, j]
    good = good & reduce_array(A, L, e, S, N, v, dx, s, m, d, m, lanes)
    score(A, e, v, measured, found, m, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    judge(job, h, good, found, measured, m, lanes)
    settle(job, x, L, new, N, good, UPDATE_FAILED, n, d, lanes)


@settings
class SquareRootEKF(Rooted, GaussianEstimator):
    """Square-root extended Kalman filter for any dynamics and sensors; on linear ones the square-root Kalman filter.

    ::

        predict   x = f(x, u, dt)            [F L  Q^1/2] U = [L  0]
        update    y = z (-) h(x)             [R^1/2  H L] U = [S^1/2  0]
                  x = x (+) K_s S^-1/2 y     [  0      L]     [ K_s   L]

    with P = L L' and orthogonal matrices U, of Householder's reflections: the mean and the covariance of the `EKF`, of
    which only the root is kept. That holds twice the digits: where the smallest standard deviation is 1e-9 of the
    largest, it is still right. Beliefs are `Gaussian` with a root (`Gaussian.rooted`).

    Source: Kailath, Sayed and Hassibi, *Linear Estimation*, 2000, section 12.1; Maybeck, *Stochastic Models,
    Estimation, and Control* 1, 1979, chapter 7.

    Args:
        dynamics, dt, gate: as for `EKF`.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> car = SquareRootEKF(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5])
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    inner: ClassVar[Inner] = inner_steps(sqrt_ekf_predict, sqrt_ekf_update)
    dynamics_results: ClassVar[tuple[str, str, str]] = EKF.dynamics_results
    sensor_results: ClassVar[tuple[str, str, str]] = EKF.sensor_results
