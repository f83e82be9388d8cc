"""Commands show what the package logs, and leave logging as they found it."""

from __future__ import annotations

import logging

import pytest

from pilotage.cli.main import main
from pilotage.cli.progress import progress

LOGGER = logging.getLogger("pilotage")


def test_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    before = LOGGER.level, list(LOGGER.handlers)
    with progress():
        LOGGER.info("compiling")
    LOGGER.info("nobody listens")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "pilotage: compiling\n")
    assert (LOGGER.level, list(LOGGER.handlers)) == before


def test_a_command_that_fails_leaves_nothing_behind() -> None:
    before = LOGGER.level, list(LOGGER.handlers)
    assert main(["plan", "--map", "nowhere.yaml", "--start", "1", "1", "--goal", "2", "2"]) == 2
    assert (LOGGER.level, list(LOGGER.handlers)) == before
