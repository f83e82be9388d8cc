"""Odometry motion models, whose action is the motion that the wheels measured: of differential and omni drives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Space, numpy_math
from ...core.arrays import Array
from ...models import discrete_dynamics

POSE = Space("x y [m]", "yaw: angle")
MOVE = Space("turn_out: angle", "advance [m]", "turn_in: angle")
OMNI_MOVE = Space("bearing: angle", "advance [m]", "turn: angle")


def _noise(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """Covariance of the pose, ``B M B'``: M the variances of the move, B how the pose depends on it."""
    out, s, back = u
    # Driving backwards is no half turn there and no half turn back.
    r1 = m.minimum(m.abs(out), m.abs(m.wrap(out - m.pi)))
    r2 = m.minimum(m.abs(back), m.abs(m.wrap(back - m.pi)))
    v1 = p.alpha1 * r1 * r1 + p.alpha2 * s * s
    v2 = p.alpha3 * s * s + p.alpha4 * (r1 * r1 + r2 * r2)
    v3 = p.alpha1 * r2 * r2 + p.alpha2 * s * s
    c, n = m.cos(x[2] + out), m.sin(x[2] + out)
    a = (-s * n, s * c, 1.0)  # d pose / d turn_out
    b = (c, n, 0.0)  # d pose / d advance
    e = (0.0, 0.0, 1.0)  # d pose / d turn_in
    return [[v1 * a[i] * a[j] + v2 * b[i] * b[j] + v3 * e[i] * e[j] for j in range(3)] for i in range(3)]


@discrete_dynamics(
    state=POSE,
    action=MOVE,
    params={"alpha1": 0.2, "alpha2": 0.2, "alpha3": 0.2, "alpha4": 0.2},
    noise=_noise,
)
def odometry_motion(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """The odometry motion model: the robot turns, drives straight and turns again, as odometry measured it.

    ::

        x'   = x + advance cos(yaw + turn_out)        var turn_out = alpha1 turn_out^2 + alpha2 advance^2
        y'   = y + advance sin(yaw + turn_out)        var advance  = alpha3 advance^2 + alpha4 (turn_out^2 + turn_in^2)
        yaw' = yaw + turn_out + turn_in               var turn_in  = alpha1 turn_in^2 + alpha2 advance^2

    State ``(x, y, yaw)`` [m, m, rad], action ``(turn_out, advance, turn_in)`` [rad, m, rad]. `odometry_move` computes
    the action from two poses of the odometry. The variances are those of the book, propagated to the pose to first
    order; they are zero for a robot that stands still.

    Source: Thrun, Burgard and Fox, "Probabilistic Robotics" (2005), section 5.4, tables 5.5 and 5.6.

    Example:
        >>> move = odometry_move([0.0, 0.0, 0.0], [1.0, 1.0, 1.5708])
        >>> odometry_motion().step([5.0, 5.0, 0.0], move, 1.0).round(3).tolist()
        [6.0, 6.0, 1.571]
    """
    out, s, back = u
    heading = x[2] + out
    return x[0] + s * m.cos(heading), x[1] + s * m.sin(heading), heading + back


def odometry_move(before: Any, after: Any) -> Array:
    """The action ``(..., 3)`` of `odometry_motion` between two odometry poses ``(..., 3)``.

    Example:
        >>> odometry_move([0.0, 0.0, 0.0], [0.0, 2.0, 0.0]).round(4).tolist()
        [1.5708, 2.0, -1.5708]
    """
    before, after = POSE.check(before, "pose before"), POSE.check(after, "pose after")
    d = after[..., :2] - before[..., :2]
    advance = np.hypot(d[..., 0], d[..., 1])
    # The direction of a move of nothing is noise.
    out = np.where(advance > 1e-3, numpy_math.wrap(np.arctan2(d[..., 1], d[..., 0]) - before[..., 2]), 0.0)
    back = numpy_math.wrap(after[..., 2] - before[..., 2] - out)
    return np.stack([out, advance, back], axis=-1)


def _omni_noise(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """Covariance of the pose: of the advance, across it, and of the turn."""
    bearing, s, turn = u
    v1 = p.alpha3 * s * s + p.alpha1 * turn * turn
    v2 = p.alpha5 * s * s + p.alpha1 * turn * turn
    v3 = p.alpha4 * turn * turn + p.alpha2 * s * s
    c, n = m.cos(x[2] + bearing), m.sin(x[2] + bearing)
    xx, xy, yy = v1 * c * c + v2 * n * n, (v1 - v2) * c * n, v1 * n * n + v2 * c * c
    return [[xx, xy, 0.0], [xy, yy, 0.0], [0.0, 0.0, v3]]


@discrete_dynamics(
    state=POSE,
    action=OMNI_MOVE,
    params={"alpha1": 0.2, "alpha2": 0.2, "alpha3": 0.2, "alpha4": 0.2, "alpha5": 0.2},
    noise=_omni_noise,
)
def omni_motion(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """The odometry motion model of a robot that also moves sideways (omni or mecanum wheels).

    ::

        x'   = x + advance cos(yaw + bearing)         var advance = alpha3 advance^2 + alpha1 turn^2
        y'   = y + advance sin(yaw + bearing)         var across  = alpha5 advance^2 + alpha1 turn^2
        yaw' = yaw + turn                             var turn    = alpha4 turn^2    + alpha2 advance^2

    State ``(x, y, yaw)`` [m, m, rad], action ``(bearing, advance, turn)`` [rad, m, rad]. `omni_move` computes the
    action from two poses of the odometry. The noise across is at right angles to the advance.

    Source: nav2_amcl, omni_motion_model.cpp (OmniMotionModel), with its alpha1 to alpha5.

    Example:
        >>> move = omni_move([0.0, 0.0, 0.0], [0.0, 1.0, 0.0])
        >>> omni_motion().step([5.0, 5.0, 0.0], move, 1.0).round(3).tolist()
        [5.0, 6.0, 0.0]
    """
    bearing, s, turn = u
    heading = x[2] + bearing
    return x[0] + s * m.cos(heading), x[1] + s * m.sin(heading), x[2] + turn


def omni_move(before: Any, after: Any) -> Array:
    """The action ``(..., 3)`` of `omni_motion` between two odometry poses ``(..., 3)``.

    Example:
        >>> omni_move([0.0, 0.0, 0.5], [0.0, 2.0, 0.0]).round(4).tolist()
        [1.0708, 2.0, -0.5]
    """
    before, after = POSE.check(before, "pose before"), POSE.check(after, "pose after")
    d = after[..., :2] - before[..., :2]
    bearing = numpy_math.wrap(np.arctan2(d[..., 1], d[..., 0]) - before[..., 2])
    return np.stack([bearing, np.hypot(d[..., 0], d[..., 1]), numpy_math.wrap(after[..., 2] - before[..., 2])], axis=-1)
