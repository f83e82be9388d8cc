"""The inner steps of filters that estimate noise.

They keep a belief as a row: the factor of the process noise, R and weight of each sensor, mean and covariance. A weight
of 0 stands for a sensor that was not read so far.
"""

from __future__ import annotations

import math

from ..models.trace import LANES, call, driver
from ._algebra import gemm, joseph, plausible, product, sandwich, score, solve, symmetrize, times
from ._backward import backward, rts_gain
from ._iterated import gain
from ._memory import (
    accepted,
    address,
    everywhere,
    integers,
    job_at,
    matrix,
    model_at,
    plain,
    select,
    space_at,
    table,
    transposed,
    vector,
)
from ._steps import (
    NO_READING,
    PREDICTION_FAILED,
    UPDATE_FAILED,
    drop_noise,
    found_at,
    gaussian_at,
    judge,
    linearize,
    settle,
)

RULES = 5  # settings before the gains


@driver(inline=True)
def noise_predict(at, b, u, dt, w, lanes):
    """Predict as the EKF does, with Q times the factor of the belief at address b."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    row, g = vector(b, job.numbers - n - d * d, lanes)
    x, P, _ = gaussian_at(g, n, d, lanes)
    y, w = vector(w, n, lanes)  # y, F and Q, as the model writes them
    F, w = matrix(w, d, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    A, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    call(f.all, g, u, dt, f.parameters, address(y))
    for i in range(d):
        for j in range(d):
            Q[i, j] = row[0] * Q[i, j]
    sandwich(F, P, Q, A, N, d, lanes)
    settle(job, x, P, y, N, plausible(Q, d, lanes), PREDICTION_FAILED, n, d, lanes)


@driver(inline=True)
def rts_adapted(at, b, u, dt, w, lanes):
    """A step of the smoother whose prediction was ``F P F' + Q`` for a Q of its own: what is left of its covariance."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    _, P, behind = gaussian_at(b, n, d, lanes)
    _, M, _ = gaussian_at(behind, n, d, lanes)
    y, w = vector(w, n, lanes)  # y and F, as the model writes them
    F, w = matrix(w, d, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    K, w = matrix(w, d, d, lanes)
    call(f.all, b, u, dt, f.parameters, address(y))
    product(F, P, K, d, d, d, lanes)
    for i in range(d):
        for j in range(d):
            Q[i, j] = M[i, j]
    gemm(-1.0, plain(K), transposed(F), 1.0, Q, Q, d, d, d, d, lanes)
    symmetrize(Q, d)
    rts_gain(at, F, Q, K, b, False, w, lanes)


@driver(inline=True)
def noise_update(at, b, z, context, w, lanes):
    """Update as the EKF does, under the noise that is known of the sensor, and learn about that noise.

    The estimate is R and weight. With rounds, it is made first, and the state is updated under what they found.
    """
    job = job_at(at)
    h, space = model_at(job.sensor), space_at(job.state)
    reading = space_at(h.space)
    n, d, k, m = space.size, space.dim, reading.size, reading.dim
    rule, keep = table(job.settings, 1, RULES), table(job.settings + 8 * RULES, 1, d)
    rounds, forgetting, longest, window = int(rule[0, 1]), rule[0, 2], rule[0, 3], rule[0, 4]
    row, g = vector(b, job.numbers - n - d * d, lanes)
    x, P, behind = gaussian_at(g, n, d, lanes)
    expected, y, S, found = found_at(behind, k, m, lanes)
    told, place = vector(w, h.inputs, lanes)  # the context, R behind it, and the weight
    R, w = matrix(place, m, m, lanes)
    weight, w = vector(w, 1, lanes)
    predicted, w = vector(w, k, lanes)  # h, e, H and T, as the model writes them
    e, w = vector(w, m, lanes)
    H, w = matrix(w, m, d, lanes)
    T, w = matrix(w, m, m, lanes)  # R, without what was not measured
    K, w = matrix(w, m, d, lanes)
    L, w = matrix(w, m, m, lanes)
    V, w = matrix(w, m, m, lanes)
    C, w = matrix(w, m, m, lanes)
    D, w = matrix(w, m, m, lanes)
    E, w = matrix(w, m, m, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, m, d, lanes)
    M, w = matrix(w, d, d, lanes)
    B, w = matrix(w, d, d, lanes)
    dx, w = vector(w, d, lanes)
    new, w = vector(w, n, lanes)
    v, w = vector(w, m + 1, lanes)
    slot = recall(h, b, g, context, z, told, R, weight, rule[0, 0], m, w, lanes)
    measured, good = linearize(h, g, address(told), z, predicted, e, H, T, expected, y, d, k, m, lanes)
    good = good & gain(H, P, T, S, L, K, keep, d, m, lanes)
    score(L, e, v, measured, found, m, lanes)
    judge(job, h, good, found, measured, m, lanes)
    worth = select(forgetting * weight[0] < longest, forgetting * weight[0], longest)
    for i in range(m):
        for j in range(m):
            E[i, j] = R[i, j]
    for _ in range(rounds):
        evidence(E, L, e, y, C, v, D, m, lanes)
        average(R, D, E, worth, m)
        measure(E, T, y, m)
        gain(H, P, T, V, L, K, keep, d, m, lanes)
    times(K, e, dx, d, m, lanes)
    call(space.plus, g, address(dx), 0, 0, address(new))
    joseph(P, H, T, K, N, A, M, B, d, m, lanes)
    settle(job, x, P, new, N, measured >= 0.0, UPDATE_FAILED, n, d, lanes)
    if rounds == 0 and window == 0.0:
        evidence(E, L, e, y, C, v, D, m, lanes)
        average(R, D, E, worth, m)
    taken = accepted(job.status, lanes)
    if window == 0.0:
        weight[0] = select(taken, worth + 1.0, weight[0])
        for i in range(m):
            for j in range(m):
                R[i, j] = select(taken, E[i, j], R[i, j])
    else:
        v[0] = (found[0] / select(measured > 0.0, measured, 1.0) - 1.0) / window
        exponential(v, lanes)
        row[0] = select(taken, row[0] * v[0], row[0])
    remember(slot, place, job.status, m, lanes)


@driver
def recall(h, b, g, context, z, told, R, weight, trust, m, w, lanes):
    """Write what is known of a sensor's noise: at first what its model says, worth `trust` readings.

    Returns the address of the estimate, which is that number of the belief at b which stands behind the gates.
    """
    _, slot = vector(b, int(table(h.gates, 1, m + 2)[0, m + 1]), lanes)
    known, behind = matrix(slot, m, m, lanes)
    worth, _ = vector(behind, 1, lanes)
    given, _ = vector(context, h.inputs, lanes)
    first, _ = matrix(w, m, m, lanes)
    for i in range(h.inputs):
        told[i] = given[i]
    old = worth[0] > 0.0
    if not everywhere(old):
        call(h.noise, g, context, z, h.parameters, address(first))
    for i in range(m):
        for j in range(m):
            R[i, j] = select(old, known[i, j], first[i, j])
    weight[0] = select(old, worth[0], trust)
    return slot


@driver
def evidence(R, L, e, y, C, v, D, m, lanes):
    """The expected square of the noise of a reading with innovation e, ``D = E[noise noise' | z]``, ``(m, m)``.

    ::

        D = R + R S^-1 (e e' - S) S^-1 R         = v v' + H P H',   S = L L'

    with the residual ``v = z (-) h(x)`` and the covariance P after the update, on the linearisation of the EKF. Of
    components that were not measured, y is NaN, and R tells by its correlations: S^-1 is that of the others. D is never
    indefinite. C and v are scratch.
    """
    for i in range(m):
        for j in range(m):
            C[i, j] = select(y[i] == y[i], R[i, j], 0.0)
    solve(L, C, m, m, lanes)
    times(C, e, v, m, m, lanes)
    gemm(-1.0, transposed(R), plain(C), 1.0, R, D, m, m, m, m, lanes)
    for i in range(m):
        for j in range(m):
            D[i, j] = D[i, j] + v[i] * v[j]
    symmetrize(D, m)


@driver
def average(R, D, E, worth, m):
    """E = the mean of a reading that says D and of R, which is worth so many readings."""
    for i in range(m):
        for j in range(m):
            E[i, j] = R[i, j] + (D[i, j] - R[i, j]) / (worth + 1.0)


@driver
def measure(R, T, y, m):
    """T = R without the components of y that are NaN."""
    for i in range(m):
        for j in range(m):
            T[i, j] = R[i, j]
    for i in range(m):
        drop_noise(y[i] == y[i], T, i, m)


@driver
def exponential(v, lanes):
    """v[0] becomes ``exp(v[0])``, and e at most: one reading changes a factor no further, however far it lies."""
    each = table(address(v), 1, LANES if len(lanes) > 1 else 1)
    for l in range(each.shape[1]):
        each[0, l] = math.exp(min(each[0, l], 1.0))


@driver
def remember(slot, learnt, status, m, lanes):
    """The estimate at address `slot` = R and weight at `learnt`, where the update did not fail."""
    width = LANES if len(lanes) > 1 else 1
    old, new, codes = table(slot, m * m + 1, width), table(learnt, m * m + 1, width), integers(status, width)
    for l in range(width):
        if codes[l] <= NO_READING:
            for i in range(m * m + 1):
                old[i, l] = new[i, l]


ADAPTED = backward(rts_adapted, ("y F", "", ""))
