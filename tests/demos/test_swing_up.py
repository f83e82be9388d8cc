"""The demo of the swing-up: five controllers get the pole up, and none is cheaper than the best plan."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_all_five_get_up_and_none_beats_the_best_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "swing-up", "--no-animation", "--out", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    regrets = {words[0]: float(words[2]) for words in lines if words[-1] == "success"}
    assert set(regrets) == {"iLQR", "SQP", "GradientMPC", "MPPI", "ICEM"}
    assert min(regrets.values()) >= -0.01, "the best plan starts from the controllers' own"
    assert [file.name for file in tmp_path.iterdir()] == ["swing-up.png"]
