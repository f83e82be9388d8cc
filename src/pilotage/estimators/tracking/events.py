"""Events: what happened to the tracks of a tracker from one scan to the next."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .tracks import Tracks


class EventKind(enum.StrEnum):
    """The kind of an event."""

    BORN = "born"
    """A track is there that was not."""
    CONFIRMED = "confirmed"
    """A track is a target, and was not before."""
    SPLIT = "split"
    """A target came out of that of another track, `other`."""
    REIDENTIFIED = "reidentified"
    """A lost target is found again; meanwhile it had the number `other`, which is not used any more."""
    MERGED = "merged"
    """A track ended, since the target is that of another track, `other`, which goes on."""
    DELETED = "deleted"
    """A track ended."""


@dataclass(frozen=True)
class TrackEvent:
    """One event in the life of a track.

    The numbers of the tracks after a scan are those before it, with those that are born or found again, without those
    that are deleted or merged and without the `other` of those found again.

    Args:
        kind: the kind.
        id: the number of the track.
        other: the number of the other track of a split, a merge or a re-identification; None otherwise.

    Example:
        >>> print(TrackEvent(EventKind.MERGED, 7, other=3))
        7 merged (3)
    """

    kind: EventKind
    id: int
    other: int | None = None

    def __str__(self) -> str:
        return f"{self.id} {self.kind}" + ("" if self.other is None else f" ({self.other})")


def events_between(before: Tracks, after: Tracks) -> list[TrackEvent]:
    """The events that lead from some tracks to others, by kind and number."""
    links, earlier = after._links, before._links
    returned = _new(earlier.returned, links.returned)
    known, now = np.union1d(before.ids, list(returned)), np.union1d(after.ids, list(returned.values()))
    ended = np.setdiff1d(before.ids, now).tolist()
    merged = {id: into for id, into in links.merged.items() if id in ended}
    sure = np.setdiff1d(after.ids[after.confirmed], [*before.ids[before.confirmed].tolist(), *returned])
    told: list[tuple[EventKind, Mapping[int, int | None]]] = [
        (EventKind.BORN, dict.fromkeys(np.setdiff1d(now, known).tolist())),
        (EventKind.CONFIRMED, dict.fromkeys(sure.tolist())),
        (EventKind.SPLIT, _new(earlier.parents, links.parents)),
        (EventKind.REIDENTIFIED, returned),
        (EventKind.MERGED, merged),
        (EventKind.DELETED, dict.fromkeys(id for id in ended if id not in merged)),
    ]
    return [TrackEvent(kind, int(id), those[id]) for kind, those in told for id in sorted(those)]


def _new(before: Mapping[int, int], after: Mapping[int, int]) -> dict[int, int]:
    """The ties that there were not."""
    return {id: other for id, other in after.items() if before.get(id) != other}
