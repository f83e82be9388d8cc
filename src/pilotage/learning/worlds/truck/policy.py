"""A policy of the truck: a network that steers by the pose of the trailer and the hitch angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ....core import FormatError
from ....core.arrays import Array
from ...checkpoint import load, save
from ...networks import MLP
from ...scaling import Scaling
from ._steering import SteeringPolicy
from .kinematics import STEERING, TRAILER, directions

FEATURES = 8
MIDDLE, SPREAD = (20.0, 0.0), (20.0, 10.0)
"""Middle and spread of the axle's place [m], to which the features are scaled."""


def _placing() -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix and the offset that turn (x, y) and directions into features: the axle's place is linear in them."""
    matrix, offset = torch.eye(FEATURES, dtype=torch.float64), torch.zeros(FEATURES, dtype=torch.float64)
    for i in range(2):
        matrix[i, i], matrix[i, 3 + 3 * i] = 1.0 / SPREAD[i], -TRAILER / SPREAD[i]
        offset[i] = -MIDDLE[i] / SPREAD[i]
    return matrix, offset


PLACING = _placing()


class TruckPolicy(SteeringPolicy):
    """A policy that steers a truck to a dock anywhere on its wall.

    ::

        steer = pi / 4 tanh g(phi),   phi = x_r / 20 - 1, (y_r - dock) / 10,
                                            (cos, sin)(yaw, trailer_yaw, yaw - trailer_yaw)

    where (x_r, y_r) is the trailer's axle. The tanh keeps the steering within its bounds. It is a controller of the
    environment `TruckBackerUpper` with ``hold=4``, and takes batches of tensors for training and evaluation.

    Args:
        network: an `MLP` from 8 features to one number.
        metrics: results of training and evaluation, which are saved with the weights.
        bounded: whether the tanh bounds the steering; without it, the truck's steering stops at its limits.

    Source: Nguyen and Widrow, "The truck backer-upper", IJCNN 1989; Jenkins and Yuhas, "A simplified neural network
    solution through problem decomposition", 1993, for a network of two hidden units.

    Example:
        >>> policy = TruckPolicy.new(hidden=(8,))
        >>> policy.act([20.0, 3.0, 0.0, 0.0, 0.0]).u
        array([0.])
    """

    scaling = Scaling.none(FEATURES, 1)

    def __init__(self, network: MLP, metrics: Mapping[str, Any] | None = None, *, bounded: bool = True) -> None:
        self.bounded = bounded
        super().__init__(network, metrics)

    @classmethod
    def new(cls, hidden: Sequence[int] = (64, 64), *, bounded: bool = True, seed: int = 0) -> TruckPolicy:
        """A policy that does not steer yet."""
        return cls(MLP(FEATURES, 1, hidden=hidden, seed=seed), bounded=bounded)

    def __call__(self, x: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
        """The steering angles ``(...)`` [rad] in states ``(..., 4)`` whose y is relative to the dock.

        `turned` are the `directions` of the states, if they are known.
        """
        turned = directions(x) if turned is None else turned
        phi = torch.nn.functional.linear(torch.cat((x[..., :2], turned), -1), *(part.to(x) for part in PLACING))
        out = self.network(phi)[..., 0]
        return STEERING * (torch.tanh(out) if self.bounded else out)

    def decide(self, x: Array) -> Array:
        return self.steer(x) if self._code is None else self._code.observe(x)

    def traced(self) -> TruckPolicy:
        """The same policy with `act` as machine code; it keeps the weights of now."""
        from ._code import steering_code

        return self._coded(steering_code(self))

    def steer(self, x: Array) -> Array:
        """The steering angle ``(1,)`` in a state ``(5,)``, by numpy alone."""
        px, py, yaw, trailer, dock = x
        angles = np.array((yaw, trailer, yaw - trailer))
        cos, sin = np.cos(angles), np.sin(angles)
        place = (px - TRAILER * cos[1]) / SPREAD[0] - 1.0, (py - TRAILER * sin[1] - dock) / SPREAD[1]
        h = np.array((*place, *cos, *sin))
        out = self.outputs(h)
        return STEERING * (np.tanh(out) if self.bounded else np.clip(out, -1.0, 1.0))

    def save(self, folder: str | Path) -> None:
        """Write ``config.json``, with the metrics, and ``model-HASH.safetensors``; an older policy is replaced."""
        save(self, "truck policy", folder, {"metrics": self.metrics, "bounded": self.bounded})

    @classmethod
    def load(cls, folder: str | Path) -> TruckPolicy:
        """The policy that `save` wrote.

        Raises:
            MissingFile: if there is no policy in the folder.
            FormatError: if the policy is damaged, or of another kind or architecture.
        """
        kept = load(folder, "truck policy")
        network: Any = kept.network
        sizes = network.settings["inputs"], network.settings["outputs"]
        if sizes != (FEATURES, 1):
            raise FormatError(f"the network in {folder} has (inputs, outputs) {sizes}; expected {(FEATURES, 1)}")
        return cls(network, kept.extra.get("metrics"), bounded=bool(kept.extra.get("bounded", True)))
