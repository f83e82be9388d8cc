"""One tree of states, as flat arrays, and the search that grows it by samples while there is time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ...core.settings import Interval
from ...models.trace import Driver, driver
from ._draws import Draws, Sequence
from ._nearest import CELLS, rehash
from ._problem import Compiled
from ._query import Query

Array = NDArray[np.float64]
Progress = Callable[[float, float], Any]
"""Called with cost and seconds of each better path."""
Bias = Annotated[float, Interval(0.0, 1.0, "(]")]
"""Share of the samples that are goals, of planners that reach a goal by such a sample only."""
TREE = "Tuple((f8[:,::1], f8[::1], i8[::1], f8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[:,::1]))"
"""The type of `Tree.arrays`."""
SAMPLES = "f8[:,::1], i8[::1], i8[::1], i8[::1], f8[::1]"
"""The type of samples, their places among the goals, goal nodes, state and settings of a search."""
# The array `state`: states in the tree, samples drawn, samples used of those that were given.
COUNT, DRAWN, USED = 0, 1, 2
# What drivers return.
MORE, FULL, DONE = 0, 1, 2
MEMORY, MOST = 8, 500
"""Where neighbours are written in `state`, and how many of them at most."""
BLOCK = 1024
"""Samples drawn at a time."""
SHORT, LONG = 1e-3, 4e-3
"""Seconds between two looks at the clock."""


class Tree:
    """A tree of states with costs: flat arrays that grow, and a hash grid with about two states in a cell.

    Attributes:
        nodes, rooms, parents, costs: states ``(N, n)``, the slack of the constraint, parent and cost from the root.
        chains, heads: states of a cell.
        children, siblings: first child of each state, and the next child of the same parent.
    """

    PARTS = ("nodes", "rooms", "parents", "costs", "chains", "children", "siblings")

    def __init__(self, world: Compiled, capacity: int = 1024) -> None:
        self.machine, self.capacity = world.machine, capacity
        self.nodes = np.empty((capacity, self.machine.space.size))
        self.rooms, self.costs = np.zeros((2, capacity))
        self.parents, self.chains, self.children, self.siblings = np.full((4, capacity), -1, dtype=np.int64)
        self.hashing = self.machine.grid(self.capacity)
        self.heads = self._heads()

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What drivers call the tree."""
        return (
            self.nodes, self.rooms, self.parents, self.costs, self.chains, self.heads, self.children, self.siblings,
            self.hashing,
        )  # fmt: skip

    def _heads(self) -> NDArray[np.int64]:
        columns, rows = self.hashing[:, CELLS].tolist()
        return np.full(int(columns * rows), -1, dtype=np.int64)

    def plant(self, states: Array, rooms: Array) -> None:
        """Make states ``(K, n)`` roots."""
        n = len(states)
        while n > self.capacity:
            self.grow(0)
        self.nodes[:n], self.rooms[:n], self.costs[:n] = states, rooms, 0.0
        rehash.compiled(self.hashing, self.nodes, self.rooms, self.heads, self.chains, n)

    def grow(self, count: int) -> None:
        """Make room for twice as many states."""
        for name in self.PARTS:
            old = getattr(self, name)
            setattr(self, name, np.concatenate((old, np.zeros_like(old))))
        self.capacity *= 2
        self.rehash(count)

    def rehash(self, count: int) -> None:
        """Chain the first states into a grid of the right size."""
        self.hashing = self.machine.grid(self.capacity)
        self.heads = self._heads()
        rehash.compiled(self.hashing, self.nodes, self.rooms, self.heads, self.chains, count)

    def way(self, node: int) -> list[int]:
        """Nodes from the root to a node."""
        found: list[int] = []
        while node >= 0:
            found.append(node)
            node = self.parents.item(node)
        return found[::-1]


