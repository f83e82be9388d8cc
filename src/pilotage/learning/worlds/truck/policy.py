"""A policy of the truck: a network that steers by the pose of the trailer and the hitch angle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ....core.arrays import Array
from ....core.settings import setting
from ...checkpoint import fitting, load, save
from ...networks import MLP
from ...scaling import Scaling
from ._steering import SteeringPolicy
from .kinematics import STEERING, TRAILER, directions, rear, wrapped

Inputs = Literal["directions", "state"]
WEIGHTS = Path(__file__).parent / "weights"
"""The policies in the package, one folder for each training seed."""
FEATURES: Mapping[Inputs, int] = {"directions": 8, "state": 6}
MIDDLE, SPREAD = (20.0, 0.0), (20.0, 10.0)
"""Middle and spread of the axle's place [m], to which the features are scaled."""


def _placing() -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix and the offset that turn (x, y) and directions into features: the axle's place is linear in them."""
    count = FEATURES["directions"]
    matrix, offset = torch.eye(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)
    for i in range(2):
        matrix[i, i], matrix[i, 3 + 3 * i] = 1.0 / SPREAD[i], -TRAILER / SPREAD[i]
        offset[i] = -MIDDLE[i] / SPREAD[i]
    return matrix, offset


PLACING = _placing()


class TruckPolicy(SteeringPolicy):
    """A policy that steers a truck to a dock anywhere on its wall.

    ::

        steer = pi / 4 tanh g(phi),   phi = x_r / 20 - 1, (y_r - dock) / 10,
                                            (cos, sin)(yaw, trailer_yaw, yaw - trailer_yaw)         "directions"
                                  phi = x / 20 - 1, (y - dock) / 10, x_r / 20 - 1, (y_r - dock) / 10,
                                            yaw / pi, trailer_yaw / pi                              "state"

    where (x_r, y_r) is the trailer's axle, and the angles of the "state" are in [-pi, pi). The tanh keeps the steering
    within its bounds. It is a controller of the environment `TruckBackerUpper` with ``hold=4``, and takes batches of
    tensors for training and evaluation.

    Args:
        network: an `MLP` from 8 features ("directions") or 6 ("state") to one number.
        metrics: results of training and evaluation, which are saved with the weights.
        bounded: whether the tanh bounds the steering; without it, the truck's steering stops at its limits.
        inputs: "directions", or "state" as in 1990: then the hitch angle is the network's to find, and the steering
            jumps where an angle does.

    Raises:
        SettingError: if the network has other sizes than the features need, or a setting is wrong.

    Source: Nguyen and Widrow, "The truck backer-upper", IJCNN 1989; Jenkins and Yuhas, "A simplified neural network
    solution through problem decomposition", 1993, for a network of two hidden units.

    Example:
        >>> policy = TruckPolicy.new(hidden=(8,))
        >>> policy.act([20.0, 3.0, 0.0, 0.0, 0.0]).u
        array([0.])
    """

    def __init__(
        self,
        network: MLP,
        metrics: Mapping[str, Any] | None = None,
        *,
        bounded: bool = True,
        inputs: Inputs = "directions",
    ) -> None:
        self.bounded = setting(bounded, bool, "bounded")
        self.inputs: Inputs = setting(inputs, Inputs, "inputs")
        self.scaling = Scaling.none(FEATURES[inputs], 1)
        super().__init__(network, metrics)

    @classmethod
    def new(
        cls,
        hidden: Sequence[int] = (64, 64),
        *,
        bounded: bool = True,
        inputs: Inputs = "directions",
        seed: int = 0,
    ) -> TruckPolicy:
        """A policy that does not steer yet."""
        known: Inputs = setting(inputs, Inputs, "inputs")
        return cls(MLP(FEATURES[known], 1, hidden=hidden, seed=seed), bounded=bounded, inputs=inputs)

    def __call__(self, x: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
        """The steering angles ``(...)`` [rad] in states ``(..., 4)`` whose y is relative to the dock.

        `turned` are the `directions` of the states, if they are known.
        """
        out = self.network(_features(self.inputs, x, turned))[..., 0]
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
        place = px - TRAILER * cos[1], py - TRAILER * sin[1]
        places = (place,) if self.inputs == "directions" else ((px, py), place)
        scaled = [each for a, b in places for each in (a / SPREAD[0] - 1.0, (b - dock) / SPREAD[1])]
        rest = (*cos, *sin) if self.inputs == "directions" else ((angles[:2] + np.pi) % (2.0 * np.pi) / np.pi - 1.0)
        h = np.array((*scaled, *rest))
        out = self.outputs(h)
        return STEERING * (np.tanh(out) if self.bounded else np.clip(out, -1.0, 1.0))

    def save(self, folder: str | Path) -> None:
        """Write ``config.json``, with the metrics, and ``model-HASH.safetensors``; an older policy is replaced."""
        save(self, "truck policy", folder, {"metrics": self.metrics, "bounded": self.bounded, "inputs": self.inputs})

    @classmethod
    def load(cls, folder: str | Path = WEIGHTS / "seed-1") -> TruckPolicy:
        """The policy that `save` wrote; default: that of the package.

        Raises:
            MissingFile: if there is no policy in the folder.
            FormatError: if the policy is damaged, or of another kind or architecture.
        """
        kept = load(folder, "truck policy", entries={"metrics": None, "bounded": True, "inputs": "directions"})
        network: Any = kept.network
        with fitting(folder):
            return cls(network, **kept.extra)


def _features(form: Inputs, x: torch.Tensor, turned: torch.Tensor | None) -> torch.Tensor:
    """The features ``(..., 8)`` or ``(..., 6)`` of states ``(..., 4)``."""
    if form == "directions":
        turned = directions(x) if turned is None else turned
        return torch.nn.functional.linear(torch.cat((x[..., :2], turned), -1), *(part.to(x) for part in PLACING))
    places = torch.stack((x[..., 0], x[..., 1], *rear(x)), -1)
    scaled = (places - places.new_tensor(MIDDLE * 2)) / places.new_tensor(SPREAD * 2)
    return torch.cat((scaled, wrapped(x[..., 2:]) / math.pi), -1)
