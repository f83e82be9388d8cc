"""The verdict on a plan: the status and the reason of a solution that a driver has found."""

from __future__ import annotations

from typing import Any

from ...core.arrays import Array
from ...core.results import ActionStatus
from ..receding import Horizon, Solution
from .ddp import BLOCKED, CONVERGED, DIVERGED, STUCK, UNFINISHED, VIOLATED

WHY = {
    VIOLATED: "no plan that keeps the constraint was found in {spent} iterations; it is at {worst:.2g}; allow more "
    "iterations, or begin with another plan (us)",
    BLOCKED: "the constraint is at {worst:.2g}, and no small change of the plan lowers it: it cannot be kept from "
    "here, or the plan lies on a line of symmetry; begin with another plan (us)",
}


def judged(
    ended: int, report: Array, found: dict[str, Any], problem: Horizon, x: Array, rows: Array, settings: Any
) -> Solution:
    """The solution for the status of a driver, its report (cost, iterations, violation, expected decrease) and plan.

    `settings` are those of the solver: the tolerance of the constraint, the number of iterations, and the budget.
    """
    cost, spent, worst, expected = report[:4].tolist()
    stats = {**found, "iterations": int(spent), "violation": worst, "expected": expected}
    status, reason = ActionStatus.SOLVED, ""
    if ended == DIVERGED:
        status, reason = ActionStatus.FALLBACK, "the initial plan has no finite cost"
    elif ended in (VIOLATED, BLOCKED):
        status, reason = ActionStatus.FALLBACK, WHY[ended].format(worst=worst, spent=int(spent))
        own = problem.worst(x[None], found["us"][:1], rows[:1])
        if why := problem.tolerated(max(worst, settings.feasible), own):
            status, reason = ActionStatus.IMPROVED, f"{why}; {reason}"
    elif ended != CONVERGED:
        status = ActionStatus.IMPROVED
        why = "no step leads down any more" if ended == STUCK else f"stopped after {int(spent)} iterations"
        reason = f"{why}; {expected:.2g} less was expected of a cost of {cost:.4g}" if expected == expected else why
    if settings.budget is not None and spent < settings.iterations and ended in (UNFINISHED, VIOLATED):
        reason = f"{reason}; the budget of {settings.budget:g} s ended"
    return Solution(stats.pop("us"), cost, status, reason, stats.pop("xs"), stats)
