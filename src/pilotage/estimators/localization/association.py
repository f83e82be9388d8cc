"""The association of a scan with a map of known landmarks, by joint compatibility."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from .._inputs import gate_quantiles
from ..joint_compatibility import Pairing, individual_distances, joint_pairing


def associate(y: Array, H: Array, R: Array, P: Array, gate: float, odds: float) -> Pairing:
    """The landmark that each detection shows ``(K,)``, -1 for none: `joint_pairing` with ``G = H P H'``.

    Args:
        y: innovations of each detection with each landmark ``(K, L, m)``.
        H: Jacobians ``(L, m, d)`` of the readings of landmarks.
        R: noise ``(L, m, m)``.
        P: covariance of the state ``(d, d)``.
        gate: probability that the pairings of a true hypothesis pass together.
        odds: least odds against the best alternative of each pairing.

    Example:
        >>> y = np.array([[[0.1], [3.0]], [[-2.9], [0.2]]])
        >>> associate(y, np.ones((2, 1, 1)), np.ones((2, 1, 1)), np.eye(1), gate=0.99, odds=10.0).tolist()
        [0, 1]
    """
    K, L, m = y.shape
    if K == 0 or L == 0:
        return np.full(K, -1, np.int64)
    alone = individual_distances(y, H @ P @ np.swapaxes(H, -1, -2) + R)
    near = np.flatnonzero((alone <= gate_quantiles(gate, m)[m]).any(0))
    J = H[near].reshape(-1, P.shape[0])
    found = joint_pairing(y[:, near], J @ P @ J.T, R[near], gate, odds, alone=alone[:, near])
    return np.where(found >= 0, near[found] if len(near) else -1, -1)
