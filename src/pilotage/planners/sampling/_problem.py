"""A planning problem as the arrays and addresses that compiled planners take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...core.compiled import Compiled as CompiledModel
from ...core.errors import PilotageError
from ...core.problem import Problem
from ...core.space import Space
from ...core.task import Task
from ...maps import FootprintConstraint, SphereConstraint
from ...maps.collision import SLACK
from ...maps.octree_sphere import value
from ...models.trace import Code, code_of, parameters
from ...models.trace.callback import CalledBack, Method
from ..steering._curves import QUARTER, Curve
from ._nearest import SIDE, rehash
from ._space import (
    ACTION,
    CHECKS,
    CONSTRAINT,
    EDGE,
    EXACT,
    MINUS,
    ONE_WAY,
    PLUS,
    REFERENCE,
    ROWS,
    STEER,
    X,
    Y,
    Z,
    lengths,
    rooms,
)

Array = NDArray[np.float64]
MOST_CELLS = 1024
"""Cells of a hash grid in a row."""
FEW = 128
"""States that are read sooner than cells."""


@dataclass(eq=False)
class Machine:
    """What compiled planners need to know of a problem, and nothing of it changes.

    Attributes:
        codes: addresses of ``(+)``, ``(-)``, the constraint, what tells of whole edges, and the steering curve; 0 where
            there is none.
        layout: see `_space`: tangent columns of x, y, yaw, and whether edges are checked exactly, among others.
        settings: step, resolution, slack, arm, 0, radius of the steering curve.
        metric: weights ``(dim,)``.
        bounds: ``(2, n)``, of the states.
        count: how many values the constraint has.
        width: the longest vector.
        reserve: states that one sample may add at most.
        kept: what owns the machine code.
        task: whose constraint is machine code, if that is the constraint.
        p: parameters of the constraint, if there is no task.
        held: what the constraint is given beside the state.
        space: the space of the states.
        grids: hash grids for numbers of states.
    """

    codes: NDArray[np.int64]
    layout: NDArray[np.int64]
    settings: Array
    metric: Array
    bounds: Array
    count: int
    width: int
    reserve: int
    kept: tuple[Code, ...]
    task: Task | None
    p: Array
    held: tuple[NDArray[Any], ...]
    space: Space
    grids: dict[int, Array] = field(default_factory=dict[int, Array])

    def grid(self, capacity: int) -> Array:
        """A hash grid with a cell for every two states, or with one for all if there are few."""
        if capacity not in self.grids:
            planar = bool(self.codes[STEER])
            weights = np.full(self.space.dim, self.metric[0]) if planar else self.metric
            self.grids[capacity] = grid_of(self.space, weights, capacity, planar)
        return self.grids[capacity]


class Compiled:
    """A problem for the drivers of one query.

    Attributes:
        machine: what does not change.
        world: what drivers call the world: codes, layout, settings (how often the constraint was asked among them),
            metric, bounds, parameters of the constraint and the number of its values, memory.
    """

    def __init__(self, machine: Machine, p: Array) -> None:
        self.machine, self.settings = machine, machine.settings.copy()
        self.world: tuple[Any, ...] = (
            machine.codes, machine.layout, self.settings, machine.metric, machine.bounds, p, machine.count,
            np.zeros((ROWS, machine.width)),
        )  # fmt: skip

    @property
    def checks(self) -> int:
        """How often the constraint was asked."""
        return int(self.settings[CHECKS])

    def room(self, xs: Array) -> Array:
        """The slack of the constraint at states ``(K, n)``; negative where it is violated."""
        out = np.empty(len(xs))
        rooms.compiled(self.world, np.array(xs, order="C"), out)
        self.check()
        return out

    def lengths(self, xs: Array) -> Array:
        """Lengths in the metric of the edges from the first of states ``(K, n)`` to all of them."""
        out = np.empty(len(xs))
        lengths.compiled(self.world, np.array(xs, order="C"), out)
        return out

    def check(self) -> None:
        """Raise what a user's function raised while a driver ran."""
        for each in self.machine.kept:
            each.check()


_KEPT: WeakKeyDictionary[Problem, dict[Any, Machine]] = WeakKeyDictionary()


def compiled(problem: Problem, step: float | None, steering: Curve | None = None, *, draws: bool = True) -> Compiled:
    """A problem with its machine code; a step of None becomes a tenth of the diagonal of the bounds.

    Without `draws`, no states are drawn, so the space needs no bounds. The machine is kept as long as the problem, but
    not if it calls functions of the problem, which would keep it alive. Whatever a query calls is compiled afterwards.
    """
    _ = rooms.compiled, lengths.compiled, rehash.compiled
    kept, key = _KEPT.setdefault(problem, {}), (step, steering, draws)
    machine = kept.get(key)
    if machine is None:
        machine = _machine(problem, step, steering, draws)
        if not any(each.calls_back for each in machine.kept):
            kept[key] = machine
    task = machine.task
    return Compiled(machine, machine.p if task is None else np.ascontiguousarray(parameters(task)))


