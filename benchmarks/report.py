"""Rows measured one after the other: a line each for people, and one JSON object each for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from benchmarks.accuracy import Figures, Table, shown
from benchmarks.harness import Result, Row, measure, missing

HEAD = f"{'row':18} {'ours':>10} {'peer':>10} unit {'ratio':>8} {'quartiles':>15} {'bar':>6} verdict  peer: note"


def measure_into(file: Path, rows: Sequence[Row | Table], quick: bool) -> int:
    """Measure into `file`, which takes the place of an older one when all is measured; until then rows lie beside."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            code = measure_all(rows, quick, out)
    except BaseException:
        if part.is_file():
            print(f"benchmarks: stopped; the rows measured so far are in {part}", file=sys.stderr)
        raise
    os.replace(part, file)
    return code


def measure_all(rows: Sequence[Row | Table], quick: bool, out: TextIO | None = None) -> int:
    """Measure and print row by row, and table by table; 1 when a bar was missed or two sides disagreed."""
    failed = False
    for entry in rows:
        if absent := missing(entry):
            print(f"{entry.name:18} skipped: {', '.join(absent)} not installed; pip install 'pilotage[peers]'")
            continue
        try:
            result = tabled(entry, quick) if isinstance(entry, Table) else measure(entry, quick)
        except FileNotFoundError as error:
            print(f"{entry.name:18} skipped: {error}")
            continue
        except AssertionError as error:
            failed = True
            peer = "" if isinstance(entry, Table) else f" with {entry.peer}"
            print(f"{entry.name:18} DISAGREES{peer}: {error}", flush=True)
            continue
        failed |= not result.reached
        print(_line(result) if isinstance(result, Result) else result.text, flush=True)
        if out is not None:
            out.write(json.dumps(result.record()) + "\n")
            out.flush()
    return int(failed)


@dataclass(frozen=True)
class Tabled:
    """A table that was measured."""

    table: Table
    figures: Figures

    @property
    def reached(self) -> bool:
        """Whether every bar holds."""
        return self.figures.reached

    @property
    def text(self) -> str:
        """The table under its name."""
        return f"\n{self.table.name}: {self.table.note}\n\n{self.figures.markdown()}\n"

    def record(self) -> dict[str, object]:
        """The JSON object of this table."""
        return self.figures.record(self.table.name)


def tabled(entry: Table, quick: bool) -> Tabled:
    """The table, measured now."""
    return Tabled(entry, entry.make(quick))


def _line(result: Result) -> str:
    entry, (low, high) = result.row, result.spread
    verdict = "reached" if result.reached else "MISSED "
    quartiles = f"{shown(low)} - {shown(high)}"
    return (
        f"{entry.name:18} {shown(result.ours, 4):>10} {shown(result.peer, 4):>10} {entry.unit:4} "
        f"{shown(result.ratio):>8} {quartiles:>15} {entry.bar:6g} {verdict}  {entry.peer}: {result.note}"
    )
