"""The motion of boxes in an image: centre and size, each with constant velocity, in units of the size of the box."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ....core import Dynamics, Sensor, Space
from ....core.settings import NonNegative, Positive, settings
from ....models import discrete_dynamics, sensor

CENTRE = Space("x y width height [px]")
"""Centre and size of a box: what a detector reads."""
MOVING = Space("x y width height [px]", "vx vy vwidth vheight [px/s]")
"""The state of a box that moves and grows."""


@settings
class BoxMotion:
    """The motion of boxes in an image and what a detector reads of them: two numbers for each coordinate.

    ::

        p' = p + v dt,   v' = v        Q = a^2 s^2 [[dt^3/3, dt^2/2], [dt^2/2, dt]] + b^2 s^2 [[dt, 0], [0, 0]]
        z  = p + e                     R = r^2 s^2,           s^2 = (width^2 + height^2) / 2

    for each coordinate p of ``x, y, width, height``, centre and size [px]. All noise is in units of the size s of the
    box as predicted, so that near and far targets are alike; times are in seconds. The coordinates are independent,
    hence the filter of a box is four filters of two numbers each.

    Args:
        reading: r, standard deviation of a detection, by the size.
        accel: a, root of the density of the acceleration, by the size [1/s^2/sqrt(Hz)].
        growth: the same for width and height.
        wander: b, root of the density of a random walk of the place, by the size [1/sqrt(s)].
        speed: standard deviation of the velocity of a new box, by the size [1/s].

    Source: Bewley et al., "Simple online and realtime tracking", ICIP 2016, section 3.2, for constant velocity; Aharon
    et al., "BoT-SORT", arXiv:2206.14651, section 3.1, for width and height and for noise in units of the size.

    Example:
        >>> motion = BoxMotion(reading=0.1)
        >>> motion.dynamics.step([5.0, 5.0, 4.0, 4.0, 1.0, 0.0, 0.0, 0.0], [], 0.5).tolist()[:4]
        [5.5, 5.0, 4.0, 4.0]
        >>> motion.sensor.noise([5.0, 5.0, 4.0, 4.0, 1.0, 0.0, 0.0, 0.0]).diagonal().round(3).tolist()
        [0.16, 0.16, 0.16, 0.16]
    """

    reading: Positive = 0.12
    accel: NonNegative = 1.0
    growth: NonNegative = 0.1
    wander: NonNegative = 0.1
    speed: Positive = 1.5

    @cached_property
    def dynamics(self) -> Dynamics:
        """The motion as a model of ``x y width height vx vy vwidth vheight``."""
        return _moving(accel=self.accel, growth=self.growth, wander=self.wander)

    @cached_property
    def sensor(self) -> Sensor:
        """The detector as a model of centre and size."""
        return _seen(reading=self.reading)

    @property
    def numbers(self) -> list[float]:
        """r^2, a^2 of places and of sizes, b^2, and the variance of the first velocity, as compiled code takes them."""
        return [v * v for v in (self.reading, self.accel, self.growth, self.wander, self.speed)]


def size_square(x: Sequence[Any]) -> Any:
    """s^2."""
    return 0.5 * (x[2] * x[2] + x[3] * x[3])


def box_noise(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """Q."""
    square = size_square(x)
    Q: list[list[Any]] = [[0.0] * 8 for _ in range(8)]
    for c in range(4):
        a = (p.accel if c < 2 else p.growth) ** 2 * square
        Q[c][c] = a * dt * dt * dt / 3.0 + p.wander**2 * square * dt
        Q[c][4 + c] = Q[4 + c][c] = a * dt * dt / 2.0
        Q[4 + c][4 + c] = a * dt
    return Q


@discrete_dynamics(state=MOVING, action=Space(), params={"accel": 1.0, "growth": 0.1, "wander": 0.1}, noise=box_noise)
def _moving(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    return [*(x[c] + x[4 + c] * dt for c in range(4)), *x[4:]]


def _error(x: Any, c: Any, p: Any, m: Any) -> Any:
    variance = p.reading**2 * size_square(x)
    return [[variance if i == j else 0.0 for j in range(4)] for i in range(4)]


@sensor(state=MOVING, reading=CENTRE, params={"reading": 0.12}, noise=_error)
def _seen(x: Any, c: Any, p: Any, m: Any) -> Any:
    return list(x[:4])
