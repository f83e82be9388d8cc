"""Law of sampling and gradient contestants: with their defaults, they come near the optimum of stock tasks."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.bench import Run, benchmark_task

SEEDS = (80, 81, 82)
FACTORS = {"double_integrator": 1.3, "pendulum": 2.0, "cart_pole_swingup": 3.0, "unicycle_goal": 1.6}
"""Mean cost relative to the mean optimum, at most."""
STEADY = {"quadrotor_hover": 8.0, "quadrotor_eight": 25.0}
"""The same of tasks whose bounds are much wider than they need: the noise of samplers is too coarse for these."""
SAMPLERS = ("mppi", "cem", "icem", "predictive_sampling")
CASES = [
    *((name, each, factor) for name, factor in FACTORS.items() for each in (*SAMPLERS, "gradient_mpc")),
    *((name, "gradient_mpc", factor) for name, factor in STEADY.items()),
]


@pytest.mark.parametrize(("name", "controller", "factor"), CASES)
def test_defaults_fit_the_task(name: str, controller: str, factor: float) -> None:
    optimum = benchmark_task(name).optimum
    assert optimum is not None
    best = np.mean([optimum(seed) or np.nan for seed in SEEDS])
    cost = np.mean([Run(name, controller, seed=seed).execute().cost for seed in SEEDS])
    rest = np.mean([Run(name, "rest", seed=seed).execute().cost for seed in SEEDS])
    assert cost < min(factor * best, rest), (cost / best, rest / best)
