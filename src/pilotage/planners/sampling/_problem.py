"""A planning problem as the arrays and addresses that compiled planners take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.compiled import Compiled as CompiledModel
from ...core.errors import PilotageError
from ...core.problem import Problem
from ...core.space import Space
from ...core.task import Task
from ...maps import FootprintConstraint
from ...maps.collision import SLACK
from ...models.trace import Code, code_of, parameters
from ...models.trace.callback import CalledBack, Method
from ..steering._curves import QUARTER, Curve
from ._nearest import CELLS, SIDE
from ._space import CHECKS, CONSTRAINT, EDGE, EXACT, MINUS, ONE_WAY, PLUS, ROWS, STEER, rooms

Array = NDArray[np.float64]
MOST_CELLS = 64


@dataclass(eq=False)
class Compiled:
    """A problem for compiled planners.

    Attributes:
        codes: addresses of ``(+)``, ``(-)``, the constraint, what tells of whole edges, and the steering curve; 0 where
            there is none.
        layout: see `_space`: tangent columns of x, y, yaw, and whether edges are checked exactly, among others.
        settings: step, resolution, slack, arm, how often the constraint was asked, radius of the steering curve.
        metric: weights ``(dim,)``.
        bounds: ``(2, n)``, of the states.
        p: parameters of the constraint.
        count: how many values the constraint has.
        hashing: ``(2, 5)``, see `_nearest`.
        work: memory.
        reserve: states that one sample may add at most.
        cells: of the hash grid.
        kept: what owns the machine code.
        problem: what it was made from.
    """

    codes: NDArray[np.int64]
    layout: NDArray[np.int64]
    settings: Array
    metric: Array
    bounds: Array
    p: Array
    count: int
    hashing: Array
    work: Array
    reserve: int
    cells: int
    kept: tuple[Code, ...]
    problem: Problem

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Arguments of drivers, in their order."""
        return *self.world, self.reserve

    @property
    def world(self) -> tuple[Any, ...]:
        """What drivers call the world."""
        named = self.codes, self.layout, self.settings, self.metric, self.bounds, self.p, self.count, self.hashing
        return *named, self.work

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

    def check(self) -> None:
        """Raise what a user's function raised while a driver ran."""
        for each in self.kept:
            each.check()


def compiled(problem: Problem, step: float | None, steering: Curve | None = None, *, draws: bool = True) -> Compiled:
    """A problem with its machine code; a step of None becomes a tenth of the diagonal of the bounds.

    Without `draws`, no states are drawn, so the space needs no bounds and there is no hash grid of it.
    """
    space, constraint, kept = problem.space, problem.constraint, list[Code]()
    codes, layout = np.zeros(5, dtype=np.int64), np.array([0, 0, -1, 0, not space.flat, 0], dtype=np.int64)
    p, count, slack, arm, others = np.zeros(0), 0, 0.0, 0.0, 0

    def keep(place: int, code: Code) -> int:
        kept.append(code)
        codes[place] = code.address
        return code.size

    keep(PLUS, code_of(space, "plus"))
    keep(MINUS, code_of(space, "minus"))
    on_map = isinstance(constraint, FootprintConstraint)
    task = constraint.task if on_map else constraint
    if problem.is_free is None and isinstance(task, Task) and isinstance(task, CompiledModel):
        count, p, others = keep(CONSTRAINT, code_of(task, "g")), parameters(task), task.action.size + task.stage.size
        if on_map:
            layout[:3], layout[EXACT], arm = constraint.motion[:3], 1, constraint.motion[3]
            slack = SLACK * constraint.obstacles.grid.resolution
    elif constraint is not None or problem.is_free is not None:
        count = keep(CONSTRAINT, _asking(problem, problem.functions_allow, 1))
        if problem.whole_edges:
            keep(EDGE, _asking(problem, problem.edges_allowed, 2))
    weights = np.ascontiguousarray(problem.weights)
    diagonal = _diagonal(space, weights) if draws else 1.0
    step = 0.1 * diagonal if step is None else float(step)
    most = math.ceil(2.0 * diagonal / step) + 4
    metric = weights if steering is None else np.ones(space.dim)
    hashing = grid_of(space, metric, step, steering is not None) if draws else np.zeros((2, 5))
    radius = 0.0
    if steering is not None:
        codes[STEER], radius, layout[ONE_WAY] = steering.curve.address, steering.radius, not steering.reversible
        # A curve is longer than the straight line by less than two circles, and has five segments.
        most = (most + math.ceil(4.0 * math.pi * radius / step)) * (6 + math.ceil(min(step / (QUARTER * radius), 16.0)))
    width = max(space.size, space.dim, count, others, 32)
    settings = np.array([step, problem.resolution, slack, arm, 0.0, radius])
    work = np.zeros((ROWS, width))
    return Compiled(
        codes, layout, settings, weights, np.array([space.low, space.high]),
        np.ascontiguousarray(p), count, hashing, work,
        most, int(hashing[:, CELLS].prod()), tuple(kept), problem,
    )  # fmt: skip


def _asking(problem: Problem, allowed: Callable[..., Any], states: int) -> CalledBack:
    """Machine code that asks a function of Python about a state, or two: one value, -1 where it allows them, else 1."""
    n = problem.space.size

    def ask(_: CalledBack, *given: Array) -> Array:
        return np.array([-1.0 if bool(allowed(*given[:states])) else 1.0])

    inputs = [(n if k < states else 0, False) for k in range(3)]
    return CalledBack(problem, {"g": (1,)}, [Method(allowed.__name__, {"g": (1,)}, ask)], inputs, 0)


class Trees:
    """Two trees of states: flat arrays that grow together."""

    def __init__(self, size: int, cells: int) -> None:
        self.capacity, self.count = 1024, 0
        self.nodes = np.empty((2, self.capacity, size))
        self.rooms = np.empty((2, self.capacity))
        self.parents = np.empty((2, self.capacity), dtype=np.int64)
        self.chains = np.empty((2, self.capacity), dtype=np.int64)
        self.heads = np.full((2, cells), -1, dtype=np.int64)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Arguments of drivers, in their order."""
        return self.nodes, self.rooms, self.parents, self.chains, self.heads

    def grow(self) -> None:
        """Make room for twice as many states."""
        self.capacity *= 2
        for name in ("nodes", "rooms", "parents", "chains"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate((old, np.empty_like(old)), axis=1))


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


def grid_of(space: Space, weights: Array, side: float, planar: bool, most: int = MOST_CELLS) -> Array:
    """The hash grid ``(2, 5)`` over the two real components with the largest extents, or over x and y of poses.

    Its cells have this side, and are larger if there were more than `most` of them in a row.
    """
    components, columns = (np.arange(2), np.arange(2)) if planar else space.reals
    hashing = np.tile([-1.0, 0.0, 1.0, 1.0, math.inf], (2, 1))
    extents = weights[columns] * space.extents[columns]
    if len(extents):
        hashing[:, SIDE] = side = max(side, float(extents.max()) / most)
        for k, i in enumerate(np.argsort(-extents)[:2]):
            weight, cells = weights[columns[i]], max(1, math.ceil(extents[i] / side))
            hashing[k, :SIDE] = components[i], space.low[components[i]], weight / side, cells
    return hashing
