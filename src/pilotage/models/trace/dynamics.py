"""Dynamics as one function of scalar components, from which everything else is derived.

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
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Never, final

import numpy as np

from ...core import Dynamics
from ...core.diffusion import densities
from ...core.errors import ModelError, ShapeError
from ...core.mathematics import torch_if_tensor
from ...core.seconds import seconds
from ...core.space import Space
from ._functions import Body, NoiseBody, Spread, counted, square, takes, told
from .driver import call, driver
from .family import Family, parenthesised, remembered
from .function import DYNAMICS, Function, Input, Value, matrix, vector
from .graph import Graph
from .integrators import integrator
from .integrators import integrator as find_rule
from .model import Traced
from .params import Values
from .tracer import SymbolicMath
from .vectorized import array_of, common_batch, together

NOISE, ACTION_NOISE, SCALE = "noise density", "action noise", "noise scale"  # no parameter can be called that

NOTHING = Space()


class TracedDynamics(Traced, Dynamics):
    """Dynamics derived from a function of scalar components; `dynamics` and `discrete_dynamics` create them.

    Attributes:
        name: the name of the function.
        state, action: the spaces.
        params: the parameters by name.
        integrator: "euler", "midpoint", "rk4", or "step" if the function returns the next state itself.

    Example:
        >>> from pilotage.models import bicycle
        >>> car = bicycle().replace(wheelbase=1.5)
        >>> F, B = car.linearize([0.0, 0.0, 0.0, 2.0], [0.0, 0.0], 0.1)
        >>> B[3].tolist()                                             # how the speed depends on (accel, steer)
        [0.1, 0.0]
    """

    takes_tensors = True

    def __init__(
        self,
        body: Body,
        *,
        state: Space,
        action: Space,
        params: Mapping[str, Any],
        rule: str,
        noise: Spread | NoiseBody | None = None,
        action_noise: Spread | None = None,
        written: Space | None = None,
        scale: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(
            body, state=state, action=action, params=params, rule=rule, noise=noise, action_noise=action_noise,
            written=written, scale=scale,
        )  # fmt: skip
        self._written = written or state
        self.state, self.action, self.integrator, self.continuous = state, action, rule, rule != "step"
        if rule != "step":
            integrator(rule)
        values = dict(self.params)
        if noise is not None and not callable(noise):
            values[NOISE] = tuple(densities(noise, state, f"noise of {self.name}").tolist())
        if action_noise is not None:
            values[ACTION_NOISE] = tuple(densities(action_noise, action, f"action_noise of {self.name}").tolist())
        if scale is not None:
            values[SCALE] = scale
        functions = (body, noise if callable(noise) else None)
        self._trace("dynamics", values, functions, (state, action, self._written), (rule,), self._traced)

    def step(self, x: Any, u: Any, dt: float) -> Any:
        x, u = self._arrays(x, u)
        return self._results("y", x, u, seconds(dt, backward=True))

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        x, u = self._arrays(x, u)
        return self._function("F B", x, u, seconds(dt, backward=True), self._supply.listed(x))

    @cached_property
    def linear(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether ``y = F x + B u``, with F, B and Q that depend only on dt and the parameters."""
        return all(self.dependencies(name) <= {"dt", "p"} for name in ("F", "B", "Q"))

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        x, u = self._arrays(x, u)
        return self._results("Q", x, u, seconds(dt))

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        if torch_if_tensor(x0, us) is not None:
            return super().rollout(x0, us, dt)
        x0, us = self.state.check(x0, "initial state"), self.action.check(us, "actions")
        if us.ndim < 2:
            raise ShapeError(f"actions of a rollout have the axes (..., T, {self.action.size}); {us.shape} was given")
        batch = common_batch(x0.shape[:-1], us.shape[:-2], f"initial state and actions of {self.name}")
        T, count = us.shape[-2], math.prod(batch)
        xs = np.empty((*batch, T + 1, self.state.size))
        xs[..., 0, :] = x0
        actions = np.array(np.broadcast_to(us, (*batch, *us.shape[-2:])), order="C")
        step = np.array([float(seconds(dt, backward=True))])
        rows, us = xs.reshape(count, T + 1, self.state.size), actions.reshape(count, T, self.action.size)
        rollout_batch.compiled(self.code("y").address, rows, us, step, self.vector(dt))
        return xs

    def perturbed(self, side: str) -> TracedDynamics:
        """The same motion and noise, of the state with its rotations and poses perturbed on one side.

        Rates and noise stay those of the state that the model was written for. F and Q follow from the adjoint.

        Example:
            >>> from pilotage.core import Space
            >>> @dynamics(state=Space("pose: SE2"), action=Space("speed", "turn"), noise=(0.1, 0.0, 0.0))
            ... def rover(x, u, p, m):
            ...     return u[0], 0.0, u[1]
            >>> rover().perturbed("left").linearize([5.0, 3.0, 1.0], [1.0, 0.2], 0.1)[0].round(12) + 0.0
            array([[1., 0., 0.],
                   [0., 1., 0.],
                   [0., 0., 1.]])
        """
        if len(set(self._settings["scale"] or ())) > 1:
            raise ModelError(f"the noise of {self.name} has factors for its own tangent; take perturbed(side) first")
        return self._with(state=self.state.perturbed(side), written=self._written)

    def scale_noise(self, factors: Any) -> TracedDynamics:
        """The same motion with process noise ``D Q D``: its standard deviations times one factor, or one each ``(d,)``.

        Example:
            >>> from pilotage.models import unicycle
            >>> slipping = unicycle(noise=0.1).scale_noise([1.0, 1.0, 3.0])
            >>> slipping.noise([0.0, 0.0, 0.0], [1.0, 0.0], 1.0).diagonal().round(4).tolist()
            [0.01, 0.01, 0.09]
        """
        before = self._settings["scale"] or 1.0
        return self._with(scale=tuple((before * densities(factors, self.state, "factors of noise")).tolist()))

    def _arrays(self, x: Any, u: Any) -> tuple[Any, Any]:
        """Inputs as arrays of the right length, or both as tensors where one is."""
        x, u = array_of(x, self.state, f"state of {self.name}"), array_of(u, self.action, f"action of {self.name}")
        common_batch(x.shape[:-1], u.shape[:-1], f"state and action of {self.name}")
        return together(x, u)

    def _traced(self) -> Function:
        graph = Graph()
        m: Any = SymbolicMath(graph)
        x, u = graph.inputs("x", self.state.size), graph.inputs("u", self.action.size)
        dt, p = graph.input("dt", 0), self._supply.layout.symbols(graph, "p")
        with told(self.name, x=self.state.names, u=self.action.names):
            y = [graph.lift(e) for e in self.advance(x, u, dt, p, m)]
            noise = self._settings["noise"]
            stated: Any = [0.0] * self.state.dim
            if callable(noise):
                takes(noise, ("x", "u", "dt", "p", "m"), f"the noise function of {self.name}")
                stated = noise(x, u, dt, p, m)
            Q0 = square(stated, self.state.dim, graph, self.name)

        def Q(function: Function) -> Value:
            d, rows = self.state.dim, [[*row] for row in Q0]
            for i, density in enumerate(p.__dict__.get(NOISE, ())):
                rows[i][i] = rows[i][i] + density * density * dt
            if self._written != self.state:
                T = self._written.components_swapped(self.state, y, m)
                rows = _product(_product(T, rows), [list(column) for column in zip(*T, strict=True)])
            stds = p.__dict__.get(ACTION_NOISE, ())
            B = function.value("B").components if stds else []
            for k, std in enumerate(stds):
                for i in range(d):
                    for j in range(d):
                        rows[i][j] = rows[i][j] + B[i * len(u) + k] * B[j * len(u) + k] * (std * std)
            scale = p.__dict__.get(SCALE)
            if scale is not None:
                rows = [[rows[i][j] * (scale[i] * scale[j]) for j in range(d)] for i in range(d)]
            return matrix(rows, d)

        inputs = {"x": Input(self.state, x), "u": Input(self.action, u), "dt": Input(None, [dt])}
        return Function(DYNAMICS, self.name, graph, inputs, {"y": vector(y, self.state), "Q": Q})

    @property
    def spread(self) -> tuple[Any, Any, tuple[float, ...] | None]:
        """What the process noise was made from: `noise`, `action_noise`, and factors for each tangent component."""
        return self._settings["noise"], self._settings["action_noise"], self._settings["scale"]

    def advance(self, x: Sequence[Any], u: Sequence[Any], dt: Any, p: Values, m: Any) -> Sequence[Any]:
        """Components of the next state, for another model to continue from; `p` has this model's parameters."""
        if self.integrator == "step":
            y = counted(self._body(x, u, dt, p, m), self.state.size, self.name, "components of the next state")
            return self.state.components_normalize(y, m)

        def rates(state: Sequence[Any]) -> Sequence[Any]:
            return counted(self._body(state, u, p, m), self.state.dim, self.name, "rates")

        return integrator(self.integrator)(rates, self._written, x, dt, m)


