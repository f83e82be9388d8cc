"""A prediction that separates what the model does not know from what nobody can know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..core import Gaussian, Space
from .border import array, is_tensor


@dataclass(frozen=True, eq=False)
class Prediction:
    """The next state ``x' = mean (+) (e + w)`` with ``e ~ N(0, epistemic)``, ``w ~ N(0, aleatoric)``.

    The epistemic part is the disagreement of the members of an ensemble, or of the masks of dropout: it shrinks where
    there are more data, and grows outside them. The aleatoric part is the noise that remains with any number of data.

    Attributes:
        space: space of the states.
        mean: ``(..., n)``, the prediction of `step`.
        epistemic, aleatoric: covariances in the tangent at the mean ``(..., dim, dim)``.

    Source: Kendall and Gal, "What uncertainties do we need in Bayesian deep learning for computer vision?", NeurIPS
    2017, equation 9.

    Example:
        >>> from pilotage.learning import Ensemble, ResidualDynamics
        >>> from pilotage.models import pendulum
        >>> model = ResidualDynamics(pendulum(), Ensemble(5, inputs=4, outputs=2), noise=0.1)
        >>> found = model.predict([0.1, 0.0], [0.0], 0.1)
        >>> found.aleatoric.diagonal().round(6).tolist(), float(found.epistemic.max())
        ([0.001, 0.001], 0.0)
    """

    space: Space
    mean: Any
    epistemic: Any
    aleatoric: Any

    @property
    def cov(self) -> Any:
        """The total covariance ``(..., dim, dim)``."""
        return self.epistemic + self.aleatoric

    def moments(self) -> Gaussian:
        """The prediction as a belief."""
        mean, cov = (array(v) if is_tensor(v) else v.copy() for v in (self.mean, self.cov))
        return Gaussian.trusted(self.space, mean, cov)


def disagreement(space: Space, ys: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The covariance ``mean_i e_i e_i'`` of states ``(members, ..., n)`` about `y`, with ``e_i = y_i (-) y``."""
    e = space.minus(ys, y.expand(ys.shape))
    return (e[..., :, None] * e[..., None, :]).mean(0)
