"""Sensors that aid inertial navigation: each bounds a drift that an IMU alone does not.

They read the state of `inertial_navigation` or any other with the components they need. Points that are not at the IMU
have a lever arm, in body axes from the IMU [m]; the velocity there depends on the turn rate, so its sensors take the
reading of the gyroscope as context, and read the gyroscope's bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.rotations import conjugate, cross, rotate
from ..core.space import Space
from .trace.params import Values
from .trace.portable import variants
from .trace.sensor import SensorFamily, TracedSensor, sensor

TURN_RATE = Space("wx wy wz [rad/s]")
MOVING = ("q: quaternion", "vx vy vz [m/s]")
BIASED = (*MOVING, "bgx bgy bgz [rad/s]")
ALIGNED = (1.0, 0.0, 0.0, 0.0)
Lever = Sequence[float] | None


@sensor(
    state=Space("x y z [m]", "q: quaternion"),
    reading=Space("x y z [m]"),
    params={"lever": (0.0, 0.0, 0.0)},
    std=(1.5, 1.5, 3.0),
)
def antenna_position(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The position of a GNSS antenna that is not at the IMU.

    ::

                  o antenna
                 / lever             z = (x, y, z) + R(q) lever          [m]
          (IMU)-+--> forward         R(q) turns body axes into the world

    Parameter: `lever`, the antenna in body axes from the IMU [m]. Convert geodetic fixes with `LocalFrame`. A receiver
    that gives no altitude has NaN there. Default noise: 1.5 m, and 3 m upwards.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013), eq.
    14.103.

    Example:
        >>> antenna_position(lever=(1.0, 0.0, 2.0)).observe([5.0, 6.0, 0.0, 1.0, 0.0, 0.0, 0.0]).tolist()
        [6.0, 6.0, 2.0]
    """
    arm = rotate(x[3:], p.lever)
    return [x[i] + arm[i] for i in range(3)]


def antenna_velocity(*, lever: Lever = None, std: Any = (0.1, 0.1, 0.2), **settings: Any) -> TracedSensor:
    """The velocity of a GNSS antenna that is not at the IMU.

    ::

        z = v + R(q) (w x lever),    w = gyro - bg          [m/s]

    With a lever, the context is the reading ``gyro`` of the gyroscopes [rad/s]. For an antenna at the IMU, `velocity`
    does the same.

    Args:
        lever: the antenna in body axes from the IMU [m]; None for one at the IMU, without a context.
        std: standard deviations of the three components [m/s].
        settings: `reads`, `noise`, as for all sensors.

    Source: Groves (2013), eq. 14.104.

    Example:
        >>> turning = [1.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        >>> antenna_velocity(lever=(1.0, 0.0, 0.0)).observe(turning, context=[0.0, 0.0, 0.5]).tolist()
        [3.0, 0.5, 0.0]
    """
    return _with_lever(_antenna_velocity, lever, std, settings)


