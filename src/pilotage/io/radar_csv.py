"""Detections and tracks in csv files whose columns you name, such as those of a radar."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from pilotage.core import Scans, ShapeError, Space, TrackTable
from pilotage.core.settings import instance, positive

from ._tables import Faulty, Table, a_number, csv_header, named_table, seconds
from .atomic import write_atomic
from .geographic import numbered


def read_radar_csv(
    path: str | os.PathLike[str],
    columns: str,
    *,
    time: str = "time",
    sensor: Any = "radar",
    degrees: str = "",
    score: str | None = None,
    kind: str | None = None,
    together: float = 0.0,
    faulty: Faulty = "refuse",
) -> Scans:
    """The detections of a csv file with a header, plain or gzipped; times as they are in the file.

    Args:
        path: the file.
        columns: the columns of a reading in the order of the sensor, such as ``"range bearing"``.
        time: column of times: seconds, or dates in UTC, which become seconds since 1970.
        sensor: the sensor, or its name.
        degrees: the columns of those that are in degrees.
        score: column of confidences.
        kind: column of kinds.
        together: detections within so many seconds from the first one are one scan.
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a column is missing, or a line has no time or reading.
        ShapeError: if readings do not fit the sensor.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "radar.csv")
        ...     _ = file.write_text("t,azimuth,range\\n5.0,90,100\\n5.0,0,50\\n6.0,180,10\\n")
        ...     scans = read_radar_csv(file, "range azimuth", time="t", degrees="azimuth")
        >>> scans, scans[0].round(3).tolist()
        (Scans(3 detections in 2 scans), [[100.0, 1.571], [50.0, 0.0]])
    """
    texts = [] if kind is None else [kind]
    table = _table(path, columns, time, degrees, [score] if score else [], texts, faulty)
    table.warn()
    table.keep(np.argsort(table.values[:, 0], kind="stable"))
    v, width = table.values, len(columns.split())
    t = v[:, 0]
    first = _scans(t, positive(together, "together", zero=True))
    parts = [slice(i, j) for i, j in pairwise([*first, len(t)])]
    scores = None if score is None else [v[part, width + 1] for part in parts]
    kinds = None if kind is None else [table.texts[kind][part] for part in parts]
    return Scans(sensor, [v[part, 1 : width + 1] for part in parts], t[first], scores=scores, kinds=kinds)


def _scans(t: np.ndarray, together: float) -> list[int]:
    """The row with which each scan begins."""
    first = list[int]()
    for row, when in enumerate(t.tolist()):
        if not first or when - t[first[-1]] > together:
            first.append(row)
    return first


def read_track_csv(
    path: str | os.PathLike[str],
    space: Space,
    columns: str | None = None,
    *,
    time: str = "time",
    id: str = "id",
    degrees: str = "",
    faulty: Faulty = "refuse",
) -> TrackTable:
    """The tracks of a csv file with a header, plain or gzipped; times as they are in the file.

    Columns called score and kind are read as such.

    Args:
        path: the file.
        space: the space of the states.
        columns: the columns of a state in the order of the space; None: the names of its components.
        time: column of times: seconds, or dates in UTC.
        id: column of ids: whole numbers, or words, which are numbered from 1 in alphabetical order.
        degrees: the columns of those that are in degrees.
        faulty: "refuse" or "drop"; see `read_radar_csv`.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a column is missing, a line has no time or state, or an id occurs twice at a time.
        ShapeError: if there are more or fewer columns than the space has components.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "tracks.csv")
        ...     _ = file.write_text("time,id,x,y\\n0.0,4,1,2\\n0.5,4,3,4\\n")
        ...     read_track_csv(file, Space("x y [m]")).x.tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    names = " ".join(instance(space, Space, "read_track_csv").names) if columns is None else columns
    header = csv_header(path, "csv")
    texts = [id, *(name for name in ("kind",) if name in header)]
    extra = [name for name in ("score",) if name in header]
    table = _table(path, names, time, degrees, extra, texts, faulty)
    width = len(names.split())
    if width != space.size:
        raise ShapeError(f"{width} columns were named for the {space.size} components of {space}; name one for each")
    ids = numbered(table.texts[id])
    table.values = np.column_stack([table.values, ids])
    table.refuse_repeated(table.values[:, 0], table.values[:, -1], "time")
    table.warn()
    v = table.values
    score = v[:, width + 1] if extra else None
    x = space.normalize(v[:, 1 : width + 1])
    return TrackTable(v[:, 0], v[:, -1], x, space=space, score=score, kind=table.texts.get("kind"))


def write_track_csv(path: str | os.PathLike[str], table: TrackTable) -> None:
    """Write tracks as a csv file, in one step, without rounding; `read_track_csv` reads it. Covariances are left out.

    Args:
        path: the file.
        table: the tracks.

    Raises:
        MissingFile: if the folder does not exist.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     write_track_csv(Path(folder, "a.csv"), TrackTable([0.0], [4], [[1.0, 2.0]], space=Space("x y [m]")))
        ...     Path(folder, "a.csv").read_text()
        'time,id,x,y\\n0.0,4,1.0,2.0\\n'
    """
    labels = {name: column for name, column in (("score", table.score), ("kind", table.kind)) if column is not None}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", "id", *table.space.names, *labels])
    others = [column.tolist() for column in labels.values()]
    for t, i, x, *rest in zip(table.t.tolist(), table.id.tolist(), table.x.tolist(), *others, strict=True):
        writer.writerow([repr(t), i, *map(repr, x), *rest])
    write_atomic(path, text.getvalue())


def _table(
    path: str | os.PathLike[str],
    columns: str,
    time: str,
    degrees: str,
    extra: list[str],
    texts: list[str],
    faulty: Faulty,
) -> Table:
    """Rows of the time, these columns, and extra ones; all finite, angles in radians."""
    names = columns.split()
    numbers: dict[str, Callable[[str], float]] = dict.fromkeys([*names, *extra], a_number)
    table = named_table(path, "csv", {time: seconds, **numbers}, texts, faulty)
    table.refuse(
        ~np.isfinite(table.values).all(1), f"the {time}, or one of {', '.join([*names, *extra])}, is no number"
    )
    turned = [k + 1 for k, name in enumerate(names) if name in degrees.split()]
    table.values[:, turned] = np.radians(table.values[:, turned])
    return table
