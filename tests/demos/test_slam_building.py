"""The demos of SLAM: without data they drive around a block, and judge themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_a_simulated_building(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path / "nowhere"))
    assert main(["demo", "slam-building", "--out", str(tmp_path / "out")]) == 0
    assert "ring (simulated)" in capsys.readouterr().out
    files = {"slam-building.yaml", "slam-building.pgm", "slam-building.png"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == files


@pytest.mark.slow
def test_a_real_building(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    assert main(["demo", "slam-building", "--out", str(tmp_path)]) == 0


def test_a_loop_is_closed(tmp_path: Path) -> None:
    assert main(["demo", "loop-closing", "--out", str(tmp_path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["loop-closing.png"]


def test_particles_meet_again(tmp_path: Path) -> None:
    assert main(["demo", "particle-maps", "--out", str(tmp_path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["particle-maps.png"]
