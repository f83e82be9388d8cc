"""Motion models of turning targets: the turn rate changes at random.

All steps are closed forms, exact for any time step and smooth through a turn rate of zero: a displacement along an arc
is its chord, ``sin(k) / k`` times the arc with ``k`` half the angle turned, and points half the turn ahead.
"""

# pyright: reportConstantRedefinition=false
# Q keeps the capital letter of the literature, and is computed in steps.

from __future__ import annotations

import math
from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.rotations import cos_sinc, series
from ..core.space import Space
from .motion import NOTHING, Matrix, axes_of, white
from .trace.dynamics import DynamicsFamily, TracedDynamics, discrete_dynamics
from .trace.params import Values
from .trace.portable import variants

DENSITIES = {"density": 1.0, "turn_density": 0.1}
TURNING = ("x y [m]", "yaw: angle", "speed [m/s]", "yaw_rate [rad/s]")


def constant_turn(axes: int = 2, *, density: float = 1.0, turn_density: float = 0.1, **settings: Any) -> TracedDynamics:
    """The coordinated turn: constant speed and turn rate, with the velocity in the world frame.

    ::

              . - ~ .  v'            v' = R(w dt) v,   w = yaw_rate
           .          /              p' = p + dt sinc(w dt / 2) R(w dt / 2) v
          o --> v
          p                          and, with three axes, constant velocity upwards

    State ``(x, y, vx, vy, yaw_rate)`` or ``(x, y, z, vx, vy, vz, yaw_rate)`` [m, m/s, rad/s], no action.

    Args:
        axes: 2 or 3.
        density: root of the spectral density of the acceleration [m/s^2/sqrt(Hz)]; its effect on position and velocity
            is that of `constant_velocity`, exact for straight flight.
        turn_density: root of the spectral density of the change of the turn rate [rad/s^2/sqrt(Hz)].
        settings: `noise`, to replace the default noise.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), ch. 11;
    Li and Jilkov, "Survey of maneuvering target tracking, part I", IEEE Trans. Aerospace and Electronic Systems 39
    (2003).

    Example:
        >>> import math
        >>> quarter = constant_turn().step([0.0, 0.0, 1.0, 0.0, math.pi / 2], [], 1.0)
        >>> quarter[2:4].round(9).tolist()
        [0.0, 1.0]
    """
    return _constant_turn(axes_of(axes, 2))(density=density, turn_density=turn_density, **settings)


