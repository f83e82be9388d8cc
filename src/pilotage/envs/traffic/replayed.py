"""Recorded traffic in which the own car takes the place of one of the cars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core import Dynamics, TrackTable
from ...core.arrays import Array
from ...core.errors import SettingError, ShapeError
from ...core.settings import instance, positive, whole
from ...core.streams import Rng, generator
from ._flow import COLUMNS, EGO, GOAL, KEY, LENGTH, TARGET, TICK, WIDTH, X, Y, replay, reveal
from .road import Road
from .state import ACTION, EGO_DRIVER, pairs, traffic_space

Integers = NDArray[np.int64]


class ReplayedTraffic(Dynamics):
    """Recorded cars that move as they did, but for one whose place the own car takes; they do not react to it.

    A car has the same row as long as it is there. `start` draws one of the recorded cars, or takes the one that is
    asked for. It begins where and as that car did, and its goal is where the recording of it ends.

    Args:
        tracks: x along the road and y to its left [m] of the middles of the cars, yaw [rad] and speed [m/s], every 0.1
            s.
        sizes: length and width of each car [m], by id.
        road: the lanes; its length does not matter.
        least: shortest way of a car that can be replaced [m].
        skip: ticks of a car's recording before the episode starts, so that there is a history.

    Raises:
        SettingError: if no car drives so far.
        ShapeError: if a car has no size, or times are not multiples of 0.1 s.

    Example:
        >>> from pilotage.core import Space
        >>> t, space = np.arange(100) / 10, Space("x y [m]", "yaw: angle", "speed [m/s]")
        >>> rows = np.stack([10.0 * t, 0 * t, 0 * t, 0 * t + 10.0], -1)
        >>> tracks = TrackTable(np.tile(t, 2), np.repeat([4, 9], 100), np.tile(rows, (2, 1)) + 0, space=space)
        >>> traffic = ReplayedTraffic(tracks, {4: (4.5, 1.8), 9: (4.5, 1.8)}, Road(lanes=1))
        >>> traffic.vehicles.tolist(), traffic.start(0)[:4].tolist()
        ([4, 9], [20.0, 0.0, 0.0, 10.0])
    """

    action = ACTION

    def __init__(
        self,
        tracks: TrackTable,
        sizes: Mapping[int, tuple[float, float]],
        road: Road,
        *,
        least: float = 60.0,
        skip: int = 20,
    ) -> None:
        self.road = instance(road, Road, "ReplayedTraffic")
        self.skip = whole(skip, "skip", 0)
        rows, ticks = _rows(instance(tracks, TrackTable, "ReplayedTraffic"), sizes), _ticks(tracks.t)
        ticks = ticks - (ticks.min() if len(ticks) else 0)
        self.table, self.ids = _table(rows, ticks, tracks.id)
        self.cars = self.ids.shape[1]
        self.state = traffic_space(self.cars)
        far = positive(least, "least")
        spans = {int(i): _span(ticks[tracks.id == i], rows[tracks.id == i, X], self.skip) for i in tracks.ids}
        self._spans = {i: s for i, s in spans.items() if s.goal - s.start >= far}
        self.vehicles = np.array(list(self._spans), dtype=np.int64)
        if not len(self.vehicles):
            raise SettingError(f"no car of {tracks} drives {far:g} m after its first {self.skip} ticks; give less")

    def __repr__(self) -> str:
        return (
            f"ReplayedTraffic({len(self.vehicles)} cars to drive, {len(self.table) / 10:g} s, {self.road.lanes} lanes)"
        )

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The states after `dt` seconds, 0.1 s of the recording."""
        xs, us, batch = pairs(x, u, self.state.size)
        out = np.empty_like(xs)
        replay(xs, us, self.table, self.ids, float(dt), out)
        return out.reshape(*batch, self.state.size)

    def start(self, rng: Rng = None, *, vehicle: int | None = None) -> Array:
        """The state ``(n,)`` where the own car takes the place of a recorded one."""
        if vehicle is None:
            vehicle = int(generator(rng).choice(self.vehicles))
        return self.recorded(vehicle, 1)[0]

    def recorded(self, vehicle: int, most: int | None = None) -> Array:
        """The states ``(T + 1, n)`` of an episode in which a car is driven as it was, or the first `most` of them."""
        if (span := self._spans.get(whole(vehicle, "vehicle", 0))) is None:
            raise SettingError(f"vehicle is {vehicle}; expected one of `vehicles`, such as {self.vehicles[0]}")
        ticks = np.arange(span.first, span.last + 1)[:most]
        xs = np.zeros((len(ticks), EGO + self.cars * COLUMNS))
        xs[:, GOAL], xs[:, TICK], xs[:, KEY] = span.goal, ticks, vehicle
        xs[:, :TARGET] = self.table[ticks][self.ids[ticks] == vehicle, :TARGET]
        reveal(xs, self.table, self.ids)
        return xs