def _traced(problem: Problem) -> Task | None:
    """The task whose machine code is the constraint, if there is one."""
    constraint = problem.constraint
    task = constraint.task if isinstance(constraint, FootprintConstraint) else constraint
    return task if problem.is_free is None and isinstance(task, Task) and isinstance(task, CompiledModel) else None


def _machine(problem: Problem, step: float | None, steering: Curve | None, draws: bool) -> Machine:
    space, constraint, task, kept = problem.space, problem.constraint, _traced(problem), list[Code]()
    held: list[NDArray[Any]] = [np.zeros(1), np.zeros(1)]
    codes, layout = np.zeros(7, dtype=np.int64), np.array([0, 0, -1, -1, 0, not space.flat, 0], dtype=np.int64)
    count, slack, arm, p = 0, 0.0, 0.0, np.zeros(0)

    def keep(place: int, code: Code) -> int:
        kept.append(code)
        codes[place] = code.address
        return code.size

    keep(PLUS, code_of(space, "plus"))
    keep(MINUS, code_of(space, "minus"))
    if task is not None:
        count, held = keep(CONSTRAINT, code_of(task, "g")), [np.zeros(task.action.size + task.stage.size)] * 2
        if isinstance(constraint, FootprintConstraint):
            layout[:3], layout[EXACT], arm = constraint.motion[:3], 1, constraint.motion[3]
            slack = SLACK * constraint.obstacles.grid.resolution
    elif isinstance(constraint, SphereConstraint) and problem.is_free is None and space.flat:
        codes[CONSTRAINT], count, (*held, p) = value.address, 1, constraint.arrays
        layout[[X, Y, Z]], layout[EXACT], slack = constraint.place, 1, SLACK * constraint.box.resolution
    elif constraint is not None or problem.is_free is not None:
        count = keep(CONSTRAINT, _asking(problem, problem.functions_allow, 1))
        if problem.whole_edges:
            keep(EDGE, _asking(problem, problem.edges_allowed, 2))
    weights = np.array(problem.weights)
    diagonal = _diagonal(space, weights) if draws else 1.0
    step = 0.1 * diagonal if step is None else float(step)
    most = math.ceil(2.0 * diagonal / step) + 4
    radius = 0.0
    if steering is not None:
        codes[STEER], radius, layout[ONE_WAY] = steering.curve.address, steering.radius, not steering.reversible
        # A curve is longer than the straight line by less than two circles, and has five segments.
        most = (most + math.ceil(4.0 * math.pi * radius / step)) * (6 + math.ceil(min(step / (QUARTER * radius), 16.0)))
    codes[[ACTION, REFERENCE]] = [each.ctypes.data for each in held]
    settings = np.array([step, problem.resolution, slack, arm, 0.0, radius])
    bounds, width = np.array([space.low, space.high]), max(space.size, space.dim, count, 32)
    return Machine(
        codes, layout, settings, weights, bounds, count, width, most, tuple(kept), task, p, tuple(held), space
    )


def _asking(problem: Problem, allowed: Callable[..., Any], states: int) -> CalledBack:
    """Machine code that asks a function of Python about a state, or two: one value, -1 where it allows them, else 1."""
    n = problem.space.size

    def ask(_: CalledBack, *given: Array) -> Array:
        return np.array([-1.0 if bool(allowed(*given[:states])) else 1.0])

    inputs = [(n if k < states else 0, False) for k in range(3)]
    return CalledBack(problem, {"g": (1,)}, [Method(allowed.__name__, {"g": (1,)}, ask)], inputs, 0)


def _diagonal(space: Space, weights: Array) -> float:
    """Length of the diagonal of the bounds, in the metric; what turns counts half a turn."""
    free = ~np.isfinite(space.high - space.low)
    if free.any():
        name = space.names[int(np.argmax(free))]
        raise PilotageError(
            f"{name} has no bounds, and states are drawn at random between them; give some, as in "
            f'space.bounded({{"{name}": (low, high)}})'
        )
    return float(np.linalg.norm(weights * space.extents))


def grid_of(space: Space, weights: Array, capacity: int, planar: bool) -> Array:
    """The hash grid ``(2, 5)`` over the two real components with the largest extents, or over x and y of poses.

    It has a cell for every two states, and at most `MOST_CELLS` of them in a row; few states are read one by one.
    """
    components, columns = (np.arange(2), np.arange(2)) if planar else space.reals
    hashing = np.tile([-1.0, 0.0, 1.0, 1.0, math.inf], (2, 1))
    extents = weights[columns] * space.extents[columns]
    if len(extents) and capacity > FEW:
        largest = np.argsort(-extents)[:2]
        side = (2.0 * float(np.prod(extents[largest])) / capacity) ** (1.0 / len(largest))
        hashing[:, SIDE] = side = max(side, float(extents.max()) / MOST_CELLS)
        for k, i in enumerate(largest):
            weight, cells = weights[columns[i]], max(1, math.ceil(extents[i] / side))
            hashing[k, :SIDE] = components[i], space.low[components[i]], weight / side, cells
    return hashing
