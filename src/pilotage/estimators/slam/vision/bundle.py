"""Bundle adjustment: poses of cameras and points that explain all readings best, as a factor graph."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Space
from pilotage.core.mathematics import Mathematics
from pilotage.core.parts import Components
from pilotage.core.settings import instance, positive
from pilotage.models import TracedSensor, factor

from ..factors import FactorGraph, Factors, Variables
from ..kernels import RobustKernel
from ..levenberg_marquardt import LevenbergMarquardt
from ..solution import Solution
from ..solver import GraphSolver
from .camera_model import CameraModel

Array = NDArray[np.float64]


def bundle_graph(
    camera: CameraModel,
    poses: ArrayLike,
    points: ArrayLike,
    z: ArrayLike,
    frames: ArrayLike,
    landmarks: ArrayLike,
    *,
    fixed: Any = (0,),
    distances: Sequence[tuple[int, int, float]] = (),
    kernel: RobustKernel | None = None,
) -> FactorGraph:
    """The factor graph of a bundle adjustment: variables "pose" and "point".

    ::

        chi2 = sum over readings of rho(e' R^-1 e),    e = z (-) h(pose, point)

    Readings of a single camera do not tell the scale: poses and points may grow together. Give the distance of two
    cameras, or the solution says that the scale is free.

    Args:
        camera: the camera.
        poses: first guess ``(F, size)``.
        points: first guess ``(P, axes)``.
        z: readings ``(K, m)``.
        frames, landmarks: numbers of the pose and of the point of each reading ``(K,)``.
        fixed: numbers of the poses that are known, or a mask ``(F,)``.
        distances: known distances between two cameras: number of one, of the other, and metres, exact to 1e-4 of them.
        kernel: a robust kernel of the readings.

    Raises:
        ShapeError: if shapes do not match.

    Source: Triggs, McLauchlan, Hartley and Fitzgibbon, "Bundle Adjustment - A Modern Synthesis" (2000).

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> points = [[0.0, 0.0, 4.0], [1.0, 0.0, 5.0]]
        >>> poses = [[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
        >>> bundle_graph(Camera(), poses, points, [[320.0, 240.0], [420.0, 240.0]], [0, 0], [0, 1])
        FactorGraph(1 of pose, 2 of point; 6 unknowns, 4 residuals)
    """
    camera = instance(camera, CameraModel, "bundle adjustment")
    variables = {"pose": Variables(camera.pose, np.asarray(poses), fixed=fixed),
                 "point": Variables(camera.place, np.asarray(points))}  # fmt: skip
    seen = Factors(camera.sensor, np.asarray(z), ("pose", frames), ("point", landmarks), kernel=kernel)
    return FactorGraph(variables, [seen, *known_distances(distances, camera.axes)])


def bundle_adjustment(
    camera: CameraModel,
    poses: ArrayLike,
    points: ArrayLike,
    z: ArrayLike,
    frames: ArrayLike,
    landmarks: ArrayLike,
    *,
    fixed: Any = (0,),
    distances: Sequence[tuple[int, int, float]] = (),
    kernel: RobustKernel | None = None,
    solver: GraphSolver | None = None,
) -> Solution:
    """The poses and points that explain all readings best: the solution of `bundle_graph`.

    Points are eliminated first, each by itself, and what is left is a small system of the poses (the Schur complement).

    Args:
        camera, poses, points, z, frames, landmarks, fixed, distances, kernel: as in `bundle_graph`.
        solver: default `LevenbergMarquardt`.

    Raises:
        ShapeError: if shapes do not match.

    Source: Triggs, McLauchlan, Hartley and Fitzgibbon, "Bundle Adjustment - A Modern Synthesis" (2000).

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> camera, rng = Camera(), np.random.default_rng(0)
        >>> poses = np.array([[0.5 * k, 0, 0, 1, 0, 0, 0] for k in range(3)])
        >>> points = rng.uniform([-2, -2, 4], [2, 2, 9], (20, 3))
        >>> i, j = (k.ravel() for k in np.indices((3, 20)))
        >>> z = camera.observe(poses[i], points[j])
        >>> guess = points + rng.normal(0.0, 0.1, points.shape)
        >>> solution = bundle_adjustment(camera, poses, guess, z, i, j, distances=[(0, 1, 0.5)])
        >>> solution.status.value, bool(np.abs(solution["point"] - points).max() < 1e-6)
        ('converged', True)
        >>> bundle_adjustment(camera, poses, guess, z, i, j).reason
        'the readings leave the scale, and with it pose 1 (pose.vx)...'
    """
    graph = bundle_graph(
        camera, poses, points, z, frames, landmarks, fixed=fixed, distances=distances, kernel=kernel
    )  # fmt: skip
    return (solver or LevenbergMarquardt(tolerance=1e-8)).solve(graph)


def known_distances(distances: Sequence[tuple[int, int, float]], axes: int) -> list[Factors]:
    """A factor for each known distance between two poses, exact to 1e-4 of it."""
    found = list[Factors]()
    for i, j, metres in distances:
        known = positive(metres, f"the distance of cameras {i} and {j}")
        x = [("pose", [i]), ("pose", [j])]
        found.append(Factors(separation(1e-4 * known, axes), np.array([[known]]), x))
    return found


@cache
def separation(std: float, axes: int = 3) -> TracedSensor:
    """The distance between two poses."""

    def apart(x: Components, y: Components, c: Components, p: Any, m: Mathematics) -> Any:
        return (m.sqrt(sum((y[k] - x[k]) * (y[k] - x[k]) for k in range(axes))),)

    pose = Space("pose: SE2" if axes == 2 else "pose: SE3")
    return factor(variables={"x": pose, "y": pose}, reading=Space("distance [m]"))(apart)(std=std)
