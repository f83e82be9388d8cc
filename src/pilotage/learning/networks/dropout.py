"""A perceptron with dropout, whose masks remain when it predicts."""

from __future__ import annotations

from typing import Annotated

import torch

from ...core.settings import Count, Interval, Natural
from ._perceptrons import ACTIVATIONS, Activation, Layer, Perceptrons, batched
from .mlp import MLP
from .network import Outputs, recorded


class DropoutMLP(Perceptrons):
    """A perceptron with dropout: while it trains, units are left out at random; afterwards, by fixed masks.

    ::

        h' = act(h W + b) * mask / (1 - rate)

    Each mask makes a member of an ensemble that shares its weights; where data are missing, they disagree. The masks
    are drawn once, from the seed, so that a prediction is a function of its inputs. While the network trains, each row
    has a mask of its own, which depends on the seed and the number of calls so far. Far from all data the disagreement
    grows with the inputs for a piecewise linear activation ("relu"), and stays where it is for "tanh".

    Args:
        inputs, outputs, hidden, activation: as for `MLP`.
        rate: probability that a hidden unit is left out.
        masks: number of fixed masks.
        seed: seed of the initial weights and of the masks.

    Source: Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning",
    ICML 2016, equation 6; masks that stay fixed along a prediction: Gal, McAllister and Rasmussen, "Improving PILCO
    with Bayesian neural network dynamics models", 2016, section 4.2.

    Example:
        >>> network = DropoutMLP(3, 2, hidden=(8,), masks=10)
        >>> network.predict(torch.ones(7, 3, dtype=torch.float64)).mean.shape
        torch.Size([10, 7, 2])
    """

    calls: torch.Tensor

    @recorded
    def __init__(
        self,
        inputs: Count,
        outputs: Count,
        *,
        hidden: tuple[Count, ...] = (64, 64),
        activation: Activation = "tanh",
        rate: Annotated[float, Interval(0.0, 1.0, "[)")] = 0.1,
        masks: Count = 10,
        seed: Natural = 0,
    ) -> None:
        self.network = MLP(inputs, outputs, hidden=hidden, activation=activation, seed=seed)
        self.rate, self.activation = rate, ACTIVATIONS[activation]()
        drawn = torch.Generator().manual_seed(seed)
        for k, width in enumerate(hidden):
            self.register_buffer(f"mask_{k}", _mask((masks, 1, width), rate, drawn))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs ``(..., outputs)``: of one mask for each row while the network trains, else the mean of all."""
        if not self.training:
            return self.predict_members(features).mean(0)
        drawn = torch.Generator(features.device).manual_seed(self.settings["seed"] + 1 + int(self.calls))
        self.calls += 1
        h = features
        for layer in self.network.layers:
            h = layer(h)
            if not isinstance(layer, torch.nn.Linear):
                h = h * _mask(tuple(h.shape), self.rate, drawn).to(h)
        return h

    def predict(self, features: torch.Tensor) -> Outputs:
        """The outputs of each mask."""
        return Outputs(self.predict_members(features))

    def predict_members(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs ``(masks, ..., outputs)``."""
        return batched(self.stacked(), self.activation, features)

    def stacked(self) -> list[Layer]:
        """The layers of each mask, which is a factor of the weights that the next layer applies to its units."""
        layers = self.network.stacked()
        count = self.settings["masks"]
        kept = [getattr(self, f"mask_{k}") for k in range(len(layers) - 1)]
        first = (layers[0][0].expand(count, -1, -1), layers[0][1].expand(count, -1, -1))
        return [first, *((m.mT * W, b.expand(count, -1, -1)) for m, (W, b) in zip(kept, layers[1:], strict=True))]


def _mask(shape: tuple[int, ...], rate: float, drawn: torch.Generator) -> torch.Tensor:
    """0 with probability `rate`, else ``1 / (1 - rate)``."""
    kept = torch.rand(shape, generator=drawn, device=drawn.device, dtype=torch.float64) >= rate
    return kept.double() / (1.0 - rate)
