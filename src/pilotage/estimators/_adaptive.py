"""Filters that estimate noise: the part that does not depend on how."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import field, replace
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np

from ..core import FilterRun, Gaussian, Rng, Sensor, Space
from ..core.arrays import Array
from ..core.settings import Interval, settings
from ..core.streams import checked
from ._backward import LINEARIZED
from ._gaussian import CompiledEstimator, moments_on
from ._inputs import gate_quantiles
from ._jobs import Model
from ._noise_steps import ADAPTED, noise_predict, noise_update
from ._steps import Inner, inner_steps
from .noise_belief import NoiseBelief, SensorNoise, noise_belief, read
from .rts import rts


class Rule(NamedTuple):
    """What an estimator makes of the evidence of a reading.

    Attributes:
        rounds: of the estimate of R, before the update of the state; 0 for one after it.
        forgetting: factor of the weight before a reading.
        longest: largest weight before a reading.
        window: readings after which the factor of the process noise follows them, in place of R; 0 for R.
    """

    rounds: int = 0
    forgetting: float = 1.0
    longest: float = np.inf
    window: float = 0.0


@settings
class NoiseEstimator(CompiledEstimator):
    """Base of the filters that estimate noise; subclasses say how, by a `Rule`.

    Args:
        dynamics, dt, gate: as for `EKF`. Readings that the gate rejects teach nothing.
        trust: the number of readings that the noise of a sensor, as its model says, is worth at first.

    Attributes:
        known: the mounted sensors whose estimates the rows of numbers hold.
    """

    trust: Annotated[float, Interval(0.0, ends="()")] = 10.0
    known: tuple[Sensor, ...] = field(default=(), init=False, repr=False, compare=False)

    inner: ClassVar[Inner] = inner_steps(noise_predict, noise_update)
    dynamics_results: ClassVar[tuple[str, str, str]] = ("y F Q", "", "")
    sensor_results: ClassVar[tuple[str, str, str]] = ("h e H R", "", "R")

    @abstractmethod
    def rule(self) -> Rule:
        """What is made of the evidence of a reading."""

    def own(self, belief: Any, space: Space | None = None) -> NoiseBelief:
        """The belief with estimates of noise; of any other one without."""
        moments_on(belief, space)
        return noise_belief(belief)

    def holding(self, belief: Any, *sensors: Sensor) -> Self:
        """The same estimator, with rows that hold the estimates of a belief and those of these sensors."""
        known = list(self.known)
        for sensor in (*(noise.sensor for noise in belief.noises), *sensors):
            if not any(sensor is each or sensor == each for each in known):
                known.append(sensor)
        if len(known) == len(self.known):
            return self
        other = copy.copy(self)
        object.__setattr__(other, "known", tuple(known))
        return other

    def places(self) -> list[int]:
        """The number of a row with which the estimate of each sensor begins, and that with which the mean does."""
        return np.cumsum([1, *(sensor.reading.dim**2 + 1 for sensor in self.known)]).tolist()

    def constants(self, space: Space) -> Array:
        """Numbers that the inner steps need of the settings: trust, rule, and the share taken of gains, all of it."""
        return np.array([self.trust, *self.rule(), *np.ones(space.dim)])

    def vectors(self, space: Space) -> int:
        """Vectors of scratch, for a copy of the estimates."""
        return self.places()[-1] // space.dim + 1

    def numbers(self, space: Space) -> int:
        """Numbers that the inner steps keep of a belief over this space."""
        return self.places()[-1] + space.size + space.dim**2

    def pack(self, belief: NoiseBelief) -> Array:
        """Beliefs as the inner steps keep them, rows ``(..., numbers)``."""
        parts = [np.asarray(belief.factor, dtype=np.float64)[..., None]]
        for sensor in self.known:
            noise, m = belief.estimate(sensor), sensor.reading.dim
            R, weight = (np.full((m, m), np.nan), np.zeros(())) if noise is None else (noise.R, noise.weight)
            parts += [R.reshape(*R.shape[:-2], m * m), weight[..., None]]
        known = belief.gaussian
        parts += [known.mean, known.cov.reshape(*known.cov.shape[:-2], -1)]
        axes = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
        return np.concatenate([np.broadcast_to(part, (*axes, part.shape[-1])) for part in parts], axis=-1)

    def unpack(self, space: Space, table: Array) -> NoiseBelief:
        """Beliefs in rows ``(..., numbers)``, which nobody else changes: arrays may be views of them."""
        places, axes, d = self.places(), table.shape[:-1], space.dim
        noises = list[SensorNoise]()
        for sensor, at in zip(self.known, places[:-1], strict=True):
            m = sensor.reading.dim
            weight = np.asarray(table[..., at + m * m])
            noises.append(SensorNoise(sensor, table[..., at : at + m * m].reshape(*axes, m, m), weight))
        mean, cov = np.split(table[..., places[-1] :], [space.size], axis=-1)
        gaussian = Gaussian.trusted(space, mean, cov.reshape(*axes, d, d))
        return NoiseBelief(gaussian, read(noises), table[..., 0] if axes else float(table[0]))

    def sensor_model(self, sensor: Sensor, lanes: bool = False) -> Model:
        """A mounted sensor as the inner steps see it; behind its gates, where its estimate is."""
        model = super().sensor_model(sensor, lanes)
        model["given"] = 1
        place = next(
            at for each, at in zip(self.known, self.places(), strict=False) if each is sensor or each == sensor
        )
        model.point("gates", np.append(gate_quantiles(self.gate, sensor.reading.dim), place))
        return model

    def smoothed(self, run: FilterRun, *, rng: Rng = None) -> Gaussian:
        """The Gaussians of a run given all its readings, under the process noise that it used; see `smooth`."""
        checked(rng)
        step = ADAPTED if np.any(run.predicted.factor != 1.0) else LINEARIZED
        return rts(replace(run, beliefs=run.beliefs.moments(), predicted=run.predicted.moments()), step)
