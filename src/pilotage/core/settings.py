"""Settings, checked: a number, a positive one, a whole one, a model that was made."""

from __future__ import annotations

import math
import operator
from typing import Any, TypeVar

import numpy as np

from .errors import ModelError, ShapeError

Kind = TypeVar("Kind")


def number(value: Any, name: str) -> float:
    """`value` as a float, when it is one number; what range it must lie in is for the caller to say.

    Raises:
        ShapeError: for anything else.

    Example:
        >>> number([1.0, 2.0], "speed")
        Traceback (most recent call last):
        pilotage.core.errors.ShapeError: speed is [1.0, 2.0]; expected one number
    """
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != ():
        raise ShapeError(f"{name} is {value!r}; expected one number")
    return float(found)


def positive(value: Any, name: str, *, zero: bool = False) -> float:
    """`value` as a float, when it is one finite number above zero, or not below it where `zero` is allowed.

    Raises:
        ShapeError: for anything else.

    Example:
        >>> positive(-0.5, "speed")
        Traceback (most recent call last):
        pilotage.core.errors.ShapeError: speed is -0.5; expected a positive number
    """
    found = number(value, name)
    if 0.0 < found < math.inf or (zero and found == 0.0):
        return found
    raise ShapeError(f"{name} is {value!r}; expected a {'finite number, 0 or more' if zero else 'positive number'}")


def whole(value: Any, name: str, least: int = 1, most: float = math.inf) -> int:
    """`value` as an int, when it is a whole number from `least` to `most`; True and False are none.

    Raises:
        ShapeError: for anything else.

    Example:
        >>> whole(2.5, "samples")
        Traceback (most recent call last):
        pilotage.core.errors.ShapeError: samples is 2.5; expected a whole number, 1 or more
    """
    try:
        found = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = least - 1
    if not least <= found <= most:
        limits = f", {least} or more" if most == math.inf else f" from {least} to {most}"
        raise ShapeError(f"{name} is {value!r}; expected a whole number{limits}")
    return found


def instance(value: Any, kind: type[Kind], who: str) -> Kind:
    """`value`, when it is of the kind that `who` needs; a class or a family in its place was most often not called.

    Raises:
        ModelError: for anything else.

    Example:
        >>> from pilotage.core import Dynamics
        >>> from pilotage.models import bicycle
        >>> instance(bicycle, Dynamics, "EKF")
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: EKF needs Dynamics, not <dynamics bicycle(wheelbase)> of type ...
    """
    if isinstance(value, kind):
        return value
    hint = "; is () missing?" if callable(value) else ""
    needed = kind.__name__ if kind.__name__.endswith("s") else f"a {kind.__name__}"
    raise ModelError(f"{who} needs {needed}, not {value!r} of type {type(value).__name__}{hint}")
