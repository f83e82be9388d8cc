"""A distance field that follows changes is the one from scratch, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.errors import ShapeError
from pilotage.maps import DynamicDistance, OccupancyGrid

SHAPES = st.tuples(st.integers(1, 30), st.integers(1, 30))


def grid_of(mask: np.ndarray) -> OccupancyGrid:
    return OccupancyGrid.from_occupied(mask, 0.07, (1.0, -2.0, 0.4))


@given(seed=st.integers(0, 2**32 - 1), shape=SHAPES, signed=st.booleans(), share=st.sampled_from([0.0, 0.01, 0.1, 0.9]))
def test_any_changes_give_the_field_from_scratch(seed: int, shape: tuple[int, int], signed: bool, share: float) -> None:
    """Single cells, boxes, everything occupied and everything free, one after the other."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < share
    dynamic = DynamicDistance(grid_of(mask), signed=signed)
    for _ in range(12):
        before = mask.copy()
        kind = rng.integers(5)
        if kind == 0:
            cells = rng.integers(0, shape, (rng.integers(1, 6), 2))
            mask[cells[:, 0], cells[:, 1]] = state = bool(rng.integers(2))
            count = dynamic.mark(cells, state)
        else:
            low, high = np.sort(rng.integers(0, np.add(shape, 1), (2, 2)), axis=0)
            mask[low[0] : high[0], low[1] : high[1]] = kind == 1
            if kind == 2:
                mask = rng.random(shape) < share
            count = dynamic.follow(mask)
        assert count == np.count_nonzero(mask != before)
        fresh = grid_of(mask)
        np.testing.assert_array_equal(dynamic.values, fresh.distance_field(signed=signed).values, strict=True)
        np.testing.assert_array_equal(dynamic.occupied, mask)


@pytest.mark.parametrize("signed", [False, True])
def test_toggled_cells_of_a_real_map(signed: bool) -> None:
    grid = OccupancyGrid.load("depot")
    rng, mask, dynamic = np.random.default_rng(3), grid.occupied.copy(), DynamicDistance(grid, signed=signed)
    for _ in range(20):
        row, column = rng.integers(0, grid.shape)
        mask[row, column] ^= True
        dynamic.mark([[row, column]], mask[row, column])
    fresh = OccupancyGrid.from_occupied(mask, grid.resolution).distance_field(signed=signed)
    np.testing.assert_array_equal(dynamic.values, fresh.values)
    np.testing.assert_array_equal(dynamic.field().values, fresh.values)


@given(seed=st.integers(0, 10_000), shape=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_the_signed_field_is_the_distance_to_faces_and_changes_sign_there(seed: int, shape: tuple[int, int]) -> None:
    """Against all pairs of cells: outside, the nearest square of an occupied cell; inside, of one that is not."""
    mask = np.random.default_rng(seed).random(shape) < 0.3
    field = grid_of(mask).distance_field(signed=True).values / 0.07
    cells = np.argwhere(np.ones(shape, dtype=bool))
    for cell in cells:
        others = cells[mask[tuple(cells.T)] != mask[tuple(cell)]]
        gaps = np.hypot(*np.maximum(np.abs(others - cell) - 0.5, 0.0).T)
        nearest = gaps.min(initial=np.hypot(*shape))
        assert field[tuple(cell)] == pytest.approx(-nearest if mask[tuple(cell)] else nearest, abs=1e-9)


def test_cells_off_the_map_are_ignored_and_others_are_refused() -> None:
    dynamic = DynamicDistance(grid_of(np.zeros((3, 4), dtype=bool)))
    assert dynamic.mark([[-1, 0], [3, 0], [0, 4]]) == 0
    assert dynamic.mark([]) == 0
    assert dynamic.mark([[0, 0], [0, 1]], [True, False]) == 1
    for cells, occupied in (([[0, 1, 2], [2, 3, 0]], True), ([[0, 0], [0, 1]], [True, False, True])):
        with pytest.raises(ShapeError, match="must be one bool|must have shape"):
            dynamic.mark(cells, occupied)
    with pytest.raises(ValueError, match="read-only"):
        dynamic.values[0, 0] = 1.0
    with pytest.raises(ShapeError, match="shape of the grid"):
        dynamic.follow(np.zeros((4, 4), dtype=bool))
    with pytest.raises(ShapeError, match="needs a grid of cells"):
        DynamicDistance(np.zeros((3, 4)))  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [np.full((3, 4), 0.3), [[0.0, 1.0, 2.0, 0.0]] * 3, np.full((3, 4), np.nan)])
def test_probabilities_are_no_occupied_cells(given: object) -> None:
    dynamic = DynamicDistance(OccupancyGrid.from_ascii(["...."] * 3))
    with pytest.raises(ShapeError, match="0 and 1"):
        dynamic.follow(given)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="0 and 1"):
        dynamic.mark([[0, 0]], 0.3)  # type: ignore[arg-type]
    assert not dynamic.occupied.any()
    assert dynamic.follow(np.eye(3, 4)) == 3  # zeros and ones are bools
