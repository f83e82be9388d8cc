"""The state of tracks, a row for each, and the step of a scan that all methods share: gate and update."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from .._rows import NO_READING
from ._links import Links
from ._targets import Rows, Targets
from .cardinality import Cardinality
from .detector import Detector
from .gate import Gate, Pairs
from .initiation import Initiation
from .management import Evidence, Management
from .merging import Merging
from .tracks import COASTING as COASTING
from .tracks import CONFIRMED as CONFIRMED
from .tracks import TENTATIVE as TENTATIVE
from .tracks import Tracks

SURE = 1.0 - 1e-12
"""Existence at most: what is 1 to rounding would stay so for ever."""
NEVER = 1e-300
"""Existence at least, after however long: so does what is 0 to rounding."""


REALS = ("existence", "born", "seen", "score", "best", "looked")
WHOLES = ("ids", "status", "source", "scans", "hits")
COLUMNS = {name: ("reals", k) for k, name in enumerate(REALS)} | {name: ("wholes", k) for k, name in enumerate(WHOLES)}


def column(name: str) -> Any:
    """The attribute of a state that is a line of one of its tables."""
    table, k = COLUMNS[name]
    return property(lambda state: vars(state)[table][k])


@dataclass(frozen=True)
class State:
    """The state of tracks; no array of it ever changes.

    What there is of each track lies in two tables, a line for each attribute: so a few tracks are taken, and others put
    behind them, at once.

    Attributes:
        t: time [s].
        rows: beliefs.
        reals, wholes: the tables, ``(6, N)`` and ``(5, N)``; see `REALS` and `WHOLES`.
        ids, status, existence, born, seen, source: as those of `Tracks`.
        score, best, hits, scans: as those of `Evidence`, the bits of hits as whole numbers.
        looked: time of the last scan that could see the track [s].
        merged: of tracks that ended in the last scan, the track of the same target that goes on; by number.
        memory: of the `Initiation`.
        doubts: the evidence against pairs of confirmed tracks that say the same; see `Merging`.
    """

    t: float
    rows: Rows
    reals: Array
    wholes: Any
    merged: Any = None
    memory: Any = None
    doubts: Any = field(default_factory=dict[tuple[int, int], float])

    ids, status, source, scans, hits = (column(name) for name in WHOLES)
    existence, born, seen, score, best, looked = (column(name) for name in REALS)

    def __getitem__(self, which: Any) -> State:
        """The tracks in these places, or of this mask."""
        which = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return self.changed(
            rows=self.rows[which], reals=self.reals.take(which, axis=1), wholes=self.wholes.take(which, axis=1)
        )

    def changed(self, **fields: Any) -> State:
        """The tracks with these fields in place of their own; `replace` takes five times as long."""
        new = object.__new__(State)
        held = vars(new)
        held.update(vars(self), **{name: value for name, value in fields.items() if name not in COLUMNS})
        for name in fields.keys() & COLUMNS.keys():
            table, k = COLUMNS[name]
            if held[table] is vars(self)[table]:
                held[table] = held[table].copy()
            held[table][k] = fields[name]
        return new

    def joined(self, other: State) -> State:
        """These tracks, and the others behind them."""
        return self.changed(
            rows=self.rows.joined(other.rows),
            reals=np.concatenate((self.reals, other.reals), axis=1),
            wholes=np.concatenate((self.wholes, other.wholes), axis=1),
        )

    @property
    def evidence(self) -> Evidence:
        """The evidence for the tracks, for a `Management`."""
        bits, unseen = self.hits.view(np.uint64), self.t - self.looked
        return Evidence(bits, self.scans, self.existence, self.score, self.best, self.status != TENTATIVE, unseen)

    def tracks(self, targets: Targets, cardinality: Cardinality | None = None) -> Tracks:
        """The tracks as users see them, with the distribution of their number where it is not that of existence."""
        return Tracks(
            targets, self.rows, self.t, self.ids, self.status, self.existence, self.born, self.seen, self.source,
            cardinality=cardinality, links=Links(self.merged) if self.merged else None,
        )  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """A scan that was checked: its time, detector, detections ``(K, k)``, their places in what was given, context."""

    t: float
    detector: Detector
    z: Array
    places: Any
    context: Any
    ids: dict[int, int]
    """Numbers of the tracks that began at its detections, by place: the same again when it is processed again."""
    begins: Any = None
    """Whether tracks may begin at each detection; None for all."""
    features: Any = None
    """Features of what was given, each of length one; 0 for none."""


class Method(Protocol):
    """A method of tracking, as `Tracker` holds it: states that never change, and the steps between them."""

    @property
    def targets(self) -> Targets: ...

    def none(self, t: float) -> Any:
        """The state before the first scan."""
        ...

    def predict(self, state: Any, t: float) -> Any:
        """The state at a later time."""
        ...

    def step(self, state: Any, scan: Scan, fresh: Any) -> Any:
        """The state after a scan; `fresh` gives numbers to new tracks."""
        ...

    def tracks(self, state: Any) -> Tracks:
        """The tracks as users see them."""
        ...


@dataclass(frozen=True)
class Parts:
    """The parts of a tracker with which all methods work; see `Tracker`."""

    targets: Targets
    gate: Gate
    management: Management | None
    initiation: Initiation
    merging: Merging | None

    @property
    def ellipsoid(self) -> Gate | None:
        """Around a track, in which another one says the same; None where tracks are not merged."""
        return None if self.merging is None else self.merging.gate


class Hypotheses(ABC):
    """Base of the settings of methods that keep several hypotheses about which detections come from which track."""

    @abstractmethod
    def method(self, parts: Parts) -> Method:
        """The method, with these parts."""


def nothing(targets: Targets, t: float) -> State:
    """No tracks."""
    return State(t, targets.none(), np.zeros((len(REALS), 0)), np.zeros((len(WHOLES), 0), np.int64))


def moved(targets: Targets, state: State, t: float, lifetime: float) -> State:
    """The tracks at a later time, with targets of that mean life."""
    dt = t - state.t
    if dt == 0.0 or not len(state.ids):
        return state.changed(t=t)
    rows = state.rows.copy()
    targets.predict(rows, dt)
    if math.isinf(lifetime):
        return state.changed(t=t, rows=rows)
    return state.changed(t=t, rows=rows, existence=np.maximum(state.existence * math.exp(-dt / lifetime), NEVER))


def newborn(rows: Rows, places: Any, ids: Any, t: float, existence: Any, points: int = 1) -> State:
    """Tracks that begin at the detections in these places, and are made of so many."""
    reals, wholes = np.zeros((len(REALS), len(rows))), np.empty((len(WHOLES), len(rows)), np.int64)
    state = State(t, rows, reals, wholes)
    state.existence[:] = existence
    state.born[:] = state.seen[:] = state.looked[:] = t
    state.ids[:], state.status[:], state.source[:] = ids, TENTATIVE, places
    state.scans[:], state.hits[:] = points, (1 << points) - 1
    return state


@dataclass(frozen=True)
class GatedPairs:
    """Tracks and the detections in their gates.

    Attributes:
        pairs: of a track and a detection.
        each: the belief of the track of each pair, updated with its detection.
        w: ``log(P_D N(z (-) h(x); 0, S) / lambda)`` of each pair.
        seen: P_D of each track, 0 where it cannot be seen.
        P: P_D P_G.
    """

    pairs: Pairs
    each: Rows
    w: Array
    seen: Array
    P: Array

    def only(self, good: Any) -> GatedPairs:
        """The pairs of this mask."""
        if good.all():
            return self
        keep = np.flatnonzero(good)
        return replace(self, pairs=self.pairs.only(keep), each=self.each[keep], w=self.w[keep])


def gated(targets: Targets, gate: Gate, rows: Rows, scan: Scan) -> GatedPairs:
    """The pairs of tracks and detections in their gates, with the beliefs and likelihoods of each."""
    detector, sensor = scan.detector, scan.detector.sensor
    if not len(rows):
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        return GatedPairs(Pairs(whole, whole, real, 0, len(scan.z)), rows, real, real, real)
    expected, S, known = targets.expect(rows, sensor, scan.context)
    seen = detector.seen(targets.means(rows), scan.context) * known
    pairs = gate.pairs(targets.mounted(sensor)[0].reading, expected, S, scan.z)
    each = rows[pairs.rows]
    logs, status = targets.update(each, sensor, scan.z[pairs.columns], scan.context)
    w, good = np.empty(len(logs)), np.empty(len(logs), np.bool_)
    weigh_pairs.compiled(pairs.rows, pairs.columns, logs, status, seen, detector.density(scan.z), w, good)
    return GatedPairs(pairs, each, w, seen, seen * gate.probability).only(good)


@driver("void(i8[::1], i8[::1], f8[:], i8[:], f8[:], f8[:], f8[::1], b1[::1])")
def weigh_pairs(rows, columns, logs, status, seen, density, w, good):
    """`w` of pairs, as `GatedPairs` says, and whether it is finite and the update went well."""
    for p in range(rows.shape[0]):
        visible, clutter = seen[rows[p]], density[columns[p]]
        good[p] = status[p] < NO_READING and visible > 0.0 and math.isfinite(logs[p])
        if good[p]:
            w[p] = logs[p] + math.log(visible) - math.log(clutter)


def children(state: State, found: GatedPairs, scan: Scan, new: State) -> State:
    """The tracks after a scan: all as they were missed, then those of each pair, then those that begin."""
    visible, bits = found.seen > 0.0, state.hits << 1
    fell = np.where(visible, np.log1p(-found.P), 0.0)
    missed = state.changed(
        existence=existing(state.existence, fell),
        score=state.score + fell,
        hits=np.where(visible, bits, state.hits),
        scans=state.scans + visible,
        looked=np.where(visible, scan.t, state.looked),
        source=-1,
    )
    rows = found.pairs.rows
    score = state.score[rows] + found.w
    detected = state[rows].changed(
        rows=found.each,
        existence=existing(state.existence[rows], found.w),
        score=score,
        best=np.maximum(state.best[rows], score),
        hits=bits[rows] | 1,
        scans=state.scans[rows] + 1,
        looked=scan.t,
        seen=scan.t,
        source=scan.places[found.pairs.columns],
    )
    return missed.joined(detected).joined(new)


def existing(r: Array, ratio: Array) -> Array:
    """Existence after evidence of this log-likelihood ratio."""
    with np.errstate(over="ignore", divide="ignore"):
        return np.clip(1.0 / (1.0 + (1.0 - r) / r * np.exp(-ratio)), NEVER, SURE)
