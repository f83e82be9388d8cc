"""Large maps: what is done to one takes little memory beside what is kept of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pilotage.maps import OccupancyGrid

SIDE = 1200


def bytes_a_cell(work: Callable[[], object]) -> float:
    """The most memory that is held at once, in bytes for each cell of a map of `SIDE` x `SIDE`."""
    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[1] / SIDE**2
    finally:
        tracemalloc.stop()
        del kept


@pytest.fixture
def walls() -> np.ndarray:
    found = np.zeros((SIDE, SIDE), dtype=bool)
    found[::97, ::89] = found[:, 0] = found[:, -1] = True
    return found


@pytest.mark.parametrize(
    ("name", "bound"),
    # Kept: 4 bytes of log-odds, 8 of distances; of obstacles 17, a mask and two fields. The rest is in between.
    [("distance_field", 16.0), ("obstacles", 34.0), ("occupied", 2.0), ("unknown", 6.0), ("probability", 12.0)],
)
def test_what_is_derived(name: str, bound: float, walls: np.ndarray) -> None:
    def derive(grid: OccupancyGrid) -> object:
        found = getattr(grid, name)
        return found() if callable(found) else found

    derive(OccupancyGrid.from_ascii(["#."]))  # compiled code is loaded
    grid = OccupancyGrid.from_occupied(walls, 0.05)
    assert bytes_a_cell(lambda: derive(grid)) < bound


@pytest.mark.parametrize("mode", ["trinary", "scale", "raw"])
def test_saving_and_loading(mode: str, walls: np.ndarray, tmp_path: Path) -> None:
    grid = OccupancyGrid.from_occupied(walls, 0.05)
    assert bytes_a_cell(lambda: grid.save(tmp_path / "map.yaml", mode=mode)) < 14.0
    assert bytes_a_cell(lambda: OccupancyGrid.load(tmp_path / "map.yaml")) < 14.0


def test_making(walls: np.ndarray) -> None:
    assert bytes_a_cell(lambda: OccupancyGrid.from_occupied(walls, 0.05)) < 12.0
    p = walls.astype(np.float64)
    assert bytes_a_cell(lambda: OccupancyGrid.from_probability(p, 0.05)) < 8.0
    grid = OccupancyGrid.from_occupied(walls, 0.05)
    assert bytes_a_cell(lambda: grid.with_occupied(walls)) < 8.0
