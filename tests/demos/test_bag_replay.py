"""The demo of the bag: the replayed robot knows where it is, with another seed too."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("rosbags")

from pilotage.cli.main import main


def test_a_replayed_robot_knows_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "bag-replay", "--seed", "1", "--ticks", "150", "--out", str(tmp_path)]) == 0
    assert "position error" in capsys.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bag-replay.png", "drive-1-150"]
