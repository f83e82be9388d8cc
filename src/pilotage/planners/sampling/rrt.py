"""RRT: a tree that grows from the start into the space."""

from __future__ import annotations

import math

import numpy as np

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, Positive, settings
from ...core.streams import Rng
from ...models.trace import driver
from ..steering._curves import Curve
from ._draws import Sequence
from ._nearest import insert, neighbours
from ._query import Query, begun
from ._space import WORLD, cost_of_way, room, toward, way_allowed
from ._tree import COUNT, DONE, DRAWN, FULL, MEMORY, MORE, SAMPLES, TREE, USED, Bias, Progress, TreeSearch, attach


@settings
class RRT:
    """RRT, a rapidly exploring random tree: finds a feasible path through any space, without optimising it.

    ::

        repeat  x_near = the state of the tree nearest to a random state x
                x_new  = one step from x_near towards x
                add x_new to the tree if the way to it is allowed
        until   a goal is in the tree

    `RRTConnect` finds paths sooner; `RRTStar` finds shorter ones. Ways between states are edges of the space, or
    steering curves; all of them satisfy `Problem.edges_allowed`.

    Attributes:
        step: length of the longest edge, in the metric of the problem, or along the steering curve [m]; None: a tenth
            of the diagonal of the bounds.
        iterations: maximum number of samples.
        bias: share of the samples that are goals, above 0.
        samples: "uniform" random samples, or a "halton" sequence with a random shift.
        steering: `Dubins` or `ReedsShepp` for vehicles with a turning radius; None: `Space.interpolate`.
        progress: called with cost and seconds when a path is found.

    Source: S. LaValle, J. Kuffner, Randomized kinodynamic planning, IJRR 2001, figure 3.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> problem = OccupancyGrid.from_ascii(["........", "...##...", "........"]).problem([1, 1.5], [7, 1.5])
        >>> plan = RRT().plan(problem, rng=0)
        >>> plan.ok, plan.stats["tree"].shape[1], bool(problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all())
        (True, 2, True)
    """

    step: Positive | None = None
    iterations: Count = 100_000
    bias: Bias = 0.05
    samples: Sequence = "uniform"
    steering: Curve | None = None
    progress: Progress | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a path through the space of a problem.

        Args:
            problem: the problem. All real components of its space need bounds; a map provides them.
            rng: seed or generator.
            budget: maximum planning time [s].

        Returns:
            A plan as that of `RRTConnect`. `stats` contains ``seconds``, ``samples``, ``states``, ``checks`` of the
            constraint, the ``tree`` ``(N, n)`` and its ``parents`` ``(N,)``, and ``history`` ``(k, 3)``: seconds, cost
            and lower bound of each better path.

        Raises:
            PilotageError: if `problem` is not a `Problem`, has no bounds to draw samples from, or is not one in SE(2)
                although there is a steering curve.
        """
        _ = grow.compiled  # first: a budget is not spent on compiling
        query = begun(self, problem, rng, budget, self.steering, self.step)
        if not isinstance(query, Query):
            return query
        search = TreeSearch(query, grow, np.zeros(1), self.samples, self.bias, first=True)
        search.run(self.iterations, self.progress)
        return search.plan()


@driver(f"i8({TREE}, {WORLD}, {SAMPLES})")
def grow(tree, world, samples, targets, goal_nodes, state, settings):
    """Grow a tree by samples until a goal is in it.

    Args:
        tree, world: `Tree.arrays` and `Compiled.world`.
        samples, targets: random states ``(M, n)``, and which goal each of them is (-1: none).
        goal_nodes: the states of the tree that are goals, -1 where there is none; changed.
        state: see the constants; changed.
        settings: memory.

    Returns:
        MORE (samples are needed), FULL (call again with a larger tree) or DONE.
    """
    nodes, rooms, _, costs, chains, heads, children, _, hashing = tree
    found, away = state[MEMORY:], settings
    for k in range(samples.shape[0]):
        state[USED] = k
        new = state[COUNT]
        if new == nodes.shape[0]:
            return FULL
        state[DRAWN] += 1
        x = nodes[new]
        neighbours(world, False, hashing, nodes, heads, chains, samples[k], 1, math.inf, found, away)
        near = found[0]
        reached = toward(world, nodes[near], samples[k], x)
        rooms[new] = room(world, x)
        if away[0] == 0.0 or rooms[new] < 0.0 or not way_allowed(world, nodes[near], rooms[near], x, rooms[new]):
            continue
        children[new] = -1
        attach(tree, new, near, costs[near] + cost_of_way(world, False, nodes[near], x, math.inf))
        insert(hashing, heads, chains, new, x)
        state[COUNT] = new + 1
        if reached and targets[k] >= 0:
            goal_nodes[targets[k]] = new
            state[USED] = k + 1
            return DONE
    state[USED] = samples.shape[0]
    return MORE
