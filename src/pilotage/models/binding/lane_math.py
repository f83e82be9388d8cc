"""Functions for vectorised loops: polynomials and selections without branches, which the compiler turns into SIMD.

libm's functions stay scalar inside a loop, and so do conversions between float and integer on many processors; bits of
a float are therefore read and made by `view`. Minimax polynomials of Cephes (Moshier, "Methods and Programs for
Mathematical Functions", 1989), for the logarithm of FreeBSD's msun, for the sine by Remez' algorithm over a quarter
turn to either side (1.5e-16). Errors stay below 4e-16 of the value, or of 1 where the value is smaller; sine and cosine
keep that for arguments up to 1e5, and are NaN where an argument is too large to have an angle. The functions are copied
into generated files, and compiled there without reordering of sums, on which the reduction of arguments depends.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def lane_sin(a: float) -> float:
    """Sine."""
    k = np.floor(a * 0.3183098861837907 + 0.5)
    r = ((a - k * 3.141592502593994) - k * 1.5099578831723193e-07) - k * 1.0780605716316238e-14
    r = r if math.fabs(r) < 2.0 else math.nan
    w = r * r
    s = r + r * w * (
        -0.1666666666666618566
        + w * (0.0083333333332854824098 + w * (-0.0001984126982503967839 + w * (2.7557316598416328695e-6
        + w * (-2.5051880135151741249e-8 + w * (1.6048090988731414805e-10 + w * -7.3732897230930880699e-13)))))
    )  # fmt: skip
    return s * (1.0 - 2.0 * (k - 2.0 * np.floor(0.5 * k)))


def lane_cos(a: float) -> float:
    """Cosine."""
    # The sine of a quarter turn more, which is taken off in the reduction: a + pi/2 would round.
    k = np.floor(a * 0.3183098861837907) + 0.5
    r = ((a - k * 3.141592502593994) - k * 1.5099578831723193e-07) - k * 1.0780605716316238e-14
    r = r if math.fabs(r) < 2.0 else math.nan
    w = r * r
    s = r + r * w * (
        -0.1666666666666618566
        + w * (0.0083333333332854824098 + w * (-0.0001984126982503967839 + w * (2.7557316598416328695e-6
        + w * (-2.5051880135151741249e-8 + w * (1.6048090988731414805e-10 + w * -7.3732897230930880699e-13)))))
    )  # fmt: skip
    n = k + 0.5
    return s * (1.0 - 2.0 * (n - 2.0 * np.floor(0.5 * n)))


def lane_tan(a: float) -> float:
    """Tangent."""
    return lane_sin(a) / lane_cos(a)


def lane_exp(a: float) -> float:
    """Exponential; infinite above 709.4, zero below -708."""
    x = a if a < 709.4 else 709.4
    x = x if x > -708.0 else -708.0
    k = np.floor(x * 1.4426950408889634 + 0.5)
    x = (x - k * 6.93145751953125e-1) - k * 1.42860682030941723212e-6
    w = x * x
    p = x * (9.99999999999999999910e-1 + w * (3.02994407707441961300e-2 + w * 1.26177193074810590878e-4))
    q = 2.0 + w * (2.27265548208155028766e-1 + w * (2.52448340349684104192e-3 + w * 3.00198505138664455042e-6))
    # Added to 1.5 * 2^52 a whole number stands in the low bits of the sum; moved up it is the exponent of 2^k.
    power = np.int64(np.float64(k + 6755399441056767.0).view(np.int64) << 52).view(np.float64)
    y = (1.0 + 2.0 * p / (q - p)) * power
    y = y if a <= 709.4 else a * math.inf
    return y if not a < -708.0 else 0.0


def lane_log(a: float) -> float:
    """Natural logarithm of a normal number; -inf at 0, NaN below."""
    bits = np.float64(a).view(np.int64)
    # The exponent's bits, set into the mantissa of 2^52, are a float 2^52 larger than the exponent.
    k = np.int64((bits >> 52) | 0x4330000000000000).view(np.float64) - 4503599627371519.0
    f = np.int64((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)
    large = f > 1.4142135623730951
    k = k + 1.0 if large else k
    f = (0.5 * f if large else f) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    r = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1)) + z * (
        6.666666666666735130e-1
        + w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1))
    )
    h = 0.5 * f * f
    y = k * 6.93147180369123816490e-1 - ((h - (s * (h + r) + k * 1.90821492927058770002e-10)) - f)
    y = y if a < math.inf else a
    y = y if a > 0.0 else -math.inf
    return y if a >= 0.0 else math.nan


def lane_atan2(y: float, x: float) -> float:
    """Angle of the point (x, y); the sign of zero is not looked at; NaN for two infinities."""
    u = math.fabs(x)
    v = math.fabs(y)
    steep = v > u
    small = u if steep else v
    large = v if steep else u
    t = small / (large if large != 0.0 else 1.0)  # a NaN among the two comes through
    half = t > 0.41421356237309503
    t = (t - 1.0) / (t + 1.0) if half else t
    w = t * t
    p = -6.485021904942025371773e1 + w * (
        -1.228866684490136173410e2
        + w * (-7.500855792314704667340e1 + w * (-1.615753718733365076637e1 + w * -8.750608600031904122785e-1))
    )
    q = 1.945506571482613964425e2 + w * (
        4.853903996359136964868e2
        + w * (4.328810604912902668951e2 + w * (1.650270098316988542046e2 + w * (2.485846490142306297962e1 + w)))
    )
    r = t + t * w * p / q
    r = r + 0.7853981633974483 if half else r
    r = 1.5707963267948966 - r if steep else r
    r = 3.141592653589793 - r if x < 0.0 else r
    return -r if y < 0.0 else r


def lane_atan(a: float) -> float:
    """Inverse tangent."""
    return lane_atan2(a, 1.0)


def lane_asin(a: float) -> float:
    """Inverse sine."""
    return lane_atan2(a, math.sqrt((1.0 - a) * (1.0 + a)))


def lane_acos(a: float) -> float:
    """Inverse cosine."""
    return lane_atan2(math.sqrt((1.0 - a) * (1.0 + a)), a)


def lane_tanh(a: float) -> float:
    """Hyperbolic tangent."""
    w = a * a
    p = -1.61468768441708447952e3 + w * (-9.92877231001918586564e1 + w * -9.64399179425052238628e-1)
    q = 4.84406305325125486048e3 + w * (2.23548839060100448583e3 + w * (1.12811678491632931402e2 + w))
    near = a + a * w * p / q
    far = 1.0 - 2.0 / (lane_exp(2.0 * math.fabs(a)) + 1.0)
    far = -far if a < 0.0 else far
    return far if math.fabs(a) > 0.625 else near


def lane_sinh(a: float) -> float:
    """Hyperbolic sine."""
    w = a * a
    p = -3.51754964808151394800e5 + w * (
        -1.15614435765005216044e4 + w * (-1.63725857525983828727e2 + w * -7.89474443963537015605e-1)
    )
    q = -2.11052978884890840399e6 + w * (3.61578279834431989373e4 + w * (-2.77711081420602794433e2 + w))
    near = a + a * w * p / q
    e = lane_exp(math.fabs(a))
    far = 0.5 * e - 0.5 / e
    far = -far if a < 0.0 else far
    return far if math.fabs(a) > 1.0 else near


def lane_cosh(a: float) -> float:
    """Hyperbolic cosine."""
    e = lane_exp(math.fabs(a))
    return 0.5 * e + 0.5 / e


def lane_hypot(x: float, y: float) -> float:
    """Length of (x, y), for lengths from 1e-150 to 1e150."""
    return math.sqrt(x * x + y * y)


def lane_wrap(a: float) -> float:
    """Angle in (-pi, pi]."""
    r = a - 6.283185307179586 * np.ceil((a - 3.141592653589793) * 0.15915494309189535)
    # Rounding of the quotient may leave r on -pi, or one ulp above pi; beyond 1e15 nothing is left of an angle.
    r = 3.141592653589793 if r <= -3.141592653589793 else r
    return 3.141592653589793 if r > 3.141592653589793 else r


def lane_mod(a: float, b: float) -> float:
    """What `a` leaves when divided by `b`, with the sign of `b`; for quotients up to 1e15."""
    r = a - b * np.floor(a / b)
    return r + b if r * b < 0.0 else r  # the quotient may have rounded up to a whole number


def lane_floor(a: float) -> float:
    """Largest whole number not above `a`."""
    return np.floor(a)


def lane_along(dx: float, dy: float, c: float, s: float, scale: float, count: float) -> float:
    """Coordinate along one axis of a raster, in cells from the centre of the first, kept inside; NaN for NaN."""
    a = (c * dx + s * dy) * scale - 0.5
    a = 0.0 if a < 0.0 else a
    return count - 1.0 if a > count - 1.0 else a


def lane_cell(a: float, count: float) -> float:
    """Cell centre at or before the coordinate `a` that has a next one (where there are two at all); some for NaN."""
    a = a if a < count - 2.0 else count - 2.0
    return np.floor(a if a > 0.0 else 0.0)


def lane_bilinear(p: Any, k: float, a: float, b: float, right: int, up: int) -> float:
    """Value between four cells of a raster, of which the first lies at ``p[k]``."""
    n = int(k)
    low = p[n] + a * (p[n + right] - p[n])
    high = p[n + up] + a * (p[n + up + right] - p[n + up])
    return low + b * (high - low)
