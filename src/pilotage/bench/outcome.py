"""The outcomes of runs."""

from __future__ import annotations

import enum
import traceback
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent


class RunStatus(enum.Enum):
    """The outcome of a run."""

    SUCCESS = "success"
    MISSED = "goal missed"
    VIOLATED = "constraint violated"
    RAISED = "raised"
    INVALID = "invalid action"
    DIVERGED = "diverged"
    TIMEOUT = "timed out"
    DIED = "process died"

    @property
    def failed(self) -> bool:
        """Whether the run has no cost, because it did not come to its end."""
        return self not in (RunStatus.SUCCESS, RunStatus.MISSED, RunStatus.VIOLATED)


class RunTimeout(BaseException):
    """The time of a run is over. It is no `Exception`, so that controllers that catch these do not catch it."""


class Failure(Exception):
    """The end of a run that cannot go on."""

    def __init__(self, status: RunStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class blamed:
    """Context that turns an exception into the failure of the run, with the name of who raised it."""

    def __init__(self, who: str) -> None:
        self.who = who

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, Failure):
            text = " ".join(str(error).split())[:300]
            reason = f"{self.who} raised {type(error).__name__}: {text}{place(trace)}"
            raise Failure(RunStatus.RAISED, reason) from error


def place(trace: Any) -> str:
    """The last place outside of Pilotage in a traceback, as the end of a sentence; empty if there is none."""
    frames = [each for each in traceback.extract_tb(trace) if not Path(each.filename).is_relative_to(PACKAGE)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
