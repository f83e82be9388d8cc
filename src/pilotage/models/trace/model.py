"""The base of traced dynamics, sensors and tasks: one function, parameter values, machine code, pickling.

Models of one recipe share a trace, and with it all that is derived or compiled from it. A recipe holds the functions,
the spaces, the layout of the parameters, and the numbers that the functions read from outside their arguments: a trace
keeps these as they were, so a model that is made after such a number changed gets a trace of its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Self, cast

import numpy as np

from ...core.space import Space
from .function import Function, lock
from .layout import Supply
from .machine import Code
from .params import Parameters, settled, spelt
from .portable import portable, restored

NUMBERS = (bool, int, float, complex, np.generic, tuple)
KEPT = 512
"""Recipes whose traces are kept for models yet to come."""


@dataclass(frozen=True)
class Recipe:
    """What determines a trace."""

    kind: str
    functions: tuple[Callable[..., Any] | None, ...]
    spaces: tuple[Space, ...]
    settings: tuple[Any, ...]
    layout: tuple[Any, ...]
    outside: tuple[Any, ...]


_kept: OrderedDict[Recipe, Function] = OrderedDict()
_kept_lock = threading.Lock()


def shared(recipe: Recipe, make: Callable[[], Function]) -> Function:
    """The trace of a recipe, made once.

    Example:
        >>> from pilotage.models import unicycle
        >>> unicycle(noise=0.1)._function is unicycle(noise=0.2)._function
        True
    """
    with _kept_lock:
        found = _kept.get(recipe)
        if found is not None:
            _kept.move_to_end(recipe)
            return found
    with lock:
        made = make()
    with _kept_lock:
        found = _kept.setdefault(recipe, made)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return found


class Traced:
    """A model derived from functions of scalar components.

    Args:
        body: the function.
        settings: everything else that the model was made with; `params` among them.

    Attributes:
        name: the function's name.
        params: parameters by name.
        frozen: numbers that the function reads from outside its arguments, by name, as they were when the model was
            made; all backends use these.
    """

    def __init__(self, body: Callable[..., Any], **settings: Any) -> None:
        self.name = body.__name__
        self._body, self._settings = body, {name: settled(value) for name, value in settings.items()}
        params = settings["params"]
        self.params = params if isinstance(params, Parameters) else Parameters(params)

    def _trace(
        self,
        kind: str,
        values: Mapping[str, Any],
        functions: tuple[Callable[..., Any] | None, ...],
        spaces: tuple[Space, ...],
        settings: tuple[Any, ...],
        make: Callable[[], Function],
    ) -> None:
        """Set what all backends need. What is wrong with a function shows here, and not in the first filter."""
        self._supply = Supply(values)
        self.live = self._supply.live
        outside: dict[str, Any] = {}
        for function in functions:
            if not _ours(function):
                read(function, outside)
        self._recipe = Recipe(kind, functions, spaces, settings, self._supply.layout.key, tuple(outside.items()))
        self.frozen: dict[str, Any] = {name: value for name, value in outside.items() if isinstance(value, NUMBERS)}
        self._function = shared(self._recipe, make)

    def __repr__(self) -> str:
        return f"{self.name}({spelt(self.params)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Any, ...]:
        """Equal for models that are the same function of the same values."""
        found = self.__dict__.get("_kept_key")
        if found is None:
            found = self.__dict__["_kept_key"] = (self._recipe, self._supply.key, self._extras())
        return found

    def _extras(self) -> tuple[Any, ...]:
        """Settings that are in neither recipe nor values."""
        return ()

    def __reduce__(self) -> Any:
        functions = {name: value for name, value in self._settings.items() if isinstance(value, FunctionType)}
        rest = {name: value for name, value in self._settings.items() if name not in functions}
        return _again, (type(self), portable(self._body, *functions.values()), tuple(functions), rest)

    def replace(self, **params: Any) -> Self:
        """The same model with other parameter values; nothing is traced or compiled again."""
        return self._with(params=self.params.replaced(params, self.name))

    def _with(self, **settings: Any) -> Self:
        return type(self)(self._body, **{**self._settings, **settings})

    def code(self, results: str, lanes: bool = False) -> Code:
        """Machine code that writes these results, such as ``"y F Q"``, one after another."""
        return self._function.code(results, lanes)

    def vector(self, dt: float | None = None) -> np.ndarray:
        """Parameters as machine code reads them. `dt` matters only to models whose parameters depend on it."""
        return self._supply.vector()

    def source(self, results: str) -> str:
        """Readable Python that computes these results.

        Example:
            >>> from pilotage.models import compass
            >>> print(compass().source("h"))
            def compass(x, context, z, p, h):
            ...
        """
        return self._function.source(results)

    def dependencies(self, result: str) -> frozenset[str]:
        """Names of the inputs that a result depends on; see `Function.dependencies`."""
        return self._function.dependencies(result)


def _again(cls: type[Traced], sent: tuple[Any, ...], names: tuple[str, ...], rest: dict[str, Any]) -> Traced:
    """A model that was pickled or copied."""
    body, *others = restored(sent)
    return cls(body, **rest, **dict(zip(names, others, strict=True)))


def read(function: Any, into: dict[str, Any]) -> None:
    """Add the numbers that a function reads from globals, closures and their attributes; an object for what is unclear.

    Example:
        >>> drag = 0.25
        >>> found = {}
        >>> read(lambda x: drag * x, found)
        >>> found
        {'drag': 0.25}
    """
    if not isinstance(function, FunctionType):
        return
    code = function.__code__
    names = [*code.co_names]
    for nested in code.co_consts:
        if hasattr(nested, "co_names"):
            names += nested.co_names
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    found: dict[str, Any] = {}
    for name, cell in cells:
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    found.update({name: function.__globals__[name] for name in names if name in function.__globals__})
    for name, value in found.items():
        if name in into:
            continue
        if isinstance(value, FunctionType):
            if not _ours(value):
                into[name] = value.__code__
                read(value, into)
        else:
            into.update(_numbers(name, value, names))


def _ours(function: Any) -> bool:
    """Whether a function is of this package, whose constants do not change."""
    return getattr(function, "__module__", "").split(".")[0] == "pilotage"


def _numbers(name: str, value: Any, attributes: list[str]) -> dict[str, Any]:
    """What is known of a value: itself if it is a number, the numbers among its attributes, nothing, or an object."""
    if isinstance(value, (*NUMBERS, str, bytes, type(None))):
        return {name: value} if _hashable(value) else {name: object()}
    if type(value) is np.ndarray:
        return _array(name, value)
    if isinstance(value, (list, dict, set)):
        return {name: repr(cast(Any, value))}
    owned = cast(dict[str, Any], getattr(value, "__dict__", {}))
    inside: dict[str, Any] = {f"{name}.{a}": owned[a] for a in attributes if a in owned}
    return {key: v for key, v in inside.items() if isinstance(v, NUMBERS) and _hashable(v)}


def _array(name: str, value: Any) -> dict[str, Any]:
    return {name: (value.shape, value.tobytes())}


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
