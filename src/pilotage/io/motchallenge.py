"""Boxes of MOTChallenge: ground truth, detections and results of trackers, plain or gzipped.

Format, as on motchallenge.net; each line is a box in a frame, counted from 1, in pixels:

    frame, id, left, top, width, height, confidence, x, y, z                2D MOT 2015, detections, results
    frame, id, left, top, width, height, flag, class, visibility            ground truth since MOT16

In ground truth, a flag of 0 marks boxes that do not count, and class 1 is a pedestrian. Detections have id -1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pilotage.core import BOX, FormatError, Scans, TrackTable
from pilotage.core.settings import positive, whole

from ._tables import Faulty, Table, number_table, whole_column
from .atomic import write_atomic

COLUMNS = range(6, 11)
CLASS_COLUMNS = 9
"""Columns of ground truth with classes."""


def read_mot_truth(
    path: str | os.PathLike[str],
    *,
    rate: float = 1.0,
    ignored: bool = False,
    classes: Iterable[int] | None = (1,),
    faulty: Faulty = "refuse",
) -> TrackTable:
    """The ground truth of a sequence.

    Args:
        path: the file ``gt.txt``.
        rate: frames a second; frame 1 is at 0 s. 1 counts in frames.
        ignored: whether boxes of flag 0 are kept, with the flag of each box as its `score`; TrackEval drops them.
        classes: classes to keep, where the file has them (9 columns); 1 is a pedestrian. None: all.
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Returns:
        Boxes (`BOX`), with the class of each as its `kind` where the file has classes.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line is not such numbers, a box is not finite or has no area, or an id occurs twice in a
            frame.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "gt.txt")
        ...     _ = file.write_text("1,1,5,6,10,20,1,-1,-1,-1\\n2,1,6,6,10,20,0,-1,-1,-1\\n")
        ...     read_mot_truth(file, rate=25.0)
        TrackTable(1 rows of 1 targets at 1 instants, 0 to 0 s)
    """
    table = _read(path, faulty)
    width = table.values.shape[1]
    if not ignored and width > 6:
        table.keep(table.values[:, 6] != 0)
    if width == CLASS_COLUMNS and classes is not None:
        table.keep(np.isin(table.values[:, 7], [*classes]))
    return _tracks(table, rate, kinds=width == CLASS_COLUMNS, scores=ignored)


def read_mot_tracks(path: str | os.PathLike[str], *, rate: float = 1.0, faulty: Faulty = "refuse") -> TrackTable:
    """The result of a tracker.

    Args:
        path: the file.
        rate: frames a second; frame 1 is at 0 s.
        faulty: "refuse" or "drop"; see `read_mot_truth`.

    Returns:
        Boxes (`BOX`), with their confidences as `score`.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: as `read_mot_truth`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "result.txt")
        ...     _ = file.write_text("1,1,5,6,10,20,0.9,-1,-1,-1\\n")
        ...     read_mot_tracks(file).score
        array([0.9])
    """
    return _tracks(_read(path, faulty), rate, scores=True)


def read_mot_detections(
    path: str | os.PathLike[str],
    *,
    rate: float = 1.0,
    frames: int | None = None,
    least: float = -np.inf,
    sensor: str = "camera",
    faulty: Faulty = "refuse",
) -> Scans:
    """The detections of a sequence, a scan for each frame from 1 on, empty where nothing was detected.

    Args:
        path: the file ``det.txt``.
        rate: frames a second; frame 1 is at 0 s.
        frames: number of frames; None: up to the last one with a detection.
        least: smallest confidence of a detection that counts.
        sensor: the name of the detector.
        faulty: "refuse" or "drop"; see `read_mot_truth`.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: as `read_mot_truth`, but ids do not count; or if there are more frames than `frames`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "det.txt")
        ...     _ = file.write_text("1,-1,5,6,10,20,0.9,-1,-1,-1\\n3,-1,5,6,10,20,0.2,-1,-1,-1\\n")
        ...     read_mot_detections(file, rate=10.0)
        Scans(2 detections in 3 scans)
    """
    table = _read(path, faulty, detections=True)
    if table.values.shape[1] > 6:
        table.keep(table.values[:, 6] >= least)
    return box_scans(table, 0, 1, frames, positive(rate, "rate"), sensor, score=6)


def write_mot_tracks(path: str | os.PathLike[str], table: TrackTable, *, rate: float = 1.0) -> None:
    """Write boxes as the result of a tracker, in one step.

    Args:
        path: the file.
        table: boxes (`BOX`), at times that are frames; without scores, the confidence is 1.
        rate: frames a second; 0 s is frame 1.

    Raises:
        MissingFile: if the folder does not exist.
        FormatError: if the states are no boxes, or a time is not that of a frame.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     write_mot_tracks(Path(folder, "r.txt"), TrackTable([0.1], [7], [[5, 6, 10, 20]], space=BOX), rate=10.0)
        ...     Path(folder, "r.txt").read_text()
        '2,7,5.0,6.0,10.0,20.0,1.0,-1,-1,-1\\n'
    """
    frames = frames_of(path, table, rate) + 1
    scores = np.ones(len(table)) if table.score is None else table.score
    rows = zip(frames.tolist(), table.id.tolist(), table.x.tolist(), scores.tolist(), strict=True)
    write_atomic(path, "".join(f"{k},{i},{','.join(map(repr, box))},{s!r},-1,-1,-1\n" for k, i, box, s in rows))


def frames_of(path: str | os.PathLike[str], table: TrackTable, rate: float) -> NDArray[np.int64]:
    """The frame of each row, counted from 0.

    Raises:
        FormatError: if the states are no boxes, or a time is not that of a frame.
    """
    if table.space != BOX:
        raise FormatError(f"{path} is to hold boxes, and the states are on {table.space}; give a table on BOX")
    given = table.t * positive(rate, "rate")
    frames = np.rint(given)
    if (np.abs(given - frames) > 1e-3).any() or (frames < 0).any():
        k = int(np.argmax((np.abs(given - frames) > 1e-3) | (frames < 0)))
        raise FormatError(f"{path}: {table.t[k]:.9g} s is not the time of a frame at {rate:g} frames a second")
    return frames.astype(np.int64)


def _read(path: str | os.PathLike[str], faulty: Faulty, detections: bool = False) -> Table:
    table = number_table(path, "MOTChallenge", COLUMNS, faulty)
    whole_column(table, 0, "frame", 1)
    if not detections:
        whole_column(table, 1, "id", -np.inf)
    table.refuse_boxes(2)
    table.refuse(np.isnan(table.values[:, 6:7]).any(1), "the confidence is no number")
    if not detections:
        table.refuse_repeated(table.values[:, 0], table.values[:, 1])
    table.warn()
    return table


def _tracks(table: Table, rate: float, *, kinds: bool = False, scores: bool = False) -> TrackTable:
    v, rate = table.values, positive(rate, "rate")
    kind = [str(int(c)) for c in np.nan_to_num(v[:, 7], nan=-1.0)] if kinds else None
    score = v[:, 6] if scores and v.shape[1] > 6 else None
    return TrackTable((v[:, 0] - 1.0) / rate, v[:, 1], v[:, 2:6], space=BOX, score=score, kind=kind)


def box_scans(
    table: Table, frame: int, first: int, frames: int | None, rate: float, sensor: str, *, score: int, kind: str = ""
) -> Scans:
    """Scans of the boxes in columns 2 to 5, one for each frame from `first` on.

    Args:
        table: the rows.
        frame: column of the frames.
        first: number of the first frame, which is at 0 s.
        frames: number of frames; None: up to the last one.
        rate: frames a second.
        sensor: name of the detector.
        score: column of the confidences, if there is one.
        kind: kind of all boxes; none, if empty.

    Raises:
        FormatError: if there are more frames than `frames`, or far more than boxes.
    """
    v = table.values[np.argsort(table.values[:, frame], kind="stable")]
    at = v[:, frame].astype(np.int64) - first
    last = int(at.max(initial=-1)) + 1
    count = last if frames is None else whole(frames, "frames", 0)
    if last > count or count > 1000 * (len(v) + 1000):
        raise FormatError(f"{table.path} has boxes up to frame {last - 1 + first}; expected {count} frames in all")
    ends = np.searchsorted(at, np.arange(count + 1))
    parts = [slice(i, j) for i, j in pairwise(ends)]
    scores = [v[part, score] for part in parts] if v.shape[1] > score else None
    kinds = [[kind] * (part.stop - part.start) for part in parts] if kind else None
    scans = [v[part, 2:6] for part in parts]
    return Scans(sensor, scans, np.arange(count) / rate, scores=scores, kinds=kinds)
