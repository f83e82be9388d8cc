"""Reeds-Shepp curves: shortest paths of a vehicle that drives forwards and backwards."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ...core.settings import settings
from ...models.trace import driver
from ...models.trace.turns import sine_cosine
from ._angles import TURN, direction, wrapped
from ._curves import CURVE, FIRST, LENGTH, SEGMENTS, Curve, relative

LSL, LSR, LRL, LRLR, ALIKE, LRSL, LRSR, LRSLR = range(8)
TURNS = np.array(
    [
        [1, 0, 1, 0, 0], [1, 0, -1, 0, 0], [1, -1, 1, 0, 0], [1, -1, 1, -1, 0], [1, -1, 1, -1, 0],
        [1, -1, 0, 1, 0], [1, -1, 0, -1, 0], [1, -1, 0, 1, -1],
    ],
    dtype=np.float64,
)  # fmt: skip
"""Left, straight or right, for each segment of a word."""
T, U, MINUS_U, V, BACK = range(5)
WHICH = np.array(
    [
        [T, U, V, T, T], [T, U, V, T, T], [T, U, V, T, T], [T, U, MINUS_U, V, T], [T, U, U, V, T],
        [T, BACK, U, V, T], [T, BACK, U, V, T], [T, BACK, U, BACK, V],
    ]
)  # fmt: skip
"""The length of each segment: t, u, -u, v, or a quarter turn in reverse."""
COUNTS = np.array([3, 3, 3, 4, 4, 4, 4, 5])
ZERO = 1e-10
"""A length so little on the wrong side of zero is rounding."""
SMALL = 1e-7
"""An arc so little on the wrong side of zero, where its sine is, is rounding next to centres that nearly coincide."""
HALF = 0.5 * math.pi
VARIANT = 6
"""Where a word holds how it differs from those below: 1 time reversed, 2 mirrored, 4 read backwards; a sum of them."""


@settings
class ReedsShepp(Curve):
    """Reeds-Shepp curves: shortest paths between poses of a vehicle that drives both ways, with a smallest radius.

    ::

        shortest of 48 words: the eight below, with
            time reversed         (x, y, phi) -> (-x, y, -phi),  all lengths negated
            mirrored              (x, y, phi) -> (x, -y, -phi),  L and R exchanged
            read backwards        (x, y, phi) -> (x cos phi + y sin phi, x sin phi - y cos phi, phi),  order reversed

        L+S+L+  L+S+R+  L+R-L  L+R(u)L(-u)R-  L+R(u)L(u)R+ with u < 0  L+R-(q)S-L-  L+R-(q)S-R-  L+R-(q)S-L-(q)R+
                                                   L, R: arcs of the radius, S: a line, +-: direction, q: a quarter turn

    The length is the same from a to b and from b to a, and satisfies the triangle inequality: it is a metric.

    Attributes:
        radius: smallest turning radius [m].

    Source: J. Reeds, L. Shepp, Optimal paths for a car that goes both forwards and backwards, 1990, section 8,
    equations 8.1 to 8.11.

    Example:
        >>> curve = ReedsShepp(radius=1.0)
        >>> curve.distance([0, 0, 0], [[-3, 0, 0], [0, 1, 0]]).round(3)
        array([3.   , 2.636])
        >>> plan = curve.connect([0, 0, 0], [0, 1, 0])
        >>> plan.us[:, 0]                                     # forwards, backwards twice, forwards
        array([ 1., -1., -1.,  1.])
    """

    reversible: ClassVar[bool] = True


@driver
def upper(tx, ty):
    """The direction of (tx, ty) in [0, pi], where ty is not negative but for rounding, or is -0."""
    return direction(ty, tx) if ty > 0.0 else 0.0 if tx >= 0.0 else math.pi


@driver
def keep(word, kind, variant, t, u, v, total):
    """The best word so far."""
    word[LENGTH], word[2], word[3], word[4], word[5], word[6] = total, t, u, v, kind, variant


@driver
def summed(word, kind, variant, tx, ty, c, s, angle, u, middle, sign):
    """A word whose outer arcs t and w add up to `angle`, a heading with cosine c and sine s; v is w with a sign.

    t is the direction of (tx, ty). Both arcs lie in [0, pi] if their sines are not negative.
    """
    if ty < -ZERO or tx * s - ty * c < -ZERO:
        return
    total = angle if angle > 0.0 else angle + TURN
    if abs(angle) < ZERO:
        total = 0.0 if tx >= 0.0 else TURN
    if middle + total < word[LENGTH]:
        t = upper(tx, ty)
        if t < total + SMALL:
            keep(word, kind, variant, t, u, sign * max(total - t, 0.0), middle + total)


@driver
def differing(word, kind, variant, tx, ty, c, s, angle, u, middle, sign):
    """A word whose outer arcs t and w differ by `angle`, which bounds their sum; otherwise like `summed`."""
    if ty < -ZERO or ty * c - tx * s < -ZERO or middle + abs(angle) >= word[LENGTH]:
        return
    t = upper(tx, ty)
    w = t - angle
    w = w - TURN if w > TURN - HALF else w + TURN if w < -HALF else w
    if w > -SMALL and middle + t + w < word[LENGTH]:
        keep(word, kind, variant, t, u, sign * max(w, 0.0), middle + t + max(w, 0.0))


@driver
def same_line(word, x, y, phi, c, s, variant):
    """L+S+L+, equation 8.1."""
    ex, ey = x - s, y - 1.0 + c
    u = math.sqrt(ex * ex + ey * ey)
    if u < ZERO:
        ex, ey = 1.0, 0.0  # the centres coincide: one arc
    summed(word, LSL, variant, ex, ey, c, s, phi, u, u, 1.0)


@driver
def other_line(word, x, y, phi, c, s, variant):
    """L+S+R+, equation 8.2."""
    ex, ey = x + s, y - 1.0 - c
    square = ex * ex + ey * ey - 4.0
    if square >= 0.0:
        u = math.sqrt(square)
        differing(word, LSR, variant, u * ex - 2.0 * ey, u * ey + 2.0 * ex, c, s, phi, u, u, 1.0)


@driver
def arcs(word, x, y, phi, c, s, variant):
    """L+R-L+ and L+R-L-, equations 8.3 and 8.4; the three arcs turn by phi at least, and ``asin z >= z``."""
    ex, ey = x - s, y - 1.0 + c
    square = ex * ex + ey * ey
    if square > 16.0 or square >= 4.0 * word[LENGTH] * word[LENGTH] or abs(phi) >= word[LENGTH]:
        return
    half = 0.25 * math.sqrt(square)
    across = math.sqrt(1.0 - half * half)
    tx, ty = -ex * across - ey * half, ex * half - ey * across
    if ty < -ZERO:
        return
    u = -2.0 * direction(half, across)
    t = upper(tx, ty)
    v = wrapped(phi - t + u)
    if t - u + abs(v) < word[LENGTH]:
        keep(word, LRL, variant, t, u, v, t - u + abs(v))


@driver
def four_arcs(word, x, y, phi, c, s, variant):
    """L+R+(u)L-(u)R- and L+R-(u)L-(u)R+, equations 8.7 and 8.8; ``acos z >= pi (1 - z) / 2``."""
    ex, ey = x + s, y - 1.0 - c
    square = ex * ex + ey * ey
    if square <= 4.0:
        if variant >= 2:
            return
        z = 0.5 + 0.25 * math.sqrt(square)
        if math.pi * (1.0 - z) >= word[LENGTH]:
            return
        sine = math.sqrt(1.0 - z * z)
        u = direction(sine, z)
        p, q, c2, s2 = sine - 2.0 * z * sine, z - 2.0 * z * z, 2.0 * z * z - 1.0, 2.0 * z * sine
        c, s = c * c2 - s * s2, s * c2 + c * s2
        angle = wrapped(phi + 2.0 * u)
        summed(word, LRLR, variant, ex * p + ey * q, ey * p - ex * q, c, s, angle, u, 2.0 * u, -1.0)
    elif square <= 20.0 and variant >= 2:
        z = (20.0 - square) / 16.0
        if math.pi * (1.0 - z) + abs(phi) >= word[LENGTH]:
            return
        p, q = -math.sqrt(1.0 - z * z), z - 2.0
        u = -direction(-p, z)
        differing(word, ALIKE, variant, ex * p + ey * q, ey * p - ex * q, c, s, phi, u, -2.0 * u, 1.0)


@driver
def quarter(word, x, y, phi, c, s, variant):
    """L+R-(q)S-L- and L+R-(q)S-R-, equations 8.9 and 8.10."""
    ex, ey = x - s, y - 1.0 + c
    square, most = ex * ex + ey * ey, word[LENGTH] + 2.0 - HALF
    if 8.0 <= square < most * most + 4.0:
        r = math.sqrt(square - 4.0)
        tx, ty, turn = -2.0 * ex - r * ey, r * ex - 2.0 * ey, wrapped(phi - HALF)
        differing(word, LRSL, variant, tx, ty, s, -c, turn, 2.0 - r, r - 2.0 + HALF, -1.0)
    ex, ey = x + s, y - 1.0 - c
    square, most = ex * ex + ey * ey, word[LENGTH] + 2.0 - HALF
    if 4.0 <= square < most * most:
        rho = math.sqrt(square)
        summed(word, LRSR, variant, -ey, ex, s, -c, wrapped(phi - HALF), 2.0 - rho, rho - 2.0 + HALF, -1.0)


@driver
def two_quarters(word, x, y, phi, c, s, variant):
    """L+R-(q)S-L-(q)R+, equation 8.11."""
    ex, ey = x + s, y - 1.0 - c
    square = ex * ex + ey * ey
    most = word[LENGTH] + 4.0 - math.pi
    if 20.0 <= square < most * most + 4.0:
        u = 4.0 - math.sqrt(square - 4.0)
        tx, ty = (u - 4.0) * ey - 2.0 * ex, (4.0 - u) * ex - 2.0 * ey
        differing(word, LRSLR, variant, tx, ty, c, s, phi, u, math.pi - u, 1.0)


@driver
def write(word, radius):
    """Write the segments of the best word."""
    t, u, v, kind, variant = word[2], word[3], word[4], int(word[5]), int(word[6])
    gear, side, count = radius * (1.0 - 2.0 * (variant & 1)), (1.0 - (variant & 2)) / radius, COUNTS[kind]
    word[LENGTH] *= radius
    word[SEGMENTS] = count
    for i in range(count):
        k = count - 1 - i if variant & 4 else i
        which = WHICH[kind, k]
        length = t if which == T else u if which == U else -u if which == MINUS_U else v if which == V else -HALF
        word[FIRST + 2 * i] = side * TURNS[kind, k]
        word[FIRST + 2 * i + 1] = gear * length


@driver
def search(word, x, y, phi):
    """Write the shortest word to (x, y, phi).

    Time reversed or mirrored, the goal has x and y of 0 or more; there, only the words asked for can be the shortest.
    """
    flips = (1 if x < 0.0 else 0) + (2 if y < 0.0 else 0)
    s, c = sine_cosine(phi)
    gear, side = 1.0 - 2.0 * (flips & 1), 1.0 - (flips & 2)
    x, y, phi, s = gear * x, side * y, gear * side * phi, gear * side * s
    backward_x, backward_y = x * c + y * s, x * s - y * c
    word[LENGTH] = math.inf
    same_line(word, x, y, phi, c, s, 0)
    other_line(word, x, y, phi, c, s, 0)
    other_line(word, x, -y, -phi, c, -s, 2)
    for variant in range(4):
        gear, side = 1.0 - 2.0 * (variant & 1), 1.0 - (variant & 2)
        u, v, turn, sine = gear * x, side * y, gear * side * phi, gear * side * s
        arcs(word, u, v, turn, c, sine, variant)
        four_arcs(word, u, v, turn, c, sine, variant)
        if variant >= 2:
            quarter(word, u, v, turn, c, sine, variant)
            two_quarters(word, u, v, turn, c, sine, variant)
        if variant & 1:
            arcs(word, gear * backward_x, side * backward_y, turn, c, sine, variant + 4)
            quarter(word, gear * backward_x, side * backward_y, turn, c, sine, variant + 4)
    word[VARIANT] = int(word[VARIANT]) ^ flips


@driver(CURVE)
def reeds_shepp(a, b, _, p, word):
    """The Reeds-Shepp curve from pose a to pose b; p holds the radius."""
    x, y, phi = relative(a[0], a[1], a[2], b[0], b[1], b[2], p[0])
    search(word, x, y, phi)
    write(word, p[0])


@driver(CURVE)
def length(a, b, _, p, word):
    """The length of the Reeds-Shepp curve, without its segments."""
    x, y, phi = relative(a[0], a[1], a[2], b[0], b[1], b[2], p[0])
    search(word, x, y, phi)
    word[LENGTH] *= p[0]


ReedsShepp.curve, ReedsShepp.length = reeds_shepp, length
