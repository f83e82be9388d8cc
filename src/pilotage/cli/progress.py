"""Progress messages of a command, on standard error."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BACK = "\r\x1b[K"
"""Clears the current line of a terminal."""


class Passing(logging.StreamHandler):  # pyright: ignore[reportMissingTypeArgument]
    """A handler that prints lines. On a terminal, a record with a `stage` is shown only until its stage ends."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print `record`."""
        stage = getattr(record, "stage", None) if self.stream.isatty() else None
        if stage is None:
            super().emit(record)
        else:
            shown = "" if stage == "done" else self.format(record)[: shutil.get_terminal_size().columns - 1]
            self.stream.write(BACK + shown)
            self.flush()


@contextmanager
def progress() -> Iterator[None]:
    """Show what the package logs at level INFO, such as what is being compiled.

    Example:
        >>> with progress():
        ...     logging.getLogger("pilotage").isEnabledFor(logging.INFO)
        True
    """
    logger, handler = logging.getLogger("pilotage"), Passing(sys.stderr)
    handler.setFormatter(logging.Formatter("pilotage: %(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
