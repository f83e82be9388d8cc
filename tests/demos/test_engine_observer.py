"""The engine observer: the wall temperature that nobody measures is found, and better than without readings."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[2]


def load() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("engine_observer", ROOT / "demos" / "engine_observer.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_wall_temperature_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = load()
    assert demo.main(seed=1, out=tmp_path) == 0
    assert "4 of 4 directions are observed" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["engine-observer.png"]


def test_energy_is_conserved() -> None:
    """In equilibrium the coolant gives away what the wall takes in."""
    demo = load()
    model, u = demo.engine(), [0.8, 11.76]
    x = model.rollout(demo.GUESS, [u] * 40_000, demo.DT)[-1]
    p = model.params
    into_wall = p["to_wall"] * p["heating"] * u[0]
    assert x[3] * (x[0] - x[1]) == pytest.approx(into_wall, rel=1e-6)
    assert 340.0 < x[1] < x[0] < 480.0 < x[2] < 1300.0
