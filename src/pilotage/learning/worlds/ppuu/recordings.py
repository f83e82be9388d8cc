"""Drives of other people: each car of simulated or recorded traffic as seen from its own seat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ....core.arrays import Array
from ....core.errors import SettingError
from ....core.settings import Count, setting, whole
from ....envs.traffic import ContextRaster, ReactiveTraffic, ReplayedTraffic, others
from ....envs.traffic._flow import EGO
from ....io import Episode
from ._simulated import simulated
from .ego import actions_of

CHANNELS = ("lanes", "cars", "off-road")
"""The channels of a recorded raster; the own car is always in the middle, so it needs none."""


class Drive(NamedTuple):
    """A drive of one car.

    Attributes:
        images: rasters ``uint8 (T + 1, 3, H, W)``: lane marks, cars, and what is beside the road.
        states: x, y [m], yaw [rad], speed [m/s] of the car ``(T + 1, 4)``.
        actions: acceleration [m/s^2] and curvature [1/m] ``(T, 2)``.
        size: length and width of the car [m].
        name: seed of the traffic, or 0, and id of the car.
    """

    images: NDArray[np.uint8]
    states: Array
    actions: Array
    size: tuple[float, float]
    name: tuple[int, int]

    def episode(self) -> Episode:
        """The drive as an episode; rewards are the way along the road [m]."""
        T = len(self.actions)
        seen: dict[str, Any] = {
            "images": self.images, "states": self.states, "size": np.tile(np.array(self.size), (T + 1, 1)),
        }  # fmt: skip
        return Episode(seen, self.actions, np.diff(self.states[:, 0]), np.zeros(T, bool), np.arange(T) == T - 1)


def recorded_drives(traffic: ReplayedTraffic, *, half: bool = False) -> Iterator[Drive]:
    """The drives of a recording, a car at a time.

    Args:
        traffic: the recording.
        half: whether rasters have half the size.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.envs.traffic import Road
        >>> t, space = np.arange(100) / 10, Space("x y [m]", "yaw: angle", "speed [m/s]")
        >>> rows = np.stack([10.0 * t, 0 * t, 0 * t, 0 * t + 10.0], -1)
        >>> tracks = TrackTable(t, np.full(100, 4), rows, space=space)
        >>> drive, = recorded_drives(ReplayedTraffic(tracks, {4: (4.5, 1.8)}, Road(lanes=1)))
        >>> drive.images.shape, float(abs(drive.actions).max())
        ((80, 3, 117, 24), 0.0)
    """
    look = _look(traffic, half)
    for vehicle in traffic.vehicles:
        xs = traffic.recorded(int(vehicle))
        yield _drive(xs, look, (0, int(vehicle)))


def simulated_drives(
    traffic: ReactiveTraffic, seeds: range, *, ticks: Count = 200, cars: Count = 8, half: bool = False
) -> Iterator[Drive]:
    """The drives of some cars in each of several simulations; nobody is driven by a learner in them.

    Args:
        traffic: the simulation.
        seeds: of the simulations.
        ticks: length of a drive.
        cars: number of cars of each simulation, drawn at random.
        half: whether rasters have half the size.

    Example:
        >>> drives = list(simulated_drives(ReactiveTraffic(), range(2), ticks=20, cars=3))
        >>> len(drives), drives[0].images.shape
        (6, (21, 3, 117, 24))
    """
    T, count = whole(ticks, "ticks"), setting(cars, Count, "cars")
    if count > traffic.cars:
        raise SettingError(f"cars is {count}, but the traffic has {traffic.cars} besides the own one")
    look = _look(traffic, half)
    for seed, world in simulated(traffic, seeds, T):
        stream = np.random.default_rng([seed, 1])
        for car in np.sort(stream.choice(traffic.cars, count, replace=False)):
            yield _drive(swapped(world, int(car)), look, (seed, int(car)))


def swapped(xs: Array, car: int) -> Array:
    """States ``(..., n)`` as they are for another car: it is the own one, and the own one takes its row.

    Places along a road that repeats are those nearest to the new own car, except that its own way goes on.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> x = ReactiveTraffic().start(0)
        >>> y = swapped(x[None], 3)[0]
        >>> bool((y[1:6] == others(x)[3, 1:6]).all() and (others(y)[3, 1:6] == x[1:6]).all())
        True
    """
    ys, rows = xs.copy(), others(xs).copy()
    own = rows[..., car, :6].copy()
    rows[..., car, :6] = xs[..., :6]
    ring = xs[..., 7]
    if np.any(ring > 0.0):
        own[..., 0] = _unwrapped(own[..., 0], ring)
        away = rows[..., 0] - own[..., 0, None]
        rows[..., 0] -= ring[..., None] * np.floor(away / ring[..., None] + 0.5)
    ys[..., :6] = own
    ys[..., EGO:] = rows.reshape(*rows.shape[:-2], -1)
    return ys


def _unwrapped(x: Array, ring: Array) -> Array:
    """Places over time ``(T,)`` without the jumps of a road that repeats."""
    steps = np.diff(x)
    steps = steps - ring[1:] * np.rint(steps / ring[1:])
    return np.concatenate([x[:1], x[0] + np.cumsum(steps)])


def _look(traffic: ReactiveTraffic | ReplayedTraffic, half: bool) -> ContextRaster:
    look = ContextRaster(traffic.cars, traffic.road, CHANNELS)
    return look.halved() if half else look


def _drive(xs: Array, look: ContextRaster, name: tuple[int, int]) -> Drive:
    states = np.ascontiguousarray(xs[:, :4])
    length, width = (float(each) for each in xs[0, 4:6])
    us = actions_of(torch.from_numpy(states), length).numpy()
    return Drive(look.images(xs), states, us, (length, width), name)
