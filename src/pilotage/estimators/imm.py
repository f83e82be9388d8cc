"""The interacting multiple model filter, for targets that switch between several motion models.

Models may have different states; components that model j does not share with model i by name come from model j
itself. Modes switch over time, so only the prediction uses T, and a second sensor at the same time switches nothing.
"""

from __future__ import annotations

from ..core.settings import settings
from ._modes import SwitchingModels


@settings
class IMM(SwitchingModels):
    """Interacting multiple model filter, for a target that switches between several motion models.

    ::

        predict   c_j = sum_i T_ij w_i,   m_ij = T_ij w_i / c_j                    T = switching^(t / dt)
                  belief of filter j = sum_i m_ij carry(belief_i, space_j, fill=belief_j)      matched by moments
                  each filter predicts,   w_j = c_j
        update    each filter updates with log-likelihood l_j,   w_j = w_j exp(l_j) / sum

    t is the duration of the prediction. The belief is a `Mixture` with one component for each mode; leading axes of it
    are a batch, and `Bank` holds many targets.

    Source: Blom and Bar-Shalom, "The interacting multiple model algorithm for systems with Markovian switching
    coefficients", IEEE Trans. Automatic Control 33, 1988; Granstrom, Willett and Bar-Shalom, "Systematic approach to
    IMM mixing for unequal dimension states", IEEE Trans. Aerospace and Electronic Systems 51, 2015.

    Args:
        models: dynamics of each mode; all must have the same action.
        switching: probabilities T ``(M, M)`` for a step of `dt`, with row i those of going from mode i to each mode; or
            one number, the probability of staying in the same mode.
        dt: step [s].
        filter: the filter of each mode, any Kalman filter with its gate; or a tuple, one filter for each mode.

    Example:
        >>> from pilotage.models import constant_turn, constant_velocity, position
        >>> imm = IMM((constant_velocity(density=0.1), constant_turn(density=0.1)), 0.95, dt=0.1)
        >>> target = imm.start(mean={"x": 0.0, "y": 0.0, "vx": 9.0}, std=1.0)
        >>> target.predict()
        >>> target.update(position(std=1.0), z=[1.0, 0.1]).accepted
        True
    """
