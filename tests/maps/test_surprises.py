"""Obstacles that a lidar sees and no map shows."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core.errors import PilotageError
from pilotage.maps import ObstacleLayer, OccupancyGrid

ANGLES = np.linspace(-np.pi, np.pi, 180, endpoint=False)
HALL = OccupancyGrid.from_ascii(["#" * 80, *["#" + "." * 78 + "#"] * 58, "#" * 80], resolution=0.1, origin=(-1, 2, 0.3))
POSE = np.array([*HALL.cell_to_world([30, 20]), 0.7])
BOX = HALL.cell_to_world([30, 35])


def scanned(world: OccupancyGrid, layer: ObstacleLayer, times: int) -> ObstacleLayer:
    for _ in range(times):
        layer = layer.seen(POSE, world.raycast(POSE, ANGLES, 8.0), ANGLES, 8.0)
    return layer


def test_a_map_that_is_right_holds_no_surprise() -> None:
    assert not scanned(HALL, ObstacleLayer(HALL, reach=8.0), 5).occupied.any()


def test_an_obstacle_appears_where_its_face_is_and_goes_with_it() -> None:
    layer = scanned(HALL.with_discs(BOX, 0.3), ObstacleLayer(HALL), 3)
    places = HALL.cell_to_world(np.argwhere(layer.occupied))
    assert len(places) >= 4
    # Beams end in cells of the disc that face the lidar.
    assert np.linalg.norm(places - BOX, axis=1).max() <= 0.3 + 0.1
    assert np.linalg.norm(places - POSE[:2], axis=1).max() <= np.linalg.norm(BOX - POSE[:2]) + 0.1
    assert layer.merged.occupied[layer.occupied].all()
    assert (layer.merged.occupied == (HALL.occupied | layer.occupied)).all()
    assert not scanned(HALL, layer, 5).occupied.any(), "beams pass where it stood"
    assert not layer.cleared().occupied.any()


def test_a_beam_that_came_back_as_zero_is_no_obstacle() -> None:
    layer = ObstacleLayer(HALL)
    for scan, least in ((np.zeros(180), 0.0), (np.full(180, 0.25), 0.3)):
        for _ in range(5):
            layer = layer.seen(POSE, scan, ANGLES, 8.0, min_range=least)
    assert layer.clearance(POSE, 1.0).at(POSE[:2]) > 1.0
    assert not layer.occupied.any()


def test_what_is_far_or_seen_once_does_not_count() -> None:
    world = HALL.with_discs(BOX, 0.3)
    assert not scanned(world, ObstacleLayer(HALL), 1).occupied.any()
    assert not scanned(world, ObstacleLayer(HALL, reach=1.0), 5).occupied.any()


def test_a_pose_that_is_off_by_less_than_the_tolerance_makes_no_obstacles() -> None:
    layer = ObstacleLayer(HALL, reach=8.0, tolerance=0.2)
    for _ in range(5):
        layer = layer.seen(POSE + [0.08, -0.06, 0.0], HALL.raycast(POSE, ANGLES, 8.0), ANGLES, 8.0)
    assert not layer.occupied.any()


def test_clearance_is_the_distance_to_the_nearest_of_both() -> None:
    layer = scanned(HALL.with_discs(BOX, 0.3), ObstacleLayer(HALL), 3)
    exact = layer.merged.distance_field(signed=True).values
    window = layer.clearance(POSE[:2], reach=2.0)
    rows, columns = np.mgrid[12:49, 2:39]
    points = HALL.cell_to_world(np.stack([rows, columns], -1))
    # The box lies within the window, and so does all that is nearer than it.
    np.testing.assert_allclose(window.at(points), exact[rows, columns], atol=1e-9)


def test_clearance_counts_from_surfaces_as_the_map_does() -> None:
    """With the exact clearances of the map with both kinds of obstacles, outside and inside."""
    layer = scanned(HALL.with_discs(BOX, 0.3), ObstacleLayer(HALL), 3)
    cells = np.stack(np.mgrid[12:49, 2:39], -1).reshape(-1, 2)
    points = HALL.cell_to_world(cells)
    found = layer.clearance(POSE[:2], reach=2.0).at(points)
    np.testing.assert_allclose(found, layer.merged.clearance(points), atol=1e-9)
    assert (found < 0.0).any()


def test_a_window_off_the_map_is_its_border() -> None:
    assert ObstacleLayer(HALL).clearance([-50.0, 70.0], reach=1.0).values.size >= 1


def test_bad_scans_and_settings_are_refused() -> None:
    with pytest.raises(PilotageError, match=r"ranges have shape .* a scan for each pose"):
        ObstacleLayer(HALL).seen(POSE, np.ones(3), ANGLES, 8.0)
    with pytest.raises(PilotageError, match="reach is .*"):
        ObstacleLayer(HALL, reach=0.0)
    with pytest.raises(PilotageError, match="evidence asks for"):
        ObstacleLayer(HALL, hit=0.3)
    with pytest.raises(PilotageError, match="or no cell counts"):
        ObstacleLayer(HALL, sure=0.98)
    with pytest.raises(PilotageError, match="center must be one finite"):
        ObstacleLayer(HALL).clearance([np.nan, 0.0], 1.0)
    with pytest.raises(PilotageError, match="an OccupancyGrid is needed, not str"):
        ObstacleLayer("depot.yaml")  # type: ignore[arg-type]
    with pytest.raises(PilotageError, match="shape of the map"):
        ObstacleLayer(HALL, evidence=np.zeros((2, 2), np.float32))


def test_a_layer_keeps_its_own_evidence() -> None:
    evidence = np.zeros(HALL.shape, np.float32)
    layer = ObstacleLayer(HALL, evidence=evidence)
    evidence[30, 35] = 5.0
    assert not layer.occupied.any()
    assert layer.evidence is not None
    with pytest.raises(ValueError, match="read-only"):
        layer.evidence[0, 0] = 1.0
