"""Dubins curves: shortest paths of a vehicle that only drives forwards."""

from __future__ import annotations

import math

from ...core.settings import settings
from ...models.trace import driver
from ._curves import CURVE, FIRST, LENGTH, SEGMENTS, Curve, relative

LSL, LSR, LRL = 0, 1, 2
TURN = 2.0 * math.pi
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
def wrapped(angle):
    """The angle in [0, 2 pi), with a little less than a whole turn counted as none."""
    angle -= TURN * math.floor(angle * (1.0 / TURN))
    return 0.0 if angle > TURN - SNAP else angle


@driver
def offer(word, t, u, v, kind, side):
    """Keep a word that is shorter than the best one so far."""
    total = t + u + v
    if total < word[LENGTH]:
        word[LENGTH], word[2], word[3], word[4], word[5], word[6] = total, t, u, v, kind, side


@driver
def same_side(word, ex, ey, turn, side):
    """LSL and LRL, or their mirror images, with (ex, ey) from centre to centre and `turn` the heading of the goal.

    Arcs turn by `turn` at least, and ``asin z <= pi z / 2``: bounds that are cheaper than the angles.
    """
    u = math.sqrt(ex * ex + ey * ey)
    if u + wrapped(turn) < word[LENGTH]:
        t = wrapped(math.atan2(ey, ex)) if u > SNAP else 0.0  # the centres coincide: one arc
        offer(word, t, u, wrapped(turn - t), LSL, side)
    if u < 4.0 + SNAP and TURN - 0.25 * math.pi * u < word[LENGTH] + SNAP:
        middle = TURN - 2.0 * math.asin(min(0.25 * u, 1.0))
        t = wrapped(math.atan2(ey, ex) + 0.5 * middle)
        offer(word, t, middle, wrapped(turn - t + middle), LRL, side)


@driver
def other_side(word, ex, ey, turn, side):
    """LSR or its mirror image; the arcs differ by `turn`, which bounds their sum."""
    square = ex * ex + ey * ey - 4.0
    if square > -SNAP:
        u = math.sqrt(max(square, 0.0))
        if u + abs(turn) < word[LENGTH]:
            t = wrapped(math.atan2(u * ey + 2.0 * ex, u * ex - 2.0 * ey))
            offer(word, t, u, wrapped(t - turn), LSR, side)


@driver(CURVE)
def dubins(a, b, _, p, word):
    """The Dubins curve from pose a to pose b; p holds the radius."""
    x, y, phi = relative(a, b, p[0])
    c, s = math.cos(phi), math.sin(phi)
    word[LENGTH] = math.inf
    for k in range(2):
        side = 1.0 - 2.0 * k  # -1: the mirror image, which begins to the right
        other_side(word, x + side * s, side * y - 1.0 - c, side * phi, side)
    for k in range(2):
        side = 1.0 - 2.0 * k
        same_side(word, x - side * s, side * y - 1.0 + c, side * phi, side)
    t, u, v, kind, turn = word[2], word[3], word[4], word[5], word[6] / p[0]
    word[LENGTH] *= p[0]
    word[SEGMENTS] = 3.0
    word[FIRST], word[FIRST + 1] = turn, t * p[0]
    word[FIRST + 2], word[FIRST + 3] = -turn if kind == LRL else 0.0, u * p[0]
    word[FIRST + 4], word[FIRST + 5] = -turn if kind == LSR else turn, v * p[0]


Dubins.curve = dubins
