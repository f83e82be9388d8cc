"""RRT-Connect: two trees that grow towards each other."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...core.plan import Plan
from ...core.problem import EVEN, Problem
from ...core.settings import Count, Positive, settings
from ...core.streams import Rng
from ...models.trace import call, driver
from ..steering._curves import FIRST as SEGMENT
from ..steering._curves import LENGTH, SEGMENTS, Curve
from ._nearest import insert, neighbours
from ._problem import FEW
from ._query import Query, begun
from ._space import (
    DIFFERENCE,
    RADIUS,
    SCALED,
    STEER,
    STEP,
    TINY,
    WORD,
    WORLD,
    copy,
    edge_allowed,
    move,
    pieces,
    room,
    subtract,
)  # fmt: skip
from ._tree import TREE, Tree, attach

Array = NDArray[np.float64]

# What `grow` returns.
MORE, MET = 0, 1
# The array `state`: states in either tree, the tree that is next, samples drawn, where the trees met, whether a step
# has reached its end, and memory for the nearest state, whose distance is written to `gap`.
COUNT, ACTIVE, DRAWN, MEETING, REACHED, FOUND = 0, 2, 3, 4, 6, 7
AWAY = 2
FIRST, LAST = 128, 4096
"""Samples in the first and in later rounds; the clock is read in between."""


@settings
class RRTConnect:
    """RRT-Connect: finds a feasible path through any space with two trees that grow towards each other.

    ::

        repeat  x_new = extend(T_a, random state)                   nearest state, a step towards the random one
                extend(T_b, x_new) until it is blocked or there     then the trees have met
                swap T_a and T_b

    The path is not optimised. Edges are checked with the constraint of the problem. The constraint of a footprint on a
    map (``grid.problem``) and that of a traced task run as machine code; other functions are called in Python. Every
    edge satisfies `Problem.edges_allowed`: an `EdgeConstraint` checks it without gaps, any other constraint at points
    ``problem.resolution`` apart.

    With a steering curve, states are connected by it and the nearest state is the one with the shortest curve in the
    metric, so that a vehicle with this turning radius can drive the path. The problem must be one in SE(2),
    ``grid.problem(start, goal, footprint, space=Space("pose: SE2"))``, whose interpolation contains arcs and straight
    lines.

    Attributes:
        step: length of the longest edge, in the metric of the problem, or along the steering curve [m]; None: a tenth
            of the diagonal of the bounds.
        samples: maximum number of random states.
        steering: `Dubins` or `ReedsShepp` for vehicles with a turning radius; None: `Space.interpolate`.

    Source: J. Kuffner, S. LaValle, RRT-Connect: an efficient approach to single-query path planning, 2000, figure 5.

    Example:
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["........", "...##...", "........"])
        >>> problem = grid.problem([1, 1.5, 0], [7, 1.5, 3], Footprint.rectangle(0.8, 0.3))
        >>> plan = RRTConnect().plan(problem, rng=0)
        >>> plan.ok, plan.space.names, bool(problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all())
        (True, ('x', 'y', 'yaw'), True)
    """

    misused: ClassVar[str] = "; grid.problem(start, goal, footprint) makes a problem"

    step: Positive | None = None
    samples: Count = 100_000
    steering: Curve | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a path through the space of a problem.

        Args:
            problem: the problem. All real components of its space need bounds; a map provides them.
            rng: seed or generator.
            budget: maximum planning time [s].

        Returns:
            A plan whose `xs` ``(T+1, n)`` lead from the start to a goal state, and whose `cost` is its length in the
            metric of the problem. `stats` contains ``seconds``, ``samples``, ``states``, ``checks`` of the constraint,
            and both trees: ``tree`` ``(N, n)`` and ``parents`` ``(N,)``. With a steering curve, `us` ``(T, 2)`` are the
            speed (1 m/s, or -1 in reverse) and the yaw rate of a unicycle, and `ts` its times.

        Raises:
            PilotageError: if `problem` is not a `Problem`, has no bounds to draw samples from, or is not one in SE(2)
                although there is a steering curve.
        """
        _ = grow.compiled, self.steering and self.steering.curve.address  # first: a budget is not spent on compiling
        query = begun(self, problem, rng, budget, self.steering, self.step)
        if not isinstance(query, Query):
            return query
        search = _Search(query)
        met, (tree, parents) = search.run(self.samples), search.forest()
        stats: dict[str, Any] = {"samples": search.drawn, "states": len(tree), "checks": query.world.checks}
        stats |= {"tree": tree, "parents": parents}
        if not met:
            return query.plan(None, math.inf, search.reason(), **stats)
        xs, cost = search.path()
        query.found(cost, None)
        return query.plan(xs, cost, "", steered=False, **stats)


