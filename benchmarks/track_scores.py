"""Scores of trackers, on the sequences of 2D MOT 2015."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.core import TrackTable
from pilotage.estimators.tracking.scores import clear, compare, hota, identity
from pilotage.io import read_mot_truth

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "mot" / "mot15"
AGREED = 1e-9


def sequences() -> list[TrackTable]:
    """The ground truth of each sequence.

    Raises:
        FileNotFoundError: when the data is not there.
    """
    files = sorted(DATA.glob("*/gt.txt*"))
    if not files:
        raise FileNotFoundError(f"no sequences of MOT15 in {DATA}; set PILOTAGE_DATA")
    return [read_mot_truth(file) for file in files]


def disturbed(truth: TrackTable, seed: int) -> TrackTable:
    """The result of a tracker that misses a fifth of the boxes, shifts the others, and switches identities."""
    rng = np.random.default_rng(seed)
    tracks = truth[np.flatnonzero(rng.random(len(truth)) < 0.8)]
    boxes = tracks.x + rng.normal(size=(len(tracks), 4)) * 0.08 * tracks.x[:, 2:].mean(1)[:, None]
    boxes[:, 2:] = np.abs(boxes[:, 2:])
    names = tracks.id * 100 + np.cumsum(rng.random(len(tracks)) < 0.01) % 100
    return TrackTable(tracks.t, names, boxes, space=truth.space)


def framed(truth: TrackTable, tracks: TrackTable) -> tuple[Any, Any]:
    """Both tables as the peer takes them: ids and corners of the boxes of each frame."""
    from motrics import Frames  # pyright: ignore[reportMissingImports]

    times = np.union1d(truth.t, tracks.t)

    def side(table: TrackTable) -> Any:
        ends = np.searchsorted(table.t, np.append(times, np.inf))
        corners = np.concatenate([table.x[:, :2], table.x[:, :2] + table.x[:, 2:]], 1)
        ids: Any = np.split(table.id, ends[1:-1])
        return Frames(ids=ids, boxes=np.split(corners, ends[1:-1]))

    return side(truth), side(tracks)


@row(
    "hota",
    peer="motrics",
    bar=0.5,
    needs=["motrics"],
    note="HOTA, identity and CLEAR of six sequences of MOT15, a frame; from boxes",
)
def hota_row(quick: bool) -> Contest:
    from motrics import evaluate  # pyright: ignore[reportMissingImports]

    truth = sequences()[:2] if quick else sequences()
    tracks = [disturbed(table, seed) for seed, table in enumerate(truth)]
    frames = [framed(a, b) for a, b in zip(truth, tracks, strict=True)]

    def ours() -> list[Any]:
        made = (compare(a, b) for a, b in zip(truth, tracks, strict=True))
        return [(hota(c), identity(c), clear(c)) for c in made]

    def theirs() -> list[Any]:
        return [evaluate(*pair) for pair in frames]

    def check() -> str:
        pairs = [
            ((h.hota, h.assa, h.loca, i.idf1), (other.hota.hota, other.hota.assa, other.hota.loca, other.identity.idf1))
            for (h, i, _), other in zip(ours(), theirs(), strict=True)
        ]
        gap = float(np.abs(np.subtract(*zip(*pairs, strict=True))).max())
        assert gap < AGREED, f"HOTA, AssA, LocA or IDF1 differ by {gap:.2e}"
        return f"HOTA, AssA, LocA and IDF1 agree to {gap:.0e}"

    return Contest(ours, theirs, check, work=sum(len(table.times) for table in truth))
