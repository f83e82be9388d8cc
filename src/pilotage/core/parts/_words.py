"""Numbers in words."""

from __future__ import annotations

import math


def scalar(value: float, std: float, unit: str) -> tuple[float, float, str]:
    """Value, deviation and unit as people read them: angles in degrees."""
    if unit == "rad" or unit.startswith("rad/"):
        return math.degrees(value), math.degrees(std), "deg" + unit[3:]
    return float(value), float(std), unit


def rounded(value: float, std: float) -> str:
    """`value` to the second significant digit of its standard deviation.

    Example:
        >>> rounded(0.31415, 0.042)
        '0.314'
    """
    if not math.isfinite(std) or std <= 0.0:
        return f"{value:.3g}"
    decimals = 1 - math.floor(math.log10(std))
    return f"{value:.{min(max(decimals, 0), 12)}f}"


def short(value: float) -> str:
    """A number as it is written in a declaration: without ``.0``."""
    return repr(float(value)).removesuffix(".0")
