"""Searches on graphs: the costs of networkx, on every graph and on grids; what is no graph is refused."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import PilotageError, PlanStatus, ShapeError
from pilotage.planners import (
    ARAStar,
    AStar,
    Bidirectional,
    BreadthFirst,
    DepthFirst,
    Dijkstra,
    DStarLite,
    EdgeGraph,
    Graph,
    GreedyBestFirst,
    JumpPointSearch,
)

from .test_search import check_path, graph_of, random_case

EXACT = [AStar(), Dijkstra(), Bidirectional(), Bidirectional(heuristic=False), ARAStar(), DStarLite()]
LOOSE = [BreadthFirst(), DepthFirst(), GreedyBestFirst(), AStar(weight=2.0)]


class Jugs:
    """Two jugs of 5 and 3 litres: fill one, empty one, or pour one into the other. States are pairs."""

    def neighbours(self, state: tuple[int, int]) -> Iterator[tuple[tuple[int, int], float]]:
        a, b = state
        out, back = min(a, 3 - b), min(b, 5 - a)
        for other in ((5, b), (a, 3), (0, b), (a, 0), (a - out, b + out), (a + back, b - back)):
            yield other, 1.0

    def predecessors(self, state: tuple[int, int]) -> Iterator[tuple[tuple[int, int], float]]:
        for other in itertools.product(range(6), range(4)):
            for target, cost in self.neighbours(other):
                if target == state:
                    yield other, cost


class Line:
    """All whole numbers, each beside the next two: infinite."""

    def __init__(self, cost: Any = 1.0, estimate: Any = 0.0) -> None:
        self.cost, self.estimate = cost, estimate

    def neighbours(self, state: int) -> list[tuple[int, Any]]:
        return [(state + 1, self.cost), (state - 1, self.cost)]

    def heuristic(self, a: int, b: int) -> Any:
        return self.estimate


def random_graph(seed: int) -> tuple[EdgeGraph, Any, int, int]:
    """A random graph, directed or not, with positions or not, some edges twice; the same for networkx; two states."""
    rng = np.random.default_rng(seed)
    n, m, directed = int(rng.integers(1, 25)), int(rng.integers(0, 70)), bool(rng.integers(2))
    points, edges = rng.random((n, 2)), rng.integers(0, n, (m, 2))
    lengths = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1) * rng.uniform(1, 3, m)
    lengths[rng.random(m) < 0.1] = 0.0
    graph = EdgeGraph(n, edges, lengths, positions=points if rng.integers(2) else None, directed=directed)
    peer: Any = nx.MultiDiGraph() if directed else nx.MultiGraph()
    peer.add_nodes_from(range(n))
    peer.add_weighted_edges_from((a, b, c) for (a, b), c in zip(edges.tolist(), lengths.tolist(), strict=True))
    a, b = rng.integers(0, n, 2).tolist()
    return graph, peer, a, b


@settings(max_examples=60)
@given(seed=st.integers(0, 100_000))
def test_costs_are_those_of_networkx(seed: int) -> None:
    graph, peer, a, b = random_graph(seed)
    linked = nx.has_path(peer, a, b)
    optimum = nx.dijkstra_path_length(peer, a, b) if linked else math.inf
    for planner in EXACT + LOOSE:
        plan = planner.plan(graph, a, b)
        assert plan.status is (PlanStatus.SOLVED if linked else PlanStatus.NO_PATH), planner
        assert plan.cost >= optimum * (1 - 1e-9)
        assert plan.lower_bound <= optimum * (1 + 1e-9)
        if planner in EXACT:
            assert plan.cost == pytest.approx(optimum, rel=1e-9), planner
            assert plan.lower_bound == pytest.approx(plan.cost, rel=1e-9)
        if linked:
            check_states(plan, graph, a, b)
    if linked:
        assert len(BreadthFirst().plan(graph, a, b).stats["states"]) == nx.shortest_path_length(peer, a, b) + 1
        assert AStar(weight=2.0).plan(graph, a, b).cost <= 2.0 * optimum * (1 + 1e-9)


def check_states(plan: Any, graph: Graph, a: Any, b: Any) -> None:
    """The states are joined by edges whose costs add up to no more than that of the plan."""
    states = plan.stats["states"]
    assert (states[0], states[-1]) == (a, b)
    least = 0.0
    for s, t in itertools.pairwise(states):
        least += min(cost for other, cost in graph.neighbours(s) if other == t)
    assert least <= plan.cost * (1 + 1e-9) + 1e-12
    assert len(plan.xs) == len(states)


@settings(max_examples=40)
@given(seed=st.integers(0, 100_000), connectivity=st.sampled_from([4, 8]), with_costs=st.booleans())
def test_on_grids_all_exact_searches_agree(seed: int, connectivity: Any, with_costs: bool) -> None:
    grid, start, goal, rng = random_case(seed)
    costs = rng.uniform(1, 5, grid.shape) if with_costs else None
    ends = grid.cell_to_world(start), grid.cell_to_world(goal)
    graph = graph_of(grid.free, connectivity, costs)
    linked = nx.has_path(graph, tuple(start), tuple(goal))
    best = math.inf
    if linked:
        best = grid.resolution * nx.dijkstra_path_length(graph, tuple(start), tuple(goal), weight="length")
    exact: list[Any] = [Bidirectional(connectivity=connectivity), ARAStar(connectivity=connectivity)]
    loose: list[Any] = [kind(connectivity=connectivity) for kind in (BreadthFirst, DepthFirst, GreedyBestFirst)]
    for planner in [*exact, DStarLite(connectivity=connectivity), *loose]:
        plan = planner.plan(grid, *ends, costs=costs)
        assert plan.ok == linked
        if planner in loose:
            assert plan.lower_bound <= best * (1 + 1e-9) <= plan.cost * (1 + 2e-9)
        else:
            assert plan.cost == pytest.approx(best, rel=1e-9), planner
        if linked:
            check_path(plan, grid, start, goal, connectivity)
    if linked:
        steps = nx.shortest_path_length(graph, tuple(start), tuple(goal))
        found = BreadthFirst(connectivity=connectivity).plan(grid, *ends)
        assert found.xs is not None
        assert len(found.xs) == steps + 1


class Unordered:
    """Objects that are equal only to themselves, with two ways of one cost."""

    def __init__(self) -> None:
        s, a, b, c, g = self.states = [object() for _ in range(5)]
        self.ways = [(s, a, 10.0), (s, b, 10.0), (s, c, 1.0), (c, a, 1.0), (c, b, 1.0), (a, g, 5.0), (b, g, 5.0)]

    def neighbours(self, state: object) -> list[tuple[object, float]]:
        return [(b, cost) for a, b, cost in self.ways if a is state]

    def predecessors(self, state: object) -> list[tuple[object, float]]:
        return [(a, cost) for a, b, cost in self.ways if b is state]


@pytest.mark.parametrize("planner", EXACT, ids=str)
def test_states_need_no_order(planner: AStar) -> None:
    graph = Unordered()
    assert planner.plan(graph, graph.states[0], graph.states[-1]).cost == 7.0


@pytest.mark.parametrize("planner", EXACT + [BreadthFirst()], ids=str)
def test_states_may_be_anything_that_can_be_hashed(planner: AStar) -> None:
    """Four litres in the larger jug, which takes six moves."""
    plan = planner.plan(Jugs(), (0, 0), (4, 0))
    assert plan.cost == 7.0
    check_states(plan, Jugs(), (0, 0), (4, 0))
    assert planner.plan(Jugs(), (0, 0), (4, 4)).status is PlanStatus.NO_PATH


@pytest.mark.parametrize("planner", [AStar(), Bidirectional(), ARAStar(), DStarLite(), BreadthFirst()], ids=str)
def test_an_infinite_graph_is_searched_as_far_as_needed_or_until_the_budget_is_spent(planner: AStar) -> None:
    assert planner.plan(Line(), 0, -30).cost == 30.0
    plan = planner.plan(Line(), 0, 10**9, budget=0.05)
    assert plan.status is PlanStatus.BUDGET
    assert 0.0 <= plan.lower_bound <= 10**9


@pytest.mark.parametrize("cost", [-1.0, math.nan])
@pytest.mark.parametrize("planner", EXACT + LOOSE, ids=str)
def test_costs_below_zero_and_nan_are_refused_in_words(planner: AStar, cost: float) -> None:
    with pytest.raises(PilotageError, match=f"the edge from .* to .* is {cost}; expected 0 or more"):
        planner.plan(Line(cost), 0, 3)
    with pytest.raises(ShapeError, match=r"lengths|the cost of edge 1"):
        EdgeGraph(3, [(0, 1), (1, 2)], [1.0, cost])


@pytest.mark.parametrize("estimate", [-1.0, math.nan])
def test_a_heuristic_that_is_no_number_is_refused(estimate: float) -> None:
    with pytest.raises(PilotageError, match="the heuristic from 0 to 3 is"):
        AStar().plan(Line(1.0, estimate), 0, 3)


def test_bidirectional_search_refuses_a_heuristic_that_is_not_consistent() -> None:
    class Steep(Line):
        def heuristic(self, a: int, b: int) -> float:
            return 0.0 if a % 2 else 10.0

    with pytest.raises(PilotageError, match="expected a consistent one"):
        Bidirectional().plan(Steep(), 0, 6)


def test_queries_that_make_no_sense_are_refused() -> None:
    graph = EdgeGraph(3, [(0, 1)], [1.0])
    for start, goal in ((0, 3), (-1, 0), (0, "1"), (0.5, 1)):
        plan = AStar().plan(graph, start, goal)
        assert plan.status is PlanStatus.INVALID
        assert "expected a state of the graph, 0 to 2" in plan.reason
    assert "in 2 expansions" in AStar().plan(graph, 0, 2).reason
    with pytest.raises(PilotageError, match="expected a state of the graph, which can be hashed"):
        AStar().plan(Line(), [0], 3)
    with pytest.raises(PilotageError, match="the edges of a graph have their own"):
        AStar().plan(graph, 0, 1, costs=[[1.0]])
    with pytest.raises(PilotageError, match="JumpPointSearch needs a grid"):
        JumpPointSearch().plan(graph, 0, 1)


@pytest.mark.parametrize(
    ("edges", "lengths", "positions", "sentence"),
    [
        ([(0, 5)], [1.0], None, r"edge \[0, 5\] names a state that is not in 0 to 2"),
        ([(0, 1, 2)], [1.0], None, "pairs of whole numbers"),
        ([(0.0, 1.0)], [1.0], None, "pairs of whole numbers"),
        ([(0, 1)], [1.0, 2.0], None, "one a row of edges"),
        ([(0, 1)], None, None, "edges need lengths, or positions"),
        ([(0, 1)], None, [[0.0, 0.0]], "positions must be finite"),
    ],
)
def test_graphs_that_are_malformed_are_refused(edges: Any, lengths: Any, positions: Any, sentence: str) -> None:
    with pytest.raises(ShapeError, match=sentence):
        EdgeGraph(3, edges, lengths, positions=positions)


def test_a_plan_on_a_graph_with_positions_is_a_path_through_them() -> None:
    points = [[0.0, 0.0], [3.0, 4.0], [3.0, 9.0]]
    plan = AStar().plan(EdgeGraph(3, [(0, 1), (1, 2)], positions=points), 0, 2)
    assert plan.cost == pytest.approx(10.0)
    np.testing.assert_array_equal(plan.xs, points)
    assert plan.space is not None
    assert plan.space.names == ("x", "y")


def test_the_heuristic_saves_expansions() -> None:
    rng = np.random.default_rng(3)
    points = rng.random((800, 2))
    near = [(i, j) for i in range(800) for j in np.argsort(np.hypot(*(points - points[i]).T))[1:7].tolist()]
    graph = EdgeGraph(800, near, positions=points)
    a, b = int(np.hypot(*points.T).argmin()), int(np.hypot(*(points - [0.5, 0.5]).T).argmin())
    effort = {p: p.plan(graph, a, b).stats["expansions"] for p in (AStar(), Dijkstra(), Bidirectional(heuristic=False))}
    assert effort[AStar()] < 0.5 * effort[Dijkstra()]
    assert effort[Bidirectional(heuristic=False)] < effort[Dijkstra()]


class TestARAStar:
    @settings(max_examples=40)
    @given(seed=st.integers(0, 100_000), weight=st.floats(1, 20), with_costs=st.booleans())
    def test_every_path_is_within_its_bound_and_the_last_is_a_shortest_one(
        self, seed: int, weight: float, with_costs: bool
    ) -> None:
        grid, start, goal, rng = random_case(seed)
        costs = rng.uniform(1, 5, grid.shape) if with_costs else None
        ends = grid.cell_to_world(start), grid.cell_to_world(goal)
        told: list[tuple[float, float, float]] = []
        planner = ARAStar(weight=weight, decrease=0.7, on_path=lambda *row: told.append(row))
        optimum, plan = AStar().plan(grid, *ends, costs=costs).cost, planner.plan(grid, *ends, costs=costs)
        if math.isinf(optimum):
            assert plan.status is PlanStatus.NO_PATH
            return
        history = plan.stats["history"]
        np.testing.assert_array_equal(history, told)
        assert (np.diff(history[:, 0]) >= 0.0).all()
        assert (np.diff(history[:, 1]) <= 0.0).all()
        assert (np.diff(history[:, 2]) >= 0.0).all()
        assert history[0, 1] <= weight * optimum * (1 + 1e-6)
        assert (history[:, 2] <= optimum * (1 + 1e-6)).all()
        assert plan.cost == pytest.approx(optimum, rel=1e-6)
        assert plan.lower_bound == pytest.approx(plan.cost, rel=1e-9)

    def test_an_interrupt_gives_the_best_path_so_far(self) -> None:
        """Pressed in the first search, it is the caller's; pressed later, the path that is known is the result."""
        for presses, known in ((5, False), (400, True)):
            graph = Interrupted(presses)
            if not known:
                with pytest.raises(KeyboardInterrupt):
                    ARAStar(weight=50.0).plan(graph, (0, 0), (14, 14))
                continue
            plan = ARAStar(weight=50.0, decrease=10.0).plan(graph, (0, 0), (14, 14))
            optimum = AStar().plan(Interrupted(10**9), (0, 0), (14, 14)).cost
            assert plan.ok
            assert plan.lower_bound <= optimum <= plan.cost
            check_states(plan, Interrupted(10**9), (0, 0), (14, 14))


class Interrupted:
    """A square of towns with roads of random costs, whose reader presses Ctrl-C."""

    def __init__(self, presses: int) -> None:
        self.presses, self.calls = presses, 0
        self.costs = np.random.default_rng(1).uniform(1.0, 4.0, (15, 15))

    def neighbours(self, state: tuple[int, int]) -> Iterator[tuple[tuple[int, int], float]]:
        self.calls += 1
        if self.calls == self.presses:
            raise KeyboardInterrupt
        x, y = state
        for a, b in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if 0 <= a < 15 and 0 <= b < 15:
                yield (a, b), 0.5 * float(self.costs[x, y] + self.costs[a, b])

    def heuristic(self, a: tuple[int, int], b: tuple[int, int]) -> float:
        return abs(a[0] - b[0]) + abs(a[1] - b[1])
