"""The exact motion of the own car for tensors, and the actions that explain a recorded one."""

from __future__ import annotations

import torch
from torch import Tensor

from ....core.errors import ShapeError

DT = 0.1
"""Duration of a step [s]."""
ACCEL, CURVATURE = 40.0 / (24.0 / 3.7), 0.01 * 24.0 / 3.7
"""Largest acceleration [m/s^2] and curvature [1/m] that a recording may show: 40 px/s^2 and 0.01 1/px of PPUU."""


def driven(x: Tensor, u: Tensor) -> Tensor:
    """The states of the own car after 0.1 s.

    ::

        p += v dt [cos yaw, sin yaw],   yaw += atan(b v dt),   v = max(v + a dt, 0)

    with all right sides at the old state.

    Args:
        x: x, y [m], yaw [rad], speed [m/s] ``(..., 4)``.
        u: acceleration a [m/s^2] and curvature b [1/m] ``(..., 2)``.

    Source: M. Henaff, A. Canziani, Y. LeCun, ICLR 2019, appendix, but for driving backwards;
    `pilotage.envs.traffic` moves the own car by the same rule.

    Example:
        >>> driven(torch.tensor([0.0, 0.0, 0.0, 10.0]), torch.tensor([1.0, 0.0]))
        tensor([ 1.0000,  0.0000,  0.0000, 10.1000])
    """
    px, py, yaw, v = x.unbind(-1)
    a, b = u.unbind(-1)
    way = v * DT
    return torch.stack(
        (px + way * torch.cos(yaw), py + way * torch.sin(yaw), yaw + torch.atan(b * way), torch.relu(v + a * DT)), -1
    )


def unrolled(x: Tensor, us: Tensor) -> Tensor:
    """The states ``(..., T + 1, 4)`` that follow from states ``(..., 4)`` under actions ``(..., T, 2)``.

    Example:
        >>> unrolled(torch.tensor([0.0, 0.0, 0.0, 10.0]), torch.zeros(3, 2))[:, 0]
        tensor([0., 1., 2., 3.])
    """
    xs = [x]
    for u in us.unbind(-2):
        xs.append(driven(xs[-1], u))
    return torch.stack(xs, -2)


def actions_of(xs: Tensor, length: Tensor | float = 4.5) -> Tensor:
    """The actions ``(..., T, 2)`` that explain speeds and yaws of recorded states ``(..., T + 1, 4)``.

    ::

        a = (v' - v) / dt,   b = tan(yaw' - yaw) / (v dt)

    Accelerations are at most 6.2 m/s^2 either way, and curvatures 0.065 1/m, less by the square of the length for
    vehicles longer than 3.9 m. At less than 0.5 m/s the curvature is 0, since the yaw of a car that stands is noise.

    Args:
        xs: x, y [m], yaw [rad], speed [m/s].
        length: length of the car ``(...)`` [m].

    Source: inverse kinematics of PPUU, the authors' code.

    Example:
        >>> us = torch.tensor([[0.5, 0.01], [-1.0, -0.02]]).double()
        >>> actions_of(unrolled(torch.tensor([0.0, 0.0, 0.0, 10.0]).double(), us)).round(decimals=6).tolist()
        [[0.5, 0.01], [-1.0, -0.02]]
    """
    if xs.shape[-1] != 4 or xs.dim() < 2 or xs.shape[-2] < 2:
        raise ShapeError(f"xs has shape {tuple(xs.shape)}; expected (..., T + 1, 4), two states or more")
    yaw, v = xs[..., 2], xs[..., 3]
    a = (v.diff(dim=-1) / DT).clamp(-ACCEL, ACCEL)
    turn = torch.remainder(yaw.diff(dim=-1) + torch.pi, 2.0 * torch.pi) - torch.pi
    before = v[..., :-1]
    b = torch.where(before < 0.5, torch.zeros_like(turn), torch.tan(turn) / (before.clamp(min=0.5) * DT))
    most = CURVATURE * (25.0 * 3.7 / 24.0 / torch.as_tensor(length).to(xs)).square().clamp(max=1.0)
    most = most[..., None].expand_as(b)
    return torch.stack((a, torch.minimum(torch.maximum(b, -most), most)), -1)
