"""Evaluations under frozen conditions, and the success rates that they give."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..core import SettingError, ShapeError
from ..core.confidence import Interval, Share, normal_quantile, wilson
from ..core.settings import Count, Natural, setting, settings


@settings(kw_only=True)
class EvaluationProtocol:
    """The conditions under which a policy or a model is evaluated. Equal conditions have equal hashes.

    Attributes:
        world: name of the world.
        starts: name of the distribution of the starts.
        goals: name of the goal, or of the distribution of the goals.
        budget: largest number of decisions in an episode.
        episodes: number of episodes.
        seed: seed from which the starts and goals of all episodes are drawn.
        success: thresholds of the success rule, by name, in SI units; their order does not matter.

    Raises:
        SettingError: if a field is out of its range, or a threshold has two values.

    Example:
        >>> protocol = EvaluationProtocol(world="truck", starts="E1", goals="dock", budget=300, episodes=4,
        ...                               success=(("position", 0.5), ("heading", 0.17)))
        >>> rate = protocol.rate([True, True, False, True])
        >>> print(rate)
        75.0 % of 4 (30.1 to 95.4)
    """

    world: str
    starts: str
    goals: str
    budget: Count
    episodes: Count
    success: tuple[tuple[str, float], ...]
    seed: Natural = 0

    def __post_init__(self) -> None:
        names = [name for name, _ in self.success]
        if len(set(names)) < len(names):
            raise SettingError(f"success is {self.success}; expected one value for each name")
        object.__setattr__(self, "success", tuple(sorted(self.success)))

    @property
    def hash(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 hash of the conditions."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def rate(self, outcomes: Any) -> SuccessRate:
        """The success rate for the outcomes ``(episodes,)``, True where an episode succeeded.

        Raises:
            ShapeError: if there is not one truth value for each episode.
        """
        won = np.array(outcomes)
        if won.shape != (self.episodes,) or won.dtype != bool:
            raise ShapeError(
                f"outcomes have shape {won.shape} and type {won.dtype}; "
                f"expected ({self.episodes},) and bool: whether each episode succeeded"
            )
        won.flags.writeable = False
        return SuccessRate(self, won)


@dataclass(frozen=True, eq=False)
class SuccessRate:
    """A success rate under a protocol; `EvaluationProtocol.rate` makes it.

    Attributes:
        protocol: conditions of the evaluation.
        outcomes: whether each episode succeeded ``(episodes,)``.

    Example:
        >>> protocol = EvaluationProtocol(world="w", starts="s", goals="g", budget=9, episodes=3, success=())
        >>> best, other = protocol.rate([True, True, False]), protocol.rate([True, False, False])
        >>> print(best.minus(other)), print(other.within(best))
        0.3333 [-0.3259, 0.7259]
        0.5 [0.09453, 0.9055]
        (None, None)
    """

    protocol: EvaluationProtocol
    outcomes: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def successes(self) -> int:
        """The number of episodes that succeeded."""
        return int(self.outcomes.sum())

    @property
    def share(self) -> float:
        """The share of the episodes that succeeded."""
        return self.successes / self.protocol.episodes

    def interval(self, level: float = 0.95) -> Interval:
        """The share with its Wilson confidence interval."""
        return wilson(self.successes, self.protocol.episodes, level)

    def minus(self, other: SuccessRate, level: float = 0.95) -> Interval:
        """The difference of two shares over the same episodes, with its confidence interval.

        ::

            d = (b - c) / n,  d* = (b - c) / (n + 2),  v = (b + c + 1 - (b - c)^2 / (n + 2)) / (n + 2)^2
            d* -+ z sqrt(v),    b: only this one succeeded,  c: only the other did

        Raises:
            SettingError: if the protocols differ.

        Source: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions" (2005).
        """
        mine, theirs = self.outcomes, self._comparable(other).outcomes
        n, b, c = len(mine), int((mine & ~theirs).sum()), int((~mine & theirs).sum())
        middle, v = (b - c) / (n + 2), (b + c + 1 - (b - c) ** 2 / (n + 2)) / (n + 2) ** 2
        half = normal_quantile((1.0 + setting(level, Share, "level")) / 2.0) * math.sqrt(v)
        return Interval(max(middle - half, -1.0), (b - c) / n, min(middle + half, 1.0))

    def within(self, other: SuccessRate, level: float = 0.95) -> Interval:
        """The success rate over the episodes in which the other succeeded, such as an oracle of what is feasible.

        Raises:
            SettingError: if the protocols differ.
        """
        theirs = self._comparable(other).outcomes
        return wilson(int((self.outcomes & theirs).sum()), int(theirs.sum()), level)

    def to_json(self) -> dict[str, Any]:
        """The rate with its protocol and the hash, for JSON."""
        low, share, high = self.interval()
        return {
            "protocol": {**asdict(self.protocol), "success": dict(self.protocol.success)}, "hash": self.protocol.hash,
            "successes": self.successes, "episodes": self.protocol.episodes, "share": share, "interval": [low, high],
        }  # fmt: skip

    def _comparable(self, other: SuccessRate) -> SuccessRate:
        mine, theirs = self.protocol, other.protocol
        if mine.hash != theirs.hash:
            names = ", ".join(name for name, value in asdict(mine).items() if value != getattr(theirs, name))
            raise SettingError(
                f"the protocols differ in {names} ({mine.hash} and {theirs.hash}); evaluate both under one protocol"
            )
        return other

    def __str__(self) -> str:
        low, share, high = (100.0 * value for value in self.interval())
        return f"{share:.1f} % of {self.protocol.episodes} ({low:.1f} to {high:.1f})"
