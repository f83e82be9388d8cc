"""Tracks that are each one belief: a scan predicts, gates, associates, updates and manages them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from .._rows import NO_READING
from ._targets import Rows, Targets
from .association import Association, Shares
from .detector import Detector
from .gate import Gate, Pairs
from .initiation import Initiation
from .management import Evidence, Management
from .tracks import Tracks, TrackStatus

SURE = 1.0 - 1e-12
"""Existence at most: what is 1 to rounding would stay so for ever."""
TENTATIVE, CONFIRMED, COASTING = (int(TrackStatus[name]) for name in ("TENTATIVE", "CONFIRMED", "COASTING"))


@dataclass(frozen=True)
class State:
    """What a tracker knows, a row for each track; no array of it ever changes.

    Attributes:
        t: time [s].
        rows: beliefs.
        ids, status, existence, born, seen, source, gone: as those of `Tracks`.
        score, best, hits, scans: as those of `Evidence`.
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
    gone: Any


ROWS = ("ids", "status", "existence", "born", "seen", "source", "score", "best", "hits", "scans")


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


@dataclass(frozen=True)
class Independent:
    """The step of tracks that are each one belief; see `Tracker` for the settings."""

    targets: Targets
    association: Association
    gate: Gate
    management: Management
    initiation: Initiation
    threshold: float
    twins: Gate | None

    def none(self, t: float) -> State:
        """No tracks."""
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        bits = np.zeros(0, np.uint64)
        return State(t, self.targets.none(), whole, whole, real, real, real, whole, real, real, bits, whole, whole)

    def predict(self, state: State, t: float) -> State:
        """The state at a later time."""
        dt = t - state.t
        if dt == 0.0 or not len(state.ids):
            return replace(state, t=t)
        rows = state.rows.copy()
        self.targets.predict(rows, dt)
        survival = float(np.exp(-dt / self.management.lifetime))
        return replace(state, t=t, rows=rows, existence=state.existence * survival)

    def step(self, state: State, scan: Scan, fresh: Any) -> State:
        """The state after a scan; `fresh` gives numbers to new tracks."""
        state = self.predict(state, scan.t)
        detector, sensor = scan.detector, scan.detector.sensor
        taken = np.zeros(len(scan.z))
        if len(state.ids):
            state, taken = self._associated(state, scan, detector, sensor)
        state = self._managed(state)
        free = np.flatnonzero(taken < self.threshold)
        if len(free):
            state = self._begun(state, scan, free, fresh)
        return state

    def _associated(self, state: State, scan: Scan, detector: Detector, sensor: Any) -> tuple[State, Array]:
        """The tracks after their updates, and the probability that each detection comes from one of them."""
        targets, N = self.targets, len(state.ids)
        mounted = targets.mounted(sensor)
        expected, S, known = targets.expect(state.rows, sensor, scan.context)
        states = targets.means(state.rows)
        seen = detector.seen(states, scan.context) * known
        pairs = self.gate.pairs(mounted[0].reading, expected, S, scan.z)
        each = state.rows[pairs.rows]
        logs, status = targets.update(each, sensor, scan.z[pairs.columns], scan.context)
        P, r = seen * self.gate.probability, state.existence if self.association.existing else np.ones(N)
        with np.errstate(divide="ignore", invalid="ignore"):
            w = logs + np.log(seen)[pairs.rows] - np.log(detector.density(scan.z))[pairs.columns]
            odds = w + (np.log(r) - np.log1p(-r * P))[pairs.rows]
        good = (status < NO_READING) & (odds > -np.inf) & (odds < np.inf)
        if not good.all():
            keep = np.flatnonzero(good)
            pairs, each, odds, w = pairs.only(keep), each[keep], odds[keep], w[keep]
        shares = self.association.share(pairs, odds) if len(odds) else Shares(np.zeros(0), np.ones(N))
        beta, missed = shares.beta, shares.missed
        rows = self._updated(state.rows, each, pairs, beta, missed)
        source = self._sources(pairs, beta, len(scan.z))
        detected = source >= 0
        taken = np.asarray(np.bincount(pairs.columns, beta, len(scan.z)), np.float64)
        ratio = self._ratio(pairs, shares, w, P)
        existence = self._existing(state.existence, shares, ratio, P)
        visible = seen > 0.0
        hits = np.where(visible, (state.hits << np.uint64(1)) | detected.astype(np.uint64), state.hits)
        score = state.score + np.where(visible, ratio, 0.0)
        new = replace(
            state,
            rows=rows,
            existence=existence,
            score=score,
            best=np.maximum(state.best, score),
            hits=hits,
            scans=state.scans + visible,
            seen=np.where(detected, scan.t, state.seen),
            source=np.where(detected, np.append(scan.places, -1)[source], -1),
        )
        return new, taken

    def _updated(self, prior: Rows, each: Rows, pairs: Pairs, beta: Array, missed: Array) -> Rows:
        """The moments of each track: of its prediction and its updates with their shares."""
        some = beta > 0.0
        if ((beta == 0.0) | (beta == 1.0)).all():  # each has a single one
            rows = prior.copy()
            rows[pairs.rows[some]] = each[np.flatnonzero(some)]
            return rows
        taken = np.flatnonzero(some)
        owners = np.concatenate([np.arange(len(prior)), pairs.rows[taken]])
        order = np.argsort(owners, kind="stable")
        shares = np.concatenate([missed, beta[taken]])[order]
        starts = np.searchsorted(owners[order], np.arange(len(prior) + 1)).astype(np.int64)
        shares /= np.add.reduceat(shares, starts[:-1])[owners[order]]
        return self.targets.merge(prior.joined(each[taken])[order], starts, shares)

    def _sources(self, pairs: Pairs, beta: Array, detections: int) -> Any:
        """The detection that each track was detected by, -1 for none: the one of its largest share, if no other track
        has more of it. So of two tracks on one target one is missed."""
        source = np.full(pairs.tracks, -1, np.int64)
        strongest = np.lexsort((-pairs.rows, beta))  # the last one written stays: the largest share, the oldest track
        winner = np.full(detections, -1, np.int64)
        winner[pairs.columns[strongest]] = pairs.rows[strongest]
        source[pairs.rows[strongest]] = pairs.columns[strongest]
        mine = winner[source] == np.arange(pairs.tracks) if detections else np.zeros(pairs.tracks, bool)
        lead = np.zeros(pairs.tracks)
        lead[pairs.rows[strongest]] = beta[strongest]
        return np.where((lead > 0.5) & mine, source, -1)

    def _ratio(self, pairs: Pairs, shares: Shares, w: Array, P: Array) -> Array:
        """Log-likelihood ratio of the scan for each track: of a target there against none."""
        hard = ((shares.beta == 0.0) | (shares.beta == 1.0)).all()
        with np.errstate(divide="ignore"):
            none = np.log1p(-P)
            if not hard:
                return none - np.log(np.maximum(shares.missed, 1e-300))
            found = none.copy()
            taken = shares.beta == 1.0
            found[pairs.rows[taken]] = w[taken]
        return found

    def _existing(self, r: Array, shares: Shares, ratio: Array, P: Array) -> Array:
        """Existence after the scan."""
        if self.association.existing:
            after = shares.missed * r * (1.0 - P) / (1.0 - r * P) + 1.0 - shares.missed
        else:
            with np.errstate(over="ignore", divide="ignore"):
                after = 1.0 / (1.0 + (1.0 - r) / r * np.exp(-ratio))
        return np.clip(after, 0.0, SURE)

    def _managed(self, state: State) -> State:
        """The tracks that go on, with their status."""
        if not len(state.ids):
            return replace(state, gone=state.ids)
        evidence = self._evidence(state)
        ends = self.management.delete(evidence) | self._doubles(state.rows, state.status == TENTATIVE)
        confirmed = evidence.confirmed | self.management.confirm(evidence)
        now = (state.hits & np.uint64(1)) > 0
        status = np.where(confirmed, np.where(now, CONFIRMED, COASTING), TENTATIVE)
        state = replace(state, status=status, gone=state.ids[ends])
        if not ends.any():
            return state
        keep = np.flatnonzero(~ends)
        return replace(state, rows=state.rows[keep], **{name: getattr(state, name)[keep] for name in ROWS})

    def _doubles(self, rows: Rows, worse: Any) -> Any:
        """Which tracks are where a better one is: within the ellipsoid of that probability around it.

        `worse` tells those that give way first; among equals it is the later one.
        """
        doubles = np.zeros(len(rows), bool)
        if self.twins is None or len(doubles) < 2:
            return doubles
        space, mean, cov = self.targets.moments(rows)
        pairs = self.twins.pairs(space, mean, cov, mean)
        rank = np.argsort(worse, kind="stable").argsort()
        give_way.compiled(np.argsort(rank), rank, pairs.starts, pairs.columns, doubles)
        return doubles

    def _evidence(self, state: State) -> Evidence:
        confirmed = (state.status == CONFIRMED) | (state.status == COASTING)
        return Evidence(state.hits, state.scans, state.existence, state.score, state.best, confirmed)

    def _begun(self, state: State, scan: Scan, free: Any, fresh: Any) -> State:
        """The state with the tracks that begin at these detections."""
        rows, which = self.initiation.begin(self.targets, scan.detector.sensor, scan.z[free], scan.context)
        if not len(which):
            return state
        if (double := self._doubles(rows, np.zeros(len(which)))).any():
            rows, which = rows[~double], which[~double]
        count = len(which)
        places = scan.places[free[which]]
        for j in places.tolist():
            if j not in scan.ids:
                scan.ids[j] = fresh()
        zero = np.zeros(count)
        new = {
            "ids": np.array([scan.ids[j] for j in places.tolist()], np.int64),
            "status": np.full(count, TENTATIVE),
            "existence": np.full(count, self.management.start),
            "born": np.full(count, scan.t),
            "seen": np.full(count, scan.t),
            "source": places,
            "score": zero,
            "best": zero,
            "hits": np.ones(count, np.uint64),
            "scans": np.ones(count, np.int64),
        }
        evidence = Evidence(new["hits"], new["scans"], new["existence"], zero, zero, np.zeros(count, bool))
        new["status"] = np.where(self.management.confirm(evidence), CONFIRMED, TENTATIVE)
        both = {name: np.concatenate((getattr(state, name), new[name])) for name in ROWS}
        return replace(state, rows=state.rows.joined(rows), **both)

    def tracks(self, state: State) -> Tracks:
        """What users see."""
        return Tracks(
            self.targets, state.rows, state.t, state.ids, state.status, state.existence, state.born, state.seen,
            state.source, state.gone,
        )  # fmt: skip


@driver("void(i8[::1], i8[::1], i8[::1], i8[::1], b1[::1])")
def give_way(order, rank, starts, columns, doubles):
    """Tracks in order of their rank: each that stays lets those of its pairs that come later give way."""
    for i in order:
        if not doubles[i]:
            for p in range(starts[i], starts[i + 1]):
                if rank[columns[p]] > rank[i]:
                    doubles[columns[p]] = True
