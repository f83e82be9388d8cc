"""Accuracy tables: who estimates how well, on problems whose answer is known, and the bars that ours has to hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figures:
    """A measured table.

    Attributes:
        columns: heads of the columns; the first names the line.
        lines: values of each line, text or numbers.
        bars: what was promised, each with whether it holds.
    """

    columns: Sequence[str]
    lines: Sequence[Sequence[object]]
    bars: Sequence[tuple[str, bool]] = field(default=())

    @property
    def reached(self) -> bool:
        """Whether every bar holds."""
        return all(held for _, held in self.bars)

    def markdown(self) -> str:
        """The table, and a line for each bar."""
        head = "| " + " | ".join(self.columns) + " |\n|" + "---|" * len(self.columns)
        body = ["| " + " | ".join(shown(value) for value in line) + " |" for line in self.lines]
        bars = [f"{'reached' if held else 'MISSED'}: {what}" for what, held in self.bars]
        return "\n".join([head, *body, *([""] if bars else []), *bars])

    def record(self, name: str) -> dict[str, object]:
        """The JSON object of this table."""
        lines = [dict(zip(self.columns, line, strict=True)) for line in self.lines]
        return {"name": name, "table": lines, "bars": [{"bar": what, "reached": held} for what, held in self.bars]}


@dataclass(frozen=True)
class Table:
    """A table by name: what makes it and what it needs."""

    name: str
    topic: str
    make: Callable[[bool], Figures]
    needs: tuple[str, ...]
    note: str


TABLES: dict[str, Table] = {}


def table(
    name: str, *, needs: Sequence[str] = (), note: str = ""
) -> Callable[[Callable[[bool], Figures]], Callable[[bool], Figures]]:
    """Register the decorated function, which takes `quick` and measures, as the table `name`.

    `needs` lists the packages to import for it. A data set that is absent is a `FileNotFoundError` of the function,
    and the table is skipped.
    """

    def register(make: Callable[[bool], Figures]) -> Callable[[bool], Figures]:
        assert name not in TABLES, f"two tables are named {name!r}"
        TABLES[name] = Table(name, make.__module__.rpartition(".")[2], make, tuple(needs), note)
        return make

    return register


def shown(value: object, digits: int = 3) -> str:
    """A value of a table as text: numbers with three digits, below a million without an exponent: 1710."""
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e6 else text
