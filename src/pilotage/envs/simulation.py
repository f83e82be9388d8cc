"""The tick of a simulated world: dynamics move it, sensors read it, and a task evaluates it.

These are pure functions of states and random streams, for one world or a batch; environments are built on top of them.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import Belief, Dynamics, PilotageError, Sensor, SettingError, Space, Task
from ..core.arrays import Array
from ..core.covariances import scattered
from ..core.declared import answered, asked, covariance
from ..core.settings import instance, positive, setting, shown, whole
from ..core.task import MAX_VIOLATION, references_of
from ..models import TracedTask
from ._between import judged_components, points_between
from ._compiled import EVEN, MOST, Moves, Sight, moves_of, normal, same_code, sight_of
from .exact import Exact

Streams: TypeAlias = np.random.Generator | Sequence[np.random.Generator]
"""One stream for states ``(n,)``, or one for each of the states ``(N, n)``."""


Start: TypeAlias = Callable[[np.random.Generator], Array]
"""A function that draws the initial state of an episode."""


TOGETHER = 1 << 15
"""The number of states on the way whose constraint is judged in one call, to save memory."""
AT_TICKS = 1e9
"""A resolution so coarse that constraints are checked at ticks alone."""
FEW = 8
"""Number of states up to which single calls are as fast as a batch."""


class Verdict(NamedTuple):
    """The evaluation of the states after a step by a task, each ``(...)``.

    Attributes:
        done: whether the task is done.
        violated: whether a constraint is violated, or the state is not finite.
        states: states at the end of the tick ``(..., n)``, or the first on the way that violate a constraint.
    """

    done: Any
    violated: Any
    states: Array

    @property
    def over(self) -> Any:
        """Whether the episode ends."""
        return self.done | self.violated


class Moved(NamedTuple):
    """The states after a tick, before the task evaluates them.

    Attributes:
        states: states ``(..., n)``.
        cost: cost of the tick ``(...)``.
        lost: whether a state is not finite ``(...)``.
        violated: whether it is lost, or violates a constraint ``(...)``; None if `Simulation.judge` must check it.
    """

    states: Array
    cost: Any
    lost: Any
    violated: Any


class Compiling:
    """An object with machine code that is compiled on first use and not sent to other processes."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "machine"}


class Mounted(Compiling):
    """A sensor mounted on a larger state, with its context, that draws readings ``z ~ sensor.sample(x)``.

    Each state has its own random stream. There is one call per state, or a single call for all if the sensor does not
    override `sample`, ``observe(x) (+) N(0, R)``; the numbers are the same.
    """

    def __init__(self, sensor: Sensor, context: Any, state: Space) -> None:
        self.sensor, self.context = sensor.on(state), context
        self.reading = sensor.reading
        self._default, self._exact = normal(sensor), isinstance(self.sensor, Exact)

    @cached_property
    def machine(self) -> Sight | None:
        """The sensor as machine code, if it can be compiled."""
        return sight_of(self.sensor, self.context)

    def draw(self, x: Array, streams: Streams) -> Array:
        """Random readings in states ``(..., n)``."""
        if self.machine is not None:
            rows = rows_of(x)
            z = self.machine(rows, normals(streams, len(rows), self.reading.dim))
            return z[0] if x.ndim == 1 else z
        if self._default or self._exact:
            z = answered(_array(asked(self.sensor, "observe", x, self.context)), self.reading, self.sensor, "observe")
            if self._exact:
                return np.asarray(z, dtype=np.float64)
            R = covariance(self.sensor.noise(x, self.context), self.reading.dim, self.sensor)
            return shaken(self.reading, z, R, streams)
        if isinstance(streams, np.random.Generator):
            z = _array(self.sensor.sample(x, self.context, rng=streams))
            return np.asarray(answered(z, self.reading, self.sensor, "sample"), dtype=np.float64)
        return np.stack([self.draw(one, stream) for one, stream in zip(x, streams, strict=True)])


