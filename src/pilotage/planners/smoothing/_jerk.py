"""Speed profiles with limited jerk, by a sequence of quadratic programs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._quadratic import minimize, times

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
    if len(b) == 2:  # both ends are kept
        a, most = abs(b[1] - b[0]) / (2.0 * ds[0]), 0.5 * jerk * float(_durations(b, ds)[0])
        return b if b.all() or a <= most * (1.0 + GAIN) else None
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
    """The profile that is best to second order at b, in the inner approximation of the limits at b.

    Its variables are in units of b. A row of an array has what multiplies three of them, one after the other.
    """
    n, v, top = len(ds), np.sqrt(b), limit.max()
    total = v[1:] + v[:-1]
    safe = np.where(v > 0.0, v, np.inf)  # ends at rest are no variables
    zero = np.zeros(n)
    slopes = np.stack([-ds / (total**2 * safe[:-1]), -ds / (total**2 * safe[1:]), zero], -1)
    a = np.stack([-0.5 / ds, 0.5 / ds, zero], -1)
    rest = [k for k, at in ((0, 0), (n - 1, n)) if b[at] == 0.0]
    later, dt = np.roll(a, 1, -1), 2.0 * ds / total
    change = np.concatenate([later[1:] - a[:-1], a[rest]])
    tangent = 0.5 * np.concatenate([np.roll(slopes, 1, -1)[1:] + slopes[:-1], slopes[rest]])
    first = np.concatenate([np.arange(n - 1), np.array(rest, dtype=np.int64)])
    unit = np.append(np.where(b > 0.0, b, 1.0), [1.0, 1.0])
    start = b / unit[:-2]
    constant = 0.5 * np.concatenate([dt[1:] + dt[:-1], dt[rest]]) - _rows(tangent, first, b)
    eye = np.zeros((n + 1, 3))
    eye[:, 0] = 1.0 / top
    G = np.concatenate([
        eye, -eye, a / speeding, -a / braking,
        (change - jerk * tangent) / speeding, (-change - jerk * tangent) / speeding,
    ])  # fmt: skip
    h = np.concatenate([limit / top, np.zeros(n + 1), np.ones(2 * n), *2 * [jerk * constant / speeding]])
    firsts = np.concatenate([*2 * [np.arange(n + 1)], *2 * [np.arange(n)], first, first])
    G *= unit[firsts[:, None] + np.arange(3)]
    P, slope = _curvature(ds, total, safe), np.zeros(n + 1)
    P *= unit[: n + 1, None] * unit[np.arange(n + 1)[:, None] + np.arange(3)]
    slope[:-1] += slopes[:, 0]
    slope[1:] += slopes[:, 1]
    slope *= unit[:-2]
    scale = float(abs(slope[1:-1]).max())
    found = minimize(P / scale, (slope - times(P, start)) / scale, G, firsts, h, start, np.array([0, n]), 1e-8)
    return np.append(np.append(b[0], np.maximum(found.x[1:-1], 1e-9) * b[1:-1]), b[-1]) if found.converged else None


def _curvature(ds: Array, total: Array, safe: Array) -> Array:
    """The second derivative of the time by b: upper diagonals ``(n + 1, 3)``."""
    out, curve = np.zeros((len(safe), 3)), ds / (2.0 * total**2)
    out[:-1, 0] += curve / safe[:-1] ** 3 + ds / (total**3 * safe[:-1] ** 2)
    out[1:, 0] += curve / safe[1:] ** 3 + ds / (total**3 * safe[1:] ** 2)
    out[:-1, 1] = ds / (total**3 * safe[:-1] * safe[1:])
    return out


def _rows(G: Array, first: NDArray[np.int64], x: Array) -> Array:
    """The products of rows ``(m, 3)`` that begin at these variables and x."""
    return (G * np.append(x, [0.0, 0.0])[first[:, None] + np.arange(3)]).sum(-1)
