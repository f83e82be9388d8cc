"""The landmark of each detection in each particle, the most likely pair first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotage.core.arrays import Array

from ..landmarks.association import NEW, UNCLEAR

Ids = NDArray[np.int64]


def likeliest(distances: Array, log_dets: Array, gate: float, new: float) -> Ids:
    """The landmark of each detection ``(N, K)``, `NEW` or `UNCLEAR`; each landmark is taken once.

    Args:
        distances: ``y' S^-1 y`` of each detection with each landmark ``(N, K, L)``, infinite where there is none.
        log_dets: ``log det S`` ``(N, L)``.
        gate, new: largest distance of a pair, and the one beyond which all have to be for a new landmark.

    Example:
        >>> likeliest(np.array([[[0.1, 9.0], [0.2, 0.5]]]), np.zeros((1, 2)), 4.0, 20.0).tolist()
        [[0, 1]]
    """
    count, K, L = distances.shape
    found = np.where((distances <= new).any(axis=2), UNCLEAR, NEW) if L else np.full((count, K), NEW)
    cost = np.where(distances <= gate, distances + log_dets[:, None], np.inf)
    for _ in range(min(K, L)):
        flat = cost.reshape(count, -1).argmin(axis=1)
        k, l = np.divmod(flat, L)
        good = np.isfinite(cost[np.arange(count), k, l])
        if not good.any():
            break
        rows, k, l = np.flatnonzero(good), k[good], l[good]
        found[rows, k], cost[rows, k], cost[rows, :, l] = l, np.inf, np.inf
    return found.astype(np.int64)
