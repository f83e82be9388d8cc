"""Laws of physics with learned parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pilotage.core import FormatError, ModelError, SettingError, Space
from pilotage.learning import (
    MLP,
    DropoutMLP,
    Ensemble,
    GaussianHead,
    LearnedDynamics,
    ParametricDynamics,
    Scaling,
    fit_parameters,
)
from pilotage.models import bicycle, cart_pole, dynamics, pendulum
from pilotage.testing import check_dynamics

DT = 0.05


def awake(model: Any, seed: int = 0) -> Any:
    """The same model with weights that do something, and a scaling."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.copy_(0.4 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    k, d = model.scaling.widths
    scaling = Scaling(torch.linspace(-1, 1, k).double(), torch.linspace(0.5, 2, k).double(), torch.ones(d).double())
    return model.refined(model.network, scaling, model.noise_density)


@dynamics(
    state=Space("pose: SE3", "w [rad/s]"),
    action=Space("push torque"),
    params={"mass": 2.0, "drag": 0.3, "arms": (1.0, 2.0)},
    noise=lambda x, u, dt, p, m: [p.drag * dt] * 7,
)
def tumbler(x: Any, u: Any, p: Any, m: Any) -> Any:
    w = x[7]
    return u[0] / p.mass, 0.0, 0.0, 0.0, 0.0, w, u[1] * p.arms[0] - p.drag * w


