"""A robot that wanders through a map with a lidar: what localization is tried on."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.estimators.localization import Localization, free_poses
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import unicycle

DT = 0.1
ROBOT = unicycle(noise=(0.05, 0.05, 0.05))
FAN = np.linspace(-np.pi, np.pi, 48, endpoint=False)


class Wanderer:
    """Drives on where there is room, and turns where there is none; slips as `ROBOT` says, sees with noise."""

    def __init__(self, grid: OccupancyGrid, seed: int, *, clutter: float = 0.0) -> None:
        self.grid = grid
        self.rng = np.random.default_rng(seed)
        self.clutter = clutter
        self.turning = 0.0
        self.x = self.somewhere()

    def somewhere(self) -> np.ndarray:
        """A pose with room around it, in no closet."""
        while True:
            pose = free_poses(self.grid, 1, clearance=0.4, rng=self.rng)[0]
            if self.grid.free_component(pose[:2]).sum() > 1000:
                return pose

    def carry_away(self) -> None:
        """Be put somewhere else, two metres away at least."""
        before = self.x
        while np.hypot(*(self.x - before)[:2]) < 2.0:
            self.x = self.somewhere()

    def move(self) -> np.ndarray:
        """One step; returns the action."""
        r = self.grid.raycast(self.x, FAN, 5.0)
        left, right = r[(FAN > 0) & (FAN < 1.4)].mean(), r[(FAN < 0) & (FAN > -1.4)].mean()
        front = r[np.abs(FAN) < 0.5].min()
        if front < 0.7:
            self.turning = self.turning or (1.2 if left > right else -1.2)
            u = np.array([0.0 if front < 0.45 else 0.1, self.turning])
        else:
            self.turning = 0.0
            u = np.array([0.5, 0.3 * np.clip(left - right, -1, 1) + 0.2 * self.rng.normal()])
        slip = np.sqrt(np.diagonal(ROBOT.noise(self.x, u, DT))) * self.rng.normal(size=3)
        self.x = ROBOT.state.plus(ROBOT.step(self.x, u, DT), slip)
        return u

    def scan(self, lidar: Lidar) -> np.ndarray:
        """Ranges with 3 cm of noise, some cut short by what is not on the map."""
        z = lidar.observe(self.x)
        z = np.where(z < lidar.max_range, np.abs(z + 0.03 * self.rng.normal(size=z.shape)), z)
        return np.where(self.rng.random(z.shape) < self.clutter, z * self.rng.random(z.shape), z)

    def found(self, belief: Localization) -> bool:
        """Whether a belief is right: within 30 cm and 12 degrees."""
        d: Any = ROBOT.state.minus(belief.best.mean, self.x)
        return bool(np.hypot(d[0], d[1]) < 0.3 and abs(d[2]) < 0.2)
