"""Tracks: what a tracker says of all its targets at one time."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ...core.arrays import Array
from ...core.errors import PilotageError
from ._links import NONE, Links
from .cardinality import Cardinality
from .events import EventKind, TrackEvent, events_between


class Packed(Protocol):
    """A tracker's way to keep beliefs in rows."""

    def unpack(self, rows: Any) -> Any:
        """The belief in rows, with a leading axis."""
        ...


class TrackStatus(enum.IntEnum):
    """The status of a track."""

    TENTATIVE = 0
    """It may be clutter still."""
    CONFIRMED = 1
    """It is a target, and was detected in the last scan that could see it."""
    COASTING = 2
    """It is a target that was not detected in the last scan."""
    DELETED = 3
    """It is no longer tracked; see `Tracks.deleted`."""


TENTATIVE, CONFIRMED, COASTING = (int(TrackStatus[name]) for name in ("TENTATIVE", "CONFIRMED", "COASTING"))
"""The statuses of tracks that go on, for arrays and compiled code."""


class Tracks:
    """All tracks after a scan, a row for each; an iterable of `Track`, of the confirmed ones and those that coast.

    The arrays and `belief` have a row for each track, tentative ones too. What stands for targets is of the confirmed
    tracks alone, in the same order: the loop over tracks, `len`, `mean` and `extents`. So ``ids[confirmed]`` are the
    numbers of the rows of `mean`.

    Attributes:
        t: time [s].
        ids: numbers of the tracks, ``(N,)``: a track keeps its own, and no other gets it.
        status: `TrackStatus` of each, ``(N,)``.
        existence: the probability that there is such a target, ``(N,)``.
        born: time of the first detection, ``(N,)`` [s].
        seen: time of the last detection, ``(N,)`` [s].
        source: place in the last scan of the detection that a track took; -1 for none, ``(N,)``.
        cardinality: the distribution of the number of targets: that of the tracks; with `GMPHD`, `CPHD` and `LMB` of
            all targets, those not detected yet included.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, MofN, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity()
        >>> birth = Gaussian.of(car.state, std=[100.0, 100.0, 3.0, 3.0])
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5)), birth, management=MofN(enough=(1, 1)))
        >>> tracks = tracker.update([[1.0, 2.0], [30.0, 40.0]], t=0.0)
        >>> tracks.ids.tolist(), tracks.mean[:, :2].round(1).tolist()
        ([1, 2], [[1.0, 2.0], [30.0, 40.0]])
        >>> tracks.of(2).source
        1
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5)), birth)
        >>> for t in range(6):                                                      # a second target appears at 5 s
        ...     tracks = tracker.update([[1.0, 2.0], [60.0, 70.0]][: 1 + (t == 5)], t=float(t))
        >>> tracks.ids.tolist(), tracks.ids[tracks.confirmed].tolist(), tracks.mean.round(0)[:, :2].tolist()
        ([1, 2], [1], [[1.0, 2.0]])
    """

    def __init__(
        self,
        targets: Packed,
        rows: Any,
        t: float,
        ids: Any,
        status: Any,
        existence: Array,
        born: Array,
        seen: Array,
        source: Any,
        *,
        cardinality: Cardinality | None = None,
        links: Links | None = None,
    ) -> None:
        self._targets, self._rows, self.t = targets, rows, t
        self.ids, self.status, self.existence = ids, status, existence
        self.born, self.seen, self.source = born, seen, source
        self._links = NONE if links is None else links
        self.cardinality = Cardinality(existence) if cardinality is None else cardinality
        self._before: Tracks | None = None

    @property
    def confirmed(self) -> Any:
        """Whether each track is a target: confirmed, or coasting; ``(N,)``."""
        return np.asarray((self.status == CONFIRMED) | (self.status == COASTING))

    @property
    def events(self) -> list[TrackEvent]:
        """The events since the scan before; none for tracks that are only predicted."""
        return [] if self._before is None else events_between(self._before, self)

    @property
    def deleted(self) -> list[Track]:
        """The tracks that `events` tell to be deleted or merged, as they were after the scan before."""
        ended = {event.id for event in self.events if event.kind in (EventKind.DELETED, EventKind.MERGED)}
        if self._before is None or not ended:
            return []
        which = np.flatnonzero(np.isin(self._before.ids, list(ended)))
        return [Track(self._before, int(i), TrackStatus.DELETED) for i in which]

    @property
    def belief(self) -> Any:
        """The beliefs of all tracks, with a leading axis."""
        return self._targets.unpack(self._rows)

    @property
    def mean(self) -> Array:
        """Means of the confirmed tracks, ``(C, n)``, whose numbers are ``ids[confirmed]``."""
        return self._targets.unpack(self._rows[np.flatnonzero(self.confirmed)]).moments().mean

    @property
    def extents(self) -> list[Any]:
        """Outlines of the confirmed tracks, in a tracker of extended objects (`extended.Outline`)."""
        return outlines(self._targets, self._rows[np.flatnonzero(self.confirmed)])

    def track(self, i: int) -> Track:
        """The track in row i, confirmed or not."""
        return Track(self, range(len(self.ids))[i])

    def of(self, id: int) -> Track:
        """The track with this number.

        Raises:
            KeyError: if there is none.
        """
        found = np.flatnonzero(self.ids == id)
        if not len(found):
            raise KeyError(f"there is no track {id} at t = {self.t:.12g} s; there are {self.ids.tolist()}")
        return Track(self, int(found[0]))

    def __iter__(self) -> Iterator[Track]:
        return (Track(self, int(i)) for i in np.flatnonzero(self.confirmed))

    def __len__(self) -> int:
        """The number of confirmed tracks."""
        return int(self.confirmed.sum())

    def __repr__(self) -> str:
        tentative = int((self.status == TENTATIVE).sum())
        return f"<Tracks at t = {self.t:.12g} s: {len(self)} confirmed, {tentative} tentative>"


