from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from pilotage.control import MPPI, reach
from pilotage.core import (
    ActionStatus,
    Dynamics,
    FormatError,
    MissingFile,
    ModelError,
    PilotageError,
    SettingError,
    ShapeError,
    Space,
    jacobian,
)
from pilotage.estimators import EKF
from pilotage.io import write_atomic
from pilotage.learning import MLP, Epoch, Fit, LearnedDynamics, ResidualDynamics, Scaling, _threads, checkpoint, fit
from pilotage.models import pendulum, quadrotor, unicycle
from pilotage.testing import check_dynamics


def awake(model, seed=0):
    """The same model with weights that do something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return model


POSED = Space("pose: SE2", "q: quaternion", "yaw: angle", "v [m/s]")
PUSH = Space("a b in [-1, 1]")
MODELS = {
    "pendulum": lambda: awake(ResidualDynamics(pendulum())),
    "unicycle": lambda: awake(ResidualDynamics(unicycle())),
    "quadrotor": lambda: awake(ResidualDynamics(quadrotor())),
    "learned": lambda: awake(LearnedDynamics(POSED, PUSH, noise=0.1)),
}


def points(model, n, seed=0):
    rng = np.random.default_rng(seed)
    return model.state.sample(n, rng=rng), model.action.sample(n, rng=rng)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_arrays_and_tensors_agree(make):
    model = make()
    x, u = points(model, 5)
    y = model.step(x, u, 0.1)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float64
    z = model.step(torch.tensor(x), torch.tensor(u), 0.1)
    assert isinstance(z, torch.Tensor)
    np.testing.assert_allclose(z.detach().numpy(), y, atol=1e-12)
    for i in range(5):
        np.testing.assert_allclose(model.step(x[i], u[i], 0.1), y[i], atol=1e-12)
    np.testing.assert_allclose(model.step(x[:, None], u, 0.1)[2, 2], y[2], atol=1e-12)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_contract_is_kept(make):
    check_dynamics(make(), tensors=True)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_jacobians_agree_with_differences(make):
    model = make()
    x, u = points(model, 4)
    F, B = model.linearize(x, u, 0.1)
    assert F.shape == (4, model.state.dim, model.state.dim)
    np.testing.assert_allclose(F, jacobian(lambda y: model.step(y, u, 0.1), x, model.state, model.state), atol=1e-7)
    np.testing.assert_allclose(B, jacobian(lambda v: model.step(x, v, 0.1), u, model.action, model.state), atol=1e-7)
    F1, B1 = model.linearize(x[1], u[1], 0.1)
    np.testing.assert_allclose(F1, F[1], atol=1e-12)
    np.testing.assert_allclose(B1, B[1], atol=1e-12)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_gradients_reach_states_actions_and_weights(make):
    model = make()
    x, u = (torch.tensor(a, requires_grad=True) for a in points(model, 3))
    model.step(x, u, 0.1).pow(2).sum().backward()
    for leaf in (x, u, *model.network.parameters()):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        assert leaf.grad.abs().sum() > 0


def test_a_fresh_residual_is_its_prior():
    prior = unicycle()
    model = ResidualDynamics(prior)
    x, u = points(model, 6)
    np.testing.assert_allclose(model.step(x, u, 0.2), prior.step(x, u, 0.2), atol=1e-15)
    for mine, known in zip(model.linearize(x, u, 0.2), prior.linearize(x, u, 0.2), strict=True):
        np.testing.assert_allclose(mine, known, atol=1e-12)
    np.testing.assert_array_equal(model.noise(x, u, 0.2), prior.noise(x, u, 0.2))


def test_a_fresh_learned_model_stands_still():
    """Its Jacobians are the identity and zero, not differences of them."""
    model = LearnedDynamics(POSED, PUSH)
    x, u = points(model, 6)
    np.testing.assert_allclose(model.step(x, u, 0.2), x, atol=1e-15)
    F, B = model.linearize(x, u[0], 0.2)
    np.testing.assert_allclose(F, np.broadcast_to(np.eye(POSED.dim), F.shape), atol=1e-14)
    np.testing.assert_array_equal(B, np.zeros((6, POSED.dim, PUSH.dim)))


class Simulator(Dynamics):
    """Knows numpy only."""

    state, action = pendulum().state, pendulum().action

    def step(self, x, u, dt):
        assert isinstance(x, np.ndarray)
        return pendulum(damping=0.3).step(x, u, dt)


def test_a_prior_need_not_know_torch():
    model, twin = awake(ResidualDynamics(Simulator())), awake(ResidualDynamics(pendulum(damping=0.3)))
    x, u = points(model, 4)
    np.testing.assert_allclose(model.step(x, u, 0.1), twin.step(x, u, 0.1), atol=1e-12)
    np.testing.assert_allclose(model.linearize(x, u, 0.1)[0], twin.linearize(x, u, 0.1)[0], atol=1e-7)


def test_models_declare_whether_they_take_tensors():
    """Nothing is concluded from other attributes that a model may have."""

    class Named(Simulator):
        code = "pendulum-v1"

    model, us = awake(ResidualDynamics(Named())), np.zeros((3, 1))
    assert model.rollout([0.1, 0.0], us, 0.1).shape == (4, 2)
    assert not model.takes_tensors
    assert all(make().takes_tensors for make in MODELS.values())
    assert ResidualDynamics(model).takes_tensors is False


def test_networks_may_be_of_any_kind_and_precision():
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 2))
    model = ResidualDynamics(pendulum(), network, noise=(0.1, 0.2))
    x, u = points(model, 3)
    assert model.step(x, u, 0.1).dtype == np.float64
    assert np.isfinite(model.linearize(x, u, 0.1)[0]).all()
    np.testing.assert_allclose(model.noise(x, u, 0.1)[0], np.diag([0.001, 0.004]))


def test_features_have_no_seams():
    space = Space("yaw: angle", "q: quaternion", "pose: SE3", "plane: SE2", "v")
    x = space.sample(rng=0)
    turned = x.copy()
    turned[0] += 2 * np.pi
    turned[1:5] *= -1
    turned[8:12] *= -1
    turned[14] -= 2 * np.pi
    a, b = (space.features(torch.tensor(s)) for s in (x, turned))
    torch.testing.assert_close(a, b)
    assert a.shape == (space.width,) == (2 + 9 + 3 + 9 + 2 + 2 + 1,)


def swings(model, n=60, steps=25, dt=0.05, seed=0):
    rng = np.random.default_rng(seed)
    us = rng.uniform(-2, 2, (n, steps, 1))
    return model.rollout(model.state.sample(n, rng=rng), us, dt), us


def test_a_residual_learns_what_the_prior_lacks():
    truth = pendulum(damping=0.4, mass=1.2)
    prior = pendulum()
    seen: list[Epoch] = []
    found = fit(ResidualDynamics(prior), *swings(truth), 0.05, epochs=120, rng=1, progress=seen.append)
    x, u = points(prior, 300, seed=9)
    error, before = (
        np.sqrt((prior.state.minus(m.step(x, u, 0.05), truth.step(x, u, 0.05)) ** 2).mean())
        for m in (found.model, prior)
    )
    assert error < 0.05 * before
    assert [epoch.number for epoch in seen] == list(range(1, 121))
    assert found.best.validation == min(epoch.validation for epoch in found.epochs)
    assert found.seed == 1


def test_learned_dynamics_learn_and_measure_their_noise():
    truth, space = pendulum(), pendulum().state
    xs, us = swings(truth, n=150)
    sigma, dt = 0.05, 0.05
    rng = np.random.default_rng(3)
    # One-step transitions with process noise, each from a state known exactly.
    x, u, y = xs[:, :-1].reshape(-1, 2), us.reshape(-1, 1), xs[:, 1:].reshape(-1, 2)
    y = space.plus(y, sigma * np.sqrt(dt) * rng.standard_normal(y.shape))
    found = fit(LearnedDynamics(space, truth.action), np.stack([x, y], 1), u[:, None], dt, epochs=150, rng=1).model
    assert found.noise_density is not None
    np.testing.assert_allclose(found.noise_density, sigma, rtol=0.15)
    x, u = points(truth, 200, seed=8)
    assert np.sqrt((space.minus(found.step(x, u, dt), truth.step(x, u, dt)) ** 2).mean()) < 0.03


def test_training_replays_and_leaves_the_model_alone():
    model, (xs, us) = ResidualDynamics(pendulum()), swings(pendulum(damping=0.4), n=10)
    state = torch.random.get_rng_state()
    a, b, c = (fit(model, xs, us, 0.05, epochs=3, rng=seed) for seed in (5, 5, 6))
    assert a.epochs == b.epochs != c.epochs
    x, u = points(model, 3)
    np.testing.assert_array_equal(a.model.step(x, u, 0.1), b.model.step(x, u, 0.1))
    np.testing.assert_allclose(model.step(x, u, 0.1), pendulum().step(x, u, 0.1), atol=1e-15)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", MODELS)
def test_saved_models_come_back(name, tmp_path):
    model = MODELS[name]()
    model.save(tmp_path / "model")
    kind = type(model)
    back = kind.load(tmp_path / "model", *([model.prior] if kind is ResidualDynamics else []))
    x, u = points(model, 4)
    np.testing.assert_array_equal(back.step(x, u, 0.1), model.step(x, u, 0.1))
    np.testing.assert_array_equal(back.noise(x, u, 0.1), model.noise(x, u, 0.1))
    assert (back.state, back.action) == (model.state, model.action)
    names = sorted(p.name for p in (tmp_path / "model").iterdir())
    assert names == ["config.json", weights_in(tmp_path / "model").name]


def weights_in(folder):
    (found,) = folder.glob("model-*.safetensors")
    return found


@pytest.mark.parametrize("step", [1, 2])
def test_a_run_that_is_killed_while_saving_leaves_the_old_model(step, tmp_path, monkeypatch):
    old, new = (awake(LearnedDynamics(POSED, PUSH, noise=noise), seed) for seed, noise in ((1, 0.1), (2, 0.2)))
    x, u = points(old, 3)
    old.save(tmp_path)
    steps = []

    def killed(path, content):
        steps.append(path)
        if len(steps) == step:
            raise KeyboardInterrupt
        write_atomic(path, content)

    with monkeypatch.context() as patched:
        patched.setattr("pilotage.learning.checkpoint.write_atomic", killed)
        with pytest.raises(KeyboardInterrupt):
            new.save(tmp_path)
    back = LearnedDynamics.load(tmp_path)
    np.testing.assert_array_equal(back.step(x, u, 0.1), old.step(x, u, 0.1))
    np.testing.assert_array_equal(back.noise(x, u, 0.1), old.noise(x, u, 0.1))
    new.save(tmp_path)
    np.testing.assert_array_equal(LearnedDynamics.load(tmp_path).step(x, u, 0.1), new.step(x, u, 0.1))
    weights_in(tmp_path)  # no other weights are left


def test_a_model_that_is_saved_anew_while_it_is_loaded(tmp_path, monkeypatch):
    old, new = (awake(LearnedDynamics(POSED, PUSH, noise=0.1), seed) for seed in (1, 2))
    old.save(tmp_path)
    real, reads = checkpoint._config, []

    def meanwhile(path):
        found = real(path)
        if not reads:
            reads.append(path)
            new.save(tmp_path)
        return found

    monkeypatch.setattr(checkpoint, "_config", meanwhile)
    x, u = points(old, 3)
    np.testing.assert_array_equal(LearnedDynamics.load(tmp_path).step(x, u, 0.1), new.step(x, u, 0.1))


def test_other_networks_are_filled(tmp_path):
    def make():
        return torch.nn.Linear(4, 2, dtype=torch.float64)

    model = ResidualDynamics(pendulum(), make())
    model.save(tmp_path)
    with pytest.raises(FormatError, match="no block of this package; pass a module"):
        ResidualDynamics.load(tmp_path, pendulum())
    back = ResidualDynamics.load(tmp_path, pendulum(), make())
    x, u = points(model, 2)
    np.testing.assert_array_equal(back.step(x, u, 0.1), model.step(x, u, 0.1))


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(MissingFile, match=r"no learned model in .*config.json is missing"):
        LearnedDynamics.load(tmp_path)
    LearnedDynamics(POSED, PUSH).save(tmp_path)
    with pytest.raises(FormatError, match="of kind 'learned'"):
        ResidualDynamics.load(tmp_path, pendulum())
    file = weights_in(tmp_path)
    weights = file.read_bytes()
    for other in (weights[: len(weights) // 2], b"", weights[:-1] + b"!"):
        file.write_bytes(other)
        with pytest.raises(FormatError, match=r"model-.*\.safetensors is damaged: its content does not match"):
            LearnedDynamics.load(tmp_path)
    file.unlink()
    with pytest.raises(MissingFile, match=r"model-.*\.safetensors is missing"):
        LearnedDynamics.load(tmp_path)
    file.write_bytes(weights)
    config = json.loads((tmp_path / "config.json").read_text())
    for name in (None, "../model-0123456789abcdef.safetensors", 3):
        (tmp_path / "config.json").write_text(json.dumps({**config, "weights": name}))
        with pytest.raises(FormatError, match="names no weights"):
            LearnedDynamics.load(tmp_path)
    nothing = checkpoint.content_name("model", b"nothing")
    (tmp_path / nothing).write_bytes(b"nothing")
    (tmp_path / "config.json").write_text(json.dumps({**config, "weights": nothing}))
    with pytest.raises(FormatError, match="is damaged"):
        LearnedDynamics.load(tmp_path)
    config["network"]["hidden"] = [3]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(FormatError, match="does not fit its network"):
        LearnedDynamics.load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(FormatError, match="is not JSON"):
        LearnedDynamics.load(tmp_path)


def test_sentences(tmp_path):
    with pytest.raises(ModelError, match="4 features"):
        ResidualDynamics(pendulum(), MLP(3, 2))
    with pytest.raises(ModelError, match=r"into \(1, 5\); \(1, 2\) was expected, the tangent of theta, theta_rate"):
        ResidualDynamics(pendulum(), MLP(4, 5))
    with pytest.raises(ModelError, match="noise must be 2 standard deviations"):
        ResidualDynamics(pendulum(), noise=(1, 2, 3))
    with pytest.raises(ShapeError, match=r"expected \(..., T\+1, 2\)"):
        fit(ResidualDynamics(pendulum()), np.zeros((4, 5, 2)), np.zeros((4, 5, 1)), 0.1)
    ResidualDynamics(pendulum()).save(tmp_path)
    with pytest.raises(ModelError, match="the prior moves"):
        ResidualDynamics.load(tmp_path, unicycle())


@pytest.mark.parametrize("make", [lambda: LearnedDynamics(pendulum().state, pendulum().action),
                                  lambda: ResidualDynamics(pendulum())], ids=["learned", "residual"])  # fmt: skip
def test_precision_and_lengths(make):
    model = make()
    x, u = torch.tensor([0.1, 0.2], dtype=torch.float32), torch.tensor([0.3], dtype=torch.float32)
    assert {model.step(x, u, 0.1).dtype, *(J.dtype for J in model.linearize(x, u, 0.1))} == {torch.float32}
    for kind in (np.array, torch.tensor):
        with pytest.raises(ShapeError, match="state has shape"):
            model.step(kind([0.1]), kind([0.3]), 0.1)
        with pytest.raises(ShapeError, match="action has shape"):
            model.step(kind([0.1, 0.2]), kind([0.3, 0.4]), 0.1)


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"batch": 0}, {"held_out": 1.0}, {"rate": float("nan")}], ids=str)
def test_settings_of_training_have_a_range(setting):
    model = LearnedDynamics(Space("x [m]"), Space("v [m/s]"))
    with pytest.raises(PilotageError, match=f"{next(iter(setting))} is "):
        fit(model, np.zeros((5, 2, 1)), np.zeros((5, 1, 1)), 0.1, **setting)


@pytest.mark.parametrize("setting", [{"epochs": 2.5}, {"batch": "all"}], ids=str)
def test_counts_of_training_are_whole(setting):
    model = LearnedDynamics(Space("x [m]"), Space("v [m/s]"))
    with pytest.raises(PilotageError, match=f"{next(iter(setting))} is .*expected a whole number"):
        fit(model, np.zeros((5, 2, 1)), np.zeros((5, 1, 1)), 0.1, **setting)


def test_training_that_diverges_says_so():
    xs, us = swings(pendulum(damping=0.4), n=5)
    with pytest.raises(PilotageError, match=r"training diverged: .*; try a rate below 1e\+300"):
        fit(ResidualDynamics(pendulum()), xs, us, 0.05, epochs=3, rate=1e300, rng=0)


def test_the_best_epoch_is_one_that_has_an_error():
    epochs = [Epoch(1, 3, 1.0, float("nan")), Epoch(2, 3, 1.0, 0.5), Epoch(3, 3, 1.0, float("nan"))]
    assert Fit(ResidualDynamics(pendulum()), tuple(epochs), 0).best is epochs[1]


def test_two_transitions_are_enough():
    model = LearnedDynamics(Space("x [m]"), Space("v [m/s]"))
    states = np.array([[[0.0], [0.1]], [[0.0], [0.2]]])
    trained = fit(model, states, np.array([[[1.0]], [[2.0]]]), 0.1, epochs=2, rng=0)
    assert np.isfinite(trained.best.loss)


def test_a_scaling_of_another_model_is_refused():
    with pytest.raises(ModelError, match=r"the scaling is for \(features, outputs\) \(2, 3\)"):
        ResidualDynamics(pendulum(), scaling=Scaling.none(2, 3))


@pytest.mark.parametrize("change", [{"noise": "loud"}, {"network": {"inputs": 2, "outputs": 1, "activation": "step"}}],
                         ids=["noise", "activation"])  # fmt: skip
def test_damaged_settings_name_the_folder(change, tmp_path):
    LearnedDynamics(Space("x [m]"), Space("v [m/s]")).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(FormatError, match=tmp_path.name):
        LearnedDynamics.load(tmp_path)


def test_models_that_were_not_made_are_refused():
    with pytest.raises(SettingError, match=r"ResidualDynamics needs Dynamics, not .*; is \(\) missing"):
        ResidualDynamics(pendulum)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="LearnedDynamics needs a Space, not 'v'"):
        LearnedDynamics(Space("x [m]"), "v")  # pyright: ignore[reportArgumentType]


def test_samplers_roll_a_network_out_in_torch(monkeypatch):
    model, seen = awake(LearnedDynamics(Space("x y"), Space("a b in [-1, 1]"))), []
    xs, us = points(model, 20)
    us = np.stack([us] * 6, axis=1)
    rolled, x = model.rollout(xs, us, 0.1), xs
    for t in range(6):
        x = model.step(x, us[:, t], 0.1)
        np.testing.assert_allclose(rolled[:, t + 1], x, rtol=0, atol=1e-12)
    drive = MPPI(model, reach(model, [0.0, 0.0]), horizon=6, samples=30, rng=0)
    inner = model._model
    step = inner.step
    monkeypatch.setattr(inner, "step", lambda x, u, dt: (seen.append((type(x), tuple(x.shape))), step(x, u, dt))[1])
    assert drive.act([0.5, 0.5]).status is ActionStatus.SOLVED
    assert seen == [(torch.Tensor, (30, 2))] * 6, "one call a step, for all samples"


class Counting(MLP):
    """A network that notes how many threads torch has when it runs."""

    seen: set[int]

    def forward(self, features):
        self.seen.add(torch.get_num_threads())
        return super().forward(features)


@pytest.fixture
def counting():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    network = Counting(4, 2)
    network.seen = set()
    yield LearnedDynamics(Space("yaw: angle", "rate"), Space("push"), network, noise=0.1)
    torch.set_num_threads(before)


USES = {
    "step": lambda model: model.step(np.zeros((100, 2)), np.zeros(1), 0.1),
    "rollout": lambda model: model.rollout(np.zeros(2), np.zeros((100, 5, 1)), 0.1),
    "no rollout": lambda model: model.rollout(np.zeros((3, 2)), np.zeros((0, 1)), 0.1),
    "linearize": lambda model: model.linearize(np.zeros(2), np.zeros(1), 0.1),
    "fit": lambda model: fit(model, np.zeros((9, 3, 2)), np.zeros((9, 2, 1)), 0.1, epochs=1, rng=0),
    "filter": lambda model: EKF(model, dt=0.1).start(mean=[0.0, 0.0], std=[1.0, 1.0]).predict(u=[0.0]),
    "sampler": lambda model: MPPI(model, reach(model, [0.0, 0.0]), horizon=3, samples=20, std=1.0, rng=0).act(
        [0.1, 0.0]
    ),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_small_batches_run_on_one_thread(counting, use):
    counting.network.seen.clear()  # of the check of its shape
    use(counting)
    assert counting.network.seen <= {1}
    assert torch.get_num_threads() == 2


def test_large_batches_and_tensors_keep_their_threads(counting, monkeypatch):
    x, u = np.zeros((100, 2)), np.zeros(1)
    counting.network.seen.clear()
    counting.step(torch.tensor(x), torch.tensor(u), 0.1)
    monkeypatch.setattr(_threads, "SMALL", 100 * _threads.weights(counting.network) - 1)
    counting.step(x, u, 0.1)
    counting.rollout(x, np.zeros((5, 1)), 0.1)
    assert counting.network.seen == {2}
    counting.step(x[1:], u, 0.1)
    assert counting.network.seen == {1, 2}


def test_threads_come_back_after_an_error_and_others_keep_theirs(counting):
    with ThreadPoolExecutor(1) as other:
        other.submit(torch.get_num_threads).result()
        with pytest.raises(KeyError), _threads.threads_for(1):
            assert (torch.get_num_threads(), other.submit(torch.get_num_threads).result()) == (1, 2)
            raise KeyError
        assert (torch.get_num_threads(), other.submit(torch.get_num_threads).result()) == (2, 2)
        assert ThreadPoolExecutor(1).submit(torch.get_num_threads).result() == 2
