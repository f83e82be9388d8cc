"""Filters of other libraries as ours, and ours as theirs; a module for each library."""

from __future__ import annotations

__all__: list[str] = []
