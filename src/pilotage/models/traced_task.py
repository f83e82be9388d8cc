"""Tasks written once: a cost as a function of scalar components, for rollouts in numpy, torch and compiled kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.belief import Belief
from ..core.errors import ModelError, SpaceError
from ..core.mathematics import math_for
from ..core.seconds import seconds
from ..core.settings import whole
from ..core.space import Space
from ..core.task import Task
from .layout import Layout, Supply
from .mounting import places
from .params import Parameters, Values, spelt
from .portable import portable, restored
from .sharing import one_per_recipe
from .tracing.emit import Signature, scalar
from .tracing.emit_lanes import lanes
from .tracing.functions import one, told
from .tracing.tracer import Expr, Graph, SymbolicMath
from .tracing.vectorized import array_of, common_batch, numbers_of, stacked, together, unstacked

StageBody = Callable[..., Any]
TerminalBody = Callable[..., Any]
Reference = Callable[[Any, float, int], Any]
NO_REFERENCE = "is a task without reference: its cost takes (x, u, p, m), unless it is declared with reference=SIZE"


@dataclass(frozen=True)
class Recipe:
    """What determines the generated code of a task."""

    body: StageBody
    terminal: TerminalBody | None
    state: Space
    taken: tuple[int, ...]
    action: Space
    reference_size: int
    layout_key: tuple[Any, ...]


class TracedTask(Task):
    """A task derived from a cost function of scalar components; made by `task`.

    Attributes:
        name: the function's name.
        state, action: the spaces; `on` moves the task to a larger state.
        reference_size: how many numbers the cost takes as reference per stage; 0 for none.
        params: its parameters by name.
        initial: belief a run starts from, or None.
        dt, horizon: seconds a step, steps a run.

    Example:
        >>> from pilotage.models import task, unicycle
        >>> @task(state=Space("x y [m]"), action=Space(), params={"goal": (0.0, 0.0)})
        ... def far(x, u, p, m):
        ...     return m.hypot(x[0] - p.goal[0], x[1] - p.goal[1])
        >>> float(far().replace(goal=(3.0, 4.0)).on(unicycle().state).cost([0.0, 0.0, 1.0], [1.0, 0.0]))
        5.0
    """

    def __init__(
        self,
        body: StageBody,
        terminal: TerminalBody | None,
        needs: Space,
        action: Space,
        reference_size: int,
        params: Mapping[str, Any],
        *,
        reads: tuple[str, ...] | None = None,
        state: Space | None = None,
        reference: Reference | None = None,
        done: Callable[[Any], Any] | None = None,
        constraint: Callable[[Any, Any], Any] | None = None,
        initial: Belief | None = None,
        dt: float = 0.1,
        horizon: int = 200,
    ) -> None:
        self.name = body.__name__
        self.needs = needs
        self.reads = needs.names if reads is None else reads
        self.state = needs if state is None else state
        self.action = action
        self.reference_size = reference_size
        self.params = params if isinstance(params, Parameters) else Parameters(params)
        self.initial = initial
        self.dt = seconds(dt)
        if not self.dt > 0.0:
            raise ModelError(f"dt of {self.name} is {dt}; decisions are a positive number of seconds apart")
        self.horizon = whole(horizon, f"horizon of {self.name}", 1)
        for role, function in (("reference", reference), ("done", done), ("constraint", constraint)):
            if function is not None and not callable(function):
                raise ModelError(f"{role} of {self.name} must be a function, not {function!r}")
        if reference is not None and not reference_size:
            raise ModelError(f"{self.name} {NO_REFERENCE}; a function that gives references was handed over")
        self._reference, self._done, self._constraint = reference, done, constraint
        self._supply = Supply(self.params)
        taken = tuple(range(needs.size)) if state is None else places(self.reads, needs, state, self.name)
        self.kernel_key = self._recipe = Recipe(
            body, terminal, self.state, taken, action, reference_size, self._supply.layout.key
        )
        self._mounted = state
        # What is wrong with the cost shows here, and not in the first controller that compiles it.
        self._trace = _traced(self._recipe, self._supply.layout)

    def __repr__(self) -> str:
        return f"{self.name}({spelt(self.params)})"

    def __reduce__(self) -> Any:
        settings = {
            "reads": self.reads, "state": self._mounted, "reference": self._reference, "done": self._done,
            "constraint": self._constraint, "initial": self.initial, "dt": self.dt, "horizon": self.horizon,
        }  # fmt: skip
        functions = portable(self._recipe.body, self._recipe.terminal)
        return _again, (functions, (self.needs, self.action, self.reference_size, self.params), settings)

    def replace(self, **params: Any) -> TracedTask:
        """The same task with other parameter values, such as a new raster of any size; nothing is compiled again."""
        return self._copy(self._mounted, self.action, self.params.replaced(params, self.name))

    def on(self, state: Space, action: Space | None = None) -> TracedTask:
        """The same task on a state that has the needed components among others, found by name; actions are the same."""
        if action is not None and self.action.size and action.names != self.action.names:
            raise SpaceError(
                f"{self.name} is a task for the actions {', '.join(self.action.names)}, not {', '.join(action.names)}"
            )
        action = self.action if action is None else action
        if state == self.state and action == self.action:
            return self
        return self._copy(state, action, self.params)

    def _copy(self, state: Space | None, action: Space, params: Mapping[str, Any]) -> TracedTask:
        r = self._recipe
        return TracedTask(
            r.body, r.terminal, self.needs, action, self.reference_size, params, reads=self.reads, state=state,
            reference=self._reference, done=self._done, constraint=self._constraint, initial=self.initial, dt=self.dt,
            horizon=self.horizon,
        )  # fmt: skip

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """Cost of one step, ``(...)``, for states ``(..., n)``, actions ``(..., m)`` and the stage's reference."""
        x = array_of(x, self.state, f"state for {self.name}")
        # A task that names no actions costs the state alone, whatever the actions are.
        u = array_of(u, self.action, f"action for {self.name}") if self.action.size else numbers_of(u, "an action")
        batch = common_batch(x.shape[:-1], u.shape[:-1], f"state and action for {self.name}")
        x, u, r = together(x, u, self._stage_data(r))
        value = _stage(self._recipe, unstacked(x), unstacked(u), unstacked(r), self._supply.numbers(x), math_for(x))
        return _filled(value, batch, x)

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        """Cost of ending in x, ``(...)``."""
        x = array_of(x, self.state, f"state for {self.name}")
        x, r = together(x, self._stage_data(r))
        value = _terminal(self._recipe, unstacked(x), unstacked(r), self._supply.numbers(x), math_for(x))
        return _filled(value, x.shape[:-1], x)

    def constraint(self, x: Any, u: Any) -> Any:
        """Values that must not be positive, ``(..., k)``; k may be 0."""
        if self._constraint is None:
            return super().constraint(x, u)
        return self._constraint(self._needed(x), numbers_of(u, "an action"))

    def done(self, x: Any) -> Any:
        """Where the task is over, ``(...)`` of bool."""
        return np.zeros(np.shape(x)[:-1], dtype=bool) if self._done is None else self._done(self._needed(x))

    def reference(self, x: Any, t: float, steps: int) -> Any:
        """References of the coming stages, ``(steps + 1, reference_size)``, or None when the cost takes none."""
        return None if self._reference is None else self._reference(self._needed(x), t, steps)

    def _needed(self, x: Any) -> Any:
        """The components of `x` that the task was written for."""
        x, taken = array_of(x, self.state, f"state for {self.name}"), self._recipe.taken
        return x if taken == tuple(range(x.shape[-1])) else x[..., list(taken)]

    def vector(self, dt: float | None = None) -> np.ndarray:
        """Parameters as compiled code reads them."""
        return self._supply.vector()

    def generated(self, slot: str) -> str | None:
        """Source of a slot of `pilotage.models.binding.slots` for this task."""
        return self._trace.source(slot)

    def _stage_data(self, r: Any) -> Any:
        """The reference of a stage as an array ``(..., reference_size)``."""
        r = np.zeros(0) if r is None else numbers_of(r, f"reference for {self.name}")
        if r.shape[-1:] != (self.reference_size,):
            needs = f"needs {self.reference_size} reference numbers per stage" if self.reference_size else NO_REFERENCE
            raise ModelError(f"{self.name} {needs}; an array of shape {tuple(r.shape)} was given")
        return r


