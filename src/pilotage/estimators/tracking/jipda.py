"""Joint integrated probabilistic data association: the joint sum, over tracks that may not exist."""

from __future__ import annotations

from typing import ClassVar, Literal

from ...core.arrays import Array
from ...core.settings import settings
from .association import Association, Shares
from .existence import Existence
from .gate import Pairs
from .jpda import JPDA
from .management import Management


@settings
class JIPDA(Association):
    """Joint integrated probabilistic data association: `JPDA` in which a track i exists with probability r_i.

    ::

        w_ij  =  r_i P_D N(z_j (-) h(x_i); 0, S_i)  /  (lambda (1 - r_i P_D P_G))
        r_i   <- beta_i0 r_i (1 - P_D P_G) / (1 - r_i P_D P_G)  +  sum_j beta_ij

    So a doubtful track takes less from its neighbours. The tracker does the second line, and confirms by it: a
    tracker with this association has `Existence` as its management, if it is given no other.

    Source: Musicki and Evans, "Joint integrated probabilistic data association: JIPDA", IEEE Trans. Aerospace and
    Electronic Systems 40, 2004.

    Args:
        joint: how the joint sum is done.

    Example:
        >>> from pilotage.estimators.tracking import JPDA
        >>> JIPDA(JPDA(width=8)).doubtful
        'all'
    """

    doubtful: ClassVar[Literal["none", "tentative", "all"]] = "all"
    management: ClassVar[Management] = Existence()
    joint: JPDA = JPDA()

    def share(self, pairs: Pairs, log_odds: Array) -> Shares:
        """The marginal of each pair, given odds that count existence."""
        return self.joint.share(pairs, log_odds)
