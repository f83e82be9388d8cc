"""The report of a sweep: one HTML page with everything in it.

- `report_page`: the page
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.names import absent
from .page import report_page as report_page

__all__ = ["report_page"]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
