"""The base of filters with a `Gaussian` belief: pure functions on beliefs, over batches and whole sequences."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core import Dynamics, FilterRun, FilterStatus, Gaussian, Rng, Sensor, ShapeError, Space, Update
from ..core.declared import called
from ..core.settings import Interval, Positive, instance, settings
from ..core.streams import checked
from ..models.trace import Driver
from ._causes import error_of, why_prediction, why_update
from ._clock import Clock, wanted
from ._compiled import CompiledEngine
from ._drivers import FEW, run_rows
from ._inputs import (
    EMPTY,
    action,
    check_belief,
    context_axes,
    context_of,
    gate_quantiles,
    once_or_rows,
    reading_of,
    rows,
    shared_axes,
    unflat,
)
from ._jobs import Model, Record, job
from ._memory import MODEL
from ._steps import Inner, read_moments, write_moments
from ._timeline import Timeline, timeline
from .filter import Filter, Startable
from .rts import LINEARIZED, Backward, paces, rts

ACCEPTED = int(FilterStatus.ACCEPTED)
PREDICTION_FAILED, UPDATE_FAILED = int(FilterStatus.PREDICTION_FAILED), int(FilterStatus.UPDATE_FAILED)


@settings
class GaussianEstimator(Startable):
    """Base of the filters whose belief is a `Gaussian`; subclasses give the inner steps and say what these need.

    A batch never fails as a whole: each row has its status, and the belief of one that fails stays what it was. A
    single belief raises an error instead.

    Attributes:
        inner: drivers that predict and update one belief, and a block of lanes.
        layout: drivers that take mean and covariance from one belief as the inner steps keep it, and make one of them;
            in compiled code what `unpack` and `pack` are outside.
        dynamics_results, sensor_results: what is asked of models: all at once, the value alone, the noise alone.
        jacobian: whether models need derivatives.
        transports: whether updates carry covariances from tangent to tangent.
        unexplained: the status of an update that failed although model and belief are sound.
        smoother: the step of the smoother of its runs.
    """

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None

    inner: ClassVar[Inner]
    layout: ClassVar[tuple[Driver, Driver]] = (read_moments, write_moments)
    dynamics_results: ClassVar[tuple[str, str, str]]
    sensor_results: ClassVar[tuple[str, str, str]]
    jacobian: ClassVar[bool] = True
    transports: ClassVar[bool] = False
    unexplained: ClassVar[FilterStatus] = FilterStatus.OVERFLOW
    smoother: ClassVar[Backward] = LINEARIZED

    def __post_init__(self) -> None:
        if self.dynamics is not None:
            self.check_dynamics(self.dynamics)

    def check_dynamics(self, dynamics: Dynamics) -> None:
        """Refuse dynamics that this filter is not for. Any will do unless a filter says otherwise."""
        instance(dynamics, Dynamics, type(self).__name__)

    def check_sensor(self, sensor: Sensor) -> None:
        """Refuse sensors that this filter is not for. Any will do unless a filter says otherwise."""
        instance(sensor, Sensor, type(self).__name__)

    def constants(self, space: Space) -> np.ndarray:
        """Numbers that the inner steps need of the settings, for states on this space."""
        return EMPTY

    def smoothing(self, space: Space) -> np.ndarray:
        """Numbers that the smoother's step needs of the settings; of a linearised one, the factor of F."""
        return np.ones(1)

    def vectors(self, space: Space) -> int:
        """Vectors of scratch that the inner steps need beside matrices of a few."""
        return 0

    def numbers(self, space: Space) -> int:
        """Numbers that the inner steps keep of a belief over this space."""
        return space.size + space.dim**2

    def pack(self, belief: Gaussian) -> np.ndarray:
        """Beliefs as the inner steps keep them, rows ``(..., numbers)``: mean and covariance."""
        cov = belief.cov.reshape(*belief.cov.shape[:-2], belief.space.dim**2)
        return np.concatenate([belief.mean, cov], axis=-1)

    def unpack(self, space: Space, table: np.ndarray) -> Gaussian:
        """Beliefs in rows ``(..., numbers)``, which nobody else changes: arrays may be views of them."""
        n, d = space.size, space.dim
        return Gaussian.trusted(space, table[..., :n], table[..., n:].reshape(*table.shape[:-1], d, d))

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that begins with a belief."""
        dynamics = self.moving()
        engine = CompiledEngine(self, dynamics, moments_on(belief, dynamics.state))
        return Filter(engine, t, self.dt, sensors)

    def predict(
        self,
        belief: Any,
        dynamics: Dynamics,
        u: Any = None,
        dt: float | None = None,
        *,
        rng: Rng = None,
        status: np.ndarray | None = None,
    ) -> Gaussian:
        """The belief `dt` seconds later under action `u` (default: zero); leading axes of the belief are a batch.

        Rows of a batch that fail stay the same. The status of each row is written to `status`, integers ``(...)``, if
        it is given; otherwise failures give a warning.
        """
        checked(rng)
        self.check_dynamics(dynamics)
        dt = wanted(dt, self.dt)
        belief, u = moments_on(belief, dynamics.state), action(u, dynamics.action)
        batch = shared_axes(belief=belief.mean.shape[:-1], action=u.shape[:-1])
        flat, codes, _ = self._launch(belief, prediction(dynamics, u, dt), batch)
        how = codes[:, 0] * (codes[:, 0] == PREDICTION_FAILED)
        for i in np.flatnonzero(how):
            mean, ui = self.unpack(belief.space, self._rows(belief, batch)[i]), rows(u, batch)[i]
            how[i] = why_prediction(dynamics, mean, ui, dt, self.jacobian)
            if not batch:
                raise error_of(FilterStatus(how[i]), dynamics, mean, u=ui)
        report(how, batch, status)
        return self.unpack(dynamics.state, unflat(flat, batch))

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Gaussian:
        """The expected reading: its mean and innovation covariance S."""
        self.check_sensor(sensor)
        belief = moments_on(belief)
        sensor = sensor.on(belief.space)
        z = sensor.observe(belief.mean, None if sensor.context is not None and sensor.context.size == 0 else context)
        _, _, found, batch = self._updated(belief, sensor, np.asarray(z, dtype=np.float64), context)
        k, m = sensor.reading.size, sensor.reading.dim
        S = found[:, k + m : k + m + m * m].reshape(-1, m, m)
        return Gaussian.trusted(sensor.reading, unflat(found[:, :k].copy(), batch), unflat(S.copy(), batch))

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of reading `z` (NaN where not measured), with the new belief; leading axes are a batch."""
        checked(rng)
        self.check_sensor(sensor)
        belief = moments_on(belief)
        sensor = sensor.on(belief.space)
        z = reading_of(z, sensor)
        flat, codes, found, batch = self._updated(belief, sensor, z, context)
        k, m = sensor.reading.size, sensor.reading.dim
        how = np.array(codes)
        for i in np.flatnonzero(how == UPDATE_FAILED):
            alone, zi = self.unpack(belief.space, self._rows(belief, batch)[i]), rows(z, batch)[i]
            ci = context_of(context, sensor)
            ci = rows(ci, batch, what="context")[i] if sensor.context is not None else ci
            S = found[i, k + m : k + m + m * m].reshape(m, m)
            how[i] = why_update(sensor, alone, zi, ci, S, self)
            if not batch:
                raise error_of(FilterStatus(how[i]), sensor, alone, z=zi)
            found[i] = np.nan
        y, S, scores = found[:, k : k + m], found[:, k + m : k + m + m * m].reshape(-1, m, m), found[:, k + m + m * m :]
        return Update(
            self.unpack(belief.space, unflat(flat, batch)),
            unflat(y, batch),
            unflat(S, batch),
            _number(unflat(scores[:, 0], batch)),
            _number(unflat(scores[:, 1], batch)),
            status=unflat(how, batch) if batch else FilterStatus(how[0]),
        )

    def _updated(self, belief: Gaussian, sensor: Sensor, z: np.ndarray, context: Any) -> tuple[Any, Any, Any, Any]:
        """Rows of beliefs, their codes, what was found, and the batch axes."""
        given = context_of(context, sensor)
        batch = shared_axes(belief=belief.mean.shape[:-1], reading=z.shape[:-1], context=context_axes(given, sensor))
        flat, codes, found = self._launch(belief, measurement(sensor, z, given), batch)
        return flat, codes[:, 0], found[:, 0], batch

    def run(
        self,
        belief: Any,
        dynamics: Dynamics,
        us: Any,
        readings: Any,
        dt: Any = None,
        *,
        sensor: Sensor | None = None,
        contexts: Any = None,
        ts: Any = None,
        t: float = 0.0,
    ) -> FilterRun:
        """Process a whole sequence: predict and update for each reading, of one sensor or several.

        Args:
            belief: the belief before the first prediction, at time `t`; leading axes are a batch.
            dynamics: the dynamics.
            us: actions ``(..., T, m)``, or None for zero.
            readings: readings ``(..., T, k)`` of `sensor`, or `Readings` of each of several sensors.
            dt: seconds before each reading of a single sensor, a number or ``(T,)``; default: the default step.
            sensor: the sensor of the readings, if there is only one.
            contexts: the context of each reading, ``(T, c)``.
            ts: times ``(T,)`` of the readings of a single sensor, or at which the actions end.
            t: start time [s].
        """
        self.check_dynamics(dynamics)
        belief = moments_on(belief, dynamics.state)
        steps = timeline(Clock(t, self.dt, dynamics), dynamics, us, readings, ts, dt, sensor=sensor, contexts=contexts)
        return self.follow(belief, steps)

    def follow(self, belief: Gaussian, steps: Timeline) -> FilterRun:
        """The belief through the steps of a timeline."""
        for j in steps.scans:
            name = type(self).__name__
            raise ShapeError(
                f"{called(steps.sensors[j])} gives scans, and {name} takes one reading at a time; PDA(filter={name}()) "
                "of pilotage.estimators.tracking takes scans"
            )
        for sensor in steps.sensors:
            self.check_sensor(sensor)
        batch = shared_axes(belief=belief.mean.shape[:-1], given=steps.batch)
        return self.followed(belief, steps, batch)

    def followed(self, belief: Gaussian, steps: Timeline, batch: tuple[int, ...]) -> FilterRun:
        """`follow` for these batch axes."""
        space, count = belief.space, len(steps.dts)
        numbers = self.numbers(space)
        total = int(np.prod(batch, dtype=int))
        before, after = (np.empty((total, count, numbers)) for _ in range(2))
        _, codes, found = self._launch(belief, steps, batch, before, after)
        failed = codes > int(FilterStatus.NO_READING)
        if some := failed.any():
            self._explain(belief, steps, batch, after, codes, found)
        widest = max((s.reading.dim for s in steps.sensors), default=0)
        y = np.full((total, count, widest), np.nan)
        scores = np.zeros((total, count, 2))
        for j, s in enumerate(steps.sensors):
            at, k, m = steps.of(j), s.reading.size, s.reading.dim
            y[:, at, :m] = found[:, at, k : k + m]
            scores[:, at] = found[:, at, k + m + m * m : k + m + m * m + 2]
        if some:
            y[failed], scores[failed] = np.nan, np.nan
        return FilterRun(
            self.unpack(space, unflat(after, batch)),
            self.unpack(space, unflat(before, batch)),
            unflat(y, batch),
            unflat(scores[..., 0], batch),
            unflat(scores[..., 1], batch),
            unflat(codes, batch),
            steps.ts,
            steps.dts,
            steps.us,
            steps.dynamics,
            steps.sensors,
            steps.which,
            self,
            steps.told,
        )

    def smoothed(self, run: FilterRun, *, rng: Rng = None) -> Gaussian:
        """The beliefs of a run given all its readings; see `smooth`."""
        checked(rng)
        return rts(run, self.smoother, self.smoothing(run.beliefs.space))

    def _rows(self, belief: Gaussian, batch: tuple[int, ...]) -> np.ndarray:
        """Beliefs of these batch axes, ``(B, numbers)``."""
        return rows(self.pack(belief), batch, what="belief")

    def _launch(
        self, belief: Gaussian, steps: Timeline, batch: tuple[int, ...], before: Any = None, after: Any = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of beliefs at the end, codes ``(B, T)``, and what updates found ``(B, T, ...)``."""
        table = self._rows(belief, batch)
        return table, *self.launch(belief.space, table, steps, batch, before, after)

    def launch(
        self,
        space: Space,
        table: np.ndarray,
        steps: Timeline,
        batch: tuple[int, ...],
        before: Any = None,
        after: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Codes ``(B, T)`` and what updates found ``(B, T, ...)``; the table ``(B, numbers)`` of beliefs is changed."""
        count = len(steps.dts)
        total, numbers = table.shape
        largest = max((max(s.reading.size, s.reading.dim) for s in steps.sensors), default=0)
        found = np.empty((total, count, max((found_size(s.reading) for s in steps.sensors), default=0)))
        status = np.zeros((total, count), dtype=np.int64)
        nothing = np.empty((0, count, numbers))
        wide = total > FEW
        constants = self.constants(space)
        jobs: list[Record] = []
        models: list[Model] = []
        places: list[list[int]] = []
        inputs = steps.us.shape[-1] + steps.zs.shape[-1] + steps.contexts.shape[-1]
        for lanes in (False, True) if wide else (False,):
            inner = self.inner[2:] if lanes else self.inner[:2]
            work = job(
                inner,
                space,
                lanes,
                numbers,
                constants,
                max(largest, inputs),
                found.shape[2],
                self.transports,
                self.vectors(space),
            )
            if steps.dynamics is not None:
                models.append(self.dynamics_model(steps.dynamics, lanes))
                work.point("dynamics", models[-1])
            else:
                work.point("dynamics", Record(MODEL))
            sensors = [self.sensor_model(s, lanes) for s in steps.sensors]
            for model, objects in zip(sensors, steps.objects, strict=True):
                if objects is not None:
                    model.tell(objects)
            models += sensors
            places.append([s.at for s in sensors])
            jobs.append(work)
        addresses = np.array(
            [list(pair) for pair in zip(*(places if wide else places * 2), strict=True)], dtype=np.int64
        )
        run_rows.compiled(
            jobs[0].at, jobs[-1].at, addresses.reshape(-1, 2), table, timely(steps), steps.dts,
            steps.moves, once_or_rows(steps.us, batch, 2, "actions"), steps.which,
            once_or_rows(steps.zs, batch, 2, "readings"), once_or_rows(steps.contexts, batch, 2, "contexts"),
            nothing if before is None else before, nothing if after is None else after, found, status,
        )  # fmt: skip
        for model in models:
            model.check()
        return status, found

    def dynamics_model(self, dynamics: Dynamics, lanes: bool = False) -> Model:
        """Dynamics as the inner steps see them."""
        return Model(dynamics, dynamics.state, dynamics.action.size, self.dynamics_results, lanes)

    def sensor_model(self, sensor: Sensor, lanes: bool = False) -> Model:
        """A mounted sensor as the inner steps see it."""
        inputs = 1 if sensor.context is None else sensor.context.size
        gates = gate_quantiles(self.gate, sensor.reading.dim)
        return Model(sensor, sensor.reading, inputs, self.sensor_results, lanes, gates)

    def _explain(self, belief: Gaussian, steps: Timeline, batch: Any, after: Any, codes: Any, found: Any) -> None:
        """Put causes in place of failures; those of a single sequence raise."""
        for i, k in np.argwhere((codes == PREDICTION_FAILED) | (codes == UPDATE_FAILED)):
            start = self._rows(belief, batch)[i] if k == 0 else after[i, k - 1]
            alone = self.unpack(belief.space, start.copy())
            u, dt = _at(steps.us, batch, i)[k], float(steps.dts[k])
            model: Any = steps.dynamics
            z = None
            if codes[i, k] == PREDICTION_FAILED:
                codes[i, k] = why_prediction(model, alone, u, dt, self.jacobian)
            else:
                j = int(steps.which[k])
                if steps.moves[k]:
                    alone = self.predict(alone, model, u, dt)
                model = steps.sensors[j]
                n, m = model.reading.size, model.reading.dim
                z = _at(steps.zs, batch, i)[k, :n]
                c: Any = _at(steps.contexts, batch, i)[k]
                c = c[: model.context.size] if model.context is not None else steps.objects[j][int(c[0])]
                S = found[i, k, n + m : n + m + m * m].reshape(m, m)
                codes[i, k] = why_update(model, alone, z, c, S, self)
            if not batch:
                raise error_of(FilterStatus(codes[i, k]), model, alone, f"step {k}", u=u, z=z)


def prediction(dynamics: Dynamics, u: np.ndarray, dt: float) -> Timeline:
    """The timeline of one prediction."""
    return Timeline(
        dynamics, (), np.zeros(1), np.array([dt]), np.ones(1, np.int64), np.zeros(1, np.int64), u[..., None, :],
        np.zeros((1, 0)), np.zeros((1, 0)), [],
    )  # fmt: skip


def measurement(sensor: Sensor, z: np.ndarray, context: Any) -> Timeline:
    """The timeline of one reading, with a context that `context_of` checked."""
    numeric = sensor.context is not None
    return Timeline(
        None, (sensor,), np.zeros(1), np.zeros(1), np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros((1, 0)),
        z[..., None, :], context[..., None, :] if numeric else np.zeros((1, 1)), [None if numeric else [context]],
    )  # fmt: skip


def report(how: np.ndarray, batch: tuple[int, ...], status: np.ndarray | None) -> None:
    """Write how the rows of a prediction went to `status`, or warn of those that failed."""
    if status is not None:
        status[...] = how.reshape(batch)
    elif how.any():
        i = int(np.flatnonzero(how)[0])
        warnings.warn(
            f"{np.count_nonzero(how)} of {len(how)} predictions failed, the first because of "
            f"{FilterStatus(how[i]).name}; their beliefs are unchanged (give status=... to get each)",
            RuntimeWarning,
            stacklevel=3,
        )


def _at(a: np.ndarray, batch: tuple[int, ...], i: int) -> np.ndarray:
    """Sequence i of arrays ``(..., T, n)``."""
    return once_or_rows(a, batch, 2, "array")[i if a.ndim > 2 else 0]


def _number(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def timely(steps: Timeline) -> np.ndarray:
    """Parameters of the dynamics of a timeline, for all steps or for each."""
    return np.zeros((1, 0)) if steps.dynamics is None else paces(steps.dynamics, steps.dts, steps.moves)


def found_size(reading: Space) -> int:
    """Numbers that an update writes."""
    return reading.size + reading.dim + reading.dim**2 + 2


def moments_on(belief: Any, space: Space | None = None) -> Gaussian:
    """The Gaussian of a belief, which must live on this space."""
    check_belief(belief, space)
    return belief.moments()
