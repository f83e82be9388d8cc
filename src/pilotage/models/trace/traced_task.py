"""A task derived from functions of scalar components for cost and constraint, with its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ...core.belief import Belief
from ...core.errors import ModelError, SpaceError
from ...core.moving import MovingObstacle
from ...core.settings import instances, positive, whole
from ...core.space import Space
from ...core.task import Task, rows_of
from ._functions import counted, is_row, one, told
from .expression import Expr
from .function import TASK, Function, Input, Value, vector
from .graph import Graph
from .model import Traced
from .mounting import places
from .params import Values
from .sensor import NOTHING
from .table import Table
from .tracer import SymbolicMath
from .vectorized import array_of, common_batch, numbers_of, together

Cost = Callable[..., Any]
References = Callable[[Any, float, int, Any], tuple[Any, Any]]
Weights = str | Sequence[float] | None
NO_STAGE = "is a task without reference: its cost takes (x, u, p, m), unless it is declared with stage=Space(...)"


class Gauge(Protocol):
    """How a task tells that a robot gets nowhere, and why; states hold the components that the task needs.

    `advanced` and `patience` are those of `pilotage.core.Task`. `explain` is given a state, the references ahead, the
    constraint of states and references, and the parameters of the task, and answers with a sentence.
    """

    @property
    def patience(self) -> float: ...

    def advanced(self, x: Any, r: Any, x0: Any, r0: Any) -> bool: ...

    def explain(self, x: Any, rows: Any, constraint: Callable[[Any, Any], Any], params: Any) -> str: ...


class TracedTask(Traced, Task):
    """A task derived from functions of scalar components; `task` creates it.

    Attributes:
        name: the name of the cost function.
        state, action: the spaces; `on` moves the task to a larger state.
        stage: the space of the reference of each stage; empty for none.
        constraints: the number of values of the constraint.
        params: the parameters by name.
        initial: the belief at the start of an episode, or None.
        dt, horizon: seconds per step, and steps per episode.

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
        body: Cost,
        *,
        needs: Space,
        action: Space,
        params: Mapping[str, Any],
        terminal: Cost | None = None,
        constraint: Cost | None = None,
        weights: Weights = None,
        terminal_weights: Weights = None,
        stage: Space = NOTHING,
        optional: Space = NOTHING,
        reads: tuple[str, ...] | None = None,
        state: Space | None = None,
        references: References | None = None,
        done: Callable[..., Any] | None = None,
        gauge: Gauge | None = None,
        initial: Belief | None = None,
        dt: float = 0.1,
        horizon: int = 200,
        moving: tuple[MovingObstacle, ...] = (),
        radius: float = 0.0,
        table: Table | None = None,
    ) -> None:
        super().__init__(
            body, needs=needs, action=action, params=params, terminal=terminal, constraint=constraint, weights=weights,
            terminal_weights=terminal_weights, stage=stage, optional=optional, reads=reads, state=state,
            references=references, done=done, gauge=gauge, initial=initial, dt=dt, horizon=horizon, moving=moving,
            radius=radius, table=table,
        )  # fmt: skip
        self.needs, self.action, self.moving, self._radius, self._own = needs, action, moving, radius, stage.size
        discs = " ".join(f"disc{i}.x disc{i}.y disc{i}.radius" for i in range(len(moving)))
        self.stage = Space(*stage.parts, *Space(f"{discs} [m]").parts) if moving else stage
        self.state = needs if state is None else state
        self.reads = needs.names if reads is None else reads
        self._taken = tuple(range(needs.size)) if state is None else places(self.reads, needs, state, self.name)
        self._optional = tuple(self.state.names.index(n) if n in self.state.names else None for n in optional.names)
        self.initial, self.dt = initial, positive(dt, f"dt of {self.name}")
        self.horizon = whole(horizon, f"horizon of {self.name}", 1)
        for role, function in (("references", references), ("done", done)):
            if function is not None and not callable(function):
                raise ModelError(f"{role} of {self.name} must be a function, not {function!r}")
        if references is not None and not stage.size:
            raise ModelError(f"{self.name} {NO_STAGE}; a function that gives references was handed over")
        self._references, self._done, self._gauge = references, done, gauge
        self.patience = math.inf if gauge is None else gauge.patience
        self._xy = tuple(self.state.find(name, "a moving obstacle") for name in ("x", "y")) if moving else ()
        shape = None if table is None else table.shape
        settings = (self._taken, self._optional, _key(weights), _key(terminal_weights), stage.size, self._xy, shape)
        functions, spaces = (body, terminal, constraint), (self.state, action, self.stage)
        values = self.params if table is None else {**self.params, **table.params}
        self._trace("task", values, functions, spaces, settings, self._traced)
        self.constraints = self._function.value("g").shape[0]

    def _extras(self) -> tuple[Any, ...]:
        own = self._references, self._done, self._gauge, self.initial, *self.moving
        return self.dt, self.horizon, self._radius, *(id(v) for v in own)

    def on(self, state: Space, action: Space | None = None) -> TracedTask:
        """The same task on a larger state, where it finds its components by name; the actions are the same.

        References that depend on the bounds of the actions are an object with a method ``on(action)``, which returns
        those for these actions.
        """
        if action is not None and self.action.size and action.names != self.action.names:
            raise SpaceError(
                f"{self.name} is a task for the actions {', '.join(self.action.names)}, not {', '.join(action.names)}"
            )
        action = self.action if action is None else action
        if state == self.state and action == self.action:
            return self
        on = getattr(self._references, "on", None)
        return self._with(state=state, action=action, references=self._references if on is None else on(action))

    def avoiding(self, moving: MovingObstacle | Sequence[MovingObstacle], radius: float = 0.3) -> TracedTask:
        """This task with the constraint of keeping clear of moving obstacles too, instead of those it had.

        ::

            g_i = radius + r_i(t) - |(x, y) - c_i(t)|         c_i, r_i: centre and radius of obstacle i at that time

        The places of the obstacles at each stage are further references, so the same number of other obstacles compiles
        nothing. The constraint is that of the ends of steps; between two of its times, the larger radius of an obstacle
        counts. Predicted tracks become obstacles by their `obstacle(risk)`, and are then touched with that probability
        at most.

        Args:
            moving: obstacles, one or a list, on the clock that the controller is called with; ``obstacle.later(-t)``
                puts a prediction made at the time t on it.
            radius: radius of a disc around x and y of the state that the robot stays in [m].

        Raises:
            SpaceError: if the state has no x and y.

        Example:
            >>> from pilotage.core import MovingObstacle
            >>> from pilotage.control import reach
            >>> from pilotage.models import unicycle
            >>> walker = MovingObstacle([0.0, 2.0], [[2.0, -1.0], [2.0, 1.0]], 0.3)
            >>> errand = reach(unicycle(), [4.0, 0.0, 0.0]).avoiding([walker], radius=0.2)
            >>> rows, _ = errand.references([1.5, 0.0, 0.0], 1.0, 1)
            >>> errand.constraint([1.6, 0.0, 0.0], [0.0, 0.0], rows[0]).round(6).tolist()
            [0.1]
        """
        discs = instances(
            [moving] if isinstance(moving, MovingObstacle) else moving, MovingObstacle, "moving of avoiding"
        )
        return self._with(moving=discs, radius=positive(radius, "radius", zero=True))

    def ending(self, values: Any, low: Any, high: Any) -> TracedTask:
        """This task with another terminal cost: a table of values on a grid of states.

        A plan of a few steps is then judged as one that goes on as the table knows, such as the cost-to-go of
        `pilotage.control.ValueTable`, or that of a learned critic. Between points the value is linear along each axis;
        off the grid, it is that of the nearest point. Its second derivatives count as zero.

        Args:
            values: ``(k_1, ..., k_n)`` for all n components of the state, which are numbers or angles.
            low, high: the corners of the grid ``(n,)``; -pi and pi for angles.

        Example:
            >>> from pilotage.control import reach
            >>> from pilotage.models import pendulum
            >>> swing = reach(pendulum(), [0.0, 0.0]).ending([[2.0, 3.0], [4.0, 5.0]], [0.0, 0.0], [1.0, 1.0])
            >>> float(swing.terminal_cost([0.5, 0.5]))
            3.5
        """
        return self._with(table=Table(values, low, high))

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """Cost of one step, ``(...)``, for states ``(..., n)``, actions ``(..., m)`` and the stage's reference."""
        x, u, r = self._arrays(x, u, r)
        return self._results("l", x, u, r)

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        """Cost ``(...)`` of ending in states x."""
        x, r = together(array_of(x, self.state, f"state for {self.name}"), self._stage_data(r))
        return self._results("T", x, None, r)

    def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
        """Values that must not be positive, ``(..., k)``; k may be 0."""
        x, u, r = self._arrays(x, u, r)
        return self._results("g", x, u, r)

    @property
    def ends(self) -> bool:
        """Whether there is a function that says when the task is over."""
        return self._done is not None

    def done(self, x: Any, r: Any = None) -> Any:
        """Whether the task is over, ``(...)`` of bool."""
        if self._done is None:
            return np.zeros(np.shape(x)[:-1], dtype=bool)
        r = self._stage_data(r)[..., : self._own]
        return self._done(self._needed(x), r) if self._own else self._done(self._needed(x))

    def advanced(self, x: Any, r: Any, x0: Any, r0: Any) -> bool:
        """Whether a robot has come nearer to the end; see `pilotage.core.Task`."""
        return self._gauge is None or self._gauge.advanced(self._needed(x), r, self._needed(x0), r0)

    def obstruction(self, x: Any, rows: Any) -> str:
        """What keeps a robot from the references ahead; see `pilotage.core.Task`."""
        if self._gauge is None:
            return ""

        discs = rows[:1, self._own :]

        def constraint(placed: Any, rows: Any) -> Any:
            xs = np.tile(x, (len(placed), 1))
            xs[:, list(self._taken)] = placed
            rows = np.hstack([rows, np.tile(discs, (len(rows), 1))])
            return self.constraint(xs, np.zeros((len(xs), self.action.size)), rows)

        return self._gauge.explain(self._needed(x), rows[:, : self._own], constraint, self.params)

    def references(self, x: Any, t: float, steps: int, carry: Any = None) -> tuple[Any, Any]:
        """References of the coming stages, ``(steps + 1, stage.size)``, and the next carry; see `pilotage.core.Task`.

        Raises:
            ModelError: if the costs take references, and the task has no function that returns them.
        """
        answer: Any = None, None
        if self._references is not None:
            answer = self._references(self._needed(x), t, steps, carry)
        elif self._own:
            raise ModelError(f"{self.name} was made without references; expected {self.name}(references=...)")
        if not self.moving:
            return answer
        rows, carry = rows_of(self, answer, steps, self._own) if self._own else (np.zeros((steps + 1, 0)), None)
        ts = t + self.dt * np.arange(steps + 1)
        discs = [np.column_stack([each.at(ts), each.radius_at(ts) + self._radius]) for each in self.moving]
        return np.hstack([rows, *discs]), carry

    def _needed(self, x: Any) -> Any:
        """The components of `x` that the task was written for; optional ones that the state lacks are 0."""
        x = array_of(x, self.state, f"state for {self.name}")
        if self._optional:
            lacking, own = np.zeros(x.shape[:-1]), (*self._taken, *self._optional)
            return np.stack([lacking if i is None else x[..., i] for i in own], -1)
        return x if self._taken == tuple(range(x.shape[-1])) else x[..., list(self._taken)]

    def _arrays(self, x: Any, u: Any, r: Any) -> tuple[Any, ...]:
        x = array_of(x, self.state, f"state for {self.name}")
        # A task that names no actions costs the state alone, whatever the actions are.
        u = array_of(u, self.action, f"action for {self.name}") if self.action.size else numbers_of(u, "an action")
        common_batch(x.shape[:-1], u.shape[:-1], f"state and action for {self.name}")
        return together(x, u, self._stage_data(r))

    def _stage_data(self, r: Any) -> Any:
        """The reference of a stage as an array ``(..., stage.size)``."""
        r = np.zeros(self.stage.size) if r is None and not self.stage.size else r
        r = np.zeros(0) if r is None else numbers_of(r, f"reference for {self.name}")
        if r.shape[-1:] != (self.stage.size,):
            needs = f"needs {self.stage.size} reference numbers per stage" if self.stage.size else NO_STAGE
            raise ModelError(f"{self.name} {needs}; an array of shape {tuple(r.shape)} was given")
        return r

    def _traced(self) -> Function:
        graph = Graph()
        m: Any = SymbolicMath(graph)
        x, u = graph.inputs("x", self.state.size), graph.inputs("u", self.action.size)
        r, p = graph.inputs("r", self.stage.size), self._supply.layout.symbols(graph, "p")
        read = (*self._taken, *self._optional)
        picked, more = [0.0 if i is None else x[i] for i in read], ((r[: self._own], p, m) if self._own else (p, m))
        settings, squares = self._settings, dict[str, tuple[Sequence[Expr], Sequence[Expr]]]()
        terminal, constraint, table = settings["terminal"], settings["constraint"], settings["table"]
        names = [*(self.state.names[i] for i in self._taken), *settings["optional"].names]
        with told(self.name, x=names, u=self.action.names):
            stage = self._body(picked, u, *more)
            end = 0.0 if terminal is None else terminal(picked, *more)
            end = end if table is None else table.read(self.state, x, p, m)
            kept: Any = [] if constraint is None else constraint(picked, u, *more)
            cost = self._cost(graph, stage, settings["weights"], p, self.name, "l", squares)
            name = f"the terminal cost of {self.name}"
            weights = settings["terminal_weights"] if table is None else None
            last = self._cost(graph, end, weights, p, name, "T", squares)
            g = [graph.lift(e) for e in (kept if is_row(kept) else [kept])]
            px, py = (x[i] for i in self._xy) if self._xy else (0.0, 0.0)
            for cx, cy, radius in zip(*[iter(r[self._own :])] * 3, strict=True):
                away = m.sqrt((px - cx) * (px - cx) + (py - cy) * (py - cy) + 1e-12)
                g.append(graph.lift(radius - away))
        inputs = {"x": Input(self.state, x), "u": Input(self.action, u), "r": Input(None, r)}
        values = {"l": Value(None, [cost], ()), "T": Value(None, [last], ()), "g": vector(g)}
        return Function(TASK, self.name, graph, inputs, values, squares)

    def _cost(
        self, graph: Graph, value: Any, weights: Weights, p: Values, name: str, key: str, squares: dict[str, Any]
    ) -> Expr:
        """A cost as one number: itself, or a sum of weighted squares of residuals."""
        if weights is None:
            return graph.lift(one(value, name))
        given: Any = p.__dict__.get(weights) if isinstance(weights, str) else weights
        if given is None:
            raise ModelError(
                f"{name} has the weights {weights!r}, which is no parameter; it has {', '.join(self.params)}"
            )
        w = [graph.lift(v) for v in (given if is_row(given) else [given])]
        residuals = [graph.lift(v) for v in counted(value, len(w), name, "residuals, one per weight,")]
        squares[key] = residuals, w
        return sum((k * e * e for k, e in zip(w, residuals, strict=True)), start=graph.zero)


def _key(weights: Weights) -> Any:
    return weights if weights is None or isinstance(weights, str) else tuple(float(w) for w in weights)
