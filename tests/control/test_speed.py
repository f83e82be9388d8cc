"""The speed of `follow` is driven at: steadily, forwards, and not far beyond."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, MPPI, follow
from pilotage.core import ActionStatus, SettingError
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle

CAR = bicycle(wheelbase=0.33)
SHARP = [[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]]


def driven(drive: Any, ticks: int) -> tuple[np.ndarray, np.ndarray, ActionStatus]:
    x, xs, us, status = np.zeros(4), list[Any](), list[Any](), ActionStatus.SOLVED
    for tick in range(ticks):
        action = drive.act(x, 0.1 * tick)
        status = action.status
        if status is ActionStatus.DONE:
            break
        x = CAR.step(x, action.u, 0.1)
        xs.append(x)
        us.append(action.u)
    return np.array(xs), np.array(us), status


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.5])
def test_a_straight_line_is_driven_steadily(speed: float) -> None:
    """A cost of places alone is least for an acceleration that changes its sign every tick."""
    xs, us, status = driven(ILQR(CAR, follow([[0, 0], [12, 0]], speed=speed), iterations=20), 50)
    assert status is ActionStatus.SOLVED
    assert abs(us[30:, 0]).max() < 0.05
    assert abs(xs[30:, 3] - speed).max() < 0.02 and xs[:, 3].max() < 1.05 * speed


@pytest.mark.parametrize("kind", ["ILQR", "MPPI"])
@pytest.mark.parametrize("path", [SHARP, [[0.0, 0.0], [-8.0, 0.0]]])
def test_a_path_behind_the_car_is_turned_to_at_no_great_speed(kind: str, path: Any) -> None:
    task = follow(path, speed=0.8)
    drive = ILQR(CAR, task, iterations=20) if kind == "ILQR" else MPPI(CAR, task, samples=512, std=(1.0, 0.2), rng=1)
    xs, _, status = driven(drive, 250)
    assert status is ActionStatus.DONE
    assert abs(xs[:, 3]).max() < 2.5 * 0.8, "7 m/s without a cost of speed"
    assert (xs[:, 3] < -0.05).mean() < 0.4, "most of a path of points is driven forwards"


def test_a_margin_of_zero_costs_nothing_and_one_shape_is_given() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((40, 60), dtype=bool), 0.1)
    task = follow([[1.0, 2.0], [5.0, 2.0]], grid, margin=0.0)
    x, r = np.array([1.0, 2.0, 0.0]), task.references(np.array([1.0, 2.0, 0.0]), 0.0, 1)[0][0]
    assert task.cost(x, [], r) == follow([[1.0, 2.0], [5.0, 2.0]]).cost(x, [], r)
    with pytest.raises(SettingError, match="margin"):
        follow([[1.0, 2.0], [5.0, 2.0]], grid, margin=-0.1)
    with pytest.raises(SettingError, match="give one of them"):
        follow([[1.0, 2.0], [5.0, 2.0]], grid, radius=0.1, footprint=Footprint.disc(0.5))
