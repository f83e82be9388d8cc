"""A law over learned models and those who use them: in torch or as model code, each does the same with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pilotage.control import CEM, ILQR, MPPI, GradientMPC, reach
from pilotage.core import ActionStatus, Gaussian, ModelError, Plan, PlanStatus, Space
from pilotage.envs import ModelEnv
from pilotage.estimators import EKF
from pilotage.learning import (
    MLP,
    DropoutMLP,
    Ensemble,
    GaussianHead,
    LearnedDynamics,
    ParametricDynamics,
    ResidualDynamics,
)
from pilotage.learning.networks import Normalized
from pilotage.models import pendulum, sensor
from pilotage.planners import predicted_covariances

SWING = pendulum(damping=0.2, noise=0.05)
HOME = reach(SWING, [0.0, 0.0], dt=0.1)
X, DT = np.array([0.4, -0.5]), 0.1


def awake(model: Any) -> Any:
    """The same model with weights that do a little."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return model


NETWORKS: dict[str, Callable[[int, int], torch.nn.Module]] = {
    "perceptron": lambda i, o: MLP(i, o, hidden=(8, 8)),
    "ensemble": lambda i, o: Ensemble(3, i, o, hidden=(8,)),
    "dropout": lambda i, o: DropoutMLP(i, o, hidden=(8,), masks=3),
    "head": lambda i, o: GaussianHead(MLP(i, 2 * o, hidden=(8,))),
    "heads": lambda i, o: GaussianHead.ensemble(3, i, o, hidden=(8,)),
    "heads by dropout": lambda i, o: GaussianHead(DropoutMLP(i, 2 * o, hidden=(8,), masks=2)),
}
DAMPING = {"damping": (0.0, 1.0)}
WRAPPERS: dict[str, Callable[..., Any]] = {
    "learned": lambda network: LearnedDynamics(SWING.state, SWING.action, network, noise=0.1),
    "residual": lambda network: ResidualDynamics(SWING, network, noise=0.1, epistemic=True),
    "parametric": lambda network: ParametricDynamics(
        SWING, {"damping": (0.0, 1.0)}, inputs="theta_rate", network=network
    ),
}
FEW = {"perceptron": "learned", "ensemble": "residual", "dropout": "parametric", "head": "learned", "heads": "residual"}
"""The wrapper in which a network is tried by default; the others are slow together."""
MODELS = [
    pytest.param(
        lambda w=WRAPPERS[w], n=NETWORKS[n]: w(n),
        id=f"{w} {n}", marks=() if FEW.get(n) == w else pytest.mark.slow,
    )
    for w in WRAPPERS for n in NETWORKS if w != "parametric" or "head" not in n
]  # fmt: skip


def ensemble(**settings: Any) -> Any:
    """A correction that is an ensemble."""
    return awake(ResidualDynamics(SWING, NETWORKS["ensemble"], noise=0.1, **settings))


def sequence(perceptron: Any) -> torch.nn.Module:
    """The same network as a module of torch, whose layers are not known to be those of a perceptron."""
    return torch.nn.Sequential(*perceptron.layers)


def normalized(perceptron: Any) -> torch.nn.Module:
    """A block that scales its inputs by one: the same network again."""
    return Normalized(perceptron, perceptron.settings["inputs"])


@sensor(state=Space("theta: angle"), reading=Space("theta: angle"), std=0.05)
def encoder(x: Any, c: Any, p: Any, m: Any) -> Any:
    return (x[0],)


def filtered(kind: Any) -> Callable[[Any], Any]:
    def run(model: Any) -> Any:
        filter = kind(model, dt=DT).start(mean=X, std=[0.1, 0.1])
        for k in range(4):
            filter.predict(u=[0.5])
            filter.update(encoder(), [0.3 - 0.1 * k])
        return np.concatenate([filter.belief.mean, filter.belief.cov.ravel()])

    return run


