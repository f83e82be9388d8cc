"""Several perceptrons at once: each layer of all of them is one batched product."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Literal

import torch

from .network import Network

Activation = Literal["tanh", "silu", "relu", "mish"]
ACTIVATIONS = {"tanh": torch.nn.Tanh, "silu": torch.nn.SiLU, "relu": torch.nn.ReLU, "mish": torch.nn.Mish}
Layer = tuple[torch.Tensor, torch.Tensor]


def chain(widths: Sequence[int], activation: Activation = "tanh") -> torch.nn.Sequential:
    """Linear layers of these widths, with the activation between them."""
    layers: list[torch.nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [torch.nn.Linear(a, b, dtype=torch.float64), ACTIVATIONS[activation]()]
    return torch.nn.Sequential(*layers[:-1])


class Perceptrons(Network):
    """Perceptrons of one shape, of which the weights are known, so that they can be emitted as model code."""

    def stacked(self) -> list[Layer]:
        """Weights ``(members, inputs, outputs)`` and biases ``(members, 1, outputs)`` of each layer."""
        raise TypeError(f"{type(self).__name__} has no layers")  # abstract; nn.Module has a metaclass of its own

    def predict_members(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs ``(members, ..., outputs)`` for features ``(..., inputs)``."""
        return batched(self.stacked(), ACTIVATIONS[self.settings["activation"]](), features)


def batched(
    layers: Sequence[Layer], activation: Callable[[torch.Tensor], torch.Tensor], features: torch.Tensor
) -> torch.Tensor:
    """The outputs ``(members, ..., outputs)`` of perceptrons: ``h = act(h W + b)`` for all of them in one product."""
    h = features.reshape(-1, features.shape[-1]).expand(len(layers[0][0]), -1, -1)
    for W, b in layers[:-1]:
        h = activation(torch.baddbmm(b, h, W))
    W, b = layers[-1]
    return torch.baddbmm(b, h, W).reshape(len(W), *features.shape[:-1], W.shape[-1])
