"""The exact optimum of a linear-quadratic problem."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.arrays import Array


def riccati(A: Any, B: Any, Q: Any, R: Any, P: Any, steps: int) -> Array:
    """The cost-to-go matrix of a linear-quadratic problem, ``x' P_0 x`` with no bounds active.

    ::

        P_t = Q + A' P_{t+1} A - A' P_{t+1} B (R + B' P_{t+1} B)^-1 B' P_{t+1} A

    Args:
        A, B: the model ``x' = A x + B u``.
        Q, R: weights of state and action.
        P: weight of the last state.
        steps: number of steps.

    Source: Anderson and Moore, "Optimal Control" (1990), section 2.4.

    Example:
        >>> riccati([[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], 1).round(3).tolist()
        [[1.5]]
    """
    A, B, Q, R, P = (np.asarray(each, dtype=np.float64) for each in (A, B, Q, R, P))
    for _ in range(steps):
        K = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        P = Q + A.T @ P @ (A - B @ K)
    return P
