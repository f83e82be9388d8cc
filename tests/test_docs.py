"""Every Python block of the documentation runs, page by page, and the API pages show every public name.

A block of text right below one is what it prints, but for line breaks; "..." stands for anything.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
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
    AuxiliaryParticleFilter,
    EnsembleKF,
    FadingEKF,
    GuidedParticleFilter,
    ParticleFilter,
    RaoBlackwellizedParticleFilter,
    SchmidtEKF,
    SquareRootEKF,
    SquareRootUKF,
    smooth,
    smooth_particles,
    steady_state,
)
from pilotage.estimators.localization import MonteCarloLocalization
from pilotage.estimators.tracking import PDA

from . import api_pages
from .test_architecture import OPEN, ROOMS, exported

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NEEDS = re.compile(r"^<!-- needs (\w+) -->$", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a reader pastes a page in an empty folder
    text = page.read_text(encoding="utf-8")
    for package in NEEDS.findall(text):
        pytest.importorskip(package, reason=f"{page.name} needs {package}, which is not installed")
    # Dataclasses and models look their module up by name.
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            # Line numbers of a traceback are those of the page.
            exec(compile("\n" * line + block[1], str(page), "exec"), module.__dict__)
        assert block[2] is None or said(block[2], printed.getvalue()), f"{page.name}, line {line}: {printed.getvalue()}"


def said(wanted: str, printed: str) -> bool:
    """Whether a program printed the text that its page shows."""
    return OutputChecker().check_output(wanted, printed, ELLIPSIS | NORMALIZE_WHITESPACE)


KALMAN = [KF, EKF, IEKF, UKF, CKF, GHKF, SquareRootEKF, SquareRootUKF, FadingEKF, SchmidtEKF, EnsembleKF, steady_state]


CLOUDS = [ParticleFilter, AuxiliaryParticleFilter, GuidedParticleFilter, RaoBlackwellizedParticleFilter]


@pytest.mark.parametrize("estimator", [*KALMAN, *CLOUDS, MonteCarloLocalization, PDA, smooth, smooth_particles])
def test_help_shows_the_equations(estimator: Any) -> None:
    text = inspect.getdoc(estimator) or ""
    assert "::" in text and " = " in text and "above" not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", FENCED.sub("", page.read_text(encoding="utf-8"))):
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link}: there is no such file"
        assert not heading or heading in headings(target), f"{link}: there is no such heading"


def headings(page: Path) -> set[str]:
    """Names of the headings of a page, as links call them."""
    lines = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", line).strip().lower()) for line in lines}


def test_pages_have_code() -> None:
    assert ROOT / "README.md" in WITH_CODE


@pytest.mark.parametrize("room", ROOMS)
def test_api_page_is_current(room: str) -> None:
    for inner in OPEN:
        if inner == room or inner.startswith(f"{room}."):
            exported(inner)  # skips without the extra that the subpackage needs
    written = (api_pages.FOLDER / f"{room}.md").read_text(encoding="utf-8")
    assert written == api_pages.page(room, OPEN), "run: make names"


@pytest.fixture(scope="module")
def site() -> Any:
    """The package as the site shows it: read by griffe, with the extensions of the site."""
    griffe = pytest.importorskip("griffe", reason="griffelib is not installed; it is in the test group")
    loader = griffe.GriffeLoader(
        extensions=griffe.load_extensions(str(ROOT / "docs/docstrings.py")), search_paths=[str(ROOT / "src")]
    )
    package = loader.load("pilotage")
    loader.resolve_aliases()
    return package


@pytest.mark.parametrize("room", OPEN)
def test_site_shows_every_public_name(site: Any, room: str) -> None:
    module = importlib.import_module(f"pilotage.{room}") if exported(room) else None
    for name in exported(room):
        shown = [member for member in site[room].members.values() if member.name == name and not member.is_module]
        assert len(shown) == 1, f"pilotage.{room}.{name} has {len(shown)} entries"
        assert shown[0].has_docstring, f"pilotage.{room}.{name} has no docstring, so the site leaves it out"
        value = getattr(module, name)
        if api_pages.called(value) and not shown[0].is_attribute:
            listed = [parameter.name for parameter in shown[0].parameters if parameter.name != "self"]
            assert listed == list(inspect.signature(value).parameters), f"pilotage.{room}.{name}"
