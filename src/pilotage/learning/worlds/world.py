"""Worlds: learning problems with their data, training and evaluation, found by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ...core import SettingError
from ...core.registry import Registry
from ...core.settings import shown
from ..training import Record, TrainingSettings


class World(Protocol):
    """A learning problem: data, a model to train, and an evaluation under frozen conditions.

    `pilotage train NAME` and `pilotage eval NAME` run it. `settings` and `options` are frozen dataclasses by the
    decorator `pilotage.core.settings.settings`; their docstrings list the fields under ``Attributes:``, and the command
    line shows them. The first sentence of the docstring of the world's class is its summary.

    Attributes:
        settings: class of the settings of training, a subclass of `TrainingSettings`.
        options: class of the settings of the evaluation.
    """

    settings: type[TrainingSettings]
    options: type[Any]

    def train(
        self,
        settings: Any,
        folder: Path,
        *,
        resume: bool = False,
        progress: Callable[[Record], None] | None = None,
    ) -> Mapping[str, Any]:
        """Train, and leave in `folder` all that `evaluate` needs; the result is plain values for JSON."""
        ...

    def evaluate(self, folder: Path | None, options: Any) -> Mapping[str, Any]:
        """Evaluate the weights in `folder`, or those in the package (None); the result is plain values for JSON.

        Success rates are given by `SuccessRate.to_json`, with the hash of their protocol.
        """
        ...


worlds = Registry("world", "pilotage.worlds")
"""The worlds by name: classes that follow `World`, or objects of them."""


def world_of(name: str) -> World:
    """The world of a name.

    Args:
        name: name of a stock world, or of an entry point in the group ``pilotage.worlds``; another one is
            ``module:object``.

    Raises:
        SettingError: if there is none, or the object lacks a part of `World`.

    Example:
        >>> world_of("dynamics").settings.__name__
        'DynamicsSettings'
    """
    found = worlds.get(name)
    made = found() if isinstance(found, type) else found
    missing = [part for part in ("settings", "options", "train", "evaluate") if not hasattr(made, part)]
    if missing:
        raise SettingError(
            f"the world {name!r} is {shown(made)}, which has no {missing[0]}; see pilotage.learning.worlds.World"
        )
    return made
