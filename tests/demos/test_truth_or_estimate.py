"""The demo of truth and estimate: its best plans agree with the Riccati recursion, and an estimate costs something."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_the_regret_is_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "truth-or-estimate", "--seeds", "2", "--out", str(tmp_path)]) == 0
    lines = [line.replace("%", "").split() for line in capsys.readouterr().out.splitlines() if "iLQR" in line]
    shares = {(words[0], words[2]): (float(words[-2]), float(words[-1])) for words in lines}
    assert len(shares) == 6 and min(estimator for _, estimator in shares.values()) > 0.0
    assert shares["cart_pole_balance", "20"][0] > 10.0 > shares["cart_pole_balance", "30"][0], "a short horizon costs"
    assert [file.name for file in tmp_path.iterdir()] == ["truth-or-estimate.png"]
