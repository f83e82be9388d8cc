"""Statistics of benchmark rows: intervals, tails, paired differences, and the number of seeds that a verdict needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..core.arrays import Array, numbers
from ..core.confidence import Interval, Share, normal_quantile
from ..core.confidence import wilson as wilson
from ..core.errors import ShapeError
from ..core.settings import setting, whole
from ..core.streams import Rng, generator

Method = Literal["bca", "percentile"]
Statistic = Callable[..., Any]


def bootstrap(
    values: ArrayLike,
    statistic: Statistic = np.mean,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    method: Method = "bca",
    rng: Rng = 0,
) -> Interval:
    """Bootstrap confidence interval of a statistic.

    ::

        s* = statistic of n values drawn with replacement              resamples times
        percentile:  quantiles of s* at a = (1 - level) / 2 and 1 - a
        BCa:         at Phi(z0 + (z0 + z) / (1 - c (z0 + z))),  z = Phi^-1(a), Phi^-1(1 - a)
                     z0 = Phi^-1(share of s* < s),  c = sum d^3 / (6 (sum d^2)^1.5),  d = mean(s_(i)) - s_(i),
                     s_(i) the statistic without value i

    Args:
        values: n numbers ``(n,)``.
        statistic: function of values and `axis`, such as `numpy.mean` or `numpy.median`.
        level: confidence.
        resamples: number of resamples.
        method: "bca", which corrects bias and skewness, or "percentile".
        rng: seed or generator of the resamples.

    Returns:
        The interval; infinite if there is only one value.

    Source: Efron, "Better bootstrap confidence intervals", JASA 82 (1987).

    Example:
        >>> bootstrap([1.0, 2.0, 3.0, 4.0, 5.0]).value
        3.0
    """
    x, alpha = _sample(values), (1.0 - setting(level, Share, "level")) / 2.0
    whole(resamples, "resamples")
    bca = setting(method, Method, "method") == "bca"
    found = float(statistic(x, axis=-1))
    if len(x) < 2:
        return Interval(-math.inf, found, math.inf)
    if np.ptp(x) == 0.0:
        return Interval(found, found, found)
    drawn = statistic(x[generator(rng).integers(len(x), size=(resamples, len(x)))], axis=-1)
    tails = np.array([alpha, 1.0 - alpha])
    low, high = np.quantile(drawn, _corrected(x, statistic, drawn, found, tails) if bca else tails)
    return Interval(float(low), found, float(high))


def _corrected(x: Array, statistic: Statistic, drawn: Array, found: float, tails: Array) -> Array:
    """The quantiles that BCa reads instead of `tails`."""
    from scipy.special import ndtr, ndtri

    without = statistic(np.stack([np.delete(x, i) for i in range(len(x))]), axis=-1)
    d = without.mean() - without
    spread = 6.0 * (d @ d) ** 1.5
    c = (d**3).sum() / spread if spread > 0.0 else 0.0
    below = ((drawn < found).mean() + (drawn <= found).mean()) / 2.0
    z0 = ndtri(np.clip(below, 1.0 / len(drawn), 1.0 - 1.0 / len(drawn)))
    z = z0 + ndtri(tails)
    return ndtr(z0 + z / (1.0 - c * z))


def cvar(values: ArrayLike, share: float = 0.1) -> float:
    """Conditional value at risk: the mean of the worst (largest) `share` of the values.

    ::

        (sum of the k largest + (share n - k) times the next) / (share n),      k = floor(share n)

    Source: Rockafellar and Uryasev, "Conditional value-at-risk for general loss distributions" (2002), section 4.

    Example:
        >>> cvar([1.0, 2.0, 3.0, 4.0], share=0.5)
        3.5
    """
    x = np.sort(_sample(values))[::-1]
    mass = np.clip(setting(share, Share, "share") * len(x) - np.arange(len(x)), 0.0, 1.0)
    return float(x[mass > 0.0] @ mass[mass > 0.0] / mass.sum())


@dataclass(frozen=True)
class Paired:
    """A paired comparison of two controllers on the same seeds.

    Attributes:
        difference: mean of ``a - b`` with its confidence interval; negative if a is better.
        seeds: number of seeds on which both finished.
        wins: number of seeds on which a costs less.
        more: number of further seeds that would separate the two; 0 if they are separated, None if the difference is
            exactly zero, so that no number would.

    Example:
        >>> print(paired([1.0, 2.0], [2.0, 3.0]))
        -1 [-1, -1]
    """

    difference: Interval
    seeds: int
    wins: int
    more: int | None

    @property
    def separated(self) -> bool:
        """Whether the confidence interval of the difference excludes zero."""
        return self.difference.low > 0.0 or self.difference.high < 0.0

    def __str__(self) -> str:
        if self.separated:
            return f"{self.difference}"
        need = "they are equal" if self.more is None else f"needs {self.more} more seeds to separate them"
        return f"{self.difference}; {need}"


def paired(a: ArrayLike, b: ArrayLike, *, level: float = 0.95, power: float = 0.8, rng: Rng = 0) -> Paired:
    """Paired comparison of the costs of two controllers; pairs in which one failed (not finite) are left out.

    ::

        d = a - b,      n = ((Phi^-1((1 + level) / 2) + Phi^-1(power)) std(d) / mean(d))^2  seeds separate them

    Args:
        a, b: costs ``(n,)`` on the same seeds, infinite where a run failed.
        level: confidence of the interval and of the verdict.
        power: probability with which `n` seeds separate them, if the difference is as measured.
        rng: seed or generator of the bootstrap.

    Example:
        >>> result = paired([1.0, 2.1, 2.9, 4.0], [2.0, 3.0, 4.0, 5.1])
        >>> result.wins, result.separated, result.more
        (4, True, 0)
    """
    x, y = numbers(a, "a"), numbers(b, "b")
    if x.shape != y.shape or x.ndim != 1:
        raise ShapeError(f"a and b have shapes {x.shape} and {y.shape}; expected the costs of the same seeds")
    both = np.isfinite(x) & np.isfinite(y)
    d = x[both] - y[both]
    if not len(d):
        return Paired(Interval(-math.inf, math.nan, math.inf), 0, 0, None)
    found = bootstrap(d, level=level, rng=rng)
    result = Paired(found, len(d), int((d < 0.0).sum()), 0)
    return result if result.separated else Paired(found, result.seeds, result.wins, more_seeds(d, level, power))


def more_seeds(d: ArrayLike, level: float = 0.95, power: float = 0.8) -> int | None:
    """The further seeds that separate two controllers with paired differences `d`; at least 1, None if d is zero.

    Example:
        >>> more_seeds([3.0, -1.0, 2.0, -2.0])
        174
    """
    x = _sample(d)
    mean = float(x.mean())
    if mean == 0.0:
        return None
    z = normal_quantile((1.0 + setting(level, Share, "level")) / 2.0) + normal_quantile(setting(power, Share, "power"))
    std = float(x.std(ddof=1)) if len(x) > 1 else abs(mean)
    return max(math.ceil((z * std / mean) ** 2) - len(x), 1)


def _sample(values: ArrayLike) -> Array:
    x = numbers(values, "values")
    if x.ndim != 1 or not len(x) or np.isnan(x).any():
        raise ShapeError(f"values have shape {x.shape}; expected one number or more (n,), none of them NaN")
    return x
