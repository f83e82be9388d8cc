"""The picture of a fuser, and what becomes of it by messages that come and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array
from .._doubles import doubled
from .._targets import Rows, Targets
from ..gate import Gate
from ..tracks import COASTING, CONFIRMED, TENTATIVE, Tracks
from ._pairs import near, partners
from .fusion import Fusion

WHOLE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Channel:
    """The beliefs in the last messages between the fuser and a source, a row for each target.

    Attributes:
        t: time of the beliefs [s].
        ids: numbers of the tracks of the fuser.
        theirs: numbers of the tracks of the source; -1 where it was told, and has said nothing yet.
        existence: that of the source.
        sure: whether the source detected the target lately.
        rows: what both know.
    """

    t: float
    ids: Any
    theirs: Any
    existence: Array
    sure: Any
    rows: Rows

    def only(self, which: Any) -> Channel:
        """The rows of an index."""
        parts = {name: getattr(self, name)[which] for name in ("ids", "theirs", "existence", "sure", "rows")}
        return replace(self, **parts)


@dataclass(frozen=True)
class Picture:
    """The state of a fuser, a row for each track; no array of it ever changes. Attributes as those of `Tracks`."""

    t: float
    rows: Rows
    ids: Any
    status: Any
    existence: Array
    born: Array
    seen: Array
    source: Any
    hits: Any
    channels: dict[str, Channel] = field(default_factory=dict)

    def only(self, which: Any) -> Picture:
        """The rows of an index."""
        return replace(self, **{name: getattr(self, name)[which] for name in ROWS}, rows=self.rows[which])


ROWS = ("ids", "status", "existence", "born", "seen", "source", "hits")


@dataclass(frozen=True)
class Message:
    """The confirmed tracks of a source, on the space of the fuser; None for a message that goes to it."""

    t: float
    name: str
    ids: Any = field(default_factory=lambda: WHOLE)
    belief: Gaussian | None = None
    existence: Any = None
    born: Any = None
    seen: Any = None
    sure: Any = None
    places: Any = None
    goes: bool = False
    numbers: dict[int, int] = field(default_factory=dict)
    """Numbers of the tracks that began with it, by those of the source: the same again when it is processed again."""


@dataclass(frozen=True)
class Fusing:
    """The step of a fuser; see `TrackFuser` for the settings."""

    targets: Targets
    rule: Fusion
    gate: Gate
    enough: int
    patience: float
    ellipsoid: Gate | None

    def none(self, t: float) -> Picture:
        """No tracks."""
        real = np.zeros(0)
        return Picture(t, self.targets.none(), WHOLE, WHOLE, real, real, real, WHOLE, WHOLE)

    def predict(self, picture: Picture, t: float) -> Picture:
        """The picture at a later time."""
        return replace(picture, t=t, rows=self._moved(picture.rows, t - picture.t))

    def step(self, picture: Picture, message: Message, fresh: Callable[[], int]) -> Picture:
        """The picture after a message; `fresh` gives numbers to new tracks."""
        picture = self.predict(picture, message.t)
        channel = self._channel(picture, message)
        if message.goes:
            return self._told(picture, channel, message.name)
        rows, columns = self._pairs(picture, channel, message)
        picture = self._fused(picture, channel, message, rows, columns)
        picture, columns = self._begun(picture, message, columns, fresh)
        rows = np.concatenate([rows, np.arange(len(picture.ids) - len(columns) + len(rows), len(picture.ids))])
        picture = self._heard(picture, channel, message, rows, columns)
        return self._managed(picture)

    def _moved(self, rows: Rows, dt: float) -> Rows:
        rows = rows.copy()
        if dt != 0.0 and len(rows):
            self.targets.predict(rows, dt)
        return rows

    def _channel(self, picture: Picture, message: Message) -> Channel:
        """The beliefs that the fuser has in common with the source, at the time of its message."""
        kept = picture.channels.get(message.name)
        if kept is None:
            return Channel(message.t, WHOLE, WHOLE, np.zeros(0), np.zeros(0, bool), self.targets.none())
        return replace(kept, t=message.t, rows=self._moved(kept.rows, message.t - kept.t))

    def _told(self, picture: Picture, channel: Channel, name: str) -> Picture:
        """The picture after the source was told all confirmed tracks."""
        told = np.flatnonzero(picture.status != TENTATIVE)
        at, known = places(channel.ids, picture.ids[told])
        both = replace(
            channel,
            ids=picture.ids[told],
            theirs=np.where(known, np.append(channel.theirs, -1)[at], -1),
            existence=np.where(known, np.append(channel.existence, 0.0)[at], 0.0),
            sure=np.where(known, np.append(channel.sure, False)[at], False),
            rows=picture.rows[told],
        )
        rest = channel.only(np.flatnonzero(~np.isin(channel.ids, both.ids)))
        return replace(picture, channels={**picture.channels, name: joined(both, rest)})

    def _pairs(self, picture: Picture, channel: Channel, message: Message) -> tuple[Any, Any]:
        """Rows of the picture and of the message that are one target."""
        if message.belief is None or not len(picture.ids):
            return WHOLE, WHOLE
        pairs = near(self._belief(picture.rows), message.belief, self.gate)
        at, known = places(channel.ids, picture.ids)
        theirs = np.where(known, np.append(channel.theirs, -1)[at], -1)
        linked = theirs[pairs.rows] == message.ids[pairs.columns]
        return partners(pairs, linked, self.gate.limit(message.belief.space.dim))

    def _fused(self, picture: Picture, channel: Channel, message: Message, rows: Any, columns: Any) -> Picture:
        """The picture with the beliefs that are fused."""
        if message.belief is None or not len(rows):
            return replace(picture, source=np.full(len(picture.ids), -1))
        table, source = picture.rows.copy(), picture.source.copy()
        at, known = places(channel.ids, picture.ids[rows])
        for which in (known, ~known):
            if which.any():
                mine, theirs = self._belief(table[rows[which]]), message.belief[columns[which]]
                common = self._belief(channel.rows[at[which]]) if known[which].all() else None
                table[rows[which]] = self.targets.pack(self.rule.fuse(mine, theirs, common))
        source[:] = -1
        source[rows] = message.places[columns]
        seen, hits = picture.seen.copy(), picture.hits.copy()
        hits[rows] += message.seen[columns] > seen[rows]
        seen[rows] = np.maximum(seen[rows], message.seen[columns])
        born = picture.born.copy()
        born[rows] = np.minimum(born[rows], message.born[columns])
        return replace(picture, rows=table, source=source, seen=seen, hits=hits, born=born)

    def _begun(self, picture: Picture, message: Message, columns: Any, fresh: Callable[[], int]) -> tuple[Picture, Any]:
        """The picture with the tracks that begin, and the columns of all tracks of the message that are in it."""
        free = np.setdiff1d(np.arange(len(message.ids)), columns)
        free = free[message.t - message.seen[free] <= self.patience] if len(free) else free
        if message.belief is None or not len(free):
            return picture, columns
        for theirs in message.ids[free].tolist():
            if theirs not in message.numbers:
                message.numbers[theirs] = fresh()
        new = {
            "ids": np.array([message.numbers[theirs] for theirs in message.ids[free].tolist()], np.int64),
            "status": np.full(len(free), TENTATIVE),
            "existence": message.existence[free],
            "born": message.born[free],
            "seen": message.seen[free],
            "source": message.places[free],
            "hits": np.ones(len(free), np.int64),
        }
        both = {name: np.concatenate((getattr(picture, name), new[name])) for name in ROWS}
        rows = picture.rows.joined(self.targets.pack(message.belief[free]))
        return replace(picture, rows=rows, **both), np.concatenate([columns, free])

    def _heard(self, picture: Picture, channel: Channel, message: Message, rows: Any, columns: Any) -> Picture:
        """The picture with a channel that knows the message, and of the rest what the source has not answered yet."""
        rest = channel.only(np.flatnonzero((channel.theirs < 0) & ~np.isin(channel.ids, picture.ids[rows])))
        if message.belief is not None and len(rows):
            heard = Channel(
                message.t,
                picture.ids[rows],
                message.ids[columns],
                message.existence[columns],
                message.sure[columns] & (message.seen[columns] >= picture.seen[rows]),
                self.targets.pack(message.belief[columns]),
            )
            rest = joined(heard, rest)
        return replace(picture, channels={**picture.channels, message.name: rest})

    def _managed(self, picture: Picture) -> Picture:
        """The tracks that go on, with their status."""
        held, sure = np.zeros((2, len(picture.ids)), bool)
        existence = np.zeros(len(picture.ids))
        for channel in picture.channels.values():
            at, known = places(channel.ids, picture.ids)
            known &= np.append(channel.theirs, -1)[at] >= 0
            held |= known
            sure |= known & np.append(channel.sure, False)[at]
            existence = np.maximum(existence, np.where(known, np.append(channel.existence, 0.0)[at], 0.0))
        ends = ~held | (picture.t - picture.seen > self.patience)
        confirmed = (picture.status != TENTATIVE) | (picture.hits >= self.enough)
        status = np.where(confirmed, np.where(sure, CONFIRMED, COASTING), TENTATIVE)
        picture = replace(picture, status=status, existence=existence)
        ends |= self._doubles(picture, ends)
        if not ends.any():
            return picture
        ended = picture.ids[ends]
        channels = {
            name: each.only(np.flatnonzero(~np.isin(each.ids, ended))) for name, each in picture.channels.items()
        }
        return replace(picture.only(np.flatnonzero(~ends)), channels=channels)

    def _doubles(self, picture: Picture, ends: Any) -> Any:
        """Which tracks are where an older one is; those that one source tells apart are not."""
        apart = ends[:, None] | ends
        for channel in picture.channels.values():
            heard = np.isin(picture.ids, channel.ids[channel.theirs >= 0])
            apart |= heard[:, None] & heard
        return doubled(self.targets, self.ellipsoid, picture.rows, picture.status == TENTATIVE, apart)

    def _belief(self, rows: Rows) -> Gaussian:
        return self.targets.unpack(rows)

    def tracks(self, picture: Picture) -> Tracks:
        """The tracks as users see them."""
        return Tracks(
            self.targets, picture.rows, picture.t, picture.ids, picture.status, picture.existence, picture.born,
            picture.seen, picture.source,
        )  # fmt: skip


def places(ids: Any, wanted: Any) -> tuple[Any, Any]:
    """Where numbers are among others, and whether they are."""
    where = {int(id): i for i, id in enumerate(ids)}
    at = np.array([where.get(int(id), -1) for id in wanted], np.int64)
    return at, at >= 0


def joined(a: Channel, b: Channel) -> Channel:
    """The rows of two channels with the same source."""
    parts = {
        name: np.concatenate((getattr(a, name), getattr(b, name))) for name in ("ids", "theirs", "existence", "sure")
    }
    return replace(a, **parts, rows=a.rows.joined(b.rows))
