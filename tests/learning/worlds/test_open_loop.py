"""The open-loop oracle of the truck: what it says it docks is docked by its plans, and the grid's oracle agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import ShapeError
from pilotage.core.errors import SettingError
from pilotage.envs.truck.starts import starts
from pilotage.learning.worlds.truck import OpenLoopOracle, TruckOracle


@pytest.mark.parametrize("distribution", ["E1", "E2"])
def test_every_start_of_the_open_yard_is_feasible(distribution: Any) -> None:
    x = starts(distribution, 150, np.random.default_rng(11))
    ends = OpenLoopOracle().drive(x)
    assert ends.docked.all() and not ends.failed.any()
    assert (ends.steps <= 200).all() and np.median(ends.steps) < 120


def test_poor_guesses_are_improved() -> None:
    """Long turns to one side dock hardly any; iterative LQR makes plans of them that do."""
    x = starts("E2", 40, np.random.default_rng(3))
    poor = OpenLoopOracle(bends=(0.1,), turns=(150,), polished=0).drive(x).docked
    better = OpenLoopOracle(bends=(0.1,), turns=(150,), polished=1).drive(x).docked
    assert (better >= poor).all() and better.sum() > poor.sum() + 3


def test_between_walls_it_docks_what_the_grid_docks() -> None:
    """Both are lower bounds; on a coarse grid, only a few starts of the one are not among those of the other."""
    x = starts("E3", 60, np.random.default_rng(5))
    oracle = TruckOracle(shape=(40, 20, 48, 17))
    grid = oracle.drive(oracle.solve(), x, limit=300).docked
    plans = OpenLoopOracle(walls=True, polished=0).drive(x, limit=300).docked
    assert 0.5 < plans.mean() < 1.0
    assert (plans & ~grid).sum() <= 12
    assert (plans <= OpenLoopOracle(walls=False, polished=0).drive(x, limit=300).docked).all()


def test_a_dock_elsewhere_on_the_wall() -> None:
    """The trucks relative to the dock decide, not their places."""
    x = starts("E1", 30, np.random.default_rng(2))
    shift = np.linspace(-8.0, 8.0, 30)
    moved = np.column_stack([x, shift]) + np.outer(shift, [0, 1, 0, 0, 0])
    here, there = (OpenLoopOracle(polished=0).drive(each) for each in (x, moved))
    np.testing.assert_array_equal(here.steps, there.steps)


def test_bad_starts() -> None:
    for bad in ([[1.0, 2.0]], [1.0, 2.0, 3.0, 4.0], [[np.nan] * 4]):
        with pytest.raises(ShapeError, match="starts"):
            OpenLoopOracle().drive(bad)
    with pytest.raises(SettingError, match="limit"):
        OpenLoopOracle().drive([[20.0, 0.0, 0.0, 0.0]], limit=0)
