"""Logs of inertial sensors with the fixes that go with them, plain or gzipped.

Readings come out in SI units and in the axes of the library: x forward, y left, z up, specific force (about +9.81 m/s^2
along z at rest), turn rates counter-clockwise, course counter-clockwise from east.

- `read_car_log`: csv of a car with GNSS, github.com/balzer82/Kalman, `2014-*-Data.csv`
- `read_phone_log`: csv of a phone, same source, `2016-*.csv`
- `read_gtsam_log`: csv of GTSAM's example of IMU factors, github.com/borglab/gtsam, `imuAndGPSdata.csv`
- `read_laser_radar`: a target seen by laser and radar, from Udacity's course on Kalman filters
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError

from .contents import text_lines
from .trajectories import TO_WXYZ

Array = NDArray[np.float64]
PathLike = str | os.PathLike[str]
GRAVITY = 9.80665
"""The unit of a phone's accelerometer [m/s^2]."""
EPOCH = {"minutes": slice(14, 16), "seconds": slice(17, None)}  # of 2016-09-12 11:12:06.642


@dataclass(frozen=True, eq=False)
class InertialLog:
    """A log of an IMU and a GNSS receiver; times [s] count from the first reading of the IMU.

    Attributes:
        ts: times of the IMU ``(T,)``.
        gyro, accel: turn rates and specific forces ``(T, 3)`` [rad/s, m/s^2].
        fix_ts: times of the fixes ``(K,)``.
        fixes: latitude [rad], longitude [rad], height above the sea [m], ``(K, 3)``.
        accuracy: the receiver's own estimate of the horizontal error ``(K,)`` [m].
        track_ts: times of course and speed ``(L,)``.
        tracks: course, counter-clockwise from east [rad], and speed [m/s], ``(L, 2)``.

    Example:
        >>> rest, none = np.array([[0.0, 0.0, 9.81]]), np.zeros(0)
        >>> log = InertialLog(np.zeros(1), 0.0 * rest, rest, none, np.zeros((0, 3)), none, none, np.zeros((0, 2)))
        >>> log.accel.tolist()
        [[0.0, 0.0, 9.81]]
    """

    ts: Array
    gyro: Array
    accel: Array
    fix_ts: Array
    fixes: Array
    accuracy: Array
    track_ts: Array
    tracks: Array


@dataclass(frozen=True, eq=False)
class PoseFixLog:
    """A log of an IMU and of pose fixes, in a world without gravity.

    Attributes:
        initial: position [m], velocity [m/s], quaternion wxyz, ``(10,)``.
        gyro, accel: ``(T, 3)`` [rad/s, m/s^2].
        steps: how many readings of the IMU come before each fix ``(K,)``.
        poses: position [m] and quaternion wxyz ``(K, 7)``.

    Example:
        >>> log = PoseFixLog(np.zeros(10), np.zeros((4, 3)), np.zeros((4, 3)), np.array([2, 4]), np.zeros((2, 7)))
        >>> log.steps.tolist()
        [2, 4]
    """

    initial: Array
    gyro: Array
    accel: Array
    steps: NDArray[np.intp]
    poses: Array


@dataclass(frozen=True, eq=False)
class LaserRadarLog:
    """Readings of one target by a laser scanner and a radar at the origin, with the truth at every reading.

    Attributes:
        ts: times from the first reading ``(T,)`` [s].
        laser: x, y ``(T, 2)`` [m]; NaN where the radar measured.
        radar: range [m], azimuth [rad], range rate [m/s], ``(T, 3)``; NaN where the laser measured.
        truth: x, y [m], vx, vy [m/s], yaw [rad], yaw rate [rad/s], ``(T, 6)``.

    Example:
        >>> log = LaserRadarLog(np.zeros(1), np.array([[0.3, 0.5]]), np.full((1, 3), np.nan), np.zeros((1, 6)))
        >>> log.laser.tolist()
        [[0.3, 0.5]]
    """

    ts: Array
    laser: Array
    radar: Array
    truth: Array


