"""RRT-Connect: two trees that grow towards each other."""

from __future__ import annotations

import math
import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PilotageError
from ...core.plan import Budget, Plan, PlanStatus
from ...core.problem import EVEN, Problem
from ...core.settings import Count, Positive, setting, settings
from ...core.streams import Rng, seeded
from ...models.trace import driver
from ..steering._curves import FIRST as SEGMENT
from ..steering._curves import POSE, QUARTER, SEGMENTS, Curve, driven
from ._nearest import insert, nearest
from ._problem import Trees, compiled
from ._space import DIFFERENCE, SCALED, STEER, STEP, WORD, away, edge_allowed, move, room, subtract

Array = NDArray[np.float64]

# What `grow` returns.
MET, MORE, FULL = 0, 1, 2
# The array `state`: states in either tree, the tree that is next, samples drawn, where the trees met.
COUNT, ACTIVE, DRAWN, MEETING = 0, 2, 3, 4
REACHED = 6
TINY = 1e-7
"""A segment so short [m] is rounding."""
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

    With a steering curve, states are connected by it and the nearest state is the one with the shortest curve, so that
    a vehicle with this turning radius can drive the path. The problem must be one in SE(2), ``grid.problem(start, goal,
    footprint, space=Space("pose: SE2"))``, whose interpolation contains arcs and straight lines.

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
            metric of the problem. `stats` contains ``seconds``, ``samples`` and ``states``. With a steering curve, `us`
            ``(T, 2)`` are the speed (1 m/s, or -1 in reverse) and the yaw rate of a unicycle, and `ts` its times.

        Raises:
            PilotageError: if `problem` is not a `Problem`, has no bounds to draw samples from, or is not one in SE(2)
                although there is a steering curve.
        """
        if not isinstance(problem, Problem):
            raise PilotageError(
                f"RRTConnect plans for a Problem, not {type(problem).__name__}; grid.problem(start, goal, footprint) "
                "makes one"
            )
        if self.steering is not None and not _in_se2(problem):
            raise PilotageError(
                f"{self.steering!r} connects poses in SE(2), not states of {problem.space!r}; give the problem the "
                'space Space("pose: SE2")'
            )
        _ = grow.compiled, self.steering and self.steering.curve.address  # first: a budget is not spent on compiling
        began = time.perf_counter()
        deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
        stream, seed = seeded(rng)
        goals = problem.goals(rng=stream)
        fine = goals[problem.allowed(goals)]
        reason = problem.explain(problem.start, "start")
        reason = reason or ("" if len(fine) else problem.explain(goals[0], "goal"))
        if reason:
            return Plan(PlanStatus.INVALID, reason=reason, stats=_stats(began, 0, 0), seed=seed)
        bound = float(problem.distance(problem.start, fine).min())
        if bound == 0.0:
            xs, stats, shape = problem.start[None], _stats(began, 0, 0), problem.footprint
            return Plan(PlanStatus.SOLVED, problem.space, xs, cost=0.0, stats=stats, seed=seed, footprint=shape)
        search = _Search(problem, fine, self.step, self.steering)
        met = search.run(stream, self.samples, deadline)
        stats = _stats(began, search.drawn, search.trees.count)
        lower = 0.0 if search.partial else bound
        if met:
            xs = search.path()
            us, ts = (None, None) if self.steering is None else driven(problem.space, xs)
            cost = float(problem.distance(xs[:-1], xs[1:]).sum())
            return Plan(
                PlanStatus.SOLVED, problem.space, xs, us, ts, cost, lower, stats=stats, seed=seed,
                footprint=problem.footprint,
            )  # fmt: skip
        return Plan(PlanStatus.BUDGET, lower_bound=lower, reason=search.reason(), stats=stats, seed=seed)


class _Search:
    """Two trees, and the arrays that the driver takes."""

    def __init__(self, problem: Problem, goals: Array, step: float | None, steering: Curve | None) -> None:
        self.problem, self.world = problem, compiled(problem, step, steering)
        self.partial = len(goals) > 1 and problem.goal is not goals  # other states of a region may be nearer
        self.trees = Trees(problem.space.size, self.world.cells)
        self.state = np.zeros(7, dtype=np.int64)
        self.gap = np.array([math.inf, 0.0])
        for tree, roots in enumerate((problem.start[None], goals)):
            for x in roots:
                self._root(tree, np.array(x))

    def _root(self, tree: int, x: Array) -> None:
        while self.state[tree] + 1 >= self.trees.capacity:
            self.trees.grow()
        root(*self.trees.arrays, self.state, tree, x, self.world.rooms_of(x), self.world.hashing)

    @property
    def drawn(self) -> int:
        """Samples drawn."""
        return int(self.state[DRAWN])

    def run(self, stream: np.random.Generator, most: int, deadline: float) -> bool:
        """Grow the trees until they meet; False when samples or time are used up."""
        world, size = self.world, FIRST
        while self.drawn < most:
            if time.perf_counter() > deadline:
                return False
            count = min(size, most - self.drawn)
            samples = np.ascontiguousarray(self.problem.space.sample(count, rng=stream))
            used = 0
            while used < count:
                before = self.drawn
                outcome = grow.compiled(*self.trees.arrays, self.state, self.gap, samples[used:], *world.arrays)
                world.check()
                used += self.drawn - before
                if outcome == MET:
                    self.trees.count = int(self.state[:2].sum())
                    return True
                if outcome == FULL:
                    self.trees.grow()
            size = min(4 * size, LAST)
            self.trees.count = int(self.state[:2].sum())
        return False

    def path(self) -> Array:
        """States from the start to the goal."""
        ways: list[list[int]] = []
        for tree in range(2):
            node, way = int(self.state[MEETING + tree]), list[int]()
            while node >= 0:
                way.append(node)
                node = int(self.trees.parents[tree, node])
            ways.append(way)
        nodes = self.trees.nodes
        # Both ways end in the state where the trees met.
        return np.concatenate((nodes[0, ways[0][::-1]], nodes[1, ways[1][1:]]))

    def reason(self) -> str:
        """The reason for giving up."""
        a, b = (int(n) for n in self.state[:2])
        x = self.trees.nodes[int(self.gap[1]) & 1, int(self.gap[1]) >> 1]
        said = f"the budget was spent after {self.drawn} samples; the trees hold {a} and {b} states"
        if not math.isfinite(self.gap[0]):
            return said
        return f"{said} and are {self.gap[0]:.2f} apart, at ({', '.join(f'{v:.2f}' for v in x)})"


@driver("void(f8[:,:,::1], f8[:,::1], i8[:,::1], i8[:,::1], i8[:,::1], i8[::1], i8, f8[::1], f8, f8[:,::1])")
def root(nodes, rooms, parents, chains, heads, state, tree, x, left, hashing):
    """Put a root into a tree."""
    node = state[COUNT + tree]
    state[COUNT + tree] = node + 1
    for k in range(x.shape[0]):
        nodes[tree, node, k] = x[k]
    rooms[tree, node], parents[tree, node] = left, -1
    insert(hashing, heads[tree], chains[tree], node, x)


@driver
def closest(trees, tree, x, world):
    """The state of a tree that is nearest to x, and how far it is."""
    nodes, _, _, chains, heads, _ = trees
    return nearest(world, world[7], tree, nodes[tree], heads[tree], chains[tree], x)


@driver
def extend(trees, tree, near, x, world):
    """A step from a state of the tree towards x: the new state, the old one when it is there already, -1 if blocked."""
    nodes, state = trees[0], trees[5]
    codes, _, settings, metric, _, _, _, _, work = world
    if codes[STEER] != 0:
        return steer(trees, tree, near, x, world)
    d = work[DIFFERENCE]
    a = nodes[tree, near]
    length = subtract(codes, metric, x, a, d)
    state[REACHED] = 1
    if length == 0.0:
        return near
    b = nodes[tree, state[COUNT + tree]]
    if length > settings[STEP]:
        state[REACHED] = 0
        move(codes, metric, a, settings[STEP] / length, d, work[SCALED], b)
    else:
        copy(x, b)
    return add(trees, tree, near, world)


@driver
def copy(x, b):
    """``b = x``."""
    for k in range(x.shape[0]):
        b[k] = x[k]


@driver
def add(trees, tree, near, world):
    """Keep the state after the last one of the tree if the edge to it from `near` is allowed: its index, or -1.

    Edges are checked in the direction in which the path runs: a constraint may tell the two apart.
    """
    nodes, rooms, parents, chains, heads, state = trees
    node = state[COUNT + tree]
    a, b = nodes[tree, near], nodes[tree, node]
    here, left = rooms[tree, near], room(world, b)
    if left < 0.0:
        return -1
    fine = edge_allowed(world, a, here, b, left) if tree == 0 else edge_allowed(world, b, left, a, here)
    if not fine:
        return -1
    state[COUNT + tree] = node + 1
    rooms[tree, node], parents[tree, node] = left, near
    insert(world[7], heads[tree], chains[tree], node, b)
    return node


@driver
def steer(trees, tree, near, x, world):
    """`extend` along a steering curve; the states between its segments are kept, also those before an obstacle.

    The tree of the goal takes the curve from x to its state, and drives it from its end.
    """
    nodes, state = trees[0], trees[5]
    codes, _, settings, metric, _, _, _, _, work = world
    word, d = work[WORD], work[DIFFERENCE]
    total = away(world, tree, nodes[tree, near], x, math.inf)
    state[REACHED] = 1 if total <= settings[STEP] * (1.0 + EVEN) else 0
    left, count = min(total, settings[STEP]) if state[REACHED] == 0 else total, int(word[SEGMENTS])
    for i in range(count):
        k = i if tree == 0 else count - 1 - i
        curvature, length = word[SEGMENT + 2 * k], word[SEGMENT + 2 * k + 1]
        part = min(abs(length), left)
        left -= part
        pieces = max(math.ceil(abs(curvature * part) / QUARTER), 1) if part > TINY else 0
        for piece in range(pieces):
            signed = part / pieces if (length > 0.0) == (tree == 0) else -part / pieces
            d[0], d[1], d[2] = signed, 0.0, curvature * signed
            b = nodes[tree, state[COUNT + tree]]
            move(codes, metric, nodes[tree, near], 1.0, d, work[SCALED], b)
            if state[REACHED] == 1 and left <= TINY and piece == pieces - 1:
                copy(x, b)
            near = add(trees, tree, near, world)
            if near < 0:
                return -1
    return near


@driver(
    "i8(f8[:,:,::1], f8[:,::1], i8[:,::1], i8[:,::1], i8[:,::1], i8[::1], f8[::1], f8[:,::1],"
    " i8[::1], i8[::1], f8[::1], f8[::1], f8[:,::1], f8[::1], i8, f8[:,::1], f8[:,::1], i8)",
)
def grow(
    nodes, rooms, parents, chains, heads, state, gap, samples, codes, layout, settings, metric, bounds, p, count,
    hashing, work, reserve,
):  # fmt: skip
    """Grow two trees by samples, one after the other, until they meet.

    Args:
        nodes, rooms, parents, chains, heads: of `Trees`.
        state: see the constants above; changed.
        gap: how near the trees came, and the state there as ``2 node + tree``; changed.
        samples: random states ``(M, n)``.
        codes, layout, settings, metric, bounds, p, count, hashing, work: of `Compiled`.
        reserve: states that one sample may add at most.

    Returns:
        MET, MORE (samples are needed) or FULL (call again with larger trees, and the samples that are left).
    """
    trees = (nodes, rooms, parents, chains, heads, state)
    world = (codes, layout, settings, metric, bounds, p, count, hashing, work)
    for k in range(samples.shape[0]):
        if max(state[COUNT], state[COUNT + 1]) + reserve > nodes.shape[1]:
            return FULL
        state[DRAWN] += 1
        tree = state[ACTIVE]
        other = 1 - tree
        state[ACTIVE] = other
        near, _ = closest(trees, tree, samples[k], world)
        new = extend(trees, tree, near, samples[k], world)
        if new < 0:
            continue
        x = nodes[tree, new]
        near, away = closest(trees, other, x, world)
        if away < gap[0]:
            gap[0], gap[1] = away, 2 * new + tree
        state[REACHED] = 0
        while near >= 0 and state[REACHED] == 0:
            near = extend(trees, other, near, x, world)
        if near >= 0:
            state[MEETING + tree], state[MEETING + other] = new, near
            return MET
    return MORE


def _in_se2(problem: Problem) -> bool:
    """Whether the states of a problem are poses in SE(2), with the increments of `POSE`."""
    part = problem.space.parts[0]
    return len(problem.space.parts) == 1 and part.same_kind(POSE.parts[0]) and part.side == POSE.parts[0].side


def _stats(began: float, samples: int, states: int) -> dict[str, Any]:
    return {"seconds": time.perf_counter() - began, "samples": samples, "states": states}
