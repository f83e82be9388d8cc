"""Sweeps: the runs of a suite, in parallel, with rows that survive any crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..core.errors import MissingFile, PilotageError, SettingError, require
from ..core.settings import whole
from ..io import write_atomic
from .benchmark_task import benchmark_task
from .journal import Journal, locked, read_journal, read_rows
from .manifest import MANIFEST, claim, read_manifest
from .run import Row, Run
from .suite import Suite
from .workers import execute_all

TABLE = "rows.parquet"


def sweep(
    suite: Suite, folder: str | Path, *, jobs: int | None = None, cluster: str | None = None, progress: bool = False
) -> Results:
    """Run a suite into a folder.

    The folder gets a manifest with the suite, its hash and the versions, a journal with one line a row, and at the end
    the table ``rows.parquet``. If the folder already has rows, only the missing ones are run; a suite with more tasks,
    controllers, estimators, disturbances or seeds extends the sweep, if what it shares with the suite of the folder has
    the same settings. Each controller is built once before the first run, so that a wrong setting is an error at once.
    A controller that raises, hangs, crashes its process or returns NaN in a run gives a row with that status.

    Args:
        suite: the suite.
        folder: the folder; it is made if it does not exist.
        jobs: number of processes; default: one for each core.
        cluster: address of a Ray cluster, or "local"; default: the processes of this machine.
        progress: whether to show a progress bar with the time left.

    Raises:
        SettingError: if a controller cannot be built; the message names it and the task.
        PilotageError: if another sweep uses the folder, its suite has other settings, or the disk is full.

    Example:
        >>> import tempfile
        >>> from pilotage.bench import Suite
        >>> results = sweep(Suite("tiny", ["pendulum"], {"rest": {}}, seeds="0-1"), tempfile.mkdtemp(), jobs=1)
        >>> [row.run.seed for row in results.rows]
        [0, 1]
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = _cores() if jobs is None else whole(jobs, "jobs")
    require("pyarrow.parquet", extra="bench")  # what is missing is said before the first run
    runs = suite.runs()
    with locked(folder):
        done = {row.run.key for row in read_rows(folder)}
        left = [run for run in runs if run.key not in done]
        build_each(left)  # before the folder is claimed, so that a corrected suite can still use it
        claim(suite, folder, _cores())
        journal = Journal(folder)
        try:
            with tqdm(total=len(runs), initial=len(runs) - len(left), unit="run", disable=not progress) as bar:
                compiling = Compiling(left, jobs)
                bar.set_description(compiling.text())
                for row in execute_all(left, jobs, suite.timeout, cluster):
                    journal.append(row)
                    bar.set_description(compiling.text(row.run), refresh=False)
                    bar.update()
        finally:
            journal.close()
        results = Results.load(folder)
        write_atomic(folder / TABLE, results.parquet())
    return results


