"""Beams of a scan that most particles contradict are left out: people and boxes that are not on the map.

    agreeing(b) = share of the particles for which beam b ends within `distance` of an obstacle of the map
    beam b is left out where agreeing(b) < agreeing_least, unless more than `most` of all beams would be

A robot that is wrong about its pose contradicts most beams; then all of them count, so that it can find out. A beam
is only judged by a cloud that knows its pose, because particles all over the map agree about nothing. This is
a heuristic, AMCL's `do_beamskip` (nav2_amcl, likelihood_field_model_prob.cpp, 2014 on), with its default values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.settings import Fraction, Positive, settings
from ...maps import Lidar

ENOUGH = 256
"""So many particles judge the beams."""


@settings
class BeamSkip:
    """A rule that leaves out the beams of a `Lidar` that most particles contradict.

    Args:
        distance: a particle agrees with a beam that ends within this distance of an obstacle of the map [m].
        agreeing: least share of the particles that must agree with a beam.
        most: largest share of the beams that may be left out; if more contradict, all of them count.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> hall = OccupancyGrid.from_ascii(["#........#"], resolution=1.0)
        >>> lidar = Lidar(hall, angles=[0.0, np.pi], max_range=20.0)
        >>> BeamSkip().applied(lidar, np.array([2.0, 4.5]), np.array([[5.0, 0.5, 0.0]]))
        array([nan, 4.5])
    """

    distance: Positive = 0.5
    agreeing: Fraction = 0.3
    most: Fraction = 0.9

    def applied(self, lidar: Lidar, z: Array, poses: Array) -> Array:
        """The scan ``(B,)`` with NaN in place of the beams that most of the poses ``(N, 3)`` contradict."""
        some = poses[:: max(1, len(poses) // ENOUGH)]
        ends: Any = lidar.grid.distance_field().at(lidar.ends(z, some))
        seen = np.isfinite(z) & (z < lidar.max_range)
        with np.errstate(invalid="ignore"):
            strange = seen & ((ends <= self.distance).mean(0) < self.agreeing)
        return z if strange.sum() > self.most * seen.sum() else np.where(strange, np.nan, z)
