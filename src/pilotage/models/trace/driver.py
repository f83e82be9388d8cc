"""Drivers: the inner steps of algorithms, written as plain functions and compiled by numba once per machine.

A driver reaches models through the addresses of their machine code (`code_of`), so that it does not depend on them. Its
sizes are known when it runs. An entry point declares its signature, and is compiled for no other; what other drivers
call needs none:

    @driver
    def square(v): ...

    @driver("void(f8[::1], f8[:,::1], i8)")
    def predict(x, P, address): ...

numba is imported and the code compiled, or loaded from disk, when an entry point is first used.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, overload

from ._sources import NUMBERS, contents, sources

ENTRIES: list[Driver] = []
"""All entry points whose modules are imported, in the order of their definition."""
_lock = threading.RLock()


class Driver:
    """A function that numba compiles on first use.

    Attributes:
        function: the original function.
        signatures: signatures of an entry point; none for a driver that only other drivers call.
        options: settings of numba.
        filled: names in the function with a different meaning than in its module.
    """

    def __init__(
        self,
        function: FunctionType,
        signatures: tuple[str, ...],
        options: dict[str, Any],
        name: str = "",
        filled: dict[str, Any] | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.__name__ = name or function.__name__
        self.function, self.signatures, self.options, self.filled = function, signatures, options, filled or {}
        if signatures:
            ENTRIES.append(self)

    def __call__(self, *args: Any) -> Any:
        return self.compiled(*args)

    def __reduce__(self) -> str:
        return self.__name__ if self.filled else self.function.__qualname__

    def seen(self, name: str) -> Any:
        """The meaning of a global name in the function; None for names of Python's own."""
        return self.filled.get(name, self.function.__globals__.get(name))

    def entry(self, name: str, *signatures: str, **filled: Any) -> Driver:
        """An entry point of that name, with the text of this driver and these meanings of names in it.

        Example:
            >>> @driver
            ... def scaled(v):
            ...     return gain * v
            >>> scaled.entry("doubled", "f8(f8)", gain=2.0).__name__
            'doubled'
        """
        return Driver(self.function, signatures, self.options, name, filled)

    @functools.cached_property
    def compiled(self) -> Any:
        """The compiled function; call it where every nanosecond counts."""
        with _lock:
            return compiler().compiled(self)

    @functools.cached_property
    def address(self) -> int:
        """The address of an entry point's machine code: other drivers may `call` it there."""
        with _lock:
            return compiler().address(self)

    @property
    def callees(self) -> list[Driver]:
        """The drivers that this one calls by name."""
        return [each for name in self.function.__code__.co_names if isinstance(each := self.seen(name), Driver)]

    @functools.cached_property
    def stamp(self) -> str:
        """Changes with the text of any file that the compiled code is made from, and with the constants it reads."""
        digest, files, modules = hashlib.sha256(), set[str](), {f"{__package__}._compiler"}
        for each in self._reached():
            files.add(inspect.getsourcefile(each.function) or "")
            modules.update(each.intrinsics)
            digest.update(repr((each.__name__, each.options, each.signatures, each.constants)).encode())
        for module in sorted(modules):
            found, numbers = sources(module)
            files.update(found)
            digest.update(repr(numbers).encode())
        for file in sorted(files):
            digest.update(contents(file))
        return digest.hexdigest()

    @property
    def intrinsics(self) -> set[str]:
        """Modules of the intrinsics that the function calls."""
        names = self.function.__code__.co_names
        return {each.module for name in names if isinstance(each := self.seen(name), Intrinsic)}

    @property
    def constants(self) -> list[tuple[str, Any]]:
        """The numbers that the function reads by name."""
        names = self.function.__code__.co_names
        return [(name, each) for name in names if isinstance(each := self.seen(name), NUMBERS)]

    def _reached(self) -> Iterator[Driver]:
        seen: dict[int, Driver] = {}
        waiting: list[Driver] = [self]
        while waiting:
            one = waiting.pop()
            if id(one) not in seen:
                seen[id(one)] = one
                waiting.extend(one.callees)
        return iter(seen.values())


@overload
def driver(function: FunctionType, /) -> Driver: ...
@overload
def driver(
    *signatures: str, heap: bool = False, nogil: bool = False, fast: bool = False, inline: bool = False
) -> Callable[[Callable[..., Any]], Driver]: ...


def driver(*given: Any, heap: bool = False, nogil: bool = False, fast: bool = False, inline: bool = False) -> Any:
    """Decorator that makes a driver of a function.

    Args:
        *given: numba signatures of an entry point, such as ``"void(f8[:,::1], i8)"``; none for a helper.
        heap: whether the function creates arrays. If not, numba counts no references, which halves the time of a call
            of a microsecond.
        nogil: let other threads run during a call; worthwhile for calls of a hundred microseconds or more.
        fast: allow sums to be reordered and divisions to become products; NaN and infinity keep their meaning.
        inline: copy a helper into its caller before types are known.

    Example:
        >>> @driver("f8(f8, f8)")
        ... def larger(a, b):
        ...     return a if a > b else b
        >>> larger.signatures
        ('f8(f8, f8)',)
    """
    options = {"heap": heap, "nogil": nogil, "fast": fast, "inline": inline}
    if given and isinstance(given[0], FunctionType):
        return Driver(given[0], (), options)

    def entry(function: FunctionType) -> Driver:
        return Driver(function, given, options)

    return entry


class Call:
    """``call(address, a, b, c, p, out)``: machine code of a model, inside a driver; see `code_of`.

    Each argument is an address, or a C-contiguous array of float64, which is passed by the address of its first number.
    """

    def __call__(self, *_: Any) -> None:
        raise TypeError("call works inside drivers only")


call = Call()
"""``call(address, a, b, c, p, out)``: runs machine code of a model, inside a driver."""


class Intrinsic:
    """A numba intrinsic that drivers call by name; numba is only imported when one of them is compiled.

    Args:
        name: the name of the intrinsic in its module.
        module: the module, which imports numba.
    """

    def __init__(self, name: str, module: str) -> None:
        self.name, self.module = name, module

    def __call__(self, *_: Any) -> Any:
        raise TypeError(f"{self.name} works inside drivers only")

    def load(self) -> Any:
        """numba's object of this name."""
        with uninterrupted():
            return getattr(importlib.import_module(self.module), self.name)


def compiler() -> Any:
    """The module that compiles drivers, and all that it needs of numba."""
    with uninterrupted():
        from . import _compiler

        return _compiler


@contextmanager
def uninterrupted() -> Generator[None]:
    """Ctrl-C waits until the end of the block: an import that is cut off cannot be repeated."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[Any] = []

    def later(*args: Any) -> None:
        pending.append(args)

    before = signal.signal(signal.SIGINT, later)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pending and callable(before):
            before(*pending[0])
