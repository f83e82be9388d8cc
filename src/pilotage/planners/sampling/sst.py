"""SST: a sparse tree that a model grows, whose paths become cheap ones."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from ...core.dynamics import Dynamics
from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, Fraction, NonNegative, Positive, settings
from ...core.space import Space
from ...core.streams import Rng
from ...models.trace import driver
from ._draws import Sequence
from ._nearest import insert, neighbours, remove
from ._propagation import BEST, DRAWN_CONTROLS, MODEL, REACHED, Propagation, at_goal, fitting, propagate
from ._query import Query, begun
from ._space import STEP, WORLD, copy
from ._tree import COUNT, DONE, DRAWN, FULL, MEMORY, MORE, MOST, TREE, USED, Progress, Tree, attach, detach

# In the array `marks`: radius of selection, radius of witnesses.
SELECTION, PRUNING = 0, 1


@settings
class SST:
    """SST, the stable sparse RRT: an anytime planner for a model of the robot, without a steering function.

    ::

        repeat  x_near = the cheapest state within `selection` of a random state (else the nearest one)
                x_new  = x_near after a random control, held for a random number of steps
                s      = the witness nearest to x_new; x_new itself becomes one if none is within `pruning`
                if x_new is cheaper than the state that represents s, it takes its place,
                and the old one is removed, with its parents as far as nothing else depends on them

    The cost of its paths tends to that of a path near the optimum: the smaller the radii, the nearer, and the later.
    The states of the plan are those of ``dynamics.rollout(start, us, dt)``, exactly. No moving obstacle of the problem
    touches the disc around the robot before it arrives. Among moving obstacles, a cheaper state still takes the place
    of one that comes at a better time, so a path may be missed, and costs need not tend to the optimum.

    Attributes:
        dynamics: the model; the problem must be one in its state space.
        controls: space that controls are drawn from, with bounds; None: the action space of the model.
        dt: seconds of a step.
        steps: least and greatest number of steps for which a control is held.
        selection: radius of the selection in the metric of the problem; None: 2 % of the diagonal of the bounds.
        pruning: radius of a witness in the metric of the problem; None: half the radius of the selection.
        cost: "length" in the metric of the problem, or "time" [s].
        tolerance: distance in the metric of the problem within which a goal state counts as reached.
        iterations: maximum number of samples.
        bias: share of the samples that are goals.
        samples: "uniform" random samples, or a "halton" sequence with a random shift.
        progress: called with cost and seconds of each better path.

    Source: Y. Li, Z. Littlefield, K. Bekris, Asymptotically optimal sampling-based kinodynamic planning, IJRR 2016,
    algorithms 5 to 9.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.models import unicycle
        >>> robot, hall = unicycle(), OccupancyGrid.from_ascii(["........", "...##...", "........"])
        >>> problem = hall.problem([1, 1.5, 0], [7, 1.5, 0], space=robot.state)
        >>> controls = robot.action.bounded({"speed": (0, 1), "yaw_rate": (-1, 1)})
        >>> plan = SST(robot, controls, tolerance=0.5, iterations=20_000).plan(problem, rng=0)
        >>> plan.ok, bool((plan.xs == robot.rollout(plan.xs[0], plan.us, 0.1)).all())
        (True, True)
    """

    dynamics: Dynamics
    controls: Space | None = None
    dt: Positive = 0.1
    steps: tuple[Count, Count] = (1, 20)
    selection: Positive | None = None
    pruning: Positive | None = None
    cost: Literal["length", "time"] = "length"
    tolerance: NonNegative = 0.1
    iterations: Count = 100_000
    bias: Fraction = 0.05
    samples: Sequence = "uniform"
    progress: Progress | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a cheap path that the model drives; arguments and results are those of `KinodynamicRRT.plan`.

        With ``cost="time"``, the cost is the duration [s].
        """
        _ = grow.compiled  # first: a budget is not spent on compiling
        fitting(self, problem)
        query = begun(self, problem, rng, budget, timed=True)
        if not isinstance(query, Query):
            return query
        search = Propagation(query, grow, self, self.cost == "time")
        selection = self.selection or 0.2 * float(search.world.settings[STEP])
        marks = np.array([selection, self.pruning or 0.5 * selection])
        witnesses = Tree(search.world)
        witnesses.plant(problem.start[None], query.rooms[:1])
        witnesses.parents[0] = 0
        search.more = [witnesses, np.ones(1, dtype=np.int64), marks, np.empty(MOST), np.empty(problem.space.size)]
        search.run(self.iterations, self.progress, first=False)
        return search.plan()


