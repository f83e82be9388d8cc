"""The demo of false closures holds what it says, on a simulated drive of another seed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_false_closures_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path / "none"))
    assert main(["demo", "false-closures", "--seed", "3", "--share", "0.2", "--out", str(tmp_path)]) == 0
    costs = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines() if "chi2" in line]
    assert costs[2] < 1.05 * costs[3] < costs[1] < costs[0]
    assert [file.name for file in tmp_path.iterdir()] == ["false-closures.png"]
