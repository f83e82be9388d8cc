"""Dynamics written once: a function of scalar components from which everything else is derived.

>>> from pilotage.core import Space
>>> from pilotage.models import dynamics
>>> @dynamics(state=Space("x y [m]", "yaw: angle"), action=Space("speed [m/s]", "turn [rad/s]"), noise=(0.1, 0.1, 0.1))
... def rover(x, u, p, m):
...     _, _, yaw = x
...     speed, turn = u
...     return speed * m.cos(yaw), speed * m.sin(yaw), turn
>>> rover().step([0.0, 0.0, 0.0], [1.0, 0.0], 0.5).round(3).tolist()
[0.5, 0.0, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..core import Dynamics
from ..core.diffusion import densities
from ..core.errors import ModelError, ShapeError
from ..core.mathematics import math_for, torch_if_tensor
from ..core.seconds import seconds
from ..core.space import Space
from .binding.bind import bind
from .binding.slots import step
from .integrators import integrator
from .layout import Layout, Supply
from .params import Parameters, Values, spelt
from .portable import portable, restored
from .sharing import derived, one_per_recipe
from .tracing.emit import Signature, in_place
from .tracing.emit_lanes import lanes
from .tracing.functions import Body, NoiseBody, Spread, counted, square, takes, told
from .tracing.tangent import seeds, tangent_jacobian
from .tracing.tracer import Expr, Graph, SymbolicMath
from .tracing.vectorized import Vectorized, array_of, common_batch, stacked, together, unstacked

NOISE, ACTION_NOISE = "noise density", "action noise"  # no parameter of a model can be called that


@dataclass(frozen=True)
class Recipe:
    """What is common to all members of a family: the function and its spaces. Equal recipes share generated code."""

    body: Body
    state: Space
    action: Space
    rule: str
    """Name of the integrator, or "step" for a function that gives the next state itself."""
    noise_body: NoiseBody | None
    layout_key: tuple[Any, ...]


class TracedDynamics(Dynamics):
    """Dynamics derived from one function of scalar components; made by `dynamics` and `discrete_dynamics`.

    Attributes:
        name: the function's name.
        state, action: the spaces.
        params: its parameters by name.
        integrator: "euler", "midpoint", "rk4", or "step" where the function gives the next state itself.

    Example:
        >>> from pilotage.models import bicycle
        >>> car = bicycle().replace(wheelbase=1.5)
        >>> F, B = car.linearize([0.0, 0.0, 0.0, 2.0], [0.0, 0.0], 0.1)
        >>> B[3].tolist()                                             # how the speed depends on (accel, steer)
        [0.1, 0.0]
    """

    def __init__(
        self,
        body: Body,
        state: Space,
        action: Space,
        params: Mapping[str, Any],
        rule: str,
        noise: Spread | NoiseBody | None,
        action_noise: Spread | None,
    ) -> None:
        self.name = body.__name__
        self.state = state
        self.action = action
        self.params = params if isinstance(params, Parameters) else Parameters(params)
        self.integrator = rule
        if rule != "step":
            integrator(rule)
        values = dict(self.params)
        if noise is not None and not callable(noise):
            values[NOISE] = tuple(densities(noise, state, f"noise of {self.name}").tolist())
        if action_noise is not None:
            values[ACTION_NOISE] = tuple(densities(action_noise, action, f"action_noise of {self.name}").tolist())
        self._supply = Supply(values)
        noise_body = noise if callable(noise) else None
        self.kernel_key = self._recipe = Recipe(body, state, action, rule, noise_body, self._supply.layout.key)
        # What is wrong with the function shows here, and not in the first filter that derives it.
        self._trace = _traced(self._recipe, self._supply.layout)

    def __repr__(self) -> str:
        return f"{self.name}({spelt(self.params)})"

    def __reduce__(self) -> Any:
        r, values = self._recipe, self._supply.values
        functions = portable(r.body, r.noise_body or values.get(NOISE))
        return _again, (functions, self.state, self.action, self.params, r.rule, values.get(ACTION_NOISE))

    def replace(self, **params: Any) -> TracedDynamics:
        """The same dynamics with other parameter values; nothing is compiled again."""
        values = self.params.replaced(params, self.name)
        noise = self._recipe.noise_body or self._supply.values.get(NOISE)
        recipe = self._recipe
        return TracedDynamics(
            recipe.body, self.state, self.action, values, recipe.rule, noise, self._supply.values.get(ACTION_NOISE)
        )

    def step(self, x: Any, u: Any, dt: float) -> Any:
        x, u = _arrays(x, u, self)
        dt = seconds(dt, backward=True)
        batch = common_batch(x.shape[:-1], u.shape[:-1], f"state and action of {self.name}")
        return stacked(
            _advance(self._recipe, unstacked(x), unstacked(u), dt, self._supply.numbers(x), math_for(x)), batch, x
        )

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        x, u = _arrays(x, u, self)
        flat = self._trace.linearized(x, u, seconds(dt, backward=True), self._supply.listed(x))
        split = self.state.dim * self.state.dim
        batch, d = flat.shape[:-1], self.state.dim
        return flat[..., :split].reshape(*batch, d, d), flat[..., split:].reshape(*batch, d, self.action.dim)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        x, u = _arrays(x, u, self)
        flat = self._trace.noise(x, u, seconds(dt), self._supply.listed(x))
        return flat.reshape(*flat.shape[:-1], self.state.dim, self.state.dim)

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        if torch_if_tensor(x0, us) is not None:
            return super().rollout(x0, us, dt)
        x0, us = self.state.check(x0, "initial state"), self.action.check(us, "actions")
        if us.ndim < 2:
            raise ShapeError(f"actions of a rollout have the axes (..., T, {self.action.size}); {us.shape} was given")
        batch = common_batch(x0.shape[:-1], us.shape[:-2], f"initial state and actions of {self.name}")
        T = us.shape[-2]
        count = math.prod(batch)
        xs = np.empty((*batch, T + 1, self.state.size))
        xs[..., 0, :] = x0
        actions = np.ascontiguousarray(np.broadcast_to(us, (*batch, *us.shape[-2:])))
        self._compiled_rollout(
            xs.reshape(count, T + 1, self.state.size),
            actions.reshape(count, T, self.action.size),
            float(seconds(dt, backward=True)),
            self.vector(dt),
        )
        return xs

    def vector(self, dt: float | None = None) -> np.ndarray:
        """Parameters as compiled code reads them. `dt` matters only to models whose parameters depend on it."""
        return self._supply.vector()

    def generated(self, slot: str) -> str | None:
        """Source of a slot of `pilotage.models.binding.slots` for these dynamics."""
        return self._trace.source(slot)

    @cached_property
    def _compiled_rollout(self) -> Any:
        return bind(rollout_batch, dynamics=self)


def _again(functions: Any, state: Space, action: Space, params: Any, rule: str, action_noise: Any) -> TracedDynamics:
    """Dynamics that were pickled or copied."""
    body, noise = restored(functions)
    return TracedDynamics(body, state, action, params, rule, noise, action_noise)


def rollout_batch(xs: Any, us: Any, dt: float, p: Any) -> None:
    """x[t+1] = step(x[t], u[t]) along every row of a batch; xs (B, T+1, NX) starts with x[0], us (B, T, NU)."""
    for b in range(xs.shape[0]):
        for t in range(us.shape[1]):
            step(xs[b, t], us[b, t], dt, p, xs[b, t + 1])


class DynamicsTrace:
    """One trace of a recipe: next state, Jacobians and noise as expressions, and the source made from them."""

    def __init__(self, recipe: Recipe, layout: Layout) -> None:
        self.recipe = recipe
        graph = Graph()
        m: Any = SymbolicMath(graph)
        self.x = graph.inputs("x", recipe.state.size)
        self.u = graph.inputs("u", recipe.action.size)
        self.dt = graph.input("dt", 0)
        self.p = layout.symbols(graph, "p")
        self.graph = graph
        with told(recipe.body.__name__, x=recipe.state.names, u=recipe.action.names):
            self.y = [graph.lift(e) for e in _advance(recipe, self.x, self.u, self.dt, self.p, m)]
            self.stated = self._stated_noise(m)

    def _stated_noise(self, m: Any) -> list[list[Expr]]:
        """What the noise function says; zeros where there is none."""
        body, d, name = self.recipe.noise_body, self.recipe.state.dim, self.recipe.body.__name__
        if body is None:
            return square([0.0] * d, d, self.graph, name)
        takes(body, ("x", "u", "dt", "p", "m"), f"the noise function of {name}")
        return square(body(self.x, self.u, self.dt, self.p, m), d, self.graph, name)

    @derived
    def F(self) -> list[list[Expr]]:
        return tangent_jacobian(self.recipe.state, self.y, seeds(self.recipe.state, self.x))

    @derived
    def B(self) -> list[list[Expr]]:
        if not self.u:
            return [[] for _ in range(self.recipe.state.dim)]
        return tangent_jacobian(self.recipe.state, self.y, seeds(self.recipe.action, self.u))

    @derived
    def Q(self) -> list[list[Expr]]:
        d, Q = self.recipe.state.dim, [[*row] for row in self.stated]
        known = self.p.__dict__
        for i, density in enumerate(known.get(NOISE, ())):
            Q[i][i] = Q[i][i] + density * density * self.dt
        for k, std in enumerate(known.get(ACTION_NOISE, ())):
            for i in range(d):
                for j in range(d):
                    Q[i][j] = Q[i][j] + self.B[i][k] * self.B[j][k] * (std * std)
        return Q

    def source(self, slot: str) -> str | None:
        labels = {"x": self.recipe.state.names, "u": self.recipe.action.names}
        inputs = ("x", "u", "dt", "p")
        if slot == "step":
            return in_place(Signature(slot, inputs, labels=labels), [("y", self.y)])
        if slot == "linearized_step":
            return in_place(Signature(slot, inputs, labels=labels), [("y", self.y), ("F", self.F), ("Q", self.Q)])
        if slot == "process_noise":
            return in_place(Signature(slot, inputs, labels=labels), [("Q", self.Q)])
        if slot == "step_lanes":
            return lanes(Signature(slot, inputs, labels=labels), [("y", self.y)])
        return None

    @derived
    def linearized(self) -> Vectorized:
        return Vectorized([e for row in self.F for e in row] + [e for row in self.B for e in row])

    @derived
    def noise(self) -> Vectorized:
        return Vectorized([e for row in self.Q for e in row])


_traced = one_per_recipe(DynamicsTrace)


def _advance(recipe: Recipe, x: Sequence[Any], u: Sequence[Any], dt: Any, p: Values, m: Any) -> Sequence[Any]:
    """Components of the next state, in any namespace."""
    name = recipe.body.__name__
    if recipe.rule == "step":
        y = counted(recipe.body(x, u, dt, p, m), recipe.state.size, name, "components of the next state")
        return recipe.state.components_normalize(y, m)

    def rates(state: Sequence[Any]) -> Sequence[Any]:
        return counted(recipe.body(state, u, p, m), recipe.state.dim, name, "rates")

    return integrator(recipe.rule)(rates, recipe.state, x, dt, m)


def limited(state: Space, action: Space, limits: Mapping[str, tuple[float, float]], name: str) -> tuple[Space, Space]:
    """Both spaces with new bounds on the components that `limits` names."""
    if not isinstance(limits, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(f"limits of {name} are bounds by name, as in {{'steer': (-0.4, 0.4)}}, not {limits!r}")
    for component, bounds in limits.items():
        if component in action.names:
            action = action.bounded({component: bounds})
        elif component in state.names:
            state = state.bounded({component: bounds})
        else:
            known = ", ".join((*action.names, *state.names))
            raise ModelError(f"{name} has no component {component!r} to limit; it has {known}")
    return state, action


def _arrays(x: Any, u: Any, model: TracedDynamics) -> tuple[Any, Any]:
    """Inputs as arrays of the right length, or both as tensors where one is."""
    x = array_of(x, model.state, f"state of {model.name}")
    return together(x, array_of(u, model.action, f"action of {model.name}"))
