"""The inverse sensor model of a cone: an echo from anywhere within an angle."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pilotage.core.settings import Interval, NonNegative, settings
from pilotage.models.trace import driver

from .mapping import InverseModel, Marks, Scan, empty_box, widen


@settings
class InverseConeModel(InverseModel):
    """An inverse model of wide beams, such as those of a sonar.

    ::

        p(occupied | z) = hit   where |d - z| <= thickness / 2,  miss where d < z - thickness / 2

    for the cells whose centres lie at a distance d from the sensor and within ``width / 2`` of the direction of a beam.
    Where cones overlap, a hit outweighs a miss. A cone in which nothing was seen is free up to the largest range. One
    echo says little about a cell, so the default probabilities are closer to 1/2 than those of a beam.

    Attributes:
        hit, miss: probabilities of occupancy on the arc of an echo, and in front of it.
        width: opening angle of a beam [rad].
        thickness: of an obstacle [m]; at least the diagonal of a cell is used, so that an arc has no gaps.

    Source: S. Thrun, W. Burgard and D. Fox, Probabilistic Robotics, 2005, table 9.2.

    Example:
        >>> from pilotage.maps import OccupancyMap
        >>> sonar = OccupancyMap(0.1, model=InverseConeModel(width=np.radians(30.0)))
        >>> for _ in range(2):
        ...     grid = sonar.insert([0.0, 0.0, 0.0], [1.0], [0.0], 3.0).grid()
        >>> grid.is_free([0.5, 0.0]), grid.is_occupied([[0.99, 0.05], [0.95, 0.22]]), grid.is_unknown([0.5, 0.3])
        (array(True), array([ True,  True]), array(True))
    """

    hit: float = 0.6
    miss: float = 0.45
    width: Annotated[float, Interval(0.0, math.pi, "(]")] = math.radians(15.0)
    thickness: NonNegative = 0.1

    def __post_init__(self) -> None:
        self._check()

    def mark(self, marks: Marks, scan: Scan) -> None:
        """Mark the cells of a scan; see `InverseModel`."""
        half = self.beyond(scan.resolution) / scan.resolution
        mark_cones(*marks, *scan[:-1], math.cos(0.5 * self.width), half)

    def beyond(self, resolution: float) -> float:
        """Half the thickness of an arc [m]."""
        return 0.5 * max(self.thickness, math.sqrt(2.0) * resolution)


@driver("void(u1[:,::1], u1[::1], u8[:,::1], i8[::1], i8, i8, f8, f8, f8[:,::1], f8, f8, f8)")
def mark_cones(marks, flat, words, box, rows, columns, x, y, beams, reach, narrow, half):
    """Mark the cells in cones by 1, and those on the arcs of echoes by 2.

    Args:
        marks, flat, words, box, rows, columns: see `Marks`.
        x, y, beams, reach: see `Scan`.
        narrow: cosine of half the width of a cone.
        half: half the thickness of an arc [cells].
    """
    empty_box(box)
    for b in range(beams.shape[1]):
        dx, dy, r = beams[0, b], beams[1, b], beams[2, b]
        if r >= 0.0:
            end = min(r + half, reach)  # no beam passes what lies farther away, so no echo marks it
            _mark_cone(marks, box, rows, columns, x, y, dx, dy, min(r, reach), end, r < reach, narrow, half)


@driver
def _mark_cone(marks, box, rows, columns, x, y, dx, dy, r, end, echo, narrow, half):
    """Mark one cone with the direction (dx, dy), up to `end`; its range r is that of an `echo` or the largest one."""
    wide = math.sqrt(1.0 - narrow * narrow)
    # The cone reaches as far along an axis as its edges, or as its arc where the axis lies within it.
    right, left = end * _extent(dx, dy, narrow, wide), end * _extent(-dx, dy, narrow, wide)
    up, down = end * _extent(dy, dx, narrow, wide), end * _extent(-dy, dx, narrow, wide)
    first, last = max(int(math.floor(x - left)), 0), min(int(math.floor(x + right)), columns - 1)
    low, high = max(int(math.floor(y - down)), 0), min(int(math.floor(y + up)), rows - 1)
    if first > last or low > high:
        return
    for j in range(low, high + 1):
        for i in range(first, last + 1):
            px, py = i + 0.5 - x, j + 0.5 - y
            d = math.sqrt(px * px + py * py)
            if d <= end and px * dx + py * dy >= narrow * d:
                mark = np.uint8(2 if echo and d >= r - half else 1)
                if mark > marks[j + 1, i + 1]:
                    marks[j + 1, i + 1] = mark
    widen(box, first, last, low, high, rows, columns)


@driver
def _extent(along, across, narrow, wide):
    """The extent of a cone of length 1 along an axis with which its direction has the component `along`."""
    return 1.0 if along >= narrow else max(along * narrow + abs(across) * wide, 0.0)
