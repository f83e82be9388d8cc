"""Pendulums and carts: small benchmark systems for controllers, with the constants of Gymnasium."""

from __future__ import annotations

from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.space import Space
from .motion import axes_of, cartesian
from .trace.dynamics import DynamicsFamily, TracedDynamics, dynamics
from .trace.params import Values
from .trace.portable import variants


@dynamics(
    state=Space("theta: angle", "theta_rate [rad/s] in [-8, 8]"),
    action=Space("torque [N m] in [-2, 2]"),
    params={"mass": 1.0, "length": 1.0, "gravity": 10.0, "damping": 0.0},
    positive="mass length",
    noise=(1e-3, 1e-2),
)
def pendulum(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    r"""A pendulum: a rod that turns about its end, with too little torque to swing up directly.

    ::

         \ theta |
          \      |              theta''  = 3 gravity / (2 length) sin theta
    length \     |                         + 3 / (mass length^2) (torque - damping theta')
            \    |
       mass  \   |              theta = 0 is upright, theta grows counter-clockwise
              (o) torque

    State ``(theta, theta_rate)`` [rad, rad/s], action ``(torque,)`` [N m]. Parameters: `mass` [kg], `length` [m],
    `gravity` [m/s^2], `damping` [N m s/rad]. Default noise: a random walk that reaches 1 mrad and 0.01 rad/s after a
    second.

    Source: Gymnasium's Pendulum-v1, with the same equation and constants (it uses semi-implicit Euler and clips the
    rate; this model does neither).

    Example:
        >>> pendulum().step([0.0, 0.0], [0.0], 0.05).tolist()         # upright, it stays there
        [0.0, 0.0]
    """
    theta, rate = x
    torque = u[0] - p.damping * rate
    return rate, 1.5 * p.gravity / p.length * m.sin(theta) + 3.0 * torque / (p.mass * p.length * p.length)


@dynamics(
    state=Space("x [m]", "speed [m/s]", "theta: angle", "theta_rate [rad/s]"),
    action=Space("force [N] in [-10, 10]"),
    params={"cart_mass": 1.0, "pole_mass": 0.1, "half_length": 0.5, "gravity": 9.8},
    positive="cart_mass pole_mass half_length",
    noise=(1e-3, 1e-2, 1e-3, 1e-2),
)
def cart_pole(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """A pole on a cart, kept upright by pushing the cart.

    ::

                 / theta                 theta'' = (g sin theta - cos theta f) / (l (4/3 - m cos^2 theta / M))
               |/  pole_mass             x''     = f - m l / M theta'' cos theta
            +-----+
        ->  |     |  cart_mass           with f = (force + m l theta'^2 sin theta) / M,
        force--o-o--   x                 M = cart_mass + pole_mass, m = pole_mass, l = half_length

    State ``(x, speed, theta, theta_rate)`` [m, m/s, rad, rad/s] with theta = 0 upright and growing towards +x, action
    ``(force,)`` [N]. Parameters: `cart_mass`, `pole_mass` [kg], `half_length` of the pole [m], `gravity` [m/s^2].
    Default noise: a random walk that reaches 1 mm, 1 cm/s, 1 mrad and 0.01 rad/s after a second.

    Source: Barto, Sutton and Anderson, IEEE Trans. SMC-13 (1983); Florian, "Correct equations for the dynamics of the
    cart-pole system" (2007), without friction; Gymnasium's CartPole-v1, which uses Euler steps with dt = 0.02.

    Example:
        >>> cart_pole(integrator="euler").step([0.0, 0.0, 0.0, 0.0], [10.0], 0.02).round(4).tolist()
        [0.0, 0.1951, 0.0, -0.2927]
    """
    _, speed, theta, rate = x
    s, c = m.sin(theta), m.cos(theta)
    M = p.cart_mass + p.pole_mass
    f = (u[0] + p.pole_mass * p.half_length * rate * rate * s) / M
    turn = (p.gravity * s - c * f) / (p.half_length * (4.0 / 3.0 - p.pole_mass * c * c / M))
    return speed, f - p.pole_mass * p.half_length / M * turn * c, rate, turn


@dynamics(
    state=Space("theta1: angle", "theta2: angle", "theta1_rate [rad/s]", "theta2_rate [rad/s]"),
    action=Space("torque [N m] in [-1, 1]"),
    params={
        "mass1": 1.0,
        "mass2": 1.0,
        "length1": 1.0,
        "center1": 0.5,
        "center2": 0.5,
        "inertia1": 1.0,
        "inertia2": 1.0,
        "gravity": 9.8,
    },
    positive="mass1 mass2 length1",
    noise=(1e-3, 1e-3, 1e-2, 1e-2),
)
def acrobot(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
    """Two links hanging from a bar, with a motor at the elbow only.

    ::

              (o)  bar             d11 t1'' + d12 t2'' + h1 + g1 = 0
               | theta1            d12 t1'' + d22 t2'' + h2 + g2 = torque
         link1 |
              (o)  torque          theta1 = 0 hangs down; theta2 is the bend of the elbow, 0 straight
                . theta2
           link2  .

    State ``(theta1, theta2, theta1_rate, theta2_rate)`` [rad, rad/s], action ``(torque,)`` [N m]. Parameters: `mass1`,
    `mass2` [kg], `length1` of the first link [m], distances `center1`, `center2` from the joints to the centres of mass
    [m], `inertia1`, `inertia2` about those centres [kg m^2], `gravity` [m/s^2]. Default noise: a random walk that
    reaches 1 mrad and 0.01 rad/s after a second.

    Source: Sutton and Barto, "Reinforcement Learning" (1st ed. 1998), section 11.3: Gymnasium's Acrobot-v1 with
    ``book_or_nips = "book"``, which uses Runge-Kutta 4 with dt = 0.2 and then clips the rates.

    Example:
        >>> acrobot().step([0.0, 0.0, 0.0, 0.0], [0.0], 0.2).round(12).tolist()       # hanging, it stays there
        [0.0, 0.0, 0.0, 0.0]
    """
    t1, t2, r1, r2 = x
    c2, s2 = m.cos(t2), m.sin(t2)
    coupling = p.mass2 * p.length1 * p.center2
    d22 = p.mass2 * p.center2 * p.center2 + p.inertia2
    d12 = d22 + coupling * c2
    d11 = p.mass1 * p.center1 * p.center1 + p.inertia1 + p.mass2 * p.length1 * p.length1 + d22 + 2.0 * coupling * c2
    g2 = p.mass2 * p.center2 * p.gravity * m.sin(t1 + t2)
    g1 = (p.mass1 * p.center1 + p.mass2 * p.length1) * p.gravity * m.sin(t1) + g2
    b1 = coupling * s2 * r2 * (r2 + 2.0 * r1) - g1
    b2 = u[0] - coupling * s2 * r1 * r1 - g2
    determinant = d11 * d22 - d12 * d12
    return r1, r2, (d22 * b1 - d12 * b2) / determinant, (d11 * b2 - d12 * b1) / determinant


def double_integrator(axes: int = 2, **settings: Any) -> TracedDynamics:
    """A point with commanded acceleration, ``p'' = a``, along one to three axes.

    ::

        o ---> v        p' = v
        a ->            v' = a

    State ``(x, y, vx, vy)`` for two axes [m, m/s], action ``(ax, ay)`` [m/s^2]. Default noise: a random walk that
    reaches 1 cm and 0.1 m/s after a second.

    Args:
        axes: 1, 2 or 3.
        settings: `noise`, `action_noise`, `integrator`, `limits`, as for all dynamics.

    Source: LaValle, "Planning Algorithms" (2006), section 13.2.

    Example:
        >>> double_integrator(1).step([0.0, 1.0], [2.0], 1.0).tolist()
        [2.0, 3.0]
    """
    return _double_integrator(axes_of(axes))(**settings)


@variants
def _double_integrator(axes: int) -> DynamicsFamily:
    action = Space(" ".join(("ax", "ay", "az")[:axes]) + " [m/s^2] in [-5, 5]")

    @dynamics(state=cartesian(axes, 2), action=action, noise=(0.01,) * axes + (0.1,) * axes)
    def double_integrator(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
        return [*x[axes:], *u]

    return double_integrator
