"""BIT*: a search over batches of samples in order of what a path through them may cost."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, Positive, settings
from ...core.streams import Rng
from ...models.trace import driver
from ..steering._curves import Curve
from ._draws import Draws, Sequence
from ._heap import HEAP, heap, larger, pop, push
from ._nearest import neighbours
from ._query import Query, begun
from ._space import WORLD, way_allowed
from ._tree import BLOCK, COUNT, FULL, MORE, MOST, TREE, Progress, Tree, attach, cheapen, detach
from .rrt_star import GAIN, constants, near_count, near_radius

Array = NDArray[np.float64]
DONE = 2
OLD, GOALS = 1, 2
"""In the array `state`, behind COUNT: states from before the batch, and how many states behind the start are goals."""
EDGES = 64
"""Edges taken from the queue between two looks at the clock, at first."""


@settings
class BITStar:
    """BIT*, batch informed trees: an anytime planner in any space, which orders its search as A* does.

    ::

        repeat  add a batch of samples that can improve the path: floor(start, x) + floor(x, goal) < c
                queue of edges (v, x) between near states by   g(v) + c(v, x) + floor(x, goal)
                take edges from the queue; where g(v) + c(v, x) < g(x) and the way is allowed, v becomes parent of x
                the batch ends when no edge in the queue can improve the path

    g is the cost from the start in the tree, c(v, x) the cost of the way, c the cost of the best path; near is as in
    `RRTStar`, over the states that can improve the path. States that cannot are dropped before each batch. Edges
    between old states are only looked at again from states whose cost has fallen: others have been refused before.

    Attributes:
        batch: number of samples in a batch.
        iterations: maximum number of samples.
        neighbours: "nearest" for the k nearest states, "radius" for those within r.
        factor: factor of k or r; above 1 the theorem holds, and 2 reaches low costs sooner than 1.1 does.
        samples: "uniform" random samples, or a "halton" sequence with a random shift.
        steering: `Dubins` or `ReedsShepp` for vehicles with a turning radius; None: `Space.interpolate`.
        progress: called with cost and seconds of each better path.

    Source: J. Gammell, T. Barfoot, S. Srinivasa, Batch informed trees (BIT*): informed asymptotically optimal anytime
    search, IJRR 2020, algorithms 1 to 3.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> problem = OccupancyGrid.from_ascii(["........", "...##...", "........"]).problem([1, 1.5], [7, 1.5])
        >>> plan = BITStar(iterations=2000).plan(problem, rng=0)
        >>> round(plan.cost, 1), plan.lower_bound
        (6.3, 6.0)
    """

    batch: Count = 100
    iterations: Count = 20_000
    neighbours: Literal["nearest", "radius"] = "nearest"
    factor: Positive = 2.0
    samples: Sequence = "uniform"
    steering: Curve | None = None
    progress: Progress | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a short path through the space of a problem; arguments and results are those of `RRTStar.plan`."""
        _ = search.compiled, start.compiled, relink.compiled  # first: a budget is not spent on compiling
        query = begun(self, problem, rng, budget, self.steering)
        return _Batches(self, query).run() if isinstance(query, Query) else query


