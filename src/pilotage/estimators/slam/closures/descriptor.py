"""Descriptors of surfaces that do not depend on the pose: which of the places seen before looks like this one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.settings import Count, Positive, settings
from pilotage.models.trace import driver

from ..matching import Surface

Array = NDArray[np.float64]


@settings
class PairHistogram:
    """A descriptor of a surface: how often pairs of its points have a distance and an angle between their normals.

    ::

        h(a, b) = number of pairs with distance in bin a and angle in bin b,   sum h = 1

    It is the same from wherever the surface is seen, as long as the same of it is seen. Points that are close
    together on the surface count less, so that near walls do not outweigh far ones.

    Args:
        distances: number of bins of the distance.
        reach: largest distance of a pair [m].
        angles: number of bins of the angle between normals, from 0 to pi.

    Source: M. Himstedt et al., "Large scale place recognition in 2D LIDAR scans using geometrical landmark relations",
    IROS 2014, with all points in place of landmarks.

    Example:
        >>> from pilotage.estimators.slam.matching import scan_surface
        >>> angles = np.linspace(-1.0, 1.0, 101)
        >>> wall = scan_surface(2.0 / np.cos(angles), angles, max_range=10.0)
        >>> histogram = PairHistogram()
        >>> here, there = (histogram.describe(each) for each in (wall, wall.moved([3.0, 1.0, 2.0])))
        >>> round(float(similarity(here, there)), 3)
        1.0
    """

    distances: Count = 20
    reach: Positive = 10.0
    angles: Count = 6

    def describe(self, surface: Surface) -> Array:
        """The descriptor of a surface ``(distances * angles,)``; zeros if it has no pairs."""
        table = surface.table[np.isfinite(surface.normals[:, 0])]
        out = np.zeros((self.distances, self.angles))
        count_pairs(np.ascontiguousarray(table), self.reach, out)
        total = out.sum()
        return (out / total if total > 0.0 else out).ravel()


def similarity(a: ArrayLike, b: ArrayLike) -> Array:
    """The similarity of descriptors ``(..., K)``, from 0 to 1: the share that their histograms have in common.

    Example:
        >>> similarity([0.5, 0.5, 0.0], [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]).tolist()
        [1.0, 0.5]
    """
    return np.asarray(np.minimum(numbers(a, "a"), numbers(b, "b")).sum(axis=-1))


@driver("void(f8[:,::1], f8, f8[:,::1])")
def count_pairs(table, reach, out):
    """Add the pairs of points to a histogram, each weighted by the pieces of line around its points, and spread over
    the two nearest bins of distance and of angle."""
    rows, columns = out.shape
    for i in range(table.shape[0]):
        for j in range(i):
            d = np.hypot(table[i, 0] - table[j, 0], table[i, 1] - table[j, 1])
            if d >= reach:
                continue
            cosine = table[i, 2] * table[j, 2] + table[i, 3] * table[j, 3]
            angle = np.arccos(min(max(cosine, -1.0), 1.0)) / np.pi * columns - 0.5
            u, w = d / reach * rows - 0.5, min(table[i, 10], 0.3) * min(table[j, 10], 0.3)
            row, column = int(np.floor(u)), int(np.floor(angle))
            for a in range(2):
                for b in range(2):
                    share = abs(1.0 - a - (u - row)) * abs(1.0 - b - (angle - column))
                    out[min(max(row + a, 0), rows - 1), min(max(column + b, 0), columns - 1)] += w * share
