"""Frenet planner: the best of many short trajectories along a road, among obstacles that stand and move."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PilotageError, SettingError
from ...core.moving import MovingObstacle
from ...core.plan import Budget, Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import Finite, NonNegative, Positive, instance, setting, settings
from ...core.space import Space
from ...core.streams import Rng, checked
from ._candidates import VERDICTS, search
from ._ends import at_goals, in_region
from ._query import Query
from .reference_line import ReferenceLine

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
COMPONENTS = ("x", "y", "yaw", "speed", "acceleration", "curvature")
NEEDED = 4
"""How many of these a state must have."""


@settings(eq=False)
class FrenetPlanner:
    """Frenet planner: the best allowed one of many candidates for the next seconds of a drive along a line.

    ::

        s(t): quartic from s, s., s.. to s. = v, s.. = 0            for each of `speeds` v and `durations` T
        d(t): quintic from d, d., d.. to d = o, d. = d.. = 0        for each of `offsets` o, or d(s) likewise over s(T)
        J = jerk_weight (int s...^2 dt + int d...^2 dt) + time_weight T + offset_weight o^2
            + speed_weight (v - target)^2                           int d'''^2 ds for d(s)

    If the goal of a problem is a region, such as its whole space, the candidates are these, and their ends must lie in
    it. If it is one or several states, both polynomials are quintics that end there, one for each of the durations; use
    ``over="length"`` to stop.

    Costs need no states, so all are known first. Candidates are then checked in the order of their costs, limits before
    obstacles, and the first that is allowed is the best of all. Limits hold at the states, `dt` apart. Between them the
    path of the plan is the interpolation of its space: this is clear of moving obstacles at all times, and of the map
    everywhere, not only at samples; another constraint is checked as `Problem.edges_allowed` does.

    Attributes:
        line: the middle of the lane.
        speed: highest speed [m/s].
        acceleration, braking: largest acceleration and deceleration along the path [m/s^2]; braking None: the same.
        lateral: largest acceleration across the path, ``v^2 |curvature|`` [m/s^2].
        curvature: largest curvature [1/m]; None: no limit.
        jerk: largest change of the acceleration from state to state [m/s^3]; None: no limit.
        target: desired speed [m/s]; None: `speed`.
        offsets: ends of d [m], positive to the left.
        speeds: ends of the speed s. along the line [m/s]; None: nine from 0 to the target.
        durations: [s].
        over: whether d is a polynomial of "time", or of the "length" s, as suits speeds below 3 m/s or so, and rests.
        dt: longest time between two states [s].
        jerk_weight, time_weight, offset_weight, speed_weight: of the cost [s^5/m^2, 1/s, 1/m^2, s^2/m^2].

    Source: M. Werling et al., Optimal trajectory generation for dynamic street scenarios in a Frenet frame, 2010;
    S. Sun et al., FISS: a trajectory planning framework using fast iterative search and sampling strategy, 2022, for
    checks in the order of costs.

    Example:
        >>> road = ReferenceLine([[0.0, 0.0], [200.0, 0.0]])
        >>> space = Space("x y [m]", "yaw: angle", "speed [m/s]")
        >>> problem = Problem(space, [0.0, 0.0, 0.0, 10.0], goal=space)
        >>> other = MovingObstacle([0.0, 10.0], [[20.0, 0.0], [60.0, 0.0]], radius=1.5)     # ahead, at 4 m/s
        >>> plan = FrenetPlanner(road, speed=12.0).plan(problem, moving=[other])
        >>> plan.ok, plan.stats["rejected"]["moving"] > 0
        (True, True)
        >>> bool(np.linalg.norm(plan.xs[:, :2] - other.at(plan.ts), axis=-1).min() > 1.5)
        True
    """

    line: ReferenceLine
    speed: Positive = 15.0
    acceleration: Positive = 3.0
    braking: Positive | None = None
    lateral: Positive = 4.0
    curvature: Positive | None = 0.2
    jerk: Positive | None = None
    target: NonNegative | None = None
    offsets: tuple[Finite, ...] = tuple(np.linspace(-3.0, 3.0, 13).tolist())
    speeds: tuple[NonNegative, ...] | None = None
    durations: tuple[Positive, ...] = (3.0, 4.0, 5.0, 6.0)
    over: Literal["time", "length"] = "time"
    dt: Positive = 0.1
    jerk_weight: NonNegative = 0.1
    time_weight: NonNegative = 0.1
    offset_weight: NonNegative = 1.0
    speed_weight: NonNegative = 1.0

    def __post_init__(self) -> None:
        for name in ("offsets", "speeds", "durations"):
            if getattr(self, name) == ():
                raise SettingError(f"{name} of FrenetPlanner is empty; expected one number or more")

    def plan(
        self,
        problem: Problem,
        *,
        moving: Sequence[MovingObstacle] = (),
        rng: Rng = None,
        budget: float | None = None,
    ) -> Plan:
        """Plan the next seconds.

        Args:
            problem: a problem whose states have x, y, yaw and speed, and may have acceleration and curvature. Those
                that they lack, s.. and d'' at the ends in their place, are 0.
            moving: moving obstacles besides those of the problem; each disc of its footprint is kept clear of them.
            rng: accepted by every planner; this one draws no random numbers.
            budget: seconds after which the checks stop with status BUDGET.

        Returns:
            A plan whose `xs` ``(K+1, n)`` are states at the times `ts`, of cost J; no allowed candidate costs less. In
            `stats`, ``speed``, ``acceleration`` and ``curvature`` of each state, how many ``candidates`` there are, how
            many were ``checked``, and how many of them were ``rejected`` for each reason: "line" (off its ends, or
            beyond its centre of curvature), "speed" (also backwards or, over time, slower than 0.1 m/s), "acceleration"
            (also lateral, and jerk), "curvature", "bounds" of the space, "goal", "moving" and "obstacles". Status
            NO_PATH and its infinite bound are about the candidates: other ones might be allowed. The first state is the
            start of the problem, and states that leave bounds by rounding are put on them.

        Raises:
            PilotageError: if the states of the problem have other components, or lack some.
        """
        checked(rng)
        places = _places(problem)
        _ = search.compiled  # first: a budget is not spent on compiling
        began = time.perf_counter()
        deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
        run = self._run(problem, places, moving)
        if isinstance(run, str) or run.touched:
            reason = run if isinstance(run, str) else "a moving obstacle touches the robot at its start, at time 0"
            return Plan(PlanStatus.INVALID, reason=reason, stats={"seconds": time.perf_counter() - began})
        found = run.first(deadline)
        stats = run.effort() | {"seconds": time.perf_counter() - began}
        return run.failed(stats) if found is None else run.solved(found, stats)

    def candidates(self, problem: Problem, *, moving: Sequence[MovingObstacle] = ()) -> Candidates:
        """All candidates with their verdicts, to look at; `plan` checks only as many as it needs.

        Raises:
            PilotageError: as `plan`, and if there are no candidates: if the start is not beside the line.
        """
        run = self._run(problem, _places(problem), moving)
        if isinstance(run, str):
            raise PilotageError(run)
        states = np.full((len(run.costs), run.states.shape[1], 6), np.nan)
        run.states = states
        run.check(0, len(run.costs), True)
        ts = np.arange(states.shape[1]) * (run.durations / run.counts)[:, None]
        ts[np.isnan(states[..., 0])] = np.nan
        return Candidates(ts, states, run.costs, np.array(VERDICTS)[run.verdicts])

    def _run(self, problem: Problem, places: Integers, moving: Sequence[MovingObstacle]) -> Query | str:
        """The candidates of a problem, or the reason why there are none."""
        if reason := problem.explain(problem.start, "start"):
            return reason
        start = self._frenet(problem.start[None], places)[0]
        if np.isnan(start).any():
            return "the start is not beside the reference line, or heads across it"
        region = problem.goal if isinstance(problem.goal, Space) else None
        if region is not None:
            ends = in_region(self, start)
        else:
            goals = self._frenet(problem.goals(), places)
            goals = goals[~np.isnan(goals).any(-1)]
            if not len(goals):
                return "the goal is not beside the reference line, or heads across it"
            ends = at_goals(self, start, goals)
        return Query(self.line, self._limits, self.dt, problem, places, start, ends, region, moving)

    def _frenet(self, xs: Array, places: Integers) -> Array:
        """Frenet coordinates ``(N, 6)`` of states ``(N, n)``."""
        full = np.where(places >= 0, xs[:, places], 0.0)
        out = self.line.to_frenet(full)
        out[:, [2, 5]] *= places[4:] >= 0
        return out

    @cached_property
    def _limits(self) -> Array:
        braking = self.acceleration if self.braking is None else self.braking
        rest = [math.inf if each is None else each for each in (self.curvature, self.jerk)]
        return np.array(
            [self.speed, self.acceleration, braking, self.lateral, *rest, self.line.length, self.over == "length"]
        )


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of a `FrenetPlanner`; rows after the end of one are NaN.

    Attributes:
        ts: times ``(N, K+1)`` [s].
        states: x, y, yaw, speed, acceleration, curvature ``(N, K+1, 6)``.
        costs: ``(N,)``.
        verdicts: "allowed", or the reason for the rejection, ``(N,)``.

    Example:
        >>> space = Space("x y [m]", "yaw: angle", "speed [m/s]")
        >>> problem = Problem(space, [0.0, 0.0, 0.0, 10.0], goal=space)
        >>> all_of_them = FrenetPlanner(ReferenceLine([[0.0, 0.0], [200.0, 0.0]])).candidates(problem)
        >>> all_of_them.states.shape, str(all_of_them.verdicts[np.argmin(all_of_them.costs)])
        ((468, 61, 6), 'allowed')
    """

    ts: Array
    states: Array
    costs: Array
    verdicts: NDArray[np.str_]


def _places(problem: Problem) -> Integers:
    """The index in a state of each of the components; -1 for those that it lacks."""
    space = instance(problem, Problem, "FrenetPlanner").space
    names = [name.rpartition(".")[2] for name in space.names]
    places = np.array([names.index(name) if name in names else -1 for name in COMPONENTS])
    if (places[:NEEDED] < 0).any() or set(names) - set(COMPONENTS):
        raise PilotageError(
            f"the states of the problem are {', '.join(space.names)}; FrenetPlanner plans x, y, yaw and speed, and may "
            'plan acceleration and curvature, as in Space("x y [m]", "yaw: angle", "speed [m/s]")'
        )
    return places
