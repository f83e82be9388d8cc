"""RRT*: a tree whose paths become shortest ones."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, Positive, settings
from ...core.streams import Rng
from ...models.trace import driver
from ..steering._curves import Curve
from ._draws import Sequence, measure, unit_ball
from ._nearest import insert, neighbours
from ._query import Query, begun
from ._space import ONE_WAY, STEP, WORLD, cost_of_way, room, toward, way_allowed
from ._tree import (
    COUNT,
    DRAWN,
    FULL,
    MEMORY,
    MORE,
    MOST,
    SAMPLES,
    TREE,
    USED,
    Bias,
    Progress,
    TreeSearch,
    attach,
    cheapen,
    detach,
)

# Numbers in the array `settings`: k_RRG, gamma, d, the cost to undercut, and the least cost of a goal; behind them the
# goal, and memory for costs.
NEAREST, GAMMA, DIMENSION, UNDERCUT, LEAST, GOAL = 0, 1, 2, 3, 4, 5
GAIN = 1e-12
"""A cost that falls by less than this share does not fall but for rounding."""


@settings
class RRTStar:
    """RRT*: an anytime planner in any space, whose cost tends to the minimum as samples are added.

    ::

        repeat  x_new  = one step from the nearest state of the tree towards a random state
                X_near = the k nearest states, k = factor e (1 + 1/d) log n,
                         or those within r = min(factor gamma (log n / n)^(1/d), step),
                            gamma = 2 (1 + 1/d)^(1/d) (mu / zeta_d)^(1/d)
                parent of x_new = the x in X_near with least cost(x) + c(x, x_new), by an allowed way
                for x in X_near:  if cost(x_new) + c(x_new, x) < cost(x), x_new becomes its parent

    n is the number of states, d the dimension, mu the volume of the bounds, zeta_d that of the unit ball. The best path
    so far is the result when the budget is spent or Ctrl-C is pressed. The cost is the length in the metric of the
    problem; along a steering curve, a segment of length s and curvature k is ``s sqrt(w_x^2 + (w_yaw k)^2)`` long.

    Attributes:
        step: length of the longest edge, in the metric of the problem, or along the steering curve [m]; None: a tenth
            of the diagonal of the bounds.
        iterations: maximum number of samples.
        neighbours: "nearest" for the k nearest states, "radius" for those within r.
        factor: factor of k or r; above 1 the theorem holds, and 2 reaches low costs sooner than 1.1 does.
        bias: share of the samples that are goals, above 0, as long as these are not in the tree.
        samples: "uniform" random samples, or a "halton" sequence with a random shift.
        steering: `Dubins` or `ReedsShepp` for vehicles with a turning radius; None: `Space.interpolate`.
        progress: called with cost and seconds of each better path.

    Source: S. Karaman, E. Frazzoli, Sampling-based algorithms for optimal motion planning, IJRR 2011, algorithm 6.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> problem = OccupancyGrid.from_ascii(["........", "...##...", "........"]).problem([1, 1.5], [7, 1.5])
        >>> plan = RRTStar(iterations=3000).plan(problem, rng=0)
        >>> round(plan.cost, 1), bool((np.diff(plan.stats["history"][:, 1]) < 0).all())
        (6.3, True)
    """

    step: Positive | None = None
    iterations: Count = 20_000
    neighbours: Literal["nearest", "radius"] = "nearest"
    factor: Positive = 2.0
    bias: Bias = 0.05
    samples: Sequence = "uniform"
    steering: Curve | None = None
    progress: Progress | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a short path through the space of a problem.

        Args:
            problem: the problem. All real components of its space need bounds; a map provides them.
            rng: seed or generator.
            budget: maximum planning time [s].

        Returns:
            The best path found, in a plan as that of `RRT`; ``stats["history"]`` holds the costs over time.

        Raises:
            PilotageError: if `problem` is not a `Problem`, has no bounds to draw samples from, or is not one in SE(2)
                although there is a steering curve.
        """
        return planned(self, problem, rng, budget, informed=False)


def planned(planner: Any, problem: Problem, rng: Rng, budget: float | None, informed: bool) -> Plan:
    """The plan of RRT*, or of informed RRT*."""
    _ = grow.compiled  # first: a budget is not spent on compiling
    query = begun(planner, problem, rng, budget, planner.steering, planner.step)
    if not isinstance(query, Query):
        return query
    rules = constants(problem, planner.neighbours, planner.factor)
    numbers = np.concatenate([rules, [math.inf], query.goals[0], np.empty(2 * MOST)])
    search = TreeSearch(query, grow, numbers, planner.samples, planner.bias, informed=informed)
    # Where the metric itself is the floor, states that cost too much are left out like samples that cannot improve.
    search.undercut = UNDERCUT if informed and problem.space.flat and len(query.goals) == 1 else None
    search.run(planner.iterations, planner.progress)
    return search.plan()


