"""Births and deaths of targets, as settings of the methods that count targets which were never detected."""

from __future__ import annotations

import math

from ...core.errors import SettingError
from ...core.settings import NonNegative, Positive, settings
from ._intervals import Duration
from ._state import Hypotheses, Parts
from .one_point import OnePoint


@settings
class Births(Hypotheses):
    """Base of the settings of methods in which targets are born as a Poisson process, and die.

    Args:
        rate: births [1/s].
        lifetime: mean life of a target [s].
        undetected: expected number of targets at the first scan; None for ``rate * lifetime``.
    """

    rate: Positive = 0.02
    lifetime: Duration = 100.0
    undetected: NonNegative | None = None

    def __post_init__(self) -> None:
        if math.isinf(self.lifetime) and self.undetected is None:
            raise SettingError(
                f"lifetime of {type(self).__name__} is infinite; give the number of undetected targets at the first "
                "scan"
            )

    @property
    def first(self) -> float:
        """The expected number of undetected targets at the first scan."""
        return self.rate * self.lifetime if self.undetected is None else self.undetected

    def initiation(self, parts: Parts) -> OnePoint:
        """The belief of births among the parts of a tracker, which has no management of its own."""
        name = type(self).__name__
        if not isinstance(parts.initiation, OnePoint):
            raise SettingError(
                f"birth of Tracker is a {type(parts.initiation).__name__}; {name} needs a belief: give one"
            )
        if parts.management is not None:
            raise SettingError(
                f"management of Tracker is a {type(parts.management).__name__}; {name} confirms and deletes by "
                "existence: leave it out"
            )
        return parts.initiation


def born(rate: float, lifetime: float, dt: float) -> float:
    """The expected number of targets that are born in `dt` seconds and still live at their end."""
    return rate * dt if math.isinf(lifetime) else -rate * lifetime * math.expm1(-dt / lifetime)
