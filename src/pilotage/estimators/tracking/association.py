"""Association: how likely it is that each detection of a scan comes from each track."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ...core.arrays import Array
from .gate import Pairs
from .management import Management
from .sprt import ScoreTest


class Association(ABC):
    """Base of the rules by which a `Tracker` shares out the detections of a scan among its tracks.

    A rule is given the odds of each pair within the gate: how much likelier it is that the detection comes from the
    track, than that the track was not detected and the detection is a false one::

        w_ij  =  P_D N(z_j (-) h(x_i); 0, S_i)  /  (lambda (1 - P_D P_G))

    Attributes:
        doubtful: the tracks of which odds count that they may not exist, with r_i for P_D and P_D P_G: `"none"`,
            `"tentative"` ones, or `"all"`, as integrated association does.
        management: of a `Tracker` that is given none.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class First(Association):
        ...     "Every track takes the first detection in its gate, and never mind the others."
        ...
        ...     def share(self, pairs, log_odds):
        ...         beta = np.zeros(len(log_odds))
        ...         beta[np.unique(pairs.rows, return_index=True)[1]] = 1.0
        ...         return Shares.of(pairs, beta)
    """

    doubtful: ClassVar[Literal["none", "tentative", "all"]] = "none"
    management: ClassVar[Management] = ScoreTest()

    @abstractmethod
    def share(self, pairs: Pairs, log_odds: Array) -> Shares:
        """The share of each pair, given its log-odds ``(P,)``."""


@dataclass(frozen=True, eq=False)
class Shares:
    """Probabilities of associations.

    Args:
        beta: of each pair, ``(P,)``.
        missed: that a track caused none of the detections, ``(N,)``.

    Example:
        >>> pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), np.zeros(3), tracks=2, detections=2)
        >>> Shares.of(pairs, np.array([0.5, 0.3, 0.6])).missed.round(1).tolist()
        [0.2, 0.4]
        >>> Shares.chosen(pairs, np.array([0])).beta.tolist()
        [1.0, 0.0, 0.0]
    """

    beta: Any
    missed: Any

    @staticmethod
    def of(pairs: Pairs, beta: Array) -> Shares:
        """Shares of which those of a track sum to one."""
        return Shares(beta, np.maximum(1.0 - np.bincount(pairs.rows, beta, pairs.tracks), 0.0))

    @staticmethod
    def chosen(pairs: Pairs, taken: Any) -> Shares:
        """All for the pairs in these places."""
        beta, missed = np.zeros(len(pairs.rows)), np.ones(pairs.tracks)
        beta[taken], missed[pairs.rows[taken]] = 1.0, 0.0
        return Shares(beta, missed)
