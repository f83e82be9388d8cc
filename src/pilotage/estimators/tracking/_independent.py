"""Tracks that are each one belief: a scan predicts, gates, associates, updates and manages them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...core.arrays import Array
from ._doubles import claims_of, doubles_of
from ._evidence import odds_of, weighed_evidence
from ._state import COASTING, CONFIRMED, TENTATIVE, Parts, Scan, State, gated, moved, newborn, nothing
from ._targets import Rows, Targets
from .association import Association, Shares
from .gate import Pairs
from .management import Management
from .tracks import Tracks


@dataclass(frozen=True)
class Independent:
    """The step of tracks that are each one belief; see `Tracker` for the settings."""

    parts: Parts
    association: Association
    management: Management
    threshold: float

    @property
    def targets(self) -> Targets:
        return self.parts.targets

    def none(self, t: float) -> State:
        return nothing(self.targets, t)

    def predict(self, state: State, t: float) -> State:
        return moved(self.targets, state, t, self.management.lifetime)

    def step(self, state: State, scan: Scan, fresh: Any) -> State:
        state, taken, claims = self._associated(self.predict(state, scan.t), scan)
        free = np.flatnonzero((taken < self.threshold) & (True if scan.begins is None else scan.begins))
        begun = self._begun(state, scan, free) if len(free) or state.memory else state
        return self._managed(begun, len(state.ids), claims, scan.ids, fresh)

    def _associated(self, state: State, scan: Scan) -> tuple[State, Array, Any]:
        """The tracks after their updates, how surely each detection comes from one of them, and claims on each."""
        if not len(state.ids):
            return state, np.zeros(len(scan.z)), None
        found = gated(self.targets, self.parts.gate, state.rows, scan)
        r = self._weight(state)
        odds, good = odds_of(found, r)
        if not good.all():
            found, odds = found.only(good), odds[good]
        pairs = found.pairs
        shares = self.association.share(pairs, odds) if len(odds) else Shares(np.zeros(0), np.ones(pairs.tracks))
        after, taken, given = weighed_evidence(state, found, shares, r, scan, self.management.start)
        after = after.changed(rows=self._updated(state.rows, found.each, pairs, given.beta, given.missed))
        return after, taken, partial(claims_of, found)

    def _weight(self, state: State) -> Array:
        """The existence with which tracks take part in the association."""
        doubtful = self.association.doubtful
        if doubtful == "all":
            return state.existence
        tentative = state.status == TENTATIVE
        return np.where(tentative, state.existence, 1.0) if doubtful == "tentative" else np.ones(len(tentative))

    def _updated(self, prior: Rows, each: Rows, pairs: Pairs, beta: Array, missed: Array) -> Rows:
        """The moments of each track: of its prediction and its updates with their shares."""
        taken = np.flatnonzero(beta > 0.0)
        if (beta[taken] == 1.0).all():  # each has a single one
            rows = prior.copy()
            rows[pairs.rows[taken]] = each[taken]
            return rows
        owners = np.concatenate([np.arange(len(prior)), pairs.rows[taken]])
        order = np.argsort(owners, kind="stable")
        shares = np.concatenate([missed, beta[taken]])[order]
        starts = np.searchsorted(owners[order], np.arange(len(prior) + 1)).astype(np.int64)
        shares /= np.add.reduceat(shares, starts[:-1])[owners[order]]
        return self.targets.merge(prior.joined(each[taken])[order], starts, shares)

    def _begun(self, state: State, scan: Scan, free: Any) -> State:
        """The state with tracks that may begin at these detections behind the others; they have no numbers yet."""
        rows, which, memory = self.parts.initiation.step(
            state.memory, self.targets, scan.t, scan.detector.sensor, scan.z[free], scan.context
        )
        state = state if memory is state.memory else state.changed(memory=memory)
        if not len(which):
            return state
        places = scan.places[free[which]]
        return state.joined(newborn(rows, places, 0, scan.t, self.management.start, self.parts.initiation.points))

    def _managed(self, state: State, old: int, claims: Any, known: dict[int, int], fresh: Any) -> State:
        """The tracks that go on, and those that begin behind the `old` ones, with their status and numbers."""
        doubles, ids = doubles_of(self.targets, self.parts.merging, state, claims, old), state.ids
        if doubles.into:
            state = inherited(state, doubles.into)
        evidence = state.evidence
        ends = self.management.delete(evidence)
        ends[old:] = False
        ends[list(doubles.into)] = True
        confirmed = evidence.confirmed | self.management.confirm(evidence)
        status = np.where(confirmed, np.where(state.hits & 1, CONFIRMED, COASTING), TENTATIVE)
        state = state.changed(status=status, merged=doubles.numbers(ids), doubts=doubles.doubts)
        state = state[~ends] if ends.any() else state
        return state.changed(ids=numbered(state, known, fresh)) if old < len(ids) else state

    def tracks(self, state: State) -> Tracks:
        return state.tracks(self.targets)


def inherited(state: State, into: dict[int, int]) -> State:
    """The tracks, of which those that go on have the beliefs of those that end, if these were detected later."""
    place = np.arange(len(state.ids))
    for j, i in into.items():
        if state.status[j] != TENTATIVE and state.seen[j] > state.seen[place[i]]:
            place[i] = j
    if (place == np.arange(len(place))).all():
        return state
    return state[place].changed(**{name: getattr(state, name) for name in ("ids", "born", "status")})


def numbered(state: State, known: dict[int, int], fresh: Any) -> Any:
    """The numbers of tracks; those that begin, at the end, have the ones known by their detections, or new ones."""
    first = int(np.searchsorted(state.ids == 0, True))
    places = state.source[first:].tolist()
    ids = state.ids.copy()
    ids[first:] = [known[j] if j in known else known.setdefault(j, fresh()) for j in places]
    return ids
