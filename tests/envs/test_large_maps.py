"""Navigation on large maps: little memory, and the same episodes as by searches of the whole map."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from pilotage.core import PilotageError
from pilotage.envs import Navigation
from pilotage.envs.navigation.scenarios import MARGIN, Rooms
from pilotage.maps import OccupancyGrid


class WholeMap(Rooms):
    """Rooms that look at every cell of the map for every draw."""

    refused = 0

    def _anywhere(self, rng: np.random.Generator) -> np.ndarray:
        cells = np.argwhere(self.open)
        return self.grid.cell_to_world(cells[rng.integers(len(cells))])

    def _disc(self, x, y, radius):
        centres = self.grid.cell_to_world(np.moveaxis(np.indices(self.grid.shape), 0, -1))
        return np.s_[:, :], np.hypot(*np.moveaxis(centres - [x, y], -1, 0)) <= radius

    def _connected(self, open_cells, places, window, taken):
        labels, _ = ndimage.label(open_cells)
        found = labels[tuple(self.grid.world_to_cell(places).T)]
        joined = bool(found[0] > 0 and (found == found[0]).all())
        self.refused += not joined
        return joined


def building(seed: int, walled: bool = True) -> OccupancyGrid:
    """Aisles of 1.5 m with a few doors between them, and boxes in the way."""
    rng = np.random.default_rng(seed)
    walls = np.zeros((81, 121), dtype=bool)
    walls[::16] = True
    for i, j in zip(np.repeat(np.arange(0, 81, 16), 3), rng.integers(1, 108, 18), strict=True):
        walls[i, j : j + 12] = False
    walls[0], walls[:, 0], walls[-1], walls[:, -1] = walled, walled, walled, walled
    for i, j in rng.integers(0, (76, 116), (6, 2)):
        walls[i : i + 3, j : j + 3] = True
    return OccupancyGrid.from_occupied(walls, 0.1, (1.03, -2.11, 0.0 if seed % 2 else 0.7))


@pytest.mark.parametrize("seed", range(3))
def test_episodes_are_those_of_searches_of_the_whole_map(seed: int) -> None:
    rooms, whole = Rooms(building(seed), 0.175), WholeMap(building(seed), 0.175)
    for episode in range(3):
        streams = np.random.default_rng(episode), np.random.default_rng(episode)
        for mine, theirs in zip(rooms.scenario(14, 3, streams[0]), whole.scenario(14, 3, streams[1]), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert streams[0].bit_generator.state == streams[1].bit_generator.state
    assert whole.refused > 0


@pytest.mark.parametrize(("hole", "reached"), [(0, False), (1, False), (4, False), (None, True), (7, True), (12, True)])
def test_the_edge_is_reached_where_it_is_nearer_than_what_is_on_the_map(hole: int | None, reached: bool) -> None:
    grid = building(2, walled=hole is not None)
    cells = grid.log_odds.copy()
    cells[0, 50 : 50 + (hole or 0)] = cells.min()  # in the outer wall
    grid = OccupancyGrid(cells, grid.resolution, grid.origin)
    rooms = Rooms(grid, 0.175)
    places, blocked = np.argwhere(rooms.open), np.argwhere(~grid.free)
    on_map = np.array([np.linalg.norm(blocked - place, axis=-1).min() for place in places])
    off_map = np.minimum(places + 1, np.array(grid.shape) - places).min(-1)
    assert rooms.reach_the_edge() == (off_map < on_map).any() == reached


def test_environments_share_the_wall_around_an_open_map() -> None:
    grid = building(2, walled=False)
    one, other = Navigation(grid, obstacles=0), Navigation(grid, obstacles=2)
    assert one.grid is other.grid
    assert one.grid.shape == tuple(np.add(grid.shape, 2))
    assert one.grid.occupied.sum() == grid.occupied.sum() + 2 * sum(grid.shape) + 4


def test_the_room_that_a_refusal_names_is_that_of_the_distance_field() -> None:
    grid, rng = building(1), np.random.default_rng(0)
    rooms, distances = Rooms(grid, 0.175), grid.distance_field().values
    refused = 0
    for point in grid.grid_to_world(rng.uniform(1.0, [120.0, 80.0], (100, 2))):
        room = distances[tuple(grid.world_to_cell(point))]
        if room <= 0.175 + MARGIN:
            refused += 1
            with pytest.raises(PilotageError, match=rf"is {room:.2f} m from what is not free"):
                rooms.check(point, "start")
    assert refused > 20


def test_memory() -> None:
    """A small multiple of the map: of what is kept, 9 bytes a cell are for distances and 4 for masks and boxes."""
    side, walls = 1200, np.zeros((1200, 1200), dtype=bool)
    walls[::97, ::89] = walls[0] = walls[-1] = walls[:, 0] = walls[:, -1] = True
    Navigation("depot").reset(seed=0)  # compiled code is loaded
    grid = OccupancyGrid.from_occupied(walls, 0.05)
    tracemalloc.start()
    try:
        env = Navigation(grid)
        env.reset(seed=0)
        env.step([0.5, 0.1])
        env.reset(seed=1)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 15.0 * side**2
    assert peak < 25.0 * side**2
