"""The context raster: lane marks, cars and the own car from above, as world models of traffic see them."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from ...core import Space
from ...core.settings import Count, Positive, settings
from ...models.trace import driver
from ..exact import Exact
from ._flow import COLUMNS, EGO, ELENGTH, EWIDTH, EX, EY, EYAW, LENGTH, WIDTH, YAW, X, Y
from .road import Road
from .state import rows as flat
from .state import traffic_space

CHANNELS = ("lanes", "cars", "ego", "off-road")
METRE = 24.0 / 3.7 * 0.25
"""Pixels a metre of the raster of PPUU."""


@settings
class ContextRaster(Exact):
    """Pictures of the surroundings of the own car ``uint8 (C, 117, 24)``, its heading up, without noise.

    A pixel holds the share of it that is covered, times 255. For a car whose axes are those of the raster that is
    exact::

        clip(l/2 + 1/2 - |xi|, 0, 1) clip(w/2 + 1/2 - |eta|, 0, 1)

    where xi, eta are the coordinates of the middle of the pixel in the frame of the car, and l, w its sides, all in
    pixels. A lane mark is ``clip(3/2 - d, 0, 1)`` at a distance of d pixels. So a raster changes smoothly
    with the poses.

    Args:
        cars: number of other cars in the state.
        road: the lanes.
        channels: any of "lanes", "cars", "ego" and "off-road".
        rows, columns: of pixels; 24 pixels across are four lanes, 117 along are 72 m.
        scale: pixels a metre.

    Source: M. Henaff, A. Canziani, Y. LeCun, "Model-predictive policy learning with uncertainty regularization for
    driving in dense traffic", ICLR 2019, and the authors' code, whose raster this is, but for the edges of cars.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> traffic = ReactiveTraffic(cars=50)
        >>> ContextRaster(cars=50).observe(traffic.start(0)).reshape(3, 117, 24).max(axis=(1, 2)).tolist()
        [255.0, 255.0, 255.0]
    """

    cars: Count
    road: Road = Road()
    channels: tuple[Literal["lanes", "cars", "ego", "off-road"], ...] = ("lanes", "cars", "ego")
    rows: Count = 117
    columns: Count = 24
    scale: Positive = METRE

    def __post_init__(self) -> None:
        shape = f"{len(self.channels)}, {self.rows}, {self.columns}"
        object.__setattr__(self, "state", traffic_space(self.cars))
        object.__setattr__(self, "reading", Space(f"raster: uint8[{shape}]"))

    def halved(self) -> ContextRaster:
        """The raster of half the size of the same surroundings."""
        return ContextRaster(
            self.cars, self.road, self.channels, (self.rows + 1) // 2, (self.columns + 1) // 2, 0.5 * self.scale
        )

    def images(self, x: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The pictures ``uint8 (..., C, rows, columns)`` of states ``(..., n)``."""
        x = np.asarray(x, dtype=np.float64)
        xs = flat(x, self.state.size, "x of traffic")
        wanted = np.array([CHANNELS.index(c) for c in self.channels])
        out = np.empty((len(xs), len(wanted), self.rows, self.columns), np.uint8)
        paint(xs, self.road.packed, self.scale, wanted, out)
        return out.reshape(*x.shape[:-1], *out.shape[1:])

    def observe(self, x: Any, context: Any = None) -> Any:
        """The pictures as numbers ``(..., C * rows * columns)``."""
        found = self.images(x)
        return found.reshape(*found.shape[:-3], -1).astype(np.float64)


@driver
def covered(inside: float) -> float:
    """The share of a pixel inside of an edge that is so many pixels away from its middle."""
    return min(max(inside + 0.5, 0.0), 1.0)


@driver
def stamp(forward: float, left: float, yaw: float, length: float, width: float, scale: float, image: Any) -> None:
    """Draw a car whose middle is so many metres before and left of that of the picture, where it is brighter."""
    rows, columns = image.shape
    row, column = 0.5 * rows - forward * scale, 0.5 * columns - left * scale
    c, s = math.cos(yaw), math.sin(yaw)
    l, w = 0.5 * length * scale, 0.5 * width * scale
    tall = (l + 0.5) * abs(c) + (w + 0.5) * abs(s)
    wide = (l + 0.5) * abs(s) + (w + 0.5) * abs(c)
    for i in range(max(int(row - tall), 0), min(int(row + tall) + 1, rows)):
        f = row - (i + 0.5)
        for j in range(max(int(column - wide), 0), min(int(column + wide) + 1, columns)):
            g = column - (j + 0.5)
            share = covered(l - abs(c * f + s * g)) * covered(w - abs(c * g - s * f))
            value = np.uint8(255.0 * share + 0.5)
            if value > image[i, j]:
                image[i, j] = value


@driver("void(f8[:,::1], f8[::1], f8, i8[::1], u1[:,:,:,::1])", nogil=True)
def paint(states, road, scale, channels, out):
    """The rasters of states, with channels by their index in `CHANNELS`."""
    for n in range(states.shape[0]):
        x = states[n]
        for k in range(channels.shape[0]):
            image = out[n, k]
            if channels[k] == 0 or channels[k] == 3:
                lines(x, road, scale, channels[k] == 3, image)
                continue
            for i in range(image.shape[0]):
                for j in range(image.shape[1]):
                    image[i, j] = 0
            if channels[k] == 2:
                stamp(0.0, 0.0, 0.0, x[ELENGTH], x[EWIDTH], scale, image)
            else:
                cars(x, scale, image)


@driver
def cars(x: Any, scale: float, image: Any) -> None:
    """Draw the other cars."""
    c, s = math.cos(x[EYAW]), math.sin(x[EYAW])
    reach = 0.5 * (image.shape[0] + image.shape[1]) / scale
    for k in range(EGO, x.shape[0], COLUMNS):
        dx, dy = x[k + X] - x[EX], x[k + Y] - x[EY]
        if x[k + LENGTH] > 0.0 and abs(dx) + abs(dy) < reach + x[k + LENGTH]:
            yaw = x[k + YAW] - x[EYAW]
            stamp(c * dx + s * dy, c * dy - s * dx, yaw, x[k + LENGTH], x[k + WIDTH], scale, image)


@driver
def lines(x: Any, road: Any, scale: float, beside: bool, image: Any) -> None:
    """Draw the lane marks, or what is beside the road."""
    rows, columns = image.shape
    c, s = math.cos(x[EYAW]), math.sin(x[EYAW])
    for i in range(rows):
        f = (0.5 * rows - (i + 0.5)) / scale
        for j in range(columns):
            g = (0.5 * columns - (j + 0.5)) / scale
            y = x[EY] + s * f + c * g
            if beside:
                share = covered((abs(y) - 0.5 * road[0] * road[1]) * scale)
            else:
                place = y / road[1] + 0.5 * road[0]
                line = min(max(math.floor(place + 0.5), 0.0), road[0])
                share = covered(1.0 - abs(place - line) * road[1] * scale)
            image[i, j] = np.uint8(255.0 * share + 0.5)
