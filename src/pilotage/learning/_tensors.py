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


def load(module: torch.nn.Module, tensors: Tensors) -> None:
    """Load weights by the names that `named` gives; a `RuntimeError` if names or shapes differ."""
    here = {name.replace(WRAPPED, ""): name for name in module.state_dict()}
    module.load_state_dict({here.get(name, name): value for name, value in tensors.items()})


def taken(modules: Mapping[str, torch.nn.Module]) -> dict[str, torch.Tensor]:
    """Copies of all weights and buffers, by module and name."""
    return {
        f"modules.{module}.{name}": value.detach().cpu().contiguous().clone()
        for module, each in modules.items()
        for name, value in named(each).items()
    }


def put(tensors: Tensors, modules: Mapping[str, torch.nn.Module], folder: Path | None = None) -> None:
    """Load weights that `taken` gave into modules."""
    fits(tensors, modules, folder)
    for module, each in modules.items():
        prefix = f"modules.{module}."
        load(each, {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})


def fits(tensors: Tensors, modules: Mapping[str, torch.nn.Module], folder: Path | None) -> None:
    """Refuse weights of another architecture before anything is changed."""
    here = {name: tuple(value.shape) for name, value in taken(modules).items()}
    there = {name: tuple(value.shape) for name, value in tensors.items() if name.startswith("modules.")}
    if not there or here == there:
        return
    name = next(name for name in [*here, *sorted(there)] if here.get(name) != there.get(name))
    mine, theirs = (f"shape {shapes[name]}" if name in shapes else "no such weights" for shapes in (here, there))
    raise FormatError(
        f"the run in {folder} is of another architecture: {name.removeprefix('modules.')} has {theirs} there, "
        f"and {mine} here"
    )


def moments(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The state of the optimiser."""
    return {
        f"optimizer.{number}.{name}": value.detach().cpu().contiguous().clone()
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore(optimizer: torch.optim.Optimizer, tensors: Tensors, folder: Path) -> None:
    """Load the state that `moments` gave into an optimiser."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, entry = name.split(".")
            state.setdefault(int(number), {})[entry] = value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if any(i >= len(parameters) or each["exp_avg"].shape != parameters[i].shape for i, each in state.items()):
        raise FormatError(f"the optimiser of the run in {folder} is for other weights than those here")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
