"""The demo of a manoeuvring target holds what it says, on readings of another seed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_follows_and_smooths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "manoeuvring-target", "--seed", "3", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    filtered, smoothed = ([float(word) for word in line.split()[1:5]] for line in lines[1:3])
    assert all(late < now for now, late in zip(filtered, smoothed, strict=True))
    assert [file.name for file in tmp_path.iterdir()] == ["manoeuvring-target.png"]
