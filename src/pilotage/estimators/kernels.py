"""Drivers bound to models, kept from call to call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

CACHED = 256
_bound: dict[Hashable, Any] = {}


def kernel_key(model: Any) -> Hashable:
    """Equal for models that share generated code; the model itself when it has none."""
    return getattr(model, "kernel_key", model)


def kept(key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make` made for this key, now or earlier; the oldest goes when there are too many."""
    if key not in _bound:
        while len(_bound) >= CACHED:
            _bound.pop(next(iter(_bound)))
        _bound[key] = make()
    return _bound[key]
