"""The demo of amortised control: its stored policy is as good as its metrics say, and it asserts its own result."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from pilotage.cli import demo
from pilotage.learning import NetworkPolicy
from pilotage.learning.demonstrations import drive


def load() -> Any:
    """The script as a module."""
    demo.demos_app()
    return importlib.import_module(f"{demo.PACKAGE}.slow_teaches_fast")


def test_the_stored_policy_is_as_good_as_its_metrics_say() -> None:
    """Its mean cost on seeds on which it was never tried, within three standard errors."""
    swing = load()
    policy = NetworkPolicy.load(swing.STORED)
    costs = [drive(policy, swing.PLANT, swing.GOAL, x, swing.STEPS) for x in swing.starts(range(2000, 2015))]
    known = policy.metrics
    assert abs(np.mean(costs) - known["mean"]) < 3.0 * known["std"] / np.sqrt(15)
    assert known["seed"] == 0
    assert sum(file.stat().st_size for file in swing.STORED.iterdir()) < 5e6


@pytest.mark.slow
def test_the_policy_helps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load().main(seed=0, out=tmp_path) == 0
    assert "switch" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["slow-teaches-fast.png"]
