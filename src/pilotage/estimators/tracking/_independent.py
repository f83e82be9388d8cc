"""Tracks that are each one belief: a scan predicts, gates, associates, updates and manages them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.arrays import Array
from ._doubles import doubled
from ._evidence import heard
from ._state import COASTING, CONFIRMED, TENTATIVE, Scan, State, moved, newborn, nothing, sighted
from ._targets import Rows, Targets
from .association import Association, Shares
from .gate import Gate, Pairs
from .initiation import Initiation
from .management import Management
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

    def none(self, t: float) -> State:
        return nothing(self.targets, t)

    def predict(self, state: State, t: float) -> State:
        return moved(self.targets, state, t, self.management.lifetime)

    def step(self, state: State, scan: Scan, fresh: Any) -> State:
        state = self.predict(state, scan.t)
        taken = np.zeros(len(scan.z))
        if len(state.ids):
            state, taken = self._associated(state, scan)
        state = self._managed(state)
        free = np.flatnonzero((taken < self.threshold) & (True if scan.begins is None else scan.begins))
        if len(free):
            state = self._begun(state, scan, free, fresh)
        return state

    def _associated(self, state: State, scan: Scan) -> tuple[State, Array]:
        """The tracks after their updates, and the probability that each detection comes from one of them."""
        found = sighted(self.targets, self.gate, state.rows, scan)
        r = self._weight(state)
        with np.errstate(divide="ignore", invalid="ignore"):
            real = np.log(r) - np.log1p(-r * found.P)
            odds = found.w + real[found.pairs.rows]
        good = np.isfinite(odds)
        found, odds = found.only(good), odds[good]
        pairs = found.pairs
        shares = self.association.share(pairs, odds) if len(odds) else Shares(np.zeros(0), np.ones(pairs.tracks))
        after, taken, given = heard(state, found, shares, r, scan, self.management.start)
        return after.changed(rows=self._updated(state.rows, found.each, pairs, given.beta, given.missed)), taken

    def _weight(self, state: State) -> Array:
        """The existence with which tracks take part in the association."""
        doubtful = {"none": False, "tentative": state.status == TENTATIVE, "all": True}[self.association.doubtful]
        return np.where(doubtful, state.existence, 1.0)

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

    def _managed(self, state: State) -> State:
        """The tracks that go on, with their status."""
        if not len(state.ids):
            return state.changed(gone=state.ids)
        evidence = state.evidence
        doubles = doubled(self.targets, self.twins, state.rows, state.status == TENTATIVE)
        ends = self.management.delete(evidence) | doubles
        confirmed = evidence.confirmed | self.management.confirm(evidence)
        now = (state.hits & np.uint64(1)) > 0
        status = np.where(confirmed, np.where(now, CONFIRMED, COASTING), TENTATIVE)
        state = state.changed(status=status, gone=state.ids[ends])
        if not ends.any():
            return state
        return state[np.flatnonzero(~ends)]

    def _begun(self, state: State, scan: Scan, free: Any, fresh: Any) -> State:
        """The state with the tracks that begin at these detections."""
        rows, which = self.initiation.begin(self.targets, scan.detector.sensor, scan.z[free], scan.context)
        if not len(which):
            return state
        if (double := doubled(self.targets, self.twins, rows, np.zeros(len(which)))).any():
            rows, which = rows[~double], which[~double]
        places = scan.places[free[which]]
        new = newborn(rows, places, numbered(scan, places, fresh), scan.t, self.management.start)
        status = np.where(self.management.confirm(new.evidence), CONFIRMED, TENTATIVE)
        return state.joined(new.changed(status=status))

    def tracks(self, state: State) -> Tracks:
        return state.shown(self.targets)


def numbered(scan: Scan, places: Any, fresh: Any) -> Any:
    """Numbers of the tracks that begin at the detections in these places."""
    known = scan.ids
    return np.array([known[j] if j in known else known.setdefault(j, fresh()) for j in places.tolist()], np.int64)
