"""The relative pose error: drift over a distance or a number of poses."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import ShapeError
from pilotage.core.settings import Positive, setting, whole

from .errors import TrajectoryErrors, angle, trajectories

Array = NDArray[np.float64]
Unit = Literal["poses", "m"]
TOLERANCE = 0.1
"""Share by which the way of a pair may differ from what was asked for."""


def relative_pose_error(
    truth: ArrayLike, estimate: ArrayLike, delta: float = 1.0, unit: Unit = "poses", overlapping: bool = False
) -> TrajectoryErrors:
    """The relative pose error (RPE): the drift from one pose to another.

    ::

        E_ij = (Q_i^-1 Q_j)^-1 (P_i^-1 P_j)      Q: truth, P: estimate

    Args:
        truth, estimate: poses of the same times ``(N, 3)`` or ``(N, 7)``.
        delta: from the first pose of a pair to the second: a number of poses, or metres along the estimate.
        unit: "poses" or "m".
        overlapping: whether a pair begins at each pose, or where the last one ended. In metres, pairs that overlap end
            at the pose that is nearest to delta, within a tenth of it; others at the first one that is not nearer.

    Raises:
        ShapeError: if shapes do not match, or the trajectory is too short for a pair.
        SettingError: if delta is not positive, or not whole for a number of poses.

    Source: J. Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012, section VI.A; pairs are
    chosen as in evo.

    Example:
        >>> truth = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]
        >>> estimate = [[5.0, 5.0, 0.0], [6.1, 5.0, 0.0], [7.1, 5.0, 0.1]]
        >>> errors = relative_pose_error(truth, estimate)
        >>> errors.translation.round(3).tolist(), errors.rotation.round(3).tolist()
        ([0.1, 0.0], [0.0, 0.1])
    """
    space, a, b = trajectories(truth, estimate)
    axes = 2 if a.shape[-1] == 3 else 3
    pairs = _pairs(b[:, :axes], delta, setting(unit, Unit, "unit"), overlapping)
    if not len(pairs):
        raise ShapeError(f"no two of {len(a)} poses are {delta:g} {unit} apart; expected a smaller delta")
    i, j = pairs.T
    steps = (space.compose(space.inverse(x[i]), x[j]) for x in (a, b))
    first, second = (np.asarray(each) for each in steps)
    E = np.asarray(space.compose(space.inverse(first), second))
    return TrajectoryErrors(np.linalg.norm(E[:, :axes], axis=1), angle(E), pairs)


def _pairs(points: Array, delta: float, unit: str, overlapping: bool) -> NDArray[np.int64]:
    """Indices of pairs ``(K, 2)``."""
    if unit == "poses":
        step = whole(int(delta) if delta == delta // 1 else delta, "delta")
        begin = np.arange(0, len(points) - step, 1 if overlapping else step)
        return np.column_stack([begin, begin + step])
    far = float(setting(delta, Positive, "delta"))
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return _overlapping(way, far) if overlapping else _one_after_another(np.diff(way), far)


def _overlapping(way: Array, far: float) -> NDArray[np.int64]:
    """From each pose to the first of those that are nearest to `far` along the way."""
    pairs, last = [], len(way) - 1
    for i in range(last):
        after = max(min(int(np.searchsorted(way, way[i] + far)), last), i + 1)
        before = max(int(np.searchsorted(way, way[after - 1])), i + 1)
        j = min((before, after), key=lambda k: abs(way[k] - way[i] - far))
        if abs(way[j] - way[i] - far) <= TOLERANCE * far:
            pairs.append((i, j))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _one_after_another(steps: Array, far: float) -> NDArray[np.int64]:
    ends, gone = [0], 0.0
    for k, step in enumerate(steps.tolist(), 1):
        gone += step
        if gone >= far:
            ends.append(k)
            gone = 0.0
    return np.column_stack([ends[:-1], ends[1:]]).astype(np.int64).reshape(-1, 2)
