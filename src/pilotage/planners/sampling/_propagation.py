"""Trees that a model grows: controls held for a number of steps, and the plans made of them."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.dynamics import Dynamics
from ...core.errors import PilotageError
from ...core.plan import Plan
from ...core.problem import Problem
from ...core.space import Space
from ...models.trace import Driver, call, code_of, driver, parameters
from ..search._intervals import meets, segments
from ._draws import Draws
from ._query import Query
from ._space import DIFFERENCE, bow, copy, edge_allowed, inside, room, subtract
from ._tree import BLOCK, COUNT, DRAWN, FULL, LONG, MOST, SHORT, USED, Progress, Tree

Array = NDArray[np.float64]
MODEL = "Tuple((i8, f8[::1], f8[::1], f8[:,::1], i8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1]))"
"""Code of the model, dt, its parameters; controls and steps of each state; goals, bounds of a region, and numbers;
times of the states, and segments of moving obstacles."""
DRAWN_CONTROLS = "f8[:,::1], f8[:,:,::1], i8[:,::1], i8[::1]"
"""The type of samples, controls to try, for how many steps, and state."""
# The array `state`, behind COUNT, DRAWN and USED: the state of the tree that has reached a goal.
REACHED = 3
# Numbers of a search: greatest distance of the goal, the best cost, whether cost is time, where a state has x and y.
TOLERANCE, BEST, TIMED, X, Y = 0, 1, 2, 3, 4


class Propagation:
    """A search that grows a tree from the start by a model.

    Args:
        query: the query.
        grow: the driver ``i8(tree, world, model, samples, controls, steps, state, ...)``.
        planner: whose settings these are: dynamics, dt, steps, tries, bias, samples, tolerance.
        timed: whether the cost is the time instead of the length.
        more: further arguments of the driver.
    """

    def __init__(self, query: Query, grow: Driver, planner: Any, timed: bool, *more: Any) -> None:
        self.query, self.grow, self.planner, self.more, self.timed = query, grow, planner, list(more), timed
        dynamics: Dynamics = planner.dynamics
        self.world = query.world
        self.code = code_of(dynamics, "y")
        self.dt, self.p = np.array([planner.dt]), np.ascontiguousarray(parameters(dynamics, planner.dt))
        self.tree = Tree(self.world)
        self.us, self.steps = np.zeros((self.tree.capacity, dynamics.action.size)), self._zeros()
        self.times, self.moving, at = np.zeros(self.tree.capacity), np.zeros((0, 7)), (0, 0)
        if moving := query.problem.moving:
            radius = 0.0 if query.problem.footprint is None else query.problem.footprint.radius
            self.moving = np.ascontiguousarray(np.concatenate([segments(each, radius) for each in moving]))
            at = [query.problem.space.find(name, "a moving obstacle") for name in ("x", "y")]
        goal, problem = query.problem.goal, query.problem
        region = isinstance(goal, Space)
        self.region = np.array([goal.low, goal.high]) if region else np.zeros((2, problem.space.size))
        self.numbers = np.array([-1.0 if region else planner.tolerance, math.inf, float(timed), *at])
        self.state = np.zeros(8 + MOST, dtype=np.int64)
        self.state[REACHED] = -1
        self.draws = Draws(problem, planner.samples, query.stream)
        tolerance = max(float(self.numbers[TOLERANCE]), 0.0)
        query.bound = 0.0 if timed else max(query.bound - tolerance, 0.0)
        query.reach = tolerance / float(problem.weights.min())
        self.path: tuple[Array, Array] | None = None
        self.best = math.inf
        self.tree.plant(problem.start[None], query.rooms[:1])
        self.state[COUNT] = 1

    def _zeros(self) -> NDArray[np.int64]:
        return np.zeros(self.tree.capacity, dtype=np.int64)

    @property
    def model(self) -> tuple[Any, ...]:
        """What drivers call the model."""
        made = self.code.address, self.dt, self.p, self.us, self.steps
        return *made, self.query.goals, self.region, self.numbers, self.times, self.moving

    def run(self, most: int, progress: Progress | None, first: bool) -> None:
        """Grow the tree until samples or time are used up, Ctrl-C is pressed, or there is a path and `first` is set."""
        try:
            while self.state[DRAWN] < most and not self.query.late and not (first and self.path is not None):
                left = most - int(self.state[DRAWN])
                samples, controls, steps = self._block(BLOCK)
                self._feed(samples[:left], controls[:left], steps[:left], progress, first)
        except KeyboardInterrupt:
            if self.path is None:
                raise

    def _block(self, count: int) -> tuple[Array, Array, NDArray[np.int64]]:
        """Samples, controls to try for each, and for how many steps."""
        planner, stream = self.planner, self.query.stream
        samples, tries = self.draws.take(count), getattr(planner, "tries", 1)
        goals = stream.random(count) < planner.bias
        samples[goals] = self.query.goals[stream.integers(len(self.query.goals), size=int(goals.sum()))]
        controls = (planner.controls or planner.dynamics.action).sample((count, tries), rng=stream)
        steps = stream.integers(planner.steps[0], planner.steps[1] + 1, size=(count, tries))
        return samples, np.ascontiguousarray(controls, dtype=np.float64), steps

    def _feed(
        self, samples: Array, controls: Array, steps: NDArray[np.int64], progress: Progress | None, first: bool
    ) -> None:
        """Give samples to the driver, a few at a time."""
        used, size = 0, 4
        while used < len(samples) and not self.query.late and not (first and self.path is not None):
            began, part = time.perf_counter(), slice(used, used + size)
            outcome = self.grow.compiled(
                self.tree.arrays, self.world.world, self.model, samples[part], controls[part], steps[part], self.state,
                *(each.arrays if isinstance(each, Tree) else each for each in self.more),
            )  # fmt: skip
            self.world.check()
            self.code.check()
            used += int(self.state[USED])
            if outcome == FULL:
                self._grow()
            if self.state[REACHED] >= 0:
                self._note(int(self.state[REACHED]), progress)
            took = time.perf_counter() - began
            size = 2 * size if took < SHORT else max(size // 2, 1) if took > LONG else size

    def _grow(self) -> None:
        self.tree.grow(int(self.state[COUNT]))
        self.us = np.concatenate((self.us, np.zeros_like(self.us)))
        self.steps = np.concatenate((self.steps, np.zeros_like(self.steps)))
        self.times = np.concatenate((self.times, np.zeros_like(self.times)))
        for tree, count in itertools.pairwise(self.more):
            if isinstance(tree, Tree):
                tree.grow(int(count[0]))

    def _note(self, node: int, progress: Progress | None) -> None:
        """Keep the path to a goal, as the model itself simulates it, if that is allowed too."""
        self.state[REACHED] = -1
        way = self.tree.way(node)[1:]
        us, problem = np.repeat(self.us[way], self.steps[way], axis=0), self.query.problem
        xs = np.asarray(self.planner.dynamics.rollout(problem.start, us, self.planner.dt))
        lengths = problem.distance(xs[:-1], xs[1:])
        cost = float(len(us) * self.planner.dt if self.timed else lengths.sum())
        fine = cost < self.best and self._there(xs[-1]) and bool(problem.edges_allowed(xs[:-1], xs[1:]).all())
        if fine and (problem.room_among(xs, self.planner.dt * np.arange(len(xs))) >= 0.0).all():
            self.path, self.best = (xs, us), cost
            self.numbers[BEST] = cost
            self.query.found(cost, progress)

    def _there(self, x: Array) -> bool:
        goal = self.query.problem.goal
        if isinstance(goal, Space):
            return bool(goal.contains(x))
        return bool(self.query.problem.distance(x, self.query.goals).min() <= self.planner.tolerance)

    def plan(self) -> Plan:
        """The plan with the best path."""
        count, query = int(self.state[COUNT]), self.query
        nodes = self.tree.nodes[:count]
        near = query.problem.distance(nodes[:, None], query.goals).min()
        plan = query.plan(
            None if self.path is None else self.path[0], self.best,
            f"the budget was spent after {self.state[DRAWN]} samples; the tree holds {count} states, the nearest to "
            f"the goal is {near:.2f} from it",
            samples=int(self.state[DRAWN]), states=count, checks=self.world.checks, tree=nodes.copy(),
            parents=self.tree.parents[:count].copy(),
        )  # fmt: skip
        if self.path is None:
            return plan
        xs, us = self.path
        ts = self.planner.dt * np.arange(len(xs))
        return replace(plan, xs=xs, us=us, ts=ts)


def fitting(planner: Any, problem: Problem) -> None:
    """Raise an error if the problem is not one in the state space of the model, or controls are none of its."""
    own, name = planner.dynamics.action, type(planner).__name__
    if planner.controls is not None and planner.controls.names != own.names:
        raise PilotageError(f"controls of {name} are {planner.controls!r}; expected those of {own!r}")
    names = planner.dynamics.state.names
    if isinstance(problem, Problem) and problem.space.names != names:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PilotageError(
            f"{name} plans states of its model, {', '.join(names)}, not {', '.join(problem.space.names)}; give the "
            "problem space=dynamics.state"
        )


@driver
def at_goal(world, model, x):
    """Whether a state is one of the goal."""
    _, _, _, _, _, goals, region, numbers, _, _ = model
    codes, _, _, metric, _, _, _, work = world
    if numbers[TOLERANCE] < 0.0:
        return inside(region, x)
    for k in range(goals.shape[0]):
        if subtract(codes, metric, goals[k], x, work[DIFFERENCE]) <= numbers[TOLERANCE]:
            return True
    return False


@driver
def touched(world, model, here, x, t):
    """Whether a moving obstacle may touch the robot on its way of one step, from a time on."""
    _, dt, _, _, _, _, _, numbers, _, moving = model
    if moving.shape[0] == 0:
        return False
    i, j = int(numbers[X]), int(numbers[Y])
    beside = bow(world, here, x, i, j)
    ux, uy = (x[i] - here[i]) / dt[0], (x[j] - here[j]) / dt[0]
    met = False
    for k in range(moving.shape[0]):
        met = met or meets(moving[k], beside, t, here[i], here[j], ux, uy, dt[0])
    return met


@driver
def propagate(tree, world, model, near, new, u, steps, scratch):
    """Hold a control from a state of the tree: the steps until something is forbidden, or a goal is reached; the cost.

    The state at their end, its slack, cost and time are written to the place `new`.
    """
    address, dt, p, _, _, _, _, numbers, times, _ = model
    nodes, rooms, _, costs, _, _, _, _, _ = tree
    codes, _, _, metric, _, _, _, work = world
    here, x = scratch, nodes[new]
    copy(nodes[near], here)
    left, cost, done = rooms[near], 0.0, 0
    for _ in range(steps):
        call(address, here, u, dt, p, x)
        after = room(world, x)
        if after < 0.0 or not edge_allowed(world, here, left, x, after):
            break
        if touched(world, model, here, x, times[near] + done * dt[0]):
            break
        cost += dt[0] if numbers[TIMED] > 0.0 else subtract(codes, metric, x, here, work[DIFFERENCE])
        done += 1
        left = after
        copy(x, here)
        if at_goal(world, model, x):
            break
    copy(here, x)
    rooms[new], costs[new], times[new] = left, costs[near] + cost, times[near] + done * dt[0]
    return done