class TreeSearch:
    """A search that grows a tree from the start by samples.

    Args:
        query: the query.
        grow: the driver ``i8(tree, world, samples, targets, goal nodes, state, settings)``.
        settings: numbers of the driver.
        samples: kind of samples.
        bias: share of samples that are goals, as long as these are not in the tree.
        informed: whether samples that cannot improve the best path are left out.
        first: whether the first path ends the search.
    """

    def __init__(
        self,
        query: Query,
        grow: Driver,
        settings: Array,
        samples: Sequence,
        bias: float,
        *,
        informed: bool = False,
        first: bool = False,
    ) -> None:
        self.query, self.grow, self.settings, self.bias = query, grow, settings, bias
        self.informed, self.first = informed, first
        self.world = query.world
        self.tree = Tree(self.world)
        self.state, self.goal_nodes = (
            np.zeros(MEMORY + MOST, dtype=np.int64),
            np.full(len(query.goals), -1, dtype=np.int64),
        )
        self.draws = Draws(query.problem, samples, query.stream)
        self.best = math.inf
        self.undercut: int | None = None  # place of the best cost in the settings, where the driver wants it
        self.tree.plant(query.problem.start[None], query.rooms[:1])
        self.state[COUNT] = 1

    @property
    def reached(self) -> int:
        """The goal node that is cheapest to reach; -1 if there is none."""
        nodes = self.goal_nodes[self.goal_nodes >= 0]
        return int(nodes[self.tree.costs[nodes].argmin()]) if len(nodes) else -1

    def run(self, most: int, progress: Progress | None) -> None:
        """Grow the tree until samples or time are used up, a path cannot be improved, or Ctrl-C is pressed."""
        try:
            while self.state[DRAWN] < most and not self.query.late and not self._finished:
                samples, targets = self._block()  # whole blocks: more iterations continue the same tree
                left = most - int(self.state[DRAWN])
                self._feed(samples[:left], targets[:left], progress)
        except KeyboardInterrupt:
            if self.reached < 0:
                raise

    @property
    def _finished(self) -> bool:
        return self.best <= self.query.bound * (1.0 + 1e-12) or (self.first and self.reached >= 0)

    def _block(self) -> tuple[Array, NDArray[np.int64]]:
        """Samples, and which of them are goals."""
        query = self.query
        cost = self.best if self.informed else math.inf
        samples = self.draws.promising(BLOCK, query.problem.start[None], query.goals, cost)
        targets, missing = np.full(len(samples), -1, dtype=np.int64), np.flatnonzero(self.goal_nodes < 0)
        if len(missing):
            every = np.arange(len(samples)) / self.bias
            every = every[every < len(samples)].astype(int)
            targets[every] = missing[np.arange(len(every)) % len(missing)]
            samples[every] = query.goals[targets[every]]
        return samples, targets

    def _feed(self, samples: Array, targets: NDArray[np.int64], progress: Progress | None) -> None:
        """Give samples to the driver, a few at a time."""
        used, size = 0, 16
        while used < len(samples) and not self.query.late and not self._finished:
            began = time.perf_counter()
            part = slice(used, used + size)
            outcome = self.grow.compiled(
                self.tree.arrays, self.world.world, samples[part], targets[part], self.goal_nodes, self.state,
                self.settings,
            )  # fmt: skip
            self.world.check()
            used += int(self.state[USED])
            if outcome == FULL:
                self.tree.grow(int(self.state[COUNT]))
            self._note(progress)
            took = time.perf_counter() - began
            size = 2 * size if took < SHORT else max(size // 2, 1) if took > LONG else size
        if not len(samples):
            self.state[DRAWN] += BLOCK  # none of them could improve the path

    def _note(self, progress: Progress | None) -> None:
        node = self.reached
        if node >= 0 and self.tree.costs[node] < self.best:
            self.best = float(self.tree.costs[node])
            if self.undercut is not None:
                self.settings[self.undercut] = self.best
            self.query.found(self.best, progress)

    def plan(self) -> Any:
        """The plan to the cheapest goal node."""
        count, node = int(self.state[COUNT]), self.reached
        states = None if node < 0 else self.tree.nodes[self.tree.way(node)]
        return self.query.plan(
            states, self.best, "" if node >= 0 else self._reason(count), samples=int(self.state[DRAWN]), states=count,
            checks=self.world.checks, tree=self.tree.nodes[:count].copy(), parents=self.tree.parents[:count].copy(),
        )  # fmt: skip

    def _reason(self, count: int) -> str:
        problem, nodes = self.query.problem, self.tree.nodes[:count]
        gaps = problem.distance(nodes[:, None], self.query.goals).min(-1)
        x = ", ".join(f"{value:.2f}" for value in nodes[gaps.argmin()])
        return (
            f"the budget was spent after {self.state[DRAWN]} samples; the tree holds {count} states, the nearest to "
            f"the goal is {gaps.min():.2f} from it, at ({x})"
        )


@driver
def attach(tree, node, parent, cost):
    """Make a state the child of another."""
    _, _, parents, costs, _, _, children, siblings, _ = tree
    parents[node], costs[node] = parent, cost
    siblings[node], children[parent] = children[parent], node


@driver
def detach(tree, node):
    """Take a state from its parent."""
    _, _, parents, _, _, _, children, siblings, _ = tree
    parent = parents[node]
    if children[parent] == node:
        children[parent] = siblings[node]
        return
    other = children[parent]
    while siblings[other] != node:
        other = siblings[other]
    siblings[other] = siblings[node]


@driver
def cheapen(tree, node, saved):
    """Lower the costs of a state and of all behind it."""
    _, _, parents, costs, _, _, children, siblings, _ = tree
    at = node
    while True:
        costs[at] -= saved
        if children[at] >= 0:
            at = children[at]
            continue
        while at != node and siblings[at] < 0:
            at = parents[at]
        if at == node:
            return
        at = siblings[at]
