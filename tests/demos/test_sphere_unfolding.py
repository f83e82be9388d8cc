"""The demo of the sphere holds what it says, with noise of another seed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_the_sphere_unfolds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "sphere-unfolding", "--seed", "3", "--out", str(tmp_path)]) == 0
    chi2 = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert chi2[0] > 1e6 and chi2[-1] < 6000.0
    assert [file.name for file in tmp_path.iterdir()] == ["sphere-unfolding.png"]
