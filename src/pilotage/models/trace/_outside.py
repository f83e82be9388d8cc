"""The values that functions read from outside their arguments: globals, closures, defaults, and what these lead to.

A trace keeps these values as they were, so models may share one only where they are the same. A `Reading` takes them by
value: numbers, text, arrays and collections; functions by their code and all that they read in turn; objects by their
attributes and the methods of their class. Python's standard library, numpy, scipy and this package do not change, but
for the parts of them that read the world. What can be neither taken by value nor known not to change makes the reading
equal to no other.
"""

# pyright: basic
from __future__ import annotations

import functools
import hashlib
from abc import ABCMeta
from collections import namedtuple
from collections.abc import Callable, Iterable
from types import (
    BuiltinFunctionType,
    EllipsisType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    NoneType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from ...core.space import Space
from ._chance import home, reached, stream
from ._names import DYNAMIC, WORLDLY, constant, paths

EXACT = (bool, int, str, bytes, NoneType, EllipsisType, range)
INEXACT = (float, complex)
"""Kinds whose equality takes 0.0 for -0.0."""
COLLECTIONS = (tuple, list, set, frozenset, dict)
COMPILED = (
    np.ufunc,
    type(np.clip),
    type(vars(namedtuple("Single", "a"))["a"]),
    GetSetDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
BASES: dict[type, Callable[[Any], Iterable[Any]]] = {
    tuple: tuple.__iter__,
    list: list.__iter__,
    set: set.__iter__,
    frozenset: frozenset.__iter__,
    dict: dict.items,
    int: int.__repr__,
    float: float.__repr__,
    str: str.__str__,
}
"""Kinds that a class may extend, and what they hold."""
UNREAD = {
    "__annotations__", "__dataclass_fields__", "__dataclass_params__", "__dict__", "__doc__", "__match_args__",
    "__module__", "__orig_bases__", "__parameters__", "__qualname__", "__slots__", "__weakref__", "_abc_impl",
    "__abstractmethods__", "__firstlineno__", "__static_attributes__",
}  # fmt: skip
"""Names in a class that say what its other names and its identity say already."""
MISSING = object()
HEAP = 1 << 9
"""Flag of a class that was made while Python ran; in a namespace without a name it seems to be one of Python's own."""
SMALL, MOST, DEEPEST = 256, 4000, 60


class Keyed:
    """An object that says what it is by a key; traced models are, and a function may read one."""

    @property
    def key(self) -> Any:
        """Equal for objects that are the same to whoever reads them."""
        raise TypeError(f"{type(self).__name__} has no key")


class Unclear:
    """A reading that equals no other."""


class Reading:
    """The values that functions read from outside, as they are now.

    Attributes:
        key: equal for equal values.
        frozen: numbers, collections and small arrays among the values, by dotted name.
        streams: random streams among the values, and None for clocks and the like, by the names that lead there.

    Example:
        >>> gain, names = 0.25, {"__name__": "robot", "drag": 0.5}
        >>> exec("def slowed(x): return x - drag * x", names)
        >>> before = Reading([names["slowed"]])
        >>> before.frozen, before.key == Reading([names["slowed"]]).key
        ({'drag': 0.5}, True)
        >>> names["drag"] = 0.6
        >>> before.key == Reading([names["slowed"]]).key
        False
    """

    def __init__(self, functions: Iterable[Any]) -> None:
        self.frozen: dict[str, Any] = {}
        self.streams: dict[str, list[Any]] = {}
        self._clear, self._depth, self._where = True, 0, ""
        self._home: Any = None
        self._seen: dict[int, tuple[int, Any]] = {}  # with the values, so that none of them is freed and its id reused
        key = tuple(self._content(function) for function in functions)
        self.key: Any = key if self._clear else Unclear()

    def _unclear(self) -> Any:
        self._clear = False
        return None

    def _content(self, value: Any, name: str = "") -> Any:
        """A key, equal for values that are the same to whoever reads them. `name` is the name in `frozen`."""
        kind = type(value)
        if kind in EXACT:
            self._note(name, value)
            return kind, value
        if kind in INEXACT:
            self._note(name, value)
            return kind, repr(value)
        if isinstance(value, np.generic) and type(value).__module__ == "numpy":
            self._note(name, value)
            return value.dtype, value.tobytes()
        if isinstance(value, Space) or kind in COMPILED:
            return self._unclear() if isinstance(value, np.ufunc) and _in_python(value) else (kind, value)
        if id(value) in self._seen:
            self._note(name, value)
            return "again", self._seen[id(value)][0]
        if len(self._seen) >= MOST or self._depth >= DEEPEST:
            return self._unclear()
        self._seen[id(value)] = len(self._seen), value
        self._depth += 1
        try:
            return kind, self._inside(value, name)
        finally:
            self._depth -= 1

    def _reach(self, streams: list[Any]) -> None:
        """Note random streams and clocks under the name that is followed."""
        if streams:
            self.streams.setdefault(self._where, []).extend(streams)

    def _inside(self, value: Any, name: str) -> Any:
        self._reach(stream(value) or reached(home(value).split(".")))
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, Keyed):
            return value.key
        kind = type(value)
        if kind is FunctionType:
            return self._function(value)
        if kind in COLLECTIONS:
            return self._collection(value, name)
        if kind is np.ndarray:
            self._note(name, value)
            return value.dtype, value.shape, self._content(value.tolist()) if value.dtype.hasobject else _digest(value)
        if kind is MethodType:
            return self._content(value.__func__), self._content(value.__self__, name)
        if kind is BuiltinFunctionType:
            owner = value.__self__
            return value if owner is None or isinstance(owner, ModuleType) else value.__name__, self._content(owner)
        if kind in (staticmethod, classmethod):
            return self._content(value.__func__)
        if kind is property:
            return self._content((value.fget, value.fset, value.fdel))
        if kind is ModuleType:
            return value if constant(value.__name__) else self._unclear()
        return self._instance(value, name)

    def _collection(self, value: Any, name: str) -> Any:
        self._note(name, value)
        if isinstance(value, dict):
            return tuple((self._content(k), self._content(v)) for k, v in value.items())
        return tuple(self._content(v) for v in value)

    def _function(self, function: FunctionType) -> Any:
        """Code, defaults and what is read; of functions that do not change, what they enclose."""
        code, where = function.__code__, self._where
        if constant(function.__globals__.get("__name__")):
            return function, tuple(self._cell(function, name, (), "") for name in code.co_freevars)
        if self._home is None:
            self._home = function.__globals__
        home = function.__globals__ is self._home
        prefix = "" if home else f"{function.__globals__.get('__name__')}."
        positional = code.co_varnames[: code.co_argcount]
        defaults = [*zip(reversed(positional), reversed(function.__defaults__ or ()), strict=False)]
        defaults += (function.__kwdefaults__ or {}).items()
        shown = self._depth == 1  # of a model's function, not of all that a class holds
        found = []
        for name, value in defaults:
            self._where = f"{name} of {function.__name__}"
            found.append((name, self._content(value, name if shown else "")))
        for path in paths(code):
            self._where = f"{'.'.join(path[1:])} in {function.__name__}"
            found.append((path, self._path(function, path, prefix)))
        self._where = where
        return code, tuple(found), self._content(function.__dict__) if function.__dict__ else None

    def _cell(self, function: FunctionType, name: str, attributes: tuple[str, ...], shown: str) -> Any:
        cell = (function.__closure__ or ())[function.__code__.co_freevars.index(name)]
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            return None
        return self._follow(value, attributes, shown)

    def _path(self, function: FunctionType, path: tuple[str, ...], prefix: str) -> Any:
        """A key of what a function reads under a name and attributes of it."""
        scope, name, *attributes = path
        if scope == "import":
            self._reach(reached([*name.split("."), "random"]))
            return None if constant(name) else self._unclear()
        if scope == "closure":
            known = name in function.__code__.co_freevars  # others belong to a function around a nested one
            return self._cell(function, name, tuple(attributes), prefix + name) if known else None
        if name in function.__globals__:
            return self._follow(function.__globals__[name], tuple(attributes), prefix + name)
        return self._unclear() if name in DYNAMIC else None

    def _follow(self, value: Any, attributes: tuple[str, ...], name: str) -> Any:
        """A key of an attribute of an attribute of a value; where it is no plain one, of the value it is asked of."""
        names = [*value.__name__.split("."), *attributes] if isinstance(value, ModuleType) else []
        self._reach(reached(names) if names else [])
        if names and constant(value.__name__):
            return (value, attributes) if WORLDLY.isdisjoint(names) else self._unclear()
        if not attributes or type(value) in (*EXACT, *INEXACT, *COLLECTIONS, np.ndarray):
            return self._content(value, name)
        first, rest = attributes[0], attributes[1:]
        longer = name and f"{name}.{first}"
        if isinstance(value, ModuleType):
            if first not in vars(value):
                return self._unclear()
            return self._follow(vars(value)[first], rest, longer)
        if isinstance(value, type):
            held = _of_class(value, first)
            held = held.__func__ if type(held) is staticmethod else held
            whole = held is MISSING or (hasattr(type(held), "__get__") and type(held) is not FunctionType)
            return self._content(value) if whole else self._follow(held, rest, longer)
        held = _of_instance(value, first)
        return self._content(value, name) if held is MISSING else self._follow(held, rest, longer)

    def _instance(self, value: Any, name: str) -> Any:
        """The attributes of an object and the methods of its class; unclear where it holds more than can be seen."""
        kind = type(value)
        base, slots = next((b for b in BASES if issubclass(kind, b)), object), _slots(kind)
        own = len(slots) + (kind.__dictoffset__ not in (0, -1)) + (kind.__weakrefoffset__ > 0)
        if kind.__basicsize__ > base.__basicsize__ + 8 * own or isinstance(kind.__getattribute__, FunctionType):
            return self._unclear()
        held = {slot: v for slot, member in slots.items() if (v := _slot(member, value)) is not MISSING}
        own_names = getattr(value, "__dict__", {})
        if not isinstance(own_names, dict):  # an object that answers for any name
            return self._unclear()
        held.update(own_names)
        inside = tuple((a, self._content(v, name and f"{name}.{a}")) for a, v in held.items())
        return self._content(kind), self._content([*BASES[base](value)]) if base in BASES else None, inside

    def _class(self, cls: type) -> Any:
        """The contents of a class and of those that it extends."""
        if type(cls) not in (type, ABCMeta) and not constant(type(cls).__module__):
            return self._unclear()
        found: list[Any] = [cls]
        for each in cls.__mro__:
            if not constant(each.__module__) or (each.__module__ == "builtins" and each.__flags__ & HEAP):
                for name, value in [*vars(each).items()]:
                    if name not in UNREAD and type(value) is not MemberDescriptorType:
                        found.append((name, self._content(value)))
        return tuple(found)

    def _note(self, name: str, value: Any) -> None:
        """Show a value in `frozen`, if it is made of numbers."""
        if name and name not in self.frozen:
            shown = _copied(value)
            if shown is not MISSING:
                self.frozen[name] = shown


def _of_class(cls: type, name: str) -> Any:
    """An attribute as a class holds it; missing where the class of the class has a say."""
    if type(cls) not in (type, ABCMeta) or hasattr(type(cls), name):
        return MISSING
    return next((vars(each)[name] for each in cls.__mro__ if name in vars(each)), MISSING)


def _of_instance(value: Any, name: str) -> Any:
    """A plain attribute of an object; missing where it is computed: a method, a property, or what code answers for."""
    kind = type(value)
    of_class = next((vars(each)[name] for each in kind.__mro__ if name in vars(each)), MISSING)
    if isinstance(kind.__getattribute__, FunctionType):
        return MISSING
    if type(of_class) is MemberDescriptorType:
        return _slot(of_class, value)
    if hasattr(type(of_class), "__set__"):
        return MISSING
    owned = getattr(value, "__dict__", {})
    if name in owned:
        return owned[name]
    return MISSING if hasattr(type(of_class), "__get__") else of_class


def _slot(member: MemberDescriptorType, value: Any) -> Any:
    try:
        return member.__get__(value)
    except AttributeError:  # not assigned
        return MISSING


@functools.cache
def _slots(kind: type) -> dict[str, MemberDescriptorType]:
    """The slots that classes written in Python declare."""
    found: dict[str, MemberDescriptorType] = {}
    for each in kind.__mro__:
        if "__slots__" in vars(each):
            found.update({n: v for n, v in vars(each).items() if type(v) is MemberDescriptorType})
    return found


def _in_python(function: np.ufunc) -> bool:
    """Whether `frompyfunc` made it of a Python function."""
    return {*"".join(function.types)} == {*"O->"}


def _digest(array: np.ndarray) -> bytes:
    data = array.tobytes()
    return data if len(data) <= SMALL else hashlib.sha256(data).digest()


def _copied(value: Any) -> Any:
    """A copy of a number, or of a collection or small array of numbers."""
    if type(value) in (bool, int, float, complex) or isinstance(value, np.generic):
        return value
    if type(value) is np.ndarray and value.size <= SMALL and value.dtype.kind in "biufc":
        array = np.array(value)
        array.flags.writeable = False
        return array
    if type(value) in (tuple, list) and len(value) <= SMALL:
        inner = [_copied(v) for v in value]
        return MISSING if any(v is MISSING for v in inner) else type(value)(inner)
    if type(value) is dict and len(value) <= SMALL:
        shown = {k: _copied(v) for k, v in value.items()}
        return MISSING if any(v is MISSING for v in shown.values()) else shown
    return MISSING
