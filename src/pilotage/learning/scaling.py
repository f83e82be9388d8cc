"""The scaling of a network's inputs and outputs to unit size."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core import PilotageError


@dataclass(frozen=True, eq=False)
class Scaling:
    """The scaling ``phi = (raw - mean) / std`` of the features, and ``velocity = out * scale`` of the outputs.

    Attributes:
        mean, std: mean and standard deviation of the features ``(k,)``.
        scale: scale of the outputs ``(d,)``.

    Example:
        >>> scaling = Scaling.of(torch.tensor([[1.0], [3.0]]), torch.tensor([[10.0], [-10.0]]))
        >>> scaling.inward(torch.tensor([3.0])), scaling.outward(torch.tensor([0.5]))
        (tensor([1.]), tensor([5.]))
    """

    mean: torch.Tensor
    std: torch.Tensor
    scale: torch.Tensor

    @property
    def widths(self) -> tuple[int, int]:
        """The number of features and outputs."""
        return self.mean.shape[-1], self.scale.shape[-1]

    @classmethod
    def none(cls, inputs: int, outputs: int) -> Scaling:
        """The identity scaling."""
        ones = torch.ones(max(inputs, outputs), dtype=torch.float64)
        return cls(torch.zeros(inputs, dtype=torch.float64), ones[:inputs], ones[:outputs])

    @classmethod
    def of(cls, features: torch.Tensor, velocities: torch.Tensor) -> Scaling:
        """The scaling for features ``(N, k)`` and velocities ``(N, d)``; constant columns keep their scale.

        Raises:
            PilotageError: if the numbers are so large that their squares are infinite.
        """
        std, scale = features.std(0, correction=0), velocities.pow(2).mean(0).sqrt()
        one = std.new_ones(())
        if not bool(std.isfinite().all() and scale.isfinite().all()):
            most = [float(each.abs().max()) for each in (features, velocities)]
            raise PilotageError(
                f"features are up to {most[0]:g} and velocities up to {most[1]:g}; expected numbers whose squares are "
                "finite; check the units of states and actions"
            )
        return cls(features.mean(0), torch.where(std > 1e-9, std, one), torch.where(scale > 1e-12, scale, one))

    def inward(self, features: torch.Tensor) -> torch.Tensor:
        """The scaled features, for raw features."""
        return (features - self.mean.to(features)) / self.std.to(features)

    def outward(self, out: torch.Tensor) -> torch.Tensor:
        """The velocities, for outputs of the network."""
        return out * self.scale.to(out)
