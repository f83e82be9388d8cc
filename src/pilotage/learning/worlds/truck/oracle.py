"""An oracle for the truck: dynamic programming on a grid of its four states shows which starts can be docked."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....core import SettingError, ShapeError
from ....core.arrays import Array, all_finite, numbers
from ....core.settings import Count, Interval, NonNegative, setting, settings, shown
from ._grid import FINE, STEERS, WAYS, best_of, look_all, orders, rate, roll, sweep

TANGENTS, COARSE = np.tan(FINE), np.tan(STEERS)
Value = NDArray[np.float32]
Points = Annotated[int, Interval(2, ends="[)")]
Discount = Annotated[float, Interval(0.0, 1.0, "[)")]


class Outcome(NamedTuple):
    """The ends of episodes from starts ``(N, 4)``.

    Attributes:
        docked: whether each was docked ``(N,)``.
        failed: whether each hit a wall, jackknifed or missed the dock ``(N,)``; others ran out of steps.
        steps: decisions of 0.4 m until the end ``(N,)``.
        changes: changes of direction ``(N,)``.
    """

    docked: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    steps: NDArray[np.int64]
    changes: NDArray[np.int64]


@settings
class TruckOracle:
    """Dynamic programming over the trailer's axle (x, y), its heading and the hitch angle.

    ::

        V(d, s) = max over e, steer of  c(d, e) {1 if docked,  0 if failed,  (1 - price) V(e, step(s, e, steer)) else}
        c(d, e) = 1 if e = d,  1 - change else
        V(d, x, y, a, g) = V(d, x, -y, -a, -g)

    The value is the chance to dock, interpolated linearly between grid points; steering is held for 0.4 m. By the
    symmetry, only y >= 0 is stored. The direction d is backward or, with `forward`, also forward. `drive` follows the
    greedy action with the exact kinematics, with 33 steering angles instead of the 9 of the sweeps: the starts that it
    docks are feasible, so their share is a lower bound of the feasible share. The sweeps are in place (Gauss-Seidel)
    and end when no value changes any more.

    Args:
        shape: grid points of x, of y in [0, 10], of the heading (even) and of the hitch angle.
        walls: whether the walls of the yard count (the starts E3), or it is open (E1 and E2).
        forward: whether the truck may pull forward.
        price: discount of a step of 0.4 m; default: 0.001, and 0.005 with `forward`.
        change: discount of a change of direction.

    Raises:
        SettingError: if a setting is out of its range, or a value has another shape.
        ShapeError: if states are not finite numbers ``(N, 4)``.

    Source: Bellman, "Dynamic programming", 1957; the kinematics of NYU-DLSP20, notebook 14.

    Example:
        >>> oracle = TruckOracle(shape=(12, 6, 12, 7))
        >>> value = oracle.solve(sweeps=1)
        >>> value.shape, value.nbytes
        ((1, 12, 7, 6, 12), 24192)
    """

    shape: tuple[Points, Points, Points, Points] = (80, 40, 108, 37)
    walls: bool = True
    forward: bool = False
    price: Discount | None = None
    change: Discount = 0.02

    def __post_init__(self) -> None:
        if self.shape[2] % 2:
            raise SettingError(f"shape is {self.shape}; expected an even number of headings: 0 is one of them")

    @property
    def prices(self) -> tuple[float, float]:
        """The discounts of a step and of a change of direction."""
        return (0.005 if self.forward else 0.001) if self.price is None else self.price, self.change

    @property
    def axes(self) -> tuple[int, ...]:
        """The shape of a value: directions, headings, hitch angles, y, x."""
        nx, ny, headings, hitches = self.shape
        return (2 if self.forward else 1, headings, hitches, ny, nx)

    def solve(self, sweeps: int = 100, value: Value | None = None, tolerance: float = 0.003) -> Value:
        """The value on the grid, axes (direction, heading, hitch, y, x), after sweeps, from `value` if given.

        It stops when no value changes by more than the tolerance.
        """
        V = np.zeros(self.axes, dtype=np.float32) if value is None else self._checked(value).copy()
        tolerance = setting(tolerance, NonNegative, "tolerance")
        for number in range(setting(sweeps, Count, "sweeps")):
            if sweep(V, COARSE, self.walls, *self.prices, *orders(V.shape[1], V.shape[2], number)) <= tolerance:
                break
        return V

    def drive(self, value: Value, starts: Any, limit: int = 300) -> Outcome:
        """The ends of the greedy episodes from starts ``(N, 4)`` (hitch, yaw of cab and trailer), as in the yard."""
        places, limit = located(_states(starts, "starts")), setting(limit, Count, "limit")
        flags, steps, changes = np.zeros((3, len(places)), dtype=np.int64)
        roll(places, self._checked(value), TANGENTS, self.walls, *self.prices, limit, flags, steps, changes)
        return Outcome(flags == 1, flags == -1, steps, changes)

    def act(self, value: Value, x: Any, speed: float = -1.0) -> tuple[float, float]:
        """The greedy steering angle [rad] in a state of the truck ``(4,)``, and the speed, -1 or 1 m/s.

        `speed` is the last speed; a change of its sign has its price.
        """
        px, py, yaw, hitch = located(_states([x], "states"))[0].tolist()
        last, V = int(speed > 0.0), self._checked(value)
        _, u, way = best_of(V, px, py, yaw, hitch, last, TANGENTS, self.walls, *self.prices)
        return float(FINE[u]), 10.0 * WAYS[way]

    def at(self, value: Value, x: Any) -> Array:
        """The values ``(N,)`` of states of the truck ``(N, 4)`` that backs up."""
        places = located(_states(x, "states"))
        values = np.empty(len(places))
        look_all(self._checked(value)[0], places, values)
        return values

    def action_values(self, value: Value, places: Any) -> Array:
        """The values ``(N, 33)`` of the steering angles in states ``(N, 4)``, in the grid's coordinates.

        A dock has 1.1 - 0.1 (|y| + |yaw|), a failure 0.
        """
        places = _states(places, "places")
        values = np.empty((len(places), len(FINE)))
        rate(self._checked(value)[0], places, TANGENTS, self.walls, self.prices[0], values)
        return values

    def _checked(self, value: Value) -> Value:
        if value.shape != self.axes or value.dtype != np.float32:
            raise SettingError(
                f"value has shape {value.shape} and type {value.dtype}; expected {self.axes} and float32, as by solve"
            )
        return value


def _states(given: Any, name: str) -> Array:
    """States ``(N, 4)`` of finite numbers: a NaN would index the grid anywhere."""
    x = numbers(given, name)
    if x.ndim != 2 or x.shape[1] != 4 or not all_finite(x):
        raise ShapeError(f"{name} have shape {x.shape} and {shown(x)}; expected finite numbers (N, 4)")
    return x


def located(x: Array) -> Array:
    """The grid's coordinates ``(N, 4)`` of states of the truck: trailer's axle, its heading and the hitch angle.

    Example:
        >>> located(np.array([[10.0, 0.0, 0.2, 0.0]])).round(3).tolist()
        [[6.0, 0.0, 0.0, 0.2]]
    """
    yaw, hitch = x[:, 3], x[:, 2] - x[:, 3]
    return np.column_stack([x[:, 0] - 4.0 * np.cos(yaw), x[:, 1] - 4.0 * np.sin(yaw), _wrapped(yaw), _wrapped(hitch)])


def _wrapped(angle: Array) -> Array:
    return (angle + math.pi) % (2.0 * math.pi) - math.pi
