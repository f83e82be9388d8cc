"""The demo of outages: it finds its way on the drive that it simulates, by the constraint of a car."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli import demo
from pilotage.cli.main import main
from pilotage.models import nonholonomic


def test_finds_its_way_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path))
    assert main(["demo", "gnss-outage", "--outage", "60", "--outage", "120", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("straight on") == 2
    assert [file.name for file in tmp_path.iterdir()] == ["gnss-outage.png"]


def test_rests_on_the_constraint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The constraint of a car that drives aslant leads astray."""
    import importlib

    demo.demos_app()
    module: Any = importlib.import_module(f"{demo.PACKAGE}.gnss_outage")
    drive = module.simulated(0)
    good = module.judge(drive, module.navigate(drive, [60.0]), 60.0)
    monkeypatch.setattr(module, "nonholonomic", lambda std: nonholonomic(std=std, mounting=(0.8, 0.0, 0.0, 0.6)))
    bad = module.judge(drive, module.navigate(drive, [60.0]), 60.0)
    assert bad[0] > 3.0 * good[0]
