"""Controllers and tasks travel to other processes and by copy, and go on where they were."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.control import MPPI, PurePursuit, RegulatedPurePursuit, Stanley, follow, reach
from pilotage.maps import OccupancyGrid
from pilotage.models import unicycle

ROBOT = unicycle()
GRID = OccupancyGrid.from_ascii(["#" * 20, *["#" + "." * 18 + "#"] * 8, "#" * 20], resolution=0.5)
PATH = np.array([[1.0, 1.0], [6.0, 1.0], [6.0, 3.0]])
SETTINGS: dict[str, Any] = {"samples": 64, "horizon": 6, "rng": 3}
CONTROLLERS: dict[str, Callable[[], Any]] = {
    "MPPI to a goal": lambda: MPPI(ROBOT, reach(ROBOT, {"x": 6.0, "y": 3.0}, tolerance=0.1), **SETTINGS),
    "MPPI along a path": lambda: MPPI(ROBOT, follow(PATH, GRID), threads=2, **SETTINGS),
    "pure pursuit": lambda: PurePursuit(ROBOT, PATH),
    "regulated pure pursuit": lambda: RegulatedPurePursuit(ROBOT, PATH, grid=GRID),
    "Stanley": lambda: Stanley(ROBOT, PATH),
    "pure pursuit by command": lambda: PurePursuit(ROBOT, PATH, command=straight),
}


def straight(x: Any, speed: float, kappa: float, behind: bool) -> Any:
    return speed, speed * kappa


@pytest.mark.parametrize("how", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy], ids=["pickle", "copy"])
@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_copy_goes_on_alike_and_alone(name: str, how: Callable[[Any], Any]) -> None:
    drive, x = CONTROLLERS[name](), np.array([1.0, 1.2, 0.3])
    for tick in range(3):
        x = ROBOT.step(x, drive.act(x, 0.1 * tick).u, 0.1)
    twin = how(drive)
    ours = drive.act(x, 0.3).u
    drive.act(x + [3.0, 0.0, 0.0], 0.4)  # which its copy must not notice
    np.testing.assert_array_equal(twin.act(x, 0.3).u, ours)


@pytest.mark.parametrize("make", [lambda: reach(ROBOT, [6.0, 3.0, 0.0], tolerance=0.1), lambda: follow(PATH, GRID)],
                         ids=["reach", "follow"])  # fmt: skip
def test_a_task_is_the_same_elsewhere(make: Callable[[], Any]) -> None:
    task = make()
    twin = pickle.loads(pickle.dumps(task))
    x, u = ROBOT.state.sample(20, rng=0), np.zeros((20, 0 if task.action.size == 0 else 2))
    r = task.references(x[0], 0.0, 0)[0][0] if task.stage.size else None
    np.testing.assert_array_equal(twin.cost(x, u, r), task.cost(x, u, r))
    ends = np.array([[6.0, 3.0, 0.0], [1.0, 1.0, 0.0]])
    more = () if r is None else ([[*r[:4], 0.0, *r[5:]], [*r[:4], 7.0, *r[5:]]],)
    assert twin.done(ends, *more).tolist() == task.done(ends, *more).tolist() == [True, False]
