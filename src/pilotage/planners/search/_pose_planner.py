"""The base of planners that search the motions of a vehicle."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PilotageError, counted
from ...core.plan import Budget, Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import setting
from ...core.space import Space
from ...core.streams import Rng, seeded
from ...maps import FootprintConstraint
from .._lead_out import ways_out
from ..sampling._bound import Floor
from ..sampling._problem import Compiled, compiled
from ..steering import ReedsShepp
from ..steering._curves import Curve
from ..steering._poses import as_poses
from ._on_cells import stats_of
from ._pose_field import Field
from ._pose_kernel import search
from ._pose_motions import OnArcs, Vehicle, refused
from ._pose_tree import Search
from .explain import explain_separation

Array = NDArray[np.float64]


class PosePlanner(ABC):
    """A planner over the motions of a vehicle; subclasses give the vehicle, the curve and the costs."""

    if TYPE_CHECKING:
        steering: Curve
        reverse: float
        cusp: float
        weight: float
        nodes: int

    @property
    @abstractmethod
    def _vehicle(self) -> Vehicle:
        """The vehicle."""

    @property
    def _bend(self) -> float:
        """Cost of a change of curvature [m] per [1/m]."""
        return 0.0

    @property
    def _levels(self) -> tuple[int, ...]:
        """How many times shorter the motions of each search are, until one finds a path."""
        return (1,)

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a path that the vehicle can drive.

        Args:
            problem: the problem, with poses in SE(2), as which x, y and yaw of ``grid.problem(start, goal, footprint)``
                are taken.
            rng: seed or generator, with which states are drawn from a goal that is a region.
            budget: maximum planning time [s]. If a path was found by then, it is the result.

        Returns:
            A plan whose `xs` ``(T+1, n)`` lead from the start to the goal. Along arcs, its controls `us` ``(T, 2)`` are
            the speed (1 m/s, or -1 in reverse) and the yaw rate of a unicycle; those of a model are its actions. `ts`
            are their times. `lower_bound` is the cost of the curve without obstacles; for a model, which may drive
            otherwise, it is the distance of the tolerance from the start. `stats` contains ``expansions``, ``seconds``,
            ``expansions_per_second`` and ``nodes``.

        Raises:
            PilotageError: if the states of the problem are not those of the vehicle.
        """
        vehicle, name = self._vehicle, type(self).__name__
        if not isinstance(problem, Problem):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise PilotageError(
                f"{name} plans for a Problem, not {type(problem).__name__}; write plan(grid.problem(start, goal, "
                "footprint)), with poses (x, y, yaw) as start and goal"
            )
        if isinstance(vehicle, OnArcs):
            problem = as_poses(problem)
        refused(name, problem, vehicle)
        problem.needs_no_times(self)
        _ = search.compiled, self.steering.curve.address  # first: a budget is not spent on compiling
        began = time.perf_counter()
        deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
        stream, seed = seeded(rng)
        goals = problem.goals(rng=stream)
        allowed = problem.allowed(np.concatenate((problem.start[None], goals)))
        fine, ways = goals[allowed[1:]], [*ways_out(problem, self.steering)] if vehicle.curves else []
        reason = "" if allowed[0] or ways else problem.explain(problem.start, "start")
        if reason := reason or ("" if len(fine) else problem.explain(goals[0], "goal")):
            return Plan(PlanStatus.INVALID, reason=reason, stats=stats_of(0, began), seed=seed)
        if not ways:
            return self._solved(_posed(problem, fine, self.steering, vehicle), began, deadline, seed)
        bound = 0.0 if isinstance(problem.goal, Space) else float(Floor(problem)(problem.start, fine).min())
        plans: list[Plan] = []
        for lead in ways:
            posed = _posed(replace(problem, start=lead.xs[-1]), fine, self.steering, vehicle)
            plans.append(lead.joined(self._solved(posed, began, deadline, seed), bound))
            if plans[-1].status is not PlanStatus.NO_PATH:
                return plans[-1]
        return plans[0]

    def _solved(self, posed: Posed, began: float, deadline: float, seed: int | None) -> Plan:
        """The plan of a problem whose ends are allowed."""
        found = _Effort()
        reason = posed.separation(self._vehicle.tolerance)
        for fineness in () if reason else self._levels:
            found.search = self._search(posed, fineness)
            found.finished = found.search.run(deadline, self.nodes)
            found.expansions += found.search.expansions
            if found.search.found or not found.finished:
                break
        stats: dict[str, Any] = stats_of(found.expansions, began)
        if found.search is not None and found.search.found:
            stats["nodes"] = found.search.count
            xs, us, ts = posed.path(found.search, self._vehicle, self.steering)
            cost, problem = found.search.cost, posed.problem
            bound, shape = min(posed.bound, cost), problem.footprint
            return Plan(
                PlanStatus.SOLVED, problem.space, xs, us, ts, cost, bound, stats=stats, seed=seed, footprint=shape
            )
        bound, status = (math.inf if reason else posed.bound), PlanStatus.NO_PATH
        effort = counted(found.expansions, "expansion")
        if not found.finished and found.search is not None:
            status, left = PlanStatus.BUDGET, found.search.nearest(self.weight)
            nodes = counted(found.search.count, "node")
            reason = f"the budget was spent after {effort}, with {nodes}; the best one is {left:.2f} m from the goal"
        reason = reason or f"none of the motions leads on, however fine: all cells were searched in {effort}"
        return Plan(status, lower_bound=bound, reason=reason, stats=stats, seed=seed)

    def _search(self, posed: Posed, fineness: int) -> Search:
        """The search with motions that are `fineness` times shorter."""
        vehicle, problem = self._vehicle, posed.problem
        motions = vehicle.motions(problem.space, fineness)
        place = np.array([motions.code.address, *posed.pose, posed.turn, vehicle.curves], dtype=np.int64)
        costs = (
            self.reverse,
            self.cusp,
            self._bend,
            self.weight,
            vehicle.span / fineness,
            posed.direction,
            vehicle.tolerance,
        )
        region = problem.goal if isinstance(problem.goal, Space) else None
        bounds = np.zeros((0, problem.space.size)) if region is None else np.array([region.low, region.high])
        return Search(
            posed.world, posed.root, posed.left, motions, place, np.array([*costs, *posed.field.frame]),
            vehicle.cells(problem.space, posed.root, fineness), posed.field,
            np.ascontiguousarray(posed.ends[:, posed.pose]), np.array(posed.ends), bounds,
        )  # fmt: skip


