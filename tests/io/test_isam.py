"""Logs of iSAM: what is written is read, and what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.core.errors import FormatError
from pilotage.io import read_isam

LOG = """ODOMETRY 0 1 1 0 0.1 1 2 3 4 5 6
LANDMARK 1 2 3 4 0.5 0.1 0.7
ODOMETRY 1 3 2 0 0.2 1 0 0 1 0 1
LANDMARK 3 2 1 4 0.5 0 0.5
LANDMARK 0 4 9 8 0.5 0 0.5
"""


def written(text: str, tmp_path: Path) -> Path:
    file = tmp_path / "log.txt"
    file.write_text(text)
    return file


def test_log(tmp_path: Path) -> None:
    log = read_isam(written(LOG, tmp_path))
    assert log.steps.tolist() == [[1, 0, 0.1], [2, 0, 0.2]]
    assert log.step_matrices[0].tolist() == [[1, 2, 3], [2, 4, 5], [3, 5, 6]]
    assert log.at.tolist() == [0, 1, 2] and log.landmarks.tolist() == [1, 0, 0]
    assert log.sightings.tolist() == [[9, 8], [3, 4], [1, 4]]
    assert log.sighting_matrices[1].tolist() == [[0.5, 0.1], [0.1, 0.7]]


@pytest.mark.parametrize("line", [
    "EDGE 0 1", "ODOMETRY 3 1 1 0 0 1 0 0 1 0 1", "ODOMETRY 0 9 1 0 0 1 0 0 1 0 1", "ODOMETRY 3 2 1 0 0 1 0 0 1 0 1",
    "ODOMETRY 3 9 1 0 0 1 0 0 1 0", "ODOMETRY 3 9 1 0 nan 1 0 0 1 0 1", "ODOMETRY 3", "LANDMARK 9 2 1 4 0.5 0 0.5",
    "LANDMARK 0 1 1 4 0.5 0 0.5", "LANDMARK 0 x 1 4 0.5 0 0.5",
])  # fmt: skip
def test_wrong_lines_are_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 6"):
        read_isam(written(LOG + line + "\n", tmp_path))


def test_logs_without_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no steps"):
        read_isam(written("\n", tmp_path))


def test_victoria_park(data: Path) -> None:
    log = read_isam(data / "landmark_slam" / "victoria_park.txt.gz")
    assert len(log.steps) == 6968 and len(log.sightings) == 3640 and log.landmarks.max() == 150
