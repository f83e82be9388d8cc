"""Tracks in latitude and longitude, brought to metres in a local frame."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pilotage.core import FormatError, Space, TrackTable
from pilotage.core.settings import instance
from pilotage.models import LocalFrame

from ._tables import Faulty, Table, a_number, named_table, seconds

KNOT = 1852.0 / 3600.0
"""A knot in metres a second."""


@dataclass(frozen=True, eq=False, repr=False)
class GeographicTracks:
    """Tracks of vehicles in a local frame.

    Attributes:
        tracks: positions on ``x y z [m]``, or ``x y [m]`` without heights; x east, y north, z up. With velocities, also
            ``vx vy [m/s]``, or ``vx vy vz [m/s]``.
        frame: the local frame.
        start: time of 0 s, in seconds since 1970 where the file has such times.
        names: name of each id in the file.

    Example:
        >>> table = TrackTable([0.0], [1], [[3.0, 4.0]], space=Space("x y [m]"))
        >>> GeographicTracks(table, LocalFrame(0.9, 0.1), 0.0, {1: "tug"})
        GeographicTracks(1 rows of 1 targets at 1 instants, 0 to 0 s)
    """

    tracks: TrackTable
    frame: LocalFrame
    start: float
    names: dict[int, str]

    def __repr__(self) -> str:
        return repr(self.tracks).replace("TrackTable", "GeographicTracks")


def read_geographic(
    path: str | os.PathLike[str],
    *,
    time: str = "time",
    latitude: str = "latitude",
    longitude: str = "longitude",
    height: str | None = None,
    id: str | None = None,
    origin: LocalFrame | None = None,
    faulty: Faulty = "refuse",
) -> GeographicTracks:
    """The tracks of a csv file with positions in degrees, whose columns you name, plain or gzipped.

    Args:
        path: the file.
        time: column of times: seconds, or dates in UTC.
        latitude: column of latitudes in degrees.
        longitude: column of longitudes in degrees.
        height: column of heights above the ellipsoid [m]; None: positions have x and y only.
        id: column that names the vehicles, in numbers or words; None: there is one.
        origin: the local frame; None: one at the middle of the positions, at height 0.
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a column is missing, a line has no time or position, or a vehicle is at two places at once.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "drone.csv")
        ...     _ = file.write_text("time,latitude,longitude\\n10,50.0,8.0\\n11,50.0,8.0001\\n")
        ...     read_geographic(file).tracks.x.round(2).tolist()
        [[-3.58, 0.0], [3.58, 0.0]]
    """
    numbers: dict[str, Callable[[str], float]] = {time: seconds, latitude: a_number, longitude: a_number}
    numbers |= {} if height is None else {height: a_number}
    table = named_table(path, "csv", numbers, [] if id is None else [id], faulty)
    names = np.full(len(table.lines), "1") if id is None else table.texts[id]
    table.texts = {"id": names}
    table.refuse(~np.isfinite(table.values).all(1), "the time or the position is no number")
    return placed(table, np.zeros((len(table.lines), 0)), origin, numbered(table.texts["id"]), height is not None)


def numbered(names: np.ndarray) -> np.ndarray:
    """Whole numbers for names: their own, if all are such, else counted from 1 in alphabetical order."""
    if all(name.isdecimal() and len(name) < 16 for name in np.unique(names).tolist()):
        return names.astype(np.int64)
    return np.unique(names, return_inverse=True)[1] + 1


def placed(
    table: Table, velocities: np.ndarray, origin: LocalFrame | None, ids: np.ndarray, heights: bool
) -> GeographicTracks:
    """The tracks of rows with time, latitude and longitude in degrees, and perhaps height, and texts `id`.

    Args:
        table: the rows.
        velocities: velocities ``(R, 0)``, or as many columns as positions have.
        origin: the local frame; None: one at the middle of the positions.
        ids: id of each row.
        heights: whether positions have a height.
    """
    extra = table.values.shape[1]
    table.values = np.concatenate([table.values, velocities, ids[:, None].astype(np.float64)], 1)
    table.refuse((np.abs(table.values[:, 1]) > 90.0) | (np.abs(table.values[:, 2]) > 360.0), "it is no place on Earth")
    table.refuse_repeated(table.values[:, 0], table.values[:, -1], "time")
    table.warn()
    v, names = table.values, table.texts["id"]
    lat, lon = np.radians(v[:, 1]), np.radians(v[:, 2])
    if not len(v) and origin is None:
        raise FormatError(f"{table.path} holds no positions, so its local frame is not known; give an origin")
    frame = _middle(lat, lon) if origin is None else instance(origin, LocalFrame, "origin")
    height = v[:, 3] if heights else np.full(len(v), frame.height)
    at = frame.enu(np.stack([lat, lon, height], -1))[:, : 3 if heights else 2]
    axes = "x y z" if heights else "x y"
    moving = velocities.shape[1] > 0
    speeds = " ".join(f"v{axis}" for axis in axes.split()) + " [m/s]"
    space = Space(f"{axes} [m]", speeds) if moving else Space(f"{axes} [m]")
    start = float(v[:, 0].min()) if len(v) else 0.0
    x = np.concatenate([at, v[:, extra : extra + velocities.shape[1]]], 1)
    id = v[:, -1].astype(np.int64)
    known = {int(i): str(name) for i, name in zip(id, names, strict=True)}
    return GeographicTracks(TrackTable(v[:, 0] - start, id, x, space=space), frame, start, known)


def _middle(lat: np.ndarray, lon: np.ndarray) -> LocalFrame:
    """A frame at the middle of places, also where they lie on both sides of the date line."""
    east = np.arctan2(np.sin(lon).mean(), np.cos(lon).mean())
    turns = np.remainder(lon - east + np.pi, 2.0 * np.pi) - np.pi
    return LocalFrame(float(0.5 * (lat.min() + lat.max())), float(east + 0.5 * (turns.min() + turns.max())))