class Span(NamedTuple):
    """The ticks of a car that can be replaced, and x where it starts and where it is at last."""

    first: int
    last: int
    start: float
    goal: float


def _span(ticks: Integers, x: Array, skip: int) -> Span:
    """The longest time without gaps of a car, without its first ticks."""
    pieces = np.split(np.arange(len(ticks)), np.flatnonzero(np.diff(ticks) != 1) + 1)
    rows = max(pieces, key=len)
    rows = rows[min(skip, len(rows) - 1) :]
    return Span(int(ticks[rows[0]]), int(ticks[rows[-1]]), float(x[rows[0]]), float(x[rows[-1]]))


def _rows(tracks: TrackTable, sizes: Mapping[int, tuple[float, float]]) -> Array:
    """The rows ``(R, COLUMNS)`` of a table of tracks."""
    if tracks.space.names[:4] != ("x", "y", "yaw", "speed"):
        raise ShapeError(f"the tracks hold {tracks.space}; expected x, y, yaw and speed of cars")
    if missing := [int(i) for i in tracks.ids if int(i) not in sizes]:
        raise ShapeError(f"sizes has no length and width of car {missing[0]}; expected those of every car")
    rows = np.zeros((len(tracks), COLUMNS))
    rows[:, :LENGTH] = tracks.x[:, :4]
    both = np.array([sizes[int(i)] for i in tracks.ids]).reshape(-1, 2)
    rows[:, [LENGTH, WIDTH]] = both[np.searchsorted(tracks.ids, tracks.id)]
    if (rows[:, [LENGTH, WIDTH]] <= 0.0).any():
        raise ShapeError(f"sizes has a length or width of {both.min():g} m; expected lengths above 0")
    rows[:, TARGET] = rows[:, Y]
    rows[:, TARGET + 1 :] = EGO_DRIVER  # for those who ask what the others might do
    return rows


def _table(rows: Array, ticks: Integers, ids: Integers) -> tuple[Array, Integers]:
    """The cars of each tick ``(K, M, COLUMNS)`` and their ids ``(K, M)``, -1 for none; a car keeps its place."""
    names, car = np.unique(ids, return_inverse=True)
    first, last = np.full(len(names), ticks.max(initial=0)), np.zeros(len(names), np.int64)
    np.minimum.at(first, car, ticks)
    np.maximum.at(last, car, ticks)
    place, ends = np.zeros(len(names), np.int64), list[int]()
    for i in np.argsort(first, kind="stable"):
        free = [k for k, end in enumerate(ends) if end + 1 < first[i]]
        place[i] = free[0] if free else len(ends)
        ends[place[i] : place[i] + 1] = [int(last[i])]
    K = int(ticks.max(initial=-1)) + 1
    table, there = np.zeros((K, max(len(ends), 1), COLUMNS)), np.full((K, max(len(ends), 1)), -1, np.int64)
    table[ticks, place[car]], there[ticks, place[car]] = rows, ids
    return table, there


def _ticks(t: Array) -> Integers:
    ticks = np.rint(10.0 * t).astype(np.int64)
    if len(t) and abs(10.0 * t - ticks).max() > 1e-3:
        raise ShapeError(f"t of the tracks has {t[abs(10.0 * t - ticks).argmax()]:g} s; expected multiples of 0.1 s")
    return ticks
