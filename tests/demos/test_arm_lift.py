"""The demo of the weak arm: only replanning gets it up, and any controller does with strong motors."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mujoco")
pytest.importorskip("matplotlib")

from pilotage.cli import demo
from pilotage.cli.main import main
from pilotage.envs import MujocoDynamics


def loaded() -> Any:
    """The module of the demo."""
    demo.demos_app()
    return importlib.import_module(f"{demo.PACKAGE}.arm_lift")


@pytest.mark.slow
def test_only_the_arm_that_replans_gets_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "arm-lift", "--no-animation", "--out", str(tmp_path)]) == 0
    assert "32 N m stretched out" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["arm-lift.png"]


def test_strong_motors_need_no_swing() -> None:
    lift = loaded()
    weak = MujocoDynamics(lift.ARM)
    strong = MujocoDynamics(lift.ARM.replace('"-20.0 20.0"', '"-60 60"').replace('"-10.0 10.0"', '"-30 30"'))
    assert lift.lift(weak, weak, lift.computed(weak), "weak").off[-1] > 0.5
    assert lift.lift(strong, strong, lift.computed(strong), "strong").off[-1] < 0.01


def test_the_plan_keeps_the_limits_and_arrives_in_its_own_model() -> None:
    lift = loaded()
    arm = MujocoDynamics(lift.ARM)
    run = lift.lift(arm, arm, lift.replayed(arm), "plan")
    assert (abs(run.us[:, 0]) <= lift.TORQUES["shoulder"]).all() and abs(run.us[:, 0]).max() == 20.0
    assert run.off[lift.HORIZON] < 0.05