@dataclass
class _Effort:
    """Searches with finer and finer motions: the last one, whether it came to an end, and expansions of all."""

    search: Search | None = None
    finished: bool = True
    expansions: int = 0


@dataclass(frozen=True, eq=False)
class Posed:
    """A problem as it is searched.

    Attributes:
        problem, world: the problem, and its compiled form.
        pose: the indices of x, y, yaw in a state.
        root, left: the state where the search begins, and the room there.
        ends: the states ``(K, n)`` that it looks for.
        direction: 1, or -1 if the search runs from the goal to the start.
        bound: a cost that no path can undercut.
        field: the ways around the obstacles to the ends.
    """

    problem: Problem
    world: Compiled
    pose: list[int]
    root: Array
    left: float
    ends: Array
    direction: int
    bound: float
    field: Field

    @property
    def turn(self) -> int:
        """The column of the tangent that turns the yaw."""
        yaw = self.pose[2]
        return next(t.start + yaw - s.start for _, s, t in self.problem.space.layout if s.start <= yaw < s.stop)

    def separation(self, tolerance: float) -> str:
        """The reason why not even a point gets from the start to within a tolerance of the goal; empty if one may."""
        problem, xy = self.problem, self.pose[:2]
        if not isinstance(problem.constraint, FootprintConstraint):
            return ""  # other constraints need not forbid what is an obstacle on the map
        if isinstance(problem.goal, Space) and (problem.goal.high > problem.goal.low)[xy].any():
            return ""  # other states of the region may be in the same component
        reach = tolerance / float(problem.weights.min())
        if self.field.cells is None or not self.field.separates(self.root[xy], self.ends[:, xy], reach):
            return ""
        start, goal = (self.root, self.ends[0])[:: self.direction]
        return explain_separation(self.field.cells, "blocked", start[xy], goal[xy])

    def path(self, found: Search, vehicle: Vehicle, steering: Curve) -> tuple[Array, Array, Array]:
        """States, controls and times of the best way."""
        space, motions, (nodes, way) = self.problem.space, found.motions, found.way()
        first, counts = motions.first[way], motions.first[np.array(way, dtype=np.int64) + 1] - motions.first[way]
        begins = np.concatenate(([0], np.cumsum(counts)))
        xs = np.empty((begins[-1] + 1, space.size))
        xs[begins] = nodes
        for k in range(int(counts.max(initial=1)) - 1):  # all motions at once
            longer = counts > k + 1
            here = begins[:-1][longer] + k
            xs[here + 1] = vehicle.stepped(space, xs[here], motions.rows[first[longer] + k])
        actions = motions.actions(way)
        if found.goal >= 0:
            curve = steering.connect(xs[-1], np.array(self.ends[found.goal]), spacing=vehicle.span).xs
            assert curve is not None
            xs = np.concatenate((xs, curve[1:]))
        xs = xs[:: self.direction]
        return xs, *vehicle.controls(space, xs, actions)


def _posed(problem: Problem, goals: Array, steering: Curve, vehicle: Vehicle) -> Posed:
    """The problem, from the end with less room if the curve is the same both ways: few motions lead out of a bay."""
    pose = [problem.space.find(name, "the vehicle") for name in ("x", "y", "yaw")]
    world = compiled(problem, None, steering)
    region = isinstance(problem.goal, Space)
    starts = np.tile(problem.start, (len(goals), 1))
    if vehicle.curves:
        least = problem.weights[0] * steering.distance(starts[:, pose], goals[:, pose])
    else:  # a model need not drive along curves, and may stop before the goal
        least = np.maximum(Floor(problem)(starts, goals) - vehicle.tolerance, 0.0)
    bound = 0.0 if region else float(least.min())
    root, ends, direction = problem.start, goals, 1
    alone = not region and vehicle.curves and len(goals) == 1 and isinstance(steering, ReedsShepp)
    rooms = -problem.violations(np.stack((problem.start, goals[0]))).max(-1, initial=-math.inf)
    left = float(rooms[0])
    if alone and rooms[1] < 0.5 * rooms[0]:
        root, ends, direction, left = goals[0], problem.start[None], -1, float(rooms[1])
    return Posed(problem, world, pose, root, left, ends, direction, bound, Field.of(problem, ends, pose))
