"""The demo of the pendulum: it asserts its own result, and would notice a filter that does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_the_linear_model_ends_at_large_angles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "pendulum-angles", "--seed", "1", "--out", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    nees = {(words[0], words[1]): float(words[3]) for words in lines if words[0] in ("small", "large")}
    assert nees["large", "KF"] > 100 > 3 > max(value for case, value in nees.items() if case != ("large", "KF"))
    assert [file.name for file in tmp_path.iterdir()] == ["pendulum-angles.png"]
