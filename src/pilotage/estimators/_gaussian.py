"""The base of filters with compiled steps: pure functions on beliefs, over batches and whole sequences."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ..core import Dynamics, FilterRun, FilterStatus, Gaussian, Rng, Sensor, ShapeError, Space, Update
from ..core.declared import called
from ..core.settings import Interval, Positive, instance, settings
from ..core.streams import checked
from ..models.trace import Driver
from ._backward import LINEARIZED, Backward
from ._causes import explain, report
from ._clock import Clock, wanted
from ._compiled import CompiledEngine
from ._inputs import EMPTY, action, check_belief, gate_quantiles, reading_of, shared_axes, unflat
from ._jobs import Model
from ._launch import launch, one_prediction, one_reading
from ._startable import Startable
from ._steps import ACCEPTED, NO_READING, Inner, read_moments, write_moments
from ._timeline import Timeline, timeline
from .filter import Filter
from .rts import rts


@settings
class CompiledEstimator(Startable):
    """Base of the filters whose steps are compiled; subclasses give these inner steps and say what they need.

    The inner steps keep a belief as a row of numbers, which subclasses make of it and read. Beliefs have a `mean` and a
    covariance `cov`. A batch never fails as a whole: each row has its status, and the belief of one that fails stays
    what it was. A single belief raises an error instead.

    Attributes:
        inner: drivers that predict and update one belief, and a block of lanes.
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

    @abstractmethod
    def numbers(self, space: Space) -> int:
        """Numbers that the inner steps keep of a belief over this space."""

    @abstractmethod
    def pack(self, belief: Any) -> np.ndarray:
        """Beliefs as the inner steps keep them, rows ``(..., numbers)``."""

    @abstractmethod
    def unpack(self, space: Space, table: np.ndarray) -> Any:
        """Beliefs in rows ``(..., numbers)``, which nobody else changes: arrays may be views of them."""

    def own(self, belief: Any, space: Space | None = None) -> Any:
        """A belief of the kind of this filter, which must live on this space."""
        return moments_on(belief, space)

    def holding(self, belief: Any, *sensors: Sensor) -> Self:
        """The same estimator, with rows that hold this belief, and what readings of these mounted sensors add to it."""
        return self

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that begins with a belief."""
        dynamics = self.moving()
        engine = CompiledEngine(self, dynamics, self.own(belief, dynamics.state))
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
    ) -> Any:
        """The belief `dt` seconds later under action `u` (default: zero); leading axes of the belief are a batch.

        Rows of a batch that fail stay the same. The status of each row is written to `status`, integers ``(...)``, if
        it is given; otherwise failures give a warning.
        """
        checked(rng)
        self.check_dynamics(dynamics)
        dt = wanted(dt, self.dt)
        belief, u = self.own(belief, dynamics.state), action(u, dynamics.action)
        steps, batch = one_prediction(belief, dynamics, u, dt)
        holder = self.holding(belief)
        flat, codes, found = launch(holder, belief, steps, batch)
        explain(holder, belief, steps, batch, codes, found)
        how = np.where(codes[:, 0] == NO_READING, ACCEPTED, codes[:, 0])
        report(how, batch, status)
        return holder.unpack(dynamics.state, unflat(flat, batch))

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Gaussian:
        """The expected reading: its mean and innovation covariance S."""
        self.check_sensor(sensor)
        belief = self.own(belief)
        sensor = sensor.on(belief.space)
        z = sensor.observe(belief.mean, None if sensor.context is not None and sensor.context.size == 0 else context)
        steps, batch = one_reading(belief, sensor, np.asarray(z, dtype=np.float64), context)
        found = launch(self.holding(belief, sensor), belief, steps, batch)[2][:, 0]
        k, m = sensor.reading.size, sensor.reading.dim
        S = found[:, k + m : k + m + m * m].reshape(-1, m, m)
        return Gaussian.trusted(sensor.reading, unflat(found[:, :k].copy(), batch), unflat(S.copy(), batch))

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of reading `z` (NaN where not measured), with the new belief; leading axes are a batch."""
        checked(rng)
        self.check_sensor(sensor)
        belief = self.own(belief)
        sensor = sensor.on(belief.space)
        z = reading_of(z, sensor)
        return self.holding(belief, sensor).updated(belief, sensor, *one_reading(belief, sensor, z, context))

    def updated(self, belief: Any, sensor: Sensor, steps: Timeline, batch: tuple[int, ...]) -> Update:
        """`update` by a timeline of one reading, for these batch axes."""
        flat, codes, found = launch(self, belief, steps, batch)
        failed = codes > NO_READING
        explain(self, belief, steps, batch, codes, found)
        found[failed] = np.nan
        k, m, found, how = sensor.reading.size, sensor.reading.dim, found[:, 0], codes[:, 0]
        y, S, scores = found[:, k : k + m], found[:, k + m : k + m + m * m].reshape(-1, m, m), found[:, k + m + m * m :]
        return Update(
            self.unpack(belief.space, unflat(flat, batch)),
            unflat(y, batch),
            unflat(S, batch),
            _number(unflat(scores[:, 0], batch)),
            _number(unflat(scores[:, 1], batch)),
            status=unflat(how, batch) if batch else FilterStatus(how[0]),
        )

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
        belief = self.own(belief, dynamics.state)
        steps = timeline(Clock(t, self.dt, dynamics), dynamics, us, readings, ts, dt, sensor=sensor, contexts=contexts)
        return self.follow(belief, steps)

    def follow(self, belief: Any, steps: Timeline) -> FilterRun:
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
        return self.holding(belief, *steps.sensors).followed(belief, steps, batch)

    def followed(self, belief: Any, steps: Timeline, batch: tuple[int, ...]) -> FilterRun:
        """`follow` for these batch axes."""
        space, count = belief.space, len(steps.dts)
        total = prod(batch)
        before, after = (np.empty((total, count, self.numbers(space))) for _ in range(2))
        _, codes, found = launch(self, belief, steps, batch, before, after)
        failed = codes > NO_READING
        if some := failed.any():
            explain(self, belief, steps, batch, codes, found, after)
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

    def dynamics_model(self, dynamics: Dynamics, lanes: bool = False) -> Model:
        """Dynamics as the inner steps see them."""
        return Model(dynamics, dynamics.state, dynamics.action.size, self.dynamics_results, lanes)

    def sensor_model(self, sensor: Sensor, lanes: bool = False) -> Model:
        """A mounted sensor as the inner steps see it."""
        inputs = 1 if sensor.context is None else sensor.context.size
        gates = gate_quantiles(self.gate, sensor.reading.dim)
        return Model(sensor, sensor.reading, inputs, self.sensor_results, lanes, gates)


@settings
class GaussianEstimator(CompiledEstimator):
    """Base of the filters whose belief is a `Gaussian`.

    Attributes:
        layout: drivers that take mean and covariance from one belief as the inner steps keep it, and make one of them;
            in compiled code what `unpack` and `pack` are outside.
    """

    layout: ClassVar[tuple[Driver, Driver]] = (read_moments, write_moments)

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


def _number(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def moments_on(belief: Any, space: Space | None = None) -> Gaussian:
    """The Gaussian of a belief, which must live on this space."""
    check_belief(belief, space)
    return belief.moments()
