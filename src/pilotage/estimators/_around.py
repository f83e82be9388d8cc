"""The base of estimators that wrap a filter with a Gaussian belief, and say which detections of a scan it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core import Dynamics, Gaussian, Rng, Sensor
from ._clock import wanted
from ._engine import PureEngine
from ._gaussian import moments_on
from ._startable import Startable
from .filter import Filter


class AroundFilter(Startable):
    """Base of estimators around a filter, the setting `filter`, whose predictions and expected readings are theirs."""

    if TYPE_CHECKING:
        filter: Any

    def __post_init__(self) -> None:
        if self.dynamics is not None:
            self.filter.check_dynamics(self.dynamics)

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that begins with a belief."""
        assert self.dynamics is not None  # `start` has seen to it
        engine = PureEngine(self, self.dynamics, moments_on(belief, self.dynamics.state), rng)
        return Filter(engine, t, self.dt, sensors)

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Gaussian:
        """The belief `dt` seconds later under action `u`; leading axes of the belief are a batch."""
        return self.filter.predict(belief, dynamics, u, wanted(dt, self.dt))

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Gaussian:
        """The expected reading of what is detected: its mean and innovation covariance S."""
        return self.filter.expect(belief, sensor, context)
