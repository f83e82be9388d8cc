"""The oracle of the truck: its value solves Bellman's equation, and what it docks is docked in the environment too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from pilotage.core import SettingError, ShapeError
from pilotage.envs.truck import TruckBackerUpper, starts
from pilotage.envs.truck.yard import kinematics, verdict
from pilotage.learning.worlds.truck import TruckOracle
from pilotage.learning.worlds.truck._grid import STEERS, X0, advance, look
from pilotage.learning.worlds.truck.oracle import located

COARSE = (24, 12, 24, 9)


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
    V = np.random.default_rng(0).uniform(size=(8, 7, 6, 9)).astype(np.float32)
    x, y, th, g = X0 + 39.95 * 3 / 8, 10.0 * 2 / 5, -math.pi + 2 * math.pi * 5 / 8, -0.5 * math.pi + math.pi * 4 / 6
    assert abs(look(V, x, y, th, g) - V[5, 4, 2, 3]) < 1e-3
    assert look(V, x, -y, -th, -g) == look(V, x, y, th, g)


class Plain:
    """Bellman's equation in plain numpy: the yard's own model and verdict, and scipy's interpolation."""

    def __init__(self, oracle: TruckOracle, value: np.ndarray) -> None:
        self.oracle, self.value = oracle, value
        nx, ny, nt, ng = oracle.shape
        self.axes = (
            np.linspace(-math.pi, math.pi, nt + 1), np.linspace(-0.5 * math.pi, 0.5 * math.pi, ng),
            np.linspace(0.0, 10.0, ny), np.linspace(X0, 40.0, nx),
        )  # fmt: skip
        self.look = [RegularGridInterpolator(self.axes, np.concatenate([v, v[:1]])) for v in value]
        self.model = kinematics(hold=4, forward=True)

    def backup(self, k: int, n: int, j: int, i: int, direction: int) -> float:
        """The right side of Bellman's equation at a point of the grid."""
        yaw, hitch, y, x = (axis[at] for axis, at in zip(self.axes, (k, n, j, i), strict=True))
        state = [x + 4.0 * math.cos(yaw), y + 4.0 * math.sin(yaw), yaw + hitch, yaw, 0.0]
        best = 0.0
        for d in range(len(self.value)):
            price = 1.0 if d == direction else 1.0 - self.oracle.change
            for steer in STEERS:
                best = max(best, price * self.after(self.model.step(state, [(-1.0, 1.0)[d], steer], 0.4), d))
        return best

    def after(self, x: np.ndarray, d: int) -> float:
        told = verdict(x)
        arrived = x[0] - 4.0 * math.cos(x[3]) <= 0.0
        if told["docked"]:
            return 1.0
        if told["jackknifed"] or arrived or (self.oracle.walls and told["outside"]):
            return 0.0
        px, py, yaw, hitch = located(x[None, :4])[0]
        if py < 0.0:
            py, yaw, hitch = -py, -yaw, -hitch
        at = ((yaw + math.pi) % (2.0 * math.pi) - math.pi, hitch, min(py, 10.0), min(max(px, X0), 40.0))
        return (1.0 - self.oracle.prices[0]) * self.look[d](at).item()


@pytest.mark.parametrize("walls", [True, False])
@pytest.mark.parametrize("forward", [True, False])
def test_the_value_solves_the_equation_of_bellman(walls, forward):
    oracle = TruckOracle(shape=COARSE, walls=walls, forward=forward, price=0.05)
    value = oracle.solve(400, tolerance=1e-7)
    plain, rng = Plain(oracle, value), np.random.default_rng(1)
    seen = 0
    for _ in range(150):
        d, k, n, j, i = (int(rng.integers(size)) for size in value.shape)
        want = plain.backup(k, n, j, i, d)
        assert value[d, k, n, j, i] == pytest.approx(want, abs=2e-4)
        seen += want > 0.01
    assert seen > 20


