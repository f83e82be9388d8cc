"""Sensors. Each works on any state with the components it needs, and finds them by name.

`std` is the standard deviation of the noise: one number, or one per component of the reading. `reads` sets other names
for the components: ``compass(reads="theta")``.
"""

from __future__ import annotations

from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.space import Space
from .motion import axes_of, cartesian
from .trace.params import Values
from .trace.portable import variants
from .trace.sensor import SensorFamily, TracedSensor, sensor

POSE = Space("x y [m]", "yaw: angle")
PLACE = Space("x y [m]")


def gnss(axes: int = 2, *, std: Any = None, **settings: Any) -> TracedSensor:
    """A GNSS receiver: the position in the plane or in space.

    ::

        z = (x, y)   or   (x, y, z)          [m]

    Args:
        axes: 2 or 3.
        std: standard deviation of the noise [m]; default 1.5 m, and 3 m upwards.
        settings: `reads`, `noise`, as for all sensors.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013),
    chapter 8; the default noise is that under open sky, without corrections.

    Example:
        >>> gnss(std=1.5).observe([3.0, 4.0]).tolist()
        [3.0, 4.0]
    """
    axes = axes_of(axes, 2)
    return _coordinates("gnss", axes, 0)(std=(1.5, 1.5, 3.0)[:axes] if std is None else std, **settings)


def position(axes: int = 2, *, std: Any = 0.1, **settings: Any) -> TracedSensor:
    """The position along one to three axes, as measured by a tracking system or a total station.

    ::

        z = (x), (x, y) or (x, y, z)          [m]

    Args:
        axes: 1, 2 or 3.
        std: standard deviation of the noise [m]; one number, or one per axis.
        settings: `reads`, `noise`, as for all sensors.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), chapter 6.

    Example:
        >>> from pilotage.models import constant_velocity
        >>> position(1).on(constant_velocity(1).state).linearize([0.0, 0.0]).tolist()
        [[1.0, 0.0]]
    """
    return _coordinates("position", axes_of(axes), 0)(std=std, **settings)


def velocity(axes: int = 2, *, std: Any = 0.1, **settings: Any) -> TracedSensor:
    """The velocity in the world along one to three axes, as measured by GNSS Doppler shifts.

    ::

        z = (vx), (vx, vy) or (vx, vy, vz)    [m/s]

    Args:
        axes: 1, 2 or 3.
        std: standard deviation of the noise [m/s]; one number, or one per axis.
        settings: `reads`, `noise`, as for all sensors.

    Source: Groves (2013), chapter 9.

    Example:
        >>> velocity(2).observe([1.0, 2.0]).tolist()
        [1.0, 2.0]
    """
    return _coordinates("velocity", axes_of(axes), 1)(std=std, **settings)


