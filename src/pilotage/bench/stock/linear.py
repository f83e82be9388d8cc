"""Tasks with linear dynamics and quadratic costs."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...control import finite_horizon_lqr, reach
from ...core import Gaussian
from ...models import double_integrator as integrator
from ...models import position
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ._common import estimated, impulse, wind

LIMITS = {"ax": (-8.0, 8.0)}
"""Bounds that the optimal actions never reach, so that the Riccati equation gives the optimum."""


@tasks.add
@cache
def double_integrator() -> BenchmarkTask:
    """A cart on a line comes to rest at the origin; its optimum is that of the linear-quadratic regulator."""
    cart, dt, horizon = integrator(1, noise=0.0, limits=LIMITS), 0.1, 50
    begin = Gaussian.of(cart.state, [1.0, 0.0], std=[0.3, 0.3])
    home = reach(cart, [0.0, 0.0], weights=[1.0, 0.1], effort=0.1, final=10.0, initial=begin, dt=dt, horizon=horizon)
    seen = {"range": Channel(position(1, std=0.05), delay=dt, dropout=0.1)}
    F, B = cart.linearize(np.zeros(2), np.zeros(1), dt)
    P = finite_horizon_lqr(F, B, [1.0, 0.1], 0.1, horizon, final=[10.0, 1.0]).S[0]
    made = BenchmarkTask(
        "double_integrator", cart, home, optimum=lambda seed: float((x := made.first(seed)) @ P @ x),
        success=lambda x: np.abs(x).max() < 0.2, sampling={"std": 1.0, "horizon": 15},
        disturbances={"wind": wind("vx", 0.5), "push": impulse("vx", 1.0)},
        **estimated(integrator(1, limits=LIMITS), begin, seen, dt),
    )  # fmt: skip
    return made
