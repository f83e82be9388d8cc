"""What models of one recipe share, and threads too: one trace each, extended by one thread at a time.

A trace grows when something new is derived from it, and its nodes are numbered as they are made: two threads that
derived at once would mix them up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

from .layout import Layout

KEPT = 512
"""Recipes whose traces are kept for members yet to come."""

Recipe = TypeVar("Recipe")
Trace = TypeVar("Trace")
Value = TypeVar("Value")

_lock = threading.RLock()


def one_per_recipe(make: Callable[[Recipe, Layout], Trace]) -> Callable[[Recipe, Layout], Trace]:
    """`make`, called once for equal recipes; a layout with the recipe's key serves all of them.

    Example:
        >>> from pilotage.models import unicycle
        >>> unicycle(noise=0.1)._trace is unicycle(noise=0.2)._trace
        True
    """

    @lru_cache(maxsize=KEPT)
    def made(recipe: Any) -> list[Trace]:
        return []

    def trace(recipe: Recipe, layout: Layout) -> Trace:
        known = made(recipe)
        if not known:
            with _lock:
                if not known:
                    known.append(make(recipe, layout))
        return known[0]

    return trace


class derived(Generic[Value]):
    """An attribute that is derived from a trace when it is first asked for, and kept.

    As `functools.cached_property`, but for one thread at a time, whichever attribute it asks for.
    """

    def __init__(self, make: Callable[[Any], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        with _lock:
            if self._name not in instance.__dict__:
                instance.__dict__[self._name] = self._make(instance)
        return instance.__dict__[self._name]  # from now on found there, without coming here
