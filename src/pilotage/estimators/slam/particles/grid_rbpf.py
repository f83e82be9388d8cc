"""Grid SLAM with particles: a Rao-Blackwellised particle filter whose particles carry occupancy maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian, Particles, Rng, generator
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Count, Fraction, Interval, NonNegative, Positive, instance, number, settings
from pilotage.maps import InverseBeamModel, OccupancyGrid
from pilotage.maps.mapping import InverseModel

from ...resampling import Resampling, renewed
from ..matching import CorrelativeMatcher, Surface, scan_surface
from ..matching.match import PLANE
from ..odometry import OdometryModel
from ._paths import Paths
from ._proposal import propose
from ._tile_maps import TileMaps

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
        >>> from pilotage.maps import Lidar
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

    def start(self, angles: ArrayLike, pose: Sequence[float] = (0.0, 0.0, 0.0), *, rng: Rng = None) -> ParticleMapper:
        """A mapper at a pose, for scans with beams in these directions ``(B,)`` [rad].

        Raises:
            ShapeError: if the angles or the pose have another shape, or are not finite.
        """
        directions = np.array(numbers(angles, "angles"))
        if directions.ndim != 1 or not len(directions) or not np.isfinite(directions).all():
            raise ShapeError(f"angles have shape {directions.shape}; expected one finite direction a beam, (B,)")
        return ParticleMapper(self, directions, np.array(PLANE.check(pose, "the pose")), generator(rng))


@dataclass(frozen=True, eq=False)
class ParticleStep:
    """The outcome of a scan.

    Attributes:
        pose: x, y, yaw of the robot now, by the likeliest particle ``(3,)``.
        keyframe: whether the scan was added to the maps.
        lost: number of particles whose maps it does not match.
        effective: effective number of particles before resampling.
        resampled: whether particles were resampled.

    Example:
        >>> GridRBPF(particles=3).start([0.0], rng=0).update([1.0]).lost
        0
    """

    pose: Array
    keyframe: bool
    lost: int
    effective: float
    resampled: bool


class ParticleMapper:
    """The maps that a robot makes while it drives: what `GridRBPF.start` returns.

    Attributes:
        settings: the settings.
        maps: the maps of all particles.
        scores: sum of the log-weights along the way of each particle ``(N,)``.

    Example:
        >>> mapper = GridRBPF(particles=3).start([-0.1, 0.0, 0.1], rng=0)
        >>> mapper.update([2.0, 2.0, 2.0]).keyframe, mapper.pose.tolist()
        (True, [0.0, 0.0, 0.0])
    """

    def __init__(self, settings: GridRBPF, angles: Array, pose: Array, rng: np.random.Generator) -> None:
        self.settings, self.angles, self.rng = instance(settings, GridRBPF, "ParticleMapper"), angles, rng
        n = settings.particles
        self.maps = TileMaps(n, settings.resolution, settings.model, settings.clamp, settings.max_range)
        self.belief, self.scores = Particles(PLANE, np.tile(pose, (n, 1))), np.zeros(n)
        self._paths, self._here = Paths(), np.zeros(3)
        self._wheels: Array | None = None  # at the last scan that was used
        self._track: list[tuple[float, int, Array]] = []

    @property
    def best(self) -> int:
        """The particle whose way and map explain all scans best."""
        return int(np.argmax(self.scores))

    @property
    def pose(self) -> Array:
        """x, y, yaw of the robot now, by the likeliest particle ``(3,)``."""
        return np.asarray(PLANE.compose(self.belief.points[self.best], self._here))

    @property
    def trajectory(self) -> tuple[Array, Array]:
        """Times ``(T,)`` and poses ``(T, 3)`` of all scans, by the likeliest particle."""
        ts, at, here = (list(column) for column in zip(*self._track, strict=True)) if self._track else ([], [], [])
        poses = self._paths.of(self.best).reshape(-1, 3)[np.array(at, dtype=np.int64)]
        return np.array(ts), np.asarray(PLANE.compose(poses, np.reshape(here, (-1, 3))))

    def map(self, particle: int | None = None) -> OccupancyGrid:
        """The occupancy grid of a particle; of the likeliest one by default."""
        return self.maps.grid(self.best if particle is None else particle)

    def update(self, ranges: ArrayLike, odometry: ArrayLike, t: float | None = None) -> ParticleStep:
        """Take a scan.

        Args:
            ranges: ``(B,)`` [m]; NaN, 0, and `max_range` or more are no points.
            odometry: pose of the robot by its wheels ``(3,)``, in any frame that stays.
            t: time [s]; the number of the scan by default.

        Raises:
            ShapeError: if ranges have another shape than the angles, or the odometry is not finite.
        """
        surface = scan_surface(ranges, self.angles, self.settings.max_range, min_range=self.settings.min_range)
        wheels = np.array(PLANE.check(odometry, "odometry"))
        stamp = float(len(self._track)) if t is None else number(t, "t")
        seen, lost, effective, again = np.array(numbers(ranges, "ranges")), 0, float(len(self.scores)), False
        motion = None if self._wheels is None else self.settings.odometry.step(self._wheels, wheels)
        used = motion is None or self._far(np.asarray(motion.mean))
        if used:
            if motion is not None:
                lost = self._move(surface, motion)
                effective, again = self._resample()
            self._map(seen)
            self._wheels, self._here = wheels, np.zeros(3)
        elif motion is not None:
            self._here = np.asarray(motion.mean)
        self._track.append((stamp, len(self._paths) - 1, self._here.copy()))
        return ParticleStep(self.pose, used, lost, effective, again)

    # --- parts ---

    def _far(self, moved: Array) -> bool:
        return float(np.hypot(moved[0], moved[1])) >= self.settings.distance or abs(moved[2]) >= self.settings.turn

    def _start(self, scan: Surface, motion: Gaussian, guess: Array) -> Array:
        """The motion from which scan matching starts: the best one in a window, on the map of the likeliest particle."""
        far = float(np.hypot(*scan.points.T).max(initial=0.0)) + 1.0
        points = self.maps.ends_around(self.best, guess[0], guess[1], far)
        if not (len(points) and len(scan)):
            return np.asarray(motion.mean)
        table = np.full((len(points), 11), np.nan)
        table[:, :2] = points
        std = 3.0 * np.sqrt(np.diagonal(motion.cov))
        window, turn = float(np.clip(std[:2].max(), 0.2, 1.0)), float(np.clip(std[2], 0.15, 0.5))
        searcher = replace(self.settings.searcher, window=window, turn=turn)
        reference = Surface(table, np.zeros((len(points), 2), np.int64))
        pose, score = searcher.search(reference, scan, guess)
        if score < 0.0:
            return np.asarray(motion.mean)
        return np.asarray(PLANE.compose(PLANE.inverse(self.belief.points[self.best]), pose))

    def _move(self, scan: Surface, motion: Gaussian) -> int:
        """Draw a new pose of each particle and weigh it; returns how many matched nothing."""
        s, n = self.settings, len(self.scores)
        guesses = np.ascontiguousarray(PLANE.compose(self.belief.points, motion.mean))
        self.maps.make_room(guesses[:, :2].min(axis=0), guesses[:, :2].max(axis=0))
        start = self._start(scan, motion, guesses[self.best])
        starts = np.ascontiguousarray(PLANE.compose(self.belief.points, start))
        half = self.rng.standard_normal((s.samples // 2, 3))
        xi, draws = np.concatenate([half, -half]), self.rng.standard_normal((n, 3))
        out, lost, logs, work = np.empty((n, 4)), np.empty(n, np.bool_), np.empty(len(xi)), np.empty((16, 9))
        maps = self.maps
        propose(
            maps.tables, maps.evidence, maps.ends, maps.corner, scan.table, starts, guesses, np.linalg.inv(motion.cov),
            np.linalg.cholesky(motion.cov), np.array([s.sigma, s.worst, s.unseen, s.power]), s.spread, s.overlap, s.reach,
            xi, draws, logs, work, out, lost,
        )  # fmt: skip
        self.scores = self.scores + out[:, 3]
        logs = self.belief.log_weights + out[:, 3]
        self.belief = Particles(PLANE, out[:, :3], logs)
        return int(lost.sum())

    def _resample(self) -> tuple[float, bool]:
        """Resample if the weights have become unequal; returns the effective number before, and whether."""
        self._paths.append(self.belief.points)
        w = self.belief.weights
        found = renewed(self.belief, self.settings.threshold, self.settings.resampling, self.rng)
        if found is not None:
            index, _, after = found
            self.belief = Particles(PLANE, self.belief.points[index], after)
            self.scores = self.scores[index]
            self.maps.resample(index)
            self._paths.resample(index)
        return float(1.0 / (w @ w)), found is not None

    def _map(self, ranges: Array) -> None:
        """Add a scan to the maps."""
        poses = self.belief.points
        if not len(self._paths):
            self._paths.append(poses)
        self.maps.make_room(poses[:, :2].min(axis=0), poses[:, :2].max(axis=0))
        for n, pose in enumerate(poses):
            self.maps.add(n, pose, ranges, self.angles, self.settings.min_range)
