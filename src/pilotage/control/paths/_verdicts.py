"""The verdicts of `follow`: the robot has arrived, or gets nowhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.arrays import Array
from ._pace import ARC_RATE, Pace

PATIENCE, SLOW = 5.0, 0.05
"""A robot is stuck that takes longer [s], beside the time for half a turn, to come along by that share of its speed."""


@dataclass(frozen=True)
class Arrived:
    """Whether the robot stands at the end of the path, has come along it, and faces the heading of a last turn."""

    goal: tuple[float, ...]
    tolerance: float
    standing: float
    turn: tuple[float, ...] | None
    yaw_tolerance: float

    def __call__(self, x: Array, r: Array) -> Any:
        near = np.hypot(x[..., 0] - self.goal[0], x[..., 1] - self.goal[1]) < self.tolerance
        there = near & (np.asarray(r)[..., 4] <= 2.0 * self.tolerance)
        there &= np.linalg.norm(x[..., 3:], axis=-1) <= self.standing
        if self.turn is None:
            return there
        c, s = self.turn
        return there & (c * np.cos(x[..., 2]) + s * np.sin(x[..., 2]) >= math.cos(self.yaw_tolerance))


@dataclass(frozen=True)
class Headway:
    """Whether a robot gets on: along the path or towards it, by the `least` metres in `patience` seconds."""

    least: float
    patience: float
    references: Pace | None = None

    def advanced(self, x: Array, r: Array, x0: Array, r0: Array) -> bool:
        """Whether less is left than before; or more, of a path of another length."""
        other = r[7] != r0[7] and r[4] > r0[4] + self.least
        return other or self._left(x0, r0) - self._left(x, r) >= self.least

    def explain(self, x: Array, rows: Array, constraint: Any, params: Any) -> str:
        """The place, and the nearest thing that may be the cause."""
        place = f"at ({x[0]:.2f}, {x[1]:.2f}), {self._left(x, rows[0]):.2g} m before the end of the path"
        return f"{place}; {self._cause(x, rows, constraint, params)}"

    def _cause(self, x: Array, rows: Array, constraint: Any, params: Any) -> str:
        if self.references is not None:
            rows = self.references.untimed(x, rows)
        poses = np.column_stack([rows[:, :2], np.arctan2(rows[:, 3], rows[:, 2])])
        room = -constraint(np.vstack([x[:3], poses]), np.vstack([rows[:1], rows])).max(-1, initial=-np.inf)
        own, ahead, margin = float(room[0]), float(room[1:].min()), params.get("margin", 0.0)
        where = "({:.2f}, {:.2f})".format(*poses[int(room[1:].argmin()), :2])
        if ahead <= 0.0:
            return f"the path ahead leads into an obstacle at {where}, by {-ahead:.2g} m: plan again"
        if ahead < margin:
            return f"the path has {ahead:.2g} m of room at {where}, below the margin of {margin:g} m: make that smaller"
        if own < margin:
            return f"the nearest obstacle is {own:.2g} m from the robot, within the margin of {margin:g} m"
        dx, dy = rows[0, :2] - x[:2]
        aside = math.degrees(abs(math.remainder(math.atan2(dy, dx) - x[2], math.tau)))
        where = f"{math.hypot(dx, dy):.2g} m away, {aside:.0f} degrees to the side of the robot"
        return f"the point to drive to is {where}, and nothing is near"

    def _left(self, x: Array, r: Array) -> float:
        return float(r[4]) + math.dist(x[:2], r[:2])


def headway(speed: float, tolerance: float, turn_rate: float | None, references: Pace | None = None) -> Headway:
    """The progress to expect of a robot that drives at that speed [m/s]."""
    turns = references is not None and len(references.progress.path.parts) > len(references.progress.path.legs)
    rate = ARC_RATE if turn_rate is None and turns else turn_rate
    turning = 0.0 if rate is None else math.pi / rate
    return Headway(min(SLOW * PATIENCE * speed, 0.5 * tolerance), PATIENCE + turning, references)
