"""The clock as machine code, for drivers that stop in time."""

from __future__ import annotations

import ctypes
import time

from ..models.trace.machine import SIGNATURE


def _read(a: int, b: int, c: int, p: int, out: int) -> None:
    ctypes.c_double.from_address(out).value = time.perf_counter()


_thunk = SIGNATURE(_read)
CLOCK: int = ctypes.cast(_thunk, ctypes.c_void_p).value or 0
"""Address of code that writes the seconds of `time.perf_counter`."""
