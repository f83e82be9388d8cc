"""The world of a map ends where the map does, in a wall that robots see."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.envs import Navigation, NavigationVector
from pilotage.maps import OccupancyGrid

OPEN = OccupancyGrid.from_occupied(np.zeros((40, 60), dtype=bool), 0.1, (-1.0, 2.0, 0.5))


def test_an_open_map_gets_a_wall_that_the_lidar_sees():
    middle = OPEN.grid_to_world([30.0, 20.0])
    env = Navigation(
        OPEN, start=(*middle, 0.5), obstacles=0, goals=1, slip=0.0, beams=[0.0, np.pi / 2, np.pi, -np.pi / 2]
    )
    observation, _ = env.reset(seed=0)
    np.testing.assert_allclose(observation["lidar"], [3.0, 2.0, 3.0, 2.0], atol=0.1)
    # It lies around the map: every place has the state it had.
    points = OPEN.grid_to_world(np.random.default_rng(0).uniform(0.01, [59.99, 39.99], (200, 2)))
    assert env.grid.is_free(points).all()
    assert env.grid.shape == (42, 62)
    assert env.grid.is_occupied(OPEN.grid_to_world([[-0.5, 20.0], [60.5, 20.0], [30.0, -0.5], [30.0, 40.5]])).all()
    # The robot drives until it touches what it saw.
    ends = False
    while not ends:
        observation, _, ends, _, info = env.step([1.0, 0.0])
    assert info["collision"]
    assert observation["lidar"][0] == pytest.approx(env.robot.footprint.radius, abs=0.15)


@pytest.mark.parametrize("edge", ["#", "?"])
def test_a_map_that_is_closed_stays_as_it_is(edge):
    rows = [edge * 30, *[edge + "." * 28 + edge] * 20, edge * 30]
    closed = OccupancyGrid.from_ascii(rows, resolution=0.2)
    assert Navigation(closed).grid is closed
    assert NavigationVector(2, closed).grid is closed
