"""`python -m benchmarks NAME... [--quick] [--json FILE] [--list]`."""

from __future__ import annotations

import benchmarks.one_thread  # isort: split

import importlib
import json as jsonlib
import os
import pkgutil
import platform
import sys
from pathlib import Path
from typing import Annotated, TextIO

from cyclopts import App, CycloptsError, Parameter

import benchmarks
from benchmarks.harness import REGISTRY, Result, Row, measure, missing

HEAD = f"{'row':18} {'ours':>10} {'peer':>10} unit {'ratio':>8} {'quartiles':>15} {'bar':>6} verdict  peer: note"


def run(
    *names: str, quick: bool = False, json: Path | None = None, show: Annotated[bool, Parameter("--list")] = False
) -> int:
    """Measure rows, each against its peer, in this one process.

    Args:
        names: Rows or topics (files of benchmarks/); without any, all rows.
        quick: Smaller problems and fewer rounds: figures to look at, not to publish.
        json: Write one JSON object a row to this file, a line each.
        show: Say which rows there are, and measure nothing.
    """
    rows = _chosen(names)
    if rows is None:
        return 2
    if show:
        for entry in rows:
            print(f"{entry.name:18} {entry.topic:14} {entry.bar:6g}x {entry.peer}: {entry.note}")
        return 0
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread each\n{HEAD}")
    return _measure_all(rows, quick, None) if json is None else _measure_into(json, rows, quick)


def _chosen(names: tuple[str, ...]) -> list[Row] | None:
    """The rows that `names` mean; None, said on stderr, when one means nothing."""
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name not in ("__main__", "harness", "one_thread"):
            importlib.import_module(f"benchmarks.{module.name}")
    known = {*REGISTRY, *(entry.topic for entry in REGISTRY.values())}
    unknown = [name for name in names if name not in known]
    if unknown:
        rows = ", ".join(REGISTRY) or "none yet"
        print(f"benchmarks: no row or topic is named {', '.join(unknown)}; the rows are {rows}", file=sys.stderr)
        return None
    return [entry for entry in REGISTRY.values() if not names or {entry.name, entry.topic} & {*names}]


def _measure_into(file: Path, rows: list[Row], quick: bool) -> int:
    """Measure into `file`, which takes the place of an older one when all is measured; until then rows lie beside."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            code = _measure_all(rows, quick, out)
    except BaseException:
        if part.is_file():
            print(f"benchmarks: stopped; the rows measured so far are in {part}", file=sys.stderr)
        raise
    os.replace(part, file)
    return code


def _measure_all(rows: list[Row], quick: bool, out: TextIO | None) -> int:
    """Measure and print row by row; 1 when a bar was missed or two sides disagreed."""
    failed = False
    for entry in rows:
        if absent := missing(entry):
            print(f"{entry.name:18} skipped: {', '.join(absent)} not installed; pip install 'pilotage[peers]'")
            continue
        try:
            result = measure(entry, quick)
        except FileNotFoundError as error:
            print(f"{entry.name:18} skipped: {error}")
            continue
        except AssertionError as error:
            failed = True
            print(f"{entry.name:18} DISAGREES with {entry.peer}: {error}", flush=True)
            continue
        failed |= not result.reached
        print(_line(result), flush=True)
        if out is not None:
            out.write(jsonlib.dumps(result.record()) + "\n")
            out.flush()
    return int(failed)


def _line(result: Result) -> str:
    entry, (low, high) = result.row, result.spread
    verdict = "reached" if result.reached else "MISSED "
    quartiles = f"{low:.3g} - {high:.3g}"
    return (
        f"{entry.name:18} {result.ours:10.4g} {result.peer:10.4g} {entry.unit:4} {result.ratio:8.3g}"
        f" {quartiles:>15} {entry.bar:6g} {verdict}  {entry.peer}: {result.note}"
    )


if __name__ == "__main__":
    app = App(name="benchmarks", default_command=run, version_flags=[], default_parameter=Parameter(negative=()))
    try:
        sys.exit(app(exit_on_error=False, print_error=False, result_action="return_value"))
    except CycloptsError as error:
        error.verbose = False
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a file that --json names and that cannot be written
        print(f"benchmarks: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
