"""The inverse sensor model of a beam with noise: a profile of probability around its end."""

from __future__ import annotations

import math

import numpy as np

from pilotage.core.settings import Positive, settings
from pilotage.models.trace import driver

from .mapping import InverseModel, Marks, Scan, box_of_beams, cross_map, fraction_bits

REACH = 3.0
"""Standard deviations from the end of a beam up to which its profile is used."""


@settings
class InverseLikelihoodModel(InverseModel):
    """An inverse model of thin beams whose ranges have Gaussian noise.

    ::

        p(occupied | z) = q + (hit - q) exp(-(d / sigma)^2 / 2),   q = miss before the end of the beam, 1/2 behind it

    where d is the distance along the beam from its end to the cell, and 0 for the cell in which it ends. The profile
    ends at 3 sigma, or at the cell where the largest range ends: cells behind that are not touched. As sigma goes to 0,
    the model becomes `InverseBeamModel`.

    Attributes:
        hit, miss: probabilities of occupancy where a beam ends, and long before that.
        sigma: standard deviation of a range [m].

    The profile is rounded to 255 steps in log-odds between miss and hit.

    Source: F. Andert, Drawing stereo disparity images into occupancy grids, IROS 2009, with the distance to a cell in
    place of that to its centre.

    Example:
        >>> from pilotage.maps import OccupancyMap
        >>> seen = OccupancyMap(0.1, model=InverseLikelihoodModel(sigma=0.1))
        >>> seen.insert([0.05, 0.05, 0.0], [0.5], [0.0], 5.0).grid().probability.round(2)
        array([[0.4 , 0.4 , 0.41, 0.5 , 0.66, 0.7 , 0.68, 0.56, 0.51]])
    """

    hit: float = 0.7
    miss: float = 0.4
    sigma: Positive = 0.03
    levels = 255

    def __post_init__(self) -> None:
        self._check()

    def mark(self, marks: Marks, scan: Scan) -> None:
        """Mark the cells of a scan; see `InverseModel`."""
        mark_profiles(*marks, *scan[:-1], self.sigma / scan.resolution, self.hit, self.miss, *self.evidence)

    def beyond(self, resolution: float) -> float:
        """The part of the profile behind the end of a beam [m]."""
        return REACH * self.sigma


@driver("void(u1[:,::1], u1[::1], u8[:,::1], i8[::1], i8, i8, f8, f8, f8[:,::1], f8, f8, f8, f8, f8, f8)")
def mark_profiles(marks, flat, words, box, rows, columns, x, y, beams, reach, sigma, hit, miss, base, gain):
    """Mark the cells that beams cross by their profiles.

    Args:
        marks, flat, words, box, rows, columns: see `Marks`.
        x, y, beams, reach: see `Scan`.
        sigma: standard deviation of a range [cells].
        hit, miss: see `InverseLikelihoodModel`.
        base, gain: a mark m means the log-odds ``base + gain m``.
    """
    bits, width = fraction_bits(marks.size), marks.shape[1]
    box_of_beams(box, rows, columns, x, y, beams, reach, REACH * sigma + 1.0)
    for b in range(beams.shape[1]):
        dx, dy, r = beams[0, b], beams[1, b], beams[2, b]
        if r >= 0.0:
            near = max(r - REACH * sigma, 0.0) if r < reach else reach
            cross_map(flat, width, rows, columns, bits, x, y, near * dx, near * dy)
    for b in range(beams.shape[1]):
        if 0.0 <= beams[2, b] < reach:
            dx, dy, r = beams[0, b], beams[1, b], beams[2, b]
            _mark_profile(marks, rows, columns, x, y, dx, dy, r, reach, sigma, hit, miss, base, gain)


@driver
def _mark_profile(marks, rows, columns, x, y, dx, dy, r, reach, sigma, hit, miss, base, gain):
    """Mark the cells around the end of one beam with the direction (dx, dy) (Amanatides and Woo, 1987)."""
    t, far = max(r - REACH * sigma, 0.0), r + REACH * sigma
    i, j = math.floor(x + t * dx), math.floor(y + t * dy)
    last_i, last_j = np.floor(x + reach * dx), np.floor(y + reach * dy)
    step_i, step_j = (1 if dx > 0 else -1), (1 if dy > 0 else -1)
    while t <= far and not (i == last_i and j == last_j):
        out_x = (i + (dx > 0) - x) / dx if dx != 0.0 else np.inf
        out_y = (j + (dy > 0) - y) / dy if dy != 0.0 else np.inf
        out = max(min(out_x, out_y), t)
        if 0 <= i < columns and 0 <= j < rows:
            before = out < r
            q, d = (miss, r - out) if before else (0.5, max(t - r, 0.0))
            p = q + (hit - q) * math.exp(-0.5 * (d / sigma) ** 2)
            mark = np.uint8(round((math.log(p / (1.0 - p)) - base) / gain))
            if mark > marks[int(j) + 1, int(i) + 1]:
                marks[int(j) + 1, int(i) + 1] = mark
        t = out
        if out_x < out_y:
            i += step_i
        else:
            j += step_j
