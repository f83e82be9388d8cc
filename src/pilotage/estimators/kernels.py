"""What is made once for a model and kept from call to call: drivers bound to it, and what was found out about it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

CACHED = 256
_kept: OrderedDict[Hashable, Any] = OrderedDict()
_lock = threading.Lock()
_NOTHING = object()


class Itself:
    """A model that has no hash, as a key: equal to itself alone."""

    __slots__ = ("model",)

    def __init__(self, model: Any) -> None:
        self.model = model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and other.model is self.model

    def __hash__(self) -> int:
        return id(self.model)


def kernel_key(model: Any) -> Hashable:
    """Equal for models that share generated code; the model itself when it has none."""
    key = getattr(model, "kernel_key", model)
    try:
        hash(key)
    except TypeError:  # a dataclass, say, or one that holds arrays
        return Itself(key)
    return key


def kept(key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make` made for this key, now or earlier; what was not asked for the longest goes when there is too much.

    Two threads that ask at once may both make it; both get the one that was ready first.
    """
    with _lock:
        found = _kept.get(key, _NOTHING)
        if found is not _NOTHING:
            _kept.move_to_end(key)
            return found
    made = make()  # without the lock: this compiles, and may run code of a user's model
    with _lock:
        found = _kept.setdefault(key, made)
        while len(_kept) > CACHED:
            _kept.popitem(last=False)
    return found
