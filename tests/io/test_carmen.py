"""Laser logs of CARMEN: what is read, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from pilotage.core.errors import FormatError, MissingFile
from pilotage.io import read_carmen

SCAN = "FLASER 3 1.0 2.5 81.83 0.5 -0.5 1.5 0.6 -0.4 1.4 12.5 host 13.0\n"


def test_scans_are_read(tmp_path: Path) -> None:
    text = "# message formats\nODOM 0 0 0 0 0 0 0 host 0\n" + SCAN + SCAN.replace("13.0", "14.0")
    plain, packed = tmp_path / "a.log", tmp_path / "a.log.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    for file in (plain, packed):
        log = read_carmen(file)
        np.testing.assert_array_equal(log.ranges, [[1.0, 2.5, 81.83]] * 2)
        np.testing.assert_array_equal(log.poses, [[0.5, -0.5, 1.5]] * 2)
        np.testing.assert_array_equal(log.odometry, [[0.6, -0.4, 1.4]] * 2)
        np.testing.assert_array_equal(log.ts, [13.0, 14.0])
        np.testing.assert_allclose(log.angles, [-np.pi / 2, 0.0, np.pi / 2])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ODOM 0 0 0 0 0 0 0 host 0\n",
        SCAN.replace("FLASER 3", "FLASER 4"),
        SCAN.replace("2.5", "far"),
        SCAN.replace("2.5", "nan"),
        "FLASER 3\n",
        SCAN + "FLASER 2 1.0 2.5 0.5 -0.5 1.5 0.6 -0.4 1.4 12.5 host 13.0\n",
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.log"
    file.write_text(text)
    with pytest.raises(FormatError, match=r"bad\.log"):
        read_carmen(file)


def test_damage_and_absence(tmp_path: Path) -> None:
    cut = tmp_path / "cut.log.gz"
    cut.write_bytes(gzip.compress(SCAN.encode())[:-9])
    with pytest.raises(FormatError, match="damaged gzip"):
        read_carmen(cut)
    with pytest.raises(MissingFile):
        read_carmen(tmp_path / "none.log")


def test_real_log(data: Path) -> None:
    log = read_carmen(data / "lidar_logs/intel-corrected.log.gz")
    assert log.ranges.shape == (910, 180)
    assert (np.hypot(*np.diff(log.poses[:, :2], axis=0).T) < 1.2).all()
