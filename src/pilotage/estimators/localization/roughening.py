"""Copies of a particle moved apart, so that a cloud which is drawn again and again does not collapse to a point.

Within each bin of the plane and heading, copies x of mean m and covariance P are spread by a kernel that keeps both
(Liu and West, *Combined parameter and state estimation in simulation-based filtering*, 2001, section 10.3.2):

    x' = m (+) (sqrt(1 - h^2) (x (-) m) + h e),   e ~ N(0, P),   h = kernel_width(k, d)

k is the number of different particles in the bin. Taken bin by bin, the kernel joins no
hypotheses. The pose has a least standard deviation in P: a map says nothing finer than its cells.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...core import Space
from ...core.arrays import Array
from ...core.covariances import symmetric_root
from ..cloud import kernel_width
from .bins import Bins

Indices = NDArray[np.int64]


def roughened(
    space: Space, points: Array, chosen: Indices, bins: Bins, least: Array, draw: np.random.Generator
) -> Array:
    """The chosen particles ``(n, size)``, copies moved apart.

    Args:
        space: where the particles live.
        points: all particles ``(N, size)``.
        chosen: which of them were drawn ``(n,)``.
        bins: the bins of all particles.
        least: least standard deviation of each component of the tangent ``(d,)``.
        draw: random stream.
    """
    d, x = space.dim, points[chosen]
    _, bin_of = np.unique(bins.labels[chosen], return_inverse=True)
    count = np.bincount(bin_of).astype(np.float64)
    first = np.empty(len(count), np.int64)
    first[bin_of[::-1]] = np.arange(len(x))[::-1]
    different = np.bincount(bin_of[np.unique(chosen, return_index=True)[1]], minlength=len(count))
    a = cast(Array, space.minus(x, x[first[bin_of]]))
    mean = _sums(bin_of, a) / count[:, None]
    a -= mean[bin_of]
    P = (_sums(bin_of, (a[:, :, None] * a[:, None, :]).reshape(len(a), -1)) / count[:, None]).reshape(-1, d, d)
    h = np.minimum(1.0, kernel_width(different, d))[bin_of, None]
    e = np.einsum("nij,nj->ni", symmetric_root(P)[bin_of], draw.standard_normal((len(x), d)))
    lacking = np.sqrt(np.maximum(np.square(least) - np.diagonal(P, axis1=1, axis2=2), 0.0))
    e += lacking[bin_of] * draw.standard_normal((len(x), d))
    spread = mean[bin_of] + np.sqrt(1.0 - h * h) * a + h * e
    return cast(Array, space.plus(x[first[bin_of]], spread))


def _sums(bin_of: Indices, values: Array) -> Array:
    """Sums of rows ``(n, c)`` by bin ``(B, c)``."""
    return np.stack([np.bincount(bin_of, column).astype(np.float64) for column in values.T], axis=-1)
