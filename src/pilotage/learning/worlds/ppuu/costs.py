"""The costs of PPUU: how near other cars are, lane marks, and the edges of the road, read from rasters."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ....core.settings import NonNegative, Positive, settings
from ....envs.traffic.raster import METRE

LANE = 3.7
"""Width of a lane [m]."""
COLLISION = 0.99
"""The proximity above which there is a collision."""


class Masks(NamedTuple):
    """The weights of the pixels of a raster around the own car, from 0 to 1.

    Attributes:
        proximity: for other cars ``(..., H, W)``.
        lane: for lane marks and the edges of the road ``(..., H, W)``.
    """

    proximity: Tensor
    lane: Tensor


class Costs(NamedTuple):
    """The costs of states, each ``(...)``, from 0 to 1.

    Attributes:
        proximity: above 0.99 for a collision.
        lane: of lane marks under the car.
        off_road: of what is beside the road under the car.
    """

    proximity: Tensor
    lane: Tensor
    off_road: Tensor


@settings
class RasterCosts:
    """The largest brightness under a mask, for each channel of a raster.

    ::

        C = max over pixels of mask * channel

    The mask of proximity is 1 where the car is, less a metre along and across, and falls in straight lines to 0 at the
    safe distance ``d = 1.5 s v + 1 m`` before and behind the car, and at the width of a car from its middle on either
    side. So that both reach 1, they end at the largest value of the tent, which a raster of an even number of columns
    has beside its middle; in the authors' code a mask 24 pixels wide ends at 0.74 for a car of 1.8 m. The mask of lanes
    is 1 along the middle of the car and falls to 0 at half a lane on either side. Gradients pass through the rasters
    and not through the masks, hence not through the speed.

    Attributes:
        scale: pixels a metre of the raster.
        headway: seconds of the safe distance.
        margin: metres of the safe distance, and of an overlap that is no collision.

    Source: M. Henaff, A. Canziani, Y. LeCun, ICLR 2019, appendix, and the authors' code.

    Example:
        >>> raster = torch.zeros(3, 117, 24)
        >>> raster[1, 50:54, 10:14] = 1.0                                      # a car about 4 m ahead
        >>> costs = RasterCosts()(raster, torch.tensor(10.0), torch.tensor(4.5), torch.tensor(1.8))
        >>> bool(0.5 < costs.proximity < 0.99), float(costs.lane)
        (True, 0.0)
    """

    scale: Positive = METRE
    headway: NonNegative = 1.5
    margin: NonNegative = 1.0

    def masks(self, speed: Tensor, length: Tensor, width: Tensor, shape: tuple[int, int]) -> Masks:
        """The masks ``(..., H, W)`` of cars with speeds [m/s] and sizes [m], each ``(...)``, in rasters (H, W)."""
        H, W = shape
        k, alpha = self.scale, self.margin * self.scale
        v, l, w = (each.detach()[..., None] * k for each in torch.broadcast_tensors(speed, length, width))
        safe = self.headway * v + alpha
        x1 = torch.ceil(0.5 * (H - (l - alpha).clamp(min=0.0)))
        y1 = torch.ceil(0.5 * (W - (w - alpha).clamp(min=0.0)))
        y0 = torch.ceil(0.5 * W - w)
        tall, wide = tent(H, v), tent(W, v)
        x1, y1 = x1.clamp(max=float(tall.max())), y1.clamp(max=float(wide.max()))
        x0 = (x1 - safe).clamp(min=0.0)
        proximity = ramp(tall, x0, x1)[..., :, None] * ramp(wide, y0, y1)[..., None, :]
        beneath = (tall >= torch.ceil(0.5 * (H - l))).to(tall)
        lane = beneath[..., :, None] * ramp(wide, math.ceil(0.5 * W - 0.5 * LANE * k - 1e-9), 0.5 * W)[..., None, :]
        return Masks(proximity, lane)

    def __call__(self, raster: Tensor, speed: Tensor, length: Tensor, width: Tensor) -> Costs:
        """The costs ``(...)`` of rasters ``(..., C, H, W)`` from 0 to 1.

        Channels are lane marks and cars; the third, if there are three or more, is what is beside the road.
        """
        masks = self.masks(speed, length, width, (raster.shape[-2], raster.shape[-1]))
        proximity = (masks.proximity * raster[..., 1, :, :]).amax((-2, -1))
        lane = (masks.lane * raster[..., 0, :, :]).amax((-2, -1))
        beside = torch.zeros_like(lane)
        if raster.shape[-3] > 2:
            beside = (masks.lane * raster[..., 2, :, :]).amax((-2, -1))
        return Costs(proximity, lane, beside)


def tent(count: int, like: Tensor) -> Tensor:
    """``(1 - |linspace(-1, 1, count)|) count / 2``: the distance to the nearer end, in pixels.

    Example:
        >>> tent(5, torch.zeros(1)).tolist()
        [0.0, 1.25, 2.5, 1.25, 0.0]
    """
    line = torch.linspace(-1.0, 1.0, count, dtype=like.dtype, device=like.device)
    return (1.0 - line.abs()) * (0.5 * count)


def ramp(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """From 0 at `low` to 1 at `high`.

    Example:
        >>> ramp(torch.tensor([0.0, 1.0, 2.0, 3.0]), 1.0, 3.0).tolist()
        [0.0, 0.0, 0.5, 1.0]
    """
    low, high = torch.as_tensor(low).to(x), torch.as_tensor(high).to(x)
    return ((x - low) / (high - low).clamp(min=1e-6)).clamp(0.0, 1.0)


@settings
class PoseCosts:
    """Costs that are smooth in the pose of the own car, within a raster that does not depend on it.

    ::

        mask = ((1 - |xi| / dx)_+ (1 - |eta| / dy)_+)^4.22,   dx = 1.5 (max(10, v) + l) + 1 m,   dy = w / 2 + 3.7 m
        C = log(mean(exp(67 mask channel))) / 67

    where xi, eta are the coordinates of a pixel in the frame of the car [m], l and w its sides [m], and v its speed
    [m/s]. The model of the surroundings predicts the raster of another frame, such as that in which the plan began, and
    the own car moves in it by its exact kinematics; so gradients by the actions pass through the pose.

    Attributes:
        scale: pixels a metre of the raster.
        power, sharpness: 4.22 and 67 above.
        proximity, lane, off_road: weights of the sum.

    Source: V. Sobal et al., "Separating the world and ego models for self-driving", 2022, and the authors' code.

    Example:
        >>> raster = torch.zeros(3, 117, 24)
        >>> raster[1, 30:37, 10:14] = 1.0                                      # a car 15 m ahead
        >>> pose = torch.tensor([0.0, 0.0, 0.0, 10.0], requires_grad=True)
        >>> PoseCosts()(raster, pose, torch.tensor(4.5), torch.tensor(1.8)).sum().backward()
        >>> bool(pose.grad[0] > 0.0)                                           # nearer is worse
        True
    """

    scale: Positive = METRE
    power: Positive = 4.22
    sharpness: Positive = 67.0
    proximity: NonNegative = 2.15
    lane: NonNegative = 1.77
    off_road: NonNegative = 0.5

    def mask(self, pose: Tensor, length: Tensor, width: Tensor, shape: tuple[int, int]) -> Tensor:
        """The mask ``(..., H, W)`` of cars with states ``(..., 4)`` in the frame of rasters (H, W)."""
        H, W = shape
        rows, columns = (torch.arange(n, dtype=pose.dtype, device=pose.device) for n in shape)
        f = (0.5 * H - 0.5 - rows)[:, None] / self.scale - pose[..., 0, None, None]
        g = (0.5 * W - 0.5 - columns)[None] / self.scale - pose[..., 1, None, None]
        c, s = torch.cos(pose[..., 2, None, None]), torch.sin(pose[..., 2, None, None])
        v, l, w = (each[..., None, None] for each in torch.broadcast_tensors(pose[..., 3], length, width))
        dx, dy = 1.5 * (v.clamp(min=10.0) + l) + 1.0, 0.5 * w + 3.7
        along, across = 1.0 - (c * f + s * g).abs() / dx, 1.0 - (c * g - s * f).abs() / dy
        return (along.clamp(min=0.0) * across.clamp(min=0.0)) ** self.power

    def parts(self, raster: Tensor, pose: Tensor, length: Tensor, width: Tensor) -> Tensor:
        """The costs of lane marks, cars and what is beside the road ``(..., 3)``, without weights."""
        mask = self.mask(pose, length, width, (raster.shape[-2], raster.shape[-1]))
        bright = (mask[..., None, :, :] * raster[..., :3, :, :]).flatten(-2)
        count = torch.log(torch.tensor(float(bright.shape[-1]), dtype=bright.dtype))
        return (torch.logsumexp(self.sharpness * bright, -1) - count) / self.sharpness

    def __call__(self, raster: Tensor, pose: Tensor, length: Tensor, width: Tensor) -> Tensor:
        """The sum of the costs ``(...)``.

        Args:
            raster: lane marks, cars, and what is beside the road, from 0 to 1 ``(..., 3, H, W)``.
            pose: x, y [m], yaw [rad] in the frame of the raster, and speed [m/s] ``(..., 4)``.
            length, width: of the car ``(...)`` [m].
        """
        lane, proximity, beside = self.parts(raster, pose, length, width).unbind(-1)
        return self.proximity * proximity + self.lane * lane + self.off_road * beside