class _Batches:
    """The states: start, goals and samples, some of which are in the tree (those with finite cost)."""

    def __init__(self, planner: BITStar, query: Query) -> None:
        self.planner, self.query = planner, query
        self.world = query.world
        self.tree, self.queue = Tree(self.world), heap(4096)
        self.draws = Draws(query.problem, planner.samples, query.stream)
        self.state = np.zeros(3, dtype=np.int64)
        self.near = np.empty(MOST), np.empty(MOST, dtype=np.int64)
        self.numbers = constants(query.problem, planner.neighbours, planner.factor)
        self.gamma, self.volume = self.numbers[1], self.draws.volume
        self.paid, self.to_come, self.to_go = np.zeros((3, 0))
        self.best, self.drawn = math.inf, 0
        self.stock = np.zeros((0, query.problem.space.size)), np.zeros(0), np.zeros(0)
        self._add(*self._bounded(np.concatenate((query.problem.start[None], query.goals))))
        self.tree.costs[0], self.state[OLD], self.state[GOALS] = 0.0, 1, len(query.goals)

    def run(self) -> Plan:
        """Search batch after batch."""
        most, query = self.planner.iterations, self.query
        try:
            while not query.late and self.best > query.bound * (1.0 + 1e-12):
                self._search()
                if self.drawn >= most:
                    break
                self._next(min(self.planner.batch, most - self.drawn))
        except KeyboardInterrupt:
            if not math.isfinite(self.best):
                raise
        return self._plan()

    def _next(self, count: int) -> None:
        """Drop what cannot improve the path, and add a batch of samples."""
        self.drawn += count
        self._prune()
        self.state[OLD] = self.state[COUNT]
        self._add(*self._take(count))
        self.numbers[1] = self.gamma * (self.draws.volume / self.volume) ** (1.0 / self.numbers[2])

    def _take(self, count: int) -> tuple[Array, Array, Array]:
        """The next samples that can improve the path, drawn many at a time, with their lower bounds."""
        stock = self.stock
        if len(stock[0]) < count:
            problem, goals = self.query.problem, self.query.goals
            more = self.draws.promising(max(count, BLOCK), problem.start[None], goals, self.best)
            stock = tuple(np.concatenate(each) for each in zip(stock, self._bounded(more), strict=True))
        kept = stock[1] + stock[2] < self.best
        states, to_come, to_go = (each[kept] for each in stock)
        self.stock = states[count:], to_come[count:], to_go[count:]
        return states[:count], to_come[:count], to_go[:count]

    def _bounded(self, states: Array) -> tuple[Array, Array, Array]:
        """States with the lower bounds of the costs from the start and to a goal."""
        floor = self.draws.floor
        return states, floor(self.query.problem.start, states), floor(states, self.query.goals[:, None]).min(0)

    def _add(self, states: Array, to_come: Array, to_go: Array) -> None:
        """Add those states that are allowed, outside the tree."""
        rooms = self.world.room(states)
        fine = rooms >= 0.0
        states, rooms, to_come, to_go = states[fine], rooms[fine], to_come[fine], to_go[fine]
        tree, first = self.tree, int(self.state[COUNT])
        last = first + len(states)
        while last > tree.capacity:
            tree.grow(first)
        tree.nodes[first:last] = states
        tree.costs[first:last] = np.inf
        tree.parents[first:last] = tree.children[first:last] = tree.siblings[first:last] = -1
        tree.rooms[first:last] = rooms
        self.state[COUNT] = last
        self.paid = np.append(self.paid, np.full(len(states), np.inf))
        self.to_come, self.to_go = np.append(self.to_come, to_come), np.append(self.to_go, to_go)
        tree.rehash(last)

    def _prune(self) -> None:
        """Keep states on which a better path may lie; those whose way in the tree is too long leave the tree."""
        tree, n = self.tree, int(self.state[COUNT])
        kept = self.to_come + self.to_go < self.best
        kept[: 1 + self.state[GOALS]] = True
        kept[tree.way(self._goal)] = True
        costs, parents = tree.costs[:n][kept], tree.parents[:n][kept]
        new = np.cumsum(kept) - 1
        orphaned = (costs + self.to_go[kept] > self.best * (1.0 + GAIN)) | ((parents >= 0) & ~kept[parents])
        parents = np.where((parents < 0) | orphaned, -1, new[parents])
        costs = np.where(orphaned, np.inf, costs)
        count = len(costs)
        for array in (tree.nodes, tree.rooms):
            array[:count] = array[:n][kept]
        self.paid, self.to_come, self.to_go = (each[kept] for each in (self.paid, self.to_come, self.to_go))
        self.paid[orphaned] = np.inf
        tree.costs[:count], tree.parents[:count], self.state[COUNT] = costs, parents, count
        relink.compiled(tree.arrays, count)

    @property
    def _goal(self) -> int:
        """The goal that is cheapest to reach, in the tree or not."""
        return 1 + int(self.tree.costs[1 : 1 + self.state[GOALS]].argmin())

    def _search(self) -> None:
        """Empty the queue, in short calls of the driver."""
        given = *self.near[::-1], self.paid, self.to_go, self.state, self.numbers, self.best
        self.queue[3][0] = 0
        while start.compiled(self.tree.arrays, self.world.world, self.queue, *given) == FULL:
            self.queue = larger(self.queue)
        limit, outcome = EDGES, MORE
        while outcome != DONE and not self.query.late:
            given = *given[:-1], self.best
            outcome = search.compiled(self.tree.arrays, self.world.world, self.queue, *given, limit)
            self.world.check()
            if outcome == FULL:
                self.queue = larger(self.queue)
            cost = float(self.tree.costs[self._goal])
            if cost < self.best:
                self.best = cost
                self.query.found(cost, self.planner.progress)

    def _plan(self) -> Plan:
        tree, n, goal = self.tree, int(self.state[COUNT]), self._goal
        known = math.isfinite(self.best)
        inside = np.isfinite(tree.costs[:n])
        number = np.cumsum(inside) - 1
        parents = tree.parents[:n][inside]
        gap = self.query.problem.distance(tree.nodes[:n][inside][:, None], self.query.goals).min()
        reason = f"the budget was spent after {self.drawn} samples; the tree holds {inside.sum()} states, the nearest "
        return self.query.plan(
            tree.nodes[tree.way(goal)] if known else None, self.best, f"{reason}to the goal is {gap:.2f} from it",
            samples=self.drawn, states=n, checks=self.world.checks, tree=tree.nodes[:n][inside],
            parents=np.where(parents < 0, -1, number[parents]),
        )  # fmt: skip


