"""The demo of RRT and RRT*: it asserts its own result."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_rrt_star_gets_shorter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "rrt-growing", "--seed", "2", "--out", str(tmp_path)]) == 0
    assert "RRT*  first path" in capsys.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rrt-growing.gif", "rrt-growing.png"]
    with Image.open(tmp_path / "rrt-growing.png") as picture:
        assert picture.width > 1200, "the edges of the trees can be told apart"