def _again(functions: Any, what: tuple[Any, ...], settings: dict[str, Any]) -> TracedTask:
    """A task that was pickled or copied."""
    return TracedTask(*restored(functions), *what, **settings)


class TaskTrace:
    """One trace of a recipe: stage and terminal cost as expressions, and the source made from them."""

    def __init__(self, recipe: Recipe, layout: Layout) -> None:
        graph = Graph()
        m: Any = SymbolicMath(graph)
        x = graph.inputs("x", recipe.state.size)
        u = graph.inputs("u", recipe.action.size)
        r = graph.inputs("r", recipe.reference_size)
        p = layout.symbols(graph, "c")
        self.recipe = recipe
        with told(recipe.body.__name__, x=[recipe.state.names[i] for i in recipe.taken], u=recipe.action.names):
            self.stage: Expr = graph.lift(_stage(recipe, x, u, r, p, m))
            self.terminal: Expr = graph.lift(_terminal(recipe, x, r, p, m))

    def source(self, slot: str) -> str | None:
        labels = {"x": self.recipe.state.names, "u": self.recipe.action.names}
        shared = frozenset({"r", "c"})
        stage = Signature(slot, ("x", "u", "r", "c"), labels=labels, shared=shared)
        end = Signature(slot, ("x", "r", "c"), labels=labels, shared=shared)
        if slot == "stage_cost":
            return scalar(stage, self.stage)
        if slot == "terminal_cost":
            return scalar(end, self.terminal)
        if slot == "stage_cost_lanes":
            return lanes(stage, [("cost", [self.stage])])
        if slot == "terminal_cost_lanes":
            return lanes(end, [("cost", [self.terminal])])
        return None


_traced = one_per_recipe(TaskTrace)


def _stage(recipe: Recipe, x: Sequence[Any], u: Sequence[Any], r: Sequence[Any], p: Values, m: Any) -> Any:
    taken = [x[i] for i in recipe.taken]
    value = recipe.body(taken, u, r, p, m) if recipe.reference_size else recipe.body(taken, u, p, m)
    return one(value, recipe.body.__name__)


def _terminal(recipe: Recipe, x: Sequence[Any], r: Sequence[Any], p: Values, m: Any) -> Any:
    if recipe.terminal is None:
        return 0.0
    taken = [x[i] for i in recipe.taken]
    value = recipe.terminal(taken, r, p, m) if recipe.reference_size else recipe.terminal(taken, p, m)
    return one(value, f"the terminal cost of {recipe.body.__name__}")


def _filled(value: Any, batch: tuple[int, ...], like: Any) -> Any:
    """A cost over the whole batch, though it may depend on nothing; a reference per state may widen the batch."""
    if hasattr(value, "shape"):
        batch = np.broadcast_shapes(tuple(batch), tuple(value.shape))
    return stacked([value], batch, value if hasattr(value, "detach") else like)[..., 0]
