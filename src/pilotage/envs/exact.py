"""Sensors without noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Sensor, Space


class Exact(Sensor):
    """A sensor without noise and without a context: a reading is ``observe(x)``.

    Example:
        >>> class Place(Exact):
        ...     state, reading = Space("x v"), Space("x")
        ...
        ...     def observe(self, x, context=None):
        ...         return x[..., :1]
        >>> Place().sample(np.array([2.0, 3.0]))
        array([2.])
    """

    context = Space()

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance, which is zero and takes no memory."""
        return np.broadcast_to(0.0, (self.reading.dim, self.reading.dim))

    def sample(self, x: Any, context: Any = None, *, rng: Any = None) -> Any:
        """The readings, which have no noise."""
        return self.observe(x)
