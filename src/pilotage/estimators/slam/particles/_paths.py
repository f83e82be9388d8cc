"""The ways of particles, which share their past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Paths:
    """Poses of particles at all times, with the ancestors of each particle.

    Poses from before the last common ancestor of all particles are kept once.

    Example:
        >>> paths = Paths()
        >>> paths.append(np.array([[0.0], [1.0]]))
        >>> paths.resample(np.array([1, 1]))
        >>> paths.append(np.array([[2.0], [3.0]]))
        >>> paths.of(0).ravel().tolist(), len(paths.common)
        ([1.0, 2.0], 1)
    """

    def __init__(self) -> None:
        self.common: list[Array] = []
        self._poses: list[Array] = []
        self._parents: list[Indices] = []  # of the particles at the next time

    def __len__(self) -> int:
        return len(self.common) + len(self._poses)

    def append(self, poses: Array) -> None:
        """Add the poses of all particles ``(N, d)`` at the next time."""
        self._poses.append(poses.copy())
        self._parents.append(np.arange(len(poses)))

    def resample(self, index: Indices) -> None:
        """Replace the particles by those at these indices ``(N,)``."""
        if not self._poses:
            return
        self._parents[-1] = self._parents[-1][index]
        alive = np.arange(len(index))
        for k in range(len(self._poses) - 1, -1, -1):
            alive = np.unique(self._parents[k][alive])
            if len(alive) == 1:
                return self._settle(k, int(alive[0]))

    def _settle(self, last: int, n: int) -> None:
        """Keep one pose of each time up to `last`, at which all particles have the ancestor n."""
        poses = []
        for k in range(last, -1, -1):
            poses.append(self._poses[k][n])
            n = int(self._parents[k - 1][n]) if k else 0
        self.common += poses[::-1]
        self._poses, self._parents = self._poses[last + 1 :], self._parents[last + 1 :]

    def of(self, n: int) -> Array:
        """The poses of a particle ``(T, d)``."""
        poses = []
        for k in range(len(self._poses) - 1, -1, -1):
            n = int(self._parents[k][n])
            poses.append(self._poses[k][n])
        return np.array(self.common + poses[::-1])