def _product(a: list[list[Any]], b: list[list[Any]]) -> list[list[Any]]:
    """The product of two square matrices of expressions."""
    return [
        [sum((x * y for x, y in zip(row, column, strict=True)), 0.0) for column in zip(*b, strict=True)] for row in a
    ]


@driver("void(i8, f8[:,:,::1], f8[:,:,::1], f8[::1], f8[::1])", nogil=True)
def rollout_batch(step: int, xs: Any, us: Any, dt: Any, p: Any) -> None:
    """x[t+1] = step(x[t], u[t]) along every row of a batch; xs (B, T+1, n) starts with x[0], us (B, T, m)."""
    for b in range(xs.shape[0]):
        for t in range(us.shape[1]):
            call(step, xs[b, t], us[b, t], dt, p, xs[b, t + 1])


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


@final
class DynamicsFamily(Family[TracedDynamics]):
    """All dynamics that share one function; made by `dynamics` and `discrete_dynamics`.

    Calls take the parameters, `integrator`, `noise` (see `dynamics`), `action_noise`, and `limits`, which sets bounds
    of states and actions by name: ``bicycle(wheelbase=2.9, limits={"steer": (-0.4, 0.4)})``.
    """

    kind: ClassVar[str] = "dynamics"

    def __init__(
        self,
        body: Body,
        params: Mapping[str, Any] | None,
        *,
        state: Space,
        action: Space,
        rule: str,
        noise: Spread | NoiseBody | None,
        action_noise: Spread | None,
        positive: str | Sequence[str],
        nonnegative: str | Sequence[str],
    ) -> None:
        arguments = ("x", "u", "dt", "p", "m") if rule == "step" else ("x", "u", "p", "m")
        super().__init__(body, arguments, params, positive, nonnegative, state=state, action=action)
        self.state = state
        self.action = action
        self._rule = rule
        self._noise = noise
        self._action_noise = action_noise

    @property
    def functions(self) -> dict[str, Any]:
        return {"noise": self._noise if callable(self._noise) else None}

    @remembered
    def __call__(
        self,
        *unnamed: Never,
        integrator: str | None = None,
        noise: Spread | NoiseBody | None = None,
        action_noise: Spread | None = None,
        limits: Mapping[str, tuple[float, float]] | None = None,
        **params: Any,
    ) -> TracedDynamics:
        state, action = limited(self.state, self.action, limits or {}, self.__name__)
        if integrator is not None:
            if self._rule == "step":
                raise ModelError(f"{self.__name__} gives the next state itself and takes no integrator")
            find_rule(integrator)
        return TracedDynamics(
            self.__wrapped__,
            state=state,
            action=action,
            params=self.values(params, unnamed),
            rule=integrator or self._rule,
            noise=noise if noise is not None else self._noise,
            action_noise=action_noise if action_noise is not None else self._action_noise,
        )


