"""The benchmark task: a plant, the task to be done with it, and all that a fair comparison of controllers needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.errors import PilotageError, SettingError
from ..core.registry import Registry
from ..core.sensor import Sensor
from ..core.settings import Positive, instance, setting, settings
from ..core.streams import Rng, generator
from ..core.task import Task
from ..envs.wrappers.link import Timing
from ..maps import OccupancyGrid
from ..planners import PredictedTrack
from .disturbances import Disturbance, disturbance_of, disturbed
from .outcome import place

tasks = Registry("task", "pilotage.bench.tasks")
"""The tasks by name: functions without arguments that return a `BenchmarkTask`, or such tasks themselves."""


@settings(eq=False)
class Channel(Timing):
    """A sensor of a benchmark task, with its rate, its delay and its gaps.

    Args:
        sensor: the sensor; it is mounted on the state of the plant.
        context: its context, if it has one.
        surroundings: function from a time to the context of the true reading, of which the filter is not told, such as
            people in front of a lidar; default: the context.
        period: seconds between readings; default: one at every tick.
        delay: seconds from a reading to its arrival; readings arrive at ticks.
        dropout: probability that a reading is lost.

    Example:
        >>> from pilotage.models import position
        >>> Channel(position(1), period=0.2, dropout=0.1).due(3, 0.1), Channel(position(1)).due(3, 0.1)
        (False, True)
    """

    sensor: Sensor
    context: Any = None
    surroundings: Callable[[float], Any] | None = None

    def reading(self, sensor: Sensor, x: Array, t: float, rng: Rng) -> Array:
        """A reading at the time t, of the sensor mounted on the state x."""
        return sensor.sample(x, self.context if self.surroundings is None else self.surroundings(t), rng=rng)


@settings(eq=False)
class BenchmarkTask:
    """A task for controllers, with its true plant and what is known about it.

    Args:
        name: a name for tables.
        plant: the true dynamics, which may be a simulator.
        task: cost, constraint, end, dt and horizon by which runs are judged.
        planning: the task that controllers plan with, such as one with a terminal cost, and of the same dt; default:
            `task`.
        model: the dynamics that controllers plan with; default: `plant`, without the disturbances of a run.
        start: function from a seed to the initial state; default: drawn from ``task.initial``.
        rest: the action before the first one of the controller arrives; default: zero, within the bounds.
        sensors: the sensors by name, for runs on an estimate.
        filter: function from a seed to a `Filter` that knows nothing but the model, for runs on an estimate. Its
            sensors have the names of `sensors`.
        optimum: function from a seed to the smallest possible cost without disturbances, or None where it is not
            known, such as the `get` of a dictionary.
        fastest: best known duration of an episode that reaches the goal [s], to be shown beside the durations of runs.
        success: function from the last state to whether the goal was reached; default: every run that ends well is one.
        finish: True if an episode succeeds only when the task is done, such as a lap that ends where it begins.
        path: function from a seed to the points that path followers follow.
        sampling: settings of the stock sampling controllers that suit the task, such as `std` of each action and
            `horizon`; their default std is a quarter of the bounds, which may be far more than a step needs.
        grid: the map, for controllers that look for obstacles on it.
        tracks: function from a time [s] to the `PredictedTrack`s of what moves, made of what was seen until then, for
            controllers that keep clear of them.
        tuned: settings by the name of a stock controller that suit the task, as ``{"ilqr": {"horizon": 12}}``; they
            come before those of `sampling`.
        disturbances: disturbances that make sense for the task by name, each a list as in a `Suite`.
        scenes: function from a seed to the task of this seed, if more than start and noise depends on it, such as the
            window of a recording. The tasks have the same plant and the same settings otherwise.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.core import Gaussian
        >>> from pilotage.models import pendulum
        >>> rod = pendulum(noise=0.0)
        >>> begin = Gaussian.of(rod.state, [3.1, 0.0], std=0.1)
        >>> swing = BenchmarkTask("swing", rod, reach(rod, [0.0, 0.0], initial=begin, dt=0.05))
        >>> bool((swing.first(3) == swing.first(3)).all()), swing.action
        (True, array([0.]))
    """

    name: str
    plant: Dynamics
    task: Task
    planning: Task | None = None
    model: Dynamics | None = None
    start: Callable[[int], Any] | None = None
    rest: Any = None
    sensors: Mapping[str, Channel] | None = None
    filter: Callable[[int], Any] | None = None
    optimum: Callable[[int], float | None] | None = None
    fastest: Positive | None = None
    success: Callable[[Array], Any] | None = None
    finish: bool = False
    path: Callable[[int], Any] | None = None
    grid: OccupancyGrid | None = None
    tracks: Callable[[float], Sequence[PredictedTrack]] | None = None
    disturbances: Mapping[str, Any] | None = None
    sampling: Mapping[str, Any] | None = None
    tuned: Mapping[str, Mapping[str, Any]] | None = None
    scenes: Callable[[int], BenchmarkTask] | None = None

    def __post_init__(self) -> None:
        for name, channel in (self.sensors or {}).items():
            instance(channel, Channel, f"sensor {name!r} of {self.name}", "; wrap it: Channel(sensor)")
        if (self.filter is None) != (not self.sensors):
            raise SettingError(f"{self.name} has either sensors or a filter; an estimate needs both")
        if self.planning is not None and self.planning.dt != self.task.dt:
            raise SettingError(
                f"dt of the planning task of {self.name} is {self.planning.dt:g} s; expected that of the task, "
                f"{self.task.dt:g} s, since one decision is made a tick; give `planning` the same dt"
            )
        for name, listed in (self.disturbances or {}).items():
            disturbed(self.plant, [disturbance_of(each, f"disturbance {name!r} of {self.name}") for each in listed])

    def scene(self, seed: int) -> BenchmarkTask:
        """The task of a seed."""
        return self if self.scenes is None else instance(self.scenes(seed), BenchmarkTask, f"scenes of {self.name}")

    def first(self, seed: int) -> Array:
        """The initial state ``(n,)`` of a seed."""
        space = self.plant.state
        if self.start is not None:
            return space.check(self.start(seed), f"start of {self.name}")
        if self.task.initial is None:
            raise PilotageError(f"{self.name} has neither a start nor an initial belief")
        return self.task.initial.sample(1, rng=generator(seed, "start"))[0]

    @property
    def action(self) -> Array:
        """The action before the first one of the controller ``(m,)``."""
        space = self.plant.action
        return space.clip(np.zeros(space.size) if self.rest is None else space.check(self.rest, "rest"))

    @property
    def known(self) -> tuple[Dynamics, Task]:
        """The model and the task that controllers plan with."""
        return self.model or self.plant, self.planning or self.task

    def best(self, seed: int, disturbances: tuple[Disturbance, ...] = ()) -> float | None:
        """The smallest possible cost of a seed, if it is known; with disturbances it never is."""
        found = None if self.optimum is None or disturbances else self.optimum(seed)
        return None if found is None else setting(found, float, f"optimum of {self.name}")


def benchmark_task(name: str) -> BenchmarkTask:
    """The task of a name: registered, an entry point, or ``module:object``.

    Example:
        >>> benchmark_task("pendulum_v1").task.horizon
        200
    """
    found = tasks.get(name)
    made = found if isinstance(found, BenchmarkTask) else _called(found, name)
    return instance(made, BenchmarkTask, f"task {name!r}")


def _called(function: Any, name: str) -> Any:
    """The answer of a function without arguments; its own errors keep their text and their place."""
    try:
        with suppress(ValueError):  # some functions of C have no signature
            inspect.signature(function).bind()
    except TypeError as error:
        raise SettingError(f"task {name!r} is no function without arguments: {error}") from error
    try:
        return function()
    except PilotageError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise SettingError(
            f"the function of task {name!r} raised {type(error).__name__}: {text}{place(error.__traceback__)}"
        ) from error
