"""Rows of Gaussian beliefs through a timeline, in compiled code, one lane at a time or in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Dynamics, Sensor, Space
from ._drivers import FEW, run_rows
from ._inputs import context_axes, context_of, once_or_rows, rows, shared_axes
from ._jobs import Model, Record, job, paces
from ._memory import MODEL
from ._timeline import Timeline

if TYPE_CHECKING:
    from ._gaussian import CompiledEstimator

NOTHING, NONE, ZERO = np.empty((0, 0, 0)), np.zeros((1, 0)), np.zeros(1)
STILL, MOVES = np.zeros(1, np.int64), np.ones(1, np.int64)
"""What timelines of a single step have in common; nothing writes to it."""


def launch(
    estimator: CompiledEstimator,
    belief: Any,
    steps: Timeline,
    batch: tuple[int, ...],
    before: Any = None,
    after: Any = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of beliefs at the end, codes ``(B, T)``, and what updates found ``(B, T, ...)``.

    Beliefs before and after each update are written to `before` and `after`, ``(B, T, numbers)``, if they are given.
    """
    table = packed(estimator, belief, batch)
    return table, *launch_rows(estimator, belief.space, table, steps, batch, before, after)


def launch_rows(
    estimator: CompiledEstimator,
    space: Space,
    table: np.ndarray,
    steps: Timeline,
    batch: tuple[int, ...],
    before: Any = None,
    after: Any = None,
    work: Work | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Codes ``(B, T)`` and what updates found ``(B, T, ...)``; the rows of beliefs ``(B, numbers)`` are changed."""
    total, count = len(table), len(steps.dts)
    work = work or Work(estimator, space, steps)
    found, status = np.empty((total, count, work.found)), np.zeros((total, count), dtype=np.int64)
    one, block, sensors = work.ready(steps, total > FEW)
    run_rows.compiled(
        one, block, sensors, table, timely(steps), steps.dts,
        steps.moves, once_or_rows(steps.us, batch, 2, "actions"), steps.which,
        once_or_rows(steps.zs, batch, 2, "readings"), once_or_rows(steps.contexts, batch, 2, "contexts"),
        NOTHING if before is None else before, NOTHING if after is None else after, found, status,
    )  # fmt: skip
    work.check()
    return status, found


class Work:
    """The jobs and models with which rows go through timelines of the same dynamics, sensors and inputs.

    Args:
        estimator, space: as for `launch_rows`.
        steps: the first timeline.

    Attributes:
        found: numbers that updates find.
    """

    def __init__(self, estimator: CompiledEstimator, space: Space, steps: Timeline) -> None:
        self._estimator, self._space, self.found = estimator, space, 0
        self._sensors = steps.sensors  # which live as long as their code
        for sensor in steps.sensors:
            self.found = max(self.found, found_size(sensor.reading))
        self._made: dict[bool, tuple[Record, list[Any]]] = {}
        self._at: dict[bool, tuple[int, int, np.ndarray]] = {}

    def ready(self, steps: Timeline, many: bool) -> tuple[int, int, np.ndarray]:
        """Addresses of the job for one lane, of that for a block if rows are `many`, and of the sensors of each."""
        if many not in self._at:
            (one, models), (block, others) = self._width(steps, False), self._width(steps, many)
            sensors = [(a.at, b.at) for a, b in zip(models[1:], others[1:], strict=True)]
            self._at[many] = one.at, block.at, np.array(sensors, dtype=np.int64).reshape(-1, 2)
        for _, models in self._made.values():
            for model, objects in zip(models[1:], steps.objects, strict=True):
                if objects is not None:
                    model.tell(objects)
                if model.live:
                    model.refresh()
        return self._at[many]

    def _width(self, steps: Timeline, lanes: bool) -> tuple[Record, list[Any]]:
        """The job for one lane or a block, with dynamics and sensors, made when it is first needed."""
        if lanes not in self._made:
            dynamics, estimator = steps.dynamics, self._estimator
            f = Record(MODEL) if dynamics is None else estimator.dynamics_model(dynamics, lanes)
            work = _job(estimator, self._space, steps, lanes, self.found)
            work.point("dynamics", f)
            self._made[lanes] = work, [f, *(estimator.sensor_model(sensor, lanes) for sensor in steps.sensors)]
        return self._made[lanes]

    def check(self) -> None:
        """Raise what the models' own methods raised."""
        for _, models in self._made.values():
            for model in models:
                if isinstance(model, Model):
                    model.check()


def _job(estimator: CompiledEstimator, space: Space, steps: Timeline, lanes: bool, found: int) -> Record:
    """The job of an estimator, with room for its largest reading, and for what it is given."""
    largest = max((max(s.reading.size, s.reading.dim) for s in steps.sensors), default=0)
    inputs = steps.us.shape[-1] + steps.zs.shape[-1] + steps.contexts.shape[-1]
    return job(
        estimator.inner[2:] if lanes else estimator.inner[:2],
        space,
        lanes,
        estimator.numbers(space),
        estimator.constants(space),
        max(largest, inputs),
        found,
        estimator.transports,
        estimator.vectors(space),
    )


def packed(estimator: CompiledEstimator, belief: Any, batch: tuple[int, ...]) -> np.ndarray:
    """Beliefs of these batch axes as the inner steps keep them, ``(B, numbers)``."""
    return rows(estimator.pack(belief), batch, what="belief")


def timely(steps: Timeline) -> np.ndarray:
    """Parameters of the dynamics of a timeline, for all steps or for each."""
    return NONE if steps.dynamics is None else paces(steps.dynamics, steps.dts, steps.moves)


def one_prediction(belief: Any, dynamics: Dynamics, u: np.ndarray, dt: float) -> tuple[Timeline, tuple[int, ...]]:
    """A prediction as a timeline, and its batch axes."""
    return prediction(dynamics, u, dt), shared_axes(belief=belief.mean.shape[:-1], action=u.shape[:-1])


def prediction(dynamics: Dynamics, u: np.ndarray, dt: float) -> Timeline:
    """The timeline of one prediction."""
    return Timeline(dynamics, (), ZERO, np.array([dt]), MOVES, STILL, u[..., None, :], NONE, NONE, [])


def one_reading(belief: Any, sensor: Sensor, z: np.ndarray, context: Any) -> tuple[Timeline, tuple[int, ...]]:
    """A reading as a timeline, and its batch axes."""
    known = context_of(context, sensor)
    batch = shared_axes(belief=belief.mean.shape[:-1], reading=z.shape[:-1], context=context_axes(known, sensor))
    return measurement(sensor, z, known), batch


def measurement(sensor: Sensor, z: np.ndarray, context: Any) -> Timeline:
    """The timeline of one reading, with a context that `context_of` checked."""
    numeric = sensor.context is not None
    numbers = (context if numeric else ZERO)[..., None, :]
    objects = [None if numeric else [context]]
    return Timeline(None, (sensor,), ZERO, ZERO, STILL, STILL, NONE, z[..., None, :], numbers, objects)


def found_size(reading: Space) -> int:
    """Numbers that an update writes."""
    return reading.size + reading.dim + reading.dim**2 + 2