def read_car_log(path: PathLike) -> InertialLog:
    """The log of a car; a fix counts where its position changes, a course where it or the speed does.

    The file's accelerations have the sign of gravity, its course counts clockwise from north, its speed is in km/h.

    Raises:
        FormatError: if a column is missing or a value is no number; the message names it.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "car.csv"
        >>> head = "millis,ax,ay,az,rollrate,pitchrate,yawrate,speed,course,latitude,longitude,altitude,epe"
        >>> _ = file.write_text(head + "\\n0,0,0,-9.81,0,0,0,36,0,51.0,13.8,112,3\\n")
        >>> read_car_log(file).tracks.round(3).tolist()               # north at 10 m/s
        [[1.571, 10.0]]
    """
    names = ["millis", "ax", "ay", "az", "rollrate", "pitchrate", "yawrate", "speed", "course"]
    table = _columns(path, [*names, "latitude", "longitude", "altitude", "epe"], "car")
    if np.isnan(table).any():
        raise FormatError(f"{path}: a value is missing in row {int(np.isnan(table).any(1).argmax()) + 1} of a car log")
    ts = (table[:, 0] - table[0, 0]) / 1e3
    fixes, tracks = table[:, 9:12], np.stack([_east(table[:, 8]), table[:, 7] / 3.6], -1)
    fixed, tracked = _changed(fixes[:, :2]), _changed(tracks)
    return InertialLog(
        ts, np.radians(table[:, 4:7]), -table[:, 1:4], ts[fixed], _radians(fixes[fixed]), table[fixed, 12],
        ts[tracked], tracks[tracked],
    )  # fmt: skip


def read_phone_log(path: PathLike) -> InertialLog:
    """The log of a phone, in its own axes: x to the right of the screen, y up, z out of it.

    Rows without IMU are left out; courses and speeds that the phone did not know are NaN.

    Raises:
        FormatError: if a column is missing or a value is no number; the message names it.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "phone.csv"
        >>> _ = file.write_text("loggingTime\\n2016-09-12 11:12:06.642\\n")
        >>> read_phone_log(file)
        Traceback (most recent call last):
        pilotage.core.errors.FormatError: ... line 1: a phone log has a column 'accelerometerTimestamp_sinceReboot'...
    """
    at = "location"
    table = _columns(
        path,
        [
            "accelerometerTimestamp_sinceReboot", *(f"accelerometerAcceleration{a}" for a in "XYZ"),
            *(f"gyroRotation{a}" for a in "XYZ"), f"{at}Latitude", f"{at}Longitude", f"{at}Altitude",
            f"{at}HorizontalAccuracy", f"{at}Course", f"{at}Speed", f"{at}Timestamp_since1970", "loggingTime",
        ],
        "phone",
    )  # fmt: skip
    ts = table[:, 0] - table[0, 0]
    whole, fixed = ~np.isnan(table[:, :7]).any(axis=1), ~np.isnan(table[:, [0, 7, 8]]).any(axis=1)
    age = (table[fixed, 14] - table[fixed, 13]) % 3600.0  # the two clocks may differ by time zones
    fix_ts, unknown = ts[fixed] - age, table[fixed, 11:13] < 0.0
    tracks = np.where(unknown, np.nan, np.stack([_east(table[fixed, 11]), table[fixed, 12]], -1))
    return InertialLog(
        ts[whole], table[whole, 4:7], -GRAVITY * table[whole, 1:4], fix_ts, _radians(table[fixed, 7:10]),
        table[fixed, 10], fix_ts, tracks,
    )  # fmt: skip


