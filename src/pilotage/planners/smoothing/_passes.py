"""The passes that make the fastest profile along a line: speeds within limits of acceleration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fastest(b: Array, ds: Array, most: float, kappa: Array | None = None, circle: float = math.inf) -> Array:
    """The largest squares of speeds ``(K,)`` below b that grow at no more than an acceleration from one to the next.

    ::

        b_(k+1) <- min(b_(k+1), b_k + 2 ds_k min(most, sqrt(circle^2 - (b_k kappa_k)^2)))

    Args:
        b: squares of the highest speeds ``(K,)``.
        ds: distances between them ``(K-1,)``.
        most: largest acceleration along the line [m/s^2].
        kappa: curvature ``(K,)``, for a limit of the accelerations along and across the line together.
        circle: that limit [m/s^2].
    """
    out = b.tolist()
    if kappa is None or circle == math.inf:
        for k, rise in enumerate((2.0 * most * ds).tolist()):
            out[k + 1] = min(out[k + 1], out[k] + rise)
        return np.array(out)
    for k, (step, bend) in enumerate(zip((2.0 * ds).tolist(), abs(kappa[:-1]).tolist(), strict=True)):
        left = math.sqrt(max(circle * circle - (out[k] * bend) ** 2, 0.0))
        out[k + 1] = min(out[k + 1], out[k] + step * min(most, left))
    return np.array(out)


def curvatures(steps: Array, ds: Array) -> Array:
    """Curvature of a polyline at its inner corners, ``2 tan(turn / 2) / length``; infinite where it turns back.

    Args:
        steps: differences of the points ``(K, 2)``.
        ds: their lengths ``(K,)``.
    """
    a, b = steps[:-1], steps[1:]
    cross, dot = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(-1)
    turn = np.arctan2(cross, dot)
    tangent = np.where(abs(turn) > 0.5 * np.pi, np.inf, np.tan(0.5 * turn))
    return 4.0 * tangent / (ds[:-1] + ds[1:])
