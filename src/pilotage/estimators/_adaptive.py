"""Filters that estimate noise: the part that does not depend on how."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from ..core import Dynamics, Gaussian, Rng, Sensor, Update
from ..core.arrays import Array
from ..core.declared import covariance
from ..core.settings import Interval, Positive, instance, settings
from ..core.streams import checked
from ._causes import report
from ._clock import wanted
from ._engine import PureEngine
from ._gaussian import moments_on
from ._inputs import action, check_belief, context_of, reading_of
from ._jobs import Model
from ._launch import one_reading
from .ekf import EKF
from .filter import Filter, Startable
from .noise_belief import NoiseBelief, SensorNoise, noise_belief


@settings
class ToldEKF(EKF):
    """The EKF that is told the noise of each reading."""

    def sensor_model(self, sensor: Sensor, lanes: bool = False) -> Model:
        model = super().sensor_model(sensor, lanes)
        model.fields["given"] = 1
        return model

    def update_under(self, R: Array, belief: Gaussian, sensor: Sensor, z: Array, context: Any) -> Update:
        """`update` with a mounted sensor whose noise is R ``(..., m, m)``."""
        return self.updated(belief, sensor, *one_reading(belief, sensor, z, context, R))


@settings
class NoiseEstimator(Startable):
    """Base of the filters that estimate noise; subclasses say how, in `learn`.

    Args:
        dynamics, dt, gate: as for `EKF`. Readings that the gate rejects teach nothing.
        trust: the number of readings that the noise of a sensor, as its model says, is worth at first.
    """

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None
    trust: Annotated[float, Interval(0.0, ends="()")] = 10.0

    @abstractmethod
    def learn(self, belief: NoiseBelief, noise: SensorNoise, z: Array, context: Any) -> tuple[Update, NoiseBelief]:
        """The update of the Gaussian by a reading, and the belief with what the reading says of the noise.

        Estimates in rows that are not accepted are put back afterwards.
        """

    def predict(
        self,
        belief: Any,
        dynamics: Dynamics,
        u: Any = None,
        dt: float | None = None,
        *,
        rng: Rng = None,
        status: np.ndarray | None = None,
    ) -> NoiseBelief:
        """The belief `dt` seconds later under action `u`, see `EKF.predict`; estimates of noise stay what they are."""
        checked(rng)
        instance(dynamics, Dynamics, type(self).__name__)
        moments_on(belief, dynamics.state)
        belief, dt, u = noise_belief(belief), wanted(dt, self.dt), action(u, dynamics.action)
        before = belief.gaussian
        how = np.zeros(np.broadcast_shapes(before.mean.shape[:-1], u.shape[:-1]), dtype=np.int64)
        after = EKF().predict(before, dynamics, u, dt, status=how)
        report(how, how.shape, status)
        extra = np.where(how > 0, 0.0, belief.factor - 1.0)[..., None, None]  # a row that failed keeps its belief
        if extra.any():
            Q = covariance(dynamics.noise(before.mean, u, dt), after.space.dim, dynamics)
            P = after.cov + np.where(extra != 0.0, extra * Q, 0.0)
            after = Gaussian.trusted(after.space, np.array(after.mean), P)
        return replace(belief, gaussian=after)

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Gaussian:
        """The expected reading: its mean and innovation covariance S, under the estimated noise."""
        belief, sensor = self._taken(belief, sensor)
        context = context_of(context, sensor)
        expected = EKF().expect(belief.gaussian, sensor, context)
        R = covariance(sensor.noise(belief.gaussian.mean, _numbers(context, sensor)), sensor.reading.dim, sensor)
        known = self._noise(belief, sensor, context)
        return Gaussian.trusted(sensor.reading, np.array(expected.mean), expected.cov - R + known.R)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of reading `z` (NaN where not measured); leading axes are a batch."""
        checked(rng)
        belief, sensor = self._taken(belief, sensor)
        z, context = reading_of(z, sensor), context_of(context, sensor)
        noise = self._noise(belief, sensor, context)
        result, after = self.learn(belief, noise, z, context)
        after = after if np.all(result.accepted) else _kept(belief.noting(noise), after, np.asarray(result.accepted))
        return Update(after, result.innovation, result.S, result.nis, result.log_likelihood, status=result.status)

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that begins with a belief."""
        assert self.dynamics is not None  # `start` has seen to it
        moments_on(belief, self.dynamics.state)
        return Filter(PureEngine(self, self.dynamics, noise_belief(belief)), t, self.dt, sensors)

    def _taken(self, belief: Any, sensor: Sensor) -> tuple[NoiseBelief, Sensor]:
        """The belief with estimates, and the sensor on its space."""
        instance(sensor, Sensor, type(self).__name__)
        check_belief(belief)
        belief = noise_belief(belief)
        return belief, sensor.on(belief.space)

    def _noise(self, belief: NoiseBelief, sensor: Sensor, context: Any) -> SensorNoise:
        """What is known of the noise of a sensor: at first what its model says."""
        known = belief.estimate(sensor)
        if known is not None:
            return known
        R = covariance(sensor.noise(belief.gaussian.mean, _numbers(context, sensor)), sensor.reading.dim, sensor)
        return SensorNoise(sensor, np.array(R), np.full(R.shape[:-2], self.trust))


def _numbers(context: Any, sensor: Sensor) -> Any:
    """A context as sensors take it: None where there is none."""
    return None if sensor.context is not None and sensor.context.size == 0 else context


def _kept(before: NoiseBelief, after: NoiseBelief, taken: Array) -> NoiseBelief:
    """The Gaussian of `after`, and its estimates in rows that were taken; in others those of `before`."""
    noises = list[SensorNoise]()
    for new in after.noises:
        old = before.estimate(new.sensor)
        assert old is not None  # every sensor has one by now
        weight = np.where(taken, new.weight, old.weight)
        noises.append(SensorNoise(new.sensor, np.where(taken[..., None, None], new.R, old.R), weight))
    return NoiseBelief(after.gaussian, tuple(noises), np.where(taken, after.factor, before.factor))


def evidence(R: Array, S: Array, y: Array) -> Array:
    """The expected square of the noise e of a reading with innovation y, ``D = E[e e' | z]``, ``(..., m, m)``.

    ::

        D = R + R S^-1 (y y' - S) S^-1 R         = v v' + H P H'

    with the residual ``v = z (-) h(x)`` and the covariance P after the update, on the linearisation of the EKF. Of
    components that were not measured, y is NaN, and R tells by its correlations: S^-1 is that of the others. D is never
    indefinite.
    """
    seen = np.isfinite(y)
    both = seen[..., :, None] & seen[..., None, :] & np.isfinite(S)
    weight = np.where(both, np.linalg.inv(np.where(both, S, np.eye(y.shape[-1]))), 0.0)
    y, A = np.where(seen, y, 0.0), R @ weight
    D = R + A @ (y[..., :, None] * y[..., None, :] - np.where(both, S, 0.0)) @ np.swapaxes(A, -1, -2)
    return 0.5 * (D + np.swapaxes(D, -1, -2))


def averaged(noise: SensorNoise, D: Array, weight: Array) -> SensorNoise:
    """The estimate after a reading that says D, where the earlier ones are worth `weight` readings."""
    R = noise.R + (D - noise.R) / (weight + 1.0)[..., None, None]
    return SensorNoise(noise.sensor, R, np.broadcast_to(weight + 1.0, R.shape[:-2]).copy())
