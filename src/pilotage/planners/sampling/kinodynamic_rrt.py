"""Kinodynamic RRT: a tree that a model of the robot grows."""

from __future__ import annotations

import math

import numpy as np

from ...core.dynamics import Dynamics
from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, Fraction, NonNegative, Positive, settings
from ...core.space import Space
from ...core.streams import Rng
from ...models.trace import driver
from ._draws import Sequence
from ._nearest import insert, neighbours
from ._propagation import DRAWN_CONTROLS, MODEL, REACHED, Propagation, at_goal, fitting, propagate
from ._query import Query, begun
from ._space import DIFFERENCE, WORLD, copy, subtract
from ._tree import COUNT, DONE, DRAWN, FULL, MEMORY, MORE, TREE, USED, Progress, attach


@settings
class KinodynamicRRT:
    """A kinodynamic RRT: a path that a model of the robot drives, with its controls.

    ::

        repeat  x_near = the state of the tree nearest to a random state x
                for each of some random controls u, held for k dt:    x_u = step(...step(x_near, u, dt)..., u, dt)
                x_new  = the x_u nearest to x; steps before something forbidden count
                add x_new to the tree
        until   a state is in the goal region, or within the tolerance of a goal

    The states of the plan are those of ``dynamics.rollout(start, us, dt)``, exactly. Edges between them are checked by
    `Problem.edges_allowed`. The path is not optimised: `SST` makes it shorter.

    Attributes:
        dynamics: the model; the problem must be one in its state space.
        controls: space that controls are drawn from, with bounds; None: the action space of the model.
        dt: seconds of a step.
        steps: least and greatest number of steps for which a control is held.
        tolerance: distance in the metric of the problem within which a goal state counts as reached.
        iterations: maximum number of samples.
        tries: number of controls tried for a sample.
        bias: share of the samples that are goals.
        samples: "uniform" random samples, or a "halton" sequence with a random shift.
        progress: called with cost and seconds when a path is found.

    Source: S. LaValle, J. Kuffner, Randomized kinodynamic planning, IJRR 2001, section 4.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.models import unicycle
        >>> robot, hall = unicycle(), OccupancyGrid.from_ascii(["........", "...##...", "........"])
        >>> problem = hall.problem([1, 1.5, 0], [7, 1.5, 0], space=robot.state)
        >>> controls = robot.action.bounded({"speed": (0, 1), "yaw_rate": (-1, 1)})
        >>> plan = KinodynamicRRT(robot, controls, tolerance=0.5).plan(problem, rng=0)
        >>> plan.ok, bool((plan.xs == robot.rollout(plan.xs[0], plan.us, 0.1)).all())
        (True, True)
    """

    dynamics: Dynamics
    controls: Space | None = None
    dt: Positive = 0.1
    steps: tuple[Count, Count] = (1, 20)
    tolerance: NonNegative = 0.1
    iterations: Count = 100_000
    tries: Count = 5
    bias: Fraction = 0.05
    samples: Sequence = "uniform"
    progress: Progress | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a path that the model drives.

        Args:
            problem: a problem in the state space of the model, all of whose real components have bounds.
            rng: seed or generator.
            budget: maximum planning time [s].

        Returns:
            A plan with states `xs` ``(T+1, n)``, controls `us` ``(T, m)`` and times `ts`; its cost is its length in the
            metric of the problem. `stats` are those of `RRT`.

        Raises:
            PilotageError: if `problem` is not a `Problem` in the state space of the model, or has no bounds.
        """
        _ = grow.compiled  # first: a budget is not spent on compiling
        fitting(self, problem)
        query = begun(self, problem, rng, budget)
        if not isinstance(query, Query):
            return query
        search = Propagation(query, grow, self, False, np.empty((2, problem.space.size)))
        search.run(self.iterations, self.progress, first=True)
        return search.plan()


@driver(f"i8({TREE}, {WORLD}, {MODEL}, {DRAWN_CONTROLS}, f8[:,::1])")
def grow(tree, world, model, samples, controls, steps, state, scratch):
    """Grow a tree by samples and controls until it reaches a goal.

    Args:
        tree, world, model: `Tree.arrays`, `Compiled.world`, `Propagation.model`.
        samples, controls, steps: states ``(M, n)``, controls ``(M, tries, m)``, and for how many steps each is held.
        state: see the constants; changed.
        scratch: memory ``(2, n)``.

    Returns:
        MORE (samples are needed), FULL (call again with a larger tree) or DONE.
    """
    nodes, rooms, _, costs, chains, heads, children, _, hashing = tree
    codes, _, _, metric, _, _, _, work = world
    _, _, _, held, counts, _, _, _ = model
    found = state[MEMORY:]
    for k in range(samples.shape[0]):
        state[USED] = k
        new = state[COUNT]
        if new + 1 >= nodes.shape[0]:
            return FULL
        state[DRAWN] += 1
        x, ways = samples[k], scratch[1]
        neighbours(world, False, hashing, nodes, heads, chains, x, 1, math.inf, found, ways)
        near, best = found[0], math.inf
        for j in range(controls.shape[1]):
            # The best try is kept in the place of the new state; the next one is made behind it.
            done = propagate(tree, world, model, near, new + 1, controls[k, j], steps[k, j], scratch[0])
            if done == 0:
                continue
            reached = at_goal(world, model, nodes[new + 1])
            away = -1.0 if reached else subtract(codes, metric, x, nodes[new + 1], work[DIFFERENCE])
            if away < best:
                best = away
                copy(nodes[new + 1], nodes[new])
                copy(controls[k, j], held[new])
                rooms[new], costs[new], counts[new] = rooms[new + 1], costs[new + 1], done
        if best == math.inf:
            continue
        children[new] = -1
        attach(tree, new, near, costs[new])
        insert(hashing, heads, chains, new, nodes[new])
        state[COUNT] = new + 1
        if best < 0.0:
            state[REACHED], state[USED] = new, k + 1
            return DONE
    state[USED] = samples.shape[0]
    return MORE
