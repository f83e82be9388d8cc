"""The extended Kalman filter: the Kalman filter on the linearisation around the mean, on any space."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..core import Space
from ..core.settings import settings
from ..models.trace import call, driver
from ._algebra import joseph, plausible, sandwich, score, times
from ._gaussian import GaussianEstimator
from ._iterated import FIRST, gain, iterate
from ._memory import address, job_at, matrix, model_at, space_at, table, vector
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


@driver(inline=True)
def ekf_predict(at, b, u, dt, w, lanes):
    """Predict the belief at address b by the action at u and the seconds at dt, for the job at `at`; w is scratch."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    x, P, _ = gaussian_at(b, n, d, lanes)
    y, w = vector(w, n, lanes)  # y, F and Q, as the model writes them
    F, w = matrix(w, d, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    A, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    call(f.all, b, u, dt, f.parameters, address(y))
    fading = table(job.settings, 1, FIRST)[0, 2]
    if fading != 1.0:
        for i in range(d):
            for j in range(d):
                F[i, j] = fading * F[i, j]
    sandwich(F, P, Q, A, N, d, lanes)
    settle(job, x, P, y, N, plausible(Q, d, lanes), PREDICTION_FAILED, n, d, lanes)


@driver(inline=True)
def ekf_update(at, b, z, context, w, lanes):
    """Update the belief at address b with the reading at z and its context, for the job at `at`; w is scratch."""
    job = job_at(at)
    h, space = model_at(job.sensor), space_at(job.state)
    reading = space_at(h.space)
    n, d, k, m = space.size, space.dim, reading.size, reading.dim
    rounds, tolerance, keep = steps_of(job.settings, d)
    x, P, behind = gaussian_at(b, n, d, lanes)
    expected, y, S, found = found_at(behind, k, m, lanes)
    predicted, w = vector(w, k, lanes)  # h, e, H and R, as the model writes them
    e, w = vector(w, m, lanes)
    H, w = matrix(w, m, d, lanes)
    R, w = matrix(w, m, m, lanes)
    K, w = matrix(w, m, d, lanes)
    L, w = matrix(w, m, m, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, m, d, lanes)
    M, w = matrix(w, d, d, lanes)
    B, w = matrix(w, d, d, lanes)
    C, w = matrix(w, d, d, lanes)
    dx, w = vector(w, d, lanes)
    new, w = vector(w, n, lanes)
    v, w = vector(w, m, lanes)
    measured, good = linearize(h, b, context, z, predicted, e, H, R, expected, y, d, k, m, lanes)
    good = good & gain(H, P, R, S, L, K, keep, d, m, lanes)
    score(L, e, v, measured, found, m, lanes)
    times(K, e, dx, d, m, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    judge(job, h, good, found, measured, m, lanes)
    good, prior = measured >= 0.0, P
    if rounds > 1:
        prior = C  # P, where the rounds end
        good = iterate(
            job, h, b, context, z, y, P, H, R, L, K, C, dx, new, predicted, e, rounds, tolerance, keep, w, lanes
        )
    joseph(prior, H, R, K, N, A, M, B, d, m, lanes)
    settle(job, x, P, new, N, good, UPDATE_FAILED, n, d, lanes)


@driver
def steps_of(settings, d):
    """Rounds, tolerance, and what becomes of the gain of each component."""
    given = table(settings, 1, FIRST)
    return int(given[0, 0]), given[0, 1], table(settings + 8 * FIRST, 1, d)


def extended(
    space: Space, rounds: int = 1, tolerance: float = 0.0, fading: float = 1.0, gains: Any = 1.0
) -> np.ndarray:
    """What the inner steps need of the settings; `gains` is the share that is taken of the gain of each component."""
    found = np.empty(FIRST + space.dim)
    found[:FIRST], found[FIRST:] = (rounds, tolerance, fading), gains
    return found


@settings
class EKF(GaussianEstimator):
    """Extended Kalman filter for any dynamics and sensors.

    ::

        predict   x = f(x, u, dt)               P = F P F' + Q
        update    y = z (-) h(x)                S = H P H' + R        K = P H' S^-1
                  x = x (+) K y                 P = (I - K H) P (I - K H)' + K R K'

    F and H are Jacobians in the tangent spaces, so angles and rotations are handled correctly.

    Source: Sarkka, *Bayesian Filtering and Smoothing*, 2013, section 5.2; Sola et al., *A micro Lie theory*, 2018,
    section IV; covariance update in Joseph's form, Bucy and Joseph, 1968.

    Args:
        dynamics: the dynamics for `start`; `predict`, `update` and `run` take them as an argument.
        dt: default step [s].
        gate: probability that a good reading passes, e.g. 0.99. A reading whose NIS exceeds this quantile of the
            chi-square distribution is rejected, and the belief stays the same. None accepts all readings.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> ekf = EKF(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5])
        >>> ekf.predict(u=[0.5, 0.02])
        >>> ekf.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    inner: ClassVar[Inner] = inner_steps(ekf_predict, ekf_update)
    dynamics_results: ClassVar[tuple[str, str, str]] = ("y F Q", "", "")
    sensor_results: ClassVar[tuple[str, str, str]] = ("h e H R", "", "")

    def constants(self, space: Space) -> np.ndarray:
        return extended(space)
