"""Sweeps keep every finished row, whatever happens, and read nothing half-written."""

from __future__ import annotations

import dataclasses
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.bench import (
    BenchmarkTask,
    Channel,
    Results,
    Row,
    Run,
    RunStatus,
    Suite,
    compare,
    replay,
    report_page,
    simulate,
    summarize,
    sweep,
)
from pilotage.bench.journal import JOURNAL, line_of, locked, read_rows, row_from
from pilotage.bench.summary import comparisons, markdown, verdict
from pilotage.bench.sweep import Compiling
from pilotage.core import FormatError, MissingFile, PilotageError, SettingError

from . import worlds
from .worlds import BAD, GAIN, TANK, Empty, Tank, gauge, tank, tank_task

SMALL = Suite("small", [TANK], {"slow": {"use": GAIN, "gain": 0.5}, "fast": {"use": GAIN}}, seeds="0-4")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A sweep on truth and estimate, with delays and gusts."""
    suite = dataclasses.replace(
        SMALL,
        estimators=("truth", "estimate"),
        disturbances={"none": [], "gusty": [{"wind": {"component": "level", "std": 0.2, "correlation": 0.3}}]},
        timing={"lognormal": {"median": 0.08, "sigma": 0.5}},
    )
    return sweep(suite, tmp_path_factory.mktemp("finished"), jobs=1)


def same(a: Row, b: Row) -> bool:
    """Whether two rows have the same fields, bit for bit."""
    names = [f.name for f in dataclasses.fields(a) if f.name != "run"]
    return a.run.key == b.run.key and all(equal(getattr(a, name), getattr(b, name)) for name in names)


def equal(x: object, y: object) -> bool:
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return x.dtype == y.dtype and np.array_equal(x, y)
    return type(x) is type(y) and (x == y or (x != x and y != y))


def test_rows_survive_the_journal(finished: Results) -> None:
    failed = Run(TANK, BAD, 1, settings={"way": "gives_nan"}).execute()
    for row in (*finished.rows[:3], failed):
        back = row_from(line_of(row))
        assert back is not None and same(row, back)


def test_a_row_tells_what_happened(finished: Results) -> None:
    row = finished.rows[0]
    assert row.states.dtype == np.float32 and row.states.shape == (21, 1) and row.actions.shape == (20, 1)
    assert row.latency == math.ceil(row.delays.max() / 0.1) >= 1 and row.missed >= 1
    assert row.jitter == row.delays.std() > 0.0
    assert row.solves == len(row.delays) and 0.0 < row.solve_median <= row.solve_p99 <= row.solve_max < 1.0


def test_every_row_replays_bit_for_bit(finished: Results) -> None:
    for row in finished.rows[::4]:
        assert replay(row) == ""
    measured = Run(TANK, BAD, 3, settings={"way": "dawdles"}, timing="measured").execute()
    assert replay(measured) == ""
    row = dataclasses.replace(
        measured, delays=measured.delays + np.where(np.arange(len(measured.delays)) == 2, 0.02, 0)
    )
    assert "tick 2" in replay(row)
    other = dataclasses.replace(finished.rows[0], run=dataclasses.replace(finished.rows[0].run, seed=9))
    assert "tick 0" in replay(other)
    with pytest.raises(PilotageError, match="cannot be replayed"):
        replay(dataclasses.replace(measured, status=RunStatus.TIMEOUT))


@pytest.mark.parametrize("name", ["task", "controller"])
def test_a_row_whose_module_is_missing_cannot_be_replayed(name: str, finished: Results) -> None:
    """It is no difference of the row, but an error that names the module."""
    lost = dataclasses.replace(finished.rows[0].run, **{name: "gone:thing"})
    with pytest.raises(PilotageError, match="gone:thing cannot be loaded"):
        replay(dataclasses.replace(finished.rows[0], run=lost))


def test_the_regret_is_split_into_shares(finished: Results) -> None:
    by = {(r.run.name, r.run.disturbance, r.run.seed, r.run.estimator): r for r in finished.rows}
    rows = [r for r in finished.rows if r.run.estimator == "estimate"]
    assert len(finished.shares) == len(rows) == 20
    for row in rows:
        twin = by[row.run.name, row.run.disturbance, row.run.seed, "truth"]
        assert finished.shares[row.run.key][0] == row.cost - twin.cost


def test_the_table_is_a_parquet_file(finished: Results) -> None:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(finished.folder / "rows.parquet").to_pylist()
    assert [row["key"] for row in table] == [row.run.key for row in finished.rows]
    assert [row["cost"] for row in table] == [row.cost for row in finished.rows]
    assert np.array_equal(np.array(table[3]["states"], dtype=np.float32), finished.rows[3].states)


def test_summaries(finished: Results) -> None:
    lines = summarize(finished)
    assert len(lines) == 2 * 2 * 2
    slow = next(line for line in lines if line["controller"] == "slow" and line["estimator"] == "truth")
    costs = [
        r.cost for r in finished.rows if (r.run.name, r.run.estimator, r.run.disturbance) == ("slow", "truth", "none")
    ]
    assert slow["cost"][1] == pytest.approx(np.mean(costs)) and slow["worst"] == max(costs)
    pair = comparisons(finished)[0]
    assert pair["a"] == "fast" and pair["b"] == "slow" and pair["difference"][1] < 0.0 and pair["seeds"] == 5
    page = markdown(finished)
    assert "| slow " in page and "needs 1 more seed" in page
    [same] = [
        c
        for c in compare(finished, finished, "slow", "slow")
        if (c["disturbance"], c["estimator"]) == ("none", "truth")
    ]
    assert same["difference"] == [0.0, 0.0, 0.0] and same["more"] is None
    assert len(compare(finished, finished)) == 8
    with pytest.raises(PilotageError, match="no runs in common; there are fast, slow"):
        compare(finished, finished, "quick", "slow")


@pytest.mark.parametrize(
    ("settings", "alike"),
    [
        ({}, True),
        ({"filter": lambda seed: None}, True),
        ({"name": "barrel"}, True),
        ({"plant": Tank(gain=1.01)}, False),
        ({"task": Empty(horizon=21)}, False),
        ({"task": Empty(limit=9.0)}, False),
        ({"start": lambda seed: [1.0 + seed]}, False),
        ({"sensors": {"gauge": Channel(gauge(), period=0.2, delay=0.2, dropout=0.1)}}, False),
        ({"sensors": {"gauge": Channel(gauge(std=0.06), period=0.2, delay=0.2, dropout=0.2)}}, False),
    ],
)
def test_results_of_different_tasks_are_not_compared(
    settings: dict[str, Any], alike: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sweep(dataclasses.replace(SMALL, seeds=[0]), tmp_path / "before", jobs=1)
    parts = {key: getattr(tank(), key) for key in ("name", "plant", "task", "success", "sensors", "filter")}
    monkeypatch.setattr(worlds, "tank", lambda: BenchmarkTask(**{**parts, **settings}))
    after = sweep(Suite("other", [TANK], {"fast": {"use": GAIN}}, seeds=[0]), tmp_path / "after", jobs=1)
    if alike:
        assert len(compare(before, after)) == 1
        return
    with pytest.raises(PilotageError, match=f"the task {TANK} of .*before has the hash"):
        compare(before, after)
    with pytest.raises(PilotageError, match=f"the task {TANK} of"):
        sweep(dataclasses.replace(SMALL, seeds=[0]), tmp_path / "before", jobs=1)


def test_other_delays_and_other_filters_are_told_beside_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = Suite("one", [TANK], {"fast": {"use": GAIN}}, ("truth", "estimate"), [0])
    plain = sweep(suite, tmp_path / "plain", jobs=1)
    late = sweep(dataclasses.replace(suite, timing={"fixed": 0.05}), tmp_path / "late", jobs=1)
    assert {line["note"] for line in compare(plain, plain)} == {""}
    assert all("none" in line["note"] and "0.05" in line["note"] for line in compare(plain, late))
    assert all(line["note"] in verdict(line) for line in compare(plain, late))

    parts = {key: getattr(tank(), key) for key in ("name", "plant", "task", "success", "sensors")}
    channel = Channel(gauge(std=0.5))
    other = BenchmarkTask(**parts, filter=tank_task(channel).filter)
    monkeypatch.setattr(worlds, "tank", lambda: other)
    vague = sweep(suite, tmp_path / "vague", jobs=1)
    assert [(line["estimator"], line["note"]) for line in compare(plain, vague)] == [
        ("truth", ""),
        ("estimate", "the filters differ"),
    ]
    with pytest.raises(PilotageError, match="the filter of"):  # a folder holds the rows of one filter
        sweep(dataclasses.replace(suite, seeds=[0, 1]), tmp_path / "plain", jobs=1)


def test_results_without_common_groups_say_which_they_have(tmp_path: Path) -> None:
    suite = Suite("one", [TANK], {"fast": {"use": GAIN}}, ("truth",), [0])
    truth = sweep(suite, tmp_path / "truth", jobs=1)
    estimate = sweep(dataclasses.replace(suite, estimators=("estimate",)), tmp_path / "estimate", jobs=1)
    with pytest.raises(PilotageError, match="only one has runs of .* none estimate; .* none truth"):
        compare(truth, estimate)


def test_results_under_different_disturbances_of_one_name_are_not_compared(tmp_path: Path) -> None:
    found = [
        sweep(
            dataclasses.replace(SMALL, seeds=[0], disturbances={"heavy": [{"mismatch": {"gain": factor}}]}),
            tmp_path / str(factor),
            jobs=1,
        )
        for factor in (1.5, 2.0)
    ]
    with pytest.raises(PilotageError, match="the disturbance heavy of"):
        compare(*found)


def test_a_task_that_raises_is_in_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int) -> Any:
        raise OSError("no disk")

    parts = {key: getattr(tank(), key) for key in ("name", "plant", "task")}
    monkeypatch.setattr(worlds, "tank", lambda: BenchmarkTask(**parts, start=broken))
    results = sweep(dataclasses.replace(SMALL, seeds=[0]), tmp_path, jobs=1)
    assert [row.reason for row in results.rows] == ["OSError: no disk"] * 2


def test_a_run_that_takes_too_long_is_given_up() -> None:
    row = Run(TANK, BAD, settings={"way": "sleeps"}).execute(timeout=0.3)
    assert row.status is RunStatus.TIMEOUT and row.cost == math.inf and row.wall < 30.0
    assert "0.3 s" in row.reason and row.ticks == row.solves == 4 and len(row.states) == 5
    done = Run(TANK, GAIN).execute()
    assert np.array_equal(row.digests, done.digests[:4]) and np.array_equal(row.states, done.states[:5])


def test_a_controller_that_exits_ends_its_run_only(tmp_path: Path) -> None:
    controllers = {"exits": {"use": BAD, "way": "exits"}, "good": {"use": GAIN}}
    results = sweep(Suite("bad", [TANK], controllers, seeds="0"), tmp_path, jobs=1)
    bad, good = results.rows
    assert bad.status is RunStatus.RAISED and "SystemExit: 3" in bad.reason and bad.ticks == 4 and good.success


def test_failures_are_in_the_summary(tmp_path: Path) -> None:
    controllers = {
        "good": {"use": GAIN},
        "nan": {"use": BAD, "way": "gives_nan"},
        "raises": {"use": BAD, "way": "raises"},
    }
    results = sweep(Suite("bad", [TANK], controllers, seeds="0-1"), tmp_path, jobs=1)
    status = {row.run.name: row.status for row in results.rows}
    assert status == {
        "good": RunStatus.SUCCESS,
        "nan": RunStatus.INVALID,
        "raises": RunStatus.RAISED,
    }
    worst = {line["controller"]: (line["failures"], line["worst"]) for line in summarize(results)}
    assert worst["nan"] == (2, math.inf) and worst["good"][0] == 0
    page = markdown(results)
    assert "on no seed did both end" in page
    reasons = page.split("## Runs that did not come to their end")[1]
    assert "no map" in reasons and all(name in reasons for name in ("nan", "raises")) and "good" not in reasons
    assert {line.split("|")[-2].strip() for line in reasons.splitlines() if "no map" in line} == {"2"}


def test_a_setting_that_is_wrong_is_told_before_the_first_run(tmp_path: Path) -> None:
    controllers = {"good": {"use": GAIN}, "typo": {"use": GAIN, "gian": 2.0}}
    with pytest.raises(SettingError, match=f"typo .*{TANK}.*gian"):
        sweep(Suite("typo", [TANK], controllers, seeds="0-1"), tmp_path, jobs=1)
    assert read_rows(tmp_path) == []
    assert len(sweep(Suite("typo", [TANK], {"good": {"use": GAIN}}, seeds="0-1"), tmp_path / "new", jobs=1).rows) == 2


def test_a_sweep_is_extended(tmp_path: Path) -> None:
    """By seeds and by controllers; what is there stays, and what has other settings is refused."""
    first = sweep(SMALL, tmp_path, jobs=1)
    lines = (tmp_path / JOURNAL).read_bytes()
    more = sweep(dataclasses.replace(SMALL, seeds="3-7"), tmp_path, jobs=1)
    assert (tmp_path / JOURNAL).read_bytes().startswith(lines)
    assert len(more.rows) == 16 and all(same(a, b) for a, b in zip(first.rows, more.rows))
    assert more.manifest["suite"]["seeds"] == list(range(8))
    assert more.manifest["hash"] == dataclasses.replace(SMALL, seeds="0-7").hash
    third = {"third": {"use": GAIN, "gain": 2.0}}
    found = sweep(dataclasses.replace(SMALL, controllers=third, seeds="0"), tmp_path, jobs=1)
    assert [row.run.name for row in found.rows[16:]] == ["third"] and "missing" not in markdown(found)
    assert len(sweep(SMALL, tmp_path, jobs=1).rows) == 17
    for other, named in (
        (dataclasses.replace(SMALL, controllers={"fast": {"use": GAIN, "gain": 9.0}}), "fast"),
        (dataclasses.replace(SMALL, timing="measured"), "timing"),
        (dataclasses.replace(SMALL, disturbances={"none": [{"mismatch": {"gain": 2.0}}]}), "none"),
    ):
        with pytest.raises(PilotageError, match=f"cannot be extended .*{named}"):
            sweep(other, tmp_path, jobs=1)


def test_a_single_run_has_no_interval(tmp_path: Path) -> None:
    results = sweep(dataclasses.replace(SMALL, seeds=[0]), tmp_path, jobs=1)
    for page in (markdown(results), report_page(results)):
        assert "inf" not in page.split("Manifest")[0].replace("infinite", "") and "nan" not in page.split("<style>")[0]


def test_the_progress_says_what_may_be_compiled() -> None:
    runs = SMALL.runs()
    compiling = Compiling(runs, jobs=2)
    assert compiling.text() == f"compiling slow ({TANK})"
    assert compiling.text(runs[0]) == "running"
    assert [compiling.text(run) for run in runs[1:4]][-1] == f"compiling fast ({TANK})"
    assert [compiling.text(run) for run in runs[4:]][-1] == "running"


def test_finished_rows_are_not_run_again(tmp_path: Path) -> None:
    first = sweep(SMALL, tmp_path, jobs=1)
    stamp = (tmp_path / JOURNAL).read_bytes()
    again = sweep(SMALL, tmp_path, jobs=1)
    assert (tmp_path / JOURNAL).read_bytes() == stamp and len(again.rows) == len(first.rows) == 10
    assert first.row(3) is first.rows[3] and again.row(first.rows[3].run.key[:8]).run.seed == 3
    with pytest.raises(PilotageError, match="no row 99 .*0 to 9"):
        first.row(99)


def test_lines_that_are_damaged_are_run_again(tmp_path: Path) -> None:
    whole = sweep(SMALL, tmp_path, jobs=1)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    for cut in (1, 9, 40, len(lines[-1]) - 2):
        (tmp_path / JOURNAL).write_bytes(b"".join(lines[:-1]) + lines[-1][:cut])
        assert len(read_rows(tmp_path)) == 9
    flipped = lines[2].replace(b"0", b"1", 1)
    (tmp_path / JOURNAL).write_bytes(b"".join([*lines[:2], flipped, *lines[3:-1]]) + lines[-1][:40])
    assert "2 lines of the journal cannot be read" in markdown(Results.load(tmp_path))
    again = sweep(SMALL, tmp_path, jobs=1)
    assert "2 lines of the journal cannot be read" in report_page(again)
    assert [row.cost for row in again.rows] == [row.cost for row in whole.rows]
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 9 + 1 + 2


def test_only_one_sweep_uses_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(PilotageError, match=f"another sweep \\(process {os.getpid()}\\)"):
        sweep(SMALL, tmp_path, jobs=1)
    (tmp_path / "lock").write_text("1\n")  # of a process that is gone
    assert len(sweep(SMALL, tmp_path, jobs=1).rows) == 10


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file can become larger than `size`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with small_disk(5000), pytest.raises(PilotageError, match="rows before are safe"):
        sweep(SMALL, tmp_path, jobs=1)
    kept = read_rows(tmp_path)
    assert 0 < len(kept) < 10 and (tmp_path / JOURNAL).read_bytes().endswith(b"\n")
    assert len(sweep(SMALL, tmp_path, jobs=1).rows) == 10


def test_results_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no results"):
        Results.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(FormatError, match="manifest.json is damaged"):
        Results.load(tmp_path)


def test_kill_loses_at_most_the_runs_under_way(tmp_path: Path) -> None:
    suite = Suite("slow", [TANK], {"dawdles": {"use": BAD, "way": "dawdles"}}, seeds="0-5")
    code = f"from pilotage.bench import Suite, sweep\nsweep(Suite.of({suite.plain()!r}), {str(tmp_path)!r}, jobs=1)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2], env={**os.environ})
    try:
        while len(read_rows(tmp_path)) < 2 and process.poll() is None:
            time.sleep(0.05)
        with pytest.raises(PilotageError, match=f"process {process.pid}"):
            sweep(suite, tmp_path, jobs=1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = {row.run.key: row for row in read_rows(tmp_path)}
    assert 2 <= len(before) < 6
    results = sweep(suite, tmp_path, jobs=1)
    assert len(results.rows) == 6 and all(
        same(row, before[row.run.key]) for row in results.rows if row.run.key in before
    )


ENDS = {"dies": RunStatus.DIED, "hangs": RunStatus.DIED, "sleeps": RunStatus.TIMEOUT}


@pytest.mark.parametrize(
    "ways", [("dies",), pytest.param(("hangs", "dies", "sleeps"), marks=pytest.mark.slow)], ids="-".join
)
def test_a_controller_cannot_stop_a_sweep_in_processes(ways: tuple[str, ...], tmp_path: Path) -> None:
    """One kills its process, one hangs where no signal gets, one sleeps for longer than it may: all others are run."""
    controllers = {**{way: {"use": BAD, "way": way} for way in ways}, "good": {"use": GAIN}}
    suite = Suite("bad", [TANK], controllers, seeds="0", timeout=1.0)
    results = sweep(suite, tmp_path, jobs=2)
    status = {row.run.name: row.status for row in results.rows}
    assert status == {"good": RunStatus.SUCCESS, **{way: ENDS[way] for way in ways}}
    alone = Run(TANK, GAIN, 0, label="good").execute()
    good = next(row for row in results.rows if row.run.name == "good")
    assert good.cost == alone.cost and np.array_equal(good.digests, alone.digests)


@pytest.mark.slow
def test_a_sweep_on_a_cluster_is_that_of_one_machine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Also where a process dies, about which Ray would print."""
    controllers = {**SMALL.controllers, "dies": {"use": BAD, "way": "dies"}}
    suite = dataclasses.replace(SMALL, controllers=controllers, seeds="0-1")
    there = sweep(suite, tmp_path / "there", jobs=2, cluster="local")
    assert capfd.readouterr().out == ""
    here = sweep(dataclasses.replace(SMALL, seeds="0-1"), tmp_path / "here", jobs=1)
    assert [row.status for row in there.rows[4:]] == [RunStatus.DIED] * 2
    for a, b in zip(there.rows[:4], here.rows, strict=True):
        assert a.run.key == b.run.key and a.cost == b.cost and np.array_equal(a.digests, b.digests)


