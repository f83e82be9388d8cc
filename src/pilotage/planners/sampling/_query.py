"""A query of a sampling planner: its checks before, its clock, and the plan made of what is found."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PilotageError
from ...core.plan import Budget, Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import setting, shown
from ...core.space import Space
from ...core.streams import Rng, seeded
from ..steering._curves import POSE, Curve, driven, pieces
from ._bound import Floor
from ._problem import Compiled, compiled
from ._separation import separation
from ._space import TINY

Array = NDArray[np.float64]


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

    @classmethod
    def untied(cls, problem: Problem, rng: Rng, budget: float | None, steering: Curve | None) -> Query:
        """A query whose start and goals do not matter."""
        began, (stream, seed) = time.perf_counter(), seeded(rng)
        deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
        world, goals = compiled(problem, None, steering), problem.goals(rng=stream)
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
) -> Query | Plan:
    """A query; or the plan that answers it at once: its ends are forbidden, or the same."""
    name, began = type(planner).__name__, time.perf_counter()
    if not isinstance(problem, Problem):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PilotageError(
            f"{name} plans for a Problem, not {type(problem).__name__}; grid.problem(start, goal, footprint) makes one"
        )
    if steering is not None and not in_se2(problem):
        raise PilotageError(
            f"{steering!r} connects poses in SE(2), not states of {shown(problem.space)}; give the problem the space "
            'Space("pose: SE2")'
        )
    deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
    stream, seed = seeded(rng)
    goals = problem.goals(rng=stream)
    world = compiled(problem, step, steering)
    ends = np.concatenate((problem.start[None], goals))
    rooms = world.room(ends)
    fine = rooms[1:] >= 0.0
    reason = "" if rooms[0] >= 0.0 else problem.explain(problem.start, "start") or "start is not allowed"
    reason = reason or ("" if fine.any() else _no_goal(problem, goals))
    stats = {"seconds": time.perf_counter() - began, "samples": 0, "states": 0}
    if reason:
        return Plan(PlanStatus.INVALID, reason=reason, stats=stats, seed=seed)
    nearest = float(world.lengths(ends)[1:][fine].min())
    if nearest == 0.0:
        return Plan(
            PlanStatus.SOLVED, problem.space, problem.start[None], cost=0.0, stats=stats, seed=seed,
            footprint=problem.footprint,
        )  # fmt: skip
    bound = nearest if problem.space.flat else float(Floor(problem)(problem.start, goals[fine]).min())
    if isinstance(problem.goal, Space):
        bound = 0.0  # other states of the region may be nearer than those that were drawn
    goals, rooms = np.ascontiguousarray(goals[fine]), rooms[rooms >= 0.0]
    return Query(problem, world, steering, goals, rooms, stream, seed, began, deadline, bound)


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


def in_se2(problem: Problem) -> bool:
    """Whether the states of a problem are poses in SE(2), with the increments of `POSE`."""
    part = problem.space.parts[0]
    return len(problem.space.parts) == 1 and part.same_kind(POSE.parts[0]) and part.side == POSE.parts[0].side
