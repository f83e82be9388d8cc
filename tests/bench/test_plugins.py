"""Tasks and controllers of one's own: by module, and by entry point of a package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pilotage.bench import BenchmarkTask, Run, Suite, benchmark_task, controllers, sweep, tasks
from pilotage.cli.main import main
from pilotage.core import SettingError

from . import worlds

MODULE = """
from functools import cache
from pilotage.bench import BenchmarkTask, Registry
from tests.bench.worlds import Gain, tank_task

@cache
def basin():
    '''A basin.'''
    return tank_task()

ready = tank_task()

def valve(benchmark, model, seed, gain=1.0):
    '''A valve.'''
    return Gain(gain)

def nothing(benchmark, model, seed):
    return 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with entry points, as pip installs it."""
    (tmp_path / "my_basin.py").write_text(MODULE)
    about = tmp_path / "my_basin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-basin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[pilotage.bench.tasks]\nbasin = my_basin:basin\n[pilotage.bench.controllers]\nvalve = my_basin:valve\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_basin", raising=False)
    return tmp_path


def test_entry_points(package: Path) -> None:
    assert "basin" in tasks.names() and "valve" in controllers.names()
    by_name = Run("basin", "valve", 3, settings={"gain": 0.7}).execute()
    by_module = Run("my_basin:basin", "my_basin:valve", 3, settings={"gain": 0.7}).execute()
    assert by_name.success and by_name.cost == by_module.cost and by_name.run.key != by_module.run.key
    assert benchmark_task("my_basin:ready").name == "tank"


def test_modules_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_pool.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    assert Run("my_pool:basin", "my_pool:valve").execute().success


def test_what_is_no_task_or_controller(package: Path) -> None:
    with pytest.raises(SettingError, match="there is no task 'bath'; there are acrobot, basin, "):
        benchmark_task("bath")
    with pytest.raises(SettingError, match="my_basin:bath cannot be loaded"):
        benchmark_task("my_basin:bath")
    with pytest.raises(SettingError, match="needs a BenchmarkTask"):
        benchmark_task("builtins:dict")
    row = Run("basin", "my_basin:nothing").execute()
    assert row.status.value == "raised" and "the methods reset and act" in row.reason


def test_modules_beside_a_suite_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are found from another working folder, in the processes of a sweep, and when a row is replayed."""
    (tmp_path / "my_lake.py").write_text(MODULE)
    (tmp_path / "lake.yaml").write_text(
        "tasks: [my_lake:basin]\ncontrollers: {valve: {use: my_lake:valve}}\nseeds: 0-1\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    results = sweep(Suite.load(tmp_path / "lake.yaml"), tmp_path / "out", jobs=2)
    assert [row.success for row in results.rows] == [True, True] and str(tmp_path) in results.manifest["modules"]

    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path)])
    monkeypatch.delitem(sys.modules, "my_lake")
    assert main(["bench", "replay", str(tmp_path / "out"), "0"]) == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("(x): return x", "is no function without arguments"),
        ("(): return max(3)", r"raised TypeError: .*int.* is not iterable \(my_mistake.py, line 1\)"),
        ("(): return [][1]", r"raised IndexError: .* \(my_mistake.py, line 1\)"),
    ],
)
def test_what_a_task_function_raises_is_told_with_its_place(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_mistake.py").write_text(f"def task{body}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_mistake", raising=False)
    with pytest.raises(SettingError, match=said):
        benchmark_task("my_mistake:task")


def test_a_planning_task_has_the_ticks_of_the_run() -> None:
    tank, slow = worlds.tank(), worlds.Empty()
    slow.dt = 0.2
    with pytest.raises(SettingError, match="0.2 s; expected .* 0.1 s"):
        BenchmarkTask("tank", tank.plant, tank.task, planning=slow)


def test_a_package_that_cannot_be_imported_is_listed_with_the_reason(package: Path) -> None:
    (package / "my_basin.py").write_text("raise RuntimeError('no licence')")
    with pytest.raises(SettingError, match="task basin .*: no licence"):
        benchmark_task("basin")
    assert "no licence" in tasks.summary("basin") and tasks.summary("acrobot")
