"""Inputs of networks: cosines and sines of angles, unit size, and the sum with the input itself."""

from __future__ import annotations

from typing import Any

import torch

from ...core import SettingError, ShapeError
from ...core.settings import Count, Natural
from .network import Network, recorded


class Trigonometric(Network):
    """A network of inputs of which some are angles: each becomes its cosine and sine, so that nothing jumps at a turn.

    Models have this already, as the features of their spaces; it is for other inputs.

    Args:
        network: the network, from ``inputs + len(angles)`` features.
        angles: indices of the inputs that are angles [rad].

    Example:
        >>> from pilotage.learning import MLP
        >>> Trigonometric(MLP(3, 1), angles=(1,))(torch.zeros(5, 2).double()).shape
        torch.Size([5, 1])
    """

    @recorded
    def __init__(self, network: Network, angles: tuple[Natural, ...]) -> None:
        self.network, self.angles, width = network, list(angles), network.settings.get("inputs")
        if len(set(angles)) < len(angles) or (width is not None and max(angles, default=-1) >= width - len(angles)):
            raise SettingError(
                f"angles of Trigonometric is {angles}, and the network has {width} inputs; "
                f"expected different indices of the inputs before angles became two numbers"
            )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs of the network for ``(other inputs, cosines, sines)``."""
        others = [i for i in range(features.shape[-1]) if i not in self.angles]
        turned = features[..., self.angles]
        return self.network(torch.cat([features[..., others], turned.cos(), turned.sin()], -1))


class Normalized(Network):
    """A network of inputs scaled to unit size, ``network((x - mean) / std)``; models have a `Scaling` instead.

    Args:
        network: the network.
        inputs: number of inputs.

    Attributes:
        mean, std: mean and standard deviation of the inputs ``(inputs,)``, saved with the weights.

    Example:
        >>> from pilotage.learning import MLP
        >>> network = Normalized(MLP(2, 1), 2).measured(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
        >>> network.mean.tolist(), network.std.tolist()
        ([2.0, 5.0], [1.0, 1.0])
    """

    mean: torch.Tensor
    std: torch.Tensor

    @recorded
    def __init__(self, network: Network, inputs: Count) -> None:
        self.network = network
        if network.settings.get("inputs", inputs) != inputs:
            raise SettingError(
                f"inputs of Normalized is {inputs}; expected {network.settings['inputs']}, as the network has"
            )
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))

    def measured(self, rows: torch.Tensor) -> Normalized:
        """This network, scaled for inputs ``(N, inputs)``; constant columns keep their scale.

        Raises:
            ShapeError: if the rows have another number of columns, or there are none.
        """
        if rows.ndim != 2 or rows.shape[-1:] != self.mean.shape or not len(rows):
            raise ShapeError(f"rows have shape {tuple(rows.shape)}; expected (N, {len(self.mean)}), one row at least")
        std = rows.to(self.std).std(0, correction=0)
        self.mean.copy_(rows.to(self.mean).mean(0))
        self.std.copy_(torch.where(std > 1e-9, std, torch.ones_like(std)))
        return self

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The outputs of the network for scaled inputs."""
        return self.network((features - self.mean) / self.std)


class Residual(Network):
    """A network that is added to its input, ``x + network(x)``; untrained, with a last layer of zero, the identity.

    Args:
        network: a network with as many outputs as inputs.

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, equation 1.

    Example:
        >>> from pilotage.learning import MLP
        >>> Residual(MLP(2, 2))(torch.ones(1, 2).double())
        tensor([[1., 1.]], dtype=torch.float64, grad_fn=<AddBackward0>)
    """

    @recorded
    def __init__(self, network: Network) -> None:
        sizes: tuple[Any, Any] = (network.settings.get("inputs"), network.settings.get("outputs"))
        if sizes[0] != sizes[1]:
            raise SettingError(f"the network of Residual has (inputs, outputs) {sizes}; expected equal numbers")
        self.network = network

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """``x + network(x)``."""
        return features + self.network(features)
