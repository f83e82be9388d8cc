"""Simulated feature tracks: what the tracker of a camera would say of known points, with noise and mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Count, Fraction, NonNegative, settings
from pilotage.core.streams import Rng, generator

from .camera_model import CameraModel, Mask

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FeatureTracks:
    """Features of a drive, frame by frame, with the truth.

    Attributes:
        ts: time of each frame ``(T,)`` [s].
        ids: ids of the features of each frame ``(N_t,)``.
        readings: their readings ``(N_t, m)``.
        wrong: which of them are wrong ``(N_t,)``.
        poses: true poses of the camera ``(T, size)``.
        points: true points ``(P, axes)`` [m]; those that move, where they begin.
        origin: number of the point of each id ``(ids,)``.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> points = np.random.default_rng(0).uniform([-2, -2, 4], [2, 2, 9], (30, 3))
        >>> tracks = TrackSimulator(Camera()).run([[0.1 * k, 0, 0, 1, 0, 0, 0] for k in range(5)], points, rng=0)
        >>> [len(ids) for ids, z, t in tracks]
        [30, 29, 29, 29, 28]
    """

    ts: Array
    ids: tuple[Indices, ...]
    readings: tuple[Array, ...]
    wrong: tuple[Mask, ...]
    poses: Array
    points: Array
    origin: Indices

    def __iter__(self) -> Iterator[tuple[Indices, Array, float]]:
        """Ids, readings and time of each frame: the arguments of `VisualOdometer.add`."""
        return zip(self.ids, self.readings, self.ts.tolist(), strict=True)

    def __len__(self) -> int:
        return len(self.ts)


@settings(eq=False)
class TrackSimulator:
    """A camera that tracks points as a feature tracker does.

    A point has an id from when it is first seen until it is lost: it leaves the view, is hidden, or the tracker loses
    it. If it is seen again, it is a new feature.

    Args:
        camera: the camera, whose sensor has the noise.
        lose: probability that a feature is lost in a frame though it is in view.
        wrong: share of the readings that are anywhere in the image.
        moving: share of the points that move, so that all their readings are wrong.
        speed: largest speed of those along each axis [m/s].
        most: largest number of features of a frame; None for all.
        hidden_by: bodies that hide what is behind them, discs or balls: centre and radius ``(B, axes + 1)`` [m].

    Raises:
        SettingError: if a setting is out of its range.

    Example:
        >>> from pilotage.estimators.slam.vision import PlanarCamera
        >>> simulator = TrackSimulator(PlanarCamera(), lose=0.0, hidden_by=[[2.0, 0.0, 0.5]])
        >>> tracks = simulator.run([[0.0, 0.0, 0.0]], [[4.0, 0.0], [4.0, 2.0]], rng=0)
        >>> tracks.origin.tolist()
        [1]
    """

    camera: CameraModel
    lose: Fraction = 0.02
    wrong: Fraction = 0.0
    moving: Fraction = 0.0
    speed: NonNegative = 1.0
    most: Count | None = None
    hidden_by: Any = ()

    def __post_init__(self) -> None:
        bodies = numbers(self.hidden_by, "hidden_by")
        bodies = bodies.reshape(0, self.camera.axes + 1) if bodies.size == 0 else bodies
        if bodies.ndim != 2 or bodies.shape[1] != self.camera.axes + 1 or not np.isfinite(bodies).all():
            raise ShapeError(
                f"hidden_by has shape {bodies.shape}; expected centres and radii (B, {self.camera.axes + 1})"
            )
        object.__setattr__(self, "hidden_by", bodies)

    def run(
        self, poses: ArrayLike, points: ArrayLike, ts: ArrayLike | None = None, *, rng: Rng = None
    ) -> FeatureTracks:
        """The features of a drive.

        Args:
            poses: poses of the camera ``(T, size)``.
            points: points that it may see ``(P, axes)`` [m].
            ts: times ``(T,)`` [s]; 0.1 s a frame by default.
            rng: seed or generator.

        Raises:
            ShapeError: if shapes do not match.
        """
        camera, draw = self.camera, generator(rng)
        x = np.atleast_2d(camera.pose.check(poses, "poses"))
        places = np.atleast_2d(camera.place.check(points, "points"))
        times = 0.1 * np.arange(len(x)) if ts is None else numbers(ts, "ts")
        if times.shape != (len(x),):
            raise ShapeError(f"ts has shape {times.shape}; expected ({len(x)},), one a pose")
        moves = draw.random(len(places)) < self.moving
        velocity = np.where(moves[:, None], draw.uniform(-self.speed, self.speed, places.shape), 0.0)
        tracked, origin = np.full(len(places), -1), list[int]()
        frames = list[tuple[Indices, Array, Mask]]()
        for pose, t in zip(x, times - times[0], strict=True):
            now = places + velocity * t
            chosen = self._chosen(pose, now, tracked, draw)
            new = chosen[tracked[chosen] < 0]
            gone = np.ones(len(places), dtype=bool)
            gone[chosen] = False
            tracked[gone] = -1
            tracked[new] = len(origin) + np.arange(len(new))
            origin += new.tolist()
            z, wrong = self._readings(pose, now[chosen], draw)
            frames.append((tracked[chosen], z, wrong | moves[chosen]))
        ids, readings, bad = zip(*frames, strict=True)
        return FeatureTracks(
            np.asarray(times, dtype=np.float64), ids, readings, bad, x, places, np.array(origin, dtype=np.int64)
        )

    def _chosen(self, pose: Array, points: Array, tracked: Indices, draw: np.random.Generator) -> Indices:
        """Numbers of the points whose features a frame holds."""
        seen = self.camera.sees(pose, points) & ~self._hidden(pose, points)
        seen &= (tracked < 0) | (draw.random(len(points)) >= self.lose)
        found = np.flatnonzero(seen)
        if self.most is None or len(found) <= self.most:
            return found
        order = np.where(tracked[found] >= 0, -1.0, draw.random(len(found)))  # those tracked already come first
        return np.sort(found[np.argsort(order, kind="stable")[: self.most]])

    def _readings(self, pose: Array, points: Array, draw: np.random.Generator) -> tuple[Array, Mask]:
        """Readings with noise, some of them those of other directions."""
        z = np.asarray(self.camera.sensor.sample(np.broadcast_to(pose, (len(points), len(pose))), points, rng=draw))
        wrong = draw.random(len(points)) < self.wrong
        if wrong.any() and len(points):
            z = z.copy()
            local = self._anywhere(int(wrong.sum()), draw)
            z[wrong] = self.camera.observe(self.camera.pose.identity(), local)
        return z, wrong

    def _anywhere(self, count: int, draw: np.random.Generator) -> Array:
        """Points anywhere in view."""
        kept, axes = np.zeros((0, self.camera.axes)), self.camera.axes
        while len(kept) < count:
            local = draw.uniform(-20.0, 20.0, (64 + 8 * count, axes))
            local[:, self.camera.ahead] = np.abs(local[:, self.camera.ahead])
            kept = np.vstack([kept, local[self.camera.in_view(local)]])
        return kept[:count]

    def _hidden(self, pose: Array, points: Array) -> Mask:
        """Which points are behind a body."""
        axes, bodies = self.camera.axes, np.asarray(self.hidden_by)
        d = points - pose[:axes]
        length = np.maximum(np.linalg.norm(d, axis=1), 1e-12)
        to = bodies[:, :axes] - pose[:axes]
        along = np.clip((d / length[:, None]) @ to.T, 0.0, length[:, None])  # (P, B): nearest way along the line
        nearest = along[..., None] * (d / length[:, None])[:, None] - to
        return (np.linalg.norm(nearest, axis=2) < bodies[:, axes]).any(axis=1)
