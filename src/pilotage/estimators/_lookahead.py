"""The base of particle filters whose update draws the particles again, knowing the reading."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any

import numpy as np

from ..core import Dynamics, Particles, Rng, Sensor, Update, generator
from ..core.arrays import Array
from ..core.settings import Interval, instance, settings
from ._clock import wanted
from ._cloud_estimator import CloudEstimator
from ._inputs import action, context_axes, context_of
from .cloud import judged, propagate, weigh
from .resampling import Resampling


class Foreseen(Particles):
    """Particles one step on, with the cloud that they came from and the motion between.

    As a belief it is the cloud that a bootstrap filter predicts. The first reading may draw it again from `origin`.
    """

    origin: Particles
    dynamics: Dynamics
    u: Array
    dt: float

    @classmethod
    def of(cls, origin: Particles, dynamics: Dynamics, u: Array, dt: float, rng: np.random.Generator) -> Foreseen:
        """The cloud one step after `origin`."""
        after = propagate(origin, dynamics, u, dt, rng=rng)
        new = cls.trusted(after.space, after.points, after.log_weights)
        new.__dict__.update(origin=origin, dynamics=dynamics, u=u, dt=dt)
        return new

    def spread(self, axes: tuple[int, ...]) -> Foreseen:
        """The same for each of a batch of readings."""
        clouds = [
            Particles.trusted(
                each.space,
                np.broadcast_to(each.points, (*axes, *each.points.shape[-2:])),
                np.broadcast_to(each.log_weights, (*axes, each.log_weights.shape[-1])),
            )
            for each in (self, self.origin)
        ]
        new = Foreseen.trusted(self.space, clouds[0].points, clouds[0].log_weights)
        new.__dict__.update(origin=clouds[1], dynamics=self.dynamics, u=self.u, dt=self.dt)
        return new


@settings
class LookAheadFilter(CloudEstimator):
    """Base of particle filters that look at the first reading after a prediction before they draw the particles.

    Further readings at the same time weigh the particles, as in a `ParticleFilter`.
    """

    resampling: Resampling = "systematic"
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Foreseen:
        instance(dynamics, Dynamics, type(self).__name__)
        draw = generator(rng)
        origin = self.ancestors(self.cloud(belief, dynamics.state, rng=draw), draw)
        return Foreseen.of(origin, dynamics, action(u, dynamics.action).copy(), wanted(dt, self.dt), draw)

    def informed(self, cloud: Particles, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator) -> Update:
        if not isinstance(cloud, Foreseen) or np.isnan(z).all():
            return weigh(cloud, sensor, z, context, self.gate)
        given = context_axes(context_of(context, sensor), sensor)
        cloud = cloud.spread(np.broadcast_shapes(cloud.points.shape[:-2], z.shape[:-1], given))
        points, log_weights = self.proposed(cloud, sensor, z, context, rng)
        return judged(cloud, points, log_weights, sensor, z, context, self.gate)

    def ancestors(self, cloud: Particles, rng: np.random.Generator) -> Particles:
        """The cloud from which particles are predicted, resampled or not."""
        return cloud

    @abstractmethod
    def proposed(
        self, cloud: Foreseen, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """States that are drawn again from ``cloud.origin``, and log-weights whose sum is the evidence of z."""
