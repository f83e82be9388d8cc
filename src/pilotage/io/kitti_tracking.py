"""Tracks of the KITTI tracking benchmark: labels in the image and in space, 2-D detections, and results.

Format of labels and results, as in the development kit of KITTI tracking; words separated by spaces, frames from 0:

    frame id type truncated occluded alpha x1 y1 x2 y2 h w l x y z rotation_y [score]

Boxes in the image are in pixels; height, width, length and place in the camera's frame (x right, y down, z forward) in
metres. Regions in which nothing is labelled have the type DontCare and the id -1. Detections, as distributed with
DeepFusionMOT and others, are ``frame, x1, y1, x2, y2, score``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pilotage.core import BOX, FormatError, Scans, Space, TrackTable
from pilotage.core.settings import positive

from ._tables import Faulty, Table, number_table, whole_column
from .atomic import write_atomic
from .contents import text_lines
from .motchallenge import box_scans, frames_of

RATE = 10.0
"""Frames a second of all sequences."""
SOLID = Space("x y z [m]", "yaw: angle", "length width height [m]")
COLUMNS = (17, 18)
IGNORED = "DontCare"


@dataclass(frozen=True, eq=False, repr=False)
class KittiLabels:
    """The labels of a sequence.

    Attributes:
        boxes: boxes in the image (`BOX`), with the type of each target as its kind, and scores if the file has them.
        solids: the same targets in space, on ``x y z [m]``, ``yaw`` and ``length width height [m]``: x forward, y left,
            z up from the camera, at the middle of the lower face.
        ignored: regions in which nothing is labelled, boxes at each frame.

    Example:
        >>> nothing = TrackTable([], [], [], space=BOX)
        >>> KittiLabels(nothing, nothing, Scans("DontCare", [], []))
        KittiLabels(0 rows of 0 targets, 0 ignored regions)
    """

    boxes: TrackTable
    solids: TrackTable
    ignored: Scans

    def __repr__(self) -> str:
        rows, targets = len(self.boxes), len(self.boxes.ids)
        return f"KittiLabels({rows} rows of {targets} targets, {len(self.ignored.z)} ignored regions)"


def read_kitti_labels(
    path: str | os.PathLike[str], *, kinds: Iterable[str] | None = None, faulty: Faulty = "refuse"
) -> KittiLabels:
    """The labels of a sequence, or the result of a tracker, plain or gzipped; 10 frames a second.

    Args:
        path: the file.
        kinds: types to keep, such as ``["Car", "Van"]``; None: all.
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line has other words, a box is not finite or has no area, or an id occurs twice in a frame.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "0000.txt")
        ...     _ = file.write_text("0 3 Car 0 0 0.1 10 20 50 40 1.5 1.6 4.0 2.0 1.7 12.0 -1.5707963\\n")
        ...     labels = read_kitti_labels(file)
        >>> labels.boxes.x.tolist(), (labels.solids.x.round(3) + 0.0).tolist()
        ([[10.0, 20.0, 40.0, 20.0]], [[12.0, -2.0, -1.7, 0.0, 4.0, 1.6, 1.5]])
    """
    table = _read(path, faulty)
    wanted = None if kinds is None else [*kinds]
    labelled = table.texts["type"] != IGNORED
    ignored = Table(path, faulty, table.lines[~labelled], table.values[~labelled])
    frames = int(table.values[:, 0].max(initial=-1)) + 1
    table.keep(labelled if wanted is None else labelled & np.isin(table.texts["type"], wanted))
    table.refuse_repeated(table.values[:, 0], table.values[:, 1])
    table.warn()
    v, kind = table.values, table.texts["type"]
    score = v[:, 16] if v.shape[1] > 16 else None
    t = v[:, 0] / RATE
    boxes = TrackTable(t, v[:, 1], v[:, 5:9], space=BOX, score=score, kind=kind)
    h, w, l, x, y, z, turn = v[:, 9:16].T
    yaw = -0.5 * np.pi - turn
    solid = SOLID.normalize(np.stack([z, -x, -y, yaw, l, w, h], -1))
    regions = np.concatenate([ignored.values[:, :2], ignored.values[:, 5:9]], 1)
    ignored.values = regions
    scans = box_scans(ignored, 0, 0, frames, RATE, IGNORED, score=6)
    return KittiLabels(boxes, TrackTable(t, v[:, 1], solid, space=SOLID, score=score, kind=kind), scans)


def read_kitti_detections(
    path: str | os.PathLike[str],
    *,
    frames: int | None = None,
    least: float = -np.inf,
    kind: str = "",
    sensor: str = "camera",
    faulty: Faulty = "refuse",
) -> Scans:
    """2-D detections of a sequence, a scan for each frame; 10 frames a second.

    Args:
        path: the file, with lines ``frame, x1, y1, x2, y2, score``.
        frames: number of frames; None: up to the last one with a detection.
        least: smallest score of a detection that counts.
        kind: the kind of all detections, such as "Car"; none, if empty.
        sensor: the name of the detector.
        faulty: "refuse" or "drop"; see `read_kitti_labels`.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line is not such numbers, a box is not finite or has no area, or there are more frames.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "0000.txt")
        ...     _ = file.write_text("0,10,20,50,40,0.9\\n2,11,20,51,40,0.8\\n")
        ...     read_kitti_detections(file, kind="Car")
        Scans(2 detections in 3 scans)
    """
    table = number_table(path, "KITTI", range(6, 7), faulty)
    v = table.values
    table.values = np.concatenate([v[:, :1], v[:, :1], v[:, 1:3], v[:, 3:5] - v[:, 1:3], v[:, 5:]], 1)
    whole_column(table, 0, "frame", 0)
    table.refuse_boxes(2)
    table.refuse(~np.isfinite(table.values[:, 6]), "the score is no number")
    table.warn()
    table.keep(table.values[:, 6] >= least)
    return box_scans(table, 0, 0, frames, RATE, sensor, score=6, kind=kind)


def write_kitti_tracks(
    path: str | os.PathLike[str], table: TrackTable, *, kind: str = "Car", rate: float = RATE
) -> None:
    """Write boxes as the result of a tracker, in one step; what is not known of them is written as the kit asks.

    Args:
        path: the file.
        table: boxes (`BOX`), with their kinds, of which spaces become ``_``; without scores, the score is 1.
        kind: the kind of boxes for which the table has none.
        rate: frames a second; 0 s is frame 0.

    Raises:
        MissingFile: if the folder does not exist.
        FormatError: if the states are no boxes, or a time is not that of a frame.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     write_kitti_tracks(Path(folder, "0.txt"), TrackTable([0.1], [7], [[5, 6, 10, 20]], space=BOX))
        ...     Path(folder, "0.txt").read_text()
        '1 7 Car -1 -1 -10 5.0 6.0 15.0 26.0 -1 -1 -1 -1000 -1000 -1000 -10 1.0\\n'
    """
    frames = frames_of(path, table, positive(rate, "rate"))
    scores = np.ones(len(table)) if table.score is None else table.score
    given = [""] * len(table) if table.kind is None else table.kind.tolist()
    kinds = ["_".join((each or kind).split()) for each in given]
    corners = np.concatenate([table.x[:, :2], table.x[:, :2] + table.x[:, 2:]], 1)
    rows = zip(frames.tolist(), table.id.tolist(), kinds, corners.tolist(), scores.tolist(), strict=True)
    unknown = "-1 -1 -1 -1000 -1000 -1000 -10"
    lines = (f"{k} {i} {c} -1 -1 -10 {' '.join(map(repr, box))} {unknown} {s!r}\n" for k, i, c, box, s in rows)
    write_atomic(path, "".join(lines))


def _read(path: str | os.PathLike[str], faulty: Faulty) -> Table:
    """Rows of labels; frame, id, truncated, occluded, alpha, left, top, width, height, and the rest; types as texts."""
    lines = text_lines(path, "KITTI")
    found = [(i, words) for i, line in enumerate(lines, 1) if (words := line.split())]
    width = len(found[0][1]) if found else COLUMNS[0]
    if width not in COLUMNS:
        raise FormatError(f"{path}, line {found[0][0]}: {width} words; expected {COLUMNS[0]} or {COLUMNS[1]}")
    values = np.array([_numbers(words, width) for _, words in found], dtype=np.float64).reshape(-1, width - 1)
    types = np.array([words[2] if len(words) > 2 else "" for _, words in found], dtype=np.str_)
    values[:, 7:9] -= values[:, 5:7]
    table = Table(path, faulty, np.array([i for i, _ in found], dtype=np.int64), values, {"type": types})
    table.refuse(~np.isfinite(values).all(1), f"it does not hold {width} words, a type and finite numbers")
    whole_column(table, 0, "frame", 0)
    whole_column(table, 1, "id", -1)
    table.refuse_boxes(5)
    return table


def _numbers(words: list[str], width: int) -> list[float]:
    """All words but the type as numbers; NaN if they are others."""
    try:
        if len(words) == width:
            return [float(word) for k, word in enumerate(words) if k != 2]
    except ValueError:
        pass
    return [float("nan")] * (width - 1)
