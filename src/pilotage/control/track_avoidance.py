"""Predictive control among moving discs of which only predictions are known."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.arrays import Array
from ..core.errors import SettingError
from ..core.moving import MovingObstacle
from ..core.planar import planar
from ..core.results import Action
from ..core.settings import Count, NonNegative, by_name, instance, instances, setting
from ..core.states import state_of
from ..models import TracedTask
from ..planners import PredictedTrack
from ..planners.uncertainty.track import Risk
from .receding import RecedingHorizon

Tracks = Callable[[float], Sequence[PredictedTrack]]
NOWHERE = MovingObstacle([0.0], [[1e4, 1e4]], 0.0)
"""An obstacle that stands in for one that is not there."""


APART = 1.0
"""A track that is farther away than this from where a former one was to be [m] is another one."""


def nearest_tracks(tracks: Any, place: Array, t: float, count: int) -> list[PredictedTrack]:
    """The `count` tracks that are nearest to a place ``(2,)`` at a time, the nearest first."""
    given = instances(tracks, PredictedTrack, "the answer of tracks")
    away = [float(np.hypot(*(each.at([t])[0][0] - place))) for each in given]
    return [given[i] for i in np.argsort(away, kind="stable")[:count]]


class TrackAvoidance:
    """A predictive controller that keeps clear of predicted tracks at a declared risk, given what it knows of itself.

    ::

        P_i(s) = covariance of track i at min(s, t + foresight) + that of x and y of the belief, at the time t
        g_i    = radius + r_i + sqrt(-2 ln(risk) l_i(s)) - |(x, y) - c_i(s)| <= 0     l_i: largest eigenvalue of P_i
        P(robot touches disc i at time s) <= risk                                     c_i: mean; s <= t + foresight
        margin = sqrt(-2 ln(risk) l),   l: largest variance of x and y of the belief             kept from the map

    At every tick, the nearest tracks become moving obstacles of the task (`TracedTask.avoiding`), and their places
    further references, so nothing is compiled again. The position of the robot counts as uncertain as it is now. A
    belief gives its covariance; a state counts as exact. With ``risk=None``, the plan keeps clear of the discs around
    the means.

    Args:
        controller: the predictive controller, with a traced task on a state with x and y.
        tracks: function from a time [s] to the predictions that are made then.
        radius: radius of the robot [m].
        risk: probability that a disc is touched, for each disc at each time; None for the means alone.
        foresight: time after which the covariance of a track grows no more in the plan [s], since the disc will have
            been seen again before it matters (partially closed-loop control). Without a limit, a plan for a few seconds
            often finds no way through a crowd, and the robot freezes.
        count: number of tracks that are considered, the nearest ones.
        normal: whether a disc grows only by what the track may move towards the robot, on the normal at its place in
            the last plan (`PredictedTrack.obstacle`, `seen_at`), which is the linearised chance constraint
            ``a' (x - c_i) >= radius + r_i + q sqrt(a' P_i a)``; it keeps the same risk with less room.
        margin: name of the parameter of the task that is the distance kept from the map [m], which the controller sets;
            None if the task has none.

    Raises:
        SettingError: if a setting is out of its range, or the task is not a traced one or has no such parameter.
        SpaceError: if the state has no x and y.

    Source: N. E. Du Toit, J. W. Burdick, "Robot motion planning in dynamic, uncertain environments", IEEE Transactions
    on Robotics 28(1), 2012: chance constraints in receding horizon control, and their partially closed loop.

    Example:
        >>> from pilotage.control import MPPI, reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> mppi = MPPI(robot, reach(robot, [4.0, 0.0, 0.0]), horizon=20, samples=256, rng=0)
        >>> walker = PredictedTrack([0.0, 3.0], [[2.0, -1.0], [2.0, 1.0]], 0.01 * np.array([np.eye(2)] * 2))
        >>> drive = TrackAvoidance(mppi, lambda t: [walker], radius=0.2, risk=0.05)
        >>> drive.act([0.0, 0.0, 0.0], 0.0).status
        <ActionStatus.SOLVED: 'solved'>
    """

    @by_name
    def __init__(
        self,
        controller: RecedingHorizon,
        tracks: Tracks,
        *,
        radius: float = 0.3,
        risk: float | None = 0.05,
        foresight: float = math.inf,
        count: int = 8,
        normal: bool = False,
        margin: str | None = None,
    ) -> None:
        self.controller = instance(controller, RecedingHorizon, "TrackAvoidance")
        self.tracks = setting(tracks, Callable[..., Any], "tracks")
        self.radius: float = setting(radius, NonNegative, "radius")
        self.risk: float | None = setting(risk, Risk | None, "risk")
        self.foresight: float = setting(foresight, NonNegative, "foresight") if foresight != math.inf else foresight
        self.count: int = setting(count, Count, "count")
        self.normal: bool = setting(normal, bool, "normal")
        self._task = instance(controller.task, TracedTask, "the task of TrackAvoidance", "; make one with `task`")
        self.margin: str | None = setting(margin, str | None, "margin")
        if margin is not None and margin not in self._task.params:
            raise SettingError(f"margin is {margin!r}; {self._task.name} has {', '.join(self._task.params) or 'none'}")
        self._xy = tuple(self._task.state.find(name, "a moving obstacle") for name in ("x", "y"))
        controller.retarget(self._task.avoiding([NOWHERE] * self.count, self.radius))
        self.reset()

    def __repr__(self) -> str:
        return f"TrackAvoidance({self.controller!r}, risk {self.risk})"

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode."""
        self.controller.reset(seed=seed)
        self._near: list[PredictedTrack | None] = [None] * self.count
        self._ahead: tuple[Array, Array] | None = None

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: one step after the last call."""
        begun, now = time.perf_counter(), self.controller.next_time(t)
        x = state_of(belief_or_state, self._task.state, finite=False)[list(self._xy)]
        if np.isfinite(x).all():
            own = self._own(belief_or_state)
            self.controller.retarget(self._kept(own).avoiding(self.obstacles(x, own, now), self.radius))
        action = self.controller.act(belief_or_state, now)
        if self.normal and np.isfinite(x).all():
            self._ahead = self._planned(state_of(belief_or_state, self._task.state), now)
        return replace(action, solve_time=time.perf_counter() - begun)

    def _planned(self, x: Array, now: float) -> tuple[Array, Array]:
        """Times and places of the robot on its plan."""
        p = self.controller.problem
        xs = np.asarray(p.dynamics.rollout(x, self.controller.plan, p.dt), dtype=np.float64)
        return now + p.dt * np.arange(p.steps + 1, dtype=np.float64), xs[:, list(self._xy)]

    def obstacles(self, place: Array, covariance: Array | None, t: float) -> list[MovingObstacle]:
        """The moving obstacles for a robot at a place ``(2,)`` [m] with this covariance ``(2, 2)``, at time `t`."""
        self._near = self._in_order(nearest_tracks(self.tracks(t), place, t, self.count), t)
        return [NOWHERE if each is None else self._obstacle(each, place, covariance, t) for each in self._near]

    def _in_order(self, near: list[PredictedTrack], t: float) -> list[PredictedTrack | None]:
        """The tracks in the order of the last tick, since the multipliers of their constraints are those of it."""
        places = [
            [NOWHERE.at(t) if each is None else each.at([t])[0][0] for each in them] for them in (self._near, near)
        ]
        away = np.full((self.count, self.count), APART)
        away[:, : len(near)] = np.linalg.norm(np.array(places[0])[:, None] - np.reshape(places[1], (-1, 2)), axis=-1)
        order: list[PredictedTrack | None] = [None] * self.count
        for slot, i in zip(*linear_sum_assignment(np.minimum(away, APART)), strict=True):
            order[slot] = near[i] if i < len(near) else None
        return order

    def _obstacle(self, track: PredictedTrack, place: Array, covariance: Array | None, t: float) -> MovingObstacle:
        if self.risk is None:
            return MovingObstacle(track.ts, track.means, track.radius)
        kept = track.until(t + self.foresight)
        kept = kept if covariance is None else kept.seen_from(covariance)
        return kept.obstacle(self.risk, each=True, seen_at=self._places(kept.ts, place) if self.normal else None)

    def _places(self, ts: Array, place: Array) -> Array:
        """Places ``(T, 2)`` of the robot at times, by its last plan; before the first one, where it is."""
        if self._ahead is None:
            return np.tile(place, (len(ts), 1))
        return np.stack([np.interp(ts, self._ahead[0], column) for column in self._ahead[1].T], -1)

    def _kept(self, covariance: Array | None) -> TracedTask:
        """The task with the distance from the map that is due."""
        if self.margin is None or self.risk is None or covariance is None:
            return self._task
        widest = max(float(np.linalg.eigvalsh(covariance)[-1]), 0.0)
        return self._task.replace(**{self.margin: math.sqrt(-2.0 * math.log(self.risk) * widest)})

    def _own(self, given: Any) -> Array | None:
        """The covariance of x and y of a belief; None for a state."""
        if not hasattr(given, "moments"):
            return None
        return planar(given, [self._task.state.names[i] for i in self._xy])[1]
