"""KLD-sampling: adapts the number of particles to the spread of the belief.

With this number, the Kullback-Leibler divergence between the drawn cloud and the belief is below `error` with
probability `confidence`, both counted in bins (D. Fox, *Adapting the sample size in particle filters through
KLD-sampling*, International Journal of Robotics Research 22(12), 2003, equation 7).
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from scipy.special import ndtri

from ..core import Particles, SettingError, ShapeError
from ..core.arrays import Array, numbers
from ..core.settings import Count, Interval, Positive, positive, setting, settings


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


@settings
class KLDSampling:
    """KLD-sampling for a belief over any space: the number of particles that its spread asks for.

    ::

        n = least n >= kld_bound(expected number of cells that n particles fall into)

    Source: Fox, *Adapting the sample size in particle filters through KLD-sampling*, IJRR 22(12), 2003, table 1.

    Args:
        cells: size of a cell along each tangent component, in its units, ``(d,)``; or one number for all. Half the
            standard deviation that the filter reaches is a good size.
        least, most: limits for the number of particles.
        error: bound on the Kullback-Leibler divergence.
        confidence: probability with which it holds.

    Example:
        >>> from pilotage.core import Space
        >>> narrow = Particles(Space("x [m]"), np.random.default_rng(1).normal(size=(500, 1)))
        >>> wide = Particles(Space("x [m]"), 100.0 * narrow.points)
        >>> KLDSampling(cells=0.5).count(narrow), KLDSampling(cells=0.5).count(wide)
        (243, 4122)
    """

    cells: Positive | tuple[Positive, ...]
    least: Count = 100
    most: Count = 10_000
    error: Positive = 0.05
    confidence: Annotated[float, Interval(0.5, 1.0, "[)")] = 0.99

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise SettingError(f"least ({self.least}) is above most ({self.most}); give less")

    def count(self, cloud: Particles) -> int:
        """The number of particles for a cloud; for a batch of clouds, that of the one that needs most."""
        cells, space = np.asarray(self.cells), cloud.space
        if cells.ndim and len(cells) != space.dim:
            raise ShapeError(f"cells has {len(cells)} numbers; expected one, or {space.dim} for {space.listing}")
        places = np.floor(np.asarray(space.minus(cloud.points, space.identity())) / cells).astype(np.int64)
        return max(self._count(places[b], cloud.weights[b]) for b in np.ndindex(places.shape[:-2]))

    def _count(self, places: Any, weights: Array) -> int:
        """The same for the cells ``(N, d)`` that the particles of one cloud are in."""
        _, cell = np.unique(places, axis=0, return_inverse=True)
        masses = np.bincount(cell.ravel(), weights).astype(np.float64, copy=False)
        return particles_needed(masses, self.least, self.most, self.error, self.confidence)
