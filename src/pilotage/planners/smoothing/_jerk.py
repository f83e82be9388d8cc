"""Speed profiles with limited jerk, by a sequence of quadratic programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._quadratic import minimize

Array = NDArray[np.float64]
ROUNDS = 40
GAIN = 1e-4
"""A share of the time: a program that gains less is the last."""


def jerk_limited(b: Array, limit: Array, ds: Array, speeding: float, braking: float, jerk: float) -> Array | None:
    """The profile ``b = v^2`` of least time with limited jerk; None if none was found.

    ::

        min  sum_k dt_k,   dt_k = 2 ds_k / (v_k + v_(k+1)),   a_k = (b_(k+1) - b_k) / (2 ds_k)
        b <= limit,   -braking <= a_k <= speeding,   |a_k - a_(k-1)| <= jerk (dt_(k-1) + dt_k) / 2
        |a_0| <= jerk dt_0 / 2  and  |a_(N-1)| <= jerk dt_(N-1) / 2  at rest

    The durations are convex in b, so their tangents lie below them: what satisfies the limits with a tangent in place
    of dt satisfies them with dt. Each program has the tangents, and the time to second order, at the profile before.

    Args:
        b: a profile ``(N + 1,)`` within the other limits, positive but for its ends, which are kept.
        limit: ``(N + 1,)``.
        ds: lengths ``(N,)`` [m].
        speeding, braking, jerk: limits [m/s^2, m/s^3].

    Source: T. Lipp, S. Boyd, Variations and extension of the convex-concave procedure, 2016.
    """
    best, least = None, np.inf
    if len(b) < 3:
        return b
    for _ in range(ROUNDS):
        found = _program(b, limit, ds, speeding, braking, jerk)
        if found is None:
            return best
        if best is not None:  # the limits with tangents are convex: all between two profiles that satisfy them do
            shares = 0.5 ** np.arange(8)[:, None]
            tries = best + shares * (found - best)
            found = tries[int(np.argmin([_durations(each, ds).sum() for each in tries]))]
        took = float(_durations(found, ds).sum())
        if took > least * (1.0 - GAIN):
            return found if took < least else best
        best, least, b = found, took, found
    return best


def _durations(b: Array, ds: Array) -> Array:
    v = np.sqrt(b)
    return 2.0 * ds / (v[1:] + v[:-1])


def _program(b: Array, limit: Array, ds: Array, speeding: float, braking: float, jerk: float) -> Array | None:
    """The profile that is best to second order at b, in the inner approximation of the limits at b."""
    import scipy.sparse as sp

    diags: Any = sp.diags_array  # its types do not know of several offsets

    n, v = len(ds), np.sqrt(b)
    total = v[1:] + v[:-1]
    safe = np.where(v > 0.0, v, np.inf)  # ends at rest are no variables
    left, right = -ds / (total**2 * safe[:-1]), -ds / (total**2 * safe[1:])
    slopes = diags([left, right], offsets=[0, 1], shape=(n, n + 1)).tocsr()
    accelerations = diags([-0.5 / ds, 0.5 / ds], offsets=[0, 1], shape=(n, n + 1)).tocsr()
    middles = diags([np.full(n - 1, 0.5), np.full(n - 1, 0.5)], offsets=[0, 1], shape=(n - 1, n)).tocsr()
    changes = diags([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n)).tocsr()
    ends = [k for k, at in ((0, 0), (n - 1, n)) if b[at] == 0.0]
    rest = sp.coo_array((np.ones(len(ends)), (range(len(ends)), ends)), shape=(len(ends), n)).tocsr()
    change = sp.vstack([changes, rest]) @ accelerations
    span = sp.vstack([middles, 0.5 * rest])
    tangent, dt = span @ slopes, span @ (2.0 * ds / total)
    constant = dt - tangent @ b
    G = sp.vstack([
        sp.eye_array(n + 1) / limit.max(), -sp.eye_array(n + 1) / limit.max(),
        accelerations / speeding, -accelerations / braking,
        (change - jerk * tangent) / speeding, (-change - jerk * tangent) / speeding,
    ]).tocsr()  # fmt: skip
    zero, one = np.zeros(n + 1), np.ones(n)
    h = np.concatenate([limit / limit.max(), zero, one, one, *[jerk * constant / speeding] * 2])
    curve = ds / (2.0 * total**2)
    second = diags(
        np.append(curve / safe[:-1] ** 3 + ds / (total**3 * safe[:-1] ** 2), 0.0)
        + np.append(0.0, curve / safe[1:] ** 3 + ds / (total**3 * safe[1:] ** 2))
    )
    mixed = ds / (total**3 * safe[:-1] * safe[1:])
    P = (second + diags([mixed, mixed], offsets=[1, -1], shape=(n + 1, n + 1))).tocsr()
    return _relative(P, slopes.sum(axis=0), G, h, b)


def _relative(P: Any, slope: Array, G: Any, h: Array, b: Array) -> Array | None:
    """The minimum of ``slope' d + d' P d / 2`` for ``b + d``, in units of b, with its ends kept."""
    import scipy.sparse as sp

    inner = np.arange(1, len(b) - 1)
    D = sp.diags_array(b[inner])
    room = h - G[:, [0, len(b) - 1]] @ b[[0, -1]]
    G = (G[:, inner] @ D).tocsr()
    rows = np.diff(G.indptr) > 0
    if (room[~rows] < -1e-9).any():
        return None
    P, slope = (D @ P[inner][:, inner] @ D).tocsr(), slope[inner] * b[inner]
    scale = float(abs(slope).max())
    ones = np.ones(len(inner))
    found = minimize(P / scale, slope / scale - P @ ones / scale, G[rows], room[rows], ones, 1e-8)
    if not found.converged:
        return None
    out = b.copy()
    out[inner] = np.maximum(found.x, 1e-9) * b[inner]
    return out
