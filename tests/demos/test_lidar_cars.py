"""The demo of a lidar before cars holds what it says, on a street of another seed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_outlines_are_near_the_true_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "lidar-cars", "--seed", "2", "--out", str(tmp_path)]) == 0
    rows = {
        line.split()[0]: [float(word) for word in line.split()[1:]]
        for line in capsys.readouterr().out.splitlines()[3:5]
    }
    assert rows["rectangles"][0] < 0.7 * rows["ellipses"][0]
    assert [file.name for file in tmp_path.iterdir()] == ["lidar-cars.png"]