@parenthesised
def dynamics(
    *,
    state: Space,
    action: Space = NOTHING,
    params: Mapping[str, Any] | None = None,
    integrator: str = "rk4",
    noise: Spread | NoiseBody | None = None,
    action_noise: Spread | None = None,
    positive: str | Sequence[str] = (),
    nonnegative: str | Sequence[str] = (),
) -> Callable[[Body], DynamicsFamily]:
    """Decorator for dynamics given by their rates: ``f(x, u, p, m) -> dx/dt``, one rate per tangent component.

    Args:
        state, action: the spaces; without an action by default.
        params: parameters with their default values: numbers, vectors, matrices or rasters.
        integrator: "euler", "midpoint" or "rk4".
        noise: standard deviations per square root of a second, one for all or one per tangent component, so that
            ``Q = diag(noise^2) dt``; or a function ``(x, u, dt, p, m)`` that returns variances or rows of a covariance.
        action_noise: standard deviations of the action, constant during a step: adds ``B diag(action_noise^2) B'``.
        positive: names of the parameters that must be greater than 0, such as lengths and masses.
        nonnegative: names of those that must be 0 or more, such as the intensity of a noise.

    Example:
        >>> from pilotage.core import Space
        >>> @dynamics(state=Space("x [m]", "v [m/s]"), action=Space("a [m/s^2]"), action_noise=(0.5,))
        ... def cart(x, u, p, m):
        ...     return x[1], u[0]
        >>> cart().linearize([0.0, 1.0], [0.0], 0.1)[0].tolist()
        [[1.0, 0.1], [0.0, 1.0]]
    """
    find_rule(integrator)
    return lambda body: DynamicsFamily(
        body,
        params,
        state=state,
        action=action,
        rule=integrator,
        noise=noise,
        action_noise=action_noise,
        positive=positive,
        nonnegative=nonnegative,
    )


@parenthesised
def discrete_dynamics(
    *,
    state: Space,
    action: Space = NOTHING,
    params: Mapping[str, Any] | None = None,
    noise: Spread | NoiseBody | None = None,
    action_noise: Spread | None = None,
    positive: str | Sequence[str] = (),
    nonnegative: str | Sequence[str] = (),
) -> Callable[[Body], DynamicsFamily]:
    """Decorator for dynamics given by their step: ``f(x, u, dt, p, m) -> x'``, one value per stored component.

    The arguments are those of `dynamics`, without `integrator`.

    Example:
        >>> from pilotage.core import Space
        >>> @discrete_dynamics(state=Space("x [m]"), action=Space(), noise=(1.0,))
        ... def drift(x, u, dt, p, m):
        ...     return (x[0] + 2.0 * dt,)
        >>> drift().step([1.0], [], 0.5).tolist()
        [2.0]
    """
    return lambda body: DynamicsFamily(
        body,
        params,
        state=state,
        action=action,
        rule="step",
        noise=noise,
        action_noise=action_noise,
        positive=positive,
        nonnegative=nonnegative,
    )
