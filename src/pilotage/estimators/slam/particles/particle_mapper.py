"""The maps that a robot makes while it drives, one for each particle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian, Particles
from pilotage.core.arrays import numbers
from pilotage.core.settings import number, whole
from pilotage.maps import OccupancyGrid

from ...resampling import renewed
from ..matching import Surface, scan_surface
from ..matching.match import PLANE
from ..matching.surface import of_points
from ._climbing import match
from ._paths import Paths
from ._proposal import propose
from ._tile_maps import TileMaps

if TYPE_CHECKING:
    from .grid_rbpf import GridRBPF

Array = NDArray[np.float64]

GOES_ON = 0.3
"""Standard deviation [m, rad] of the motion of a robot without odometry from the one before."""


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
        >>> from pilotage.estimators.slam.particles import GridRBPF
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
        belief: poses of the particles at the last scan that was used, with their weights.
        scores: sum of the log-weights along the way of each particle ``(N,)``.

    Example:
        >>> from pilotage.estimators.slam.particles import GridRBPF
        >>> mapper = GridRBPF(particles=3).start([-0.1, 0.0, 0.1], rng=0)
        >>> mapper.update([2.0, 2.0, 2.0]).keyframe, mapper.pose.tolist()
        (True, [0.0, 0.0, 0.0])
    """

    def __init__(self, settings: GridRBPF, angles: Array, pose: Array, rng: np.random.Generator) -> None:
        self.settings, self.angles, self.rng = settings, angles, rng
        n = settings.particles
        self.maps = TileMaps(n, settings.resolution, settings.model, settings.clamp, settings.max_range)
        self.belief, self.scores = Particles(PLANE, np.tile(pose, (n, 1))), np.zeros(n)
        self._paths, self._here, self._last = Paths(), np.zeros(3), np.zeros(3)
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
        return np.array([t for t, _, _ in self._track]), self.path()

    def path(self, particle: int | None = None) -> Array:
        """The poses of all scans by a particle ``(T, 3)``; by the likeliest one by default."""
        at = np.array([k for _, k, _ in self._track], dtype=np.int64)
        here = np.reshape([moved for _, _, moved in self._track], (-1, 3))
        poses = self._paths.of(self._chosen(particle))
        return np.asarray(PLANE.compose(poses.reshape(-1, 3)[at], here))

    def map(self, particle: int | None = None) -> OccupancyGrid:
        """The occupancy grid of a particle; of the likeliest one by default."""
        return self.maps.grid(self._chosen(particle))

    def update(self, ranges: ArrayLike, odometry: ArrayLike | None = None, t: float | None = None) -> ParticleStep:
        """Take a scan.

        Args:
            ranges: ``(B,)`` [m]; NaN, 0, and `max_range` or more are no points.
            odometry: pose of the robot by its wheels ``(3,)``, in any frame that stays. Without it, the robot is
                guessed to go on as before, and each scan is used.
            t: time [s]; the number of the scan by default.

        Raises:
            ShapeError: if ranges have another shape than the angles, or the odometry is not finite.
        """
        surface = scan_surface(ranges, self.angles, self.settings.max_range, min_range=self.settings.min_range)
        wheels = None if odometry is None else np.array(PLANE.check(odometry, "odometry"))
        stamp = float(len(self._track)) if t is None else number(t, "t")
        scan = np.array(numbers(ranges, "ranges", missing=True))
        motion = self._motion(wheels) if self._track else None
        used = motion is None or wheels is None or self._wheels is None or self._far(motion)
        step = self._use(surface, scan, motion) if used else (0, float(len(self.scores)), False)
        self._wheels = wheels if used else self._wheels
        self._here = np.zeros(3) if used or motion is None else np.asarray(motion.mean)
        self._track.append((stamp, len(self._paths) - 1, self._here))
        return ParticleStep(self.pose, used, *step)

    # --- parts ---

    def _chosen(self, particle: int | None) -> int:
        """A particle by its number, or the likeliest one."""
        return self.best if particle is None else whole(particle, "particle", 0, len(self.scores) - 1)

    def _motion(self, wheels: Array | None) -> Gaussian:
        """The motion since the last scan that was used, by the odometry if there is some."""
        if wheels is None or self._wheels is None:
            return Gaussian(PLANE, self._last, GOES_ON**2 * np.eye(3))
        return self.settings.odometry.step(self._wheels, wheels)

    def _far(self, motion: Gaussian) -> bool:
        x, y, yaw = np.asarray(motion.mean).tolist()
        return math.hypot(x, y) >= self.settings.distance or abs(yaw) >= self.settings.turn

    def _use(self, surface: Surface, scan: Array, motion: Gaussian | None) -> tuple[int, float, bool]:
        """Move and weigh the particles by a scan, resample them, and add it to their maps; see `ParticleStep`."""
        lost = 0 if motion is None else self._move(surface, motion)
        self._paths.append(self.belief.points)
        effective, again = self._resample()
        poses = self.belief.points
        self.maps.make_room(poses[:, :2].min(axis=0), poses[:, :2].max(axis=0))
        for n, pose in enumerate(poses):
            self.maps.add(n, pose, scan, self.angles, self.settings.min_range)
        return lost, effective, again

    def _move(self, scan: Surface, motion: Gaussian) -> int:
        """Draw a new pose of each particle and weigh it; returns how many match nothing."""
        before = self.belief.points
        guesses = np.array(PLANE.compose(before, motion.mean))
        self.maps.make_room(guesses[:, :2].min(axis=0), guesses[:, :2].max(axis=0))
        start = self._start(scan, motion, guesses[self.best])
        x, log_weights, lost = self._propose(scan, motion, np.array(PLANE.compose(before, start)), guesses)
        self.scores = self.scores + log_weights
        self.belief = Particles(PLANE, x, self.belief.log_weights + log_weights)
        self._last = np.asarray(PLANE.compose(PLANE.inverse(before[self.best]), x[self.best]))
        return lost

    def _start(self, scan: Surface, motion: Gaussian, guess: Array) -> Array:
        """The motion from which scan matching starts: the best match on the map of the likeliest particle."""
        s, maps, starts, pose = self.settings, self.maps, [guess], guess.copy()
        far = float(np.hypot(*scan.points.T).max(initial=0.0)) + 1.0
        ends = maps.ends_around(self.best, guess[0], guess[1], far)
        if len(ends) and len(scan):
            std = 3.0 * np.sqrt(np.diagonal(motion.cov))
            window, turn = float(np.clip(std[:2].max(), 0.2, 1.0)), float(np.clip(std[2], 0.15, 0.5))
            starts.append(replace(s.searcher, window=window, turn=turn).search(of_points(ends), scan, guess)[0])
        match(
            maps.tables[self.best], maps.evidence, maps.ends, maps.corner, scan.table, np.array(starts), guess,
            np.linalg.inv(motion.cov), s.rule, s.reach, pose, np.empty((9, 3)),
        )  # fmt: skip
        return np.asarray(PLANE.compose(PLANE.inverse(self.belief.points[self.best]), pose))

    def _propose(self, scan: Surface, motion: Gaussian, starts: Array, guesses: Array) -> tuple[Array, Array, int]:
        """Poses ``(N, 3)``, logarithms of their weights ``(N,)``, and how many are drawn from the odometry."""
        s, n, maps = self.settings, len(guesses), self.maps
        half = self.rng.standard_normal((s.samples // 2, 3))
        xi, draws = np.concatenate([half, -half]), self.rng.standard_normal((n, 3))
        out, lost, work = np.empty((n, 4)), np.empty(n, np.bool_), np.empty((16, 9))
        propose(
            maps.tables, maps.evidence, maps.ends, maps.corner, scan.table, starts, guesses, np.linalg.inv(motion.cov),
            np.linalg.cholesky(motion.cov), s.rule, s.spread, s.overlap,
            s.reach, xi, draws, np.empty(len(xi)), work, out, lost,
        )  # fmt: skip
        return out[:, :3].copy(), out[:, 3], int(lost.sum())

    def _resample(self) -> tuple[float, bool]:
        """Resample if the weights have become unequal; returns the effective number before, and whether."""
        w = self.belief.weights
        found = renewed(self.belief, self.settings.threshold, self.settings.resampling, self.rng)
        if found is not None:
            index, _, after = found
            self.belief = Particles(PLANE, self.belief.points[index], after)
            self.scores = self.scores[index]
            self.maps.resample(index)
            self._paths.resample(index)
        return float(1.0 / (w @ w)), found is not None
