"""Modules that are imported on first use."""

from __future__ import annotations

from typing import Any

from ..core import MissingExtra, require
from ._names import clipped


class Late:
    """A module that is imported on first access to one of its attributes.

    The class that wraps a simulator can thus be imported without the simulator; if it is used, the error says what to
    install.

    Args:
        module: name of the module.
        parts: the packages that provide it, for a message on how to reinstall it.
        only: condition under which the extra provides it, if not always.

    Raises:
        MissingExtra: if an attribute is accessed and the module is not installed or cannot be imported.

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
        setattr(self, name, found)  # later accesses do not come here
        return found
