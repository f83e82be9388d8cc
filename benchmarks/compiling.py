"""A model that nobody has compiled before: from its definition to the first filtered result."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.core import Space
from pilotage.estimators import EKF
from pilotage.models import dynamics, gnss

STATE, ACTION = Space("x y [m]", "yaw: angle", "speed [m/s]"), Space("accel [m/s^2]", "steer [rad]")
X, U, Z, DT = np.array([0.0, 0.0, 0.3, 1.0]), np.array([0.5, 0.02]), np.array([0.4, 0.1]), 0.05
STD = np.array([1.0, 1.0, 0.1, 0.5])
_numbers = itertools.count(1)


def pilotage_first() -> np.ndarray:
    """A new function each time, whose numbers no code has seen."""
    wheelbase = 2.7 + 1e-9 * next(_numbers)

    @dynamics(state=STATE, action=ACTION, noise=(0.1, 0.1, 0.05, 0.2), integrator="euler")
    def car(x: Any, u: Any, p: Any, m: Any) -> Any:
        _, _, yaw, v = x
        a, steer = u
        return v * m.cos(yaw), v * m.sin(yaw), v * m.tan(steer) / wheelbase, a

    ekf = EKF(car(), dt=DT).start(mean=X, std=STD)
    ekf.step(gnss(std=1.5), Z, U)
    return np.asarray(ekf.belief.mean)


def jax_first() -> np.ndarray:
    """The same filter with `jacfwd` under `jit`."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    wheelbase = 2.7 + 1e-9 * next(_numbers)

    def move(x: Any, u: Any) -> Any:
        rates = jnp.array([x[3] * jnp.cos(x[2]), x[3] * jnp.sin(x[2]), x[3] * jnp.tan(u[1]) / wheelbase, u[0]])
        return x + DT * rates

    def see(x: Any) -> Any:
        return x[:2]

    @jax.jit
    def step(x: Any, P: Any, u: Any, z: Any) -> Any:
        F = jax.jacfwd(move)(x, u)
        x, P = move(x, u), F @ P @ F.T + jnp.diag(jnp.array([0.01, 0.01, 0.0025, 0.04])) * DT
        H = jax.jacfwd(see)(x)
        S = H @ P @ H.T + 2.25 * jnp.eye(2)
        K = jnp.linalg.solve(S, H @ P).T
        M = jnp.eye(4) - K @ H
        return x + K @ (z - see(x)), M @ P @ M.T + 2.25 * K @ K.T

    return np.asarray(step(X, np.diag(STD**2), U, Z)[0])


@row(
    "new_model", peer="jax", bar=5, unit="ms", needs=["jax"],
    note="a running process: from a decorated function to its first EKF result",
)  # fmt: skip
def new_model(quick: bool) -> Contest:
    def check() -> str:
        gap = float(np.abs(pilotage_first() - jax_first()).max())
        assert gap < 1e-8, f"means differ by {gap:.1e}"
        return "a function that is new each time"

    return Contest(pilotage_first, jax_first, check)
