"""The rounds of an iterated update: Gauss and Newton's method from the step that the EKF makes."""

from __future__ import annotations

from ..models.trace import call, driver
from ._algebra import cholesky, cholesky_semidefinite, gemm, invert, mirror, solve, symmetrize
from ._memory import (
    accepted,
    address,
    everywhere,
    fill,
    matrix,
    opposite,
    plain,
    select,
    space_at,
    transposed,
    vector,
)
from ._steps import drop_unmeasured

FIRST = 3  # settings before the gains
ROUNDING = 1e-12  # of the cost


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

    A step goes part of the way to where the linearisation leads: as far as lets the cost fall by a quarter of what its
    slope foretells (Armijo). That slope is the square of the step's length in standard deviations of the result. Of the
    prior's part of the cost, ``d' P^-1 d``, the vector q = P^-1 d is known all along. Where R is singular, the cost is
    infinite off the states that such a reading allows, and says nothing of a step that comes nearer to them: steps go
    all the way then. Returns where the last step was within the tolerance, or none was to be made.
    """
    space = space_at(job.state)
    d, m = space.dim, space_at(h.space).dim
    G, w = matrix(w, d, d, lanes)
    A, w = matrix(w, m, d, lanes)
    S, w = matrix(w, m, m, lanes)
    W, w = matrix(w, d, d, lanes)
    root, w = matrix(w, m, m, lanes)
    r, w = matrix(w, m, 1, lanes)
    at, w = matrix(w, 4, d, lanes)  # of the last good place: d and q; and the way on from there
    q, w = vector(w, d, lanes)
    v, w = vector(w, m, lanes)
    done = opposite(accepted(job.status, lanes))  # a gate refused the reading, or the first round failed
    part, cost, slope = fill(0.5, lanes), fill(1e300, lanes), fill(0.0, lanes)
    for j in range(d):
        for i in range(d):
            G[i, j] = fill(1.0 if i == j else 0.0, lanes)
        q[j] = fill(0.0, lanes)
        dx[j] = select(done, dx[j], 0.0)
    call(space.plus, b, address(dx), 0, 0, address(new))
    for _ in range(rounds + 1):
        relinearize(job.transport, h, new, b, context, z, y, H, R, A, G, W, predicted, e, d, m, lanes)
        gain(A, P, R, S, L, K, keep, d, m, lanes)
        if everywhere(done):
            break
        cholesky_semidefinite(R, root, m, lanes)
        now = half_square(root, e, v, m, lanes)
        for j in range(d):
            now += 0.5 * dx[j] * q[j]
        better = without_noise(root, m, lanes) | (now <= cost - 0.25 * part * slope + ROUNDING * (1.0 + cost))
        part = select(better, select(part < 0.5, 2.0 * part, 1.0), 0.5 * part)
        cost = select(better, now, cost)
        along = aim(A, K, L, e, dx, q, at, r, better, d, m, lanes)
        slope = select(better, along + 2.0 * half_square(root, e, v, m, lanes), slope)
        near = better & (slope <= tolerance * tolerance)
        part = select(near, 1.0, part)
        for j in range(d):
            dx[j] = select(done, dx[j], at[0, j] + part * at[2, j])
            q[j] = select(done, q[j], at[1, j] + part * at[3, j])
        call(space.plus, b, address(dx), 0, 0, address(new))
        done = done | near
    gemm(1.0, plain(K), transposed(G), 0.0, A, A, m, d, d, d, lanes)
    for i in range(m):
        for j in range(d):
            K[i, j] = A[i, j]
    gemm(1.0, plain(G), plain(P), 0.0, W, W, d, d, d, d, lanes)
    gemm(1.0, plain(W), transposed(G), 0.0, N, N, d, d, d, 0, lanes)
    mirror(N, d)
    return done


@driver
def aim(A, K, L, e, dx, q, at, r, better, d, m, lanes):
    """The way on from d = dx, where it is `better` than before: at = d, q, and the steps of both to the linearised end.

    The residual e becomes what the step changes of the reading. Returns the prior's part of the slope; r is scratch.
    """
    for i in range(m):
        a = e[i]
        for j in range(d):
            a += A[i, j] * dx[j]
        e[i] = a
        r[i, 0] = a
    solve(L, r, m, 1, lanes)
    along = fill(0.0, lanes)
    for j in range(d):
        to, pull = fill(0.0, lanes), fill(0.0, lanes)
        for i in range(m):
            to += K[i, j] * e[i]
            pull += A[i, j] * r[i, 0]
        at[0, j] = select(better, dx[j], at[0, j])
        at[1, j] = select(better, q[j], at[1, j])
        at[2, j] = select(better, to - dx[j], at[2, j])
        at[3, j] = select(better, pull - q[j], at[3, j])
        along += at[2, j] * at[3, j]
    for i in range(m):
        a = fill(0.0, lanes)
        for j in range(d):
            a += A[i, j] * at[2, j]
        e[i] = a
    return along


@driver
def without_noise(root, m, lanes):
    """Whether some direction of a reading has no noise, for the root of R."""
    found = root[0, 0] <= 0.0
    for i in range(1, m):
        found = found | (root[i, i] <= 0.0)
    return found


@driver
def half_square(root, e, v, m, lanes):
    """``e' (L L')^-1 e / 2`` for L = root, but for directions without noise; v is scratch."""
    total = fill(0.0, lanes)
    for i in range(m):
        a = e[i]
        for k in range(i):
            a -= root[i, k] * v[k]
        some = root[i, i] > 0.0
        v[i] = select(some, a / select(some, root[i, i], 1.0), 0.0)
        total += 0.5 * v[i] * v[i]
    return total


@driver
def relinearize(transport, h, new, b, context, z, y, H, R, A, G, W, predicted, e, d, m, lanes):
    """e, H and R at the state `new`; A = H G, and G leads from the tangent at b to that at `new`."""
    call(h.all, address(new), context, z, h.parameters, address(predicted))
    for i in range(m):
        e[i] = select(y[i] == y[i], e[i], 0.0)
    drop_unmeasured(y, H, R, d, m, lanes)
    symmetrize(R, m)
    if transport == 0:  # one tangent serves all, and G stays the identity
        for i in range(m):
            for j in range(d):
                A[i, j] = H[i, j]
    else:
        call(transport, address(new), b, 0, 0, address(W))
        invert(W, G, d, lanes)
        gemm(1.0, plain(H), plain(G), 0.0, A, A, m, d, d, d, lanes)
