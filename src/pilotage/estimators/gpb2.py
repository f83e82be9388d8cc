"""The generalized pseudo-Bayesian filter of second order: a filter for each pair of the last two modes."""

from __future__ import annotations

import numpy as np

from ..core import Dynamics, Mixture
from ..core.settings import settings
from ._gaussian import GaussianEstimator
from ._modes import SwitchingModels


@settings
class GPB2(SwitchingModels):
    """Generalized pseudo-Bayesian filter of second order, for a target that switches between several motion models.

    ::

        predict   w_i = sum_h w_hi,   belief of mode i = sum_h w_hi / w_i belief_hi         matched by moments
                  filter (i, j) predicts it by model j,   w_ij = T_ij w_i
        update    each filter updates with log-likelihood l_ij,   w_ij = w_ij exp(l_ij) / sum

    There is a filter for each pair of the mode before the last prediction and the one after it, M^2 of them; beliefs
    are merged one step later than those of an `IMM`, which is more accurate. It is the IMM of pairs of modes: pair (h,
    i) goes to pair (i, j) with probability T_ij, and components that models do not share are those of pair (i, j).

    The belief is a `Mixture` of M^2 components, those of pair (i, j) at ``i M + j``; `probabilities` gives those of
    the M modes. A belief with one component for each mode is accepted, too.

    Source: Bar-Shalom, Li and Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 2001, section
    11.6.4.

    Args:
        models, switching, dt, filter: as for `IMM`.

    Example:
        >>> from pilotage.models import constant_turn, constant_velocity, position
        >>> gpb = GPB2((constant_velocity(density=0.1), constant_turn(density=0.1)), 0.95, dt=0.1)
        >>> target = gpb.start(mean={"vx": 9.0}, std=1.0)
        >>> target.step(position(std=1.0), z=[1.0, 0.1]).accepted
        True
        >>> gpb.probabilities(target.belief).shape
        (2,)
    """

    @property
    def components(self) -> tuple[tuple[GaussianEstimator, Dynamics], ...]:
        return super().components * len(self.models)

    def chain(self, dt: float) -> np.ndarray:
        T, count = self.transition(dt), len(self.models)
        after = np.einsum("ia,ij->iaj", np.eye(count), T).reshape(count, count**2)  # from mode i to pair (a, j)
        return np.tile(after, (count, 1))

    def spread(self, belief: Mixture) -> Mixture:
        count = len(self.models)
        logs = np.concatenate([belief.log_weights - np.log(count)] * count, axis=-1)
        return Mixture.trusted(belief.components * count, logs)

    def probabilities(self, belief: Mixture) -> np.ndarray:
        pairs = self.accepted(belief).weights
        count = len(self.models)
        return pairs.reshape(*pairs.shape[:-1], count, count).sum(-2)
