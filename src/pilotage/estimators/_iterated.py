"""The rounds of an iterated update: Gauss and Newton's method from the step that the EKF makes."""

from __future__ import annotations

from ..models.trace import call, driver
from ._algebra import cholesky, gemm, invert, mirror, solve, symmetrize, times
from ._memory import accepted, address, everywhere, fill, matrix, opposite, plain, select, space_at, transposed, vector
from ._steps import drop_unmeasured

FIRST = 3  # settings before the gains


@driver
def gain(H, P, R, S, L, K, keep, d, m, lanes):
    """``S = H P H' + R = L L'`` and ``K' = S^-1 H P``, times `keep`; false where S is not positive definite."""
    gemm(1.0, plain(H), plain(P), 0.0, K, K, m, d, d, d, lanes)
    gemm(1.0, plain(K), transposed(H), 1.0, R, S, m, d, m, 0, lanes)
    mirror(S, m)
    good = cholesky(S, L, m, lanes)
    solve(L, K, m, d, lanes)
    for i in range(m):
        for j in range(d):
            K[i, j] = K[i, j] * keep[0, j]
    return good


@driver
def iterate(job, h, b, context, z, y, P, H, R, L, K, N, dx, new, predicted, e, rounds, tolerance, keep, w, lanes):
    """The state `new` = x (+) dx where the posterior is greatest; then H, R and K there, and N = P carried there.

    Returns where the last step was within the tolerance, or none was to be made.
    """
    space = space_at(job.state)
    d, m = space.dim, space_at(h.space).dim
    G, w = matrix(w, d, d, lanes)
    A, w = matrix(w, m, d, lanes)
    S, w = matrix(w, m, m, lanes)
    W, w = matrix(w, d, d, lanes)
    to, w = vector(w, d, lanes)
    done = opposite(accepted(job.status, lanes))  # a gate refused the reading, or the first step failed
    stride, last = fill(1.0, lanes), fill(1e300, lanes)
    for _ in range(rounds - 1):
        relinearize(job.transport, h, new, b, context, z, y, H, R, A, G, W, predicted, e, d, m, lanes)
        gain(A, P, R, S, L, K, keep, d, m, lanes)
        for i in range(m):
            a = e[i]
            for j in range(d):
                a += A[i, j] * dx[j]
            e[i] = a
        times(K, e, to, d, m, lanes)
        near, size = fill(0.0, lanes) == 0.0, fill(0.0, lanes)
        for i in range(d):
            a = to[i] - dx[i]
            near = near & (a * a <= tolerance * tolerance * P[i, i])
            some = P[i, i] > 0.0
            size += select(some, a * a / select(some, P[i, i], 1.0), 0.0)
        stride = select(size < last, stride, 0.5 * stride)  # steps that grow would go back and forth
        last = size
        for i in range(d):
            dx[i] = dx[i] + select(done, 0.0, stride * (to[i] - dx[i]))
        call(space.plus, b, address(dx), 0, 0, address(new))
        done = done | near
        if everywhere(done):
            break
    relinearize(job.transport, h, new, b, context, z, y, H, R, A, G, W, predicted, e, d, m, lanes)
    gain(A, P, R, S, L, K, keep, d, m, lanes)
    gemm(1.0, plain(K), transposed(G), 0.0, A, A, m, d, d, d, lanes)
    for i in range(m):
        for j in range(d):
            K[i, j] = A[i, j]
    gemm(1.0, plain(G), plain(P), 0.0, W, W, d, d, d, d, lanes)
    gemm(1.0, plain(W), transposed(G), 0.0, N, N, d, d, d, 0, lanes)
    mirror(N, d)
    return done


@driver
def relinearize(transport, h, new, b, context, z, y, H, R, A, G, W, predicted, e, d, m, lanes):
    """e, H and R at the state `new`; A = H G, and G leads from the tangent at b to that at `new`."""
    call(h.all, address(new), context, z, h.parameters, address(predicted))
    for i in range(m):
        e[i] = select(y[i] == y[i], e[i], 0.0)
    drop_unmeasured(y, H, R, d, m, lanes)
    symmetrize(R, m)
    for i in range(d):
        for j in range(d):
            W[i, j] = fill(1.0 if i == j else 0.0, lanes)
    if transport != 0:
        call(transport, address(new), b, 0, 0, address(W))
    invert(W, G, d, lanes)
    gemm(1.0, plain(H), plain(G), 0.0, A, A, m, d, d, d, lanes)
