"""Messages of checks about things that cannot be called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def told(what: str, *arguments: Any) -> Iterator[None]:
    """Turns an exception inside into an AssertionError that says what was called, with arrays of which shapes.

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
    """Name of a thing that is to be checked, once it is clear that it is one and has the methods it needs.

    Raises:
        AssertionError: for a class, or for a model that was not called yet.
    """
    name = str(getattr(given, "name", None) or getattr(given, "__name__", None) or type(given).__name__)
    if isinstance(given, type):
        raise AssertionError(f"{given.__name__} is a class; make one to check it: {given.__name__}(...)")
    missing = [f"`{method}`" for method in methods if not callable(getattr(given, method, None))]
    hint = f"; call it to make one: {name}(...)" if missing and callable(given) else ""
    assert not missing, f"{name} has no method {', '.join(missing)}{hint}"
    return name
