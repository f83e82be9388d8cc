"""A truck with a trailer that backs up to a dock."""

from __future__ import annotations

import math
from typing import Any

from ..core.mathematics import Mathematics, math_for
from ..core.parts import Components
from ..core.space import Space
from .trace.dynamics import dynamics
from .trace.params import Values
from .trace.vectorized import finite, stacked

ARTICULATED = Space("x y [m]", "yaw: angle", "trailer_yaw: angle")


@dynamics(
    state=ARTICULATED,
    action=Space("speed [m/s] in [-2, 2]", "steer [rad]").bounded(steer=(-0.25 * math.pi, 0.25 * math.pi)),
    params={"wheelbase": 1.0, "trailer_length": 4.0},
    positive="wheelbase trailer_length",
    noise=(0.01, 0.01, 0.01, 0.01),
)
def truck(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """A truck with a trailer that is hitched to the middle of the cab's rear axle.

    ::

         =                     =       / steer       x'           = speed cos yaw
         |---------------------(o)----//             y'           = speed sin yaw
         =  trailer_length     =    wheelbase        yaw'         = speed / wheelbase tan steer
                            (x, y)                   trailer_yaw' = speed / trailer_length sin(yaw - trailer_yaw)

    State ``(x, y, yaw, trailer_yaw)`` [m, m, rad, rad] of the hitch, action ``(speed, steer)`` [m/s, rad]; a negative
    speed backs up. Parameters: `wheelbase`, `trailer_length` [m]. Backing, the angle at the hitch is unstable: it
    grows as ``exp(|speed| t / trailer_length)`` unless the cab steers against it, and steering beyond
    ``atan(wheelbase / trailer_length)`` jackknifes. Default noise: a random walk that reaches 1 cm and 0.01 rad after a
    second.

    Source: Nguyen and Widrow, "The truck backer-upper", IJCNN 1989; the course NYU-DLSP20, notebook 14, whose code (not
    its text) has these signs, with ``wheelbase = 1, trailer_length = 4`` and Euler steps of 0.1 m.

    Example:
        >>> truck(integrator="euler").step([10.0, 0.0, 0.0, 0.0], [-0.1, 0.0], 1.0).round(3).tolist()
        [9.9, 0.0, 0.0, 0.0]
    """
    _, _, yaw, trailer_yaw = x
    speed, steer = u
    return (
        speed * m.cos(yaw),
        speed * m.sin(yaw),
        speed / p.wheelbase * m.tan(steer),
        speed / p.trailer_length * m.sin(yaw - trailer_yaw),
    )


def hitch_angle(x: Any) -> Any:
    """Angle between cab and trailer ``(...)`` [rad], ``wrap(yaw - trailer_yaw)``, for truck states ``(..., 4)``.

    Returns numpy for numpy and torch for torch.

    Example:
        >>> float(hitch_angle([0.0, 0.0, 0.5, 0.2]).round(3))
        0.3
    """
    x = finite(x, ARTICULATED, "state of a truck")
    return math_for(x).wrap(x[..., 2] - x[..., 3])


def jackknifed(x: Any, limit: float = 0.5 * math.pi) -> Any:
    """Whether the hitch angle exceeds `limit` [rad], for truck states ``(..., 4)``; bools ``(...)``.

    Example:
        >>> jackknifed([[0.0, 0.0, 3.0, -3.0], [0.0, 0.0, 1.0, -1.0]]).tolist()
        [False, True]
    """
    angle = hitch_angle(x)
    return math_for(angle).abs(angle) > limit


def trailer_rear(x: Any, trailer_length: float = 4.0) -> Any:
    """Middle of the trailer's axle ``(..., 2)`` [m], which has to reach the dock, for truck states ``(..., 4)``.

    It is `trailer_length` [m] behind the hitch: ``(x, y) - trailer_length (cos, sin)(trailer_yaw)``.

    Example:
        >>> trailer_rear([10.0, 0.0, 0.0, 0.0]).tolist()
        [6.0, 0.0]
    """
    x = finite(x, ARTICULATED, "state of a truck")
    m, back = math_for(x), x[..., 3]
    place = [x[..., 0] - trailer_length * m.cos(back), x[..., 1] - trailer_length * m.sin(back)]
    return stacked(place, tuple(x.shape[:-1]), x)
