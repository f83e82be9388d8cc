"""The base of traced dynamics, sensors and tasks: one function, parameter values, machine code, pickling.

Models of one recipe share a trace, and with it all that is derived or compiled from it. A recipe holds the functions,
the spaces, the layout of the parameters, and what the functions read from outside their arguments: a trace keeps this
as it was, so a model that is made after it changed gets a trace of its own. See `_outside`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Self
from weakref import WeakValueDictionary

import numpy as np

from ...core.space import Space
from ._chance import certain
from ._outside import Keyed, Reading, Unclear
from .function import Function, lock
from .layout import Supply
from .machine import Code
from .params import Parameters, settled, spelt
from .parts import UNCUT
from .portable import portable, restored
from .single import Single

KEPT = 512
"""Recipes whose traces are kept for models yet to come, when no model has them any more."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a trace."""

    kind: str
    functions: tuple[Callable[..., Any] | None, ...]
    spaces: tuple[Space, ...]
    settings: tuple[Any, ...]
    layout: tuple[Any, ...]
    outside: Any


_alive: WeakValueDictionary[Recipe, Function] = WeakValueDictionary()
_kept: OrderedDict[Recipe, Function] = OrderedDict()
_kept_lock = threading.Lock()


def shared(recipe: Recipe, make: Callable[[], Function]) -> Function:
    """The trace of a recipe, made once while any model has it; each time, where what the functions read is unclear.

    Example:
        >>> from pilotage.models import unicycle
        >>> unicycle(noise=0.1).source("y F") == unicycle(noise=0.2).source("y F")
        True
    """
    with _kept_lock:
        found = _alive.get(recipe)
        if found is not None:
            return _keep(recipe, found)
    with lock:
        made = make()
    if isinstance(recipe.outside, Unclear):
        return made
    with _kept_lock:
        return _keep(recipe, _alive.setdefault(recipe, made))


def _keep(recipe: Recipe, function: Function) -> Function:
    """Keep a trace as the latest, and let go of the one that was asked for longest ago."""
    _kept[recipe] = function
    _kept.move_to_end(recipe)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return function


class Traced(Keyed):
    """A model derived from functions of scalar components.

    Args:
        body: the function.
        settings: everything else that the model was made with; `params` among them.

    Attributes:
        name: the function's name.
        params: parameters by name.
        frozen: numbers that the function reads from outside its arguments, by name, as they were when the model was
            made, with collections and small arrays of numbers; all backends use these. An attribute goes by its dotted
            name, ``config.tyre.stiffness``, and what a function of another module reads by that of its module.
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
        self._singles: dict[str, Single | None] = {}
        outside = Reading(functions)
        self._recipe = Recipe(kind, functions, spaces, settings, self._supply.layout.key, outside.key)
        self.frozen: dict[str, Any] = outside.frozen
        streams = outside.streams
        self._function = shared(self._recipe, (lambda: certain(make, streams, self.name)) if streams else make)

    def _results(self, results: str, a: Any, b: Any, c: Any) -> Any:
        """Results for batches of arrays or tensors by `Function`; for one state by machine code, if it is not long."""
        if a.ndim == 1 and type(a) is np.ndarray and (b is None or b.ndim == 1) and getattr(c, "ndim", 0) < 2:
            single = self._singles.get(results) or self._single(results)
            if single is not None:
                return single(a, b, c)
        return self._function(results, a, b, c, self._supply.listed(a))

    def _single(self, results: str) -> Single | None:
        """The machine code of one state; None where it takes long to compile, or parameters may change in place."""
        if results not in self._singles:
            short = not self.live and self._function.length(results) <= UNCUT
            self._singles[results] = self._function.single(results, self.vector()) if short else None
        return self._singles[results]

    def __repr__(self) -> str:
        return f"{self.name}({spelt(self.params)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[Any, ...]:
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
        """The same model with other parameter values.

        Nothing is traced or compiled again, while what the function reads from outside is known and did not change.
        """
        return self._with(params=self.params.replaced(params, self.name))

    def _with(self, **settings: Any) -> Self:
        return type(self)(self._body, **{**self._settings, **settings})

    def code(self, results: str, lanes: bool = False, precision: str = "double") -> Code:
        """Machine code that writes these results, such as ``"y F Q"``, one after another."""
        return self._function.code(results, lanes, precision)

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

    def components(self, result: str, name: str, column: int | None = None) -> set[int]:
        """Components of an input that a result depends on; see `Function.components`."""
        return self._function.components(result, name, column)

    def dependencies(self, result: str) -> frozenset[str]:
        """Names of the inputs that a result depends on; see `Function.dependencies`."""
        return self._function.dependencies(result)


def _again(cls: type[Traced], sent: tuple[Any, ...], names: tuple[str, ...], rest: dict[str, Any]) -> Traced:
    """A model that was pickled or copied."""
    body, *others = restored(sent)
    return cls(body, **rest, **dict(zip(names, others, strict=True)))
