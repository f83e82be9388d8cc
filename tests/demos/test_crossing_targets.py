"""The demo of crossing targets holds what it says, on other seeds than its own."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


@pytest.mark.slow
def test_several_hypotheses_are_nearest_to_crossing_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "crossing-targets", "--seed", "200", "--out", str(tmp_path)]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:-1]}
    assert float(rows["PMBM"][0]) < 0.85 * float(rows["GNN"][0])
    assert [file.name for file in tmp_path.iterdir()] == ["crossing-targets.png"]
