"""One step of our small systems is one step of Gymnasium's."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.models import acrobot, cart_pole, pendulum

gymnasium = pytest.importorskip("gymnasium")
SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_cart_pole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    env = gymnasium.make("CartPole-v1").unwrapped
    env.reset(seed=seed)
    env.state = rng.normal(0.0, 0.05, 4)
    action = int(rng.integers(2))
    ours = cart_pole(integrator="euler").step(env.state, [10.0 if action else -10.0], 0.02)
    env.step(action)
    np.testing.assert_allclose(ours, env.state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_pendulum(seed: int) -> None:
    """Gymnasium's rate after a step is Euler's; its angle uses that new rate."""
    rng = np.random.default_rng(seed)
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.reset(seed=seed)
    env.state = rng.uniform([-3.0, -4.0], [3.0, 4.0])
    u, dt = rng.uniform(-2.0, 2.0), env.dt
    theta = env.state[0]
    ours = pendulum(integrator="euler").step(env.state, [u], dt)
    env.step(np.array([u]))
    np.testing.assert_allclose([theta + dt * ours[1], ours[1]], env.state, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_acrobot(seed: int) -> None:
    rng = np.random.default_rng(seed)
    env = gymnasium.make("Acrobot-v1").unwrapped
    env.reset(seed=seed)
    env.state = rng.uniform([-3.0, -3.0, -2.0, -2.0], [3.0, 3.0, 2.0, 2.0])
    action = int(rng.integers(3))
    ours = acrobot().step(env.state, [action - 1.0], 0.2)
    env.step(action)
    np.testing.assert_allclose(np.sin(ours - env.state), 0.0, atol=1e-9)
