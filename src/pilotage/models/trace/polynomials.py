"""Elementary functions of double precision for lanes, as polynomials, quotients and selections.

Cephes (Moshier, "Methods and Programs for Mathematical Functions", 1989), the logarithm of FreeBSD's msun, the sine by
Remez' algorithm over a quarter turn to either side (1.5e-16). Errors stay below 4e-16 of the value, or of 1 where the
value is smaller; sine and cosine keep that for arguments up to 1e5, and are NaN where an argument is too large to have
an angle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .expression import Expr
from .graph import Graph

PI, HALF, QUARTER = 3.141592653589793, 1.5707963267948966, 0.7853981633974483


def horner(w: Expr, *coefficients: float) -> Expr:
    """``c0 + w (c1 + w (c2 + ...))``."""
    total: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = c + w * total
    return total


def half_turns(g: Graph, a: Expr, k: Expr, n: Expr) -> Expr:
    """Sine of ``a - k pi``, with its sign turned where `n` is odd."""
    r = ((a - k * 3.141592502593994) - k * 1.5099578831723193e-07) - k * 1.0780605716316238e-14
    r = g.where(g.node("abs", r) < 2.0, r, math.nan)
    w = r * r
    s = r + r * w * horner(
        w, -0.1666666666666618566, 0.0083333333332854824098, -0.0001984126982503967839, 2.7557316598416328695e-6,
        -2.5051880135151741249e-8, 1.6048090988731414805e-10, -7.3732897230930880699e-13,
    )  # fmt: skip
    return s * (1.0 - 2.0 * (n - 2.0 * g.node("floor", 0.5 * n)))


def sin(g: Graph, a: Expr, sine: Callable[[Graph, Expr, Expr, Expr], Expr] = half_turns) -> Expr:
    """Sine, by `half_turns` of a precision."""
    k = g.node("floor", a * 0.3183098861837907 + 0.5)
    return sine(g, a, k, k)


def cos(g: Graph, a: Expr, sine: Callable[[Graph, Expr, Expr, Expr], Expr] = half_turns) -> Expr:
    """Cosine: the sine of a quarter turn more, taken off in the reduction, since a + pi/2 would round."""
    k = g.node("floor", a * 0.3183098861837907) + 0.5
    return sine(g, a, k, k + 0.5)


def exp(g: Graph, a: Expr) -> Expr:
    """Exponential; infinite above 709.4, zero below -708."""
    x = g.where(a < 709.4, a, 709.4)
    x = g.where(x > -708.0, x, -708.0)
    k, p, q = exponential(g, x)
    y = (1.0 + 2.0 * p / (q - p)) * g.raw("power_of_two", k)
    y = g.where(a <= 709.4, y, a * math.inf)
    return g.where(a < -708.0, 0.0, y)


def exponential(g: Graph, x: Expr) -> tuple[Expr, Expr, Expr]:
    """k, p and q of ``exp(x) = 2^k (q + p) / (q - p)``."""
    k = g.node("floor", x * 1.4426950408889634 + 0.5)
    x = (x - k * 6.93145751953125e-1) - k * 1.42860682030941723212e-6
    w = x * x
    p = x * horner(w, 9.99999999999999999910e-1, 3.02994407707441961300e-2, 1.26177193074810590878e-4)
    q = horner(
        w, 2.0, 2.27265548208155028766e-1, 2.52448340349684104192e-3, 3.00198505138664455042e-6
    )  # Cephes' 2.00000000000000000009 is 2 in double precision
    return k, p, q


def log(g: Graph, a: Expr) -> Expr:
    """Natural logarithm of a normal number; -inf at 0, NaN below."""
    k, f = g.raw("exponent", a), g.raw("mantissa", a)
    large = f > 1.4142135623730951
    k = g.where(large, k + 1.0, k)
    f = g.where(large, 0.5 * f, f) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    r = w * horner(w, 3.999999999940941908e-1, 2.222219843214978396e-1, 1.531383769920937332e-1) + z * horner(
        w, 6.666666666666735130e-1, 2.857142874366239149e-1, 1.818357216161805012e-1, 1.479819860511658591e-1
    )
    h = 0.5 * f * f
    y = k * 6.93147180369123816490e-1 - ((h - (s * (h + r) + k * 1.90821492927058770002e-10)) - f)
    y = g.where(a < math.inf, y, a)
    y = g.where(a > 0.0, y, -math.inf)
    return g.where(a >= 0.0, y, math.nan)


def atan2(g: Graph, y: Expr, x: Expr) -> Expr:
    """Angle of the point (x, y); the sign of zero is not looked at; NaN for two infinities."""
    u, v = g.node("abs", x), g.node("abs", y)
    steep = v > u
    small, large = g.where(steep, u, v), g.where(steep, v, u)
    t = small / g.where(large != 0.0, large, 1.0)  # a NaN among the two comes through
    half = t > 0.41421356237309503
    t = g.where(half, (t - 1.0) / (t + 1.0), t)
    w = t * t
    p = horner(
        w, -6.485021904942025371773e1, -1.228866684490136173410e2, -7.500855792314704667340e1,
        -1.615753718733365076637e1, -8.750608600031904122785e-1,
    )  # fmt: skip
    q = horner(
        w, 1.945506571482613964425e2, 4.853903996359136964868e2, 4.328810604912902668951e2,
        1.650270098316988542046e2, 2.485846490142306297962e1, 1.0,
    )  # fmt: skip
    r = t + t * w * p / q
    r = g.where(half, r + QUARTER, r)
    r = g.where(steep, HALF - r, r)
    r = g.where(x < 0.0, PI - r, r)
    return g.where(y < 0.0, -r, r)


def tanh(g: Graph, a: Expr) -> Expr:
    """Hyperbolic tangent ``(e - 1) / (e + 1)`` of ``e = exp(2 |a|)``, in one division and without cancellation."""
    size = g.node("abs", a)
    k, p, q = exponential(g, 2.0 * g.where(size > 22.0, 22.0, size))
    e = g.raw("power_of_two", k)
    r = (q * (e - 1.0) + p * (e + 1.0)) / (q * (e + 1.0) + p * (e - 1.0))
    return g.where(a < 0.0, -r, r)


def sinh(g: Graph, a: Expr) -> Expr:
    """Hyperbolic sine."""
    w = a * a
    p = horner(
        w, -3.51754964808151394800e5, -1.15614435765005216044e4, -1.63725857525983828727e2, -7.89474443963537015605e-1
    )
    q = horner(w, -2.11052978884890840399e6, 3.61578279834431989373e4, -2.77711081420602794433e2, 1.0)
    size = g.node("abs", a)
    e = exp(g, size)
    far = 0.5 * e - 0.5 / e
    return g.where(size > 1.0, g.where(a < 0.0, -far, far), a + a * w * p / q)


def cosh(g: Graph, a: Expr) -> Expr:
    """Hyperbolic cosine."""
    e = exp(g, g.node("abs", a))
    return 0.5 * e + 0.5 / e


def remainder(g: Graph, a: Expr, b: Expr) -> Expr:
    """`floored` for quotients up to 1e15."""
    r = a - b * g.node("floor", a / b)
    return g.where(r * b < 0.0, r + b, r)  # the quotient may have rounded up to a whole number


def leg(g: Graph, a: Expr) -> Expr:
    """``sqrt(1 - a^2)``."""
    return g.node("sqrt", (1.0 - a) * (1.0 + a))


RULES: dict[str, Callable[[Graph, Expr, list[Expr]], Expr]] = {
    "sin": lambda g, e, a: sin(g, a[0]),
    "cos": lambda g, e, a: cos(g, a[0]),
    "tan": lambda g, e, a: sin(g, a[0]) / cos(g, a[0]),
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
}
"""`hypot` holds for lengths from 1e-150 to 1e150."""
