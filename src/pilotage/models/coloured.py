"""Noise that is correlated in time: models with a Gauss-Markov error as one more component of the state.

A filter takes noise for independent from step to step. Errors that last (wheel slip, the bias of a receiver) become
components of the state instead, which the filter estimates with all others.
"""

# pyright: basic
# It composes functions of models, whose values are numbers, arrays or symbols.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import Dynamics, ModelError, Sensor, Space
from ..core.diffusion import densities
from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.settings import instance
from .linear import LinearDynamics
from .trace.dynamics import DynamicsFamily, TracedDynamics, discrete_dynamics
from .trace.dynamics import dynamics as continuous_dynamics
from .trace.params import Values
from .trace.portable import variants
from .trace.sensor import SensorFamily, TracedSensor
from .trace.sensor import sensor as sensor_family

ACTION, RATE, APART = "action", "rate", "apart"
Error = tuple[str, str, str, int]
"""Name and unit of an error, what it adds to, and the index of the component there."""


def coloured(dynamics: Dynamics, on: str | Sequence[str], *, time: Any, std: Any) -> Any:
    """Dynamics whose actions or rates have errors that last: first-order Gauss-Markov processes, as new components.

    ::

        u + e,   or   x_i' = f_i(x, u) + e         de/dt = -e / time + w
        E e(t) e(t + s) = std^2 exp(-|s| / time)

    The new components follow the others in the state, and are named after what they add to: ``speed_error``. A filter
    starts them with mean 0 and standard deviation `std`. In traced models the values are parameters,
    ``speed_error_time`` and ``speed_error_std``.

    Args:
        dynamics: a traced model, or `LinearDynamics` in continuous time.
        on: names of actions, or of components of the state whose rates have the errors: ``"speed yaw_rate"``.
        time: correlation time of each error [s], or one for all.
        std: standard deviation of each error, in the unit of the action or the rate, or one for all.

    Raises:
        ModelError: if the dynamics are of another kind, or have no such component.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), section
    8.2.3; Gelb, "Applied Optimal Estimation" (1974), section 4.5.

    Example:
        >>> from pilotage.models import unicycle
        >>> slipping = coloured(unicycle(), "speed", time=2.0, std=0.2)
        >>> slipping.state.names
        ('x', 'y', 'yaw', 'speed_error')
        >>> slipping.step([0.0, 0.0, 0.0, 0.5], [1.0, 0.0], 0.1).round(3).tolist()
        [0.149, 0.0, 0.0, 0.476]
    """
    instance(dynamics, Dynamics, "coloured")
    names = on.split() if isinstance(on, str) else list(on)
    return extended(dynamics, tuple(_error(dynamics, name) for name in names), time, std)


def coloured_readings(
    dynamics: Dynamics,
    sensor: Sensor,
    on: str | Sequence[str] | None = None,
    *,
    time: Any,
    std: Any,
    name: str | None = None,
) -> tuple[Any, TracedSensor]:
    """Dynamics and a sensor whose readings have errors that last, beside their white noise.

    ::

        z = h(x) (+) e (+) v        de/dt = -e / time + w,   E e(t) e(t + s) = std^2 exp(-|s| / time)

    The new components of the state are named after the sensor and its components: ``gnss_x_error``. Several sensors are
    made one after another, each with the dynamics that the last one gave.

    Args:
        dynamics: a traced model, or `LinearDynamics` in continuous time.
        sensor: a traced sensor.
        on: names of the components of the reading that have errors; default: all.
        time, std: as for `coloured`.
        name: the name before those of the new components, where that of the sensor is taken by another of its kind.

    Raises:
        ModelError: if the models are of another kind, or the reading has no such component.

    Example:
        >>> from pilotage.models import constant_velocity, gnss
        >>> dynamics, receiver = coloured_readings(constant_velocity(), gnss(std=0.5), time=20.0, std=2.0)
        >>> dynamics.state.names[4:], receiver.on(dynamics.state).observe([1.0, 2.0, 0.0, 0.0, 0.5, -0.5]).tolist()
        (('gnss_x_error', 'gnss_y_error'), [1.5, 1.5])
    """
    instance(dynamics, Dynamics, "coloured_readings")
    if not isinstance(sensor, TracedSensor):
        raise ModelError(f"{sensor!r} is not made of a function; coloured_readings takes sensors made by @sensor")
    tangent = sensor.reading.tangent
    names = list(tangent.names) if on is None else on.split() if isinstance(on, str) else list(on)
    at = tuple(_index(tangent, name, sensor.name) for name in names)
    owner = sensor.name if name is None else name
    errors = tuple((f"{owner}_{tangent.names[i]}_error", tangent.units[i], APART, i) for i in at)
    larger = extended(dynamics, errors, time, std)
    family = _coloured_sensor(_bare(sensor), tuple(error[:2] for error in errors), at)
    noise = sensor._settings["noise"]
    reads = (*sensor.reads, *(_flat(error[0]) for error in errors))
    return larger, family(**dict(sensor.params), reads=reads, **({} if callable(noise) else {"std": noise}))


