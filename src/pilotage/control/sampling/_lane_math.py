"""Elementary functions for loops over lanes: polynomials and selections without branches, which become SIMD.

The C library's functions stay scalar inside a loop, and so do conversions between float and integer on many processors;
bits of a float are therefore read and made by `view`. Polynomials of Cephes (Moshier, "Methods and Programs for
Mathematical Functions", 1989), the logarithm of FreeBSD's msun. Errors stay below 4e-16 of the value, or of 1 where
the value is smaller. Functions named `short` are of single precision, with the polynomials of `short_polynomials`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...models.trace import driver
from ...models.trace.turns import quarter_turn

TO_UNIT = 2.0**-32
short = np.float32


@driver
def lane_float(word: int) -> float:
    """A whole number from 0 to 2^52 as a float."""
    return np.int64(word | 0x4330000000000000).view(np.float64) - 4503599627370496.0  # set into the mantissa of 2^52


@driver
def lane_radius(word: int) -> float:
    """``sqrt(-2 log u)``, for u = (word + 1/2) / 2^32: the length of two normal numbers."""
    return math.sqrt(-2.0 * lane_log((lane_float(word) + 0.5) * TO_UNIT))


@driver
def lane_turn(word: int) -> tuple[float, float]:
    """Sine and cosine of ``2 pi word / 2^32``."""
    quarter = (word + 0x20000000) >> 30
    r = (lane_float((word + 0x20000000) & 0x3FFFFFFF) - 536870912.0) * 1.4629180792671596e-09
    s, c = quarter_turn(r)
    odd = (quarter & 1) == 1
    a = c if odd else s
    b = s if odd else c
    # The signs of the quarters, set as bits.
    a = np.int64(np.float64(a).view(np.int64) ^ ((quarter & 2) << 62)).view(np.float64)
    b = np.int64(np.float64(b).view(np.int64) ^ (((quarter + 1) & 2) << 62)).view(np.float64)
    return a, b


@driver
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


@driver
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


@driver
def short_radius(word: Any) -> Any:
    """`lane_radius` of the first 23 bits of the word."""
    u = np.int32(((word >> 9) & 0x007FFFFF) | 0x3F800000).view(np.float32) - short(
        1.0 - 2.0**-24
    )  # set into the mantissa of 1
    bits = short(u).view(np.int32)
    k = np.int32((bits >> 23) | 0x4B000000).view(np.float32) - short(8388735.0)
    f = np.int32((bits & 0x007FFFFF) | 0x3F800000).view(np.float32)
    large = f > short(1.4142135623730951)
    k = k + short(1.0) if large else k
    f = (short(0.5) * f if large else f) - short(1.0)
    w = f * f
    p = short(0.142017579991) + f * (short(-0.131601823963) + f * (short(0.127615770451) + f * short(-0.076344965272)))
    p = short(0.333333317077) + f * (
        short(-0.250008210343) + f * (short(0.200012268764) + f * (short(-0.166233573436) + f * p))
    )
    y = f * w * p - k * short(2.12194440054690583e-4) - short(0.5) * w
    return np.sqrt(short(-2.0) * (k * short(0.693359375) + (f + y)))


@driver
def short_turn(word: Any) -> tuple[Any, Any]:
    """`lane_turn` of the first 25 bits of the word."""
    moved = word + 0x20000000
    quarter = (moved >> 30) & 3
    r = np.int32(((moved & 0x3FFFFFFF) >> 7) | 0x3F800000).view(np.float32) - short(1.5)
    r = r * short(1.5707963267948966)
    w = r * r
    s = r + r * w * (short(-0.166666545731) + w * (short(0.00833215841) + w * short(-0.000195149577)))
    c = short(4.166662021518e-2) + w * (short(-1.388667716039e-3) + w * short(2.438314472396e-5))
    c = short(1.0) + w * (short(-4.999999969322e-1) + w * c)
    odd = (quarter & 1) == 1
    a = c if odd else s
    b = s if odd else c
    a = -a if quarter >= 2 else a
    return a, -b if (quarter == 1) | (quarter == 2) else b
