"""From a query on a graph to a plan, and what the searches on graphs share."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np

from pilotage.core.errors import PilotageError, counted
from pilotage.core.plan import Budget, Plan, PlanStatus
from pilotage.core.problem import Problem
from pilotage.core.settings import setting
from pilotage.core.space import Space
from pilotage.maps import SphereConstraint

from ._on_cells import Array, Found, stats_of
from ._planner import CellPlanner
from .graph import EdgeGraph, Graph

Neighbours = Callable[[Any], Iterable[tuple[Any, float]]]
Heuristic = Callable[[Any, Any], float]
STEP = Space("step")


class View:
    """A graph as the searches use it: neighbours, predecessors and heuristic, with checked costs.

    Raises:
        PilotageError: from its methods, if a cost or an estimate of the user's graph is negative or NaN.
    """

    def __init__(self, graph: Graph) -> None:
        trusted = isinstance(graph, EdgeGraph)
        back = getattr(graph, "predecessors", graph.neighbours)
        estimate: Heuristic = getattr(graph, "heuristic", lambda a, b: 0.0)
        self.neighbours: Neighbours = graph.neighbours if trusted else _checked(graph.neighbours)
        self.predecessors: Neighbours = back if trusted else _checked(back)
        self.heuristic: Heuristic = estimate if trusted else _estimate(estimate)


def _checked(neighbours: Neighbours) -> Neighbours:
    def checked(state: Any) -> Iterable[tuple[Any, float]]:
        for other, cost in neighbours(state):
            if not cost >= 0.0:
                raise PilotageError(f"the cost of the edge from {state!r} to {other!r} is {cost}; expected 0 or more")
            yield other, cost

    return checked


def _estimate(heuristic: Heuristic) -> Heuristic:
    def checked(a: Any, b: Any) -> float:
        estimate = heuristic(a, b)
        if not estimate >= 0.0:
            raise PilotageError(f"the heuristic from {a!r} to {b!r} is {estimate}; expected 0 or more")
        return estimate

    return checked


class GraphPlanner(CellPlanner):
    """A planner whose search runs on graphs too."""

    @abstractmethod
    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        """Search a graph from one state to another, until the deadline."""

    def _on_graph(self, graph: Graph, start: Any, goal: Any, budget: float | None) -> Plan:
        return answer_on_graph(graph, start, goal, budget, self._search)

    def _in_voxels(self, problem: Problem, budget: float | None) -> Plan:
        return answer_in_voxels(problem, budget, self._search)


def answer_in_voxels(problem: Problem, budget: float | None, search: Callable[[View, Any, Any, float], Found]) -> Plan:
    """The plan for the problem of a sphere in an octree, through the centres of voxels."""
    began, constraint = time.perf_counter(), problem.constraint
    assert isinstance(constraint, SphereConstraint)
    goals = problem.goals(2, rng=0)
    if len(goals) != 1 or problem.is_free is not None:
        raise PilotageError("a search in voxels needs one goal (x, y, z), and no is_free beside the octree")
    graph = constraint.graph
    for name, x in (("start", problem.start), ("goal", goals[0])):
        reason = problem.explain(x, name)
        if not reason and graph.state(x[constraint.place]) not in graph:
            reason = f"{name} is clear, but the centre of its voxel is not; move it, or take smaller voxels"
        if reason:
            return Plan(PlanStatus.INVALID, reason=reason, stats=stats_of(0, began))
    first, last = (graph.state(x[constraint.place]) for x in (problem.start, goals[0]))
    return answer_on_graph(graph, first, last, budget, search)


def answer_on_graph(
    graph: Graph, start: Any, goal: Any, budget: float | None, search: Callable[[View, Any, Any, float], Found]
) -> Plan:
    """The plan for a query on a graph."""
    began = time.perf_counter()
    deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
    for name, state in (("start", start), ("goal", goal)):
        if not isinstance(state, Hashable):
            raise PilotageError(f"{name} is {state!r}; expected a state of the graph, which can be hashed")
        if isinstance(graph, EdgeGraph) and state not in graph:
            reason = f"{name} is {state!r}; expected a state of the graph, 0 to {graph.count - 1}"
            return Plan(PlanStatus.INVALID, reason=reason, stats=stats_of(0, began))
    found = search(View(graph), start, goal, deadline)
    stats = stats_of(found.expansions, began) | (found.more or {})
    effort = counted(found.expansions, "expansion")
    if not found.finished:
        reason = f"the budget was spent after {effort}; no path costs less than {found.bound:.4g}"
        return Plan(PlanStatus.BUDGET, lower_bound=found.bound, reason=reason, stats=stats)
    if found.path is None:
        reason = f"no path leads from {start!r} to {goal!r}; all that can be reached was searched in {effort}"
        return Plan(PlanStatus.NO_PATH, lower_bound=math.inf, reason=reason, stats=stats)
    space, xs = _placed(graph, found.path)
    bound = min(found.bound, found.length)
    stats["states"] = found.path
    return Plan(PlanStatus.SOLVED, space, xs, cost=found.length, lower_bound=bound, stats=stats)


def _placed(graph: Graph, path: list[Any]) -> tuple[Space, Array]:
    """The positions of a path in their space; without positions, the numbers of its states from 0."""
    points: Callable[[list[Any]], Any] | None = getattr(graph, "points", None)
    xs = None if points is None else points(path)
    if xs is None:
        return STEP, np.arange(len(path), dtype=np.float64)[:, None]
    k = xs.shape[1]
    names = ("x", "y", "z")[:k] if k <= 3 else [f"x{i}" for i in range(k)]
    return Space(" ".join(names)), xs


def unwound(parents: dict[Any, Any], goal: Any) -> list[Any]:
    """States from the start, which is its own parent, to the goal."""
    path = [goal]
    while parents[path[-1]] != path[-1]:
        path.append(parents[path[-1]])
    return path[::-1]


def no_path(expansions: int) -> Found:
    """The result of a search that proves that there is no path."""
    return Found(True, None, math.inf, math.inf, expansions)


def out_of_time(bound: float, expansions: int) -> Found:
    """The result of a search whose time was up."""
    return Found(False, None, math.inf, bound, expansions)
