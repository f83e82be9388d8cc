"""A quadrotor as a rigid body, with its attitude as a quaternion."""

from __future__ import annotations

from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.rotations import cross, rotate
from ..core.space import Space
from .trace.dynamics import DynamicsFamily, TracedDynamics, dynamics
from .trace.params import Values
from .trace.portable import variants

BODY = Space("x y z [m]", "q: quaternion", "vx vy vz [m/s]", "wx wy wz [rad/s]")
PARAMS = {"mass": 0.5, "inertia": (2.3e-3, 2.3e-3, 4.0e-3), "gravity": 9.81, "drag": 0.0}
TORQUES = "tx ty tz [N m] in [-0.5, 0.5]"
NOISE = (0.01,) * 6 + (0.1,) * 6


def quadrotor(*, rotors: bool = False, **settings: Any) -> TracedDynamics:
    r"""A quadrotor: a rigid body with four rotors.

    ::

          1 (x)   (o) 4          p' = v
               \ /  ^ x          q' = q * (0, w) / 2                            q turns body axes into the world
                +   |  front     v' = R(q) (0, 0, thrust) / mass - drag v / mass - (0, 0, gravity)
               / \              w' = J^-1 (torque - w x J w)
          2 (o)   (x) 3
                                 thrust = f1 + f2 + f3 + f4,   a = arm / sqrt(2),   k = moment
          y <- left              torque = (a (f1 + f2 - f3 - f4), a (-f1 + f2 + f3 - f4), k (f1 - f2 + f3 - f4))

    State ``(x y z, q, vx vy vz, wx wy wz)``: position and velocity in the world [m, m/s], attitude as unit quaternion
    wxyz, turn rates in the body [rad/s]; the tangent has 12 components. Action: ``(thrust, tx, ty, tz)`` [N, N m], or
    with `rotors`, the thrusts ``(f1, f2, f3, f4)`` [N] of the rotors front left, rear left, rear right, front right;
    those marked (x) turn clockwise, and their torque on the body is counter-clockwise. Parameters: `mass` [kg],
    principal moments of `inertia` [kg m^2], `gravity` [m/s^2], linear `drag` [N s/m], and with `rotors` `arm`, centre
    to rotor [m], and `moment`, drag torque per thrust [m]. Default noise: a random walk that reaches 1 cm, 0.01 rad,
    0.1 m/s and 0.1 rad/s after a second.

    Args:
        rotors: whether the actions are the thrusts of the rotors.
        settings: parameters, `noise`, `action_noise`, `integrator`, `limits`, as for all dynamics.

    Source: Mahony, Kumar and Corke, "Multirotor aerial vehicles", IEEE Robotics & Automation Magazine 19 (2012),
    eq. 1 to 7, with axes x forward, y left, z up.

    Example:
        >>> drone = quadrotor(mass=0.5)
        >>> hover = drone.state.identity()
        >>> bool(abs(drone.step(hover, [0.5 * 9.81, 0.0, 0.0, 0.0], 0.1) - hover).max() < 1e-12)
        True
    """
    return _quadrotor(rotors)(**settings)


@variants
def _quadrotor(rotors: bool) -> DynamicsFamily:
    action = Space("f1 f2 f3 f4 [N] in [0, 5]") if rotors else Space("thrust [N] in [0, 20]", TORQUES)
    params = {**PARAMS, "arm": 0.17, "moment": 0.016} if rotors else PARAMS

    @dynamics(state=BODY, action=action, params=params, positive="mass inertia", noise=NOISE)
    def quadrotor(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
        return _body_rates(x, *(_mixed(u, p) if rotors else (u[0], u[1:])), p)

    return quadrotor


def _mixed(f: Components, p: Values) -> tuple[Any, list[Any]]:
    """Thrust and torque of the four rotors together."""
    f1, f2, f3, f4 = f
    a = p.arm * 0.7071067811865476
    torque = [a * (f1 + f2 - f3 - f4), a * (f2 + f3 - f1 - f4), p.moment * (f1 - f2 + f3 - f4)]
    return f1 + f2 + f3 + f4, torque


def _body_rates(x: Components, thrust: Any, torque: Components, p: Values) -> list[Any]:
    """Rates of a rigid body in its tangent: v, w, v', w'."""
    q, v, w = x[3:7], x[7:10], x[10:13]
    lift = rotate(q, [0.0, 0.0, thrust / p.mass])
    J = p.inertia
    twist = cross(w, [J[i] * w[i] for i in range(3)])
    fall = [lift[i] - p.drag / p.mass * v[i] for i in range(3)]
    return [*v, *w, fall[0], fall[1], fall[2] - p.gravity, *((torque[i] - twist[i]) / J[i] for i in range(3))]
