"""Feedback linearisation of wheeled robots: a trajectory is tracked with linear error dynamics, far from it too."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.arrays import Array, numbers
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.plan import Plan
from ...core.settings import Positive, by_name, instance, setting
from ..paths._commands import slower
from ._law import Command, FeedbackLaw, ended

Reference = Callable[[float], Any]
"""A function from the time [s] to the position, velocity and acceleration of a trajectory, ``(3, 2)``."""


class FeedbackLinearization(FeedbackLaw):
    """Exact linearisation of a unicycle, differential drive or bicycle that tracks a trajectory r(t) in the plane.

    ::

        static, with a point `ahead`:   p = (x, y) + ahead (cos yaw, sin yaw)
            (speed, yaw_rate) = T^-1 (r' + gain (r - p)),    T = [[cos yaw, -ahead sin yaw], [sin yaw, ahead cos yaw]]
            e = r - p:   e' = -gain e
        dynamic:                        p = (x, y),   v the speed, which the law integrates
            (v', yaw_rate) = T^-1 (r'' + 2 gain (r' - p') + gain^2 (r - p)),    T = [[cos yaw, -v sin yaw],
            e = r - p:   e'' = -2 gain e' - gain^2 e                                 [sin yaw, v cos yaw]]

    The static law drives the point ahead of the axle along the trajectory and lets the heading follow, also backwards
    (with a negative `ahead`); the dynamic one drives the axle itself. The dynamic one is singular at standstill: it
    computes with speeds of at least `crawl`, so that a start from rest is slow, and its errors obey the equation only
    above. Robots whose action is a speed slow down if the action would leave the bounds, and keep the curvature. A
    `bicycle` has its speed in the state, so only the dynamic law fits it.

    Args:
        dynamics: a model with x, y and yaw in its state, and the actions speed and yaw_rate, left and right, or accel
            and steer.
        reference: a `Plan` with times, or a function from the seconds since the first tick to r, r' and r'',
            ``(3, 2)``. A plan is followed by a cubic spline; after its end the robot stops with status DONE, or STUCK
            if more than a tenth of the way (the largest distance of a point to the last one) is left.
        ahead: distance of the point ahead of the axle [m], for the static law; default: the dynamic law.
        gain: rate at which errors decay [1/s].
        crawl: smallest speed with which the dynamic law computes [m/s].
        dt: seconds between ticks without a time.

    Raises:
        ModelError: if the vehicle is not supported.
        SettingError: if the plan has no times.

    Source: Oriolo, De Luca and Vendittelli, "WMR control via dynamic feedback linearization", IEEE Trans. Control
    Systems Technology 10 (2002), sections III and IV; the point ahead, Siciliano et al., *Robotics*, section 11.6.1.

    Example:
        >>> from pilotage.models import unicycle
        >>> circle = lambda t: [[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)], [-np.cos(t), -np.sin(t)]]
        >>> drive = FeedbackLinearization(unicycle(), circle)
        >>> drive.act([1.0, 0.0, np.pi / 2], t=0.0).u.round(6).tolist()         # on it already
        [1.0, 1.0]
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        reference: Plan | Reference,
        *,
        ahead: float | None = None,
        gain: float = 1.0,
        crawl: float = 0.1,
        dt: float = 0.1,
    ) -> None:
        names = instance(dynamics, Dynamics, "FeedbackLinearization").action.names
        kinds = {("speed", "yaw_rate"), ("left", "right"), ("accel", "steer")}
        self._kind = next((kind for kind in kinds if set(kind) == set(names)), None)
        if self._kind is None or (self._kind == ("accel", "steer") and ahead is not None):
            law = "dynamic" if ahead is None else "static"
            raise ModelError(f"the {law} law does not fit the actions {', '.join(names)} of {dynamics!r}")
        self.ahead = None if ahead is None else setting(ahead, float, "ahead")
        if self.ahead == 0.0:
            raise SettingError("ahead is 0; expected a distance, negative behind the axle, or None for the dynamic law")
        self.gain, self.crawl = setting(gain, Positive, "gain"), setting(crawl, Positive, "crawl")
        self.duration, self._end, self._way = math.inf, np.zeros(2), 0.0
        if isinstance(reference, Plan):
            reference, self.duration = Spline(reference), float(reference.ts[-1] - reference.ts[0])  # type: ignore[index]
            self._end, self._way = reference.points[-1], reference.extent
        self.reference: Reference = setting(reference, Callable[..., Any], "reference")
        self._pose = [dynamics.state.find(name) for name in ("x", "y", "yaw")]
        super().__init__(dynamics, dt)

    def __repr__(self) -> str:
        return f"FeedbackLinearization({self.dynamics!r}, {'dynamic' if self.ahead is None else f'{self.ahead:g} m'})"

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode; the speed of the dynamic law begins as that of the trajectory."""
        super().reset(seed=seed)
        self._v: float | None = None
        self._a = 0.0

    def law(self, x: Array, t: float, passed: float) -> Command:
        if t >= self.duration:
            return ended(self._stopped(x), float(np.linalg.norm(self._point(x) - self._end)), self._way)
        r = np.asarray(numbers(self.reference(t), "the reference"))
        if r.shape != (3, 2) or not np.isfinite(r).all():
            raise SettingError(f"the reference at {t:g} s is {r.tolist()}; expected position, velocity, acceleration")
        px, py, yaw = x[self._pose]
        along, left = np.array([math.cos(yaw), math.sin(yaw)]), np.array([-math.sin(yaw), math.cos(yaw)])
        if self.ahead is not None:
            wanted = r[1] + self.gain * (r[0] - [px, py] - self.ahead * along)
            return Command(self._driven(along @ wanted, left @ wanted / self.ahead))
        v = self._speed(x, r[1] @ along, passed)
        wanted = r[2] + 2.0 * self.gain * (r[1] - v * along) + self.gain**2 * (r[0] - [px, py])
        self._a, yaw_rate = along @ wanted, left @ wanted / math.copysign(max(abs(v), self.crawl), v)
        if self._kind == ("accel", "steer"):
            wheelbase = float(self.dynamics.params["wheelbase"])
            steer = math.atan(wheelbase * yaw_rate / math.copysign(max(abs(v), self.crawl), v))
            return Command(self._ordered({"accel": self._a, "steer": steer}))
        return Command(self._driven(v, yaw_rate))

    def _point(self, x: Array) -> Array:
        """The point that follows the trajectory."""
        px, py, yaw = x[self._pose]
        return np.array([px, py]) + (self.ahead or 0.0) * np.array([math.cos(yaw), math.sin(yaw)])

    def nominal(self, t: float) -> Array:
        return np.zeros(self.dynamics.action.size)

    def _speed(self, x: Array, wanted: float, passed: float) -> float:
        """The speed v: that of the state, or else the integral of the acceleration."""
        if self._kind == ("accel", "steer"):
            return float(x[self.dynamics.state.find("speed")])
        start = math.copysign(max(abs(wanted), self.crawl), wanted)
        v = self._v = start if self._v is None else self._v + self._a * passed
        return v

    def _stopped(self, x: Array) -> Array:
        accel = -self._speed(x, 0.0, 0.0) / self.dt if self._kind == ("accel", "steer") else 0.0
        return self._ordered({"accel": accel}) if accel else self.nominal(0.0)

    def _driven(self, speed: float, yaw_rate: float) -> Array:
        """The action of a speed [m/s] and a yaw rate [rad/s], slower where it would leave the bounds."""
        if self._kind == ("left", "right"):
            params = self.dynamics.params
            half, radius = 0.5 * float(params["track"]) * yaw_rate, float(params["wheel_radius"])
            u = self._ordered({"left": (speed - half) / radius, "right": (speed + half) / radius})
        else:
            u = self._ordered({"speed": speed, "yaw_rate": yaw_rate})
        return slower(u, self.dynamics.action)

    def _ordered(self, values: dict[str, float]) -> Array:
        return np.array([values.get(name, 0.0) for name in self.dynamics.action.names])


class Spline:
    """Position, velocity and acceleration along a plan with times, by a cubic spline."""

    def __init__(self, plan: Plan) -> None:
        from scipy.interpolate import CubicSpline  # imported late: it takes 0.1 s

        if plan.xs is None or plan.ts is None or plan.space is None or len(plan.ts) < 2:
            raise SettingError(f"FeedbackLinearization needs a plan with states and times, not {plan!r}")
        at = [plan.space.find(name) for name in ("x", "y")]
        self.points: Array = plan.xs[:, at]
        self.extent = float(np.linalg.norm(self.points - self.points[-1], axis=1).max())
        self._spline = CubicSpline(np.asarray(plan.ts) - plan.ts[0], self.points)

    def __call__(self, t: float) -> Array:
        return np.stack([self._spline(t, order) for order in range(3)])
