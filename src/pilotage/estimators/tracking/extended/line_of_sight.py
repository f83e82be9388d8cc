"""The line of sight: which sides of objects a sensor sees, and which objects hide others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ....core.arrays import Array, numbers
from ....core.errors import ModelError
from ....core.settings import Count, settings


@settings
class LineOfSight:
    """The place of a sensor that sees what is nearest in each direction, such as a lidar.

    ::

        s    =   mean over directions to the object  of  prod over nearer objects in that direction (1 - r)
        P_D  <-  P_D (1 - (1 - s)^2)

    with the share s of an object that is seen and the existence r of the nearer objects, whose far end is nearer than
    its near end. So an object behind another one is not missed, while one in the place of another one is. The
    directions are spread over the object and two standard deviations of its place.

    Args:
        place: x, y of the sensor ``(2,)`` [m], or a function of the context of the scan that gives it.
        directions: number of directions.

    Example:
        >>> eye = LineOfSight((0.0, 0.0))
        >>> centers, sizes = np.array([[10.0, 0.0], [20.0, 0.0], [20.0, 9.0]]), np.ones((3, 2))
        >>> eye.visible(np.zeros(2), centers, sizes, centers[:1], sizes[:1], np.ones(1)).round(2).tolist()
        [1.0, 0.0, 1.0]
    """

    place: tuple[float, float] | Callable[..., Any] = (0.0, 0.0)
    directions: Count = 7

    def at(self, context: Any) -> Array:
        """The place for the context of a scan, ``(2,)``."""
        if not callable(self.place):
            return np.array(self.place)
        found = numbers(self.place(context), "place of LineOfSight")
        if found.shape != (2,) or not np.isfinite(found).all():
            raise ModelError(f"place of LineOfSight gave {found}; expected x and y [m]")
        return found

    def visible(
        self, place: Array, centers: Array, sizes: Array, others: Array, other_sizes: Array, existence: Array
    ) -> Array:
        """The share of each object that is not hidden by others, ``(N,)``.

        Args:
            place: of the sensor.
            centers: of the objects, ``(N, 2)``.
            sizes: half of their extent across and along the line of sight, ``(N, 2)``.
            others: objects that may hide them, ``(M, 2)``.
            other_sizes: half of the extent of those, ``(M, 2)``.
            existence: of those, ``(M,)``.
        """
        bearing, reach, half = _view(place, centers, sizes)
        other, distance, wide = _view(place, others, other_sizes)
        rays = bearing[:, None] + half[:, None] * np.linspace(-1.0, 1.0, self.directions)
        off = np.abs((rays[..., None] - other + math.pi) % (2.0 * math.pi) - math.pi)
        behind = (reach - sizes[:, 1])[:, None] > distance + other_sizes[:, 1]
        return np.where((off < wide) & behind[:, None], 1.0 - existence, 1.0).prod(-1).mean(-1)


def _view(place: Array, centers: Array, sizes: Array) -> tuple[Array, Array, Array]:
    """Bearing, distance and half the angle of objects, ``(N,)`` each."""
    d = centers - place
    distance = np.hypot(d[:, 0], d[:, 1])
    return np.arctan2(d[:, 1], d[:, 0]), distance, np.arctan2(sizes[:, 0], distance)
