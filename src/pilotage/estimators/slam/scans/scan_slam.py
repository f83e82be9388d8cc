"""SLAM from laser scans: a pose graph of scans that are matched to each other, kept while the robot drives."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Count, Fraction, NonNegative, Positive, instance, number, settings
from pilotage.io import PoseGraph, write_atomic
from pilotage.maps import InverseLikelihoodModel, OccupancyGrid, OccupancyMap

from ..closures import Closure
from ..gauss_newton import GaussNewton
from ..matching import CorrelativeMatcher, Match, PointToLineICP, Surface, scan_surface
from ..odometry import OdometryModel, calibrate_odometry
from ..solver import GraphSolver
from ._kept import restored, saved
from .keyframes import PLANE, Keyframes
from .loops import LoopCloser

Array = NDArray[np.float64]
UNKNOWN = 0.3
"""Standard deviation of the motion between two scans without odometry [m], [rad]. Where scans leave a direction free,
the speed along it is as unknown as the place, and the errors of the scans add up."""
BLURRED = 0.25
"""Keyframes whose distance from the last one is less certain [m] are no reference: things are seen twice in them."""


@settings
class ScanSLAM:
    """SLAM from the scans of a laser and odometry, if there is any.

    Each scan is matched to the last few keyframes, with the odometry as a prior; where that fails, in a window around
    the odometry; where that fails too, the odometry is believed. A scan far enough from the last keyframe becomes one.
    `LoopCloser` finds closures, and `solver` the poses of all keyframes that explain steps and closures best.

    Args:
        max_range, min_range: largest and smallest range that is used [m].
        odometry: errors of the odometry.
        matcher: matches scans from a good guess.
        searcher: matches scans where that fails.
        loops: closes loops; None for scan matching alone.
        solver: optimises the poses.
        distance, turn: a scan becomes a keyframe this far from the last one [m], [rad].
        local: number of keyframes that a scan is matched to.
        overlap: share of the points of a scan that must lie on them.
        rms: distance from them that makes a match bad [m].
        doubt: a match is searched again from other guesses where ``overlap exp(-(its rms / rms)^2 / 2)`` is below this.
        floor: standard deviation added to that of a match [m]: of scans that are taken while the robot moves, and of
            surfaces that are no lines.
        patience: chi2 of new closures that waits for more of them before the poses are optimised.
        worst: chi2 above which a closure is given up.

    Example:
        >>> from pilotage.maps import Lidar, OccupancyGrid
        >>> lidar = Lidar(OccupancyGrid.load("depot.yaml"), angles=180, max_range=12.0)
        >>> mapper = ScanSLAM(max_range=12.0).start(lidar.angles)
        >>> for x in np.linspace(5.0, 7.0, 9):
        ...     step = mapper.update(lidar.observe([x, 1.0, 0.0]), odometry=[1.1 * x, 0.0, 0.0])
        >>> step.pose.round(1).tolist(), len(mapper.keyframes)
        ([2.0, 0.0, 0.0], 5)
    """

    max_range: Positive = 20.0
    min_range: NonNegative = 0.0
    odometry: OdometryModel = OdometryModel()
    matcher: PointToLineICP = PointToLineICP()
    searcher: CorrelativeMatcher = CorrelativeMatcher()
    loops: LoopCloser | None = LoopCloser()
    solver: GraphSolver = GaussNewton(iterations=20, tolerance=1e-6)
    distance: Positive = 0.4
    turn: Positive = 0.4
    local: Count = 10
    overlap: Fraction = 0.5
    rms: Positive = 0.1
    doubt: Fraction = 0.75
    floor: NonNegative = 0.01
    patience: NonNegative = 3.0
    worst: Positive = 30.0

    def start(
        self, angles: ArrayLike, pose: ArrayLike = (0.0, 0.0, 0.0), *, mount: ArrayLike = (0.0, 0.0, 0.0)
    ) -> ScanMapper:
        """A mapper for a robot that starts at a pose.

        Args:
            angles: directions of the beams from the laser ``(B,)`` [rad].
            pose: x, y, yaw of the robot in the map ``(3,)``.
            mount: x, y, yaw of the laser on the robot ``(3,)``.

        Raises:
            ShapeError: if one of them has another shape, or is not finite.
        """
        directions = np.array(numbers(angles, "angles"))
        if directions.ndim != 1 or not len(directions) or not np.isfinite(directions).all():
            raise ShapeError(f"angles have shape {directions.shape}; expected one finite direction a beam, (B,)")
        begin, place = (np.array(PLANE.check(x, name)) for x, name in ((pose, "the pose"), (mount, "the mount")))
        return ScanMapper(self, directions, begin, place)

    def resume(self, path: str | os.PathLike[str]) -> ScanMapper:
        """The mapper that `ScanMapper.save` has kept in a file, which goes on to the bit.

        Raises:
            MissingFile: if the file does not exist.
            FormatError: if it is no such file, is damaged, or was kept by a mapper with other settings.
        """
        return restored(self, path)


@dataclass(frozen=True, eq=False)
class ScanStep:
    """The outcome of a scan: where the robot is, and the changes of the map.

    Attributes:
        pose: x, y, yaw of the robot now ``(3,)``.
        match: how the scan lies on those before; where it is lost, with the pose of the odometry. None for the first.
        lost: whether no match was found, so that the odometry was believed.
        keyframe: whether the scan became a keyframe.
        closures: loop closures that were accepted.
        optimized: whether the poses of all keyframes have changed.

    Example:
        >>> ScanSLAM().start([0.0]).update([1.0]).optimized
        False
    """

    pose: Array
    match: Match | None
    lost: bool
    keyframe: bool
    closures: tuple[Closure, ...]
    optimized: bool


class ScanMapper:
    """The map of scans that a robot makes while it drives: what `ScanSLAM.start` returns.

    All poses are of the robot. Scans are moved from its laser to its middle before they are matched.

    Attributes:
        settings: the settings.
        angles: directions of the beams ``(B,)`` [rad].
        mount: x, y, yaw of the laser on the robot ``(3,)``.
        keyframes: scans, their poses, and the measurements between them.
        pending: closures that wait for others that agree.
        lost: number of scans that matched nothing.
        rejected: closures that were given up.

    Example:
        >>> mapper = ScanSLAM().start([-0.1, 0.0, 0.1])
        >>> mapper.update([2.0, 2.0, 2.0]).keyframe, mapper.pose.tolist()
        (True, [0.0, 0.0, 0.0])
    """

    def __init__(self, settings: ScanSLAM, angles: Array, pose: Array, mount: Array) -> None:
        self.settings, self.angles, self.mount = instance(settings, ScanSLAM, "ScanMapper"), angles, mount
        self.keyframes, self.pending, self.rejected = Keyframes(), list[Closure](), list[Closure]()
        self.lost = 0
        self._start, self._here, self._last = pose, np.zeros(3), np.zeros(3)
        self._odometry: tuple[Array, Array] | None = None  # at the last keyframe, and at the last scan
        self._reference: Surface | None = None
        self._track: list[tuple[float, int, Array]] = []
        self._steps: list[tuple[Array, Array, Array]] = []
        self._drawn: tuple[tuple[float, float], OccupancyMap, Array] | None = None  # settings, map and poses of it
        self._waiting = 0.0  # chi2 of closures
        self._unsure = 0  # scans since the last keyframe, in a row, that left a direction free

    @property
    def pose(self) -> Array:
        """x, y, yaw of the robot now ``(3,)``."""
        return np.asarray(PLANE.compose(self.keyframes.poses[-1], self._here)) if self.keyframes else self._start

    def update(self, ranges: ArrayLike, odometry: ArrayLike | None = None, t: float | None = None) -> ScanStep:
        """Take a scan.

        Args:
            ranges: ``(B,)`` [m]; NaN, 0, and `max_range` or more are no points.
            odometry: pose of the robot by its wheels ``(3,)``, in any frame that stays; None if there is none.
            t: time [s]; the number of the scan by default.

        Raises:
            ShapeError: if ranges have another shape than the angles, or the odometry is not finite.
        """
        surface = self.surface(ranges)
        wheels = None if odometry is None else np.array(PLANE.check(odometry, "odometry"))
        stamp = float(len(self._track)) if t is None else number(t, "t")
        match, lost = self._matched(surface, wheels) if self._reference is not None else (None, False)
        self.lost += lost
        became = match is None or self._far(match)
        closures: tuple[Closure, ...] = ()
        if became:
            if match is not None and not lost:
                self._compare(match, wheels)
            self._add(surface, np.array(ranges, dtype=np.float64), match)
            closures = self._close()
        self._odometry = (
            None if wheels is None else (wheels if became or self._odometry is None else self._odometry[0], wheels)
        )
        optimized = self._optimize(closures)
        self._track.append((stamp, len(self.keyframes) - 1, self._here.copy()))
        return ScanStep(self.pose, match, lost, became, closures, optimized)

    def finish(self) -> None:
        """Optimise the poses with all closures, at the end of a drive."""
        if self._waiting > 0.0:
            self._waiting = math.inf
            self._optimize(())

    @property
    def trajectory(self) -> tuple[Array, Array]:
        """Times ``(T,)`` and poses ``(T, 3)`` of all scans, as they are known now."""
        ts, at, here = (list(column) for column in zip(*self._track, strict=True)) if self._track else ([], [], [])
        poses = np.array(self.keyframes.poses).reshape(-1, 3)[np.array(at, dtype=np.int64)]
        return np.array(ts), np.asarray(PLANE.compose(poses, np.reshape(here, (-1, 3))))

    @property
    def graph(self) -> PoseGraph:
        """The pose graph of the keyframes, as they are known now."""
        return self.keyframes.graph()

    def map(self, resolution: float = 0.05, noise: float = 0.03) -> OccupancyGrid:
        """The occupancy grid of all keyframes at their poses as they are known now.

        As long as no loop closes, only the keyframes since the last call are added to the map of that call.

        Args:
            resolution: side of a cell [m].
            noise: standard deviation of a range [m].
        """
        kind, poses = (resolution, noise), np.array(self.keyframes.poses).reshape(-1, 3)
        before, built, drawn = self._drawn or (None, None, poses)
        if built is None or before != kind or not np.array_equal(drawn, poses[: len(drawn)]):
            built, drawn = OccupancyMap(resolution, model=InverseLikelihoodModel(sigma=noise)), poses[:0]
        lasers = np.asarray(PLANE.compose(poses[len(drawn) :], self.mount))
        scans = np.reshape(self.keyframes.scans[len(drawn) :], (-1, len(self.angles)))
        built.insert(lasers, scans, self.angles, self.settings.max_range)
        self._drawn = kind, built, poses
        return built.grid()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keep the mapper in a file (npz), from which `ScanSLAM.resume` makes it again.

        An older file is replaced when the new one is complete.
        """
        write_atomic(path, saved(self))

    def calibration(self) -> OdometryModel:
        """The errors of the odometry, from the steps that scans have measured.

        Raises:
            ShapeError: if there were fewer than ten of them, or the robot did not both drive and turn.
        """
        if len(self._steps) < 10:
            raise ShapeError(f"{len(self._steps)} steps have odometry and a match; expected ten or more to calibrate")
        u, z, covs = (np.array(column) for column in zip(*self._steps, strict=True))
        return calibrate_odometry(u, z, covs)

    def surface(self, ranges: ArrayLike) -> Surface:
        """The surface of a scan ``(B,)`` in the frame of the robot."""
        seen = scan_surface(ranges, self.angles, self.settings.max_range, min_range=self.settings.min_range)
        return seen.moved(self.mount) if self.mount.any() else seen

    def state(self) -> dict[str, Any]:
        """What is between keyframes, as arrays by name: see `save`."""
        track = zip(*self._track, strict=True) if self._track else ((), (), ())
        ts, at, here = (list(column) for column in track)
        return {
            "start": self._start, "here": self._here, "last": self._last,
            "lost": self.lost, "waiting": self._waiting, "unsure": self._unsure,
            "odometry": np.reshape([] if self._odometry is None else self._odometry, (-1, 3)),
            "ts": np.array(ts, dtype=np.float64), "at": np.array(at, dtype=np.int64),
            "track": np.reshape(here, (-1, 3)),
            "measured": np.reshape([step[:2] for step in self._steps], (-1, 2, 3)),
            "measured_cov": np.reshape([step[2] for step in self._steps], (-1, 3, 3)),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with what `state` has given; the keyframes are there already."""
        self._here, self._last = (np.array(PLANE.check(state[name], name)) for name in ("here", "last"))
        self.lost, self._unsure, self._waiting = int(state["lost"]), int(state["unsure"]), float(state["waiting"])
        odometry = state["odometry"]
        self._odometry = (odometry[0], odometry[1]) if len(odometry) else None
        self._track = list(zip(state["ts"].tolist(), state["at"].tolist(), state["track"], strict=True))
        self._steps = [(u, z, cov) for (u, z), cov in zip(state["measured"], state["measured_cov"], strict=True)]
        if self.keyframes:
            self._refer()

    # --- parts ---

    def _matched(self, surface: Surface, wheels: Array | None) -> tuple[Match, bool]:
        """The pose in the frame of the last keyframe, and whether the odometry alone gives it."""
        reference, start = self._reference, self._here
        assert reference is not None
        if wheels is None or self._odometry is None:
            start = np.asarray(PLANE.compose(self._here, self._last))
            guess = Gaussian(PLANE, start, (UNKNOWN * (1 + self._unsure)) ** 2 * np.eye(3))
        else:
            guess = self.settings.odometry.step(self._odometry[0], wheels)
            moved = self.settings.odometry.step(self._odometry[1], wheels)
            start = np.asarray(PLANE.compose(self._here, moved.mean))
        match = self.settings.matcher.match(reference, surface, guess, start=start)
        if not self._good(match, guess) or self._score(match) < self.settings.doubt:
            std = 3.0 * np.sqrt(np.diagonal(guess.cov))
            window, turn = float(np.clip(std[:2].max(), 0.3, 1.0)), float(np.clip(std[2], 0.2, 0.5))
            other = replace(self.settings.searcher, window=window, turn=turn).match(reference, surface, guess)
            match = max(match, other, key=lambda each: (self._good(each, guess), self._score(each)))
        if lost := not self._good(match, guess):
            match = replace(match, pose=np.asarray(guess.mean), cov=np.asarray(guess.cov))
        self._last = np.asarray(PLANE.compose(PLANE.inverse(self._here), match.pose))
        self._here = match.pose
        self._unsure = self._unsure + 1 if lost or len(match.free) else 0
        return match, lost

    def _good(self, match: Match, guess: Gaussian) -> bool:
        """Whether a match overlaps and agrees with the odometry, to four standard deviations."""
        if not match.ok or match.overlap < self.settings.overlap:
            return False
        e = np.asarray(PLANE.minus(match.pose, guess.mean))
        return float(e @ np.linalg.solve(guess.cov, e)) <= 16.0

    def _score(self, match: Match) -> float:
        """How well a scan lies on the keyframes, from 0 to 1."""
        return match.overlap * math.exp(-0.5 * (match.rms / self.settings.rms) ** 2) if match.ok else 0.0

    def _far(self, match: Match) -> bool:
        x, y, yaw = self._here.tolist()
        far = math.hypot(x, y) >= self.settings.distance or abs(yaw) >= self.settings.turn
        return far or match.overlap < self.settings.overlap

    def _compare(self, match: Match, wheels: Array | None) -> None:
        """Keep a step that both the wheels and the scans have measured in full."""
        if wheels is not None and self._odometry is not None and match.ok and not len(match.free):
            u = np.asarray(PLANE.compose(PLANE.inverse(self._odometry[0]), wheels))
            self._steps.append((u, match.pose, match.cov + self._floor))

    def _add(self, surface: Surface, scan: Array, match: Match | None) -> None:
        """Make the scan a keyframe, which all later ones are matched to."""
        if match is None:
            self.keyframes.append(surface, scan, self._start, np.zeros((3, 3)))
        else:
            self.keyframes.append(surface, scan, match.pose, match.cov + self._floor)
        self._here, self._unsure = np.zeros(3), 0
        self._refer()

    def _close(self) -> tuple[Closure, ...]:
        """Accept the closures of the newest keyframe."""
        if self.settings.loops is None:
            return ()
        found = self.settings.loops.search(self.keyframes, self.pending)
        closures = tuple(replace(c, cov=c.cov + self._floor) for c in found)
        self.keyframes.closures += closures
        return closures

    def _optimize(self, closures: tuple[Closure, ...]) -> bool:
        """Optimise the poses when the closures since the last time have something to say."""
        self._waiting += sum(self.keyframes.chi2(c) + 0.1 for c in closures)
        if self._waiting < max(self.settings.patience, 1e-9):
            return False
        self._waiting = 0.0
        self.rejected += self.keyframes.optimize(self.settings.solver, self.settings.worst)
        self._refer()
        return True

    def _refer(self) -> None:
        """Join the last keyframes, which the next scan is matched to, as far as it is known how they lie."""
        last = len(self.keyframes) - 1
        first = max(last - self.settings.local + 1, 0)
        while first < last and np.trace(self.keyframes.between(first, last)[1][:2, :2]) > BLURRED**2:
            first += 1
        self._reference = self.keyframes.around(last, first, last + 1)

    @property
    def _floor(self) -> Array:
        """The covariance that is added to that of a match ``(3, 3)``."""
        return self.settings.floor**2 * np.diag([1.0, 1.0, 0.1])
