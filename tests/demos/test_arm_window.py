"""The demo of the arm: the hand is through the window, and would not be if the window were shut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mujoco")
pytest.importorskip("matplotlib")

from pilotage.cli.main import main


def test_the_arm_reaches_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "arm-window", "--seed", "1", "--out", str(tmp_path)]) == 0
    assert "shortened" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["arm-window.png"]


def test_it_notices_a_shut_window() -> None:
    import importlib.util

    from pilotage.envs import CollisionConstraint

    file = Path(__file__).resolve().parents[2] / "demos" / "arm_window.py"
    spec = importlib.util.spec_from_file_location("arm_window", file)
    assert spec is not None and spec.loader is not None
    demo: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    clear, _, plan = demo.solve(1)
    shut = CollisionConstraint(demo.model(demo.boxes([*demo.window(), (0.5, 0, 0.5, 0.02, 0.16, 0.15)])))
    assert clear(plan.xs[-1])[0] <= 0.0
    assert shut(plan.xs[-1])[0] > 0.0
    assert "box4" in shut.describe(plan.xs[-1])
