"""Mapping with known poses: laws of evidence, and a real map rebuilt from scans of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotage.core.errors import PilotageError, SettingError, ShapeError
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.maps.cells import log_odds


def unseen(shape: tuple[int, int], resolution: float = 1.0, origin: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    return OccupancyGrid.from_probability(np.full(shape, np.nan), resolution, origin)


def test_one_beam_frees_what_it_crosses_and_marks_where_it_ends() -> None:
    grid = unseen((1, 6)).update([0.5, 0.5, 0.0], [3.2], [0.0], max_range=9.0)
    np.testing.assert_allclose(grid.probability[0], [0.4, 0.4, 0.4, 0.7, np.nan, np.nan], atol=1e-6)


def test_a_beam_that_saw_nothing_only_frees() -> None:
    for nothing in (4.0, 7.0, np.inf):
        grid = unseen((1, 6)).update([0.5, 0.5, 0.0], [nothing], [0.0], max_range=4.0)
        np.testing.assert_allclose(grid.probability[0], [0.4, 0.4, 0.4, 0.4, np.nan, np.nan], atol=1e-6)


def test_what_was_not_measured_changes_nothing() -> None:
    grid = unseen((1, 6)).update([[0.5, 0.5, 0.0], [np.nan, 0.5, 0.0]], [[np.nan], [2.0]], [0.0], max_range=4.0)
    assert np.isnan(grid.log_odds).all()


def test_what_no_surface_returned_changes_nothing() -> None:
    """Many drivers write 0 for it, and what is nearer than a lidar can measure is its own housing."""
    pose, fan = [2.5, 0.5, 0.0], [0.0, np.pi, 0.0, 0.0]
    grid = unseen((1, 9))
    for scan, least in (([0.0, -0.0, -1.0, np.nan], 0.0), ([0.0, 0.3, 0.999, 1e-9], 1.0)):
        assert np.isnan(grid.update(pose, scan, fan, max_range=4.0, min_range=least).log_odds).all()
        mixed = np.array([*scan, 1.0, 3.2, np.inf])
        alone, angles = mixed[4:], [0.0, 0.0, np.pi]
        np.testing.assert_array_equal(
            grid.update(pose, mixed, [*fan, *angles], max_range=4.0, min_range=least).log_odds,
            grid.update(pose, alone, angles, max_range=4.0).log_odds,
        )
    assert grid.update(pose, [0.3], [0.0], max_range=4.0).occupied[0, 2], "measured, where nothing says otherwise"
    for least in (-0.1, np.nan, np.inf, "near"):
        with pytest.raises(SettingError, match="min_range is"):
            grid.update(pose, [1.0], [0.0], max_range=4.0, min_range=least)  # type: ignore[arg-type]


def test_a_robot_leaves_no_trail_of_beams_that_came_back_as_zero() -> None:
    hall = OccupancyGrid.from_ascii(["#" * 60, *["#" + "." * 58 + "#"] * 28, "#" * 60], 0.1)
    poses = np.column_stack((np.linspace(1.5, 4.5, 8), np.full(8, 1.5), np.zeros(8)))
    angles = np.linspace(-np.pi, np.pi, 90, endpoint=False)
    ranges = hall.raycast(poses, angles, max_range=1.45)
    assert (ranges >= 1.45).mean() > 0.5
    lost = np.where(ranges < 1.45, ranges, 0.0)
    built = unseen(hall.shape, 0.1).update(np.tile(poses, (3, 1)), np.tile(lost, (3, 1)), angles, 1.45)
    assert not (built.occupied & ~hall.occupied).any()


def test_a_cell_changes_once_a_scan_and_an_end_outweighs_a_passage() -> None:
    fan = np.linspace(-0.02, 0.02, 9)
    ranges = np.full(9, 3.0)
    ranges[4] = 5.0
    grid = unseen((1, 8)).update([0.5, 0.5, 0.0], ranges, fan, max_range=9.0)
    np.testing.assert_allclose(grid.probability[0, :6], [0.4, 0.4, 0.4, 0.7, 0.4, 0.7], atol=1e-6)


def test_evidence_adds_up_to_the_clamp() -> None:
    pose, times = [0.5, 0.5, 0.0], 50
    grid = unseen((1, 4))
    one_by_one = grid
    for _ in range(3):
        one_by_one = one_by_one.update(pose, [2.0], [0.0], max_range=9.0)
    at_once = grid.update(np.tile(pose, (3, 1)), np.full((3, 1), 2.0), [0.0], max_range=9.0)
    np.testing.assert_allclose(one_by_one.log_odds, at_once.log_odds)
    np.testing.assert_allclose(at_once.log_odds[0, :3], 3 * log_odds([0.4, 0.4, 0.7]), rtol=1e-5)
    often = grid.update(np.tile(pose, (times, 1)), np.full((times, 1), 2.0), [0.0], max_range=9.0)
    np.testing.assert_allclose(often.probability[0, :3], [0.12, 0.12, 0.97], atol=1e-6)


def test_a_loaded_wall_is_not_weakened_by_a_hit() -> None:
    grid = OccupancyGrid.from_ascii(["..#"])
    assert grid.update([0.5, 0.5, 0.0], [2.0], [0.0], max_range=9.0).log_odds[0, 2] >= grid.log_odds[0, 2]


def test_scans_of_a_real_map_rebuild_it(data: Path) -> None:
    truth = OccupancyGrid.load(data / "ros_maps" / "turtlebot3_world" / "map.yaml")
    rng = np.random.default_rng(2)
    inside = np.argwhere(truth.free_component((-2.0, -0.5)))
    poses = np.column_stack((truth.cell_to_world(inside[rng.integers(0, len(inside), 300)]), rng.uniform(-3, 3, 300)))
    angles = np.linspace(-np.pi, np.pi, 180, endpoint=False)
    ranges = truth.raycast(poses, angles, max_range=8.0)
    built = unseen(truth.shape, truth.resolution, truth.origin).update(poses, ranges, angles, max_range=8.0)
    assert (built.free & truth.free).sum() > 0.98 * truth.free_component((-2.0, -0.5)).sum()
    seen = built.occupied
    assert (seen & truth.occupied).sum() > 0.99 * seen.sum()


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("yaw", [0.0, 0.7])
def test_what_our_own_lidar_hits_is_occupied(kind: type, yaw: float) -> None:
    """Exact ranges end on faces: a hit belongs to the cell behind, whichever way the beam came."""
    rows = ["#" * 24, *["#" + "." * 22 + "#"] * 6, "#......##..#...........#", *["#" + "." * 22 + "#"] * 5, "#" * 24]
    room = OccupancyGrid.from_ascii(rows, 0.05, (-1.3, 0.7, yaw))
    rng = np.random.default_rng(4)
    inside = np.argwhere(room.free)
    poses = np.column_stack((room.cell_to_world(inside[rng.integers(0, len(inside), 400)]), rng.uniform(-3, 3, 400)))
    poses[:, :2] += rng.uniform(-0.02, 0.02, (400, 2))
    poses[::4, :2] = room.cell_to_world(inside[rng.integers(0, len(inside), 100)])
    poses[::8, 2] = yaw  # beams along the axes of the grid
    lidar = Lidar(room, 180, 5.0)
    hit = unseen(room.shape, 0.05, room.origin).update(
        poses, lidar.observe(poses).astype(kind), lidar.angles, 5.0, hit=0.999, miss=0.5, clamp=(0.0, 1.0)
    )
    assert not (hit.occupied & ~room.occupied).any()
    corners = np.zeros(room.shape, dtype=bool)
    corners[np.ix_([0, -1], [0, -1])] = True
    assert (hit.occupied | corners)[room.occupied].all(), "every face was seen"
    # The likelihood of such a scan, which is looked up without an inset, is that of hits all around.
    field = Lidar(room, 180, 5.0, hit=1.0, short=0.0, missed=0.0, random=0.0)
    scans = field.observe(poses).astype(kind)
    best = -(scans > 0.0).sum(-1) * np.log(field.sigma * np.sqrt(2.0 * np.pi))  # 0 is read inside a wall
    np.testing.assert_allclose(field.log_prob(scans, poses), best, atol=1e-3)


def test_beams_from_off_the_map_and_beams_without_end() -> None:
    """The same as on a map large enough to hold the sensor; and a range of a light year does not take one."""
    rng = np.random.default_rng(0)
    poses = np.column_stack((rng.uniform(-20, 30, (40, 2)), rng.uniform(-3, 3, 40)))
    ranges, angles = rng.uniform(0, 40, (40, 7)), rng.uniform(-3, 3, 7)
    small = unseen((10, 10)).update(poses, ranges, angles, max_range=35.0)
    large = unseen((150, 150), origin=(-70.0, -70.0, 0.0)).update(poses, ranges, angles, max_range=35.0)
    np.testing.assert_allclose(small.log_odds, large.log_odds[70:80, 70:80], atol=1e-6)
    endless = unseen((3, 3)).update([1.5, 1.5, 0.0], [np.inf, 1e300, 9e15], [0.0, 1.6, 3.2], max_range=1e16)
    np.testing.assert_allclose(endless.probability[1], 0.4, atol=1e-6)
    away = unseen((3, 3)).update([1e8, 1.5, 0.0], [2e8], [np.pi], max_range=1e9)
    np.testing.assert_allclose(away.probability[1], 0.4, atol=1e-6)


def test_shapes_that_do_not_fit_are_a_sentence() -> None:
    with pytest.raises(ShapeError, match=r"ranges have shape .* was expected, a scan for each pose"):
        unseen((2, 2)).update([0.5, 0.5, 0.0], [1.0, 2.0], [0.0], max_range=3.0)
    for settings in (
        {"hit": 1.7},
        {"hit": 0.3},
        {"miss": 0.6},
        {"clamp": (0.97, 0.12)},
        {"clamp": (0.9,)},
        {"clamp": 0.9},
    ):
        with pytest.raises(ShapeError, match="evidence asks for"):
            unseen((2, 2)).update([0.5, 0.5, 0.0], [1.0], [0.0], max_range=3.0, **settings)


def test_no_scans_change_nothing():
    grid = OccupancyGrid.from_ascii(["..#", "?.."])
    after = grid.update(np.zeros((0, 3)), np.zeros((0, 2)), [0.0, 1.0], 5.0)
    np.testing.assert_array_equal(after.log_odds, grid.log_odds)


def test_map_from_scans_is_an_update_of_nothing() -> None:
    """Scans of a known room give that room, on a grid that holds all that they can see."""
    walls = np.pad(np.zeros((58, 78)), 1, constant_values=1)
    room = OccupancyGrid.from_occupied(walls, 0.1)
    angles = np.linspace(-np.pi, np.pi, 360, endpoint=False)
    poses = np.array([[2.0, 2.0, 0.0], [6.0, 4.0, 1.0], [4.0, 3.0, 2.0]])
    made = OccupancyGrid.from_scans(poses, room.raycast(poses, angles, 9.0), angles, 9.0, 0.1)
    assert made.contains_cell(made.world_to_cell([[2.0 - 8.9, 2.0], [6.0 + 8.9, 4.0], [4.0, 4.0 + 8.9]])).all()
    inside = room.cell_to_world(np.argwhere(room.free))
    assert made.is_free(inside).mean() > 0.97
    assert made.is_occupied(room.cell_to_world(np.argwhere(room.occupied))).mean() > 0.5


def test_a_map_of_scans_from_wrong_poses() -> None:
    """slam_toolbox #765 and its kind: one pose that is NaN, or far off, and the map took all memory or crashed."""
    angles = np.linspace(-np.pi, np.pi, 90, endpoint=False)
    poses, scan = np.array([[0.0, 0.0, 0.0], [0.5, 0.2, 1.0]]), np.full(90, 2.0)
    clean = OccupancyGrid.from_scans(poses, [scan] * 2, angles, max_range=5.0, resolution=0.1)
    lost = np.insert(poses, 1, [[np.nan, 0.0, 0.0], [0.0, 0.0, np.inf]], axis=0)
    found = OccupancyGrid.from_scans(lost, [scan] * 4, angles, max_range=5.0, resolution=0.1)
    assert found.origin == clean.origin
    np.testing.assert_array_equal(found.log_odds, clean.log_odds)
    with pytest.raises(ShapeError, match="cells, more than .* poses that are wrong"):
        OccupancyGrid.from_scans([[0.0, 0.0, 0.0], [1e5, 1e5, 0.0]], [scan] * 2, angles, max_range=5.0)
    for none in (np.zeros((0, 3)), [[np.nan, 0.0, 0.0]]):
        with pytest.raises(ShapeError, match="finite poses"):
            OccupancyGrid.from_scans(none, [scan] * len(none), angles, max_range=5.0)
    with pytest.raises(PilotageError, match="max_range"):
        OccupancyGrid.from_scans(poses, [scan] * 2, angles, max_range=np.inf)
