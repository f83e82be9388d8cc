"""The guided particle filter: particles are drawn near the states that explain the reading."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Gaussian, Particles, Rng, Sensor, generator
from ..core.arrays import Array
from ..core.settings import Fraction, settings
from ..models.trace import LANES, code_of
from ._clouds import propose
from ._gaussian import GaussianEstimator
from ._lookahead import Foreseen, LookAheadFilter
from .cloud import for_each, likelihoods, transition
from .ekf import EKF
from .resampling import renewed, taken


@settings
class GuidedParticleFilter(LookAheadFilter):
    """Guided particle filter for any dynamics and sensors, with proposals by a Kalman filter for each particle.

    ::

        predict   x_i = f(a_i, u, dt) (+) e_i,   e_i ~ N(0, Q_i),   a_i the particles before, which are kept
        update    m_i, P_i = update of N(f(a_i, u, dt), Q_i) by z, of the filter
                  x_i ~ N(m_i, P_i)
                  w_i *= p(z | x_i) N(x_i; f(a_i, u, dt), Q_i) / N(x_i; m_i, P_i)

    On a model that is linear given the particle before, this is the proposal of least variance. It needs far fewer
    particles than a `ParticleFilter` where readings are precise: the particles are drawn where the reading points.

    Densities are those of the noise in the range of Q_i, so process noise may be singular. Only the first reading after
    a prediction guides; others at the same time weigh the particles.

    Source: Doucet, Godsill and Andrieu, "On sequential Monte Carlo sampling methods for Bayesian filtering", Statistics
    and Computing 10, 2000, section II-D; by the UKF, van der Merwe, Doucet, de Freitas and Wan, "The unscented particle
    filter", NIPS 2000.

    Args:
        dynamics, dt, n, resampling, gate, threshold: as for `ParticleFilter`.
        filter: the Kalman filter whose update proposes, such as ``EKF()`` or ``UKF()``. Where its update of a particle
            fails or is gated, that particle is drawn as by a `ParticleFilter`.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> filter = GuidedParticleFilter(bicycle(wheelbase=2.7, noise=0.1), dt=0.05, n=100)
        >>> car = filter.start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5], rng=1)
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=0.01), z=[0.4, 0.1]).accepted
        True
    """

    threshold: Fraction = 0.5
    filter: GaussianEstimator = EKF()

    def renewed(self, cloud: Particles, *, rng: Rng = None) -> Particles:
        found = renewed(cloud, self.threshold, self.resampling, generator(rng))
        if found is None:
            return cloud
        index, _, log_weights = found
        return Particles.trusted(cloud.space, taken(cloud.points, index), log_weights)

    def proposed(
        self, cloud: Foreseen, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        f, Q = transition(cloud.origin.points, cloud.dynamics, cloud.u, cloud.dt)
        each = Gaussian.trusted(cloud.space, f, np.array(Q))
        known = self.filter.update(each, sensor, z[..., None, :], for_each(context, sensor)[0]).belief
        m = np.asarray(cloud.space.minus(known.mean, f))
        points, ratio = drawn_near(cloud.space, f, Q, m, known.cov, rng)
        return points, cloud.origin.log_weights + likelihoods(points, sensor, z, context) + ratio


def drawn_near(space: Any, f: Array, Q: Array, m: Array, P: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """States ``f (+) d``, ``d ~ N(m, P)``, and ``log N(d; 0, Q) - log N(d; m, P)``, over the range of Q."""
    n, d = space.size, space.dim
    e = rng.standard_normal((f[..., 0].size, d))
    x, ratio = np.empty((len(e), n)), np.empty(len(e))
    w = np.empty((2 * n + 4 * d * d + 5 * d + 1) * LANES)
    rows = [np.array(a, order="C").reshape(len(e), -1) for a in (f, Q, m, P)]
    propose.compiled(code_of(space, "plus", lanes=True).address, *rows, e, x, ratio, w)
    return x.reshape(f.shape), ratio.reshape(f.shape[:-1])
