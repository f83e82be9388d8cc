"""The first plan of a model that escapes: found for a short horizon, which then grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.errors import SettingError
from ..core.results import ActionStatus
from .solver import Horizon, Solver

ROUNDS = 20
"""The largest number of short plans."""


def grown(solver: Solver, problem: Horizon, seed: int, x: Array, us: Array, rows: Array) -> Array | None:
    """A plan ``(T, m)`` whose cost is finite, from one whose states escape; None if they do not, or none is found.

    ::

        h <- half of the steps for which `us` has a finite cost, and one more in each round at least
        us[:h] <- the plan of the solver with the horizon h, until all T steps are finite

    Each round begins with the actions of the last. The states of an unstable model without control may become infinite
    within the horizon, which leaves a solver nothing to begin with.

    Args:
        solver, problem, seed: the algorithm, and what it is to solve.
        x, us, rows: state, plan that failed, and references ``(T + 1, nr)``.
    """
    steps, us = finite(problem, x, us, rows), us.copy()
    if steps == problem.steps:
        return None
    h = max(steps // 2, 1)
    for k in range(ROUNDS):
        found = planned(solver, replace(problem, steps=h), seed + k, x, us[:h].copy(), rows[: h + 1])
        if found is None:
            return None
        us[:h] = found
        steps = finite(problem, x, us, rows)
        if steps == problem.steps:
            return us
        h = min(max(steps // 2, h + 1), max(steps, 1))
    return None


def planned(solver: Solver, problem: Horizon, seed: int, x: Array, us: Array, rows: Array) -> Array | None:
    """The plan of the solver for a problem; None if it has none, or cannot have so few steps."""
    try:
        workspace = solver.workspace(problem)
    except SettingError:  # a noise with more knots than steps
        return None
    _, found = solver.step(workspace, solver.init(seed), x, us, rows, 0.0)
    return None if found.status is ActionStatus.FALLBACK else found.us


def finite(problem: Horizon, x: Array, us: Array, rows: Array) -> int:
    """The number of steps of a plan up to which states and costs are finite."""
    task = problem.task
    with np.errstate(all="ignore"):
        xs = problem.dynamics.rollout(x, us, problem.dt)
        cost = _asked(task.cost, xs[:-1], us, rows=rows[:-1]) + _asked(task.terminal_cost, xs[1:], rows=rows[1:])
    kept = np.isfinite(cost) & np.isfinite(xs[1:]).all(-1)
    return len(us) if kept.all() else int(np.argmin(kept))


def _asked(method: Callable[..., Any], *values: Array, rows: Array) -> Any:
    """The answer of a task, which gets references only if it has any."""
    return method(*values, *((rows,) if rows.shape[1] else ()))
