"""Sine and cosine as polynomials without branches: loops over many angles become SIMD, unlike with the C library."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .driver import driver


@driver(inline=True)
def quarter_turn(r: Any) -> tuple[Any, Any]:
    """Sine and cosine of an angle r from -pi/4 to pi/4, to the last bit or the one before.

    Source: S. Moshier, Cephes mathematical library, ``sin.c``.
    """
    w = r * r
    s = r + r * w * (
        -1.66666666666666307295e-1
        + w * (8.33333333332211858878e-3 + w * (-1.98412698295895385996e-4
        + w * (2.75573136213857245213e-6 + w * (-2.50507477628578072866e-8 + w * 1.58962301576546568060e-10))))
    )  # fmt: skip
    c = (
        1.0 - 0.5 * w
        + w * w * (4.16666666666665929218e-2 + w * (-1.38888888888730564116e-3 + w * (2.48015872888517045348e-5
        + w * (-2.75573141792967388112e-7 + w * (2.08757008419747316778e-9 + w * -1.13585365213876817300e-11)))))
    )  # fmt: skip
    return s, c


@driver
def sine_cosine(angle: Any) -> tuple[Any, Any]:
    """Sine and cosine of an angle [rad], to 3e-16 for angles up to 1e5 in size; others lose digits."""
    # pi / 2 in three parts, so that the remainder keeps its digits (Cody and Waite).
    quarters = np.floor(angle * (2.0 / math.pi) + 0.5)
    r = ((angle - quarters * 1.570796325802803) - quarters * 9.920935739593517e-10) - quarters * 5.721188726109832e-18
    s, c = quarter_turn(r)
    quarter = quarters - 4.0 * np.floor(0.25 * quarters)
    odd = (quarter == 1.0) | (quarter == 3.0)
    a, b = (c if odd else s), (s if odd else c)
    return (-a if quarter >= 2.0 else a), (-b if (quarter == 1.0) | (quarter == 2.0) else b)
