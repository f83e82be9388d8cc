"""An oracle for the truck: dynamic programming on a grid of its four states shows which starts can be docked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....core.arrays import Array
from ....core.settings import Count, setting
from ._grid import FINE, best_of, fresh, roll, sweep


class Outcome(NamedTuple):
    """The ends of episodes from starts ``(N, 4)``.

    Attributes:
        docked: whether each was docked ``(N,)``.
        failed: whether each hit a wall, jackknifed or missed the dock ``(N,)``; others ran out of steps.
        steps: decisions of 0.4 m until the end ``(N,)``.
    """

    docked: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    steps: NDArray[np.int64]


@dataclass(frozen=True)
class TruckOracle:
    """Dynamic programming over the trailer's axle (x, y), its heading and the hitch angle.

    ::

        V(s) = max over steer of  1 if docked,  0 if failed,  (1 - price) V(step(s, steer)) else
        V(x, y, a, g) = V(x, -y, -a, -g)

    The value is the chance to dock, interpolated linearly between grid points; steering is held for 0.4 m. By the
    symmetry, only y >= 0 is stored. Pulling forward (`forward`) costs `gear` times the price of backing up, so that a
    truck does not shuffle to and fro. `drive` follows the greedy action with the exact kinematics: the starts that it
    docks are feasible, so their share is a lower bound of the feasible share. The default grid takes 19 MB; 32 sweeps
    take 290 s of processor time, and dock 92.3 % of 4000 starts of E3 (91.7 % after 24).

    Args:
        shape: grid points of x, of y in [0, 10], of the heading (even) and of the hitch angle.
        walls: whether the walls of the yard count (the starts E3), or it is open (E1 and E2).
        forward: whether the truck may pull forward.
        price: discount of a step of 0.4 m.
        gear: factor of the price of a step forward.

    Source: Bellman, "Dynamic programming", 1957; the kinematics of NYU-DLSP20, notebook 14.

    Example:
        >>> oracle = TruckOracle(shape=(12, 6, 12, 7))
        >>> value = oracle.solve(sweeps=1)
        >>> value.shape, value.nbytes
        ((12, 6, 12, 7), 24192)
    """

    shape: tuple[int, int, int, int] = (72, 36, 72, 25)
    walls: bool = True
    forward: bool = False
    price: float = 0.001
    gear: float = 4.0

    def solve(self, sweeps: int = 30, value: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """The value on the grid after more sweeps, from x = 0 outward and back in turns, from `value` if given."""
        V = fresh(self.shape) if value is None else value.copy()
        for k in range(setting(sweeps, Count, "sweeps")):
            sweep(V, self.walls, self.forward, self.price, self.gear, k % 2 == 1)
        return V

    def drive(self, value: NDArray[np.float32], starts: Array, limit: int = 500) -> Outcome:
        """The ends of the greedy episodes from starts ``(N, 4)`` (hitch, yaw of cab and trailer), as in the yard."""
        flags, steps = np.zeros(len(starts), dtype=np.int64), np.zeros(len(starts), dtype=np.int64)
        roll(located(starts), value, self.walls, self.forward, self.price, self.gear, limit, flags, steps)
        return Outcome(flags == 1, flags == -1, steps)

    def act(self, value: NDArray[np.float32], x: Array) -> tuple[float, float]:
        """The greedy steering angle [rad] in a state of the truck ``(4,)``, and the speed, -1 or 1 m/s."""
        px, py, yaw, hitch = located(np.asarray(x, dtype=np.float64)[None])[0].tolist()
        _, steer, way = best_of(value, px, py, yaw, hitch, FINE, self.walls, self.forward, self.price, self.gear)
        return float(steer), float(10.0 * way)


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
