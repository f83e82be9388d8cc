"""numba's `njit`, which says when it compiles: the first use of a kernel takes seconds, and silence looks like a hang.

A line goes to the logger ``pilotage`` at level INFO when compiling begins, and one when it is done. Code that is loaded
from disk says nothing. Nothing is shown unless somebody asks for it:

    logging.basicConfig(level=logging.INFO)
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import Any

from numba import njit as njit
from numba.core import event

logger = logging.getLogger("pilotage")
purposes: dict[str, str] = {}
"""Names of generated modules, and what they are for."""


class Announcer(event.Listener):  # pyright: ignore[reportUntypedBaseClass]
    """Tells of kernels of this package that are compiled; what is compiled on the way to one belongs to it."""

    def __init__(self) -> None:
        self._now = threading.local()

    def on_start(self, event: Any) -> None:
        """Compiling begins."""
        self._now.depth = getattr(self._now, "depth", 0) + 1
        if self._now.depth == 1:
            self._now.began = time.perf_counter()
            if (kernel := described(event.data["dispatcher"])) is not None:
                logger.info("compiling %s; the first time takes some seconds", kernel, extra={"stage": "begun"})

    def on_end(self, event: Any) -> None:
        """Compiling has ended, well or not."""
        self._now.depth = max(0, getattr(self._now, "depth", 1) - 1)
        if self._now.depth == 0 and (kernel := described(event.data["dispatcher"])) is not None:
            seconds = time.perf_counter() - self._now.began
            logger.info("compiled %s in %.1f s", kernel, seconds, extra={"stage": "done"})


def described(dispatcher: Any) -> str | None:
    """What a compiled function is; None for functions of others."""
    function = getattr(dispatcher, "py_func", None)
    module, name = getattr(function, "__module__", None) or "", getattr(function, "__name__", "")  # None after exec
    if module in purposes:
        return f"{name} {purposes[module]}".rstrip()
    return f"{name} of {module}" if module.split(".")[0] == "pilotage" else None


@functools.cache
def announce() -> None:
    """Listen to the compiler, once."""
    event.register("numba:compile", Announcer())


announce()
