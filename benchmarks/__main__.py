"""`python -m benchmarks NAME... [--quick] [--json FILE] [--list]`."""

from __future__ import annotations

import benchmarks.one_thread  # isort: split

import importlib
import pkgutil
import platform
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

import benchmarks
from benchmarks.accuracy import TABLES, Table
from benchmarks.harness import REGISTRY, Row
from benchmarks.report import HEAD, measure_all, measure_into


def run(
    *names: str, quick: bool = False, json: Path | None = None, show: Annotated[bool, Parameter("--list")] = False
) -> int:
    """Measure rows, each against its peer, and accuracy tables, in this one process.

    Args:
        names: Rows, tables or topics (files of benchmarks/); without any, all of them.
        quick: Smaller problems and fewer rounds: figures to look at, not to publish.
        json: Write one JSON object a row to this file, a line each.
        show: Say which rows there are, and measure nothing.
    """
    rows = _chosen(names)
    if rows is None:
        return 2
    if show:
        for entry in rows:
            against = "accuracy" if isinstance(entry, Table) else f"{entry.bar:6g}x {entry.peer}"
            print(f"{entry.name:18} {entry.topic:14} {against}: {entry.note}")
        return 0
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread each\n{HEAD}")
    return measure_all(rows, quick) if json is None else measure_into(json, rows, quick)


def _chosen(names: tuple[str, ...]) -> list[Row | Table] | None:
    """The rows and tables that `names` mean; None, said on stderr, when one means nothing."""
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name not in ("__main__", "accuracy", "harness", "one_thread", "report"):
            importlib.import_module(f"benchmarks.{module.name}")
    entries = [*REGISTRY.values(), *TABLES.values()]
    known = {name for entry in entries for name in (entry.name, entry.topic)}
    unknown = [name for name in names if name not in known]
    if unknown:
        rows = ", ".join(entry.name for entry in entries) or "none yet"
        print(f"benchmarks: no row or topic is named {', '.join(unknown)}; the rows are {rows}", file=sys.stderr)
        return None
    return [entry for entry in entries if not names or {entry.name, entry.topic} & {*names}]


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
