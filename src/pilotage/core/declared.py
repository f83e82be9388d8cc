"""Models that declare their spaces as attributes, and checks of what their methods return."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ._bound import by_name
from .errors import ModelError, PilotageError
from .space import Space

SPACES = ("state", "action", "reading")
PLAIN = (str, bytes, int, float, tuple, list, dict, np.ndarray)


class MissingSpace(ModelError, AttributeError):
    """A space that a model should declare, and does not."""


class Declared:
    """Base of `Dynamics` and `Sensor`: a space that is missing, or is none, is answered in a sentence.

    So are names that its ``__init__`` does not take, and what it lacks.

    Example:
        >>> class Cart(Declared):
        ...     state = "x [m]"
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: Cart.state is 'x [m]', which is no Space; write state = Space('x [m]')
    """

    parameters_depend_on_dt: bool = False
    """Whether the parameters of machine code differ between time steps."""
    live: bool = False
    """Whether the parameters of machine code may change in place, as tensors under an optimiser do."""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        for name in SPACES:
            value = cls.__dict__.get(name)
            # Properties, fields of dataclasses and the like come to a space later.
            if isinstance(value, PLAIN):
                hint = f"write {name} = Space({value!r})" if isinstance(value, str) else "give it a Space"
                raise ModelError(f"{cls.__name__}.{name} is {value!r}, which is no Space; {hint}")
        if "__init__" in cls.__dict__:
            setattr(cls, "__init__", by_name(cls.__init__))  # noqa: B010

    if not TYPE_CHECKING:  # to a type checker, every attribute would seem to exist

        def __getattr__(self, name: str) -> Any:
            member = getattr(type(self), name, None)  # asked often, for what is optional
            if isinstance(member, (property, cached_property)):
                # It is there, and an AttributeError inside it led here: ask again, for the error itself.
                return member.__get__(self, type(self))
            kind = type(self).__name__
            if name in SPACES and not hasattr(type(self), name):
                raise MissingSpace(
                    f"{kind} has no {name}; declare it: {name} = Space(...), in the class or its __init__"
                )
            return object.__getattribute__(self, name)  # raises what Python says of any object


def called(model: Any) -> str:
    """The name of a model in errors: its `name`, else that of its class.

    Example:
        >>> called(3.0)
        'float'
    """
    return str(getattr(model, "name", type(model).__name__))


def answered(value: Any, space: Space, model: Any, method: str) -> Any:
    """The answer of a model's method, when it is an array ``(..., space.size)``; else an error that names it.

    Raises:
        ModelError: for anything else.

    Example:
        >>> answered(np.zeros((3, 2)), Space("x y"), "cart", "step").shape
        (3, 2)
    """
    shape = getattr(value, "shape", ())
    if len(shape) == 0 or shape[-1] != space.size:
        raise ModelError(
            f"{called(model)}.{method} returned {returned(value)}; an array (..., {space.size}) of "
            f"{', '.join(space.names)} was expected"
        )
    return value


def covariance(value: Any, d: int, model: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The answer of a model's `noise`, as float64 ``(..., d, d)``; else an error that names it.

    Raises:
        ModelError: for anything else.

    Example:
        >>> covariance([[0.04]], 1, "cart")
        array([[0.04]])
    """
    shape = np.shape(value)
    if value is None or shape[-2:] != (d, d):
        raise ModelError(f"{called(model)}.noise returned {returned(value)}; a covariance (..., {d}, {d}) was expected")
    return np.asarray(value, dtype=np.float64)


def returned(value: Any) -> str:
    """A returned value in words, for an error.

    Example:
        >>> returned(None), returned([1.0, 2.0]), returned(np.zeros(3))
        ('None (is its `return` missing?)', 'a list', 'an array of shape (3,)')
    """
    if value is None:
        return "None (is its `return` missing?)"
    if hasattr(value, "shape"):
        return f"an array of shape {tuple(value.shape)}"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def asked(model: Any, method: str, x: Any, *rest: Any) -> Any:
    """``model.method(x, *rest)`` for states ``(..., n)``; a model that is written for one state is told so.

    Raises:
        ModelError: when the method fails for a batch, and answers for the first state of it.

    Example:
        >>> class Cart:
        ...     def step(self, x, u, dt):
        ...         px, vx = x
        ...         return np.array([px + dt * vx, vx])
        >>> asked(Cart(), "step", np.zeros((5, 2)), np.zeros((5, 1)), 0.1)
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: Cart.step takes one state only: for states of shape (5, 2) it fails with ...
    """
    try:
        return getattr(model, method)(x, *rest)
    except (ValueError, IndexError, TypeError) as error:
        if isinstance(error, PilotageError) or not _answers_one(model, method, x, rest):
            raise
        raise ModelError(
            f"{called(model)}.{method} takes one state only: for states of shape {tuple(x.shape)} it fails with "
            f'"{error}"; {a_batch(x.shape[-1])}'
        ) from error


def a_batch(n: int) -> str:
    """The shape of the states that arrive at a model in words, for an error."""
    return f"states arrive as a batch (..., {n}), whose components are x[..., 0]{', x[..., 1]' if n > 1 else ''}"


def _answers_one(model: Any, method: str, x: Any, rest: tuple[Any, ...]) -> bool:
    """Whether a method that failed for states ``(..., n)`` answers for the first of them."""
    batch = tuple(x.shape[:-1])
    if not batch or 0 in batch:
        return False
    first = (0,) * len(batch)
    alone = [a[first] if tuple(getattr(a, "shape", ()))[:-1] == batch else a for a in rest]
    try:
        getattr(model, method)(x[first], *alone)
    except Exception:
        return False
    return True


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
