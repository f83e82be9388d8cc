"""Random sample consensus: the hypothesis that most readings agree with, from minimal samples of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core.streams import Rng, generator

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]

BATCH = 32


class Consensus(NamedTuple):
    """What `consensus` finds.

    Attributes:
        model: the best hypothesis; None if there was none.
        inliers: the readings that agree with it ``(N,)``.
        samples: number of samples drawn.
    """

    model: Array | None
    inliers: Mask
    samples: int


def consensus(
    count: int,
    size: int,
    solve: Callable[[Indices], Array],
    squares: Callable[[Array], Array],
    limit: float,
    *,
    improve: Callable[[Mask, Array], Array] | None = None,
    given: Array | None = None,
    content: float = 1.0,
    confidence: float = 0.999,
    samples: int = 2000,
    rng: Rng = 0,
) -> Consensus:
    """The hypothesis with the least cost, of samples that are drawn until a better one is unlikely.

    ::

        cost = sum min(s_k, limit)          s: squared residuals over their variances
        stop after log(1 - confidence) / log(1 - w^size) samples,    w: share of inliers of the best so far

    Samples are drawn and solved in batches. Each new best hypothesis is improved on its inliers.

    Args:
        count: number of readings.
        size: number of readings in a sample.
        solve: hypotheses ``(H, ...)`` from samples ``(B, size)`` of the numbers of readings.
        squares: squared residuals ``(H, count)`` of hypotheses.
        limit: squared residual from which a reading is an outlier.
        improve: a better hypothesis from inliers ``(count,)`` and a hypothesis.
        given: hypotheses to try before any sample ``(H, ...)``.
        content: share of inliers that makes a given hypothesis good enough to need no samples.
        confidence: probability that a sample without outliers was among those drawn.
        samples: most samples.
        rng: seed or generator.

    Source: Fischler and Bolles, "Random Sample Consensus" (1981); Torr and Zisserman, "MLESAC" (2000), for the cost;
    Chum, Matas and Kittler, "Locally Optimized RANSAC" (2003).

    Example:
        >>> y = np.array([1.0, 1.1, 0.9, 1.0, 7.0, 8.0])
        >>> found = consensus(6, 1, lambda s: y[s[:, 0]], lambda h: (y - h[:, None]) ** 2, 0.1)
        >>> found.inliers.tolist()
        [True, True, True, True, False, False]
    """
    rng, best, least = generator(rng), Consensus(None, np.zeros(count, dtype=bool), 0), math.inf
    drawn, enough, tried = 0, float(samples), given
    while tried is not None or (drawn < enough and count >= size):
        if tried is None:
            tried = solve(_samples(rng, count, size))
            drawn += BATCH
        while len(tried):
            s = np.nan_to_num(squares(tried), nan=math.inf)
            costs = np.minimum(s, limit).sum(axis=1)
            k = int(np.argmin(costs))
            if not costs[k] < least - 1e-12 * (1.0 + least if least < math.inf else 1.0):
                break
            least, best = costs[k], Consensus(tried[k], s[k] <= limit, drawn)
            share = float(best.inliers.mean())
            enough = 0.0 if drawn == 0 and share >= content else min(float(samples), _enough(share, size, confidence))
            tried = improve(best.inliers, tried[k])[None] if improve and best.inliers.sum() > size else tried[:0]
        tried = None
    return best._replace(samples=drawn)


def _samples(rng: np.random.Generator, count: int, size: int) -> Indices:
    """Samples of different readings ``(BATCH, size)``."""
    if count < 4 * size:
        return np.argsort(rng.random((BATCH, count)), axis=1)[:, :size]
    drawn = rng.integers(count, size=(2 * BATCH, size))
    ordered = np.sort(drawn, axis=1)
    return drawn[(np.diff(ordered, axis=1) > 0).all(axis=1)][:BATCH]


def _enough(share: float, size: int, confidence: float) -> float:
    """How many samples make sure that one was without outliers."""
    sure = share**size
    if sure >= 1.0:
        return 0.0
    return math.log(1.0 - confidence) / math.log1p(-sure) if sure > 0.0 else math.inf
