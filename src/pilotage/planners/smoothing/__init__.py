"""Paths made shorter: `Shortcut`."""

from __future__ import annotations

from .shortcut import Shortcut as Shortcut

__all__ = ["Shortcut"]
