"""The base of estimators whose belief is a cloud: of states, or of Gaussians."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core import (
    Dynamics,
    FilterRun,
    FilterStatus,
    Gaussian,
    Particles,
    PilotageError,
    Rng,
    Sensor,
    ShapeError,
    Space,
    Update,
    generator,
    seeded,
)
from ..core.arrays import Array, all_finite, shared_axes
from ..core.settings import Count, Positive, instance, settings
from ._causes import report
from ._clock import wanted
from ._engine import PureEngine
from ._inputs import Axes, action, check_belief, context_axes, context_of, reading_of
from ._startable import Startable
from .cloud import expected
from .filter import Filter


@settings
class CloudEstimator(Startable):
    """Base of particle filters and ensembles; subclasses say how a cloud is predicted, and how a reading changes it."""

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    n: Count = 1000

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
        """The belief `dt` seconds later under action `u`; leading axes of the belief are a batch.

        Rows of a batch that fail stay the same, unless the number of particles changes for all rows.

        Args:
            belief: particles; from any other belief, `n` are drawn.
            dynamics: the dynamics.
            u: action ``(m,)``, or ``(..., m)`` for a batch; None for zero.
            dt: step [s]; None for the default.
            rng: seed or generator.
            status: integers ``(...)`` that receive the `FilterStatus` of each row; without it, failures in a batch give
                a warning.
        """
        instance(dynamics, Dynamics, type(self).__name__)
        draw, u, dt = generator(rng), action(u, dynamics.action), wanted(dt, self.dt)
        known = self.cloud(belief, dynamics.state, rng=draw, models=(dynamics,))
        cloud = self.renewed(known, rng=draw)
        axes = shared_axes(belief=cloud.log_weights.shape[:-1], action=u.shape[:-1])
        try:
            after, how = self.predicted(cloud, dynamics, u, dt, draw), np.zeros(axes, dtype=np.int64)
        except PilotageError as error:
            if not (axes and error.status):
                raise
            kept = known if known.log_weights.shape == cloud.log_weights.shape else cloud
            after, how = self._predicted_apart(cloud, kept, dynamics, u, dt, draw, axes)
        if axes or status is not None:
            report(how, axes, status)
        return after

    def _predicted_apart(
        self, cloud: Any, kept: Any, dynamics: Dynamics, u: Array, dt: float, draw: Any, axes: Axes
    ) -> tuple[Any, Any]:
        """The clouds of a batch predicted one by one, those of `kept` where that fails, and how that went."""
        after, own, how = list[Any](), cloud.log_weights.shape[:-1], np.zeros(axes, dtype=np.int64)
        for b in np.ndindex(how.shape):
            one, act = row(cloud, own, b), row(u, u.shape[:-1], b)
            try:
                after.append(self.predicted(one, dynamics, act, dt, draw))
            except PilotageError as error:
                if not error.status:
                    raise
                how[b] = error.status
                after.append(self.stayed(row(kept, own, b), dynamics, act, dt))
        return self.together(after, axes), how

    def renewed(self, cloud: Any, *, rng: Rng = None) -> Any:
        """The cloud from which particles are predicted, resampled or not."""
        return cloud

    @abstractmethod
    def predicted(self, cloud: Any, dynamics: Dynamics, u: Array, dt: float, rng: np.random.Generator) -> Any:
        """The cloud `dt` seconds later under a checked action."""

    def stayed(self, cloud: Any, dynamics: Dynamics, u: Array, dt: float) -> Any:
        """A cloud whose prediction failed."""
        return cloud

    @abstractmethod
    def informed(self, cloud: Any, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator) -> Update:
        """The result of a checked reading of a sensor that is mounted on the space of the cloud."""

    def _informed_apart(self, cloud: Any, sensor: Sensor, z: Array, context: Any, draw: Any, axes: Axes) -> Update:
        """The clouds of a batch weighed one by one; those that fail stay the same."""
        own, k = context_axes(context_of(context, sensor), sensor), sensor.reading.dim
        found: list[tuple[Any, ...]] = []
        for b in np.ndindex(axes):
            one, there = row(cloud, cloud.log_weights.shape[:-1], b), row(context, own, b)
            try:
                each = self.informed(one, sensor, row(z, z.shape[:-1], b), there, draw)
                found.append((each.belief, each.innovation, each.S, each.nis, each.log_likelihood, each.status))
            except PilotageError as error:
                if not error.status:
                    raise
                found.append((one, np.full(k, np.nan), np.full((k, k), np.nan), np.nan, np.nan, error.status))
        beliefs, *numbers = zip(*found, strict=True)
        y, S, nis, logs, status = (np.reshape(values, (*axes, *np.shape(values[0]))) for values in numbers)
        return Update(self.together(list(beliefs), axes), y, S, nis, logs, status=status)

    def together(self, clouds: list[Any], axes: Axes) -> Any:
        """Clouds of a batch ``axes``, which were given one by one."""
        points, log_weights = (np.stack([getattr(c, name) for c in clouds]) for name in ("points", "log_weights"))
        return Particles.trusted(
            clouds[0].space, points.reshape(*axes, *points.shape[1:]), log_weights.reshape(*axes, -1)
        )

    def expect(self, belief: Any, sensor: Sensor, context: Any = None, *, rng: Rng = None) -> Gaussian:
        """The next reading: mean and covariance S of the cloud of expected readings, including noise."""
        instance(sensor, Sensor, type(self).__name__)
        cloud = self.cloud(belief, rng=generator(rng, "update"), models=(sensor,))
        return expected(cloud, sensor.on(cloud.space), context)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of reading `z` (NaN where not measured), with the new belief; leading axes are a batch.

        Innovation, S and NIS are those of the cloud of expected readings.

        Args:
            belief: particles; from any other belief, `n` are drawn.
            sensor: the sensor of the reading.
            z: reading ``(size,)``, or ``(..., size)`` for a batch.
            context: the context of the reading, if the sensor has one.
            rng: seed or generator, for what is drawn. A seed gives other numbers here than in `predict`.

        Raises:
            ShapeError: when a single reading holds infinity; in a batch it has a status.
        """
        instance(sensor, Sensor, type(self).__name__)
        draw = generator(rng, "update")
        cloud = self.cloud(belief, rng=draw, models=(sensor,))
        sensor = sensor.on(cloud.space)
        z = reading_of(z, sensor)
        if all_finite(z) or self.takes_infinity(sensor):
            return self._informed(cloud, sensor, z, context, draw)
        bad = np.isinf(z).any(-1)
        found = self._informed(cloud, sensor, np.where(bad[..., None], np.nan, z), context, draw)
        if not bad.any():
            return found
        if np.ndim(found.status) == 0:
            raise ShapeError(f"the reading of {sensor!r} holds infinity: {z}; give finite numbers, or NaN")
        status = np.where(bad, FilterStatus.NOT_FINITE_READING, found.status)
        return Update(found.belief, found.innovation, found.S, found.nis, found.log_likelihood, status=status)

    def _informed(self, cloud: Any, sensor: Sensor, z: Array, context: Any, draw: np.random.Generator) -> Update:
        """`informed` of all clouds of a batch at once, or one by one where that fails."""
        try:
            return self.informed(cloud, sensor, z, context, draw)
        except PilotageError as error:
            own = context_axes(context_of(context, sensor), sensor)
            axes = shared_axes(belief=cloud.log_weights.shape[:-1], reading=z.shape[:-1], context=own)
            if not (axes and error.status):
                raise
            return self._informed_apart(cloud, sensor, z, context, draw, axes)

    def takes_infinity(self, sensor: Sensor) -> bool:
        """Whether readings may be infinite: a density that a sensor has of its own may know what that means."""
        return type(sensor).log_prob is not Sensor.log_prob

    def smoothed(self, run: FilterRun, *, rng: Rng = None) -> Particles:
        """The beliefs of a run given all its readings, by backward simulation; see `smooth_particles`."""
        from .particle_smoother import smooth_particles

        return smooth_particles(run, rng=rng)

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that starts with a belief."""
        assert self.dynamics is not None  # `start` has seen to it
        draw, seed = seeded(rng)
        models = (self.dynamics, *(sensors or {}).values())
        cloud = self.cloud(belief, self.dynamics.state, rng=draw, models=models)
        return Filter(PureEngine(self, self.dynamics, cloud, draw), t, self.dt, sensors, seed)

    def cloud(self, belief: Any, space: Space | None = None, *, rng: Rng = None, models: tuple[Any, ...] = ()) -> Any:
        """`belief` as particles, on `space` if that is given: itself, or `n` draws; for these dynamics and sensors."""
        check_belief(belief, space)
        return belief if isinstance(belief, Particles) else Particles(belief.space, belief.sample(self.n, rng=rng))


def row(value: Any, own: Axes, b: Axes) -> Any:
    """The row of a value with these leading axes that belongs to a place b of the batch to which they broadcast."""
    return value[tuple(0 if n == 1 else i for i, n in zip(b[len(b) - len(own) :], own, strict=True))] if own else value
