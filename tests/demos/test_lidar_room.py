"""The demo of the robot in PyBullet: it docks although it wakes up anywhere, and knows where it is before it does."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")
pytest.importorskip("matplotlib")

from pilotage.cli.main import main


@pytest.mark.parametrize("seed", [1, pytest.param(3, marks=pytest.mark.slow), pytest.param(6, marks=pytest.mark.slow)])
def test_it_finds_itself_and_docks(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    assert main(["demo", "lidar-room", "--seed", str(seed), "--no-animation", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "  docked, " in said
    assert float(said.split(" m from where it thinks")[0].split()[-1]) > 0.5, "it does not know at first"
    assert [file.name for file in tmp_path.iterdir()] == ["lidar-room.png"]


def test_it_notices_a_robot_that_never_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "lidar-room", "--seconds", "1", "--no-animation", "--out", str(tmp_path)]) == 1
    assert "never knew" in capsys.readouterr().out
