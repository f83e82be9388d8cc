"""The unscented Kalman filter on any space: 2d+1 sigma points carry mean and covariance through the models.

    points    X_0 = x,  X_i = x (+) +-sqrt(d + lambda) L e_i,   P = L L',   lambda = alpha^2 (d + kappa) - d
    weights   w_0 = lambda / (d + lambda),   w_i = 1 / (2 (d + lambda)),   v_0 = w_0 + 1 - alpha^2 + beta,   v_i = w_i
    predict   x = mean of f(X_i) on the space,   P = sum v_i e_i e_i' + Q,   e_i = f(X_i) (-) x
    update    z^ = mean of h(X_i),   S = sum v_i r_i r_i' + R,   C = sum v_i e_i r_i',   K = C S^-1
              x = x (+) K (z (-) z^),   P = (I - K H) P (I - K H)' + K (R + B) K',   H = C' P^-1
              B = sum v_i (r_i - H e_i) (r_i - H e_i)':   what the sensor bends between the points

The weighted mean on the space is found by Newton's method, which holds with negative weights, too. The covariance is
``P - K S K'`` in Joseph's form, which stays positive where that difference would not (Wan and van der Merwe, "The
unscented Kalman filter for nonlinear estimation", 2000; Sarkka, *Bayesian Filtering and Smoothing*, 2013, section 5.5;
on manifolds Brossard et al., "A code for unscented Kalman filtering on manifolds", ICRA 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..core import ModelError
from ..core.settings import number
from ..models.binding.slots import (
    ND,
    NE,
    NX,
    NZ,
    observe,
    process_noise,
    reading_minus,
    reading_noise,
    reading_plus,
    state_minus,
    state_plus,
    step,
)
from .algebra import (
    cholesky,
    cholesky_semidefinite,
    drop_unmeasured,
    joseph,
    plausible,
    score,
    solve_rows,
    times,
)
from .gaussian_estimator import Drivers, GaussianEstimator

ROUNDS = 12  # of the mean's iteration, which ends earlier once the mean stands still


def draw(b, X, L, v, w):
    """X = sigma points of the packed belief; False when the covariance has no root."""
    if not cholesky_semidefinite(b, L, ND):
        return False
    for j in range(NX):
        X[0, j] = b[ND, j]
    for i in range(ND):
        for sign in range(2):
            for j in range(ND):
                v[j] = (1.0 - 2.0 * sign) * w[0, 2] * L[j, i]
            state_plus(b[ND], v, X[1 + 2 * i + sign])
    return True


def weight(i, w):
    """Weight of sigma point i in a mean."""
    return w[0, 0] if i == 0 else w[1, 0]


def mean_of_states(X, D, x, d, w):
    """x = weighted mean of the states X, D = their deviations from it."""
    for j in range(NX):
        x[j] = X[0, j]
    for _ in range(ROUNDS):
        for j in range(ND):
            d[j] = 0.0
        for i in range(2 * ND + 1):
            state_minus(X[i], x, D[i])
            for j in range(ND):
                d[j] += weight(i, w) * D[i, j]
        if settled_mean(D, d, ND):
            return
        state_plus(x, d, x)


def mean_of_readings(Z, D, z, d, w):
    """z = weighted mean of the readings Z, D = their deviations from it."""
    for j in range(NZ):
        z[j] = Z[0, j]
    for _ in range(ROUNDS):
        for j in range(NE):
            d[j] = 0.0
        for i in range(2 * ND + 1):
            reading_minus(Z[i], z, D[i])
            for j in range(NE):
                d[j] += weight(i, w) * D[i, j]
        if settled_mean(D, d, NE):
            return
        reading_plus(z, d, z)


def settled_mean(D, d, n):
    """Whether a mean's correction d is rounding beside the deviations D that it was made of."""
    for j in range(n):
        spread = 0.0
        for i in range(2 * ND + 1):
            spread += D[i, j] * D[i, j]
        if d[j] * d[j] > 1e-26 * spread:
            return False
    return True


