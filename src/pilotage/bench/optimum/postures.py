"""Plans that bring an arm into postures by smooth moves of the joints, as starts of a local optimisation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ...core.arrays import Array
from ...core.dynamics import Dynamics

TURNS = (-1, 0, 1)
"""Full turns that are added to each joint of a posture."""
SHORTEST = 0.15
"""Duration of the fastest move, as a share of the horizon; the slowest takes all of it."""
STIFFNESS = 0.3
"""Share of the error of the joints that a tick of a move takes back."""


def elbows(links: tuple[float, float], target: tuple[float, float]) -> Array:
    """The two postures ``(2, 2)`` in which an arm of two links touches a point, elbow down and up.

    ::

        q2 = +- arccos((|p|^2 - a^2 - b^2) / (2 a b)),      q1 = atan2(py, px) - atan2(b sin q2, a + b cos q2)

    Source: Lynch and Park, "Modern Robotics" (2017), section 6 (inverse kinematics of a planar 2R arm).

    Example:
        >>> elbows((1.0, 1.0), (1.0, 1.0)).round(3) + 0.0
        array([[ 0.   ,  1.571],
               [ 1.571, -1.571]])
    """
    (a, b), (px, py) = links, target
    bend = np.arccos((px * px + py * py - a * a - b * b) / (2.0 * a * b))
    q2 = np.array([bend, -bend])
    return np.stack([np.arctan2(py, px) - np.arctan2(b * np.sin(q2), a + b * np.cos(q2)), q2], -1)


def moves(arm: Dynamics, x: Array, postures: Array, dt: float, horizon: int, durations: int) -> list[Array]:
    """Actions ``(T, m)`` that move an arm to each posture, by way of every full turn below one, at several speeds.

    Args:
        arm: dynamics whose state is joint angles and then their rates, with an action for each joint.
        x: the initial state ``(2 m,)``.
        postures: joint angles ``(k, m)``.
        dt, horizon: seconds of a step, and number of steps.
        durations: number of durations of each move.

    Example:
        >>> from pilotage.models import planar_arm
        >>> arm = planar_arm(2, noise=0.0, gravity=0.0)
        >>> plans = moves(arm, np.zeros(4), np.array([[0.5, 0.5]]), 0.05, 40, durations=2)
        >>> len(plans), bool(abs(arm.rollout(np.zeros(4), plans[-1], 0.05)[-1, :2] - 0.5).max() < 0.1)
        (8, True)
    """
    m = postures.shape[-1]
    turned = [goal + 2.0 * np.pi * np.array(turn) for goal in postures for turn in itertools.product(TURNS, repeat=m)]
    ways = [goal - x[:m] for goal in turned if np.abs(goal - x[:m]).max() < 2.0 * np.pi]
    steps = np.linspace(SHORTEST, 1.0, durations) * horizon
    return [_moved(arm, x, way, dt, horizon, n) for way in ways for n in steps]


def _moved(arm: Dynamics, x: Array, way: Array, dt: float, horizon: int, n: float) -> Array:
    """Actions that follow a cubic from the joints of `x` along `way` within n steps, and then stay there."""
    m, gone, us = len(way), np.zeros(len(way)), []
    for k in range(horizon):
        s = min((k + 1) / n, 1.0)
        rate = way * (6.0 * s - 6.0 * s * s) / (n * dt)
        wanted = rate + STIFFNESS * (way * (3.0 * s * s - 2.0 * s**3) - gone - rate * dt) / dt
        us.append(_driven(arm, x, wanted, dt))
        y = arm.step(x, us[-1], dt)
        gone += arm.state.minus(y, x)[:m]
        x = y
    return np.array(us)


def _driven(arm: Dynamics, x: Array, rate: Sequence[float] | Array, dt: float) -> Array:
    """The action that gives the joints some rates at the end of a step, within the bounds."""
    rest, m = arm.action.clip(np.zeros(arm.action.size)), arm.action.size
    _, B = arm.linearize(x, rest, dt)
    missing = rate - arm.step(x, rest, dt)[-m:]
    return arm.action.clip(rest + np.linalg.lstsq(B[-m:], missing, rcond=None)[0])
