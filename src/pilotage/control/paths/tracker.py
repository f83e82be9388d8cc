"""The shell of path tracking: progress along a path, speed, stops and verdicts, around any law of steering."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array, numbers
from ...core.dynamics import Dynamics
from ...core.errors import SettingError, ShapeError
from ...core.plan import Plan
from ...core.results import Action, ActionStatus
from ...core.settings import Finite, by_name, instance, positive, setting
from ...core.states import state_of
from ...core.streams import checked
from .._states import broken
from ._commands import Command, commands, refuse_standstill
from ._legs import Leg, slowing
from ._polyline import nearest, sighted
from ._verdicts import headway
from .path import YAW_TOLERANCE, Path, Progress, standing


@dataclass(frozen=True, eq=False)
class Sight:
    """The robot and its path, as a law of steering sees them.

    Attributes:
        x: state ``(n,)``.
        pose: x, y, yaw [m, m, rad].
        path: the path.
        leg: the part of the path that is driven; its `direction` is 1 forwards, -1 backwards.
        s: arc length reached on the path [m].
        left: distance to the end of the leg [m], along the path.
        v: speed of the robot [m/s], not negative; if its state has none, the highest speed along the path.
        speed: the speed that the shell wants now [m/s], not negative.
        stopping: distance within which the robot stops [m]; 0 if its action is a speed.
        turns: whether the robot can turn on the spot.

    Example:
        >>> path = Path([[0, 0], [5, 0]])
        >>> sight = Sight(np.zeros(3), (1.0, 0.2, 0.1), path, path.legs[0], 1.0, 4.0, 1.0, 1.0, 0.0, True)
        >>> [round(value, 2) for value in sight.error(ahead=0.5)]      # the point half a metre ahead of the robot
        [0.25, 0.1]
    """

    x: Array
    pose: tuple[float, float, float]
    path: Path
    leg: Leg
    s: float
    left: float
    v: float
    speed: float
    stopping: float
    turns: bool

    def target(self, distance: float) -> tuple[float, float]:
        """The first point of the path ahead that is `distance` metres away, in the frame of the robot ``(a, b)`` [m].

        The leg goes on straight beyond its end.
        """
        x, y, yaw = self.pose
        tx, ty = sighted(self.leg.points, self.leg.s, self.s, x, y, distance)
        dx, dy, cos, sin = tx - x, ty - y, math.cos(yaw), math.sin(yaw)
        return cos * dx + sin * dy, cos * dy - sin * dx

    def error(self, ahead: float = 0.0) -> tuple[float, float]:
        """Cross-track error [m] and heading error [rad] of a point of the robot, `ahead` of it in its motion [m].

        ::

            h = direction (cos yaw, sin yaw),   q = (x, y) + ahead h,   p the point of the leg next to q, t its tangent
            e = t x (q - p),   psi = angle of h - angle of t

        Both are positive to the left of the direction of motion. The leg goes on straight beyond its ends; of a single
        point, t is the way to it. The tangent is that of a chord as long as `ahead`, but at least 0.1 m.
        """
        x, y, yaw = self.pose
        h = self.leg.direction * np.array([math.cos(yaw), math.sin(yaw)])
        q, begin, end = np.array([x, y]) + ahead * h, self.leg.start, self.leg.end
        low, high = max(begin, self.s - ahead), min(end, self.s + 2.0 * ahead)
        s = nearest(self.leg.points, self.leg.s, q[0], q[1], low, high)
        half = max(0.5 * ahead, 0.05)
        a, p, b = self.path.at(np.clip([s - half, s, s + half], begin, end))
        t = b - a if end > begin else p - (x, y)
        t /= max(math.hypot(*t), 1e-9)
        psi = math.atan2(t[0] * h[1] - t[1] * h[0], t @ h)
        return float(t[0] * (q[1] - p[1]) - t[1] * (q[0] - p[0])), psi


@dataclass(frozen=True)
class Steering:
    """The answer of a law of steering.

    Attributes:
        curvature: of the way to drive [1/m], positive to the left of the robot, forwards and backwards.
        speed: speed that the law allows [m/s]; the shell takes the least.
        behind: whether the path lies behind the robot, so that one that can turn on the spot does so.
        blocked: a sentence on why the robot must brake; empty if it need not.

    Example:
        >>> Steering(0.5, speed=0.3)
        Steering(curvature=0.5, speed=0.3, behind=False, blocked='')
    """

    curvature: float
    speed: float = math.inf
    behind: bool = False
    blocked: str = ""


class SteeringLaw(Protocol):
    """A law of path tracking: a function from what the robot sees to a curvature."""

    def __call__(self, sight: Sight, /) -> Steering: ...


class PathTracker:
    """A path tracker: a vehicle drives along a path by a law of steering, leg by leg, and stops at the end.

    ::

        speed = min(speed(s), sqrt(2 decel left), what the law allows)   left: metres to the end of the leg, less
                                                                         v / gain for vehicles driven by acceleration
        curvature = law(sight)

    A bicycle or tricycle steers ``atan(wheelbase curvature)`` and accelerates towards the speed. A unicycle or
    differential drive turns at ``speed curvature``, and turns on the spot if the path lies behind it; if its action
    would leave the bounds, it slows down and keeps the curvature. If the path has only one point, the vehicle drives to
    it; if the path returns to its start, the vehicle drives the whole loop. A plan whose states have a heading is
    driven leg by leg, each to its end, as `follow` does; on a backward leg the speed is negative. If the plan ends with
    a turn on the spot, a unicycle or differential drive turns to the final heading; for other vehicles the status is
    DONE, with a reason that gives the heading error.

    `PurePursuit`, `RegulatedPurePursuit` and `Stanley` are this shell with their laws.

    Args:
        dynamics: model of the vehicle, with x, y and yaw in its state. Supported are actions with the names accel and
            steer, speed and yaw_rate, or left and right.
        path: a `Plan`, or an array of x and y ``(K, 2)``, or of x, y and yaw ``(K, 3)``, as for `Path`.
        law: a function from a `Sight` to a `Steering`. It may be replaced while the vehicle drives.
        speed: speed along the path [m/s], or highest speeds at its states ``(K,)``, such as ``plan.stats["speed"]`` of
            a `TimeParameterization`. A vehicle driven by acceleration aims at the speed ``v / gain`` seconds of driving
            ahead, so that it does not lag behind.
        decel: deceleration before the end [m/s^2]; less if the bounds of the action `accel` allow only less.
        tolerance: distance to the end of the path at which it is done [m], with at most twice as much of the path
            ahead; also the distance along the path at which an earlier leg is done. A vehicle with a speed in its state
            must also stand, that is, be able to stop with `decel` within a fortieth of the tolerance.
        yaw_tolerance: tolerance of the heading at the end of a final turn on the spot [rad].
        turn_radius: radius that gives the rate of turns on the spot, ``speed / turn_radius`` [m].
        gain: gain of the acceleration towards the desired speed, and of the rate of a final turn [1/s].
        command: a function from ``(x, speed, curvature, behind)`` to an action, for other vehicles.

    Raises:
        ModelError: if the vehicle is not supported and no command is given, or the bounds of the speed or of the wheels
            exclude the direction of a leg.
        ShapeError, SettingError: if there are speeds, but not one for each state of the path, or they are no speeds.

    Example:
        >>> from pilotage.models import unicycle
        >>> def proportional(sight):
        ...     e, psi = sight.error()
        ...     return Steering(-2.0 * e - 2.0 * psi)
        >>> drive = PathTracker(unicycle(), [[0, 0], [5, 0]], proportional, speed=0.5)
        >>> drive.act([0.0, 0.2, 0.0]).u.round(3).tolist()             # left of the path, turns right
        [0.5, -0.2]
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        path: Plan | ArrayLike,
        law: SteeringLaw,
        *,
        speed: float | ArrayLike = 1.0,
        decel: float = 1.0,
        tolerance: float = 0.2,
        yaw_tolerance: float = YAW_TOLERANCE,
        turn_radius: float = 0.3,
        gain: float = 2.0,
        command: Command | None = None,
    ) -> None:
        given = {"decel": decel, "tolerance": tolerance, "gain": gain}
        for name, value in {**given, "yaw_tolerance": yaw_tolerance, "turn_radius": turn_radius}.items():
            positive(value, name)
        self.dynamics, self.path = instance(dynamics, Dynamics, type(self).__name__), Path(path)
        self.law = setting(law, Callable[..., Any], "law")
        command = setting(command, Callable[..., Any] | None, "command")
        self._speeds = _speeds(speed, self.path)
        self.speed = float(self._speeds.max())
        self.decel = slowing(self.path.legs, float(decel), dynamics.action)
        self.gain, self.turn_radius = float(gain), float(turn_radius)
        self.tolerance, self.yaw_tolerance = float(tolerance), float(yaw_tolerance)
        self._standing = standing(self.decel, self.tolerance)
        self._lag = 1.0 / self.gain if command is None and "accel" in dynamics.action.names else 0.0
        self._pose = [dynamics.state.find(name) for name in ("x", "y", "yaw")]
        self._speed = dynamics.state.names.index("speed") if "speed" in dynamics.state.names else None
        self._own = command
        self._command = commands(dynamics, self.gain) if command is None else command
        self._turns = command is None and self._turns_on_the_spot()
        self._headway = headway(self.speed, self.tolerance, self._turn_rate())
        if command is None:
            refuse_standstill(self.path, dynamics)
        self._progress = Progress(self.path, ahead=max(2.0, self.speed), reached=self.tolerance)
        _ = nearest.compiled, sighted.compiled  # compiles them now rather than in the first tick
        self.reset()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dynamics!r}, {self.path!r}, {self.speed:g} m/s)"

    def __getstate__(self) -> dict[str, Any]:
        """All attributes but the command, which another process creates from the dynamics."""
        return {name: value for name, value in vars(self).items() if name != "_command"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._command = commands(self.dynamics, self.gain) if self._own is None else self._own

    def reset(self, *, seed: int | None = None) -> None:
        """Search the whole path for the robot again; nothing here is random."""
        checked(seed)
        self._s: float | None = None
        self._t = -math.inf
        self._mark: tuple[float, Array, Array] | None = None  # time, pose and arc length of the last progress

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]: DONE at the end of the path; FALLBACK (brake) if the state is NaN, or if the law
        says that the way is blocked or gives no curvature.

        If times are given and the vehicle makes no progress for some seconds, the status is STUCK; it keeps driving, or
        braking.

        Raises:
            ShapeError: if the state has the wrong length.
            SettingError: if the time is not finite, or the answer of the law is no `Steering`.
        """
        begun = time.perf_counter()
        t = None if t is None else setting(t, Finite, "t")
        x = state_of(belief_or_state, self.dynamics.state, finite=False)
        reason = broken(x, self.dynamics.state)
        if reason:
            u = self._bounded(np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0), 0.0, 0.0)
            return self._action(u, ActionStatus.FALLBACK, f"{reason}; fell back to brake", begun)
        px, py, yaw = x[self._pose]
        s = self._s = self._progress.advance(self._s if t is None or t >= self._t else None, (px, py))
        self._t = self._t if t is None else t
        leg, gap = self.path.leg(s), math.dist(self.path.goal, (px, py))
        to_a_point = self.path.length == 0.0 or (self._turns and leg.start == leg.end)
        left = gap if to_a_point else self.path.length - s
        if gap <= self.tolerance and left <= 2.0 * self.tolerance:
            return self._at_the_end(x, yaw, begun)
        if left <= 0.0:
            return self._stop(x, self._passed(px, py, gap), begun, ActionStatus.STUCK)
        sight = self._sight(x, leg, s, left - (self.path.length - leg.end))
        steering = instance(self.law(sight), Steering, "PathTracker")
        if not (math.isfinite(steering.curvature) and steering.speed >= 0.0):
            steering = Steering(0.0, blocked=f"the law gives {steering!r}")
        stuck = "" if t is None else self._stuck(x[self._pose], s, t)
        if steering.blocked:
            why = f"{stuck}; {steering.blocked}" if stuck else f"{steering.blocked}; fell back to brake"
            status = ActionStatus.STUCK if stuck else ActionStatus.FALLBACK
            return self._action(self._bounded(x, 0.0, steering.curvature), status, why, begun)
        speed = leg.direction * min(sight.speed, steering.speed)
        status = ActionStatus.STUCK if stuck else ActionStatus.SOLVED
        return self._action(self._bounded(x, speed, steering.curvature, steering.behind), status, stuck, begun)

    def _sight(self, x: Array, leg: Leg, s: float, left: float) -> Sight:
        """What the law sees of a robot that has `left` metres to the end of the leg."""
        v = self.speed if self._speed is None else abs(float(x[self._speed]))
        wanted = self.speed
        if len(self._speeds) > 1:  # it creeps where a profile rests, as at its start
            wanted = max(float(np.interp(s + self._lag * v, self.path.along, self._speeds)), self._standing)
        speed = min(wanted, math.sqrt(2.0 * self.decel * max(left - self._lag * v, 0.0)))
        px, py, yaw = x[self._pose].tolist()
        stopping = 0.0 if self._speed is None else self._lag * v + 0.5 * v * v / self.decel
        return Sight(x, (px, py, yaw), self.path, leg, s, left, v, speed, stopping, self._turns)

    def _stuck(self, pose: Array, s: float, t: float) -> str:
        """One sentence on a robot that has not come along the path for some seconds; else empty."""
        r = np.array([*self.path.at(s), 1.0, 0.0, self.path.length - s, self.speed, 1.0, self.path.length])
        mark, self._mark = self._mark, (t, pose, r)
        if mark is None or t < mark[0] or self._headway.advanced(pose, r, *mark[1:]):
            return ""
        self._mark, waited = mark, t - mark[0]
        if waited <= self._headway.patience:
            return ""
        why = self._headway.explain(pose, r[None], lambda xs, rows: np.zeros((len(xs), 0)), {})
        return f"the robot has made no progress for {waited:.0f} s: {why}"

    def _turn_rate(self) -> float:
        """How fast the vehicle turns at its speed towards what lies behind it [rad/s], within its bounds."""
        x, wanted, dt = self.dynamics.state.identity(), self.speed / self.turn_radius, 0.01
        if self._speed is not None:
            x[self._speed] = self.speed
        u = self._bounded(x, self.speed, 1.0 / self.turn_radius, behind=True)
        turn = math.remainder(float(self.dynamics.step(x, u, dt)[self._pose[2]]), math.tau)  # from a yaw of 0
        found = abs(turn) / dt
        return min(found, wanted) if found > 0.0 else wanted

    def _turns_on_the_spot(self) -> bool:
        """Whether the vehicle can turn on the spot to both sides, within its bounds."""
        x, steered = self.dynamics.state.identity(), "steer" in self.dynamics.action.names
        return not steered and all(self._bounded(x, 1.0, kappa, behind=True).any() for kappa in (1.0, -1.0))

    def _passed(self, px: float, py: float, gap: float) -> str:
        """One sentence on a robot that has passed the end of the path."""
        way, off = np.diff(self.path.points[-2:], axis=0)[0], np.array([px, py]) - self.path.goal
        where = "beyond" if way @ off > math.sqrt(0.5) * gap * math.hypot(*way) else "beside"
        return f"the end of the path was passed {gap:.2g} m {where} it"

    def _at_the_end(self, x: Array, yaw: float, begun: float) -> Action:
        """The turn to the final heading, if there is one and the robot can turn on the spot; else DONE."""
        turn, reason = self.path.turn, ""
        off = 0.0 if turn is None else math.remainder(math.atan2(turn[1], turn[0]) - yaw, math.tau)
        if abs(off) > self.yaw_tolerance:
            if self._turns:
                kappa = math.copysign(1.0 / self.turn_radius, off)
                u = self._bounded(x, min(self.speed, self.gain * off / kappa), kappa, behind=True)
                return self._action(u, ActionStatus.SOLVED, "", begun)
            reason = f"this vehicle cannot turn on the spot by the last {math.degrees(abs(off)):.0f} degrees"
        return self._stop(x, reason, begun)

    def _stop(self, x: Array, reason: str, begun: float, ended: ActionStatus = ActionStatus.DONE) -> Action:
        """The action that brakes: SOLVED while the vehicle rolls, then the status it ends with, and the reason."""
        u = self._bounded(x, 0.0, 0.0)
        if self._speed is not None and abs(x[self._speed]) > self._standing:
            return self._action(u, ActionStatus.SOLVED, "", begun)
        return self._action(u, ended, reason, begun)

    def _bounded(self, x: Array, speed: float, kappa: float, behind: bool = False) -> Array:
        action = self.dynamics.action
        return action.clip(np.asarray(self._command(x, speed, kappa, behind), dtype=np.float64))

    def _action(self, u: Array, status: ActionStatus, reason: str, begun: float) -> Action:
        return Action(u, status, solve_time=time.perf_counter() - begun, reason=reason)


def _speeds(speed: float | ArrayLike, path: Path) -> Array:
    """One speed, or one for each state of the path [m/s]."""
    if np.ndim(speed) == 0:
        return np.array([positive(speed, "speed")])
    found = numbers(speed, "speed").copy()
    if found.shape != path.along.shape:
        raise ShapeError(f"speed has shape {found.shape}; expected one number, or one for each of {len(path.along)}")
    if not (np.isfinite(found).all() and (found >= 0.0).all() and found.any()):
        raise SettingError("the speeds along the path are not all finite and 0 or more, or all of them are 0")
    return found
