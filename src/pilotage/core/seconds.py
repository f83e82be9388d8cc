"""Checks of time steps in seconds."""

from __future__ import annotations

import math
from typing import Any

from .errors import PilotageError


def seconds(dt: Any, backward: bool = False) -> Any:
    """`dt`, when it is a number of seconds that a step can take: finite, and not negative unless `backward` is true.

    Raises:
        PilotageError: for anything else.

    Example:
        >>> seconds(0.1)
        0.1
    """
    try:
        if (0.0 <= dt < math.inf or (backward and -math.inf < dt < 0.0)) and not getattr(dt, "shape", ()):
            return dt
    except (TypeError, ValueError, RuntimeError):  # None, text, an array or tensor of several
        pass
    raise PilotageError(f"a step takes a finite number of seconds{'' if backward else ', not negative'}; dt is {dt!r}")
