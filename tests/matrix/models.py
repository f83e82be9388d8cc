"""One pendulum, four times: as a traced function, a torch network on a traced model, a simulator, plain Python.

All are the same physics in the same discretisation, semi-implicit Euler as in MuJoCo::

    rate'  = rate + dt (torque - m g l sin theta - c rate) / I
    theta' = theta + dt rate'
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from pilotage.core import Dynamics, Space
from pilotage.envs import MujocoDynamics
from pilotage.learning import ResidualDynamics
from pilotage.models import discrete_dynamics

DT = 0.02
MASS, LENGTH, GRAVITY, DAMPING, SPIN = 0.5, 0.5, 9.81, 0.05, 1e-4
INERTIA = MASS * LENGTH**2 + SPIN
STATE = Space("theta: angle", "rate [rad/s] in [-15, 15]")
ACTION = Space("torque [N m] in [-2, 2]")
NOISE = (0.02, 0.2)


@discrete_dynamics(state=STATE, action=ACTION, params={"damping": DAMPING}, noise=NOISE)
def swing(x, u, dt, p, m):
    theta, rate = x
    torque = u[0] - MASS * GRAVITY * LENGTH * m.sin(theta) - p.damping * rate
    later = rate + dt * torque / INERTIA
    return theta + dt * later, later


def network() -> torch.nn.Module:
    """The effect of damping, from the features cos theta, sin theta, rate, torque to the velocity in the tangent."""
    linear = torch.nn.Linear(4, 2, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
        linear.weight[:, 2] = torch.tensor([-DT * DAMPING / INERTIA, -DAMPING / INERTIA], dtype=torch.float64)
    return linear


XML = f"""<mujoco>
<option timestep="{DT}" gravity="0 0 -{GRAVITY}"><flag eulerdamp="disable"/></option>
<worldbody><body><joint name="theta" type="hinge" axis="0 1 0" damping="{DAMPING}"/>
<inertial pos="0 0 -{LENGTH}" mass="{MASS}" diaginertia="{SPIN} {SPIN} {SPIN}"/></body></worldbody>
<actuator><motor name="torque" joint="theta" ctrllimited="true" ctrlrange="-2 2"/></actuator></mujoco>"""


class Plain(Dynamics):
    """A model that a user writes who has a function and no more."""

    state, action = STATE, ACTION

    def step(self, x, u, dt):
        x, u = np.asarray(x, dtype=float), np.asarray(u, dtype=float)
        torque = u[..., 0] - MASS * GRAVITY * LENGTH * np.sin(x[..., 0]) - DAMPING * x[..., 1]
        rate = x[..., 1] + dt * torque / INERTIA
        return self.state.normalize(np.stack(np.broadcast_arrays(x[..., 0] + dt * rate, rate), -1))

    def noise(self, x, u, dt):
        batch = np.broadcast_shapes(np.shape(x)[:-1], np.shape(u)[:-1])
        return np.broadcast_to(np.diag(np.square(NOISE)) * dt, (*batch, 2, 2))


MODELS: dict[str, Callable[[], Dynamics]] = {
    "traced": swing,
    "torch": lambda: ResidualDynamics(swing(damping=0.0), network()),
    "mujoco": lambda: MujocoDynamics(XML, state=STATE, noise=NOISE, threads=2),
    "plain": Plain,
}
