"""Tracking: targets among the detections of a scan, of which nobody says what caused them."""

from __future__ import annotations

from .pda import PDA as PDA

__all__ = ["PDA"]
