"""The demo of the race: without data it runs on an invented track, and judges itself."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_the_line_of_least_time_wins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path / "nowhere"))
    assert main(["demo", "race", "--out", str(tmp_path / "out")]) == 0
    assert "invented" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["race.png"]


@pytest.mark.slow
def test_it_wins_on_a_real_track(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    assert main(["demo", "race", "--out", str(tmp_path)]) == 0
