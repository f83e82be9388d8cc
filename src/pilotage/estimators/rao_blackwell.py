"""The Rao-Blackwellised particle filter: particles where the model is nonlinear, a Kalman filter for the rest."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Any

import numpy as np

from ..core import Dynamics, FilterStatus, Gaussian, ModelError, Particles, Rng, Sensor, Space, Update, generator
from ..core.arrays import Array
from ..core.declared import called
from ..core.mixture import merged
from ..core.settings import Fraction, Interval, instance, settings
from ..core.weights import log_sum_exp
from ..models.trace.model import Traced
from ._causes import error_of
from ._cloud_estimator import CloudEstimator
from ._inputs import Axes, check_belief
from .cloud import CloudUpdate, deviation, for_each, verdict
from .ekf import EKF
from .gaussian_particles import GaussianParticles, pinned
from .resampling import Resampling, renewed, taken

KALMAN = EKF()


@settings
class RaoBlackwellizedParticleFilter(CloudEstimator):
    """Rao-Blackwellised, or marginalised, particle filter for dynamics and sensors that are linear in some components.

    ::

        state     x = (n, l):  given n, dynamics and sensors are affine in l, and noise does not depend on l
        predict   N(x; m_i, P_i) by the Kalman filter,  n_i ~ its marginal,  m_i, P_i = mean and covariance given n_i
        update    w_i *= N(z; h(m_i), S_i),  m_i, P_i by the Kalman filter

    P_i is that of l alone. The linear components need no particles, so far fewer of these serve for a state of many
    dimensions. The belief is `GaussianParticles`; a run keeps its moments.

    Source: Schon, Gustafsson and Nordlund, "Marginalized particle filters for mixed linear/nonlinear state-space
    models", IEEE Trans. Signal Processing 53, 2005, algorithm 1; here the joint Gaussian of n and l is predicted, and
    conditioned on the n that is drawn.

    Args:
        dynamics, dt, n, resampling, threshold, gate: as for `ParticleFilter`.
        linear: names of the linear components, apart by spaces. None: those in which the dynamics, and the sensors
            given to `start`, are found to be affine; this takes traced models.

    Raises:
        ModelError: if dynamics or a sensor are not affine in the linear components, or do not tell.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> filter = RaoBlackwellizedParticleFilter(bicycle(wheelbase=2.7), dt=0.05, n=200)
        >>> car = filter.start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5], rng=1)
        >>> car.belief.marginal("x y").sampled, car.belief.marginal("yaw speed").sampled
        ((), (0, 1))
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    resampling: Resampling = "systematic"
    threshold: Fraction = 0.5
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None
    linear: str | None = None

    def predicted(
        self, cloud: GaussianParticles, dynamics: Dynamics, u: Array, dt: float, rng: np.random.Generator
    ) -> GaussianParticles:
        check_affine(dynamics, cloud.space, cloud.sampled)
        u = u[..., None, :]
        axes = (*np.broadcast_shapes(cloud.means.shape[:-2], u.shape[:-2]), cloud.means.shape[-2])
        status = np.zeros(axes, dtype=np.int64)
        after = KALMAN.predict(cloud.each, dynamics, u, dt, status=status)
        refuse_failures(status, dynamics, after, u=u)
        log_weights = np.broadcast_to(cloud.log_weights, axes)
        return GaussianParticles.trusted(cloud.space, *pinned(after, cloud.sampled, rng), log_weights, cloud.sampled)

    def together(self, clouds: list[GaussianParticles], axes: Axes) -> GaussianParticles:
        fields = ([getattr(c, name) for c in clouds] for name in ("means", "covs", "log_weights"))
        means, covs, log_weights = (np.reshape(values, (*axes, *values[0].shape)) for values in fields)
        return GaussianParticles.trusted(clouds[0].space, means, covs, log_weights, clouds[0].sampled)

    def expect(self, belief: Any, sensor: Sensor, context: Any = None, *, rng: Rng = None) -> Gaussian:
        instance(sensor, Sensor, type(self).__name__)
        cloud = self.cloud(belief, rng=generator(rng, "update"), models=(sensor,))
        return expected(cloud, sensor.on(cloud.space), context)

    def informed(
        self, cloud: GaussianParticles, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator
    ) -> Update:
        check_affine(sensor, cloud.space, cloud.sampled)
        each = for_each(context, sensor)[0]
        found = KALMAN.update(cloud.each, sensor, z[..., None, :], each)
        refuse_failures(found.status, sensor, found.belief, z=z)
        w = cloud.log_weights + found.log_likelihood
        total: Any = log_sum_exp(w)
        compute = lambda: deviation(expected(cloud, sensor, context), z)
        status, compute = verdict(total, compute, sensor, z, self.gate)
        taken = (status == FilterStatus.ACCEPTED)[..., None]
        means = np.where(taken[..., None], found.belief.mean, cloud.means)
        covs = np.where(taken[..., None, None], found.belief.cov, cloud.covs)
        log_weights = np.where(taken, w - np.where(taken, np.asarray(total)[..., None], 0.0), cloud.log_weights)
        after = GaussianParticles.trusted(cloud.space, means, covs, log_weights, cloud.sampled)
        return CloudUpdate(after, compute, total, status)

    def takes_infinity(self, sensor: Sensor) -> bool:
        return False

    def cloud(
        self, belief: Any, space: Any = None, *, rng: Rng = None, models: tuple[Any, ...] = ()
    ) -> GaussianParticles:
        """`belief` as Gaussians with draws of the components in which `models` are not affine."""
        check_belief(belief, space)
        if isinstance(belief, GaussianParticles):
            return belief
        draw = generator(rng)
        space = belief.space
        sampled = self.sampled(space, models)
        if isinstance(belief, Gaussian):
            axes, d = (*belief.mean.shape[:-1], self.n), space.dim
            means = np.broadcast_to(belief.mean[..., None, :], (*axes, space.size))
            covs = np.broadcast_to(belief.cov[..., None, :, :], (*axes, d, d))
            means, covs = pinned(Gaussian.trusted(space, means, covs), sampled, draw)
            return GaussianParticles.trusted(space, means, covs, np.full(axes, -math.log(self.n)), sampled)
        drawn = belief if isinstance(belief, Particles) else Particles(space, belief.sample(self.n, rng=draw))
        covs = np.zeros((*drawn.log_weights.shape, space.dim, space.dim))
        return GaussianParticles.trusted(space, drawn.points, covs, drawn.log_weights, sampled)

    def sampled(self, space: Space, models: tuple[Any, ...]) -> tuple[int, ...]:
        """Tangent components that take particles."""
        if self.linear is None:
            linear = affine_components(space, tuple(m.on(space) if isinstance(m, Sensor) else m for m in models))
        else:
            linear = {int(j) for j in space.indices(self.linear.split())[1]}
        return tuple(j for j in range(space.dim) if j not in linear)

    def renewed(self, cloud: GaussianParticles, *, rng: Rng = None) -> GaussianParticles:
        """Resampled Gaussians if their effective number is below the threshold; else `cloud`."""
        found = renewed(cloud, self.threshold, self.resampling, generator(rng))
        if found is None:
            return cloud
        index, _, log_weights = found
        means, covs = taken(cloud.means, index), taken(cloud.covs, index)
        return GaussianParticles.trusted(cloud.space, means, covs, log_weights, cloud.sampled)


