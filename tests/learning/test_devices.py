"""Devices, by torch's meta device in the place of a GPU: it has shapes only, and refuses tensors of the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pilotage.core import Dynamics
from pilotage.learning import (
    MLP,
    DropoutMLP,
    Ensemble,
    GaussianHead,
    LearnedDynamics,
    ParametricDynamics,
    ResidualDynamics,
    TrainingSettings,
    train,
)
from pilotage.learning._tensors import check_weights, copied_weights, load_optimizer_state, optimizer_state
from pilotage.learning.parameter_fit import _Moving
from pilotage.learning.transitions import Transitions, velocities
from pilotage.learning.worlds import DynamicsSettings, DynamicsWorld
from pilotage.models import bicycle

from .test_networks import BLOCKS

META = torch.device("meta")
CAR = bicycle()
NETWORKS: dict[str, Any] = {
    "perceptron": lambda i, o: MLP(i, o, hidden=(8,)),
    "ensemble": lambda i, o: Ensemble(3, i, o, hidden=(8,)),
    "dropout": lambda i, o: DropoutMLP(i, o, hidden=(8,)),
    "heads": lambda i, o: GaussianHead.ensemble(3, i, o, hidden=(8,)),
}
MODELS: dict[str, Any] = {
    "residual": lambda network: ResidualDynamics(CAR, network, noise=0.1),
    "learned": lambda network: LearnedDynamics(CAR.state, CAR.action, network, noise=0.1, epistemic=True),
    "parametric": lambda network: ParametricDynamics(CAR, {"wheelbase": (1.0, 5.0)}, network=network),
}


def there(*found: Any) -> bool:
    """Whether all tensors in nested results are on the device."""
    tensors = [each for each in found if isinstance(each, torch.Tensor)]
    nested = [each for each in found if isinstance(each, tuple)]
    return all(each.device == META for each in tensors) and all(there(*each) for each in nested)


def test_the_device_refuses_tensors_of_the_cpu() -> None:
    with pytest.raises(RuntimeError, match="device"):
        torch.add(torch.ones(3), torch.ones(3, device=META))


@pytest.mark.parametrize(("make", "given"), BLOCKS.values(), ids=BLOCKS)
def test_networks_make_their_tensors_where_they_are(make: Any, given: Any) -> None:
    network = make().to(META).eval()
    assert there(network(*(each.to(META) if isinstance(each, torch.Tensor) else each for each in given)))


@pytest.mark.parametrize(
    ("model", "network"),
    [(MODELS[m], NETWORKS[n]) for m in MODELS for n in NETWORKS if (m, n) != ("parametric", "heads")],
)
def test_models_make_their_tensors_where_their_inputs_are(model: Any, network: Any) -> None:
    made: Dynamics = model(network)
    made.network.to(META)  # type: ignore[attr-defined]
    x, u = (torch.empty(5, n, dtype=torch.float64, device=META) for n in (4, 2))
    us = torch.empty(5, 3, 2, dtype=torch.float64, device=META)
    found = made.predict(x, u, 0.1)  # type: ignore[attr-defined]
    assert there(made.step(x, u, 0.1), made.linearize(x, u, 0.1), made.noise(x, u, 0.1), made.rollout(x, us, 0.1))
    assert there(found.mean, found.epistemic, found.aleatoric, found.cov)


def driven() -> tuple[Any, Any]:
    us = CAR.action.sample((20, 5), rng=0)
    return CAR.rollout(CAR.state.sample(20, rng=0), us, 0.1), us


def test_examples_follow_a_network_that_moves() -> None:
    """As `train` moves it to the device of its settings."""
    xs, us = driven()
    given: Any = {"batch": 16, "held_out": 0.1, "generator": np.random.default_rng(0)}
    examples = Transitions(ResidualDynamics(CAR), xs, us, 0.1, **given).examples
    examples.modules["network"].to(META)
    assert there(examples.loss(0, np.random.default_rng(0))[0], examples.validate()["score"])


def test_the_fit_of_parameters_follows_its_network() -> None:
    model = MODELS["parametric"](NETWORKS["ensemble"])
    moving = _Moving(model, *velocities(model, *driven(), 0.1), 0.1).to(META)
    assert there(moving(torch.empty(7, 10, dtype=torch.float64, device=META)))


def test_a_checkpoint_of_another_device_is_loaded() -> None:
    """What is kept is on the CPU, and what is restored is where the weights are."""
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    kept = {**copied_weights({"net": network}), **optimizer_state(optimizer)}
    assert {value.device.type for value in kept.values()} == {"cpu"}
    other = torch.nn.Linear(3, 2).to(META)
    again = torch.optim.AdamW(other.parameters())
    load_optimizer_state(again, kept, Path())
    check_weights(kept, {"net": other}, Path())
    assert there(*(each["exp_avg"] for each in again.state.values()))


class Products:
    """A loss that tells in which precision its products are computed."""

    def __init__(self) -> None:
        self.modules, self.seen = {"net": torch.nn.Linear(3, 1)}, set[torch.dtype]()

    def loss(self, step: int, generator: Any) -> Any:
        out = self.modules["net"](torch.ones(4, 3, device=self.modules["net"].weight.device))
        self.seen.add(out.dtype)
        return out.pow(2).mean(), {}


@pytest.mark.parametrize("device", ["cpu", "auto", None])
def test_mixed_precision_is_full_without_a_gpu(device: str | None) -> None:
    if device == "auto" and torch.cuda.is_available():
        pytest.skip("auto is the GPU")
    trainee = Products()
    train(trainee, TrainingSettings(steps=3, precision="mixed", device=device))
    assert trainee.seen == {torch.float32}
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_world_takes_a_device(device: str, tmp_path: Path) -> None:
    """On a GPU, too, its data follow the network."""
    settings = DynamicsSettings(drives=10, steps=20, device=device, precision="mixed")
    assert DynamicsWorld().train(settings, tmp_path)["end"] == "completed"
