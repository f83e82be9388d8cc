"""Wheeled vehicles in the plane, and the actions that lead from one state to another."""

from __future__ import annotations

from typing import Any

from ..core.errors import ModelError
from ..core.mathematics import Mathematics, math_for
from ..core.parts import Components
from ..core.seconds import seconds
from ..core.space import Space
from .trace.dynamics import dynamics
from .trace.params import Values
from .trace.vectorized import common_batch, finite, stacked, together

POSE = ("x y [m]", "yaw: angle")
ROLLING = Space(*POSE, "speed [m/s]")
DRIVEN = ("accel [m/s^2] in [-5, 5]", "steer [rad] in [-0.6, 0.6]")


@dynamics(
    state=Space(*POSE),
    action=Space("speed [m/s] in [-2, 2]", "yaw_rate [rad/s] in [-2, 2]"),
    noise=(0.02, 0.02, 0.02),
)
def unicycle(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """A vehicle that drives along its heading and turns at any rate.

    ::

               yaw
         speed ->/        x'   = speed cos yaw
               (o)        y'   = speed sin yaw
              (x, y)      yaw' = yaw_rate

    State ``(x, y, yaw)`` [m, m, rad] in the world, action ``(speed, yaw_rate)`` [m/s, rad/s]. Default noise: a random
    walk that reaches 2 cm and 0.02 rad after a second.

    Source: Thrun, Burgard and Fox, "Probabilistic Robotics" (2005), section 5.3.

    Example:
        >>> unicycle().step([0.0, 0.0, 0.0], [1.0, 0.0], 2.0).tolist()
        [2.0, 0.0, 0.0]
    """
    _, _, yaw = x
    speed, yaw_rate = u
    return speed * m.cos(yaw), speed * m.sin(yaw), yaw_rate


@dynamics(
    state=Space(*POSE),
    action=Space("left right [rad/s] in [-20, 20]"),
    params={"wheel_radius": 0.033, "track": 0.16},
    positive="wheel_radius track",
    noise=(0.01, 0.01, 0.02),
)
def differential_drive(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """A robot with two independently driven wheels.

    ::

              left
             =====              speed    = wheel_radius (right + left) / 2
         track |  ) ->          yaw_rate = wheel_radius (right - left) / track
             =====
              right             then as a unicycle

    State ``(x, y, yaw)`` [m, m, rad] of the middle of the axle, action ``(left, right)`` [rad/s], the speeds of the
    wheels. Parameters: `wheel_radius` and `track` (between the wheels) [m]; the defaults are those of a TurtleBot3
    Burger. Default noise: a random walk that reaches 1 cm and 0.02 rad after a second.

    Source: Siegwart and Nourbakhsh, "Introduction to Autonomous Mobile Robots" (2004), section 3.2.

    Example:
        >>> robot = differential_drive(wheel_radius=0.05, track=0.3)
        >>> robot.step([0.0, 0.0, 0.0], [-3.0, 3.0], 0.5).tolist()
        [0.0, 0.0, 0.5]
    """
    _, _, yaw = x
    left, right = u
    speed = 0.5 * p.wheel_radius * (right + left)
    return speed * m.cos(yaw), speed * m.sin(yaw), p.wheel_radius * (right - left) / p.track


@dynamics(
    state=ROLLING,
    action=Space(*DRIVEN),
    params={"wheelbase": 2.7},
    positive="wheelbase",
    noise=(0.05, 0.05, 0.02, 0.2),
)
def bicycle(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """The kinematic bicycle: a car without slip, with the wheels of each axle merged into one.

    ::

                          / steer
           ==------------//          x'     = speed cos yaw
         (x, y)  wheelbase           y'     = speed sin yaw
           -> speed                  yaw'   = speed tan(steer) / wheelbase
                                     speed' = accel

    State ``(x, y, yaw, speed)`` [m, m, rad, m/s] of the middle of the rear axle, action ``(accel, steer)``
    [m/s^2, rad]. Parameter: `wheelbase` [m]. Default noise: a random walk that reaches 5 cm, 0.02 rad and 0.2 m/s
    after a second. The model is good while the lateral acceleration is below about half the limit of the tyres.

    Source: Kong, Pfeiffer, Schildbach and Borrelli, "Kinematic and dynamic vehicle models for autonomous driving
    control design", IV 2015; LaValle, "Planning Algorithms" (2006), eq. 13.15.

    Example:
        >>> car = bicycle(wheelbase=2.7)
        >>> car.step([0.0, 0.0, 0.0, 10.0], [1.0, 0.0], 1.0).tolist()
        [10.5, 0.0, 0.0, 11.0]
    """
    _, _, yaw, speed = x
    accel, steer = u
    return speed * m.cos(yaw), speed * m.sin(yaw), speed * m.tan(steer) / p.wheelbase, accel


@dynamics(
    state=ROLLING,
    action=Space("accel [m/s^2] in [-5, 5]", "steer [rad] in [-1.4, 1.4]"),
    params={"wheelbase": 1.2},
    positive="wheelbase",
    noise=(0.02, 0.02, 0.02, 0.1),
)
def tricycle(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """A forklift: the front wheel steers and drives, so the vehicle can turn on the spot.

    ::

           =             / steer     x'     = speed cos(steer) cos yaw
           |------------// speed     y'     = speed cos(steer) sin yaw
           =  wheelbase              yaw'   = speed sin(steer) / wheelbase
         (x, y)                      speed' = accel

    State ``(x, y, yaw, speed)`` [m, m, rad, m/s]: the middle of the rear axle, and the speed at which the front wheel
    rolls; action ``(accel, steer)`` [m/s^2, rad] of the front wheel. Parameter: `wheelbase` [m]. Default noise: a
    random walk that reaches 2 cm, 0.02 rad and 0.1 m/s after a second.

    Source: Siegwart and Nourbakhsh, "Introduction to Autonomous Mobile Robots" (2004), section 3.2; de Luca, Oriolo
    and Samson, "Feedback control of a nonholonomic car-like robot" (1998), section 2.2.

    Example:
        >>> tricycle(wheelbase=1.0).step([0.0, 0.0, 0.0, 1.0], [0.0, 0.0], 2.0).tolist()
        [2.0, 0.0, 0.0, 1.0]
    """
    _, _, yaw, speed = x
    accel, steer = u
    forward = speed * m.cos(steer)
    return forward * m.cos(yaw), forward * m.sin(yaw), speed * m.sin(steer) / p.wheelbase, accel


@dynamics(
    state=Space(*POSE, "speed lateral_speed [m/s]", "yaw_rate [rad/s]"),
    action=Space(*DRIVEN),
    params={
        "mass": 1500.0,
        "inertia": 2500.0,
        "front": 1.2,
        "rear": 1.5,
        "front_stiffness": 80e3,
        "rear_stiffness": 80e3,
        "crawl": 5.0,
    },
    positive="mass inertia front_stiffness rear_stiffness crawl",
    noise=(0.05, 0.05, 0.02, 0.2, 0.2, 0.1),
)
def dynamic_bicycle(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """A car with mass and slipping tyres: the lateral force of each axle grows with its slip angle.

    ::

                  rear      front       / steer        F_f = - front_stiffness (lateral_speed + front yaw_rate
           ==|-----------o-----------|//                                        - speed steer) / v
           ^ F_r       (x, y)        ^ F_f             F_r = - rear_stiffness (lateral_speed - rear yaw_rate) / v
                                                       v   = max(|speed|, crawl)

        x'             = speed cos yaw - lateral_speed sin yaw
        y'             = speed sin yaw + lateral_speed cos yaw
        speed'         = accel - F_f sin(steer) / mass + lateral_speed yaw_rate
        lateral_speed' = (F_f cos(steer) + F_r) / mass - speed yaw_rate
        yaw_rate'      = (front F_f cos(steer) - rear F_r) / inertia

    State ``(x, y, yaw, speed, lateral_speed, yaw_rate)``: the centre of mass in the world [m, rad], its velocity in
    the body, forward and to the left [m/s], and [rad/s]. Action ``(accel, steer)`` [m/s^2, rad]. Parameters: `mass`
    [kg], `inertia` about the vertical [kg m^2], distances from the centre of mass to the axles `front` and `rear` [m],
    cornering stiffness of both tyres of an axle [N/rad], and `crawl` [m/s]. Each bracket is the speed at which the
    tyre slides sideways, the quotient its slip angle. Slip angles have no limit at standstill, where the equations
    would be stiff without bound; below the speed `crawl` the forces are therefore those of viscous friction, under
    which the car still steers as `bicycle` does, forwards and backwards. They die away at rates near
    ``(front_stiffness + rear_stiffness) / (mass v)`` and ``(front^2 front_stiffness + rear^2 rear_stiffness) /
    (inertia v)``, whose product with dt must stay under 2.5: steps up to 0.1 s with the default values. Default
    noise: a random walk that reaches 5 cm, 0.02 rad, 0.2 m/s and 0.1 rad/s after a second.

    Source: Rajamani, "Vehicle Dynamics and Control" (2nd ed. 2012), section 2.3, with the pull of the steered tyre on
    `speed`; Kong et al., IV 2015, eq. 2.

    Example:
        >>> y = dynamic_bicycle().step([0.0, 0.0, 0.0, 20.0, 0.0, 0.0], [0.0, 0.05], 0.05)
        >>> bool(y[5] > 0)                                         # steered left, turns left
        True
    """
    _, _, yaw, vx, vy, r = x
    accel, steer = u
    v = m.maximum(m.abs(vx), p.crawl)
    F_f = p.front_stiffness * (vx * steer - vy - p.front * r) / v
    F_r = p.rear_stiffness * (p.rear * r - vy) / v
    c, s = m.cos(yaw), m.sin(yaw)
    side = F_f * m.cos(steer)
    return (
        vx * c - vy * s,
        vx * s + vy * c,
        r,
        accel - F_f * m.sin(steer) / p.mass + vy * r,
        (side + F_r) / p.mass - vx * r,
        (p.front * side - p.rear * F_r) / p.inertia,
    )


def bicycle_inverse(x0: Any, x1: Any, dt: float, wheelbase: float = 2.7) -> Any:
    """The constant action ``(accel, steer)`` that takes a `bicycle` from `x0` to `x1`.

    ``accel = (v1 - v0) / dt``, ``tan steer = wheelbase (yaw1 - yaw0) / s`` with the distance ``s = dt (v0 + v1) / 2``;
    exact for states of a bicycle model. It uses only speeds and headings. If the vehicle did not move, the steering
    angle cannot be determined, and is 0.

    Args:
        x0: states ``(..., 4)``, numpy or torch.
        x1: states `dt` seconds later; batch axes broadcast.
        dt: seconds, more than 0; the heading may change by at most half a turn in this time.
        wheelbase: wheelbase of the bicycle [m].

    Returns:
        Actions ``(..., 2)``.

    Example:
        >>> car = bicycle(wheelbase=2.7)
        >>> x = [0.0, 0.0, 0.0, 5.0]
        >>> bicycle_inverse(x, car.step(x, [1.0, 0.1], 0.5), 0.5).round(9).tolist()
        [1.0, 0.1]
    """
    m, accel, turn, distance = _motion(x0, x1, dt)
    moved = m.abs(distance) > 1e-9
    steer = m.where(moved, m.atan(wheelbase * turn / m.where(moved, distance, 1.0)), 0.0 * turn)
    return stacked([accel, steer], accel.shape, accel)


def tricycle_inverse(x0: Any, x1: Any, dt: float, wheelbase: float = 1.2) -> Any:
    """The constant action ``(accel, steer)`` that takes a `tricycle` from `x0` to `x1`; see `bicycle_inverse`.

    ``sin steer = wheelbase (yaw1 - yaw0) / s``, for steering angles up to a quarter turn; a turn that is too tight for
    the distance gives a quarter turn. Arguments, shapes and accuracy are as for `bicycle_inverse`.

    Example:
        >>> lift = tricycle(wheelbase=1.2)
        >>> x = [0.0, 0.0, 0.0, 1.0]
        >>> tricycle_inverse(x, lift.step(x, [0.2, -0.7], 0.5), 0.5).round(9).tolist()
        [0.2, -0.7]
    """
    m, accel, turn, distance = _motion(x0, x1, dt)
    moved = m.abs(distance) > 1e-9
    sine = m.clip(wheelbase * turn / m.where(moved, distance, 1.0), -1.0, 1.0)
    return stacked([accel, m.where(moved, m.asin(sine), 0.0 * turn)], accel.shape, accel)


def _motion(x0: Any, x1: Any, dt: float) -> tuple[Mathematics, Any, Any, Any]:
    """Namespace, mean acceleration, change of heading and distance rolled between two states (x, y, yaw, speed)."""
    if not seconds(dt) > 0.0:
        raise ModelError("states of one instant do not tell the action between them; dt must be longer than 0 s")
    x0, x1 = together(finite(x0, ROLLING, "x0"), finite(x1, ROLLING, "x1"))
    common_batch(x0.shape[:-1], x1.shape[:-1], "x0 and x1")
    d = ROLLING.minus(x1, x0)
    distance = 0.5 * dt * (x0[..., 3] + x1[..., 3])
    return math_for(d), d[..., 3] / dt, d[..., 2], distance
