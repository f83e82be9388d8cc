"""The yard of the truck: its exact kinematics, the walls, and when the trailer is docked."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ...core import Space
from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.task import Task
from ...models import discrete_dynamics, task
from .starts import BOX, FRONT, TRAILER

STEP = 0.1
"""Distance of an Euler step [m], and its duration [s]: the cab moves at 1 m/s."""
TOLERANCE, STRICT = (0.5, math.radians(10.0)), (0.2, math.radians(5.0))
"""Largest lateral error [m] and angle [rad] of a docked trailer."""
STEERING = 0.25 * math.pi


def space(trailers: int, hold: int = 1) -> Space:
    """The space of states: the hitch, the headings of cab and trailers, and the place of the dock on its wall.

    In 2000 ticks of `hold` Euler steps, no truck gets further than its bounds.
    """
    far = 100 + 200 * hold
    headings = ["yaw: angle", "trailer_yaw: angle", "second_yaw: angle"][: trailers + 1]
    return Space(f"x y [m] in [{-far}, {far}]", *headings, "dock [m] in [-10, 10]")


def controls(forward: bool) -> Space:
    """The space of actions: the steering angle, and with `forward` the speed of the cab."""
    steer = {"steer": (-STEERING, STEERING)}
    return (Space("speed [m/s] in [-1, 1]", "steer [rad]") if forward else Space("steer [rad]")).bounded(**steer)


def kinematics(trailers: int = 1, hold: int = 1, forward: bool = False) -> Dynamics:
    """The model of a truck whose steering is held for `hold` Euler steps of 0.1 m.

    ::

        x += s cos yaw,  y += s sin yaw,  yaw += s / L tan steer,  trailer_yaw += s / d sin(yaw - trailer_yaw)

    with all right sides at the old state, ``L = 1 m, d = 4 m, s = -0.1 m``, or ``0.1 m speed`` with `forward`. A second
    trailer follows the axle of the first: ``second_yaw += s / d cos(yaw - trailer_yaw) sin(trailer_yaw - second_yaw)``.

    Source: NYU-DLSP20, notebook 14, the code; the tandem: Altafini, "A path-tracking criterion for an LHD articulated
    vehicle", 1999, for hitches on the axles.

    Example:
        >>> kinematics().step([10.0, 0.0, 0.0, 0.0, 0.0], [0.0], 0.1).round(3).tolist()
        [9.9, 0.0, 0.0, 0.0, 0.0]
    """

    @discrete_dynamics(
        state=space(trailers, hold), action=controls(forward), params={"wheelbase": 1.0, "trailer_length": 4.0}
    )
    def backing(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        px, py, *yaws, dock = x
        s = dt / hold * u[0] if forward else -dt / hold
        for _ in range(hold):
            along, turns = s, [s / p.wheelbase * m.tan(u[-1])]
            for before, after in pairwise(yaws):
                turns.append(along / p.trailer_length * m.sin(before - after))
                along = along * m.cos(before - after)
            px, py = px + s * m.cos(yaws[0]), py + s * m.sin(yaws[0])
            yaws = [yaw + turn for yaw, turn in zip(yaws, turns, strict=True)]
        return (px, py, *yaws, dock)

    return backing(noise=0.0)


def rear(x: Any, m: Any = np) -> tuple[Any, Any]:
    """The place of the last trailer's axle, for the components of a state."""
    px, py, _, *yaws, _ = x
    return px - TRAILER * sum(m.cos(yaw) for yaw in yaws), py - TRAILER * sum(m.sin(yaw) for yaw in yaws)


def verdict(x: Array) -> dict[str, Array]:
    """The true signals of states ``(..., n)``, bools ``(...)``.

    - "docked": the trailer's axle has reached the wall of the dock, within 0.5 m and 10 degrees, not jackknifed;
      "docked_strictly": within 0.2 m and 5 degrees;
    - "jackknifed": a hitch angle exceeds 90 degrees;
    - "outside": cab front or trailer rear is outside the yard, past the wall of the dock or another one.
    """
    parts = [x[..., i] for i in range(x.shape[-1])]
    px, py, *yaws, dock = parts
    rx, ry = rear(parts)
    hitches = [np.abs(_wrap(a - b)) for a, b in pairwise(yaws)]
    jackknifed = np.max(hitches, axis=0) > 0.5 * math.pi
    fx, fy = px + FRONT * np.cos(yaws[0]), py + FRONT * np.sin(yaws[0])
    outside = (rx <= 0.0) | (fx < 0.0) | (np.maximum(rx, fx) > BOX[0]) | (np.maximum(abs(ry), abs(fy)) > BOX[1])
    arrived = (rx <= 0.0) & ~jackknifed
    docked, strictly = (
        arrived & (abs(ry - dock) < off) & (abs(_wrap(yaws[-1])) < angle) for off, angle in (TOLERANCE, STRICT)
    )
    return {"docked": docked, "docked_strictly": strictly, "jackknifed": jackknifed, "outside": outside}


def errand(trailers: int, hold: int, forward: bool, walls: bool) -> Task:
    """The task to dock: +1 for a docked trailer, and -0.001 for every 0.1 m.

    The constraint are the hitch angles and, with `walls`, the four ends of the yard.
    """
    state = space(trailers, hold)

    def limits(x: Any, u: Any, p: Any, m: Any) -> Any:
        px, py, *yaws, _ = x
        ends = [(px + FRONT * m.cos(yaws[0]), py + FRONT * m.sin(yaws[0])), rear(x, m)]
        hitches = [m.abs(m.wrap(a - b)) - 0.5 * math.pi for a, b in pairwise(yaws)]
        sides = [g for fx, fy in ends for g in (fx - BOX[0], m.abs(fy) - BOX[1])]
        return (*hitches, *sides, -ends[0][0]) if walls else (*hitches,)

    def docked(x: Any, p: Any, m: Any) -> Any:
        rx, ry = rear(x, m)
        near = m.where(m.abs(ry - x[-1]) < TOLERANCE[0], 1.0, 0.0)
        straight = m.where(m.abs(m.wrap(x[-2])) < TOLERANCE[1], 1.0, 0.0)
        bent = [m.abs(m.wrap(a - b)) for a, b in pairwise(x[2:-1])]
        sound = m.where(bent[0] <= 0.5 * math.pi, 1.0, 0.0)
        for angle in bent[1:]:
            sound = sound * m.where(angle <= 0.5 * math.pi, 1.0, 0.0)
        return -near * straight * sound * m.where(rx <= 0.0, 1.0, 0.0)

    @task(state=state, action=controls(forward), terminal=docked, constraint=limits)
    def dock(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.001 * hold

    return dock(dt=STEP * hold, horizon=2000, done=arrived)


def arrived(x: Array) -> Any:
    """Whether the trailer's axle has reached the wall of the dock, for states ``(..., n)``."""
    return rear([x[..., i] for i in range(x.shape[-1])])[0] <= 0.0


def _wrap(angle: Any) -> Any:
    return np.arctan2(np.sin(angle), np.cos(angle))
