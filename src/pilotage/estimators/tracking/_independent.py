"""Tracks that are each one belief: a scan predicts, gates, associates, updates and manages them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.arrays import Array
from ._doubles import Counts, doubled, doubles_of
from ._state import (
    COASTING,
    CONFIRMED,
    SURE,
    TENTATIVE,
    Scan,
    State,
    existing,
    moved,
    newborn,
    nothing,
    sighted,
)
from ._targets import Rows, Targets
from .association import Association, Shares
from .gate import Gate, Pairs
from .initiation import Initiation
from .management import Management
from .merging import Merging
from .tracks import Tracks


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
    merging: Merging | None

    def none(self, t: float) -> State:
        return nothing(self.targets, t)

    def predict(self, state: State, t: float) -> State:
        return moved(self.targets, state, t, self.management.lifetime)

    def step(self, state: State, scan: Scan, fresh: Any) -> State:
        state = self.predict(state, scan.t)
        taken = np.zeros(len(scan.z))
        if len(state.ids):
            state, taken, counts = self._associated(state, scan)
            state = self._managed(state, counts)
        else:
            state = replace(state, gone=state.ids, merged=None)
        free = np.flatnonzero(taken < self.threshold)
        if len(free) or state.memory:
            state = self._begun(state, scan, free, fresh)
        return state

    def _associated(self, state: State, scan: Scan) -> tuple[State, Array, Counts]:
        """The tracks after their updates, the probability that each detection comes from one of them, and how many
        detections two of them explain together."""
        N = len(state.ids)
        found = sighted(self.targets, self.gate, state.rows, scan)
        P, r = found.P, state.existence if self.association.existing else np.ones(N)
        with np.errstate(divide="ignore", invalid="ignore"):
            real = np.log(r) - np.log1p(-r * P)
        found = found.only(np.isfinite(found.w + real[found.pairs.rows]))
        pairs, w = found.pairs, found.w
        odds = w + real[pairs.rows]
        shares = self.association.share(pairs, odds) if len(odds) else Shares(np.zeros(0), np.ones(N))
        beta, missed = shares.beta, shares.missed
        rows = self._updated(state.rows, found.each, pairs, beta, missed)
        source = self._sources(pairs, beta, len(scan.z))
        detected = source >= 0
        taken = np.asarray(np.bincount(pairs.columns, beta, len(scan.z)), np.float64)
        ratio = self._ratio(pairs, shares, w, P)
        existence = self._existing(state.existence, shares, ratio, P)
        visible = found.seen > 0.0
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
        return new, taken, lambda i, j: (explained(pairs, beta, i, j), min(P[i], P[j]))

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
            return np.clip(after, 0.0, SURE)
        return existing(r, ratio)

    def _managed(self, state: State, counts: Counts) -> State:
        """The tracks that go on, with their status."""
        doubles, ids = doubles_of(self.targets, self.merging, state, counts), state.ids
        if doubles.into:
            state = inherited(state, doubles.into)
        evidence = state.evidence
        ends = self.management.delete(evidence)
        if doubles.into:
            ends[list(doubles.into)] = True
        confirmed = evidence.confirmed | self.management.confirm(evidence)
        now = (state.hits & np.uint64(1)) > 0
        status = np.where(confirmed, np.where(now, CONFIRMED, COASTING), TENTATIVE)
        state = replace(state, status=status, gone=ids[ends], merged=doubles.numbers(ids), doubts=doubles.doubts)
        if not ends.any():
            return state
        return state[np.flatnonzero(~ends)]

    def _begun(self, state: State, scan: Scan, free: Any, fresh: Any) -> State:
        """The state with the tracks that begin at these detections."""
        rows, which, memory = self.initiation.step(
            state.memory, self.targets, scan.t, scan.detector.sensor, scan.z[free], scan.context
        )
        state = state if memory is state.memory else replace(state, memory=memory)
        if not len(which):
            return state
        if (double := doubled(self.targets, self.twins, rows, np.zeros(len(which)))).any():
            rows, which = rows[~double], which[~double]
        places = scan.places[free[which]]
        new = newborn(
            rows, places, numbered(scan, places, fresh), scan.t, self.management.start, self.initiation.points
        )
        status = np.where(self.management.confirm(new.evidence), CONFIRMED, TENTATIVE)
        return state.joined(replace(new, status=status))

    def tracks(self, state: State) -> Tracks:
        return state.shown(self.targets)


def explained(pairs: Pairs, beta: Array, i: int, j: int) -> float:
    """How many detections two tracks explain together: ``sum_k min(1, beta_ik + beta_jk)``."""
    both = (pairs.rows == i) | (pairs.rows == j)
    return float(np.minimum(np.bincount(pairs.columns[both], beta[both]), 1.0).sum())


def inherited(state: State, into: dict[int, int]) -> State:
    """The tracks, of which those that go on have the beliefs of those that end, if these were detected later."""
    place = np.arange(len(state.ids))
    for j, i in into.items():
        if state.status[j] != TENTATIVE and state.seen[j] > state.seen[place[i]]:
            place[i] = j
    if (place == np.arange(len(place))).all():
        return state
    return replace(state[place], **{name: getattr(state, name) for name in ("ids", "born", "status")})


def numbered(scan: Scan, places: Any, fresh: Any) -> Any:
    """Numbers of the tracks that begin at the detections in these places."""
    for j in places.tolist():
        if j not in scan.ids:
            scan.ids[j] = fresh()
    return np.array([scan.ids[j] for j in places.tolist()], np.int64)
