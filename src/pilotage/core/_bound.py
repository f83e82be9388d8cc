"""Methods of settings that are called on the class: ``EKF.start(mean)``, where ``()`` is missing."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .errors import SettingError


def bound(cls: type[Any]) -> type[Any]:
    """`cls`, whose public methods say so when they fail because they were called on the class.

    Example:
        >>> from pilotage.planners import AStar
        >>> AStar.plan("map", (0, 0), (1, 1))
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: AStar.plan is called on the class; make one first: AStar(...).plan(...)
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
                raise
            name = f"{cls.__name__}.{method.__name__}"
            raise SettingError(
                f"{name} is called on the class; make one first: {cls.__name__}(...).{method.__name__}(...)"
            ) from error

    called.of_any = method  # type: ignore[attr-defined]  # subclasses say their own names
    return called