class _Search:
    """Two trees, and the search that grows them."""

    def __init__(self, query: Query) -> None:
        self.query, self.world, self.reserve = query, query.world, query.world.machine.reserve
        self.trees = Tree(self.world, FEW), Tree(self.world, FEW)
        self.trees[0].plant(query.problem.start[None], query.rooms[:1])
        self.trees[1].plant(query.goals, query.rooms[1:])
        self.state = np.zeros(FOUND + 1, dtype=np.int64)
        self.state[: len(self.trees)] = 1, len(query.goals)
        self.gap = np.array([math.inf, 0.0, 0.0])

    @property
    def drawn(self) -> int:
        """Samples drawn."""
        return int(self.state[DRAWN])

    @property
    def counts(self) -> list[int]:
        """States of the trees."""
        return self.state[: len(self.trees)].tolist()

    def run(self, most: int) -> bool:
        """Grow the trees until they meet; False when samples or time are used up."""
        query, size = self.query, FIRST
        while self.drawn < most and not query.late:
            count = min(size, most - self.drawn)
            samples = np.ascontiguousarray(query.problem.space.sample(count, rng=query.stream))
            if self._feed(samples):
                return True
            size = min(4 * size, LAST)
        return False

    def _feed(self, samples: Array) -> bool:
        """Whether the trees meet with these samples."""
        first = self.drawn
        while self.drawn < first + len(samples):
            outcome = grow.compiled(
                self.trees[0].arrays, self.trees[1].arrays, self.world.world, samples[self.drawn - first :], self.state,
                self.gap, self.reserve,
            )  # fmt: skip
            self.world.check()
            if outcome == MET:
                return True
            for tree, count in zip(self.trees, self.counts, strict=True):
                if count + self.reserve > tree.capacity:
                    tree.grow(count)
        return False

    def forest(self) -> tuple[Array, NDArray[np.int64]]:
        """The states of both trees, and their parents; -1 for roots."""
        (one, other), (a, b) = self.trees, self.counts
        back = other.parents[:b]
        parents = np.concatenate((one.parents[:a], np.where(back < 0, -1, back + a)))
        return np.concatenate((one.nodes[:a], other.nodes[:b])), parents

    def path(self) -> tuple[Array, float]:
        """States from the start to the goal, and their cost."""
        met = self.state[MEETING : MEETING + 2].tolist()
        ahead, back = (tree.nodes[tree.way(node)] for tree, node in zip(self.trees, met, strict=True))
        cost = sum(float(tree.costs[node]) for tree, node in zip(self.trees, met, strict=True))
        return np.concatenate((ahead, back[-2::-1])), cost  # both ways end in the state where the trees met

    def reason(self) -> str:
        """The reason for giving up."""
        a, b = self.counts
        node, tree = divmod(int(self.gap[1]), 2)
        said = f"the budget was spent after {self.drawn} samples; the trees hold {a} and {b} states"
        if not math.isfinite(self.gap[0]):
            return said
        x = ", ".join(f"{value:.2f}" for value in self.trees[tree].nodes[node])
        return f"{said} and are {self.gap[0]:.2f} apart, at ({x})"


@driver(f"i8({TREE}, {TREE}, {WORLD}, f8[:,::1], i8[::1], f8[::1], i8)")
def grow(ahead, back, world, samples, state, gap, reserve):
    """Grow two trees by samples, one after the other, until they meet.

    Args:
        ahead, back, world: `Tree.arrays` of the start and of the goals, and `Compiled.world`.
        samples: random states ``(M, n)``.
        state: see the constants above; changed.
        gap: how near the trees came, and the state there as ``2 node + tree``; changed. Then memory.
        reserve: states that one sample may add at most.

    Returns:
        MET, or MORE (call again with the samples that are left, and larger trees if there is no room for `reserve`).
    """
    trees = (ahead, back)
    for k in range(samples.shape[0]):
        if state[COUNT] + reserve > ahead[0].shape[0] or state[COUNT + 1] + reserve > back[0].shape[0]:
            return MORE
        state[DRAWN] += 1
        side = state[ACTIVE]
        other = 1 - side
        state[ACTIVE] = other
        near = closest(trees[side], side, samples[k], world, state, gap)
        new = extend(trees[side], side, near, samples[k], world, state)
        if new < 0:
            continue
        x = trees[side][0][new]
        near = closest(trees[other], other, x, world, state, gap)
        if gap[AWAY] < gap[0]:
            gap[0], gap[1] = gap[AWAY], 2 * new + side
        state[REACHED] = 0
        while near >= 0 and state[REACHED] == 0:
            near = extend(trees[other], other, near, x, world, state)
        if near >= 0:
            state[MEETING + side], state[MEETING + other] = new, near
            return MET
    return MORE


