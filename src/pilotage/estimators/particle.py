"""The particle filter: a belief of any shape, represented by a cloud of weighted states.

Traced models run as machine code. Other models only need the batched methods of the protocol, so a simulator, a network
or a table works as well. The filter resamples at the start of a prediction, if the weights have become too unequal. The
belief after an update therefore keeps its weights, and describes the posterior better than any sample of it (Chopin
and Papaspiliopoulos, *An Introduction to Sequential Monte Carlo*, 2020, algorithm 10.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from ..core import (
    Dynamics,
    Gaussian,
    Particles,
    Rng,
    Sensor,
    Space,
    Update,
    generator,
    seeded,
)
from ..core.covariances import symmetric_root
from ..core.settings import Count, Fraction, Interval, NonNegative, Positive, instance, settings
from ..core.streams import checked
from ._clock import wanted
from ._engine import PureEngine
from ._inputs import check_belief
from .cloud import expected, kernel_width, propagate, weigh
from .filter import Filter, Startable
from .resampling import Resampling, resample


@settings
class ParticleFilter(Startable):
    """Particle filter for any dynamics and sensors.

    ::

        predict   x_i = f(x_i, u, dt) (+) e_i,   e_i ~ N(0, Q)
        update    log w_i += log p(z | x_i),     log p(z | past) = log sum_i w_i p(z | x_i)

    Source: the bootstrap filter of Gordon, Salmond and Smith (1993).

    Args:
        dynamics: the dynamics for `start`; `predict` takes them as an argument.
        dt: default step [s].
        n: number of particles that are drawn from a belief of another kind.
        resampling: "systematic", "stratified", "residual" or "multinomial", see `resample`.
        threshold: resample when the effective number of particles is below this share of their number; 0 means never, 1
            always.
        smoothing: width of the kernel that spreads resampled particles, in units of the best width for a normal density
            (Silverman 1986; Musso, Oudjane and Le Gland 2001); 0 leaves copies equal. Use it for dynamics with little
            noise; it multiplies the covariance by ``1 + h^2``.
        gate: probability that a good reading passes, as for `EKF`. A reading whose NIS exceeds this quantile of the
            chi-square distribution is rejected. The NIS uses the mean and covariance of the expected readings, so a
            cloud of several clusters lets more readings pass. The gate costs a second pass over all particles. None
            accepts all readings that some particle can explain. To weigh outliers instead of rejecting them, use a
            sensor whose `log_prob` has heavy tails.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> car = ParticleFilter(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5], rng=1)
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    n: Count = 1000
    resampling: Resampling = "systematic"
    threshold: Fraction = 0.5
    smoothing: NonNegative = 0.0
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Particles:
        """The belief `dt` seconds later under action `u`; leading axes of the belief are a batch.

        Args:
            belief: particles; from any other belief, `n` are drawn.
            dynamics: the dynamics.
            u: action ``(m,)``, or ``(..., m)`` for a batch; None for zero.
            dt: step [s]; None for the default.
            rng: seed or generator.
        """
        instance(dynamics, Dynamics, "ParticleFilter")
        draw = generator(rng)
        cloud = self.cloud(belief, dynamics.state, rng=draw)
        return propagate(self.renewed(cloud, rng=draw), dynamics, u, wanted(dt, self.dt), rng=draw)

    def expect(self, belief: Any, sensor: Sensor, context: Any = None, *, rng: Rng = None) -> Gaussian:
        """The next reading: mean and covariance S of the cloud of expected readings, including noise."""
        instance(sensor, Sensor, "ParticleFilter")
        cloud = self.cloud(belief, rng=checked(rng))
        return expected(cloud, sensor.on(cloud.space), context)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of reading `z` (NaN where not measured), with the new belief.

        Innovation, S and NIS are those of the cloud of expected readings, and are computed on demand. If no particle
        can explain the reading (for each of them, the likelihood of a component is below the smallest positive number,
        39 standard deviations away), the belief stays the same and the status is GATED. The same happens if the gate
        rejects the reading.

        Args:
            belief: particles; from any other belief, `n` are drawn.
            sensor: the sensor of the reading.
            z: reading ``(size,)``, or ``(..., size)`` for a batch.
            context: the context of the reading, if the sensor has one.
            rng: seed or generator, for a belief that has no particles yet.
        """
        instance(sensor, Sensor, "ParticleFilter")
        cloud = self.cloud(belief, rng=checked(rng))
        return weigh(cloud, sensor.on(cloud.space), z, context, self.gate)

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that starts with a belief."""
        assert self.dynamics is not None  # `start` has seen to it
        draw, seed = seeded(rng)
        engine = PureEngine(self, self.dynamics, self.cloud(belief, self.dynamics.state, rng=draw), draw)
        return Filter(engine, t, self.dt, sensors, seed)

    def cloud(self, belief: Any, space: Space | None = None, *, rng: Rng = None) -> Particles:
        """`belief` as particles, on `space` if that is given: itself, or `n` draws."""
        check_belief(belief, space)
        return belief if isinstance(belief, Particles) else Particles(belief.space, belief.sample(self.n, rng=rng))

    def renewed(self, cloud: Particles, *, rng: Rng = None) -> Particles:
        """Resampled particles if their effective number is below the threshold; else `cloud`."""
        count = cloud.points.shape[-2]
        # Equal weights have an effective number of N up to rounding only, and need no new draw at threshold 1.
        due = np.asarray(cloud.effective_size) < self.threshold * count * (1.0 - 1e-9)
        if not due.any():
            return cloud
        draw = generator(rng)
        points, log_weights = np.array(cloud.points), np.array(cloud.log_weights)
        for b in np.ndindex(due.shape):
            if due[b]:
                points[b] = points[b][resample(np.exp(log_weights[b]), None, self.resampling, draw)]
                log_weights[b] = -math.log(count)
        if self.smoothing > 0.0:
            spread = cloud.space.plus(points, kernel_noise(cloud, self.smoothing, rng=draw))
            points = np.where(due[..., None, None], spread, points)
        return Particles.trusted(cloud.space, points, log_weights)


def kernel_noise(cloud: Particles, width: float, *, rng: Rng = None) -> Any:
    """Draws ``(..., N, d)`` from the kernel of the cloud's density: ``N(0, h^2 P)``, P its covariance.

    h is `width` times the `kernel_width` for as many particles as are effective.
    """
    d = cloud.space.dim
    h = width * np.asarray(kernel_width(cloud.effective_size, d))
    z = generator(rng).standard_normal((*cloud.points.shape[:-1], d))
    return h[..., None, None] * (z @ symmetric_root(cloud.moments().cov))
