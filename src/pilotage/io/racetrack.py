"""Race tracks as csv: a centre line with widths, and the line that a car races along.

Format: github.com/f1tenth/f1tenth_racetracks, after github.com/TUMFTM/racetrack-database. In a folder NAME:

    NAME_centerline.csv   # x_m, y_m, w_tr_right_m, w_tr_left_m
    NAME_raceline.csv     # s_m; x_m; y_m; psi_rad; kappa_radpm; vx_mps; ax_mps2       (if there is one)
    NAME_map.yaml         the map of the ROS map_server, for `OccupancyGrid.load`      (not read here)

Lines that begin with # are comments.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError

from .contents import path_of, text_lines

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class RaceLine:
    """A line around a track with a speed profile; its last point is the first one again, a lap later.

    Attributes:
        s: arc length ``(N,)`` [m], increasing.
        points: x and y ``(N, 2)`` [m].
        yaw: direction ``(N,)`` [rad].
        curvature: ``(N,)`` [1/m], positive to the left.
        speed: ``(N,)`` [m/s], positive.
        accel: acceleration along the line ``(N,)`` [m/s^2].

    Example:
        >>> zero, two = np.zeros(2), np.full(2, 2.0)
        >>> RaceLine(np.array([0.0, 4.0]), np.zeros((2, 2)), zero, zero, two, zero).seconds
        2.0
    """

    s: Array
    points: Array
    yaw: Array
    curvature: Array
    speed: Array
    accel: Array

    @property
    def seconds(self) -> float:
        """The time of a lap [s], at a constant acceleration from one point to the next."""
        return float((2.0 * np.diff(self.s) / (self.speed[1:] + self.speed[:-1])).sum())

    def __repr__(self) -> str:
        return f"RaceLine({len(self.s)} points, {self.s[-1]:.4g} m, {self.seconds:.4g} s)"


@dataclass(frozen=True, eq=False, repr=False)
class RaceTrack:
    """A closed race track.

    Attributes:
        name: name of the track.
        center: x and y of the centre line ``(K, 2)`` [m], in the direction of the race; the last point is followed by
            the first one.
        right, left: distances from the centre line to the edges of the track ``(K,)`` [m].
        raceline: the line that is published with the track, or None.
        map: the file of its map; it need not exist.

    Example:
        >>> RaceTrack("ring", np.zeros((4, 2)), np.ones(4), np.ones(4), None, Path("ring_map.yaml"))
        RaceTrack(ring, 4 points, without a race line)
    """

    name: str
    center: Array
    right: Array
    left: Array
    raceline: RaceLine | None
    map: Path

    def __repr__(self) -> str:
        line = "without a race line" if self.raceline is None else repr(self.raceline)
        return f"RaceTrack({self.name}, {len(self.center)} points, {line})"


def read_racetrack(folder: str | os.PathLike[str]) -> RaceTrack:
    """The race track in a folder that has its name.

    Raises:
        MissingFile: if there is no centre line.
        FormatError: if a line of a file is not as many finite numbers as it should be, there are fewer than 3 points,
            or the widths, the arc lengths or the speeds are not those of a track that is driven forwards.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as top:
        ...     folder = Path(top, "ring")
        ...     folder.mkdir()
        ...     _ = Path(folder, "ring_centerline.csv").write_text("0, 0, 1, 1\\n9, 0, 1, 1\\n9, 9, 1, 1\\n")
        ...     read_racetrack(folder)
        RaceTrack(ring, 3 points, without a race line)
    """
    folder = path_of(folder)
    name = folder.name
    file = folder / f"{name}_centerline.csv"
    center = _table(file, ",", 4)
    if (center[:, 2:] <= 0.0).any():
        raise FormatError(f"{file}: some widths are not positive; expected the distances to the edges of the track")
    xy, right, left = np.ascontiguousarray(center[:, :2]), center[:, 2].copy(), center[:, 3].copy()
    file = folder / f"{name}_raceline.csv"
    return RaceTrack(name, xy, right, left, _raceline(file) if file.exists() else None, folder / f"{name}_map.yaml")


def _raceline(file: Path) -> RaceLine:
    s, x, y, yaw, curvature, speed, accel = _table(file, ";", 7).T.copy()
    if (np.diff(s) <= 0.0).any() or (speed <= 0.0).any():
        raise FormatError(f"{file}: s does not increase, or a speed is not positive, all the way round")
    return RaceLine(s, np.stack([x, y], -1), yaw, curvature, speed, accel)


def _table(file: Path, separator: str, columns: int) -> Array:
    """The numbers of a csv file ``(K, columns)``."""
    rows: list[list[float]] = []
    for i, line in enumerate(text_lines(file, "race track"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            rows.append([float(word) for word in line.split(separator)])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != columns or not np.isfinite(rows[-1]).all():
            raise FormatError(f"{file}, line {i}: {line[:40]!r} is not {columns} numbers with {separator!r} between")
    if len(rows) < 3:
        raise FormatError(f"{file} holds {len(rows)} points; expected 3 or more")
    return np.array(rows)
