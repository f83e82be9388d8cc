"""The way out of a margin for a robot that stands in it, which a real one often does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.plan import Plan
from ..core.problem import Problem
from ..maps import FootprintConstraint
from .steering._curves import QUARTER, Curve, driven
from .uncertainty.chance_constraint import ChanceConstraint

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
DIRECTIONS, MOST = 64, 256
"""Straight ways that are tried, and the most places on each."""
ROOM = 0.05
"""Room at the end of the way, in shares of a cell: no edge leads on from where there is none."""


class LeadOut(NamedTuple):
    """The way by which a robot leaves what only its margin forbids.

    Attributes:
        xs: states ``(K, n)`` from the start to the first one that is allowed.
        length: of the way, in the metric of the problem.
        said: the sentence that the user is told.
    """

    xs: Array
    length: float
    said: str

    def joined(self, plan: Plan, bound: float) -> Plan:
        """The plan from the end of the way, with the way before it; another way out might have been shorter."""
        stats = {**plan.stats, "led_out": self.said}
        if plan.xs is None:
            return replace(plan, stats=stats, lower_bound=min(bound, plan.lower_bound))
        us, ts = plan.us, plan.ts
        if us is not None and ts is not None and plan.space is not None:
            first, times = driven(plan.space, self.xs)
            us, ts = np.concatenate([first, us]), np.concatenate([times, times[-1] + ts[1:]])
        xs, cost = np.concatenate([self.xs[:-1], plan.xs]), self.length + plan.cost
        return replace(plan, xs=xs, us=us, ts=ts, cost=cost, lower_bound=min(bound, cost), stats=stats)


def ways_out(
    problem: Problem, curve: Curve | None = None, accepts: Callable[[Array], Mask] | None = None
) -> Iterator[LeadOut]:
    """Straight ways, or arcs of a vehicle, to states that are allowed, shortest first; none if there is no need.

    The robot itself, without its margin, collides nowhere on a way. It is as long as two radii of the robot with its
    margin at most. Of straight ways side by side whose ends are connected, only the shortest is given.

    Args:
        problem: a problem on a map.
        curve: the steering curve of a vehicle, which drives along its arcs; None for a robot that moves any way.
        accepts: a further condition on the last state, of states ``(K, n)``.
    """
    start, space = problem.start, problem.space
    robot = problem.constraint.inner if isinstance(problem.constraint, ChanceConstraint) else problem.constraint
    if not isinstance(robot, FootprintConstraint) or problem.is_free is not None or not space.contains(start):
        return
    if problem.allowed(start) or not robot.robot_clearance(start) > 0.0:
        return
    directions = _arcs(curve) if curve is not None else _straights(space.dim, robot.motion)
    reach = 2.0 * (float(problem.violations(start).max()) + robot.footprint.radius)
    count = min(math.ceil(4.0 * reach / problem.resolution), MOST)
    lengths = reach * np.arange(count + 1) / count
    states = space.plus(start, lengths[:, None] * directions[:, None])
    fine = problem.allowed(states) & (problem.violations(states).max(-1) <= -ROOM * problem.resolution)
    if accepts is not None:
        fine[fine] = accepts(states[fine])
    last = np.where(fine.any(-1), fine.argmax(-1), count + 1)
    group, given = np.arange(len(last)) if curve is not None else _connected(problem, states, last), set[int]()
    for k in np.argsort(last, kind="stable"):
        way = states[k, : last[k] + 1]
        if last[k] > count or int(group[k]) in given:
            continue
        if robot.robot.sweeps_clear(robot.obstacles, way[:, robot.pose]).all():
            given.add(int(group[k]))
            risk = _risk(problem, float(robot.robot_clearance(way).min()))
            yield _along(problem, float(lengths[last[k]]) * directions[k], curve is not None, risk)


def _connected(problem: Problem, states: Array, last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers ``(K,)``, the same for directions side by side of which the last states are connected by edges."""
    ends = states[np.arange(len(last)), np.minimum(last, states.shape[1] - 1)]
    joined = problem.edges_allowed(np.roll(ends, 1, axis=0), ends)  # no edge leads to a state that is forbidden
    group = np.cumsum(~joined, dtype=np.int64)
    if joined[0]:
        group[group == group[-1]] = group[0]
    return group


def _risk(problem: Problem, clearance: float) -> str:
    """The end of a sentence about the risk at the least clearance on the way, if the margin is there for one."""
    constraint = problem.constraint
    if isinstance(constraint, ChanceConstraint):
        return f", at a risk of up to {constraint.risk_at(clearance, problem.start):.2g}"
    assert isinstance(constraint, FootprintConstraint)
    if constraint.margin is None or constraint.margin.risk is None:
        return ""
    return f", at a risk of up to {constraint.margin.risk(clearance):.2g}"


def _along(problem: Problem, d: Array, turns: bool, risk: str) -> LeadOut:
    """The way along a tangent, with states a quarter turn apart at most."""
    length, start = float(np.linalg.norm(d[:2] if turns else d)), problem.start
    pieces = max(math.ceil(abs(d[2]) / QUARTER), 1) if turns else 1
    xs = np.asarray(problem.space.plus(start, (np.arange(pieces + 1) / pieces)[:, None] * d))
    said = f"{problem.explain(start, 'start')}; the path leads out of it first, over {length:.2f} m{risk}"
    return LeadOut(xs, float(problem.distance(xs[:-1], xs[1:]).sum()), said)


def _straights(dim: int, motion: Array) -> Array:
    """Tangents ``(K, dim)`` of straight ways in all directions, a metre long."""
    angles, out = 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS, np.zeros((DIRECTIONS, dim))
    out[:, int(motion[0])], out[:, int(motion[1])] = np.cos(angles), np.sin(angles)
    return out


def _arcs(curve: Curve) -> Array:
    """Tangents ``(K, 3)`` of ways of a vehicle, straight and along its narrowest arcs, a metre long."""
    bends = np.array([0.0, 1.0, -1.0]) / curve.radius
    ahead = np.column_stack([np.ones(3), np.zeros(3), bends])
    return np.concatenate([ahead, -ahead]) if curve.reversible else ahead
