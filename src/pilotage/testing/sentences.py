"""Messages of checks for calls that fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def told(what: str, *arguments: Any) -> Iterator[None]:
    """A context that turns an exception into an AssertionError with the name of the call and the shapes of its arrays.

    Example:
        >>> with told("Cart.step", np.zeros((3, 2))):
        ...     np.zeros(2)[5]
        Traceback (most recent call last):
        AssertionError: Cart.step raised IndexError for arrays of shape (3, 2): index 5 is out of bounds ...
    """
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        shapes = ", ".join(str(np.shape(a)) for a in arguments if isinstance(a, np.ndarray))
        given = f" for arrays of shape {shapes}" if shapes else ""
        raise AssertionError(f"{what} raised {type(error).__name__}{given}: {error}") from error


def made(given: Any, *methods: str) -> str:
    """The name of an object to check, after a check that it is an instance with the required methods.

    Raises:
        AssertionError: if the object is a class, or a model that must be called first.
    """
    name = str(getattr(given, "name", None) or getattr(given, "__name__", None) or type(given).__name__)
    if isinstance(given, type):
        raise AssertionError(f"{given.__name__} is a class; make one to check it: {given.__name__}(...)")
    missing = [f"`{method}`" for method in methods if not callable(getattr(given, method, None))]
    hint = f"; call it to make one: {name}(...)" if missing and callable(given) else ""
    assert not missing, f"{name} has no method {', '.join(missing)}{hint}"
    return name
