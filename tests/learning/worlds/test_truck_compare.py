"""The controllers that the truck's policy is compared with: their loops, paths and verdicts."""

from __future__ import annotations

import math
from typing import Any, get_args

import gymnasium
import numpy as np
import pytest

pytest.importorskip("torch")

import pilotage.envs  # noqa: F401  # registers the environment
from pilotage.core import SettingError
from pilotage.envs.truck.yard import kinematics, verdict
from pilotage.learning.worlds import TruckOptions, TruckWorld
from pilotage.learning.worlds.truck import compare
from pilotage.learning.worlds.truck.bending import GAIN, NUMBERS, bending, bent
from pilotage.learning.worlds.truck.compare import CONTROLLERS, compared, table
from pilotage.learning.worlds.truck.evaluate import Name
from pilotage.learning.worlds.truck.line_regulator import LineRegulator
from pilotage.learning.worlds.truck.policy import WEIGHTS
from pilotage.learning.worlds.truck.predictive import ilqr, mppi
from pilotage.learning.worlds.truck.trailer_pursuit import TrailerPursuit, Way

FAR = [38.0, -9.5, 1.8, 1.5, 0.0]
"""A start across the yard, far from the line."""


def driven(controller: Any, x: Any, decisions: int = 200) -> np.ndarray:
    """The states until the trailer arrives or the truck jackknifes."""
    model, xs = kinematics(hold=4), [np.array(x, dtype=float)]
    controller.reset(seed=0)
    for _ in range(decisions):
        xs.append(model.step(xs[-1], controller.act(xs[-1]).u, 0.4))
        told = verdict(xs[-1])
        if told["jackknifed"] or xs[-1][0] - 4.0 * np.cos(xs[-1][3]) <= 0.0:
            break
    return np.array(xs)


def test_the_hitch_follows_the_wanted_angle_exponentially() -> None:
    model, x, z = kinematics(), np.array([30.0, 0.0, 0.5, 0.3, 0.0]), 0.0
    ds = 1e-3
    while z < 2.0:
        x, z = model.step(x, [bending(x.tolist(), 0.15, NUMBERS)], ds), z + ds
    assert x[2] - x[3] - 0.15 == pytest.approx(0.05 * math.exp(-GAIN * z), rel=0.02)


def test_the_model_of_the_hitch_is_the_truck_under_its_loop() -> None:
    x, u = np.array([30.0, 1.0, 0.9, 0.3, 2.0]), np.array([-0.4])
    want = kinematics(hold=4).step(x, [bending(x.tolist(), u[0], NUMBERS)], 0.4)
    np.testing.assert_allclose(bent().step(x, u, 0.4), want, atol=1e-12)


def test_the_regulator_is_optimal_near_the_line() -> None:
    """No other linear law has a smaller cost, by the exact model."""
    model, law = kinematics(hold=4), LineRegulator(limited=False)
    gain = np.array(law.gain)

    def cost(K: np.ndarray) -> float:
        x, total = np.array([0.0, 1e-3, 0.0, 0.0, 0.0]), 0.0
        for _ in range(300):
            y = x[1] - 4.0 * math.sin(x[3])
            u = -float(K @ [y, x[3], x[2] - x[3]])
            total, x = total + y * y + 0.1 * u * u, model.step(x, [u], 0.4)
        return total

    best = cost(gain)
    for change in np.eye(3):
        assert best < min(cost(gain * (1.0 + 0.02 * change)), cost(gain * (1.0 - 0.02 * change)))


def test_limits_in_series_keep_the_regulator_from_a_jackknife() -> None:
    assert verdict(driven(LineRegulator(limited=False), FAR)[-1])["jackknifed"]
    xs = driven(LineRegulator(), FAR)
    assert verdict(xs[-1])["docked_strictly"]
    assert np.abs(xs[:, 2] - xs[:, 3]).max() < 1.2


@pytest.mark.parametrize("make", [TrailerPursuit, ilqr, mppi, compare.Linearization], ids=lambda make: make.__name__)
def test_each_docks_strictly_from_the_open(make: Any) -> None:
    assert verdict(driven(make(), [25.0, 3.0, 0.2, 0.1, 0.0])[-1])["docked_strictly"]


