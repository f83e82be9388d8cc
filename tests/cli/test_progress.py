"""Commands show what the package logs, and leave logging as they found it."""

from __future__ import annotations

import io
import logging

import pytest

from pilotage.cli.main import main
from pilotage.cli.progress import BACK, progress

LOGGER = logging.getLogger("pilotage")


def test_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    before = LOGGER.level, list(LOGGER.handlers)
    with progress():
        LOGGER.info("compiling")
    LOGGER.info("nobody listens")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "pilotage: compiling\n")
    assert (LOGGER.level, list(LOGGER.handlers)) == before


def test_on_a_terminal_compiling_is_shown_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "30")
    with progress():
        LOGGER.info("compiling %s", "a kernel of a long name", extra={"stage": "begun"})
        LOGGER.info("compiled", extra={"stage": "done"})
        LOGGER.info("a line")
    assert screen.getvalue() == f"{BACK}pilotage: compiling a kernel {BACK}pilotage: a line\n"


def test_a_command_that_fails_leaves_nothing_behind() -> None:
    before = LOGGER.level, list(LOGGER.handlers)
    assert main(["plan", "--map", "nowhere.yaml", "--start", "1", "1", "--goal", "2", "2"]) == 2
    assert (LOGGER.level, list(LOGGER.handlers)) == before
