"""Pursuit of a plan in space and time, made again at every tick among predicted tracks."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array, numbers
from ...core.dynamics import Dynamics
from ...core.errors import ShapeError
from ...core.moving import MovingObstacle
from ...core.plan import Plan
from ...core.results import Action, ActionStatus
from ...core.settings import Count, NonNegative, Positive, by_name, instance, setting
from ...core.states import state_of
from ...maps import OccupancyGrid
from ...planners import SpaceTimeAStar
from ..track_avoidance import Tracks, nearest_tracks
from ._commands import commands

TURN = math.radians(60.0)
"""Direction of the target relative to the heading beyond which the robot turns on the spot."""


class SpaceTimePursuit:
    """Pursuit of the plan of `SpaceTimeAStar` to a goal, among predicted tracks, which is made again at every tick.

    ::

        plan    clear of walls by `wall`, and of the discs around the predicted means by the first of `margins` for
                which there is a plan; without any, the last plan
        target  = place of the plan `ahead` seconds from now, at d, a: distance, and direction relative to the heading
        speed   = d / ahead,   curvature = 2 sin(a) / d          pursuit of the target, on the spot if |a| > 60 degrees

    A plan drives around people or waits for them, whatever is sooner at the goal. The first margin covers the errors of
    the predictions; the others are for a robot that somebody has come nearer to.

    Args:
        dynamics: the vehicle, with x, y and yaw in its state.
        grid: the map.
        goal: x and y ``(2,)`` [m].
        tracks: function from a time [s] to the predictions that are made then.
        radius: radius of the robot [m].
        wall: distance to walls that plans keep besides [m].
        margins: distances to discs that plans keep besides [m], the first one that gives a plan.
        speed: speed of the plans [m/s].
        ahead: time to the target [s].
        count: number of tracks that are considered, the nearest ones.
        tolerance: distance to the goal at which the robot is done [m].

    Raises:
        ModelError: if the actions of the vehicle are not known.
        ShapeError: if the goal is not two finite numbers.

    Source: Phillips and Likhachev, "SIPP: safe interval path planning for dynamic environments", ICRA 2011, for the
    plan; Coulter, "Implementation of the pure pursuit path tracking algorithm", 1992, for the arc.

    Example:
        >>> from pilotage.models import unicycle
        >>> hall = OccupancyGrid.from_ascii(["........"] * 8, resolution=0.5)
        >>> drive = SpaceTimePursuit(unicycle(), hall, (3.5, 1.75), lambda t: [])
        >>> drive.act([0.75, 1.75, 0.0], 0.0).u.round(3).tolist()
        [1.0, 0.0]
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        grid: OccupancyGrid,
        goal: ArrayLike,
        tracks: Tracks,
        *,
        radius: float = 0.2,
        wall: float = 0.15,
        margins: Sequence[float] = (0.5, 0.35, 0.2, 0.1),
        speed: float = 1.0,
        ahead: float = 0.4,
        count: int = 12,
        tolerance: float = 0.2,
    ) -> None:
        self.dynamics, self.tracks = instance(dynamics, Dynamics, "SpaceTimePursuit"), tracks
        self.goal = numbers(goal, "goal")
        if self.goal.shape != (2,) or not np.isfinite(self.goal).all():
            raise ShapeError(f"goal has shape {self.goal.shape}; expected finite x and y (2,)")
        self.margins = tuple(setting(each, NonNegative, "a margin") for each in margins)
        self.ahead: float = setting(ahead, Positive, "ahead")
        self.tolerance: float = setting(tolerance, Positive, "tolerance")
        self.count: int = setting(count, Count, "count")
        room: float = setting(radius, NonNegative, "radius") + setting(wall, NonNegative, "wall")
        self.room, self.wall = instance(grid, OccupancyGrid, "SpaceTimePursuit").inflate(room), float(wall)
        self.planner, self._command = SpaceTimeAStar(speed=setting(speed, Positive, "speed")), commands(dynamics, 2.0)
        self._pose = [dynamics.state.find(name, "SpaceTimePursuit") for name in ("x", "y", "yaw")]
        self.reset()

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode."""
        self._plan: Plan | None = None
        self._clock: float | None = None

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: 0.1 s after the last call."""
        begun = time.perf_counter()
        now = float(t) if t is not None else 0.0 if self._clock is None else self._clock + 0.1
        self._clock = now
        x = state_of(belief_or_state, self.dynamics.state, finite=False)
        px, py, yaw = x[self._pose]
        rest = self.dynamics.action.clip(np.zeros(self.dynamics.action.size))
        if not np.isfinite([px, py, yaw]).all():
            return Action(rest, ActionStatus.FALLBACK, reason="the state is not finite; fell back to rest")
        if math.hypot(px - self.goal[0], py - self.goal[1]) < self.tolerance:
            return Action(rest, ActionStatus.DONE)
        reason = self._replan(np.array([px, py]), now)
        action = Action(self.dynamics.action.clip(self._pursued(x, now)), solve_time=time.perf_counter() - begun)
        return replace(action, status=ActionStatus.FALLBACK, reason=reason) if reason else action

    def _replan(self, place: Array, now: float) -> str:
        """Plan from a place, if there is a plan; else the reason why not."""
        near, reason = nearest_tracks(self.tracks(now), place, now, self.count), ""
        for margin in self.margins:
            extra = margin - self.wall  # the planner adds the radius of the robot and the distance to walls
            discs = [MovingObstacle(each.ts - now, each.means, max(each.radius + extra, 0.0)) for each in near]
            plan = self.planner.plan(self.room, place, self.goal, moving=discs)
            if plan.ok and plan.ts is not None:
                self._plan = replace(plan, ts=plan.ts + now)
                return ""
            reason = reason or plan.reason
        return f"{reason}; fell back to the last plan" if self._plan else f"{reason}; fell back to rest"

    def _pursued(self, x: Array, now: float) -> Array:
        """The action towards the place of the plan a little later."""
        plan = self._plan
        if plan is None or plan.xs is None or plan.ts is None:
            return np.zeros(self.dynamics.action.size)
        px, py, yaw = x[self._pose]
        at = [float(np.interp(now + self.ahead, plan.ts, plan.xs[:, i])) for i in range(2)]
        d, a = math.hypot(at[0] - px, at[1] - py), math.remainder(math.atan2(at[1] - py, at[0] - px) - yaw, math.tau)
        if d < 1e-3:
            return np.zeros(self.dynamics.action.size)
        kappa = 2.0 * math.sin(min(max(a, -math.pi / 2.0), math.pi / 2.0)) / d
        return np.asarray(self._command(x, d / self.ahead, kappa, abs(a) > TURN), dtype=np.float64)
