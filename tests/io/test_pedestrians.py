"""Tracks of pedestrians: what is read, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from pilotage.core.errors import FormatError, MissingFile
from pilotage.io import read_pedestrians

STREET = "780\t3.0\t1.5\t-2.0\n790\t3.0\t1.9\t-2.0\n\n810\t5.0\t0.0\t0.5\n790\t5.0\t4.0\t4.0\n"


@pytest.mark.parametrize("pack", [False, True])
def test_tracks_are_read(tmp_path: Path, pack: bool) -> None:
    file = tmp_path / "street.txt"
    file.write_bytes(gzip.compress(STREET.encode()) if pack else STREET.encode())
    walked = read_pedestrians(file)
    assert walked.ids.tolist() == [3, 5] and walked.places.shape == (4, 2, 2)
    assert walked.seconds == pytest.approx(1.2)
    first, second = walked.places.transpose(1, 0, 2)
    np.testing.assert_array_equal(first, [[1.5, -2.0], [1.9, -2.0], [np.nan] * 2, [np.nan] * 2])
    np.testing.assert_array_equal(second, [[np.nan] * 2, [4.0, 4.0], [np.nan] * 2, [0.0, 0.5]])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 1 2.0\n",
        "0 1 2.0 three\n",
        "0 1 2.0 nan\n",
        "0 1.5 2.0 3.0\n",
        "0 1 2.0 3.0\n7 1 2.0 3.0\n",
        "0 1 2.0 3.0\n0 1 2.0 4.0\n",
        "0 1 2.0 3.0\n999999990 1 2.0 4.0\n",
        "0 1e300 2.0 3.0\n",
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "street.txt"
    file.write_text(text)
    with pytest.raises(FormatError, match=r"street\.txt"):
        read_pedestrians(file)


def test_a_file_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read_pedestrians(tmp_path / "street.txt")


def test_tracks_as_a_table(tmp_path: Path) -> None:
    file = tmp_path / "street.txt"
    file.write_text("0 1 0.0 2.0\n10 1 0.4 2.0\n10 7 5.0 1.0\n30 7 6.0 1.0\n")
    table = read_pedestrians(file).tracks()
    assert list(zip(table.t.round(9).tolist(), table.id.tolist(), table.x[:, 0].tolist(), strict=True)) == [
        (0.0, 1, 0.0), (0.4, 1, 0.4), (0.4, 7, 5.0), (1.2, 7, 6.0)
    ]  # fmt: skip
