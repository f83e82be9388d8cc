"""What drivers reach: the functions, slots, sizes and numbers that they need to run."""

from __future__ import annotations

import builtins
import dis
import inspect
import math
import re
import textwrap
import types
from collections.abc import Callable, Iterable
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from ...core.errors import ModelError
from ..tracing.emit import literal
from .slots import Size, Slot

MODULES: dict[str, Any] = {"math": math, "np": np}
"""What generated source imports."""


class Reach:
    """All that some drivers reach, followed through every function they call.

    Args:
        drivers: where to begin.
        fill: slots that other drivers fill.

    Attributes:
        functions: by name, the drivers among them.
        calls: names of the functions and slots that each calls.
        slots, sizes: names of what models are to tell.
        constants: global numbers as source.
        aliases: slots that drivers fill, and the names of those drivers.
    """

    def __init__(self, drivers: Iterable[Callable[..., Any]], fill: dict[str, Callable[..., Any]]) -> None:
        self.functions: dict[str, FunctionType] = {}
        self.calls: dict[str, set[str]] = {}
        self.slots: set[str] = set()
        self.sizes: set[str] = set()
        self.constants: dict[str, str] = {}
        self._strange: dict[str, str] = {}
        self._fill = fill
        for driver in drivers:
            self._follow(driver)
        self.aliases = {slot: f.__name__ for slot, f in fill.items() if f.__name__ in self.functions}

    def leading_to(self, slots: set[str]) -> set[str]:
        """Functions from which one of the slots can be reached."""
        found = set(slots)
        while True:
            more = {name for name, calls in self.calls.items() if name not in found and calls & found}
            if not more:
                return found - slots
            found |= more

    def sources(self, names: Iterable[str]) -> dict[str, str]:
        """Text of these functions, callees first.

        Raises:
            ModelError: when one of them cannot be compiled.
        """
        wanted, done = set(names), dict[str, str]()

        def write(name: str) -> None:
            if name in wanted and name not in done:
                for callee in sorted(self.calls[name]):
                    write(callee)
                if name in self._strange:
                    raise ModelError(f"{name} cannot be compiled: {self._strange[name]}")
                done[name] = source_of(self.functions[name])

        for name in self.functions:
            write(name)
        return done

    def _follow(self, given: Any) -> None:
        function: FunctionType = getattr(given, "py_func", given)
        name = function.__name__
        if name in self.functions:
            if self.functions[name] is not function:
                raise ModelError(f"two functions named {name} meet in one driver; rename one of them")
            return
        self.functions[name] = function
        self.calls[name] = set()
        if function.__code__.co_freevars:
            self._strange[name] = f"it uses {', '.join(function.__code__.co_freevars)} of the function around it"
        for word in sorted(_globals(function.__code__)):
            self._note(name, word, function.__globals__.get(word, getattr(builtins, word, None)))

    def _note(self, name: str, word: str, value: Any) -> None:
        """Keep what the function `name` calls `word`."""
        if isinstance(value, Slot):
            value = self._fill.get(value.name, value)
        if isinstance(value, Slot):
            self.slots.add(value.name)
            self.calls[name].add(value.name)
        elif isinstance(value, Size):
            self.sizes.add(value.name)
        elif isinstance(getattr(value, "py_func", value), FunctionType):
            self._follow(value)
            self.calls[name].add(value.__name__)
        elif isinstance(value, (int, float, np.number)):
            known, given = self.constants.get(word), _constant(value)
            if known not in (None, given):
                raise ModelError(f"two constants named {word} meet in one driver, {known} and {given}; rename one")
            self.constants[word] = given
        elif value is None or (value is not getattr(builtins, word, None) and value is not MODULES.get(word)):
            self._strange[name] = f"it uses {word}, which is {value!r}; in a module only math. and np. are known"


@lru_cache(maxsize=512)
def source_of(function: FunctionType) -> str:
    """The text of a function, without decorators."""
    try:
        text = textwrap.dedent(inspect.getsource(function)).rstrip() + "\n"
    except OSError:
        text = ""
    start = re.search(rf"^def {re.escape(function.__name__)}\b", text, re.MULTILINE)
    if start is None:
        raise ModelError(
            f"{function.__name__} cannot be compiled: its source is not at hand; write it in a file, by def"
        )
    return text[start.start() :]


@lru_cache(maxsize=512)
def _globals(code: types.CodeType) -> set[str]:
    """Globals that a function reads."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(_globals(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _constant(value: Any) -> str:
    """A global number as source."""
    plain: Any = getattr(value, "item", lambda: value)()
    return literal(plain) if isinstance(plain, float) else repr(plain)
