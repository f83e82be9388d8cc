"""The multilayer perceptron."""

from __future__ import annotations

import torch

from ...core.settings import Count, Natural
from ._perceptrons import Activation, Layer, Perceptrons, chain
from .network import recorded


class MLP(Perceptrons):
    """A multilayer perceptron whose last layer is initially zero, so that a residual starts without a correction.

    Args:
        inputs, outputs: number of inputs and outputs.
        hidden: width of each hidden layer.
        activation: "tanh", "silu", "relu" or "mish".
        seed: seed of the initial weights.

    Example:
        >>> MLP(3, 2, hidden=(8,))(torch.ones(5, 3, dtype=torch.float64)).shape
        torch.Size([5, 2])
    """

    @recorded
    def __init__(
        self,
        inputs: Count,
        outputs: Count,
        *,
        hidden: tuple[Count, ...] = (64, 64),
        activation: Activation = "tanh",
        seed: Natural = 0,
    ) -> None:
        self.layers = chain([inputs, *hidden, outputs], activation)
        for weight in self.layers[-1].parameters():
            torch.nn.init.zeros_(weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs ``(..., outputs)`` for features ``(..., inputs)``."""
        return self.layers(features)

    def stacked(self) -> list[Layer]:
        """The layers, as those of one member."""
        layers = [layer for layer in self.layers if isinstance(layer, torch.nn.Linear)]
        return [(layer.weight.mT[None], layer.bias[None, None]) for layer in layers]
