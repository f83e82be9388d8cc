"""Box trackers on MOT15 and KITTI tracking, on the same boxes: ``python -m benchmarks.box_league``.

All recipes with one set of settings each, for all sequences: SORT's own detections of 2D MOT 2015, the boxes of its
ground truth, and the 2-D detections of KITTI tracking that come with DeepFusionMOT. Peers that are installed take part:
`trackers` and `arcsort`, with the frame rate of the sequence, and what they set by default. Our settings were chosen on
these sequences, theirs were not: the tables do not tell which is better.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.track_scores import DATA
from pilotage.core import BOX, Scans, TrackTable
from pilotage.estimators.tracking.boxes import OCSORT, SORT, BoxMotion, BoxTracker, ByteTrack, IMMBoxes
from pilotage.estimators.tracking.scores import clear, compare, hota, identity
from pilotage.io import read_kitti_detections, read_kitti_labels, read_mot_detections, read_mot_truth

RATES = {
    "TUD-Campus": 25,
    "ETH-Sunnyday": 14,
    "ETH-Pedcross2": 14,
    "KITTI-17": 10,
    "PETS09-S2L1": 7,
    "ADL-Rundle-6": 30,
}
"""Frames a second."""
PUBLISHED = {"TUD-Campus": (62.7, 6), "ETH-Sunnyday": (59.1, 22), "ETH-Pedcross2": (45.4, 77), "KITTI-17": (60.2, 9)}
"""MOTA [%] and identity switches of SORT, README of abewley/sort."""
RECIPES: dict[str, Any] = {
    "SORT": SORT(score=0.65),
    "ByteTrack": ByteTrack(sure=0.65, begin=0.85, first=0.17, second=0.25, tentative=0.5),
    "OC-SORT": OCSORT(score=0.65),
    "IMM": IMMBoxes(score=0.65),
}
"""One set of settings for all sequences of MOT15, chosen on these; scores are those of its detector, from 0.5 to 1."""
EXACT = BoxMotion(reading=0.05, growth=0.5)
"""Of boxes that are more exact than those of MOT15; chosen on these."""
EXACT_RECIPES: dict[str, Any] = {
    "SORT": SORT(motion=EXACT),
    "ByteTrack": ByteTrack(motion=EXACT),
    "OC-SORT": OCSORT(motion=EXACT),
    "IMM": IMMBoxes(motion=BoxMotion(reading=0.05, accel=0.5, growth=0.5)),
}
KINDS = {"Car": ("Car", "Van"), "Pedestrian": ("Pedestrian", "Person")}
Run = Callable[[Scans, float], TrackTable]


@dataclass(frozen=True)
class Sequence:
    """A sequence: its name, frames a second, truth, and boxes."""

    name: str
    rate: float
    truth: TrackTable
    scans: Scans


def mot15(perfect: bool = False) -> Iterator[Sequence]:
    """2D MOT 2015, with SORT's detections, or with the boxes of the truth."""
    for name, rate in RATES.items():
        truth = read_mot_truth(found(DATA / name / "gt.txt"), rate=rate)
        scans = read_mot_detections(found(DATA / name / "det.txt"), rate=rate)
        if perfect:
            shown = [truth.at(t).x for t in truth.times]
            scans = Scans("truth", shown, truth.times, scores=[np.ones(len(x)) for x in shown])
        yield Sequence(name, rate, truth, scans)


def kitti(kind: str) -> Iterator[Sequence]:
    """KITTI tracking: the labels of a kind, and its detections outside of regions in which nothing is labelled."""
    folder = DATA.parent / "kitti_tracking"
    for file in sorted(folder.glob("label_02/*")):
        labels = read_kitti_labels(file, kinds=KINDS[kind])
        scans = read_kitti_detections(found(folder / "det2d_rrc" / kind / f"{file.name[:4]}.txt"))
        yield Sequence(file.name[:4], 10.0, labels.boxes, without_ignored(scans, labels.ignored))


def without_ignored(scans: Scans, ignored: Scans) -> Scans:
    """The boxes of which less than half lies in a region that is ignored."""
    kept = list[Any]()
    for i, _ in enumerate(scans.ts):
        boxes, regions = scans[i], ignored[i] if i < len(ignored.ts) else np.zeros((0, 4))
        a, b = boxes[:, None], regions.reshape(-1, 4)[None]
        sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
        inside = np.maximum(sides, 0.0).prod(-1).sum(1) / boxes[:, 2:].prod(1)
        kept.append(inside < 0.5)
    parts = zip(scans.offsets[:-1], scans.offsets[1:], kept, strict=True)
    scores = None if scans.scores is None else [scans.scores[i:j][keep] for i, j, keep in parts]
    return Scans(scans.sensor, [scans[i][keep] for i, keep in enumerate(kept)], scans.ts, scores=scores)


def found(path: Path) -> Path:
    """The file, plain or gzipped."""
    return path if path.exists() else path.with_name(path.name + ".gz")


