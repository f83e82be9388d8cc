"""The base of particle filters whose update draws the particles again, knowing the reading."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core import Dynamics, Particles, Sensor, Update
from ..core.arrays import Array
from ..core.settings import Interval, settings
from ._cloud_estimator import CloudEstimator
from ._inputs import Axes, context_axes, context_of
from .cloud import judged, propagate, weigh
from .resampling import Resampling


@dataclass(frozen=True, eq=False, repr=False, init=False)
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
        return cls.between(origin, propagate(origin, dynamics, u, dt, rng=rng), dynamics, u, dt)

    @classmethod
    def between(cls, origin: Particles, after: Particles, dynamics: Dynamics, u: Array, dt: float) -> Foreseen:
        """A cloud with the one that it came from."""
        new = cls.trusted(after.space, after.points, after.log_weights)
        new.__dict__.update(origin=origin, dynamics=dynamics, u=u, dt=dt)
        return new

    def __getitem__(self, index: Any) -> Foreseen:
        u = self.u[index] if self.u.ndim > 1 else self.u
        return Foreseen.between(self.origin[index], super().__getitem__(index), self.dynamics, u, self.dt)

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
        return Foreseen.between(clouds[1], clouds[0], self.dynamics, self.u, self.dt)


@settings
class LookAheadFilter(CloudEstimator):
    """Base of particle filters that look at the first reading after a prediction before they draw the particles.

    Further readings at the same time weigh the particles, as in a `ParticleFilter`.
    """

    resampling: Resampling = "systematic"
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None

    def predicted(
        self, cloud: Particles, dynamics: Dynamics, u: Array, dt: float, rng: np.random.Generator
    ) -> Foreseen:
        return Foreseen.of(cloud, dynamics, u.copy(), dt, rng)

    def stayed(self, cloud: Particles, dynamics: Dynamics, u: Array, dt: float) -> Foreseen:
        return Foreseen.between(cloud, cloud, dynamics, u.copy(), dt)

    def together(self, clouds: list[Any], axes: Axes) -> Particles:
        after = super().together(clouds, axes)
        if not all(isinstance(c, Foreseen) for c in clouds):
            return after
        origin, u = super().together([c.origin for c in clouds], axes), np.stack([c.u for c in clouds])
        return Foreseen.between(origin, after, clouds[0].dynamics, u.reshape(*axes, -1), clouds[0].dt)

    def informed(self, cloud: Particles, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator) -> Update:
        if not isinstance(cloud, Foreseen) or np.isnan(z).all():
            return weigh(cloud, sensor, z, context, self.gate)
        given = context_axes(context_of(context, sensor), sensor)
        cloud = cloud.spread(np.broadcast_shapes(cloud.points.shape[:-2], z.shape[:-1], given))
        points, log_weights = self.proposed(cloud, sensor, z, context, rng)
        return judged(cloud, points, log_weights, sensor, z, context, self.gate)

    @abstractmethod
    def proposed(
        self, cloud: Foreseen, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """States that are drawn again from ``cloud.origin``, and log-weights whose sum is the evidence of z."""