class Track:
    """One track, at one time.

    Attributes:
        id: its number.
        status: tentative, confirmed, coasting or deleted.
        existence: the probability that there is such a target.
        age: seconds since its first detection.
        seen: time of its last detection [s].
        source: place in the last scan of the detection that it took; -1 for none.
        parent: number of the track that it came out of; None for most. See `Splitting`.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, MofN, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity()
        >>> birth = Gaussian.of(car.state, std=[100.0, 100.0, 3.0, 3.0])
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5)), birth, management=MofN(enough=(1, 1)))
        >>> tracks = tracker.update([[1.0, 2.0], [30.0, 40.0]], t=0.0)
        >>> track = tracks.of(1)
        >>> track.status.name, track.age, track.source
        ('CONFIRMED', 0.0, 0)
        >>> print(track.belief)
        x 1.00 +- 0.50 m, y 2.00 +- 0.50 m, vx 0.0 +- 3.0 m/s, vy 0.0 +- 3.0 m/s
    """

    def __init__(self, tracks: Tracks, row: int, status: TrackStatus | None = None) -> None:
        self._tracks, self._row = tracks, row
        self.id, self.status = int(tracks.ids[row]), TrackStatus(int(tracks.status[row])) if status is None else status
        self.existence, self.seen = float(tracks.existence[row]), float(tracks.seen[row])
        self.age, self.source = float(tracks.t - tracks.born[row]), int(tracks.source[row])
        self.parent = tracks._links.parents.get(self.id)

    @property
    def belief(self) -> Any:
        """Where it is: a `Gaussian`, or a `Mixture` of the modes of its filter."""
        return self._tracks._targets.unpack(self._tracks._rows[[self._row]])[0]

    @property
    def extent(self) -> Any:
        """Its outline, in a tracker of extended objects (`extended.Outline`)."""
        return outlines(self._tracks._targets, self._tracks._rows[[self._row]])[0]

    def __repr__(self) -> str:
        return f"<Track {self.id}, {self.status.name.lower()}: {self.belief.moments()}>"


def following(tracks: Tracks, before: Tracks) -> Tracks:
    """These tracks, which know those of the scan before."""
    tracks._before = object.__new__(Tracks)  # `copy` takes three times as long
    vars(tracks._before).update(vars(before), _before=None)  # so that memory holds no chain of all scans
    return tracks


def outlines(targets: Any, rows: Any) -> list[Any]:
    """The outlines of targets that have one."""
    if not hasattr(targets, "outlines"):
        raise PilotageError("targets of this tracker are points; extents need GGIWPMBM or GGIWPHD as the association")
    return targets.outlines(rows)
