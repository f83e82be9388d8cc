"""The references of `follow`: where the robot should be by when, and the carry that tells how far it has come."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.space import Space
from ._legs import Leg, slowing
from ._polyline import paced
from .path import Path, Progress

STAGE = Space("rx ry [m]", "cos sin", "left [m]", "pace [m/s]", "way", "length [m]")
"""Of a stage: the point to be at, the heading there, what is left of the path; speed, way to drive, length."""
FORWARDS, EITHER, TURNS = 1.0, 0.0, -1.0
"""Ways to drive: forwards on paths of points, as the headings say on others, and either way where it turns about."""
CHORD_SECONDS = 1.0
"""The direction of a path of points is that of a chord which takes so long to drive: paths on grids are all corners."""
TURNED = math.radians(15.0)
"""A robot that faces so near to the direction of the path drives and turns at once."""
DRAWN_AFTER, DRAWN_BY = 1.0, 1.0
"""Where a robot has made no way for so long [s], the references run ahead of it, by so many seconds of driving at most.

A heuristic. References that begin at the place nearest to the robot may be followed best by standing still, as before a
corner: what is planned is to drive on later, and in the next tick it is later still.
"""
WAY = 0.1
"""A robot makes way when it comes along by so many seconds of driving."""
ASIDE, ARC_RATE = math.radians(90.0), 1.0
"""A robot that does not turn on the spot turns about first where it faces farther aside, at so many radians a second.

A heuristic: a reference that ran on behind it would draw it backwards. While it turns, nothing is said of its gear and
its speed, since a car turns about forwards and backwards in turn, and no reference runs ahead of it.
"""
OPPOSITE = math.radians(170.0)
"""The reference faces no farther away from the robot: from its back, no side is the nearer one to turn to."""


@dataclass(frozen=True)
class Along:
    """The carry of `follow`: a robot has come `s` metres along this path.

    Attributes:
        path: the path.
        s: arc length reached [m].
        begin: arc length at which the references begin [m].
        mark, since: arc length and time at which the robot last made way [m, s].
    """

    path: Path
    s: float
    begin: float
    mark: float
    since: float


@dataclass(frozen=True)
class Pace:
    """References of the coming steps: rows of `STAGE`."""

    progress: Progress
    speed: float
    decel: float
    dt: float
    turn_rate: float | None

    def on(self, action: Space) -> Pace:
        """These references for a vehicle with these actions: they slow down with no more than its `accel` can do."""
        decel = slowing(self.progress.path.legs, self.decel, action)
        return self if decel == self.decel else replace(self, decel=decel)

    def __call__(self, x: Array, t: float, steps: int, carry: Any = None) -> tuple[Array, Along]:
        path = self.progress.path
        known = isinstance(carry, Along) and carry.path == path  # the carry of another path says nothing about this one
        along = self._along(x, t, carry if known else None)
        return self._turning(float(x[2]), self._ahead(path.leg(along.s), along.begin, steps)), along

    def _ahead(self, leg: Leg, begin: float, steps: int) -> Array:
        """References on a leg, from the arc length `begin` on; the pace of each is that towards the next."""
        length, rows = self.progress.path.length, np.empty((steps + 2, STAGE.size))
        chord = self.speed * CHORD_SECONDS
        paced(leg.points, leg.s, leg.headings, begin, self.speed, self.decel, self.dt, chord, rows)
        rows[:, 4] += length - leg.end
        rows[:-1, 5] = leg.direction * -np.diff(rows[:, 4]) / self.dt
        rows[:, 6], rows[:, 7] = EITHER if len(leg.headings) else FORWARDS, length
        return rows[:-1]

    def untimed(self, x: Array, rows: Array) -> Array:
        """The path ahead of a robot with these references, which may wait for it, or begin ahead of it."""
        path, begin = self.progress.path, self.progress.path.length - rows[0, 4]
        s = path.project(x[:2], begin - self.speed * DRAWN_BY, begin)
        return self._ahead(path.leg(s), s, len(rows) - 1)

    def _along(self, x: Array, t: float, last: Along | None) -> Along:
        """The place of a robot on the path, and where its references begin: at that place, or ahead, to draw it on."""
        path, s = self.progress.path, self.progress.advance(None if last is None else last.s, x[:2])
        if last is None or t < last.since or abs(s - last.mark) >= WAY * self.speed:
            mark, since = s, t
        else:
            mark, since = last.mark, last.since
        if self._faces_away(float(x[2]), path.leg(s), s):
            return Along(path, s, s, s, t)
        drawn = max(s + self.speed * (t - since - DRAWN_AFTER), s if last is None else last.begin)
        return Along(path, s, min(max(drawn, s), s + self.speed * DRAWN_BY, path.leg(s).end), mark, since)

    def _faces_away(self, yaw: float, leg: Leg, s: float) -> bool:
        """Whether a robot that does not turn on the spot has to turn about at `s` before it drives along the leg."""
        if self.turn_rate is not None or len(leg.headings):
            return False
        c, sin = self._ahead(leg, s, 0)[0, 2:4]
        return abs(math.remainder(math.atan2(sin, c) - yaw, math.tau)) > ASIDE

    def _turning(self, yaw: float, rows: Array) -> Array:
        """References that wait while a robot turns that faces elsewhere, and sweep the headings from its own."""
        off = np.arctan2(rows[:, 3], rows[:, 2]) - yaw
        off = np.arctan2(np.sin(off), np.cos(off))
        first, turn = abs(off[0]), (ARC_RATE if self.turn_rate is None else self.turn_rate) * self.dt
        arc = self.turn_rate is None and rows[0, 6] == FORWARDS
        if first <= (ASIDE if arc else OPPOSITE if self.turn_rate is None else TURNED):
            return rows
        waits, k = math.ceil((first - TURNED) / turn) if arc or self.turn_rate is not None else -1, np.arange(len(rows))
        if waits > 0:
            rows, off = rows[np.maximum(k - waits, 0)], off[np.maximum(k - waits, 0)]
        off[: waits + 1] = np.sign(off[0]) * np.minimum(first, k[: waits + 1] * turn)
        far = (k <= waits) | (abs(off) > OPPOSITE)
        yaws = yaw + np.clip(off[far], -OPPOSITE, OPPOSITE)
        rows[far, 2], rows[far, 3] = np.cos(yaws), np.sin(yaws)
        if waits > 0:
            rows[:waits, 5] = 0.0
            rows[: waits + 1, 6] = TURNS if arc else rows[: waits + 1, 6]
        return rows
