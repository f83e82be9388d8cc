"""The life of tracks, over any method of tracking: lost targets that come back, and targets that come out of others."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...core import Gaussian
from ...core.arrays import Array
from ._links import Links
from ._state import Method, Scan
from ._targets import Rows, Targets
from .reidentification import Reidentification
from .splitting import Splitting
from .tracks import Tracks

Names = dict[int, int]


@dataclass(frozen=True)
class Lost:
    """Lost targets, a row for each, at the time of the last scan.

    Attributes:
        rows: beliefs.
        ids, born, seen: as those of `Tracks`.
        scans: taken in since they were lost.
    """

    rows: Rows
    ids: Any
    born: Array
    seen: Array
    scans: Any

    def __getitem__(self, which: Any) -> Lost:
        return Lost(self.rows[which], self.ids[which], self.born[which], self.seen[which], self.scans[which])

    def joined(self, other: Lost) -> Lost:
        """These, and the others behind them."""
        names = ("ids", "born", "seen", "scans")
        both = {name: np.concatenate((getattr(self, name), getattr(other, name))) for name in names}
        return Lost(self.rows.joined(other.rows), **both)

    @staticmethod
    def of(tracks: Tracks, which: Any) -> Lost:
        """The tracks in these places, which are lost from now on."""
        ids = tracks.ids[which]
        return Lost(tracks._rows[which], ids, tracks.born[which], tracks.seen[which], np.zeros(len(ids), np.int64))


@dataclass(frozen=True)
class Lives:
    """The state of a method, and what is remembered of its tracks. Numbers are those that users see, if not said.

    Attributes:
        inner: the state of the method.
        lost: the lost targets.
        names: the numbers of targets that were found again, by those that the method gives their tracks.
        born: the first detection of each such target [s].
        scans: taken in since each target was confirmed.
        looks: sums of the features of targets, each of length one.
        suspects: of tracks that are not confirmed, the one that they may come out of.
        parents: of confirmed tracks, the one that they came out of.
    """

    inner: Any
    lost: Lost
    names: Names = field(default_factory=dict[int, int])
    born: dict[int, float] = field(default_factory=dict[int, float])
    scans: Names = field(default_factory=dict[int, int])
    looks: dict[int, Array] = field(default_factory=dict[int, Array])
    suspects: Names = field(default_factory=dict[int, int])
    parents: Names = field(default_factory=dict[int, int])

    @property
    def t(self) -> float:
        return self.inner.t


@dataclass(frozen=True)
class Living:
    """The step of a method, followed by what happens to lost and new tracks.

    Args:
        method: the method.
        birth: where and how fast new targets are; None where targets are not found again.
        reidentify, split: see `Tracker`.
    """

    method: Method
    birth: Gaussian | None
    reidentify: Reidentification | None
    split: Splitting | None

    @property
    def targets(self) -> Targets:
        return self.method.targets

    def none(self, t: float) -> Lives:
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        return Lives(self.method.none(t), Lost(self.targets.none(), whole, real, real, whole))

    def predict(self, state: Lives, t: float) -> Lives:
        return replace(state, inner=self.method.predict(state.inner, t))

    def step(self, state: Lives, scan: Scan, fresh: Any) -> Lives:
        before = self.tracks(state)
        state = replace(state, inner=self.method.step(state.inner, scan, fresh))
        now = self.tracks(state)
        if self.reidentify is not None:
            state = self._found(self._lost(self._seen(state, now, scan), before, now), now)
            now = self.tracks(state)
        if self.split is not None:
            state = self._split(state, before, now)
        return self._kept(state, now)

    def tracks(self, state: Lives) -> Tracks:
        tracks, names = copy(self.method.tracks(state.inner)), state.names
        named = lambda ids: np.array([names.get(i, i) for i in ids.tolist()], np.int64)
        merged = {names.get(i, i): names.get(j, j) for i, j in tracks._links.merged.items()}
        tracks._links = Links(merged, state.parents, {old: new for new, old in names.items()})
        if names:
            tracks.ids = named(tracks.ids)
            born = zip(tracks.ids.tolist(), tracks.born.tolist(), strict=True)
            tracks.born = np.array([state.born.get(i, t) for i, t in born])
        return tracks

    def _seen(self, state: Lives, now: Tracks, scan: Scan) -> Lives:
        """The state with the features of this scan, and how long targets are confirmed."""
        known = set(state.scans) | set(now.ids[now.confirmed].tolist())
        scans = state.scans | {id: state.scans.get(id, -1) + 1 for id in now.ids.tolist() if id in known}
        looks = dict(state.looks)
        if scan.features is not None:
            for id, j in zip(now.ids.tolist(), now.source.tolist(), strict=True):
                if j >= 0:
                    looks[id] = looks.get(id, 0.0) + scan.features[j]
        return replace(state, scans=scans, looks=looks)

    def _lost(self, state: Lives, before: Tracks, now: Tracks) -> Lives:
        """The state with the targets that are lost now, all at the present time, without those of long ago."""
        assert self.reidentify is not None
        lost, merged = state.lost, now._links.merged
        known = [id for id, scans in state.scans.items() if scans + 1 >= self.reidentify.least]
        ended = np.isin(before.ids, known) & ~np.isin(before.ids, [*now.ids.tolist(), *merged])
        lost = lost.joined(Lost.of(before, np.flatnonzero(ended)))
        if not len(lost.ids):
            return state
        kept = (now.t - lost.seen <= self.reidentify.keep) & ~np.isin(lost.ids, now.ids)
        lost = lost[np.flatnonzero(kept)[-self.reidentify.most :]]
        lost = replace(lost, rows=lost.rows.copy(), scans=lost.scans + 1)
        if now.t > before.t:
            self.targets.predict(lost.rows, now.t - before.t)
        return replace(state, lost=lost)

    def _found(self, state: Lives, now: Tracks) -> Lives:
        """The state in which new tracks of lost targets have their numbers."""
        lost, rule = state.lost, self.reidentify
        if not len(lost.ids) or rule is None or self.birth is None:
            return state
        known = np.isin(now.ids, list(state.names.values()))
        new = np.flatnonzero(now.confirmed & (now.existence > rule.sure) & ~known)
        if not len(new):
            return state
        scans = np.array([state.scans[i] for i in now.ids[new].tolist()])
        possible = (np.minimum(scans, lost.scans[:, None] - 1) < rule.tries) & (now.born[new] > lost.seen[:, None])
        possible &= self._alike(state, lost.ids.tolist(), now.ids[new].tolist())
        if not possible.any():
            return state
        a, b = self._moments(lost.rows), self._moments(now._rows[new])
        which, taken = rule.matched(a, b, self.birth, possible)
        pairs = dict(zip(now.ids[new[taken]].tolist(), lost.ids[which].tolist(), strict=True))
        born = dict(zip(lost.ids[which].tolist(), lost.born[which].tolist(), strict=True))
        looks = {old: state.looks.get(old, 0.0) + state.looks[i] for i, old in pairs.items() if i in state.looks}
        scans = {old: state.scans[i] for i, old in pairs.items()}
        return replace(
            state, lost=lost[np.setdiff1d(np.arange(len(lost.ids)), which)], names=state.names | pairs,
            born=state.born | born, looks=state.looks | looks, scans=state.scans | scans,
        )  # fmt: skip

    def _alike(self, state: Lives, lost: list[int], new: list[int]) -> Any:
        """Whether lost and new tracks may look the same, ``(L, C)``; those without features may."""
        most = None if self.reidentify is None else self.reidentify.appearance
        if most is None or not state.looks:
            return True
        d = len(next(iter(state.looks.values())))
        a, b = (np.array([state.looks.get(id, np.full(d, np.nan)) for id in ids]) for ids in (lost, new))
        with np.errstate(invalid="ignore"):
            a, b = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (a, b))
        return ~(1.0 - a @ b.T > most)

    def _split(self, state: Lives, before: Tracks, now: Tracks) -> Lives:
        """The state with the parents of tracks that are confirmed, and possible ones of those that begin."""
        assert self.split is not None
        sure = dict(zip(now.ids.tolist(), now.confirmed.tolist(), strict=True))
        certain = {k: i for k, i in state.suspects.items() if sure.get(k) and sure.get(i)}
        suspects = {k: i for k, i in state.suspects.items() if sure.get(k) is False}
        new = np.flatnonzero(~np.isin(now.ids, before.ids) & ~np.isin(now.ids, list(state.names.values())))
        old = np.flatnonzero(now.confirmed & (now.source >= 0) & np.isin(now.ids, before.ids))
        if len(new) and len(old):
            places = self.split.parents(self._moments(now._rows[new]), self._moments(now._rows[old]))
            some = places >= 0
            suspects |= zip(now.ids[new[some]].tolist(), now.ids[old[places[some]]].tolist(), strict=True)
        return replace(state, suspects=suspects, parents=state.parents | certain)

    def _moments(self, rows: Rows) -> Gaussian:
        return Gaussian.trusted(*self.targets.moments(rows))

    def _kept(self, state: Lives, now: Tracks) -> Lives:
        """The state without what is remembered of tracks that are no more."""
        shown = set(now.ids.tolist())
        named = shown | set(now._links.merged)
        known = shown | set(state.lost.ids.tolist())
        only = lambda those, ids: {id: value for id, value in those.items() if id in ids}
        return replace(
            state,
            names={new: old for new, old in state.names.items() if old in named},
            born=only(state.born, shown),
            scans=only(state.scans, shown),
            looks=only(state.looks, known),
            parents=only(state.parents, shown),
        )
