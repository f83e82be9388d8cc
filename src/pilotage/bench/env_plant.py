"""A Gymnasium environment with `get_state` and `set_state` as a benchmark task."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.errors import SettingError
from ..core.settings import positive, whole
from ..core.space import Space
from ..core.task import Task
from .benchmark_task import BenchmarkTask

REMEMBERED = 2**17
"""Number of the last steps of an environment that are remembered."""


class EnvDynamics(Dynamics):
    """The steps of an environment as dynamics: ``x' = get_state() after set_state(x), step(u)``.

    A state in which the environment has ended is kept. The last steps are remembered, so that a cost does not make the
    environment step again.

    Args:
        env: the environment; `get_state` returns the whole state ``(n,)``, and `set_state` takes it.
        state: the space of the state; default: n real numbers.

    Example:
        >>> class Counter:
        ...     action_space = type("Box", (), {"low": np.array([-1.0]), "high": np.array([1.0])})
        ...     def reset(self, seed=None): self.x = np.zeros(1)
        ...     def get_state(self): return self.x
        ...     def set_state(self, x): self.x = x
        ...     def step(self, u): self.x = self.x + u; return self.x, -float(self.x[0] ** 2), False, False, {}
        >>> EnvDynamics(Counter()).step([1.0], [0.5], 0.1)
        array([1.5])
    """

    def __init__(self, env: Any, state: Space | None = None) -> None:
        for name in ("get_state", "set_state"):
            if not callable(getattr(env, name, None)):
                raise SettingError(f"{env!r} has no method {name}; wrap the environment in a class that has it")
        env.reset(seed=0)
        size = np.size(env.get_state())
        self.env = env
        self.state = Space(" ".join(f"s{i}" for i in range(size))) if state is None else state
        if self.state.size != size:
            raise SettingError(f"the state of the environment has {size} numbers, {self.state} {self.state.size}")
        box = env.action_space
        if not (hasattr(box, "low") and hasattr(box, "high")):
            raise SettingError(f"the action space is {box}; expected a Box; wrap the environment")
        low, high = (np.asarray(bound, dtype=np.float64).ravel() for bound in (box.low, box.high))
        names = [f"u{i}" for i in range(len(low))]
        self.action = Space(" ".join(names)).bounded({n: (float(a), float(b)) for n, a, b in zip(names, low, high)})
        self._steps: OrderedDict[bytes, tuple[Array, float]] = OrderedDict()
        self._ends: OrderedDict[bytes, bool] = OrderedDict()

    def step(self, x: Any, u: Any, dt: float) -> Array:
        """The states after one step of the environment, whatever `dt`."""
        return self.both(x, u)[0]

    def both(self, x: Any, u: Any) -> tuple[Array, Array]:
        """The states after a step ``(..., n)``, and the cost ``(...)``, which is minus the reward."""
        x, u = np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64)
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        xs = np.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])
        us = np.broadcast_to(u, (*batch, u.shape[-1])).reshape(-1, u.shape[-1])
        found = [self._one(y, v) for y, v in zip(xs, us)]
        return np.reshape([y for y, _ in found], (*batch, x.shape[-1])), np.reshape([c for _, c in found], batch)

    def ended(self, x: Any) -> Any:
        """Whether a step that ended the environment led to the states ``(..., n)``, bools ``(...)``."""
        xs = np.ascontiguousarray(x, dtype=np.float64)
        found = [row.tobytes() in self._ends for row in xs.reshape(-1, xs.shape[-1])]
        return np.reshape(found, xs.shape[:-1])

    def _one(self, x: Array, u: Array) -> tuple[Array, float]:
        """A step and its cost."""
        if x.tobytes() in self._ends:
            return x, 0.0
        key = x.tobytes() + u.tobytes()
        if key not in self._steps:
            self.env.set_state(x.copy())
            _, reward, terminated, *_ = self.env.step(u.copy())
            y = np.array(self.env.get_state(), dtype=np.float64).ravel()
            if terminated:
                _remember(self._ends, y.tobytes(), True)
            _remember(self._steps, key, (y, -float(reward)))
        return self._steps[key]


def _remember(memory: OrderedDict[bytes, Any], key: bytes, value: Any) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)


class EnvTask(Task):
    """The rewards of an environment as a task: ``cost(x, u) = -reward``, done where the environment has ended.

    Args:
        plant: the environment as dynamics.
        dt: seconds of a step.
        horizon: number of steps in an episode.

    Example:
        >>> class Line(EnvDynamics):
        ...     state, action = Space("x"), Space("u")
        ...     def __init__(self): ...
        ...     def both(self, x, u): return x + u, x**2
        >>> EnvTask(Line(), 0.1, 10).cost(2.0, 1.0)
        4.0
    """

    def __init__(self, plant: EnvDynamics, dt: float, horizon: int) -> None:
        self.plant, self.state, self.action = plant, plant.state, plant.action
        self.dt, self.horizon = positive(dt, "dt"), whole(horizon, "horizon")

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        return self.plant.both(x, u)[1]

    def done(self, x: Any, r: Any = None) -> Any:
        return self.plant.ended(x)


def env_task(
    name: str, make: Callable[[], Any], *, dt: float, horizon: int, state: Space | None = None, **settings: Any
) -> BenchmarkTask:
    """A benchmark task from an environment with the methods `get_state` and `set_state`.

    The state has to contain all that a step depends on. The cost is minus the reward, the start is that of
    ``reset(seed=seed)``, and an episode has `horizon` steps, or fewer if the environment ends it (`terminated`); say by
    `success` whether that is a success. Samplers such as MPPI can plan with it, slowly; others need a `model`.

    Args:
        name: a name for tables.
        make: function that makes the environment.
        dt: seconds of a step.
        horizon: number of steps in an episode.
        state: the space of the state; default: real numbers.
        settings: other settings of `BenchmarkTask`, such as `model`, `planning` or `optimum`.

    Example:
        >>> import gymnasium
        >>> class Rod(gymnasium.Wrapper):
        ...     def get_state(self): return self.unwrapped.state
        ...     def set_state(self, x): self.unwrapped.state = x
        >>> rod = env_task("rod", lambda: Rod(gymnasium.make("Pendulum-v1")), dt=0.05, horizon=200)
        >>> rod.plant.step([0.0, 0.0], [0.0], 0.05), float(rod.task.cost([0.0, 1.0], [0.0]))
        (array([0., 0.]), 0.1)
    """
    env = make()
    plant, drawn = EnvDynamics(env, state), make()

    def start(seed: int) -> Array:
        drawn.reset(seed=seed)
        return np.array(drawn.get_state(), dtype=np.float64).ravel()

    return BenchmarkTask(name, plant, EnvTask(plant, dt, horizon), start=start, **settings)
