"""Physics with learned parameters closes the gap between a formula and a simulator with another friction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Space
from pilotage.envs import MujocoDynamics
from pilotage.learning import ParametricDynamics, ResidualDynamics, fit, fit_parameters
from pilotage.models import dynamics

DT, MASS, LENGTH, GRAVITY = 0.02, 0.5, 0.5, 9.81
STATE = Space("theta: angle", "rate [rad/s]")
ACTION = Space("torque [N m] in [-3, 3]")
XML = f"""<mujoco><option timestep="0.001" gravity="0 0 -{GRAVITY}"/>
<worldbody><body><joint name="theta" type="hinge" axis="0 1 0" damping="0.05" frictionloss="0.2"/>
<inertial pos="0 0 -{LENGTH}" mass="{MASS}" diaginertia="1e-4 1e-4 1e-4"/></body></worldbody>
<actuator><motor name="torque" joint="theta"/></actuator></mujoco>"""


@dynamics(state=STATE, action=ACTION, params={"friction": 0.0}, noise=0.01)
def swing(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The pendulum with a friction torque [N m], here none; in the simulator it is ``0.05 rate + 0.2 sign(rate)``."""
    theta, rate = x
    torque = u[0] - MASS * GRAVITY * LENGTH * m.sin(theta) - p.friction
    return rate, torque / (MASS * LENGTH**2 + 1e-4)


def recorded(real: Any, n: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    us = np.repeat(rng.uniform(-2, 2, (n, 10, 1)), 4, axis=1)
    starts = np.stack([rng.uniform(-np.pi, np.pi, n), rng.uniform(-4, 4, n)], -1)
    return real.rollout(starts, us, DT), us


@pytest.mark.slow
def test_the_gap_to_a_simulator_closes() -> None:
    real = MujocoDynamics(XML, state=STATE)
    xs, us = recorded(real, 10, seed=0)  # 400 transitions, 8 seconds
    blank = ParametricDynamics(swing(), {"friction": (-1.0, 1.0)}, inputs="rate")
    learned = fit_parameters(blank, xs, us, DT, epochs=100, rng=0).model
    network = fit(ResidualDynamics(swing()), xs, us, DT, epochs=100, rng=0).model

    rates = np.array([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0])
    friction = learned.parameters(np.stack([np.zeros(6), rates], -1), [0.0])["friction"]
    np.testing.assert_allclose(friction, 0.05 * rates + 0.2 * np.sign(rates), atol=0.06)

    xs, us = recorded(real, 60, seed=9)

    def gap(model: Any) -> float:
        """The error after 40 steps without feedback."""
        end = model.rollout(xs[:, 0], us, DT)[:, -1]
        return float(np.sqrt(np.square(STATE.minus(end, xs[:, -1])).mean()))

    before, after = gap(swing()), gap(learned.traced())
    assert after < 0.15 * before
    assert after < 0.75 * gap(network), "a network that has to learn all of the torque is not as near with as few data"
