"""The oracle of the truck: its steps are those of the environment, and what it docks is docked there too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pilotage.envs.truck import TruckBackerUpper, starts
from pilotage.envs.truck.yard import kinematics, verdict
from pilotage.learning.worlds.truck import TruckOracle
from pilotage.learning.worlds.truck._grid import advance, look
from pilotage.learning.worlds.truck.oracle import located


def test_a_step_of_the_grid_is_that_of_the_yard():
    rng, model = np.random.default_rng(0), kinematics(hold=4)
    for x in starts("E2", 200, rng):
        steer = rng.uniform(-0.78, 0.78)
        y = model.step([*x, 0.0], [steer], 0.4)
        want, signals = located(y[None, :4])[0], verdict(y)
        px, py, yaw, hitch = located(x[None])[0].tolist()
        *got, flag = advance(px, py, yaw, hitch, math.tan(steer), -0.1, True)
        np.testing.assert_allclose(got, want, atol=1e-9)
        ended = bool(signals["outside"]) or bool(signals["jackknifed"])
        assert flag == (1 if signals["docked"] else -1 if ended else 0)


def test_interpolation_is_exact_at_the_points_of_the_grid_and_symmetric():
    V = np.random.default_rng(0).uniform(size=(9, 6, 8, 7)).astype(np.float32)
    x, y, th, g = 0.05 + 39.95 * 3 / 8, 10.0 * 2 / 5, -math.pi + 2 * math.pi * 5 / 8, -0.5 * math.pi + math.pi * 4 / 6
    assert abs(look(V, x, y, th, g) - V[3, 2, 5, 4]) < 1e-3
    assert look(V, x, -y, -th, -g) == look(V, x, y, th, g)


def test_what_the_oracle_docks_straight_ahead():
    """A coarse grid suffices for trucks in line with the dock; against a wall, every truck fails."""
    oracle = TruckOracle(shape=(24, 12, 24, 9))
    value = oracle.solve(6)
    assert value.min() >= 0.0 and value.max() <= 1.0
    ahead = np.array([[x, 0.0, 0.0, 0.0] for x in (6.0, 8.0, 10.0)])
    assert oracle.drive(value, ahead).docked.all()
    doomed = np.array([[35.0, 5.5, -1.57, -1.57], [20.0, -5.5, 1.57, 1.57]])  # the trailer is about to back into a wall
    assert oracle.drive(value, doomed).failed.all()


@pytest.mark.parametrize("name", ["E1", "E3"])
def test_the_environment_docks_the_trucks_that_the_oracle_docks(name):
    """Greedy episodes are repeated in the environment, whose kinematics and verdicts are written independently."""
    oracle, first = TruckOracle(shape=(32, 16, 36, 13), walls=name == "E3"), starts(name, 12, np.random.default_rng(5))
    value = oracle.solve(4)
    told = oracle.drive(value, first)
    env = TruckBackerUpper(name, hold=4, dtype=np.float64)
    for x, docked, steps in zip(first, told.docked, told.steps, strict=True):
        env.reset(seed=0, options={"state": [*x, 0.0]})
        over, info, count = False, {"docked": False}, 0
        while not over and count < 500:
            steer, _ = oracle.act(value, x)
            _, _, over, _, info = env.step(np.array([steer]))
            x, count = info["state"][:4], count + 1
        assert info["docked"] == docked
        if over:
            assert count == steps
    assert told.docked.any()
