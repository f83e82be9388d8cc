"""The engine of filters with compiled steps: machine code on memory that stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from ..core import Dynamics, FilterRun, FilterStatus, Sensor, ShapeError, Space, Update
from ..core.results import DeferredUpdate
from ._causes import error_of, why_prediction, why_update
from ._drivers import predict_one, step_alone, step_one, update_one
from ._engine import Engine, Link
from ._inputs import EMPTY, action, context_of, reading_of
from ._jobs import Record, job, scratch
from ._launch import found_size
from ._memory import JOB
from ._timeline import Timeline

if TYPE_CHECKING:
    from ._gaussian import CompiledEstimator

ARRAY, FLOAT, FLAT = np.ndarray, np.dtype(np.float64), (8,)
UPDATE_FAILED, NO_READING = int(FilterStatus.UPDATE_FAILED), int(FilterStatus.NO_READING)


class CompiledEngine(Engine):
    """One belief in memory, predicted and updated in place.

    Writeable float64 arrays go to machine code as they are, which checks their length; anything else is checked and
    copied first.
    """

    def __init__(self, estimator: CompiledEstimator, dynamics: Dynamics, belief: Any) -> None:
        self.estimator, self._dynamics = estimator, dynamics
        self._build(self._own(belief))

    def _build(self, belief: Any) -> None:
        """Memory and machine code, for this belief."""
        self.estimator = self.estimator.holding(belief)
        estimator, space = self.estimator, self.dynamics.state
        self._numbers = estimator.numbers(space)
        self._settings, self._vectors = estimator.constants(space), estimator.vectors(space)
        self._model = estimator.dynamics_model(self.dynamics)
        self.job = job(
            estimator.inner[:2], space, False, self._numbers, self._settings, transports=estimator.transports
        )
        self.job.point("dynamics", self._model)
        self._steps, self._status = np.zeros(1), np.zeros(1, dtype=np.int64)
        self.job.point("status", self._status)
        self.job.point("dt", self._steps)
        self._b, self._largest = np.zeros(self._numbers), 0
        self._w = scratch(space, 0, 1, self._vectors)
        self.job.point("belief", self._b)
        self.job.point("scratch", self._w)
        self._links: list[CompiledLink] = []
        self._dt = float("nan")
        self._paced = self.dynamics.parameters_depend_on_dt
        # Models that are called back see no action that was not checked.
        self._quick = ARRAY if self.dynamics.action.flat and not self._model.calls_back else None
        self._idle = np.zeros(self.dynamics.action.size)
        self.job.point("idle", self._idle)
        self._kernel = predict_one.compiled
        self._plain = not (self._model.live or self._model.calls_back)
        self.belief = belief

    @property
    def dynamics(self) -> Dynamics:
        return self._dynamics

    def __getstate__(self) -> dict[str, Any]:
        return {"estimator": self.estimator, "dynamics": self.dynamics, "belief": self.belief}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.estimator, self._dynamics = state["estimator"], state["dynamics"]
        self._build(state["belief"])

    @property
    def belief(self) -> Any:
        return self.estimator.unpack(self.dynamics.state, self._b[: self._numbers].copy())

    @belief.setter
    def belief(self, belief: Any) -> None:
        belief = self._own(belief)
        self.hold(belief)
        self._b[: self._numbers] = self.estimator.pack(belief)

    def check(self) -> None:
        """Raise what the model's own methods raised."""
        self._model.check()

    @property
    def failed(self) -> bool:
        """Whether the last step failed."""
        return bool(self._status[0] > NO_READING)

    def memory(self) -> bytes:
        """The belief, and what the last update found."""
        return self._b.tobytes()

    def save(self) -> Any:
        return self.estimator, self._b[: self._numbers].tobytes()

    def restore(self, saved: Any) -> None:
        estimator, row = saved[0], np.frombuffer(saved[1])
        if estimator is self.estimator:
            self._b[: self._numbers] = row
        else:  # rows were shorter then
            self.belief = estimator.unpack(self.dynamics.state, row)

    def predict(self, u: Any, dt: float) -> None:
        if dt != self._dt:
            self.pace(dt)
        if u is None:
            u = self._idle
        elif type(u) is not self._quick or u.dtype is not FLOAT or u.strides != FLAT or not u.flags.writeable:
            u = self.action(u)
        if self._plain:
            status = self._kernel(self.job.at, u)
        else:
            self.refresh()
            status = self._kernel(self.job.at, u)
            self._model.check()
        if status:
            self.fail_prediction(u)

    def pace(self, dt: float) -> None:
        """Ready for steps of so many seconds."""
        self._steps[0] = dt
        if self._paced:
            self._model.pace(dt)
        self._dt = dt

    def refresh(self) -> None:
        """Read parameters that may have changed in place."""
        self._model.refresh()

    def action(self, u: Any) -> np.ndarray:
        """A checked action, in an array that machine code takes."""
        return single(action(u, self.dynamics.action), "action")

    def fail_prediction(self, u: np.ndarray) -> Never:
        """Raise what a prediction failed of."""
        self.action(u)
        status = why_prediction(self.dynamics, self.belief, u, self._dt, self.estimator.jacobian)
        raise error_of(status, self.dynamics, self.belief, u=u)

    def attach(self, sensor: Sensor) -> CompiledLink:
        link = CompiledLink(self, sensor)
        self._links.append(link)
        reading = link.sensor.reading
        largest = max(reading.size, reading.dim, link.model["inputs"], self._largest)
        if link.numbers > len(self._b) or largest > self._largest:
            self._largest = largest
            self._grow(link.numbers)
        return link

    def _grow(self, numbers: int) -> None:
        """Memory for so many numbers, and scratch for the largest reading."""
        grown = np.zeros(max(numbers, len(self._b)))
        grown[: len(self._b)] = self._b
        self._b = grown
        self._w = scratch(self.dynamics.state, self._largest, 1, self._vectors)
        for record in (self.job, *(each.job for each in self._links)):
            record.point("belief", self._b)
            record.point("scratch", self._w)

    def hold(self, belief: Any, *sensors: Sensor) -> None:
        """Make the rows hold such a belief, and what readings of these mounted sensors add to it."""
        holder, space = self.estimator.holding(belief, *sensors), self.dynamics.state
        if holder is self.estimator:
            return
        now, self.estimator = self.belief, holder
        self._numbers, self._vectors = holder.numbers(space), holder.vectors(space)
        self.job["numbers"] = self._numbers
        for link in self._links:
            link.lay_out()
        self._grow(max([self._numbers, *(link.numbers for link in self._links)]))
        self._b[: self._numbers] = holder.pack(now)

    def detach(self) -> None:
        self._links.clear()

    def run(self, steps: Timeline) -> FilterRun:
        result = self.estimator.follow(self.belief, steps)
        if len(steps.dts):
            self.belief = result.beliefs[-1]
        return result

    def _own(self, belief: Any) -> Any:
        """A belief for this filter: a single one, on the space of its dynamics."""
        belief = self.estimator.own(belief, self.dynamics.state)
        if belief.mean.ndim != 1:
            name = type(self.estimator).__name__
            raise ShapeError(
                f"the belief has leading axes {belief.mean.shape[:-1]}; a filter holds one, {name}() takes many"
            )
        return belief


