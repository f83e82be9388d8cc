"""A second oracle for the truck: open-loop plans from many first guesses show which starts can be docked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....control import ILQR
from ....core import ShapeError
from ....core.arrays import Array, all_finite, numbers
from ....core.settings import Count, Finite, Natural, setting, settings, shown
from ....envs.truck.yard import verdict
from .bending import bent
from .evaluate import BUDGET
from .kinematics import HOLD, STRIDE, TRAILER
from .line_regulator import LineRegulator
from .oracle import Outcome
from .predictive import errand

Bools = NDArray[np.bool_]
ROOM = 20_000
"""Guesses that are driven at once, to save memory."""


@settings
class OpenLoopOracle:
    """Multi-start open-loop optimisation: a start is feasible if one of its plans docks the truck.

    ::

        guess     a turn, n decisions with the hitch held at b, and then those of a regulator of the line through the
                  dock
        plan      the guess, or what iterative LQR makes of the most promising guesses
        docked    the last state of the plan, in the exact kinematics, is within 0.5 m and 10 degrees

    The plans are sequences of wanted hitch angles, which `pilotage.learning.worlds.truck.bending` turns into steering
    angles; nothing reacts to anything. It needs no grid, and so checks `TruckOracle`, which searches all four states;
    what it docks is a lower bound of the feasible share, too.

    Args:
        bends: hitch angles of turns [rad].
        turns: decisions of a turn; 0 for none.
        polished: number of guesses of a start that are optimised, if none docks; 0 for none.
        iterations: sweeps of iterative LQR.
        walls: whether the walls of the yard count.

    Source: Jacobson and Mayne, "Differential dynamic programming", 1970; Marti, Lozano and others, "Multi-start methods
    for combinatorial optimization", EJOR 226, 2013.

    Example:
        >>> oracle = OpenLoopOracle(turns=(0, 10, 20))
        >>> oracle.drive([[20.0, 2.0, 0.5, 0.3, 0.0], [7.0, 0.0, 1.5, 1.5, 0.0]]).docked.tolist()
        [True, True]
    """

    bends: tuple[Finite, ...] = (-1.0, -0.6, 0.6, 1.0)
    turns: tuple[Natural, ...] = (0, 4, 8, 12, 16, 20, 26, 32, 40, 50)
    polished: Natural = 4
    iterations: Count = 50
    walls: bool = False

    def drive(self, starts: Any, limit: int = BUDGET) -> Outcome:
        """The ends of the best plans from starts ``(N, 5)``, or ``(N, 4)`` with the dock in the middle of the wall.

        Raises:
            ShapeError: if starts are not finite numbers of one of these shapes.
        """
        first = np.array(numbers(starts, "starts"))
        if first.ndim != 2 or first.shape[1] not in (4, 5) or not all_finite(first):
            raise ShapeError(f"starts have shape {first.shape} and {shown(first)}; expected finite numbers (N, 4 or 5)")
        first = np.column_stack([first, np.zeros(len(first))]) if first.shape[1] == 4 else first
        limit = setting(limit, Count, "limit")
        guesses = np.array([(b, n) for n in self.turns for b in (self.bends if n else self.bends[:1])], np.float64)
        found, steps = np.zeros(len(first), dtype=bool), np.full(len(first), limit)
        for chunk in np.array_split(np.arange(len(first)), max(1, len(first) * len(guesses) // ROOM)):
            found[chunk], steps[chunk] = self._driven(first[chunk], guesses, limit)
        return Outcome(found, ~found, steps, np.zeros(len(first), np.int64))

    def _driven(self, first: Array, guesses: Array, limit: int) -> tuple[Bools, NDArray[np.int64]]:
        """Whether each start is docked, and after how many decisions."""
        held, length = np.tile(guesses, (len(first), 1)).T
        us, last, ends = self._rolled(np.repeat(first, len(guesses), axis=0), held, length, limit)
        docked: Any = verdict(last)["docked"].reshape(len(first), -1)
        steps = np.where(docked, ends.reshape(docked.shape), limit).min(1)
        found = docked.any(1)
        us, miss = us.reshape(limit, len(first), -1), _off(last).reshape(docked.shape)
        for i in np.flatnonzero(~found):
            for g in np.argsort(miss[i])[: self.polished]:
                if end := self._optimised(first[i], us[:, i, g, None], limit):
                    found[i], steps[i] = True, end
                    break
        return found, steps

    def _rolled(self, x: Array, held: Array, length: Array, limit: int) -> tuple[Array, Array, NDArray[np.int64]]:
        """The guesses ``(T, M)``, last states ``(M, 5)`` and numbers of decisions."""
        law, model, us = LineRegulator(), bent(), np.zeros((limit, len(x)))
        steps, going = np.full(len(x), limit), np.ones(len(x), dtype=bool)
        for k in range(limit):
            across = x[:, 1] - TRAILER * np.sin(x[:, 3]) - x[:, 4]
            us[k] = law.wanted(across, np.remainder(x[:, 3] + np.pi, 2 * np.pi) - np.pi, np)
            us[k] = np.where(k < length, held, us[k])
            x = np.where(going[:, None], model.step(x, us[k][:, None], HOLD * STRIDE), x)
            ended = going & self._over(x)
            steps[ended] = k + 1
            going &= ~ended
            if not going.any():
                break
        return us, x, steps

    def _over(self, x: Array) -> Bools:
        """Whether trucks have come to the wall of the dock, jackknifed, or left the yard."""
        told: Any = verdict(x)
        arrived: Any = x[:, 0] - TRAILER * np.cos(x[:, 3]) <= 0.0
        return arrived | told["jackknifed"] | (told["outside"] & self.walls)

    def _optimised(self, x: Array, us: Array, limit: int) -> int:
        """The decisions after which the plan from a guess docks, 0 if it does not."""
        plan = ILQR(
            bent(), errand(self.walls), horizon=limit, iterations=self.iterations, tolerance=1e-4, feasible=1e-2
        ).solve(x, us=us)
        if plan.xs is None:
            return 0
        over = np.flatnonzero(self._over(plan.xs[1:]))
        end = int(over[0]) + 1 if len(over) else limit
        return end if verdict(plan.xs[end])["docked"] else 0


def _off(x: Array) -> Array:
    """Errors of last states: of place and heading at the wall, and by how much the wall was missed."""
    along, across = x[:, 0] - TRAILER * np.cos(x[:, 3]), x[:, 1] - TRAILER * np.sin(x[:, 3]) - x[:, 4]
    return across**2 + 4.0 * (1.0 - np.cos(x[:, 3])) + np.maximum(along, 0.0) ** 2
