"""Confidence intervals, and that of a share."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, NamedTuple

from .settings import Interval as Range
from .settings import setting, whole

Share = Annotated[float, Range(0.0, 1.0, "()")]


class Interval(NamedTuple):
    """An estimate with a confidence interval."""

    low: float
    value: float
    high: float

    def __str__(self) -> str:
        return "-" if math.isnan(self.value) else f"{self.value:.4g} {self.bounds}"

    @property
    def bounds(self) -> str:
        """The bounds as text; "-" where one value, or none, gives no interval."""
        return f"[{self.low:.4g}, {self.high:.4g}]" if math.isfinite(self.high - self.low) else "-"


def wilson(count: int, of: int, level: float = 0.95) -> Interval:
    """Wilson confidence interval of a share.

    ::

        (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
        p = count / n,  z = Phi^-1((1 + level) / 2)

    Args:
        count: number of cases.
        of: number of trials n; 0 gives the interval from 0 to 1.
        level: confidence.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Example:
        >>> print(wilson(0, 30))
        0 [0, 0.1135]
    """
    n, k = whole(of, "of", 0), whole(count, "count", 0, of)
    if n == 0:
        return Interval(0.0, math.nan, 1.0)
    p, z = k / n, normal_quantile((1.0 + setting(level, Share, "level")) / 2.0)
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1.0 - p) / n + (z / (2 * n)) ** 2)
    low, high = ((middle + sign * half) / (1.0 + z * z / n) for sign in (-1.0, 1.0))
    return Interval(max(low, 0.0) if k else 0.0, p, min(high, 1.0) if k < n else 1.0)


def normal_quantile(p: float) -> float:
    """The quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(p)