@variants
def _coordinates(name: str, axes: int, order: int) -> SensorFamily:
    """Sensors that read positions (order 0) or velocities (order 1) as they are."""
    whole = cartesian(axes, order + 1)
    space = whole.select(whole.names[order * axes :])

    def body(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        return x

    body.__name__ = name
    return sensor(state=space, reading=space)(body)


def range_to(axes: int = 2, *, std: Any = 0.1, **settings: Any) -> TracedSensor:
    """The distance to a known position, as measured by an ultra-wideband anchor or an echo sounder.

    ::

        o - - - - - - * context          z = |context - position|     [m]
        (x, y)    z

    The context is the landmark's position ``(2,)`` or ``(3,)`` [m]. At the landmark itself, the direction is undefined,
    and so is the Jacobian.

    Args:
        axes: 2 or 3.
        std: standard deviation of the noise [m].
        settings: `reads`, `noise`, as for all sensors.

    Source: Thrun, Burgard and Fox, "Probabilistic Robotics" (2005), section 6.6.

    Example:
        >>> range_to(std=0.05).observe([0.0, 0.0], context=[3.0, 4.0]).tolist()
        [5.0]
    """
    return _range_to(axes_of(axes, 2))(std=std, **settings)


@variants
def _range_to(axes: int) -> SensorFamily:
    @sensor(state=cartesian(axes, 1), reading=Space("range [m]"), context=cartesian(axes, 1))
    def range_to(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        return (m.sqrt(sum((c[i] - x[i]) ** 2 for i in range(axes))),)

    return range_to


@sensor(state=POSE, reading=Space("bearing: angle"), context=PLACE, std=0.02)
def bearing_to(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The bearing of a known position from the robot, counter-clockwise from straight ahead.

    ::

               * context
              /                z = atan2(cy - y, cx - x) - yaw        [rad]
             /  z
           (o)-----> yaw

    The context is the landmark's position ``(2,)`` [m]; at the landmark itself, the direction is undefined. Default
    noise: 0.02 rad.

    Source: Thrun, Burgard and Fox, "Probabilistic Robotics" (2005), eq. 6.40.

    Example:
        >>> bearing_to().observe([0.0, 0.0, 0.0], context=[0.0, 2.0]).round(3).tolist()
        [1.571]
    """
    return (m.atan2(c[1] - x[1], c[0] - x[0]) - x[2],)


@sensor(state=POSE, reading=Space("range [m]", "bearing: angle"), context=PLACE, std=(0.1, 0.02))
def range_bearing(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The range and bearing of a known position from the robot.

    ::

               * context
              /                range   = |context - (x, y)|               [m]
             /  bearing        bearing = atan2(cy - y, cx - x) - yaw      [rad]
           (o)-----> yaw

    The context is the landmark's position ``(2,)`` [m]; at the landmark itself, the direction is undefined. Default
    noise: 0.1 m and 0.02 rad.

    Source: Thrun, Burgard and Fox, "Probabilistic Robotics" (2005), eq. 6.40.

    Example:
        >>> range_bearing(std=[0.1, 0.01]).observe([0.0, 0.0, 1.0], context=[3.0, 0.0]).tolist()
        [3.0, -1.0]
    """
    dx, dy = c[0] - x[0], c[1] - x[1]
    return m.hypot(dx, dy), m.atan2(dy, dx) - x[2]


def radar(*, along_heading: bool = False, std: Any = (10.0, 0.01, 0.5), **settings: Any) -> TracedSensor:
    """Range, azimuth and range rate of a target, measured by a stationary radar.

    ::

                      o--> v            range      = |d|,  d = (x, y) - place         [m]
                    /                   azimuth    = atan2(dy, dx) - yaw              [rad]
            range /  azimuth            range_rate = (dx vx + dy vy) / |d|            [m/s]
              [place]-----> yaw

    It reads ``(x, y, vx, vy)``, or ``(x, y, yaw, speed)`` for a target that moves along its heading. At the position of
    the radar itself, azimuth and range rate are undefined.

    Args:
        along_heading: whether the target's velocity is its speed along its yaw, as in `ctrv`.
        std: standard deviations of the three readings [m, rad, m/s].
        settings: `place` [m] and `yaw` [rad], the position and orientation of the radar; `reads`, `noise`.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), section
    10.4; the range rate is the derivative of the range.

    Example:
        >>> radar(place=(0.0, 0.0)).observe([3000.0, 4000.0, 10.0, 0.0]).round(3).tolist()
        [5000.0, 0.927, 6.0]
    """
    return _radar(along_heading)(std=std, **settings)


@variants
def _radar(along_heading: bool) -> SensorFamily:
    def radar(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        dx, dy = x[0] - p.place[0], x[1] - p.place[1]
        vx, vy = (x[3] * m.cos(x[2]), x[3] * m.sin(x[2])) if along_heading else (x[2], x[3])
        distance = m.hypot(dx, dy)
        return distance, m.atan2(dy, dx) - p.yaw, (dx * vx + dy * vy) / distance

    velocity = ("yaw: angle", "speed [m/s]") if along_heading else ("vx vy [m/s]",)
    reading = Space("range [m]", "azimuth: angle", "range_rate [m/s]")
    params = {"place": (0.0, 0.0), "yaw": 0.0}
    return sensor(state=Space("x y [m]", *velocity), reading=reading, params=params)(radar)


@sensor(
    state=Space("x y [m]"),
    reading=Space("range [m]", "azimuth: angle"),
    params={"place": (0.0, 0.0), "yaw": 0.0},
    std=(10.0, 0.01),
)
def range_azimuth(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """Range and azimuth of a target, measured by a stationary radar without range rate, or by a sonar.

    ::

                     (x, y)           range   = |d|,  d = (x, y) - place         [m]
            range /  azimuth          azimuth = atan2(dy, dx) - yaw              [rad]
          [place]-----> yaw

    Default noise: 10 m and 0.01 rad. At the position of the radar itself, the azimuth is undefined. `place` [m] and
    `yaw` [rad] are the position and orientation of the radar; `radar` has the range rate too.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), section
    10.4.

    Example:
        >>> range_azimuth(place=(0.0, 0.0)).observe([3000.0, 4000.0]).round(3).tolist()
        [5000.0, 0.927]
    """
    dx, dy = x[0] - p.place[0], x[1] - p.place[1]
    return m.hypot(dx, dy), m.atan2(dy, dx) - p.yaw


@sensor(
    state=Space("speed [m/s]", "yaw_rate [rad/s]"),
    reading=Space("speed [m/s]", "yaw_rate [rad/s]"),
    std=(0.05, 0.02),
)
def odometry(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """Forward speed and turn rate, as measured by wheel encoders.

    ::

        -> speed  (o)  ) yaw_rate              z = (speed, yaw_rate)     [m/s, rad/s]

    Default noise: 0.05 m/s and 0.02 rad/s.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013),
    section 6.3; Siegwart and Nourbakhsh, "Introduction to Autonomous Mobile Robots" (2004), section 5.2.4.

    Example:
        >>> odometry().observe([2.0, 0.1]).tolist()
        [2.0, 0.1]
    """
    return x


@sensor(
    state=Space("yaw: angle", "vx vy [m/s]"),
    reading=Space("forward left [m/s]"),
    std=0.05,
)
def body_velocity(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The velocity in the body frame, as measured by optical flow or a Doppler log.

    ::

           left ^  / forward           forward =  vx cos yaw + vy sin yaw      [m/s]
                 (o)  yaw              left    = -vx sin yaw + vy cos yaw

    Default noise: 0.05 m/s.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013),
    section 6.5.

    Example:
        >>> body_velocity().observe([0.0, 1.0, 2.0]).tolist()
        [1.0, 2.0]
    """
    s, k = m.sin(x[0]), m.cos(x[0])
    return k * x[1] + s * x[2], k * x[2] - s * x[1]


@sensor(state=Space("yaw: angle"), reading=Space("yaw: angle"), params={"declination": 0.0}, std=0.05)
def compass(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The heading, counter-clockwise from east.

    ::

                 / yaw
               (o)-----> east          z = yaw + declination          [rad]

    Parameter: `declination`, the angle by which magnetic north lies east of true north [rad]. The instrument reads too
    far counter-clockwise by this angle. For an instrument that counts clockwise from north, pass ``pi / 2`` minus its
    reading. Default noise: 0.05 rad.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013),
    section 6.1.

    Example:
        >>> compass(std=0.1).observe([0.5]).tolist()
        [0.5]
    """
    return (x[0] + p.declination,)
