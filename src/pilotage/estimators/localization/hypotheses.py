"""What a robot that localizes itself knows: a cloud of particles, and the poses that it speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core import Gaussian, Particles, Rng, Space
from ...core.arrays import Array
from .bins import connect_bins, count_bins
from .pose import pose_indices

SHADOW = 0.01
"""A bin with less than this share of the heaviest bin's weight connects nothing."""


@dataclass(frozen=True, eq=False, repr=False)
class Localization:
    """Where the robot may be: particles, and their clusters as hypotheses.

    As a belief it samples and gives densities of the whole cloud; but `moments` are those of the leading hypothesis,
    because the mean of two poses is a pose where the robot is not. ``particles.moments()`` are those of everything.

    Attributes:
        particles: the cloud, on a space that has x, y and yaw among its components.
        slow, fast: running means of how well readings were explained; see `MonteCarloLocalization`.
        updates: how many readings they are means of.
        side, angle: size of the bins that are clustered [m], [rad].

    Example:
        >>> import numpy as np
        >>> places = np.repeat([[0.0, 0.0, 0.0], [9.0, 0.0, 3.0]], [30, 10], axis=0)
        >>> where = Localization(Particles(Space("x y [m]", "yaw: angle"), places))
        >>> [round(weight, 2) for weight, _ in where.hypotheses], where.moments().mean.tolist()
        ([0.75, 0.25], [0.0, 0.0, 0.0])
    """

    particles: Particles
    slow: float = 0.0
    fast: float = 0.0
    updates: int = 0
    side: float = 0.5
    angle: float = 0.1745

    @property
    def space(self) -> Space:
        """Where the particles live."""
        return self.particles.space

    @cached_property
    def hypotheses(self) -> tuple[tuple[float, Particles], ...]:
        """Clusters of particles with their weights, the heaviest first.

        A cluster is a set of bins that touch each other, each with at least a hundredth of the heaviest bin's weight.
        """
        w = self.particles.weights
        poses = self.particles.points[:, pose_indices(self.space)]
        bins = count_bins(poses, self.side, self.angle)
        masses = bins.masses(w)
        groups = connect_bins(bins, masses >= SHADOW * masses.max())[bins.labels]
        shares = np.bincount(groups[groups >= 0], w[groups >= 0])
        found: list[tuple[float, Particles]] = []
        for g in np.argsort(-shares):
            mine = groups == g
            log_weights = self.particles.log_weights[mine] - np.log(shares[g])
            found.append((float(shares[g]), Particles.trusted(self.space, self.particles.points[mine], log_weights)))
        return tuple(found)

    @property
    def doubt(self) -> float:
        """How much worse readings are explained than they used to be, between 0 and 1."""
        return 1.0 - self.fast / self.slow if self.slow > 0.0 else 0.0

    @cached_property
    def estimate(self) -> Gaussian:
        """Mean and covariance of the leading hypothesis."""
        return self.hypotheses[0][1].moments()

    @property
    def certainty(self) -> float:
        """Weight of the leading hypothesis, between 0 and 1."""
        return self.hypotheses[0][0]

    @property
    def converged(self) -> bool:
        """Whether the robot knows where it is: one hypothesis of 95 % and more, within half a metre and 15 degrees.

        Within means that standard deviations along any direction are smaller.
        """
        if self.certainty < 0.95:
            return False
        i = pose_indices(self.space, tangent=True)
        P = self.estimate.cov
        across = float(np.linalg.eigvalsh(P[np.ix_(i[:2], i[:2])])[-1])
        return bool(across < 0.5**2 and P[i[2], i[2]] < np.deg2rad(15.0) ** 2)

    def moments(self) -> Gaussian:
        """Those of the leading hypothesis: what a robot should act on."""
        return self.estimate

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states from the whole cloud, ``(n, size)``."""
        return self.particles.sample(n, rng=rng)

    def log_prob(self, x: Any) -> Array:
        """Kernel estimate of the log-density of the whole cloud at states ``(..., size)``."""
        return self.particles.log_prob(x)

    def __str__(self) -> str:
        others = len(self.hypotheses) - 1
        more = f", {others} other hypotheses" if others > 1 else ", 1 other hypothesis" if others else ""
        return f"{self.estimate} ({self.certainty:.0%}{more}, {self.particles.points.shape[-2]} particles)"

    def __repr__(self) -> str:
        return f"Localization({self})"
