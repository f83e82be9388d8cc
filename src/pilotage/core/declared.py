"""What declares its spaces as attributes."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ModelError
from .space import Space

SPACES = ("state", "action", "reading")
COLLECTIONS = ("a list", "a tuple", "a dict")
PLAIN = (str, bytes, int, float, tuple, list, dict, np.ndarray)


class MissingSpace(ModelError, AttributeError):
    """A space that a model should declare, and does not."""


class Declared:
    """Base of `Dynamics` and `Sensor`: a space that is missing, or is none, is answered in a sentence.

    Example:
        >>> class Cart(Declared):
        ...     state = "x [m]"
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: Cart.state is 'x [m]', which is no Space; write state = Space('x [m]')
    """

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        for name in SPACES:
            value = cls.__dict__.get(name)
            # Properties, fields of dataclasses and the like come to a space later.
            if isinstance(value, PLAIN):
                hint = f"write {name} = Space({value!r})" if isinstance(value, str) else "give it a Space"
                raise ModelError(f"{cls.__name__}.{name} is {value!r}, which is no Space; {hint}")

    if not TYPE_CHECKING:  # to a type checker, every attribute would seem to exist

        def __getattr__(self, name: str) -> Any:
            member = inspect.getattr_static(type(self), name, None)
            if isinstance(member, (property, cached_property)):
                # It is there, and an AttributeError inside it led here: ask again, for the error itself.
                return member.__get__(self, type(self))
            kind = type(self).__name__
            if name in SPACES and not hasattr(type(self), name):
                raise MissingSpace(
                    f"{kind} has no {name}; declare it: {name} = Space(...), in the class or its __init__"
                )
            # Where a property raised an AttributeError of its own, this raises that one again.
            return object.__getattribute__(self, name)


def called(model: Any) -> str:
    """What errors call a model: its `name`, else that of its class.

    Example:
        >>> called(3.0)
        'float'
    """
    return str(getattr(model, "name", type(model).__name__))


def answered(value: Any, space: Space, model: Any, method: str) -> Any:
    """What a model's method answered, when it is an array ``(..., space.size)``; else a sentence that names it.

    Raises:
        ModelError: for anything else.

    Example:
        >>> answered(np.zeros((3, 2)), Space("x y"), "cart", "step").shape
        (3, 2)
    """
    shape = getattr(value, "shape", ())
    if len(shape) == 0 or shape[-1] != space.size:
        kind = f"a {type(value).__name__}"
        given = "None" if value is None else kind if kind in COLLECTIONS else f"an array of shape {np.shape(value)}"
        raise ModelError(
            f"{called(model)}.{method} returned {given}; an array (..., {space.size}) of {', '.join(space.names)} was "
            "expected"
        )
    return value


def names_of(model: Any, space: str) -> str:
    """Names of the components of one of a model's spaces, for its repr.

    Example:
        >>> class Cart(Declared):
        ...     state = Space("x [m]", "v [m/s]")
        >>> names_of(Cart(), "state")
        'x, v'
    """
    given = getattr(model, space, None)
    return (", ".join(given.names) or f"no {space}") if isinstance(given, Space) else "?"
