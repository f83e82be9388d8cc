"""Weights of modules and the state of an optimiser as tensors by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from ..core import FormatError

Tensors = Mapping[str, torch.Tensor]


def copied_weights(modules: Mapping[str, torch.nn.Module]) -> dict[str, torch.Tensor]:
    """Copies of all weights and buffers, by module and name."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in named(modules)}


def named(modules: Mapping[str, torch.nn.Module]) -> Iterator[tuple[str, torch.Tensor]]:
    """All weights and buffers with their names."""
    for module, each in modules.items():
        for name, value in each.state_dict().items():
            yield f"modules.{module}.{name}", value


def load_weights(tensors: Tensors, modules: Mapping[str, torch.nn.Module], folder: Path | None = None) -> None:
    """Load weights that `copied_weights` gave into modules."""
    check_weights(tensors, modules, folder)
    for module, each in modules.items():
        prefix = f"modules.{module}."
        each.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})


def check_weights(tensors: Tensors, modules: Mapping[str, torch.nn.Module], folder: Path | None) -> None:
    """Refuse weights of another architecture before anything is changed."""
    kept = {name: value for name, value in tensors.items() if name.startswith("modules.")}
    found = difference(kept, dict(named(modules)), "modules.") if kept else ""
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
    return {
        f"optimizer.{number}.{name}": value.detach().cpu().contiguous().clone()
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


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
