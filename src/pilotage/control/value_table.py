"""Dynamic programming on a grid: the optimal cost-to-go of a task with a small state, backward in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.errors import ModelError, SettingError, ShapeError
from ..core.settings import whole
from ..core.states import state_of
from ..core.task import Task
from ..models import TracedTask
from ..models.trace import call, code_of, driver, parameters


@driver
def locate(y: Any, low: Any, width: Any, shape: Any, fraction: Any) -> int:
    """The flat index of the lowest corner of the cell of a state, and its place in the cell, 0 to 1 on each axis."""
    index = 0
    for i in range(len(shape)):
        place = min(max((y[i] - low[i]) / width[i], 0.0), shape[i] - 1.0)
        corner = min(int(place), shape[i] - 2)
        fraction[i] = place - corner
        index = index * shape[i] + corner
    return index


@driver
def interpolated(V: Any, index: int, fraction: Any, shape: Any) -> float:
    """The multilinear interpolation of a table between the corners of a cell."""
    n = len(shape)
    total = 0.0
    for corner in range(1 << n):
        weight, offset, stride = 1.0, 0, 1
        for i in range(n - 1, -1, -1):
            if (corner >> i) & 1:
                weight *= fraction[i]
                offset += stride
            else:
                weight *= 1.0 - fraction[i]
            stride *= shape[i]
        total += weight * V[index + offset]
    return total


MOST = 2**34
"""Largest size of a table in memory [B]."""
MODELS = "Tuple((i8[::1], f8[::1], f8[::1], f8[::1]))"
GRID = "Tuple((f8[::1], f8[::1], i8[::1]))"


@driver
def move(models: Any, x: Any, u: Any, y: Any, out: Any) -> float:
    """The cost of a step, and the state after it in y."""
    code, dt, p, c = models
    call(code[1], x, u, out[1:], c, out)
    call(code[0], x, u, dt, p, y)
    return out[0]


@driver(f"void({MODELS}, {GRID}, f8[:,::1], f8[:,::1], i4[:,::1], f4[:,:,::1], f4[:,::1], f8[::1], f8[::1], f8[::1])")
def successors(
    models: Any, grid: Any, states: Any, actions: Any, index: Any, fraction: Any, cost: Any, y: Any, f: Any, out: Any
) -> None:  # fmt: skip
    """The cell that each action leads to from each state of the grid, and the cost; they are the same at all stages."""
    low, width, shape = grid
    for s in range(len(states)):
        for a in range(len(actions)):
            cost[s, a] = move(models, states[s], actions[a], y, out)
            index[s, a] = locate(y, low, width, shape, f)
            for i in range(len(shape)):
                fraction[s, a, i] = f[i]


@driver("void(i8[::1], i4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1])")
def backward(shape: Any, index: Any, fraction: Any, cost: Any, V: Any) -> None:
    """``V_t(x) = min_u cost(x, u) + V_{t+1}(step(x, u))``, from the last row of V to the first."""
    for t in range(len(V) - 2, -1, -1):
        for s in range(cost.shape[0]):
            best = np.inf
            for a in range(cost.shape[1]):
                best = min(best, cost[s, a] + interpolated(V[t + 1], index[s, a], fraction[s, a], shape))
            V[t, s] = best


@driver(f"f8({MODELS}, {GRID}, f8[:,::1], f4[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8[::1])")
def greedy(
    models: Any, grid: Any, actions: Any, V: Any, xs: Any, us: Any, y: Any, f: Any, out: Any
) -> float:  # fmt: skip
    """The running cost of the best action by one step of lookahead at every stage, on the true dynamics from xs[0]."""
    low, width, shape = grid
    total = 0.0
    for t in range(len(us)):
        best, chosen = np.inf, 0
        for a in range(len(actions)):
            value = move(models, xs[t], actions[a], y, out)
            value += interpolated(V[t + 1], locate(y, low, width, shape, f), f, shape)
            if value < best:
                best, chosen = value, a
        for j in range(us.shape[1]):
            us[t, j] = actions[chosen, j]
        total += move(models, xs[t], us[t], xs[t + 1], out)
    return total


class ValueTable:
    """The optimal cost-to-go of a task on a grid, for every stage of its horizon.

    ::

        V_T(x) = terminal_cost(x)
        V_t(x) = min over the actions u of the grid of  cost(x, u) + V_{t+1}(step(x, u)),    multilinear between points

    With `task`, predictive controllers plan a few steps, and know what comes after them. That is the remedy for a
    horizon that is too short to see the way, or so long that a search does not find it.

    States off the grid count as the nearest on it. The memory is 4 bytes for each stage and state, and
    ``8 + 4 n`` bytes for each pair of state and action.

    Args:
        dynamics, task: a model and a task that are traced; the cost may not vary in time, and has no constraint.
        low, high: the corners of the grid ``(n,)``; -pi and pi for angles.
        shape: number of points on each axis.
        actions: number of points on each axis of the actions, between their bounds.

    Raises:
        ModelError: if model or task are not traced, the cost varies in time, or an action has no bounds.
        ShapeError: if low, high or shape do not fit the state.
        SettingError: if a range is empty, an axis has fewer than 2 points, or the table needs more than 16 GiB.

    Attributes:
        V: the cost-to-go ``(T + 1, states)``, in single precision.

    Source: Bertsekas, "Dynamic Programming and Optimal Control" I (4th ed. 2017), section 1.3; Kushner and Dupuis,
    "Numerical Methods for Stochastic Control Problems in Continuous Time" (2001), for interpolation on grids.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import double_integrator
        >>> cart = double_integrator(1)
        >>> home = reach(cart, [0.0, 0.0], weights=[1.0, 0.1], effort=0.1, horizon=5)
        >>> table = ValueTable(cart, home, [-2.0, -2.0], [2.0, 2.0], shape=(41, 41), actions=21)
        >>> round(table.value([0.0, 0.0]), 6), table.rollout([1.0, 0.0])[2].shape
        (0.0, (5, 1))
        >>> bool(np.isclose(table.task.terminal_cost([1.0, 0.0]), table.value([1.0, 0.0])))
        True
    """

    def __init__(
        self, dynamics: Dynamics, task: Task, low: Sequence[float], high: Sequence[float], shape: Sequence[int],
        actions: int,
    ) -> None:  # fmt: skip
        if not isinstance(task, TracedTask) or task.stage.size or code_of(task, "g").size:
            raise ModelError(f"dynamic programming needs a traced task without references and constraint, not {task!r}")
        task = task.on(dynamics.state, dynamics.action)
        if not len(low) == len(high) == len(shape) == dynamics.state.size:
            raise ShapeError(f"low, high and shape need one number for each component of {dynamics.state}")
        self._space, self._state = dynamics.action, dynamics.state
        self._refuse(low, high, shape, actions, task.horizon)
        self._task, self._corners = task, (low, high)
        axes = [np.linspace(a, b, k) for a, b, k in zip(low, high, shape)]
        states = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(shape))
        width = np.array([axis[1] - axis[0] for axis in axes])
        self._grid = np.array(low, dtype=np.float64), width, np.array(shape, dtype=np.int64)
        self._codes = code_of(dynamics, "y"), code_of(task, "l")
        addresses = np.array([code.address for code in self._codes], dtype=np.int64)
        self._models = addresses, np.array([task.dt]), parameters(dynamics, task.dt), parameters(task)
        n = len(shape)
        self._memory = np.empty(n), np.empty(n), np.empty(1)
        self.V = np.empty((task.horizon + 1, len(states)), dtype=np.float32)
        self.V[-1] = task.terminal_cost(states)
        us = self._choices(actions)
        index = np.empty((len(states), len(us)), dtype=np.int32)
        fraction, cost = np.empty((*index.shape, n), dtype=np.float32), np.empty(index.shape, dtype=np.float32)
        successors(self._models, self._grid, states, us, index, fraction, cost, *self._memory)
        backward(self._grid[2], index, fraction, cost, self.V)

    def _refuse(self, low: Any, high: Any, shape: Any, actions: Any, horizon: int) -> None:
        """Refuse a grid that is none, or does not fit into memory."""
        for name, a, b, count in zip(self._state.names, low, high, shape, strict=True):
            whole(count, f"shape of {name}", 2)
            if not -np.inf < a < b < np.inf:
                raise SettingError(f"low and high of {name} are {a} and {b}; expected a finite range")
        whole(actions, "actions")
        if not np.isfinite([self._space.low, self._space.high]).all():
            raise ModelError(f"the actions of a table lie between finite bounds, unlike those of {self._space}")
        states, pairs = math.prod(shape), math.prod(shape) * actions**self._space.size
        size = 4 * states * (horizon + 1) + (8 + 4 * len(shape)) * pairs
        if size > MOST:
            raise SettingError(f"the table needs {size / 2**30:.0f} GiB; give fewer points in shape or actions")

    def __repr__(self) -> str:
        return f"ValueTable({self._task!r}, shape {tuple(self._grid[2].tolist())})"

    def _choices(self, count: int) -> Array:
        axes = [np.linspace(a, b, count) for a, b in zip(self._space.low, self._space.high)]
        return np.ascontiguousarray(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes)))

    @cached_property
    def task(self) -> TracedTask:
        """The task, with V_0 as its terminal cost: to plan H steps of it is to plan H + T steps."""
        return self._task.ending(self.V[0].reshape(self._grid[2]), *self._corners)

    def value(self, x: Any) -> float:
        """The optimal cost of an episode from a state ``(n,)``, interpolated.

        Raises:
            ShapeError: if the state has another shape, or is not finite.
        """
        x = state_of(x, self._state, "x")
        low, width, shape = self._grid
        f = np.empty(len(shape))
        index = locate.function(np.asarray(x, dtype=np.float64), low, width, shape, f)
        return float(interpolated.function(self.V[0], index, f, shape))

    def rollout(self, x: Any, actions: int = 401) -> tuple[float, Array, Array]:
        """The episode that the table leads to on the true dynamics: cost, states ``(T + 1, n)``, actions ``(T, m)``.

        Args:
            x: the initial state ``(n,)``.
            actions: number of points on each axis of the actions.
        """
        T, x = self._task.horizon, state_of(x, self._state, "x")
        xs, us = np.empty((T + 1, len(self._memory[0]))), np.empty((T, self._space.size))
        xs[0] = x
        cost = greedy(self._models, self._grid, self._choices(actions), self.V, xs, us, *self._memory)
        return cost + float(self._task.terminal_cost(xs[-1])), xs, us
