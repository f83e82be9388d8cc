"""Contract checks for what people write themselves: each tells in a sentence what is still wrong."""

from __future__ import annotations

from .planners import check_planner as check_planner
from .spaces import check_space as check_space

__all__ = ["check_planner", "check_space"]