class CompiledLink(Link):
    """A sensor bound to an engine.

    Attributes:
        sensor: mounted on the state.
        job: the record of engine and sensor.
        numbers: of the belief and what an update finds.
    """

    def __init__(self, engine: CompiledEngine, sensor: Sensor) -> None:
        engine.estimator.check_sensor(sensor)
        space = engine.dynamics.state
        self._engine = engine
        self.sensor = sensor.on(space)
        engine.hold(engine.belief, self.sensor)
        reading = self.sensor.reading
        self.model = engine.estimator.sensor_model(self.sensor)
        self.job = Record(JOB)
        self.job._memory[:] = engine.job._memory
        self.job.kept.append(engine.job)
        self.job.point("sensor", self.model)
        self._at = self.job.at
        self._update, self._step, self._step_alone = update_one.compiled, step_one.compiled, step_alone.compiled
        self._quick = ARRAY if reading.flat else None
        context = self.sensor.context
        self.objects = context is None
        self.alone = context is not None and context.size == 0
        self._context_shape = None if context is None or not context.flat else (context.size,)
        self._plain = engine._plain and not (self.model.live or self.model.calls_back)
        self._lean = self._quick if self.alone and self._plain else None  # readings that need nothing but themselves
        self.lay_out()

    def lay_out(self) -> None:
        """Say where in the memory of the engine the results of an update lie, behind a belief."""
        engine, reading = self._engine, self.sensor.reading
        self.job["numbers"] = engine._numbers
        self.numbers = engine._numbers + found_size(reading)
        self.results = partial(results, engine.estimator.unpack, engine._numbers, engine.dynamics.state, reading)

    def update(self, z: Any, context: Any) -> Update:
        if type(z) is not self._quick or z.dtype is not FLOAT or z.strides != FLAT or not z.flags.writeable:
            z = self.reading(z)
        c = EMPTY if context is None and self.alone else self.context(context)
        if self._plain:
            status = self._update(self._at, z, c)
        else:
            self.refresh()
            status = self._update(self._at, z, c)
            self.model.check()
        if status > NO_READING:
            self._fail(status, None, z, context)
        return DeferredUpdate(self.results, self._engine._b.tobytes(), status)

    def step(self, u: Any, dt: float, z: Any, context: Any) -> Update:
        engine = self._engine
        if dt != engine._dt:
            engine.pace(dt)
        if u is None and context is None and type(z) is self._lean:
            try:
                status = self._step_alone(self._at, z)
            except TypeError:  # of another type, or read-only: machine code takes one kind of array
                z = self.reading(z)
                status = self._step_alone(self._at, z)
            if status > NO_READING:
                self._fail(status, engine._idle, z, None)
            return DeferredUpdate(self.results, engine._b.tobytes(), status)
        if type(z) is not self._quick or z.dtype is not FLOAT or z.strides != FLAT or not z.flags.writeable:
            z = self.reading(z)
        if u is None:
            u = engine._idle
        elif type(u) is not engine._quick or u.dtype is not FLOAT or u.strides != FLAT or not u.flags.writeable:
            u = engine.action(u)
        c = EMPTY if context is None and self.alone else self.context(context)
        if not self._plain:
            return self._careful_step(u, z, c, context)
        status = self._step(self._at, u, z, c)
        if status > NO_READING:
            self._fail(status, u, z, context)
        return DeferredUpdate(self.results, engine._b.tobytes(), status)

    def _careful_step(self, u: np.ndarray, z: np.ndarray, c: np.ndarray, context: Any) -> Update:
        """A step of models that call Python, or whose parameters may have changed."""
        engine = self._engine
        engine.refresh()
        self.refresh()
        status = self._step(self._at, u, z, c)
        engine._model.check()
        self.model.check()
        if status > NO_READING:
            self._fail(status, u, z, context)
        return DeferredUpdate(self.results, engine._b.tobytes(), status)

    def reading(self, z: Any) -> np.ndarray:
        """A checked reading, in an array that machine code takes."""
        return single(reading_of(z, self.sensor), "reading")

    def context(self, context: Any) -> np.ndarray:
        """A context as machine code takes it."""
        if self.objects:
            self.model.tell([context])
            return np.zeros(1)
        if type(context) is ARRAY and context.shape == self._context_shape and context.dtype is FLOAT:
            return context if context.strides == FLAT and context.flags.writeable else context.copy()
        return single(context_of(context, self.sensor), "context")

    def refresh(self) -> None:
        """Read parameters that may have changed in place."""
        self.model.refresh()

    def check(self) -> None:
        """Raise what the sensor's own methods raised."""
        self.model.check()

    @property
    def failed(self) -> bool:
        """Whether the last update failed."""
        return self._engine.failed

    @property
    def belief(self) -> Any:
        """The present belief of the engine."""
        return self._engine.belief

    @property
    def estimator(self) -> CompiledEstimator:
        """The settings."""
        return self._engine.estimator

    def memory(self) -> bytes:
        """The belief, and what the last update found."""
        return self._engine.memory()

    def expected(self, memory: bytes) -> np.ndarray:
        """The reading that the last update expected, ``(k,)``, from what `memory` gave."""
        first = self._engine._numbers
        return np.frombuffer(memory)[first : first + self.sensor.reading.size]

    def _fail(self, status: int, u: Any, z: np.ndarray, context: Any) -> Never:
        """Raise what a step or an update failed of; the belief is what it was."""
        engine = self._engine
        self.reading(z)
        c = context if self.objects else self.context(context)
        if u is not None:
            engine.action(u)
        if status != UPDATE_FAILED and u is not None:
            engine.fail_prediction(u)
        belief = engine.belief
        if u is not None:
            belief = engine.estimator.predict(belief, engine.dynamics, u, engine._dt)
        S = self.results(engine._b.tobytes())[2]
        why = why_update(self.sensor, belief, z, c, S, engine.estimator)
        raise error_of(why, self.sensor, belief, z=z)


def results(unpack: Callable[..., Any], numbers: int, space: Space, reading: Space, b: bytes) -> tuple[Any, ...]:
    """Belief, innovation, S, NIS and log-likelihood from the memory of an engine."""
    k, m = reading.size, reading.dim
    table = np.frombuffer(b)
    belief = unpack(space, table[:numbers])
    found = table[numbers + k :]
    S = found[m : m + m * m].reshape(m, m)
    return belief, found[:m], S, float(found[m + m * m]), float(found[m + m * m + 1])


def single(a: np.ndarray, what: str) -> np.ndarray:
    """One vector, in an array that machine code takes."""
    if a.ndim != 1:
        raise ShapeError(f"the {what} has leading axes {a.shape[:-1]}; a filter takes one {what} at a time")
    return np.array(a)
