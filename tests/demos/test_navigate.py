"""The main demo: it does what it says, in the TurtleBot3 world, with a shorter tour."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium")
pytest.importorskip("matplotlib")

from pilotage.cli.main import main
from pilotage.maps import OccupancyGrid
from pilotage.models.trace.driver import ENTRIES

ROOT = Path(__file__).resolve().parents[2]


def load() -> object:
    """The script as a module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("navigate", ROOT / "demos" / "navigate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_localizes_plans_and_drives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["demo", "navigate", "--map", "turtlebot3_world.yaml", "--goals", "2", "--seed", "1", "--no-animation"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "2 of 2" in said.out
    assert "99 % below" in said.out
    others = [line for line in said.err.splitlines() if " compil" not in line]  # the first time, kernels are announced
    assert others == [], "no live line where there is no terminal"
    assert [file.name for file in tmp_path.iterdir()] == ["turtlebot3_world.png"]


def test_the_robot_is_not_told_where_it_is() -> None:
    demo = load()
    run, spent, collided = demo.drive("turtlebot3_world.yaml", 2, 1)  # pyright: ignore[reportAttributeAccessIssue]
    assert not collided
    assert np.isfinite(run.reached).all()
    found = demo.judge(run, collided)  # pyright: ignore[reportAttributeAccessIssue]
    assert found["position"] < 0.1
    assert 0.1 < found["nees"] < 15.0
    assert not run.known[0], "nobody knows after one scan"
    assert np.ptp(np.asarray(run.clouds[0])[:, :2], axis=0).max() > 0.2
    assert {stage: len(seconds) > 0 for stage, seconds in spent.items()} == dict.fromkeys(spent, True)
    # It really ends up at the goal, and never touched anything on its way.
    assert np.linalg.norm(run.truth[-1, :2] - run.goals[-1]) < 0.35 + 0.2
    assert run.grid.clearance(run.truth[:, :2]).min() > run.radius - run.grid.resolution


def test_runs_replay() -> None:
    demo = load()
    a, b = (demo.drive("turtlebot3_world.yaml", 3, 1)[0] for _ in range(2))  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(a.truth, b.truth)
    np.testing.assert_array_equal(a.mean, b.mean)


def kernels() -> dict[str, int]:
    """Compiled drivers of the package, and for how many kinds of arguments."""
    ready = [each for each in ENTRIES if "compiled" in vars(each)]
    return {f"{each.__module__}.{each.__name__}": len(each.compiled.signatures) for each in ready}


def test_all_is_compiled_before_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    demo: Any = load()
    before: list[dict[str, int]] = []

    class Watched(demo.Robot):
        def __init__(self, env: Any, seed: int) -> None:
            super().__init__(env, seed)
            before.append(kernels())
            assert not any(self.spent.values())

    monkeypatch.setattr(demo, "Robot", Watched)
    demo.drive("turtlebot3_world.yaml", 2, 1)
    assert len(before[0]) > 10
    assert kernels() == before[0]


def test_a_map_of_large_cells_is_cut_into_finer_ones(tmp_path: Path) -> None:
    """In cells larger than the robot, what the distance to an obstacle is depends on which cell it is read in."""
    demo: Any = load()
    rows = ["........", ".....###", "...#.###", "...#....", "........", ".###....", "......##"]
    OccupancyGrid.from_ascii(rows, resolution=1.0).save(tmp_path / "hall.yaml")
    run, _, collided = demo.drive(tmp_path / "hall.yaml", 1, 2)
    assert run.grid.resolution <= 0.5 * run.radius
    assert run.grid.size == (10.0, 9.0), "a wall around it"
    assert np.isfinite(run.reached).all()
    assert not collided
    assert demo.world("depot.yaml", 1)[1].grid.resolution < run.radius, "left as it is"


def test_no_such_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "navigate", "--map", "atlantis.yaml", "--out", str(tmp_path)]) == 2
    assert "atlantis.yaml" in capsys.readouterr().err


def test_a_robot_that_never_knew_where_it_was_is_reported_so() -> None:
    demo = load()
    run, spent, collided = demo.drive("turtlebot3_world.yaml", 2, 1)  # pyright: ignore[reportAttributeAccessIssue]
    lost = dataclasses.replace(run, known=np.zeros_like(run.known))
    said = demo.report("map", lost, demo.judge(lost, collided), spent)  # pyright: ignore[reportAttributeAccessIssue]
    assert "sure where it is  never" in said
    assert "inf" not in said
    assert "RMSE" not in said
