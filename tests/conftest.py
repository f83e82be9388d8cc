"""Fixtures of every test: a reproducible hypothesis, and the public data."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# A wait that spins would take the core from whoever shares it; read when the thread layer starts.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# No test opens a window.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("MPLBACKEND", "Agg")

# A time limit an example would measure the compiler, so there is none; CI draws the same examples every time.
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public data sets: `PILOTAGE_DATA`, else `shared/data` beside the project."""
    folder = Path(os.environ.get("PILOTAGE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"public data not found at {folder}; set PILOTAGE_DATA to the folder that holds it")
    return folder
