"""Backing a truck with a trailer along a line to a dock, by exact linearisation of the trailer's lateral motion."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError
from ...core.results import ActionStatus
from ...core.settings import Positive, by_name, instance, setting
from ...core.space import Space
from ...core.states import state_of
from ._law import Command, FeedbackLaw

ARRIVED, ACROSS = 1e-3, 0.499 * math.pi  # [m], [rad]
DOCK = Space("x y [m]", "yaw: angle")


class TrailerBacking(FeedbackLaw):
    """Backing of a `truck` with a trailer onto a line, and along it to a dock.

    ::

        (s, y)    the middle of the trailer's axle in the frame of the dock
        a, b      trailer_yaw - dock yaw, and yaw - trailer_yaw, the angle at the hitch
        y_s       = tan a,     y_ss = tan b / (trailer_length cos^3 a)                     derivatives by s
        y_sss     = (b_s / cos^2 b + 3 tan b tan a a_s) / (trailer_length cos^3 a)
        a_s       = tan b / (trailer_length cos a)
        b_s       = (tan(steer) / wheelbase - sin b / trailer_length) / (cos b cos a)
        steer     so that  y_zzz = -3 y_zz / length - 3 y_z / length^2 - y / length^3       by the distance z

    so that ``(1 + length d/dz)^3 y = 0`` exactly, at any speed, while neither the steering angle nor `approach` limits
    it. Far from the line, the lateral error counts only up to ``3 length tan(approach)``, which leads to an approach at
    this angle. The trailer faces as the dock does, which lies behind it. If trailer or cab stand across, or the
    steering cannot straighten the hitch any more, the truck stops with status FALLBACK, and so it does beside the dock;
    pull forward then.

    Args:
        dynamics: a `truck`.
        dock: pose ``(x, y, yaw)`` where the middle of the trailer's axle has to stop.
        speed: speed of the cab [m/s].
        length: distance over which errors decay [m]; default: the length of the trailer.
        approach: steepest angle to the line [rad].
        tolerance: largest lateral error [m] and heading error [rad] of the trailer that count as docked.
        dt: seconds between ticks without a time.

    Raises:
        ModelError: if the vehicle is no truck with a trailer.

    Source: Samson, "Control of chained systems: application to path following and time-varying point-stabilization of
    mobile robots", IEEE Trans. Automatic Control 40 (1995), with the distance in place of the time.

    Example:
        >>> from pilotage.models import truck
        >>> park = TrailerBacking(truck(), [0.0, 0.0, 0.0])
        >>> park.act([10.0, 0.0, 0.0, 0.0]).u.tolist(), park.act([4.0, 0.0, 0.0, 0.0]).status
        ([-1.0, 0.0], <ActionStatus.DONE: 'done'>)
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        dock: ArrayLike,
        *,
        speed: float = 1.0,
        length: float | None = None,
        approach: float = 0.5,
        tolerance: tuple[float, float] = (0.5, 0.1745),
        dt: float = 0.1,
    ) -> None:
        params = instance(dynamics, Dynamics, "TrailerBacking").params
        known = {*dynamics.state.names, *dynamics.action.names, *params}
        if not {"x", "y", "yaw", "trailer_yaw", "speed", "steer", "wheelbase", "trailer_length"} <= known:
            raise ModelError(f"TrailerBacking drives a truck with a trailer, not {dynamics!r}")
        self.dock = DOCK.normalize(state_of(dock, DOCK, "dock"))
        self.speed, self.approach = setting(speed, Positive, "speed"), setting(approach, Positive, "approach")
        self.length = setting(params["trailer_length"] if length is None else length, Positive, "length")
        self.tolerance = setting(tolerance, tuple[Positive, Positive], "tolerance")
        self._places = [dynamics.state.find(name) for name in ("x", "y", "yaw", "trailer_yaw")]
        at = dynamics.action.index("steer")
        self._steers = float(dynamics.action.low[at]), float(dynamics.action.high[at])
        super().__init__(dynamics, dt)

    def __repr__(self) -> str:
        return f"TrailerBacking({self.dynamics!r}, dock {self.dock.tolist()})"

    def law(self, x: Array, t: float, passed: float) -> Command:
        s, y, a, b = self.errors(x)
        if s <= ARRIVED:
            return self._arrived(y, a)
        wheelbase, trailer = self._lengths()
        tightest = self._steers[1] if b > 0.0 else -self._steers[0]
        if abs(a) >= ACROSS:
            return self._lost(f"the trailer is at {math.degrees(a):.0f} degrees to the dock")
        if abs(b) >= ACROSS or math.tan(min(tightest, ACROSS)) / wheelbase <= abs(math.sin(b)) / trailer:
            return self._lost(f"the hitch is at {math.degrees(b):.0f} degrees, which backing cannot straighten")
        speed = min(self.speed, s / self.dt)
        return Command(self._action(-speed, math.atan(self._tan_steer(y, a, b))))

    def errors(self, x: ArrayLike) -> tuple[float, float, float, float]:
        """Distance s and lateral error y of the trailer's axle [m], its heading error a and the hitch angle b [rad]."""
        px, py, yaw, trailer_yaw = np.asarray(x, dtype=float)[self._places].tolist()
        gx, gy, heading = self.dock.tolist()
        trailer, cos, sin = self._lengths()[1], math.cos(heading), math.sin(heading)
        dx, dy = px - trailer * math.cos(trailer_yaw) - gx, py - trailer * math.sin(trailer_yaw) - gy
        a, b = math.remainder(trailer_yaw - heading, math.tau), math.remainder(yaw - trailer_yaw, math.tau)
        return cos * dx + sin * dy, cos * dy - sin * dx, a, b

    def nominal(self, t: float) -> Array:
        return np.zeros(self.dynamics.action.size)

    def _tan_steer(self, y: float, a: float, b: float) -> float:
        """The tangent of the steering angle; derivatives by s, in which the truck drives backwards."""
        (wheelbase, trailer), k = self._lengths(), 1.0 / self.length
        far = 3.0 * self.length * math.tan(self.approach)
        a_s = math.tan(b) / (trailer * math.cos(a))
        slope, bend = math.tan(a), a_s / math.cos(a) ** 2
        y_sss = 3.0 * k * bend - 3.0 * k**2 * slope + k**3 * min(max(y, -far), far)
        b_s = math.cos(b) ** 2 * (trailer * math.cos(a) ** 3 * y_sss - 3.0 * math.tan(b) * math.tan(a) * a_s)
        return wheelbase * (b_s * math.cos(b) * math.cos(a) + math.sin(b) / trailer)

    def _lengths(self) -> tuple[float, float]:
        """Wheelbase and trailer length [m], which may be tensors that change in place."""
        params = self.dynamics.params
        return float(params["wheelbase"]), float(params["trailer_length"])

    def _arrived(self, y: float, a: float) -> Command:
        """The end of the way, at the dock or beside it."""
        if abs(y) <= self.tolerance[0] and abs(a) <= self.tolerance[1]:
            return Command(self.nominal(0.0), ActionStatus.DONE)
        return self._lost(f"the trailer is {abs(y):.2g} m and {math.degrees(abs(a)):.2g} degrees beside the dock")

    def _lost(self, why: str) -> Command:
        return Command(self.nominal(0.0), ActionStatus.FALLBACK, f"{why}: pull forward; fell back to stop")

    def _action(self, speed: float, steer: float) -> Array:
        return np.array([{"speed": speed, "steer": steer}.get(name, 0.0) for name in self.dynamics.action.names])
