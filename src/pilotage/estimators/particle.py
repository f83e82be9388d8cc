"""The particle filter: a belief of any shape, represented by a cloud of weighted states.

Traced models run as machine code. Other models only need the batched methods of the protocol, so a simulator, a network
or a table works as well. The filter resamples at the start of a prediction, if the weights have become too unequal. The
belief after an update therefore keeps its weights, and describes the posterior better than any sample of it (Chopin
and Papaspiliopoulos, *An Introduction to Sequential Monte Carlo*, 2020, algorithm 10.3).
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from ..core import Dynamics, Particles, Rng, Sensor, Update, generator
from ..core.arrays import Array
from ..core.covariances import symmetric_root
from ..core.settings import Fraction, Interval, NonNegative, settings
from ._cloud_estimator import CloudEstimator
from .cloud import kernel_width, propagate, weigh
from .kld import KLDSampling
from .resampling import Resampling, renewed, taken


@settings
class ParticleFilter(CloudEstimator):
    """Particle filter for any dynamics and sensors: the bootstrap filter, also regularised, with KLD-sampling.

    ::

        predict   x_i = f(x_i, u, dt) (+) e_i,   e_i ~ N(0, Q)
        update    log w_i += log p(z | x_i),     log p(z | past) = log sum_i w_i p(z | x_i)

    If no particle can explain a reading (for each of them, the likelihood of a component is below the smallest positive
    number, 39 standard deviations away), the belief stays the same and the status is STARVED.

    Source: the bootstrap filter of Gordon, Salmond and Smith (1993); regularised, Musso, Oudjane and Le Gland,
    "Improving regularised particle filters", in *Sequential Monte Carlo Methods in Practice*, 2001; KLD-sampling, Fox
    (2003).

    Args:
        dynamics: the dynamics for `start`; `predict` takes them as an argument.
        dt: default step [s].
        n: number of particles that are drawn from a belief of another kind.
        resampling: "systematic", "stratified", "residual" or "multinomial", see `resample`.
        threshold: resample when the effective number of particles is below this share of their number; 0 means never, 1
            always.
        smoothing: width of the kernel that spreads resampled particles, in units of the best width for a normal density
            (Silverman 1986), which makes the filter the (post-)regularised particle filter; 0 leaves copies equal. Use
            it for dynamics with little noise; it multiplies the covariance by ``1 + h^2``.
        gate: probability that a good reading passes, as for `EKF`. A reading whose NIS exceeds this quantile of the
            chi-square distribution is rejected: the belief stays the same and the status is GATED. The NIS uses the
            mean and covariance of the expected readings, so a cloud of several clusters lets more readings pass. The
            gate costs a second pass over all particles. None accepts all readings that some particle can explain. To
            weigh outliers instead of rejecting them, use a sensor whose `log_prob` has heavy tails.
        adapt: `KLDSampling`, which adapts the number of particles to the spread of the belief whenever they are drawn
            again; None keeps their number.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> car = ParticleFilter(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5], rng=1)
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    resampling: Resampling = "systematic"
    threshold: Fraction = 0.5
    smoothing: NonNegative = 0.0
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None
    adapt: KLDSampling | None = None

    def predicted(
        self, cloud: Particles, dynamics: Dynamics, u: Array, dt: float, rng: np.random.Generator
    ) -> Particles:
        return propagate(cloud, dynamics, u, dt, rng=rng)

    def informed(self, cloud: Particles, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator) -> Update:
        return weigh(cloud, sensor, z, context, self.gate)

    def renewed(self, cloud: Particles, *, rng: Rng = None) -> Particles:
        """Resampled particles if their effective number is low, or `adapt` asks for another number; else `cloud`."""
        count = None if self.adapt is None else self.adapt.count(cloud)
        draw = generator(rng)
        found = renewed(cloud, self.threshold, self.resampling, draw, count)
        if found is None:
            return cloud
        index, due, log_weights = found
        points = taken(cloud.points, index)
        if self.smoothing > 0.0:
            e = kernel_noise(cloud, self.smoothing, points.shape[-2], rng=draw)
            points = np.where(due[..., None, None], cloud.space.plus(points, e), points)
        return Particles.trusted(cloud.space, points, log_weights)


def kernel_noise(cloud: Particles, width: float, count: int, *, rng: Rng = None) -> Any:
    """`count` draws ``(..., count, d)`` from the kernel of the cloud's density: ``N(0, h^2 P)``, P its covariance.

    h is `width` times the `kernel_width` for as many particles as are effective.
    """
    d = cloud.space.dim
    h = width * np.asarray(kernel_width(cloud.effective_size, d))
    z = generator(rng).standard_normal((*cloud.points.shape[:-2], count, d))
    return h[..., None, None] * (z @ symmetric_root(cloud.moments().cov))
