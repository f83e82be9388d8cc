"""Tracks of aircraft: csv files of ADS-B state vectors, as OpenSky Network gives them.

Columns that are read: time (seconds since 1970), icao24, lat, lon (degrees), geoaltitude, baroaltitude [m], velocity
[m/s], heading (degrees from north, clockwise), vertrate [m/s], onground.
"""

from __future__ import annotations

import os

import numpy as np

from pilotage.models import LocalFrame

from ._tables import Faulty, a_number, named_table, seconds
from .geographic import GeographicTracks, placed

COLUMNS = ("lat", "lon", "geoaltitude", "baroaltitude", "velocity", "heading", "vertrate")


def read_adsb(
    path: str | os.PathLike[str],
    *,
    time: str = "time",
    velocity: bool = False,
    ground: bool = True,
    origin: LocalFrame | None = None,
    faulty: Faulty = "refuse",
) -> GeographicTracks:
    """The tracks of aircraft in a csv file of OpenSky state vectors, plain or gzipped; ids are the ICAO addresses.

    The height is the geometric one, or the barometric one where that is missing. State vectors without a position or a
    height, which are part of the format, are left out.

    Args:
        path: the file.
        time: column of times. "time" is when the state vector was made, "lastposupdate" when its position was received,
            up to some seconds before: what a filter wants. State vectors that repeat a time and position are left out.
        velocity: whether to read velocities too, as ``vx vy vz [m/s]``; state vectors without them are then left out.
        ground: whether to keep aircraft on the ground.
        origin: the local frame; None: one at the middle of the positions, at height 0.
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a column is missing, a line has no time or ICAO address, or an aircraft is at two places
            at once.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "states.csv")
        ...     head = "time,icao24,lat,lon,velocity,heading,vertrate,onground,baroaltitude,geoaltitude\\n"
        ...     _ = file.write_text(head + "1626098400,3c4591,51.5,-0.4,250,90,-2,False,10668,10843\\n")
        ...     planes = read_adsb(file, velocity=True)
        >>> planes.names, (planes.tracks.x.round(1) + 0.0).tolist()
        ({3949969: '3c4591'}, [[0.0, 0.0, 10843.0, 250.0, 0.0, -2.0]])
    """
    readers = {time: seconds, **dict.fromkeys(COLUMNS, a_number)}
    table = named_table(path, "ADS-B", readers, ["icao24", "onground"], faulty)
    address = np.array([_address(name) for name in table.texts["icao24"].tolist()], dtype=np.float64)
    table.values = np.concatenate([table.values, address[:, None]], 1)
    if time != "time":  # there is none of a position that was never received
        table.keep(np.isfinite(table.values[:, 1:3]).all(1))
    table.refuse(~np.isfinite(table.values[:, [0, 8]]).all(1), "the time or the ICAO address is no number")
    v = table.values
    height = np.where(np.isfinite(v[:, 3]), v[:, 3], v[:, 4])
    course = np.radians(v[:, 6])
    speeds = np.stack([v[:, 5] * np.sin(course), v[:, 5] * np.cos(course), v[:, 7]], -1)[:, : 3 if velocity else 0]
    flying = np.char.lower(table.texts["onground"]) != "true"
    kept = np.isfinite(np.column_stack([v[:, 1:3], height, speeds])).all(1) & (ground | flying)
    table.values = np.column_stack([v[:, :3], height, v[:, 8], speeds])
    table.keep(kept)
    _, first = np.unique(table.values[:, [0, 1, 2, 4]], axis=0, return_index=True)
    table.keep(np.sort(first))
    ids, speeds = table.values[:, 4].astype(np.int64), table.values[:, 5:]
    table.texts, table.values = {"id": table.texts["icao24"]}, table.values[:, :4]
    return placed(table, speeds, origin, ids, heights=True)


def _address(name: str) -> float:
    """The number of an ICAO address in hexadecimal digits; NaN for other words."""
    try:
        return float(int(name, 16)) if len(name) <= 6 else float("nan")
    except ValueError:
        return float("nan")
