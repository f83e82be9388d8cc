"""Filters of filterpy as ours, and ours as filterpy's.

Converting needs filterpy, which comes with the extra `peers`; the filters that result do not.
"""

from __future__ import annotations

from .from_filterpy import from_filterpy as from_filterpy
from .to_filterpy import to_filterpy as to_filterpy

__all__ = ["from_filterpy", "to_filterpy"]
