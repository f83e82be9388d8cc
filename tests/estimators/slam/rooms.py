"""Rooms and corridors with a laser in them, whose readings are computed by hand: an oracle without grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.core import Space

PLANE = Space("pose: SE2")
ANGLES = np.radians(np.arange(-135.0, 135.5, 1.0))
FAR = 12.0

# Walls as segments (x1, y1, x2, y2): a room of 6 x 5 m with a pillar and a niche; a corridor of 200 m.
ROOM = np.array([
    [-3.0, -2.0, 3.0, -2.0], [3.0, -2.0, 3.0, 3.0], [3.0, 3.0, 1.0, 3.0], [1.0, 3.0, 1.0, 2.2], [1.0, 2.2, -0.5, 2.2],
    [-0.5, 2.2, -0.5, 3.0], [-0.5, 3.0, -3.0, 3.0], [-3.0, 3.0, -3.0, -2.0],
    [-1.8, -1.0, -1.2, -1.0], [-1.2, -1.0, -1.2, -0.4], [-1.2, -0.4, -1.8, -0.4], [-1.8, -0.4, -1.8, -1.0],
])  # fmt: skip
CORRIDOR = np.array([[-100.0, -1.0, 100.0, -1.0], [-100.0, 1.2, 100.0, 1.2]])


def ranges(walls: Any, pose: Any, angles: Any = ANGLES) -> Any:
    """Distances to the nearest wall along the beams from a pose ``(B,)``; infinite where there is none."""
    x, y, yaw = pose
    d = np.column_stack([np.cos(yaw + angles), np.sin(yaw + angles)])
    a, b = walls[:, :2] - [x, y], walls[:, 2:] - walls[:, :2]
    cross = d[:, None, 0] * b[:, 1] - d[:, None, 1] * b[:, 0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        along = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / cross
        part = (a[:, 0] * d[:, None, 1] - a[:, 1] * d[:, None, 0]) / cross
    hit = (along > 0.0) & (part >= 0.0) & (part <= 1.0)
    return np.where(hit, along, np.inf).min(axis=1)


def scan(walls: Any, pose: Any, rng: np.random.Generator | None = None, noise: float = 0.02) -> Any:
    """A scan with noise."""
    exact = ranges(walls, pose)
    return exact if rng is None else exact + noise * rng.normal(size=exact.shape)
