"""Restarts from rest: a way out of the local minimum in which the last plan lies."""

# pyright: reportOptionalMemberAccess=false
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, SQP, GradientMPC, reach
from pilotage.control.receding import Horizon, RecedingHorizon, Solution
from pilotage.control.solver import MARGIN, MAX_VIOLATION
from pilotage.core import ActionStatus, SettingError
from pilotage.models import pendulum

from .test_ilqr import trajectory
from .worlds import cart, stop

ROD = pendulum(damping=0.05, noise=0.0)
SWING = reach(ROD, [0.0, 0.0], weights=[1.0, 0.1], effort=0.001, final=20.0, dt=0.05)
HELD = np.array([-2.55, 0.0])
"""Where full torque holds the pendulum, which has to swing back first to come up."""
POOR = np.linspace(-2.0, -1.9, 30)[:, None]
"""A plan with which it ends there."""
MAKERS: dict[str, Any] = {
    "ILQR": lambda **more: ILQR(ROD, SWING, horizon=30, **more),
    "SQP": lambda **more: SQP(ROD, SWING, horizon=30, **more),
    "SQP, real time": lambda **more: SQP(ROD, SWING, horizon=30, real_time=True, **more),
    "GradientMPC": lambda **more: GradientMPC(ROD, SWING, horizon=30, **more),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_tick_leaves_a_local_minimum(make: Any) -> None:
    """The costs are those of both minima, each found from a plan near it."""
    poor = ILQR(ROD, SWING, horizon=30).solve(HELD, us=POOR).cost
    good = ILQR(ROD, SWING, horizon=30).solve(HELD).cost
    assert good < 0.9 * poor
    for restart, expected in ((False, poor), (True, good)):
        drive = make(restart=restart)
        drive.plan = POOR
        action = [drive.act(HELD, 0.0) for _ in range(3)][-1]
        assert action.cost == pytest.approx(expected, rel=0.02)
        assert trajectory(ROD, SWING, HELD, action.plan, 0.05) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_plan_from_rest_is_solved_once(make: Any) -> None:
    """`solve` and the first tick begin at rest: the same to the bit."""
    for ask in (lambda drive: drive.solve(HELD).us, lambda drive: drive.act(HELD, 0.0).plan):
        assert np.array_equal(ask(make(restart=True)), ask(make()))


def solution(cost: float, violation: float = np.nan, status: ActionStatus = ActionStatus.SOLVED) -> Solution:
    return Solution(np.zeros((1, 1)), cost, status, stats={"violation": violation})


def test_a_plan_replaces_another_that_it_beats() -> None:
    lost = solution(0.0, status=ActionStatus.FALLBACK)
    assert solution(5.0).beats(lost)
    assert not lost.beats(solution(5.0))
    assert not lost.beats(lost)
    assert solution(4.0).beats(solution(5.0))
    assert not solution(5.0).beats(solution(4.0))
    assert not solution(5.0 * (1.0 - 0.5 * MARGIN)).beats(solution(5.0)), "a saving that is nothing"
    assert solution(-5.0 * (1.0 + 2.0 * MARGIN)).beats(solution(-5.0))
    assert solution(9.0, 0.1).beats(solution(1.0, 0.2)), "the violation comes first"
    assert not solution(9.0, -0.3).beats(solution(1.0, 0.5 * MAX_VIOLATION)), "which is none"
    assert not solution(9.0, 0.1).beats(solution(1.0, 0.2), 0.3), "both are none where so much is allowed"


class Remembering:
    """A solver whose state is the plan with which it began; a plan costs its first action."""

    def workspace(self, problem: Horizon) -> None: ...

    def init(self, seed: int) -> None: ...

    def step(self, workspace: Any, state: Any, x: Any, us: Any, rows: Any, passed: float) -> Any:
        return us, Solution(us, float(us[0, 0]))


@pytest.mark.parametrize(("brake", "kept"), [(-0.5, -0.5), (0.5, 0.2)])
def test_the_state_of_the_solver_is_that_of_the_plan_that_is_kept(brake: float, kept: float) -> None:
    drive = RecedingHorizon(cart(), stop(), Remembering(), horizon=4, brake=[brake], restart=True)
    drive.plan = np.full((4, 1), 0.2)
    assert drive.act([1.0, 0.0]).u == kept
    assert drive._state[0, 0] == kept


def test_bad_settings_are_said() -> None:
    often: Any = "often"
    with pytest.raises(SettingError, match="restart"):
        ILQR(ROD, SWING, restart=often)
    with pytest.raises(SettingError, match="budget"):
        ILQR(ROD, SWING, restart=True, budget=-1.0)
