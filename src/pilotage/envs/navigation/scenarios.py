"""Scenarios of episodes: a start, goals and unmapped obstacles, drawn so that every goal can be reached."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import PilotageError
from ...core.arrays import Array
from ...maps import OccupancyGrid
from ...maps.distance import distance_transform

Mask = NDArray[np.bool_]
MARGIN = 0.15
"""Gap that a start or a goal keeps to walls, and that the robot has on its way [m]."""
RADII = (0.12, 0.25)
"""Of unmapped obstacles [m]."""
ATTEMPTS = 100
AWAY = 1000.0
"""The place of obstacles for which there is no room [m]."""


@lru_cache(maxsize=4)
def rooms_of(grid: OccupancyGrid, radius: float) -> Rooms:
    """The rooms of a map, which environments in one process share."""
    return Rooms(grid, radius)


class Rooms:
    """The places of a map where a robot fits: the largest region in which a disc of its radius can move.

    Args:
        grid: the map; unknown cells and what lies off the map count as blocked.
        radius: of the robot [m].

    Raises:
        PilotageError: when the map has no room for the robot.
    """

    def __init__(self, grid: OccupancyGrid, radius: float) -> None:
        self.grid = grid
        self.reach = radius + MARGIN
        blocked = np.pad(~grid.free, 1, constant_values=True)
        distance = distance_transform(blocked)
        distance *= grid.resolution
        self.distance = distance[1:-1, 1:-1]
        self.open = self._largest(self.distance > self.reach)
        self._places = np.flatnonzero(self.open)
        if len(self._places) == 0:
            raise PilotageError(
                f"{grid!r} has no room for a robot of radius {radius:.2f} m; its free space is too narrow"
            )

    def reach_the_edge(self) -> bool:
        """Whether there are places from which the edge of the map is nearer than anything that is on it."""
        from scipy import ndimage

        free = np.pad(self.grid.free, 1)
        if not (free[[1, -2]].any() or free[:, [1, -2]].any()):
            return False
        nearest: Any = ndimage.distance_transform_edt(free, return_distances=False, return_indices=True)
        i, j = nearest[:, 1:-1, 1:-1]
        beyond = (i == 0) | (i == len(free) - 1) | (j == 0) | (j == free.shape[1] - 1)
        return bool(beyond[self.open].any())

    def scenario(
        self,
        obstacles: int,
        goals: int,
        rng: np.random.Generator,
        begin: Array | None = None,
        tour: Array | None = None,
    ) -> tuple[Array, Array, Array]:
        """Start pose ``(3,)``, obstacles ``(obstacles, 3)`` x, y, radius, and goals ``(goals, 2)``.

        Every goal can be reached. An obstacle that would cut one off, or stand on a start or goal, is drawn again; one
        for which there is no room is put far off the map. `begin` ``(2,)`` or ``(3,)`` is the start and `tour` are the
        goals, where these are given.
        """
        places = self.places(goals + 1, rng, begin)
        start = np.array([*places[0], rng.uniform(-np.pi, np.pi)])
        if begin is not None:
            start[: len(begin)] = begin
        if tour is not None:
            places[1:] = tour
        placed, open_cells = [], self.open
        for _ in range(obstacles):
            obstacle, open_cells = self._obstacle(open_cells, places, rng)
            placed.append(obstacle)
        return start, np.array(placed).reshape(-1, 3), places[1:]

    def places(self, count: int, rng: np.random.Generator, first: Array | None = None) -> Array:
        """Points ``(count, 2)``, each far from the one before where the map allows it; `first` is given, or drawn."""
        # A quarter of the extent of the free space apart, so that there is a way to go.
        extent = max(np.ptp(np.flatnonzero(self.open.any(axis))) for axis in (0, 1))
        apart = 0.25 * self.grid.resolution * float(extent)
        chosen = [self._anywhere(rng) if first is None else first[:2]]
        for _ in range(count - 1):
            drawn = (self._anywhere(rng) for _ in range(20))
            chosen.append(next((p for p in drawn if np.linalg.norm(p - chosen[-1]) > apart), self._anywhere(rng)))
        return np.array(chosen)

    def check(self, point: Array, name: str) -> None:
        """Refuse a place where the robot does not fit, or that it cannot reach."""
        where, cell = f"{name} ({point[0]:.2f}, {point[1]:.2f})", self.grid.world_to_cell(point[:2])
        if not self.grid.contains_cell(cell):
            raise PilotageError(f"{where} is off the map")
        if (room := self.distance[tuple(cell)]) <= self.reach:
            raise PilotageError(
                f"{where} is {room:.2f} m from what is not free; the robot needs {self.reach:.2f} m, a gap of "
                f"{MARGIN} m included"
            )
        if not self.open[tuple(cell)]:
            raise PilotageError(f"{where} lies in a part of the map that is cut off for a robot of this size")

    def _anywhere(self, rng: np.random.Generator) -> Array:
        place = self._places[rng.integers(len(self._places))]
        return self.grid.cell_to_world(np.stack(np.unravel_index(place, self.open.shape), -1))

    def _obstacle(self, open_cells: Mask, places: Array, rng: np.random.Generator) -> tuple[Array, Mask]:
        """An obstacle that leaves ways from place to place, and the cells that stay open."""
        for _ in range(ATTEMPTS):
            x, y = self._anywhere(rng)
            r = rng.uniform(*RADII)
            if (np.hypot(places[:, 0] - x, places[:, 1] - y) > r + 2.0 * self.reach).all():
                left = open_cells & ~self._disc(x, y, r + self.reach)
                if self._connected(left, places):
                    return np.array([x, y, r]), left
        return np.array([*np.subtract(self.grid.origin[:2], AWAY), RADII[0]]), open_cells

    def _disc(self, x: float, y: float, radius: float) -> Mask:
        """Cells whose centre lies within `radius` of a point."""
        column, row = self.grid.world_to_grid([x, y]) - 0.5
        rows, columns = np.ogrid[: self.grid.shape[0], : self.grid.shape[1]]
        return (rows - row) ** 2 + (columns - column) ** 2 <= (radius / self.grid.resolution) ** 2

    def _connected(self, open_cells: Mask, places: Array) -> bool:
        labels, _ = self._labelled(open_cells)
        i, j = np.moveaxis(self.grid.world_to_cell(places), -1, 0)
        return bool(labels[i[0], j[0]] > 0 and (labels[i, j] == labels[i[0], j[0]]).all())

    def _largest(self, mask: Mask) -> Mask:
        labels, count = self._labelled(mask)
        if count == 0:
            return mask
        return np.asarray(labels == 1 + int(np.argmax(np.bincount(np.ravel(labels))[1:])))

    @staticmethod
    def _labelled(mask: Mask) -> tuple[NDArray[np.int32], int]:
        """Connected regions, numbered from 1."""
        from scipy import ndimage

        labels = np.empty(mask.shape, dtype=np.int32)
        count: Any = ndimage.label(mask, output=labels)
        return labels, int(count)
