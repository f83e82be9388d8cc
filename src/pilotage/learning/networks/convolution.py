"""Convolutions that turn an image into numbers, and numbers into an image."""

from __future__ import annotations

import itertools
import math

import torch

from ...core import SettingError
from ...core.settings import Count, Natural
from ._perceptrons import ACTIVATIONS, Activation
from .network import Network, recorded


class ConvEncoder(Network):
    """Convolutions that halve an image at every layer, and a linear layer: images ``(..., C, H, W)`` to outputs.

    Args:
        channels: channels C of the image.
        size: height H and width W of the image [pixels].
        outputs: number of outputs.
        widths: channels of each convolution, 4 x 4 pixels with a stride of 2.
        activation: "tanh", "silu", "relu" or "mish".
        seed: seed of the initial weights.

    Source: the layers of Ha and Schmidhuber, "World models", NeurIPS 2018, appendix A.1, with padding.

    Example:
        >>> ConvEncoder(3, (24, 31), 8)(torch.zeros(5, 3, 24, 31).double()).shape
        torch.Size([5, 8])
    """

    @recorded
    def __init__(
        self,
        channels: Count,
        size: tuple[Count, Count],
        outputs: Count,
        *,
        widths: tuple[Count, ...] = (16, 32, 64),
        activation: Activation = "relu",
        seed: Natural = 0,
    ) -> None:
        self.shape = (channels, *size)
        layers: list[torch.nn.Module] = []
        for a, b in itertools.pairwise([channels, *widths]):
            layers += [torch.nn.Conv2d(a, b, 4, stride=2, padding=1), ACTIVATIONS[activation]()]
        last = halved(size, len(widths))[-1]
        self.convolutions = torch.nn.Sequential(*layers)
        self.linear = torch.nn.Linear(widths[-1] * math.prod(last), outputs)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The outputs ``(..., outputs)`` of images ``(..., C, H, W)``."""
        h = self.convolutions(image.reshape(-1, *self.shape).to(self.linear.weight))
        return self.linear(h.flatten(1)).reshape(*image.shape[:-3], -1)


class ConvDecoder(Network):
    """A linear layer, and transposed convolutions that double an image: the shapes of `ConvEncoder`, backwards.

    Args:
        inputs: number of inputs.
        channels: channels C of the image.
        size: height H and width W of the image [pixels]; any, also odd ones.
        widths: channels of the layers of the encoder, whose order is reversed here.
        activation: "tanh", "silu", "relu" or "mish".
        seed: seed of the initial weights.

    Example:
        >>> ConvDecoder(8, 3, (24, 31))(torch.zeros(5, 8).double()).shape
        torch.Size([5, 3, 24, 31])
    """

    @recorded
    def __init__(
        self,
        inputs: Count,
        channels: Count,
        size: tuple[Count, Count],
        *,
        widths: tuple[Count, ...] = (16, 32, 64),
        activation: Activation = "relu",
        seed: Natural = 0,
    ) -> None:
        sizes = halved(size, len(widths))[::-1]
        self.first = (widths[-1], *sizes[0])
        self.linear = torch.nn.Linear(inputs, math.prod(self.first))
        layers: list[torch.nn.Module] = []
        for k, (a, b) in enumerate(itertools.pairwise([*widths[::-1], channels])):
            odd = (sizes[k + 1][0] % 2, sizes[k + 1][1] % 2)
            layers += [ACTIVATIONS[activation](), torch.nn.ConvTranspose2d(a, b, 4, 2, 1, output_padding=odd)]
        self.convolutions = torch.nn.Sequential(*layers)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Images ``(..., C, H, W)``, without bounds, of inputs ``(..., inputs)``."""
        image = self.convolutions(self.linear(features).reshape(-1, *self.first))
        return image.reshape(*features.shape[:-1], *image.shape[1:])


def halved(size: tuple[int, int], times: int) -> list[tuple[int, int]]:
    """The sizes of an image before and after each of several layers.

    Example:
        >>> halved((24, 31), 2)
        [(24, 31), (12, 15), (6, 7)]
    """
    sizes = [(size[0] >> k, size[1] >> k) for k in range(times + 1)]
    if times < 1 or min(sizes[-1]) < 1:
        raise SettingError(
            f"widths are {times} layers for an image of size {size}; expected 1 or more pixels at the end"
        )
    return sizes
