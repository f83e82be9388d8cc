"""Monte Carlo localization: a particle filter for the pose on a map.

It can start anywhere on the map, and recovers if somebody carries the robot away. Readings that are much more precise
than the belief are weighed in stages, see `annealing`. Resampling loses no hypothesis by chance before it is refuted,
see `survival`, and moves copies apart, see `roughening`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...core import (
    Dynamics,
    Gaussian,
    ModelError,
    Particles,
    Rng,
    Sensor,
    ShapeError,
    Space,
    generator,
    seeded,
)
from ...core.arrays import Array
from ...core.errors import SettingError
from ...core.settings import Count, Fraction, Interval, Natural, NonNegative, Positive, instance, settings
from ...core.status import FilterStatus
from ...maps import Lidar, OccupancyGrid
from .._clock import wanted
from .._engine import PureEngine
from .._inputs import action, check_belief, context_axes, context_of, reading_of
from .._startable import Startable
from ..cloud import CloudUpdate, expected, innovation, likelihoods, propagate
from ..filter import Filter
from ..kld import particles_needed
from ..resampling import Resampling, resample
from .annealing import Annealing, Scored, log_belief
from .beam_skip import BeamSkip
from .bins import Bins, count_bins
from .hypotheses import SURE, Localization, effective_ancestors
from .pose import free_area, free_poses, pose_indices
from .recovery import Elsewhere, judged, without_faint
from .roughening import roughened
from .survival import resample_hypotheses
from .travel import Heard, Source, heard_now, last_heard

FEW = 30.0
"""With fewer ancestors (effective), the variance among them is added up and particles become ancestors."""
ROUNDS = 100
"""Samples of a belief, most of which lie outside of free space, until enough particles lie in it; else they repeat."""
ENOUGH = 256
"""So many particles tell how far the robot moved."""


@settings(eq=False)
class MonteCarloLocalization(Startable):
    """Monte Carlo localization on a map, for states with components x, y and yaw.

    ::

        predict   if weights have become unequal, resample, with the number of particles from KLD-sampling
                  x_i = f(x_i, u, dt) (+) e_i
        update    w_i = (1 - k) w_i  p(z | x_i)^(power share)    for the particles
                  w_j = k / M        p(z | x_j)^(power share)    for M poses x_j drawn from the free space of the map

    The second line of the update covers the case that somebody carried the robot away since the last reading. `share`
    is the share of new information in a reading, which is 0 while the robot stands still.

    Args:
        grid: the map; the robot is in its free space.
        dynamics: the dynamics for `start`; use `odometry_motion` if only odometry is known.
        dt: default step [s].
        particles: smallest and largest number of particles. A start with unknown pose uses the largest.
        power: exponent of the likelihood of a reading. The errors of the beams of a scan are correlated, for example
            where the map is wrong or people stand; if they counted as independent, the filter would be overconfident
            (a heuristic: *Probabilistic Robotics*, section 6.3.4). With 0.2 and a `Lidar` of 60 beams, errors are a
            little smaller than the covariance claims. It multiplies with the power of the sensor, if that has one.
        independent: distance [m] and rotation [rad] after which a reading of the same sensor counts fully, see
            `travel`. A robot that stands still learns nothing more, and one that was carried away notices it once it
            moves. With (0, 0), every reading counts fully.
        fresh: a reading that would add less than this share of its evidence is ignored, which saves its cost. With 1
            and ``independent=(0.25, 0.2)``, readings count after 0.25 m or 0.2 rad, as with AMCL's `update_min_d` and
            `update_min_a`.
        beam_skip: rule that leaves out beams of a `Lidar` which most particles contradict; None uses all.
        error, confidence: settings of KLD-sampling, see `kld_bound`.
        side, angle: size of the bins of KLD-sampling [m], [rad].
        resampling: "systematic", "stratified", "residual" or "multinomial", see `resample`.
        threshold: resample when the effective number of particles is below this share of their number.
        kidnapped: probability that the robot was carried away between two readings; 0 turns recovery off.
        candidates: number of poses drawn from free space for each reading while readings are explained well.
        alpha_slow, alpha_fast: gains of the running means that decide when to draw more poses.
        clearance: minimum distance of free poses from obstacles [m], for example the radius of the robot.

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
        >>> found.converged, bool(np.linalg.norm(found.best.mean - [1.2, 1.0, 0.0]) < 0.1)
        (True, True)
    """

    grid: OccupancyGrid
    dynamics: Dynamics | None = None
    dt: Positive | None = None
    particles: tuple[Count, Count] = (1000, 50_000)
    power: Positive = 0.2
    independent: tuple[NonNegative, NonNegative] = (0.05, 0.05)
    fresh: Fraction = 0.05
    beam_skip: BeamSkip | None = None
    error: Positive = 0.05
    confidence: Annotated[float, Interval(0.5, 1.0, "[)")] = 0.99
    side: Positive = 0.5
    angle: Positive = math.radians(10.0)
    resampling: Resampling = "systematic"
    threshold: Fraction = 0.5
    kidnapped: Annotated[float, Interval(0.0, 1.0, "[)")] = 0.01
    candidates: Natural = 300
    alpha_slow: Fraction = 0.001
    alpha_fast: Fraction = 0.1
    clearance: NonNegative = 0.0

    starts_anywhere: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.particles[0] > self.particles[1]:
            raise SettingError(f"particles is {self.particles}; give the least and the largest number: (1000, 50000)")
        if self.alpha_slow > self.alpha_fast:
            raise SettingError(f"alpha_slow ({self.alpha_slow}) is above alpha_fast ({self.alpha_fast}); give less")
        if self.dynamics is not None:
            pose_indices(self.dynamics.state)

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that starts with a belief, or anywhere on the map."""
        assert self.dynamics is not None  # `start` has seen to it
        space = self.dynamics.state
        draw, seed = seeded(rng)
        belief = self.anywhere(space, rng=draw) if belief is None else belief
        engine = LocalizationEngine(self, self.dynamics, belief, draw)
        return Filter(engine, t, self.dt, sensors, seed)

    def anywhere(self, space: Space, *, rng: Rng = None) -> Particles:
        """Particles uniform over free space with any heading; other parts of the state are at their identity."""
        high = self.particles[1]
        points = np.tile(space.clip(space.identity()), (high, 1))
        points[:, pose_indices(space)] = free_poses(self.grid, high, clearance=self.clearance, rng=rng)
        return Particles(space, points)

    def localization(self, belief: Any, space: Space | None = None, *, rng: Rng = None) -> Localization:
        """`belief` as a `Localization`, on `space` if given; other beliefs than particles are sampled in free space.

        Raises:
            ModelError: if no sample lies in the free space of the map.
        """
        check_belief(belief, space)
        if isinstance(belief, Localization):
            count = len(belief.particles.points)
            known = len(belief.ancestors) == count
            return belief if known else replace(belief, **_unrelated(count))
        if not isinstance(belief, Particles):
            points = self._in_free_space(belief, generator(rng))
            bins = count_bins(points, self.side, self.angle, pose_indices(belief.space))
            belief = Particles(belief.space, points[: self._needed(bins, np.full(len(points), 1.0 / len(points)))])
        return Localization(belief, **_unrelated(belief.points.shape[-2]), side=self.side, angle=self.angle)

    def _in_free_space(self, belief: Any, draw: np.random.Generator) -> Array:
        """States drawn from a belief in which the robot is in the free space of the map, at least the least number."""
        plane, found = pose_indices(belief.space)[:2], np.empty((0, belief.space.size))
        for _ in range(ROUNDS):
            points = belief.sample(self.particles[1], rng=draw)
            found = np.concatenate((found, points[self.grid.is_free(points[:, plane])]))
            if not 0 < len(found) < self.particles[0]:
                break
        if not len(found):
            raise ModelError(f"the belief {belief} lies outside of the free space of {self.grid!r}, where the robot is")
        return found[np.arange(max(len(found), self.particles[0])) % len(found)]

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Localization:
        """The belief `dt` seconds later under action `u`.

        Args:
            belief: a `Localization`, or any other belief.
            dynamics: the dynamics.
            u: action ``(m,)``; None for zero.
            dt: step [s]; None for the default.
            rng: seed or generator.
        """
        instance(dynamics, Dynamics, "MonteCarloLocalization")
        draw = generator(rng)
        known = self.localization(belief, dynamics.state, rng=draw)
        known = self.renewed(known, rng=draw)
        before = known.particles
        after = propagate(before, dynamics, action(u, dynamics.action), wanted(dt, self.dt), rng=draw)
        i, some = pose_indices(known.space), slice(None, None, max(1, len(before.points) // ENOUGH))
        travel = known.travel.moved(before.points[some][:, i], after.points[some][:, i])
        return replace(known, particles=after, travel=travel)

    def expect(self, belief: Any, sensor: Sensor, context: Any = None, *, rng: Rng = None) -> Gaussian:
        """The next reading: mean and covariance S of the cloud of expected readings, including noise."""
        instance(sensor, Sensor, "MonteCarloLocalization")
        cloud = self.localization(belief, rng=generator(rng, "update")).particles
        return expected(cloud, sensor.on(cloud.space), context)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> CloudUpdate:
        """The result of reading `z` (NaN where not measured), with the new belief.

        A reading changes nothing if the sensor has hardly moved since its last one, see `independent`. If neither
        particles nor poses drawn from free space can explain the reading, the particles stay the same, the status is
        STARVED and the log-likelihood is -inf. Innovation, S and NIS are computed on demand.

        Args:
            belief: a `Localization`, or any other belief.
            sensor: the sensor of the reading, for example a `pilotage.maps.Lidar`.
            z: reading ``(size,)``.
            context: the context of the reading, if the sensor has one.
            rng: seed or generator.
        """
        draw = generator(rng, "update")
        instance(sensor, Sensor, "MonteCarloLocalization")
        known = self.localization(belief, rng=draw)
        cloud, source, sensor = known.particles, (sensor, context), sensor.on(known.space)
        z = sensor.cleaned(reading_of(z, sensor))
        if z.ndim != 1:
            raise ShapeError(f"one reading was expected, of shape ({sensor.reading.size},); this one has {z.shape}")
        if axes := context_axes(context_of(context, sensor), sensor):
            raise ShapeError(f"one context was expected, {axes} of them were given")
        compute = partial(innovation, cloud, sensor, z, context)
        measured = z.size - np.count_nonzero(np.isnan(z))
        share = self._fresh(known, source)
        if measured == 0 or share < self.fresh:
            return CloudUpdate(known, compute, 0.0, FilterStatus.ACCEPTED if measured else FilterStatus.NO_READING)
        z = self._trusted(known, source[0], z)

        def score(points: Array) -> Array:
            return likelihoods(points, sensor, z, context)

        power, anywhere = self.power * share, self._elsewhere(share)
        prior = Scored.of(cloud, score(cloud.points), known.ancestors)
        known = judged(known, prior, measured, self.alpha_slow, self.alpha_fast)
        prior = anywhere.added(prior, power, known, score, draw)
        after, total = self._annealing(known, anywhere.probability, score, draw).weigh(prior, power)
        if total == -math.inf:
            return CloudUpdate(known, compute, total, FilterStatus.STARVED)
        after = without_faint(after, len(cloud.points))
        heard = heard_now(known.heard, source, known.travel)
        return CloudUpdate(self._weighed(known, after, heard), compute, total, FilterStatus.ACCEPTED)

    def _fresh(self, known: Localization, source: Source) -> float:
        """The share of new evidence in a reading."""
        last = last_heard(known.heard, source)
        return 1.0 if last is None else known.travel.share(last, *self.independent)

    def _trusted(self, known: Localization, sensor: Sensor, z: Array) -> Array:
        """A scan without the beams that the particles contradict."""
        if self.beam_skip is None or not isinstance(sensor, Lidar) or not known.converged:
            return z
        return self.beam_skip.applied(sensor, z, known.particles.points[:, pose_indices(known.space)])

    def renewed(self, known: Localization, *, rng: Rng = None) -> Localization:
        """The resampled belief if the effective number of particles is low; else the same belief."""
        cloud, space = known.particles, known.space
        count = len(cloud.points)
        if cloud.effective_size >= self.threshold * count * (1.0 - 1e-9) and count <= self.particles[1]:
            return known
        draw = generator(rng)
        chosen, log_weights = self._drawn(known, known.resolved, draw)
        least = np.zeros(space.dim)
        cell = self.grid.resolution / math.sqrt(12.0)
        least[pose_indices(space, tangent=True)] = cell, cell, cell * self.angle / self.side
        points = roughened(space, cloud.points, chosen, known.bins, least, draw)
        return replace(
            known, particles=Particles.trusted(space, points, log_weights), ancestors=known.ancestors[chosen]
        )

    def _weighed(self, known: Localization, after: Scored, heard: Heard) -> Localization:
        """The belief after a reading, with what sampling has added to the uncertainty about its hypotheses."""
        new = known.changed(particles=after.cloud(), ancestors=after.origin, heard=heard)
        if known.resolved:
            if new.certainty >= SURE and new.descended:
                return new
            new = new.changed(resolved=False)
        if new.converged:
            return replace(new, **_alike(len(after.points)), resolved=True)
        if effective_ancestors(new.particles.weights, after.origin) > FEW:
            return new
        count = len(after.points)
        return replace(new, ancestors=np.arange(count), groups=new.clusters[0], drifts=new.sampling_variance)

    def _drawn(self, some: Localization, resolved: bool, draw: np.random.Generator) -> tuple[NDArray[np.int64], Array]:
        """Indices of as many particles as the belief is wide, and their log-weights; see `survival`."""
        n, least = self._needed(some.bins, some.particles.weights), max(1, self.particles[0] // 4)
        if resolved:
            chosen = resample(some.particles.weights, n, self.resampling, draw)
            return chosen, np.full(n, -math.log(n))
        return resample_hypotheses(some, n, least, self.resampling, draw)

    def _needed(self, bins: Bins, weights: Array) -> int:
        return particles_needed(bins.masses(weights), *self.particles, self.error, self.confidence)

    def _elsewhere(self, share: float) -> Elsewhere:
        return Elsewhere(self.grid, self.clearance, self.kidnapped * share, self.candidates, self.particles[1])

    def _annealing(self, known: Localization, elsewhere: float, score: Any, draw: np.random.Generator) -> Annealing:
        reach = 0.5 * np.array([self.side, self.side, self.angle])
        volume = lambda: 2.0 * math.pi * free_area(self.grid, self.clearance)
        belief = cache(lambda: log_belief(known.parts(), elsewhere, volume()))  # for stages, which are seldom needed
        redraw = lambda some: self._drawn(replace(known, particles=some), known.resolved, draw)
        return Annealing(score, lambda points: belief()(points), self.grid.is_free, redraw, reach, draw)


def _unrelated(count: int) -> dict[str, Any]:
    """Ancestors of particles that were drawn independently."""
    return {"ancestors": np.arange(count), "groups": np.zeros(count, np.int64), "drifts": np.zeros(1)}


def _alike(count: int) -> dict[str, Any]:
    """Ancestors of particles of a robot that knows its pose: one and the same."""
    return {"ancestors": np.zeros(count, np.int64), "groups": np.zeros(1, np.int64), "drifts": np.zeros(1)}


class LocalizationEngine(PureEngine):
    """An engine whose belief may be set to any belief over the state: it becomes particles at once."""

    def __init__(
        self, estimator: MonteCarloLocalization, dynamics: Dynamics, belief: Any, rng: np.random.Generator
    ) -> None:
        self.rng = rng
        super().__init__(estimator, dynamics, belief, rng)

    @property
    def belief(self) -> Localization:
        return self._belief

    @belief.setter
    def belief(self, belief: Any) -> None:
        self._belief = self.estimator.localization(belief, self._dynamics.state, rng=self.rng)
