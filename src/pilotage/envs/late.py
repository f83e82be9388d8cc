"""Modules that are imported when they are first used."""

from __future__ import annotations

from typing import Any

from ..core import require


class Late:
    """A module that need not be installed before something is asked of it.

    So that a room can name all it has: the class that wraps a simulator exists without the simulator, and says in one
    sentence what to install when it is used.

    Example:
        >>> late = Late("math")
        >>> late.sqrt(4.0)
        2.0
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(require(self._module, extra="envs"), name)
        setattr(self, name, found)  # the next time it is found without coming here
        return found
