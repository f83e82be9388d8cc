"""Slots as calls of the protocols' methods, for models that cannot be traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Dynamics, ModelError, Sensor, Task


def _step(dynamics: Dynamics) -> Callable[..., None]:
    def step(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
        y[:] = _checked(dynamics.step(x, u, dt), y, "step", dynamics)

    return step


def _linearized_step(dynamics: Dynamics) -> Callable[..., None]:
    def linearized_step(x: Any, u: Any, dt: float, p: Any, y: Any, F: Any, Q: Any) -> None:
        F[:] = _checked(dynamics.linearize(x, u, dt)[0], F, "linearize", dynamics)
        Q[:] = _checked(dynamics.noise(x, u, dt), Q, "noise", dynamics)
        y[:] = _checked(dynamics.step(x, u, dt), y, "step", dynamics)  # last: y may be x

    return linearized_step


def _process_noise(dynamics: Dynamics) -> Callable[..., None]:
    def process_noise(x: Any, u: Any, dt: float, p: Any, Q: Any) -> None:
        Q[:] = _checked(dynamics.noise(x, u, dt), Q, "noise", dynamics)

    return process_noise


def _context(context: Any) -> Any:
    """Drivers hand an empty array where there is no context; protocols expect None."""
    return None if np.size(context) == 0 else context


def _observe(sensor: Sensor) -> Callable[..., None]:
    def observe(x: Any, context: Any, s: Any, z: Any) -> None:
        z[:] = _checked(sensor.observe(x, _context(context)), z, "observe", sensor)

    return observe


def _linearized_observe(sensor: Sensor) -> Callable[..., None]:
    def linearized_observe(x: Any, context: Any, s: Any, z: Any, H: Any, R: Any) -> None:
        z[:] = _checked(sensor.observe(x, _context(context)), z, "observe", sensor)
        H[:] = _checked(sensor.linearize(x, _context(context)), H, "linearize", sensor)
        R[:] = _checked(sensor.noise(x, _context(context)), R, "noise", sensor)

    return linearized_observe


def _reading_noise(sensor: Sensor) -> Callable[..., None]:
    def reading_noise(x: Any, context: Any, s: Any, R: Any) -> None:
        R[:] = _checked(sensor.noise(x, _context(context)), R, "noise", sensor)

    return reading_noise


def _step_lanes(dynamics: Dynamics) -> Callable[..., None]:
    def step_lanes(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
        y[:] = _checked(dynamics.step(x.T, u.T, dt), y.T, "step", dynamics).T

    return step_lanes


def _stage_cost_lanes(task: Task) -> Callable[..., None]:
    def stage_cost_lanes(x: Any, u: Any, r: Any, c: Any, cost: Any) -> None:
        cost[0, :] = _checked(task.cost(x.T, u.T, r), cost[0], "cost", task)

    return stage_cost_lanes


def _terminal_cost_lanes(task: Task) -> Callable[..., None]:
    def terminal_cost_lanes(x: Any, r: Any, c: Any, cost: Any) -> None:
        cost[0, :] = _checked(task.terminal_cost(x.T, r), cost[0], "terminal_cost", task)

    return terminal_cost_lanes


def _stage_cost(task: Task) -> Callable[..., float]:
    def stage_cost(x: Any, u: Any, r: Any, c: Any) -> float:
        return float(task.cost(x, u, r))

    return stage_cost


def _terminal_cost(task: Task) -> Callable[..., float]:
    def terminal_cost(x: Any, r: Any, c: Any) -> float:
        return float(task.terminal_cost(x, r))

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


def _checked(value: Any, target: Any, method: str, model: Any) -> Any:
    """`value` as an array of the shape of `target`, or a sentence."""
    array = np.asarray(value, dtype=float)
    if array.shape != target.shape:
        raise ModelError(
            f"{type(model).__name__}.{method} returned an array of shape {array.shape}; "
            f"{target.shape} was expected for this state"
        )
    return array
