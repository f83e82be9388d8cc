"""Statistics of benchmark rows: intervals, tails, paired differences, and the number of seeds that a verdict needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..core.arrays import Array, numbers
from ..core.confidence import Interval, Share, normal_quantile
from ..core.confidence import wilson as wilson
from ..core.errors import ShapeError, counted
from ..core.settings import setting, whole
from ..core.streams import Rng, generator

Method = Literal["bca", "percentile"]
Statistic = Callable[..., Any]
EXACT = 13
"""Largest number of pairs of which all signs are tried."""
ROUNDING = 1e-12
"""Difference of two statistics that counts as rounding, relative to the largest value."""


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

    The order of the values does not matter: they are sorted, and resamples that differ from s by rounding equal it.

    Args:
        values: n numbers ``(n,)``.
        statistic: function of values in any order and of `axis`, such as `numpy.mean` or `numpy.median`.
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
    x, alpha = np.sort(_sample(values)), (1.0 - setting(level, Share, "level")) / 2.0
    whole(resamples, "resamples")
    bca = setting(method, Method, "method") == "bca"
    found = float(statistic(x, axis=-1))
    if len(x) < 2:
        return Interval(-math.inf, found, math.inf)
    if np.ptp(x) <= ROUNDING * np.abs(x).max():
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
    same = ROUNDING * np.abs(x).max()
    below = ((drawn < found - same).mean() + (drawn <= found + same).mean()) / 2.0
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
        p: probability of a mean difference this large if each difference could as well have the other sign.
        level: confidence of the verdict.
        more: number of further seeds that would separate the two; 0 if they are separated, None if the difference is
            exactly zero, so that no number would.

    Example:
        >>> print(paired([1.0, 2.0], [2.0, 3.0]))
        -1 [-1, -1]; needs 4 more seeds to separate them
    """

    difference: Interval
    seeds: int
    wins: int
    p: float
    level: float
    more: int | None

    @property
    def separated(self) -> bool:
        """Whether the interval of the difference excludes zero, and p is at most ``1 - level``."""
        excluded = self.difference.low > 0.0 or self.difference.high < 0.0
        return excluded and self.p <= 1.0 - self.level + 1e-12

    def __str__(self) -> str:
        if self.separated:
            return f"{self.difference}"
        need = "they are equal" if self.more is None else f"needs {counted(self.more, 'more seed')} to separate them"
        return f"{self.difference}; {need}"


def paired(a: ArrayLike, b: ArrayLike, *, level: float = 0.95, power: float = 0.8, rng: Rng = 0) -> Paired:
    """Paired comparison of the costs of two controllers; pairs in which one failed (not finite) are left out.

    ::

        d = a - b,      p = share of the signs s, one for each pair, with |sum s d| >= |sum d|
        n = ((Phi^-1((1 + level) / 2) + Phi^-1(power)) std(d) / mean(d))^2  seeds separate them

    The interval is that of the bootstrap, which is too short for few seeds; the verdict therefore asks for p as well,
    which holds for any number of them: with a level of 95 %, fewer than 6 seeds never separate two controllers.

    Args:
        a, b: costs ``(n,)`` on the same seeds, infinite where a run failed.
        level: confidence of the interval and of the verdict.
        power: probability with which `n` seeds separate them, if the difference is as measured.
        rng: seed or generator of the bootstrap, and of the signs of more than 13 pairs.

    Source: Fisher, "The design of experiments" (1935), section 21, for p.

    Example:
        >>> result = paired([1.0, 2.1, 2.9, 4.0, 5.0, 6.2], [2.0, 3.0, 4.0, 5.1, 6.1, 7.0])
        >>> result.wins, result.p, result.separated, result.more
        (6, 0.03125, True, 0)
    """
    x, y = numbers(a, "a"), numbers(b, "b")
    if x.shape != y.shape or x.ndim != 1:
        raise ShapeError(f"a and b have shapes {x.shape} and {y.shape}; expected the costs of the same seeds")
    both = np.isfinite(x) & np.isfinite(y)
    d = x[both] - y[both]
    if not len(d):
        return Paired(Interval(-math.inf, math.nan, math.inf), 0, 0, 1.0, level, None)
    draws = generator(rng)
    found = bootstrap(d, level=level, rng=draws)
    result = Paired(found, len(d), int((d < 0.0).sum()), sign_flips(d, draws), level, 0)
    return result if result.separated else replace(result, more=more_seeds(d, level, power))


def sign_flips(d: ArrayLike, rng: Rng = 0) -> float:
    """The share of all signs of paired differences ``(n,)`` that give a mean at least as large; of 8192 for n > 13.

    Example:
        >>> sign_flips([1.0, 2.0, 3.0])
        0.25
    """
    x = np.sort(_sample(d))  # the signs that are drawn belong to ranks, not to the order of the pairs
    n = len(x)
    if n <= EXACT:
        signs = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    else:
        signs = 1.0 - 2.0 * generator(rng).integers(0, 2, (2**EXACT, n))
        signs[0] = 1.0  # the signs that were seen are among the equally likely ones
    return float((np.abs(signs @ x) >= abs(x.sum()) * (1.0 - 1e-9)).mean())


def more_seeds(d: ArrayLike, level: float = 0.95, power: float = 0.8) -> int | None:
    """The further seeds that separate two controllers with paired differences `d`; at least 1, None if d is zero.

    So few seeds that no signs could separate them are never enough, see `sign_flips`.

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
    least = math.ceil(1.0 - math.log2(1.0 - level) - 1e-9)
    return max(math.ceil((z * std / mean) ** 2) - len(x), least - len(x), 1)


def _sample(values: ArrayLike) -> Array:
    x = numbers(values, "values")
    if x.ndim != 1 or not len(x) or np.isnan(x).any():
        raise ShapeError(f"values have shape {x.shape}; expected one number or more (n,), none of them NaN")
    return x
