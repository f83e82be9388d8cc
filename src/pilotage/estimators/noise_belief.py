"""A Gaussian with estimates of the noise beside it: the belief of filters that learn how noisy models are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..core import Gaussian, Rng, Sensor, Space
from ..core._values import Value, at, own
from ..core.arrays import Array


class SensorNoise(NamedTuple):
    """The estimate of a sensor's noise.

    Attributes:
        sensor: the sensor, mounted on the state.
        R: the covariance of its noise, ``(..., m, m)``.
        weight: the number of readings that the estimate is worth, ``(...)``; 0 where the sensor was not read so far.
    """

    sensor: Sensor
    R: Array
    weight: Array


@dataclass(frozen=True, eq=False, repr=False)
class NoiseBelief(Value):
    """A Gaussian with the estimated noise of each sensor, and a factor of the process noise.

    Its distribution is that of the Gaussian. Sensors that are equal share an estimate. `AdaptiveEKF` and
    `VariationalEKF` return such beliefs, and take any other belief as one without estimates.

    Args:
        gaussian: the distribution of the state.
        noises: estimates of the sensors that were read, in the order of their first readings.
        factor: the process noise is that of the dynamics times this, ``(...)``.

    Example:
        >>> from pilotage.estimators import VariationalEKF
        >>> from pilotage.models import constant_velocity, position
        >>> fix = position(2, std=1.0)
        >>> robot = VariationalEKF(constant_velocity(2), dt=0.1).start(std=1.0)
        >>> belief = robot.update(fix, [0.5, -0.5]).belief
        >>> belief.noise(fix).shape, belief.moments() is belief.gaussian
        ((2, 2), True)
    """

    gaussian: Gaussian
    noises: tuple[SensorNoise, ...] = ()
    factor: Any = 1.0

    def __post_init__(self) -> None:
        noises = tuple(SensorNoise(noise.sensor, own(noise.R), own(noise.weight)) for noise in self.noises)
        self.__setstate__({"gaussian": self.gaussian, "noises": noises, "factor": own(self.factor)})

    @property
    def space(self) -> Space:
        """The space of the state."""
        return self.gaussian.space

    @property
    def mean(self) -> Array:
        """The mean ``(..., size)``."""
        return self.gaussian.mean

    @property
    def cov(self) -> Array:
        """The covariance ``(..., dim, dim)``."""
        return self.gaussian.cov

    @property
    def std(self) -> Array:
        """Standard deviations ``(..., dim)``."""
        return self.gaussian.std

    def moments(self) -> Gaussian:
        """The Gaussian."""
        return self.gaussian

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(..., n, size)``."""
        return self.gaussian.sample(n, rng=rng)

    def log_prob(self, x: Any) -> Array:
        """The log-density of states ``(..., size)``."""
        return self.gaussian.log_prob(x)

    def noise(self, sensor: Sensor) -> Array | None:
        """The estimated R of a sensor ``(..., m, m)``; None before its first reading."""
        found = self.estimate(sensor.on(self.space))
        return None if found is None else found.R

    def estimate(self, sensor: Sensor) -> SensorNoise | None:
        """The estimate of a sensor that is mounted on the state; None before its first reading."""
        return next((each for each in self.noises if each.sensor is sensor or each.sensor == sensor), None)

    def __getitem__(self, index: Any) -> NoiseBelief:
        """The belief(s) at `index` of the leading axes."""
        axes = self.mean.shape[:-1]
        factor = np.broadcast_to(self.factor, axes)
        given = [(factor, 0)]
        for _, R, weight in self.noises:
            given += [(np.broadcast_to(R, (*axes, *R.shape[-2:])), 2), (np.broadcast_to(weight, axes), 0)]
        gaussian, (factor, *parts) = self.gaussian[index], at(index, *given)
        noises = (
            SensorNoise(noise.sensor, R, np.asarray(w))
            for noise, R, w in zip(self.noises, parts[::2], parts[1::2], strict=True)
        )
        return NoiseBelief(gaussian, read(noises), factor if np.ndim(factor) else float(factor))

    def __str__(self) -> str:
        return str(self.gaussian)

    def __repr__(self) -> str:
        return f"NoiseBelief({self})"


def read(noises: Iterable[SensorNoise]) -> tuple[SensorNoise, ...]:
    """The estimates of sensors that were read, in any row of a batch."""
    return tuple(noise for noise in noises if (noise.weight > 0.0).any())


def noise_belief(belief: Any) -> NoiseBelief:
    """A belief with estimates of noise; of any other one without."""
    return belief if isinstance(belief, NoiseBelief) else NoiseBelief(belief.moments())
