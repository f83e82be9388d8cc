"""Monte Carlo localization: a particle filter for the pose on a map, from anywhere, and back after being carried away.

    predict   draw as many particles as the belief is wide (KLD-sampling), when weights have become unequal
              x_i = f(x_i, u, dt) (+) e_i
    update    w_i = (1 - k) w_i  p(z | x_i)^power      for the particles
              w_j = k / M        p(z | x_j)^power      for M poses x_j drawn from the free space of the map

The second line of the update is the belief that the robot was carried away with probability k since the last reading.
Such poses have to explain the reading at once, and better than the particles do by the odds of k, so they do no harm
while the robot knows where it is; and since k is never zero, a belief that was wrong from the start is left, too.
How many are drawn follows from how well readings are explained, ``q = sum_i w_i p(z | x_i)^(1 / measured)``, the
geometric mean over the components of a reading,

    slow += alpha_slow (q - slow),   fast += alpha_fast (q - fast),   M = candidates + max(0, 1 - fast / slow) largest

after augmented MCL (Thrun, Burgard and Fox, *Probabilistic Robotics*, 2005, table 8.3). There ``1 - fast / slow`` is k
itself; but q also falls where there is less to see, and on a map that looks alike in two places such a k makes a robot
jump that was never lost. Here slow is never below fast: what was once explained well can be explained well.

Readings that say far more than the particles know are weighed in stages, see `annealing`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from ...core import (
    Dynamics,
    ModelError,
    Particles,
    PilotageError,
    Rng,
    Sensor,
    ShapeError,
    Space,
    generator,
    seeded,
)
from ...core.arrays import Array
from ...core.settings import instance, number, positive, whole
from ...core.weights import log_sum_exp
from ...maps import OccupancyGrid
from ...maps.occupancy import check_grid
from ..clock import usual, wanted
from ..cloud import CloudUpdate, likelihoods, propagate, surprise
from ..inputs import check_belief, context_axes, context_of, first_belief
from ..resampling import check_resampling, resample
from ..sampling_filter import SamplingFilter
from .annealing import Annealing, Scored, log_belief
from .bins import count_bins
from .hypotheses import Localization
from .kld import particles_needed
from .pose import free_area, free_poses, pose_indices

FAINT = 1e-3
"""A pose drawn from free space is kept when it is worth more than this share of a particle."""
EARNEST = 0.01
"""Poses drawn from free space that turn out to be more than this share of the belief get company."""


@dataclass(frozen=True, eq=False)
class MonteCarloLocalization:
    """Monte Carlo localization on a map; see the equations above. The state has x, y and yaw among its components.

    Args:
        grid: the map, whose free space is where the robot may be.
        dynamics: how the robot moves, bound once for `start`; `odometry_motion` where only odometry is known.
        dt: seconds of a step, where none is given.
        particles: least and largest number of particles. A start from anywhere takes the largest.
        power: exponent on the likelihood of a reading. Beams of a scan err together, where the map is wrong or
            somebody stands; taken as independent they make the robot far too sure (a heuristic: *Probabilistic
            Robotics*, section 6.3.4). With 0.2, errors of a `Lidar` of 60 beams come out a little smaller than the
            covariance says. It multiplies with a power that the sensor has of its own.
        error, confidence: of KLD-sampling, see `kld_bound`.
        side, angle: size of its bins [m], [rad].
        resampling: "systematic", "stratified", "residual" or "multinomial", see `resample`.
        threshold: particles are drawn anew when their effective number is below this share of their number.
        kidnapped: probability that the robot was carried away between two readings; 0 switches recovery off.
        candidates: how many poses are drawn from free space for each reading, when nothing points to that.
        alpha_slow, alpha_fast: gains of the running means that tell when to draw more.
        clearance: free space is that far from obstacles at least [m]; the radius of the robot, say.

    Example:
        >>> from pilotage.maps import Lidar
        >>> from pilotage.models import unicycle
        >>> walls = np.pad(np.zeros((58, 78)), 1, constant_values=1)
        >>> room = OccupancyGrid.from_occupied(walls, resolution=0.1).with_discs([[3.0, 2.0], [6.5, 5.0]], [0.5, 0.8])
        >>> lidar = Lidar(room, angles=60, max_range=10.0)
        >>> robot = MonteCarloLocalization(room, unicycle(), dt=0.2, particles=(500, 5000)).start(rng=1)
        >>> for x in (1.0, 1.1, 1.2):
        ...     robot.predict(u=[0.5, 0.0])
        ...     found = robot.update(lidar, lidar.observe([x, 1.0, 0.0])).belief
        >>> found.converged, bool(np.linalg.norm(found.estimate.mean - [1.2, 1.0, 0.0]) < 0.1)
        (True, True)
    """

    grid: OccupancyGrid
    dynamics: Dynamics | None = None
    dt: float | None = None
    particles: tuple[int, int] = (1000, 50_000)
    power: float = 0.2
    error: float = 0.05
    confidence: float = 0.99
    side: float = 0.5
    angle: float = math.radians(10.0)
    resampling: str = "systematic"
    threshold: float = 0.5
    kidnapped: float = 0.01
    candidates: int = 300
    alpha_slow: float = 0.001
    alpha_fast: float = 0.1
    clearance: float = 0.0

    def __post_init__(self) -> None:
        check_grid(self.grid)
        counts = np.asarray(self.particles)
        if counts.shape != (2,) or counts.dtype.kind not in "iu" or not 1 <= counts[0] <= counts[1]:
            raise PilotageError(
                f"particles is {self.particles!r}; give the least and the largest number: (1000, 50000)"
            )
        check_resampling(self.resampling, self.threshold)
        for name in ("power", "error", "side", "angle"):
            positive(getattr(self, name), name)
        positive(self.clearance, "clearance", zero=True)
        if not 0.5 <= number(self.confidence, "confidence") < 1.0:
            raise PilotageError(f"confidence is {self.confidence}; it is a probability from 0.5 up to 1")
        usual(self.dt)
        if not 0.0 <= number(self.alpha_slow, "alpha_slow") <= number(self.alpha_fast, "alpha_fast") <= 1.0:
            raise PilotageError(
                f"alpha_slow ({self.alpha_slow}) <= alpha_fast ({self.alpha_fast}) must lie between 0 and 1"
            )
        whole(self.candidates, "candidates", least=0)
        if not 0.0 <= number(self.kidnapped, "kidnapped") < 1.0:
            raise PilotageError(f"kidnapped is {self.kidnapped}; it is a probability below 1")
        if self.dynamics is not None:
            instance(self.dynamics, Dynamics, "MonteCarloLocalization")
            pose_indices(self.dynamics.state)

    def start(
        self, mean: Any = None, std: Any = None, *, cov: Any = None, belief: Any = None, t: float = 0.0, rng: Rng = None
    ) -> SamplingFilter:
        """A filter that begins at time `t` near a pose (mean, std or cov), with a belief, or else anywhere on the map.

        Args:
            mean: state ``(n,)``.
            std: standard deviations in the tangent, a number or ``(d,)``.
            cov: covariance ``(d, d)`` instead of `std`.
            belief: any belief over the state instead of the three.
            t: seconds.
            rng: seed or generator of all that the filter draws.
        """
        if self.dynamics is None:
            raise ModelError("MonteCarloLocalization has no dynamics yet: MonteCarloLocalization(grid, robot, dt=0.1)")
        space = self.dynamics.state
        draw, seed = seeded(rng)
        if mean is None and std is None and cov is None and belief is None:
            belief = self.anywhere(space, rng=draw)
        belief = first_belief(space, mean, std, cov, belief)
        return SamplingFilter(self, self.dynamics, self.localization(belief, space, rng=draw), t, draw, seed)

    def anywhere(self, space: Space, *, rng: Rng = None) -> Particles:
        """Particles uniform over free space, any heading; what the state holds besides the pose is at its identity."""
        high = self.particles[1]
        points = np.tile(space.clip(space.identity()), (high, 1))
        points[:, pose_indices(space)] = free_poses(self.grid, high, clearance=self.clearance, rng=rng)
        return Particles(space, points)

    def localization(self, belief: Any, space: Space | None = None, *, rng: Rng = None) -> Localization:
        """`belief` as a `Localization`, on `space` if given: itself, its particles, or as many draws as it is wide."""
        check_belief(belief, space)
        if isinstance(belief, Localization):
            return belief
        if not isinstance(belief, Particles):
            cloud = Particles(belief.space, belief.sample(self.particles[1], rng=rng))
            belief = Particles(belief.space, cloud.points[: self._needed(cloud)])
        if belief.points.ndim > 2:
            raise ShapeError(f"localization takes one cloud, not a batch of them; {belief.points.shape} was given")
        return Localization(belief, side=self.side, angle=self.angle)

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Localization:
        """The belief `dt` seconds later under action `u`.

        Args:
            belief: a `Localization`, or any other belief.
            dynamics: how the state moves.
            u: action ``(m,)``; None for zero.
            dt: seconds; None for the usual step.
            rng: seed or generator.
        """
        instance(dynamics, Dynamics, "MonteCarloLocalization")
        draw = generator(rng)
        known = self.localization(belief, dynamics.state, rng=draw)
        cloud = self.renewed(known.particles, rng=draw)
        cloud = propagate(cloud, dynamics, u, wanted(dt, self.dt), rng=draw)
        return replace(known, particles=cloud)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> CloudUpdate:
        """The belief after reading `z`, NaN where nothing was measured.

        When neither particles nor poses drawn from free space can explain the reading, the particles stay what they
        were, `accepted` is False and the log-likelihood is -inf. Innovation, S and NIS are reckoned when asked for.

        Args:
            belief: a `Localization`, or any other belief.
            sensor: what was read, a `pilotage.maps.Lidar` say.
            z: reading ``(size,)``.
            context: what the reading depends on besides the state.
            rng: seed or generator.
        """
        draw = generator(rng)
        instance(sensor, Sensor, "MonteCarloLocalization")
        known = self.localization(belief, rng=draw)
        cloud, sensor = known.particles, sensor.on(known.space)
        z = sensor.reading.check(z, "reading", finite=False)
        if z.ndim != 1:
            raise ShapeError(f"one reading was expected, of shape ({sensor.reading.size},); this one has {z.shape}")
        if axes := context_axes(context_of(context, sensor), sensor):
            raise ShapeError(f"one context was expected, {axes} of them were given")
        make = partial(surprise, cloud, sensor, z, context)
        measured = int((~np.isnan(z)).sum())
        if measured == 0:
            return CloudUpdate(known, make, 0.0, True)

        def score(points: Array) -> Array:
            return likelihoods(points, sensor, z, context)

        prior = Scored(known.space, cloud.points, cloud.log_weights, score(cloud.points))
        known = self._judged(known, float(cloud.weights @ np.exp(prior.scores / measured)))
        prior = self._doubted(prior, known.doubt, score, draw)
        after, total = self._annealing(cloud, score, draw).weigh(prior, self.power)
        if total == -math.inf:
            return CloudUpdate(known, make, total, False)
        return CloudUpdate(replace(known, particles=_without_faint(after, len(cloud.points))), make, total, True)

    def renewed(self, cloud: Particles, *, rng: Rng = None) -> Particles:
        """As many equal particles as the belief is wide, when their effective number is low; else `cloud`."""
        count = len(cloud.points)
        if cloud.effective_size >= self.threshold * count * (1.0 - 1e-9) and count <= self.particles[1]:
            return cloud
        chosen = self._drawn(cloud, generator(rng))
        return Particles.trusted(cloud.space, cloud.points[chosen], np.full(len(chosen), -math.log(len(chosen))))

    def _drawn(self, cloud: Particles, draw: np.random.Generator) -> Any:
        return resample(cloud.weights, self._needed(cloud), self.resampling, draw)

    def _needed(self, cloud: Particles) -> int:
        bins = count_bins(cloud.points[:, pose_indices(cloud.space)], self.side, self.angle)
        return particles_needed(bins.masses(cloud.weights), *self.particles, self.error, self.confidence)

    def _judged(self, known: Localization, q: float) -> Localization:
        """Running means of q; plain means until they have seen as many readings as they look back."""
        t = known.updates + 1
        fast = known.fast + max(self.alpha_fast, 1.0 / t) * (q - known.fast)
        slow = known.slow + max(self.alpha_slow, 1.0 / t) * (q - known.slow)
        return replace(known, fast=fast, slow=max(slow, fast), updates=t)

    def _doubted(self, prior: Scored, doubt: float, score: Any, draw: np.random.Generator) -> Scored:
        """The prior, and with probability `kidnapped` anywhere.

        When that turns out to be a good part of the belief after the reading, as many more poses are drawn.
        """
        k, high = self.kidnapped, self.particles[1]
        n = self.candidates + int(doubt * high)
        if k == 0.0 or n == 0:
            return prior
        points, scores = self._elsewhere(prior, n, score, draw)
        here = log_sum_exp(prior.log_weights + self.power * prior.scores) + math.log1p(-k)
        there = log_sum_exp(self.power * scores) + math.log(k / n)
        share = float(np.exp(there - np.logaddexp(here, there))) if there > -math.inf else 0.0
        if share > EARNEST:
            more, more_scores = self._elsewhere(prior, int(share * high) + 1, score, draw)
            points, scores = np.concatenate([points, more]), np.concatenate([scores, more_scores])
        return Scored(
            prior.space,
            np.concatenate([prior.points, points]),
            np.concatenate([prior.log_weights + math.log1p(-k), np.full(len(points), math.log(k / len(points)))]),
            np.concatenate([prior.scores, scores]),
        )

    def _elsewhere(self, prior: Scored, n: int, score: Any, draw: np.random.Generator) -> tuple[Array, Array]:
        """Poses from free space and their scores; what the state holds beside the pose is copied from particles."""
        extra = prior.points[draw.integers(len(prior.points), size=n)]
        extra[:, pose_indices(prior.space)] = free_poses(self.grid, n, clearance=self.clearance, rng=draw)
        return extra, score(extra)

    def _annealing(self, cloud: Particles, score: Any, draw: np.random.Generator) -> Annealing:
        reach = 0.5 * np.array([self.side, self.side, self.angle])
        volume = 2.0 * math.pi * free_area(self.grid, self.clearance)
        belief = cache(lambda: log_belief(cloud, self.kidnapped, volume))  # for stages, which are seldom needed
        anew = lambda some: self._drawn(some, draw)
        return Annealing(score, lambda points: belief()(points), self.grid.is_free, anew, reach, draw)


def _without_faint(after: Scored, count: int) -> Particles:
    """The first `count` particles, and of the others those that are worth something."""
    w = after.log_weights
    keep = w > math.log(FAINT / len(w))
    keep[:count] = True
    w = w[keep]
    return Particles.trusted(after.space, after.points[keep], w - log_sum_exp(w))
