"""The belief of Monte Carlo localization: a cloud of particles, with its clusters as hypotheses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Gaussian, Particles, Rng, Space
from ...core._values import Value, freeze, own
from ...core.arrays import Array, numbers
from ...core.errors import ShapeError
from ...core.settings import instance, shown
from .bins import Bins, cluster_bins, count_bins
from .pose import pose_indices
from .travel import Heard, Travel

SHADOW = 0.01
"""A bin with less than this share of the heaviest bin's weight connects nothing."""
SURE = 0.95
"""Probability of the leading hypothesis from which on a robot knows where it is."""
DEVIATIONS = 8.0
"""So many standard deviations of the error that sampling has made are added to the other hypotheses."""


@dataclass(frozen=True, eq=False, repr=False)
class Localization(Value):
    """A belief over the pose of a robot: a cloud of particles, with its clusters as hypotheses.

    `moments`, `sample` and `log_prob` are those of the whole cloud, `particles`. The mean of two possible poses is not
    a possible pose, so planners and controllers should use `best`, the most likely hypothesis, once it has `converged`.

    Attributes:
        particles: the cloud, on a space with components x, y and yaw.
        ancestors: index of the ancestor of each particle, some readings ago ``(N,)``; one whose index is A or more
            was drawn from free space since then.
        groups: the hypothesis of each of these ancestors at that time ``(A,)``; C for one without a drift.
        drifts: `sampling_variance` of these hypotheses at that time ``(C,)``.
        slow, fast: running means of how well readings are explained; see `MonteCarloLocalization`.
        updates: number of readings in these means.
        side, angle: size of the bins for clustering [m], [rad].
        travel: the distance and rotation that the robot has travelled.
        heard: sensors (with contexts), and the travel at the last reading of each.
        resolved: whether the robot has followed a pose since it knew it, with a leading hypothesis of 95 % or more
            throughout, which was not drawn from free space.

    Raises:
        ShapeError: if `particles` is a batch of clouds, or ancestors or groups are not indices; those of groups are at
            most C.

    Example:
        >>> import numpy as np
        >>> places = np.repeat([[0.0, 0.0, 0.0], [9.0, 0.0, 3.0]], [30, 10], axis=0)
        >>> where = Localization(Particles(Space("x y [m]", "yaw: angle"), places))
        >>> [round(weight, 2) for weight, _ in where.hypotheses], where.best.mean.tolist()
        ([0.75, 0.25], [0.0, 0.0, 0.0])
        >>> where.moments().mean[0].round(2), where.converged
        (np.float64(2.25), False)
    """

    particles: Particles
    ancestors: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    groups: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    drifts: Array = field(default_factory=lambda: np.zeros(0))
    slow: float = 0.0
    fast: float = 0.0
    updates: int = 0
    side: float = 0.5
    angle: float = 0.1745
    travel: Travel = Travel()  # noqa: RUF009  (frozen)
    heard: Heard = ()
    resolved: bool = False

    def __post_init__(self) -> None:
        if (shape := instance(self.particles, Particles, "Localization").points.shape)[:-2]:
            raise ShapeError(f"localization takes one cloud, not a batch of them; {shape} was given")
        drifts = own(numbers(self.drifts, "drifts"))
        if drifts.ndim != 1:
            raise ShapeError(f"drifts has shape {drifts.shape}; expected (C,)")
        object.__setattr__(self, "drifts", drifts)
        object.__setattr__(self, "groups", _indices(self.groups, "groups", len(drifts) + 1))  # C: no drift
        object.__setattr__(self, "ancestors", _indices(self.ancestors, "ancestors"))

    @property
    def effective_size(self) -> float:
        """The effective number of particles."""
        return self.particles.effective_size

    @property
    def space(self) -> Space:
        """The space of the particles."""
        return self.particles.space

    @cached_property
    def bins(self) -> Bins:
        """The bins that hold particles."""
        return count_bins(self.particles.points, self.side, self.angle, pose_indices(self.space))

    @cached_property
    def clusters(self) -> tuple[NDArray[np.int64], Array]:
        """The cluster of each particle ``(N,)``, and the weight of each cluster; cluster 0 has the largest weight.

        A cluster is a set of adjacent bins, each with at least a hundredth of the weight of the heaviest bin, together
        with the lighter bins that touch it.
        """
        masses = self.bins.masses(self.particles.weights)
        groups = cluster_bins(self.bins, masses, SHADOW)
        weights = np.bincount(groups, masses).astype(np.float64)
        order = np.argsort(-weights)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return freeze((rank[groups].take(self.bins.labels), weights[order]))

    @cached_property
    def hypotheses(self) -> tuple[tuple[float, Particles], ...]:
        """Clusters of particles with their weights, in descending order of weight."""
        return tuple((float(w), self._cluster(g)) for g, w in enumerate(self.clusters[1]) if w > 0.0)

    def _cluster(self, rank: int) -> Particles:
        mine = self.clusters[0] == rank
        log_weights = self.particles.log_weights[mine] - np.log(self.clusters[1][rank])
        return Particles.trusted(self.space, self.particles.points[mine], log_weights)

    def parts(self, most: int = 16) -> list[tuple[float, Particles]]:
        """The heaviest hypotheses with their weights, and all others combined into one."""
        cluster, weights = self.clusters
        found = [(float(w), self._cluster(g)) for g, w in enumerate(weights[:most]) if w > 0.0]
        rest, left = cluster >= most, float(weights[most:].sum())
        if left > 0.0:
            log_weights = self.particles.log_weights[rest] - math.log(left)
            found.append((left, Particles.trusted(self.space, self.particles.points[rest], log_weights)))
        return found

    @property
    def doubt(self) -> float:
        """How much worse readings are explained than before, between 0 and 1."""
        return 1.0 - self.fast / self.slow if self.slow > 0.0 else 0.0

    @cached_property
    def best(self) -> Gaussian:
        """Mean and covariance of the leading hypothesis."""
        return self._cluster(0).moments()

    @property
    def certainty(self) -> float:
        """Weight of the leading hypothesis, between 0 and 1."""
        return float(min(self.clusters[1][0], 1.0))

    @property
    def narrow(self) -> bool:
        """Whether the standard deviations of the leading hypothesis are below half a metre and 15 degrees."""
        i = pose_indices(self.space, tangent=True)
        P = self.best.cov
        across = float(np.linalg.eigvalsh(P[np.ix_(i[:2], i[:2])])[-1])
        return bool(across < 0.5**2 and P[i[2], i[2]] < np.deg2rad(15.0) ** 2)

    @property
    def descended(self) -> bool:
        """Whether most of the leading hypothesis descends from the ancestors, and not from free space."""
        fresh = np.flatnonzero(self.ancestors >= len(self.groups))
        fresh = fresh[self.clusters[0][fresh] == 0]
        return bool(self.particles.weights[fresh].sum() < 0.5 * self.clusters[1][0])

    @cached_property
    def sampling_variance(self) -> Array:
        """Variance of the log-odds of each hypothesis against the leading one that sampling has added ``(G,)``.

        The errors of two ancestors are independent, except for those which their hypotheses had in common.
        """
        w, (cluster, _), origin = self.particles.weights, self.clusters, self.ancestors
        if len(origin) != len(w):
            return freeze(np.zeros(len(self.clusters[1])))
        group = np.append(self.groups, len(self.drifts))[np.minimum(origin, len(self.groups))]
        shared = log_odds_variance(w, cluster, group, np.append(self.drifts, 0.0))
        return freeze(log_odds_variance(w, cluster, origin) + shared)

    @cached_property
    def converged(self) -> bool:
        """Whether the robot knows its pose: a single narrow hypothesis with a weight of 95 % or more.

        Weights of hypotheses are estimated from particles. Between equal hypotheses they drift at random, until one of
        them has all the weight. So the leading hypothesis must have 95 % even if the log-odds of all others are eight
        standard deviations of this random walk higher, each of its own. Eight is a heuristic, because the steps have
        heavier tails than a normal distribution: in an empty rectangle, equal hypotheses drifted by up to six in 20
        runs of 100 scans. ::

            sum_g (W_g / W_0) exp(8 sqrt(variance_g)) <= 0.05 / 0.95

        Particles that have just left the leading hypothesis share its drift, so they cost little; nor does drift matter
        while a robot that has known its pose goes on to follow it.
        """
        if self.certainty < SURE or not self.narrow:
            return False
        if self.resolved:
            return True
        W = self.clusters[1]
        with np.errstate(divide="ignore", over="ignore"):
            others = np.exp(np.log(W[1:] / W[0]) + DEVIATIONS * np.sqrt(self.sampling_variance[1:]))
        return bool(others.sum() <= (1.0 - SURE) / SURE)

    def moments(self) -> Gaussian:
        """Mean and covariance of the whole cloud."""
        return self.particles.moments()

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states from the whole cloud, ``(n, size)``."""
        return self.particles.sample(n, rng=rng)

    def log_prob(self, x: Any) -> Array:
        """Kernel estimate of the log-density of the whole cloud at states ``(..., size)``."""
        return self.particles.log_prob(x)

    def __str__(self) -> str:
        others = int(np.count_nonzero(self.clusters[1] > 0.0)) - 1
        more = f", {others} other hypotheses" if others > 1 else ", 1 other hypothesis" if others else ""
        return f"{self.best} ({self.certainty:.0%}{more}, {self.particles.points.shape[-2]} particles)"

    def __repr__(self) -> str:
        return f"Localization({self})"


def _indices(given: Any, name: str, count: float = math.inf) -> NDArray[np.int64]:
    """Indices ``(N,)`` below `count` of a user, as nobody changes them."""
    found = own(np.asarray(given))
    fits = found.ndim == 1 and found.dtype.kind in "iu"
    if not fits or not (found.min(initial=0) >= 0 and found.max(initial=-1) < count):
        raise ShapeError(f"{name} is {shown(given)}; expected indices (N,), whole numbers from 0 and below {count}")
    return found


def log_odds_variance(
    weights: Array, cluster: NDArray[np.int64], origin: NDArray[np.int64], variance: Array | None = None
) -> Array:
    """Variance of the estimated log-odds of each hypothesis against the first ``(G,)``, from particles and ancestors.

    ::

        var log(W_g / W_0) = sum_a v_a (p_ga - p_0a)^2,   p_ga = sum_{i in g from a} w_i / W_g

    Args:
        weights: ``(N,)``.
        cluster: the hypothesis of each particle, 0 to G - 1 ``(N,)``.
        origin: the ancestor of each particle, one of those whose errors are independent ``(N,)``.
        variance: variance v of the logarithm of an ancestor's weight ``(A,)``; None for 1, as of independent draws.

    Source: Chan and Lai, *A general theory of particle filters in hidden Markov models and some applications*, Annals
    of Statistics 41(6), 2013, section 2; Lee and Whiteley, *Variance estimation in the particle filter*, 2018.

    Example:
        >>> log_odds_variance(np.full(4, 0.25), np.array([0, 0, 1, 1]), np.arange(4))
        array([0., 1.])
    """
    count = int(origin.max()) + 1
    W = np.maximum(np.bincount(cluster, weights), np.finfo(np.float64).tiny)
    pairs, pair = np.unique(cluster * count + origin, return_inverse=True)
    p = np.bincount(pair, weights / W[cluster])
    g, a = np.divmod(pairs, count)
    lead = np.zeros(count)
    lead[a[g == 0]] = p[g == 0]
    v = np.ones(count) if variance is None else variance[:count]
    found = np.bincount(g, v[a] * p * (p - 2.0 * lead[a])) + float(v @ np.square(lead))
    return np.maximum(found, 0.0)


def effective_ancestors(weights: Array, origin: NDArray[np.int64]) -> float:
    """Effective number of different ancestors of weighted particles ``(N,)``.

    Example:
        >>> effective_ancestors(np.full(4, 0.25), np.array([0, 0, 1, 1]))
        2.0
    """
    sums = np.bincount(origin, weights)
    return float(1.0 / (sums @ sums))
