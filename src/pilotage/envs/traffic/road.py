"""A straight road of several lanes."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from ...core.settings import Count, Positive, settings


@settings
class Road:
    """A straight road of several lanes, all in the direction of x. Its middle is ``y = 0``; y points to the left.

    Attributes:
        lanes: number of lanes.
        lane_width: [m].
        length: of the way that a car has to drive [m].

    Example:
        >>> road = Road(lanes=3)
        >>> road.centers.round(2).tolist(), road.lines.round(2).tolist()
        ([-3.7, 0.0, 3.7], [-5.55, -1.85, 1.85, 5.55])
    """

    lanes: Count = 6
    lane_width: Positive = 3.7
    length: Positive = 300.0

    @property
    def width(self) -> float:
        """The width of all lanes [m]."""
        return self.lanes * self.lane_width

    @property
    def lines(self) -> Array:
        """y of the lane marks ``(lanes + 1,)`` [m], from the right edge to the left one."""
        return np.asarray(self.lane_width * (np.arange(self.lanes + 1) - 0.5 * self.lanes), dtype=np.float64)

    @property
    def centers(self) -> Array:
        """y of the middles of the lanes ``(lanes,)`` [m], from right to left."""
        return np.asarray(self.lines[:-1] + 0.5 * self.lane_width, dtype=np.float64)

    @property
    def packed(self) -> Array:
        """Number and width of the lanes, for compiled code."""
        return np.array([self.lanes, self.lane_width])
