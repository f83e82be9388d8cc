"""Features of the cars of a scene for networks: each by itself, and those around it."""

from __future__ import annotations

import torch
from torch import Tensor

from .scenes import Scene

AROUND = 10
"""Number of features of a neighbour."""
LANE, NEAR = 3.7, 12.0
"""Distances across and along the road that count alike in the choice of neighbours [m]."""


def alone_size(past: int) -> int:
    """Number of features of a car by itself."""
    return 12 + 2 * past


def alone(scene: Scene, u: Tensor | None = None) -> Tensor:
    """The features of each car by itself ``(..., N, alone_size)``; the own one also has its actions `u`, if given."""
    y, (vx, vy) = scene.cars[..., 1], scene.cars[..., 2:].unbind(-1)
    half, lane = scene.road[..., :1], scene.road[..., 1:]
    phase = 2.0 * torch.pi * (y + half) / lane
    first = torch.zeros_like(y)
    first[..., 0] = 1.0
    columns = [
        0.1 * (vx - 10.0), vy, torch.cos(phase), torch.sin(phase),
        ((half - y) / lane).clamp(max=2.0), ((half + y) / lane).clamp(max=2.0),
        0.2 * scene.sizes[..., 0] - 1.0, scene.sizes[..., 1] - 2.0, first, torch.exp(-0.3 * vx),
    ]  # fmt: skip
    action = torch.zeros_like(scene.cars[..., :2])
    if u is not None:
        own = u * torch.tensor([0.3, 30.0]).to(u)
        action = torch.cat((own[..., None, :], action[..., 1:, :]), -2)
    return torch.cat([torch.stack(columns, -1), action, 0.5 * scene.past.flatten(-2)], -1)


def around(scene: Scene, count: int, first: bool = False) -> tuple[Tensor, Tensor]:
    """The features of the nearest neighbours of each car ``(..., N, K, 10)``, and whether they are there.

    Those of the own car alone ``(..., 1, K, 10)``, if it is the `first` that is asked for.
    """
    N = scene.cars.shape[-2]
    seats = slice(0, 1) if first else slice(None)
    rel = scene.cars[..., None, :, :] - scene.cars[..., seats, None, :]
    there = scene.there[..., None, :] & ~torch.eye(N, dtype=torch.bool, device=rel.device)[seats]
    far = ((rel[..., 0] / NEAR).square() + (rel[..., 1] / LANE).square()).detach()
    near = torch.where(there, far, torch.full_like(far, 1e9)).topk(min(count, N), -1, largest=False).indices
    rel = torch.gather(rel, -2, near[..., None].expand(*near.shape, 4))
    there = torch.gather(there, -1, near)
    sizes = scene.sizes[..., None, :, :].expand(*near.shape[:-1], N, 2)
    sizes = torch.gather(sizes, -2, near[..., None].expand(*near.shape, 2))
    dx, dy, dvx, dvy = rel.unbind(-1)
    free = (dx.abs() - 0.5 * (sizes[..., 0] + scene.sizes[..., seats, None, 0])).clamp(min=0.0)
    beside = torch.exp(-dy.square() / 4.0)
    columns = [
        0.05 * dx, dy / LANE, 0.2 * dvx, dvy, 0.2 * sizes[..., 0] - 1.0, sizes[..., 1] - 2.0,
        torch.sign(dx) * torch.exp(-0.1 * free), beside, torch.sign(dx) * torch.exp(-0.03 * free) * beside,
        (near == 0).to(dx),
    ]  # fmt: skip
    features = torch.stack(columns, -1)
    return torch.where(there[..., None], features, torch.zeros_like(features)), there
