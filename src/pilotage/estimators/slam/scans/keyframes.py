"""The scans that a map is made of, the measurements between them, and their poses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Space
from pilotage.core.errors import ShapeError
from pilotage.io import PoseGraph

from ..closures import Closure
from ..closures.consistency import inverted
from ..matching import Surface, join
from ..pose_graph import pose_graph
from ..solver import GraphSolver

Array = NDArray[np.float64]
PLANE = Space("pose: SE2")


@dataclass(eq=False)
class Keyframes:
    """Scans with their poses, steps from each to the next, and loop closures.

    Attributes:
        surfaces: of the scans, each in its own frame.
        poses: x, y, yaw of each ``(3,)``.
        steps: pose and covariance of each in the frame of the one before it, from the second one on.
        closures: loop closures that are believed.
        travelled: way to each along the steps [m].
        scans: ranges of each ``(B,)``.
        descriptors: of the surfaces, as far as they were needed.
        summed: covariances of the steps up to each, added up in the frame of the first.
        solved: chi2 of the last optimisation.

    Example:
        >>> from pilotage.estimators.slam.matching import scan_surface
        >>> frames, wall = Keyframes(), scan_surface([1.0, 1.0], [0.0, 0.1], max_range=20.0)
        >>> frames.append(wall, np.ones(2), np.zeros(3), np.zeros((3, 3)))
        >>> frames.append(wall, np.ones(2), np.array([0.5, 0.0, 0.0]), 0.01 * np.eye(3))
        >>> frames.relative(0, 1).tolist(), frames.between(0, 1)[1].diagonal().round(3).tolist()
        ([0.5, 0.0, 0.0], [0.01, 0.01, 0.01])
    """

    surfaces: list[Surface] = field(default_factory=list)
    poses: list[Array] = field(default_factory=list)
    steps: list[tuple[Array, Array]] = field(default_factory=list)
    closures: list[Closure] = field(default_factory=list)
    travelled: list[float] = field(default_factory=list)
    scans: list[Array] = field(default_factory=list)
    descriptors: list[Array] = field(default_factory=list)
    summed: list[Array] = field(default_factory=list)
    solved: float = 0.0
    _chain: list[Array] = field(default_factory=lambda: [np.zeros(3)], init=False)  # poses by the steps alone

    def __len__(self) -> int:
        return len(self.poses)

    def append(self, surface: Surface, scan: Array, z: Array, cov: Array) -> None:
        """Add a scan whose pose in the frame of the last one is z; the pose itself if it is the first."""
        if not self.poses:
            self.poses, self.travelled, self.summed = [z], [0.0], [np.zeros((3, 3))]
        else:
            self.steps.append((z, cov))
            self.poses.append(np.asarray(PLANE.compose(self.poses[-1], z)))
            self.travelled.append(self.travelled[-1] + float(np.hypot(z[0], z[1])))
            self._chain.append(np.asarray(PLANE.compose(self._chain[-1], z)))
            Ad = PLANE.adjoint(self._chain[-1])
            self.summed.append(self.summed[-1] + Ad @ cov @ Ad.T)
        self.surfaces.append(surface)
        self.scans.append(scan)

    def between(self, i: int, j: int) -> tuple[Array, Array]:
        """Pose and covariance of j in the frame of i, by the steps alone."""
        if j < i:
            return inverted(self.between(j, i))
        z = np.asarray(PLANE.compose(PLANE.inverse(self._chain[i]), self._chain[j]))
        back = PLANE.adjoint(PLANE.inverse(self._chain[j]))
        return z, back @ (self.summed[j] - self.summed[i]) @ back.T

    def relative(self, i: int, j: int) -> Array:
        """Pose of j in the frame of i, by the poses as they are now."""
        return np.asarray(PLANE.compose(PLANE.inverse(self.poses[i]), self.poses[j]))

    def around(self, middle: int, first: int, last: int) -> Surface:
        """The surfaces from `first` up to, but not including, `last`, in the frame of `middle`."""
        span = range(max(first, 0), min(last, len(self)))
        return join([self.surfaces[i].moved(self.relative(middle, i)) for i in span])

    def edges(self) -> tuple[NDArray[np.int64], Array, Array]:
        """Indices ``(E, 2)``, readings ``(E, 3)`` and covariances ``(E, 3, 3)`` of all steps and closures."""
        ends = [(i, i + 1) for i in range(len(self.steps))] + [(c.first, c.second) for c in self.closures]
        z = [step[0] for step in self.steps] + [c.z for c in self.closures]
        covs = [step[1] for step in self.steps] + [c.cov for c in self.closures]
        return np.array(ends, np.int64).reshape(-1, 2), np.reshape(z, (-1, 3)), np.reshape(covs, (-1, 3, 3))

    def graph(self) -> PoseGraph:
        """The pose graph of all scans.

        Raises:
            ShapeError: if there are fewer than two.
        """
        if len(self) < 2:
            raise ShapeError(f"a graph of {len(self)} scans has no edges; expected two keyframes or more")
        ends, z, covs = self.edges()
        W = np.linalg.inv(covs)
        W = 0.5 * (W + W.transpose(0, 2, 1))  # rounding matters where a direction is free
        return PoseGraph(np.arange(len(self)), np.array(self.poses), ends, z, W, np.array([0]))

    def optimize(self, solver: GraphSolver, worst: float) -> list[Closure]:
        """Move the poses to where all measurements agree best; returns the closures given up.

        Closures whose chi2 is above `worst` afterwards are given up, and the poses optimised again, until none is.
        """
        dropped: list[Closure] = []
        while True:
            solution = solver.solve(pose_graph(self.graph(), "given"))
            self.poses, self.solved = list(solution["pose"]), solution.chi2[-1]
            bad = self._chi2s() > worst
            if not bad.any():
                return dropped
            dropped += [c for c, out in zip(self.closures, bad, strict=True) if out]
            self.closures = [c for c, out in zip(self.closures, bad, strict=True) if not out]

    def _chi2s(self) -> Array:
        """The squared Mahalanobis distances of all closures from the poses ``(C,)``."""
        (ends, z, covs), first, x = self.edges(), len(self.steps), np.array(self.poses)
        ends, z, covs = ends[first:], z[first:], covs[first:]
        e = PLANE.minus(z, PLANE.compose(PLANE.inverse(x[ends[:, 0]]), x[ends[:, 1]]))
        return np.einsum("ij,ij->i", e, np.linalg.solve(covs, e[..., None])[..., 0])

    def chi2(self, closure: Closure, cov: Any = 0.0) -> float:
        """The squared Mahalanobis distance of a closure from the poses, whose covariance `cov` is added."""
        e = np.asarray(PLANE.minus(closure.z, self.relative(closure.first, closure.second)))
        return float(e @ np.linalg.solve(closure.cov + cov, e))
