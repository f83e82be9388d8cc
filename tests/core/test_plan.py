"""Plans: what they refuse, and how they are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Plan, PlanStatus, ShapeError, Space


def test_a_status_is_one() -> None:
    status: Any = "solved"
    with pytest.raises(ShapeError, match="'solved'"):
        Plan(status, Space("x"), [[0.0]])


def test_a_plan_and_its_stats_are_short_to_show() -> None:
    gains = np.zeros((200, 2, 4))
    plan = Plan(PlanStatus.SOLVED, Space("x"), np.zeros((201, 1)), cost=1.0, stats={"iterations": 3, "gains": gains})
    assert repr(plan.stats) == "{'iterations': 3, 'gains': <array (200, 2, 4)>}" and len(repr(plan)) < 80
    assert plan.stats["gains"] is gains and dict(plan.stats) == plan.stats
    assert repr(Plan(PlanStatus.NO_PATH, reason="walled in", stats={"n": 1})) == "Plan(no path: walled in)"
