"""The base of estimators that a `Filter` can start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..core import Rng, Sensor
from ..core.streams import checked
from ._inputs import first_belief, moving

if TYPE_CHECKING:
    from .filter import Filter


class Startable(ABC):
    """Base of estimators that a filter can start from; subclasses create the engine."""

    if TYPE_CHECKING:
        dynamics: Any
        dt: float | None

    def start(
        self,
        mean: Any = None,
        std: Any = None,
        *,
        cov: Any = None,
        belief: Any = None,
        t: float = 0.0,
        sensors: Mapping[str, Sensor] | None = None,
        rng: Rng = None,
        history: float | None = None,
        delayed: Literal["replay", "retrodict"] = "replay",
        latency: Mapping[str, float] | None = None,
    ) -> Filter:
        """A `Filter` that starts at time `t` with a mean and std (or cov), or with a belief.

        Args:
            mean: state ``(n,)``, or numbers by name, ``{"x": 1.0}``, as for `Gaussian.of`.
            std: standard deviations in the tangent space: a number, ``(d,)``, or by name.
            cov: covariance ``(d, d)``, instead of `std`.
            belief: any belief over the state, instead of the other three.
            t: start time [s].
            sensors: sensors by name; `update` and `run` accept these names.
            rng: seed or generator of the filter's random numbers; Kalman filters draw none.
            history, delayed, latency: how old a late reading may be [s], what is done with it, and by how much the
                times of a sensor are late, see `Filter.remember`.

        Raises:
            ModelError: if the estimator has no dynamics.
            CovarianceError: if neither `std`, `cov` nor `belief` is given.
        """
        dynamics = self.moving()
        known = any(value is not None for value in (mean, std, cov, belief))
        if known or not self.starts_anywhere:
            belief = first_belief(dynamics.state, mean, std, cov, belief)
        return self.started(belief, t, sensors, checked(rng)).remember(history, delayed, latency)

    def moving(self) -> Any:
        """The dynamics; an error where there are none."""
        return moving(self)

    starts_anywhere: ClassVar[bool] = False
    """Whether a filter may begin without any belief."""
    misused: ClassVar[str] = "; for a filter that holds its belief, call .start(...) first"
    own_contexts: ClassVar[bool] = False
    """Whether the estimator says what a context is; here the sensor does."""

    @abstractmethod
    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that begins with a belief; None where it may begin without."""