@driver(f"i8({TREE}, {WORLD}, {MODEL}, {DRAWN_CONTROLS}, {TREE}, i8[::1], f8[::1], f8[::1], f8[::1])")
def grow(tree, world, model, samples, controls, steps, state, witnesses, number, marks, ways, scratch):
    """Grow a tree by samples and controls until it reaches a goal more cheaply.

    Args:
        tree, world, model: `Tree.arrays`, `Compiled.world`, `Propagation.model`.
        samples, controls, steps: states ``(M, n)``, controls ``(M, 1, m)``, and for how many steps each is held.
        state: see the constants; changed.
        witnesses, number: `Tree.arrays` whose parents are the states that represent witnesses, and how many there are.
        marks: see the constants.
        ways, scratch: memory.

    Returns:
        MORE (samples are needed), FULL (call again with larger trees) or DONE.
    """
    nodes, _, _, costs, chains, heads, children, _, hashing = tree
    _, _, _, held, counts, _, _, numbers, _, _ = model
    found = state[MEMORY:]
    for k in range(samples.shape[0]):
        state[USED] = k
        new = state[COUNT]
        if new + 1 >= nodes.shape[0]:
            return FULL
        state[DRAWN] += 1
        near = selected(tree, world, samples[k], marks[SELECTION], found, ways)
        done = propagate(tree, world, model, near, new, controls[k, 0], steps[k, 0], scratch)
        if done == 0:
            continue
        witness = witness_of(world, witnesses, number, nodes[new], marks[PRUNING], found, ways)
        old = witnesses[2][witness]
        cheaper = old < 0 or costs[new] < costs[old]
        better = costs[new] < numbers[BEST] and at_goal(world, model, nodes[new])
        if not cheaper and not better:
            continue
        copy(controls[k, 0], held[new])
        counts[new], children[new] = done, -1
        attach(tree, new, near, costs[new])
        state[COUNT] = new + 1
        if cheaper:
            insert(hashing, heads, chains, new, nodes[new])
            witnesses[2][witness] = new
            if old >= 0:
                retire(tree, old)
        if better:
            state[REACHED], state[USED] = new, k + 1
            return DONE
    state[USED] = samples.shape[0]
    return MORE


@driver
def selected(tree, world, x, radius, found, ways):
    """The cheapest active state within a radius of x, or the nearest one."""
    nodes, _, _, costs, chains, heads, _, _, hashing = tree
    count = neighbours(world, False, hashing, nodes, heads, chains, x, MOST, radius, found, ways)
    if count == 0:
        count = neighbours(world, False, hashing, nodes, heads, chains, x, 1, math.inf, found, ways)
    best = found[0]
    for j in range(1, count):
        if costs[found[j]] < costs[best]:
            best = found[j]
    return best


@driver
def witness_of(world, witnesses, number, x, radius, found, ways):
    """The witness nearest to x; x itself becomes one where none is within a radius."""
    nodes, _, representatives, _, chains, heads, _, _, hashing = witnesses
    if neighbours(world, False, hashing, nodes, heads, chains, x, 1, radius, found, ways) > 0:
        return found[0]
    witness = number[0]
    number[0] = witness + 1
    copy(x, nodes[witness])
    representatives[witness] = -1
    insert(hashing, heads, chains, witness, x)
    return witness


@driver
def retire(tree, node):
    """Take a state out of the selection, and out of the tree with its parents, as far as nothing depends on them."""
    nodes, rooms, parents, _, chains, heads, children, _, hashing = tree
    remove(hashing, heads, chains, node, nodes[node])
    rooms[node] = -1.0  # no longer active
    while node > 0 and children[node] < 0 and rooms[node] < 0.0:
        parent = parents[node]
        detach(tree, node)
        node = parent