def contenders(exact: bool) -> dict[str, Run]:
    """Our recipes, and the peers that are installed; boxes that are exact are reported as detected."""
    recipes = EXACT_RECIPES if exact else RECIPES
    runs: dict[str, Run] = {
        name: lambda scans, rate, recipe=recipe: followed(recipe, scans, not exact) for name, recipe in recipes.items()
    }
    if importlib.util.find_spec("trackers"):
        for kind in ("SORT", "ByteTrack", "OCSORT", "BoTSORT"):
            runs[f"trackers {kind}"] = lambda scans, rate, kind=kind: of_trackers(kind, scans, rate)
    if importlib.util.find_spec("arcsort"):
        runs["arcsort"] = lambda scans, rate: of_arcsort(scans)
    return runs


def followed(recipe: Any, scans: Scans, filtered: bool) -> TrackTable:
    """Our tracks of a recipe."""
    return (recipe if isinstance(recipe, IMMBoxes) else BoxTracker(recipe)).run(scans, filtered=filtered)


def corners(scans: Scans, i: int) -> tuple[Any, Any]:
    """Corners and scores of a scan."""
    z, s = (
        scans[i],
        np.ones(len(scans[i])) if scans.scores is None else scans.scores[scans.offsets[i] :][: len(scans[i])],
    )
    return np.concatenate([z[:, :2], z[:, :2] + z[:, 2:]], 1), s


def of_trackers(kind: str, scans: Scans, rate: float) -> TrackTable:
    """A tracker of the package trackers."""
    import supervision  # pyright: ignore[reportMissingImports]
    import trackers  # pyright: ignore[reportMissingImports]

    still: dict[str, Any] = {"enable_cmc": False} if kind == "BoTSORT" else {}
    tracker, rows = getattr(trackers, f"{kind}Tracker")(frame_rate=rate, **still), list[Any]()
    for i, t in enumerate(scans.ts):
        boxes, scores = corners(scans, i)
        given = supervision.Detections(xyxy=boxes, confidence=scores, class_id=np.zeros(len(boxes), int))
        tracks = tracker.update(given)
        rows += [(t, n, *box) for n, box in zip(tracks.tracker_id, tracks.xyxy, strict=True) if n >= 0]
    return framed(rows)


def of_arcsort(scans: Scans) -> TrackTable:
    """ARC-SORT without images: its preset for SportsMOT."""
    from arcsort import ARCTracker  # pyright: ignore[reportMissingImports]

    tracker, rows = ARCTracker.from_preset("sportsmot", use_cmc=False), list[Any]()
    for i, t in enumerate(scans.ts):
        boxes, scores = corners(scans, i)
        given = np.concatenate([boxes, scores[:, None], np.zeros((len(boxes), 1))], 1)
        rows += [(t, box[4], *box[:4]) for box in tracker.update(given)]
    return framed(rows)


def framed(rows: list[Any]) -> TrackTable:
    """A table of rows of time, number, and corners."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    boxes = np.concatenate([table[:, 2:4], table[:, 4:] - table[:, 2:4]], 1)
    return TrackTable(table[:, 0], table[:, 1], boxes, space=BOX)


def league(title: str, sequences: list[Sequence], *, exact: bool = True) -> None:
    """Print the scores of all contenders over all sequences, as a table."""
    print(f"\n{title}\n\n| tracker | HOTA | DetA | AssA | IDF1 | MOTA | IDSW |\n|---|---|---|---|---|---|---|")
    singles = dict[str, list[str]]()
    for name, run in contenders(exact).items():
        tracks = [run(one.scans, one.rate) for one in sequences]
        c = compare([one.truth for one in sequences], tracks)
        h, i, m = hota(c), identity(c), clear(c)
        numbers = (f"{100 * value:.1f}" for value in (h.hota, h.deta, h.assa, i.idf1, m.mota))
        print(f"| {name} | {' | '.join(numbers)} | {m.idsw} |", flush=True)
        alone = [clear(compare(one.truth, table)) for one, table in zip(sequences, tracks, strict=True)]
        singles[name] = [f"{100 * one.mota:.1f} / {one.idsw}" for one in alone]
    if not exact:
        published = [PUBLISHED.get(one.name) for one in sequences]
        singles["SORT, published"] = ["" if p is None else f"{p[0]:.1f} / {p[1]}" for p in published]
        print(f"\n| MOTA / IDSW | {' | '.join(one.name for one in sequences)} |\n|{'---|' * (len(sequences) + 1)}")
        for name, cells in singles.items():
            print(f"| {name} | {' | '.join(cells)} |")


def main() -> int:
    """All tables."""
    if not DATA.exists():
        print(f"{DATA} is not there; set PILOTAGE_DATA", file=sys.stderr)
        return 2
    league("MOT15, SORT's detections", [*mot15()], exact=False)
    league("MOT15, boxes of the ground truth", [*mot15(perfect=True)])
    for kind in KINDS:
        league(f"KITTI tracking, {kind.lower()}s, RRC detections", [*kitti(kind)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
