"""Visual odometry: the way of a camera, from tracked features alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian
from pilotage.core.arrays import numbers
from pilotage.core.errors import SettingError, ShapeError, counted
from pilotage.core.settings import Count, Fraction, Interval, NonNegative, Positive, instance, number, settings
from pilotage.core.streams import Rng, generator

from ..gauss_newton import GaussNewton
from ..kernels import Huber, RobustKernel
from ..solver import GraphSolver
from .camera_model import CameraModel
from .marginal import prepare
from .resection import Resection
from .two_view import TwoViewGeometry, TwoViewStatus
from .visual_step import VisualStatus, VisualStep
from .window import Keyframe, Landmark, Window

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


FEW = 0.2
"""Share of the parallax of a keyframe that makes one while few points are known."""


@settings
class VisualOdometry:
    """Visual odometry from tracked features, by bundle adjustment in a window of keyframes.

    1. A single camera waits until two views have parallax, and finds its motion between them (`TwoViewGeometry`). A
       pair of cameras sees points at once.
    2. Each frame's pose follows from the points that it sees, some of them wrong (`Resection`), and then from a factor
       graph of the keyframes, this frame and all their points.
    3. A frame that sees something new becomes a keyframe. New features become points as soon as they have parallax.
    4. The oldest keyframe leaves a full window. What it and its points said about the other poses is kept as a factor
       on them (`marginal`), so that covariances are those of all readings.

    A single camera does not see how far it moves. Its unit is the distance between its first two keyframes, which
    `scale` gives in metres; as errors add up, the scale drifts. A pair of cameras has no such drift.

    Args:
        camera: the camera, in space or in the plane.
        window: number of keyframes that are adjusted.
        scale: distance between the first two keyframes of a single camera [m].
        scale_std: its standard deviation, as a share of it.
        overlap: a frame becomes a keyframe if it sees less than this share of the points of the last one.
        parallax: or if lines of sight have turned by this since then, in the median [rad].
        min_parallax: angle between lines of sight from which a point is triangulated [rad].
        least: smallest number of known points that a pose is made of.
        ties: number of points by which a keyframe that leaves is tied to the others.
        limit: squared residual of a reading over its variance from which it is wrong.
        patience: number of lost frames after which a new map is begun where the camera was last seen.
        kernel: robust kernel of the readings.
        solver: of the factor graph.
        two_view, resection: find the first motion, and poses.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Leutenegger et al., "Keyframe-based visual-inertial odometry using nonlinear optimization" (2015), without
    inertial readings; Mur-Artal, Montiel and Tardos, "ORB-SLAM" (2015), for keyframes.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera, TrackSimulator
        >>> camera = Camera(baseline=0.2, std=0.5)
        >>> points = np.random.default_rng(0).uniform([-4, -3, 3], [8, 3, 9], (300, 3))
        >>> tracks = TrackSimulator(camera).run([[0.2 * k, 0, 0, 1, 0, 0, 0] for k in range(12)], points, rng=0)
        >>> odometer = VisualOdometry(camera, window=3).start()
        >>> for ids, pixels, t in tracks:
        ...     step = odometer.add(ids, pixels, t)
        >>> step.status.value, step.pose[:3].round(1).tolist()
        ('tracking', [2.2, 0.0, 0.0])
    """

    camera: CameraModel
    window: Count = 6
    scale: Positive = 1.0
    scale_std: Annotated[float, Interval(0.0, 1.0, "(]")] = 0.01
    overlap: Fraction = 0.7
    parallax: NonNegative = 0.05
    min_parallax: Positive = 0.02
    least: Count = 10
    ties: Count = 20
    limit: Positive = 13.8
    patience: Count = 10
    kernel: RobustKernel | None = Huber(2.5)
    solver: GraphSolver = GaussNewton(iterations=8, tolerance=1e-4)
    two_view: TwoViewGeometry = TwoViewGeometry()
    resection: Resection = Resection()

    def __post_init__(self) -> None:
        if self.window < 3:
            raise SettingError(f"window of VisualOdometry is {self.window}; expected 3 keyframes or more")

    def start(self, pose: ArrayLike | None = None, *, rng: Rng = 0) -> VisualOdometer:
        """A visual odometer whose camera is at a pose; the identity by default.

        Args:
            pose: ``(size,)``.
            rng: seed or generator of the random samples.

        Raises:
            ShapeError: if the pose does not fit the camera.
        """
        space = self.camera.pose
        return VisualOdometer(self, np.array(space.identity() if pose is None else space.check(pose, "the pose")), rng)


class VisualOdometer:
    """The way of a camera while it moves: what `VisualOdometry.start` returns.

    Attributes:
        settings: the settings.
        keyframes: poses of all keyframes by number.
        lost: number of frames that were lost.
        map: number of the map, from 0 on.

    Example:
        >>> from pilotage.estimators.slam.vision import PlanarCamera
        >>> camera = PlanarCamera()
        >>> points = [[4.0, 0.2 * k - 1.0] for k in range(12)]
        >>> odometer = VisualOdometry(camera).start()
        >>> for k in range(4):
        ...     step = odometer.add(range(12), camera.observe([0.1 * k, 0.0, 0.0], points))
        >>> step.pose[:2].round(3).tolist(), len(odometer.landmarks[0])
        ([0.3, 0.0], 12)
    """

    def __init__(self, settings: VisualOdometry, pose: Array, rng: Rng = 0) -> None:
        self.settings = instance(settings, VisualOdometry, "VisualOdometer")
        self.keyframes = dict[int, Array]()
        self.lost, self.map = 0, 0
        self._rng, self._space = generator(rng), settings.camera.pose
        self._pose, self._motion = pose, np.array(self._space.identity())
        self._track = list[tuple[float, int, Array]]()
        self._retired = dict[int, Array]()
        self._suspects = dict[int, int]()
        self._gone, self._last_t = 0, -np.inf
        prepare(settings.camera.axes, settings.window)
        self._begin()

    def _begin(self) -> None:
        """An empty window."""
        s, self._started = self.settings, False
        self._window = Window(s.camera, s.kernel, s.solver, s.limit, s.min_parallax)

    @property
    def pose(self) -> Array:
        """The pose of the camera, the last one known ``(size,)``."""
        return self._pose

    @property
    def trajectory(self) -> tuple[Array, Array]:
        """Times ``(T,)`` and poses ``(T, size)`` of all frames with a pose, as they are known now."""
        ts, at, here = (list(column) for column in zip(*self._track, strict=True)) if self._track else ([], [], [])
        poses = np.array([self.keyframes[k] for k in at]).reshape(-1, self._space.size)
        return np.array(ts), np.asarray(self._space.compose(poses, np.reshape(here, (-1, self._space.size))))

    @property
    def landmarks(self) -> tuple[Indices, Array]:
        """Ids ``(N,)`` and positions ``(N, axes)`` of all points so far, each id as it was seen last."""
        points = self._retired | {id: mark.point for id, mark in self._window.landmarks.items()}
        ids = np.array(sorted(points), dtype=np.int64)
        return ids, np.array([points[int(id)] for id in ids]).reshape(-1, self.settings.camera.axes)

    def add(self, ids: ArrayLike, pixels: ArrayLike, t: float | None = None) -> VisualStep:
        """Take a frame.

        Args:
            ids: a whole number for each feature, the same in all frames that show it ``(N,)``.
            pixels: its readings ``(N, m)``; rows with NaN were not measured.
            t: time [s], later than that of the frame before; the number of the frame by default.

        Raises:
            ShapeError: if shapes do not match, an id occurs twice, or a reading is infinite; nothing is changed then.
            SettingError: if the time is not a finite number, or not later than the last one.
        """
        seen = _features(ids, pixels, self.settings.camera.reading.size)
        stamp = self._stamped(t)
        step = self._follow(seen) if self._started else self._initialize(seen)
        self._last_t = stamp
        if step.belief is not None:
            self._record(stamp)
        return step

    # --- the first frames ---

    def _initialize(self, seen: dict[int, Array]) -> VisualStep:
        """Find the first points."""
        if self.settings.camera.has_depth:
            return self._first_pair(seen)
        if not self._window.frames:
            return self._wait(seen, f"waits for a second view: {counted(len(seen), 'feature')}")
        first = self._window.frames[0]
        shared = [id for id in seen if id in first.seen]
        pair = (np.array([each[id] for id in shared]).reshape(len(shared), -1) for each in (first.seen, seen))
        camera = self.settings.camera
        found = self.settings.two_view.solve(camera, *pair, rng=self._rng) if shared else None
        if found is None or found.status is TwoViewStatus.FEW:
            return self._wait(seen, f"{len(shared)} features are those of the first view; begins again with this one")
        if found.status is TwoViewStatus.SOLVED and found.pose is not None:
            return self._two_views(seen, shared, found)
        status = VisualStatus.INITIALIZING
        if found.status in (TwoViewStatus.ROTATION, TwoViewStatus.STILL, TwoViewStatus.AMBIGUOUS):
            status = VisualStatus.DEGENERATE
        return self._step(status, found.reason)

    def _wait(self, seen: dict[int, Array], reason: str) -> VisualStep:
        """Make this the first view."""
        self._begin()
        self._window.frames.append(self._keyframe(seen))
        return self._step(VisualStatus.INITIALIZING, reason)

    def _first_pair(self, seen: dict[int, Array]) -> VisualStep:
        """The points that a pair of cameras sees at once."""
        self._begin()
        self._window.frames.append(self._keyframe(seen))
        if self._window.triangulate() < self.settings.least:
            reason = f"{len(self._window.landmarks)} features have depth; expected {self.settings.least} or more"
            self._begin()
            return self._step(VisualStatus.INITIALIZING, reason)
        self._started = True
        self._register()
        belief = Gaussian(self._space, self._pose, 1e-12 * np.eye(self._space.dim))
        return self._step(VisualStatus.TRACKING, "the first frame", belief, True)

    def _two_views(self, seen: dict[int, Array], shared: list[int], found: Any) -> VisualStep:
        """The first two keyframes of a single camera, and their points."""
        first, s = self._window.frames[0], self.settings
        step = np.concatenate([s.scale * found.pose[:3], found.pose[3:]])
        second = Keyframe(first.number + 1, np.asarray(self._space.compose(first.pose, step)), dict(seen))
        wrong = tuple(id for id, good in zip(shared, found.inliers, strict=True) if not good)
        for id in wrong:
            del second.seen[id], first.seen[id]
        self._window.frames.append(second)
        self._window.distance = s.scale, s.scale_std * s.scale
        for id, point, angle in zip(shared, found.points, found.parallax, strict=True):
            if angle >= s.min_parallax:
                place = np.asarray(self._space.act(first.pose, s.scale * point))
                self._window.landmarks[id] = Landmark(place, np.zeros((3, 3)))
        belief, _, reason = self._window.adjust()
        if belief is None or len(self._window.landmarks) < s.least:
            return self._wait(seen, f"begins again: {reason}")
        self._pose, self._motion, self._started = second.pose, np.array(self._space.identity()), True
        self._register()
        return self._step(VisualStatus.TRACKING, found.reason, belief, True, wrong)

    # --- all other frames ---

    def _follow(self, seen: dict[int, Array]) -> VisualStep:
        """The pose by the points that are known."""
        s, window = self.settings, self._window
        known = [id for id in seen if id in window.landmarks]
        guess = np.asarray(self._space.compose(self._pose, self._motion))
        points = np.array([window.landmarks[id].point for id in known]).reshape(-1, s.camera.axes)
        covs = np.array([window.landmarks[id].cov for id in known]).reshape(-1, s.camera.axes, s.camera.axes)
        z = np.array([seen[id] for id in known]).reshape(len(known), s.camera.reading.size)
        resection = replace(s.resection, least=s.least)
        found = resection.solve(s.camera, points, z, covs=covs, guess=guess, rng=self._rng)
        if found.belief is None:
            return self._missed(seen, found.reason)
        wrong = [id for id, good in zip(known, found.inliers, strict=True) if not good]
        self._doubt(wrong, [id for id, good in zip(known, found.inliers, strict=True) if good])
        frame = Keyframe(window.frames[-1].number + 1, np.asarray(found.belief.mean),
                         {id: reading for id, reading in seen.items() if id not in set(wrong)})  # fmt: skip
        belief, bad, reason = window.adjust(frame)
        wrong += [id for k, id in bad if k == len(window.frames)]
        agreed = sum(id in frame.seen for id in known)
        said = f"{agreed} of {counted(len(known), 'known point')} agree, {len(seen)} features"
        if agreed < s.least:
            return self._missed(seen, said)
        self._motion = np.asarray(self._space.compose(self._space.inverse(self._pose), frame.pose))
        self._pose, self._gone = frame.pose, 0
        if belief is None:
            return self._step(VisualStatus.DEGENERATE, reason, None, False, tuple(wrong))
        became = self._is_new(frame)
        if became:
            self._add_keyframe(frame)
        self._register()
        return self._step(VisualStatus.TRACKING, said, belief, became, tuple(wrong))

    def _missed(self, seen: dict[int, Array], reason: str) -> VisualStep:
        """A frame without a pose; after many of them, a new map begins."""
        self.lost, self._gone = self.lost + 1, self._gone + 1
        self._motion = np.array(self._space.identity())
        if self._gone < self.settings.patience:
            return self._step(VisualStatus.LOST, reason)
        self._retire({id: mark.point for id, mark in self._window.landmarks.items()})
        self._gone, self.map = 0, self.map + 1
        self._begin()
        step = self._initialize(seen)
        return replace(step, reason=f"a new map begins where the camera was last seen: {step.reason}")

    def _doubt(self, wrong: list[int], good: list[int]) -> None:
        """Forget points whose readings were wrong twice in a row: the tracker follows something else."""
        for id in good:
            self._suspects.pop(id, None)
        for id in wrong:
            self._suspects[id] = self._suspects.get(id, 0) + 1
            if self._suspects[id] >= 2:
                del self._suspects[id]
                self._window.landmarks.pop(id, None)
                for frame in self._window.frames:
                    frame.seen.pop(id, None)

    def _is_new(self, frame: Keyframe) -> bool:
        """Whether a frame sees enough new to be a keyframe."""
        s, last = self.settings, self._window.frames[-1]
        before = [id for id in last.seen if id in self._window.landmarks]
        still = [id for id in last.seen if id in frame.seen]
        if sum(id in frame.seen for id in before) < s.overlap * len(before) or len(still) < 2 * s.least:
            return True
        known = sum(id in frame.seen for id in self._window.landmarks)
        turned = self._window.turned(last, frame, still)
        return turned > (s.parallax if known >= 2 * s.least else FEW * s.parallax)

    def _add_keyframe(self, frame: Keyframe) -> None:
        """Add a keyframe, and points that have parallax now; let the oldest go if the window is full."""
        window = self._window
        window.frames.append(frame)
        window.triangulate()
        if len(window.frames) > self.settings.window:
            self._retire(window.forget_oldest(self.settings.ties))

    # --- books ---

    def _keyframe(self, seen: dict[int, Array]) -> Keyframe:
        return Keyframe(max(self.keyframes, default=-1) + 1, self._pose, dict(seen))

    def _retire(self, points: dict[int, Array]) -> None:
        self._retired |= points

    def _register(self) -> None:
        """Keep the poses of the keyframes."""
        self.keyframes |= {frame.number: frame.pose for frame in self._window.frames}

    def _record(self, t: float) -> None:
        """Keep the frame relative to the last keyframe."""
        last = self._window.frames[-1]
        self._track.append(
            (t, last.number, np.asarray(self._space.compose(self._space.inverse(last.pose), self._pose)))
        )

    def _step(
        self, status: VisualStatus, reason: str, belief: Gaussian | None = None, keyframe: bool = False,
        wrong: tuple[int, ...] = (),
    ) -> VisualStep:  # fmt: skip
        return VisualStep(status, reason, self._pose, belief, keyframe, wrong, self.map)

    def _stamped(self, t: float | None) -> float:
        """The time of a frame."""
        if t is None:
            return self._last_t + 1.0 if np.isfinite(self._last_t) else 0.0
        stamp = number(t, "t")
        if not np.isfinite(stamp) or stamp <= self._last_t:
            raise SettingError(f"t is {stamp:g}; expected a finite time after that of the last frame, {self._last_t:g}")
        return stamp


def _features(ids: ArrayLike, pixels: ArrayLike, size: int) -> dict[int, Array]:
    """Readings by id."""
    given = np.asarray(ids)
    z = numbers(pixels, "pixels", missing=True)
    z = z.reshape(0, size) if z.size == 0 and given.size == 0 else z
    if given.ndim != 1 or z.shape != (len(given), size):
        raise ShapeError(f"ids and pixels have shapes {given.shape} and {z.shape}; expected (N,) and (N, {size})")
    if given.size and given.dtype.kind not in "iu":
        raise ShapeError(f"ids are of kind {given.dtype}; expected whole numbers")
    if np.isinf(z).any():
        raise ShapeError("pixels hold infinity; expected finite numbers, or NaN for what was not measured")
    names, counts = np.unique(given, return_counts=True)
    if (counts > 1).any():
        raise ShapeError(f"id {names[counts > 1][0]} occurs {counts.max()} times; expected each feature once")
    whole = ~np.isnan(z).any(axis=1)
    return {int(id): reading for id, reading in zip(given[whole], z[whole], strict=True)}
