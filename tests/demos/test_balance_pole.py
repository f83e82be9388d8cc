"""The demo of the pole: LQG on the angle alone loses no pole, and the EKF says how wrong it is."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mujoco")
pytest.importorskip("matplotlib")

from pilotage.cli.main import main


@pytest.mark.parametrize("count", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_angle_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int) -> None:
    assert main(["demo", "balance-pole", "--episodes", str(count), "--no-animation", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    lost = {words[0]: int(words[1]) for words in map(str.split, lines) if words[2:3] == ["of"]}
    assert lost["truth"] == lost["LQG"] == 0 and lost["reading"] == count
    assert any("slider cannot be observed" in line for line in lines)
    assert [file.name for file in tmp_path.iterdir()] == ["balance-pole.png"]
