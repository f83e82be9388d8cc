"""The way from a sensor to the robot: how often a reading comes, how late, how noisy, and how often it is lost."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.arrays import Array
from ...core.settings import Fraction, NonNegative, Positive, settings


@settings(eq=False, kw_only=True)
class Timing:
    """The rate, delay and gaps of the readings of a sensor.

    Args:
        period: seconds between readings; default: one at every tick.
        delay: seconds from a reading to its arrival; readings arrive at ticks.
        dropout: probability that a reading is lost.

    Example:
        >>> Timing(period=0.2, delay=0.1).due(3, 0.1), Timing().due(3, 0.1)
        (False, True)
    """

    period: Positive | None = None
    delay: NonNegative = 0.0
    dropout: Fraction = 0.0

    def due(self, tick: Any, dt: float) -> Any:
        """Whether there is a reading at this tick, or at each of these."""
        return self.period is None or tick % max(round(self.period / dt), 1) == 0


@settings
class Link(Timing):
    """The rate, delay, noise and gaps of the readings of a sensor.

    Args:
        std: standard deviation of noise that is added to each number.
        period: seconds between readings; default: one at every tick.
        delay: seconds from a reading to its arrival; readings arrive at ticks.
        dropout: probability that a reading is lost.

    Example:
        >>> Link(std=0.1, period=0.2).due(3, 0.1), Link(dropout=0.1) == Link(std=0.1, dropout=0.1)
        (False, False)
    """

    std: NonNegative = 0.0


class Arrival(NamedTuple):
    """A reading that arrives at a tick, and the tick at which it was taken."""

    due: int
    taken: int
    reading: Array


class Line:
    """The readings on their way through a link.

    Args:
        link: the link.
        dt: seconds of a tick.

    Example:
        >>> line, stream = Line(Link(delay=0.2), 0.1), np.random.default_rng(0)
        >>> [len(line.passed(tick, np.ones(1), stream)) for tick in range(4)]
        [0, 0, 1, 1]
    """

    def __init__(self, link: Link, dt: float) -> None:
        self.link, self.dt = link, dt
        self._lag = round(link.delay / dt)
        self._queue: list[Arrival] = []

    def passed(self, tick: int, reading: Any, stream: np.random.Generator) -> list[Arrival]:
        """Send the reading of this tick, if there is one, and return those that arrive now."""
        if self.link.due(tick, self.dt) and not (self.link.dropout and stream.random() < self.link.dropout):
            z = np.array(reading, dtype=np.float64)
            if self.link.std:
                z += self.link.std * stream.standard_normal(z.shape)
            self._queue.append(Arrival(tick + self._lag, tick, z))
        here = [arrival for arrival in self._queue if arrival.due <= tick]
        self._queue = [arrival for arrival in self._queue if arrival.due > tick]
        return here
