"""The demo of learned uncertainty asserts its own result."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from pilotage.cli.main import main


@pytest.mark.slow
def test_members_part_outside_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "learned-uncertainty", "--seed", "1", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "AUROC" in text
    assert [file.name for file in tmp_path.iterdir()] == ["learned-uncertainty.png"]
