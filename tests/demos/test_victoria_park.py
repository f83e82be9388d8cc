"""The demo of the park: without data it drives through a simulated one, and judges itself."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_a_simulated_park(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path / "nowhere"))
    assert main(["demo", "victoria-park", "--out", str(tmp_path / "out")]) == 0
    assert "a simulated park" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["victoria-park.png"]


@pytest.mark.slow
def test_the_real_park(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    assert main(["demo", "victoria-park", "--out", str(tmp_path)]) == 0
