"""The unscented Kalman filter on any space: 2d+1 sigma points carry mean and covariance through the models.

The weighted mean on the space is found by Newton's method, which works with negative weights, too. The covariance is
``P - K S K'`` in Joseph's form, which stays positive where that difference would not.

Deviations of an angle may exceed half a turn, where a difference of two points tells them only up to whole turns: a
heading of std 1.8 rad has points 4.4 rad away. They are then followed along the way to the point, ``f(x (+) t d_i)``
for t = 1/2^h, ..., 1/2, 1: each is taken next to twice the one before.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np

from ..core import Space
from ..core.errors import SettingError
from ..core.settings import Finite, Interval, settings
from ..models.trace import call, driver
from ._algebra import (
    cholesky,
    cholesky_semidefinite,
    finite,
    finite_matrix,
    gemm,
    joseph,
    plausible,
    score,
    solve,
    times,
)
from ._gaussian import GaussianEstimator
from ._memory import (
    address,
    everywhere,
    fill,
    job_at,
    mark,
    matrix,
    model_at,
    opposite,
    row,
    select,
    space_at,
    table,
    transposed,
    vector,
)
from ._steps import (
    PREDICTION_FAILED,
    UPDATE_FAILED,
    Inner,
    commit,
    drop_noise,
    found_at,
    gate,
    gaussian_at,
    inner_steps,
    note_innovation,
)

ROUNDS = 12  # of the mean's iteration, which ends earlier once the mean stands still
QUARTER = 0.25 * math.pi
FINEST = 24  # halvings of the way to a point, at most


@driver
def weights(settings):
    """s, w_0, v_0 and w_i."""
    given = table(settings, 1, 4)
    return given[0, 0], given[0, 1], given[0, 2], given[0, 3]


@driver
def halvings(P, s, space, d):
    """The number of halvings of the way to a point, until no wrapped component goes further than a quarter turn."""
    wraps, count = table(space.wraps, 1, d), 0
    for k in range(d):
        if wraps[0, k] > 0.0 and not everywhere(s * s * P[k, k] <= 4.0 * QUARTER * QUARTER):
            far = QUARTER
            steps = 0
            while steps < FINEST and not everywhere(s * s * P[k, k] <= far * far):
                far *= 2.0
                steps += 1
            count = max(count, steps)
    return count


@driver
def beyond(D, rows, space, m):
    """Whether some deviation of a wrapped component is more than a quarter turn, and may be one of more than a half."""
    wraps = table(space.wraps, 1, m)
    for k in range(m):
        if wraps[0, k] > 0.0:
            for i in range(rows):
                if not everywhere(D[i, k] * D[i, k] <= 4.0 * QUARTER * QUARTER):
                    return True
    return False


@driver
def propagate(model, second, third, b, state, L, s, n, d, Y, D, halved, w, lanes):
    """Y_i = f(x (+) d_i), and D_i = Y_i (-) Y_0 along the way there, for the state at b and a model's values."""
    space = space_at(model.space)
    k, m = space.size, space.dim
    v, w = vector(w, d, lanes)
    X, w = vector(w, n, lanes)
    near, w = vector(w, m, lanes)
    there, w = vector(w, k, lanes)
    off, w = vector(w, m, lanes)
    call(model.value, b, second, third, model.parameters, address(Y))
    for j in range(m):
        D[0, j] = fill(0.0, lanes)
    for i in range(2 * d):
        y, e = row(Y, i + 1), row(D, i + 1)
        reach = (s if i % 2 == 0 else -s) * 0.5**halved
        for step in range(halved + 1):
            for j in range(d):
                v[j] = reach * L[j, i // 2]
            call(state.plus, b, address(v), 0, 0, address(X))
            call(model.value, address(X), second, third, model.parameters, address(y))
            if step == 0:
                call(space.minus, address(y), address(Y), 0, 0, address(e))
            else:
                for j in range(m):
                    near[j] = 2.0 * e[j]
                close_to(space, address(Y), y, e, near, there, off, m)
            reach *= 2.0


@driver
def close_to(space, base, y, e, near, there, off, m):
    """e = y (-) base, of all the deviations that lead to y the one next to `near`."""
    call(space.plus, base, address(near), 0, 0, address(there))
    call(space.minus, address(y), address(there), 0, 0, address(off))
    for j in range(m):
        e[j] = near[j] + off[j]


@driver
def centred(space, Y, D, y, w0, wi, d, halved, w, lanes):
    """y = weighted mean of the points Y, D = their deviations from it; at first they are those from Y_0."""
    k, m = space.size, space.dim
    mean, w = vector(w, m, lanes)
    near, w = vector(w, m, lanes)
    there, w = vector(w, k, lanes)
    off, w = vector(w, m, lanes)
    moved, w = vector(w, k, lanes)
    for j in range(k):
        y[j] = Y[0, j]
    for _ in range(ROUNDS):
        still = True
        for j in range(m):
            a, spread = w0 * D[0, j], D[0, j] * D[0, j]
            for i in range(1, 2 * d + 1):
                a += wi * D[i, j]
                spread += D[i, j] * D[i, j]
            mean[j] = a
            still = still and everywhere(a * a <= 1e-26 * spread)  # rounding beside what it was made of
        if still:
            return
        call(space.plus, address(y), address(mean), 0, 0, address(moved))
        for j in range(k):
            y[j] = moved[j]
        for i in range(2 * d + 1):
            if halved == 0:
                call(space.minus, address(row(Y, i)), address(y), 0, 0, address(row(D, i)))
            else:
                for j in range(m):
                    near[j] = D[i, j] - mean[j]
                close_to(space, address(y), row(Y, i), row(D, i), near, there, off, m)


@driver
def spread_of(D, v0, wi, N, S, d, m, lanes):
    """S = sum v_i D_i D_i' + N, symmetric to the last bit."""
    for i in range(m):
        for j in range(i + 1):
            a = 0.5 * (N[i, j] + N[j, i]) + v0 * (D[0, i] * D[0, j])
            for k in range(1, 2 * d + 1):
                a += wi * (D[k, i] * D[k, j])
            S[i, j] = a
            S[j, i] = a


@driver(inline=True)
def ukf_predict(at, b, u, dt, w, lanes):
    """Predict the belief at address b by the action at u and the seconds at dt, for the job at `at`; w is scratch."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    s, w0, v0, wi = weights(job.settings)
    x, P, _ = gaussian_at(b, n, d, lanes)
    L, w = matrix(w, d, d, lanes)
    Y, w = matrix(w, 2 * d + 1, n, lanes)
    D, w = matrix(w, 2 * d + 1, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    y, w = vector(w, n, lanes)
    good = cholesky_semidefinite(P, L, d, lanes)
    halved = halvings(P, s, space, d)
    propagate(f, u, dt, b, space, L, s, n, d, Y, D, halved, w, lanes)
    if halved == 0 and beyond(D, 2 * d + 1, space, d):
        halved = 3
        propagate(f, u, dt, b, space, L, s, n, d, Y, D, halved, w, lanes)
    centred(space, Y, D, y, w0, wi, d, halved, w, lanes)
    call(f.noise, b, u, dt, f.parameters, address(Q))
    spread_of(D, v0, wi, Q, N, d, d, lanes)
    good = good & plausible(Q, d, lanes) & finite(y, n, lanes) & finite_matrix(N, d, d, lanes)
    mark(job.status, opposite(good), PREDICTION_FAILED)
    commit(x, P, y, N, job.status, n, d, lanes)


@driver(inline=True)
def ukf_update(at, b, z, context, w, lanes):
    """Update the belief at address b with the reading at z and its context, for the job at `at`; w is scratch."""
    job = job_at(at)
    h, space = model_at(job.sensor), space_at(job.state)
    reading = space_at(h.space)
    n, d, k, m = space.size, space.dim, reading.size, reading.dim
    s, w0, v0, wi = weights(job.settings)
    x, P, behind = gaussian_at(b, n, d, lanes)
    expected, y, S, found = found_at(behind, k, m, lanes)
    given, _ = vector(z, k, lanes)
    L, w = matrix(w, d, d, lanes)
    Z, w = matrix(w, 2 * d + 1, k, lanes)
    G, w = matrix(w, 2 * d + 1, m, lanes)
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
    halved = halvings(P, s, space, d)
    propagate(h, context, z, b, space, L, s, n, d, Z, G, halved, w, lanes)
    if halved == 0 and beyond(G, 2 * d + 1, reading, m):
        halved = 3
        propagate(h, context, z, b, space, L, s, n, d, Z, G, halved, w, lanes)
    centred(reading, Z, G, mean, w0, wi, d, halved, w, lanes)
    call(h.noise, b, context, z, h.parameters, address(R))
    call(reading.minus, z, address(mean), 0, 0, address(e))
    measured, defined = note_innovation(e, mean, y, expected, given, k, m, lanes)
    slopes(y, G, R, T, wi * s, d, m, lanes)
    good = good & defined & plausible(R, m, lanes)
    spread_of(G, v0, wi, R, S, d, m, lanes)
    good = good & cholesky(S, root, m, lanes)
    score(root, e, v, measured, found, m, lanes)
    gemm(1.0, transposed(T), transposed(L), 0.0, K, K, m, d, d, d, lanes)  # C', which becomes that of the gain
    bending(G, T, s, v0, wi, R, d, m)
    divide(T, L, H, d, m, lanes)
    solve(root, K, m, d, lanes)
    joseph(P, H, R, K, N, A, M, B, d, m, lanes)
    times(K, e, dx, d, m, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    good = good & finite(new, n, lanes) & finite_matrix(N, d, d, lanes) & (found[1] - found[1] == 0.0)
    mark(job.status, opposite(good), UPDATE_FAILED)
    gate(h.gates, found[0], measured, job.status, m, lanes)
    commit(x, P, new, N, job.status, n, d, lanes)


@driver
def slopes(y, G, R, T, scale, d, m, lanes):
    """``T_i = w_i s (G_i+ - G_i-)``, so that C = L T and H L = T'; what was not measured does not deviate."""
    for r in range(m):
        seen = y[r] == y[r]
        for i in range(2 * d + 1):
            G[i, r] = select(seen, G[i, r], 0.0)
        drop_noise(seen, R, r, m)
        for i in range(d):
            T[i, r] = scale * (G[2 * i + 1, r] - G[2 * i + 2, r])


@driver
def bending(G, T, s, v0, wi, R, d, m):
    """R += B, by G_k - H d_k, which takes the place of G."""
    for i in range(d):
        for r in range(m):
            G[2 * i + 1, r] = G[2 * i + 1, r] - s * T[i, r]
            G[2 * i + 2, r] = G[2 * i + 2, r] + s * T[i, r]
    for r in range(m):
        for c in range(r + 1):
            a = 0.5 * (R[r, c] + R[c, r]) + v0 * (G[0, r] * G[0, c])
            for k in range(1, 2 * d + 1):
                a += wi * (G[k, r] * G[k, c])
            R[r, c] = a
            R[c, r] = a


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


@settings
class UKF(GaussianEstimator):
    """Unscented Kalman filter for any dynamics and sensors; needs no Jacobian.

    ::

        points    X_0 = x,  X_i = x (+) d_i,  d_i = +-s L e_i,   P = L L',   s^2 = alpha^2 (d + kappa)
        weights   w_i = 1 / (2 s^2),   w_0 = 1 - d / s^2,   v_0 = w_0 + 1 - alpha^2 + beta,   v_i = w_i
        predict   x = mean of f(X_i) on the space,   P = sum v_i e_i e_i' + Q,   e_i = f(X_i) (-) x
        update    z^ = mean of h(X_i),   S = sum v_i r_i r_i' + R,   r_i = h(X_i) (-) z^
                  C = sum w_i d_i r_i',   K = C S^-1
                  x = x (+) K (z (-) z^),   P = (I - K H) P (I - K H)' + K (R + B) K',   H = C' P^-1
                  B = sum v_i (r_i - H d_i) (r_i - H d_i)':   the curvature of the sensor between the points

    Source: Wan and van der Merwe, "The unscented Kalman filter for nonlinear estimation", 2000; Sarkka, *Bayesian
    Filtering and Smoothing*, 2013, section 5.5; on manifolds Brossard et al., "A code for unscented Kalman filtering on
    manifolds", ICRA 2020.

    Args:
        dynamics, dt, gate: as for `EKF`.
        alpha: spread of the sigma points, in (0, 1].
        beta: what is known of the distribution beyond its covariance; 2 is right for Gaussians.
        kappa: second spread; weights are positive when ``alpha^2 (d + kappa) > d``.

    Points are drawn again from the prediction before an update, so that they see the process noise.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> ukf = UKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> ukf.predict(u=[1.0, 0.0])
        >>> round(ukf.update(range_bearing(std=(0.1, 0.02)), z=[5.0, 0.1], context=[5.0, 0.0]).nis, 1)
        0.2
    """

    alpha: Annotated[float, Interval(0.0, 1.0, "(]")] = 1.0
    beta: Finite = 2.0
    kappa: Finite = 1.0

    inner: ClassVar[Inner] = inner_steps(ukf_predict, ukf_update)
    dynamics_results: ClassVar[tuple[str, str, str]] = ("", "y", "Q")
    sensor_results: ClassVar[tuple[str, str, str]] = ("", "h", "R")
    jacobian: ClassVar[bool] = False

    def constants(self, space: Space) -> np.ndarray:
        """s, w_0, v_0 and w_i."""
        dim = space.dim
        scaled = self.alpha**2 * (dim + self.kappa)
        if not scaled > 0.0:
            raise SettingError(f"kappa is {self.kappa}; for {dim} dimensions it must be more than {-dim}")
        first = 1.0 - dim / scaled
        return np.array([math.sqrt(scaled), first, first + 1.0 - self.alpha**2 + self.beta, 0.5 / scaled])
