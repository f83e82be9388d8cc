"""Recovery of a robot that was carried away, or was wrong from the start.

A belief before a reading holds, with probability k, that the robot is anywhere in free space: M poses x_j of weight
``k / M``. They have to explain the reading at once, and better than the particles do by the odds of k, so they do no
harm while the robot knows where it is. How many are drawn follows from how well readings are explained,
``q = sum_i w_i p(z | x_i)^(1 / measured)``, the geometric mean over the components of a reading:

    slow += alpha_slow (q - slow),   fast += alpha_fast (q - fast),   M = candidates + max(0, 1 - fast / slow) largest

after augmented MCL (Thrun, Burgard and Fox, *Probabilistic Robotics*, 2005, table 8.3). There ``1 - fast / slow`` is k
itself; but q also falls where there is less to see, and on a map that looks alike in two places such a k makes a robot
jump that was never lost. Here slow is never below fast: what was once explained well can be explained well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...core.arrays import Array
from ...core.weights import log_sum_exp
from ...maps import OccupancyGrid
from .._elementary import normalized
from .annealing import Scored
from .hypotheses import Localization
from .pose import free_poses_trusted, pose_indices

FAINT = 1e-3
"""A pose drawn from free space is kept when its weight is more than this share of a particle's."""
CREDIBLE = 0.01
"""Poses drawn from free space that turn out to be more than this share of the belief are joined by more."""


@dataclass(frozen=True)
class Elsewhere:
    """Poses drawn from free space, for a robot that may have been carried away.

    Attributes:
        grid: the map.
        clearance: of free space from obstacles [m].
        probability: k, that the robot was carried away since the last reading.
        candidates: how many are drawn at least.
        largest: how many more when nothing is explained any more.
    """

    grid: OccupancyGrid
    clearance: float
    probability: float
    candidates: int
    largest: int

    def added(
        self,
        prior: Scored,
        power: float,
        known: Localization,
        score: Callable[[Array], Array],
        draw: np.random.Generator,
    ) -> Scored:
        """The prior joined by poses from free space, which are no descendants of the ancestors of `known`.

        When these turn out to be a good part of the belief after the reading, as many more are drawn.
        """
        k, n = self.probability, self.candidates + int(known.doubt * self.largest)
        if k == 0.0 or n == 0:
            return prior
        points, scores = self._drawn(prior, n, score, draw)
        here = log_sum_exp(prior.log_weights + power * prior.scores) + math.log1p(-k)
        there = log_sum_exp(power * scores) + math.log(k / n)
        share = float(np.exp(there - np.logaddexp(here, there))) if there > -math.inf else 0.0
        if share > CREDIBLE:
            more, more_scores = self._drawn(prior, int(share * self.largest) + 1, score, draw)
            points, scores = np.concatenate([points, more]), np.concatenate([scores, more_scores])
        return Scored(
            prior.space,
            np.concatenate([prior.points, points]),
            np.concatenate([prior.log_weights + math.log1p(-k), np.full(len(points), math.log(k / len(points)))]),
            np.concatenate([prior.scores, scores]),
            np.concatenate(
                [prior.origin, max(len(known.groups), int(prior.origin.max()) + 1) + np.arange(len(points))]
            ),
        )

    def _drawn(
        self, prior: Scored, n: int, score: Callable[[Array], Array], draw: np.random.Generator
    ) -> tuple[Array, Array]:
        """Poses from free space and their scores; what the state holds besides the pose is copied from particles."""
        extra = prior.points[draw.integers(len(prior.points), size=n)]
        extra[:, pose_indices(prior.space)] = free_poses_trusted(self.grid, n, self.clearance, draw)
        return extra, score(extra)


def judged(known: Localization, prior: Scored, measured: int, alpha_slow: float, alpha_fast: float) -> Localization:
    """Running means of q; plain means until they have seen as many readings as they look back."""
    q, t = float(known.particles.weights @ np.exp(prior.scores / measured)), known.updates + 1
    fast = known.fast + max(alpha_fast, 1.0 / t) * (q - known.fast)
    slow = known.slow + max(alpha_slow, 1.0 / t) * (q - known.slow)
    return known.changed(fast=fast, slow=max(slow, fast), updates=t)


def without_faint(after: Scored, count: int) -> Scored:
    """The first `count` particles, and of the others those whose weight is worth keeping."""
    if len(after.points) == count:
        return after
    w = after.log_weights
    bright = np.flatnonzero(w[count:] > math.log(FAINT / len(w)))
    keep = np.append(np.arange(count), count + bright) if len(bright) else slice(count)
    log_weights, weights, _ = normalized(w[keep])
    new = Scored(after.space, after.points[keep], log_weights, after.scores[keep], after.origin[keep])
    new.__dict__["weights"] = weights
    return new
