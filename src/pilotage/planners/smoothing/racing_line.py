"""The line around a closed track on which a lap takes the least time."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import numbers
from ...core.errors import ShapeError
from ...core.plan import Plan, PlanStatus
from ...core.settings import Count, NonNegative, Positive, instance, settings
from ...core.space import Space
from ...maps import OccupancyGrid
from ._passes import curvatures, fastest
from ._ring import RingProgram, Term

Array = NDArray[np.float64]
POSE = Space("x y [m]", "yaw: angle")
TANGENTS = np.radians([12.0, 25.0])
"""Where lines touch the friction circle that stand for it in the program; the profiles keep to the circle itself."""
SMOOTH, SLOWEST = 1e-3, 0.5
"""Weight of the squares of the curvature, which joins points that no limit touches [m^2 s], and least speed [m/s]."""


class Lap(NamedTuple):
    """A closed line: points ``(n, 2)``, lengths of the steps after them, curvature, and squares b of the speeds."""

    points: Array
    ds: Array
    kappa: Array
    b: Array

    @property
    def seconds(self) -> float:
        """The time of a lap [s]; infinite if the line turns back twice in a row."""
        v = np.sqrt(self.b)
        with np.errstate(divide="ignore"):
            return float((2.0 * self.ds / (v + np.roll(v, -1))).sum())


@settings
class RacingLine:
    """A racing line: the closed line within a track that takes the least time, within limits of speed and acceleration.

    ::

        p_i = c_i + alpha_i n_i,   -right_i + margin <= alpha_i <= left_i - margin      n_i: normal of the centre line
        min  sum_i ds_i / v_i        b_i = v_i^2 <= speed^2,  b_i |kappa_i| <= lateral
                                     a_i = (b_(i+1) - b_i) / (2 ds_i),  -braking <= a_i <= acceleration
                                     a_i^2 + (b_i kappa_i)^2 <= lateral^2

    The first line is that of least curvature. Then a sequence of quadratic programs over offsets alpha and speeds b
    lowers the lap time: curvature and the time are expanded about the last line, and a step moves no point by more than
    a radius, which shrinks if the lap becomes slower. The speeds of each line are those of `TimeParameterization`, on a
    closed line. The result is a local minimum of the lap time of a point with these limits.

    Attributes:
        speed: highest speed [m/s].
        acceleration, braking: largest acceleration and deceleration along the line [m/s^2].
        lateral: largest acceleration across the line, and of both together [m/s^2].
        margin: distance of the line to the edges of the track and to obstacles [m]: half the width of the car, and some
            room.
        spacing: distance between points of the centre line [m].
        smoothing: length over which the directions of the centre line are averaged [m].
        iterations: largest number of quadratic programs.

    Source: Heilmeier, Wischnewski, Hermansdorfer, Betz, Lienkamp and Lohmann, "Minimum curvature trajectory planning
    and control for an autonomous race car", Vehicle System Dynamics 58, 2020, section 3 (the first line, a program over
    offsets); Christ, Wischnewski, Heilmeier and Lohmann, "Time-optimal trajectory planning for a race car considering
    variable tyre-road friction coefficients", Vehicle System Dynamics 59, 2021 (the lap time, over the same offsets).

    Example:
        >>> turn = np.linspace(0.0, 2.0 * np.pi, 200, endpoint=False)
        >>> oval = np.stack([20.0 * np.cos(turn), 8.0 * np.sin(turn)], -1)
        >>> plan = RacingLine(speed=8.0, acceleration=4.0, lateral=8.0).optimize(oval, 1.0, 1.0)
        >>> plan.ok, bool(plan.cost < plan.stats["least_curvature"])
        (True, True)
    """

    speed: Positive = 8.0
    acceleration: Positive = 4.0
    braking: Positive = 5.0
    lateral: Positive = 8.0
    margin: NonNegative = 0.25
    spacing: Positive = 0.3
    smoothing: Positive = 2.5
    iterations: Count = 30

    def optimize(self, center: ArrayLike, right: ArrayLike, left: ArrayLike, grid: OccupancyGrid | None = None) -> Plan:
        """The fastest line around a track.

        Args:
            center: x and y of the centre line ``(K, 2)`` [m], in the direction of the race; closed, without repeating
                the first point.
            right, left: distances from the centre line to the edges of the track ``(K,)``, or one number [m].
            grid: map whose obstacles the line keeps clear of by the margin; None for no obstacles.

        Returns:
            A closed plan of x, y and yaw, whose first and last states are one; its cost is the time of a flying lap
            [s]. In `stats`, ``speed`` [m/s] and ``curvature`` [1/m] at its states, ``offset`` from the centre line [m],
            ``least_curvature``, the lap time of the first line [s], and the number of ``iterations``. Its status is
            INVALID, with a reason, if the margin leaves no room on the track, or the line turns back twice in a row.

        Raises:
            ShapeError: if the arrays have other shapes, or are not finite.
        """
        began = time.perf_counter()
        c, edges = _resampled(center, right, left, self.spacing)
        n = _normals(c, self.smoothing / self.spacing)
        low, high = edges[0] + self.margin, edges[1] - self.margin
        if grid is not None:
            low, high = self._clear(instance(grid, OccupancyGrid, "RacingLine"), c, n, low, high)
        if (low > high).any():
            x, y = c[(low - high).argmax()]
            return Plan(
                PlanStatus.INVALID, reason=f"a margin of {self.margin:g} m leaves no room at ({x:.4g}, {y:.4g})"
            )
        alpha = self._least_curvature(c, n, low, high)
        lap = self._lap(c + n * alpha[:, None])
        first, radius, k = lap.seconds, 1.0, 0
        while k < self.iterations and radius > 0.01:
            k += 1
            moved = self._faster(lap, n, np.maximum(low - alpha, -radius), np.minimum(high - alpha, radius))
            offsets = alpha if moved is None else np.clip(alpha + moved, low, high)
            tried = self._lap(c + n * offsets[:, None])
            gained = lap.seconds - tried.seconds
            if gained > 0.0:
                alpha, lap = offsets, tried
            if gained < 1e-5 * lap.seconds:
                radius *= 0.3
        stats = {"offset": alpha[[*range(len(alpha)), 0]], "least_curvature": first, "iterations": k}
        return _plan(lap, {**stats, "seconds": time.perf_counter() - began})

    def parameterize(self, line: ArrayLike) -> Plan:
        """A given closed line with the fastest profile within the limits, as `optimize` returns it.

        Args:
            line: x and y ``(N, 2)`` [m], without repeating the first point.

        Raises:
            ShapeError: if the array has another shape, is not finite, or repeats a point.

        Example:
            >>> turn = np.linspace(0.0, 2.0 * np.pi, 100, endpoint=False)
            >>> circle = 2.0 * np.stack([np.cos(turn), np.sin(turn)], -1)
            >>> round(RacingLine(lateral=8.0).parameterize(circle).cost, 2)        # 4 pi metres at 4 m/s
            3.14
        """
        points = numbers(line, "the line")
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
            raise ShapeError(f"the line has shape {points.shape}; expected finite (N, 2), with N of 3 or more")
        if not _measured(points)[0].all():
            raise ShapeError("the line repeats a point; leave it out, the last one if it is the first one again")
        return _plan(self._lap(points), {})

    def _clear(self, grid: OccupancyGrid, c: Array, n: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """The bounds of the offsets within which points keep the margin to obstacles."""
        ends = []
        for side, edge in ((-1.0, low), (1.0, high)):
            away = np.arange(0.0, max(side * edge.max() if side > 0 else -edge.min(), 0.0) + 0.02, 0.02)
            near = grid.clearance(c[:, None] + side * away[:, None] * n[:, None]) < self.margin
            last = np.where(near.any(-1), near.argmax(-1) - 1, len(away) - 1)
            ends.append(np.where(last < 0, -side * math.inf, side * away[last]))
        return np.maximum(low, ends[0]), np.minimum(high, ends[1])

    def _lap(self, points: Array) -> Lap:
        """The closed line through points with its fastest profile, the passes run over two laps."""
        ds, kappa = _measured(points)
        n, two = len(ds), np.concatenate
        with np.errstate(divide="ignore"):
            b = np.minimum(self.speed**2, self.lateral / abs(kappa))
        steps, bends = two([ds, ds])[:-1], two([kappa, kappa])
        b = fastest(two([b, b]), steps, self.acceleration, bends, self.lateral)[n:]
        b = fastest(two([b, b])[::-1], steps[::-1], self.braking, bends[::-1], self.lateral)[n:][::-1]
        return Lap(points, ds, kappa, b)

    def _least_curvature(self, c: Array, n: Array, low: Array, high: Array) -> Array:
        """Offsets of the line with the least integral of the squared curvature, expanded about the centre line."""
        program = RingProgram(len(c))
        program.square([(k - 1, 0, slope) for k, slope in enumerate(_slopes(c, n))], _measured(c)[1])
        program.quadratic((0, 1), (0, 1), np.ones(len(c)))
        _between(program, low, high)
        found = program.solve()
        return np.clip(0.0 if found is None else found[0], low, high)

    def _faster(self, lap: Lap, n: Array, low: Array, high: Array) -> Array | None:
        """Changes of the offsets within bounds that lower the lap time to first order; None if none are found."""
        points, ds, kappa, b = lap
        b, scale, program = np.maximum(b, SLOWEST**2), self.speed**2, RingProgram(len(b))
        slopes, root = _slopes(points, n), math.sqrt(SMOOTH)
        program.square([(k - 1, 0, root * slope) for k, slope in enumerate(slopes)], root * kappa)
        self._time(program, points, n, ds, b, scale)
        _between(program, low, high)
        one = np.ones(len(b))
        program.bound([(0, 1, one)], 1.0 - b / scale)
        program.bound([(0, 1, -one)], (b - 0.5 * SLOWEST**2) / scale)
        rise, a = 0.5 * scale / ds, (np.roll(b, -1) - b) / (2.0 * ds)
        program.bound([(1, 1, rise), (0, 1, -rise)], self.acceleration - a)
        program.bound([(1, 1, -rise), (0, 1, rise)], self.braking + a)
        for left in (one, -one):
            program.bound(_across(slopes, kappa, b, scale, left), self.lateral - left * b * kappa)
        side, fall, a0 = np.sign(kappa), np.roll(rise, 1), np.roll(a, 1)
        for cos, sin in zip(np.cos(TANGENTS), np.sin(TANGENTS), strict=True):
            across, left = _across(slopes, kappa, b, scale, cos * side), self.lateral - cos * abs(b * kappa)
            program.bound([*across, (1, 1, sin * rise), (0, 1, -sin * rise)], left - sin * a)
            program.bound([*across, (0, 1, -sin * fall), (-1, 1, sin * fall)], left + sin * a0)
        found = program.solve()
        return None if found is None else found[0]

    def _time(self, program: RingProgram, points: Array, n: Array, ds: Array, b: Array, scale: float) -> None:
        """Add the lap time to the cost, by the lengths of the steps and by the squares of the speeds."""
        v, step, after = np.sqrt(b), np.roll(points, -1, axis=0) - points, np.roll(n, -1, axis=0)
        pull = 2.0 / (ds * (v + np.roll(v, -1)))  # of ds / v = ds^2 / (ds v)
        program.linear(0, 0, -(step * n).sum(-1) * pull)
        program.linear(1, 0, (step * after).sum(-1) * pull)
        program.quadratic((0, 0), (0, 0), pull + np.roll(pull, 1))
        program.quadratic((0, 0), (1, 0), -(n * after).sum(-1) * pull)
        around = 0.5 * (ds + np.roll(ds, 1))
        program.linear(0, 1, -0.5 * around * b**-1.5 * scale)
        program.quadratic((0, 1), (0, 1), 0.75 * around * b**-2.5 * scale**2)


def _across(slopes: Array, kappa: Array, b: Array, scale: float, side: Array) -> list[Term]:
    """The change of the acceleration across the line, ``side b kappa``."""
    return [*((k - 1, 0, side * b * slope) for k, slope in enumerate(slopes)), (0, 1, side * kappa * scale)]


def _between(program: RingProgram, low: Array, high: Array) -> None:
    one = np.ones(len(low))
    program.bound([(0, 0, one)], high)
    program.bound([(0, 0, -one)], -low)


def _measured(points: Array) -> tuple[Array, Array]:
    """Lengths of the steps of a closed line ``(n,)``, and its curvature at the points."""
    steps = np.diff(points[[-1, *range(len(points)), 0]], axis=0)
    ds = np.hypot(*steps.T)
    return ds[1:], curvatures(steps, ds)


def _slopes(points: Array, n: Array, h: float = 1e-5) -> Array:
    """The derivatives ``(3, n)`` of the curvature at each point by the offsets of the point before, itself, the next.

    By central differences: every third point moves at once, since n is a multiple of three.
    """
    out, at = np.empty((3, len(points))), np.arange(len(points))
    for phase in range(3):
        moved = h * n * (at % 3 == phase)[:, None]
        slope = (_measured(points + moved)[1] - _measured(points - moved)[1]) / (2.0 * h)
        for k in range(3):
            mine = (at + k - 1) % len(points) % 3 == phase
            out[k, mine] = slope[mine]
    return out


def _resampled(center: ArrayLike, right: ArrayLike, left: ArrayLike, spacing: float) -> tuple[Array, Array]:
    """The centre line in equal steps, their number a multiple of three, and offsets of the edges ``(2, n)``."""
    c = numbers(center, "the centre line")
    sides = [numbers(each, name) for each, name in ((right, "right"), (left, "left"))]
    if c.ndim != 2 or c.shape[1] != 2 or len(c) < 3 or any(e.shape not in ((), (len(c),)) for e in sides):
        raise ShapeError(
            f"the centre line has shape {c.shape}, right {sides[0].shape}, left {sides[1].shape}; expected (K, 2) with "
            "K of 3 or more, and (K,) or one number each"
        )
    table = np.column_stack([c, -sides[0] * np.ones(len(c)), sides[1] * np.ones(len(c))])
    if not np.isfinite(table).all() or not np.ptp(c, axis=0).all():
        raise ShapeError("the centre line or the edges of the track are not finite, or it encloses nothing")
    table = np.concatenate([table, table[:1]])
    s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(table[:, :2], axis=0).T))])
    count = 3 * max(4, round(s[-1] / spacing / 3.0))
    at = np.arange(count) * s[-1] / count
    points = np.stack([np.interp(at, s, column) for column in table.T])
    return points[:2].T.copy(), points[2:]


def _normals(c: Array, length: float) -> Array:
    """Unit vectors to the left of the closed line ``(n, 2)``, averaged over so many points."""
    half = max(1, round(0.5 * length))
    chords = np.sum([np.roll(c, -k, axis=0) - np.roll(c, k, axis=0) for k in range(1, half + 1)], axis=0)
    t = np.sum([np.roll(chords, k, axis=0) for k in range(-half, half + 1)], axis=0)
    return np.stack([-t[:, 1], t[:, 0]], -1) / np.hypot(*t.T)[:, None]


def _plan(lap: Lap, stats: dict[str, Any]) -> Plan:
    """The plan of a lap, with its first state at the end again; INVALID if it turns back twice in a row."""
    if not math.isfinite(lap.seconds):
        x, y = lap.points[lap.b.argmin()]
        return Plan(PlanStatus.INVALID, reason=f"the line turns back twice at ({x:.4g}, {y:.4g}); smooth it first")
    around = [*range(len(lap.points)), 0]
    step = np.roll(lap.points, -1, axis=0) - np.roll(lap.points, 1, axis=0)
    xs = np.column_stack([lap.points, np.arctan2(step[:, 1], step[:, 0])])[around]
    v = np.sqrt(lap.b)[around]
    ts = np.concatenate([[0.0], np.cumsum(2.0 * lap.ds / (v[1:] + v[:-1]))])
    stats = {"speed": v, "curvature": lap.kappa[around], **stats}
    return Plan(PlanStatus.SOLVED, POSE, xs, ts=ts, cost=lap.seconds, stats=stats)
