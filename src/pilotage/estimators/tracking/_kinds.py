"""Kinds of tracks: what most of the detections that they took were."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Scans
from .tracks import Tracks


class Kinds:
    """The kinds of the detections that tracks took, counted: a detector may call a target now this and now that."""

    def __init__(self) -> None:
        self._counts = defaultdict[int, Counter[str]](Counter)
        self._known = False

    def add(self, tracks: Tracks, scans: Scans, i: int) -> None:
        """Count the detections of scan i, which led to these tracks."""
        if scans.kinds is None:
            return
        self._known, kinds = True, scans.kinds[scans.rows(i)]
        for id, j in zip(tracks.ids.tolist(), tracks.source.tolist(), strict=True):
            if j >= 0:
                self._counts[id][str(kinds[j])] += 1

    def of(self, ids: Any) -> NDArray[np.str_] | None:
        """The kind of each track, of those that are as frequent the earliest, "" for none; None where nobody knows."""
        if not self._known:
            return None
        best = {id: counts.most_common(1)[0][0] for id, counts in self._counts.items()}
        return np.array([best.get(id, "") for id in ids.tolist()], dtype=np.str_)
