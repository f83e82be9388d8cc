"""The departure, and the slowness, with which a timed path passes between moving obstacles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...core.plan import Plan
from ...core.problem import Problem

Array = NDArray[np.float64]
TICK = 0.1
"""Seconds between two departures that are tried."""
SLOWER = (1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""Factors by which the motion is slower, all of it; limits of speed, acceleration and jerk are kept then."""


def passed(plan: Plan, problem: Problem, rests: bool) -> Plan | str:
    """The timed plan that waits, and drives more slowly, so that nothing touches the robot; or why there is none.

    Args:
        plan: a plan of `TimeParameterization`.
        problem: the problem with the moving obstacles.
        rests: whether the robot rests at both ends, so that it may wait and be slower.
    """
    assert plan.xs is not None
    assert plan.ts is not None
    last = max(0.0, *(float(np.asarray(each.ts)[-1]) for each in problem.moving))
    slack = np.append(0.125 * abs(np.diff(plan.stats["speed"])) * np.diff(plan.ts), 0.0)  # of the chord
    best, found = np.inf, (0.0, 1.0)
    for slower in SLOWER if rests else (1.0,):
        end = slower * float(plan.ts[-1])
        for wait in np.arange(0.0, last + TICK, TICK).tolist() if rests else [0.0]:
            ts = np.concatenate([[0.0], wait + slower * plan.ts, [max(last, wait + end) + 1.0]])
            room = problem.room_among(np.concatenate([plan.xs[:1], plan.xs, plan.xs[-1:]]), ts, plan.space)
            if room[0] < 0.0 or wait + end >= best:  # nor does a longer wait help
                break
            if (room[1:] >= slack).all():
                best, found = wait + end, (wait, slower)
    if best == np.inf:
        return "moving obstacles touch the robot on this path, however long it waits and however slowly it drives"
    return _delayed(plan, *found)


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
