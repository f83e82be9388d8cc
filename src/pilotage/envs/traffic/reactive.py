"""Traffic whose drivers react to each other and to the own car."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Dynamics
from ...core.arrays import Array
from ...core.errors import SettingError
from ...core.settings import Count, Fraction, Natural, NonNegative, Positive, settings
from ...core.streams import Rng, generator
from ._flow import (
    COLUMNS,
    EGO,
    EX,
    GOAL,
    KEY,
    LENGTH,
    PHASE,
    RING,
    SPEED,
    TARGET,
    TICK,
    WAVE,
    WIDTH,
    X,
    Y,
    react,
    turns,
)
from .road import Road
from .state import ACTION, expected, pairs, traffic_space

LOOK = 36.1
"""How far the own car sees to the front and to the rear [m]."""


Range = tuple[Positive, Positive]


@settings
class Drivers:
    """The ranges from which the numbers of each driver are drawn.

    Attributes:
        speed: desired speed on a free road [m/s].
        time_gap: time gap to the car ahead [s].
        accel, brake: acceleration, and comfortable braking [m/s^2].
        least_gap: gap in a standing queue [m].
        politeness: weight of others in a decision to change lanes.
        trucks: share of long vehicles.

    Source: values of M. Treiber, A. Kesting, "Traffic flow dynamics", 2013, tables 11.2 and 14.1, spread.

    Example:
        >>> Drivers(speed=(30.0, 30.0)).speed
        (30.0, 30.0)
    """

    speed: Range = (25.0, 36.0)
    time_gap: Range = (0.8, 1.8)
    accel: Range = (0.6, 1.6)
    brake: Range = (1.5, 2.5)
    least_gap: Range = (1.5, 3.0)
    politeness: tuple[NonNegative, NonNegative] = (0.0, 0.5)
    trucks: Fraction = 0.08

    def __post_init__(self) -> None:
        for name in ("speed", "time_gap", "accel", "brake", "least_gap", "politeness"):
            low, high = getattr(self, name)
            if low > high:
                raise SettingError(f"{name} of Drivers is ({low:g}, {high:g}); expected the least first")

    @property
    def ranges(self) -> Array:
        """The least and greatest values of the numbers in a row of the state ``(6, 2)``."""
        return np.array([self.speed, self.time_gap, self.accel, self.brake, self.least_gap, self.politeness])


@settings
class ReactiveTraffic(Dynamics):
    """Cars on a straight road: drivers follow by `idm` and change lanes by `mobil`, each with numbers of their own.

    The own car moves by ``p += v dt [cos yaw, sin yaw]``, ``yaw += atan(curvature v dt)`` and ``v += accel dt``, and
    does not drive backwards. The road repeats after `ring` metres, drawn at each start from `spacing`, so that the
    density stays what it is: from free flow at 80 m a car to a queue below 15 m. Drivers err by up to 0.25 m/s^2,
    for half a second each time, and waves of stop and go come towards them about every 250 m. Both depend on numbers in
    the state, so that a state that is set again goes on as before.

    A tick takes 0.1 s. Cars that hit each other do not notice; `TrafficTask` ends an episode where the own car does.

    Attributes:
        road: the lanes and the way to drive.
        cars: number of other cars.
        spacing: least and greatest distance of cars in a lane, from middle to middle [m].
        drivers: what the drivers are like.
        waves: least and greatest speed in waves of stop and go [m/s], drawn at each start; None for no waves.
        warm_up: ticks before an episode starts.

    Raises:
        SettingError: if the road that repeats is shorter than what the own car sees.

    Example:
        >>> traffic = ReactiveTraffic(cars=40)
        >>> x = traffic.start(0)
        >>> y = traffic.step(x, [0.0, 0.0], 0.1)
        >>> bool(y[0] > x[0] == 0.0), y.shape
        (True, (532,))
    """

    road: Road = Road()
    cars: Count = 50
    spacing: Range = (18.0, 40.0)
    drivers: Drivers = Drivers()
    waves: Range | None = (0.5, 6.0)
    warm_up: Natural = 300

    def __post_init__(self) -> None:
        low, high = self.spacing
        if low > high:
            raise SettingError(f"spacing of ReactiveTraffic is {self.spacing}; expected two lengths, the least first")
        if self._ring(low) < 2.0 * LOOK + 10.0:
            raise SettingError(
                f"{self.cars} cars at {low:g} m on {self.road.lanes} lanes repeat after {self._ring(low):.0f} m; "
                f"expected {2.0 * LOOK + 10.0:.0f} m or more: give more cars, or a larger spacing"
            )
        object.__setattr__(self, "state", traffic_space(self.cars))
        object.__setattr__(self, "action", ACTION)

    def _ring(self, spacing: float) -> float:
        return float(spacing * np.ceil((self.cars + 1) / self.road.lanes))

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The states after `dt` seconds."""
        xs, us, batch = pairs(x, u, self.state.size)
        return self._moved(xs, us, dt).reshape(*batch, self.state.size)

    def start(self, rng: Rng = None) -> Array:
        """A state ``(n,)`` of traffic that has found its flow, with any of the cars as the own one, at x = 0."""
        stream = generator(rng)
        rows, ring = self._placed(stream)
        x = np.zeros(EGO + rows.size)
        x[RING], x[KEY], x[EGO:] = ring, float(stream.integers(1 << 31)), rows.ravel()
        x[WAVE] = 0.0 if self.waves is None else stream.uniform(*self.waves)
        x[PHASE] = stream.uniform(-math.pi, math.pi)
        for _ in range(self.warm_up):
            x = self._moved(x[None], np.zeros((1, 2)), 0.1)[0]
        rows, before = x[EGO:].reshape(-1, COLUMNS), x
        ego = int(stream.choice(np.flatnonzero(rows[:, LENGTH] < 6.0)))
        rest = np.delete(rows, ego, axis=0)
        rest[:, X] -= rows[ego, X]
        rest[:, X] -= ring * np.floor(rest[:, X] / ring + 0.5)
        x = np.concatenate([rows[ego, :TARGET], np.zeros(EGO - TARGET), rest.ravel()])
        x[EX], x[GOAL], x[RING], x[KEY] = 0.0, self.road.length, ring, float(stream.integers(1 << 31))
        phase = before[PHASE] + turns.function(rows[ego, X], before[TICK], ring)
        x[WAVE], x[PHASE] = before[WAVE], math.remainder(phase, 2.0 * math.pi)
        return x

    def _placed(self, stream: np.random.Generator) -> tuple[Array, float]:
        """Cars in all lanes ``(M + 1, COLUMNS)`` in the order of x, and the length of the road."""
        count, lanes = self.cars + 1, self.road.lanes
        ring = self._ring(stream.uniform(*self.spacing))
        rows, lane = np.zeros((count, COLUMNS)), self._lanes(stream)
        inside = np.bincount(lane, minlength=lanes)[lane]
        place = np.arange(count) - np.searchsorted(lane, lane)
        truck = (stream.random(count) < self.drivers.trucks) & (ring / inside > 16.0)
        rows[:, LENGTH] = np.where(truck, stream.uniform(8.0, 12.0, count), stream.normal(4.6, 0.3, count))
        rows[:, WIDTH] = np.where(truck, 2.4, stream.uniform(1.7, 1.9, count))
        free = ring / inside - np.where(truck, 14.0, 6.5)
        rows[:, X] = (place + stream.random(lanes)[lane]) * ring / inside
        rows[:, X] += 0.3 * stream.uniform(-1.0, 1.0, count) * np.maximum(free, 0.0)
        rows[:, X] -= ring * np.floor(rows[:, X] / ring + 0.5)
        rows[:, Y] = rows[:, TARGET] = self.road.centers[lane]
        rows[:, TARGET + 1 :] = stream.uniform(self.drivers.ranges[:, 0], self.drivers.ranges[:, 1], (count, 6))
        rows[:, SPEED] = np.clip(free / 1.6, 0.5, 25.0)
        return rows[np.argsort(rows[:, X])], ring

    def _lanes(self, stream: np.random.Generator) -> NDArray[np.int64]:
        """The lane of each car ``(M + 1,)``, in order; some lanes have up to a third more cars than others."""
        share = stream.uniform(0.75, 1.0, self.road.lanes)
        ends = np.cumsum(share) / share.sum() * (self.cars + 1)
        return np.searchsorted(ends[:-1], np.arange(self.cars + 1) + 0.5).astype(np.int64)

    def _moved(self, xs: Array, us: Array, dt: float) -> Array:
        """The states ``(N, n)`` after `dt` seconds, with any number of cars."""
        out, count = np.empty_like(xs), (xs.shape[1] - EGO) // COLUMNS + 1
        memory, order = np.empty((count, COLUMNS)), np.empty(count, np.int64)
        react(xs, us, expected(), self.road.packed, float(dt), memory, order, out)
        return out
