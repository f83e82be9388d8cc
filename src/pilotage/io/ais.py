"""Tracks of ships: csv files of AIS reports.

Columns are found under the names in use: those of Marine Cadastre (MMSI, BaseDateTime, LAT, LON, SOG, COG), of the
Danish Maritime Authority, and of Stone Soup (Time, MMSI, Latitude_degrees, Longitude_degrees, COG_degrees, SOG_knots).
"""

from __future__ import annotations

import os

import numpy as np

from pilotage.core import FormatError
from pilotage.models import LocalFrame

from ._tables import Faulty, a_number, csv_header, named_table, seconds
from .geographic import KNOT, GeographicTracks, placed

NAMES = {
    "time": ("basedatetime", "time", "timestamp", "# timestamp"),
    "id": ("mmsi",),
    "latitude": ("lat", "latitude", "latitude_degrees"),
    "longitude": ("lon", "longitude", "longitude_degrees"),
    "speed": ("sog", "sog_knots", "speed"),
    "course": ("cog", "cog_degrees", "course"),
}
NO_SPEED, NO_COURSE = 102.3, 360.0
"""Values from which on speed and course mean "not available" in AIS."""


def read_ais(
    path: str | os.PathLike[str],
    *,
    velocity: bool = False,
    origin: LocalFrame | None = None,
    faulty: Faulty = "refuse",
) -> GeographicTracks:
    """The tracks of ships in a csv file of AIS reports, plain or gzipped; ids are MMSI numbers.

    Args:
        path: the file.
        velocity: whether to read speed and course over ground too, as ``vx vy [m/s]``; reports without them are then
            left out.
        origin: the local frame; None: one at the middle of the positions.
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a column is missing, a line has no time, MMSI or place on Earth, or a ship is at two places at
            once.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "solent.csv")
        ...     row = "235012345,2017-01-01T00:00:00,50.8,-1.3,10,90"
        ...     _ = file.write_text(f"MMSI,BaseDateTime,LAT,LON,SOG,COG\\n{row}\\n")
        ...     ships = read_ais(file, velocity=True)
        >>> ships.tracks.id.tolist(), ships.tracks.x.round(3).tolist()
        ([235012345], [[0.0, 0.0, 5.144, 0.0]])
    """
    wanted = ["time", "id", "latitude", "longitude", *(["speed", "course"] if velocity else [])]
    columns = [_column(path, name) for name in wanted]
    readers = [seconds, *[a_number] * (len(columns) - 1)]
    table = named_table(path, "AIS", dict(zip(columns, readers, strict=True)), [], faulty)
    bad = ~np.isfinite(table.values[:, :4]).all(1) | ~(np.rint(table.values[:, 1]) == table.values[:, 1])
    table.refuse(bad | (np.abs(table.values[:, 1]) > 1e12), "the time, the MMSI or the position is no number")
    if velocity:
        table.keep((table.values[:, 4] < NO_SPEED) & (table.values[:, 5] < NO_COURSE))
    v = table.values
    speeds = np.zeros((len(v), 0))
    if velocity:
        course = np.radians(v[:, 5])
        speeds = v[:, 4:5] * KNOT * np.stack([np.sin(course), np.cos(course)], -1)
    ids = v[:, 1].astype(np.int64)
    table.texts, table.values = {"id": ids.astype(np.str_)}, v[:, [0, 2, 3]]
    return placed(table, speeds, origin, ids, heights=False)


def _column(path: str | os.PathLike[str], name: str) -> str:
    """The column of the file under any of the names in use."""
    header = csv_header(path, "AIS")
    found = [column for column in header if column.lower() in NAMES[name]]
    if not found:
        known, there = ", ".join(NAMES[name]), ", ".join(header) or "none"
        raise FormatError(f"{path} has no column for the {name}; expected one of {known}; it has {there}")
    return found[0]
