"""The auxiliary particle filter: ancestors are drawn by how well they will explain the reading."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import FilterStatus, Gaussian, Particles, Sensor
from ..core.arrays import Array
from ..core.settings import settings
from ..core.weights import log_sum_exp
from ._gaussian import GaussianEstimator
from ._lookahead import Foreseen, LookAheadFilter
from .cloud import IMPOSSIBLE, for_each, likelihoods, propagate, transition
from .resampling import redrawn, taken


@settings
class AuxiliaryParticleFilter(LookAheadFilter):
    """Auxiliary particle filter for any dynamics and sensors.

    ::

        predict   x_i = f(a_i, u, dt) (+) e_i,   e_i ~ N(0, Q),     a_i the particles before, which are kept
        update    g_i = p(z | f(a_i, u, dt))                        first stage: ancestors k_i are drawn by w_i g_i
                  x_i = f(a_k_i, u, dt) (+) e_i
                  w_i = p(z | x_i) / g_k_i                          second stage
                  log p(z | past) = log sum_i w_i g_i + log mean_i p(z | x_i) / g_k_i

    It spends its particles where the reading will be explained. That pays when the motion is precise and readings are
    surprising. With much process noise ``f(a_i)`` says little of ``x_i``: an ancestor that seemed hopeless may have a
    child with an enormous weight, and errors no longer fall as 1 / sqrt(N). With a `filter`, g_i is the likelihood of z
    under its prediction ``N(f(a_i, u, dt), Q)``, which is wide enough.

    Only the first reading after a prediction has two stages; others at the same time weigh the particles. Where no
    ancestor explains the reading at all, the first stage draws by the weights alone.

    Source: Pitt and Shephard, "Filtering via simulation: auxiliary particle filters", J. American Statistical
    Association 94, 1999, section 3.2; the estimate of the evidence, Pitt, "Smooth particle filters for likelihood
    evaluation and maximisation", Warwick Economic Research Papers 651, 2002; the wide first stage, Johansen and Doucet,
    "A note on auxiliary particle filters", Statistics and Probability Letters 78, 2008.

    Args:
        dynamics, dt, n, resampling, gate: as for `ParticleFilter`.
        filter: the Kalman filter that says how likely a reading is after an ancestor, such as ``EKF()`` or ``UKF()``;
            None for ``p(z | f(a_i, u, dt))``.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> filter = AuxiliaryParticleFilter(bicycle(wheelbase=2.7), dt=0.05)
        >>> car = filter.start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5], rng=1)
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    filter: GaussianEstimator | None = None

    def proposed(
        self, cloud: Foreseen, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        origin, n = cloud.origin, cloud.points.shape[-2]
        g = self._promise(cloud, sensor, z, context)
        total = log_sum_exp(origin.log_weights + g)
        g = np.where((total > IMPOSSIBLE)[..., None], g, 0.0)
        total = log_sum_exp(origin.log_weights + g)[..., None]
        index = redrawn(np.exp(origin.log_weights + g - total), n, self.resampling, rng)
        chosen = taken(origin.points, index)
        equal = np.full(index.shape, -math.log(n))
        after = propagate(Particles.trusted(cloud.space, chosen, equal), cloud.dynamics, cloud.u, cloud.dt, rng=rng)
        second = likelihoods(after.points, sensor, z, context) - taken(g, index)
        return after.points, total + equal + second

    def _promise(self, cloud: Foreseen, sensor: Sensor, z: Array, context: Any) -> Array:
        """log g_i ``(..., N)``."""
        ahead, Q = transition(cloud.origin.points, cloud.dynamics, cloud.u, cloud.dt)
        if self.filter is None:
            return likelihoods(ahead, sensor, z, context)
        each = Gaussian.trusted(cloud.space, ahead, np.array(Q))
        found = self.filter.update(each, sensor, z[..., None, :], for_each(context, sensor)[0])
        failed = np.asarray(found.status) > FilterStatus.NO_READING
        return np.where(failed, -np.inf, found.log_likelihood)
