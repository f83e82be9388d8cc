"""Suites: what their files say, and the sentences about what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotage.bench import Suite, benchmark_task
from pilotage.bench.suite import stock
from pilotage.core import FormatError, MissingFile, SettingError

from .worlds import GAIN, TANK

GOOD: dict[str, Any] = {
    "tasks": [TANK, "pendulum"],
    "controllers": {"slow": {"use": GAIN, "gain": 0.5}, "rest": None},
    "estimators": ["truth", "estimate"],
    "seeds": "0-2, 7",
    "disturbances": {"none": [], "gusty": [{"impulse": {"component": "level", "size": 1.0}}]},
    "timing": {"lognormal": {"median": 0.01}},
}


def written(folder: Path, **changes: Any) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({k: v for k, v in {**GOOD, **changes}.items() if v is not ...}))
    return file


def test_a_suite_is_a_grid(tmp_path: Path) -> None:
    suite = Suite.load(written(tmp_path, tasks=[TANK]))
    runs = suite.runs()
    assert suite.name == "mine" and len({run.key for run in runs}) == len(runs) == 2 * 2 * 2 * 4
    assert {(run.name, run.controller, run.settings.get("gain")) for run in runs} == {
        ("slow", GAIN, 0.5),
        ("rest", "rest", None),
    }
    assert [run.seed for run in runs[:4]] == [0, 1, 2, 7]
    again = Suite.of(suite.plain())
    assert again.hash == suite.hash and [run.key for run in again.runs()] == [run.key for run in runs]
    assert Suite.load(written(tmp_path, seeds=3)).hash != suite.hash
    assert len(Suite.load(written(tmp_path, tasks=[TANK]), seeds="0-9").runs()) == 80


def test_what_does_not_fit_is_left_out() -> None:
    suite = Suite("all", ["pendulum_v1", "unicycle_goal"], {"rest": {}, "pure_pursuit": {}}, ("truth", "estimate"), [1])
    assert [(run.task, run.name, run.estimator) for run in suite.runs()] == [
        ("pendulum_v1", "rest", "truth"),
        ("pendulum_v1", "rest", "estimate"),
        ("unicycle_goal", "rest", "truth"),
        ("unicycle_goal", "pure_pursuit", "truth"),
        ("unicycle_goal", "rest", "estimate"),
        ("unicycle_goal", "pure_pursuit", "estimate"),
    ]


@pytest.mark.parametrize("name", stock())
def test_stock_suites(name: str) -> None:
    suite = Suite.load(name)
    if len(suite.absent) == len(suite.tasks):
        pytest.skip(next(iter(suite.absent.values())))
    assert len(suite.runs()) > 100 and all(benchmark_task(task) for task in suite.tasks if task not in suite.absent)


def test_tasks_whose_files_are_absent_are_left_out_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path))
    lap = "bicycle_montreal"
    suite = Suite("some", [lap, TANK], {GAIN: {}}, seeds=[0])
    assert {run.task for run in suite.runs()} == {TANK}
    assert list(suite.absent) == [lap] and "PILOTAGE_DATA" in suite.absent[lap]
    with pytest.raises(SettingError, match="PILOTAGE_DATA"):
        Suite("none", [lap], {GAIN: {}}).runs()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tasks": ...}, "'tasks' is missing"),
        ({"tasks": "pendulum"}, "tasks is 'pendulum'; expected a list"),
        ({"tasks": ["pendulm"]}, "tasks: there is no task 'pendulm'; there are .*pendulum"),
        ({"tasks": ["tests.bench.worlds:bath"]}, "tasks: .*bath"),
        ({"tasks": ["no_module:bath"]}, "tasks: .*no_module"),
        ({"tasks": [GAIN]}, "tasks: .*no function without arguments"),
        ({"controllers": ["ilqr"]}, "controllers is .*; expected a mapping"),
        ({"controllers": {"ilqr": 3}}, "controllers: ilqr is 3"),
        ({"controllers": {"iLQG": None}}, "controllers: there is no controller 'iLQG'"),
        ({"estimators": ["guess"]}, "estimators: there is no 'guess'"),
        ({"seeds": "3-1"}, "seeds is '3-1'"),
        ({"seeds": "0-4, 2"}, "seeds is .* twice"),
        ({"seeds": 1.5}, "seeds is 1.5"),
        ({"seeds": -1}, "seeds is -1"),
        ({"disturbances": {"bad": [{"rain": {}}]}}, "disturbances: bad: there is no disturbance 'rain'"),
        ({"disturbances": {"bad": [{"mismatch": {"mass": -1.0}}]}}, "factor of mass is -1"),
        ({"disturbances": {"bad": [{"wind": {"component": "level", "strength": 1.0}}]}}, "strength"),
        ({"disturbances": {"bad": [{"mismatch": {"mass": 2.0}}]}}, "disturbances: mismatch of 'mass'"),
        ({"disturbances": {"bad": [{"wind": {"component": "depth"}}]}}, "disturbances: .*'depth' to push; there are"),
        ({"disturbances": {"bad": [{"impulse": {"component": "depth", "size": 1.0, "at": 1e6}}]}}, "'depth' to push"),
        ({"disturbances": {"bad": {"wind": {}}}}, "disturbances: bad is .*; expected a list"),
        ({"timing": "fast"}, "timing is 'fast'"),
        ({"timing": {"fixed": -1.0}}, "timing: fixed is -1"),
        ({"timeout": 0}, "timeout is 0"),
        ({"sedes": "0-3"}, "no key 'sedes'; there are .*seeds"),
    ],
)
def test_a_malformed_suite_is_refused_by_its_key(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    file = written(tmp_path, **changes)
    with pytest.raises((FormatError, ValueError), match=said):
        Suite.load(file).runs()


def test_files_that_are_no_suites(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    (tmp_path / "broken.yaml").write_text("tasks: [a\n")
    (tmp_path / "empty.py").write_text("x = 1\n")
    (tmp_path / "mine.py").write_text(
        "from pilotage.bench import Suite\nsuite = Suite('mine', ['pendulum'], {'rest': {}}, seeds=range(3))\n"
    )
    for name, said in (("list.yaml", "mapping"), ("broken.yaml", "broken.yaml is not YAML"), ("empty.py", "`suite`")):
        with pytest.raises(FormatError, match=said):
            Suite.load(tmp_path / name)
    with pytest.raises(MissingFile, match="there is no suite 'fast'; there are full, mujoco, people, quick, robust"):
        Suite.load("fast")
    assert len(Suite.load(tmp_path / "mine.py").runs()) == 3


def test_disturbances_of_the_tasks_by_name() -> None:
    """A name stands for the disturbances of each task; a task without it is skipped, and a name of none is refused."""
    suite = Suite("own", ["pendulum", "unicycle_goal"], {"rest": {}}, seeds="0", disturbances={"heavy": ["heavy"]})
    [run] = suite.runs()
    assert run.task == "pendulum" and list(run.disturbances) == [{"mismatch": {"mass": 1.25}}]
    with pytest.raises(SettingError, match="hevy"):
        Suite("own", ["pendulum"], {"rest": {}}, disturbances={"heavy": ["hevy"]}).runs()


def test_robust_runs_all_disturbances_of_its_tasks() -> None:
    suite = Suite.load("robust")
    own = {each for task in suite.tasks for each in benchmark_task(task).disturbances or ()}
    assert own == {*suite.disturbances} - {"none"}
