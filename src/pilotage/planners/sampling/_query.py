"""A query of a sampling planner: its checks before, its clock, and the plan made of what is found."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PilotageError
from ...core.plan import Budget, Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import setting
from ...core.space import Space
from ...core.streams import Rng, seeded
from .._lead_out import LeadOut, ways_out
from ..steering._curves import POSE, Curve, driven, pieces
from ..steering._poses import in_se2, refusal
from ._bound import Floor
from ._problem import Compiled, compiled
from ._separation import connected, separation
from ._space import TINY

Array = NDArray[np.float64]
DRAWN = 32
"""States to which curves are tried from the end of a way out."""


@dataclass
class Query:
    """A query whose start and goals are allowed.

    Attributes:
        problem: the problem.
        world: the problem for compiled code.
        steering: the curve that connects states, or None.
        goals: goal states ``(K, n)`` that are allowed.
        rooms: slack of the constraint ``(1 + K,)`` at the start and at the goals.
        stream, seed: random numbers, and what repeats them.
        began, deadline: seconds of the clock.
        bound: lower bound of the cost of any path.
        reach: distance [m] from a goal at which it counts as reached.
        history: seconds, cost and lower bound of each path that was the best.
        lead: the way by which the robot leaves a margin first, to the start of the problem; None if there is none.
        straight: lower bound of the cost of any path with it.
    """

    problem: Problem
    world: Compiled
    steering: Curve | None
    goals: Array
    rooms: Array
    stream: np.random.Generator
    seed: int | None
    began: float
    deadline: float
    bound: float
    reach: float = 0.0
    history: list[tuple[float, float, float]] = field(default_factory=list[tuple[float, float, float]])
    lead: LeadOut | None = None
    straight: float = 0.0

    @classmethod
    def untied(cls, problem: Problem, rng: Rng, budget: float | None, steering: Curve | None) -> Query:
        """A query whose start and goals do not matter."""
        world, (stream, seed) = compiled(problem, None, steering), seeded(rng)
        began = time.perf_counter()
        deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
        goals = problem.goals(rng=stream)
        return cls(problem, world, steering, goals, np.zeros(0), stream, seed, began, deadline, 0.0)

    @property
    def spent(self) -> float:
        """Seconds since the query began."""
        return time.perf_counter() - self.began

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() > self.deadline

    def found(self, cost: float, progress: Any) -> None:
        """Note a cheaper path."""
        self.history.append((self.spent, cost, self.bound))
        if progress is not None:
            progress(cost, self.history[-1][0])

    def plan(self, path: Array | None, cost: float, reason: str, *, steered: bool = True, **stats: Any) -> Plan:
        """The plan along a path ``(K, n)``, connected by the steering curve, or the reason why there is none.

        A path that is not to be `steered` is one of short edges already.
        """
        plan = self._plan(path, cost, reason, steered, stats)
        return plan if self.lead is None else self.lead.joined(plan, self.straight)

    def _plan(self, path: Array | None, cost: float, reason: str, steered: bool, stats: dict[str, Any]) -> Plan:
        """The plan from the start of the problem, behind the lead."""
        stats = {"seconds": self.spent, **stats, "history": np.array(self.history).reshape(-1, 3)}
        if path is None:
            apart = separation(self.problem, self.reach)
            if apart:
                return Plan(PlanStatus.NO_PATH, lower_bound=math.inf, reason=apart, stats=stats, seed=self.seed)
            return Plan(PlanStatus.BUDGET, lower_bound=self.bound, reason=reason, stats=stats, seed=self.seed)
        xs, us, ts = path, None, None
        if self.steering is not None:
            xs = along(self.steering, path) if steered else path
            us, ts = driven(self.problem.space, xs)
            cost = float(self.problem.distance(xs[:-1], xs[1:]).sum())
        return Plan(
            PlanStatus.SOLVED, self.problem.space, xs, us, ts, cost, min(self.bound, cost), stats=stats, seed=self.seed,
            footprint=self.problem.footprint,
        )  # fmt: skip


def begun(
    planner: Any,
    problem: Problem,
    rng: Rng,
    budget: float | None,
    steering: Curve | None = None,
    step: float | None = None,
    *,
    timed: bool = False,
) -> Query | Plan:
    """A query; or the plan that answers it at once: its ends are forbidden, or the same.

    A planner that is `timed` avoids moving obstacles itself. Before the path of another one, a robot within a margin is
    led out of it.
    """
    if not isinstance(problem, Problem):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PilotageError(
            f"{type(planner).__name__} plans for a Problem, not {type(problem).__name__}; "
            "grid.problem(start, goal, footprint) makes one"
        )
    if not timed:
        problem.needs_no_times(planner)
    if steering is not None and not in_se2(problem.space):
        raise PilotageError(f"{steering!r} connects {refusal(problem)}")
    world = compiled(problem, step, steering)
    began = time.perf_counter()
    deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
    stream, seed = seeded(rng)
    goals = problem.goals(rng=stream)
    ends = np.concatenate((problem.start[None], goals))
    rooms = world.room(ends)
    fine = rooms[1:] >= 0.0
    lead = _led(problem, steering) if rooms[0] < 0.0 and not timed else None
    fits = rooms[0] >= 0.0 or lead is not None
    reason = "" if fits else problem.explain(problem.start, "start") or "start is not allowed"
    if timed and (problem.room_among(np.stack([problem.start] * 2), np.array([0.0, 1e-6])) < 0.0).any():
        reason = reason or "a moving obstacle touches the robot at its start, at time 0"
    reason = reason or ("" if fine.any() else _no_goal(problem, goals))
    stats = {"seconds": time.perf_counter() - began, "samples": 0, "states": 0}
    if reason:
        return Plan(PlanStatus.INVALID, reason=reason, stats=stats, seed=seed)
    goals = np.ascontiguousarray(goals[fine])
    bound = straight = _least(world, problem, goals)
    if lead is not None:
        problem = replace(problem, start=lead.xs[-1])
        rooms[:1] = world.room(problem.start[None])
        bound = _least(world, problem, goals)
    if float(world.lengths(np.concatenate((problem.start[None], goals)))[1:].min()) == 0.0:
        here = Plan(
            PlanStatus.SOLVED, problem.space, problem.start[None], cost=0.0, stats=stats, seed=seed,
            footprint=problem.footprint,
        )  # fmt: skip
        return here if lead is None else lead.joined(here, straight)
    rooms = rooms[rooms >= 0.0]
    return Query(
        problem, world, steering, goals, rooms, stream, seed, began, deadline, bound, lead=lead, straight=straight
    )


def _led(problem: Problem, steering: Curve | None) -> LeadOut | None:
    """The shortest way out of a margin from which cells and curves lead on; else one not proven to be a dead end."""
    ways = list(ways_out(problem, steering))
    if len(ways) < 2:
        return ways[0] if ways else None
    ends = np.array([way.xs[-1] for way in ways])
    likely = np.flatnonzero(connected(problem, ends))
    if len(likely):
        ahead = likely if steering is None else (k for k in likely if _goes_on(problem, steering, ends[k]))
        return ways[int(next(iter(ahead), likely[0]))]
    return next((way for way in ways if not separation(replace(problem, start=way.xs[-1]), 0.0)), ways[0])


def _goes_on(problem: Problem, steering: Curve, start: Array) -> bool:
    """Whether a curve leads from a state to a goal or to one of some drawn states; a guess, for the order of tries."""
    others = np.concatenate((problem.goals(rng=0), problem.space.sample(DRAWN, rng=0)))
    ways = [np.vstack((start, along(steering, np.stack((start, x))))) for x in others]  # an edge each, at least
    fine = problem.edges_allowed(np.concatenate([xs[:-1] for xs in ways]), np.concatenate([xs[1:] for xs in ways]))
    begins = np.cumsum([0, *(len(xs) - 1 for xs in ways[:-1])])
    return bool(np.logical_and.reduceat(fine, begins).any())


def _least(world: Compiled, problem: Problem, goals: Array) -> float:
    """A lower bound of the cost of any path from the start to one of the goals, or of the region that they are from."""
    if isinstance(problem.goal, Space):
        return 0.0  # other states of the region may be nearer than those that were drawn
    if problem.space.flat:
        return float(world.lengths(np.concatenate((problem.start[None], goals)))[1:].min())
    return float(Floor(problem)(problem.start, goals).min())


def _no_goal(problem: Problem, goals: Array) -> str:
    """The reason why no goal is allowed."""
    first = problem.explain(goals[0], "goal") or "goal is not allowed"
    return first if len(goals) == 1 else f"none of {len(goals)} goal states is allowed: {first}"


def along(curve: Curve, states: Array) -> Array:
    """States ``(T+1, 3)`` along the curves that connect poses ``(K, 3)``, a quarter turn apart at most."""
    xs = [states[0]]
    for a, b in itertools.pairwise(states):
        for curvature, length in curve.segments(a, b):
            if abs(length) > TINY:
                count = pieces(curvature, length)
                twist = np.array([1.0, 0.0, curvature]) * length
                xs.extend(POSE.plus(xs[-1], twist * (np.arange(1, count + 1) / count)[:, None]))
        xs[-1] = b
    return np.array(xs)
