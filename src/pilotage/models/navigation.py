"""Inertial navigation: gyroscopes and accelerometers drive position, attitude, velocity; their biases drift."""

# pyright: reportConstantRedefinition=false
# Q keeps the capital letter of the literature, and is computed in steps.

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.rotations import conjugate, cos_sinc, cross, exp_gap, product, rotate, rotation_exp, series, unit
from ..core.settings import number
from ..core.space import Space
from .geodesy import check_latitude
from .motion import Matrix
from .trace.dynamics import DynamicsFamily, TracedDynamics, discrete_dynamics, dynamics
from .trace.params import Values
from .trace.portable import variants

INERTIAL = Space("x y z [m]", "q: quaternion", "vx vy vz [m/s]", "bgx bgy bgz [rad/s]", "bax bay baz [m/s^2]")
IMU = Space("wx wy wz [rad/s]", "fx fy fz [m/s^2]")
POSITION, ATTITUDE, VELOCITY, GYRO_BIAS, ACCEL_BIAS = 0, 3, 6, 9, 12  # where each begins in the tangent
DENSITIES = {"gyro_density": 1.7e-4, "accel_density": 2.0e-3, "gyro_walk": 1.9e-5, "accel_walk": 3.0e-3}
EARTH_RATE = 7.292115e-5
"""Turn rate of the Earth, WGS84 [rad/s]."""
AXES = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])


def inertial_navigation(*, latitude: float | None = None, **settings: Any) -> TracedDynamics:
    """Inertial navigation with 15 states in the tangent: an IMU reading is the action of every step.

    ::

             w = gyro - bg - R(q)' e,  f = accel - ba           turn rate and specific force of the body
             q' = q * exp(w dt)                                 R(q) turns body axes into the world
             v' = v + (g - 2 e x v) dt + R(q) G1 f dt           G1 = int_0^1 exp(s w dt) ds
             p' = p + v dt + (g/2 - e x v) dt^2 + R(q) G2 f dt^2        G2 = int_0^1 (1 - s) exp(s w dt) ds
             bg' = bg,  ba' = ba                                biases are random walks

    State ``(x y z, q, vx vy vz, bgx bgy bgz, bax bay baz)``: position and velocity in a local frame x east, y north,
    z up [m, m/s], attitude as unit quaternion wxyz, biases of the gyroscopes [rad/s] and the accelerometers [m/s^2].
    Action ``(wx wy wz, fx fy fz)``: the reading of the IMU that holds during the step [rad/s, m/s^2], in body axes x
    forward, y left, z up; at rest it reads about ``(0, 0, 0, 0, 0, 9.81)``. ``g = (0, 0, -gravity)``. The step is
    exact for a constant w and f where the Earth's turn rate e is left out; with it, to first order in ``e dt``.

    Q is that of white noise and random walks through the chain bias - attitude - velocity - position, with the attitude
    in the middle of the step; exact for a body that does not turn. Parameters: `gyro_density` [rad/s/sqrt(Hz)] and
    `accel_density` [m/s^2/sqrt(Hz)], roots of the spectral densities of the noise (a reading averaged over dt has the
    standard deviation ``density / sqrt(dt)``); `gyro_walk` [rad/s^2/sqrt(Hz)] and `accel_walk` [m/s^3/sqrt(Hz)], those
    of the biases' changes; `gravity` [m/s^2]. The default densities are those of a good MEMS unit (ADIS16448, as in
    the EuRoC data sets).

    Args:
        latitude: of the local frame [rad], to take the turning of the Earth into account; by default it is left out,
            since the biases of all but the best gyroscopes hide it.
        settings: parameters, `noise`, `action_noise`, `limits`, as for all dynamics.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013),
    sections 5.4 and 14.2; Sola, "Quaternion kinematics for the error-state Kalman filter", 2017, section 5, with
    errors of attitude in the body; the integrals Forster et al., "On-manifold preintegration", IEEE Trans. Robotics 33
    (2017). Gravity is constant, so the frame should span no more than some ten kilometres.

    Example:
        >>> ins = inertial_navigation(gravity=9.81)
        >>> rest = ins.state.identity()
        >>> moved = ins.step(rest, [0.0, 0.0, 0.0, 1.0, 0.0, 9.81], 2.0)
        >>> moved[[0, 7]].round(9).tolist()                           # 2 s at 1 m/s^2 along x
        [2.0, 2.0]
    """
    if latitude is None:
        return _inertial_navigation(False)(**settings)
    angle = number(latitude, "latitude")
    check_latitude(angle)
    settings.setdefault("earth_rate", (0.0, EARTH_RATE * math.cos(angle), EARTH_RATE * math.sin(angle)))
    return _inertial_navigation(True)(**settings)


