"""Laws of learned models that know their uncertainty, and of training with a likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pilotage.core import ModelError, Space
from pilotage.learning import MLP, DropoutMLP, Ensemble, GaussianHead, LearnedDynamics, ResidualDynamics, Scaling, fit
from pilotage.learning.networks import Outputs
from pilotage.models import bicycle, pendulum
from pilotage.testing import check_dynamics

DT = 0.1
POSED = Space("pose: SE3", "yaw: angle", "v [m/s]")
PUSH = Space("a b in [-1, 1]")
NETWORKS: dict[str, Any] = {
    "ensemble": lambda i, o: Ensemble(3, i, o, hidden=(8,)),
    "dropout": lambda i, o: DropoutMLP(i, o, hidden=(8, 8), rate=0.3, masks=4),
    "head": lambda i, o: GaussianHead(MLP(i, 2 * o, hidden=(8,))),
    "ensemble of heads": lambda i, o: GaussianHead.ensemble(3, i, o, hidden=(8,), activation="silu"),
    "dropout with a head": lambda i, o: GaussianHead(DropoutMLP(i, 2 * o, hidden=(8,), rate=0.4, masks=2)),
}
KINDS: dict[str, Any] = {
    "residual": lambda network, **given: ResidualDynamics(bicycle(), network, **given),
    "learned": lambda network, **given: LearnedDynamics(POSED, PUSH, network, **given),
}


def made(network: str, kind: str, seed: int = 0, **given: Any) -> Any:
    """A model with weights that do something, a scaling, and noise."""
    model = KINDS[kind](NETWORKS[network], noise=given.pop("noise", 0.2), **given)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.copy_(0.4 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    k, d = model.scaling.widths
    scaling = Scaling(torch.linspace(-1, 1, k).double(), torch.linspace(0.5, 2, k).double(), torch.linspace(0.3, 1, d))
    density = np.linspace(0.1, 0.3, d).tolist()
    return model.refined(model.network, scaling, density)


def points(model: Any, n: int = 5, seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = model.state.plus(model.state.identity(), rng.normal(size=(n, model.state.dim)))
    return x, rng.normal(size=(n, model.action.size))


CASES = pytest.mark.parametrize(("network", "kind"), [(n, k) for n in NETWORKS for k in KINDS])


@CASES
@pytest.mark.parametrize("epistemic", [False, True])
def test_the_contract_is_kept(network: str, kind: str, epistemic: bool) -> None:
    check_dynamics(made(network, kind, epistemic=epistemic), tensors=True)


@CASES
def test_the_parts_of_a_prediction(network: str, kind: str) -> None:
    """The epistemic part is the spread of models of one member each, the aleatoric part the mean of their noise."""
    model = made(network, kind)
    (x, u), space, scale = points(model), model.state, model.scaling.scale.numpy()
    found, out = model.predict(x, u, DT), model.members(*map(torch.tensor, (x, u)))
    np.testing.assert_allclose(found.mean, model.step(x, u, DT), atol=1e-12)
    np.testing.assert_allclose(found.cov, found.epistemic + found.aleatoric)
    y = model.prior.step(x, u, DT)
    ys = [space.plus(y, DT * g) for g in out.mean.detach().numpy()]
    e = np.stack([space.minus(each, found.mean) for each in ys])
    np.testing.assert_allclose(found.epistemic, np.einsum("ibj,ibk->bjk", e, e) / len(e), atol=1e-12)
    s = np.zeros(e.shape) if out.log_variance is None else out.log_variance.detach().numpy()
    variance = (model.noise_density**2 * np.exp(s)).mean(0) * DT
    np.testing.assert_allclose(found.aleatoric, variance[..., None] * np.eye(space.dim), atol=1e-14)
    assert (np.linalg.eigvalsh(found.epistemic) > -1e-12).all()
    assert (found.epistemic.max() > 1e-6) == (len(e) > 1)
    moments = found.moments()
    np.testing.assert_allclose(moments.cov, found.cov)
    assert scale.shape == (space.dim,)


@CASES
def test_noise_is_the_aleatoric_part_or_all(network: str, kind: str) -> None:
    plain, total = made(network, kind), made(network, kind, epistemic=True)
    x, u = points(plain)
    found = plain.predict(x, u, DT)
    np.testing.assert_array_equal(plain.noise(x, u, DT), found.aleatoric)
    np.testing.assert_array_equal(total.noise(x, u, DT), found.cov)
    np.testing.assert_allclose(total.noise(x[2], u[2], DT), found.cov[2], atol=1e-14)
    np.testing.assert_allclose(total.noise(x[:, None], u, DT)[3, 3], found.cov[3], atol=1e-14)
    given = torch.tensor(x, requires_grad=True)
    Q = total.noise(given, torch.tensor(u), DT)
    np.testing.assert_allclose(Q.detach().numpy(), found.cov, atol=1e-12)
    assert torch.autograd.grad(Q.sum(), given)[0].isfinite().all()


@CASES
@pytest.mark.parametrize("epistemic", [False, True])
def test_model_code_is_the_model(network: str, kind: str, epistemic: bool) -> None:
    model = made(network, kind, epistemic=epistemic)
    (x, u), fast = points(model), model.traced()
    np.testing.assert_allclose(fast.step(x, u, DT), model.step(x, u, DT), atol=1e-11)
    for ours, theirs in zip(fast.linearize(x, u, DT), model.linearize(x, u, DT), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    np.testing.assert_allclose(fast.noise(x, u, DT), model.noise(x, u, DT), atol=1e-11)


@CASES
def test_saved_models_come_back(network: str, kind: str, tmp_path: Any) -> None:
    model = made(network, kind, epistemic=True)
    model.save(tmp_path)
    prior = [model.prior] if kind == "residual" else []
    back = type(model).load(tmp_path, *prior)
    x, u = points(model)
    np.testing.assert_array_equal(back.step(x, u, DT), model.step(x, u, DT))
    np.testing.assert_array_equal(back.noise(x, u, DT), model.noise(x, u, DT))
    assert back.epistemic


def test_models_with_other_weights_share_their_code() -> None:
    first, second = (made("ensemble of heads", "residual", seed=s, epistemic=True).traced() for s in (0, 1))
    x, u = points(first)
    assert first.code("y Q") is second.code("y Q")
    assert not np.allclose(first.noise(x, u, DT), second.noise(x, u, DT))


def test_networks_that_are_refused() -> None:
    with pytest.raises(ModelError, match="bounded"):
        ResidualDynamics(pendulum(), Ensemble(2, 4, 2, bounded=True))
    with pytest.raises(ModelError, match="noise is None"):
        ResidualDynamics(pendulum(), NETWORKS["ensemble"], epistemic=True).traced()
    with pytest.raises(ModelError, match=r"into \(1, 4\)"):
        ResidualDynamics(pendulum(), MLP(4, 4))


def test_a_prior_may_bring_the_noise() -> None:
    model = ResidualDynamics(bicycle(noise=0.3), NETWORKS["ensemble"], epistemic=True)
    x, u = points(model)
    ensemble: Any = model.network
    torch.nn.init.normal_(ensemble.weights[-1], generator=torch.Generator().manual_seed(0))
    found = model.predict(x, u, DT)
    np.testing.assert_array_equal(found.aleatoric, bicycle(noise=0.3).noise(x, u, DT))
    np.testing.assert_allclose(model.noise(x, u, DT), found.aleatoric + found.epistemic)


LINE = Space("x [m]"), Space("v [m/s]")


def transitions(n: int, seed: int, low: float = -1.0, high: float = 1.0) -> tuple[Any, Any]:
    """A line whose speed is ``sin(3 u)`` with noise that grows with u: 0.1 to 0.5 per square root of a second."""
    rng = np.random.default_rng(seed)
    u = rng.uniform(low, high, (n, 1))
    x = rng.normal(size=(n, 1))
    y = x + DT * np.sin(3.0 * u) + np.sqrt(DT) * loudness(u) * rng.standard_normal((n, 1))
    return np.stack([x, y], 1), u[:, None]


def loudness(u: Any) -> Any:
    return 0.3 + 0.2 * u


def test_a_head_learns_how_loud_the_noise_is() -> None:
    network: Any = lambda i, o: GaussianHead.ensemble(3, i, o, hidden=(16,))
    blank = LearnedDynamics(*LINE, network)
    model = fit(blank, *transitions(3000, 0), DT, epochs=60, batch=128, rate=1e-2, rng=0).model
    u = np.linspace(-0.9, 0.9, 7)[:, None]
    found = np.sqrt(model.noise(np.zeros((7, 1)), u, DT)[:, 0, 0] / DT)
    np.testing.assert_allclose(found, loudness(u)[:, 0], rtol=0.25)
    plain = fit(LearnedDynamics(*LINE, MLP(2, 1, hidden=(16,))), *transitions(3000, 0), DT, epochs=20, rng=0).model
    (xs, us) = transitions(2000, 9)
    x, y, v = xs[:, 0], xs[:, 1], us[:, 0]

    def nll(model: Any) -> float:
        s = model.noise(x, v, DT)[:, 0, 0]
        return float(np.mean(0.5 * ((y - model.step(x, v, DT))[:, 0] ** 2 / s + np.log(s))))

    assert nll(model) < nll(plain) - 0.05, "noise that depends on the action is more likely than a constant"


DOUBTING = {
    "ensemble": NETWORKS["ensemble"],
    "ensemble of heads": NETWORKS["ensemble of heads"],
    "dropout": lambda i, o: DropoutMLP(i, o, hidden=(32,), rate=0.2, masks=20, activation="relu"),
}


@pytest.mark.parametrize("network", DOUBTING.values(), ids=DOUBTING)
def test_models_doubt_what_they_have_not_seen(network: Any) -> None:
    xs, us = transitions(600, 1, low=-0.5, high=0.5)
    model = fit(LearnedDynamics(*LINE, network), xs, us, DT, epochs=60, rate=1e-2, batch=64, rng=0).model
    near, far = (model.predict(np.zeros((9, 1)), np.linspace(a, b, 9)[:, None], DT) for a, b in ((-0.4, 0.4), (2, 4)))
    assert far.epistemic.mean() > 4.0 * near.epistemic.mean()


def test_the_noise_of_a_fit_is_calibrated_on_what_was_held_out() -> None:
    """Scaled by the factor that makes held-out errors of unit variance, also after too little training."""
    blank = LearnedDynamics(*LINE, lambda i, o: GaussianHead(MLP(i, 2 * o, hidden=(8,))))
    model = fit(blank, *transitions(2000, 0), DT, epochs=2, rng=0).model
    xs, us = transitions(4000, 7)
    x, y, v = xs[:, 0], xs[:, 1], us[:, 0]
    z = (y - model.step(x, v, DT))[:, 0] / np.sqrt(model.noise(x, v, DT)[:, 0, 0])
    assert abs(np.mean(z**2) - 1.0) < 0.2


def test_training_of_dropout_replays() -> None:
    blank = LearnedDynamics(*LINE, NETWORKS["dropout"])
    xs, us = transitions(200, 0)
    a, b = (fit(blank, xs, us, DT, epochs=3, rng=5) for _ in range(2))
    assert a.epochs == b.epochs
    x, u = points(blank)
    np.testing.assert_array_equal(a.model.step(x, u, DT), b.model.step(x, u, DT))


class Pair(torch.nn.Module):
    """A user's module is a network without members, whatever it does inside."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[..., :1] * 0.5


def test_modules_of_users_have_one_member() -> None:
    model = LearnedDynamics(*LINE, Pair(), noise=0.1)
    found = model.predict(np.ones((4, 1)), np.ones((4, 1)), DT)
    assert not found.epistemic.any()
    assert isinstance(model.members(torch.ones(4, 1).double(), torch.ones(4, 1).double()), Outputs)
