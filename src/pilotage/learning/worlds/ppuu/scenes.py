"""Traffic as sets of objects: windows of simulated or recorded traffic around one of its cars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....core.arrays import Array
from ....core.errors import PilotageError
from ....core.settings import Count, setting, whole
from ....envs.traffic import ReactiveTraffic, ReplayedTraffic, Road, others
from ._simulated import simulated
from .ego import DT

REACH = 60.0
"""How far other cars may be from the own one to be in a scene [m]."""


class TrafficLog(NamedTuple):
    """Traffic over time.

    Attributes:
        cars: x, y [m], yaw [rad], speed [m/s], length, width [m] of each car at each tick ``(T, M, 6)``; x goes on
            where a road repeats.
        there: whether the car is there ``(T, M)``.
        ring: length after which the road repeats [m], 0 if it does not.
        road: the lanes.
    """

    cars: NDArray[np.float32]
    there: NDArray[np.bool_]
    ring: float
    road: Road


class Scene(NamedTuple):
    """Cars around the own one, which is the first.

    Attributes:
        cars: x, y [m], velocities along and across the road [m/s] ``(..., N, 4)``.
        past: accelerations along and across the road in the last ticks ``(..., N, P, 2)`` [m/s^2], the newest last.
        sizes: length and width [m] ``(..., N, 2)``.
        there: whether the car is there ``(..., N)``.
        road: half of the width of the road, and the width of a lane [m] ``(..., 2)``.
    """

    cars: Tensor
    past: Tensor
    sizes: Tensor
    there: Tensor
    road: Tensor

    def moved(self, accel: Tensor, own: Tensor | None = None) -> Scene:
        """The scene after 0.1 s under accelerations ``(..., N, 2)``: ``v += a dt``, ``p += (v + v') / 2 dt``.

        The own car is at `own` ``(..., 4)`` instead, if that is given. Nobody drives backwards.
        """
        v = self.cars[..., 2:]
        after = v + DT * accel
        after = torch.stack((torch.relu(after[..., 0]), after[..., 1]), -1)
        cars = torch.cat((self.cars[..., :2] + 0.5 * DT * (v + after), after), -1)
        if own is not None:
            cars = torch.cat((own[..., None, :], cars[..., 1:, :]), -2)
        change = (cars[..., 2:] - v) / DT
        return self._replace(cars=cars, past=torch.cat((self.past[..., 1:, :], change[..., None, :]), -2))


class Window(NamedTuple):
    """A scene, and what came after it.

    Attributes:
        scene: the scene.
        own: x, y [m], yaw [rad], speed [m/s] of the own car from the scene on ``(..., F + 1, 4)``.
        future: the cars at the ticks after it ``(..., F, N, 4)``.
        known: whether they were there ``(..., F, N)``.
    """

    scene: Scene
    own: Tensor
    future: Tensor
    known: Tensor


def simulated_logs(traffic: ReactiveTraffic, seeds: Iterable[int], ticks: Count = 300) -> list[TrafficLog]:
    """Logs of simulations, all cars of which drive by themselves.

    Example:
        >>> log, = simulated_logs(ReactiveTraffic(), [0], ticks=20)
        >>> log.cars.shape, bool(log.there.all())
        ((21, 51, 6), True)
    """
    logs = list[TrafficLog]()
    for _, world in simulated(traffic, seeds, whole(ticks, "ticks")):
        cars = np.concatenate([world[:, None, :6], others(world)[..., :6]], 1)
        ring = float(world[0, 7])
        if ring > 0.0:
            steps = np.diff(cars[..., 0], axis=0)
            cars[1:, :, 0] = cars[0, :, 0] + np.cumsum(steps - ring * np.rint(steps / ring), axis=0)
        logs.append(TrafficLog(cars.astype(np.float32), cars[..., 4] > 0.0, ring, traffic.road))
    return logs


def recorded_log(traffic: ReplayedTraffic) -> TrafficLog:
    """The log of a recording.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> t, space = np.arange(100) / 10, Space("x y [m]", "yaw: angle", "speed [m/s]")
        >>> rows = np.stack([10.0 * t, 0 * t, 0 * t, 0 * t + 10.0], -1)
        >>> tracks = TrackTable(t, np.full(100, 4), rows, space=space)
        >>> recorded_log(ReplayedTraffic(tracks, {4: (4.5, 1.8)}, Road(lanes=1))).cars.shape
        (100, 1, 6)
    """
    ids = np.unique(traffic.ids[traffic.ids >= 0])
    cars = np.zeros((len(traffic.ids), len(ids), 6), np.float32)
    there = np.zeros(cars.shape[:2], dtype=bool)
    tick, place = np.nonzero(traffic.ids >= 0)
    car = np.searchsorted(ids, traffic.ids[tick, place])
    cars[tick, car], there[tick, car] = traffic.table[tick, place, :6], True
    return TrafficLog(cars, there, 0.0, traffic.road)


class Scenes:
    """Windows of logs of traffic: any car as the own one, at any tick with enough before and after it.

    Args:
        logs: logs of traffic.
        past: ticks before the scene of which accelerations are known.
        future: ticks after it.
        cars: number N of cars in a scene, the own one and those nearest to it.

    Raises:
        PilotageError: if no car of the logs is there for so long.

    Example:
        >>> scenes = Scenes(simulated_logs(ReactiveTraffic(), [0], ticks=40), past=5, future=10)
        >>> window = scenes.draw(8, np.random.default_rng(0))
        >>> window.scene.cars.shape, window.future.shape, len(scenes)
        (torch.Size([8, 20, 4]), torch.Size([8, 10, 20, 4]), 1275)
    """

    def __init__(self, logs: Sequence[TrafficLog], *, past: int = 5, future: int = 30, cars: int = 20) -> None:
        self.logs, self.past, self.future = list(logs), whole(past, "past"), whole(future, "future")
        self.cars = setting(cars, Count, "cars")
        starts = list[NDArray[np.int64]]()
        for k, log in enumerate(self.logs):
            long = self.past + self.future + 2
            run = np.cumsum(np.pad(log.there, ((1, 0), (0, 0))), axis=0)
            whole_run = run[long:] - run[:-long] == long if len(log.there) >= long else run[:0] > 0
            tick, car = np.nonzero(whole_run)
            starts.append(np.stack([np.full(len(tick), k), tick + self.past + 1, car], -1))
        self.starts = np.concatenate(starts) if starts else np.zeros((0, 3), np.int64)
        if not len(self.starts):
            raise PilotageError(
                f"no car of {len(self.logs)} logs is there for {self.past + self.future + 2} ticks; give longer logs, "
                "or a shorter past or future"
            )

    def __len__(self) -> int:
        return len(self.starts)

    def draw(self, count: int, rng: np.random.Generator) -> Window:
        """A batch of windows, drawn with equal chances."""
        return self.windows(rng.integers(len(self), size=count))

    def windows(self, which: Sequence[int] | NDArray[np.int64]) -> Window:
        """The windows of these numbers, below ``len(self)``."""
        rows = [self._window(*self.starts[k]) for k in which]
        cars, own, there, sizes, road = (torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))
        now = self.past + 1
        velocity = cars[..., 2:]
        past = (velocity[:, 1 : now + 1] - velocity[:, :now])[:, -self.past :].transpose(1, 2) / DT
        scene = Scene(cars[:, now], past, sizes, there[:, now], road)
        return Window(scene, own[:, now:], cars[:, now + 1 :], there[:, now + 1 :])

    def _window(self, k: int, tick: int, car: int) -> tuple[NDArray[Any], ...]:
        """Cars, poses of the own one, presence, sizes and road, from the past to the future."""
        log = self.logs[k]
        part = slice(tick - self.past - 1, tick + self.future + 1)
        rows, there = log.cars[part].astype(np.float64), log.there[part]
        now = self.past + 1
        away = rows[now, :, 0] - rows[now, car, 0]
        if log.ring > 0.0:
            shift = log.ring * np.rint(away / log.ring)
            rows[..., 0] -= shift
            away = away - shift
        far = np.where(there[now], np.abs(away), np.inf)
        far[car] = -1.0
        near = np.argsort(far, kind="stable")[: self.cars]
        near = near[far[near] < REACH]
        own = rows[:, car, :4].copy()
        x0 = own[now, 0]
        own[:, 0] -= x0
        out, seen = np.zeros((len(rows), self.cars, 4)), np.zeros((len(rows), self.cars), bool)
        picked = rows[:, near]
        c, s = np.cos(picked[..., 2]), np.sin(picked[..., 2])
        found = np.stack([picked[..., 0] - x0, picked[..., 1], picked[..., 3] * c, picked[..., 3] * s], -1)
        out[:, : len(near)], seen[:, : len(near)] = _held(found, there[:, near]), there[:, near]
        sizes = np.ones((self.cars, 2))
        sizes[: len(near)] = picked[now, :, 4:6]
        road = np.array([0.5 * log.road.width, log.road.lane_width])
        return out.astype(np.float32), own.astype(np.float32), seen, sizes.astype(np.float32), road.astype(np.float32)


def _held(rows: Array, there: NDArray[np.bool_]) -> Array:
    """Rows ``(T, N, 4)`` where a car that is not there yet, or no longer, stays as it was nearest in time."""
    ticks = np.arange(len(rows))[:, None]
    last = np.maximum.accumulate(np.where(there, ticks, -1), axis=0)
    first = np.where(there, ticks, len(rows)).min(0)
    return np.take_along_axis(rows, np.where(last < 0, np.minimum(first, len(rows) - 1), last)[..., None], 0)
