"""The demo of the truck's controllers asserts its own result, and would notice a controller that misses."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from pilotage.cli import demo
from pilotage.cli.main import main
from pilotage.learning.worlds.truck.compare import CONTROLLERS


def test_all_dock_but_the_plain_regulator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "truck-controllers", "--no-animation", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert (text.count(" docked "), text.count(" jackknifed ")) == (6, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["truck-controllers.png"]


def test_it_notices_a_controller_that_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.demos_app()
    module: Any = importlib.import_module(f"{demo.PACKAGE}.truck_controllers")
    monkeypatch.setattr(module, "CONTROLLERS", dict.fromkeys(CONTROLLERS, CONTROLLERS["lqr"]))
    assert module.main(out=tmp_path, no_animation=True) == 1
