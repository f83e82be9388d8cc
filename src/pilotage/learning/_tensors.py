"""Weights of modules and the state of an optimiser as tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ..core import FormatError

Tensors = Mapping[str, torch.Tensor]
WRAPPED = "_orig_mod."
"""The name by which `torch.compile` holds a module."""


def named(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights and buffers of a module by names that do not tell whether `torch.compile` has wrapped a part of it.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> list(torch.compile(layer, backend="eager").state_dict()), list(named(torch.compile(layer, backend="eager")))
        (['_orig_mod.weight', '_orig_mod.bias'], ['weight', 'bias'])
    """
    return {name.replace(WRAPPED, ""): value for name, value in module.state_dict().items()}


def fill(module: torch.nn.Module, tensors: Tensors) -> None:
    """Load weights by the names that `named` gives; a `RuntimeError` if names or shapes differ."""
    here = {name.replace(WRAPPED, ""): name for name in module.state_dict()}
    module.load_state_dict({here.get(name, name): value for name, value in tensors.items()})


def copied_weights(modules: Mapping[str, torch.nn.Module]) -> dict[str, torch.Tensor]:
    """Copies of all weights and buffers, by module and name."""
    return copied(_all_weights(modules))


def _all_weights(modules: Mapping[str, torch.nn.Module]) -> dict[str, torch.Tensor]:
    """All weights and buffers, by module and name."""
    return {f"modules.{module}.{name}": v for module, each in modules.items() for name, v in named(each).items()}


def copied(tensors: Tensors) -> dict[str, torch.Tensor]:
    """Copies of tensors, in the memory of the CPU."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def load_weights(tensors: Tensors, modules: Mapping[str, torch.nn.Module], folder: Path | None = None) -> None:
    """Load weights that `copied_weights` gave into modules."""
    check_weights(tensors, modules, folder)
    for module, each in modules.items():
        prefix = f"modules.{module}."
        fill(each, {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})


def check_weights(tensors: Tensors, modules: Mapping[str, torch.nn.Module], folder: Path | None) -> None:
    """Refuse weights of another architecture before anything is changed."""
    kept = {name: value for name, value in tensors.items() if name.startswith("modules.")}
    found = difference(kept, _all_weights(modules), "modules.") if kept else ""
    if found:
        raise FormatError(f"the run in {folder} is of another architecture: {found}")


def difference(kept: Tensors, own: Tensors, prefix: str) -> str:
    """The first difference between the shapes of the tensors in a file and of those here; empty if there is none.

    Example:
        >>> difference({"net.bias": torch.zeros(3)}, {"net.bias": torch.zeros(2)}, "net.")
        'bias has shape (3,) there, and shape (2,) here'
    """
    there, here = ({name: tuple(value.shape) for name, value in each.items()} for each in (kept, own))
    for name in [*here, *sorted(there)]:
        if here.get(name) != there.get(name):
            words = [f"shape {shapes[name]}" if name in shapes else "no such weights" for shapes in (there, here)]
            return f"{name.removeprefix(prefix)} has {words[0]} there, and {words[1]} here"
    return ""


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The state of the optimiser."""
    states = optimizer.state_dict()["state"]
    return copied({f"optimizer.{k}.{name}": value for k, state in states.items() for name, value in state.items()})


def load_optimizer_state(optimizer: torch.optim.Optimizer, tensors: Tensors, folder: Path) -> None:
    """Load the state that `optimizer_state` gave into an optimiser."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, entry = name.split(".")
            state.setdefault(int(number), {})[entry] = value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if any(i >= len(parameters) or each["exp_avg"].shape != parameters[i].shape for i, each in state.items()):
        raise FormatError(f"the optimiser of the run in {folder} is for other weights than those here")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
