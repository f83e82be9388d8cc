"""Motion models of targets with unknown control: velocity or acceleration changes at random.

All steps are closed forms, exact for any time step; positions come first, then velocities, then accelerations.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.rotations import series
from ..core.settings import whole
from ..core.space import Space
from .trace.dynamics import DynamicsFamily, TracedDynamics, discrete_dynamics
from .trace.params import Values
from .trace.portable import variants

NOTHING = Space()
Matrix = list[list[Any]]


def constant_velocity(axes: int = 2, *, density: float = 1.0, **settings: Any) -> TracedDynamics:
    """A target with constant velocity, up to white-noise acceleration, along one to three axes.

    ::

        o ---> ---> --->       p' = p + v dt       Q = density^2 [[dt^3/3, dt^2/2],
        p  v                   v' = v                              [dt^2/2, dt    ]]   for each axis

    State ``(x, y, vx, vy)`` for two axes [m, m/s], no action. After a time t the velocity has changed by
    ``density sqrt(t)`` [m/s], one standard deviation.

    Args:
        axes: 1, 2 or 3.
        density: root of the spectral density of the acceleration [m/s^2/sqrt(Hz)].
        settings: `noise`, to replace the default noise.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), 6.2.2.

    Example:
        >>> constant_velocity(2).step([0.0, 0.0, 1.0, 2.0], [], 0.5).tolist()
        [0.5, 1.0, 1.0, 2.0]
        >>> constant_velocity(1, density=2.0).noise([0.0, 0.0], [], 1.0).round(3).tolist()
        [[1.333, 2.0], [2.0, 4.0]]
    """
    return _constant_velocity(axes_of(axes))(density=density, **settings)


@variants
def _constant_velocity(axes: int) -> DynamicsFamily:
    def noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Matrix:
        return _per_axis(axes, [row[1:] for row in white(dt, p.density)[1:]])

    @discrete_dynamics(
        state=cartesian(axes, 2), action=NOTHING, params={"density": 1.0}, noise=noise, nonnegative="density"
    )
    def constant_velocity(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
        return [*(x[i] + x[axes + i] * dt for i in range(axes)), *x[axes:]]

    return constant_velocity


def constant_acceleration(axes: int = 2, *, density: float = 1.0, **settings: Any) -> TracedDynamics:
    """A target with constant acceleration, up to white-noise jerk, along one to three axes.

    ::

        p' = p + v dt + a dt^2/2                       [[dt^5/20, dt^4/8, dt^3/6],
        v' = v + a dt                  Q = density^2    [dt^4/8,  dt^3/3, dt^2/2],
        a' = a                                          [dt^3/6,  dt^2/2, dt    ]]   for each axis

    State ``(x, y, vx, vy, ax, ay)`` for two axes [m, m/s, m/s^2], no action. After a time t the acceleration has
    changed by ``density sqrt(t)`` [m/s^2], one standard deviation.

    Args:
        axes: 1, 2 or 3.
        density: root of the spectral density of the jerk [m/s^3/sqrt(Hz)].
        settings: `noise`, to replace the default noise.

    Source: Bar-Shalom, Li and Kirubarajan (2001), 6.2.3.

    Example:
        >>> constant_acceleration(1).step([0.0, 1.0, 2.0], [], 1.0).tolist()
        [2.0, 3.0, 2.0]
    """
    return _constant_acceleration(axes_of(axes))(density=density, **settings)


@variants
def _constant_acceleration(axes: int) -> DynamicsFamily:
    def noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Matrix:
        return _per_axis(axes, white(dt, p.density))

    @discrete_dynamics(
        state=cartesian(axes, 3), action=NOTHING, params={"density": 1.0}, noise=noise, nonnegative="density"
    )
    def constant_acceleration(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
        where, v, a = x[:axes], x[axes : 2 * axes], x[2 * axes :]
        return [
            *(where[i] + (v[i] + 0.5 * a[i] * dt) * dt for i in range(axes)),
            *(v[i] + a[i] * dt for i in range(axes)),
            *a,
        ]

    return constant_acceleration


def singer(axes: int = 2, *, tau: float = 20.0, accel_std: float = 1.0, **settings: Any) -> TracedDynamics:
    """A target with manoeuvres of limited duration: its acceleration is a first-order Gauss-Markov process.

    ::

        a' = -a / tau + w,    E a(t) a(t + s) = accel_std^2 exp(-|s| / tau)

        h = dt / tau          F = [[1, dt, tau^2 (h - 1 + e^-h)],
                                   [0, 1,  tau (1 - e^-h)      ],
                                   [0, 0,  e^-h                ]]   for each axis

    The model lies between constant velocity (short `tau`) and constant acceleration (long `tau`). State ``(x, y, vx,
    vy, ax, ay)`` for two axes [m, m/s, m/s^2], no action.

    Args:
        axes: 1, 2 or 3.
        tau: typical duration of a manoeuvre [s]: about 60 for a slow turn, 20 for evasion, 1 for turbulence.
        accel_std: standard deviation of the acceleration of manoeuvres [m/s^2].
        settings: `noise`, to replace the default noise.

    Source: Singer, "Estimating optimal tracking filter performance for manned maneuvering targets", IEEE Trans.
    Aerospace and Electronic Systems AES-6 (1970); Bar-Shalom, Li and Kirubarajan (2001), section 8.2.

    Example:
        >>> singer(1, tau=1e9).step([0.0, 1.0, 2.0], [], 1.0).round(6).tolist()
        [2.0, 3.0, 2.0]
    """
    return _singer(axes_of(axes))(tau=tau, accel_std=accel_std, **settings)


@variants
def _singer(axes: int) -> DynamicsFamily:
    def noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Matrix:
        return _per_axis(axes, _singer_noise(dt / p.tau, p.tau, p.accel_std, m))

    params = {"tau": 20.0, "accel_std": 1.0}

    @discrete_dynamics(
        state=cartesian(axes, 3), action=NOTHING, params=params, positive="tau", nonnegative="accel_std", noise=noise
    )
    def singer(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
        where, v, a = x[:axes], x[axes : 2 * axes], x[2 * axes :]
        h = dt / p.tau
        e = m.exp(-h)
        drift = p.tau * p.tau * _decaying(h, (-1, 1), 0, 1, 0, m)
        gain = p.tau * _decaying(h, (1,), 0, -1, 0, m)
        return [
            *(where[i] + v[i] * dt + a[i] * drift for i in range(axes)),
            *(v[i] + a[i] * gain for i in range(axes)),
            *(a[i] * e for i in range(axes)),
        ]

    return singer


def _singer_noise(h: Any, tau: Any, std: Any, m: Mathematics) -> Matrix:
    """Covariance of position, velocity and acceleration of one axis after ``h tau`` seconds (Singer 1970)."""
    pp = _decaying(h, (1, 2, -2, Fraction(2, 3)), -1, 0, -4, m) * tau**4
    pv = _decaying(h, (1, -2, 1), 1, -2, 2, m) * tau**3
    pa = _decaying(h, (1,), -1, 0, -2, m) * tau**2
    vv = _decaying(h, (-3, 2), -1, 4, 0, m) * tau**2
    va = _decaying(h, (1,), 1, -2, 0, m) * tau
    aa = _decaying(h, (1,), -1, 0, 0, m)
    return [[e * std * std for e in row] for row in ([pp, pv, pa], [pv, vv, va], [pa, va, aa])]


def _decaying(h: Any, polynomial: tuple[int | Fraction, ...], a: int, b: int, c: int, m: Mathematics) -> Any:
    """``polynomial(h) + a e^-2h + (b + c h) e^-h`` for h >= 0, without the loss of digits at small h.

    There the lowest powers cancel, so below 1 the power series is summed without them.
    """
    low, terms = _power_series(polynomial, a, b, c)
    near = h < 1.0
    small, large = m.where(near, h, 0.0), m.where(near, 1.0, h)
    e = m.exp(-large)
    far = series(large, [float(term) for term in polynomial]) + a * e * e + (b + c * large) * e
    return m.where(near, series(small, terms) * small**low, far)


@cache
def _power_series(polynomial: tuple[int | Fraction, ...], a: int, b: int, c: int) -> tuple[int, list[float]]:
    """The lowest power of that series which does not vanish, and the coefficients from there on."""
    exact = [
        (polynomial[k] if k < len(polynomial) else 0) + Fraction((-1) ** k * (a * 2**k + b - c * k), math.factorial(k))
        for k in range(26)
    ]
    low = next(k for k, term in enumerate(exact) if term)
    return low, [float(term) for term in exact[low:]]


def white(dt: Any, density: Any) -> Matrix:
    """Covariance of (position, velocity, acceleration) after a white jerk of `density` acted for `dt` seconds."""
    q = density * density * dt
    return [
        [q * dt**4 / 20.0, q * dt**3 / 8.0, q * dt**2 / 6.0],
        [q * dt**3 / 8.0, q * dt**2 / 3.0, q * dt / 2.0],
        [q * dt**2 / 6.0, q * dt / 2.0, q],
    ]


def _per_axis(axes: int, block: Matrix) -> Matrix:
    """The covariance of one axis, spread over several that do not affect each other: index = order * axes + axis."""
    n = len(block)
    return [
        [block[i][j] if a == b else 0.0 for j in range(n) for b in range(axes)] for i in range(n) for a in range(axes)
    ]


def axes_of(axes: Any, least: int = 1) -> int:
    """The number of axes, or a sentence."""
    return whole(axes, "the number of axes", least, 3)


def cartesian(axes: int, orders: int) -> Space:
    """Position and its first derivatives along x, y and z."""
    letters = "xyz"[:axes]
    parts = [" ".join(prefix + letter for letter in letters) for prefix in ("", "v", "a")]
    return Space(*(f"{names} [{unit}]" for names, unit in zip(parts[:orders], ("m", "m/s", "m/s^2"))))