def extended(dynamics: Any, errors: tuple[Error, ...], time: Any, std: Any) -> Any:
    """Dynamics with these errors as further components of the state."""
    tau, s = (_each(value, len(errors), name) for value, name in ((time, "time"), (std, "std")))
    if isinstance(dynamics, LinearDynamics) and dynamics.parameters_depend_on_dt:
        return _extended_linear(dynamics, errors, np.array(tau), np.array(s))
    if not isinstance(dynamics, TracedDynamics):
        raise ModelError(
            f"{dynamics!r} is neither made of a function nor linear in continuous time; write the errors into its step"
        )
    family = _coloured_dynamics(dynamics, errors)
    pairs = zip(_parameters(errors), zip(tau, s, strict=True), strict=True)
    values: dict[str, Any] = {name: v for names, pair in pairs for name, v in zip(names, pair, strict=True)}
    return family(**dict(dynamics.params), **values)


@variants
def _coloured_dynamics(model: TracedDynamics, errors: tuple[Error, ...]) -> DynamicsFamily:
    body, n, d, stepped = model._body, model.state.size, model.state.dim, model.integrator == "step"
    space, stated = model.state, model._settings["noise"]
    given = (0.0,) * d if stated is None or callable(stated) else tuple(densities(stated, space).tolist())
    values = _parameters(errors)

    def plus(values: Any, x: Components, to: str, factor: Any = 1.0) -> list[Any]:
        moved = [*values] if isinstance(values, (tuple, list)) else [values]
        for e, (_, _, kind, i) in zip(x[n:], errors, strict=True):
            moved[i : i + 1] = [moved[i] + e * factor] if kind == to else moved[i : i + 1]
        return moved

    def rates(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
        f = plus(body(x[:n], plus([*u], x, ACTION), p, m), x, RATE)
        return [*f, *(-e / getattr(p, tau) for e, (tau, _) in zip(x[n:], values, strict=True))]

    def step(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
        y = body(x[:n], plus([*u], x, ACTION), dt, p, m)
        y = space.components_plus(y, plus([0.0] * d, x, RATE, dt), m)
        return [*y, *(e * m.exp(-dt / getattr(p, tau)) for e, (tau, _) in zip(x[n:], values, strict=True))]

    def noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Any:
        known: Any = [g * g * dt for g in given]
        known = stated(x[:n], plus([*u], x, ACTION), dt, p, m) if callable(stated) else known
        rows = [
            [*v] if isinstance(v, (tuple, list, np.ndarray)) else [v if i == j else 0.0 for j in range(d)]
            for i, v in enumerate(known)
        ]
        gained = [getattr(p, s) ** 2 * (1.0 - m.exp(-2.0 * dt / getattr(p, tau))) for tau, s in values]
        diagonal = [[g if i == j else 0.0 for j in range(len(gained))] for i, g in enumerate(gained)]
        return [[*row, *[0.0] * len(gained)] for row in rows] + [[0.0] * d + row for row in diagonal]

    made = step if stepped else rates
    made.__name__ = model.name
    params = {**model.params, **{name: 1.0 for pair in values for name in pair}}
    settings: dict[str, Any] = {} if stepped else {"integrator": model.integrator}
    make: Callable[..., Any] = discrete_dynamics if stepped else continuous_dynamics
    return make(
        state=Space(*space.parts, *_reals(errors)),
        action=model.action,
        params=params,
        noise=noise,
        action_noise=model._settings["action_noise"],
        positive=[tau for tau, _ in values],
        nonnegative=[s for _, s in values],
        **settings,
    )(made)


@variants
def _coloured_sensor(model: TracedSensor, errors: tuple[tuple[str, str], ...], at: tuple[int, ...]) -> SensorFamily:
    body, n, d, space, stated = (
        model._body,
        model.needs.size,
        model.reading.dim,
        model.reading,
        model._settings["noise"],
    )

    def observed(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        z = body(x[:n], c, p, m)
        total = [0.0] * d
        for e, i in zip(x[n:], at, strict=True):
            total[i] = total[i] + e
        return space.components_plus([*z] if isinstance(z, (tuple, list)) else [z], total, m)

    def noise(x: Components, c: Components, p: Values, m: Mathematics) -> Any:
        return stated(x[:n], c, p, m)

    observed.__name__ = model.name
    spread: dict[str, Any] = {"noise": noise} if callable(stated) else {"std": stated}
    return sensor_family(
        state=Space(*model.needs.parts, *_reals(errors)),
        reading=space,
        context=model.context,
        params=dict(model.params),
        **spread,
    )(observed)


def _extended_linear(model: LinearDynamics, errors: tuple[Error, ...], tau: Any, s: Any) -> LinearDynamics:
    """``d[x, e] = [[A, M], [0, -1 / tau]] [x, e] + ...``, M what the errors add to the rates."""
    n, k = model.state.size, len(errors)
    M = np.zeros((n, k))
    for j, (_, _, kind, i) in enumerate(errors):
        M[:, j] = model.B[:, i] if kind == ACTION else np.eye(n)[i] if kind == RATE else 0.0
    zero = np.zeros((k, n))
    A = np.block([[model.A, M], [zero, np.diag(-1.0 / tau)]])
    Qc = np.block([[model.G @ model.Qc @ model.G.T, zero.T], [zero, np.diag(2.0 * s**2 / tau)]])
    B = np.concatenate([model.B, np.zeros((k, model.B.shape[1]))])
    return LinearDynamics(A, B, Qc=Qc, state=Space(*model.state.parts, *_reals(errors)), action=model.action)


def _error(dynamics: Dynamics, name: str) -> Error:
    """The error of an action, or of the rate of a component of the state."""
    if name in dynamics.action.names:
        i = dynamics.action.names.index(name)
        return f"{name}_error", dynamics.action.units[i], ACTION, i
    tangent = dynamics.state.tangent
    i = _index(tangent, name, f"{dynamics!r}, whose actions are {', '.join(dynamics.action.names) or 'none'},")
    return f"{name}_error", f"{tangent.units[i]}/s" if tangent.units[i] else "", RATE, i


def _parameters(errors: Sequence[Sequence[Any]]) -> list[tuple[str, str]]:
    """Names of the parameters of each error, for its time and its standard deviation."""
    return [(f"{_flat(name)}_time", f"{_flat(name)}_std") for name, *_ in errors]


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _index(space: Space, name: str, owner: str) -> int:
    if name not in space.names:
        raise ModelError(f"{owner} has no component {name!r} for an error; it has {', '.join(space.names)}")
    return space.names.index(name)


def _reals(errors: Sequence[Sequence[Any]]) -> list[str]:
    return [f"{_flat(name)} [{unit}]" if unit else _flat(name) for name, unit, *_ in errors]


def _each(value: Any, count: int, name: str) -> tuple[float, ...]:
    """Positive numbers, one for each error."""
    given = np.array(value, dtype=np.float64)
    if given.ndim > 1 or given.size not in (1, count) or not (np.isfinite(given) & (given > 0.0)).all():
        raise ModelError(f"{name} is {value!r}; expected one positive number, or {count} of them")
    return tuple(np.broadcast_to(given, count).tolist())


def _bare(sensor: TracedSensor) -> TracedSensor:
    """The sensor before it was mounted."""
    return sensor if sensor.state is sensor.needs else sensor._with(state=None)
