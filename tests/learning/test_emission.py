"""Laws of learned models as machine code: they are the networks that they were made from."""

import pickle

import numpy as np
import pytest
import torch

from pilotage.core import ModelError, Space
from pilotage.learning import MLP, LearnedDynamics, ResidualDynamics, Scaling
from pilotage.models import bicycle, pendulum
from pilotage.models.trace import LANES

PLANE = Space("x y [m]", "yaw: angle", "speed [m/s]"), Space("accel [m/s^2]", "steer [rad]")
SOLID = Space("pose: SE3"), Space("push")


def learned(state: Space, action: Space, hidden: tuple[int, ...] = (24, 24), activation: str = "tanh"):
    inputs = state.width + action.width
    network = MLP(inputs, state.dim, hidden=hidden, activation=activation)
    weights = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=weights, dtype=torch.float64) / 3.0
    mean, std = torch.linspace(-1.0, 1.0, inputs).double(), torch.linspace(0.5, 2.0, inputs).double()
    scaling = Scaling(mean, std, torch.linspace(0.1, 1.0, state.dim).double())
    return LearnedDynamics(state, action, network, scaling=scaling, noise=0.2)


def drawn(state: Space, action: Space, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    xs = np.array([state.plus(state.identity(), rng.normal(size=state.dim)) for _ in range(count)])
    return xs, rng.normal(size=(count, action.size))


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu", "mish"])
@pytest.mark.parametrize("spaces", [PLANE, SOLID], ids=["plane", "solid"])
def test_it_is_its_network(spaces, activation) -> None:
    model, dt = learned(*spaces, activation=activation), 0.1
    made, (xs, us) = model.traced(), drawn(*spaces)
    np.testing.assert_allclose(made.step(xs, us, dt), model.step(xs, us, dt), atol=1e-12)
    np.testing.assert_allclose(made.step(xs[0], us[0], dt), model.step(xs[0], us[0], dt), atol=1e-12)
    for ours, theirs in zip(made.linearize(xs, us, dt), model.linearize(xs, us, dt), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)
    np.testing.assert_allclose(
        made.noise(xs, us, dt), np.broadcast_to(model.noise(xs, us, dt), (6, *(spaces[0].dim,) * 2))
    )
    tensor = made.step(torch.from_numpy(xs), torch.from_numpy(us), dt)
    np.testing.assert_allclose(tensor.numpy(), model.step(xs, us, dt), atol=1e-12)


def test_machine_code_is_the_formula() -> None:
    """Of one state, of lanes, and of derivatives, with layers longer and shorter than the rows computed at once."""
    rng = np.random.default_rng(1)
    for hidden in [(3,), (9,), (40, 33), (64, 64)]:
        model = learned(*PLANE, hidden=hidden)
        made, dt = model.traced(), np.array([0.1])
        X, U = rng.normal(size=(4, LANES)), rng.normal(size=(2, LANES))
        F, B = model.linearize(X.T, U.T, 0.1)
        one = made.code("y F B").run(X[:, 0].copy(), U[:, 0].copy(), dt, made.vector())
        lanes = made.code("y F B", lanes=True).run(X, U, dt, made.vector())
        for name, expected in (("y", model.step(X.T, U.T, 0.1)), ("F", F), ("B", B)):
            np.testing.assert_allclose(one[name], expected[0], atol=1e-11)
            np.testing.assert_allclose(np.moveaxis(lanes[name], -1, 0), expected, atol=1e-11)


def test_a_prior_goes_on_with_its_parameters_and_noise() -> None:
    prior = bicycle(wheelbase=1.7, noise=(0.1, 0.2, 0.3, 0.4), integrator="rk4").scale_noise([1.0, 2.0, 3.0, 4.0])
    network = learned(*PLANE).network
    model = ResidualDynamics(prior, network)
    made, (xs, us) = model.traced(), drawn(prior.state, prior.action)
    np.testing.assert_allclose(made.step(xs, us, 0.1), model.step(xs, us, 0.1), atol=1e-12)
    np.testing.assert_allclose(made.noise(xs, us, 0.1), model.noise(xs, us, 0.1), atol=1e-12)
    other = ResidualDynamics(prior.replace(wheelbase=2.5), network)
    np.testing.assert_allclose(made.replace(wheelbase=2.5).step(xs, us, 0.1), other.step(xs, us, 0.1), atol=1e-12)
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(again.step(xs, us, 0.1), made.step(xs, us, 0.1))


def test_new_weights_compile_nothing() -> None:
    first, second = learned(*PLANE), learned(*PLANE)
    next(second.network.parameters()).data.mul_(0.5)
    a, b = first.traced(), second.traced()
    assert a.code("y") is b.code("y")
    assert not np.allclose(a.step([0.1, 0.2, 0.3, 0.4], [0.5, 0.6], 0.1), b.step([0.1, 0.2, 0.3, 0.4], [0.5, 0.6], 0.1))


def test_what_is_no_formula_is_refused() -> None:
    class Table(torch.nn.Module):
        def forward(self, phi):
            return phi[..., :2]

    with pytest.raises(ModelError, match="Table"):
        LearnedDynamics(pendulum().state, pendulum().action, Table()).traced()
    prior = LearnedDynamics(pendulum().state, pendulum().action)
    with pytest.raises(ModelError, match="LearnedDynamics"):
        ResidualDynamics(prior).traced()


def test_a_network_may_correct_a_network() -> None:
    first = learned(*PLANE)
    second = ResidualDynamics(first.traced(), learned(*PLANE, hidden=(9,)).network)
    xs, us = drawn(*PLANE)
    np.testing.assert_allclose(second.traced().step(xs, us, 0.1), second.step(xs, us, 0.1), atol=1e-12)


def test_a_prior_that_ran_before_changes_nothing() -> None:
    """A trace reads the prior by its key, not by what it has compiled meanwhile."""
    network = learned(*PLANE).network
    first = ResidualDynamics(bicycle(), network).traced()
    car = bicycle()
    car.code("y F")
    car.step([0.0, 0.0, 0.0, 1.0], [0.0, 0.0], 0.1)
    assert ResidualDynamics(car, network).traced()._function is first._function
