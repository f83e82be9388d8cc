"""Inertial sensors: a body's measurements of its own motion."""

from __future__ import annotations

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.rotations import conjugate, rotate
from ..core.space import Space
from .trace.params import Values
from .trace.sensor import sensor


@sensor(
    state=Space("speed [m/s]", "yaw_rate [rad/s]", "accel [m/s^2]"),
    reading=Space("ax ay [m/s^2]", "yaw_rate [rad/s]"),
    params={"bias": (0.0, 0.0, 0.0)},
    std=(0.1, 0.1, 0.01),
)
def imu(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """An inertial measurement unit in a level vehicle that does not slide: two accelerometers and a gyroscope.

    ::

            ay ^   ) yaw_rate         ax = accel             + bias_1      [m/s^2]
               (o)-> ax               ay = speed yaw_rate    + bias_2      [m/s^2]
                                      yaw_rate               + bias_3      [rad/s]

    Parameter: `bias`, the constant errors of the three readings [m/s^2, m/s^2, rad/s]. Default noise: 0.1 m/s^2 and
    0.01 rad/s.

    Source: Titterton and Weston, "Strapdown Inertial Navigation Technology" (2nd ed. 2004), chapter 3, in the plane:
    the specific force of a point that moves along its heading.

    Example:
        >>> imu().observe([10.0, 0.1, 2.0]).tolist()
        [2.0, 1.0, 0.1]
    """
    speed, yaw_rate, accel = x
    return accel + p.bias[0], speed * yaw_rate + p.bias[1], yaw_rate + p.bias[2]


@sensor(
    state=Space("wx wy wz [rad/s]"),
    reading=Space("wx wy wz [rad/s]"),
    params={"bias": (0.0, 0.0, 0.0)},
    std=0.01,
)
def gyroscope(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """A gyroscope: the turn rates about the axes of the body.

    ::

        z = (wx, wy, wz) + bias          [rad/s]

    Parameter: `bias` [rad/s]. Default noise: 0.01 rad/s.

    Source: Titterton and Weston, "Strapdown Inertial Navigation Technology" (2nd ed. 2004), chapter 4.

    Example:
        >>> gyroscope().observe([0.1, 0.0, -0.2]).tolist()
        [0.1, 0.0, -0.2]
    """
    return [x[i] + p.bias[i] for i in range(3)]


@sensor(
    state=Space("q: quaternion", "ax ay az [m/s^2]"),
    reading=Space("fx fy fz [m/s^2]"),
    params={"gravity": 9.81, "bias": (0.0, 0.0, 0.0)},
    std=0.1,
)
def accelerometer(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """An accelerometer: the specific force in the body; at rest, it reads gravity, pointing upwards.

    ::

              ^ fz                   z = R(q)' (a + (0, 0, gravity)) + bias       [m/s^2]
              |
            [ + ]-> fx               R(q) rotates from the body to the world; a is the acceleration in the world

    Parameters: `gravity` [m/s^2], `bias` [m/s^2]. For a state without accelerations, use `tilt`.
    Default noise: 0.1 m/s^2.

    Source: Titterton and Weston, "Strapdown Inertial Navigation Technology" (2nd ed. 2004), chapter 3.

    Example:
        >>> accelerometer().observe([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).tolist()
        [0.0, 0.0, 9.81]
    """
    force = rotate(conjugate(x[:4]), [x[4], x[5], x[6] + p.gravity])
    return [force[i] + p.bias[i] for i in range(3)]


@sensor(
    state=Space("q: quaternion"),
    reading=Space("fx fy fz [m/s^2]"),
    params={"gravity": 9.81, "bias": (0.0, 0.0, 0.0)},
    std=0.5,
)
def tilt(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """Accelerometers that measure the tilt: gravity in the body, with the vehicle's own acceleration as noise.

    ::

        z = R(q)' (0, 0, gravity) + bias          [m/s^2]

    Parameters: `gravity` [m/s^2], `bias` [m/s^2]. The reading does not depend on the heading. Default noise:
    0.5 m/s^2, most of which is the vehicle's own acceleration.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013),
    section 5.6, on levelling.

    Example:
        >>> tilt().observe([1.0, 0.0, 0.0, 0.0]).tolist()
        [0.0, 0.0, 9.81]
    """
    force = rotate(conjugate(x), [0.0, 0.0, p.gravity])
    return [force[i] + p.bias[i] for i in range(3)]