@variants
def _antenna_velocity(far: bool) -> SensorFamily:
    @_moving_point(far, Space("vx vy vz [m/s]"), {})
    def antenna_velocity(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        swing = rotate(x[:4], _swing(x, c, p, far))
        return [x[4 + i] + swing[i] for i in range(3)]

    return antenna_velocity


def nonholonomic(*, lever: Lever = None, std: Any = (0.1, 0.1), **settings: Any) -> TracedSensor:
    """A wheeled vehicle that neither slides nor jumps: no velocity to the left or up at its rear axle.

    ::

        left ^                      (forward, left, up) = R(mounting)' (R(q)' v + w x lever)
             |      / wheels        z = (left, up), which is always (0, 0)          [m/s]
           (IMU)---+--> forward     w = gyro - bg

    With a lever, the context is the reading ``gyro`` of the gyroscopes [rad/s]. The constraint is what keeps an
    inertial solution of a car useful without GNSS. A reading tells the same error as the one before; do not give it
    more often than a few times a second, or raise `std`.

    Args:
        lever: the middle of the rear axle in body axes from the IMU [m]; None for an IMU there, without a context.
        std: standard deviations, which hold the slip of the tyres and the movement of the springs [m/s].
        settings: `mounting`, quaternion wxyz that turns axes of the vehicle into those of the IMU; `reads`, `noise`.

    Source: Dissanayake, Sukkarieh, Nebot and Durrant-Whyte, "The aiding of a low-cost strapdown inertial measurement
    unit using vehicle model constraints", IEEE Trans. Robotics and Automation 17 (2001); Groves (2013), section 15.4.1.

    Example:
        >>> nonholonomic().observe([1.0, 0.0, 0.0, 0.0, 8.0, 0.2, 0.0]).tolist()
        [0.2, 0.0]
    """
    return _with_lever(_nonholonomic, lever, std, settings)


@variants
def _nonholonomic(far: bool) -> SensorFamily:
    @_moving_point(far, Space("left up [m/s]"), {"mounting": ALIGNED})
    def nonholonomic(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        return _vehicle_velocity(x, c, p, far)[1:]

    return nonholonomic


def wheel_speed(*, lever: Lever = None, std: Any = 0.1, **settings: Any) -> TracedSensor:
    """The forward speed of a vehicle, as measured by its wheels.

    ::

        z = scale forward,    (forward, left, up) = R(mounting)' (R(q)' v + w x lever),    w = gyro - bg      [m/s]

    With a lever, the context is the reading ``gyro`` of the gyroscopes [rad/s].

    Args:
        lever: the middle of the axle in body axes from the IMU [m]; None for an IMU there, without a context.
        std: standard deviation of the noise [m/s].
        settings: `scale`, reading over true speed, from the radius of the wheels; `mounting`, as for `nonholonomic`;
            `reads`, `noise`.

    Source: Groves (2013), section 16.2.

    Example:
        >>> wheel_speed(scale=1.5).observe([1.0, 0.0, 0.0, 0.0, 8.0, 0.2, 0.0]).tolist()
        [12.0]
    """
    return _with_lever(_wheel_speed, lever, std, settings)


@variants
def _wheel_speed(far: bool) -> SensorFamily:
    @_moving_point(far, Space("speed [m/s]"), {"mounting": ALIGNED, "scale": 1.0})
    def wheel_speed(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        return (p.scale * _vehicle_velocity(x, c, p, far)[0],)

    return wheel_speed


@sensor(
    state=Space(*BIASED, "bax bay baz [m/s^2]"),
    reading=Space("vx vy vz [m/s]", "wx wy wz [rad/s]", "fx fy fz [m/s^2]"),
    params={"gravity": 9.81, "earth_rate": (0.0, 0.0, 0.0)},
    std=(0.01, 0.01, 0.01, 0.005, 0.005, 0.005, 0.05, 0.05, 0.05),
)
def standstill(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """A vehicle that stands still: zero velocity, and an IMU that reads its biases and gravity.

    ::

        z = (v, R(q)' earth_rate + bg, R(q)' (0, 0, gravity) + ba)          [m/s, rad/s, m/s^2]

    The reading is ``(0, 0, 0, gyro, accel)``, best with the mean of the IMU over the stop: a zero-velocity update with
    zero turn rate and levelling. NaN leaves a part out, so ``[0, 0, 0] + 6 * [NaN]`` is the zero-velocity update alone.

    Parameters: `gravity` [m/s^2]; `earth_rate` [rad/s], that of `inertial_navigation` with a latitude, by which a
    gyroscope that is good enough finds north. Default noise: 1 cm/s, 0.005 rad/s and 0.05 m/s^2, that of a car with an
    idling engine.

    Source: Groves (2013), sections 15.3 and 5.6.1.

    Example:
        >>> standstill().observe([1.0, 0.0, 0.0, 0.0] + 9 * [0.0]).tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.81]
    """
    force = rotate(conjugate(x[:4]), [0.0, 0.0, p.gravity])
    earth = rotate(conjugate(x[:4]), p.earth_rate)
    return [*x[4:7], *(earth[i] + x[7 + i] for i in range(3)), *(force[i] + x[10 + i] for i in range(3))]


def _course_noise(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    variance = p.velocity_std * p.velocity_std
    return variance / (x[0] * x[0] + x[1] * x[1]), variance


@sensor(
    state=Space("vx vy [m/s]"),
    reading=Space("course: angle", "speed [m/s]"),
    params={"velocity_std": 0.2},
    noise=_course_noise,
)
def course_speed(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """Course and speed over ground of a GNSS receiver.

    ::

        course = atan2(vy, vx)          [rad], counter-clockwise from east       R = s^2 diag(1 / speed^2, 1)
        speed  = hypot(vx, vy)          [m/s]

    Parameter: `velocity_std`, s, standard deviation of the velocity [m/s]. Receivers count clockwise from north: pass
    ``pi / 2`` minus their course. At standstill there is no course, and the Jacobian is undefined; below a walking pace
    pass ``(speed cos(course), speed sin(course))`` to `velocity` instead, which is defined everywhere.

    Source: Groves (2013), section 9.2.3.

    Example:
        >>> course_speed().observe([0.0, 3.0]).round(3).tolist()
        [1.571, 3.0]
    """
    return m.atan2(x[1], x[0]), m.hypot(x[0], x[1])


@sensor(state=Space("z [m]"), reading=Space("altitude [m]"), params={"offset": 0.0}, std=0.5)
def altimeter(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The altitude, as measured by a barometer.

    ::

        z = (z + offset)          [m]

    Parameter: `offset`, the reading at the origin of the frame [m]; that of a barometer drifts with the weather, some
    ten metres in a day. Default noise: 0.5 m.

    Source: Groves (2013), section 6.2.1.

    Example:
        >>> altimeter(offset=100.0).observe([3.0]).tolist()
        [103.0]
    """
    return (x[0] + p.offset,)


@sensor(
    state=Space("q: quaternion"),
    reading=Space("mx my mz [uT]"),
    params={"field": (0.0, 20.0, -45.0), "bias": (0.0, 0.0, 0.0)},
    std=1.0,
)
def magnetometer(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """A magnetometer: the magnetic field of the Earth in the body.

    ::

        z = R(q)' field + bias          [uT]

    Parameters: `field`, that of the place in world axes east, north, up [uT] (the default is central Europe's without
    declination), and `bias`, the vehicle's own field, hard iron [uT]. Default noise: 1 uT.

    Source: Groves (2013), section 6.1.1.

    Example:
        >>> magnetometer(field=(0.0, 20.0, -45.0)).observe([1.0, 0.0, 0.0, 0.0]).tolist()
        [0.0, 20.0, -45.0]
    """
    field = rotate(conjugate(x), p.field)
    return [field[i] + p.bias[i] for i in range(3)]


@sensor(state=Space("q: quaternion"), reading=Space("yaw: angle"), params={"declination": 0.0}, std=0.05)
def heading(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The heading of a body in space, counter-clockwise from east, as measured by a compass or two GNSS antennas.

    ::

        z = atan2(2 (w z + x y), 1 - 2 (y^2 + z^2)) + declination,    q = (w, x, y, z)          [rad]

    Parameter: `declination`, as for `compass`. A body whose nose points straight up has no heading. Default noise:
    0.05 rad.

    Source: Groves (2013), eq. 2.23 and section 6.1.

    Example:
        >>> heading().observe([0.8, 0.0, 0.0, 0.6]).round(3).tolist()
        [1.287]
    """
    w, a, b, c_ = x
    return (m.atan2(2.0 * (w * c_ + a * b), 1.0 - 2.0 * (b * b + c_ * c_)) + p.declination,)


def _moving_point(far: bool, reading: Space, params: dict[str, Any]) -> Any:
    """The decorator of sensors of the velocity at a point of the body, `far` from the IMU or at it."""
    if not far:
        return sensor(state=Space(*MOVING), reading=reading, params=params)
    return sensor(state=Space(*BIASED), reading=reading, context=TURN_RATE, params={**params, "lever": (0.0, 0.0, 0.0)})


def _with_lever(family: Any, lever: Lever, std: Any, settings: dict[str, Any]) -> TracedSensor:
    noise = {} if "noise" in settings else {"std": std}
    if lever is None:
        return family(False)(**noise, **settings)
    return family(True)(lever=tuple(float(a) for a in lever), **noise, **settings)


def _swing(x: Components, c: Components, p: Values, far: bool) -> Sequence[Any]:
    """The velocity of the point relative to the IMU, in body axes: ``w x lever``."""
    return cross([c[i] - x[7 + i] for i in range(3)], p.lever) if far else [0.0, 0.0, 0.0]


def _vehicle_velocity(x: Components, c: Components, p: Values, far: bool) -> Sequence[Any]:
    """Forward, left and up velocity of the point, in axes of the vehicle."""
    swing = _swing(x, c, p, far)
    body = rotate(conjugate(x[:4]), x[4:7])
    return rotate(conjugate(p.mounting), [body[i] + swing[i] for i in range(3)])