MODELS: dict[str, Any] = {
    "pendulum": lambda: ParametricDynamics(pendulum(damping=0.2), {"damping": (0.0, 1.0)}, inputs="theta_rate"),
    "two of a bicycle": lambda: ParametricDynamics(bicycle(noise=0.1), {"wheelbase": (1.0, 4.0)}, noise=0.2),
    "ensemble": lambda: ParametricDynamics(
        cart_pole(),
        {"cart_mass": (0.5, 3.0), "pole_mass": (0.05, 0.3)},
        inputs="theta force",
        network=lambda i, o: Ensemble(3, i, o, hidden=(8,)),
    ),
    "dropout on a pose": lambda: ParametricDynamics(
        tumbler(),
        {"drag": (0.1, 0.9), "mass": (1.0, 5.0)},
        network=lambda i, o: DropoutMLP(i, o, hidden=(8,), rate=0.4),
    ),
}
CASES = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def points(model: Any, n: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return model.state.plus(model.state.identity(), rng.normal(size=(n, model.state.dim))), rng.normal(
        size=(n, model.action.size)
    )


@CASES
def test_the_contract_is_kept(make: Any) -> None:
    check_dynamics(awake(make()), tensors=True)


@CASES
def test_untrained_it_is_its_prior(make: Any) -> None:
    model = make()
    x, u = points(model)
    np.testing.assert_allclose(model.step(x, u, DT), model.prior.step(x, u, DT), atol=1e-12)


@CASES
def test_it_is_the_prior_with_its_parameters(make: Any) -> None:
    """In each state the formula with the parameters there; they are within their ranges."""
    model = awake(make())
    x, u = points(model)
    values = model.parameters(x, u)
    assert len(values) == len(model.ranges)
    for name, low, high, _ in model.ranges:
        assert np.ptp(values[name]) > 1e-3, "they depend on the state"
        assert ((values[name] > low) & (values[name] < high)).all()
    y = model.step(x, u, DT)
    for i in range(len(x)):
        here = model.prior.replace(**{name: float(value[i]) for name, value in values.items()})
        np.testing.assert_allclose(y[i], here.step(x[i], u[i], DT), atol=1e-12)


@CASES
def test_model_code_is_the_model(make: Any) -> None:
    model = awake(make())
    (x, u), fast = points(model), model.traced()
    np.testing.assert_allclose(fast.step(x, u, DT), model.step(x, u, DT), atol=1e-11)
    for ours, theirs in zip(fast.linearize(x, u, DT), model.linearize(x, u, DT), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    np.testing.assert_allclose(fast.noise(x, u, DT), model.noise(x, u, DT), atol=1e-12)


@CASES
def test_saved_models_come_back(make: Any, tmp_path: Any) -> None:
    model = awake(make())
    model.save(tmp_path)
    back = ParametricDynamics.load(tmp_path, model.prior)
    x, u = points(model)
    np.testing.assert_array_equal(back.step(x, u, DT), model.step(x, u, DT))
    np.testing.assert_array_equal(back.noise(x, u, DT), model.noise(x, u, DT))
    other: Any = bicycle() if model.prior.state != bicycle().state else pendulum()
    with pytest.raises(ModelError, match="the prior"):
        ParametricDynamics.load(tmp_path, other)
    with pytest.raises(FormatError, match="parametric"):
        LearnedDynamics.load(tmp_path)


def test_what_it_does_not_know_is_the_spread_of_its_members() -> None:
    model = awake(MODELS["ensemble"]())
    x, u = points(model)
    found = model.predict(x, u, DT)
    values = model.member_values(torch.tensor(x), torch.tensor(u)).detach().numpy()
    ys = []
    for member in values:
        each = [model.prior.replace(cart_mass=a, pole_mass=b) for a, b in member]
        ys.append([m.step(*row, DT) for m, row in zip(each, zip(x, u, strict=True), strict=True)])
    e = model.state.minus(np.array(ys), np.broadcast_to(found.mean, np.shape(ys)))
    np.testing.assert_allclose(found.epistemic, np.einsum("ibj,ibk->bjk", e, e) / 3, atol=1e-12)
    np.testing.assert_allclose(found.aleatoric, model.prior.noise(x, u, DT))


def recorded(model: Any, n: int, steps: int = 20, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    us = rng.uniform(-2, 2, (n, steps, 1))
    return model.rollout(model.state.sample(n, rng=rng), us, DT), us


@dynamics(state=pendulum().state, action=pendulum().action)
def stribeck(x: Any, u: Any, p: Any, m: Any) -> Any:
    """A pendulum whose damping falls with the speed."""
    theta, rate = x
    torque = u[0] - (0.1 + 0.6 * m.exp(-0.25 * rate * rate)) * rate
    return rate, 15.0 * m.sin(theta) + 3.0 * torque


def test_it_recovers_a_friction_curve() -> None:
    xs, us = recorded(stribeck(), 60)
    blank = ParametricDynamics(pendulum(damping=0.3), {"damping": (0.0, 2.0)}, inputs="theta_rate")
    found = fit_parameters(blank, xs, us, DT, epochs=80, rng=0)
    rates = np.linspace(-6.0, 6.0, 25)
    learned = found.model.parameters(np.stack([np.zeros(25), rates], -1), [0.0])["damping"]
    friction = (0.1 + 0.6 * np.exp(-0.25 * rates**2)) * rates
    np.testing.assert_allclose(learned * rates, friction, atol=0.04)
    assert np.abs(0.3 * rates - friction).max() > 1.0
    again = fit_parameters(blank, xs, us, DT, epochs=2, rng=3), fit_parameters(blank, xs, us, DT, epochs=2, rng=3)
    assert again[0].epochs == again[1].epochs
    x, u = points(blank)
    np.testing.assert_allclose(blank.step(x, u, DT), blank.prior.step(x, u, DT), atol=1e-12)  # it is left alone


def test_a_constant_is_found_with_its_noise() -> None:
    truth, space = pendulum(damping=0.7), pendulum().state
    rng = np.random.default_rng(0)
    xs, us = recorded(truth, 40)
    x, u, y = xs[:, :-1].reshape(-1, 2), us.reshape(-1, 1), xs[:, 1:].reshape(-1, 2)
    y = space.plus(y, np.sqrt(DT) * np.array([0.01, 0.05]) * rng.standard_normal(y.shape))
    blank = ParametricDynamics(pendulum(damping=0.1), {"damping": (0.0, 2.0)}, inputs="theta_rate")
    model: Any = fit_parameters(blank, np.stack([x, y], 1), u[:, None], DT, epochs=60, rng=0).model
    assert np.mean(model.parameters(x, u)["damping"]) == pytest.approx(0.7, abs=0.03)
    np.testing.assert_allclose(model.noise_density, [0.01, 0.05], rtol=0.3)


BLANK: Any = LearnedDynamics(Space("x"), Space("u"))
WRONG: dict[str, Any] = {
    "name": (lambda: ParametricDynamics(pendulum(), {"friction": (0, 1)}), ModelError, "'friction'.*damping"),
    "none": (lambda: ParametricDynamics(pendulum(), {}), SettingError, "varying is {}"),
    "vector": (lambda: ParametricDynamics(tumbler(), {"arms": (0, 3)}), ModelError, "'arms' that is one number"),
    "range": (lambda: ParametricDynamics(pendulum(), {"damping": (0.0, 1.0)}), SettingError, "the prior has 0.0"),
    "input": (lambda: ParametricDynamics(pendulum(), {"mass": (0, 2)}, inputs="speed"), ModelError, "'speed'.*torque"),
    "prior": (
        lambda: ParametricDynamics(BLANK, {"a": (0, 1)}),
        SettingError,
        "TracedDynamics",
    ),
    "head": (
        lambda: ParametricDynamics(pendulum(), {"mass": (0, 2)}, network=lambda i, o: GaussianHead(MLP(i, 2 * o))),
        ModelError,
        "GaussianHead",
    ),
    "network": (
        lambda: ParametricDynamics(pendulum(), {"mass": (0, 2)}, network=torch.nn.Linear(4, 2).double()),
        ModelError,
        "one number for each of mass",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "kind", "words"), WRONG.values(), ids=WRONG)
def test_sentences(wrong: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        wrong()


@pytest.mark.parametrize(
    "network",
    [
        lambda i, o: Ensemble(3, i, o, hidden=(16,)),
        lambda i, o: DropoutMLP(i, o, hidden=(32,), masks=4),
        lambda i, o: MLP(i, o, hidden=(16,)).float(),
    ],
    ids=["ensemble", "dropout", "single precision"],
)
def test_networks_of_several_members_are_trained(network: Any) -> None:
    xs, us = recorded(pendulum(damping=0.6), 30)
    blank = ParametricDynamics(pendulum(damping=0.2), {"damping": (0.0, 1.0)}, inputs="theta_rate", network=network)
    model = fit_parameters(blank, xs, us, DT, epochs=60, rng=0).model
    x, u = points(model)
    values = model.member_values(torch.tensor(x), torch.tensor(u)).detach().numpy()
    np.testing.assert_allclose(values.mean(), 0.6, atol=0.05)
    assert np.abs(values - 0.6).max() < 0.2
