"""Ties between tracks: which one went on in which other, and which came out of which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Links:
    """Ties between tracks, by their numbers.

    Attributes:
        merged: of tracks that ended in the last scan, the track of the same target that goes on.
        parents: of tracks that came out of another one, that other.
        returned: of lost tracks that were found again, the number that the target had meanwhile.
    """

    merged: Mapping[int, int] = field(default_factory=dict[int, int])
    parents: Mapping[int, int] = field(default_factory=dict[int, int])
    returned: Mapping[int, int] = field(default_factory=dict[int, int])

    def lineage(self, id: int) -> list[int]:
        """The numbers under which a target was known: its own, that which it had meanwhile, those of its parents."""
        found, rest = list[int](), [id]
        while rest:
            name = rest.pop(0)
            found.append(name)
            rest += [other[name] for other in (self.returned, self.parents) if other.get(name, id) not in found]
        return found


NONE = Links()
