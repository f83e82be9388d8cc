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
    Rng,
    Sensor,
    ShapeError,
    Space,
    Update,
    generator,
    seeded,
)
from ..core.arrays import Array
from ..core.settings import Count, Positive, instance, settings
from ._engine import PureEngine
from ._inputs import check_belief, reading_of
from ._startable import Startable
from .cloud import expected
from .filter import Filter


@settings
class CloudEstimator(Startable):
    """Base of particle filters and ensembles; subclasses say how a cloud is predicted, and how a reading changes it."""

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    n: Count = 1000

    @abstractmethod
    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Any:
        """The belief `dt` seconds later under action `u`; leading axes of the belief are a batch.

        Args:
            belief: particles; from any other belief, `n` are drawn.
            dynamics: the dynamics.
            u: action ``(m,)``, or ``(..., m)`` for a batch; None for zero.
            dt: step [s]; None for the default.
            rng: seed or generator.
        """

    @abstractmethod
    def informed(self, cloud: Any, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator) -> Update:
        """The result of a checked reading of a sensor that is mounted on the space of the cloud."""

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
        bad = np.isinf(z).any(-1) & (not self.takes_infinity(sensor))
        found = self.informed(cloud, sensor, np.where(bad[..., None], np.nan, z), context, draw)
        if not bad.any():
            return found
        if np.ndim(found.status) == 0:
            raise ShapeError(f"the reading of {sensor!r} holds infinity: {z}; give finite numbers, or NaN")
        status = np.where(bad, FilterStatus.NOT_FINITE_READING, found.status)
        return Update(found.belief, found.innovation, found.S, found.nis, found.log_likelihood, status=status)

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
