"""The particle filter: a belief of any shape, as a cloud of weighted states.

    predict   x_i = f(x_i, u, dt) (+) e_i,   e_i ~ N(0, Q)
    update    log w_i += log p(z | x_i),     log p(z | past) = log sum_i w_i p(z | x_i)

The bootstrap filter of Gordon, Salmond and Smith (1993). It asks of a model only the protocol's batched methods, so a
simulator, a network or a table serves as well as a traced function. Particles are drawn anew when their weights have
become too unequal, at the start of a prediction: the belief after an update is still the weighted one, which describes
the posterior better than any draw from it (Chopin and Papaspiliopoulos, *An Introduction to Sequential Monte Carlo*,
2020, algorithm 10.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import numpy as np

from ..core import (
    CovarianceError,
    Dynamics,
    ModelError,
    Particles,
    PilotageError,
    Rng,
    Sensor,
    ShapeError,
    Space,
    SpaceError,
    Update,
    generator,
)
from ..core.belief import Array, log_sum_exp
from ..core.gaussian import Gaussian, log_normal
from ..core.sensor import measured
from ..models.bind import bind
from .algebra import cholesky_semidefinite
from .resampling import METHODS, resample
from .sampling_filter import SamplingFilter


@dataclass(frozen=True)
class ParticleFilter:
    """Particle filter for any dynamics and sensors; see the equations above.

    Args:
        dynamics: the model, bound once for `start`; the pure functions take theirs as an argument.
        dt: seconds of a step, where none is given.
        n: how many particles stand for a belief that has none yet.
        resampling: "systematic", "stratified", "residual" or "multinomial", see `resample`.
        threshold: particles are drawn anew when their effective number is below this share of their number; 0 is
            never, 1 always.
        smoothing: width of the kernel that particles are spread with when they are drawn anew, in units of the best
            width for a normal density (Silverman 1986; Musso, Oudjane, Le Gland 2001); 0 leaves copies equal. For
            dynamics with little noise; it widens the covariance by the factor ``1 + h^2``.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> car = ParticleFilter(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5], rng=1)
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    dynamics: Dynamics | None = None
    dt: float | None = None
    n: int = 1000
    resampling: str = "systematic"
    threshold: float = 0.5
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise PilotageError(f"n is {self.n}; a cloud needs at least one particle")
        if self.resampling not in METHODS:
            raise PilotageError(f"there is no resampling method {self.resampling!r}; choose one of {', '.join(METHODS)}")
        if not 0.0 <= self.threshold <= 1.0:
            raise PilotageError(f"threshold is {self.threshold}; it is a share of the particles, between 0 and 1")
        if not self.smoothing >= 0.0:
            raise PilotageError(f"smoothing is {self.smoothing}; it is a width and cannot be negative")
        if self.dt is not None and not self.dt > 0.0:
            raise PilotageError(f"dt is {self.dt}; a step must take more than 0 s")

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Particles:
        """The belief `dt` seconds later under action `u`; leading axes of the belief are a batch.

        Args:
            belief: particles; from any other belief `n` are drawn.
            dynamics: how the state moves.
            u: action ``(m,)``, or ``(..., m)`` for a batch; None for zero.
            dt: seconds; None for the usual step.
            rng: seed or generator.
        """
        draw = generator(rng)
        cloud = self.cloud(belief, dynamics.state, rng=draw)
        return propagate(self.renewed(cloud, rng=draw), dynamics, u, self._seconds(dt), rng=draw)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The belief after reading `z`, NaN where nothing was measured.

        Innovation, S and NIS are those of the cloud of expected readings; they are reckoned when they are asked for.
        When no particle can explain the reading (all likelihoods are zero), the belief stays what it was, `accepted`
        is False and the log-likelihood -inf.

        Args:
            belief: particles; from any other belief `n` are drawn, with `rng`.
            sensor: what was read.
            z: reading ``(size,)``, or ``(..., size)`` for a batch.
            context: what the reading depends on besides the state.
            rng: seed or generator.
        """
        cloud = self.cloud(belief, belief.space, rng=rng)
        return weighed(cloud, sensor.on(cloud.space), z, context)

    def start(
        self,
        mean: Any = None,
        std: Any = None,
        *,
        cov: Any = None,
        belief: Any = None,
        t: float = 0.0,
        rng: Rng = None,
    ) -> SamplingFilter:
        """A filter that begins at time `t` with mean and std (or cov), or with a whole belief or cloud of particles."""
        if self.dynamics is None:
            raise ModelError("ParticleFilter has no dynamics; give them: ParticleFilter(car, dt=0.05)")
        space = self.dynamics.state
        if belief is None:
            belief = Gaussian.of(space, mean, std=std, cov=cov)
        draw = generator(rng)
        return SamplingFilter(self, self.dynamics, self.cloud(belief, space, rng=draw), t, draw)

    def cloud(self, belief: Any, space: Space, *, rng: Rng = None) -> Particles:
        """`belief` as particles on `space`: itself, or `n` draws."""
        if belief.space != space:
            raise SpaceError(f"the belief lives on {belief.space}, the model on {space}; they must be the same")
        if isinstance(belief, Particles):
            return belief
        return Particles(space, belief.sample(self.n, rng=rng))

    def renewed(self, cloud: Particles, *, rng: Rng = None) -> Particles:
        """Equal particles drawn from `cloud` where their effective number is below the threshold; else `cloud`."""
        count = cloud.points.shape[-2]
        # Equal weights sum to N only up to rounding; with threshold 1 they would be drawn again and again.
        due = np.asarray(cloud.effective_size) < self.threshold * count * (1.0 - 1e-9)
        if not due.any():
            return cloud
        draw = generator(rng)
        points, log_weights = cloud.points.copy(), cloud.log_weights.copy()
        for b in np.ndindex(due.shape):
            if due[b]:
                points[b] = points[b][resample(np.exp(log_weights[b]), None, self.resampling, draw)]
                log_weights[b] = -math.log(count)
        if self.smoothing > 0.0:
            e = self.smoothing * _kernel_noise(cloud, draw)
            points = np.where(due[..., None, None], cloud.space.plus(points, e), points)
        return Particles.trusted(cloud.space, points, log_weights)

    def _seconds(self, dt: float | None) -> float:
        dt = self.dt if dt is None else dt
        if dt is None:
            raise PilotageError("how long is a step? give dt=..., or bind it once: ParticleFilter(car, dt=0.05)")
        if not dt >= 0.0:
            raise PilotageError(f"dt is {dt}; a step cannot go back in time")
        return float(dt)


def propagate(cloud: Particles, dynamics: Dynamics, u: Any, dt: float, *, rng: Rng = None) -> Particles:
    """Every particle one step on, with noise of its own: ``x_i = f(x_i, u, dt) (+) e_i``.

    Raises:
        ModelError: when the model's answer has the wrong shape or is not finite.
    """
    space = dynamics.state
    u = dynamics.action.check(np.zeros(dynamics.action.size) if u is None else u, "action")[..., None, :]
    y = _answer(dynamics.step(cloud.points, u, dt), (*cloud.points.shape[:-1], space.size), "step", dynamics)
    Q = np.asarray(dynamics.noise(cloud.points, u, dt), dtype=np.float64)
    e = scatter(Q, generator(rng).standard_normal((*y.shape[:-1], space.dim)))
    return Particles.trusted(space, cast(Array, space.plus(y, e)), cloud.log_weights)


def weighed(cloud: Particles, sensor: Sensor, z: Any, context: Any, exponent: float = 1.0) -> Update:
    """Particles weighed by ``p(z | x_i) ^ exponent``; the sensor reads from the particles' own space."""
    z = sensor.reading.check(z, "reading", finite=False)
    if np.isnan(z).all() and z.ndim == 1:
        return Update.deferred(lambda: (cloud, np.full(sensor.reading.dim, np.nan), 0, 0.0, 0.0), True)
    logs = likelihoods(cloud.points, sensor, z, context)
    w = cloud.log_weights + exponent * logs
    total = log_sum_exp(w)
    possible = total > -np.inf
    log_weights = np.where(possible[..., None], w - np.where(possible, total, 0.0)[..., None], cloud.log_weights)
    after = Particles.trusted(cloud.space, cloud.points, log_weights)
    return CloudUpdate(after, partial(expected_reading, cloud, sensor, z, context), total, possible)


def likelihoods(points: Array, sensor: Sensor, z: Any, context: Any = None) -> Array:
    """``log p(z | x_i)`` for particles ``(..., N, size)``, checked: finite or -inf."""
    seen_from = None if context is None else np.asarray(context, dtype=np.float64)[..., None, :]
    logs = _answer(sensor.log_prob(z[..., None, :], points, seen_from), points.shape[:-1], "log_prob", sensor)
    return logs
