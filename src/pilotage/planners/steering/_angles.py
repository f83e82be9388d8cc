"""Angles without branches and without the C library, so that loops over many curves become SIMD.

The polynomial of FreeBSD's msun for the arc tangent below 7/16. Errors stay below 5e-16 of the value, or of 1 where the
value is smaller.
"""

from __future__ import annotations

import math

import numpy as np

from ...models.trace import driver

TURN = 2.0 * math.pi


@driver
def direction(y, x):
    """The angle of (x, y) in (-pi, pi], 0 for the origin."""
    across, along = abs(y), abs(x)
    low, high = min(across, along), max(across, along)
    steep = low > 0.41421356237309503 * high  # beyond pi / 8: atan(r) = pi / 4 + atan((r - 1) / (r + 1))
    ratio = (low - high if steep else low) / ((low + high if steep else high) + 1e-300)
    z = ratio * ratio
    w = z * z
    odd = z * (
        3.33333333333329318027e-1
        + w
        * (
            1.42857142725034663711e-1
            + w
            * (
                9.09088713343650656196e-2
                + w * (6.66107313738753120669e-2 + w * (4.97687799461593236017e-2 + w * 1.62858201153657823623e-2))
            )
        )
    )
    even = w * (
        -1.99999999998764832476e-1
        + w
        * (
            -1.11111104054623557880e-1
            + w * (-7.69187620504482999495e-2 + w * (-5.83357013379057348645e-2 + w * -3.65315727442169155270e-2))
        )
    )
    angle = (0.25 * math.pi if steep else 0.0) + (ratio - ratio * (odd + even))
    angle = 0.5 * math.pi - angle if across > along else angle
    angle = math.pi - angle if x < 0.0 else angle
    return -angle if y < 0.0 else angle


@driver
def wrapped(angle):
    """The angle in [-pi, pi]."""
    return angle - TURN * np.floor(angle * (1.0 / TURN) + 0.5)
