"""Networks that a few settings define, so that they can be rebuilt from these."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from ..core import SettingError

ACTIVATIONS = {"tanh": torch.nn.Tanh, "silu": torch.nn.SiLU, "relu": torch.nn.ReLU, "mish": torch.nn.Mish}


class MLP(torch.nn.Module):
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

    def __init__(
        self, inputs: int, outputs: int, *, hidden: Sequence[int] = (64, 64), activation: str = "tanh", seed: int = 0
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise SettingError(f"there is no activation {activation!r}; there are {', '.join(ACTIVATIONS)}")
        self.settings: dict[str, Any] = {
            "inputs": inputs, "outputs": outputs, "hidden": list(hidden), "activation": activation, "seed": seed,
        }  # fmt: skip
        widths = [inputs, *hidden]
        layers: list[torch.nn.Module] = []
        # The caller's random stream does not change.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for a, b in itertools.pairwise(widths):
                layers += [torch.nn.Linear(a, b, dtype=torch.float64), ACTIVATIONS[activation]()]
            last = torch.nn.Linear(widths[-1], outputs, dtype=torch.float64)
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
        self.layers = torch.nn.Sequential(*layers, last)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs ``(..., outputs)`` for features ``(..., inputs)``."""
        return self.layers(features)


class Ensemble(torch.nn.Module):
    """Perceptrons with outputs in (-1, 1) and different initial weights; where data are missing, they disagree.

    Args:
        members: number of perceptrons; member i has the initial weights of ``seed + i``.
        settings: settings of each `MLP`.

    Source: Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles", NeurIPS 2017.

    Example:
        >>> Ensemble(5, inputs=3, outputs=2, hidden=(8,))(torch.ones(7, 3, dtype=torch.float64)).shape
        torch.Size([5, 7, 2])
    """

    def __init__(self, members: int, *, seed: int = 0, **settings: Any) -> None:
        super().__init__()
        self.members = torch.nn.ModuleList(MLP(**settings, seed=seed + i) for i in range(members))
        first: Any = self.members[0]
        self.settings: dict[str, Any] = {"members": members, **first.settings}

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs ``(members, ..., outputs)`` for features ``(..., inputs)``."""
        return torch.tanh(torch.stack([member(features) for member in self.members]))