def test_what_the_oracle_docks_straight_ahead():
    """A coarse grid suffices for trucks in line with the dock; against a wall, every truck fails."""
    oracle = TruckOracle(shape=COARSE)
    value = oracle.solve(6)
    assert value.min() >= 0.0 and value.max() <= 1.0
    ahead = np.array([[x, 0.0, 0.0, 0.0] for x in (6.0, 8.0, 10.0)])
    assert oracle.drive(value, ahead).docked.all()
    doomed = np.array([[35.0, 5.5, -1.57, -1.57], [20.0, -5.5, 1.57, 1.57]])  # the trailer is about to back into a wall
    assert oracle.drive(value, doomed).failed.all()
    assert (oracle.at(value, doomed) < oracle.at(value, ahead[:2])).all()


@pytest.mark.parametrize(("name", "forward"), [("E1", False), ("E3", False), ("E3", True)])
def test_the_environment_docks_the_trucks_that_the_oracle_docks(name, forward):
    """Greedy episodes are repeated in the environment, whose kinematics and verdicts are written independently."""
    oracle = TruckOracle(shape=(32, 16, 36, 13), walls=name == "E3", forward=forward)
    first = starts(name, 12, np.random.default_rng(5))
    value = oracle.solve(12)
    told = oracle.drive(value, first, limit=200)
    env = TruckBackerUpper(name, hold=4, forward=forward, dtype=np.float64)
    for x, docked, steps, changes in zip(first, told.docked, told.steps, told.changes, strict=True):
        env.reset(seed=0, options={"state": [*x, 0.0]})
        over, info, count, speed, turned = False, {"docked": False}, 0, -1.0, 0
        while not over and count < 200:
            before = speed
            steer, speed = oracle.act(value, x, speed)
            turned += speed != before
            _, _, over, _, info = env.step(np.array([speed, steer] if forward else [steer]))
            x, count = info["state"][:4], count + 1
        assert info["docked"] == docked
        assert turned == changes
        if over:
            assert count == steps
    assert told.docked.any()


def test_pulling_forward_saves_trucks_that_backing_up_alone_cannot_save():
    first = starts("E3", 300, np.random.default_rng(3))
    shape = (40, 20, 48, 17)
    backing, both = TruckOracle(shape=shape), TruckOracle(shape=shape, forward=True)
    once = backing.drive(backing.solve(), first)
    free = both.drive(both.solve(), first)
    assert not once.changes.any()
    assert once.docked.mean() < 0.95 < 0.98 < free.docked.mean()
    assert free.changes[~once.docked & free.docked].min() >= 2


def test_values_of_actions_are_those_of_the_greedy_choice():
    oracle = TruckOracle(shape=COARSE)
    value = oracle.solve(8)
    x = starts("E3", 50, np.random.default_rng(2))
    rated = oracle.action_values(value, located(x))
    steers = np.linspace(-0.25 * math.pi, 0.25 * math.pi, 33)
    assert [oracle.act(value, each)[0] for each in x] == pytest.approx(steers[rated.argmax(1)])


@pytest.mark.parametrize(
    "settings",
    [
        {"shape": (24, 12, 25, 9)}, {"shape": (24, 12, 24)}, {"shape": (1, 12, 24, 9)}, {"price": 1.5},
        {"price": float("nan")}, {"change": -0.1}, {"walls": "yes"},
    ],
)  # fmt: skip
def test_a_setting_without_meaning_is_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        TruckOracle(**settings)


def test_a_value_of_another_grid_is_refused():
    value = TruckOracle(shape=COARSE).solve(1)
    other = TruckOracle(shape=(24, 12, 24, 11))
    first = np.zeros((1, 4))
    for use in (lambda: other.drive(value, first), lambda: other.solve(1, value), lambda: other.at(value, first)):
        with pytest.raises(SettingError, match="value"):
            use()


@pytest.mark.parametrize("states", [[[1.0, 2.0, 3.0]], [[1.0, 2.0, math.nan, 0.0]], [1.0, 2.0, 0.0, 0.0], "here"])
def test_states_that_are_none_are_refused(states):
    oracle = TruckOracle(shape=COARSE)
    value = oracle.solve(1)
    for use in (oracle.drive, oracle.at, oracle.action_values):
        with pytest.raises(ShapeError):
            use(value, states)
    with pytest.raises(ShapeError):
        oracle.act(value, [1.0, math.inf, 0.0, 0.0])
    with pytest.raises(SettingError, match="limit"):
        oracle.drive(value, np.zeros((1, 4)), limit=0)
