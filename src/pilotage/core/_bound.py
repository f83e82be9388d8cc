"""Calls that do not fit a signature: unknown names, missing arguments, methods called on the class."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from .errors import ArgumentError, SettingError

Kind = TypeVar("Kind")
Given = ParamSpec("Given")

USUAL = {
    "x": "mean",
    "x0": "mean",
    "P": "cov",
    "seed": "rng",
    "sigma": "std",
    "range_max": "max_range",
    "n_envs": "num_envs",
    "end": "goal",
    "radius": "footprint",
    "measurement": "z",
    "measurements": "readings",
    "zs": "readings",
}
"""Names that other libraries give to arguments, and those of Pilotage."""


def by_name(function: Callable[Given, Kind]) -> Callable[Given, Kind]:
    """`function`, or an `__init__`, which names the settings that there are when it is given one of a wrong name.

    A setting that an `__init__` passes on to another class, and that is refused there, is named as one of its own.

    Raises:
        SettingError: with the name, the nearest one, and the list.

    Example:
        >>> @by_name
        ... def drive(speed=1.0, *, radius=0.2): ...
        >>> drive(raduis=0.3)
        Traceback (most recent call last):
        pilotage.core.errors.ArgumentError: drive has no setting raduis; did you mean radius? It has speed, radius
    """

    @functools.wraps(function)
    def called(*args: Given.args, **given: Given.kwargs) -> Kind:
        try:
            return function(*args, **given)
        except ArgumentError:
            raise
        except SettingError as error:
            if function.__name__ == "__init__" and args and (own := passed_on(error, function, type(args[0]))):
                raise own from error
            raise
        except TypeError:
            made = type(args[0]) if function.__name__ == "__init__" and args else None
            who = made.__name__ if made else function.__qualname__.rpartition("<locals>.")[2]
            wrong = misfit(function, args, given, who, made)
            if not wrong:
                raise
            raise ArgumentError(wrong) from None

    return called


def passed_on(error: SettingError, function: Callable[..., Any], made: type[Any]) -> SettingError | None:
    """The error of a setting of the same name of `made`, for one that its `__init__` passed on to another class."""
    name, _, owner = error.setting.partition(" of ")
    if owner in ("", made.__name__) or not owner.isidentifier() or name not in inspect.signature(function).parameters:
        return None
    own = SettingError(f"{name} of {made.__name__}{str(error).removeprefix(error.setting)}")
    own.setting = f"{name} of {made.__name__}"
    return own


def misfit(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    given: dict[str, Any],
    who: str,
    made: type[Any] | None = None,
) -> str:
    """One sentence on the first name that `function` does not take, or on too few or too many; empty when it fits.

    `made` is the class of which an object is made; one of its class methods may take the name.
    """
    signature = inspect.signature(function)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    takes = [p for p in signature.parameters.values() if p.kind in named and p.name not in ("self", "cls")]
    known = [p.name for p in takes]
    strange = [name for name in given if name not in known]
    if strange and not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        known = _outer(made, known)
        near = _nearest(strange[0], known)
        hint = f"did you mean {near}? It has" if near else "it has"
        return f"{who} has no setting {strange[0]}; {hint} {', '.join(known)}{_maker(made, strange)}"
    try:
        there = signature.bind_partial(*args, **given).arguments
    except TypeError:  # too many, or one twice
        places = [p.name for p in takes if p.kind is p.POSITIONAL_OR_KEYWORD]
        count = len(args) - (next(iter(signature.parameters), "") in ("self", "cls"))
        if count <= len(places):
            return ""
        rest = [name for name in known if name not in places]
        by_name_only = f"; by name: {', '.join(rest)}" if rest else ""
        return f"{who} takes {len(places)} without a name ({', '.join(places)}), not {count}{by_name_only}"
    missing = [p.name for p in takes if p.default is p.empty and p.name not in there]
    return f"{who} needs {' and '.join(missing)}; it has {', '.join(known)}" if missing else ""


def _outer(made: type[Any] | None, known: list[str]) -> list[str]:
    """The names that a class and its bases take which pass others on: their own, then the known ones."""
    names: list[str] = []
    for cls in made.__mro__ if made is not None else ():
        if "__init__" not in cls.__dict__:
            continue
        own = [p for p in inspect.signature(cls.__dict__["__init__"]).parameters.values() if p.name != "self"]
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            break
        names += [p.name for p in own if p.kind is not p.VAR_KEYWORD]
    return list(dict.fromkeys([*names, *known]))


def _nearest(name: str, known: list[str]) -> str:
    """The one of the known names that is most likely meant; empty when none is near."""
    if USUAL.get(name) in known:
        return USUAL[name]
    parts = sorted((other for other in known if len(other) > 2 and other in name), key=len)
    return next(iter(parts[-1:] or difflib.get_close_matches(name, known, n=1)), "")


def _maker(made: type[Any] | None, names: list[str]) -> str:
    """The class method that takes the names which `__init__` does not, as the end of a sentence."""
    if made is None:
        return ""
    public = [name for name in dir(made) if name[0] != "_" and isinstance(vars(made).get(name), classmethod)]
    takes = [name for name in public if {*names} <= {*inspect.signature(getattr(made, name)).parameters}]
    return f"; {made.__name__}.{takes[0]} takes {', '.join(names)}" if takes else ""


def bound(cls: type[Any]) -> type[Any]:
    """`cls`, whose public methods explain calls that do not fit: on the class, by wrong names, or with too little.

    Where there is too little or too much, `misused` of the class ends the sentence.

    Example:
        >>> from pilotage.planners import AStar
        >>> AStar.plan("map", (0, 0), (1, 1))
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: AStar.plan is called on the class; make one first: AStar(...).plan(...)
        >>> AStar().plan("map", start=(0, 0), gaol=(1, 1))
        Traceback (most recent call last):
        pilotage.core.errors.ArgumentError: AStar.plan has no setting gaol; did you mean goal? It has problem, ...
    """
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        if isinstance(method, FunctionType) and name[0] != "_" and name not in cls.__dataclass_fields__:
            setattr(cls, name, _told(getattr(method, "of_any", method), cls))
    return cls


def _told(method: Callable[..., Any], cls: type[Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def called(*args: Any, **named: Any) -> Any:
        try:
            return method(*args, **named)
        except (TypeError, AttributeError) as error:
            if args and isinstance(args[0], cls):
                who = f"{type(args[0]).__name__}.{method.__name__}"
                wrong = misfit(method, args, named, who) if isinstance(error, TypeError) else ""
                if not wrong:
                    raise
                hint = "" if " has no setting " in wrong else getattr(cls, "misused", "")
                raise ArgumentError(wrong if method.__name__ in hint else wrong + hint) from None
            name = f"{cls.__name__}.{method.__name__}"
            raise SettingError(
                f"{name} is called on the class; make one first: {cls.__name__}(...).{method.__name__}(...)"
            ) from error

    called.of_any = method  # type: ignore[attr-defined]  # subclasses say their own names
    return called
