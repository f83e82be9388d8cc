"""A Gymnasium environment whose state can be set as a benchmark task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.arrays import Array
from ..core.settings import positive, whole
from ..core.space import Space
from ..core.task import Task
from ..envs.env_dynamics import EnvDynamics
from .benchmark_task import BenchmarkTask


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
    """A benchmark task from an environment whose state can be set, as `EnvDynamics` does.

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
        >>> rod = env_task("rod", lambda: gymnasium.make("Pendulum-v1"), dt=0.05, horizon=200)
        >>> rod.plant.step([0.0, 0.0], [0.0], 0.05), float(rod.task.cost([0.0, 1.0], [0.0]))
        (array([0., 0.]), 0.1)
    """
    plant, drawn = EnvDynamics(make(), state), EnvDynamics(make(), state)

    def start(seed: int) -> Array:
        return drawn.start(seed)

    return BenchmarkTask(name, plant, EnvTask(plant, dt, horizon), start=start, **settings)
