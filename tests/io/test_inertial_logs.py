"""Logs of inertial sensors: axes, units and signs of each format, and damage as sentences."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core.errors import FormatError
from pilotage.io import read_car_log, read_gtsam_log, read_laser_radar, read_phone_log

CAR = """date,millis,ax,ay,az,rollrate,pitchrate,yawrate,speed,course,latitude,longitude,altitude,epe
1,1000.0,0,0,-9.81,0,0,90,36,0,51.0,13.0,100,3
1,1020.0,-2,0,-9.81,0,0,90,36,0,51.0,13.0,100,3
1,1040.0,0,0,-9.81,0,0,90,72,90,51.0,13.0,100,3
1,1060.0,0,0,-9.81,0,0,90,72,90,51.1,13.0,100,3
"""
PHONE = """loggingTime,locationTimestamp_since1970,locationLatitude,locationLongitude,locationAltitude,locationSpeed,\
locationCourse,locationHorizontalAccuracy,accelerometerTimestamp_sinceReboot,accelerometerAccelerationX,\
accelerometerAccelerationY,accelerometerAccelerationZ,gyroRotationX,gyroRotationY,gyroRotationZ
2016-09-12 11:12:06.600,1473671526.500,51.0,13.0,100,2.0,90,65,500.0,0,0,-1,0.1,0.2,0.3
2016-09-12 11:12:06.620,,,,,,,,500.02,0,0,-1,0.1,0.2,0.3
2016-09-12 11:12:07.600,1473671527.500,51.0,13.0,100,-1,-1,10,501.0,0,0,-1,,,
"""
GTSAM = "i,1,2,3,4,5,6,0,0,0,1\n0,0.1,0,0,0.4,0,0\n1,1,2,3,0,0,0.6,0.8\n0,0.2,0,0,0.5,0,0\n1,7,8,9,0,0,0,1\n"
RADAR = "L 0.3 0.5 2000000 0.6 0.6 5.2 0 0 0.1\nR 1.0 0.5 4.9 2050000 0.8 0.6 5.2 0 0 0.2\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "log.csv.gz"
    file.write_bytes(gzip.compress(text.encode()))
    return file


def test_car(tmp_path: Path) -> None:
    log = read_car_log(written(tmp_path, CAR))
    np.testing.assert_allclose(log.ts, [0.0, 0.02, 0.04, 0.06])
    np.testing.assert_allclose(log.accel[1], [2.0, 0.0, 9.81])  # the car speeds up, and stands upright
    np.testing.assert_allclose(log.gyro[0], [0.0, 0.0, np.pi / 2])
    np.testing.assert_allclose(log.fix_ts, [0.0, 0.06])
    np.testing.assert_allclose(log.fixes[1], [np.radians(51.1), np.radians(13.0), 100.0])
    np.testing.assert_allclose(log.track_ts, [0.0, 0.04])
    np.testing.assert_allclose(log.tracks, [[np.pi / 2, 10.0], [0.0, 20.0]])  # north, then east


def test_phone(tmp_path: Path) -> None:
    log = read_phone_log(written(tmp_path, PHONE))
    np.testing.assert_allclose(log.ts, [0.0, 0.02])  # the last row has no gyroscope
    np.testing.assert_allclose(log.accel[0], [0.0, 0.0, 9.80665])
    np.testing.assert_allclose(log.fix_ts, [-0.1, 0.9], atol=1e-6)  # a tenth of a second old when they were logged
    np.testing.assert_allclose(log.tracks, [[0.0, 2.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(log.accuracy, [65.0, 10.0])


def test_gtsam(tmp_path: Path) -> None:
    log = read_gtsam_log(written(tmp_path, GTSAM))
    np.testing.assert_array_equal(log.initial, [1, 2, 3, 4, 5, 6, 1, 0, 0, 0])
    np.testing.assert_array_equal(log.accel[:, 0], [0.1, 0.2])
    np.testing.assert_array_equal(log.gyro[:, 0], [0.4, 0.5])
    np.testing.assert_array_equal(log.poses[0], [1, 2, 3, 0.8, 0, 0, 0.6])
    np.testing.assert_array_equal(log.steps, [1, 2])


def test_laser_radar(tmp_path: Path) -> None:
    log = read_laser_radar(written(tmp_path, RADAR))
    np.testing.assert_allclose(log.ts, [0.0, 0.05])
    np.testing.assert_array_equal(log.laser, [[0.3, 0.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(log.radar, [[np.nan] * 3, [1.0, 0.5, 4.9]])
    np.testing.assert_array_equal(log.truth[1], [0.8, 0.6, 5.2, 0.0, 0.0, 0.2])


@pytest.mark.parametrize(
    ("read", "text", "change", "sentence"),
    [
        (read_car_log, CAR, ("yawrate", "yaw"), "line 1: a car log has a column 'yawrate'"),
        (read_car_log, CAR, ("-2,0,", "-2,zero,"), "line 3: 'zero' is not a number"),
        (read_car_log, CAR, ("-2,0,", ",0,"), "missing in row 2"),
        (read_car_log, CAR, ("51.1,13.0,100,3", "51.1"), "line 5: has 11 fields"),
        (read_car_log, CAR, (CAR, ""), "line 1: a car log has a column"),
        (read_car_log, CAR, (CAR[CAR.index("\n") :], ""), "holds no readings"),
        (read_phone_log, PHONE, ("11:12:06.600", "11:xx:06.600"), "line 2: '2016-09-12 11:xx:06.600' is not a number"),
        (read_gtsam_log, GTSAM, ("i,1", "x,1"), "line 1: begins with 'x'; expected i, 0 or 1"),
        (read_gtsam_log, GTSAM, ("0,0.1,0", "0,0.1"), "line 2: has 5 numbers; expected 6"),
        (read_gtsam_log, GTSAM, ("i,1,2,3,4,5,6,0,0,0,1\n", ""), "one of them is missing"),
        (read_laser_radar, RADAR, ("R 1.0", "S 1.0"), "line 2: begins with 'S 1.0"),
        (read_laser_radar, RADAR, ("L 0.3", "L"), "line 1: has 8 numbers; expected 9"),
        (read_laser_radar, RADAR, (RADAR, ""), "holds no readings"),
        (read_laser_radar, RADAR, ("L 0.3", "L \u00e9"), "not a laser and radar text file"),
    ],
)
def test_damage(read: Callable[[Path], Any], text: str, change: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    assert change[0] in text
    with pytest.raises(FormatError, match=sentence.replace("(", r"\(")):
        read(written(tmp_path, text.replace(*change)))


DATA = Path(os.environ.get("PILOTAGE_DATA", "")) / "gps_imu"


@pytest.mark.skipif(not DATA.is_dir(), reason="PILOTAGE_DATA names no folder with the logs")
def test_real_logs() -> None:
    car = read_car_log(DATA / "2014-03-26-000-Data.csv.gz")
    assert (len(car.ts), car.ts[-1] == pytest.approx(216.0, abs=0.1)) == (10800, True)
    assert car.accel.mean(axis=0)[2] == pytest.approx(9.6, abs=0.1)
    # The heading by the gyroscope follows the course, so the signs of both are right.
    turned = np.interp(car.track_ts, car.ts[1:], np.cumsum(np.diff(car.ts) * car.gyro[1:, 2]))
    assert np.corrcoef(turned, np.unwrap(car.tracks[:, 0]))[0, 1] > 0.98
    phone = read_phone_log(DATA / "2016-09-12-Leaning.csv.gz")
    assert np.linalg.norm(phone.accel[:20].mean(axis=0)) == pytest.approx(9.8, abs=0.2)
    assert np.diff(phone.fix_ts)[1:] == pytest.approx(1.0, abs=0.05)
    assert len(read_gtsam_log(DATA / "imuAndGPSdata.csv.gz").poses) == 100
    radar = read_laser_radar(DATA / "obj_pose-laser-radar-synthetic-input.txt.gz")
    assert np.nanstd(radar.laser - radar.truth[:, :2]) == pytest.approx(0.15, abs=0.02)
