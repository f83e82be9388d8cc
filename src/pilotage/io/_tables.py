"""Tables of numbers in text files, and lines of them that are at fault: refused by their number, or dropped."""

from __future__ import annotations

import csv
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, FormatWarning
from pilotage.core.settings import setting

from .contents import text_lines

Array = NDArray[np.float64]
Faulty = Literal["refuse", "drop"]
FURTHEST = 2**31
"""Largest frame: files with larger ones are damaged."""
LONGEST_HEADER = 1 << 16
"""Bytes at the beginning of a csv file in which its header lies."""


@dataclass(eq=False)
class Table:
    """Rows of numbers with the numbers of their lines, and what becomes of those at fault.

    Attributes:
        path: the file.
        faulty: "refuse" for an error at the first row at fault, "drop" to leave them out with a warning.
        lines: the line of each row ``(R,)``, counted from 1.
        values: the numbers ``(R, C)``.
        texts: columns of text by name, lists of R strings.
    """

    path: str | os.PathLike[str]
    faulty: Faulty
    lines: NDArray[np.int64]
    values: Array
    texts: dict[str, NDArray[np.str_]] = field(default_factory=dict[str, NDArray[np.str_]])
    dropped: int = 0

    def __post_init__(self) -> None:
        setting(self.faulty, Faulty, "faulty")

    def refuse(self, bad: Any, why: str) -> None:
        """Refuse or drop rows at fault ``(R,)``; the first one's line is named."""
        bad = np.asarray(bad, dtype=bool)
        if not bad.any():
            return
        if self.faulty == "refuse":
            line = self.lines[int(np.argmax(bad))]
            raise FormatError(f"{self.path}, line {line}: {why}; mend the line, or drop such lines by faulty='drop'")
        self.keep(~bad)
        self.dropped += int(bad.sum())

    def keep(self, rows: Any) -> None:
        """Keep some rows ``(R,)`` only."""
        self.lines, self.values = self.lines[rows], self.values[rows]
        self.texts = {name: column[rows] for name, column in self.texts.items()}

    def refuse_boxes(self, first: int) -> None:
        """Refuse boxes, left, top, width and height from that column on, that are not finite or have no area."""
        box = self.values[:, first : first + 4]
        self.refuse(~np.isfinite(box).all(1), "the box is not four finite numbers")
        self.refuse((self.values[:, first + 2 : first + 4] <= 0.0).any(1), "the box has no area")

    def refuse_repeated(self, time: Any, id: Any, what: str = "frame") -> None:
        """Refuse rows with the time and id ``(R,)`` of an earlier one."""
        key = np.stack([time, id], -1)
        _, first = np.unique(key, axis=0, return_index=True)
        again = np.ones(len(key), dtype=bool)
        again[first] = False
        self.refuse(again, f"its id occurs in an earlier line of the same {what}")

    def warn(self) -> None:
        """Say how many rows were dropped."""
        if self.dropped:
            warnings.warn(f"{self.path}: {self.dropped} faulty lines were dropped", FormatWarning, stacklevel=4)


def number_table(
    path: str | os.PathLike[str], kind: str, columns: range, faulty: Faulty = "refuse", separator: str | None = ","
) -> Table:
    """The rows of a text file of numbers with any of these numbers of columns, the same in all lines.

    Raises:
        FormatError: if lines differ in length, or hold anything else than numbers and are not to be dropped.
    """
    lines = text_lines(path, kind)
    filled = [i for i, line in enumerate(lines) if line.strip()]
    words = [lines[i].split(separator) for i in filled]
    width = len(words[0]) if words else columns[0]
    rows = [_floats(row) if len(row) == width else None for row in words]
    bad = np.array([row is None for row in rows], dtype=bool)
    values = np.array([row or [np.nan] * width for row in rows], dtype=np.float64).reshape(-1, width)
    table = Table(path, faulty, np.array(filled, dtype=np.int64) + 1, values)
    if width not in columns:
        raise FormatError(f"{path}, line {filled[0] + 1}: {width} columns; expected {columns[0]} to {columns[-1]}")
    table.refuse(bad, f"it does not hold {width} numbers, as the first line does")
    return table


def _floats(words: Sequence[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def whole_column(table: Table, column: int, name: str, least: float) -> None:
    """Refuse rows in which that column is no whole number of at least `least`."""
    given = table.values[:, column]
    with np.errstate(invalid="ignore"):
        bad = ~(np.rint(given) == given) | ~(given >= least) | ~(np.abs(given) < FURTHEST)
    table.refuse(bad, f"the {name} is no whole number" + (f", {least:g} or more" if np.isfinite(least) else ""))


def named_table(
    path: str | os.PathLike[str],
    kind: str,
    numbers: dict[str, Callable[[str], float]],
    texts: Iterable[str],
    faulty: Faulty,
) -> Table:
    """The columns of a csv file with a header: `numbers` by name and how each is read, and `texts`.

    What cannot be read becomes NaN, for the caller to judge.

    Raises:
        FormatError: if the header lacks a column.
    """
    reader = _reader(path, kind)
    header = _header(reader)
    missing = [name for name in (*numbers, *texts) if name not in header]
    if missing:
        raise FormatError(f"{path} has no column {', '.join(missing)}; it has {', '.join(header) or 'none'}")
    places = {name: header.index(name) for name in (*numbers, *texts)}
    found, rows = list[int](), list[list[str]]()
    for row in reader:
        if any(word.strip() for word in row):
            found.append(reader.line_num)
            rows.append(row + [""] * (len(header) - len(row)))
    values = [[read(row[places[name]].strip()) for name, read in numbers.items()] for row in rows]
    return Table(
        path,
        faulty,
        np.array(found, dtype=np.int64),
        np.array(values, dtype=np.float64).reshape(-1, len(numbers)),
        {name: np.array([row[places[name]].strip() for row in rows], dtype=np.str_) for name in texts},
    )


def csv_header(path: str | os.PathLike[str], kind: str) -> list[str]:
    """The names of the columns of a csv file, of which only the beginning is read."""
    return _header(_reader(path, kind, LONGEST_HEADER))


def _reader(path: str | os.PathLike[str], kind: str, most: int = -1) -> Any:
    """A reader of a csv file whose columns are separated as in its header: by commas, semicolons or tabs."""
    lines = iter(text_lines(path, kind, "replace", most))
    first = next(lines, "")
    mark = next((mark for mark in ",;\t" if mark in first), ",")
    return csv.reader(itertools.chain([first], lines), delimiter=mark)


def _header(reader: Iterator[list[str]]) -> list[str]:
    """The first line, without the mark of byte order that some programs begin with."""
    return [name.strip().lstrip("\ufffd") for name in next(reader, [])]


def a_number(word: str) -> float:
    """The number that a word is; NaN for others.

    Example:
        >>> a_number("2.5"), a_number("far")
        (2.5, nan)
    """
    try:
        return float(word)
    except ValueError:
        return float("nan")


def seconds(word: str) -> float:
    """Seconds that a word means: a number, or a date, which is taken as UTC unless it names a zone; NaN for others.

    Example:
        >>> seconds("12.5"), seconds("1970-01-01 00:01:00"), seconds("1970-01-01T01:00:00+01:00")
        (12.5, 60.0, 0.0)
    """
    try:
        return float(word)
    except ValueError:
        pass
    try:
        date = datetime.fromisoformat(word)
    except ValueError:
        return float("nan")
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
