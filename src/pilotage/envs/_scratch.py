"""Objects with the scratch memory of a simulator."""

from __future__ import annotations

import threading
from typing import Any, ClassVar


class Scratch:
    """The base of objects with scratch memory and a lock on it, neither of which is sent to other processes.

    Attributes:
        _SCRATCH: names of the attributes that are made again in the other process, besides the lock.

    Example:
        >>> import pickle
        >>> one = Scratch()
        >>> one._lock is pickle.loads(pickle.dumps(one))._lock
        False
    """

    _SCRATCH: ClassVar[tuple[str, ...]] = ("_data",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        left = {"_lock", *self._SCRATCH}
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())
