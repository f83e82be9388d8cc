"""The world of a run: the plant, what pushes it, and how it is seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.arrays import Array
from ..core.covariances import scattered
from ..core.declared import covariance
from ..core.errors import SettingError
from ..core.streams import generator
from ..core.task import references_of
from .benchmark_task import BenchmarkTask
from .disturbances import Disturbance, disturbed
from .outcome import Failure, RunStatus

FAR = 1e6
"""A state with a larger component counts as diverged."""
SOON = 1e-9
"""Rounding of times [s]."""

Pieces = Sequence[tuple[float, Array]]
"""The actions of a tick, each with its share of the tick; at most two."""


class Tick(NamedTuple):
    """The result of a tick: its cost, the largest value of the constraint, and whether the task is done."""

    cost: float
    worst: float
    done: bool


class World:
    """The plant, what pushes it, and how it is seen, in one run."""

    def __init__(
        self, benchmark: BenchmarkTask, seed: int, estimator: str, disturbances: Sequence[Disturbance]
    ) -> None:
        self.benchmark = benchmark = benchmark.scene(seed)
        self.plant = disturbed(benchmark.plant, disturbances)
        self.task = benchmark.task.on(self.plant.state, self.plant.action)
        self.dt, self.ticks, space = self.task.dt, self.task.horizon, self.plant.state
        self.x = benchmark.first(seed)
        self.noise = generator(seed, "process").standard_normal((self.ticks, 2, space.dim))
        self.pushes = np.zeros((self.ticks, space.dim))
        for i, each in enumerate(disturbances):
            self.pushes += each.pushes(space, self.ticks, self.dt, generator(seed, f"disturbance {i}"))
        self.carry: Any = None
        self.reference = self._refer(0.0)
        self.eyes = Eyes(benchmark, seed) if estimator == "estimate" else None

    def perceive(self, k: int) -> Any:
        """The state or the belief that the controller is told at tick k."""
        return self.x.copy() if self.eyes is None else self.eyes.look(k, self.x, self.dt)

    def tick(self, k: int, pieces: Pieces) -> Tick:
        """Move through tick k."""
        x, space, cost = self.x, self.plant.state, 0.0
        for (part, u), e in zip(pieces, self.noise[k]):
            cost += part * float(self.task.cost(self.x, u, *self.reference))
            x = self._moved(x, u, part, e)
        self.x = x = space.plus(x, self.pushes[k]) if self.pushes[k].any() else x
        if not (np.abs(x) < FAR).all():
            raise Failure(RunStatus.DIVERGED, f"the state left every bound at {(k + 1) * self.dt:.4g} s")
        if self.eyes is not None:
            self.eyes.move(k, pieces, self.dt)
        self.reference = self._refer((k + 1) * self.dt)
        g = np.nan_to_num(self.task.constraint(x, pieces[-1][1], *self.reference), nan=math.inf)
        return Tick(cost, float(np.max(g, initial=-math.inf)), bool(self.task.done(x, *self.reference)))

    def finish(self) -> float:
        """The terminal cost."""
        return float(self.task.terminal_cost(self.x, *self.reference))

    def _moved(self, x: Array, u: Array, part: float, e: Array) -> Array:
        """The state after a part of a tick, with the noise of the plant itself."""
        space, dt = self.plant.state, part * self.dt
        y = np.asarray(self.plant.step(x, u, dt), dtype=np.float64)
        Q = covariance(self.plant.noise(x, u, dt), space.dim, self.plant)
        return scattered(space, y, Q, e) if Q.any() else y

    def _refer(self, t: float) -> tuple[Array, ...]:
        """The reference of the task at time t, as an argument, where there is one."""
        rows, self.carry = references_of(self.task, self.x, t, 0, self.carry)
        return (rows[0],) if rows.shape[1] else ()


class Eyes:
    """Readings of the sensors, at their rates, delayed and with gaps, and the filter that gets them."""

    def __init__(self, benchmark: BenchmarkTask, seed: int) -> None:
        if benchmark.filter is None:
            raise SettingError(f"{benchmark.name} has no filter; its controllers run on the truth only")
        self.filter = benchmark.filter(seed)
        self.channels = {
            name: (channel, channel.sensor.on(benchmark.plant.state), generator(seed, f"reading {name}"))
            for name, channel in (benchmark.sensors or {}).items()
        }
        self.waiting: list[tuple[float, float, str, Array, Any]] = []
        late = max((channel.delay for channel, *_ in self.channels.values()), default=0.0)
        if late > 0.0:
            self.filter.remember(history=late + 2.0 * benchmark.task.dt)

    def look(self, k: int, x: Array, dt: float) -> Any:
        """The belief after the readings that arrive at tick k."""
        now = k * dt
        for name, (channel, sensor, rng) in self.channels.items():
            if channel.due(k, dt):
                z, kept = channel.reading(sensor, x, now, rng), bool(rng.random() >= channel.dropout)  # drawn anyway
                self.waiting += [(now + channel.delay, now, name, z, channel.context)] * kept
        for _, taken, name, z, context in self._arrived(now):
            self.filter.update(name, z, taken, context)
        return self.filter.belief

    def _arrived(self, now: float) -> Iterator[Any]:
        arrived = [each for each in self.waiting if each[0] <= now + SOON]
        self.waiting = [each for each in self.waiting if each[0] > now + SOON]
        yield from arrived

    def move(self, k: int, pieces: Pieces, dt: float) -> None:
        """Predict through tick k under the actions that acted."""
        t = k * dt
        for i, (part, u) in enumerate(pieces):
            t += part * dt
            self.filter.predict(to=(k + 1) * dt if i == len(pieces) - 1 else t, u=u)


def probed(benchmark: BenchmarkTask, seeds: int = 2, ticks: int = 3) -> list[str]:
    """Numbers that tell a task from another: the first ticks of some seeds under random actions, to six digits.

    Costs of two tasks with the same numbers can be compared. Six digits are the same on every machine.
    """
    seen: list[Any] = [benchmark.task.dt, benchmark.task.horizon]
    for seed in range(seeds):
        world, rng = World(benchmark, seed, "truth", ()), generator(seed, "probe")
        for k in range(ticks):
            seen += [*world.x, *world.tick(k, [(1.0, world.plant.action.sample(rng=rng))])]
        seen.append(world.finish())
        for channel in (world.benchmark.sensors or {}).values():
            reading = channel.reading(channel.sensor.on(world.plant.state), world.x, ticks * world.dt, rng)
            seen += [channel.period or world.dt, channel.delay, channel.dropout, *reading]
    return _digits(seen)


def believed(benchmark: BenchmarkTask, ticks: int = 10) -> list[str]:
    """Numbers that tell a filter from another: means and deviations in the first ticks of seed 0, to six digits."""
    world, rng, seen = World(benchmark, 0, "estimate", ()), generator(0, "probe"), list[float]()
    for k in range(ticks):
        belief = world.perceive(k).moments()
        seen += [*belief.mean, *belief.std]
        world.tick(k, [(1.0, world.plant.action.sample(rng=rng))])
    return _digits(seen)


def _digits(numbers: Sequence[Any]) -> list[str]:
    return [f"{round(float(value), 6) + 0.0:.6g}" for value in numbers]