@variants
def _constant_turn(axes: int) -> DynamicsFamily:
    letters = "xyz"[:axes]
    state = Space(f"{' '.join(letters)} [m]", f"{' '.join('v' + c for c in letters)} [m/s]", "yaw_rate [rad/s]")

    def noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Matrix:
        n = 2 * axes + 1
        # A turn rate that drifts turns the velocity, and so moves the target, across the way it flies.
        across = (-x[axes + 1], x[axes], 0.0)[:axes]
        turned: Matrix = [*([a, 0.0, 0.0] for a in across), *([0.0, a, 0.0] for a in across), [0.0, 0.0, 1.0]]
        Q = carried(turned, white(dt, p.turn_density))
        for a in range(axes):
            pushed = [[float(i == a), float(i == axes + a)] for i in range(n)]
            Q = added(Q, carried(pushed, [row[1:] for row in white(dt, p.density)[1:]]))
        return Q

    @discrete_dynamics(state=state, action=NOTHING, params=DENSITIES, nonnegative=[*DENSITIES], noise=noise)
    def constant_turn(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
        vx, vy, w = x[axes], x[axes + 1], x[-1]
        k = 0.5 * w * dt
        c, sinc = cos_sinc(k * k, m)
        s = k * sinc
        reach = dt * sinc
        place = [x[0] + reach * (c * vx - s * vy), x[1] + reach * (s * vx + c * vy)]
        cc, ss = c * c - s * s, 2.0 * s * c
        flight = [cc * vx - ss * vy, ss * vx + cc * vy]
        if axes == 3:
            place.append(x[2] + x[5] * dt)
            flight.append(x[5])
        return [*place, *flight, w]

    return constant_turn


def _turning_noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Matrix:
    """Noise along the heading as a chain (way, speed[, accel]), across it as a chain (way / speed, yaw, yaw_rate)."""
    yaw, v = x[2] + 0.5 * x[4] * dt, x[3]
    c, s = m.cos(yaw), m.sin(yaw)
    across: Matrix = [[-s * v, 0.0, 0.0], [c * v, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    along: Matrix = [[c, 0.0], [s, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    pushed = [row[1:] for row in white(dt, p.density)[1:]]
    if len(x) == 6:
        across.append([0.0, 0.0, 0.0])
        along = [[*row, 0.0] for row in along] + [[0.0, 0.0, 1.0]]
        pushed = white(dt, p.density)
    return added(carried(across, white(dt, p.turn_density)), carried(along, pushed))


@discrete_dynamics(
    state=Space(*TURNING), action=NOTHING, params=DENSITIES, nonnegative=[*DENSITIES], noise=_turning_noise
)
def ctrv(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
    """Constant turn rate and velocity (CTRV): a vehicle that drives along its heading.

    ::

             . - ~ .             k    = yaw_rate dt / 2
          .          /           x'   = x + speed dt sinc(k) cos(yaw + k)
        (o)-> yaw                y'   = y + speed dt sinc(k) sin(yaw + k)
        (x, y)                   yaw' = yaw + yaw_rate dt

    State ``(x, y, yaw, speed, yaw_rate)`` [m, m, rad, m/s, rad/s], no action. Parameters: `density`, root of the
    spectral density of the acceleration [m/s^2/sqrt(Hz)], and `turn_density`, that of the turn rate's change
    [rad/s^2/sqrt(Hz)]. The noise is exact for straight motion along the heading at half the step.

    Source: Schubert, Richter and Wanielik, "Comparison and evaluation of advanced motion models for vehicle tracking",
    FUSION 2008, section III.

    Example:
        >>> ctrv(density=0.5).step([0.0, 0.0, 0.0, 2.0, 0.0], [], 1.5).tolist()
        [3.0, 0.0, 0.0, 2.0, 0.0]
    """
    px, py, yaw, v, w = x
    k = 0.5 * w * dt
    reach = v * dt * cos_sinc(k * k, m)[1]
    return px + reach * m.cos(yaw + k), py + reach * m.sin(yaw + k), yaw + w * dt, v, w


@discrete_dynamics(
    state=Space(*TURNING, "accel [m/s^2]"),
    action=NOTHING,
    params=DENSITIES,
    nonnegative=[*DENSITIES],
    noise=_turning_noise,
)
def ctra(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
    """Constant turn rate and acceleration (CTRA): a vehicle that drives along its heading.

    ::

             . - ~ .             k      = yaw_rate dt / 2
          .          /           e, n   = (cos, sin)(yaw + k), (-sin, cos)(yaw + k)
        (o)-> yaw                p'     = p + dt (speed + accel dt / 2) sinc(k) e
        (x, y)                              + accel dt^2 / 2 (sin k - k cos k) / k^2 n
                                 yaw'   = yaw + yaw_rate dt
                                 speed' = speed + accel dt

    State ``(x, y, yaw, speed, yaw_rate, accel)`` [m, m, rad, m/s, rad/s, m/s^2], no action. Parameters: `density`,
    root of the spectral density of the jerk [m/s^3/sqrt(Hz)], and `turn_density`, that of the turn rate's change
    [rad/s^2/sqrt(Hz)]. The noise is exact for straight motion along the heading at half the step.

    Source: Schubert, Richter and Wanielik, FUSION 2008, section III. The integral is taken around the middle of the
    step, which needs no special case for straight motion.

    Example:
        >>> ctra().step([0.0, 0.0, 0.0, 2.0, 0.0, 1.0], [], 2.0).tolist()
        [6.0, 0.0, 0.0, 4.0, 0.0, 1.0]
    """
    px, py, yaw, v, w, a = x
    k = 0.5 * w * dt
    c, s = m.cos(yaw + k), m.sin(yaw + k)
    along = dt * (v + 0.5 * a * dt) * cos_sinc(k * k, m)[1]
    aside = 0.5 * a * dt * dt * k * _sinc_slope(k * k, m)
    return px + along * c - aside * s, py + along * s + aside * c, yaw + w * dt, v + a * dt, w, a


def _sinc_slope(k2: Any, m: Mathematics) -> Any:
    """``(sin k - k cos k) / k^3`` as a smooth function of ``k^2``."""
    near = k2 < 1.0
    terms = [(-1.0) ** j * 2 * (j + 1) / math.factorial(2 * j + 3) for j in range(10)]
    k = m.sqrt(m.where(near, 1.0, k2))
    return m.where(near, series(m.where(near, k2, 0.0), terms), (m.sin(k) - k * m.cos(k)) / (k * k * k))


def carried(J: Matrix, block: Matrix) -> Matrix:
    """``J block J'``: the covariance that noise of covariance `block` causes in the state."""
    n, k = len(J), len(block)
    return [
        [sum(J[i][a] * block[a][b] * J[j][b] for a in range(k) for b in range(k)) for j in range(n)] for i in range(n)
    ]


def added(A: Matrix, B: Matrix) -> Matrix:
    """The sum of two matrices."""
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(A, B, strict=True)]
