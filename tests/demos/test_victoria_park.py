"""The demo of the park: without data it drives through a simulated one, and judges itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_a_simulated_park(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path / "nowhere"))
    assert main(["demo", "victoria-park", "--out", str(tmp_path / "out")]) == 0
    assert "a simulated park" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["victoria-park.png"]


@pytest.mark.parametrize("seed", [0, 2])
def test_trees_that_are_seen_now_and_then(seed: int) -> None:
    """After a loop a single tree fits many of the map; taking each for one that fits puts others on the map twice."""
    import importlib.util

    file = Path(__file__).resolve().parents[2] / "demos" / "victoria_park.py"
    spec = importlib.util.spec_from_file_location("victoria_park", file)
    assert spec is not None and spec.loader is not None
    demo: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    log, _, _ = demo.simulated(seed, share=0.5)
    robot, _, _ = demo.driven(log)
    assert abs(len(robot.map.proven) - len(set(log.landmarks.tolist()))) <= 4


@pytest.mark.slow
def test_the_real_park(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    assert main(["demo", "victoria-park", "--out", str(tmp_path)]) == 0
