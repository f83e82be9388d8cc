"""Random streams and clocks that the functions of a model reach: a trace would keep one number of theirs for ever."""

# pyright: basic
from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Callable, Iterable, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from ...core.errors import ModelError
from ._names import WORLD
from .function import Function

FUNCTIONS = (FunctionType, BuiltinFunctionType, type(np.random.default_rng))
TRIALS = 3
"""Traces that are compared with the first one, where something is read that has no state to compare."""
STATES: dict[type, Callable[[Any], Any]] = {
    np.random.Generator: lambda s: s.bit_generator.state,
    np.random.BitGenerator: lambda s: s.state,
    np.random.RandomState: lambda s: s.get_state(legacy=False),
    random.Random: lambda s: s.getstate(),
}
"""Random streams, and the state that every draw changes."""


def reached(names: Iterable[str]) -> list[Any]:
    """Random streams behind the name of a module and attributes of it; None among them for what has no state.

    Example:
        >>> reached(["numpy", "random", "normal"]), reached(["time", "time"]), reached(["numpy", "cos"])
        ([RandomState(MT19937) at ..., None], [None], [])
    """
    root, *rest = names
    found: list[Any] = [None] if root in WORLD else []
    if root == "random":
        found.append(random.random.__self__)  # type: ignore[attr-defined]  # it is a method of the module's stream
    elif root in ("numpy", "scipy") and not {"random", "rvs"}.isdisjoint(rest):
        found += [np.random.normal.__self__, None]  # type: ignore[attr-defined]
    elif root == "torch" and "torch" in sys.modules:
        found.append(sys.modules["torch"].default_generator)
    return found


def stream(value: Any) -> list[Any]:
    """The random stream that an object is; None for one without a state."""
    if isinstance(value, random.SystemRandom):
        return [None]
    return [value] if isinstance(value, tuple(STATES)) or _of_torch(value) else []


def home(value: Any) -> str:
    """The module of a function or a class; of other objects, that of their class."""
    return str((value if isinstance(value, (type, *FUNCTIONS)) else type(value)).__module__)


def certain(make: Callable[[], Function], streams: Mapping[str, list[Any]], name: str) -> Function:
    """The trace of a model that reaches these streams, refused if it drew from one or differs from trace to trace.

    Raises:
        ModelError: with the name by which the function reached the stream.
    """
    before = {where: _states(found) for where, found in streams.items()}
    made = make()
    drawn = [where for where, found in streams.items() if _states(found) != before[where]]
    if not drawn and any(each is None for found in streams.values() for each in found):
        stateless = [where for where, found in streams.items() if None in found]
        drawn = stateless if any(make().text != made.text for _ in range(TRIALS)) else []
    if drawn:
        raise ModelError(
            f"{name} reads {drawn[0]}, which gives another number each time, but a model is traced once and "
            "would keep the first one. Give the spread of what is random by noise=, and what else changes as an "
            "action, a context or a parameter"
        )
    return made


def _states(streams: Iterable[Any]) -> list[bytes]:
    return [pickle.dumps(_state(each)) for each in streams]


def _state(of: Any) -> Any:
    if _of_torch(of):
        return of.get_state().numpy()
    return next((state(of) for kind, state in STATES.items() if isinstance(of, kind)), None)


def _of_torch(value: Any) -> bool:
    return "torch" in sys.modules and isinstance(value, sys.modules["torch"].Generator)