def ukf_predict(b, u, dt, p, w):
    """Predict the packed belief b in place; w = [weights (2 rows), fresh points, X, D, Q, L, v, d]."""
    n = 2 * ND + 1
    i0 = 3 + 2 * n
    X, D, Q, L = w[3 : 3 + n], w[3 + n : i0], w[i0 : i0 + ND], w[i0 + ND : i0 + 2 * ND]
    v, d = w[i0 + 2 * ND], w[i0 + 2 * ND + 1]
    w[2, 0] = 0.0
    if not draw(b, X, L, v, w):
        return -5
    process_noise(b[ND], u, dt, p, Q)
    if not plausible(Q, ND):
        return -8
    for i in range(n):
        step(X[i], u, dt, p, X[i])
    mean_of_states(X, D, b[ND], d, w)
    for i in range(ND):
        for j in range(i + 1):
            a = 0.5 * (Q[i, j] + Q[j, i]) + w[0, 1] * D[0, i] * D[0, j]
            for k in range(1, n):
                a += w[1, 0] * D[k, i] * D[k, j]
            b[i, j] = a
            b[j, i] = a
    w[2, 0] = w[1, 1]  # the points serve the update that follows, unless they are to be redrawn
    return 1


def ukf_update(b, z, context, s, gates, w):
    """Update the packed belief b in place; w as in `ukf_predict`, and scratch for readings behind."""
    n = 2 * ND + 1
    i0 = 3 + 2 * n
    X, D, Q, L = w[3 : 3 + n], w[3 + n : i0], w[i0 : i0 + ND], w[i0 + ND : i0 + 2 * ND]
    v, d = w[i0 + 2 * ND], w[i0 + 2 * ND + 1]
    i0 += 2 * ND + 2
    Z, G, h, e = w[i0 : i0 + n], w[i0 + n : i0 + 2 * n], w[i0 + 2 * n], w[i0 + 2 * n + 1]
    i0 += 2 * n + 2
    R, H, Ls, C = w[i0 : i0 + NE], w[i0 + NE : i0 + 2 * NE], w[i0 + 2 * NE : i0 + 3 * NE], w[i0 + 3 * NE :]
    x, y, S, scores = b[ND], b[ND + 1], b[ND + 2 : ND + 2 + NE], b[ND + 2 + NE]
    fresh = w[2, 0] != 0.0
    w[2, 0] = 0.0
    if not points_to_read(b, X, D, L, v, w, fresh):
        return -5
    for i in range(n):
        observe(X[i], context, s, Z[i])
    mean_of_readings(Z, G, h, d, w)
    reading_noise(x, context, s, R)
    reading_minus(z, h, y)
    measured = drop_unmeasured(y, e, H, R, ND, NE)
    if not plausible(R, NE):
        return -1
    reading_moments(y, R, G, D, S, C, H, w)
    if not cholesky(S, Ls, NE):
        return -1
    if score(Ls, e, v, measured, scores, NE) > gates[measured]:
        return 0
    linearized_rows(L, H, ND, NE)
    bending(R, G, D, H, Q, w, fresh)
    solve_rows(Ls, C, ND, NE)
    joseph(b, H, R, C, D, G, D[ND:], ND, NE)
    times(C, e, d, ND, NE)
    state_plus(x, d, x)
    return 1


def points_to_read(b, X, D, L, v, w, fresh):
    """X, D, L = sigma points, their deviations, the root of P; fresh from a prediction, all but L are there."""
    if fresh:
        return cholesky_semidefinite(b, L, ND)
    if not draw(b, X, L, v, w):
        return False
    for i in range(2 * ND + 1):
        state_minus(X[i], b[ND], D[i])
    return True


def reading_moments(y, R, G, D, S, C, H, w):
    """S = covariance of the readings, C and H' = theirs with the state; what was not measured does not deviate in G."""
    n = 2 * ND + 1
    for r in range(NE):
        for k in range(n):
            G[k, r] = 0.0 if y[r] != y[r] else G[k, r]
    for r in range(NE):
        for c in range(r + 1):
            a = 0.5 * (R[r, c] + R[c, r]) + w[0, 1] * G[0, r] * G[0, c]
            for k in range(1, n):
                a += w[1, 0] * G[k, r] * G[k, c]
            S[r, c] = a
            S[c, r] = a
        for c in range(ND):
            a = w[0, 1] * D[0, c] * G[0, r]
            for k in range(1, n):
                a += w[1, 0] * D[k, c] * G[k, r]
            C[c, r] = a
            H[r, c] = a