@driver
def closest(tree, side, x, world, state, gap):
    """The state of a tree that is nearest to x; how far it is is written to `gap`."""
    nodes, _, _, _, chains, heads, _, _, hashing = tree
    found = state[FOUND:]
    neighbours(world, side == 1, hashing, nodes, heads, chains, x, 1, math.inf, found, gap[AWAY:])
    return found[0]


@driver
def extend(tree, side, near, x, world, state):
    """A step from a state of the tree towards x: the new state, the old one when it is there already, -1 if blocked."""
    codes, _, settings, metric, _, _, _, work = world
    if codes[STEER] != 0:
        return steer(tree, side, near, x, world, state)
    nodes, d = tree[0], work[DIFFERENCE]
    a, b = nodes[near], nodes[state[COUNT + side]]
    length = subtract(codes, metric, x, a, d)
    state[REACHED] = 1
    if length == 0.0:
        return near
    if length > settings[STEP]:
        state[REACHED] = 0
        move(codes, metric, a, settings[STEP] / length, d, work[SCALED], b)
    else:
        copy(x, b)
    return add(tree, side, near, world, state)


@driver
def add(tree, side, near, world, state):
    """Keep the state after the last one of the tree if the edge to it from `near` is allowed: its index, or -1.

    Edges are checked in the direction in which the path runs: a constraint may tell the two apart.
    """
    nodes, rooms, _, costs, chains, heads, children, _, hashing = tree
    codes, _, _, metric, _, _, _, work = world
    node = state[COUNT + side]
    a, b = nodes[near], nodes[node]
    here, left = rooms[near], room(world, b)
    if left < 0.0:
        return -1
    fine = edge_allowed(world, a, here, b, left) if side == 0 else edge_allowed(world, b, left, a, here)
    if not fine:
        return -1
    state[COUNT + side] = node + 1
    rooms[node], children[node] = left, -1
    attach(tree, node, near, costs[near] + subtract(codes, metric, b, a, work[DIFFERENCE]))
    insert(hashing, heads, chains, node, b)
    return node


@driver
def steer(tree, side, near, x, world, state):
    """`extend` along a steering curve; the states between its segments are kept, also those before an obstacle.

    The tree of the goal takes the curve from x to its state, and drives it from its end.
    """
    nodes = tree[0]
    codes, _, settings, metric, _, _, _, work = world
    word, d = work[WORD], work[DIFFERENCE]
    if side == 0:
        call(codes[STEER], nodes[near], x, 0, settings[RADIUS:], word)
    else:
        call(codes[STEER], x, nodes[near], 0, settings[RADIUS:], word)
    left, count = word[LENGTH], int(word[SEGMENTS])
    state[REACHED] = 1 if left <= settings[STEP] * (1.0 + EVEN) else 0
    if state[REACHED] == 0:
        left = settings[STEP]
    for i in range(count):
        k = i if side == 0 else count - 1 - i
        curvature, length = word[SEGMENT + 2 * k], word[SEGMENT + 2 * k + 1]
        part = min(abs(length), left)
        left -= part
        parts = pieces(curvature, part)
        for piece in range(parts):
            signed = part / parts if (length > 0.0) == (side == 0) else -part / parts
            d[0], d[1], d[2] = signed, 0.0, curvature * signed
            b = nodes[state[COUNT + side]]
            move(codes, metric, nodes[near], 1.0, d, work[SCALED], b)
            if state[REACHED] == 1 and left <= TINY and piece == parts - 1:
                copy(x, b)
            near = add(tree, side, near, world, state)
            if near < 0:
                return -1
    return near
