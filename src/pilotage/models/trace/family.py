"""Families: what a decorated function becomes, and what makes models of it with parameter values."""

from __future__ import annotations

import functools
import inspect
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, ClassVar, Concatenate, Generic, Never, ParamSpec, TypeVar, cast

from ...core.errors import ModelError
from ...core.space import Space
from ._functions import takes
from ._outside import Reading, Unclear
from .params import Parameters

Member = TypeVar("Member")
Settings = ParamSpec("Settings")
Declares = TypeVar("Declares")
COPIED = ("__module__", "__name__", "__qualname__", "__doc__")
PLAIN = (bool, int, float, str, NoneType)
KEPT = 64
"""Members that a family keeps, for the next call with the same values."""


class Family(ABC, Generic[Member]):
    """All models that share one function; call it with parameter values to get a member.

    The keywords of `__call__` are the settings that a model of that kind takes beside its parameters. The function
    itself is `__wrapped__`.

    Attributes:
        params: parameters and their default values.

    Raises:
        ModelError: when the function takes other arguments than it should, something that must be a space is none,
            or a parameter has the name of a setting.
    """

    kind: ClassVar[str]
    origin: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
    """The function that makes this family, with its arguments; None for a family with a name (`portable.variants`)."""

    def __init__(
        self,
        body: Callable[..., Any],
        arguments: Sequence[str],
        params: Mapping[str, Any] | None,
        positive: str | Sequence[str] = (),
        nonnegative: str | Sequence[str] = (),
        **spaces: Space,
    ) -> None:
        takes(body, arguments, f"a {self.kind} function")
        functools.update_wrapper(self, body, assigned=COPIED, updated=())
        self.__wrapped__ = body
        self._kept: OrderedDict[tuple[Any, str], Member] = OrderedDict()
        self._kept_lock = threading.Lock()
        signs = (names.split() if isinstance(names, str) else names for names in (positive, nonnegative))
        self.params = Parameters(params or {}, *signs)
        for role, space in spaces.items():
            if not isinstance(space, Space):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ModelError(f"the {role} of {body.__name__} must be a Space, not {space!r}")
            if role != "action" and not space.size:
                raise ModelError(f"the {role} of {body.__name__} has no components; it needs one or more")
        keyword = inspect.Parameter.KEYWORD_ONLY
        settings = [p for p in inspect.signature(self.__call__).parameters.values() if p.kind == keyword]
        self._settings = tuple(p.name for p in settings)
        for name in self.params.keys() & {*self._settings}:
            raise ModelError(f"the parameter {name!r} of {body.__name__} has the name of a setting; rename it")
        given = [inspect.Parameter(name, keyword, default=value) for name, value in self.params.items()]
        self.__signature__ = inspect.Signature([*given, *settings])  # what `help` and editors show

    def __repr__(self) -> str:
        return f"<{self.kind} {self.__name__}({', '.join(self.params)})>"

    def __reduce__(self) -> Any:
        return self.__qualname__ if self.origin is None else self.origin

    @property
    def functions(self) -> dict[str, Any]:
        """Functions that members have from their family beside the one it is made of, by what they are for."""
        return {}

    def values(self, given: Mapping[str, Any], unnamed: Sequence[Any] = ()) -> Parameters:
        """The parameters, those that were not given at their defaults; what was given without a name is refused."""
        if unnamed:
            names = [*self.params, *self._settings]
            raise ModelError(f"parameters go by name: {self.__name__}({names[0]}={unnamed[0]!r})")
        return self.params.replaced(given, self.__name__, self._settings)

    @abstractmethod
    def __call__(self, *unnamed: Never, **params: Any) -> Member:
        """The member with these parameter values."""


def remembered(
    make: Callable[Concatenate[Any, Settings], Member],
) -> Callable[Concatenate[Any, Settings], Member]:
    """`make`, the `__call__` of a family, which gives the member again that it made of the same plain values.

    Members are values, so one is as good as another, while what their functions read from outside stays.

    Example:
        >>> from pilotage.models import bicycle
        >>> bicycle(wheelbase=2.0) is bicycle(wheelbase=2.0)
        True
    """

    @functools.wraps(make)
    def called(self: Any, *unnamed: Settings.args, **given: Settings.kwargs) -> Member:
        if unnamed or not _plain(given):
            return make(self, *unnamed, **given)
        spelt = repr(given)
        now = Reading((self.__wrapped__, *self.functions.values())).key, spelt
        with self._kept_lock:
            if now in self._kept:
                self._kept.move_to_end(now)
                return self._kept[now]
        made: Any = make(self, **given)  # pyright: ignore[reportCallIssue]
        read = made._recipe.outside
        if not isinstance(read, Unclear):
            with self._kept_lock:
                self._kept[read, spelt] = made
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return made

    return called


def _plain(value: Any) -> bool:
    """Whether a value does not change, or has no parts that do, and `repr` tells all of it."""
    if type(value) is dict:
        entries = cast(dict[Any, Any], value)
        return all(type(name) is str and _plain(entry) for name, entry in entries.items())
    return type(value) in PLAIN or (type(value) in (tuple, list) and all(map(_plain, value)))


def parenthesised(declare: Callable[Settings, Declares]) -> Callable[Settings, Declares]:
    """`declare`, a decorator that takes settings by name; without its parentheses it says so.

    Example:
        >>> from pilotage.models import dynamics
        >>> @dynamics
        ... def cart(x, u, p, m):
        ...     return x[1], u[0]
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: @dynamics needs parentheses and settings by name: @dynamics(state=...)
    """

    @functools.wraps(declare)
    def declared(*unnamed: Settings.args, **settings: Settings.kwargs) -> Declares:
        if unnamed:
            given = inspect.signature(declare).parameters.values()
            needed = ", ".join(f"{p.name}=..." for p in given if p.default is p.empty)
            name = declare.__name__
            raise ModelError(f"@{name} needs parentheses and settings by name: @{name}({needed})")
        return declare(*unnamed, **settings)

    return declared
