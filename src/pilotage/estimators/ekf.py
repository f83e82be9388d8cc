"""The extended Kalman filter: the Kalman filter on the linearisation around the mean, on any space.

    predict   x = f(x, u, dt)               P = F P F' + Q
    update    y = z (-) h(x)                S = H P H' + R        K = P H' S^-1
              x = x (+) K y                 P = (I - K H) P (I - K H)' + K R K'

F and H are Jacobians in the tangent of the space, so angles and rotations need no care (Sarkka, *Bayesian Filtering
and Smoothing*, 2013, section 5.2; Sola et al., *A micro Lie theory*, 2018, section IV; the covariance in Joseph's form,
Bucy and Joseph, 1968).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..models.binding.slots import ND, NE, linearized_observe, linearized_step, reading_minus, state_plus
from .algebra import (
    cholesky,
    drop_unmeasured,
    innovation_covariance,
    joseph,
    plausible,
    product_transposed,
    sandwich,
    score,
    solve_rows,
    times,
)
from .gaussian_estimator import Drivers, GaussianEstimator


def ekf_predict(b, u, dt, p, w):
    """Predict the packed belief b in place; w is scratch."""
    F, Q, A = w[:ND], w[ND : 2 * ND], w[2 * ND : 3 * ND]
    linearized_step(b[ND], u, dt, p, b[ND], F, Q)
    if not plausible(Q, ND):
        return -8
    sandwich(F, b, Q, A, ND)
    return 1


def ekf_update(b, z, context, s, gates, w):
    """Update the packed belief b in place; w is scratch."""
    x, y = b[ND], b[ND + 1]
    h, dx, H, R = w[0], w[1], w[2 : 2 + NE], w[2 + NE : 2 + 2 * NE]
    linearized_observe(x, context, s, h, H, R)
    reading_minus(z, h, y)
    code = correct(b, H, R, gates, dx, w[2 + 2 * NE :])
    if code > 0:
        state_plus(x, dx, x)
    return code


def correct(b, H, R, gates, dx, w):
    """Covariance after the innovation in b, and dx = K y; 1 done, 0 refused by the gate, -1 S not positive definite."""
    y, S, scores = b[ND + 1], b[ND + 2 : ND + 2 + NE], b[ND + 2 + NE]
    K, M, N, A = w[:ND], w[ND : 2 * ND], w[2 * ND : 3 * ND], w[3 * ND : 4 * ND]
    L, e, v = w[4 * ND : 4 * ND + NE], w[4 * ND + NE], w[4 * ND + NE + 1]
    measured = drop_unmeasured(y, e, H, R, ND, NE)
    if not plausible(R, NE):
        return -1
    product_transposed(b, H, K, ND, NE)  # P H', which becomes the gain below
    innovation_covariance(H, K, R, S, ND, NE)
    if not cholesky(S, L, NE):
        return -1
    if score(L, e, v, measured, scores, NE) > gates[measured]:
        return 0
    solve_rows(L, K, ND, NE)
    joseph(b, H, R, K, M, N, A, ND, NE)
    times(K, e, dx, ND, NE)
    return 1


def ekf_scratch(dim: int, reading: int) -> int:
    """Rows of scratch for a state and a reading of these tangent sizes."""
    return 4 * dim + 3 * reading + 4


@dataclass(frozen=True)
class EKF(GaussianEstimator):
    """Extended Kalman filter for any dynamics and sensors; see the equations above.

    Args:
        dynamics: the model, bound once for `start`; the pure functions take theirs as an argument.
        dt: seconds of a step, where none is given.
        gate: probability with which a good reading passes, e.g. 0.99: readings whose NIS exceeds that chi-square
            quantile change nothing. None accepts everything.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> ekf = EKF(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5])
        >>> ekf.predict(u=[0.5, 0.02])
        >>> ekf.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    _drivers = Drivers(ekf_predict, ekf_update, ekf_scratch)