def bending(R, G, D, H, Q, w, fresh):
    """R += B, with G the deviations of the readings, D of the states, which become scratch.

    Points that were only propagated lack the process noise, so that of the sensor's linear part is added.
    """
    n = 2 * ND + 1
    for k in range(n):
        for r in range(NE):
            for c in range(ND):
                G[k, r] -= H[r, c] * D[k, c]
    for r in range(NE):
        for c in range(r + 1):
            a = R[r, c] + w[0, 1] * G[0, r] * G[0, c]
            for k in range(1, n):
                a += w[1, 0] * G[k, r] * G[k, c]
            R[r, c] = a
            R[c, r] = a
    if fresh:
        for c in range(NE):
            for i in range(ND):
                a = 0.0
                for j in range(ND):
                    a += Q[i, j] * H[c, j]
                D[i, c] = a
        for r in range(NE):
            for c in range(NE):
                for i in range(ND):
                    R[r, c] += H[r, i] * D[i, c]


def linearized_rows(L, H, n, m):
    """Rows C' of H become C' P^-1 for P = L L'; a direction without variance takes no part."""
    for r in range(m):
        for i in range(n):
            a = H[r, i]
            for k in range(i):
                a -= L[i, k] * H[r, k]
            H[r, i] = a / L[i, i] if L[i, i] > 0.0 else 0.0
        for i in range(n - 1, -1, -1):
            a = H[r, i]
            for k in range(i + 1, n):
                a -= L[k, i] * H[r, k]
            H[r, i] = a / L[i, i] if L[i, i] > 0.0 else 0.0


def ukf_scratch(dim: int, reading: int) -> int:
    """Rows of scratch for a state and a reading of these tangent sizes."""
    points = 2 * dim + 1
    return 5 + 2 * points + 2 * dim + 2 * points + 2 + 3 * reading + dim


@dataclass(frozen=True)
class UKF(GaussianEstimator):
    """Unscented Kalman filter for any dynamics and sensors; needs no Jacobian. See the equations above.

    Args:
        dynamics, dt, gate: as for `EKF`.
        alpha: spread of the sigma points, in (0, 1].
        beta: what is known of the distribution beyond its covariance; 2 is right for Gaussians.
        kappa: second spread; weights are positive when ``alpha^2 (d + kappa) > d``.
        redraw: draw new points from the prediction before an update, which lets them see the process noise. False uses
            the propagated points where a reading directly follows a prediction (in `step` and `run`, and in `update`
            after `predict`), one set of model calls fewer.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> ukf = UKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> ukf.predict(u=[1.0, 0.0])
        >>> round(ukf.update(range_bearing(std=(0.1, 0.02)), z=[5.0, 0.1], context=[5.0, 0.0]).nis, 1)
        0.2
    """

    alpha: float = 1.0
    beta: float = 2.0
    kappa: float = 1.0
    redraw: bool = True

    _drivers: ClassVar[Drivers] = Drivers(ukf_predict, ukf_update, ukf_scratch)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < number(self.alpha, "alpha") <= 1.0:
            raise ModelError(f"alpha is {self.alpha}; the spread of sigma points lies in (0, 1]")
        if not np.isfinite([number(self.beta, "beta"), number(self.kappa, "kappa")]).all():
            raise ModelError(f"beta is {self.beta}, kappa {self.kappa}; finite numbers were expected")

    def prepare(self, w: np.ndarray, dim: int) -> None:
        """Write the weights and the spread of the points into the scratch, and whether they may serve twice."""
        scaled = self.alpha**2 * (dim + self.kappa)
        if not scaled > 0.0:
            raise ModelError(f"kappa is {self.kappa}; for {dim} dimensions it must be more than {-dim}")
        w[0, :2] = 1.0 - dim / scaled, 2.0 - dim / scaled - self.alpha**2 + self.beta
        w[0, 2], w[1, :2] = np.sqrt(scaled), (0.5 / scaled, 0.0 if self.redraw else 1.0)
