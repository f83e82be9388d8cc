"""Commands: from a speed and a curvature to the action of a vehicle."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError
from ...core.space import Space
from .path import Path

Command = Callable[[Array, float, float, bool], ArrayLike]
"""A function from a state, a speed [m/s] (negative backwards), a curvature [1/m] and whether the path lies behind the
robot, to an action."""


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
        f"the controller does not know how to drive with the actions {', '.join(dynamics.action.names)}; "
        "give command, a function of (x, speed, curvature, behind)"
    )


def refuse_standstill(path: Path, dynamics: Dynamics) -> None:
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
    if name not in dynamics.params:
        raise ModelError(f"{dynamics!r} has no parameter {name}, which the controller needs; give command instead")
    return lambda: float(dynamics.params[name])
