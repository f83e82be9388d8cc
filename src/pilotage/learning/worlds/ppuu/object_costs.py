"""The costs of a scene of objects: smooth in the pose of the own car, without rasters."""

from __future__ import annotations

import torch
from torch import Tensor

from ....core.settings import NonNegative, Positive, settings
from .scenes import Scene


@settings
class ObjectCosts:
    """How near other cars are, how far the own car is from the middle of its lane, and how far beside the road.

    ::

        near_j = ((1 - xi_j / dx)_+ (1 - eta_j / dy)_+)^4.22,   dx = 1.5 (max(10, v) + l) + 1 m,   dy = w / 2 + 3.7 m
        proximity = log(mean_j exp(67 near_j)) / 67
        lane = (1 - d / (w_lane / 2))_+^2,   off_road = clip((|y| + w / 2 - W / 2) / 1 m, 0, 1)

    where xi, eta are the distances from the middle of the own car to the body of car j along and across the own one; v,
    l, w are speed, length and width of the own car, d is its distance from the nearest mark, and W the width of the
    road. These are the costs of `PoseCosts` for boxes instead of pixels: the mean over pixels becomes one over cars.

    Attributes:
        power, sharpness: 4.22 and 67 above.
        proximity, lane, off_road: weights of the sum.

    Source: V. Sobal et al., "Separating the world and ego models for self-driving", 2022.

    Example:
        >>> cars = torch.tensor([[0.0, 0.0, 10.0, 0.0], [12.0, 0.0, 10.0, 0.0]])
        >>> sizes, there = torch.tensor([[4.5, 1.8], [4.5, 1.8]]), torch.ones(2, dtype=torch.bool)
        >>> scene = Scene(cars, torch.zeros(2, 5, 2), sizes, there, torch.tensor([5.55, 3.7]))
        >>> own = torch.tensor([0.0, 0.0, 0.0, 10.0], requires_grad=True)
        >>> ObjectCosts()(scene, own).backward()
        >>> bool(own.grad[0] > 0.0)                                             # nearer is worse
        True
    """

    power: Positive = 4.22
    sharpness: Positive = 67.0
    proximity: NonNegative = 2.15
    lane: NonNegative = 0.3
    off_road: NonNegative = 2.0

    def parts(self, scene: Scene, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Proximity, lane and off-road costs ``(...)``, without weights, for poses ``(..., 4)`` of the own car."""
        x, y, yaw, v = own.unbind(-1)
        l, w = scene.sizes[..., 0, :].unbind(-1)
        others, sizes, there = scene.cars[..., 1:, :2], scene.sizes[..., 1:, :], scene.there[..., 1:]
        dx, dy = others[..., 0] - x[..., None], others[..., 1] - y[..., None]
        c, s = torch.cos(yaw)[..., None], torch.sin(yaw)[..., None]
        xi = ((c * dx + s * dy).abs() - 0.5 * sizes[..., 0]).clamp(min=0.0)
        eta = ((c * dy - s * dx).abs() - 0.5 * sizes[..., 1]).clamp(min=0.0)
        reach, side = (1.5 * (v.clamp(min=10.0) + l) + 1.0)[..., None], (0.5 * w + 3.7)[..., None]
        near = ((1.0 - xi / reach).clamp(min=0.0) * (1.0 - eta / side).clamp(min=0.0)) ** self.power
        near = torch.where(there, near, torch.zeros_like(near))
        count = max(near.shape[-1], 1)
        proximity = (
            torch.logsumexp(self.sharpness * near, -1) - torch.log(near.new_tensor(float(count)))
        ) / self.sharpness
        half, width = scene.road[..., 0], scene.road[..., 1]
        place = (y + half) / width
        d = (place - torch.round(place.detach())).abs() * width
        lane = (1.0 - d / (0.5 * width)).clamp(min=0.0).square()
        beside = (y.abs() + 0.5 * w - half).clamp(0.0, 1.0)
        return proximity.clamp(min=0.0), lane, beside

    def __call__(self, scene: Scene, own: Tensor) -> Tensor:
        """The weighted sum of the costs ``(...)``."""
        proximity, lane, beside = self.parts(scene, own)
        return self.proximity * proximity + self.lane * lane + self.off_road * beside
