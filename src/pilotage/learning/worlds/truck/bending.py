"""A loop that keeps the angle at the hitch of a truck that backs up, on which several controllers rest."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from ....core import Space
from ....core.dynamics import Dynamics
from ....envs.truck.yard import STEERING, kinematics, space
from ....models import discrete_dynamics
from .kinematics import HOLD, TRAILER, WHEELBASE

GAIN = 2.0
"""Rate at which the hitch angle follows the wanted one [1/m]."""
WIDEST = 1.0
"""Largest hitch angle that is wanted [rad]; the trailer turns about a point 2.6 m away."""
NUMBERS = SimpleNamespace(
    sin=math.sin,
    atan=math.atan,
    wrap=lambda a: math.remainder(a, math.tau),
    clip=lambda a, low, high: max(low, min(high, a)),
)
"""Functions of single numbers."""


def bending(x: Any, bend: Any, m: Any) -> Any:
    """The steering angle [rad] that leads the hitch angle to `bend` [rad], for the components of a state.

    ::

        hitch = yaw - trailer_yaw,    tan steer / L = sin hitch / d + GAIN (hitch - bend)

    so that ``d hitch / dz = -GAIN (hitch - bend)`` by the distance z that the truck backs up. It makes steady what is
    unsteady in backing; what is left to a controller is where the trailer goes.

    Example:
        >>> round(bending([9.0, 0.0, 0.0, 0.0, 0.0], 0.1, NUMBERS), 3)
        -0.197
    """
    hitch = m.wrap(x[2] - x[3])
    tangent = WHEELBASE * (m.sin(hitch) / TRAILER + GAIN * (hitch - bend))
    return m.clip(m.atan(tangent), -STEERING, STEERING)


def bent() -> Dynamics:
    """The model of a decision of 0.4 m whose action is the wanted hitch angle.

    Example:
        >>> bent().action.names
        ('bend',)
    """
    truck: Any = kinematics(hold=HOLD)

    @discrete_dynamics(
        state=space(1), action=Space("bend [rad]").bounded(bend=(-WIDEST, WIDEST)), params=dict(truck.params)
    )
    def bent(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        return truck.advance(x, [bending(x, u[0], m)], dt, p, m)

    return bent(noise=0.0)


def trailer(x: Any) -> tuple[float, float, float, float]:
    """Place of the trailer's axle relative to the dock [m], its heading and the hitch angle [rad].

    Example:
        >>> trailer([10.0, 2.0, 0.5, 0.0, 1.0])
        (6.0, 1.0, 0.0, 0.5)
    """
    px, py, yaw, heading, dock = x
    along, across = px - TRAILER * math.cos(heading), py - TRAILER * math.sin(heading) - dock
    return along, across, math.remainder(heading, math.tau), math.remainder(yaw - heading, math.tau)
