"""A head that gives a mean and a variance, and the likelihood that trains it."""

from __future__ import annotations

from typing import Any

import torch

from ...core import SettingError
from ...core.settings import Fraction
from .ensemble import Ensemble
from .network import Network, Outputs, predictions, recorded

BOUNDS = 0.01
"""Weight of the distance of the bounds in the loss."""


class GaussianHead(Network):
    """A network whose outputs are the mean and the logarithm of the variance of a normal distribution.

    ::

        (mean, s)    = body(features)
        s            = high - softplus(high - s)
        log variance = low + softplus(s - low)

    The bounds `low` and `high` are learned, one of each output; they keep the variance from running away where there
    are no data. The body may be an `Ensemble` or `DropoutMLP`: then each member has a mean and a variance, as in PETS.

    Args:
        body: a block with an even number of outputs, twice those of the head.
        beta: exponent by which the likelihood of each output is weighted with its variance: 0 is the likelihood; 0.5
            learns the mean also where the variance is large.

    Source: Chua, Calandra, McAllister and Levine, "Deep reinforcement learning in a handful of trials using
    probabilistic dynamics models", NeurIPS 2018, section 4 and appendix A.1; beta: Seitzer et al., "On the pitfalls of
    heteroscedastic uncertainty estimation with probabilistic neural networks", ICLR 2022, equation 5.

    Example:
        >>> network = GaussianHead.ensemble(5, inputs=3, outputs=2, hidden=(32, 32))
        >>> network(torch.ones(7, 3, dtype=torch.float64)).log_variance.shape
        torch.Size([5, 7, 2])
    """

    @recorded
    def __init__(self, body: Network, *, beta: Fraction = 0.0) -> None:
        outputs = body.settings.get("outputs", 1)
        if outputs % 2:
            raise SettingError(
                f"outputs of the body of GaussianHead are {outputs}; expected means and as many variances"
            )
        if body.settings.get("bounded"):
            raise SettingError("the body of GaussianHead has bounded outputs; expected bounded=False")
        self.body, self.beta = body, beta
        self.low = torch.nn.Parameter(torch.full((outputs // 2,), -10.0))
        self.high = torch.nn.Parameter(torch.full((outputs // 2,), 0.5))

    @classmethod
    def ensemble(cls, members: int, inputs: int, outputs: int, *, beta: float = 0.0, **settings: Any) -> GaussianHead:
        """The head of an `Ensemble` with these settings."""
        return cls(Ensemble(members, inputs, 2 * outputs, **settings), beta=beta)

    def forward(self, features: torch.Tensor) -> Outputs:
        """Mean and log variance, with the axes of the body's outputs."""
        return self._split(self.body(features))

    def predict(self, features: torch.Tensor) -> Outputs:
        """Mean and log variance of each member."""
        return self._split(predictions(self.body, features).mean)

    def _split(self, out: torch.Tensor) -> Outputs:
        mean, s = out.chunk(2, dim=-1)
        s = self.high - torch.nn.functional.softplus(self.high - s)
        return Outputs(mean, self.low + torch.nn.functional.softplus(s - self.low))


def loss_of(network: torch.nn.Module, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean loss of a network for targets ``(N, outputs)``: squared error, or Gaussian likelihood of a variance.

    ::

        squared error    mean (y - g)^2
        likelihood       mean ((y - mean)^2 / var + log var) / 2 + 0.01 sum(high - low)

    Members of an ensemble are averaged. The last term, which pulls the learned bounds together, is left out where
    nothing is trained (``network.eval()``).

    Example:
        >>> from pilotage.learning import MLP
        >>> loss_of(MLP(3, 2), torch.ones(5, 3).double(), torch.ones(5, 2).double()).item()
        1.0
    """
    out = network(features)
    if not isinstance(out, Outputs) or out.log_variance is None:
        out = out.mean if isinstance(out, Outputs) else out
        return (out - targets).pow(2).mean()
    s = out.log_variance
    each = 0.5 * ((out.mean - targets).pow(2) * (-s).exp() + s)
    if not network.training or not isinstance(network, GaussianHead):
        return each.mean()
    weights = (network.beta * s.detach()).exp()
    return (weights * each).mean() + BOUNDS * (network.high - network.low).sum()
