"""What happens in one tick of a world: dynamics move it, sensors see it, a task judges it.

Pure functions of states and random streams, for one world or a batch of them; environments are shells around these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import Dynamics, PilotageError, Sensor, Space, Task
from ..core.covariances import scattered
from ..core.declared import answered, asked, covariance
from ..core.settings import instance, positive, whole

Array = NDArray[np.float64]
Streams: TypeAlias = np.random.Generator | Sequence[np.random.Generator]
"""One stream for states ``(n,)``, or one for each of the states ``(N, n)``."""


Start: TypeAlias = Callable[[np.random.Generator], Array]
"""Draws the state in which an episode starts."""


@dataclass(frozen=True)
class Verdict:
    """What a task makes of the states a step led to, each ``(...)`` of bool.

    Attributes:
        done: the task is over.
        violated: a constraint does not hold, or the state is not finite.
    """

    done: NDArray[np.bool_]
    violated: NDArray[np.bool_]

    @property
    def over(self) -> NDArray[np.bool_]:
        """True where the episode ends."""
        return self.done | self.violated


class Mounted:
    """A sensor on a larger state, with its context, that draws readings.

    ``z ~ sensor.sample(x)``, each state with a random stream of its own: one call a state, or a single one for all of
    them where the sensor keeps the default, ``observe(x) (+) N(0, R)``, which gives the same numbers.
    """

    def __init__(self, sensor: Sensor, context: Any, state: Space) -> None:
        self.sensor, self.context = sensor.on(state), context
        self.reading = sensor.reading
        self._default = type(sensor).sample is Sensor.sample

    def draw(self, x: Array, streams: Streams) -> Array:
        """Readings in states ``(..., n)``."""
        if self._default:
            z = answered(_array(asked(self.sensor, "observe", x, self.context)), self.reading, self.sensor, "observe")
            R = covariance(self.sensor.noise(x, self.context), self.reading.dim, self.sensor)
            return shaken(self.reading, z, R, streams)
        if isinstance(streams, np.random.Generator):
            z = _array(self.sensor.sample(x, self.context, rng=streams))
            return np.asarray(answered(z, self.reading, self.sensor, "sample"), dtype=np.float64)
        return np.stack([self.draw(one, stream) for one, stream in zip(x, streams, strict=True)])


class Simulation:
    """``x' ~ step(x, u) (+) N(0, Q)``, readings as the sensors draw them, reward ``-cost(x, u)``.

    Args:
        dynamics: how the true state moves.
        sensors: what is seen of it, by name; a sensor, or a pair of a sensor and its context. They are mounted on the
            state with `Sensor.on`. None: the state itself, without noise, under the name "state".
        task: what an episode costs, when it is over; mounted on the state with `Task.on`.
        start: draws the state ``(n,)`` in which an episode starts; None draws from `task.initial`.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        sensors: Mapping[str, Sensor | tuple[Sensor, Any]] | None,
        task: Task,
        start: Start | None = None,
    ) -> None:
        self._start = start
        self.dynamics = instance(dynamics, Dynamics, "an environment")
        self.task = instance(task, Task, "an environment").on(dynamics.state, dynamics.action)
        self.dt = positive(task.dt, "dt of the task")
        whole(task.horizon, "horizon of the task")
        self.sensors: dict[str, Mounted] = {}
        for name, given in (sensors or {}).items():
            sensor, context = given if isinstance(given, tuple) else (given, None)
            sensor = instance(sensor, Sensor, f"an environment, for {name!r},")
            self.sensors[name] = Mounted(sensor, context, dynamics.state)

    @property
    def readings(self) -> dict[str, Space]:
        """The space of each reading."""
        if not self.sensors:
            return {"state": self.dynamics.state}
        return {name: sensor.reading for name, sensor in self.sensors.items()}

    def start(self, stream: np.random.Generator) -> Array:
        """A state ``(n,)`` to begin with."""
        if self._start is not None:
            return self._start(stream)
        belief = self.task.initial
        if belief is None:
            raise PilotageError("the task has no initial belief to start from; give it one, or reset with a state")
        if belief.space != self.dynamics.state:
            raise PilotageError(f"the task starts in {belief.space}, but the dynamics move {self.dynamics.state}")
        return belief.sample(1, rng=stream)[0]

    def advance(self, x: Array, u: Array, streams: Streams) -> Array:
        """The states a tick later, process noise included."""
        dynamics, state = self.dynamics, self.dynamics.state
        y = answered(_array(asked(dynamics, "step", x, u, self.dt)), state, dynamics, "step")
        return shaken(state, y, covariance(dynamics.noise(x, u, self.dt), state.dim, dynamics), streams)

    def observe(self, x: Array, streams: Streams) -> dict[str, Array]:
        """What the sensors read in states ``(..., n)``, noise included."""
        if not self.sensors:
            return {"state": x}
        return {name: sensor.draw(x, streams) for name, sensor in self.sensors.items()}

    def cost(self, x: Array, u: Array, t: Any) -> Array:
        """Cost ``(...)`` of the tick that starts in `x` at time `t`."""
        return self._answer("cost", asked(self.task, "cost", x, u, self._reference(x, t)), x)

    def terminal_cost(self, x: Array, t: Any) -> Array:
        """Cost ``(...)`` of ending in `x` at time `t`."""
        return self._answer("terminal_cost", asked(self.task, "terminal_cost", x, self._reference(x, t)), x)

    def judge(self, x: Array, u: Array) -> Verdict:
        """What the task makes of states `x` that actions `u` led to."""
        lost = ~np.isfinite(x).all(-1)
        with np.errstate(invalid="ignore"):
            broken = (self._answer("constraint", asked(self.task, "constraint", x, u), x, "k") > 0.0).any(-1)
            done = self._answer("done", asked(self.task, "done", x), x).astype(bool)
        return Verdict(np.asarray(done & ~lost), np.asarray(broken | lost))

    def _answer(self, method: str, value: Any, x: Array, *more: str) -> Array:
        """What the task says of states ``(..., n)``, one number of each, or `more`."""
        batch = x.shape[:-1]
        found = np.empty(0) if value is None else np.asarray(value, dtype=np.float64)
        if value is None or found.ndim != len(batch) + len(more) or found.shape[: len(batch)] != batch:
            got = "None" if value is None else f"an array of shape {found.shape}"
            wanted = ", ".join([*map(str, batch), *more]) + ("," if len(batch) + len(more) == 1 else "")
            raise PilotageError(
                f"{method} of {type(self.task).__name__} returned {got} for states of shape {x.shape}; "
                f"expected shape ({wanted})"
            )
        return found

    def _reference(self, x: Array, t: Any) -> Array | None:
        """This tick's stage data, of each state."""
        if x.ndim == 1:
            rows = self.task.reference(x, float(t), 0)
            return None if rows is None else rows[0]
        first = self._reference(x[0], t[0]) if len(x) else None
        if first is None:
            return None
        rest = [self.task.reference(one, float(when), 0)[0] for one, when in zip(x[1:], t[1:], strict=True)]
        return np.stack([first, *rest])


def _array(value: Any) -> Any:
    """A list as an array; what is none of the two stays as it is, for a sentence about it."""
    return np.asarray(value, dtype=np.float64) if isinstance(value, (list, tuple)) else value


def shaken(space: Space, x: Any, cov: Any, streams: Streams) -> Array:
    """`x` (+) noise of covariance `cov` ``(..., dim, dim)``; a stream is used alike whether or not there is noise."""
    if isinstance(streams, np.random.Generator):
        return scattered(space, x, cov, streams.standard_normal(space.dim))
    z = np.array([stream.standard_normal(space.dim) for stream in streams]).reshape(-1, space.dim)
    return scattered(space, x, cov, z)
