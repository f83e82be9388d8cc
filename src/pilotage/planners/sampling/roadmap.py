"""Roadmaps: graphs of states and ways between them, for many queries in one space."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.streams import Rng
from ...models.trace import driver
from ..search import EdgeGraph
from ..steering._curves import Curve
from ._bound import Floor
from ._draws import Draws, Sequence
from ._heap import HEAP, heap, pop, push
from ._nearest import neighbours
from ._problem import compiled
from ._query import Query, begun
from ._space import ONE_WAY, WORLD, cost_of_way, way_allowed
from ._tree import TREE, Tree

Array = NDArray[np.float64]
UNKNOWN, ALLOWED, BLOCKED = 0, 1, 2
"""Status of a way."""
EDGES = "Tuple((i8[::1], i8[:,::1], f8[::1], i8[::1], i8[::1], i8[::1]))"
"""First way from each state; from where to where ways lead, their costs and status, the next from the same; count."""
NONE, AGAIN = -1, -2
ROUND = 32
"""States connected between two looks at the clock."""


class Roadmap:
    """A roadmap: states of a space and ways between them, which answers many queries.

    ::

        G = (V, E),   V: allowed samples,   (v, w) in E: w is one of the k cheapest to reach from v, or the reverse
        a query connects start and goals to their k neighbours and searches a shortest path by A*

    `PRM`, `PRMStar` and `LazyPRM` make roadmaps. Ways that were not checked when the roadmap was made are checked when
    a shortest path uses them, in the direction in which it does; the result is kept for later queries.

    Args:
        problem: the problem whose space and constraint the roadmap has; its start and goal do not matter.
        steering: the curve that connects states; None: `Space.interpolate`.

    Attributes:
        problem: the problem.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.planners import PRM
        >>> hall = OccupancyGrid.from_ascii(["........", "...##...", "........"])
        >>> roadmap = PRM(size=200).roadmap(hall.problem([1, 1.5], [7, 1.5]), rng=0)
        >>> roadmap.plan([1, 1.5], [7, 1.5]).ok, roadmap.plan([0.5, 0.5], [7, 2.5]).ok, len(roadmap.states)
        (True, True, 200)
    """

    def __init__(self, problem: Problem, steering: Curve | None = None) -> None:
        self.problem, self.steering = problem, steering
        self._world = compiled(problem, None, steering)
        self._tree, self._count, self._near, self._connected = Tree(self._world), 0, 1, 0
        self._first = np.zeros(0, dtype=np.int64)
        self._ends, self._costs = np.zeros((64, 2), dtype=np.int64), np.zeros(64)
        self._status, self._next = np.zeros((2, 64), dtype=np.int64)
        self._edges = np.zeros(1, dtype=np.int64)

    @property
    def states(self) -> Array:
        """The states ``(N, n)``."""
        return self._tree.nodes[: self._count]

    @property
    def edges(self) -> NDArray[np.int64]:
        """The ways ``(E, 2)`` from state to state that are not known to be blocked."""
        n = int(self._edges[0])
        return self._ends[:n][self._status[:n] != BLOCKED]

    @property
    def graph(self) -> EdgeGraph:
        """The roadmap as a graph for the planners of `pilotage.planners.search`."""
        n = int(self._edges[0])
        fine = self._status[:n] != BLOCKED
        return EdgeGraph(self._count, self._ends[:n][fine], self._costs[:n][fine], directed=True)

    def plan(self, start: Any, goal: Any, *, budget: float | None = None) -> Plan:
        """A shortest path on the roadmap.

        Args:
            start: a state or a belief.
            goal: a state, a belief, states or a region, as of `Problem`.
            budget: maximum planning time [s].

        Returns:
            A plan as that of `RRT`. ``stats["tree"]`` holds the states, and ``stats["edges"]`` ``(E, 2)`` the ways.
        """
        query = begun(self, dataclasses.replace(self.problem, start=start, goal=goal), 0, budget, self.steering)
        return self._answer(query) if isinstance(query, Query) else query

    def add(self, size: int, near: int, samples: Sequence, query: Query) -> None:
        """Add allowed samples, until there are `size` states or the time is up; each has `near` neighbours."""
        draws, self._near = Draws(self.problem, samples, query.stream), near
        barren = 0
        while self._count < size and barren < 100 and not query.late:
            more = draws.take(min(size, 1024))
            rooms = self._world.room(more)
            fine = np.flatnonzero(rooms >= 0.0)[: size - self._count]
            barren = 0 if len(fine) else barren + 1
            self._insert(more[fine], rooms[fine])

    def _insert(self, states: Array, rooms: Array) -> None:
        tree, first, last = self._tree, self._count, self._count + len(states)
        while last > tree.capacity:
            tree.grow(first)
        tree.nodes[first:last], tree.rooms[first:last] = states, rooms
        self._count = last
        self._first = np.append(self._first, np.full(len(states), -1, dtype=np.int64))
        tree.rehash(last)

    def connect(self, query: Query, check: bool) -> None:
        """Connect the states that were added, and check the ways unless they are to be checked in queries."""
        while self._connected < self._count and not query.late:
            last = min(self._connected + ROUND, self._count)
            self._reserve(2 * self._near * ROUND)
            memory = np.empty(self._near + 1, dtype=np.int64), np.empty(self._near + 1)
            connect.compiled(
                self._tree.arrays, self._world.world, self._links, self._connected, last, self._count, check, *memory
            )
            self._world.check()
            self._connected = last

    @property
    def _links(self) -> tuple[Any, ...]:
        return self._first, self._ends, self._costs, self._status, self._next, self._edges

    def _reserve(self, count: int) -> None:
        """Make room for more ways."""
        while self._edges[0] + count > len(self._costs):
            for name in ("_ends", "_costs", "_status", "_next"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate((old, np.zeros_like(old))))

    def _answer(self, query: Query) -> Plan:
        """Add start and goals, search, and take them off again."""
        n, edges, first, connected = self._count, int(self._edges[0]), self._first, self._connected
        self._first = first.copy()
        ends = np.concatenate((query.problem.start[None], query.goals))
        self._insert(ends, self._world.room(ends))
        self._connected = n
        path, cost = None, math.inf
        try:
            self._join(n)
            path, cost = self._search(query, n)
        finally:
            self._count, self._edges[0], self._first, self._connected = n, edges, first, connected
            self._tree.rehash(n)
        if path is not None:
            query.found(cost, None)
        known = "in different components of" if not query.late else "not joined in time by"
        reason = f"start and goal are {known} a roadmap of {n} states and {edges} ways"
        return query.plan(
            path, cost, reason, samples=n, states=n, checks=self._world.checks, tree=self.states.copy(),
            edges=self.edges.copy(),
        )  # fmt: skip

    def _join(self, n: int) -> None:
        """Connect states from the n-th on to their neighbours, without checks."""
        near = self._near + self._count - n
        self._reserve(2 * near * (self._count - n))
        memory = np.empty(near + 1, dtype=np.int64), np.empty(near + 1)
        connect.compiled(self._tree.arrays, self._world.world, self._links, n, self._count, self._count, False, *memory)

    def _search(self, query: Query, start: int) -> tuple[Array | None, float]:
        """The shortest path from a state to the goals behind it, with its cost."""
        to_go = Floor(self.problem)(self.states[:, None], query.goals).min(-1)
        g, via = np.empty(self._count), np.empty(self._count, dtype=np.int64)
        queue, goal = heap(int(self._edges[0]) + 2), AGAIN
        while goal == AGAIN and not query.late:
            goal = shortest.compiled(self._tree.arrays, self._world.world, self._links, queue, to_go, start, g, via)
            self._world.check()
        if goal < 0:
            return None, math.inf
        nodes, cost = [goal], float(g[goal])
        while nodes[-1] != start:
            nodes.append(int(self._ends[via[nodes[-1]], 0]))
        return self.states[nodes[::-1]].copy(), cost


def planned(planner: Any, problem: Problem, rng: Rng, budget: float | None) -> Plan:
    """The plan on a roadmap that is made for one query."""
    _ = connect.compiled, shortest.compiled  # first: a budget is not spent on compiling
    query = begun(planner, problem, rng, budget, planner.steering)
    if not isinstance(query, Query):
        return query
    return made(planner, query)._answer(query)


def made(planner: Any, query: Query) -> Roadmap:
    """The roadmap of a planner."""
    roadmap = Roadmap(query.problem, planner.steering)
    roadmap.add(planner.size, planner.near(query.problem), planner.samples, query)
    roadmap.connect(query, planner.checks)
    return roadmap


def roadmap(planner: Any, problem: Problem, rng: Rng, budget: float | None) -> Roadmap:
    """The roadmap of a planner for a space; where start and goal are does not matter."""
    _ = connect.compiled, shortest.compiled
    query = begun(planner, problem, rng, budget, planner.steering)
    if not isinstance(query, Query):
        query = Query.untied(problem, rng, budget, planner.steering)
    return made(planner, query)


@driver
def link(links, a, b, cost, status):
    """Add a way, unless there is one between the two states."""
    first, ends, costs, known, after, count = links
    e = first[a]
    while e >= 0:
        if ends[e, 1] == b:
            return
        e = after[e]
    e = count[0]
    count[0] = e + 1
    ends[e, 0], ends[e, 1], costs[e], known[e] = a, b, cost, status
    after[e], first[a] = first[a], e


@driver(f"void({TREE}, {WORLD}, {EDGES}, i8, i8, i8, b1, i8[::1], f8[::1])")
def connect(tree, world, links, begin, end, total, check, found, ways):
    """Add the ways between states and their neighbours, both ways; blocked ones are left out if they are checked."""
    nodes, rooms, _, _, chains, heads, _, _, hashing = tree
    most = found.shape[0]
    for a in range(begin, min(end, total)):
        for j in range(neighbours(world, True, hashing, nodes, heads, chains, nodes[a], most, math.inf, found, ways)):
            b = found[j]
            if b == a:
                continue
            one_way = world[1][ONE_WAY] != 0
            back = cost_of_way(world, True, nodes[a], nodes[b], math.inf) if one_way else ways[j]
            free = not check or way_allowed(world, nodes[a], rooms[a], nodes[b], rooms[b])
            if free:
                link(links, a, b, ways[j], ALLOWED if check else UNKNOWN)
            if free or one_way:
                link(links, b, a, back, UNKNOWN)


@driver(f"i8({TREE}, {WORLD}, {EDGES}, {HEAP}, f8[::1], i8, f8[::1], i8[::1])")
def shortest(tree, world, links, queue, to_go, start, g, via):
    """A* from a state to one of the goals behind it, over ways that are not blocked; then a check of its ways.

    Returns:
        The goal, whose path `via` holds; NONE, or AGAIN after a way was found to be blocked.
    """
    nodes, rooms, _, _, _, _, _, _, _ = tree
    first, ends, costs, status, after, _ = links
    g[:] = math.inf
    g[start], queue[3][0] = 0.0, 0
    push(queue, to_go[start], start, 0, 0.0)
    while queue[3][0] > 0:
        _, a, _, cost = pop(queue)
        if cost > g[a]:
            continue
        if a > start:
            return checked(nodes, rooms, world, ends, status, start, a, via)
        e = first[a]
        while e >= 0:
            b = ends[e, 1]
            if status[e] != BLOCKED and cost + costs[e] < g[b]:
                g[b], via[b] = cost + costs[e], e
                push(queue, g[b] + to_go[b], b, 0, g[b])
            e = after[e]
    return NONE


@driver
def checked(nodes, rooms, world, ends, status, start, goal, via):
    """The goal, if all ways to it are allowed; else AGAIN, and a way is known to be blocked."""
    node = goal
    while node != start:
        e = via[node]
        a, b = ends[e, 0], ends[e, 1]
        if status[e] == UNKNOWN:
            free = way_allowed(world, nodes[a], rooms[a], nodes[b], rooms[b])
            status[e] = ALLOWED if free else BLOCKED
            if not free:
                return AGAIN
        node = a
    return goal
