"""One query of the Frenet planner: its candidates as the arrays that drivers take, and the plan that comes of them."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import counted
from ...core.moving import MovingObstacle
from ...core.plan import Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import instances
from ...core.space import Space
from ..sampling._problem import compiled
from ..search._intervals import segments
from ._candidates import REASONS, UNCHECKED, VERDICTS, search
from ._ends import Ends
from .reference_line import ReferenceLine

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
CHUNK = 64
"""Candidates between two looks at the clock."""


class Query:
    """The arrays of one query.

    Args:
        line: the middle of the lane.
        limits: see `_candidates`.
        dt: longest time between two states.
        problem: the problem.
        places: index in its states of each component; -1 for those that it lacks.
        start: its Frenet coordinates ``(6,)``.
        ends: the candidates.
        region: the goal if it is one.
        moving: moving obstacles besides those of the problem.

    Attributes:
        costs, durations, counts: of the candidates; their number of steps.
        order: candidates, the cheapest first.
        states, xs: those of the last candidate that was checked.
        verdicts: numbers of `VERDICTS`.
    """

    def __init__(
        self, line: ReferenceLine, limits: Array, dt: float, problem: Problem, places: Integers, start: Array,
        ends: Ends, region: Space | None, moving: Sequence[MovingObstacle],
    ) -> None:  # fmt: skip
        self.problem = problem
        size, shape = problem.space.size, problem.footprint
        self.ends, self.costs, self.durations = ends, ends.costs, ends.durations
        self.counts = np.maximum(np.ceil(ends.durations / dt - 1e-9), 1.0).astype(np.int64)
        self.order, longest = np.argsort(ends.costs, kind="stable"), int(self.counts.max()) + 1
        self.states, self.xs, self.rooms = np.empty((1, longest, 6)), np.empty((longest, size)), np.empty(longest)
        self.xs[0] = problem.start
        self.verdicts = np.full(len(ends.costs), UNCHECKED)
        goal = np.zeros((0, size)) if region is None else np.array([region.low, region.high])
        discs = np.array([[0.0, 0.0, 0.0]] if shape is None else shape.discs, order="C")
        others = [*problem.moving, *instances(moving, MovingObstacle, "moving")]
        rows = [np.zeros((0, 7)), *(segments(each, 0.0) for each in others)]
        self.world = compiled(problem, None, draws=False)
        self.road = (*line.pieces, limits, start[4:].copy())
        self.rest = goal, places, discs, np.ascontiguousarray(np.concatenate(rows))

    @property
    def touched(self) -> bool:
        """Whether a moving obstacle touches the robot at its start, at time 0."""
        _, places, discs, others = self.rest
        now = others[others[:, 4] <= 0.0]
        x, y, yaw = self.problem.start[places[:3]]
        turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
        apart = now[:, None, :2] - now[:, None, 2:4] * now[:, None, 4:5] - discs[:, :2] @ turn - [x, y]
        return bool((np.linalg.norm(apart, axis=-1) < now[:, 6:] + discs[:, 2]).any())

    def first(self, deadline: float) -> int | None:
        """The cheapest allowed candidate; None if there is none, or the time is up."""
        for begin in range(0, len(self.order), CHUNK):
            place = self.check(begin, min(begin + CHUNK, len(self.order)), False)
            if place >= 0:
                return int(self.order[place])
            if time.perf_counter() > deadline:
                break
        return None

    def check(self, begin: int, end: int, all_of_them: bool) -> int:
        """Check candidates at these places of the order: the place of the first that is allowed, or -1."""
        place = search.compiled(
            self.world.world, self.road, *self.rest, self.ends.along, self.ends.across, self.durations, self.counts,
            self.ends.reached, self.order, begin, end, all_of_them, self.states, self.xs, self.rooms, self.verdicts,
        )  # fmt: skip
        self.world.check()
        return int(place)

    def effort(self) -> dict[str, Any]:
        """How many candidates there are, were checked, and were rejected for each reason."""
        counts = np.bincount(self.verdicts, minlength=len(VERDICTS))
        rejected = Counter(dict(zip(REASONS, counts[1:UNCHECKED].tolist(), strict=True)))
        total = len(self.costs)
        return {"candidates": total, "checked": total - int(counts[UNCHECKED]), "rejected": rejected}

    def solved(self, found: int, stats: dict[str, Any]) -> Plan:
        """The plan of a candidate, which was checked last."""
        count, cost, problem = int(self.counts[found]), float(self.costs[found]), self.problem
        rows, ts = self.states[0, : count + 1], np.linspace(0.0, self.durations[found], count + 1)
        stats = stats | {name: rows[:, 3 + k].copy() for k, name in enumerate(("speed", "acceleration", "curvature"))}
        xs, shape = self.xs[: count + 1].copy(), problem.footprint
        return Plan(PlanStatus.SOLVED, problem.space, xs, None, ts, cost, cost, stats=stats, footprint=shape)

    def failed(self, stats: dict[str, Any]) -> Plan:
        """The plan that says why no candidate was found."""
        checks, reasons = stats["checked"], stats["rejected"].most_common()
        numbers = ", ".join(f"{name} {count}" for name, count in reasons if count)
        told = f"{counted(checks, 'candidate')}, none of which is allowed: {numbers}"
        if checks == len(self.costs):
            return Plan(PlanStatus.NO_PATH, lower_bound=math.inf, reason=f"there are {told}", stats=stats)
        least = float(self.costs[self.order[checks]])
        return Plan(PlanStatus.BUDGET, lower_bound=least, reason=f"the budget was spent on {told}", stats=stats)