class Simulation(Compiling):
    """A simulated world: ``x' ~ step(x, u) (+) N(0, Q)``, random readings of the sensors, and reward ``-cost(x, u)``.

    The constraint is checked in x' and at states on the shortest way there, `Space.interpolate`, at most `resolution`
    apart in the components that the constraint reads; the tick ends at the first state that violates it. Compiled code
    runs if dynamics, task and noise have it; the numbers are the same.

    Args:
        dynamics: model of the true state.
        sensors: sensors by name; each a sensor, or a pair of a sensor and its context. They are mounted on the state
            with `Sensor.on`. None: the state itself, without noise, under the name "state".
        task: costs and end of an episode; mounted on the state with `Task.on`.
        start: a function that draws the initial state ``(n,)`` of an episode; None draws from `task.initial`.
        resolution: distance between the states on the way at which the constraint is checked.
        max_violation: largest value of the constraint that is no violation.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        sensors: Mapping[str, Sensor | tuple[Sensor, Any]] | None,
        task: Task,
        start: Start | None = None,
        resolution: float = 0.05,
        max_violation: float = MAX_VIOLATION,
    ) -> None:
        self._start = setting(start, Start | None, "start")
        self.dynamics = instance(dynamics, Dynamics, "an environment")
        self.each: list[Dynamics] = []
        self.task = instance(task, Task, "an environment").on(dynamics.state, dynamics.action)
        self.dt = positive(task.dt, "dt of the task")
        whole(task.horizon, "horizon of the task")
        if start is None and task.initial is not None and not isinstance(task.initial, Belief):
            raise SettingError(
                f"initial of the task is {shown(task.initial)}; expected a belief, as Gaussian.of(space, mean, std)"
            )
        self.resolution = positive(resolution, "resolution")
        self.max_violation = positive(max_violation, "max_violation", zero=True)
        self.judged = judged_components(self.task, dynamics.state)
        self.ends = not isinstance(self.task, TracedTask) or self.task.ends
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
        """A random initial state ``(n,)``."""
        if self._start is not None:
            return self.dynamics.state.check(self._start(stream), "start")
        belief = self.task.initial
        if belief is None:
            raise PilotageError("the task has no initial belief to start from; give it one, or reset with a state")
        if not alike(belief.space, self.dynamics.state):
            raise PilotageError(f"the task starts in {belief.space}, but the dynamics move {self.dynamics.state}")
        return belief.sample(1, rng=stream)[0]

    def starts(self, streams: Sequence[np.random.Generator]) -> Array:
        """States ``(N, n)`` to begin with, one of each stream; a start that is `many` draws them in one call."""
        many = getattr(self._start, "many", None)
        return np.array([self.start(stream) for stream in streams]) if many is None else many(streams)

    def moved_by(self, dynamics: Dynamics, each: Sequence[Dynamics] = ()) -> Simulation:
        """The same world with other dynamics of the same spaces; `each` has those of every world of a batch."""
        twin = copy.copy(self)
        for name in ("machine", "noisy"):
            twin.__dict__.pop(name, None)
        twin.dynamics, twin.each = dynamics, [*each]
        return twin

    def vary(self, world: int, dynamics: Dynamics) -> None:
        """Let other dynamics move one world of a batch whose worlds have dynamics of their own."""
        self.each[world] = dynamics
        self.__dict__.pop("noisy", None)
        if self.machine is not None and same_code(dynamics, self.dynamics):
            self.machine.vary(world, dynamics, self.dt)
        else:
            self.__dict__.pop("machine", None)

    @cached_property
    def noisy(self) -> bool:
        """Whether the dynamics may have process noise."""
        return self.machine is None or self.machine.noise > 0

    @cached_property
    def charges(self) -> bool:
        """Whether the task may have a terminal cost."""
        task = self.task
        if not isinstance(task, TracedTask) or task.live or task.dependencies("T"):
            return True
        return bool(task.terminal_cost(self.dynamics.state.identity(), np.zeros(task.stage.size)) != 0.0)

    @cached_property
    def machine(self) -> Moves | None:
        """The tick as machine code, if all models can be compiled."""
        limits = self.resolution, self.max_violation
        return moves_of(self.dynamics, self.task, self.dt, self.judged, limits, self.each)

    def move(self, x: Array, u: Array, r: Array, streams: Streams, which: Any = slice(None)) -> Moved:
        """The result of a tick with process noise; nothing is drawn if there is no covariance.

        If the worlds of a batch have dynamics of their own, `which` says which worlds these are.
        """
        machine = self.machine
        if machine is None:
            cost, y = self.cost(x, u, r), self._advanced(x, u, streams, which)
            return Moved(y, cost, ~np.isfinite(y).all(-1), None)
        if x.ndim == 1:
            y, found = machine(x[None], u[None], normals(streams, 1, machine.noise))
            cost, violated, lost = found[0].tolist()
            return Moved(y[0], cost, lost > 0.0, violated > 0.0)
        zs = normals(streams, len(x), machine.noise)
        y, found = machine(np.ascontiguousarray(x), np.ascontiguousarray(u), zs, which)
        return Moved(y, found[:, 0], found[:, 2] > 0.0, found[:, 1] > 0.0)

    def _advanced(self, x: Array, u: Array, streams: Any, which: Any) -> Array:
        """The states after a tick, each by its own dynamics, if worlds have them."""
        if not self.each:
            return self.advance(x, u, streams)
        each = np.arange(len(self.each))[which]
        streams = streams or [None] * len(each)
        moves = zip(each, x, u, streams, strict=True)
        return np.stack([self.moved_by(self.each[i]).advance(one, ui, stream) for i, one, ui, stream in moves])

    def advance(self, x: Array, u: Array, streams: Streams) -> Array:
        """The states after a tick, by the methods of the models."""
        dynamics, state = self.dynamics, self.dynamics.state
        y = answered(_array(asked(dynamics, "step", x, u, self.dt)), state, dynamics, "step")
        if exact(dynamics):  # the zeros of a large state are many
            return np.asarray(y, dtype=np.float64)
        Q = covariance(dynamics.noise(x, u, self.dt), state.dim, dynamics)
        return shaken(state, y, Q, streams) if Q.any() else np.asarray(y, dtype=np.float64)

    def observe(self, x: Array, streams: Streams) -> dict[str, Array]:
        """The readings of the sensors in states ``(..., n)``, with noise."""
        if not self.sensors:
            return {"state": x}
        return {name: sensor.draw(x, streams) for name, sensor in self.sensors.items()}

    def refer(self, x: Array, t: Any, carry: Any) -> tuple[Array, Any]:
        """The references ``(..., nr)`` of states ``(..., n)`` at times ``(...)``, nr may be 0, and the next carries.

        A batch of states has a list of carries, one for each state; they are None at the start of an episode.
        """
        if not self.task.stage.size:
            return np.zeros((*x.shape[:-1], 0)), carry
        if x.ndim == 1:
            rows, carry = references_of(self.task, x, float(t), 0, carry)
            return rows[0], carry
        pairs = [self.refer(one, when, each) for one, when, each in zip(x, t, carry, strict=True)]
        return np.reshape([r for r, _ in pairs], (len(x), self.task.stage.size)), [each for _, each in pairs]

    def cost(self, x: Array, u: Array, r: Array) -> Array:
        """The cost ``(...)`` of the tick that starts in `x`."""
        return self._answer("cost", asked(self.task, "cost", x, u, *_staged(r)), x)

    def terminal_cost(self, x: Array, r: Array) -> Array:
        """The terminal cost ``(...)`` of `x`."""
        return self._answer("terminal_cost", asked(self.task, "terminal_cost", x, *_staged(r)), x)

    def judge(self, x: Array, moved: Moved, u: Array, r: Array) -> Verdict:
        """The verdict on a tick from states `x` under actions `u`. NaN in a constraint or an end counts as violated."""
        y, lost, violated = moved.states, moved.lost, moved.violated
        if violated is None:
            violated, y = self._broken(x, y, u, r, lost)
        if not self.ends:
            return Verdict(False, violated, y)
        with np.errstate(invalid="ignore"):
            done = self._answer("done", asked(self.task, "done", y, *_staged(r)), y)
        unknown = lost | np.isnan(done)
        return Verdict(done.astype(bool) & ~unknown, violated | unknown, y)

    def _broken(
        self, x: Array, y: Array, u: Array, r: Array, lost: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], Array]:
        """Whether states `y` are lost or violate a constraint, also on the way from `x`, and the first such states."""
        values = self._constraint(y, u, r)
        bad = np.asarray(lost | ~(values <= self.max_violation).all(-1))
        if values.shape[-1] == 0 or self.resolution >= AT_TICKS:
            return bad, y
        d = self.dynamics.state.minus(np.where(lost[..., None], x, y), x)
        length = np.sqrt((d[..., self.judged] ** 2).sum(-1))
        pieces = np.minimum(np.ceil(length / self.resolution - EVEN), MOST).astype(np.int64)
        if (pieces <= 1).all():
            return bad, y
        which, share = points_between(pieces.ravel())
        ends, inside = rows_of(y).copy(), np.zeros(bad.size, dtype=np.bool_)
        for k in range(0, len(which), TOGETHER):
            rows, part = which[k : k + TOGETHER], share[k : k + TOGETHER, None]
            states = self.dynamics.state.plus(rows_of(x)[rows], part * rows_of(d)[rows])
            values = self._along(states, u, r) if x.ndim == 1 else self._constraint(states, u[rows], r[rows])
            wrong = np.flatnonzero(~(values <= self.max_violation).all(-1) & ~inside[rows])
            broken, first = np.unique(rows[wrong], return_index=True)
            ends[broken], inside[broken] = states[wrong[first]], True
        return bad | inside.reshape(bad.shape), ends.reshape(y.shape)

    def _along(self, states: Array, u: Array, r: Array) -> Array:
        """The values of the constraint ``(K, k)`` at states of one world, whose task need not take batches."""
        if len(states) > FEW:
            us, rs = (np.broadcast_to(each, (len(states), each.size)) for each in (u, r))
            with contextlib.suppress(PilotageError):
                return self._constraint(states, us, rs)
        return np.array([self._constraint(each, u, r) for each in states])

    def _constraint(self, x: Array, u: Array, r: Array) -> Array:
        """The values of the constraint ``(..., k)``."""
        with np.errstate(invalid="ignore"):
            return self._answer("constraint", asked(self.task, "constraint", x, u, *_staged(r)), x, "k")

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
    """`x` (+) noise of covariance `cov` ``(..., dim, dim)``."""
    if isinstance(streams, np.random.Generator):
        return scattered(space, x, cov, normals(streams, 1, space.dim)[0])
    return scattered(space, x, cov, normals(streams, len(streams), space.dim))


def normals(streams: Streams, count: int, dim: int) -> Array:
    """Standard normal numbers ``(count, dim)``, a row of each stream."""
    z = np.empty((count, dim))
    if dim:
        for stream, row in zip([streams] if isinstance(streams, np.random.Generator) else streams, z, strict=True):
            stream.standard_normal(out=row)
    return z


def alike(one: Space, other: Space) -> bool:
    """Whether two spaces have the same parts by name and kind; bounds say no more than what a sensor shows.

    Example:
        >>> alike(Space("x [m]"), Space("x [m] in [0, 9]")), alike(Space("x [m]"), Space("x: angle"))
        (True, False)
    """
    kinds = zip(one.parts, other.parts, strict=False)
    return one.names == other.names and len(one.parts) == len(other.parts) and all(a.same_kind(b) for a, b in kinds)


def rows_of(x: Array) -> Array:
    """States ``(..., n)`` as a contiguous array ``(N, n)``."""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def exact(dynamics: Dynamics) -> bool:
    """Whether dynamics have the default noise, which is zero."""
    noise = getattr(dynamics.noise, "__func__", None)  # of the instance, which may have one of its own
    return getattr(noise, "of_any", noise) is Dynamics.noise
