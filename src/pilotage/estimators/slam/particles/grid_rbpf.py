"""Grid SLAM with particles: a Rao-Blackwellised particle filter whose particles carry occupancy maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Rng, generator
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Count, Fraction, Interval, NonNegative, Positive, settings
from pilotage.maps import InverseBeamModel
from pilotage.maps.mapping import InverseModel, clamp_of

from ...resampling import Resampling
from ..matching import CorrelativeMatcher
from ..matching.match import PLANE
from ..odometry import OdometryModel
from .particle_mapper import ParticleMapper

Array = NDArray[np.float64]


@settings
class GridRBPF:
    """SLAM by a Rao-Blackwellised particle filter: each particle is a way of the robot with its own occupancy map.

    ::

        p(x_1:t, m | z_1:t, u_1:t) = p(m | x_1:t, z_1:t) p(x_1:t | z_1:t, u_1:t)
        x^    = argmax p(z | m, x) p(x | x', u)                                   scan matching, for each particle
        w_j   = p(z | m, x_j) p(x_j | x', u) / q(x_j),  x_j ~ q = N(x^, spread^2 H^-1)
        x     ~ N(mu, S),  the mean and covariance of the weighted x_j
        w    *= mean of w_j                                                       the integral of the numerator
        p(z | m, x) = exp(-power sum over points of min(d^2 / (2 sigma^2), worst))

    where d is the distance of a point, along the normal of its wall in the scan, from the nearest mean end of beams in
    an occupied cell. Where a scan matches nothing, the pose is drawn from the odometry. Particles are resampled when
    their effective number falls below a share of their number. Their maps share tiles, which are copied before they
    change, so that thirty particles need little more memory than one.

    Args:
        particles: number of particles.
        resolution: side of a cell [m].
        max_range, min_range: largest and smallest range that is used [m].
        odometry: errors of the odometry.
        model: inverse sensor model of the maps; clamp: probabilities that a cell does not leave.
        sigma: standard deviation of a point from the wall on the map [m].
        worst: largest loss of a point; unseen: that of a point in a cell of which nothing is known.
        power: exponent of the likelihood. The errors of the points of a scan are correlated.
        samples: number of samples of a pose.
        spread: of the samples, as a multiple of the standard deviations of the match.
        distance, turn: a scan is used this far from the last one that was [m], [rad].
        reach: distance from which scan matching starts [m].
        overlap: share of the points of a scan that must lie on the map.
        threshold: share of the particles below which the effective number leads to resampling.
        resampling: "systematic", "stratified", "residual" or "multinomial".

    Source: G. Grisetti, C. Stachniss and W. Burgard, "Improved techniques for grid mapping with Rao-Blackwellized
    particle filters", IEEE Trans. Robotics 23, 2007, algorithm 1, with samples from a Gaussian in place of an interval;
    GMapping for the means of ends.

    Example:
        >>> from pilotage.maps import Lidar, OccupancyGrid
        >>> lidar = Lidar(OccupancyGrid.load("depot.yaml"), angles=180, max_range=12.0)
        >>> mapper = GridRBPF(particles=5, max_range=12.0).start(lidar.angles, rng=0)
        >>> for x in np.linspace(5.0, 7.0, 9):
        ...     step = mapper.update(lidar.observe([x, 1.0, 0.0]), odometry=[1.1 * x, 0.0, 0.0])
        >>> step.pose.round(1).tolist(), len(mapper.belief.weights)
        ([2.0, 0.0, 0.0], 5)
    """

    particles: Count = 30
    resolution: Positive = 0.05
    max_range: Positive = 20.0
    min_range: NonNegative = 0.0
    odometry: OdometryModel = OdometryModel()
    model: InverseModel = InverseBeamModel()
    clamp: tuple[Fraction, Fraction] = (0.12, 0.97)
    sigma: Positive = 0.05
    worst: Positive = 4.0
    unseen: NonNegative = 2.0
    power: Positive = 0.3
    samples: Annotated[int, Interval(2, ends="[)")] = 30
    spread: Positive = 1.0
    distance: NonNegative = 0.4
    turn: NonNegative = 0.4
    searcher: CorrelativeMatcher = CorrelativeMatcher(refine=None)
    reach: Positive = 0.3
    overlap: Fraction = 0.4
    threshold: Fraction = 0.5
    resampling: Resampling = "systematic"

    def __post_init__(self) -> None:
        clamp_of(self.clamp)

    @property
    def rule(self) -> Array:
        """Sigma, worst, unseen and power of the likelihood ``(4,)``."""
        return np.array([self.sigma, self.worst, self.unseen, self.power])

    def start(self, angles: ArrayLike, pose: Sequence[float] = (0.0, 0.0, 0.0), *, rng: Rng = None) -> ParticleMapper:
        """A mapper at a pose, for scans with beams in these directions ``(B,)`` [rad].

        Raises:
            ShapeError: if the angles or the pose have another shape, or are not finite.
        """
        directions = np.array(numbers(angles, "angles"))
        if directions.ndim != 1 or not len(directions) or not np.isfinite(directions).all():
            raise ShapeError(f"angles have shape {directions.shape}; expected one finite direction a beam, (B,)")
        return ParticleMapper(self, directions, np.array(PLANE.check(pose, "the pose")), generator(rng))
