"""The errors of known relations between poses: the benchmark of graph-based SLAM of Freiburg."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import NonNegative, setting

from .errors import SPACES, TrajectoryErrors, angle, nearest, ordered

Array = NDArray[np.float64]


def relation_errors(
    relations: ArrayLike, times: ArrayLike, ts: ArrayLike, estimate: ArrayLike, most: float = 0.005
) -> TrajectoryErrors:
    """The errors of relations between poses that are known, such as from a person who laid scans onto each other.

    ::

        E_k = (x_i^-1 x_j) (-) d_k,   |trans|, |rot|      d_k: pose at time j in the frame of that at time i

    The measure does not depend on the frame of the trajectory, and a wrong turn counts once and not in all poses after
    it.

    Args:
        relations: known relative poses ``(K, 3)``: x, y, yaw.
        times: both times of each ``(K, 2)`` [s].
        ts: times of the trajectory ``(T,)`` in order [s].
        estimate: its poses ``(T, 3)``.
        most: largest difference between a time of a relation and that of a pose [s]. Relations without such poses are
            left out, as are those whose times belong to one pose.

    Raises:
        ShapeError: if shapes do not match, or no relation has poses.

    Source: R. Kümmerle et al., "On measuring the accuracy of SLAM algorithms", Autonomous Robots 2009, eq. 3 and 4,
    with absolute values.

    Example:
        >>> errors = relation_errors([[1.0, 0.0, 0.0]], [[0.0, 1.0]], [0.0, 1.0], [[3.0, 3.0, 0.0], [4.1, 3.0, 0.0]])
        >>> errors.mean.__round__(3)
        0.1
    """
    d, both = numbers(relations, "relations"), numbers(times, "times")
    stamps, x = ordered(ts, "ts"), numbers(estimate, "estimate")
    if d.ndim != 2 or d.shape[1] != 3 or both.shape != (len(d), 2):
        raise ShapeError(f"relations and times have shapes {d.shape} and {both.shape}; expected (K, 3) and (K, 2)")
    if x.shape != (len(stamps), 3):
        raise ShapeError(f"ts and estimate have shapes {stamps.shape} and {x.shape}; expected (T,) and (T, 3)")
    index = nearest(stamps, both)
    near = (np.abs(stamps[index] - both) <= setting(most, NonNegative, "most")).all(axis=1)
    good = near & (index[:, 0] != index[:, 1])
    if not good.any():
        raise ShapeError(f"none of {len(d)} relations has poses within {most:g} s of both its times")
    space, (i, j) = SPACES[3], index[good].T
    found = np.asarray(space.compose(space.inverse(x[i]), x[j]))
    E = np.asarray(space.compose(space.inverse(d[good]), found))
    return TrajectoryErrors(np.hypot(E[:, 0], E[:, 1]), angle(E), np.column_stack([i, j]))
