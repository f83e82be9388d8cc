"""Slots as calls of the protocols' methods, for models that cannot be traced.

Drivers may hand over rows of a table that is wider than a vector; as generated code does, these take what belongs to
the model and leave the rest. Models are given copies: one that writes into its arguments, or keeps them, has no hold
on a belief.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import Dynamics, ModelError, Sensor, Task
from ...core.declared import a_batch, asked, called, returned

ONE = np.zeros(())


def _step(dynamics: Dynamics) -> Callable[..., None]:
    n = dynamics.state.size

    def step(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
        y[:n] = _checked(dynamics.step(x[:n].copy(), u.copy(), dt), y[:n], "step", dynamics)

    return step


def _linearized_step(dynamics: Dynamics) -> Callable[..., None]:
    n, d = dynamics.state.size, dynamics.state.dim

    def linearized_step(x: Any, u: Any, dt: float, p: Any, y: Any, F: Any, Q: Any) -> None:
        F[:d, :d] = _checked(dynamics.linearize(x[:n].copy(), u.copy(), dt)[0], F[:d, :d], "linearize", dynamics)
        Q[:d, :d] = _checked(dynamics.noise(x[:n].copy(), u.copy(), dt), Q[:d, :d], "noise", dynamics)
        y[:n] = _checked(dynamics.step(x[:n].copy(), u.copy(), dt), y[:n], "step", dynamics)  # last: y may be x

    return linearized_step


def _process_noise(dynamics: Dynamics) -> Callable[..., None]:
    n, d = dynamics.state.size, dynamics.state.dim

    def process_noise(x: Any, u: Any, dt: float, p: Any, Q: Any) -> None:
        Q[:d, :d] = _checked(dynamics.noise(x[:n].copy(), u.copy(), dt), Q[:d, :d], "noise", dynamics)

    return process_noise


def _context(context: Any) -> Any:
    """A copy of the numbers of a context, or the object that it is; None for the empty array that drivers hand over."""
    if type(context) is not np.ndarray:
        return context
    given: Any = context
    return given.copy() if given.size else None


def _observe(sensor: Sensor) -> Callable[..., None]:
    n, m = sensor.state.size, sensor.reading.size

    def observe(x: Any, context: Any, s: Any, z: Any) -> None:
        z[:m] = _checked(sensor.observe(x[:n].copy(), _context(context)), z[:m], "observe", sensor)

    return observe


def _linearized_observe(sensor: Sensor) -> Callable[..., None]:
    n, m, d, e = sensor.state.size, sensor.reading.size, sensor.state.dim, sensor.reading.dim

    def linearized_observe(x: Any, context: Any, s: Any, z: Any, H: Any, R: Any) -> None:
        c = _context(context)
        z[:m] = _checked(sensor.observe(x[:n].copy(), c), z[:m], "observe", sensor)
        H[:e, :d] = _checked(sensor.linearize(x[:n].copy(), c), H[:e, :d], "linearize", sensor)
        R[:e, :e] = _checked(sensor.noise(x[:n].copy(), c), R[:e, :e], "noise", sensor)

    return linearized_observe


def _reading_noise(sensor: Sensor) -> Callable[..., None]:
    n, e = sensor.state.size, sensor.reading.dim

    def reading_noise(x: Any, context: Any, s: Any, R: Any) -> None:
        R[:e, :e] = _checked(sensor.noise(x[:n].copy(), _context(context)), R[:e, :e], "noise", sensor)

    return reading_noise


def _step_lanes(dynamics: Dynamics) -> Callable[..., None]:
    def step_lanes(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
        y[:] = _checked(asked(dynamics, "step", x.T.copy(), u.T.copy(), dt), y.T, "step", dynamics, x).T

    return step_lanes


def _stage_cost_lanes(task: Task) -> Callable[..., None]:
    def stage_cost_lanes(x: Any, u: Any, r: Any, c: Any, cost: Any) -> None:
        cost[0, :] = _checked(asked(task, "cost", x.T.copy(), u.T.copy(), r), cost[0], "cost", task, x)

    return stage_cost_lanes


def _terminal_cost_lanes(task: Task) -> Callable[..., None]:
    def terminal_cost_lanes(x: Any, r: Any, c: Any, cost: Any) -> None:
        cost[0, :] = _checked(asked(task, "terminal_cost", x.T.copy(), r), cost[0], "terminal_cost", task, x)

    return terminal_cost_lanes


def _stage_cost(task: Task) -> Callable[..., float]:
    def stage_cost(x: Any, u: Any, r: Any, c: Any) -> float:
        return float(_checked(task.cost(x.copy(), u.copy(), r), ONE, "cost", task))

    return stage_cost


def _terminal_cost(task: Task) -> Callable[..., float]:
    def terminal_cost(x: Any, r: Any, c: Any) -> float:
        return float(_checked(task.terminal_cost(x.copy(), r), ONE, "terminal_cost", task))

    return terminal_cost


ADAPTERS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "step": _step,
    "linearized_step": _linearized_step,
    "process_noise": _process_noise,
    "observe": _observe,
    "linearized_observe": _linearized_observe,
    "reading_noise": _reading_noise,
    "stage_cost": _stage_cost,
    "terminal_cost": _terminal_cost,
    "step_lanes": _step_lanes,
    "stage_cost_lanes": _stage_cost_lanes,
    "terminal_cost_lanes": _terminal_cost_lanes,
}


def _checked(value: Any, target: Any, method: str, model: Any, x: Any = None) -> Any:
    """`value` as an array of the shape of `target`, or a sentence; `x` are the states, side by side, of a batch."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        array = None
    if array is None or value is None or array.shape != target.shape:
        said, wanted = f"{called(model)}.{method} returned {returned(value)}", target.shape or "one number"
        if x is None:
            raise ModelError(f"{said}; {wanted} was expected for this state")
        raise ModelError(f"{said} for states of shape {x.T.shape}; {wanted} was expected: {a_batch(len(x))}")
    return array
