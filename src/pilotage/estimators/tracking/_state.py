"""The state of tracks, a row for each, and the step of a scan that all methods share: gate and update."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from ...core.arrays import Array
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


@dataclass(frozen=True)
class State:
    """The state of tracks, a row for each; no array of it ever changes.

    Attributes:
        t: time [s].
        rows: beliefs.
        ids, status, existence, born, seen, source: as those of `Tracks`.
        score, best, hits, scans: as those of `Evidence`.
        looked: time of the last scan that could see the track [s].
        merged: of tracks that ended in the last scan, the track of the same target that goes on; by number.
        memory: of the `Initiation`.
        doubts: the evidence against pairs of confirmed tracks that say the same; see `Merging`.
    """

    t: float
    rows: Rows
    ids: Any
    status: Any
    existence: Array
    born: Array
    seen: Array
    source: Any
    score: Array
    best: Array
    hits: Any
    scans: Any
    looked: Array
    merged: Any = None
    memory: Any = None
    doubts: Any = field(default_factory=dict[tuple[int, int], float])

    def __getitem__(self, which: Any) -> State:
        """The tracks in these places."""
        now = vars(self)
        return self.changed(rows=self.rows[which], **{name: now[name][which] for name in ROWS})

    def changed(self, **fields: Any) -> State:
        """The tracks with these fields in place of their own; `replace` takes five times as long."""
        new = object.__new__(State)
        vars(new).update(vars(self), **fields)
        return new

    def joined(self, other: State) -> State:
        """These tracks, and the others behind them."""
        now, more = vars(self), vars(other)
        both = {name: np.concatenate((now[name], more[name])) for name in ROWS}
        return self.changed(rows=self.rows.joined(other.rows), **both)

    @property
    def evidence(self) -> Evidence:
        """The evidence for the tracks, for a `Management`."""
        confirmed = (self.status == CONFIRMED) | (self.status == COASTING)
        unseen = self.t - self.looked
        return Evidence(self.hits, self.scans, self.existence, self.score, self.best, confirmed, unseen)

    def tracks(self, targets: Targets, cardinality: Cardinality | None = None) -> Tracks:
        """The tracks as users see them, with the distribution of their number where it is not that of existence."""
        return Tracks(
            targets, self.rows, self.t, self.ids, self.status, self.existence, self.born, self.seen, self.source,
            cardinality=cardinality, links=Links(self.merged) if self.merged else None,
        )  # fmt: skip


ROWS = ("ids", "status", "existence", "born", "seen", "source", "score", "best", "hits", "scans", "looked")


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
    whole, real = np.zeros(0, np.int64), np.zeros(0)
    bits = np.zeros(0, np.uint64)
    return State(t, targets.none(), whole, whole, real, real, real, whole, real, real, bits, whole, real)


def moved(targets: Targets, state: State, t: float, lifetime: float) -> State:
    """The tracks at a later time, with targets of that mean life."""
    dt = t - state.t
    if dt == 0.0 or not len(state.ids):
        return state.changed(t=t)
    rows = state.rows.copy()
    targets.predict(rows, dt)
    return state.changed(t=t, rows=rows, existence=np.maximum(state.existence * math.exp(-dt / lifetime), NEVER))


def newborn(rows: Rows, places: Any, ids: Any, t: float, existence: Any, points: int = 1) -> State:
    """Tracks that begin at the detections in these places, and are made of so many."""
    count = len(rows)
    zero, time = np.zeros(count), np.full(count, t)
    return State(
        t, rows, ids, np.full(count, TENTATIVE), np.full(count, existence, np.float64), time, time, places, zero, zero,
        np.full(count, (1 << points) - 1, np.uint64), np.full(count, points), time,
    )  # fmt: skip


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
    with np.errstate(divide="ignore", invalid="ignore"):
        w = logs + np.log(seen)[pairs.rows] - np.log(detector.density(scan.z))[pairs.columns]
    found = GatedPairs(pairs, each, w, seen, seen * gate.probability)
    return found.only((status < NO_READING) & np.isfinite(w))


def children(state: State, found: GatedPairs, scan: Scan, new: State) -> State:
    """The tracks after a scan: all as they were missed, then those of each pair, then those that begin."""
    visible, bits = found.seen > 0.0, state.hits << np.uint64(1)
    fell = np.where(visible, np.log1p(-found.P), 0.0)
    missed = state.changed(
        existence=existing(state.existence, fell),
        score=state.score + fell,
        hits=np.where(visible, bits, state.hits),
        scans=state.scans + visible,
        looked=np.where(visible, scan.t, state.looked),
        source=np.full(len(fell), -1),
    )
    rows = found.pairs.rows
    score = state.score[rows] + found.w
    detected = state[rows].changed(
        rows=found.each,
        existence=existing(state.existence[rows], found.w),
        score=score,
        best=np.maximum(state.best[rows], score),
        hits=bits[rows] | np.uint64(1),
        scans=state.scans[rows] + 1,
        looked=np.full(len(rows), scan.t),
        seen=np.full(len(rows), scan.t),
        source=scan.places[found.pairs.columns],
    )
    return missed.joined(detected).joined(new)


def existing(r: Array, ratio: Array) -> Array:
    """Existence after evidence of this log-likelihood ratio."""
    with np.errstate(over="ignore", divide="ignore"):
        return np.clip(1.0 / (1.0 + (1.0 - r) / r * np.exp(-ratio)), NEVER, SURE)
