"""Random scenarios of episodes: a start, unmapped obstacles, and goals that are reachable."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import PilotageError
from ...core.arrays import Array
from ...maps import OccupancyGrid
from ...maps.distance import bands, distance_bands

Mask = NDArray[np.bool_]
Window = tuple[slice, slice]
MARGIN = 0.15
"""Smallest gap between the robot and walls at starts and goals and on the way [m]."""
RADII = (0.12, 0.25)
"""Of unmapped obstacles [m]."""
ATTEMPTS = 100
AWAY = 1000.0
"""The position of obstacles for which there is no room [m]."""


@lru_cache(maxsize=4)
def rooms_of(grid: OccupancyGrid, radius: float) -> Rooms:
    """The rooms of a map, which environments in one process share."""
    return Rooms(grid, radius)


class Rooms:
    """The free space of a map for a robot: the largest region in which a disc of its radius can move.

    Args:
        grid: the map; unknown cells and everything off the map count as blocked.
        radius: radius of the robot [m].

    Raises:
        PilotageError: if the map has no room for the robot.
    """

    def __init__(self, grid: OccupancyGrid, radius: float) -> None:
        self.grid = grid
        self.reach = radius + MARGIN
        self.open = _largest(self._wide())
        self._before = np.cumsum([0, *np.count_nonzero(self.open, axis=1)])
        if self._before[-1] == 0:
            raise PilotageError(
                f"{grid!r} has no room for a robot of radius {radius:.2f} m; its free space is too narrow"
            )

    def reach_the_edge(self) -> bool:
        """Whether there are places from which the edge of the map is nearer than anything that is on it."""
        free = self.grid.free
        if not (free[[0, -1]].any() or free[:, [0, -1]].any()):
            return False
        i, j = (np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) for n in free.shape)
        near = ((np.minimum(i[rows, None], j) < d) & self.open[rows] for rows, d in distance_bands(~free))
        return any(each.any() for each in near)

    def _wide(self) -> Mask:
        """Cells that are farther from all that is not free than the robot reaches."""
        blocked = np.pad(~self.grid.free, 1, constant_values=True)
        wide = np.empty(blocked.shape, dtype=np.bool_)
        for rows, distances in distance_bands(blocked):
            wide[rows] = distances * self.grid.resolution > self.reach
        return wide[1:-1, 1:-1]

    def scenario(
        self,
        obstacles: int,
        goals: int,
        rng: np.random.Generator,
        begin: Array | None = None,
        tour: Array | None = None,
    ) -> tuple[Array, Array, Array]:
        """A start pose ``(3,)``, obstacles ``(obstacles, 3)`` (x, y, radius), and goals ``(goals, 2)``.

        Every goal is reachable. An obstacle that would block a goal or cover a start or goal is drawn again; if there
        is no room for it, it is placed far off the map. If given, `begin` ``(2,)`` or ``(3,)`` is the start, and `tour`
        are the goals.
        """
        places = self.places(goals + 1, rng, begin)
        start = np.array([*places[0], rng.uniform(-np.pi, np.pi)])
        if begin is not None:
            start[: len(begin)] = begin
        if tour is not None:
            places[1:] = tour
        open_cells = self.open.copy()
        placed = [self._obstacle(open_cells, places, rng) for _ in range(obstacles)]
        return start, np.array(placed).reshape(-1, 3), places[1:]

    def places(self, count: int, rng: np.random.Generator, first: Array | None = None) -> Array:
        """Points ``(count, 2)``, each far from the one before where the map allows it; `first` is given, or drawn."""
        chosen = [self._anywhere(rng) if first is None else first[:2]]
        for _ in range(count - 1):
            drawn = (self._anywhere(rng) for _ in range(20))
            chosen.append(next((p for p in drawn if np.linalg.norm(p - chosen[-1]) > self._apart), self._anywhere(rng)))
        return np.array(chosen)

    @cached_property
    def _apart(self) -> float:
        """A quarter of the extent of the free space, so that there is a way to go [m]."""
        extent = max(np.ptp(np.flatnonzero(self.open.any(axis))) for axis in (0, 1))
        return 0.25 * self.grid.resolution * float(extent)

    def check(self, point: Array, name: str) -> None:
        """Raise an error for a place where the robot does not fit, or that it cannot reach."""
        where, cell = f"{name} ({point[0]:.2f}, {point[1]:.2f})", self.grid.world_to_cell(point[:2])
        if not self.grid.contains_cell(cell):
            raise PilotageError(f"{where} is off the map")
        if (room := self._room(cell)) <= self.reach:
            raise PilotageError(
                f"{where} is {room:.2f} m from what is not free; the robot needs {self.reach:.2f} m, a gap of "
                f"{MARGIN} m included"
            )
        if not self.open[tuple(cell)]:
            raise PilotageError(f"{where} lies in a part of the map that is cut off for a robot of this size")

    def _room(self, cell: Any) -> float:
        """Distance between the centres of a cell and the nearest that is not free [m]; infinite out of reach."""
        k = int(self.reach / self.grid.resolution) + 1
        around = np.moveaxis(np.indices((2 * k + 1, 2 * k + 1)), 0, -1) - k
        blocked = around[~self.grid.is_free(self.grid.cell_to_world(cell + around))]
        return self.grid.resolution * float(np.sqrt((blocked**2).sum(-1)).min(initial=np.inf))

    def _anywhere(self, rng: np.random.Generator) -> Array:
        """The centre of an open cell."""
        place = rng.integers(int(self._before[-1]))
        row = int(np.searchsorted(self._before, place, side="right")) - 1
        column = np.flatnonzero(self.open[row])[place - self._before[row]]
        return self.grid.cell_to_world(np.array([row, column]))

    def _obstacle(self, open_cells: Mask, places: Array, rng: np.random.Generator) -> Array:
        """An obstacle that leaves ways from place to place; the cells that it takes are open no longer."""
        for _ in range(ATTEMPTS):
            x, y = self._anywhere(rng)
            r = rng.uniform(*RADII)
            if (np.hypot(places[:, 0] - x, places[:, 1] - y) > r + 2.0 * self.reach).all():
                window, disc = self._disc(x, y, r + self.reach)
                before = open_cells[window].copy()
                open_cells[window] &= ~disc
                if self._connected(open_cells, places, window, before & disc):
                    return np.array([x, y, r])
                open_cells[window] = before
        return np.array([*np.subtract(self.grid.origin[:2], AWAY), RADII[0]])

    def _disc(self, x: float, y: float, radius: float) -> tuple[Window, Mask]:
        """A part of the map around a point, and the cells of it whose centre lies within `radius` of the point."""
        column, row = self.grid.world_to_grid([x, y]) - 0.5
        reach = radius / self.grid.resolution
        rows, columns = (
            np.arange(max(int(at - 2.0 * reach) - 1, 0), min(int(at + 2.0 * reach) + 2, n))
            for at, n in zip((row, column), self.grid.shape, strict=True)
        )
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return window, (rows[:, None] - row) ** 2 + (columns - column) ** 2 <= reach**2

    def _connected(self, open_cells: Mask, places: Array, window: Window, taken: Mask) -> bool:
        """Whether ways from place to place are left after cells of a window were taken.

        They are where the neighbours of these cells are connected within the window; else the whole map is searched.
        """
        from scipy import ndimage

        i, j = np.moveaxis(self.grid.world_to_cell(places), -1, 0)
        if not open_cells[i, j].all():
            return False
        around: Any = ndimage.binary_dilation(taken)
        beside = _labelled(open_cells[window])[0][around]
        if len(np.unique(beside[beside > 0])) <= 1:
            return True
        labels, _ = _labelled(open_cells)
        return bool((labels[i, j] == labels[i[0], j[0]]).all())


def _largest(mask: Mask) -> Mask:
    """The largest connected region."""
    labels, count = _labelled(mask)
    sizes = sum(np.bincount(labels[rows].ravel(), minlength=count + 1) for rows in bands(mask.shape))
    return labels == 1 + int(np.argmax(np.asarray(sizes)[1:])) if count else mask


def _labelled(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Connected regions, numbered from 1."""
    from scipy import ndimage

    labels = np.empty(mask.shape, dtype=np.int32)
    count: Any = ndimage.label(mask, output=labels)
    return labels, int(count)
