"""Every Python block of the README and of the documentation runs, page by page, in the order of the page."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pilotage.estimators import (
    CKF,
    EKF,
    GHKF,
    IEKF,
    KF,
    UKF,
    EnsembleKF,
    FadingEKF,
    ParticleFilter,
    SchmidtEKF,
    SquareRootEKF,
    SquareRootUKF,
    smooth,
    steady_state,
)
from pilotage.estimators.localization import MonteCarloLocalization
from pilotage.estimators.tracking import PDA

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a reader pastes a page in an empty folder
    text = page.read_text(encoding="utf-8")
    # Dataclasses and models look their module up by name.
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        # Line numbers of a traceback are those of the page.
        exec(compile("\n" * line + block[1], str(page), "exec"), module.__dict__)


KALMAN = [KF, EKF, IEKF, UKF, CKF, GHKF, SquareRootEKF, SquareRootUKF, FadingEKF, SchmidtEKF, EnsembleKF, steady_state]


@pytest.mark.parametrize("estimator", [*KALMAN, ParticleFilter, MonteCarloLocalization, PDA, smooth])
def test_help_shows_the_equations(estimator: Any) -> None:
    text = inspect.getdoc(estimator) or ""
    assert "::" in text and " = " in text and "above" not in text


def test_pages_have_code() -> None:
    assert ROOT / "README.md" in WITH_CODE
