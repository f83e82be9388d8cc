"""KLD-sampling: adapts the number of particles to the spread of the belief.

With this number, the Kullback-Leibler divergence between the drawn cloud and the belief is below `error` with
probability `confidence`, both counted in bins (D. Fox, *Adapting the sample size in particle filters through
KLD-sampling*, International Journal of Robotics Research 22(12), 2003, equation 7).
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ...core.arrays import numbers
from ...core.settings import Interval, positive, setting

Array = NDArray[np.float64]


def kld_bound(bins: Any, error: float = 0.05, confidence: float = 0.99) -> Any:
    """The number of particles that is sufficient if they fall into `bins` bins.

    ::

        n = chi2_{k-1, confidence} / (2 error)
          = (k-1) / (2 error)  (1 - 2 / (9 (k-1)) + sqrt(2 / (9 (k-1))) z)^3         (Wilson and Hilferty)

    z is the `confidence` quantile of the normal distribution: 2.33 for 0.99. (AMCL uses the probability 0.99 itself
    instead, so that the bound holds with a probability of only 84 %.)

    Args:
        bins: number of bins k: an array or a number, not necessarily an integer.
        error: bound on the divergence.
        confidence: probability with which it holds.

    Example:
        >>> float(kld_bound(50).round(1))
        749.4
    """
    error, confidence = (
        positive(error, "error"),
        setting(confidence, Annotated[float, Interval(0.0, 1.0)], "confidence"),
    )
    bins = numbers(bins, "bins")
    k = np.maximum(bins - 1.0, 1e-9)
    a = 2.0 / (9.0 * k)
    n = k / (2.0 * error) * np.maximum(1.0 - a + np.sqrt(a) * ndtri(confidence), 0.0) ** 3
    return np.where(bins > 1, n, 1.0)


def expected_bins(masses: Array, n: float) -> float:
    """The average number of bins of these masses that `n` draws fall into: ``sum_b 1 - (1 - p_b)^n``."""
    with np.errstate(divide="ignore"):
        return float(-np.expm1(n * np.log1p(-np.minimum(masses, 1.0))).sum())


def particles_needed(masses: Array, low: int, high: int, error: float = 0.05, confidence: float = 0.99) -> int:
    """The number n at which KLD-sampling stops on average: the least with ``n >= kld_bound(expected_bins(n))``.

    Fox draws one particle at a time, counts the bins met, and stops at the bound. The least fixed point gives that
    number without drawing, so that the particles can be drawn systematically afterwards, with less variance.

    Args:
        masses: share of the belief in each bin ``(B,)``, of sum 1.
        low, high: limits for n.
        error: bound on the divergence.
        confidence: probability with which it holds.
    """
    n = float(low)
    while n < high:
        more = float(kld_bound(expected_bins(masses, n), error, confidence))
        if more <= n + 0.5:
            break
        n = more
    return int(min(max(np.ceil(n), low), high))
