"""The elevation map against sums of information, least squares of numpy, and plans over terrain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pilotage.core.errors import SettingError, ShapeError
from pilotage.maps import ElevationMap, TerrainLimits
from pilotage.planners import AStar

Array = NDArray[np.float64]
SHAPE, SIDE = (12, 15), 0.2


def ground(function: Any, **rules: Any) -> ElevationMap:
    """A map of a surface z(x, y), one point in each cell."""
    found = ElevationMap(SHAPE, SIDE, **rules)
    rows, columns = np.indices(SHAPE)
    xy = found.cell_to_world(np.stack([rows, columns], -1))
    found.insert(np.concatenate([xy, function(xy[..., 0], xy[..., 1])[..., None]], -1), 1e-4)
    return found


def test_heights_are_means_weighted_by_information() -> None:
    """A Kalman filter of a constant is weighted least squares, whatever the order of the points."""
    draw = np.random.default_rng(1)
    points = np.column_stack((draw.uniform(-0.3, 3.2, (4000, 2)), draw.normal(1.0, 0.05, 4000)))
    points[:3] = [[np.nan, 1.0, 1.0], [1.0, 1.0, np.nan], [1.0, 1.0, np.inf]]
    R = draw.uniform(0.5, 2.0, 4000)
    R[:3] = np.nan, 0.0, np.inf
    weights, sums = np.zeros(SHAPE), np.zeros(SHAPE)
    for (x, y, z), r in zip(points, R, strict=True):
        if np.isfinite([x, y, z]).all() and 0.0 <= x < 3.0 and 0.0 <= y < 2.4:
            weights[math.floor(y / SIDE), math.floor(x / SIDE)] += 1.0 / r
            sums[math.floor(y / SIDE), math.floor(x / SIDE)] += z / r
    order = draw.permutation(4000)
    for i in (np.arange(4000), order):
        found = ElevationMap(SHAPE, SIDE)
        for part in np.array_split(i, 3):
            found.insert(points[part], R[part])
        np.testing.assert_allclose(found.height, sums / weights, rtol=1e-9)
        np.testing.assert_allclose(found.variance, 1.0 / weights, rtol=1e-9)


def test_points_are_read_where_they_lie_and_change_nothing_if_read_only() -> None:
    points, R = np.array([[0.1, 0.1, 1.0], [0.2, 0.1, 2.0]]), np.array([0.1, 0.2])
    found, same = ElevationMap(SHAPE, SIDE), ElevationMap(SHAPE, SIDE)
    found.insert(points, R)
    points.flags.writeable = R.flags.writeable = False
    same.insert(np.asfortranarray(points), R)
    np.testing.assert_array_equal(found.height, same.height)
    same.insert(np.zeros((0, 3)), 0.1)
    same.insert(np.zeros((0, 3)), np.zeros(0))
    np.testing.assert_array_equal(found.height, same.height)


def test_prediction_adds_variance() -> None:
    found = ground(lambda x, y: 0.0 * x)
    found.predict(0.01)
    np.testing.assert_allclose(found.variance, 0.0101)
    found.insert([0.1, 0.1, 0.1], 0.0101)
    assert found.height[0, 0] == pytest.approx(0.05)


def test_the_upper_surface_of_a_scan_counts() -> None:
    under, over = [0.1, 0.1, 0.0], [0.1, 0.1, 0.5]
    for scan in ([under, over], [over, under], [under, over, under]):
        found = ElevationMap(SHAPE, SIDE)
        found.insert(scan, 1e-4)
        assert found.height[0, 0] == 0.5


def test_a_change_of_the_ground_is_believed_in_the_end() -> None:
    found = ElevationMap(SHAPE, SIDE)
    for _ in range(20):
        found.insert([0.1, 0.1, 0.5], 1e-4)
    found.insert([0.1, 0.1, 0.0], 1e-4)
    assert found.height[0, 0] == pytest.approx(0.5), "one point alone changes no height"
    for _ in range(60):
        found.insert([0.1, 0.1, 0.0], 1e-4)
    assert abs(found.height[0, 0]) < 0.01
    steady = ElevationMap(SHAPE, SIDE, doubt=0.0)
    steady.insert([0.1, 0.1, 0.5], 1e-4)
    for _ in range(60):
        steady.insert([0.1, 0.1, 0.0], 1e-4)
    assert steady.height[0, 0] == 0.5


def test_maps_may_be_turned() -> None:
    found = ElevationMap(SHAPE, SIDE, (3.0, -1.0, 0.7))
    xy = found.cell_to_world([4, 9])
    found.insert([*xy, 1.0], 0.01)
    assert found.height[4, 9] == 1.0 and np.isnan(found.height).sum() == found.height.size - 1


def test_a_plane_has_its_slope_and_no_roughness() -> None:
    a, b = 0.3, -0.2
    slope, roughness, step = ground(lambda x, y: 5.0 + a * x + b * y).terrain(0.4)
    np.testing.assert_allclose(slope, math.atan(math.hypot(a, b)), rtol=1e-9)
    np.testing.assert_allclose(roughness, 0.0, atol=1e-7)
    assert step[6, 7] == pytest.approx(0.4 * 2 * a), "two cells to either side along x"


def test_terrain_is_the_least_squares_plane_of_numpy() -> None:
    draw = np.random.default_rng(2)
    found = ground(lambda x, y: draw.normal(0.0, 0.3, x.shape))
    found.height[draw.random(SHAPE) < 0.3] = np.nan
    slope, roughness, step = found.terrain(0.45)
    planes = 0
    for i, j in np.ndindex(*SHAPE):
        near = [
            (q, p, found.height[p, q])
            for p, q in np.ndindex(*SHAPE)
            if math.hypot(p - i, q - j) <= 0.45 / SIDE and not np.isnan(found.height[p, q])
        ]
        table = np.array(near)
        assert step[i, j] == pytest.approx(np.ptp(table[:, 2]))
        design = np.column_stack((table[:, :2] * SIDE, np.ones(len(table))))
        solution, _, rank, _ = np.linalg.lstsq(design, table[:, 2], rcond=None)
        if rank < 3:
            assert np.isnan(slope[i, j]) and np.isnan(roughness[i, j])
            continue
        planes += 1
        assert slope[i, j] == pytest.approx(math.atan(float(np.hypot(*solution[:2]))))
        left = table[:, 2] - design @ solution
        assert roughness[i, j] == pytest.approx(math.sqrt(float((left**2).mean())), abs=1e-7)
    assert planes > 100


def test_what_is_too_steep_rough_or_high_is_no_place_to_drive() -> None:
    limits = TerrainLimits(slope=0.5, roughness=0.05, step=0.4, radius=0.45)
    assert (ground(lambda x, y: 0.0 * x).traversability(limits) == 1.0).all()
    tilted = ground(lambda x, y: 0.2 * x).traversability(limits)
    assert ((tilted > 0.0) & (tilted < 1.0)).all()
    assert (ground(lambda x, y: 0.7 * x).traversability(limits) == 0.0).all()
    bumps = ground(lambda x, y: 0.2 * (np.round(x / SIDE - 0.5) % 2))
    assert (bumps.traversability(limits)[3:-3, 3:-3] == 0.0).all(), "rough, though level and low"
    curb = ground(lambda x, y: np.where(x < 1.5, 0.0, 0.6)).to_grid(limits)
    assert curb.occupied[:, 6:9].all() and curb.free[:, :5].all() and curb.free[:, 11:].all()
    unseen = ElevationMap(SHAPE, SIDE)
    assert np.isnan(unseen.traversability()).all() and unseen.to_grid().unknown.all()


def test_planners_drive_around_a_hill() -> None:
    hill = ground(lambda x, y: 0.5 * np.exp(-((x - 1.5) ** 2 + (y - 1.0) ** 2) / 0.08))
    limits = TerrainLimits(radius=0.2)
    grid, costs = hill.to_grid(limits), hill.costs(limits)
    assert (costs >= 1.0).all() and grid.occupied.any()
    straight = AStar().plan(grid, (0.1, 1.1), (2.9, 1.1))
    wide = AStar().plan(grid, (0.1, 1.1), (2.9, 1.1), costs=costs)
    assert straight.ok and wide.ok and wide.xs is not None and straight.xs is not None
    at = [np.array([hill.height[tuple(hill.world_to_cell(x))] for x in xs]).max() for xs in (straight.xs, wide.xs)]
    assert at[1] <= at[0] < 0.5


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: ElevationMap((0, 3), 0.1), SettingError),
        (lambda: ElevationMap(3, 0.1), ShapeError),  # type: ignore[arg-type]
        (lambda: ElevationMap(SHAPE, -0.1), SettingError),
        (lambda: ElevationMap(SHAPE, 0.1, (0.0, np.nan, 0.0)), ShapeError),
        (lambda: ElevationMap(SHAPE, 0.1, gate=0.0), SettingError),
        (lambda: ElevationMap(SHAPE, 0.1).insert([[1.0, 2.0]], 0.1), ShapeError),
        (lambda: ElevationMap(SHAPE, 0.1).insert([[1.0, 2.0, 3.0]], 0.0), ShapeError),
        (lambda: ElevationMap(SHAPE, 0.1).insert([[1.0, 2.0, 3.0]], np.inf), ShapeError),
        (lambda: ElevationMap(SHAPE, 0.1).insert([[1.0, 2.0, 3.0]], [np.nan]), ShapeError),
        (lambda: ElevationMap(SHAPE, 0.1).insert([[1.0, 2.0, np.nan]], np.nan), ShapeError),
        (lambda: ElevationMap(SHAPE, 0.1).insert([[1.0, 2.0, 3.0]] * 2, [0.1] * 3), ShapeError),
        (lambda: ElevationMap(SHAPE, 0.1).terrain(0.0), SettingError),
        (lambda: TerrainLimits(step=-1.0), SettingError),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_a_height_without_variance_is_not_known() -> None:
    ground = ElevationMap((1, 1), 1.0)
    ground.height[:] = 2.0
    ground.insert([[0.5, 0.5, 3.0]], 0.01)
    assert ground.height[0, 0] == 3.0 and ground.variance[0, 0] == 0.01