@variants
def _inertial_navigation(turning: bool) -> DynamicsFamily:
    params = {**DENSITIES, "gravity": 9.81, **({"earth_rate": (0.0, 0.0, 0.0)} if turning else {})}

    @discrete_dynamics(
        state=INERTIAL, action=IMU, params=params, positive="gravity", nonnegative=[*DENSITIES], noise=_noise
    )
    def inertial_navigation(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
        place, q, v, bg, ba = x[:3], x[3:7], x[7:10], x[10:13], x[13:]
        turn = [(u[i] - bg[i]) * dt for i in range(3)]
        if turning:
            middle = product(q, rotation_exp([0.5 * e for e in turn], m))
            earth = rotate(conjugate(middle), p.earth_rate)
            turn = [turn[i] - earth[i] * dt for i in range(3)]
        push, way = (rotate(q, e) for e in _integrals(turn, [u[3 + i] - ba[i] for i in range(3)], m))
        drift = cross(p.earth_rate, v) if turning else [0.0, 0.0, 0.0]
        fall = [-drift[0], -drift[1], -drift[2] - 0.5 * p.gravity]
        return [
            *(place[i] + dt * (v[i] + dt * (way[i] + fall[i])) for i in range(3)),
            *unit(product(q, rotation_exp(turn, m)), m),
            *(v[i] + dt * (push[i] + 2.0 * fall[i]) for i in range(3)),
            *bg,
            *ba,
        ]

    return inertial_navigation


def _integrals(turn: Sequence[Any], f: Sequence[Any], m: Mathematics) -> tuple[list[Any], list[Any]]:
    """``G1 f`` and ``G2 f``: a force of the turning body, integrated once and twice over a step of unit length."""
    t2 = turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2]
    sinc = cos_sinc(0.25 * t2, m)[1]
    c1, c2, c3 = 0.5 * sinc * sinc, exp_gap(t2, m), _cos_gap(t2, m)
    a = cross(turn, f)
    b = cross(turn, a)
    return [f[i] + c1 * a[i] + c2 * b[i] for i in range(3)], [0.5 * f[i] + c2 * a[i] + c3 * b[i] for i in range(3)]


def _cos_gap(t2: Any, m: Mathematics) -> Any:
    """``(t^2/2 + cos t - 1) / t^4`` as a smooth function of ``t^2``."""
    near = t2 < 1.0
    safe = m.where(near, 1.0, t2)
    terms = [(-1.0) ** k / math.factorial(2 * k + 4) for k in range(8)]
    far = (0.5 * safe + m.cos(m.sqrt(safe)) - 1.0) / (safe * safe)
    return m.where(near, series(m.where(near, t2, 0.0), terms), far)


def _noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Matrix:
    """Q of white noise and random walks, each axis of each through the chain of its integrals."""
    half = [0.5 * dt * (u[i] - x[10 + i]) for i in range(3)]
    q, f = product(x[3:7], rotation_exp(half, m)), [u[3 + i] - x[13 + i] for i in range(3)]
    Q = _zeros(15)
    for k, axis in enumerate(AXES):
        tipped = rotate(q, cross(axis, f))  # how the velocity changes when the attitude errs about this axis
        forced = rotate(q, axis)
        own, back = [1.0], [-e for e in tipped]
        _diffuse(Q, dt, p.gyro_density, [(ATTITUDE + k, own), (VELOCITY, tipped), (POSITION, tipped)])
        _diffuse(Q, dt, p.gyro_walk, [(GYRO_BIAS + k, own), (ATTITUDE + k, [-1.0]), (VELOCITY, back), (POSITION, back)])
        _diffuse(Q, dt, p.accel_density, [(VELOCITY + k, own), (POSITION + k, own)])
        pulled = [-e for e in forced]
        _diffuse(Q, dt, p.accel_walk, [(ACCEL_BIAS + k, own), (VELOCITY, pulled), (POSITION, pulled)])
    return Q


