"""Pure pursuit: drive the arc that leads to a point some way ahead on the path."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError
from ...core.plan import Plan
from ...core.results import Action, ActionStatus
from ...core.settings import Finite, by_name, instance, positive, setting
from ...core.space import Space
from ...core.states import state_of
from ...core.streams import checked
from .._states import broken
from ._legs import Leg, slowing
from ._polyline import nearest, sighted
from ._verdicts import headway
from .path import YAW_TOLERANCE, Path, Progress, standing

Command = Callable[[Array, float, float, bool], ArrayLike]
"""A function from a state, a speed [m/s] (negative backwards), a curvature [1/m] and whether the path lies behind the
robot, to an action."""


class PurePursuit:
    """Pure pursuit: geometric path tracking for vehicles that drive along their heading.

    ::

        L      = max(lookahead, preview v)                   distance to the target, v the speed of the robot
        (a, b) = target - (x, y) in the frame of the robot   the first point of the path that is L away
        kappa  = 2 b / (a^2 + b^2)                           the arc through both, tangent to the heading
        speed  = min(speed, sqrt(2 decel left))              left: metres to the end of the leg, less v / gain for
                                                             vehicles driven by acceleration, which lag so much behind

    A bicycle or tricycle steers ``atan(wheelbase kappa)`` and accelerates towards the speed. A unicycle or differential
    drive turns at ``speed kappa``, and turns on the spot if the path lies behind it; if its action would leave the
    bounds, it slows down and keeps the curvature. If the path has only one point, the vehicle drives to it; if the path
    returns to its start, the vehicle drives the whole loop. A plan whose states have a heading is driven leg by leg,
    each to its end, as `follow` does; on a backward leg the speed is negative. If the plan ends with a turn on the
    spot, a unicycle or differential drive turns to the final heading; for other vehicles the status is DONE, with a
    reason that gives the heading error.

    Pure pursuit ignores obstacles and cuts corners: by 0.27 L at right angles, by 0.15 L at 45 degrees. The planner has
    to keep this distance in addition to the radius of the robot; `follow` with `MPPI` avoids obstacles itself.

    Args:
        dynamics: model of the vehicle, with x, y and yaw in its state. Supported are actions with the names accel and
            steer, speed and yaw_rate, or left and right.
        path: a `Plan` or its path ``(K, >= 2)``.
        speed: speed along the path [m/s].
        decel: deceleration before the end [m/s^2]; less if the bounds of the action `accel` allow only less.
        lookahead: shortest distance to the target [m].
        preview: time to reach the target at the current speed [s].
        tolerance: distance to the end of the path at which it is done [m], with at most twice as much of the path
            ahead; also the distance along the path at which an earlier leg is done. A vehicle with a speed in its state
            must also stand, that is, be able to stop with `decel` within a fortieth of the tolerance.
        yaw_tolerance: tolerance of the heading at the end of a final turn on the spot [rad].
        gain: gain of the acceleration towards the desired speed, and of the rate of a final turn [1/s].
        command: a function from ``(x, speed, curvature, behind)`` to an action, for other vehicles.

    Raises:
        ModelError: if the vehicle is not supported and no command is given, or the bounds of the speed or of the wheels
            exclude the direction of a leg.

    Source: Coulter, "Implementation of the pure pursuit path tracking algorithm", CMU-RI-TR-92-01, 1992; a lookahead
    that grows with speed is used in the Autoware and Nav2 controllers.

    Example:
        >>> from pilotage.models import unicycle
        >>> drive = PurePursuit(unicycle(), [[0, 0], [5, 0]], speed=0.5)
        >>> drive.act([0.0, 0.2, 0.0]).u.round(3).tolist()             # left of the path, turns right
        [0.5, -0.556]
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        path: Plan | ArrayLike,
        *,
        speed: float = 1.0,
        decel: float = 1.0,
        lookahead: float = 0.6,
        preview: float = 0.8,
        tolerance: float = 0.2,
        yaw_tolerance: float = YAW_TOLERANCE,
        gain: float = 2.0,
        command: Command | None = None,
    ) -> None:
        given = {"speed": speed, "decel": decel, "lookahead": lookahead, "tolerance": tolerance, "gain": gain}
        given["yaw_tolerance"] = yaw_tolerance
        for name, value in given.items():
            positive(value, name)
        positive(preview, "preview", zero=True)
        self.dynamics, self.path = instance(dynamics, Dynamics, "PurePursuit"), Path(path)
        self.decel = slowing(self.path.legs, float(decel), dynamics.action)
        self.speed, self.gain = float(speed), float(gain)
        self.lookahead, self.preview = float(lookahead), float(preview)
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
            _refuse_standstill(self.path, dynamics)
        self._progress = Progress(self.path, ahead=max(2.0, self.speed), reached=self.tolerance)
        _ = nearest.compiled, sighted.compiled  # compiles them now rather than in the first tick
        self.reset()

    def __repr__(self) -> str:
        return f"PurePursuit({self.dynamics!r}, {self.path!r}, {self.speed:g} m/s)"

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
        """The action at time `t` [s]: DONE at the end of the path, FALLBACK (brake) if the state is NaN.

        If times are given and the vehicle makes no progress for some seconds, the status is STUCK; it keeps driving.

        Raises:
            ShapeError: if the state has the wrong length.
            SettingError: if the time is not finite.
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
            way, off = np.diff(self.path.points[-2:], axis=0)[0], np.array([px, py]) - self.path.goal
            where = "beyond" if way @ off > math.sqrt(0.5) * gap * math.hypot(*way) else "beside"
            passed = f"the end of the path was passed {gap:.2g} m {where} it"
            return self._stop(x, passed, begun, ActionStatus.STUCK)
        v = self.speed if self._speed is None else abs(x[self._speed])
        kappa, behind = self._arc(leg, px, py, yaw, s, max(self.lookahead, self.preview * v))
        left = max(left - (self.path.length - leg.end) - self._lag * v, 0.0)
        speed = leg.direction * min(self.speed, math.sqrt(2.0 * self.decel * left))
        stuck = "" if t is None else self._stuck(x[self._pose], s, t)
        status = ActionStatus.STUCK if stuck else ActionStatus.SOLVED
        return self._action(self._bounded(x, speed, kappa, behind), status, stuck, begun)

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
        x, wanted, dt = self.dynamics.state.identity(), 2.0 * self.speed / self.lookahead, 0.01
        if self._speed is not None:
            x[self._speed] = self.speed
        u = self._bounded(x, self.speed, 2.0 / self.lookahead, behind=True)
        found = abs(float(self.dynamics.step(x, u, dt)[self._pose[2]] - x[self._pose[2]])) / dt
        return min(found, wanted) if found > 0.0 else wanted

    def _turns_on_the_spot(self) -> bool:
        """Whether the vehicle can turn on the spot to both sides, within its bounds."""
        x, steered = self.dynamics.state.identity(), "steer" in self.dynamics.action.names
        return not steered and all(self._bounded(x, 1.0, kappa, behind=True).any() for kappa in (1.0, -1.0))

    def _at_the_end(self, x: Array, yaw: float, begun: float) -> Action:
        """The turn to the final heading, if there is one and the robot can turn on the spot; else DONE."""
        turn, reason = self.path.turn, ""
        off = 0.0 if turn is None else math.remainder(math.atan2(turn[1], turn[0]) - yaw, math.tau)
        if abs(off) > self.yaw_tolerance:
            if self._turns:
                kappa = math.copysign(2.0 / self.lookahead, off)
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

    def _arc(self, leg: Leg, px: float, py: float, yaw: float, s: float, reach: float) -> tuple[float, bool]:
        """The curvature of the arc to the target, and whether the target lies behind, in the direction of the leg."""
        tx, ty = sighted(leg.points, leg.s, s, px, py, reach)
        dx, dy, cos, sin = tx - px, ty - py, math.cos(yaw), math.sin(yaw)
        a, b = cos * dx + sin * dy, cos * dy - sin * dx
        size = max(math.hypot(a, b), 1e-6)
        if a * leg.direction < 0.0:
            return math.copysign(2.0 / size, b), True  # the tightest arc, not the long way round
        return 2.0 * b / (size * size), False

    def _bounded(self, x: Array, speed: float, kappa: float, behind: bool = False) -> Array:
        action = self.dynamics.action
        return action.clip(np.asarray(self._command(x, speed, kappa, behind), dtype=np.float64))

    def _action(self, u: Array, status: ActionStatus, reason: str, begun: float) -> Action:
        return Action(u, status, solve_time=time.perf_counter() - begun, reason=reason)


def commands(dynamics: Dynamics, gain: float) -> Command:
    """The command for dynamics, from speed and curvature to an action, by the names of their actions.

    Raises:
        ModelError: if the names are not supported, or the model lacks the parameter of a length that is needed.
    """
    makers = {("accel", "steer"): _steered, ("speed", "yaw_rate"): _turned, ("left", "right"): _wheeled}
    for needed, make in makers.items():
        if set(needed) <= set(dynamics.action.names):
            return make(dynamics, gain)
    raise ModelError(
        f"pure pursuit does not know how to drive with the actions {', '.join(dynamics.action.names)}; "
        "give command, a function of (x, speed, curvature, behind)"
    )


def _refuse_standstill(path: Path, dynamics: Dynamics) -> None:
    """Raise an error if the bounds exclude the direction of a leg, so that the robot would never move."""
    for space in (dynamics.state, dynamics.action):
        for name, low, high in zip(space.names, space.low, space.high, strict=True):
            for leg in path.legs if name in ("speed", "left", "right") else ():
                if leg.direction * (high if leg.direction > 0.0 else low) <= 0.0:
                    raise ModelError(
                        f"the path is driven {'forwards' if leg.direction > 0.0 else 'backwards'} from {leg.start:.3g} "
                        f"m to {leg.end:.3g} m, but {name} of {dynamics!r} is in [{low:g}, {high:g}]"
                    )


def _steered(dynamics: Dynamics, gain: float) -> Command:
    wheelbase, at = _parameter(dynamics, "wheelbase"), dynamics.state.index("speed")
    order = [dynamics.action.index(name) for name in ("accel", "steer")]

    def command(x: Array, speed: float, kappa: float, behind: bool) -> Array:
        u = np.zeros(dynamics.action.size)
        u[order] = gain * (speed - x[at]), math.atan(wheelbase() * kappa)
        return u

    return command


def _turned(dynamics: Dynamics, gain: float) -> Command:
    order = [dynamics.action.index(name) for name in ("speed", "yaw_rate")]

    def command(x: Array, speed: float, kappa: float, behind: bool) -> Array:
        u = np.zeros(dynamics.action.size)
        u[order] = 0.0 if behind else speed, speed * kappa
        return slower(u, dynamics.action)

    return command


def _wheeled(dynamics: Dynamics, gain: float) -> Command:
    radius, track = _parameter(dynamics, "wheel_radius"), _parameter(dynamics, "track")
    order = [dynamics.action.index(name) for name in ("left", "right")]

    def command(x: Array, speed: float, kappa: float, behind: bool) -> Array:
        forward, half = 0.0 if behind else speed, 0.5 * track() * speed * kappa
        u = np.zeros(dynamics.action.size)
        r = radius()
        u[order] = (forward - half) / r, (forward + half) / r
        return slower(u, dynamics.action)

    return command


def slower(u: Array, action: Space) -> Array:
    """The action `u` scaled down to its bounds, with all components in proportion.

    Example:
        >>> slower(np.array([4.0, -1.0]), Space("speed in [-1, 2]", "yaw_rate in [-0.2, 1]"))
        array([ 0.8, -0.2])
    """
    share = 1.0
    for value, low, high in zip(u.tolist(), action.low.tolist(), action.high.tolist(), strict=True):
        limit = high if value > 0.0 else low
        if abs(value) > abs(limit) and value * limit >= 0.0:
            share = min(share, limit / value)
    return share * u


def _parameter(dynamics: Dynamics, name: str) -> Callable[[], float]:
    """A function that returns the current value of a parameter, since a tensor may change in place."""
    params = getattr(dynamics, "params", {})
    if name not in params:
        raise ModelError(f"{dynamics!r} has no parameter {name}, which pure pursuit needs; give command instead")
    return lambda: float(params[name])
