"""Trajectories in the text format of the TUM RGB-D benchmark, which evo and most SLAM tools read.

Each line is a pose, and lines with # are comments:

    t x y z qx qy qz qw           seconds, metres, and a quaternion with the scalar last

Source: J. Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from pilotage.core.arrays import Array, frozen, numbers
from pilotage.core.errors import FormatError, ShapeError

from .atomic import write_atomic
from .contents import text_lines

WXYZ, XYZW = [0, 1, 2, 6, 3, 4, 5], [0, 1, 2, 4, 5, 6, 3]


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """Poses over time.

    Attributes:
        ts: times ``(T,)`` [s].
        poses: x, y, z [m], qw, qx, qy, qz ``(T, 7)``.

    Example:
        >>> Trajectory(np.array([0.0, 2.0]), np.tile([0, 0, 0, 1.0, 0, 0, 0], (2, 1)))
        Trajectory(2 poses, 2 s)
    """

    ts: Array
    poses: Array

    def __repr__(self) -> str:
        return f"Trajectory({len(self.ts)} poses, {np.ptp(self.ts) if len(self.ts) else 0.0:.4g} s)"


def read_tum(path: str | os.PathLike[str]) -> Trajectory:
    """The trajectory of a file, plain or gzipped, in the order of its lines.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line is not eight finite numbers with a unit quaternion; it is named.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "walk.txt"
        >>> _ = file.write_text("# t x y z qx qy qz qw\\n0.5 1 2 0 0 0 0 1\\n")
        >>> read_tum(file).poses.tolist()
        [[1.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    lines = enumerate(text_lines(path, "trajectory", "replace"), 1)
    rows = [_row(f"{path}, line {i}", line) for i, line in lines if line.strip() and not line.lstrip().startswith("#")]
    table = np.array(rows).reshape(-1, 8)
    return Trajectory(frozen(table[:, 0]), frozen(table[:, 1:][:, WXYZ]))


def write_tum(path: str | os.PathLike[str], trajectory: Trajectory) -> None:
    """Write a trajectory, in one step, without rounding.

    Raises:
        ShapeError: if times and poses do not match.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "walk.txt"
        >>> write_tum(file, Trajectory(np.array([0.5]), np.array([[1, 2, 0, 1.0, 0, 0, 0]])))
        >>> file.read_text()
        '0.5 1.0 2.0 0.0 0.0 0.0 0.0 1.0\\n'
    """
    ts, poses = numbers(trajectory.ts, "times"), numbers(trajectory.poses, "poses")
    if ts.ndim != 1 or poses.shape != (len(ts), 7):
        raise ShapeError(f"a trajectory has times {ts.shape} and poses {poses.shape}; expected (T,) and (T, 7)")
    table = np.column_stack([ts, poses[:, XYZW]])
    write_atomic(path, "".join(" ".join(map(repr, row)) + "\n" for row in table.tolist()))


def _row(place: str, line: str) -> list[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        row = []
    if len(row) != 8 or not np.isfinite(row).all() or abs(np.linalg.norm(row[4:]) - 1.0) > 0.01:
        raise FormatError(f"{place}: {line[:60]!r} is not a time, a place and a unit quaternion (xyzw)")
    return row
