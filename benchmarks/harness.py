"""The measurement of a row: both sides in turn, in one process, one thread each, the median of all rounds."""

from __future__ import annotations

import gc
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.accuracy import Table

SCALES = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
# A batch long enough for the clock, short enough that both sides meet the same weather.
BATCH_SECONDS = 0.02
ROUNDS, ROUNDS_QUICK = 15, 5
# A side that needs longer than this for all its rounds gets fewer of them, but never fewer than three.
SIDE_SECONDS = 20.0


@dataclass(frozen=True)
class Contest:
    """Two callables that do the same work.

    Attributes:
        ours: does the work once with Pilotage.
        peer: does it once with the peer; None for an absolute row, whose bar is a limit on `ours`.
        check: run once before the clock starts; raises when the two disagree, may return a remark for the note.
        work: pieces of work in one call (steps of a sequence): the figures are per piece.
        timed: True when the harness holds the clock; False when the callables return seconds of their own.
    """

    ours: Callable[[], object]
    peer: Callable[[], object] | None = None
    check: Callable[[], str | None] | None = None
    work: float = 1.0
    timed: bool = True


@dataclass(frozen=True)
class Row:
    """A contest by name: who the peer is and which ratio is to be reached."""

    name: str
    topic: str
    setup: Callable[[bool], Contest]
    peer: str
    bar: float
    unit: str
    needs: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Result:
    """A measured row: times in the row's unit, of the round whose ratio is the median; `spread` is its quartiles."""

    row: Row
    ours: float
    peer: float
    ratio: float
    spread: tuple[float, float]
    note: str

    @property
    def reached(self) -> bool:
        """Whether the ratio reaches the row's bar."""
        return self.ratio >= self.row.bar

    def record(self) -> dict[str, object]:
        """The JSON object of this row."""
        return {
            "name": self.row.name,
            "ours": self.ours,
            "peer": self.peer,
            "peer_name": self.row.peer,
            "unit": self.row.unit,
            "ratio": self.ratio,
            "note": self.note,
            "bar": self.row.bar,
            "reached": self.reached,
            "spread": list(self.spread),
        }


REGISTRY: dict[str, Row] = {}


def row(
    name: str, *, peer: str, bar: float, unit: str = "us", needs: Sequence[str] = (), note: str = ""
) -> Callable[[Callable[[bool], Contest]], Callable[[bool], Contest]]:
    """Register the decorated setup as the row `name`: `ours` has to be `bar` times as fast as `peer`.

    `needs` lists the packages to import for it; the row is skipped, with the pip command, where one is missing.
    """
    assert unit in SCALES, f"unit {unit!r} of row {name!r} is none of {', '.join(SCALES)}"

    def register(setup: Callable[[bool], Contest]) -> Callable[[bool], Contest]:
        assert name not in REGISTRY, f"two rows are named {name!r}"
        topic = setup.__module__.rpartition(".")[2]
        REGISTRY[name] = Row(name, topic, setup, peer, bar, unit, tuple(needs), note)
        return setup

    return register


def absolute(
    name: str, *, limit: float, unit: str = "s", needs: Sequence[str] = (), note: str = ""
) -> Callable[[Callable[[bool], Contest]], Callable[[bool], Contest]]:
    """Register a row without a peer: `ours` has to stay under `limit`, which stands in the peer's column."""
    register = row(name, peer=f"limit {limit:g} {unit}", bar=1.0, unit=unit, needs=needs, note=note)

    def bounded(setup: Callable[[bool], Contest]) -> Callable[[bool], Contest]:
        def contest(quick: bool) -> Contest:
            made = setup(quick)
            return Contest(made.ours, lambda: limit / SCALES[unit] * made.work, made.check, made.work, made.timed)

        contest.__module__ = setup.__module__
        LIMITS.add(name)
        register(contest)
        return setup

    return bounded


LIMITS: set[str] = set()


def missing(entry: Row | Table) -> list[str]:
    """The packages a row or a table needs that are not installed."""
    return [package for package in entry.needs if importlib.util.find_spec(package) is None]


def measure(entry: Row, quick: bool = False) -> Result:
    """Set a row up, check that both sides agree, and time them in turn."""
    contest = entry.setup(quick)
    _one_thread()
    remark = contest.check() if contest.check else None
    assert contest.peer is not None, f"row {entry.name!r} has no peer; register it with `absolute`"
    ours = _clock(contest.ours, contest.timed)
    peer = _clock(contest.peer, contest.timed and entry.name not in LIMITS)
    rounds = ROUNDS_QUICK if quick else ROUNDS
    pairs: list[tuple[float, float]] = []
    begun = time.perf_counter()
    while len(pairs) < rounds and (len(pairs) < 3 or time.perf_counter() - begun < SIDE_SECONDS * 2):
        pairs.append((peer(), ours()))
    # The round with the median ratio: a machine that slows down for a while slows down both sides of a round.
    theirs, mine = sorted(pairs, key=lambda pair: pair[0] / pair[1])[len(pairs) // 2]
    quarters = statistics.quantiles([pair[0] / pair[1] for pair in pairs], n=4, method="inclusive")
    scale = SCALES[entry.unit] / contest.work
    note = "; ".join(part for part in (entry.note, remark) if part)
    return Result(entry, mine * scale, theirs * scale, theirs / mine, (quarters[0], quarters[2]), note)


def _clock(function: Callable[[], object], timed: bool) -> Callable[[], float]:
    """A callable that gives the seconds of one call, measured over a batch; warmed up (and compiled) here."""
    if not timed:
        return lambda: float(function())  # pyright: ignore[reportArgumentType]
    function()
    once = _batch(function, 1)
    number = max(1, round(BATCH_SECONDS / max(once, 1e-7)))
    if number > 1:
        number = max(1, round(BATCH_SECONDS / max(_batch(function, number) / number, 1e-8)))
    return lambda: _batch(function, number) / number


def _batch(function: Callable[[], object], number: int) -> float:
    repeat = range(number)
    collecting = gc.isenabled()
    gc.disable()
    begun = time.perf_counter()
    for _ in repeat:
        function()
    spent = time.perf_counter() - begun
    if collecting:
        gc.enable()
    return spent


def _one_thread() -> None:
    """Hold every thread pool that the setup has loaded to one thread (the environment says so too)."""
    if "numba" in sys.modules:
        sys.modules["numba"].set_num_threads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if importlib.util.find_spec("threadpoolctl"):
        import threadpoolctl

        threadpoolctl.threadpool_limits(1)
