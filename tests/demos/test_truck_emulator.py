"""The demo of the truck's emulator asserts its own result; its truth has no error."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from pilotage.cli import demo
from pilotage.cli.main import main


def test_the_error_grows_and_the_policy_corrects_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "truck-emulator", "--seed", "1", "--out", str(tmp_path)]) == 0
    assert "closed loop" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["truck-emulator.png"]


def test_drives_of_one_seed_are_the_same() -> None:
    demo.demos_app()
    module: Any = importlib.import_module(f"{demo.PACKAGE}.truck_emulator")
    first, again = (module.open_loop(module.backed, 3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(np.diff(first, axis=0)).max() <= 0.41  # no trailer moves further than its cab
