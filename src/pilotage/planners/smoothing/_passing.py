"""The departure, and the slowness, with which a timed path passes between moving obstacles."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...core.moving import bows
from ...core.plan import Plan, PlanStatus
from ...core.problem import Problem
from ...models.trace import driver
from ..search._intervals import FOREVER, conflict, covered, meets, segments

Array = NDArray[np.float64]
EXTRA = 1e-6
"""Metres by which obstacles are larger, for what rounding takes away."""
LEAST = 1e-4
"""Seconds by which the next departure that is tried is later at least."""
X, Y, UX, UY, AT, TOOK, MORE = 0, 1, 2, 3, 4, 5, 6
"""Columns of a way: where it begins, its velocity, when it begins after the departure, its duration, and how far the
robot may be beside it."""
SLOWER = (1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""Factors by which the motion is slower, all of it; limits of speed, acceleration and jerk are kept then."""


def passed(plan: Plan, problem: Problem, rests: bool, deadline: float = math.inf) -> Plan:
    """The timed plan that waits, and drives more slowly, so that nothing touches the robot; or why there is none.

    Args:
        plan: a plan of `TimeParameterization`.
        problem: the problem with the moving obstacles.
        rests: whether the robot rests at both ends, so that it may wait and be slower.
        deadline: the time of `time.perf_counter` when the search ends.
    """
    assert plan.ts is not None
    radius = 0.0 if problem.footprint is None else float(problem.footprint.radius)
    others = np.ascontiguousarray(np.concatenate([segments(each, radius) for each in problem.moving]))
    latest, end, best, late = 0.0, float(plan.ts[-1]), (math.inf, 0.0, 1.0), False
    for slower in SLOWER if rests else (1.0,):
        ways = _ways(plan, slower)
        latest = covered_first(ways[0], others) if rests else 0.0
        wait, before = 0.0, -1.0
        while before < wait <= latest and wait + slower * end < best[0]:
            late = late or time.perf_counter() > deadline
            if late:
                break
            before, wait = wait, after(ways, others, wait)
        if wait == before:
            best = wait + slower * end, wait, slower
    if best[0] < math.inf:
        return _delayed(plan, *best[1:])
    if late:
        return Plan(PlanStatus.BUDGET, reason="the budget was spent before a departure was found")
    reason = "moving obstacles touch the robot on this path, however long it waits and however slowly it drives"
    return Plan(PlanStatus.INVALID, reason=reason)


def _ways(plan: Plan, slower: float) -> Array:
    """The ways ``(T + 1, 7)`` between the states of a timed plan that is slower, and the rest ever after."""
    assert plan.xs is not None
    assert plan.ts is not None
    assert plan.space is not None
    xy, ts = plan.xs[:, [plan.space.find(name) for name in ("x", "y")]], slower * plan.ts
    took, speed = np.diff(ts), plan.stats["speed"] / slower
    along = 0.125 * abs(np.diff(speed)) * took  # how far the robot is ahead of a constant speed, or behind it
    moves = np.column_stack(
        [xy[:-1], np.diff(xy, axis=0) / took[:, None], ts[:-1], took, along + bows(plan.space, plan.xs)]
    )
    ways = np.vstack([moves, [*xy[-1], 0.0, 0.0, ts[-1], FOREVER, 0.0]])
    ways[:, MORE] += EXTRA
    return np.ascontiguousarray(ways)


@driver("f8(f8[::1], f8[:,::1])")
def covered_first(way, others):
    """The first time at which an obstacle covers the start of a way, which the robot must have left by then."""
    first = 0.5 * FOREVER
    for i in range(others.shape[0]):
        low, high = covered(others[i], way[X], way[Y])
        if high > max(low, 0.0):
            first = min(first, low)
    return first


@driver("f8(f8[:,::1], f8[:,::1], f8)", nogil=True)
def after(ways, others, at):
    """The departure itself if no way of it meets an obstacle; else a later one, before which all do."""
    for k in range(ways.shape[0]):
        way = ways[k]
        for i in range(others.shape[0]):
            if meets(others[i], way[MORE], at + way[AT], way[X], way[Y], way[UX], way[UY], way[TOOK]):
                last = conflict(others[i], way[MORE], way[X], way[Y], way[UX], way[UY], way[TOOK])
                at = max(at + LEAST, last - way[AT])
    return at


def _delayed(plan: Plan, wait: float, slower: float) -> Plan:
    """The plan with a rest at its start, and slower."""
    assert plan.xs is not None
    assert plan.ts is not None
    stats = {**plan.stats, "wait": wait, "slower": slower}
    stats["speed"], stats["acceleration"] = stats["speed"] / slower, stats["acceleration"] / slower**2
    us, xs, ts = None if plan.us is None else plan.us / slower, plan.xs, wait + slower * plan.ts
    if wait > 0.0:
        xs, ts = np.concatenate([xs[:1], xs]), np.append(0.0, ts)
        us = None if us is None else np.concatenate([np.zeros((1, us.shape[1])), us])
        stats["speed"], stats["acceleration"] = np.append(0.0, stats["speed"]), np.append(0.0, stats["acceleration"])
    return replace(plan, xs=xs, us=us, ts=ts, cost=float(ts[-1]), stats=stats)