def test_the_trailer_stays_on_its_path() -> None:
    x, drive = [30.0, 8.0, 0.0, 0.0, 0.0], TrailerPursuit()
    xs = driven(drive, x)
    assert drive._way is not None
    points = drive._way.points
    axle = xs[:, :2] - 4.0 * np.column_stack([np.cos(xs[:, 3]), np.sin(xs[:, 3])])
    off = np.hypot(*(axle[:, None] - points).transpose(2, 0, 1)).min(1)
    assert off.max() < 0.5
    np.testing.assert_allclose(points[0], [26.0, 8.0])


def test_between_walls_the_path_keeps_clear_of_them() -> None:
    """From this start, the shortest path leaves the yard."""
    paths = [TrailerPursuit(walls=walls)._path(18.0, -7.5, 1.4) for walls in (True, False)]
    most = [np.abs(path[:, 1]).max() for path in paths]
    assert most[0] <= 9.7 < 10.0 < most[1]


def test_a_way_goes_on_from_the_nearest_point() -> None:
    way = Way(np.column_stack([np.arange(0.0, 10.0, 0.1), np.zeros(100)]))
    assert way.ahead(1.02, 0.3, 2.0).round(2).tolist() == [3.0, 0.0]
    assert way.ahead(0.0, 0.0, 2.0)[0] >= 3.0  # never back
    assert way.ahead(50.0, 0.0, 200.0).tolist() == way.points[-1].tolist()


@pytest.mark.parametrize("name", ["policy", "limited-lqr", "hybrid-astar"])
def test_a_comparison_gives_the_verdicts_of_the_environment(name: Any) -> None:
    options = TruckOptions(starts=6, seed=3)
    result, controller = compared(name, options), CONTROLLERS[name](False)
    env = gymnasium.make("pilotage/TruckBackerUpper-v0", start="E1", hold=4, dtype=np.float64)
    for i, first in enumerate(options.draw()):
        x, info = env.reset(options={"state": first})
        controller.reset(seed=i)
        over, count = False, 0
        while not over and count < options.limit:
            x, _, over, _, info = env.step(controller.act(x).u)
            count += 1
        assert (info["docked"], info["jackknifed"]) == (result.ends.docked[i], result.ends.jackknifed[i])
        assert count == result.ends.decisions[i]


def test_controllers_are_compared_under_one_protocol() -> None:
    assert set(CONTROLLERS) == set(get_args(Name))
    options = [TruckOptions(starts=3, controller=name) for name in ("limited-lqr", "feedback-linearization")]
    told = [TruckWorld().evaluate(None, each) for each in options]
    assert told[0]["success"]["hash"] == told[1]["success"]["hash"] == TruckOptions(starts=3).protocol.hash
    lines = list(table((each.controller, compared(each.controller, each)) for each in options))
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1
    with pytest.raises(SettingError, match="limited-lqr"):
        TruckWorld().evaluate(WEIGHTS, options[0])


def test_walls_have_a_larger_budget() -> None:
    assert TruckOptions(distribution="E3").protocol.budget == 300
    assert TruckOptions(distribution="E3", budget=7).protocol.budget == 7


def test_laws_of_the_open_yard_steer_to_the_dock_wherever_it_is() -> None:
    for make in (compare.Linearization, lambda: compare.Oracle(shape=(24, 16, 24, 9))):
        here, there = (make().act([20.0, y, 0.2, 0.1, dock]).u for y, dock in ((1.0, 0.0), (4.0, 3.0)))
        np.testing.assert_allclose(here, there, atol=1e-12)


def test_between_walls_the_dock_is_in_the_middle() -> None:
    with pytest.raises(SettingError, match="wall"):
        compared("lqr", TruckOptions(distribution="E3", goal="wall", starts=1))
    with pytest.raises(SettingError, match="dock is 2"):
        compare.Oracle(walls=True, shape=(12, 6, 12, 7)).act([20.0, 0.0, 0.0, 0.0, 2.0])
