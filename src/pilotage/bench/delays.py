"""Delays of a controller in virtual time: the seconds from an observation to the action that answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..core.errors import SettingError
from ..core.settings import NonNegative, Positive, setting, settings, shown
from ..core.streams import generator

Delay = Callable[[float], float]
"""A function from the measured computing time [s] of a decision to its delay [s] in virtual time."""


class Delays(Protocol):
    """A model of the delays of an episode."""

    def start(self, seed: int) -> Delay:
        """The delays of one episode, in order."""
        ...


@settings
class Measured:
    """Each action is as late as its computation took on this machine. The row records the delays, to replay them.

    Example:
        >>> Measured().start(0)(0.003)
        0.003
    """

    def start(self, seed: int) -> Delay:
        """The identity."""
        return float


@settings
class Fixed:
    """Each action is late by the same time.

    Args:
        seconds: the delay [s]; 0 for a controller that needs no time.

    Example:
        >>> Fixed(0.02).start(0)(0.003)
        0.02
    """

    seconds: NonNegative = 0.0

    def start(self, seed: int) -> Delay:
        """A constant."""
        return lambda spent: self.seconds


@settings
class Lognormal:
    """Delays that vary as computing times do: ``median exp(sigma e)``, ``e ~ N(0, 1)``, the same for the same seed.

    Args:
        median: median of the delay [s].
        sigma: standard deviation of its logarithm.

    Example:
        >>> round(Lognormal(0.01, 0.5).start(0)(0.003), 4) == round(Lognormal(0.01, 0.5).start(0)(9.9), 4)
        True
    """

    median: Positive
    sigma: NonNegative = 0.3

    def start(self, seed: int) -> Delay:
        """Random delays of the seed."""
        rng = generator(seed, "delays")
        return lambda spent: float(self.median * np.exp(self.sigma * rng.standard_normal()))


class Recorded:
    """The delays of an earlier episode, in order, to replay it.

    Example:
        >>> replay = Recorded([0.1, 0.2]).start(0)
        >>> replay(9.9), replay(9.9)
        (0.1, 0.2)
    """

    def __init__(self, delays: Sequence[float]) -> None:
        self.delays = [float(d) for d in delays]

    def start(self, seed: int) -> Delay:
        """The recorded delays; 0 after the last one."""
        left = iter(self.delays)
        return lambda spent: next(left, 0.0)


def delays_of(given: Any, where: str = "timing") -> Delays:
    """The delays that a suite describes: "none", "measured", ``{"fixed": seconds}``, ``{"lognormal": {...}}``.

    Example:
        >>> delays_of({"lognormal": {"median": 0.01, "sigma": 0.5}})
        Lognormal(median=0.01, sigma=0.5)
    """
    if given in ("none", None):
        return Fixed(0.0)
    if given == "measured":
        return Measured()
    if isinstance(given, Mapping) and len(given) == 1:
        ((kind, value),) = given.items()
        if kind == "fixed":
            return Fixed(setting(value, NonNegative, f"{where}: fixed"))
        if kind == "lognormal" and isinstance(value, Mapping):
            return Lognormal(**value)
    raise SettingError(
        f"{where} is {shown(given)}; expected none, measured, fixed: SECONDS, or "
        "lognormal: {median: SECONDS, sigma: 0.3}"
    )
