"""The ensemble Kalman filter: a cloud of equal states moves through the models, and each is corrected by one gain."""

from __future__ import annotations

from typing import Annotated, Any, cast

import numpy as np

from ..core import Dynamics, FilterStatus, Gaussian, Particles, Rng, Sensor, ShapeError, Space, Update, generator
from ..core.arrays import Array
from ..core.covariances import symmetric_root
from ..core.sensor import measured
from ..core.settings import Interval, instance, settings
from ._causes import error_of
from ._cloud_estimator import CloudEstimator
from ._inputs import check_belief
from ._scores import scored
from ._steps import ACCEPTED
from .cloud import foretold, propagate


@settings
class EnsembleKF(CloudEstimator):
    """Ensemble Kalman filter for any dynamics and sensors; needs no Jacobian, and no covariance of the state.

    ::

        predict   x_i = f(x_i, u, dt) (+) e_i,   e_i ~ N(0, Q)
        update    d_i = x_i (-) x,   r_i = h(x_i) (-) z^,    x and z^ the means of members and of their readings
                  S = sum r_i r_i' / (n - 1) + R,   C = sum d_i r_i' / (n - 1),   K = C S^-1
                  x_i = x (+) (d_i - C (S + R^1/2 S^1/2)^-1 r_i + K (z (-) z^))

    with symmetric roots: the square-root form, whose update draws nothing. Members have the covariance ``P - K S K'``
    afterwards. P, like S and C, is the unbiased covariance of a sample, ``sum d_i d_i' / (n - 1)``; `moments` of a
    belief are those of its members alone, ``sum d_i d_i' / n``. Members are `Particles` of equal weight. The filter
    serves simulators and states of many dimensions, where a few dozen members say in which directions the uncertainty
    lies; the gain changes nothing in other directions.

    Source: Evensen, "Sequential data assimilation with a nonlinear quasi-geostrophic model using Monte Carlo methods",
    J. Geophysical Research 99, 1994; covariances of members, Evensen, "The ensemble Kalman filter: theoretical
    formulation and practical implementation", Ocean Dynamics 53, 2003, section 3; the update without drawing, Whitaker
    and Hamill, "Ensemble data assimilation without perturbed observations", Monthly Weather Review 130, 2002, equation
    10; inflation, Anderson and Anderson, ibid. 127, 1999.

    Args:
        dynamics: the model that `start` uses; the pure functions take theirs as an argument.
        dt: seconds of a step, where none is given.
        n: members that stand for a belief that has none yet, at least 2.
        inflation: factor by which predicted members move apart, at least 1: a small ensemble thinks itself too sure.
        gate: as for `EKF`.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> car = EnsembleKF(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5], rng=1)
        >>> car.predict(u=[0.5, 0.02])
        >>> car.update(gnss(std=1.5), z=[0.4, 0.1]).accepted
        True
    """

    n: Annotated[int, Interval(2, ends="[)")] = 100
    inflation: Annotated[float, Interval(1.0, ends="[)")] = 1.0
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None

    def predicted(
        self, cloud: Particles, dynamics: Dynamics, u: Array, dt: float, rng: np.random.Generator
    ) -> Particles:
        after = propagate(cloud, dynamics, u, dt, rng=rng)
        if self.inflation == 1.0:
            return after
        mean, d = deviations(after)
        return Particles.trusted(after.space, np.asarray(after.space.plus(mean, self.inflation * d)), after.log_weights)

    def informed(self, cloud: Particles, sensor: Sensor, z: Array, context: Any, rng: np.random.Generator) -> Update:
        known, r, R = self.foretold(cloud, sensor, context)
        y, seen = cast(Array, sensor.reading.minus(z, known.mean)), measured(sensor.reading, z)
        if not (np.isfinite(y) | ~seen).all():
            raise error_of(FilterStatus.UNDEFINED_READING, sensor, cloud.moments())
        found = scored(y, known.cov, seen, self.gate)
        R = np.where(seen[..., :, None] & seen[..., None, :], R, np.eye(y.shape[-1]))
        r = np.where(seen[..., None, :], r, 0.0)
        return found.update(corrected(cloud, found.e, r, found.S, R, found.status == ACCEPTED), y)

    def expect(self, belief: Any, sensor: Sensor, context: Any = None, *, rng: Rng = None) -> Gaussian:
        instance(sensor, Sensor, "EnsembleKF")
        cloud = self.cloud(belief, rng=generator(rng, "update"))
        return self.foretold(cloud, sensor.on(cloud.space), context)[0]

    def foretold(self, cloud: Particles, sensor: Sensor, context: Any) -> tuple[Gaussian, Array, Array]:
        """The reading that comes next, how far those of all members lie from its mean, and the mean of their noise."""
        known, r, R = foretold(cloud, sensor, context)
        return Gaussian.trusted(known.space, known.mean, np.swapaxes(r, -1, -2) @ r / (r.shape[-2] - 1) + R), r, R

    def takes_infinity(self, sensor: Sensor) -> bool:
        return False

    def cloud(
        self, belief: Any, space: Space | None = None, *, rng: Rng = None, models: tuple[Any, ...] = ()
    ) -> Particles:
        """`belief` as members of equal weight, on `space` if that is given: itself, or draws."""
        check_belief(belief, space)
        if isinstance(belief, Particles) and belief.points.shape[-2] < 2:
            raise ShapeError("an ensemble of one member has no covariance; give Particles of 2 or more")
        if isinstance(belief, Particles) and np.ptp(belief.log_weights, axis=-1).max() < 1e-9:
            return belief
        n = belief.points.shape[-2] if isinstance(belief, Particles) else self.n
        return Particles(belief.space, belief.sample(n, rng=rng))


def deviations(cloud: Particles) -> tuple[Array, Array]:
    """The mean of a cloud of equal weights, with an axis for members, and how far each lies from it."""
    mean = np.asarray(cloud.space.mean(cloud.points, cloud.weights))[..., None, :]
    return mean, np.asarray(cloud.space.minus(cloud.points, mean))


def corrected(cloud: Particles, y: Array, r: Array, S: Array, R: Array, taken: Any) -> Particles:
    """The members after an innovation y where it is taken, as before elsewhere; r are the deviations of readings."""
    mean, d = deviations(cloud)
    C = np.swapaxes(d, -1, -2) @ r / (d.shape[-2] - 1)
    K = np.swapaxes(np.linalg.solve(S, np.swapaxes(C, -1, -2)), -1, -2)
    shrink = np.linalg.solve(S + symmetric_root(R) @ symmetric_root(S), np.swapaxes(r, -1, -2))
    moved = d - np.swapaxes(C @ shrink, -1, -2) + (K @ y[..., None])[..., None, :, 0]
    after = np.asarray(cloud.space.plus(mean, moved))
    after = np.where(np.asarray(taken)[..., None, None], after, np.broadcast_to(cloud.points, after.shape))
    return Particles.trusted(cloud.space, after, np.broadcast_to(cloud.log_weights, after.shape[:-1]))
