"""The demo of localization in a building: without data it runs in the depot, and judges itself."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_finds_itself_in_the_depot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path / "nowhere"))
    assert main(["demo", "mcl-building", "--scans", "30", "--out", str(tmp_path / "out")]) == 0
    assert "depot (simulated)" in capsys.readouterr().out
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["mcl-anywhere.png", "mcl-carried-away.png"]


@pytest.mark.slow
def test_finds_itself_in_a_real_building(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    for seed in ("0", "1"):
        assert main(["demo", "mcl-building", "--seed", seed, "--out", str(tmp_path)]) == 0
