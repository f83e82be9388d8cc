"""A building with a corridor around a block, and a drive in it: what the demos of SLAM take where there is no data."""

from __future__ import annotations

import itertools

import numpy as np

from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.io import LaserLog
from pilotage.maps import Lidar, OccupancyGrid

PLANE = Space("pose: SE2")
CELL = 0.1
BOXES = (
    (2.5, 2.5, 9.0, 5.0), (4.0, 0.0, 0.6, 0.4), (8.0, 2.1, 1.0, 0.4), (13.4, 3.0, 0.6, 1.0), (11.5, 6.0, 0.4, 0.6),
    (10.0, 9.3, 0.8, 0.7), (6.0, 7.5, 0.7, 0.3), (3.0, 9.6, 1.5, 0.4), (0.0, 5.0, 0.5, 0.5), (2.0, 4.0, 0.5, 0.8),
)  # fmt: skip
"""The block, and what stands along the walls: lower left corner, width and height [m]."""


def ring() -> OccupancyGrid:
    """The building, 14 by 10 m."""
    blocked = np.zeros((100, 140), dtype=bool)
    for x, y, width, height in BOXES:
        i, j, n, m = np.rint(np.array([x, y, width, height]) / CELL).astype(int).tolist()
        blocked[j : j + m, i : i + n] = True
    return OccupancyGrid.from_occupied(np.pad(blocked, 1, constant_values=True), CELL, (-CELL, -CELL, 0.0))


def laps(count: int = 2, step: float = 0.25) -> Array:
    """Poses of a robot that drives around the block ``(T, 3)``."""
    corners = np.array([[1.2, 1.2], [12.8, 1.2], [12.8, 8.8], [1.2, 8.8]] * count + [[1.2, 1.2], [6.0, 1.2]])
    poses: list[list[float]] = []
    for a, b in itertools.pairwise(corners):
        ahead, far = (b - a) / np.hypot(*(b - a)), float(np.hypot(*(b - a)))
        yaw = float(np.arctan2(ahead[1], ahead[0]))
        poses += [[*(a + s * ahead), yaw] for s in np.arange(0.0, far, step)]
        poses += [[*b, yaw + turn] for turn in np.linspace(0.25, 0.5 * np.pi, 6)]
    return np.array(poses)


def simulated(seed: int) -> LaserLog:
    """A drive around the block with wheels that are wrong: 3 % too long, and a little to the left."""
    rng, poses = np.random.default_rng(seed), laps()
    lidar = Lidar(ring(), angles=np.linspace(-0.5 * np.pi, 0.5 * np.pi, 181), max_range=20.0)
    ranges = lidar.observe(poses) + rng.normal(0.0, 0.015, (len(poses), 181))
    wheels = [np.zeros(3)]
    for d in np.asarray(PLANE.compose(PLANE.inverse(poses[:-1]), poses[1:])):
        far = float(np.hypot(d[0], d[1]))
        seen = [1.03 * d[0], d[1], 1.04 * d[2] + 0.012 * far + 0.02 * np.sqrt(far) * rng.normal()]
        wheels.append(np.asarray(PLANE.compose(wheels[-1], seen)))
    return LaserLog(np.arange(0.0, 0.5 * len(poses), 0.5), poses, np.array(wheels), ranges, np.asarray(lidar.angles))
