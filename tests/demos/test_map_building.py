"""The demo of a map and a plan in it: without data it runs in the depot, and judges itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main
from pilotage.maps import OccupancyGrid


def test_maps_the_depot_and_plans_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path / "nowhere"))
    assert main(["demo", "map-building", "--out", str(tmp_path / "out")]) == 0
    assert "depot (simulated)" in capsys.readouterr().out
    files = {"map-building.yaml", "map-building.pgm", "map-building.png"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == files
    made = OccupancyGrid.load(tmp_path / "out" / "map-building.yaml")
    depot = OccupancyGrid.load("depot.yaml")
    assert depot.is_free(made.cell_to_world(np.argwhere(made.free))).mean() > 0.98
    assert made.is_free(depot.cell_to_world(np.argwhere(depot.free))).mean() > 0.9


def test_maps_a_real_building_and_plans_in_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    assert main(["demo", "map-building", "--out", str(tmp_path)]) == 0
