"""A policy of the truck between walls: a network chooses one of 33 steering angles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ....core import SettingError
from ....core.arrays import Array
from ...checkpoint import fitting, load, save
from ...networks import MLP
from ...scaling import Scaling
from ._grid import FINE
from ._steering import SteeringPolicy

FEATURES, CHOICES = 16, len(FINE)
TRAILER, FRONT = 4.0, 1.5
HALF_WIDTH = 10.0
"""Half of the width of the yard [m]."""
SCALARS = SimpleNamespace(
    cos=math.cos, sin=math.sin, exp=math.exp, abs=abs, arctan2=math.atan2,
    where=lambda flag, a, b: a if flag else b, stack=lambda values, _: np.array(values),
)  # fmt: skip
"""The functions of numpy that the features need, for single numbers: five times as fast."""
WEIGHTS = Path(__file__).parent / "weights" / "walls"
"""Folder of the weights in the package."""


class WallsPolicy(SteeringPolicy):
    """A policy that backs a truck to the dock between the walls of the yard (starts E3).

    ::

        steer = sign(y_r) FINE[argmax_i g_i(phi)],   FINE: 33 angles from -45 to 45 degrees

    where y_r is the lateral place of the trailer's axle, and phi are features of the state, mirrored to y_r >= 0:
    places of the trailer's axle and of the cab's front, directions of trailer, cab and hitch, the nearness of the dock
    and of the side walls. The choice among angles lets a network turn either way before a wall, where the mean of both
    ways hits it. It is a controller of the environment `TruckBackerUpper` with ``hold=4``, and takes batches.

    Args:
        network: an `MLP` from 16 features to 33 numbers.
        metrics: results of training and evaluation, which are saved with the weights.

    Raises:
        SettingError: if the network has other sizes.

    Example:
        >>> policy = WallsPolicy.load()
        >>> x = np.array([6.0, 0.0, 0.0, 0.0, 0.0])
        >>> bool(abs(policy.act(x).u[0]) <= 0.25 * np.pi)
        True
    """

    scaling = Scaling.none(FEATURES, CHOICES)

    @classmethod
    def new(cls, hidden: Sequence[int] = (128, 128), *, seed: int = 0) -> WallsPolicy:
        """An untrained policy, whose network has single precision."""
        network = MLP(FEATURES, CHOICES, hidden=hidden, activation="relu", seed=seed)
        return cls(network.float())

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The steering angles ``(N,)`` [rad] in states ``(N, 4)``."""
        places = torch.stack(located(x, torch), -1)
        return torch.as_tensor(self.steers(places.numpy())).to(x)

    def steers(self, places: Array) -> Array:
        """The steering angles ``(N,)`` [rad] in states ``(N, 4)`` in the coordinates of `located`."""
        phi, sign = features(list(places.T), np)
        with torch.no_grad():
            logits = self.network(torch.as_tensor(phi).to(next(self.network.parameters())))
        return FINE[logits.argmax(-1).numpy()] * sign

    def decide(self, x: Array) -> Array:
        if x[4] != 0.0:
            raise SettingError(f"dock is {x[4]:g}; expected 0: between the walls, the policy knows no other dock")
        return self.steer(x[:4])

    def steer(self, x: Array) -> Array:
        """The steering angle ``(1,)`` in a state ``(4,)``, by numpy alone."""
        h, sign = features(located(np.array(x).tolist(), SCALARS), SCALARS)
        return np.array([FINE[self.outputs(h).argmax()] * sign])

    def save(self, folder: str | Path) -> None:
        """Write ``config.json``, with the metrics, and ``model-HASH.safetensors``; an older policy is replaced."""
        save(self, "truck walls", folder, {"metrics": self.metrics})

    @classmethod
    def load(cls, folder: str | Path = WEIGHTS) -> WallsPolicy:
        """The policy that `save` wrote; default: that of the package.

        Raises:
            MissingFile: if there is no policy in the folder.
            FormatError: if the policy is damaged, or of another kind or architecture.
        """
        kept = load(folder, "truck walls", entries={"metrics": ...})
        network: Any = kept.network
        with fitting(folder):
            return cls(network, **kept.extra)


def located(x: Any, m: Any) -> tuple[Any, Any, Any, Any]:
    """Trailer's axle (x, y), its heading and the hitch angle, for states ``(..., 4)``; m is numpy, torch or SCALARS."""
    px, py, cab, yaw = x if m is SCALARS else (x[..., i] for i in range(4))
    return px - TRAILER * m.cos(yaw), py - TRAILER * m.sin(yaw), yaw, cab - yaw


def features(place: Sequence[Any], m: Any) -> tuple[Any, Any]:
    """The features ``(..., 16)`` of a state in the coordinates of `located`, and the sign of its y ``(...)``.

    Example:
        >>> left, sign = features((5.0, 2.0, 0.3, 0.1), np)
        >>> right, other = features((5.0, -2.0, -0.3, -0.1), np)
        >>> bool((left == right).all()), float(sign), float(other)
        (True, 1.0, -1.0)
    """
    x, y, yaw, hitch = place
    sign = m.where(y < 0.0, -1.0, 1.0)
    y, yaw, hitch = sign * y, sign * yaw, sign * hitch
    cos, sin, cab = m.cos(yaw), m.sin(yaw), yaw + hitch
    ahead, side = m.cos(cab), m.sin(cab)
    fx, fy = x + TRAILER * cos + FRONT * ahead, y + TRAILER * sin + FRONT * side
    near = m.exp(-0.25 * x)
    walls = [m.exp(0.5 * (each - HALF_WIDTH)) for each in (y, m.abs(fy))]
    phi = [
        0.05 * x - 1.0, 0.2 * y - 1.0, cos, sin, m.sin(hitch), 2.0 * m.cos(hitch) - 1.0, ahead, side,
        0.05 * fx - 1.0, 0.1 * fy, 2.0 * near - 1.0, m.arctan2(y, x + 1.0), near * y, 2.0 * near * sin, *walls,
    ]  # fmt: skip
    return m.stack(phi, -1), sign
