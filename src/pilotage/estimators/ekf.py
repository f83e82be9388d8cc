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

from ..models.slots import ND, NE, NX, NZ, linearized_observe, linearized_step, reading_minus, state_plus
from .algebra import (
    LOG_TURN,
    cholesky,
    drop_unmeasured,
    innovation_covariance,
    joseph,
    product_transposed,
    sandwich,
    solve_rows,
    whitened,
)
from .gaussian_estimator import Drivers, GaussianEstimator


def ekf_predict(b, u, dt, p, w):
    """Predict the packed belief b = [x, P] in place; w is scratch."""
    x = b[:NX]
    P = b[NX : NX + ND * ND].reshape((ND, ND))
    F = w[: ND * ND].reshape((ND, ND))
    Q = w[ND * ND : 2 * ND * ND].reshape((ND, ND))
    A = w[2 * ND * ND : 3 * ND * ND].reshape((ND, ND))
    linearized_step(x, u, dt, p, x, F, Q)
    sandwich(F, P, Q, A)
    return 1


def ekf_update(b, z, context, s, gates, out, w):
    """Update the packed belief b in place; out = [nis, log-likelihood, innovation, S]; w is scratch."""
    x = b[:NX]
    P = b[NX : NX + ND * ND].reshape((ND, ND))
    y = out[2 : 2 + NE]
    h = w[:NZ]
    i = NZ
    H = w[i : i + NE * ND].reshape((NE, ND))
    i += NE * ND
    R = w[i : i + NE * NE].reshape((NE, NE))
    i += NE * NE
    linearized_observe(x, context, s, h, H, R)
    reading_minus(z, h, y)
    code = correct(P, H, R, y, gates, out, w[i : i + ND], w[i + ND :])
    if code > 0:
        state_plus(x, w[i : i + ND], x)
    return code


def correct(P, H, R, y, gates, out, dx, w):
    """Covariance after innovation y, and dx = K y; 1 done, 0 refused by the gate, -1 when S is not positive definite."""
    S = out[2 + NE : 2 + NE + NE * NE].reshape((NE, NE))
    K = w[: ND * NE].reshape((ND, NE))
    i = ND * NE
    B = w[i : i + ND * NE].reshape((ND, NE))
    i += ND * NE
    L = w[i : i + NE * NE].reshape((NE, NE))
    i += NE * NE
    A = w[i : i + ND * ND].reshape((ND, ND))
    i += ND * ND
    e = w[i : i + NE]
    i += NE
    measured = drop_unmeasured(y, e, H, R)
    product_transposed(P, H, K)  # P H', which becomes the gain below
    innovation_covariance(H, K, R, S)
    if not cholesky(S, L):
        return -1
    nis, logdet = whitened(L, e, w[i : i + NE])
    out[0] = nis
    out[1] = -0.5 * (nis + logdet + measured * LOG_TURN)
    if nis > gates[measured]:
        return 0
    solve_rows(L, K)
    joseph(P, H, R, K, A, B)
    for r in range(ND):
        a = 0.0
        for c in range(NE):
            a += K[r, c] * e[c]
        dx[r] = a
    return 1


def ekf_scratch(size: int, dim: int, reading: int) -> int:
    """Length of the scratch array for a state of this size and tangent, and a reading of this size."""
    predict = 3 * dim**2
    update = reading + 3 * reading * dim + 2 * reading**2 + dim + dim**2 + 2 * reading
    return max(predict, update)


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
