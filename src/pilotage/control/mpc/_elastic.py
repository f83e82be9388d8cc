"""Soft rows as slack variables, for methods that know hard rows only."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from .program import QuadraticProgram


class Elastic:
    """The program in variables ``x = (z, s_up, s_low)`` with ``lower <= A z - s_up + s_low <= upper``, s >= 0.

    Attributes:
        H, A: matrices in x; their first columns are those of z.
        weights: costs of the slacks ``(count,)``.
        slacks: rows that select the slacks ``(count, n + count)``.
        count: number of slacks, two for each soft row.
    """

    def __init__(self, program: QuadraticProgram) -> None:
        n, m = program.A.shape[::-1]
        soft = np.flatnonzero(np.isfinite(program.soft))
        k = self.count = 2 * len(soft)
        self.H = np.zeros((n + k, n + k))
        self.H[:n, :n] = program.H
        pick = np.zeros((m, len(soft)))
        pick[soft, np.arange(len(soft))] = 1.0
        self.A = np.concatenate([program.A, -pick, pick], axis=1)
        self.weights: Array = np.tile(program.soft[soft], 2)
        self.slacks: Array = np.eye(n + k)[n:]
