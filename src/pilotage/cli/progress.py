"""What a command says while it works: lines on standard error, beside its results."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def progress() -> Iterator[None]:
    """Show what the package logs at level INFO, such as what is being compiled.

    Example:
        >>> with progress():
        ...     logging.getLogger("pilotage").isEnabledFor(logging.INFO)
        True
    """
    logger, handler = logging.getLogger("pilotage"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("pilotage: %(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