def acting(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(model: Any) -> Any:
        action = make(model).act(X, 0.0)
        assert action.status is not ActionStatus.FALLBACK, action.reason
        return action.u if action.plan is None else action.plan

    return run


def lived(model: Any) -> Any:
    """An episode in the environment of the model, under noise."""
    env = ModelEnv(model, None, reach(model, [0.0, 0.0], dt=DT, initial=Gaussian.of(model.state, X, std=0.1)))
    env.reset(seed=3)
    return np.array([env.step(np.array([0.3 * k]))[4]["state"] for k in range(5)])


def uncertain(model: Any) -> Any:
    """What chance constraints ask: the covariances along a plan."""
    us = np.full((6, 1), 0.4)
    ts: Any = DT * np.arange(7)
    plan = Plan(PlanStatus.SOLVED, SWING.state, SWING.rollout(X, us, DT), us=us, ts=ts)
    return predicted_covariances(plan, 0.01 * np.eye(2), model, [encoder()])


USERS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "EKF": (filtered(EKF), 1e-9),
    "iLQR": (acting(lambda model: ILQR(model, HOME, horizon=8, iterations=15)), 1e-4),
    "GradientMPC": (acting(lambda model: GradientMPC(model, HOME, horizon=5, iterations=15)), 1e-4),
    "MPPI": (acting(lambda model: MPPI(model, HOME, horizon=8, samples=60, std=1.0, rng=0)), 1e-6),
    "CEM": (acting(lambda model: CEM(model, HOME, horizon=5, samples=40, iterations=2, rng=0)), 1e-6),
    "chance constraints": (uncertain, 1e-9),
    "ModelEnv": (lived, 1e-6),
}


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize(("use", "near"), USERS.values(), ids=USERS)
def test_torch_and_model_code_lead_to_the_same(make: Any, use: Any, near: float) -> None:
    model = awake(make())
    found, expected = use(model), use(model.traced())
    np.testing.assert_allclose(found, expected, atol=near)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("other", [sequence, normalized])
@pytest.mark.parametrize(("use", "near"), USERS.values(), ids=USERS)
def test_a_network_that_is_not_emitted_does_the_same(other: Any, use: Any, near: float) -> None:
    """It runs in torch; the perceptron of the same weights is the oracle, as model code."""
    model = awake(LearnedDynamics(SWING.state, SWING.action, NETWORKS["perceptron"], noise=0.1))
    same = LearnedDynamics(SWING.state, SWING.action, other(model.network), noise=0.1)
    with pytest.raises(ModelError, match="layers are known"):
        same.traced()
    np.testing.assert_allclose(use(same), use(model.traced()), atol=near)


def test_doubt_widens_a_filter() -> None:
    """What the model does not know reaches the filter when `epistemic` says so, and only then."""
    model = ensemble()
    doubting = ensemble(epistemic=True)
    beliefs = [EKF(each, dt=DT).start(mean=X, std=[0.1, 0.1]) for each in (model, doubting)]
    for each in beliefs:
        each.predict(u=[0.5])
    added = beliefs[1].belief.cov - beliefs[0].belief.cov
    np.testing.assert_allclose(added, doubting.predict(X, [0.5], DT).epistemic, atol=1e-12)
    assert added[1, 1] > 1e-6


@pytest.mark.parametrize("kind", ["ensemble", "parametric"])
def test_gradients_go_through_a_rollout(kind: str) -> None:
    """As a policy is trained through the model."""
    model = ensemble() if kind == "ensemble" else awake(WRAPPERS["parametric"](NETWORKS["perceptron"]))
    us = torch.full((6, 1), 0.3, dtype=torch.float64, requires_grad=True)
    model.rollout(torch.tensor(X), us, DT)[-1].square().sum().backward()
    h = 1e-5
    for k in (0, 5):
        ends = []
        for sign in (1.0, -1.0):
            moved = us.detach().numpy().copy()
            moved[k] += sign * h
            ends.append(np.square(model.rollout(X, moved, DT)[-1]).sum())
        assert us.grad is not None
        assert us.grad[k, 0].item() == pytest.approx((ends[0] - ends[1]) / (2.0 * h), abs=1e-6)
