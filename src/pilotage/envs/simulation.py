"""One tick of a simulated world: dynamics move it, sensors see it, a task judges it.

Pure functions of states and random streams, for one world or a batch of them; environments are shells around these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import Dynamics, PilotageError, Sensor, Space, Task
from ..core.arrays import Array
from ..core.covariances import scattered
from ..core.declared import answered, asked, covariance
from ..core.settings import instance, positive, setting, whole
from ..core.task import references_of

Streams: TypeAlias = np.random.Generator | Sequence[np.random.Generator]
"""One stream for states ``(n,)``, or one for each of the states ``(N, n)``."""


Start: TypeAlias = Callable[[np.random.Generator], Array]
"""Draws the state in which an episode starts."""


@dataclass(frozen=True)
class Verdict:
    """The judgement of a task on the states a step led to, each ``(...)`` of bool.

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
        self._start = setting(start, Start | None, "start")
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
        """Readings of the sensors in states ``(..., n)``, noise included."""
        if not self.sensors:
            return {"state": x}
        return {name: sensor.draw(x, streams) for name, sensor in self.sensors.items()}

    def refer(self, x: Array, t: Any, carry: Any) -> tuple[Array, Any]:
        """References ``(..., nr)`` of states ``(..., n)`` at times ``(...)``, nr = 0 for none, and the next carries.

        A batch of states has a list of carries, one each; all are None when an episode starts.
        """
        if x.ndim == 1:
            rows, carry = references_of(self.task, x, float(t), 0, carry)
            return rows[0], carry
        size = self.task.stage.size
        if not size:
            return np.zeros((len(x), 0)), carry
        pairs = [self.refer(one, when, each) for one, when, each in zip(x, t, carry, strict=True)]
        return np.reshape([r for r, _ in pairs], (len(x), size)), [each for _, each in pairs]

    def cost(self, x: Array, u: Array, r: Array) -> Array:
        """Cost ``(...)`` of the tick that starts in `x`."""
        return self._answer("cost", asked(self.task, "cost", x, u, *_staged(r)), x)

    def terminal_cost(self, x: Array, r: Array) -> Array:
        """Cost ``(...)`` of ending in `x`."""
        return self._answer("terminal_cost", asked(self.task, "terminal_cost", x, *_staged(r)), x)

    def judge(self, x: Array, u: Array, r: Array) -> Verdict:
        """The verdict on states `x` that actions `u` led to. A constraint that is NaN is violated."""
        lost = ~np.isfinite(x).all(-1)
        with np.errstate(invalid="ignore"):
            kept = self._answer("constraint", asked(self.task, "constraint", x, u, *_staged(r)), x, "k") <= 0.0
            done = self._answer("done", asked(self.task, "done", x, *_staged(r)), x).astype(bool)
        return Verdict(np.asarray(done & ~lost), np.asarray(~kept.all(-1) | lost))

    def _answer(self, method: str, value: Any, x: Array, *more: str) -> Array:
        """The answer of the task for states ``(..., n)``: one number each, or `more`."""
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


def _staged(r: Array) -> tuple[Array, ...]:
    """The reference as an argument, where there is one."""
    return (r,) if r.shape[-1] else ()


def _array(value: Any) -> Any:
    """A list as an array; other values as they are, for the error about them."""
    return np.asarray(value, dtype=np.float64) if isinstance(value, (list, tuple)) else value


def shaken(space: Space, x: Any, cov: Any, streams: Streams) -> Array:
    """`x` (+) noise of covariance `cov` ``(..., dim, dim)``; a stream is used alike whether or not there is noise."""
    if isinstance(streams, np.random.Generator):
        return scattered(space, x, cov, streams.standard_normal(space.dim))
    z = np.array([stream.standard_normal(space.dim) for stream in streams]).reshape(-1, space.dim)
    return scattered(space, x, cov, z)
