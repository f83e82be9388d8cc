"""The recursion of the Rauch-Tung-Striebel smoother, which runs backwards in machine code.

One sequence goes alone, or a block of lanes at a time. The step is that of the filter's prediction: linearised, or by
the filter's sigma points (see `_unscented`).
"""

from __future__ import annotations

from typing import NamedTuple

from ..core import FilterStatus
from ..models.trace import LANES, Driver, call, driver
from ._algebra import (
    cholesky_semidefinite,
    finite,
    finite_matrix,
    gemm,
    invert,
    joseph,
    mirror,
    product,
    solve_semidefinite,
    symmetrize,
    times,
)
from ._drivers import FEW, INNER, lanes_of, spread, store
from ._memory import (
    BLOCK,
    ONE,
    address,
    everywhere,
    fill,
    integers,
    job_at,
    mark,
    matrix,
    model_at,
    opposite,
    plain,
    space_at,
    table,
    transposed,
    vector,
)
from ._steps import commit, gaussian_at, inner_step

FAILED = int(FilterStatus.PREDICTION_FAILED)
STILL = int(FilterStatus.NO_READING)


@driver
def rts_gain(at, F, Q, K, b, same, w, lanes):
    """The smoothed belief of the next step becomes that of now, from the slope F of the prediction and its noise Q.

    The address b is that of three beliefs: the filtered one of now, the predicted and the smoothed one of the next
    step. K is the transpose of their covariance, ``F P``, and becomes that of the gain; w is scratch. Where F, Q and
    the covariances of the first two beliefs are the `same` as in the last call, K still holds the gain. Where the third
    covariance is that of the last call, too, so is the result, which is still in the scratch.
    """
    job = job_at(at)
    space = space_at(job.state)
    n, d = space.size, space.dim
    _, P, behind = gaussian_at(b, n, d, lanes)
    y, M, behind = gaussian_at(behind, n, d, lanes)
    s, S, _ = gaussian_at(behind, n, d, lanes)
    L, w = matrix(w, d, d, lanes)
    G, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, d, d, lanes)
    B, w = matrix(w, d, d, lanes)
    C, w = matrix(w, d, d, lanes)
    last, w = matrix(w, d, d, lanes)
    e, w = vector(w, d, lanes)
    dx, w = vector(w, d, lanes)
    new, w = vector(w, n, lanes)
    if not same:
        cholesky_semidefinite(M, L, d, lanes)
        solve_semidefinite(L, K, d, d, lanes)
    call(space.minus, address(s), address(y), 0, 0, address(e))
    times(K, e, dx, d, d, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    if not (repeated(S, last, d, lanes) and same and job.transport == 0):
        ahead = S
        if job.transport != 0:
            call(job.transport, address(s), address(y), 0, 0, address(G))
            carried(G, S, A, C, d, lanes)
            ahead = C
        for i in range(d):
            for j in range(d):
                Q[i, j] = Q[i, j] + ahead[i, j]
        joseph(P, F, Q, K, N, A, B, C, d, d, lanes)
        if job.transport != 0:
            call(job.transport, address(new), b, 0, 0, address(B))
            invert(B, G, d, lanes)
            carried(G, N, A, C, d, lanes)
            N = C
    good = finite(new, n, lanes) & finite_matrix(N, d, d, lanes)
    mark(job.status, opposite(good), FAILED)
    commit(s, S, new, N, job.status, n, d, lanes)


@driver
def repeated(A, last, d, lanes):
    """Whether A is the same as `last` in all lanes; then `last` = A."""
    same = fill(0.0, lanes) == 0.0
    for i in range(d):
        for j in range(d):
            same = same & (A[i, j] == last[i, j])
            last[i, j] = A[i, j]
    return everywhere(same)


@driver
def carried(G, P, A, N, d, lanes):
    """N = G P G'; A is scratch."""
    gemm(1.0, plain(G), plain(P), 0.0, A, A, d, d, d, d, lanes)
    gemm(1.0, plain(A), transposed(G), 0.0, N, N, d, d, d, 0, lanes)
    mirror(N, d)


@driver(inline=True)
def rts_linearized(at, b, u, dt, w, lanes):
    """A step of the smoother whose prediction was F P F' + Q, with F times a factor, which is the only setting."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    _, P, behind = gaussian_at(b, n, d, lanes)
    _, M, _ = gaussian_at(behind, n, d, lanes)
    y, w = vector(w, n, lanes)  # y, F and Q, as the model writes them
    F, w = matrix(w, d, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    K, w = matrix(w, d, d, lanes)
    same = True
    call(f.all, b, u, dt, f.parameters, address(y))
    symmetrize(Q, d)
    for A in (F, Q, P, M):
        last, w = matrix(w, d, d, lanes)
        same = repeated(A, last, d, lanes) and same
    if not same:
        product(F, P, K, d, d, d, lanes)
    factor = table(job.settings, 1, 1)[0, 0]
    if factor != 1.0:  # what it adds to F P F' counts as process noise
        A, w = matrix(w, d, d, lanes)
        N, w = matrix(w, d, d, lanes)
        product(F, P, A, d, d, d, lanes)
        gemm(1.0, plain(A), transposed(F), 0.0, N, N, d, d, d, d, lanes)
        for i in range(d):
            for j in range(d):
                Q[i, j] = Q[i, j] + (factor * factor - 1.0) * N[i, j]
    rts_gain(at, F, Q, K, b, same, w, lanes)


@driver("void(i8, i8, i8[:,::1], f8[:,:,::1], f8[:,::1], f8[::1], f8[:,:,::1], i8[:,::1], i8[::1])", nogil=True)
def smooth_rows(one, block, given, smoothed, ps, dts, us, still, failed):
    """Each row of beliefs backwards through its sequence.

    Args:
        one, block: addresses of the jobs for one lane and for a block of lanes.
        given: where filtered means and covariances and predicted ones are: an address, and the bytes from a row and
            from a step to the next, ``(4, 3)``.
        smoothed: the smoothed beliefs, to be written, ``(B, T, numbers)``.
        ps, dts, us: as for `run_rows`.
        still: whether no prediction moved the belief before each step, ``(B, T)``.
        failed: whether a number ceased to be finite, to be written, ``(B,)``.
    """
    i = 0
    while i < smoothed.shape[0]:
        many = smoothed.shape[0] - i > FEW
        lanes, stop = (LANES, min(i + LANES, smoothed.shape[0])) if many else (1, i + 1)
        smooth_block(block if many else one, lanes, i, stop, given, smoothed, ps, dts, us, still, failed)
        i = stop


@driver
def smooth_block(at, lanes, start, stop, given, smoothed, ps, dts, us, still, failed):
    """Rows start to stop in the lanes of a job."""
    job = job_at(at)
    f, n = model_at(job.dynamics), space_at(job.state).size
    numbers, codes, last = smoothed.shape[2], integers(job.status, lanes), smoothed.shape[1] - 1
    u, size = job.scratch, 8 * numbers * lanes
    w = u + 8 * us.shape[2] * lanes
    load_at(job.belief + 2 * size, lanes, given[:2], n, numbers, start, stop, last)
    store(job.belief + 2 * size, lanes, smoothed[:, last], start, stop)
    for t in range(last - 1, -1, -1):
        moved = 0
        for l in range(lanes):
            rests = still[min(start + l, stop - 1), t + 1]
            codes[l] = STILL if rests else 0
            moved += 1 - rests
        if moved > 0:
            load_at(job.belief, lanes, given[:2], n, numbers, start, stop, t)
            load_at(job.belief + size, lanes, given[2:], n, numbers, start, stop, t + 1)
            f.parameters = ps[t + 1 if ps.shape[0] > 1 else 0].ctypes.data
            call(job.predict, at, job.belief, lanes_of(u, lanes, us, start, stop, t + 1), dts[t + 1 :], w)
        store(job.belief + 2 * size, lanes, smoothed[:, t], start, stop)
        for l in range(stop - start):
            if codes[l] == FAILED:
                failed[start + l] = 1


@driver
def load_at(at, lanes, given, n, numbers, start, stop, t):
    """The memory at an address = means and covariances of rows start to stop at step t, turned into lanes."""
    for i in range(2):
        first, count = given[i, 0] + start * given[i, 1] + t * given[i, 2], numbers - n if i else n
        spread(first, given[i, 1], at + i * 8 * n * lanes, lanes, stop - start, count)


class Backward(NamedTuple):
    """A step of the smoother, for one belief and for a block of lanes, and what it asks of dynamics (see `Model`)."""

    one: Driver
    block: Driver
    results: tuple[str, str, str]


def backward(step: Driver, results: tuple[str, str, str]) -> Backward:
    """The step of a smoother, from its text over lanes."""
    return Backward(
        inner_step.entry(f"{step.__name__}_one", INNER, step=step, lanes=ONE),
        inner_step.entry(f"{step.__name__}_block", INNER, step=step, lanes=BLOCK),
        results,
    )


LINEARIZED = backward(rts_linearized, ("y F Q", "", ""))
