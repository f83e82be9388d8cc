"""The demo of the hopper: the leg hops forward, and falls if nobody plans."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("matplotlib")

from pilotage.cli import demo
from pilotage.cli.main import main


def loaded() -> Any:
    """The module of the demo."""
    demo.demos_app()
    return importlib.import_module(f"{demo.PACKAGE}.hopper")


def test_it_hops_forward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "hopper", "--seconds", "1.5", "--no-animation", "--out", str(tmp_path)]) == 0
    assert "hops" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["hopper.png"]


def test_it_falls_without_a_plan() -> None:
    hopper = loaded()
    idle = SimpleNamespace(act=lambda x, t: SimpleNamespace(u=np.zeros(3)))
    env = gymnasium.make("Hopper-v5", terminate_when_unhealthy=False).unwrapped
    run = hopper.hop(env, idle, 4.0, 0)
    assert run.xs[-1, 1] < hopper.FALLEN and len(run.us) < 4.0 / hopper.DT
