"""A network of sets of objects, each seen alone and then pooled."""

from __future__ import annotations

from typing import Literal

import torch

from ...core.settings import Count, Natural
from ._perceptrons import Activation, chain
from .network import Network, recorded


class DeepSet(Network):
    """A network of a set of objects ``rho(pool_i phi(object_i))``; their order does not matter.

    With `pool` "max", it is PointNet without its transformations. An empty set is pooled to zero.

    Args:
        inputs: numbers that describe an object.
        outputs: number of outputs.
        width: width of all layers, two in phi and one in rho.
        pool: "max", "mean" or "sum".
        activation: "tanh", "silu", "relu" or "mish".
        seed: seed of the initial weights.

    Source: Zaheer et al., "Deep sets", NeurIPS 2017, theorem 2; Qi et al., "PointNet", CVPR 2017, equation 1.

    Example:
        >>> objects, there = torch.zeros(5, 8, 4).double(), torch.ones(5, 8, dtype=torch.bool)
        >>> DeepSet(4, 2)(objects, there).shape                       # 5 sets of 8 objects
        torch.Size([5, 2])
    """

    @recorded
    def __init__(
        self,
        inputs: Count,
        outputs: Count,
        *,
        width: Count = 64,
        pool: Literal["max", "mean", "sum"] = "max",
        activation: Activation = "relu",
        seed: Natural = 0,
    ) -> None:
        self.pool = pool
        self.phi = chain([inputs, width, width], activation)
        self.rho = chain([width, width, outputs], activation)

    def forward(self, objects: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """The outputs ``(..., outputs)`` for objects ``(..., N, inputs)``; those where `mask` is False do not exist."""
        return self.rho(pooled(self.phi(objects), mask_of(objects, mask), self.pool))


def mask_of(objects: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """The mask ``(..., N)``; all True if there is none."""
    return objects.new_ones(objects.shape[:-1], dtype=torch.bool) if mask is None else mask.expand(objects.shape[:-1])


def pooled(h: torch.Tensor, mask: torch.Tensor, pool: str) -> torch.Tensor:
    """The maximum, mean or sum of h ``(..., N, width)`` over the objects of a mask ``(..., N)``; 0 where there is none.

    Example:
        >>> pooled(torch.tensor([[1.0], [5.0]]), torch.tensor([True, False]), "max")
        tensor([1.])
    """
    there = mask[..., None]
    if pool == "max":
        least = torch.where(there, h, torch.full_like(h, -torch.inf))
        return torch.where(there.any(-2), least.amax(-2), h.new_zeros(()))
    total = torch.where(there, h, torch.zeros_like(h)).sum(-2)
    return total if pool == "sum" else total / there.sum(-2).clamp_min(1)
