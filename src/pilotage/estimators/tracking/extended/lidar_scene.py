"""Scenes for trackers of extended objects: cars and pedestrians as a lidar in the plane sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core import Rng, Scans, ShapeError, Space, TrackTable
from ....core.arrays import Array, numbers
from ....core.settings import Count, Fraction, Natural, NonNegative, Positive, setting
from ....core.streams import seeded
from ....maps.disc_ranges import disc_ranges
from ....models import bicycle, position
from ._bodies import frames
from .wasserstein import SHAPE

Integers = NDArray[np.int64]
CAR, PERSON = "car", "pedestrian"
MOVING = Space("x y [m]", "heading: angle", "length width [m]", "vx vy [m/s]")
"""Shape and velocity of the centre."""
LEG, STRIDE, APART, PACE = 0.09, 0.3, 0.12, 6.0
"""Radius of a leg, how far it is set before the body, its distance from the middle [m]; speed of steps [rad/s]."""
BODY = (0.6, 0.42)
"""Length and width of a pedestrian who walks [m]."""


@dataclass(frozen=True, eq=False, repr=False)
class LidarScene:
    """Cars and pedestrians, and the points at which the beams of a lidar end.

    A car is a rectangle, and a pedestrian is two legs. Each beam ends at what is nearest, so that objects hide others.

    Attributes:
        truth: shape and velocity of the objects; kinds are "car" and "pedestrian".
        scans: the points, a scan for each time.
        causes: the id of the object of each point ``(N,)``; -1 for a false one.
        place: of the lidar, ``(2,)`` [m].
        clutter: density of false points [1/m^2].
        seed: the seed that draws the same scene; None if a generator was given.

    Example:
        >>> scene = lidar_traffic(steps=10, rng=1)
        >>> scene.truth.x.shape[1], len(scene.scans)
        (7, 10)
    """

    truth: TrackTable
    scans: Scans
    causes: Integers
    place: Array
    clutter: float
    seed: int | None

    @classmethod
    def of(
        cls,
        cars: Any,
        us: Any,
        walkers: Any,
        *,
        sizes: Any = (4.5, 1.8),
        place: Any = (0.0, 0.0),
        dt: float = 0.1,
        steps: int = 80,
        beams: int = 720,
        reach: float = 60.0,
        std: float = 0.03,
        lost: float = 0.02,
        clutter: float = 2.0,
        rng: Rng = None,
    ) -> LidarScene:
        """Cars that drive by the actions of a `bicycle`, and pedestrians who walk straight.

        Args:
            cars: x, y, yaw, speed of the rear axles at first ``(N, 4)``.
            us: accelerations and steering angles ``(N, steps - 1, 2)``, or ``(N, 1, 2)`` for all steps.
            walkers: x, y, vx, vy of pedestrians at first ``(M, 4)``.
            sizes: length and width of each car ``(N, 2)``, or of all [m]. The wheelbase is 0.6 of the length.
            place: of the lidar [m].
            dt: time from one scan to the next [s].
            steps: number of scans.
            beams: in a full turn.
            reach: range of the lidar [m].
            std: standard deviation of a range [m].
            lost: probability that a beam does not come back.
            clutter: mean number of false points in a scan, uniform within reach.
            rng: seed or generator.

        Raises:
            ShapeError: if shapes do not fit.
            SettingError: if a setting is out of range.
        """
        gen, seed = seeded(rng)
        steps, dt = setting(steps, Count, "steps"), setting(dt, Positive, "dt")
        eye = _shaped(place, "place of a lidar", (2,))
        truth = _truth(_driven(cars, us, sizes, dt, steps), _walked(walkers, dt, steps), dt)
        beams, reach = setting(beams, Count, "beams"), setting(reach, Positive, "reach")
        std, mean = setting(std, Positive, "std"), setting(clutter, NonNegative, "clutter")
        lost = setting(lost, Fraction, "lost")
        streams = gen.spawn(3)
        scans, causes = list[Array](), list[Integers]()
        for k in range(steps):
            rows = truth.at(dt * k)
            angles, ranges, hit = cast_rays(eye, rows, dt * k, beams, reach)
            back = streams[0].random(len(angles)) >= lost
            r = ranges[back] + std * streams[1].standard_normal(int(back.sum()))
            points = eye + r[:, None] * np.stack([np.cos(angles[back]), np.sin(angles[back])], -1)
            count = streams[2].poisson(mean)
            far, turn = reach * np.sqrt(streams[2].random(count)), 2.0 * np.pi * streams[2].random(count)
            false = eye + far[:, None] * np.stack([np.cos(turn), np.sin(turn)], -1)
            scans.append(np.concatenate([points, false]))
            causes.append(np.concatenate([rows.id[hit[back]], np.full(count, -1)]))
        found = Scans(position(2, std=std), scans, dt * np.arange(steps))
        return cls(truth, found, np.concatenate(causes), eye, mean / (np.pi * reach**2), seed)

    @property
    def shapes(self) -> TrackTable:
        """The truth on the space `SHAPE`, for scores by `wasserstein`."""
        truth = self.truth
        return TrackTable(truth.t, truth.id, truth.x[:, :5], space=SHAPE, kind=truth.kind)

    @property
    def points(self) -> Integers:
        """The number of points of each row of the truth, ``(R,)``."""
        counts = np.cumsum([0, *(len(each) for each in self.scans)])
        found = np.zeros(len(self.truth), np.int64)
        for k, t in enumerate(self.scans.ts):
            rows = np.flatnonzero(self.truth.t == t)
            found[rows] = (self.causes[counts[k] : counts[k + 1], None] == self.truth.id[rows]).sum(0)
        return found

    def __repr__(self) -> str:
        kinds = self.truth.kind
        cars = 0 if kinds is None else len(np.unique(self.truth.id[kinds == CAR]))
        people = len(self.truth.ids) - cars
        return f"LidarScene({cars} cars, {people} pedestrians, {len(self.scans)} scans, {len(self.causes)} points)"


def cast_rays(place: Array, rows: TrackTable, t: float, beams: int, reach: float) -> tuple[Array, Array, Integers]:
    """The beams that end at an object: their angles, ranges and the rows of the objects, ``(B,)`` each.

    Example:
        >>> scene = lidar_traffic(steps=1, rng=1)
        >>> angles, ranges, hit = cast_rays(scene.place, scene.truth, 0.0, 360, 50.0)
        >>> bool(ranges.max() <= 50.0)
        True
    """
    angles = 2.0 * np.pi * np.arange(beams) / beams
    ranges = np.full((len(rows), beams), np.inf)
    for i, (x, kind) in enumerate(zip(rows.x, [] if rows.kind is None else rows.kind, strict=True)):
        if kind == CAR:
            ranges[i] = _box_ranges(place, angles, x)
        else:
            ranges[i] = disc_ranges(np.array([*place, 0.0]), angles, _legs(x, t))
    nearest = ranges.argmin(0) if len(rows) else np.zeros(beams, np.int64)
    least = ranges.min(0, initial=np.inf)
    some = np.flatnonzero(least <= reach)
    return angles[some], least[some], nearest[some]


def _box_ranges(place: Array, angles: Array, x: Array) -> Array:
    """Ranges along beams to a rectangle, infinite for those that miss it: by slabs in the frame of the rectangle."""
    T = frames(x[2:3])[0]
    start, way = T.T @ (place - x[:2]), np.stack([np.cos(angles), np.sin(angles)], -1) @ T
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = (np.array([[-0.5], [0.5]]) * x[3:5] - start)[:, None] / way
    low, high = ends.min(0).max(-1), ends.max(0).min(-1)
    return np.where((low <= high) & (low > 0.0), low, np.inf)


def _legs(x: Array, t: float) -> Array:
    """The discs of two legs."""
    step = STRIDE * np.sin(PACE * t + x[3] + x[4])
    inner = np.array([[step, APART], [-step, -APART]]) @ frames(x[2:3])[0].T
    return np.concatenate([x[:2] + inner, np.full((2, 1), LEG)], -1)


def _driven(cars: Any, us: Any, sizes: Any, dt: float, steps: int) -> Array:
    """Shapes and velocities of cars, ``(N, T, 7)``."""
    starts = _rows(cars, "cars of a lidar scene")
    n = len(starts)
    size = np.broadcast_to(_shaped(sizes, "sizes of cars", (n, 2), (2,)), (n, 2))
    given = _shaped(us, "us of cars", (n, steps - 1, 2), (n, 1, 2)) if n else starts
    found = np.empty((n, steps, 7))
    for i in range(n):
        base = 0.6 * float(size[i, 0])
        actions = np.broadcast_to(given[i], (steps - 1, 2))
        xs = np.asarray(bicycle(wheelbase=base).rollout(starts[i], np.ascontiguousarray(actions), dt))
        way = np.stack([np.cos(xs[:, 2]), np.sin(xs[:, 2])], -1)
        found[i] = np.concatenate(
            [xs[:, :2] + 0.5 * base * way, xs[:, 2:3], np.tile(size[i], (steps, 1)), xs[:, 3:] * way], -1
        )
    return found


def _walked(walkers: Any, dt: float, steps: int) -> Array:
    """Shapes and velocities of pedestrians, ``(M, T, 7)``."""
    x = _rows(walkers, "walkers of a lidar scene")
    places = x[:, None, :2] + dt * np.arange(steps)[:, None] * x[:, None, 2:]
    rest = np.concatenate([np.arctan2(x[:, 3], x[:, 2])[:, None], np.tile(BODY, (len(x), 1)), x[:, 2:]], -1)
    found = np.concatenate([places, np.repeat(rest[:, None], steps, 1)], -1)
    return np.asarray(found, np.float64)


def _rows(values: Any, name: str) -> Array:
    """Places and speeds at first, ``(N, 4)``."""
    found = np.atleast_2d(numbers(values, name))
    return _shaped(found, name, (len(found), 4)) if found.size else np.zeros((0, 4))


def _shaped(values: Any, name: str, *shapes: tuple[int, ...]) -> Array:
    """An array that has one of these shapes."""
    found = numbers(values, name)
    if found.shape not in shapes:
        raise ShapeError(f"{name} has shape {found.shape}; expected {' or '.join(map(str, shapes))}")
    return found


def _truth(cars: Array, people: Array, dt: float) -> TrackTable:
    every = np.concatenate([cars, people])
    n, steps = every.shape[:2]
    kinds = np.repeat([CAR] * len(cars) + [PERSON] * len(people), steps)
    ids = np.repeat(np.arange(1, n + 1), steps)
    return TrackTable(np.tile(dt * np.arange(steps), n), ids, every.reshape(-1, 7), space=MOVING, kind=kinds)


def lidar_traffic(
    *, steps: int = 80, dt: float = 0.1, pedestrians: int = 3, rng: Rng = None, **lidar: Any
) -> LidarScene:
    """A street: cars that hide each other for a while, two side by side, one that turns, and pedestrians.

    Args:
        steps: number of scans.
        dt: time from one scan to the next [s].
        pedestrians: number of people on the pavement between lidar and street.
        rng: seed or generator; speeds and places differ a little with it.
        lidar: beams, reach, std, lost and clutter, as in `LidarScene.of`.

    Example:
        >>> lidar_traffic(steps=10, rng=1)
        LidarScene(6 cars, 3 pedestrians, 10 scans, ... points)
    """
    gen, seed = seeded(rng)
    steps, count = setting(steps, Count, "steps"), setting(pedestrians, Natural, "pedestrians")
    lanes = np.array([[-14.0, 8.0, 0.0, 5.0], [2.0, 18.0, np.pi, 4.0], [16.0, 18.0, np.pi, 3.5],
                      [-24.0, 11.5, 0.0, 7.0], [-24.0, 14.0, 0.0, 7.0], [26.0, 21.5, np.pi, 7.0]])  # fmt: skip
    lanes[:, [0, 3]] += gen.uniform(-1.0, 1.0, (6, 2)) * [1.0, 0.3]
    lanes[4, [0, 3]] = lanes[3, [0, 3]] - [0.5, 0.0]  # side by side, three quarters of a metre apart
    us = np.zeros((6, steps - 1, 2))
    us[5, 15:50, 1] = -0.16
    side = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    walkers = np.stack([-7.0 * side + gen.uniform(-3.0, 3.0, count), 2.5 + 1.2 * np.arange(count) % 3.5,
                        1.2 * side, gen.uniform(-0.1, 0.1, count)], -1)  # fmt: skip
    sizes = np.array([[4.6, 1.8], [4.2, 1.8], [4.8, 1.9], [4.5, 1.8], [4.4, 1.7], [5.2, 2.0]])
    scene = LidarScene.of(lanes, us, walkers, sizes=sizes, dt=dt, steps=steps, rng=gen, **lidar)
    return replace(scene, seed=seed)
