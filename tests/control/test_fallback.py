"""A controller that fails does not drive into what it sees, and does not say that it has arrived."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, MPPI, follow
from pilotage.core import ActionStatus, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle, task

from .worlds import cart


@pytest.mark.parametrize("policy", ["shift", "hold", "brake"])
def test_a_gap_that_is_too_narrow_is_not_driven_through(policy: Any) -> None:
    """A robot of 0.5 m does not touch the walls of a gap of 0.4 m."""
    solid = np.zeros((80, 160), dtype=bool)
    solid[:, 78:82], solid[36:44, 78:82] = True, False
    grid, disc, car = OccupancyGrid.from_occupied(solid, 0.05), Footprint.disc(0.25), bicycle(wheelbase=0.33)
    drive = ILQR(car, follow([[1, 2], [7, 2]], grid, footprint=disc, speed=0.8), iterations=20, fallback=policy)
    x, status = np.array([1.0, 2.0, 0.0, 0.0]), ActionStatus.SOLVED
    for tick in range(100):
        action = drive.act(x, 0.1 * tick)
        status, x = action.status, car.step(x, action.u, 0.1)
        assert float(grid.clearance(x[:2], disc)) > 0.0 and status is not ActionStatus.DONE
    assert status in (ActionStatus.FALLBACK, ActionStatus.STUCK) and action.reason
    assert policy == "hold" or abs(x[3]) < 0.1, "the others end in braking"


def test_a_plan_that_leads_deeper_is_not_used() -> None:
    """The cart is 1 m/s beyond a wall already: no plan of a few steps leads out, and each leads deeper at first."""
    wall = task(state=Space("x [m]"), action=Space(), constraint=lambda x, u, p, m: x[0] - 1.0)(
        lambda x, u, p, m: (x[0] - 9.0) ** 2
    )()
    for drive in (ILQR(cart(), wall, horizon=3), MPPI(cart(), wall, horizon=3, samples=64, rng=0)):
        action = drive.act([1.2, 3.0])
        assert action.status is ActionStatus.FALLBACK
        assert action.u[0] < 0.0, "it brakes"


def test_a_verdict_that_is_not_known_is_no_end() -> None:
    vague = task(state=Space("x [m]"), action=Space())(lambda x, u, p, m: x[0] ** 2)
    drive = MPPI(cart(), vague(done=lambda x: float("nan")), samples=64, rng=0)
    assert drive.act([1.0, 0.0]).status is ActionStatus.SOLVED
