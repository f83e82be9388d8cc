"""Errors of a trajectory and their statistics, which the scores return; poses of the same times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Space
from pilotage.core.arrays import frozen, numbers
from pilotage.core.errors import ShapeError, counted

Array = NDArray[np.float64]
SPACES = {3: Space("pose: SE2"), 7: Space("pose: SE3")}


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryErrors:
    """Errors of positions and headings, one for each pose or pair of poses.

    Attributes:
        translation: ``(N,)`` [m].
        rotation: ``(N,)`` [rad], 0 or more.
        pairs: indices of the poses that were compared ``(N, 2)``.

    Example:
        >>> TrajectoryErrors([0.1, 0.2, 0.2], [0.01, 0.02, 0.03], [[0, 0], [1, 1], [2, 2]])
        TrajectoryErrors(3 errors: 0.173 m RMSE, 0.2 m at most; 1.24 deg RMSE)
    """

    translation: Array
    rotation: Array
    pairs: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("translation", "rotation"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        object.__setattr__(self, "pairs", np.asarray(self.pairs, dtype=np.int64))

    def __repr__(self) -> str:
        turn = np.degrees(np.sqrt((self.rotation**2).mean()))
        return (
            f"TrajectoryErrors({counted(len(self.translation), 'error')}: {self.rmse:.3g} m RMSE, {self.max:.3g} m at "
            f"most; {turn:.3g} deg RMSE)"
        )

    @property
    def rmse(self) -> float:
        """Root mean square of the errors of position [m]."""
        return float(np.sqrt((self.translation**2).mean()))

    @property
    def mean(self) -> float:
        """Mean of the errors of position [m]."""
        return float(self.translation.mean())

    @property
    def median(self) -> float:
        """Median of the errors of position [m]."""
        return float(np.median(self.translation))

    @property
    def std(self) -> float:
        """Standard deviation of the errors of position [m]."""
        return float(self.translation.std())

    @property
    def max(self) -> float:
        """Largest error of position [m]."""
        return float(self.translation.max())


def trajectories(truth: Any, estimate: Any) -> tuple[Space, Array, Array]:
    """Both trajectories ``(N, 3)`` or ``(N, 7)`` and their space, checked."""
    a, b = numbers(truth, "truth"), numbers(estimate, "estimate")
    if a.ndim != 2 or a.shape != b.shape or a.shape[-1] not in SPACES or len(a) == 0:
        raise ShapeError(
            f"truth and estimate have shapes {a.shape} and {b.shape}; expected the same, (N, 3) for x, y, yaw or "
            "(N, 7) for x, y, z, qw, qx, qy, qz; `associate` finds poses of the same time"
        )
    space = SPACES[a.shape[-1]]
    return space, np.asarray(space.check(a, "truth")), np.asarray(space.check(b, "estimate"))


def angle(x: Array) -> Array:
    """The angle of the rotation of poses ``(..., 3)`` or ``(..., 7)`` [rad], 0 or more."""
    if x.shape[-1] == 3:
        return np.abs(np.arctan2(np.sin(x[..., 2]), np.cos(x[..., 2])))
    return 2.0 * np.arctan2(np.linalg.norm(x[..., 4:], axis=-1), np.abs(x[..., 3]))


def associate(first: ArrayLike, second: ArrayLike, most: float = 0.01) -> NDArray[np.int64]:
    """Indices ``(N, 2)`` of times that are nearest to each other, for each of the shorter sequence.

    Args:
        first, second: times ``(T,)`` in order [s].
        most: largest difference [s]; times without a partner are left out.

    Raises:
        ShapeError: if times are not finite and in order, or there are none.

    Example:
        >>> associate([0.0, 1.0, 2.0, 3.0], [1.004, 2.9, 3.002]).tolist()
        [[1, 0], [3, 2]]
    """
    a, b = ordered(first, "the first times"), ordered(second, "the second times")
    if len(b) > len(a):
        return associate(b, a, most)[:, ::-1]
    index = nearest(a, b)
    close = np.abs(a[index] - b) <= most
    return np.column_stack([index, np.arange(len(b))])[close].astype(np.int64)


def nearest(ts: Array, wanted: Array) -> NDArray[np.int64]:
    """Indices of the times that are nearest to those wanted; the earlier of two that are equally near."""
    after = np.minimum(np.searchsorted(ts, wanted, side="right"), len(ts) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(ts[after] - wanted) < np.abs(wanted - ts[before]), after, before)


def ordered(given: Any, name: str) -> Array:
    """Times ``(T,)``, checked."""
    ts = numbers(given, name)
    if ts.ndim != 1 or len(ts) == 0 or not np.isfinite(ts).all() or (np.diff(ts) < 0.0).any():
        raise ShapeError(f"{name} have shape {ts.shape}; expected finite seconds in order, (T,)")
    return ts
