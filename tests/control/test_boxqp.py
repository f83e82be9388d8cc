"""The small quadratic program of iLQR's backward pass against all ways to choose what the bounds hold."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pilotage.control.trajectory.boxqp import box_qp
from pilotage.models.trace import driver


@driver("i8(f8[:,::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1], f8[:,::1])")
def entry(H: Any, q: Any, low: Any, high: Any, d: Any, free: Any, w: Any) -> int:
    return box_qp(H, q, low, high, d, free, w)


def solved(H: Any, q: Any, low: Any, high: Any) -> tuple[int, np.ndarray, np.ndarray]:
    m = len(q)
    d, free, w = np.zeros(m), np.zeros(m, dtype=np.int64), np.zeros((2 * m + 3, m))
    return entry(H, q, low, high, d, free, w), d, free


def brute(H: Any, q: Any, low: Any, high: Any) -> np.ndarray:
    """The best of the stationary points of all faces of the box."""
    best, found = np.inf, np.zeros(len(q))
    for sides in itertools.product((-1, 0, 1), repeat=len(q)):
        d = np.where(np.array(sides) < 0, low, high)
        free = np.array(sides) == 0
        if not np.isfinite(d[~free]).all():
            continue
        d[free] = 0.0
        if free.any():
            d[free] = np.linalg.solve(H[np.ix_(free, free)], -(q + H @ d)[free])
        value = 0.5 * d @ H @ d + q @ d
        if (d >= low - 1e-12).all() and (d <= high + 1e-12).all() and value < best:
            best, found = value, d
    return found


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_equals_the_best_of_all_faces(m: int) -> None:
    rng = np.random.default_rng(m)
    for trial in range(200):
        A = rng.normal(size=(m, m)) * 10.0 ** rng.uniform(-2, 2, m)
        H, q = A @ A.T + 1e-3 * np.eye(m), rng.normal(size=m) * 10.0 ** rng.uniform(-1, 2)
        low, high = -rng.exponential(size=m), rng.exponential(size=m)
        if trial % 3 == 0:
            low[0], high[-1] = -np.inf, np.inf
        count, d, free = solved(H, q, low, high)
        want = brute(H, q, low, high)
        assert np.allclose(d, want, rtol=1e-7, atol=1e-9)
        inside = (d > low) & (d < high)
        assert set(np.flatnonzero(inside)) <= set(free[:count].tolist())


def test_says_when_there_is_no_minimum() -> None:
    H, q = np.array([[1.0, 0.0], [0.0, -1.0]]), np.zeros(2)
    assert solved(H, q, np.full(2, -1.0), np.full(2, 1.0))[0] == -1
