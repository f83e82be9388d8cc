"""The demo of visual odometry judges itself, on a drive of another seed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


@pytest.mark.slow
def test_a_camera_finds_its_way(tmp_path: Path) -> None:
    assert main(["demo", "visual-odometry", "--seed", "3", "--out", str(tmp_path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["visual-odometry.png"]
