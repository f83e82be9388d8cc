"""Elementary functions of single precision for lanes: `polynomials` with fewer terms, and without most quotients.

The polynomials are of least relative error over their interval, found by Lawson's iteration; reductions are those of
Cephes. Errors stay below 3e-7 of the value, or of 1 where the value is smaller, which is a few units in the last place;
sine, cosine and tangent keep that for arguments up to 1e4, and are NaN where an argument is too large to have an angle.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from . import polynomials
from .expression import Expr
from .graph import Graph
from .polynomials import HALF, PI, horner, leg, remainder

LEAST = 1.1754943508222875e-38
"""The least normal number of single precision."""


def less(a: Expr, k: Expr, turns: float) -> Expr:
    """``a - k pi turns`` for a whole number k, with pi in three parts so that the difference keeps its digits."""
    r = (a - k * (3.140625 * turns)) - k * (9.67502593994140625e-4 * turns)
    return r - k * (1.509957990978376432e-7 * turns)


def angle(g: Graph, r: Expr) -> Expr:
    """r, or NaN where it is larger than what a reduction leaves."""
    return g.where(g.node("abs", r) < 2.0, r, math.nan)


def half_turns(g: Graph, a: Expr, k: Expr, n: Expr) -> Expr:
    """Sine of ``a - k pi``, with its sign turned where `n` is odd."""
    r = angle(g, less(a, k, 1.0))
    w = r * r
    s = r + r * w * horner(w, -1.666665952117e-1, 8.333065429965e-3, -1.980953897354e-4, 2.605631141233e-6)
    return s * (1.0 - 2.0 * (n - 2.0 * g.node("floor", 0.5 * n)))


def sin(g: Graph, a: Expr) -> Expr:
    """Sine."""
    return polynomials.sin(g, a, half_turns)


def cos(g: Graph, a: Expr) -> Expr:
    """Cosine."""
    return polynomials.cos(g, a, half_turns)


def tan(g: Graph, a: Expr) -> Expr:
    """Tangent of what is left of quarter turns, or its negative inverse."""
    k = g.node("floor", a * 0.6366197723675814 + 0.5)
    r = angle(g, less(a, k, 0.5))
    w = r * r
    t = r + r * w * horner(
        w, 0.333331555661, 0.133388335657, 0.05340839313, 0.024440640274, 0.003102768998, 0.009395725726
    )
    even = k - 2.0 * g.node("floor", 0.5 * k) < 0.5
    return g.where(even, t, -1.0 / t)


def exp(g: Graph, a: Expr) -> Expr:
    """Exponential; infinite above 88.37, zero below -87.3."""
    x = g.where(a < 88.37, a, 88.37)
    x = g.where(x > -87.3, x, -87.3)
    k = g.node("floor", x * 1.4426950408889634 + 0.5)
    r = (x - k * 0.693359375) + k * 2.12194440054690583e-4
    e = r + r * r * horner(r, 0.499999934125, 0.166665201077, 0.041668394215, 0.008368780419, 0.001381446685)
    y = (1.0 + e) * g.raw("power_of_two", k)
    y = g.where(a <= 88.37, y, a * math.inf)
    return g.where(a < -87.3, 0.0, y)


def log(g: Graph, a: Expr) -> Expr:
    """Natural logarithm; -inf at 0, NaN below."""
    tiny = a < LEAST
    x = g.where(tiny, a * 2.0**24, a)
    k, f = g.raw("exponent", x), g.raw("mantissa", x)
    k = g.where(tiny, k - 24.0, k)
    large = f > 1.4142135623730951
    k = g.where(large, k + 1.0, k)
    f = g.where(large, 0.5 * f, f) - 1.0
    w = f * f
    y = f * w * horner(
        f, 0.333333317077, -0.250008210343, 0.200012268764, -0.166233573436, 0.142017579991, -0.131601823963,
        0.127615770451, -0.076344965272,
    )  # fmt: skip
    y = k * 0.693359375 + (f + ((y - k * 2.12194440054690583e-4) - 0.5 * w))
    y = g.where(a < math.inf, y, a)
    y = g.where(a > 0.0, y, -math.inf)
    return g.where(a >= 0.0, y, math.nan)


def atan2(g: Graph, y: Expr, x: Expr) -> Expr:
    """Angle of the point (x, y); the sign of zero is not looked at; NaN for two infinities."""
    u, v = g.node("abs", x), g.node("abs", y)
    steep = v > u
    small, large = g.where(steep, u, v), g.where(steep, v, u)
    t = small / g.where(large != 0.0, large, 1.0)  # a NaN among the two comes through
    w = t * t
    r = t + t * w * horner(
        w, -0.333331527358, 0.199937728292, -0.142110552703, 0.106660045175, -0.075522140468, 0.043211858183,
        -0.016367926478, 0.002920691869,
    )  # fmt: skip
    r = g.where(steep, HALF - r, r)
    r = g.where(x < 0.0, PI - r, r)
    return g.where(y < 0.0, -r, r)


def tanh(g: Graph, a: Expr) -> Expr:
    """Hyperbolic tangent, as one quotient of polynomials; beyond 9 it is cut off at 1."""
    w = a * a
    w = g.where(w > 81.2, 81.2, w)
    p = horner(w, 9.999999792065e-1, 1.338029951678e-1, 3.494725448408e-3, 2.059486399803e-5, 1.333488897446e-8)
    q = horner(w, 1.0, 4.671361491283e-1, 2.587370109424e-2, 3.284223198587e-4, 7.768482506470e-7)
    t = a * p / q
    t = g.where(t > 1.0, 1.0, t)
    return g.where(t < -1.0, -1.0, t)


def sinh(g: Graph, a: Expr) -> Expr:
    """Hyperbolic sine."""
    w = a * a
    size = g.node("abs", a)
    e = exp(g, size)
    far = 0.5 * e - 0.5 / e
    near = a + a * w * horner(w, 0.166667161694, 0.008330277634, 0.000203727269)
    return g.where(size > 1.0, g.where(a < 0.0, -far, far), near)


def cosh(g: Graph, a: Expr) -> Expr:
    """Hyperbolic cosine."""
    e = exp(g, g.node("abs", a))
    return 0.5 * e + 0.5 / e


def wrap(g: Graph, a: Expr) -> Expr:
    """Angle in (-pi, pi]."""
    r = less(a, -g.node("floor", (PI - a) * 0.15915494309189535), 2.0)
    # The quotient is rounded more coarsely than the remainder, so that a whole turn may be left over.
    r = g.where(r > PI, r - 2.0 * PI, g.where(r <= -PI, r + 2.0 * PI, r))
    return g.where((r <= -PI) | (r > PI), PI, r)  # beyond 1e7 nothing is left of an angle


RULES: dict[str, Callable[[Graph, Expr, list[Expr]], Expr]] = {
    "sin": lambda g, e, a: sin(g, a[0]),
    "cos": lambda g, e, a: cos(g, a[0]),
    "tan": lambda g, e, a: tan(g, a[0]),
    "exp": lambda g, e, a: exp(g, a[0]),
    "log": lambda g, e, a: log(g, a[0]),
    "atan2": lambda g, e, a: atan2(g, *a),
    "atan": lambda g, e, a: atan2(g, a[0], g.one),
    "asin": lambda g, e, a: atan2(g, a[0], leg(g, a[0])),
    "acos": lambda g, e, a: atan2(g, leg(g, a[0]), a[0]),
    "tanh": lambda g, e, a: tanh(g, a[0]),
    "sinh": lambda g, e, a: sinh(g, a[0]),
    "cosh": lambda g, e, a: cosh(g, a[0]),
    "hypot": lambda g, e, a: g.node("sqrt", a[0] * a[0] + a[1] * a[1]),
    "mod": lambda g, e, a: remainder(g, *a),
    "wrap": lambda g, e, a: wrap(g, a[0]),
}
"""`hypot` holds for lengths from 1e-18 to 1e18."""
