"""A linear quadratic regulator that backs a trailer onto the line through the dock, with limits in series."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....control import dlqr
from ....core.arrays import Array
from ....core.settings import NonNegative, Positive, setting
from ....envs.truck.yard import STEERING, kinematics
from ._steering import Steering
from .bending import NUMBERS, trailer
from .kinematics import HOLD, TRAILER

ERRORS = np.array([[0.0, 1.0, 0.0, -TRAILER, -1.0], [0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, -1.0, 0.0]])
"""The errors (y, a, h) of a state near the line: place and heading of the trailer, and the hitch angle."""


class LineRegulator(Steering):
    """A linear quadratic regulator of a truck that backs its trailer along the line through the dock.

    ::

        steer = -K (y, a, h),    K = dlqr(F, B, (weight, 0, 0), effort)       limited = False
        aim   = clip(-K_y / K_a y, approach)                                  wanted heading of the trailer
        bend  = clip(-K_a / K_h (a - aim), bend)                              wanted hitch angle
        steer = -K_h (h - bend)                                               limited = True

    with y the lateral error of the trailer's axle, a the trailer's heading, h the hitch angle; F and B are those of a
    decision of 0.4 m straight backwards. Where nothing is limited, both forms are the same law. Far from the line, the
    plain law asks for more hitch angle than the truck can straighten, and jackknifes; the limits in series do not.

    Args:
        limited: whether heading and hitch angle are limited.
        weight: weight of the lateral error [1/m^2].
        effort: weight of the steering angle [1/rad^2].
        approach: largest heading to the line [rad].
        bend: largest wanted hitch angle [rad].

    Example:
        >>> near = [20.0, 0.01, 0.0, 0.0, 0.0]
        >>> bool(np.isclose(LineRegulator().act(near).u, LineRegulator(limited=False).act(near).u)[0])
        True
    """

    def __init__(
        self,
        *,
        limited: bool = True,
        weight: float = 1.0,
        effort: float = 0.1,
        approach: float = 1.4,
        bend: float = 0.9,
    ) -> None:
        super().__init__()
        self.limited = setting(limited, bool, "limited")
        self.approach, self.bend = setting(approach, NonNegative, "approach"), setting(bend, NonNegative, "bend")
        F, B = kinematics(hold=HOLD).linearize(np.zeros(5), np.zeros(1), self.dt)
        A, weights = ERRORS @ F @ np.linalg.pinv(ERRORS), [setting(weight, Positive, "weight"), 0.0, 0.0]
        self.gain: list[float] = dlqr(A, ERRORS @ B, weights, [setting(effort, Positive, "effort")]).K[0].tolist()

    def decide(self, x: Array) -> Array:
        _, y, a, h = trailer(x.tolist())
        ky, ka, kh = self.gain
        wanted = self.wanted(y, a) if self.limited else -(ky * y + ka * a) / kh
        return np.array([NUMBERS.clip(-kh * (h - wanted), -STEERING, STEERING)])

    def wanted(self, y: Any, a: Any, m: Any = NUMBERS) -> Any:
        """The wanted hitch angle [rad] for a lateral error [m] and a heading of the trailer [rad]; m has `clip`."""
        ky, ka, kh = self.gain
        aim = m.clip(-ky / ka * y, -self.approach, self.approach)
        return m.clip(-ka / kh * (a - aim), -self.bend, self.bend)
