"""The kinematics of the truck for tensors: one decision, in which the steering is held for 0.4 m."""

from __future__ import annotations

import math

import torch

HOLD = 4
"""Euler steps for which the steering is held."""
STRIDE = 0.1
"""Length of an Euler step [m]."""
WHEELBASE, TRAILER = 1.0, 4.0
STEERING = 0.25 * math.pi
"""Largest steering angle [rad]."""


def backed(x: torch.Tensor, steer: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
    """The states after 0.4 m of backing up with held steering.

    ::

        x -= s cos yaw,  y -= s sin yaw,  yaw -= s / L tan steer,  trailer_yaw -= s / d sin(yaw - trailer_yaw)

    four times, with all right sides at the old state, ``s = 0.1 m, L = 1 m, d = 4 m``. The yaw of the cab does not
    depend on the rest, so its four values are computed at once.

    Args:
        x: hitch (x, y) [m], yaw of the cab and of the trailer [rad] ``(..., 4)``.
        steer: steering angles [rad] ``(...)``.
        turned: `directions` of the states, which emulators use; ignored.

    Source: NYU-DLSP20, notebook 14, the code; `pilotage.envs.truck.yard.kinematics` is the same model as a formula.

    Example:
        >>> backed(torch.tensor([10.0, 0.0, 0.0, 0.0]), torch.tensor(0.0))
        tensor([9.6000, 0.0000, 0.0000, 0.0000])
    """
    px, py, yaw, trailer = x.unbind(-1)
    turn = torch.tan(steer) * (STRIDE / WHEELBASE)
    yaws = yaw[..., None] - turn[..., None] * torch.arange(HOLD, dtype=x.dtype, device=x.device)
    for k in range(HOLD):
        trailer = trailer - STRIDE / TRAILER * torch.sin(yaws[..., k] - trailer)
    px, py = px - STRIDE * torch.cos(yaws).sum(-1), py - STRIDE * torch.sin(yaws).sum(-1)
    return torch.stack((px, py, yaw - HOLD * turn, trailer), -1)


def directions(x: torch.Tensor) -> torch.Tensor:
    """Cosines and sines ``(..., 6)`` of cab yaw, trailer yaw and hitch angle: they do not depend on the place.

    Example:
        >>> directions(torch.zeros(4)).tolist()
        [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    angles = torch.cat((x[..., 2:], x[..., 2:3] - x[..., 3:]), -1)
    return torch.cat((torch.cos(angles), torch.sin(angles)), -1)


def rear(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The place of the trailer's axle [m], for states ``(..., 4)``."""
    return x[..., 0] - TRAILER * torch.cos(x[..., 3]), x[..., 1] - TRAILER * torch.sin(x[..., 3])


def wrapped(angle: torch.Tensor) -> torch.Tensor:
    """The angle in [-pi, pi)."""
    return torch.remainder(angle + math.pi, 2.0 * math.pi) - math.pi


def running(x: torch.Tensor) -> torch.Tensor:
    """Whether trucks go on: the trailer's axle has not reached the wall of the dock, and none is jackknifed."""
    return (rear(x)[0] > 0.0) & (wrapped(x[..., 2] - x[..., 3]).abs() <= 0.5 * math.pi)


def docked(x: torch.Tensor, lateral: float, heading: float) -> torch.Tensor:
    """Whether trucks whose y is relative to the dock are docked within a distance [m] and an angle [rad].

    Example:
        >>> docked(torch.tensor([[4.0, 0.3, 0.0, 0.0]]), 0.5, 0.1).tolist()
        [True]
    """
    along, across = rear(x)
    sound = wrapped(x[..., 2] - x[..., 3]).abs() <= 0.5 * math.pi
    return (along <= 0.0) & (across.abs() < lateral) & (wrapped(x[..., 3]).abs() < heading) & sound
