"""Modules that are imported when they are first used."""

from __future__ import annotations

from typing import Any

from ..core import MissingExtra, require
from ._names import clipped


class Late:
    """A module that need not be installed before something is asked of it.

    So that a room can name all it has: the class that wraps a simulator exists without the simulator, and says in one
    sentence what to install when it is used.

    Args:
        module: its name.
        parts: the packages that bring it, for a sentence about how to install it again.
        only: where the extra brings it, if not everywhere.

    Raises:
        MissingExtra: when something is asked of a module that is not installed or cannot be imported.

    Example:
        >>> late = Late("math")
        >>> late.sqrt(4.0)
        2.0
    """

    def __init__(self, module: str, parts: str = "", only: str = "") -> None:
        self._module, self._parts, self._only = module, parts or module, only

    def __getattr__(self, name: str) -> Any:
        try:
            module = require(self._module, extra="envs")
        except MissingExtra as error:
            raise MissingExtra(f"{error} ({self._only})" if self._only else str(error)) from None
        except ImportError as error:
            raise MissingExtra(
                f"{self._module} is installed, but cannot be imported; install it again: "
                f"pip uninstall -y {self._parts}; pip install 'pilotage[envs]' ({clipped(error)})"
            ) from error
        found = getattr(module, name)
        setattr(self, name, found)  # the next time it is found without coming here
        return found
