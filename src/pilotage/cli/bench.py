"""`pilotage bench`: the controller benchmark."""

from __future__ import annotations

import json as jsonlib
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from pilotage.bench import Results, Row, Suite, compare, controllers, replay, report_page, summarize, sweep, tasks
from pilotage.bench.suite import stock
from pilotage.bench.summary import comparison_table, comparisons, markdown, unshared
from pilotage.core.errors import PilotageError, counted, require
from pilotage.core.registry import search
from pilotage.io import write_atomic

from .wording import finite

SUMMARY, REPORT = "summary.md", "report.html"


def run(
    suite: str = "quick",
    /,
    *,
    out: Path | None = None,
    jobs: int | None = None,
    seeds: str | None = None,
    cluster: str | None = None,
    timeout: float | None = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Run a suite, or go on with one that was interrupted.

    Args:
        suite: A stock suite (full, mujoco, people, quick, robust), or a YAML or Python file.
        out: Folder of the results; a new one by default. Rows that it already holds are not run again.
        jobs: Number of processes; one for each core by default.
        seeds: Other seeds, such as 0-99.
        cluster: Address of a Ray cluster, or local; by default, the processes of this machine.
        timeout: Seconds after which a run is given up.
        json: Print one JSON object instead of text.
        quiet: Show no progress bar.
    """
    grid = Suite.load(suite, seeds)
    if timeout is not None:
        grid = Suite.of({**grid.plain(), "timeout": timeout})
    for name, reason in grid.absent.items():
        print(f"pilotage: the task {name} is left out: {reason}", file=sys.stderr)
    folder = Path(f"bench-{grid.name}-{datetime.now():%Y%m%d-%H%M%S}") if out is None else out
    require("pilotage.viz", extra="bench")  # the report needs it; what is missing is said before the first run
    if not quiet:
        print(f"pilotage: results go to {folder}; if interrupted, go on with --out {folder}", file=sys.stderr)
        if grid.unfit:
            print(f"pilotage: left out, since they do not fit: {', '.join(grid.unfit)}", file=sys.stderr)
    try:
        results = sweep(grid, folder, jobs=jobs, cluster=cluster, progress=not quiet)
    except KeyboardInterrupt:
        raise PilotageError(f"interrupted; the finished runs are in {folder}: go on with --out {folder}") from None
    text = markdown(results)
    write_atomic(folder / SUMMARY, text)
    page = _report(results)
    if json:
        facts = {
            "folder": str(folder),
            "report": str(page),
            "hash": results.manifest["hash"],
            "summary": summarize(results),
        }
        _print({**facts, "comparisons": comparisons(results)})
    else:
        print(f"{text}\n{folder / SUMMARY}\n{page}")
    if all(row.status.failed for row in results.rows):
        first = next((f"; the first: {row.run.name} on {row.run.task}: {row.reason}" for row in results.rows), "")
        raise PilotageError(f"no run of {counted(len(results.rows), 'run')} came to its end{first}")
    return 0


def report(folder: Path, /, *, out: Path | None = None, json: bool = False) -> None:
    """Write the report of a sweep, which ended or not: one HTML page with tables, pictures and the manifest.

    Args:
        folder: A folder of results.
        out: The file; report.html in the folder by default.
        json: Print one JSON object instead of text.
    """
    page = _report(_results(folder), out)
    if json:
        _print({"report": str(page)})
    else:
        print(page)


def _report(results: Results, out: Path | None = None) -> Path:
    """Write the report, and return its path."""
    page = out or results.folder / REPORT
    write_atomic(page, report_page(results))
    return page


def list_all(*, json: bool = False) -> None:
    """List the tasks, controllers and suites.

    Args:
        json: Print one JSON object instead of text.
    """
    found = {
        kind: {name: each.summary(name) for name in each.names()}
        for kind, each in (("tasks", tasks), ("controllers", controllers))
    }
    if json:
        _print({**found, "suites": stock()})
        return
    for kind, lines in found.items():
        print(f"{kind}:")
        for name, line in lines.items():
            print(f"  {name:{max(map(len, lines))}}  {line}")
    print(f"suites: {', '.join(stock())}")


def compare_two(a: str, b: str, /, *, json: bool = False) -> None:
    """Compare two results, paired by seed.

    Args:
        a: A folder of results; FOLDER:CONTROLLER for one controller of it.
        b: Another one, or the same folder with another controller.
        json: Print one JSON object instead of text.
    """
    (first, label_a), (second, label_b) = _selected(a), _selected(b)
    lines, alone = compare(first, second, label_a, label_b), unshared(first, second)
    if alone:
        print(f"pilotage: left out, since only one has runs of them: {'; '.join(alone)}", file=sys.stderr)
    if json:
        _print({"comparisons": lines})
    else:
        print(*comparison_table(lines), sep="\n")


def replay_row(folder: Path, row: str, /, *, json: bool = False) -> int:
    """Repeat a run with its recorded delays, and tell the first difference.

    Args:
        folder: A folder of results.
        row: Number of the row, from 0, or the beginning of its key.
        json: Print one JSON object instead of text.
    """
    found = _results(folder).row(row)
    difference = replay(found)
    facts = {"key": found.run.key, "run": _name(found), "same": not difference, "difference": difference}
    if json:
        _print(facts)
    else:
        same = f"the same, bit for bit, in {counted(found.ticks, 'tick')}"
        print(f"{_name(found)}: {difference or same}")
    return 1 if difference else 0


def _results(folder: Path) -> Results:
    """The results in a folder, whose tasks and controllers may lie in the folders in which the sweep found them."""
    found = Results.load(folder)
    for modules in found.manifest.get("modules", []):
        search(modules)
    return found


def _selected(text: str) -> tuple[Results, str]:
    """The results of FOLDER or FOLDER:CONTROLLER, and the controller."""
    folder, _, label = (text, "", "") if Path(text).is_dir() else text.rpartition(":")
    return Results.load(folder or label), label if folder else ""


def _name(row: Row) -> str:
    run = row.run
    return f"{run.name} on {run.task}, {run.estimator}, disturbance {run.disturbance}, seed {run.seed}"


def _print(facts: dict[str, Any]) -> None:
    print(jsonlib.dumps(finite(facts)))
