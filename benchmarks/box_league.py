"""Box trackers on MOT15 and KITTI tracking, on the same boxes: ``python -m benchmarks.box_league``.

SORT's own detections of 2D MOT 2015, the boxes of its ground truth, and the 2-D detections of KITTI tracking that come
with DeepFusionMOT. Peers that are installed take part: `trackers` and `arcsort`, with the frame rate of the sequence,
without images, and what they set by default.

On MOT15, our recipes have their defaults but for two scores, that of boxes that count and that of boxes that begin
tracks, chosen from nine pairs: ``python -m benchmarks.box_league held`` leaves one sequence out each time. On KITTI,
every contender gets the boxes above a score that is chosen, for each half of the sequences, on the other half.
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
from pilotage.estimators.tracking.boxes import OCSORT, SORT, BoxMotion, BoxTracker, ByteTrack, CameraMotion, IMMBoxes
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
SCORES = [(score, begin) for score in (0.6, 0.65, 0.7) for begin in (0.8, 0.85, 0.9)]
"""Least scores of boxes that count, and that begin tracks; those of this detector go from 0.5 to 1."""
SCORED: dict[str, Callable[[float, float], Any]] = {
    "SORT": lambda score, begin: SORT(score=score, begin=begin),
    "ByteTrack": lambda score, begin: ByteTrack(sure=score, begin=begin),
    "OC-SORT": lambda score, begin: OCSORT(score=score, begin=begin),
    "IMM": lambda score, begin: IMMBoxes(score=score, begin=begin),
}
FEW = {"IMM": [(0.65, 0.85), (0.7, 0.9)]}
"""The pairs that are tried with recipes that are slow."""
CHOSEN = {"SORT": (0.6, 0.9), "ByteTrack": (0.65, 0.85), "OC-SORT": (0.7, 0.9), "IMM": (0.65, 0.85)}
"""The pairs that are best on all sequences of MOT15."""
RECIPES: dict[str, Any] = {name: SCORED[name](*pair) for name, pair in CHOSEN.items()}
EXACT = BoxMotion(reading=0.05, growth=0.5)
"""Of boxes that are more exact than those of MOT15; chosen on these."""
EXACT_RECIPES: dict[str, Any] = {
    "SORT": SORT(motion=EXACT),
    "ByteTrack": ByteTrack(motion=EXACT),
    "OC-SORT": OCSORT(motion=EXACT),
    "IMM": IMMBoxes(motion=BoxMotion(reading=0.05, accel=0.5, growth=0.5)),
}
LEAST = (0.0, 0.5, 0.7)
"""Least scores of boxes of KITTI."""
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


def contenders(recipes: dict[str, Any], filtered: bool, cameras: bool = True) -> dict[str, Run]:
    """Our recipes, with and without the motion of the camera, and the peers that are installed."""
    runs = dict[str, Run]()
    for name, recipe in recipes.items():
        runs[name] = lambda scans, rate, recipe=recipe: followed(recipe, scans, filtered)
        if cameras:
            runs[f"{name}, camera"] = lambda scans, rate, recipe=recipe: followed(recipe, scans, filtered, True)
    if importlib.util.find_spec("trackers"):
        for kind in ("SORT", "ByteTrack", "OCSORT", "BoTSORT"):
            runs[f"trackers {kind}"] = lambda scans, rate, kind=kind: of_trackers(kind, scans, rate)
    if importlib.util.find_spec("arcsort"):
        runs["arcsort"] = lambda scans, rate: of_arcsort(scans)
    return runs


def followed(recipe: Any, scans: Scans, filtered: bool, camera: bool = False) -> TrackTable:
    """Our tracks of a recipe."""
    tracker = recipe if isinstance(recipe, IMMBoxes) else BoxTracker(recipe)
    return tracker.run(scans, filtered=filtered, cameras=CameraMotion().of(scans) if camera else None)


def corners(scans: Scans, i: int) -> tuple[Any, Any]:
    """Corners and scores of a scan."""
    z = scans[i].reshape(-1, 4)
    return np.concatenate([z[:, :2], z[:, :2] + z[:, 2:]], 1), scores_of(scans, i)


def scores_of(scans: Scans, i: int) -> Any:
    """Scores of a scan, 1 where there are none."""
    return np.ones(len(scans[i])) if scans.scores is None else scans.scores[scans.offsets[i] :][: len(scans[i])]


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


def printed(name: str, truths: list[TrackTable], tracks: list[TrackTable]) -> None:
    """A row of the scores over all sequences."""
    c = compare(truths, tracks)
    h, i, m = hota(c), identity(c), clear(c)
    numbers = (f"{100 * value:.1f}" for value in (h.hota, h.deta, h.assa, i.idf1, m.mota))
    print(f"| {name} | {' | '.join(numbers)} | {m.idsw} |", flush=True)


def head(title: str) -> None:
    """The head of a table of scores."""
    print(f"\n{title}\n\n| tracker | HOTA | DetA | AssA | IDF1 | MOTA | IDSW |\n|---|---|---|---|---|---|---|")


def league(title: str, sequences: list[Sequence], runs: dict[str, Run], each: bool = False) -> None:
    """Print the scores of all contenders over all sequences, and over each of them."""
    head(title)
    singles = dict[str, list[str]]()
    for name, run in runs.items():
        tracks = [run(one.scans, one.rate) for one in sequences]
        printed(name, [one.truth for one in sequences], tracks)
        alone = [clear(compare(one.truth, table)) for one, table in zip(sequences, tracks, strict=True)]
        singles[name] = [f"{100 * one.mota:.1f} / {one.idsw}" for one in alone]
    if each:
        published = [PUBLISHED.get(one.name) for one in sequences]
        singles["SORT, published"] = ["" if p is None else f"{p[0]:.1f} / {p[1]}" for p in published]
        print(f"\n| MOTA / IDSW | {' | '.join(one.name for one in sequences)} |\n|{'---|' * (len(sequences) + 1)}")
        for name, cells in singles.items():
            print(f"| {name} | {' | '.join(cells)} |")


def halves(title: str, sequences: list[Sequence], runs: dict[str, Run]) -> None:
    """Print the scores of all contenders, each half of the sequences with the least score that is best on the other."""
    head(title)
    truths = [one.truth for one in sequences]
    for name, run in runs.items():
        tried = LEAST[1:2] if name.startswith("IMM") else LEAST
        tables = [[run(above(one.scans, least), one.rate) for one in sequences] for least in tried]
        found = list[TrackTable](truths)
        for half in (0, 1):
            other = slice(1 - half, None, 2)
            scored = [compare(truths[other], each[other]) for each in tables]
            best = int(np.argmax([hota(c).hota + clear(c).mota for c in scored]))
            found[half::2] = tables[best][half::2]
        printed(name, truths, found)


def above(scans: Scans, least: float) -> Scans:
    """The boxes with such a score or more."""
    scores = [scores_of(scans, i) for i in range(len(scans.ts))]
    kept = [s >= least for s in scores]
    shown = [scans[i][keep] for i, keep in enumerate(kept)]
    return Scans(scans.sensor, shown, scans.ts, scores=[s[keep] for s, keep in zip(scores, kept, strict=True)])


def held(sequences: list[Sequence], names: list[str]) -> None:
    """Print each sequence with the scores that are best on the others, by the mean of MOTA and IDF1."""
    print(f"\n| MOTA / IDSW | {' | '.join(one.name for one in sequences)} |\n|{'---|' * (len(sequences) + 1)}")
    for name in names:
        pairs = FEW.get(name, SCORES)
        values = np.zeros((len(pairs), len(sequences), 3))
        for k, pair in enumerate(pairs):
            for j, one in enumerate(sequences):
                c = compare(one.truth, followed(SCORED[name](*pair), one.scans, True, True))
                values[k, j] = clear(c).mota, identity(c).idf1, clear(c).idsw
        cells = list[str]()
        for j in range(len(sequences)):
            best = int(np.delete(values, j, 1)[..., :2].mean((1, 2)).argmax())
            cells.append(f"{100 * values[best, j, 0]:.1f} / {values[best, j, 2]:.0f} {pairs[best]}")
        every = int(values[..., :2].mean((1, 2)).argmax())
        print(f"| {name}, camera | {' | '.join(cells)} | all: {pairs[every]}", flush=True)


def main(arguments: list[str]) -> int:
    """All tables, or some of them by name."""
    if not DATA.exists():
        print(f"{DATA} is not there; set PILOTAGE_DATA", file=sys.stderr)
        return 2
    wanted = arguments or ["mot15", "truth", "kitti"]
    if "held" in wanted:
        held([*mot15()], [name for name in SCORED if name in wanted] or list(SCORED))
    if "mot15" in wanted:
        league("MOT15, SORT's detections", [*mot15()], contenders(RECIPES, True), each=True)
    if "truth" in wanted:
        league("MOT15, boxes of the truth", [*mot15(perfect=True)], contenders(EXACT_RECIPES, False, cameras=False))
    if "kitti" in wanted:
        for kind in KINDS:
            runs = contenders(EXACT_RECIPES, False)
            halves(f"KITTI tracking, {kind.lower()}s, RRC detections", [*kitti(kind)], runs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
