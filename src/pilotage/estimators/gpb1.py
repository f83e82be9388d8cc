"""The generalized pseudo-Bayesian filter of first order: all modes go on from one Gaussian."""

from __future__ import annotations

from typing import ClassVar

from ..core.settings import settings
from ._modes import SwitchingModels


@settings
class GPB1(SwitchingModels):
    """Generalized pseudo-Bayesian filter of first order, for a target that switches between several motion models.

    ::

        predict   belief of filter j = sum_i w_i carry(belief_i, space_j, fill=belief_j)       matched by moments
                  each filter predicts,   w_j = sum_i T_ij w_i
        update    each filter updates with log-likelihood l_j,   w_j = w_j exp(l_j) / sum

    Before a prediction all modes are merged into one Gaussian, from which each mode predicts; `IMM` merges for each
    mode what leads to it, at the same cost and more accurately. The belief is a `Mixture` with one component for each
    mode.

    Source: Bar-Shalom, Li and Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 2001, section
    11.6.3.

    Args:
        models, switching, dt, filter: as for `IMM`.

    Example:
        >>> from pilotage.models import constant_turn, constant_velocity, position
        >>> gpb = GPB1((constant_velocity(density=0.1), constant_turn(density=0.1)), 0.95, dt=0.1)
        >>> target = gpb.start(mean={"vx": 9.0}, std=1.0)
        >>> target.step(position(std=1.0), z=[1.0, 0.1]).accepted
        True
    """

    pooled: ClassVar[bool] = True