def expected(cloud: GaussianParticles, sensor: Sensor, context: Any = None) -> Gaussian:
    """The next reading: mean and covariance of the mixture of those that the Gaussians expect."""
    each = KALMAN.expect(cloud.each, sensor, for_each(context, sensor)[0])
    w = np.broadcast_to(cloud.weights, each.mean.shape[:-1])
    return merged(sensor.reading, each.mean, each.cov, w)


def refuse_failures(status: Any, model: Any, each: Gaussian, **given: Any) -> None:
    """Raise the error of the first Gaussian of which a step failed."""
    for b in np.argwhere(np.asarray(status) > FilterStatus.NO_READING)[:1]:
        raise error_of(FilterStatus(int(status[(*b,)])), model, each[(*b,)], **given)


def affine_components(space: Space, models: tuple[Any, ...]) -> set[int]:
    """Tangent components in which all models are affine together, and on which no noise depends.

    Those that stand in the way of most others are left out first: a heuristic, there may be a larger set.
    """
    entries = flat_entries(space)
    known = [dependencies(model, space.dim) for model in models]
    uses = {j: set[int]().union(*(columns[j] for columns, _ in known)) for j in entries}
    noisy = set[int]().union(*(noise for _, noise in known))
    linear = {j for j, i in entries.items() if i not in noisy and i not in uses[j]}
    while True:
        clashes = {j: sum(entries[k] in uses[j] or entries[j] in uses[k] for k in linear) for j in linear}
        worst = max(linear, key=lambda j: clashes[j], default=None)
        if worst is None or clashes[worst] == 0:
            return linear
        linear.remove(worst)


@lru_cache(maxsize=256)
def check_affine(model: Any, space: Space, sampled: tuple[int, ...]) -> None:
    """Refuse a model that is known not to be affine in the components that are not sampled."""
    linear, entries = set(range(space.dim)) - {*sampled}, flat_entries(space)
    if not isinstance(model, Traced) or not linear:
        return
    columns, noise = dependencies(model, space.dim)
    used = noise.union(*(columns[j] for j in linear))
    wrong = [space.tangent_names[j] for j in sorted(linear) if j not in entries or entries[j] in used]
    if wrong:
        names = " ".join(space.tangent_names[j] for j in sorted(linear))
        raise ModelError(
            f"{called(model)} is not affine in {names}, because of {', '.join(wrong)}; name fewer components in "
            "linear='...', or give the sensors to start(sensors=...)"
        )


def flat_entries(space: Space) -> dict[int, int]:
    """Tangent components of flat parts, with their places in a stored state."""
    flat = [(s, t) for part, s, t in space.layout if part.flat]
    return {t.start + k: s.start + k for s, t in flat for k in range(t.stop - t.start)}


def dependencies(model: Any, dim: int) -> tuple[list[set[int]], set[int]]:
    """Components of the state that each column of a model's Jacobian depends on, and those that its noise does."""
    if isinstance(model, Traced):
        jacobian, noise = "FQ" if isinstance(model, Dynamics) else "HR"
        return [model.components(jacobian, "x", j) for j in range(dim)], model.components(noise, "x")
    if model.linear:
        return [set() for _ in range(dim)], set()
    raise ModelError(
        f"{called(model)} does not tell in which components it is affine; give linear='...' with their names"
    )
