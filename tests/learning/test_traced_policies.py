"""Laws of policies as machine code: they are the policies that they were made from."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pilotage.control import ILQR, reach
from pilotage.core import ActionStatus, Space
from pilotage.learning import Ensemble, ImitationSettings, NetworkPolicy, Scaling, Switch
from pilotage.models import double_integrator, task, unicycle
from pilotage.testing import check_controller

ROBOT, CART = unicycle(), double_integrator(1)


def drawn(state: Space, action: Space, activation: Any = "tanh", **settings: Any) -> NetworkPolicy:
    """A policy of random weights, scaling and limits."""
    steps, stage = settings.get("steps", 1), settings.get("stage", Space())
    k = state.width + stage.width
    network = Ensemble(3, k, steps * action.size, hidden=(9, 5), activation=activation, bounded=True)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=random, dtype=torch.float64))
    scaling = Scaling(torch.linspace(-1, 1, k), torch.linspace(0.5, 2, k), torch.ones(steps * action.size))
    limits = np.stack([-np.arange(1.0, action.size + 1), 2.0 * np.arange(1.0, action.size + 1)])
    return NetworkPolicy(state, action, network, scaling=scaling, limits=limits, **settings)


def same(a: Any, b: Any) -> None:
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
        assert np.shape(one) == np.shape(other)


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu", "mish"])
@pytest.mark.parametrize("steps", [1, 3])
def test_it_is_its_policy(activation: Any, steps: int) -> None:
    policy = drawn(ROBOT.state, ROBOT.action, activation, steps=steps)
    fast = policy.traced()
    xs = ROBOT.state.sample(6, rng=0)
    for x in xs:
        same(fast.evaluate(x), policy.evaluate(x))
        np.testing.assert_allclose(fast.act(x).u, policy.act(x).u, atol=1e-12)
    same(fast.evaluate(xs), policy.evaluate(xs))  # a batch


def test_references_are_features() -> None:
    @task(state=CART.state, action=CART.action, stage=Space("goal: angle"))
    def track(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        return (x[0] - r[0]) ** 2

    def clock(x: Any, t: float, steps: int, carry: Any) -> Any:
        return (t + 0.1 * np.arange(steps + 1))[:, None], carry

    policy = drawn(CART.state, CART.action, stage=Space("goal: angle"), task=track(references=clock))
    fast = policy.traced()
    for t in (0.0, 0.7, 0.3):
        np.testing.assert_allclose(fast.act([0.3, 0.1], t).u, policy.act([0.3, 0.1], t).u, atol=1e-12)


def test_it_is_used_like_its_policy(tmp_path: Path) -> None:
    home = reach(CART, [0.0, 0.0], horizon=20)
    policy = drawn(CART.state, CART.action, task=home)
    fast = policy.traced()
    check_controller(fast, CART, [1.0, 0.0])
    x = np.array([0.4, -0.2])
    assert fast.act([np.nan, 0.0]).status is ActionStatus.FALLBACK
    planner = ILQR(CART, home, horizon=10)
    planner.warm_start = fast
    assert planner.act(x, 0.0).status is not ActionStatus.FALLBACK
    switch = Switch(fast, planner, CART, home, high=0.0, low=0.0, imitation=ImitationSettings(epochs=1))
    for t in (0.0, 0.1, 0.2):
        assert switch.act(x + t, t).u.shape == (1,)
    switch.learn(rng=0)
    for policy_now, traced in ((switch.fast, True), (policy, False)):
        assert (policy_now._code is not None) == traced
    fast.save(tmp_path)
    for other in (pickle.loads(pickle.dumps(fast)), NetworkPolicy.load(tmp_path, home), policy):
        np.testing.assert_allclose(other.act(x).u, fast.act(x).u, atol=1e-12)


def test_other_weights_share_the_code_and_weights_are_those_of_then() -> None:
    policy = drawn(ROBOT.state, ROBOT.action)
    first, x = policy.traced(), ROBOT.state.sample(rng=1)
    before = first.act(x).u
    with torch.no_grad():
        policy.network.biases[-1].add_(1.0)
    again = NetworkPolicy(ROBOT.state, ROBOT.action, policy.network, limits=policy.limits).traced()
    assert first._code is not None
    assert again._code is not None
    assert first._code._function is again._code._function
    np.testing.assert_array_equal(first.act(x).u, before)
    assert not np.allclose(again.act(x).u, before)
