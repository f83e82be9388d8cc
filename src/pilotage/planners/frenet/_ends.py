"""Candidates of the Frenet planner as polynomials: motions along the line and across it, and their costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..steering import Polynomial
from ._candidates import SLACK

if TYPE_CHECKING:
    from .frenet_planner import FrenetPlanner

Array = NDArray[np.float64]
SHORTEST = 1e-3
"""Least length [m] over which d is a function of s."""


@dataclass(frozen=True, eq=False)
class Ends:
    """Coefficients of s and d ``(N, 6)``, durations and costs ``(N,)`` of candidates.

    `reached` says whether d is at its end where s is at its end: not if s does not advance, and d is a function of it.
    """

    along: Array
    across: Array
    durations: Array
    costs: Array
    reached: NDArray[np.bool_]


def in_region(planner: FrenetPlanner, start: Array) -> Ends:
    """Ends for a goal that is a region: all combinations of durations, speeds and offsets."""
    speeds = np.linspace(0.0, _target(planner), 9) if planner.speeds is None else np.array(planner.speeds)
    T, v, o = np.reshape(planner.durations, (-1, 1, 1)), speeds[:, None], np.array(planner.offsets)
    s = Polynomial.quartic(start[:3], np.stack([v, np.zeros_like(v)], -1), T)
    return _across(planner, start, s, v, np.stack([o, np.zeros_like(o), np.zeros_like(o)], -1))


def at_goals(planner: FrenetPlanner, start: Array, goals: Array) -> Ends:
    """Ends at goals ``(G, 6)``, for each of the durations."""
    s = Polynomial.quintic(start[:3], goals[:, :3], np.reshape(planner.durations, (-1, 1)))
    return _across(planner, start, s, goals[:, 1], goals[:, 3:] if planner.over == "length" else _by_time(goals))


def _across(planner: FrenetPlanner, start: Array, s: Polynomial, v: Array, ends: Array) -> Ends:
    """The candidates with these motions along the line, to these speeds, d and its derivatives ``(..., 3)``.

    Motions, speeds and ends are broadcast against each other.
    """
    T, span, begin, reached = np.asarray(s.durations), np.asarray(s.durations)[..., :1], _by_time(start), np.True_
    if planner.over == "length":
        advance, begin = s(T[..., None])[..., 0] - start[0], start[3:]
        span, reached = np.maximum(advance, SHORTEST), (advance >= SHORTEST) | (abs(ends - begin) <= SLACK).all(-1)
    d = Polynomial.quintic(begin, ends, span)
    cost = planner.jerk_weight * (s.jerk() + d.jerk()) + planner.time_weight * T
    cost = cost + planner.offset_weight * ends[..., 0] ** 2 + planner.speed_weight * (v - _target(planner)) ** 2
    along = np.zeros((*T.shape, 6))
    along[..., : np.shape(s.coefficients)[-1]] = s.coefficients
    shape = (*cost.shape, 6)
    rows = [np.array(np.broadcast_to(c, shape)).reshape(-1, 6) for c in (along, np.asarray(d.coefficients))]
    durations, reached = T + np.zeros(cost.shape), reached & np.ones(cost.shape, dtype=np.bool_)
    return Ends(rows[0], rows[1], durations.ravel(), cost.ravel(), reached.ravel())


def _target(planner: FrenetPlanner) -> float:
    return planner.speed if planner.target is None else planner.target


def _by_time(states: Array) -> Array:
    """d, d., d.. ``(..., 3)`` of Frenet coordinates ``(..., 6)``."""
    _, ds, dds, d, d1, d2 = np.moveaxis(states, -1, 0)
    return np.stack([d, ds * d1, dds * d1 + ds**2 * d2], -1)
