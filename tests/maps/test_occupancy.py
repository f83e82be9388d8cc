"""The occupancy grid: frames, classes, inflation, saved maps."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pilotage.core.errors import FormatError, MissingFile, PilotageError, ShapeError
from pilotage.core.space import Space
from pilotage.io import read_ros_map
from pilotage.maps import ObstacleLayer, OccupancyGrid
from pilotage.planners import AStar

PROBABILITIES = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    elements=st.one_of(st.sampled_from([0.0, 1.0, np.nan]), st.floats(0, 1)),
)
ORIGINS = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-4, 4))


def random_grid(seed: int, shape: tuple[int, int] = (23, 31), share: float = 0.05) -> OccupancyGrid:
    rng = np.random.default_rng(seed)
    return OccupancyGrid.from_occupied(rng.random(shape) < share, resolution=0.1, origin=(-1.0, 2.0, 0.7))


@given(p=PROBABILITIES)
def test_every_cell_is_exactly_one_of_free_occupied_unknown(p: np.ndarray) -> None:
    grid = OccupancyGrid.from_probability(p, resolution=0.5)
    assert ((grid.free.astype(int) + grid.occupied + grid.unknown) == 1).all()
    assert grid.unknown[np.isnan(p)].all()
    assert grid.occupied[p > 0.66].all()
    assert grid.free[p < 0.19].all()


@given(p=PROBABILITIES)
def test_probabilities_survive_log_odds(p: np.ndarray) -> None:
    grid = OccupancyGrid.from_probability(p, resolution=0.5)
    certain = np.where(p >= 0.999, 1.0, np.where(p <= 0.001, 0.0, p))
    np.testing.assert_allclose(grid.probability, certain, atol=1e-6)


@pytest.mark.parametrize("thresholds", [(0.65, 0.196), (0.65, 0.0005), (0.9995, 0.25), (1.0, 0.0)])
def test_what_is_certain_lies_beyond_every_threshold(thresholds: tuple[float, float]) -> None:
    occupied, free = thresholds
    grid = OccupancyGrid.from_probability([[0.0, 1.0]], 1.0, occupied_thresh=occupied, free_thresh=free)
    np.testing.assert_array_equal(grid.occupied, [[False, True]])
    np.testing.assert_array_equal(grid.free, [[True, False]])


@given(free=st.floats(0.0, 0.4), occupied=st.floats(0.41, 1.0))
def test_what_lies_on_a_threshold_counts(free: float, occupied: float) -> None:
    p = [[free, occupied]]
    grid = OccupancyGrid.from_probability(p, 1.0, occupied_thresh=occupied, free_thresh=free)
    np.testing.assert_array_equal(grid.occupied, [[False, True]])
    np.testing.assert_array_equal(grid.free, [[True, False]])


@given(origin=ORIGINS, resolution=st.floats(0.01, 3.0), seed=st.integers(0, 9))
def test_cells_and_world_are_inverse(origin: tuple[float, float, float], resolution: float, seed: int) -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((40, 60), dtype=bool), resolution, origin)
    rng = np.random.default_rng(seed)
    cells = rng.integers(-50, 100, (3, 5, 2))
    np.testing.assert_array_equal(grid.world_to_cell(grid.cell_to_world(cells)), cells)
    poses = rng.uniform(-9, 9, (4, 3))
    again = grid.grid_to_world(grid.world_to_grid(poses))
    np.testing.assert_allclose(Space("x y", "yaw: angle").minus(again, poses), 0.0, atol=1e-9)
    assert (np.abs(again[:, 2]) <= math.pi).all()
    np.testing.assert_allclose(grid.grid_to_world(grid.world_to_grid(poses[:, :2])), poses[:, :2], atol=1e-9)


def test_the_frame_is_the_one_of_the_convention() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((2, 4), dtype=bool), 0.5, origin=(10.0, 20.0, math.pi / 2))
    # Row 0, column 3: three and a half cells along the grid's x axis, which points along the world's y.
    np.testing.assert_allclose(grid.cell_to_world((0, 3)), [10.0 - 0.25, 20.0 + 1.75])
    assert grid.size == (2.0, 1.0)


def test_points_off_the_map_and_points_that_are_not_finite() -> None:
    grid = OccupancyGrid.from_ascii(["#."])
    away = np.array([[-0.1, 0.5], [2.1, 0.5], [0.5, 1e300], [np.nan, 0.5], [np.inf, -np.inf]])
    assert not grid.is_free(away).any()
    assert not grid.is_occupied(away).any()
    assert grid.is_unknown(away).all()
    assert bool(grid.is_occupied([0.5, 0.5]))
    assert bool(grid.is_free([1.5, 0.5]))


@given(seed=st.integers(0, 1000), radius=st.floats(0, 1.0))
def test_inflation_is_brute_force(seed: int, radius: float) -> None:
    grid = random_grid(seed)
    centres = grid.cell_to_world(np.stack(np.indices(grid.shape), axis=-1))
    nearest = np.linalg.norm(centres[:, :, None] - centres[grid.occupied], axis=-1).min(axis=-1, initial=np.inf)
    inflated = grid.inflate(radius)
    told = np.abs(nearest - radius) > 1e-9  # nearer to it than that, rounding decides
    expected = (nearest <= radius) | grid.occupied
    np.testing.assert_array_equal(inflated.occupied[told], expected[told])
    np.testing.assert_array_equal(inflated.free[told], (grid.free & ~expected)[told])
    assert inflated.grid is grid


@pytest.mark.parametrize("resolution", [0.05, 0.1, 0.3])
def test_a_radius_of_whole_cells_reaches_that_many(resolution: float) -> None:
    """Whatever rounding makes of the product, and no cell more."""
    line = OccupancyGrid.from_ascii(["#" + 39 * "."], resolution)
    for cells in range(1, 39):
        assert line.inflate(cells * resolution).occupied.sum() == cells + 1
        assert line.inflate(np.sum(np.full(cells, resolution))).occupied.sum() == cells + 1


@given(seed=st.integers(0, 1000))
def test_the_distance_field_is_brute_force(seed: int) -> None:
    grid = random_grid(seed)
    centres = grid.cell_to_world(np.stack(np.indices(grid.shape), axis=-1))
    nearest = np.linalg.norm(centres[:, :, None] - centres[grid.occupied], axis=-1).min(axis=-1)
    np.testing.assert_allclose(grid.distance_field().at(centres), nearest, atol=1e-9)


def test_inflating_twice_is_inflating_by_the_sum() -> None:
    grid = random_grid(3)
    twice, once = grid.inflate(0.2).inflate(0.15), grid.inflate(0.35)
    np.testing.assert_array_equal(twice.occupied, once.occupied)
    assert twice.radius == pytest.approx(0.35)
    assert twice.grid is grid


@given(seed=st.integers(0, 100), factor=st.integers(1, 5), yaw=st.floats(-3.0, 3.0))
def test_a_refined_grid_is_the_same_map(seed: int, factor: int, yaw: float) -> None:
    rng = np.random.default_rng(seed)
    grid = OccupancyGrid.from_probability(rng.choice([0.0, 0.5, 1.0, np.nan], (4, 6)), 0.8, (1.0, -2.0, yaw))
    fine = grid.refined(factor)
    assert fine.resolution == pytest.approx(0.8 / factor)
    assert fine.size == pytest.approx(grid.size)
    points = grid.grid_to_world(rng.uniform((0, 0), (6, 4), (200, 2)))
    for name in ("is_free", "is_occupied", "is_unknown"):
        np.testing.assert_array_equal(getattr(fine, name)(points), getattr(grid, name)(points))
    np.testing.assert_array_equal(fine.log_odds[::factor, ::factor], grid.log_odds)


def test_a_refined_grid_is_cut_into_whole_cells() -> None:
    grid = OccupancyGrid.from_ascii("#...")
    assert grid.refined(2).occupied.sum() == 4 * grid.occupied.sum()
    for wrong in (0, 1.5, -2):
        with pytest.raises(PilotageError, match="the factor of a refined grid is .*"):
            grid.refined(wrong)  # type: ignore[arg-type]


def test_a_grid_cannot_be_changed_in_place() -> None:
    grid = random_grid(0)
    masks = (grid.occupied, grid.free, grid.unknown)
    for array in (grid.log_odds, grid.probability, *masks, grid.distance_field().values):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_a_grid_goes_to_other_processes_without_what_is_derived() -> None:
    inflated = random_grid(1).inflate(0.2)
    before = len(pickle.dumps(inflated))
    inflated.grid.raycast([0.0, 3.0, 0.0], [0.0], 5.0)
    assert inflated.occupied.any()
    assert len(pickle.dumps(inflated)) == before
    again = pickle.loads(pickle.dumps(inflated))
    np.testing.assert_array_equal(again.grid.log_odds, inflated.grid.log_odds)
    assert (again.origin, again.radius, repr(again)) == (inflated.origin, inflated.radius, repr(inflated))
    np.testing.assert_array_equal(again.occupied, inflated.occupied)
    with pytest.raises(ValueError, match="read-only"):
        again.grid.log_odds[0, 0] = 1.0


@given(seed=st.integers(0, 200), yaw=st.floats(-3, 3))
def test_stamped_shapes_are_brute_force(seed: int, yaw: float) -> None:
    rng = np.random.default_rng(seed)
    grid = OccupancyGrid.from_occupied(np.zeros((30, 40), dtype=bool), 0.1, origin=(1.0, -1.0, yaw))
    centres = grid.cell_to_world(np.stack(np.indices(grid.shape), axis=-1))
    points = grid.grid_to_world(rng.uniform(-5, 45, (3, 2)))
    radii = rng.uniform(0.0, 0.8, 3)
    own = np.zeros(grid.shape, dtype=bool)
    for row, column in grid.world_to_cell(points):
        if 0 <= row < 30 and 0 <= column < 40:
            own[row, column] = True
    discs = (np.linalg.norm(centres[:, :, None] - points, axis=-1) <= radii).any(axis=-1)
    np.testing.assert_array_equal(grid.with_discs(points, radii).occupied, discs | own)
    poses = np.column_stack((points, rng.uniform(-3, 3, 3)))
    sizes = rng.uniform(0.1, 1.5, (3, 2))
    inside = np.zeros(grid.shape, dtype=bool)
    for (x, y, heading), size in zip(poses, sizes, strict=True):
        turn = np.array([[math.cos(heading), math.sin(heading)], [-math.sin(heading), math.cos(heading)]])
        inside |= (np.abs((centres - (x, y)) @ turn.T) <= size / 2).all(axis=-1)
    np.testing.assert_array_equal(grid.with_rectangles(poses, sizes).occupied, inside | own)


def test_components_stop_at_diagonals() -> None:
    grid = OccupancyGrid.from_ascii([".#..", "#...", "..#?"])
    drawn = """
