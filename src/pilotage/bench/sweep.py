"""Sweeps: the runs of a suite, in parallel, with rows that survive any crash."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..core.errors import FormatError, MissingFile, PilotageError, require
from ..core.settings import whole
from ..io import write_atomic
from ._world import probed
from .benchmark_task import benchmark_task
from .journal import Journal, locked, read_rows
from .run import Row, digest
from .suite import Suite
from .workers import execute_all

MANIFEST, TABLE = "manifest.json", "rows.parquet"


def sweep(
    suite: Suite, folder: str | Path, *, jobs: int | None = None, cluster: str | None = None, progress: bool = False
) -> Results:
    """Run a suite into a folder.

    The folder gets a manifest with the suite, its hash and the versions, a journal with one line a row, and at the end
    the table ``rows.parquet``. If the folder already has rows of this suite, only the missing ones are run. A
    controller that raises, hangs, crashes its process or returns NaN gives a row with that status.

    Args:
        suite: the suite.
        folder: the folder; it is made if it does not exist.
        jobs: number of processes; default: one for each core.
        cluster: address of a Ray cluster, or "local"; default: the processes of this machine.
        progress: whether to show a progress bar with the time left.

    Raises:
        PilotageError: if another sweep uses the folder, it holds another suite, or the disk is full.

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
        _claim(suite, folder)
        done = {row.run.key for row in read_rows(folder)}
        left = [run for run in runs if run.key not in done]
        journal = Journal(folder)
        try:
            with tqdm(total=len(runs), initial=len(runs) - len(left), unit="run", disable=not progress) as bar:
                for row in execute_all(left, jobs, suite.timeout, cluster):
                    journal.append(row)
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
        rows: the rows, in the order of the runs of the suite.

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

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """The results in a folder, of a sweep that ended or not.

        Raises:
            MissingFile: if there are none.
            FormatError: if the manifest is damaged.
        """
        folder = Path(folder)
        manifest = _manifest(folder)
        if manifest is None:
            raise MissingFile(f"there are no results in {folder}: {MANIFEST} is missing")
        order = {key: i for i, key in enumerate(manifest["runs"])}
        rows = [row for row in read_rows(folder) if row.run.key in order]
        return cls(folder, manifest, sorted(rows, key=lambda row: order[row.run.key]))

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
        if len(found) != 1:
            raise PilotageError(f"{len(found)} of the {len(self.rows)} rows in {self.folder} are called {which!r}")
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


def _claim(suite: Suite, folder: Path) -> None:
    """Write the manifest, or compare the one that is there."""
    there, worlds = _manifest(folder), _worlds(suite)
    if there is not None:
        if there["hash"] != suite.hash:
            raise PilotageError(
                f"{folder} holds results of another suite ({there['suite']['name']}, {there['hash']}); this one is "
                f"{suite.name}, {suite.hash}: choose another folder"
            )
        same_worlds(there.get("worlds", worlds), worlds, str(folder), "this sweep")
        return
    facts = {
        "suite": suite.plain(), "hash": suite.hash, "worlds": worlds, "runs": [run.key for run in suite.runs()],
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "python": platform.python_version(),
        "versions": {name: version(name) for name in ("pilotage", "numpy", "scipy", "numba")},
        "platform": platform.platform(), "cores": _cores(),
    }  # fmt: skip
    write_atomic(folder / MANIFEST, json.dumps(facts, indent=1) + "\n")


def _worlds(suite: Suite) -> dict[str, str]:
    """Hashes of the tasks and the disturbances of a suite."""
    tasks = {f"task {name}": _task_hash(name) for name in suite.tasks}
    return tasks | {f"disturbance {name}": digest(listed) for name, listed in suite.plain()["disturbances"].items()}


def _task_hash(name: str) -> str:
    """A hash of the plant, the cost and the readings of a task; of the error, if the task raises one."""
    try:
        return digest(probed(benchmark_task(name)))
    except Exception as error:  # the rows of its runs have the error too
        return digest(f"{type(error).__name__}: {error}")


def same_worlds(a: Mapping[str, str], b: Mapping[str, str], name_a: str, name_b: str) -> None:
    """Refuse tasks or disturbances that have the same name in two sweeps, but not the same hash.

    Example:
        >>> same_worlds({"task pendulum": "1f"}, {"task pendulum": "1f", "task acrobot": "2e"}, "one", "another")
    """
    for name in sorted(a.keys() & b.keys()):
        if a[name] != b[name]:
            raise PilotageError(
                f"the {name} of {name_a} has the hash {a[name]}, that of {name_b} has {b[name]}: their plants, costs "
                "or sensors differ, so costs cannot be compared; run both with the same version"
            )


def _manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {**found, "hash": found["hash"], "runs": list(found["runs"]), "suite": dict(found["suite"])}
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is damaged: {error!r}") from error


def _twin(row: Row) -> tuple[Any, ...]:
    return row.run.task, row.run.name, row.run.disturbance, row.run.seed


def _cores() -> int:
    return len(os.sched_getaffinity(0))
