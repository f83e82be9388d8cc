"""The absolute trajectory error, and the transform that lays one trajectory onto another."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import setting

from .errors import TrajectoryErrors, angle, trajectories

Array = NDArray[np.float64]
Alignment = Literal["rigid", "similarity", "first", "none"]


def absolute_trajectory_error(truth: ArrayLike, estimate: ArrayLike, align: Alignment = "rigid") -> TrajectoryErrors:
    """The absolute trajectory error (ATE): how far each pose is from the truth after alignment.

    ::

        e_i = |p_i - (s R q_i + t)|,   ATE = sqrt(mean e_i^2)      p: truth, q: estimate

    Args:
        truth, estimate: poses of the same times ``(N, 3)`` or ``(N, 7)``.
        align: "rigid" for the rotation and translation that make the ATE least; "similarity" for a scale as well, of
            monocular cameras; "first" to lay the first poses onto each other; "none".

    Raises:
        ShapeError: if shapes do not match, or a rigid transform is not determined (a single place).

    Source: J. Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012, section VI.B.

    Example:
        >>> truth = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]
        >>> moved = [[0.0, 5.0, 1.5708], [0.0, 6.0, 1.5708], [0.0, 7.3, 1.5708]]
        >>> round(absolute_trajectory_error(truth, moved).rmse, 3)
        0.141
    """
    space, a, b = trajectories(truth, estimate)
    kind, axes = setting(align, Alignment, "align"), 2 if a.shape[-1] == 3 else 3
    if kind == "first":
        moved = np.asarray(space.compose(space.compose(a[0], space.inverse(b[0])), b))
    elif kind == "none":
        moved = b
    else:
        R, t, s = alignment(a[:, :axes], b[:, :axes], scale=kind == "similarity")
        moved = np.asarray(space.compose(_pose(R), b))
        moved[:, :axes] = s * b[:, :axes] @ R.T + t
    turn = np.asarray(space.compose(space.inverse(a), moved))
    index = np.arange(len(a))
    errors = np.linalg.norm(moved[:, :axes] - a[:, :axes], axis=1)
    return TrajectoryErrors(errors, angle(turn), np.column_stack([index, index]))


def alignment(truth: ArrayLike, estimate: ArrayLike, scale: bool = False) -> tuple[Array, Array, float]:
    """The rotation R ``(d, d)``, translation t ``(d,)`` and scale s with the least ``sum |p_i - (s R q_i + t)|^2``.

    Args:
        truth, estimate: points ``(N, 2)`` or ``(N, 3)``.
        scale: whether the scale is free; else it is 1.

    Raises:
        ShapeError: if shapes do not match, or all points are one.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE PAMI
    1991, eq. 40 to 42.

    Example:
        >>> R, t, s = alignment([[0.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [2.0, 1.0]], scale=True)
        >>> R.round(6).tolist(), t.round(6).tolist(), round(s, 6)
        ([[0.0, -1.0], [1.0, 0.0]], [2.0, -2.0], 2.0)
    """
    p, q = numbers(truth, "truth"), numbers(estimate, "estimate")
    if p.ndim != 2 or p.shape != q.shape or p.shape[1] not in (2, 3):
        raise ShapeError(f"points have shapes {p.shape} and {q.shape}; expected the same, (N, 2) or (N, 3)")
    mp, mq = p.mean(axis=0), q.mean(axis=0)
    spread = float(((q - mq) ** 2).sum(axis=1).mean())
    if len(p) < 2 or not spread > 0.0:
        raise ShapeError("all points of the estimate are one; expected a trajectory that moves, or align='none'")
    U, D, V = np.linalg.svd((p - mp).T @ (q - mq) / len(p))
    S = np.ones(p.shape[1])
    S[-1] = np.sign(np.linalg.det(U) * np.linalg.det(V))
    R = U @ np.diag(S) @ V
    s = float((D * S).sum() / spread) if scale else 1.0
    return R, mp - s * R @ mq, s


def _pose(R: Array) -> Array:
    """A rotation matrix as a pose at the origin."""
    if len(R) == 2:
        return np.array([0.0, 0.0, np.arctan2(R[1, 0], R[0, 0])])
    from scipy.spatial.transform import Rotation

    return np.concatenate([np.zeros(3), Rotation.from_matrix(R).as_quat()[[3, 0, 1, 2]]])
