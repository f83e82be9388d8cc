"""The window of keyframes: poses and points that are adjusted together, and what older ones said about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian
from pilotage.core.errors import ShapeError

from ..factors import FactorGraph, Factors, Variables
from ..kernels import RobustKernel
from ..solution import SolveStatus
from ..solver import GraphSolver
from .bundle import separation
from .camera_model import CameraModel
from .marginal import marginal
from .triangulation import inverses, refined, triangulate

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
VAGUE = 0.2
"""Standard deviation of a point, as a share of its distance, from which it is no use."""


@dataclass(eq=False)
class Keyframe:
    """A frame whose pose is adjusted.

    Attributes:
        number: number of the keyframe, from 0 on.
        pose: pose of the camera.
        seen: readings by id.
    """

    number: int
    pose: Array
    seen: dict[int, Array]


@dataclass(eq=False)
class Landmark:
    """A point that is triangulated: its position, and covariance if all poses were exact."""

    point: Array
    cov: Array


@dataclass(eq=False)
class Window:
    """Keyframes and points, adjusted together in a factor graph.

    Attributes:
        camera: the camera.
        kernel: of the readings.
        solver: of the graph.
        limit: squared residual of a reading over its variance from which it is an outlier.
        min_parallax: angle from which points are triangulated [rad].
        frames: keyframes, oldest first.
        landmarks: points by id.
        prior: what keyframes that have left said about those here; None while the first one is here, which is known.
        distance: known distance of the first two keyframes of a single camera, and its standard deviation [m].
    """

    camera: CameraModel
    kernel: RobustKernel | None
    solver: GraphSolver
    limit: float
    min_parallax: float
    frames: list[Keyframe] = field(default_factory=list)
    landmarks: dict[int, Landmark] = field(default_factory=dict)
    prior: Factors | None = None
    distance: tuple[float, float] | None = None

    @property
    def least(self) -> int:
        """Number of readings that make a point."""
        return 1 if self.camera.has_depth else 2

    def adjust(self, newest: Keyframe | None = None) -> tuple[Gaussian | None, list[tuple[int, int]], str]:
        """Move poses and points to where they explain all readings best.

        Args:
            newest: a frame that is not a keyframe, or not yet.

        Returns:
            The pose of the newest frame; frames and ids of readings found to be outliers, which are taken out; and what
            the solver said.
        """
        frames = [*self.frames, *([newest] if newest else [])]
        graph, ids, (i, j, z) = self._graph(frames, list(self.landmarks))
        solution = self.solver.solve(graph)
        if solution.status in (SolveStatus.UNDETERMINED, SolveStatus.NOT_FINITE):
            return None, [], solution.reason
        for frame, pose in zip(frames, solution["pose"], strict=True):
            frame.pose = pose
        poses, points = solution["pose"], solution["point"]
        _, H, _ = refined(self.camera, poses[i], z, j, points, iterations=0)
        for id, point, cov in zip(ids, points, inverses(H), strict=True):
            self.landmarks[id] = Landmark(point, cov)
        self._drop_vague(poses[-1])
        try:
            belief, reason = solution.belief("pose", len(frames) - 1), solution.reason
        except ShapeError as error:  # the readings leave something free at the solution, if not at the guess
            belief, reason = None, str(error)
        return belief, self._outliers(frames, ids, points, i, j, z), reason

    def _graph(self, frames: list[Keyframe], ids: list[int]) -> tuple[FactorGraph, list[int], Any]:
        """The graph of some of the points, their ids that are seen, and readings of poses i and points j."""
        at, found = {id: k for k, id in enumerate(ids)}, list[tuple[int, int, Array]]()
        for k, frame in enumerate(frames):
            found += [(k, at[id], z) for id, z in frame.seen.items() if id in at]
        counts = Counter(row[1] for row in found)
        found = [row for row in found if counts[row[1]] >= self.least]
        i, j, z = (np.array(column) for column in zip(*found, strict=True)) if found else (np.zeros(0, int),) * 3
        seen, j = np.unique(j, return_inverse=True)
        kept = [ids[k] for k in seen]
        points = np.array([self.landmarks[id].point for id in kept]).reshape(-1, self.camera.axes)
        poses = np.array([frame.pose for frame in frames])
        variables = {
            "pose": Variables(self.camera.pose, poses, fixed=[0] if self.prior is None else []),
            "point": Variables(self.camera.place, points),
        }
        factors = [Factors(self.camera.sensor, z.reshape(-1, self.camera.reading.size), ("pose", i), ("point", j),
                           kernel=self.kernel)]  # fmt: skip
        if self.prior is not None:
            factors.append(self.prior)
        if self.distance is not None:
            metres, std = self.distance
            factors.append(
                Factors(separation(std, self.camera.axes), np.array([[metres]]), [("pose", [0]), ("pose", [1])])
            )
        return FactorGraph(variables, factors), kept, (i, j, z)

    def _outliers(
        self, frames: list[Keyframe], ids: list[int], points: Array, i: Indices, j: Indices, z: Array
    ) -> list[tuple[int, int]]:
        """Take out readings that do not agree, and points with too few readings left or behind a camera."""
        poses = np.array([frame.pose for frame in frames])
        chi2 = squared_residuals(self.camera, poses[i], points[j], z)
        bad = [(int(i[k]), ids[j[k]]) for k in np.flatnonzero(chi2 > self.limit)]
        for k, id in bad:
            del frames[k].seen[id]
        self.drop_weak(frames)
        return bad

    def _drop_vague(self, pose: Array) -> None:
        """Forget points whose distance is not known: those without parallax drift to infinity."""
        for id, mark in list(self.landmarks.items()):
            away = np.linalg.norm(mark.point - pose[: self.camera.axes])
            if not np.sqrt(np.linalg.eigvalsh(mark.cov)[-1]) <= VAGUE * away:
                del self.landmarks[id]

    def drop_weak(self, frames: list[Keyframe] | None = None) -> None:
        """Forget points that too few frames see."""
        counts = dict.fromkeys(self.landmarks, 0)
        for frame in frames or self.frames:
            for id in frame.seen:
                if id in counts:
                    counts[id] += 1
        for id, count in counts.items():
            if count < self.least:
                del self.landmarks[id]

    def triangulate(self) -> int:
        """Find points for features without one, as far as there is parallax; their number."""
        counts = Counter(id for frame in self.frames for id in frame.seen)
        new = {id for id, count in counts.items() if count >= self.least and id not in self.landmarks}
        rows = [(k, id, z) for k, frame in enumerate(self.frames) for id, z in frame.seen.items() if id in new]
        if not rows:
            return 0
        k, ids, z = (np.array(column) for column in zip(*rows, strict=True))
        names, index = np.unique(ids, return_inverse=True)
        poses = np.array([frame.pose for frame in self.frames])[k]
        found = triangulate(self.camera, poses, z, index, min_parallax=self.min_parallax)
        count = np.bincount(index)
        free = np.maximum(count * self.camera.reading.dim - self.camera.axes, 1)
        away = np.linalg.norm(found.points - self.frames[-1].pose[: self.camera.axes], axis=1)
        clear = np.sqrt(np.linalg.eigvalsh(found.covs)[:, -1]) <= VAGUE * away
        good = found.ok & clear & (found.chi2 <= self.limit * free)
        for n in np.flatnonzero(good):
            self.landmarks[int(names[n])] = Landmark(found.points[n], found.covs[n])
        return int(good.sum())

    def turned(self, first: Keyframe, second: Keyframe, ids: list[int]) -> float:
        """The angle by which the lines of sight of features have turned between two frames, in the median [rad]."""
        a, b = (
            np.asarray(self.camera.pose.act(each.pose, self.camera.rays(np.array([each.seen[id] for id in ids]))))
            - each.pose[: self.camera.axes]
            for each in (first, second)
        )
        return float(np.median(2.0 * np.arcsin(np.clip(0.5 * np.linalg.norm(a - b, axis=1), 0.0, 1.0))))

    def forget_oldest(self, ties: int) -> dict[int, Array]:
        """Let the oldest keyframe go, and make a prior of what it and its points say about the others.

        Points that the newest keyframe does not see any more go with it. Of those that it sees, the readings in the
        oldest keyframe are left out, unless fewer than `ties` points would go: then some of them go as well, and become
        new points. So no reading counts twice.

        Returns:
            The points that have gone, by id.
        """
        oldest, newest = self.frames[0], self.frames[-1]
        counts = {id: sum(id in frame.seen for frame in self.frames) for id in oldest.seen if id in self.landmarks}
        gone = [id for id in counts if id not in newest.seen and counts[id] > 1]
        alive = sorted((id for id in counts if id in newest.seen), key=counts.__getitem__, reverse=True)
        again = alive[: min(max(ties - len(gone), 0), len(alive) // 2)]
        graph, _, _ = self._graph(self.frames, gone + again)
        prior = marginal(graph, self.camera.axes)
        points = {id: self.landmarks.pop(id).point for id in gone + again}
        for frame in self.frames:
            for id in points:
                frame.seen.pop(id, None)
        self.prior, self.distance = prior, None
        del self.frames[0]
        left = {id: mark.point for id, mark in self.landmarks.items()}
        self.drop_weak()
        return points | {id: point for id, point in left.items() if id not in self.landmarks}


def squared_residuals(camera: CameraModel, poses: Array, points: Array, z: Array) -> Array:
    """Squared residuals over their variance ``(K,)``; infinite for points behind the camera."""
    if not len(z):
        return np.zeros(0)
    with np.errstate(all="ignore"):
        e = np.asarray(camera.reading.minus(z, camera.observe(poses, points)))
        W = np.linalg.inv(np.asarray(camera.sensor.noise(poses[0], points[0])))
        s = np.einsum("ki,ij,kj->k", e, W, e)
    ahead = camera.local(poses, points)[:, camera.ahead] > 0.0
    return np.where(ahead & np.isfinite(s), s, np.inf)
