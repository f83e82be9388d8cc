"""Dubins curves: shortest paths of a vehicle that only drives forwards."""

from __future__ import annotations

import math

import numpy as np

from ...core.settings import settings
from ...models.trace import driver
from ...models.trace.turns import sine_cosine
from ._angles import TURN, direction
from ._curves import CURVE, FIRST, LENGTH, LENGTHS, SEGMENTS, Curve, relative

LSL, LSR, LRL = 0.0, 1.0, 2.0
SNAP = 1e-9
"""An angle so little below a whole turn, or a distance so little beyond its range, is rounding."""


@settings
class Dubins(Curve):
    """Dubins curves: shortest paths between poses of a vehicle that drives forwards, with a smallest turning radius.

    ::

        shortest of the words LSL, RSR, LSR, RSL, LRL, RLR           L, R: arcs of the radius, S: a straight line

        with (x, y, phi) the goal seen from the start, in units of the radius, R(.) polar coordinates, angles mod 2 pi:
        LSL:  (u, t) = R(x - sin phi, y - 1 + cos phi)                        v = phi - t
        LSR:  (rho, theta) = R(x + sin phi, y - 1 - cos phi),  u = sqrt(rho^2 - 4),
              t = theta + atan2(2, u)                                         v = t - phi
        LRL:  (rho, theta) = R(x - sin phi, y - 1 + cos phi),  u = 2 pi - 2 asin(rho / 4),
              t = theta + u / 2                                               v = phi - t + u

    The other three are their mirror images. The length from b to a differs from that from a to b.

    Attributes:
        radius: smallest turning radius [m].

    Source: L. Dubins, On curves of minimal length with a constraint on average curvature, 1957; A. Shkel, V. Lumelsky,
    Classification of the Dubins set, 2001.

    Example:
        >>> curve = Dubins(radius=1.0)
        >>> round(float(curve.distance([0, 0, 0], [0, 2, 3.141592653589793])), 6)    # half a circle
        3.141593
        >>> curve.segments([0, 0, 0], [5, 1, 1.5707963267948966]).round(3).tolist()
        [[0.0, 4.0], [1.0, 1.571]]
        >>> curve.distance([0, 0, 0], [[3, 0, 0], [-3, 0, 0]]).round(3)
        array([3.   , 9.283])
    """


@driver
def left(angle):
    """The angle in [0, 2 pi), with a little less than a whole turn counted as none."""
    angle -= TURN * np.floor(angle * (1.0 / TURN))
    return 0.0 if angle > TURN - SNAP else angle


@driver(inline=True)
def shorter(best, exists, t, u, v, kind, side):
    """The shorter one of two words (length, t, u, v, kind, side)."""
    total = t + u + v if exists else math.inf
    better = total < best[0]
    return (
        total if better else best[0], t if better else best[1], u if better else best[2], v if better else best[3],
        kind if better else best[4], side if better else best[5],
    )  # fmt: skip


@driver(inline=True)
def same_side(best, ex, ey, turn, side):
    """LSL and LRL, or their mirror images, with (ex, ey) from centre to centre and `turn` the heading of the goal."""
    u = math.sqrt(ex * ex + ey * ey)
    theta = direction(ey, ex)
    theta = theta if u > SNAP else 0.0  # the centres coincide: one arc
    t = left(theta)
    best = shorter(best, True, t, u, left(turn - t), LSL, side)
    z = min(0.25 * u, 1.0)
    middle = TURN - 2.0 * direction(z, math.sqrt(1.0 - z * z))
    t = left(theta + 0.5 * middle)
    return shorter(best, u < 4.0 + SNAP, t, middle, left(turn - t + middle), LRL, side)


@driver(inline=True)
def other_side(best, ex, ey, turn, side):
    """LSR or its mirror image."""
    square = ex * ex + ey * ey - 4.0
    u = math.sqrt(max(square, 0.0))
    t = left(direction(u * ey + 2.0 * ex, u * ex - 2.0 * ey))
    return shorter(best, square > -SNAP, t, u, left(t - turn), LSR, side)


@driver(inline=True)
def shortest(x, y, phi):
    """The shortest word to (x, y, phi), without branches: ``t + u + v``, t, u, v, its kind, and 1, or -1 mirrored."""
    s, c = sine_cosine(phi)
    best = math.inf, 0.0, 0.0, 0.0, LSL, 1.0
    best = other_side(best, x + s, y - 1.0 - c, phi, 1.0)
    best = other_side(best, x - s, -y - 1.0 - c, -phi, -1.0)
    best = same_side(best, x - s, y - 1.0 + c, phi, 1.0)
    return same_side(best, x + s, -y - 1.0 + c, -phi, -1.0)


@driver(CURVE)
def dubins(a, b, _, p, word):
    """The Dubins curve from pose a to pose b; p holds the radius."""
    x, y, phi = relative(a[0], a[1], a[2], b[0], b[1], b[2], p[0])
    total, t, u, v, kind, side = shortest(x, y, phi)
    turn = side / p[0]
    word[LENGTH], word[SEGMENTS] = total * p[0], 3.0
    word[FIRST], word[FIRST + 1] = turn, t * p[0]
    word[FIRST + 2], word[FIRST + 3] = -turn if kind == LRL else 0.0, u * p[0]
    word[FIRST + 4], word[FIRST + 5] = -turn if kind == LSR else turn, v * p[0]


@driver(LENGTHS, nogil=True)
def dubins_lengths(_, a, b, p, ends, word, out):
    """Lengths of Dubins curves between poses ``(3, N)``: without branches, the loop becomes SIMD."""
    radius = p[0]
    for i in range(out.shape[0]):
        x, y, phi = relative(a[0, i], a[1, i], a[2, i], b[0, i], b[1, i], b[2, i], radius)
        out[i] = radius * shortest(x, y, phi)[0]


Dubins.curve, Dubins.lengths = dubins, dubins_lengths