def test_a_suite_that_is_corrected_can_use_its_folder(tmp_path: Path) -> None:
    wrong = Suite("typo", [TANK], {"good": {"use": GAIN, "gian": 2.0}}, seeds="0")
    with pytest.raises(SettingError, match="gian"):
        sweep(wrong, tmp_path, jobs=1)
    right = dataclasses.replace(wrong, controllers={"good": {"use": GAIN, "gain": 2.0}})
    assert sweep(right, tmp_path, jobs=1).rows[0].success


def test_what_a_controller_did_wrong_is_told_with_its_place() -> None:
    raised = Run(TANK, BAD, settings={"way": "raises"}).execute()
    assert "worlds.py, line " in raised.reason
    nothing = Run(TANK, BAD, settings={"way": "gives_none"}).execute()
    assert nothing.status is RunStatus.INVALID and "None" in nothing.reason and "Action" in nothing.reason


def test_a_controller_that_does_not_fit_says_so() -> None:
    row = Run("pendulum", "stanley").execute()
    assert row.status is RunStatus.RAISED and "stanley does not fit the task pendulum" in row.reason
    suite = Suite("odd", ["pendulum"], {"stanley": {}, "rest": {}}, seeds="0")
    assert suite.unfit == ["stanley on pendulum"] and [run.name for run in suite.runs()] == ["rest"]
    with pytest.raises(SettingError, match="no run"):
        dataclasses.replace(suite, controllers={"stanley": {}}).runs()


def test_an_episode_takes_what_a_run_takes() -> None:
    late, plain = {"fixed": 0.15}, Run(TANK, GAIN, timing={"fixed": 0.15}).execute()
    assert simulate(tank(), worlds.Gain(), delays=late).cost == plain.cost
    with pytest.raises(SettingError, match="delays is 0.1"):
        simulate(tank(), worlds.Gain(), delays=0.1)
