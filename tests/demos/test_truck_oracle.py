"""The demo of the truck's oracle, on a coarse grid: its table and its picture."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from PIL import Image

from pilotage.cli.main import main


def test_forward_moves_dock_what_backing_up_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo", "truck-oracle", "--coarse", "--count", "150", "--out", str(tmp_path)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line[:2] in ("E1", "E2", "E3")]
    rates = {(row[0], row[1]): [float(cell.rstrip("%")) for cell in row if cell.endswith("%")] for row in rows}
    assert len(rates) == 6
    for each in rates.values():
        assert len(each) == 6 and each[:5] == sorted(each[:5]), "a larger budget docks no less"
    assert rates["E3", "both"][4] > 97.0 > rates["E3", "backward"][4] > 70.0
    with Image.open(tmp_path / "truck-oracle.png") as picture:
        assert picture.width > 800