def read_gtsam_log(path: PathLike) -> PoseFixLog:
    """GTSAM's log of an IMU at 200 Hz and pose fixes: lines `i`, initial state, `0`, IMU, and `1`, pose.

    Quaternions are xyzw in the file. Its first line holds position, velocity, quaternion, in this order, although the
    program that comes with it reads the quaternion before the velocity.

    Raises:
        FormatError: if a line is not one of the three; the message names it.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "imu.csv"
        >>> _ = file.write_text("i,0,0,0,5,0,0,0,0,0,1\\n0,0.1,0,0,0,0,0\\n1,0.02,0,0,0,0,0,1\\n")
        >>> read_gtsam_log(file).poses.tolist()
        [[0.02, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    imu: list[list[float]] = []
    fixes, steps, initial = [], [], None
    for number, line in enumerate(text_lines(path, "IMU")):
        place, (tag, *words) = f"{path}, line {number + 1}", line.split(",")
        values = _numbers(words, place, {"i": 10, "0": 6, "1": 7}.get(tag, 0))
        if tag == "i":
            initial = values
        elif tag == "0":
            imu.append(values)
        elif tag == "1":
            fixes.append(values)
            steps.append(len(imu))
        else:
            raise FormatError(f"{place}: begins with {tag[:40]!r}; expected i, 0 or 1")
    if initial is None or not imu or not fixes:
        raise FormatError(f"{path}: a log holds an initial state, IMU and poses; one of them is missing")
    readings, order = np.array(imu), [0, 1, 2, 3, 4, 5, 9, 6, 7, 8]
    poses = np.array(fixes)[:, TO_WXYZ]
    return PoseFixLog(np.array(initial)[order], readings[:, 3:], readings[:, :3], np.array(steps, np.intp), poses)


def read_laser_radar(path: PathLike) -> LaserRadarLog:
    """The log of a target: lines `L x y t truth` and `R range azimuth rate t truth`, times in microseconds.

    Raises:
        FormatError: if a line is neither; the message names it.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "target.txt"
        >>> _ = file.write_text("L 0.3 0.5 0 0.6 0.6 5.2 0 0 0\\nR 1.0 0.5 4.9 50000 0.8 0.6 5.2 0 0 0\\n")
        >>> read_laser_radar(file).ts.tolist()
        [0.0, 0.05]
    """
    rows = []
    for number, line in enumerate(text_lines(path, "laser and radar")):
        place, words = f"{path}, line {number + 1}", line.split()
        if not words or words[0] not in ("L", "R"):
            raise FormatError(f"{place}: begins with {line[:40]!r}; expected L or R")
        laser = words[0] == "L"
        values = _numbers(words[1:], place, 9 if laser else 10)
        rows.append([*values[:2], *3 * [np.nan], *values[2:]] if laser else [np.nan, np.nan, *values])
    if not rows:
        raise FormatError(f"{path}: holds no readings; expected lines that begin with L or R")
    table = np.array(rows)
    return LaserRadarLog((table[:, 5] - table[0, 5]) / 1e6, table[:, :2], table[:, 2:5], table[:, 6:])


def _columns(path: PathLike, names: Sequence[str], kind: str) -> Array:
    """The named columns of a csv file ``(T, len(names))``; an empty field is NaN."""
    rows = list(csv.reader(text_lines(path, kind)))
    head = rows[0] if rows else []
    if missing := [name for name in names if name not in head]:
        raise FormatError(f"{path}, line 1: a {kind} log has a column {missing[0]!r}; there is none in this file")
    if len(rows) < 2:
        raise FormatError(f"{path}: holds no readings; expected rows after the header")
    places = [head.index(name) for name in names]
    return np.array([_fields(row, places, f"{path}, line {k + 2}") for k, row in enumerate(rows[1:])])


def _fields(row: Sequence[str], places: Sequence[int], where: str) -> list[float]:
    if len(row) <= max(places):
        raise FormatError(f"{where}: has {len(row)} fields; expected as many as in line 1: truncated")
    return [_number(row[i], where) for i in places]


def _number(word: str, where: str) -> float:
    """A number, NaN for an empty field; of a date with a time of day, the seconds of its hour."""
    try:
        if word[4:5] == "-" and len(word) > 17:
            return 60.0 * float(word[EPOCH["minutes"]]) + float(word[EPOCH["seconds"]])
        return float(word) if word else float("nan")
    except ValueError:
        raise FormatError(f"{where}: {word[:40]!r} is not a number") from None


def _numbers(words: Sequence[str], place: str, count: int) -> list[float]:
    if count and len(words) != count:
        raise FormatError(f"{place}: has {len(words)} numbers; expected {count}")
    return [_number(word, place) for word in words]


def _changed(values: Array) -> NDArray[np.intp]:
    """The first row, and all that differ from the one before."""
    return np.flatnonzero(np.concatenate([[True], (values[1:] != values[:-1]).any(axis=1)]))


def _east(course: Array) -> Array:
    """Radians counter-clockwise from east in (-pi, pi], of degrees clockwise from north."""
    angle = np.radians(90.0 - course)
    return np.pi - (np.pi - angle) % (2.0 * np.pi)


def _radians(fixes: Array) -> Array:
    """Latitude and longitude in radians; the height stays."""
    return np.concatenate([np.radians(fixes[:, :2]), fixes[:, 2:]], axis=1)
