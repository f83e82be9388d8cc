"""Trajectories in the format of TUM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotage.core import FormatError, ShapeError
from pilotage.io import Trajectory, read_tum, spatial, write_tum


def test_a_trajectory_is_read_as_it_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    given = Trajectory(np.sort(rng.random(9)) + 1.7e9, spatial(rng.normal(size=(9, 3))))
    write_tum(tmp_path / "walk.txt", given)
    found = read_tum(tmp_path / "walk.txt")
    np.testing.assert_array_equal(found.ts, given.ts)
    np.testing.assert_array_equal(found.poses, given.poses)


def test_real_trajectory(data: Path) -> None:
    walk = read_tum(data / "trajectories/freiburg1_xyz-groundtruth.txt.gz")
    assert len(walk.ts) == 3000 and (np.diff(walk.ts) > 0.0).all()


@pytest.mark.parametrize("line", ["0 1 2 3 0 0 0", "0 1 2 3 0 0 0 0", "0 1 2 far 0 0 0 1", "nan 1 2 3 0 0 0 1"])
def test_other_lines_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "bad.txt").write_text(f"# walk\n0 1 2 3 0 0 0 1\n{line}\n")
    with pytest.raises(FormatError, match="line 3"):
        read_tum(tmp_path / "bad.txt")


def test_shapes_must_match(tmp_path: Path) -> None:
    with pytest.raises(ShapeError):
        write_tum(tmp_path / "walk.txt", Trajectory(np.zeros(3), np.zeros((2, 7))))
    assert not (tmp_path / "walk.txt").exists()