@driver(f"void({TREE}, i8)")
def relink(tree, count):
    """Rebuild the lists of children from the parents."""
    _, _, parents, _, _, _, children, siblings, _ = tree
    for node in range(count):
        children[node] = siblings[node] = -1
    for node in range(count):
        if parents[node] >= 0:
            siblings[node] = children[parents[node]]
            children[parents[node]] = node


STATES = "i8[::1], f8[::1], f8[::1], f8[::1], i8[::1], f8[::1], f8"
"""The types of found, ways, paid, to_go, state, numbers and best in the drivers."""


@driver(f"i8({TREE}, {WORLD}, {HEAP}, {STATES})")
def start(tree, world, queue, found, ways, paid, to_go, state, numbers, best):
    """Fill the queue: edges to the new states, and old states whose cost has fallen since they were expanded."""
    nodes, _, _, costs, chains, heads, _, _, hashing = tree
    queue[3][0] = 0
    if queue[0].shape[0] < state[OLD] + MOST * (state[COUNT] - state[OLD] + 1):
        return FULL
    most, radius = near_count(numbers, state[COUNT]), near_radius(numbers, state[COUNT], math.inf)
    for v in range(state[OLD]):
        if costs[v] < paid[v] and costs[v] + to_go[v] < best:
            push(queue, costs[v] + to_go[v], v, -1, 0.0)
    for x in range(state[OLD], state[COUNT]):
        for j in range(neighbours(world, False, hashing, nodes, heads, chains, nodes[x], most, radius, found, ways)):
            cost = costs[found[j]] + ways[j]
            if found[j] != x and cost + to_go[x] < best:
                push(queue, cost + to_go[x], found[j], x, ways[j])
    return MORE


@driver(f"i8({TREE}, {WORLD}, {HEAP}, {STATES}, i8)")
def search(tree, world, queue, found, ways, paid, to_go, state, numbers, best, limit):
    """Take edges from the queue until the batch is done.

    Args:
        tree, world: `Tree.arrays` and `Compiled.world`.
        queue: entries (v, -1) are states to be expanded, entries (v, x) edges.
        found, ways: memory for neighbours.
        paid: the cost of each state when it was last expanded.
        to_go: lower bounds of the costs to a goal.
        state: see the constants.
        numbers: see `rrt_star.constants`.
        best: cost of the best path.
        limit: entries to take at most.

    Returns:
        MORE (call again), FULL (call again with a larger queue), DONE.
    """
    nodes, rooms, _, costs, _, _, _, _, _ = tree
    for _ in range(limit):
        if queue[3][0] == 0:
            return DONE
        if queue[3][0] + MOST + 1 > queue[0].shape[0]:
            return FULL
        key, v, x, way = pop(queue)
        if key >= best:
            return DONE
        if x < 0:
            expand(tree, world, queue, found, ways, paid, to_go, state, numbers, best, v)
            continue
        cost = costs[v] + way
        if cost + to_go[x] >= best or cost >= costs[x] * (1.0 - GAIN):
            continue
        if not way_allowed(world, nodes[v], rooms[v], nodes[x], rooms[x]):
            continue
        if costs[x] < math.inf:
            detach(tree, x)
            cheapen(tree, x, costs[x] - cost)
        attach(tree, x, v, cost)
        push(queue, cost + to_go[x], x, -1, 0.0)
        for goal in range(1, 1 + state[GOALS]):
            best = min(best, costs[goal])
    return MORE


@driver
def expand(tree, world, queue, found, ways, paid, to_go, state, numbers, best, v):
    """Put the edges from a state into the queue that may improve the path, unless they were with its cost of now."""
    nodes, _, parents, costs, chains, heads, _, _, hashing = tree
    if costs[v] >= paid[v]:
        return
    paid[v] = costs[v]
    most, radius = near_count(numbers, state[COUNT]), near_radius(numbers, state[COUNT] + 1, math.inf)
    for j in range(neighbours(world, True, hashing, nodes, heads, chains, nodes[v], most, radius, found, ways)):
        x, cost = found[j], costs[v] + ways[j]
        if x != v and x != parents[v] and cost < costs[x] and cost + to_go[x] < best:
            push(queue, cost + to_go[x], v, x, ways[j])
