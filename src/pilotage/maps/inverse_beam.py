"""The inverse sensor model of a beam: a hit where it ends, misses where it passes."""

from __future__ import annotations

import numpy as np

from pilotage.core.settings import settings
from pilotage.models.trace import driver

from .mapping import InverseModel, Marks, Scan, box_of_beams, cross_map, fraction_bits, seen_whole


@settings
class InverseBeamModel(InverseModel):
    """An inverse model of thin and exact beams, such as those of a lidar.

    ::

        p(occupied | z) = hit in the cell where a beam ends,  miss in the cells that it passes before that

    A beam ends in the cell that it enters where it ends. A cell in which one beam ends while others pass it is a hit.
    In the cell where the largest range ends there are no hits, because no beam passes it that could take them back.

    Attributes:
        hit, miss: probabilities of occupancy given that one beam ends in the cell or passes it.

    Source: A. Hornung et al., OctoMap, 2013, section 3.1, with its default values.

    Example:
        >>> from pilotage.maps import OccupancyMap
        >>> seen = OccupancyMap(1.0, model=InverseBeamModel(hit=0.8)).insert([0.5, 0.5, 0.0], [2.0], [0.0], 5.0)
        >>> seen.grid().probability.round(2)
        array([[0.4, 0.4, 0.8]])
    """

    hit: float = 0.7
    miss: float = 0.4

    def __post_init__(self) -> None:
        self._check()

    def mark(self, marks: Marks, scan: Scan) -> None:
        """Mark the cells of a scan; see `InverseModel`."""
        mark_beams(*marks, *scan[:-1])


@driver("void(u1[:,::1], u1[::1], u8[:,::1], i8[::1], i8, i8, f8, f8, f8[:,::1], f8)")
def mark_beams(marks, flat, words, box, rows, columns, x, y, beams, reach):
    """Mark the cells that beams cross by 1, then those in which they end by 2; see `Marks` and `Scan`."""
    bits, width = fraction_bits(marks.size), marks.shape[1]
    box_of_beams(box, rows, columns, x, y, beams, reach, 0.0)
    for b in range(beams.shape[1]):
        if beams[2, b] >= 0.0:
            r = min(beams[2, b], reach)
            cross_map(flat, width, rows, columns, bits, x, y, r * beams[0, b], r * beams[1, b])
    for b in range(beams.shape[1]):
        r = beams[2, b]
        if 0.0 <= r < reach and seen_whole(x, y, beams[0, b], beams[1, b], r, reach):
            end_x, end_y = x + r * beams[0, b], y + r * beams[1, b]
            if 0.0 <= end_x < columns and 0.0 <= end_y < rows:
                marks[np.uint64(int(end_y) + 1), np.uint64(int(end_x) + 1)] = 2