def constants(problem: Problem, neighbours: str, factor: float) -> np.ndarray:
    """k_RRG (0: by radius), gamma, the dimension, and no cost to undercut."""
    d = problem.space.dim
    k = factor * math.e * (1.0 + 1.0 / d) if neighbours == "nearest" else 0.0
    gamma = factor * 2.0 * (1.0 + 1.0 / d) ** (1.0 / d) * (measure(problem) / unit_ball(d)) ** (1.0 / d)
    return np.array([k, gamma, d, math.inf])


@driver
def near_count(settings, n):
    """How many neighbours to look at among n states."""
    return min(MOST, max(math.ceil(settings[NEAREST] * math.log(n + 1.0)), 1)) if settings[NEAREST] > 0.0 else MOST


@driver
def near_radius(settings, n, step):
    """How far to look for neighbours among n states."""
    if settings[NEAREST] > 0.0:
        return math.inf
    return min(settings[GAMMA] * (math.log(n + 1.0) / n) ** (1.0 / settings[DIMENSION]), step)


@driver(f"i8({TREE}, {WORLD}, {SAMPLES})")
def grow(tree, world, samples, targets, goal_nodes, state, settings):
    """Grow a tree by samples, and rewire it, up to a cheaper path; arguments and results as those of RRT's."""
    nodes, rooms, _, _, chains, heads, _, _, hashing = tree
    n = nodes.shape[1]
    goal, memory = settings[GOAL : GOAL + n], settings[GOAL + n :]
    step = world[2][STEP]
    found, near = state[MEMORY:], memory[:MOST]
    for k in range(samples.shape[0]):
        state[USED] = k
        new = state[COUNT]
        if new == nodes.shape[0]:
            return FULL
        state[DRAWN] += 1
        x = nodes[new]
        most, radius = near_count(settings, new), near_radius(settings, new, step)
        count = neighbours(world, False, hashing, nodes, heads, chains, samples[k], most, radius, found, near)
        if count == 0:
            neighbours(world, False, hashing, nodes, heads, chains, samples[k], 1, math.inf, found, near)
        nearest = found[0]
        if near[0] == 0.0:
            continue
        reached = toward(world, nodes[nearest], samples[k], x)
        rooms[new] = room(world, x)
        if rooms[new] < 0.0:
            continue
        if not reached:
            count = neighbours(world, False, hashing, nodes, heads, chains, x, most, radius, found, near)
        limit = settings[UNDERCUT]
        if limit < math.inf:
            limit -= cost_of_way(world, False, x, goal, math.inf)
        if not choose_parent(tree, world, new, nearest, found, near, count, memory[MOST:], limit):
            continue
        insert(hashing, heads, chains, new, x)
        state[COUNT] = new + 1
        if world[1][ONE_WAY] != 0:
            count = neighbours(world, True, hashing, nodes, heads, chains, x, most, radius, found, near)
        rewire(tree, world, new, found, near, count)
        if reached and targets[k] >= 0:
            goal_nodes[targets[k]] = new
        if cheaper(tree, goal_nodes, settings):
            state[USED] = k + 1
            return MORE
    state[USED] = samples.shape[0]
    return MORE


@driver
def cheaper(tree, goal_nodes, settings):
    """Whether the cheapest goal costs less than before, which is noted."""
    _, _, _, costs, _, _, _, _, _ = tree
    before = settings[LEAST]
    for node in goal_nodes:
        if node >= 0:
            settings[LEAST] = min(settings[LEAST], costs[node])
    return settings[LEAST] < before


@driver
def choose_parent(tree, world, new, nearest, found, near, count, totals, limit):
    """Attach a state to the neighbour with the cheapest allowed way to it; False if there is none up to a limit."""
    nodes, rooms, _, costs, _, _, children, _, _ = tree
    x, listed = nodes[new], False
    for j in range(count):
        totals[j] = costs[found[j]] + near[j]
        listed = listed or found[j] == nearest
    children[new] = -1
    for _ in range(count):
        best = 0
        for j in range(1, count):
            if totals[j] < totals[best]:
                best = j
        parent, total = found[best], totals[best]
        if total > limit:
            return False
        if way_allowed(world, nodes[parent], rooms[parent], x, rooms[new]):
            attach(tree, new, parent, total)
            return True
        totals[best] = math.inf
    total = costs[nearest] + cost_of_way(world, False, nodes[nearest], x, math.inf)
    if listed or total > limit or not way_allowed(world, nodes[nearest], rooms[nearest], x, rooms[new]):
        return False
    attach(tree, new, nearest, total)
    return True


@driver
def rewire(tree, world, new, found, near, count):
    """Make a state the parent of those neighbours that are cheaper to reach through it."""
    nodes, rooms, parents, costs, _, _, _, _, _ = tree
    for j in range(count):
        node = found[j]
        if node == parents[new] or node == new:
            continue
        saving, way = costs[node] - costs[new], near[j]
        if way < saving - GAIN * costs[node] and way_allowed(world, nodes[new], rooms[new], nodes[node], rooms[node]):
            detach(tree, node)
            cheapen(tree, node, saving - way)
            attach(tree, node, new, costs[node])
