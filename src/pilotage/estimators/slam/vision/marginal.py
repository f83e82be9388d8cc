"""Marginalisation: what variables that leave a window of poses say about the poses that stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Space
from pilotage.core.mathematics import Mathematics
from pilotage.core.parts import Components
from pilotage.core.rotations import conjugate, product
from pilotage.models import TracedSensor, code_of
from pilotage.models.trace.params import Values
from pilotage.models.trace.portable import variants
from pilotage.models.trace.sensor import SensorFamily, sensor

from .._system import System
from ..factors import FactorGraph, Factors

Array = NDArray[np.float64]
POSES = {2: Space("pose: SE2"), 3: Space("pose: SE3")}


def marginal(graph: FactorGraph, axes: int) -> Factors:
    """The information of a graph about its poses, without its points and the first of the poses.

    ::

        H = [A B; B' C],  g = [a; c]    ->    A - B C^-1 B',    a - B C^-1 c        (C: what leaves)

    It is a single factor on all poses that stay, linearised at the values of the graph: the result of fixed-lag
    smoothing, if the factors of the graph are not used again.

    Args:
        graph: variables "pose" and "point", at the values of the best estimate.
        axes: 3 in space, 2 in the plane.

    Returns:
        The factor on the poses but the first, which are named by their number in the graph.

    Source: Leutenegger et al., "Keyframe-based visual-inertial odometry using nonlinear optimization" (2015), section
    4.3.

    Example:
        >>> from pilotage.estimators.slam import Variables
        >>> from pilotage.models import absolute_pose, relative_pose
        >>> poses = {"pose": Variables(POSES[2], np.zeros((2, 3)))}
        >>> prior = Factors(absolute_pose(std=0.1), np.zeros((1, 3)), ("pose", [0]))
        >>> step = Factors(relative_pose(std=0.1), np.zeros((1, 3)), ("pose", [0]), ("pose", [1]))
        >>> factor = marginal(FactorGraph(poses, [prior, step]), 2)
        >>> np.linalg.inv(factor.information[0]).diagonal().round(3).tolist()
        [0.02, 0.02, 0.02]
    """
    system = System(graph)
    system.linearize(system.vector(graph))
    H, g = system.matrix.toarray(), system.g
    poses = graph.variables["pose"]
    first = system.pattern.columns[system.first["pose"] :][: len(poses.values)]
    kept = (first[1:, None] + np.arange(poses.space.dim)).ravel()
    gone = np.setdiff1d(np.arange(len(g)), kept)
    A, a = H[np.ix_(kept, kept)], g[kept]
    if len(gone):
        C = H[np.ix_(gone, gone)]
        scale = 1.0 / np.sqrt(np.maximum(np.diagonal(C), 1e-12))
        inverse = np.linalg.pinv(C * scale[:, None] * scale, rcond=1e-10, hermitian=True) * scale[:, None] * scale
        B = H[np.ix_(kept, gone)]
        A, a = A - B @ inverse @ B.T, a - B @ inverse @ g[gone]
    return prior_factor(poses.values[1:], A, a, axes)


def prior_factor(poses: Array, H: Array, g: Array, axes: int) -> Factors:
    """The factor on poses with information H and gradient g there, in the tangent."""
    dim, count = len(H) // len(poses), len(poses)
    values, vectors = np.linalg.eigh(0.5 * (H + H.T))
    sound = values > 1e-10 * max(float(values[-1]), 1e-300)
    values, vectors = values[sound], vectors[:, sound]
    step = -vectors @ ((vectors.T @ g) / values)
    T = np.eye(len(H))  # from the tangent to positions in the world and turns from here
    for k, pose in enumerate(poses):
        at, unit = k * dim, np.eye(axes)
        still = np.concatenate([np.zeros(axes), pose[axes:]])
        T[at : at + axes, at : at + axes] = np.asarray(POSES[axes].act(still, unit)).T
    W = (T @ vectors * values) @ (T @ vectors).T  # T is orthogonal
    here = np.hstack([poses[:, :axes], poses[:, axes:] if axes == 2 else np.zeros((count, 3))])
    z = here.ravel() + T @ step
    context = None if axes == 2 else poses[:, 3:].reshape(1, -1)
    x = [("pose", [k]) for k in range(count)]
    return Factors(placed(axes, count), z[None], x, context, 0.5 * (W + W.T)[None])


def placed(axes: int, count: int) -> TracedSensor:
    """The sensor of several poses at once: their positions, and turns from given ones (in the plane, headings)."""
    return _placed(axes, count)()


def prepare(axes: int, count: int) -> None:
    """Compile the sensor of so many poses, which takes a second, before a camera moves."""
    for results in ("e", "e E"):
        code_of(placed(axes, count), results)


@variants
def _placed(axes: int, count: int) -> SensorFamily:
    part = POSES[axes].parts[0]
    state = Space(*(replace(part, name=f"pose{k}") for k in range(count)))
    if axes == 2:
        reading = Space(*(word for k in range(count) for word in (f"x{k} y{k} [m]", f"yaw{k}: angle")))
    else:
        reading = Space(*(word for k in range(count) for word in (f"x{k} y{k} z{k} [m]", f"a{k} b{k} c{k} [rad]")))
    known = Space(*(f"w{k} x{k} y{k} z{k}" for k in range(count))) if axes == 3 else Space()

    @sensor(state=state, reading=reading, context=known)
    def placed(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        if axes == 2:
            return x
        found = list[object]()
        for k in range(count):
            own = x[7 * k : 7 * k + 7]
            turn = product(conjugate(c[4 * k : 4 * k + 4]), own[3:])
            found += [*own[:3], *(2.0 * each for each in turn[1:])]
        return found

    return placed