def _planar_noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Matrix:
    """Q of white noise and random walks along the heading and across it, as in the middle of the step."""
    yaw = x[2] + 0.5 * dt * (u[1] - x[4])
    along, across = [m.cos(yaw), m.sin(yaw)], [-x[3] * m.sin(yaw), x[3] * m.cos(yaw)]
    Q = _zeros(6)
    for bias, row, effect, density, walk in (
        (4, 2, across, p.gyro_density, p.gyro_walk),
        (5, 3, along, p.accel_density, p.accel_walk),
    ):
        _diffuse(Q, dt, density, [(row, [1.0]), (0, effect)])
        _diffuse(Q, dt, walk, [(bias, [1.0]), (row, [-1.0]), (0, [-e for e in effect])])
    return Q


@dynamics(
    state=Space("x y [m]", "yaw: angle", "speed [m/s]", "yaw_rate_bias [rad/s]", "accel_bias [m/s^2]"),
    action=Space("accel [m/s^2]", "yaw_rate [rad/s]"),
    params={"gyro_density": 2.0e-3, "accel_density": 0.1, "gyro_walk": 1.0e-4, "accel_walk": 0.02},
    nonnegative=[*DENSITIES],
    noise=_planar_noise,
)
def planar_navigation(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """Dead reckoning of a car in the plane by one gyroscope and one accelerometer, with their biases.

    ::

               / yaw             x' = speed cos yaw          speed' = accel - accel_bias
             (o)--> speed        y' = speed sin yaw          yaw'   = yaw_rate - yaw_rate_bias
            (x, y)

    State ``(x, y, yaw, speed, yaw_rate_bias, accel_bias)`` [m, m, rad, m/s, rad/s, m/s^2]; action ``(accel,
    yaw_rate)``: forward accelerometer and vertical gyroscope. A slope looks like an acceleration, so the bias of the
    accelerometer holds gravity along the road, too, and `accel_walk` its change. Parameters: as those of
    `inertial_navigation`. The default densities are those of a telephone in a moving car.

    Source: Groves (2013), sections 10.3 and 16.2; Q as in `inertial_navigation`.

    Example:
        >>> planar_navigation().step([0.0, 0.0, 0.0, 2.0, 0.0, 0.0], [1.0, 0.0], 2.0).round(9)[[0, 3]].tolist()
        [6.0, 4.0]
    """
    return x[3] * m.cos(x[2]), x[3] * m.sin(x[2]), u[1] - x[4], u[0] - x[5], 0.0, 0.0


def _zeros(n: int) -> Matrix:
    return [[0.0] * n for _ in range(n)]


def _diffuse(Q: Matrix, dt: Any, density: Any, chain: Iterable[tuple[int, Sequence[Any]]]) -> None:
    """Add white noise of a density that one link of a chain integrates, the next one integrates again, and so on.

    A link is the first row of the tangent that it moves, and how far each: the covariance of integrals i and j of white
    noise is ``density^2 dt^(i+j+1) / ((i + j + 1) i! j!)``.
    """
    moved = [(row + k, i, e) for i, (row, effect) in enumerate(chain) for k, e in enumerate(effect)]
    for n, (a, i, e) in enumerate(moved):
        for b, j, g in moved[n:]:
            scale = 1.0 / ((i + j + 1) * math.factorial(i) * math.factorial(j))
            Q[a][b] = Q[b][a] = Q[a][b] + scale * density * density * dt ** (i + j + 1) * e * g
