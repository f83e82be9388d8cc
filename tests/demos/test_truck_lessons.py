"""The demo of the truck's lessons asserts its own result, and would notice a truck that does not learn."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from pilotage.cli import demo
from pilotage.cli.main import main


def loaded() -> Any:
    """The script as a module."""
    demo.demos_app()
    return importlib.import_module(f"{demo.PACKAGE}.truck_lessons")


def test_the_truck_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "truck-lessons", "--no-animation", "--out", str(tmp_path)]) == 0
    ends = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:-1]]
    assert ends == ["jackknifed", "jackknifed", "missed", "docked"]
    assert [file.name for file in tmp_path.iterdir()] == ["truck-lessons.png"]


def test_it_notices_a_truck_that_does_not_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = loaded()
    first = module.stored()[0]
    monkeypatch.setattr(module, "stored", lambda: dict.fromkeys(module.SHOWN, first))
    assert module.main(out=tmp_path, no_animation=True) == 1


def test_stages_are_copies_of_the_policy_at_the_end_of_each_lesson() -> None:
    module = loaded()
    policy = module.TruckPolicy.new((4,), seed=0)
    stages = module.Stages(module.Lessons(policy, module.backed, module.LessonSettings(steps=4, batch=4, lessons=2)))
    rng, x = np.random.default_rng(0), module.torch.tensor([[20.0, 3.0, 0.4, 0.1]]).double()
    with module.torch.no_grad():
        for step in range(4):
            for weight in policy.network.parameters():
                weight += 0.1
            stages.loss(step, rng)
    assert sorted(stages.kept) == [0, 1, 2]
    outputs = [each(x).item() for each in stages.kept.values()]
    assert outputs[0] == 0.0 and len(set(outputs)) == 3
