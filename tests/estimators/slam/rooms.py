"""Rooms and corridors with a laser in them, whose readings are computed by hand: an oracle without grids."""

from __future__ import annotations

import itertools
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


def box(x: float, y: float, width: float, height: float) -> list[list[float]]:
    """The four sides of a box with this lower-left corner."""
    a, b = x + width, y + height
    return [[x, y, a, y], [a, y, a, b], [a, b, x, b], [x, b, x, y]]


RING = np.array([
    *box(0.0, 0.0, 14.0, 10.0), *box(2.5, 2.5, 9.0, 5.0),
    *box(4.0, 0.0, 0.6, 0.4), *box(8.0, 2.1, 1.0, 0.4), *box(13.4, 3.0, 0.6, 1.0), *box(11.5, 6.0, 0.4, 0.6),
    *box(10.0, 9.3, 0.8, 0.7), *box(6.0, 7.5, 0.7, 0.3), *box(3.0, 9.6, 1.5, 0.4), *box(0.0, 5.0, 0.5, 0.5),
    *box(2.0, 4.0, 0.5, 0.8),
])  # fmt: skip
"""A corridor around a block, with boxes along the walls."""


def lap(step: float = 0.25) -> Any:
    """Poses of a robot that drives round the block once and a little farther ``(T, 3)``."""
    corners = np.array([[1.2, 1.2], [12.8, 1.2], [12.8, 8.8], [1.2, 8.8], [1.2, 1.2], [6.0, 1.2]])
    poses = []
    for k, (a, b) in enumerate(itertools.pairwise(corners)):
        yaw = np.arctan2(*(b - a)[::-1])
        for s in np.arange(0.0, np.hypot(*(b - a)), step):
            poses.append([*(a + s * np.array([np.cos(yaw), np.sin(yaw)])), yaw])
        if k < 4:  # the robot turns on the spot
            poses += [[*b, yaw + turn] for turn in np.linspace(0.25, 0.5 * np.pi, 6)]
    return np.array(poses)


def wheels(poses: Any, turn: float = 0.02, scale: float = 1.03, curl: float = 0.01) -> Any:
    """What the wheels of a robot say that drives along these poses ``(T, 3)``: wrong in a way that adds up."""
    odometry = [np.zeros(3)]
    for d in np.asarray(PLANE.compose(PLANE.inverse(poses[:-1]), poses[1:])):
        seen = np.array([scale * d[0], scale * d[1], (1.0 + turn) * d[2] + curl * np.hypot(d[0], d[1])])
        odometry.append(np.asarray(PLANE.compose(odometry[-1], seen)))
    return np.array(odometry)
