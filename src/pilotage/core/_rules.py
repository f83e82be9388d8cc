"""Rules for settings: the values that a declared type takes, in words, and the conversion to it."""

from __future__ import annotations

import math
import operator
import re
import reprlib
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np

from .arrays import numbers
from .errors import SettingError, ShapeError


class Misfit(Exception):
    """A value does not follow a rule."""


class Rule(NamedTuple):
    """An expectation in words, and a function that brings a value to it or raises."""

    expected: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`; an end with a round bracket in `ends` does not belong to them.

    Example:
        >>> from pilotage.core.settings import setting
        >>> Speed = Annotated[float, Interval(0.0, 3.0, "(]")]
        >>> setting(4, Speed, "speed")
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: speed is 4; expected a number in (0, 3]
    """

    low: float = -math.inf
    high: float = math.inf
    ends: Literal["()", "(]", "[)", "[]"] = "()"

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.ends[0] == "[" else value > self.low
        return above and (value <= self.high if self.ends[1] == "]" else value < self.high)

    def expected(self, number: str) -> str:
        """The expectation of a value: ``"a number in (0, 3]"``."""
        if self.low == -math.inf and self.high == math.inf:
            return number if self.ends == "[]" else number.replace("a ", "a finite ", 1)
        if self.high == math.inf and self.low == 0.0 and self.ends == "()":
            return number.replace("a ", "a positive ", 1)
        if self.high == math.inf:
            return f"{number}, {self.low:g} or more" if self.ends[0] == "[" else f"{number} above {self.low:g}"
        if self.ends == "[]":
            return f"{number} from {self.low:g} to {self.high:g}"
        return f"{number} in {self.ends[0]}{self.low:g}, {self.high:g}{self.ends[1]}"


@dataclass(frozen=True)
class Numbers:
    """A read-only float64 array of finite numbers of the given shape; None stands for an axis of any length.

    Example:
        >>> from pilotage.core.settings import setting
        >>> setting([[0, 0, 0.5]], Annotated[np.ndarray, Numbers(None, 3)], "footprint")
        array([[0. , 0. , 0.5]])
    """

    shape: tuple[int | None, ...]

    def __init__(self, *shape: int | None) -> None:
        object.__setattr__(self, "shape", shape)

    @property
    def expected(self) -> str:
        """The expectation of a value, in words."""
        axes = ", ".join("N" if n is None else str(n) for n in self.shape)
        return f"finite numbers of shape ({axes}{',' if len(self.shape) == 1 else ''})"

    def read(self, value: Any) -> Any:
        """A read-only copy."""
        try:
            found = np.array(numbers(value, "a setting"), order="C")
        except ShapeError:
            raise Misfit from None
        same = len(self.shape) == found.ndim and all(
            n in (None, m) for n, m in zip(self.shape, found.shape, strict=True)
        )
        _kept(value, same and np.isfinite(found).all())
        found.flags.writeable = False
        return found


def brought(rule: Rule, value: Any, name: str) -> Any:
    try:
        return rule.read(value)
    except Misfit:
        hint = "; is () missing?" if callable(value) else ""
        hint = "; beliefs are given to methods, as in start(belief=...)" if hasattr(value, "moments") else hint
        error = SettingError(f"{name} is {shown(value)}; expected {rule.expected}{hint}")
        error.setting = name
        raise error from None


class _Printer(reprlib.Repr):
    """Writes out no more than a message shows: lists of lists of lists, from a file perhaps, may be without end."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxtuple = self.maxlist = self.maxarray = self.maxdict = 30
        self.maxset = self.maxfrozenset = self.maxdeque = 30
        self.maxstring = self.maxlong = self.maxother = 200

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write out thousands of digits."""
        return repr(x) if x.bit_length() < 1000 else f"a whole number of {x.bit_length()} bits"

    def repr_float(self, x: float, level: int) -> str:
        return _without_noise(repr(float(x)))

    repr_float64 = repr_float

    def repr_instance(self, x: Any, level: int) -> str:
        return _without_noise(super().repr_instance(x, level))


def _without_noise(text: str) -> str:
    """A text whose numbers have 15 digits at most, which leaves out the noise of rounding: 8.399999999999999 is 8.4."""
    return re.sub(r"\d+\.\d{10,}", lambda found: f"{float(found[0]):.15g}", text)


def shown(value: Any) -> str:
    """`value` as a message shows it: in one line, numbers without the noise of rounding, cut where it is long.

    What is cut off is not written out at all.
    """
    text = " ".join(_Printer().repr(value).split())
    if len(text) <= 100:
        return text
    kind = type(value).__name__
    return f"{text[:60]} ..." if text.startswith(kind) else f"{kind} {text[:60]} ..."


def rule_of(kind: Any) -> Rule | None:
    """The rule of a type, None where nothing is checked."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(args[0], args[1:])
    if origin in (Union, types.UnionType):
        return _either([rule_of(k) for k in args])
    if origin is Literal:
        return Rule(" or ".join(map(repr, args)), partial(_one_of, args))
    if origin is tuple:
        return _several(args)
    if origin is Callable:
        return Rule("a function", _called)
    if kind in _PLAIN:
        return _PLAIN[kind]
    vague = kind is Any or (getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False))
    if origin is None and isinstance(kind, type) and not vague:
        return Rule(article(kind.__name__), partial(_instance, kind))
    return None


def _annotated(kind: Any, more: tuple[Any, ...]) -> Rule | None:
    rule = rule_of(kind)
    for limit in more:
        if isinstance(limit, Interval) and rule is not None:
            rule = _within(limit, rule)
        elif isinstance(limit, Numbers):
            return Rule(limit.expected, limit.read)
    return rule


@lru_cache(maxsize=256)  # the rules of plain kinds are always the same objects
def _within(interval: Interval, rule: Rule) -> Rule:
    def read(value: Any) -> Any:
        found = rule.read(value)
        return _kept(found, found in interval)

    return Rule(interval.expected(rule.expected), read)


def _either(rules: list[Rule | None]) -> Rule | None:
    known = [rule for rule in rules if rule is not None]

    def read(value: Any) -> Any:
        for rule in known:
            try:
                return rule.read(value)
            except Misfit:
                continue
        raise Misfit

    return Rule(" or ".join(rule.expected for rule in known), read) if len(known) == len(rules) else None


def _several(args: tuple[Any, ...]) -> Rule:
    """Sequences: ``tuple[X, ...]`` of any length, ``tuple[X, Y]`` of two."""
    open_ended = len(args) == 2 and args[1] is Ellipsis
    known = [rule_of(k) or _ANYTHING for k in (args[:1] if open_ended else args)]

    def read(value: Any) -> tuple[Any, ...]:
        _kept(value, issubclass(type(value), (list, tuple)) or (issubclass(type(value), np.ndarray) and np.ndim(value)))
        each = known * len(value) if open_ended else known
        _kept(value, len(value) == len(each))
        return tuple(rule.read(item) for rule, item in zip(each, value, strict=True))

    words = dict.fromkeys(rule.expected for rule in known)
    count = "a list of values" if open_ended else f"{len(known)} values"
    return Rule(f"{count}, each {next(iter(words))}" if len(words) == 1 else f"{count}: {', '.join(words)}", read)


def _kept(value: Any, fits: Any) -> Any:
    if not fits:
        raise Misfit
    return value


def _instance(kind: Any, value: Any) -> Any:
    return _kept(value, isinstance(value, kind))


def _called(value: Any) -> Any:
    return _kept(value, callable(value))


def article(noun: str) -> str:
    vowels = "AEFHILMNORSX" if noun.isupper() else "AEIOU"  # of letters that are spelled: an MPPI, a UKF
    return noun if noun.endswith("s") else f"{'an' if noun[0] in vowels else 'a'} {noun}"


def _one_of(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        given: Any = value.item() if issubclass(type(value), np.generic) else value
        if type(given) is type(choice) and given == choice:
            return choice
    raise Misfit


def _float(value: Any) -> float:
    """One number of any kind; what is written as text or is true or false is none."""
    if type(value) is float and value == value:
        return value
    try:
        found = numbers(value, "a setting")
    except ShapeError:
        raise Misfit from None
    _kept(value, found.shape == () and not np.isnan(found) and not isinstance(value, (bool, np.bool_)))
    return float(found)


def _int(value: Any) -> int:
    try:
        return operator.index(_kept(value, not isinstance(value, (bool, np.bool_))))
    except TypeError:
        raise Misfit from None


def _bool(value: Any) -> bool:
    return bool(_kept(value, isinstance(value, (bool, np.bool_))))


_ANYTHING = Rule("of any kind", partial(_instance, object))
_FLOAT = Rule("a number", _float)
_PLAIN: dict[Any, Rule] = {
    float: _FLOAT,
    int: Rule("a whole number", _int),
    bool: Rule("True or False", _bool),
    str: Rule("a string", partial(_instance, str)),
    type(None): Rule("None", partial(_instance, type(None))),
    None: Rule("None", partial(_instance, type(None))),
}
