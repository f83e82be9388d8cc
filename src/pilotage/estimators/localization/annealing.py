"""Weighing particles in stages, for readings that say far more than the particles know.

A cloud spread over a whole map has hardly a particle where a sharp likelihood L has its peaks. So L is raised to
growing powers beta up to the one wanted; in between, particles are resampled and moved,

    w_i  *= L(x_i)^(delta beta)                    delta so small that a share of the effective number is left
    x_i  -> x_i (+) d,  d ~ N(0, S^2),             accepted with probability min(1, (L(x') / L(x))^beta p(x') / p(x))

until each has climbed the nearest hill, and the hills have the weights that are due to them: a sampler of Del Moral,
Doucet and Jasra, *Sequential Monte Carlo samplers*, J. R. Statist. Soc. B 68(3), 2006, section 3.3. p is the belief
before the reading, which keeps what the reading does not see: the particles of each hypothesis are taken for the normal
distribution of their moments.

When particles are where they should be, the first stage takes the whole power, and this is the plain update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...core import Particles, Space
from ...core.arrays import Array, all_finite
from .._elementary import normalized
from .pose import pose_indices

STAGES = 15
"""At most; the last one takes what is left of the power."""
SHARE = 0.3
"""Of the effective number that a stage must leave."""
ENOUGH = 0.1
"""Of the effective number: when as much is left by the whole power, stages are not needed."""
MOVES = 3
"""Between stages."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Particles with their log-weights, the log-likelihoods of the reading that is being weighed, and their ancestors.

    `origin` ``(N,)`` says which of the particles before the reading each one descends from.
    """

    space: Space
    points: Array
    log_weights: Array
    scores: Array
    origin: NDArray[np.int64]

    @classmethod
    def of(cls, cloud: Particles, scores: Array, origin: NDArray[np.int64]) -> Scored:
        """The particles of a cloud."""
        new = cls(cloud.space, cloud.points, cloud.log_weights, scores, origin)
        new.__dict__["weights"] = cloud.weights
        return new

    @cached_property
    def weights(self) -> Array:
        """The weights ``(N,)``."""
        return np.exp(self.log_weights)

    @property
    def possible_size(self) -> float:
        """Effective number of the particles with a likelihood above zero, which stays zero under every power."""
        return effective_size(self.weights if all_finite(self.scores) else self.weights[self.scores > -math.inf])

    def weighed(self, power: float) -> tuple[Scored, float]:
        """The particles weighed by a power of the likelihood, and the logarithm of its mean."""
        log_weights, weights, total = normalized(self.log_weights + power * self.scores)
        cloud = Particles.trusted(self.space, self.points, log_weights, weights)
        return Scored.of(cloud, self.scores, self.origin), float(total)

    def cloud(self) -> Particles:
        """The particles alone."""
        return Particles.trusted(self.space, self.points, self.log_weights, self.weights)


@dataclass(frozen=True, eq=False)
class Annealing:
    """A schedule that weighs particles in stages.

    Attributes:
        score: log-likelihoods ``(N,)`` of states ``(N, size)``.
        before: log-density, up to a constant, of the belief before the reading at states ``(N, size)``.
        allowed: which positions ``(N, 2)`` a robot may have.
        redraw: indices of the particles of a cloud that are drawn, and their log-weights.
        reach: largest standard deviations of a move in x, y [m] and yaw [rad].
        rng: random stream.
    """

    score: Callable[[Array], Array]
    before: Callable[[Array], Array]
    allowed: Callable[[Array], NDArray[np.bool_]]
    redraw: Callable[[Particles], tuple[NDArray[np.int64], Array]]
    reach: Array
    rng: np.random.Generator

    def weigh(self, known: Scored, power: float) -> tuple[Scored, float]:
        """Particles weighed by ``L^power``, and the logarithm of its mean; -inf when no particle is possible."""
        beta, total, scale = 0.0, 0.0, None
        for stage in range(STAGES):
            step = rest = power - beta
            after, gain = known.weighed(step)
            if gain == -math.inf:
                return known, gain
            if stage < STAGES - 1 and effective_size(after.weights) < ENOUGH * known.possible_size:
                step = affordable(known, rest)
                after, gain = known.weighed(step)
            known, total, beta = after, total + gain, beta + step
            if step == rest:
                break
            known = self._drawn(known)
            scale = self._width(known) if scale is None else scale
            for _ in range(MOVES):
                known, scale = self._moved(known, beta, scale)
        return known, total

    def _drawn(self, known: Scored) -> Scored:
        chosen, log_weights = self.redraw(known.cloud())
        return Scored(known.space, known.points[chosen], log_weights, known.scores[chosen], known.origin[chosen])

    def _width(self, known: Scored) -> Array:
        """Standard deviations of the first move."""
        std = np.sqrt(np.diagonal(known.cloud().moments().cov))[pose_indices(known.space, tangent=True)]
        return np.minimum(std, self.reach)

    def _moved(self, known: Scored, beta: float, scale: Array) -> tuple[Scored, Array]:
        """Every particle moved or left, by Metropolis; and the scale of the next move, after how many were accepted."""
        space, count = known.space, len(known.points)
        d = np.zeros((count, space.dim))
        d[:, pose_indices(space, tangent=True)] = self.rng.standard_normal((count, 3)) * scale
        there = np.asarray(space.plus(known.points, d))
        scores = self.score(there)
        with np.errstate(invalid="ignore"):  # -inf against -inf: not moved
            gain = beta * (scores - known.scores) + self.before(there) - self.before(known.points)
            moved = -self.rng.standard_exponential(count) < gain
        moved &= self.allowed(there[:, pose_indices(space)[:2]])
        points = np.where(moved[:, None], there, known.points)
        scores = np.where(moved, scores, known.scores)
        factor = 1.5 if moved.mean() > 0.3 else 0.5
        return replace(known, points=points, scores=scores), np.minimum(self.reach, factor * scale)


def log_belief(parts: Sequence[tuple[float, Particles]], elsewhere: float, volume: float) -> Callable[[Array], Array]:
    """``log((1 - k) sum_j W_j N(x; m_j, P_j) + k / V)`` of poses, up to a constant, at states ``(N, size)``.

    Args:
        parts: weights W of hypotheses, and their particles of mean m and covariance P.
        elsewhere: probability k that the robot is anywhere.
        volume: V, of all poses it may have [m^2 rad].
    """
    known = [_log_normal(cloud, math.log(weight) + math.log1p(-elsewhere)) for weight, cloud in parts]
    outside = math.log(elsewhere / volume) if elsewhere > 0.0 else -math.inf

    def log_density(points: Array) -> Array:
        total = np.full(len(points), outside)
        for part in known:
            total = np.logaddexp(total, part(points))
        return total

    return log_density


def _log_normal(cloud: Particles, log_weight: float) -> Callable[[Array], Array]:
    """The normal density of the poses of a cloud."""
    known, i = cloud.moments(), pose_indices(cloud.space, tangent=True)
    P = known.cov[np.ix_(i, i)]
    scale = np.where(known.std[i] > 0.0, known.std[i], 1.0)
    values, vectors = np.linalg.eigh(P / np.outer(scale, scale))
    values = np.maximum(values, 1e-9)  # what is known without error stays as it is
    whiten = vectors / np.sqrt(values) / scale[:, None]
    top = log_weight - float(np.log(np.sqrt(2.0 * np.pi * values) * scale).sum())

    def log_density(points: Array) -> Array:
        y = np.asarray(cloud.space.minus(points, known.mean))[:, i] @ whiten
        return top - 0.5 * (y * y).sum(-1)

    return log_density


def effective_size(weights: Array) -> float:
    """Effective number of particles with weights of any sum."""
    return float(weights.sum()) ** 2 / float(weights @ weights)


def affordable(known: Scored, most: float) -> float:
    """The largest exponent up to `most` that leaves the share of the effective number that a stage must leave."""
    possible = known.scores > -math.inf
    w, logs = known.log_weights[possible], known.scores[possible]

    def log_size(exponent: float) -> float:
        v = w + exponent * logs
        v = np.exp(v - v.max())
        return 2.0 * math.log(v.sum()) - math.log(v @ v)

    least = log_size(0.0) + math.log(SHARE)
    low, high = 0.0, most
    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if log_size(middle) >= least else (low, middle)
    return max(low, 2.0**-12 * most)
