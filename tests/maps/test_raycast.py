"""Ray casting against geometry: each occupied cell is a box, and the oracle intersects the ray with all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.errors import PilotageError
from pilotage.maps import OccupancyGrid


def first_box(poses: np.ndarray, angles: np.ndarray, grid: OccupancyGrid, reach: float, grow: float) -> np.ndarray:
    """Ranges by the slab method over all occupied cells, each grown by `grow` cells on every side."""
    local = grid.world_to_grid(poses)
    rows, columns = np.nonzero(grid.occupied)
    low = np.stack((columns, rows), axis=-1) - grow
    high = np.stack((columns + 1, rows + 1), axis=-1) + grow
    heading = local[:, 2, None] + angles
    direction = np.stack((np.cos(heading), np.sin(heading)), axis=-1)[:, :, None]
    start = local[:, None, None, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - start) / direction, (high - start) / direction
    near = np.nanmax(np.minimum(a, b), axis=-1)
    far = np.nanmin(np.maximum(a, b), axis=-1)
    hit = (near <= far) & (far >= 0)
    t = np.where(hit, np.maximum(near, 0.0), np.inf).min(axis=-1, initial=np.inf)
    return np.minimum(t * grid.resolution, reach)


@given(
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.0, 0.02, 0.1, 0.4]),
    yaw=st.sampled_from([0.0, 0.3, -2.0]),
    beams=st.integers(1, 70),
)
def test_exact_against_boxes(seed: int, share: float, yaw: float, beams: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 25)), int(rng.integers(1, 25)))
    grid = OccupancyGrid.from_occupied(rng.random(shape) < share, resolution=0.2, origin=(-3.0, 1.0, yaw))
    # Some poses lie outside the map, some inside obstacles.
    poses = grid.grid_to_world(np.column_stack((rng.uniform(-4, 29, (20, 2)), rng.uniform(-4, 4, 20))))
    angles = rng.uniform(-7, 7, beams)
    found = grid.raycast(poses, angles, max_range=3.0)
    # Where a ray grazes a corner, rounding decides: the truth lies between boxes a little larger and smaller.
    early = first_box(poses, angles, grid, 3.0, grow=1e-9)
    late = first_box(poses, angles, grid, 3.0, grow=-1e-9)
    assert (found >= early - 1e-8).all()
    assert (found <= late + 1e-8).all()


@given(seed=st.integers(0, 1000))
def test_along_the_axes_and_through_corners(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = OccupancyGrid.from_occupied(rng.random((12, 12)) < 0.1, resolution=1.0)
    # Whole and half numbers with the eight main directions: every comparison of the traversal is a tie.
    poses = np.column_stack((rng.integers(0, 24, (30, 2)) / 2, np.zeros(30)))
    angles = np.arange(8) * math.pi / 4
    found = grid.raycast(poses, angles, max_range=20.0)
    assert (found >= first_box(poses, angles, grid, 20.0, grow=1e-9) - 1e-8).all()
    assert (found <= first_box(poses, angles, grid, 20.0, grow=-1e-9) + 1e-8).all()


def test_a_long_way_is_the_same_in_large_steps_and_in_small_ones() -> None:
    rng = np.random.default_rng(1)
    occupied = np.zeros((700, 900), dtype=bool)
    occupied[rng.integers(0, 700, 40), rng.integers(0, 900, 40)] = True
    grid = OccupancyGrid.from_occupied(occupied, resolution=0.05)
    poses = np.column_stack((rng.uniform(0, 45, 200), rng.uniform(0, 35, 200), rng.uniform(-3, 3, 200)))
    angles = np.linspace(-3, 3, 33)
    found = grid.raycast(poses, angles, max_range=60.0)
    np.testing.assert_allclose(found, first_box(poses, angles, grid, 60.0, grow=0.0), atol=1e-9)


def test_what_a_pose_in_an_obstacle_and_unknown_cells_give() -> None:
    grid = OccupancyGrid.from_ascii(["#.?.#"])
    np.testing.assert_array_equal(grid.raycast([0.5, 0.5, 0.0], [0.0, 2.0], 9.0), [0.0, 0.0])
    np.testing.assert_allclose(grid.raycast([1.5, 0.5, 0.0], [0.0], 9.0), [2.5])
    np.testing.assert_allclose(grid.raycast([1.5, 0.5, 0.0], [0.0], 9.0, unknown="blocked"), [0.5])
    np.testing.assert_allclose(grid.raycast([2.5, 0.5, 0.0], [0.0], 9.0, unknown="blocked"), [0.0])
    np.testing.assert_allclose(grid.raycast([1.5, 0.5, math.pi / 2], [0.0], 9.0), [9.0])


def test_batch_axes_are_those_of_the_poses() -> None:
    grid = OccupancyGrid.from_ascii(["#...#", "#...#"])
    poses = np.random.default_rng(0).uniform(0.1, 1.9, (3, 2, 4, 3))
    found = grid.raycast(poses, [0.0, 1.0], 5.0)
    assert found.shape == (3, 2, 4, 2)
    np.testing.assert_array_equal(found[1, 0, 2], grid.raycast(poses[1, 0, 2], [0.0, 1.0], 5.0))
    assert grid.raycast(np.empty((0, 3)), [0.0], 5.0).shape == (0, 1)
    assert grid.raycast([1.5, 0.5, 0.0], np.empty(0), 5.0).shape == (0,)


def test_poses_that_are_not_finite_give_nan_and_far_ones_come_back() -> None:
    grid = OccupancyGrid.from_ascii(["#...#"])
    poses = [[np.nan, 0.5, 0.0], [1.5, np.inf, 0.0], [1.5, 0.5, np.nan], [1e300, -1e300, 1.0], [1.5, 0.5, 1e12]]
    found = grid.raycast(poses, [0.0, math.pi], 5.0)
    assert np.isnan(found[:3]).all()
    np.testing.assert_array_equal(found[3], [5.0, 5.0])
    assert np.isfinite(found[4]).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([0.0, 0.0], [0.0], 1.0), r"shape \(\.\.\., 3\)"),
        (([0.0, 0.0, 0.0], [[0.0]], 1.0), "angles must be finite with shape"),
        (([0.0, 0.0, 0.0], [np.nan], 1.0), "angles must be finite with shape"),
        (([0.0, 0.0, 0.0], [0.0], 0.0), "max_range is .*"),
        (([0.0, 0.0, 0.0], [0.0], math.inf), "max_range is .*"),
    ],
)
def test_bad_arguments_are_sentences(arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        OccupancyGrid.from_ascii(["."]).raycast(*arguments)  # type: ignore[arg-type]
    with pytest.raises(PilotageError, match="unknown is 'maybe'"):
        OccupancyGrid.from_ascii(["."]).raycast([0.0, 0.0, 0.0], [0.0], 1.0, unknown="maybe")
