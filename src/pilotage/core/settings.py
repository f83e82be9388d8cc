"""Settings: frozen dataclasses whose fields are checked by their declared types.

A type is a rule: a value is brought to its type, or refused in one sentence that names the setting, the value and what
was expected. Only relations between fields are left for a `__post_init__`, which raises `SettingError` too.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from types import FunctionType
from typing import Annotated, Any, TypeVar, dataclass_transform, overload

from ._bound import bound
from ._bound import by_name as by_name
from ._rules import Interval as Interval
from ._rules import Numbers as Numbers
from ._rules import Rule, article, brought, rule_of
from ._rules import shown as shown
from .errors import SettingError

Kind = TypeVar("Kind")

Finite = Annotated[float, Interval()]
Positive = Annotated[float, Interval(0.0)]
NonNegative = Annotated[float, Interval(0.0, ends="[)")]
Fraction = Annotated[float, Interval(0.0, 1.0, "[]")]
Count = Annotated[int, Interval(1, ends="[)")]
Natural = Annotated[int, Interval(0, ends="[)")]


@overload
def settings(cls: type[Kind], /) -> type[Kind]: ...
@overload
def settings(
    *, eq: bool = True, repr: bool = True, kw_only: bool = False, slots: bool = False
) -> Callable[[type[Kind]], type[Kind]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def settings(cls: type[Any] | None = None, /, **options: Any) -> Any:
    """A frozen dataclass whose fields are checked by their types when one is made.

    | declared as | takes | kept as |
    |---|---|---|
    | ``float`` | one number, infinity too, but not NaN | float |
    | `Finite`, `Positive`, `NonNegative`, `Fraction` | a finite number; above 0; 0 or more; from 0 to 1 | float |
    | ``int``, `Count`, `Natural` | a whole number; 1 or more; 0 or more; True and False are none | int |
    | ``Annotated[float, Interval(0, 1, "(]")]`` | a number in that interval; ``int`` alike | float, int |
    | ``bool``, ``str`` | themselves | |
    | ``Literal["hold", "brake"]`` | one of these | |
    | ``tuple[Positive, ...]``, ``tuple[int, int]`` | a sequence or array of such values | tuple |
    | ``Annotated[Array, Numbers(None, 3)]`` | finite numbers of that shape | read-only copy |
    | a class, such as `Dynamics` | its instances | |
    | ``Callable[..., Any]`` | what can be called | |
    | ``X | None`` | None or X | |

    Other types, such as ``Any`` and protocols that cannot be asked at run time, are not checked, nor are
    names that are imported under ``TYPE_CHECKING``. Subclasses inherit the checks if they are settings themselves. A
    `__post_init__` runs after the checks. Wrong names are refused as by `by_name`.

    Raises:
        SettingError: when a value does not fit its type; the names of class and field, and the value, are in it.

    Example:
        >>> @settings
        ... class Filter:
        ...     samples: Count = 100
        ...     gate: Annotated[float, Interval(0, 1)] | None = None
        >>> Filter(samples=2.5)
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: samples of Filter is 2.5; expected a whole number, 1 or more
    """

    def made(cls: type[Any]) -> type[Any]:
        inherited = getattr(cls, "__post_init__", None)
        if "__post_init__" in cls.__dict__ or not hasattr(inherited, "checked"):
            setattr(cls, "__post_init__", _checking(inherited))  # noqa: B010
        cls = dataclass(frozen=True, **options)(cls)
        setattr(cls, "__init__", by_name(cls.__init__))  # noqa: B010
        return bound(cls)

    return made if cls is None else made(cls)


def _checking(relations: Any) -> Any:
    """A `__post_init__` that brings all fields to their types and then runs `relations`, if there are any."""

    def __post_init__(self: Any) -> None:
        kind: Any = self.__class__
        for name, rule in _rules(kind):
            value = self.__dict__[name]
            kept = brought(rule, value, f"{name} of {kind.__name__}")
            if kept is not value:
                object.__setattr__(self, name, kept)
        if relations is not None:
            relations(self)

    __post_init__.checked = True  # type: ignore[attr-defined]  # subclasses need no second one
    return __post_init__


@cache
def _rules(kind: type[Any]) -> tuple[tuple[str, Rule], ...]:
    found = ((f.name, rule_of(_type_of(kind, f.name))) for f in fields(kind) if f.init)
    return tuple((name, rule) for name, rule in found if rule is not None)


def _type_of(kind: type[Any], name: str) -> Any:
    """The declared type of a field; Any where its name is known to type checkers only."""
    owner = next(c for c in kind.__mro__ if name in inspect.get_annotations(c))
    declared = inspect.get_annotations(owner)[name]
    if not isinstance(declared, str):
        return declared
    try:
        return eval(declared, sys.modules[owner.__module__].__dict__, dict(vars(owner)))
    except NameError:
        return Any


def setting(value: Any, kind: Any, name: str) -> Any:
    """`value` brought to the type `kind`, for a setting that is an argument; `settings` lists the types.

    Raises:
        SettingError: when it does not fit.

    Example:
        >>> setting(-0.5, Positive, "speed")
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: speed is -0.5; expected a positive number
    """
    rule = rule_of(kind)
    return value if rule is None else brought(rule, value, name)


def number(value: Any, name: str) -> float:
    """`value` as a float, when it is one number, infinite perhaps, but not NaN; else a `SettingError`."""
    return setting(value, float, name)


def positive(value: Any, name: str, *, zero: bool = False) -> float:
    """`value` as a float, when it is finite and above zero, or zero where that is allowed; else a `SettingError`."""
    return setting(value, NonNegative if zero else Positive, name)


def whole(value: Any, name: str, least: int = 1, most: float = math.inf) -> int:
    """`value` as an int, when it is a whole number from `least` to `most`; else a `SettingError`.

    Example:
        >>> whole(2.5, "samples", most=9)
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: samples is 2.5; expected a whole number from 1 to 9
    """
    if type(value) is int and least <= value <= most:
        return value
    return setting(value, Annotated[int, Interval(least, most, "[)" if most == math.inf else "[]")], name)


def instance(value: Any, kind: type[Kind], who: str, hint: str = "") -> Kind:
    """`value`, when it is of the class that `who` needs; a class in the place of a model was most often not called.

    `hint`, or `instead` of the class, ends the sentence in other cases, `hint` also for a function.

    Raises:
        SettingError: for anything else.

    Example:
        >>> from pilotage.core import Dynamics
        >>> from pilotage.models import bicycle
        >>> instance(bicycle, Dynamics, "EKF")
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: EKF needs Dynamics, not <dynamics bicycle(wheelbase)> of type ...
    """
    if isinstance(value, kind) and not isinstance(value, type):  # a class has the methods of a protocol, too
        return value
    called = callable(value) and not (hint and isinstance(value, FunctionType))
    hint = "; is () missing?" if called else hint or getattr(kind, "instead", "")
    raise SettingError(f"{who} needs {article(kind.__name__)}, not {shown(value)} of type {type(value).__name__}{hint}")


def instances(values: Iterable[Any], kind: type[Kind], who: str) -> tuple[Kind, ...]:
    """Each of many values as by `instance`; one that is not in a list is refused too.

    Raises:
        SettingError: for anything else.
    """
    if isinstance(values, kind) or not isinstance(values, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"{who} is {shown(values)}; expected a list of {kind.__name__}, as in [...]")
    return tuple(instance(each, kind, who) for each in values)
