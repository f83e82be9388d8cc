"""Saved models that are damaged, and networks that do not fit: each is refused in a sentence that names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pilotage.core import FormatError, ModelError, PilotageError, SettingError, ShapeError
from pilotage.learning import (
    MLP,
    Ensemble,
    LearnedDynamics,
    NetworkPolicy,
    ParametricDynamics,
    ResidualDynamics,
    Scaling,
    calibrate,
)
from pilotage.learning.networks import DeepSet, GraphNetwork, Network, Normalized, Recurrent, Trigonometric
from pilotage.learning.worlds import TruckPolicy, WallsPolicy
from pilotage.learning.worlds.truck.emulator import TruckEmulator
from pilotage.models import pendulum

SWING = pendulum(damping=0.1)
POLICY = NetworkPolicy(SWING.state, SWING.action, Ensemble(2, 3, 1, hidden=(8,), bounded=True))
KINDS: dict[str, tuple[Callable[[], Any], Callable[[Path], Any]]] = {
    "learned": (lambda: LearnedDynamics(SWING.state, SWING.action, noise=0.1), LearnedDynamics.load),
    "residual": (lambda: ResidualDynamics(SWING, noise=0.1), lambda folder: ResidualDynamics.load(folder, SWING)),
    "parametric": (
        lambda: ParametricDynamics(SWING, {"damping": (0.0, 1.0)}),
        lambda folder: ParametricDynamics.load(folder, SWING),
    ),
    "policy": (lambda: POLICY, NetworkPolicy.load),
    "emulator": (lambda: TruckEmulator(MLP(7, 4)), TruckEmulator.load),
    "truck": (lambda: TruckPolicy.new(hidden=(8,)), TruckPolicy.load),
    "walls": (lambda: WallsPolicy.new(hidden=(8,)), WallsPolicy.load),
}


def altered(kind: str, folder: Path, change: dict[str, Any]) -> tuple[Any, Any]:
    """Save a model, change its settings, and load it, with what was saved; an entry `...` is left out."""
    make, load = KINDS[kind]
    made = make()
    made.save(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if isinstance(change.get("extra"), dict):
        change = {**change, "extra": {**config["extra"], **change["extra"]}}
    config = {**config, **change}
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))
    return made, load(folder)


NETWORK = {"kind": "MLP", "inputs": 4, "outputs": 2, "hidden": [64, 64]}
DAMAGED: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "unknown entry": (tuple(KINDS), {"surprise": 1}, "surprise"),
    "extra of no names": (tuple(KINDS), {"extra": 3}, "extra"),
    "unknown entry of the kind": (tuple(KINDS), {"extra": {"surprise": 1}}, "surprise"),
    "no space": (tuple(KINDS), {"state": 3}, "fit together"),
    "bounds": (tuple(KINDS), {"action": {"parts": ["x"], "bounds": {"x": [1]}}}, "fit together"),
    "no network": (tuple(KINDS), {"network": ...}, "network"),
    "network of no names": (tuple(KINDS), {"network": 3}, "fit together"),
    "abstract network": (tuple(KINDS), {"network": {"kind": "Perceptrons"}}, "'Perceptrons'"),
    "setting of the network": (tuple(KINDS), {"network": {**NETWORK, "depth": 3}}, "depth"),
    "other layers": (tuple(KINDS), {"network": {**NETWORK, "hidden": [3]}}, "architecture: .* there, .* here"),
    "other inputs": (tuple(KINDS), {"network": {**NETWORK, "inputs": 9}}, "architecture: .* there, .* here"),
    "no noise": (tuple(KINDS), {"noise": ...}, "noise"),
    "another space": (("learned",), {"state": {"parts": ["x [m]"], "bounds": {}}}, "scaling"),
    "noise": (("learned", "residual"), {"noise": [1, 2, 3]}, "noise"),
    "noise of NaN": (("learned", "residual"), {"noise": [float("nan"), 1.0]}, "noise"),
    "epistemic": (("learned", "residual"), {"extra": {"epistemic": "yes"}}, "epistemic is 'yes'"),
    "ranges": (("parametric",), {"extra": {"varying": 3}}, "fit together"),
    "range": (("parametric",), {"extra": {"varying": {"damping": [1]}}}, "damping"),
    "inputs": (("parametric",), {"extra": {"inputs": 3}}, "inputs"),
    "steps": (("policy",), {"extra": {"steps": "many"}}, "steps is 'many'"),
    "more steps": (("policy",), {"extra": {"steps": 2}}, r"\(3, 2\)"),
    "limits": (("policy",), {"extra": {"limits": "x"}}, "limits"),
    "limits that cross": (("policy",), {"extra": {"limits": [[1.0], [0.0]]}}, "limits"),
    "metrics": (("policy",), {"extra": {"metrics": 3}}, "fit together"),
    "stage": (("policy",), {"extra": {"stage": 3}}, "fit together"),
    "form": (("emulator",), {"extra": {"form": "relative"}}, "form .*'relative'"),
    "another form": (("emulator",), {"extra": {"form": "absolute"}}, r"\(7, 4\)"),
    "inputs of the truck": (("truck",), {"extra": {"inputs": "state"}}, r"\(6, 1\)"),
}


@pytest.mark.parametrize(
    ("kind", "change", "said"), [(k, c, s) for kinds, c, s in DAMAGED.values() for k in kinds],
    ids=[f"{name}-{k}" for name, (kinds, *_) in DAMAGED.items() for k in kinds],
)  # fmt: skip
def test_damaged_settings_are_refused(kind: str, change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        altered(kind, tmp_path, change)
    assert tmp_path.name in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_models_without_a_change_come_back(kind: str, tmp_path: Path) -> None:
    """And a model of version 0.1.0, which kept fewer entries."""
    changes: list[dict[str, Any]] = [{}, {"extra": ...}] if kind in ("learned", "residual") else [{}]
    for change in changes:
        made, found = altered(kind, tmp_path, change)
        kept, loaded = made.network.state_dict(), found.network.state_dict()
        assert type(found) is type(made) and list(loaded) == list(kept)
        assert all(torch.equal(loaded[name], value) for name, value in kept.items())


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_no_numbers_are_refused(kind: str, tmp_path: Path) -> None:
    make, load = KINDS[kind]
    model = make()
    weight = next(model.network.parameters())
    before = weight.detach().clone()
    for wrong in (float("nan"), float("inf")):
        weight.data.flatten()[0] = wrong
        model.save(tmp_path)
        with pytest.raises(FormatError, match="NaN or infinite"):
            load(tmp_path)
    weight.data.copy_(before)


def test_priors_that_do_not_match_are_refused(tmp_path: Path) -> None:
    KINDS["parametric"][0]().save(tmp_path)
    with pytest.raises(PilotageError, match="damping"):
        ParametricDynamics.load(tmp_path, pendulum(damping=3.0))
    for load in (ParametricDynamics.load, ResidualDynamics.load):
        with pytest.raises(SettingError, match=r"is \(\) missing"):
            load(tmp_path, pendulum)  # type: ignore[arg-type]
    KINDS["learned"][0]().save(tmp_path)
    with pytest.raises(SettingError, match="'mlp'"):
        LearnedDynamics.load(tmp_path, "mlp")  # type: ignore[arg-type]


class Answers(torch.nn.Module):
    """A module of a user that answers as it is told."""

    def __init__(self, answer: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, phi: torch.Tensor) -> Any:
        return self.answer(phi)


WRONG: dict[str, tuple[Any, str]] = {
    "text": ("mlp", "network is 'mlp'"),
    "a number": (3, "network is 3"),
    "a function of nothing": (lambda i, o: None, "None"),
    "a sequence": (Recurrent(4, 2), "tuple"),
    "a graph": (GraphNetwork(4, 2), "edges"),
    "a set": (DeepSet(4, 2), r"\(2,\)"),
    "other inputs": (MLP(5, 2), "4 features"),
    "a pair": (Answers(lambda phi: (phi, phi)), "tuple"),
    "an array": (Answers(lambda phi: phi.numpy()[..., :2]), "ndarray"),
    "one number": (Answers(lambda phi: phi.sum()), r"\(\)"),
    "bounded outputs": (Ensemble(2, 4, 2, bounded=True), "bounded"),
}


@pytest.mark.parametrize(("network", "said"), WRONG.values(), ids=WRONG)
def test_networks_that_do_not_fit_are_refused(network: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        ResidualDynamics(SWING, network)
    with pytest.raises(ModelError, match=said):
        LearnedDynamics(SWING.state, SWING.action, network)


def test_other_arguments_that_do_not_fit() -> None:
    with pytest.raises(SettingError, match="Scaling, not 3"):
        ResidualDynamics(SWING, scaling=3)  # type: ignore[arg-type]
    for wrong in ({"limits": [[1.0], [0.0]]}, {"scaling": Scaling.none(2, 2)}, {"task": 3}, {"steps": 0}):
        with pytest.raises(SettingError):
            NetworkPolicy(SWING.state, SWING.action, POLICY.network, **wrong)  # type: ignore[arg-type]
    xs, us = np.zeros((3, 2)), np.zeros((2, 1))
    for far in (3, (xs,), "ab"):
        with pytest.raises(PilotageError):
            calibrate(ResidualDynamics(SWING, noise=0.1), xs, us, 0.1, far=far)  # type: ignore[arg-type]
    for make in (lambda: Trigonometric(MLP(3, 1), (0, 0)), lambda: Trigonometric(MLP(3, 1), (2,))):
        with pytest.raises(SettingError, match="angles"):
            make()
    with pytest.raises(SettingError, match="inputs of Normalized is 2"):
        Normalized(MLP(3, 1), 2)
    for shape in ((3, 5), (0, 2), (2,)):
        with pytest.raises(ShapeError, match="rows"):
            Normalized(MLP(2, 1), 2).measured(torch.zeros(shape))
    assert "Perceptrons" not in Network.kinds


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu", "mish"])
def test_huge_states_overflow_nothing(activation: Any) -> None:
    network = Ensemble(2, 3, 1, hidden=(8,), activation=activation, bounded=True)
    with torch.no_grad():
        for weight in network.parameters():
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    policy = NetworkPolicy(SWING.state, SWING.action, network)
    for rate in (1e4, -1e4, 1e150, -1e150):
        assert bool(SWING.action.contains(policy.act([0.1, rate]).u))
