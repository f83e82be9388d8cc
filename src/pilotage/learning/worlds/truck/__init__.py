"""The truck backer-upper: an oracle of which starts can be docked."""

from __future__ import annotations

from .oracle import Oracle as Oracle
from .oracle import Outcome as Outcome

__all__ = ["Oracle", "Outcome"]
