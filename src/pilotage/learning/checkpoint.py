"""Learned models on disk: a folder with ``config.json`` and the weights that it names, without pickles.

The weights are first written to ``model-HASH.safetensors``, where HASH is that of their content; then ``config.json``
is replaced in one step, and finally the old weights are removed. If the process is killed at any time, the folder still
holds a complete model, old or new. Weights that do not belong to the settings are detected.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..core import FormatError, MissingExtra, MissingFile, PilotageError, Space, require
from ..io import write_atomic
from ._tensors import load as fill
from ._tensors import named
from .networks.network import described, rebuilt
from .scaling import Scaling

VERSION = 1
CONFIG = "config.json"
NAME = re.compile(r"model-[0-9a-f]{16}\.safetensors")


@dataclass(frozen=True)
class Kept:
    """The contents of a model's folder."""

    state: Space
    action: Space
    network: torch.nn.Module
    scaling: Scaling
    noise: Sequence[float] | None
    extra: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())


def save(model: Any, kind: str, folder: str | Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write a learned model; an older one is replaced atomically. `extra` holds what else belongs to its kind."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = _packed(model)
    config = {
        "format": VERSION,
        "kind": kind,
        "weights": content_name("model", weights),
        "state": space_to_json(model.state),
        "action": space_to_json(model.action),
        "network": described(model.network),
        "noise": None if model.noise_density is None else [float(v) for v in model.noise_density],
        **({} if extra is None else {"extra": extra}),
    }
    before = _weights_before(folder)
    write_atomic(folder / config["weights"], weights)
    write_atomic(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    if before not in (None, config["weights"]):
        (folder / before).unlink(missing_ok=True)


def content_name(kind: str, content: bytes) -> str:
    """The name of a file of tensors: its kind, and the hash of its content.

    Example:
        >>> content_name("model", b"")
        'model-e3b0c44298fc1c14.safetensors'
    """
    return f"{kind}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"


def _packed(model: Any) -> bytes:
    """The network and the scaling of a model as bytes."""
    tensors = {f"network.{name}": value for name, value in named(model.network).items()}
    for name in ("mean", "std", "scale"):
        tensors[f"scaling.{name}"] = getattr(model.scaling, name)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    return require("safetensors.torch", extra="learning").save(tensors)


def _weights_of(config: Mapping[str, Any]) -> str | None:
    """The file name of the weights in the settings; None if it does not have the format of `content_name`."""
    name = config.get("weights")
    return name if isinstance(name, str) and NAME.fullmatch(name) else None


def _weights_before(folder: Path) -> str | None:
    """The file name of the weights of the model that a folder already holds, if any."""
    try:
        return _weights_of(_config(folder / CONFIG))
    except (FormatError, MissingFile):
        return None


def load(folder: str | Path, kind: str, network: torch.nn.Module | None = None) -> Kept:
    """Read a model that `save` wrote.

    Raises:
        MissingFile: if there is no model in the folder.
        FormatError: if a file is damaged or does not match the network, or the model is of another kind.
    """
    folder = Path(folder)
    config = _config(folder / CONFIG)
    if config.get("format") != VERSION or config.get("kind") != kind:
        raise FormatError(
            f"{folder} holds a model of kind {config.get('kind')!r}, format {config.get('format')!r}; "
            f"{kind!r} of format {VERSION} was expected"
        )
    name = _weights_of(config)
    if name is None:
        raise FormatError(f"{folder / CONFIG} names no weights: its entry `weights` is {config.get('weights')!r}")
    if not (folder / name).is_file() and _weights_before(folder) not in (None, name):
        return load(folder, kind, network)  # another process has just saved the model again
    try:
        state, action = space_from_json(config["state"]), space_from_json(config["action"])
        made = _network(config["network"], network, folder)
        tensors = tensors_of(folder / name)
        _finite(tensors, folder / name)
        fill(made, {n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")})
        scaling = Scaling(*(tensors[f"scaling.{name}"] for name in ("mean", "std", "scale")))
        noise = config["noise"]
        noise = None if noise is None else [float(value) for value in noise]
        return Kept(state, action, made, scaling, noise, config.get("extra", {}))
    except (KeyError, TypeError, ValueError, PilotageError, RuntimeError) as error:
        if isinstance(error, FormatError | MissingExtra | MissingFile):
            raise
        raise FormatError(f"the model in {folder} is incomplete or does not fit its network: {error}") from error


def space_to_json(space: Space) -> dict[str, Any]:
    """A space as JSON: its parts as strings, and the bounds that the strings do not contain."""
    limits = {name: list(pair) for part in space.parts for name, pair in part.limits().items()}
    return {"parts": [str(part) for part in space.parts], "bounds": limits}


def space_from_json(value: Mapping[str, Any]) -> Space:
    """The space that `space_to_json` described.

    Example:
        >>> space = Space("x [m] in [0, 9]", "pose: SE2").bounded({"pose.x": (0, 1)})
        >>> space_from_json(space_to_json(space)) == space
        True
    """
    return Space(*value["parts"]).bounded({name: (low, high) for name, (low, high) in value["bounds"].items()})


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFile(f"there is no learned model in {path.parent}: {path.name} is missing")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise FormatError(f"{path} holds a {type(config).__name__}; an object was expected")
    return config


def _network(settings: Any, given: torch.nn.Module | None, folder: Path) -> torch.nn.Module:
    if given is not None:
        return given
    if settings is None:
        raise FormatError(
            f"the network in {folder} is no block of this package; pass a module of its class as `network`"
        )
    return rebuilt(settings)


def _finite(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    for name, values in tensors.items():
        if not bool(torch.isfinite(values).all()):
            raise FormatError(f"{path} has NaN or infinite numbers in {name}; train the model again")


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file that is named by `content_name`.

    Raises:
        MissingFile: if there is no such file.
        FormatError: if its content does not match its name, or is no safetensors.
    """
    safetensors = require("safetensors.torch", extra="learning")
    if not path.is_file():
        raise MissingFile(f"{path.parent} is incomplete: {path.name} is missing")
    content = path.read_bytes()
    if content_name(path.name.rpartition("-")[0], content) != path.name:
        raise FormatError(f"{path} is damaged: its content does not match the hash in its name")
    try:
        return safetensors.load(content)
    except Exception as error:
        if type(error).__name__ == "SafetensorError":  # the class is in a compiled module
            raise FormatError(f"{path} is damaged: {error}") from error
        raise
