"""The functions that a model is written as: what they take and what they return, or a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...core.declared import returned
from ...core.errors import ModelError, PilotageError
from .expression import Expr, where_raised
from .graph import Graph

Body = Callable[..., Sequence[Any]]
NoiseBody = Callable[..., Any]
Spread = float | Sequence[float]
"""Standard deviations: one per component, or one number for all of them."""


def takes(body: Any, arguments: Sequence[str], what: str) -> None:
    """Refuse what cannot be called with those arguments, in a sentence.

    Example:
        >>> takes(lambda x, u: x, ("x", "u", "p", "m"), "a dynamics function")
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: a dynamics function takes (x, u, p, m); <lambda> takes (x, u)
    """
    if not callable(body) or not hasattr(body, "__name__"):
        raise ModelError(f"{what} is written with def and takes ({', '.join(arguments)}); {body!r} was given")
    try:
        inspect.signature(body).bind(*arguments)
    except TypeError:
        given = ", ".join(inspect.signature(body).parameters)
        raise ModelError(f"{what} takes ({', '.join(arguments)}); {body.__name__} takes ({given})") from None


@contextmanager
def told(model: str, **inputs: Sequence[str]) -> Generator[None]:
    """Errors of a model that is traced, with the line they came from and what its inputs hold.

    Example:
        >>> with told("cart", x=("px", "vx")):
        ...     [1.0, 2.0][9]
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: ... fails with "list index out of range"; in cart, x is a list of px, vx: ...
    """
    try:
        yield
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, PilotageError):
            raise
        lists = " and ".join(f"{name} is a list of {', '.join(held)}" for name, held in inputs.items() if held)
        raise ModelError(
            f'{where_raised(error)} fails with "{error}"; in {model}, {lists}: unpack it, or take x[0]'
        ) from error


def counted(values: Any, expected: int, name: str, what: str) -> list[Any]:
    """The answer of a model, as a list of the expected length; an error otherwise."""
    component = expected == 1 and hasattr(values, "shape")  # of a batch
    if is_no_number(values) and not component and not isinstance(values, (tuple, list)):
        raise ModelError(
            f"{name} returned {returned(values)}; {expected} {what} were expected, as a tuple: return a, b, c"
        )
    given: list[Any] = [*values] if isinstance(values, (tuple, list)) else [values]
    if len(given) != expected:
        raise ModelError(f"{name} returned {len(given)} values; {expected} {what} were expected, one per component")
    for value in given:
        if is_no_number(value) and not hasattr(value, "shape"):
            raise ModelError(f"{name} returned {returned(value)} among its {what}; each is one number")
    return given


def is_no_number(value: Any) -> bool:
    """Whether `value` can be no scalar of any kind: nothing, text, or a collection."""
    return value is None or isinstance(value, (tuple, list, np.ndarray, dict, set, str))


def one(value: Any, name: str) -> Any:
    """The answer of a cost; an error when it is not one number."""
    if is_no_number(value) and not hasattr(value, "shape"):  # costs of a batch are an array
        raise ModelError(f"{name} returned {returned(value)}; a cost is one number")
    return value


def is_row(value: Any) -> bool:
    """Whether `value` is several numbers."""
    return isinstance(value, (tuple, list, np.ndarray))


def square(value: Any, d: int, g: Graph, name: str) -> list[list[Expr]]:
    """A noise function's answer as a matrix: `d` variances, or d rows of d."""
    rows: list[Any] = [*value] if is_row(value) else []
    if len(rows) == d and not is_row(rows[0]):
        rows = [[rows[i] if i == j else g.zero for j in range(d)] for i in range(d)]
    if len(rows) != d or any(not is_row(row) or len(row) != d for row in rows):
        given = f"it has {len(rows)} rows" if rows else f"{value!r} was returned"
        raise ModelError(f"the noise of {name} must be {d} variances or {d} rows of {d}; {given}")
    Q = [[g.lift(e) for e in row] for row in rows]
    for e in (Q[i][i] for i in range(d)):
        if e.op == "const" and not e.value >= 0.0:
            raise ModelError(f"the noise of {name} has the variance {e.value}; variances are not negative")
    return Q