@dataclass(frozen=True)
class Results:
    """The rows of a sweep.

    Attributes:
        folder: the folder.
        manifest: the suite, its hash, versions and machine.
        rows: the rows, in the order of the runs of the suite; those of an extended suite follow.
        damaged: lines of the journal that could not be read; their runs are run again by the next sweep.

    Example:
        >>> import tempfile
        >>> from pilotage.bench import Suite
        >>> folder = tempfile.mkdtemp()
        >>> made = sweep(Suite("tiny", ["pendulum"], {"rest": {}}, seeds=[7]), folder, jobs=1)
        >>> Results.load(folder).row(0).run.seed
        7
    """

    folder: Path
    manifest: dict[str, Any]
    rows: list[Row]
    damaged: int = 0

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """The results in a folder, of a sweep that ended or not.

        Raises:
            MissingFile: if there are none.
            FormatError: if the manifest is damaged.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        if manifest is None:
            raise MissingFile(f"there are no results in {folder}: {MANIFEST} is missing")
        order = {key: i for i, key in enumerate(manifest["runs"])}
        found, damaged = read_journal(folder)
        rows = [row for row in found if row.run.key in order]
        return cls(folder, manifest, sorted(rows, key=lambda row: order[row.run.key]), damaged)

    @cached_property
    def shares(self) -> dict[str, tuple[float, float | None]]:
        """By the key of a run on the estimate: the estimator's and the controller's share of its regret.

        ::

            estimator's share  = cost on the estimate - cost of the same controller on the truth, same seed
            controller's share = cost on the truth - optimum
        """
        truth = {_twin(row): row for row in self.rows if row.run.estimator == "truth" and not row.status.failed}
        found: dict[str, tuple[float, float | None]] = {}
        for row in self.rows:
            twin = truth.get(_twin(row))
            if row.run.estimator == "estimate" and not row.status.failed and twin is not None:
                found[row.run.key] = row.cost - twin.cost, twin.regret
        return found

    def row(self, which: str | int) -> Row:
        """A row by its place, or by the beginning of its key.

        Raises:
            PilotageError: if there is none, or several.
        """
        if str(which).isdigit() and int(which) < len(self.rows):
            return self.rows[int(which)]
        found = [row for row in self.rows if row.run.key.startswith(str(which))]
        if not found:
            numbers = f"a number from 0 to {len(self.rows) - 1}" if self.rows else "a sweep that has rows"
            raise PilotageError(
                f"there is no row {which!r} in {self.folder}; expected {numbers}, or the beginning of a key"
            )
        if len(found) > 1:
            raise PilotageError(f"{len(found)} keys in {self.folder} begin with {which!r}; give more of its digits")
        return found[0]

    def table(self) -> list[dict[str, Any]]:
        """The rows as mappings of plain values and lists, with the shares of the regret."""
        return list(self._table())

    def _table(self) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            run, (estimators, controllers) = row.run, self.shares.get(row.run.key, (None, None))
            yield {
                "key": run.key, "task": run.task, "controller": run.name, "estimator": run.estimator,
                "disturbance": run.disturbance, "seed": run.seed, "status": row.status.value, "success": row.success,
                "reason": row.reason, "cost": row.cost, "optimum": row.optimum, "regret": row.regret,
                "estimator_share": estimators, "controller_share": controllers, "ticks": row.ticks,
                "seconds": row.seconds, "best_seconds": row.best_seconds,
                "violations": row.violations, "worst_violation": row.worst_violation, "solves": row.solves,
                "fallbacks": row.fallbacks, "solve_median": row.solve_median, "solve_p99": row.solve_p99,
                "solve_max": row.solve_max, "missed": row.missed, "latency": row.latency, "jitter": row.jitter,
                "wall": row.wall,
                "run": json.dumps({"controller": run.controller, "settings": run.settings, "timing": run.timing}),
                "stride": row.stride, "delays": row.delays, "states": list(row.states), "actions": list(row.actions),
            }  # fmt: skip

    def parquet(self) -> bytes:
        """The table as a Parquet file."""
        parquet, arrow = require("pyarrow.parquet", extra="bench"), require("pyarrow", extra="bench")
        sink = arrow.BufferOutputStream()
        parquet.write_table(arrow.Table.from_pylist(self.table()), sink)
        return sink.getvalue().to_pybytes()


def build_each(runs: Sequence[Run]) -> None:
    """Build each controller once on each of its tasks.

    Raises:
        SettingError: if one cannot be built.
    """
    for run in {(run.task, run.name): run for run in reversed(runs)}.values():
        try:
            run.make(benchmark_task(run.task).scene(run.seed))
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise SettingError(
                f"the controller {run.name} cannot be built on the task {run.task} with the settings "
                f"{dict(run.settings)}: {text}; no run was started"
            ) from error


class Compiling:
    """What a progress bar says: which runs are the first of a controller on a task, for which code may be compiled.

    Args:
        runs: the runs, in the order in which they begin.
        jobs: the number of runs at the same time.

    Example:
        >>> compiling = Compiling([Run("pendulum", "ilqr", 0), Run("pendulum", "ilqr", 1)], jobs=1)
        >>> compiling.text(), compiling.text(Run("pendulum", "ilqr", 0))
        ('compiling ilqr (pendulum)', 'running')
    """

    def __init__(self, runs: Sequence[Run], jobs: int) -> None:
        self.left, self.jobs = {run.key: run for run in runs}, jobs
        self.seen: set[tuple[str, str]] = set()

    def text(self, done: Run | None = None) -> str:
        """The text after a run is done."""
        if done is not None:
            self.left.pop(done.key, None)
            self.seen.add((done.task, done.name))
        now = {(run.task, run.name) for run in islice(self.left.values(), self.jobs)}
        new = [f"{name} ({task})" for task, name in sorted(now - self.seen)]
        return f"compiling {', '.join(new)}" if new else "running"


def _twin(row: Row) -> tuple[Any, ...]:
    return row.run.task, row.run.name, row.run.disturbance, row.run.seed


def _cores() -> int:
    return len(os.sched_getaffinity(0))
