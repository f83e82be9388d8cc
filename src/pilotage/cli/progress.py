"""Messages of a command while it works, on standard error, beside its results."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BACK = "\r\x1b[K"
"""Takes a terminal back to the beginning of an empty line."""


class Passing(logging.StreamHandler):  # pyright: ignore[reportMissingTypeArgument]
    """Lines; but on a terminal, what has a `stage` is shown while it lasts, and then the line is free again."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show `record`."""
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
