"""The demo of two radars holds what it says, on a flight of another seed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_fused_tracks_are_nearly_as_good_as_one_tracker_for_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "two-radars", "--seed", "3", "--out", str(tmp_path)]) == 0
    rows = {
        line.split()[0]: [float(word) for word in line.split()[1:]]
        for line in capsys.readouterr().out.splitlines()[1:7]
    }
    assert rows["information"][0] < 0.4 * min(rows["left"][0], rows["right"][0])
    assert [file.name for file in tmp_path.iterdir()] == ["two-radars.png"]