.#..
#...
..#?
"""
    np.testing.assert_array_equal(OccupancyGrid.from_ascii(drawn).log_odds, grid.log_odds)
    expected = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 1]], dtype=bool)
    np.testing.assert_array_equal(grid.free_component((0.5, 0.5)), expected)
    assert not grid.free_component((0.5, 1.5)).any()
    assert not grid.free_component((-3.0, 0.0)).any()


@pytest.mark.parametrize("mode", ["trinary", "scale", "raw"])
def test_save_and_load(mode: str, tmp_path: Path) -> None:
    p = np.array([[0.0, 1.0, np.nan], [0.02, 0.9, 0.0]])
    grid = OccupancyGrid.from_probability(p, 0.25, (1.0, 2.0, 0.3))
    grid.save(tmp_path / "map.yaml", mode=mode)
    found = OccupancyGrid.load(tmp_path / "map.yaml")
    for name in ("free", "occupied", "unknown"):
        np.testing.assert_array_equal(getattr(found, name), getattr(grid, name), err_msg=name)
    assert (found.resolution, found.origin) == (grid.resolution, grid.origin)
    assert (found.occupied_thresh, found.free_thresh) == (grid.occupied_thresh, grid.free_thresh)


def test_certain_cells_are_saved_as_certain(tmp_path: Path) -> None:
    """ROS takes only what a map calls occupied without doubt for an obstacle; 99 percent is none."""
    OccupancyGrid.from_ascii(["#.?"]).save(tmp_path / "map.yaml", mode="scale")
    with Image.open(tmp_path / "map.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[0, :2, 0], [0, 255])
    np.testing.assert_array_equal(read_ros_map(tmp_path / "map.yaml").occupancy, np.float32([[1.0, 0.0, np.nan]]))


def test_a_mask_in_scale_that_is_certain_everywhere(tmp_path: Path) -> None:
    """A keep-out mask: thresholds 1 and 0, white is forbidden."""
    mask = np.zeros((4, 6), dtype=np.uint8)
    mask[:, 2] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (tmp_path / "mask.yaml").write_text(
        "image: mask.png\nmode: scale\nresolution: 0.5\norigin: [0.0, 0.0, 0.0]\nnegate: 1\n"
        "occupied_thresh: 1.0\nfree_thresh: 0.0\n"
    )
    found = OccupancyGrid.load(tmp_path / "mask.yaml")
    np.testing.assert_array_equal(found.occupied, mask[::-1] == 255)
    np.testing.assert_array_equal(found.free, mask[::-1] == 0)
    hall = OccupancyGrid.from_ascii(["." * 6] * 4, 0.5).with_occupied(found.occupied)
    assert not AStar().plan(hall, (0.25, 0.25), (2.75, 0.25)).ok


@pytest.mark.parametrize("thresholds", [(0.65, 0.196), (0.6, 0.2), (0.9, 0.8), (1.0, 0.0), (0.5, 50 / 255)])
def test_a_file_alone_decides_on_classes(thresholds: tuple[float, float], tmp_path: Path) -> None:
    """Every grey level in the mode scale, and the same again after the grid was saved."""
    occupied, free = thresholds
    level = np.arange(256, dtype=np.uint8)
    p = (255 - level) / 255
    Image.fromarray(level[None]).save(tmp_path / "all.png")
    (tmp_path / "all.yaml").write_text(
        f"image: all.png\nmode: scale\nresolution: 0.5\norigin: [0.0, 0.0, 0.0]\nnegate: 0\n"
        f"occupied_thresh: {occupied}\nfree_thresh: {free}\n"
    )
    for _ in range(2):
        grid = OccupancyGrid.load(tmp_path / "all.yaml")
        np.testing.assert_array_equal(grid.occupied[0], p >= occupied)
        np.testing.assert_array_equal(grid.free[0], p <= free)
        between = (p > free) & (p < occupied)
        np.testing.assert_allclose(grid.probability[0, between], p[between], atol=1e-5)
        grid.save(tmp_path / "all.yaml", mode="scale")


@pytest.mark.parametrize("name", ["floor.pgm", "floor.png"])
def test_an_image_without_a_yaml(name: str, tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 205], [254, 100]], dtype=np.uint8)).save(tmp_path / name)
    with pytest.raises(FormatError, match=r"give their side, resolution= \[m\]"):
        OccupancyGrid.load(tmp_path / name)
    grid = OccupancyGrid.load(tmp_path / name, resolution=0.05)
    np.testing.assert_array_equal(grid.occupied, [[False, False], [True, False]])
    np.testing.assert_array_equal(grid.free, [[True, False], [False, False]])
    assert (grid.resolution, grid.origin) == (0.05, (0.0, 0.0, 0.0))
    other = OccupancyGrid.load(
        tmp_path / name, resolution=2, origin=(1, 2, 0.5), negate=True, occupied_thresh=0.39, free_thresh=0.1
    )
    np.testing.assert_array_equal(other.occupied, [[True, True], [False, True]])
    assert (other.resolution, other.origin, other.free_thresh) == (2.0, (1.0, 2.0, 0.5), 0.1)
    with pytest.raises(FormatError, match="resolution must be positive"):
        OccupancyGrid.load(tmp_path / name, resolution=0.0)
    with pytest.raises(FormatError, match="resolution=, negate= only with an image alone"):
        OccupancyGrid.load("depot.yaml", resolution=0.05, negate=True)
    with pytest.raises(MissingFile, match="no file other.png in"):
        OccupancyGrid.load(tmp_path / "other.png", resolution=0.05)


def test_loading_a_movingai_map(tmp_path: Path) -> None:
    (tmp_path / "small.map").write_text("type octile\nheight 2\nwidth 2\nmap\n@.\n..\n")
    grid = OccupancyGrid.load(tmp_path / "small.map")
    np.testing.assert_array_equal(grid.occupied, [[False, False], [True, False]])
    with pytest.raises(FormatError, match="give the yaml, not the image"):
        OccupancyGrid.load(tmp_path / "small.pgm")


def test_maps_that_come_along_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "depot").mkdir()  # a folder is no map
    for name in ("depot", "depot.yaml", "tb3_sandbox.yaml", "turtlebot3_world"):
        assert OccupancyGrid.load(name).occupied.any()
    OccupancyGrid.from_ascii(["..#"]).save(tmp_path / "depot.yaml")
    assert OccupancyGrid.load("depot.yaml").shape == (1, 3), "a file comes first"
    for name in ("maze.yaml", "away/depot.yaml", "maze"):
        with pytest.raises(MissingFile, match=f"{name}.*depot.yaml, tb3_sandbox.yaml, turtlebot3_world.yaml"):
            OccupancyGrid.load(name)
    with pytest.raises(MissingFile) as caught:
        OccupancyGrid.load(str(tmp_path / "depott.yaml"))
    assert re.fullmatch("there is no file .*; did you mean depot.yaml[?] The stock maps are .*", str(caught.value))
    with pytest.raises(FormatError, match="a map is a ROS .yaml"):
        OccupancyGrid.load(tmp_path)


def test_real_map_round_trip(data: Path, tmp_path: Path) -> None:
    grid = OccupancyGrid.load(data / "ros_maps" / "turtlebot3_world" / "map.yaml")
    grid.save(tmp_path / "map.yaml")
    np.testing.assert_array_equal(OccupancyGrid.load(tmp_path / "map.yaml").log_odds, grid.log_odds)
    assert str(grid) == "OccupancyGrid(384 x 384 cells of 0.05 m, 6% known)"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: OccupancyGrid(np.zeros(3), 0.1), r"shape \(ny, nx\)"),
        (lambda: OccupancyGrid(np.zeros((0, 3)), 0.1), "at least one cell"),
        (lambda: OccupancyGrid(np.array([[np.inf]]), 0.1), "hold an infinity"),
        (lambda: OccupancyGrid(np.zeros((1, 1)), 0.0), "resolution is .*"),
        (lambda: OccupancyGrid(np.zeros((1, 1)), math.nan), "resolution is .*"),
        (lambda: OccupancyGrid(np.zeros((1, 1)), 0.1, (0.0, math.nan, 0.0)), "origin must be three finite"),
        (lambda: OccupancyGrid(np.zeros((1, 1)), 0.1, free_thresh=0.7), "thresholds must satisfy"),
        (lambda: OccupancyGrid(np.zeros((1, 1)), 0.1, free_thresh="low"), "free_thresh is 'low'"),  # type: ignore[arg-type]
        (lambda: OccupancyGrid.from_probability([[1.5]], 0.1), r"must lie within \[0, 1\]"),
        (lambda: OccupancyGrid.from_ascii(["..", "."]), "the same length"),
        (lambda: OccupancyGrid.from_ascii([".x"]), "a drawn map may hold"),
        (lambda: OccupancyGrid.from_ascii(["."]).save("map.png"), "map.png: a ROS map is a .yaml file"),
        (lambda: OccupancyGrid.from_ascii(["."]).inflate(-1.0), "inflation radius"),
        (lambda: OccupancyGrid.from_ascii(["."], 1.0, (0.0, 0.0)), "origin must be three finite"),
        (lambda: OccupancyGrid.from_ascii(["."], "wide"), "resolution is .wide."),
        (lambda: OccupancyGrid.from_ascii(["."]).with_discs([[0.0, math.nan]], 1.0), "must be finite"),
        (lambda: OccupancyGrid.from_ascii(["."]).with_discs([[0.0, 0.0]], -1.0), "radii must be finite lengths"),
        (lambda: OccupancyGrid.from_ascii(["."]).with_discs([[0.0, 0.0]], [1.0, 2.0]), r"radii must have shape \(1,\)"),
        (lambda: OccupancyGrid.from_ascii(["."]).grid_to_world([1.0]), "points must have shape"),
        (lambda: OccupancyGrid.from_ascii(["."]).cell_to_world([1, 2, 3]), "cells must have shape"),
        (lambda: OccupancyGrid.from_ascii(["."]).free_component([[0.5, 0.5]]), "one world point"),
        (lambda: OccupancyGrid.from_ascii(["."]).with_rectangles([[0.0, 0.0]], [1.0, 1.0]), r"shape \(K, 3\)"),
        (lambda: OccupancyGrid.from_ascii(["."]).world_to_cell(3.0), "must have shape"),
        (lambda: OccupancyGrid.from_ascii([]), r"a drawn map is \[\]; expected a list of strings"),
        (lambda: OccupancyGrid.from_ascii(3), "a drawn map is 3"),
        (lambda: OccupancyGrid.from_occupied([[0, 1], [1]], 1.0), "occupied cells is not an array of numbers"),
        (lambda: OccupancyGrid.from_ascii(["."]).with_occupied([[True], [True, False]]), "a mask is not an array"),
        (lambda: OccupancyGrid.from_ascii(["."]).save("map.yaml", image=3), "3 is not the path"),
        (lambda: ObstacleLayer(OccupancyGrid), "needed, not the class OccupancyGrid"),
    ],
)
def test_what_makes_no_map_is_a_sentence(make: object, sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("settings", [(0.0,), (-1.0,), (np.nan,), (1.0, -1.0), (1.0, np.inf)])
def test_soft_costs_want_a_radius_and_a_peak(settings):
    with pytest.raises(PilotageError, match="radius is .*|peak is .*"):
        OccupancyGrid.from_ascii(["..#"]).soft_costs(*settings)


@pytest.mark.parametrize("cells", [[[255, 0]], [[0.05, 0.95]]])
def test_pixels_and_probabilities_are_no_occupied_cells(cells: list[list[float]]) -> None:
    with pytest.raises(ShapeError, match="from_probability"):
        OccupancyGrid.from_occupied(cells, resolution=0.1)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_p_at_a_threshold_counts_in_both_precisions(kind: Any) -> None:
    for k in range(1, 100):
        at = k / 100
        low = OccupancyGrid.from_probability(np.array([[at]], dtype=kind), 1.0, occupied_thresh=1.0, free_thresh=at)
        high = OccupancyGrid.from_probability(np.array([[at]], dtype=kind), 1.0, occupied_thresh=at, free_thresh=0.0)
        assert low.free.all() and high.occupied.all(), k


@pytest.mark.parametrize(("free", "occupied"), [(0.2, 0.6), (0.196, 0.65), (0.0, 1.0), (0.29, 0.58), (0.5, 0.505)])
@pytest.mark.parametrize("mode", ["trinary", "scale", "raw"])
def test_saving_keeps_the_class_of_every_cell(tmp_path: Any, mode: str, free: float, occupied: float) -> None:
    p = np.linspace(0.0, 1.0, 1021).astype(np.float32)[None]
    grid = OccupancyGrid.from_probability(p, 0.1, occupied_thresh=occupied, free_thresh=free)
    grid.save(tmp_path / "m.yaml", mode=mode)
    back = OccupancyGrid.load(tmp_path / "m.yaml")
    np.testing.assert_array_equal(back.occupied, grid.occupied)
    np.testing.assert_array_equal(back.free, grid.free)


def test_a_path_is_not_the_name_of_a_stock_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert OccupancyGrid.load("depot.yaml").shape == OccupancyGrid.load("depot").shape
    with pytest.raises(MissingFile):
        OccupancyGrid.load("./depot.yaml")


@given(seed=st.integers(0, 10_000))
def test_cells_of_another_grid_are_occupied_where_they_are_in_the_world(seed: int) -> None:
    """Of another origin, yaw and resolution, finer or coarser."""
    rng = np.random.default_rng(seed)
    grid = OccupancyGrid.from_occupied(np.zeros((9, 11), dtype=bool), 0.3, (1.0, -2.0, rng.uniform(-3, 3)))
    place = (*grid.grid_to_world(rng.uniform(-3, 9, 2)).tolist(), float(rng.uniform(-3, 3)))
    other = OccupancyGrid.from_occupied(rng.random((5, 6)) < 0.4, float(rng.choice([0.1, 0.3, 0.8])), place)
    found = grid.with_occupied(other).occupied
    for cell in np.ndindex(grid.shape):
        covered = bool(other.is_occupied(grid.cell_to_world(cell)))
        holds = any(
            bool((grid.world_to_cell(other.cell_to_world(each)) == cell).all()) for each in np.argwhere(other.occupied)
        )
        assert found[cell] == (covered or holds)
    np.testing.assert_array_equal(grid.with_occupied(found).with_occupied(grid.with_occupied(found)).occupied, found)
