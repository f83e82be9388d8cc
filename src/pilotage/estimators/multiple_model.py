"""The static multiple model filter, which finds out which of several models is the true one."""

from __future__ import annotations

from typing import Annotated

from ..core import Dynamics
from ..core.errors import SettingError
from ..core.settings import Interval, Positive, settings
from ._modes import Filters, SeveralModels
from .ekf import EKF


@settings
class MultipleModel(SeveralModels):
    """Static multiple model filter, for a target that moves by one of several models and never switches.

    ::

        predict   each filter predicts
        update    each filter updates with log-likelihood l_j,   w_j = w_j exp(l_j) / sum

    This is Bayes' rule over the models, exact where these are linear, and known as multiple model adaptive estimation.
    The weight of a wrong model falls to zero; with a `floor`, models that are almost out of the question recover within
    a few readings when the target does switch, which is a heuristic. For targets that switch, use `IMM`.

    Source: Magill, "Optimal adaptive estimation of sampled stochastic processes", IEEE Trans. Automatic Control 10,
    1965; Bar-Shalom, Li and Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 2001, section
    11.6.2; for the floor, Maybeck, *Stochastic Models, Estimation and Control*, volume 2, 1982, section 10.8.

    Args:
        models: dynamics of each model; all must have the same action.
        dt: step [s].
        filter: as for `IMM`.
        floor: least weight of a model, less than an equal share.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> models = [constant_velocity(1, density=density) for density in (0.1, 1.0, 10.0)]
        >>> target = MultipleModel(models, dt=1.0).start(std=1.0)
        >>> for z in (0.0, 7.0, -4.0, 20.0):
        ...     update = target.step(position(1, std=0.1), [z])
        >>> target.belief.weights.round(2).tolist()
        [0.0, 0.0, 1.0]
    """

    models: tuple[Dynamics, ...]
    dt: Positive
    filter: Filters = EKF()
    floor: Annotated[float, Interval(0.0, 1.0, "[)")] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.floor * len(self.models) >= 1.0:
            raise SettingError(f"floor is {self.floor}; {len(self.models)} models have less than 1/{len(self.models)}")

    @property
    def least(self) -> float:
        return max(self.floor, super().least)
