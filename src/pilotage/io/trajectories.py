"""Trajectories in text files: of the TUM RGB-D benchmark, and of the KITTI odometry benchmark.

    TUM:    t x y z qx qy qz qw                   a pose a line, seconds and metres; what follows # is a comment
    KITTI:  r11 r12 r13 x r21 r22 r23 y ... z     the first three rows of the matrix of a pose, without a time

Sources: vision.in.tum.de/data/datasets/rgbd-dataset/file_formats; cvlibs.net/datasets/kitti/eval_odometry.php.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import FormatError, ShapeError, counted

from .atomic import write_atomic
from .contents import path_of, text_lines
from .plane_poses import planar

Array = NDArray[np.float64]
PathLike = str | os.PathLike[str]
TO_WXYZ, TO_XYZW = [0, 1, 2, 6, 3, 4, 5], [0, 1, 2, 4, 5, 6, 3]


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """Poses with their times.

    Attributes:
        ts: times ``(T,)`` [s].
        poses: x, y, z, qw, qx, qy, qz of each ``(T, 7)``.

    Example:
        >>> Trajectory(np.arange(2.0), np.zeros((2, 7)))
        Trajectory(2 poses, 1 s)
    """

    ts: Array
    poses: Array

    def __repr__(self) -> str:
        return f"Trajectory({counted(len(self.ts), 'pose')}, {self.ts[-1] - self.ts[0]:.4g} s)"

    @property
    def planar(self) -> Array:
        """x, y, yaw of each ``(T, 3)``; z, roll and pitch are left out."""
        return planar(self.poses)


def read_tum(path: PathLike) -> Trajectory:
    """The trajectory of a TUM file, plain or gzipped.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line is not eight finite numbers, or a quaternion is not of length 1.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_tum(Path(folder, "walk.txt"), [0.0, 0.5], [[0.0, 0.0, 0.0], [1.0, 2.0, 0.0]])
        ...     read_tum(Path(folder, "walk.txt")).planar.tolist()
        [[0.0, 0.0, 0.0], [1.0, 2.0, 0.0]]
    """
    rows = rows_of(path, "TUM", 8)
    poses = rows[:, 1:][:, TO_WXYZ]
    with np.errstate(over="ignore"):
        length = np.linalg.norm(poses[:, 3:], axis=1)
    if (wrong := np.flatnonzero(np.abs(length - 1.0) > 1e-2)).size:
        raise FormatError(f"{path}: quaternion of pose {wrong[0] + 1} has length {length[wrong[0]]:.3g}; expected 1")
    poses[:, 3:] /= length[:, None]
    return Trajectory(rows[:, 0], poses)


def write_tum(path: PathLike, ts: ArrayLike, poses: ArrayLike) -> None:
    """Write a trajectory as a TUM file, without rounding the numbers.

    Args:
        path: the file.
        ts: times ``(T,)`` [s].
        poses: ``(T, 3)`` x, y, yaw, or ``(T, 7)`` x, y, z, qw, qx, qy, qz.

    Raises:
        ShapeError: if shapes do not match.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_tum(Path(folder, "walk.txt"), [0.5], [[1.0, 2.0, 0.0]])
        ...     Path(folder, "walk.txt").read_text().splitlines()[1]
        '0.5 1.0 2.0 0.0 0.0 0.0 0.0 1.0'
    """
    stamps, x = numbers(ts, "ts"), numbers(poses, "poses")
    if x.ndim != 2 or x.shape[1] not in (3, 7) or stamps.shape != (len(x),):
        raise ShapeError(f"ts and poses have shapes {stamps.shape} and {x.shape}; expected (T,) and (T, 3) or (T, 7)")
    if x.shape[1] == 3:
        none, half = np.zeros(len(x)), 0.5 * x[:, 2]
        x = np.column_stack([x[:, :2], none, np.cos(half), none, none, np.sin(half)])
    rows = np.column_stack([stamps, x[:, TO_XYZW]]).tolist()
    write_atomic(path_of(path), "# t x y z qx qy qz qw\n" + "".join(" ".join(map(repr, row)) + "\n" for row in rows))


def read_kitti_poses(path: PathLike, times: PathLike | None = None) -> Trajectory:
    """The trajectory of a KITTI file, plain or gzipped.

    Args:
        path: the file of poses.
        times: a file with a time a line [s]; the number of the pose by default.

    Raises:
        MissingFile: if a file does not exist.
        FormatError: if a line is not twelve finite numbers, a matrix is no rotation, or the number of times differs.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "00.txt").write_text("1 0 0 4 0 1 0 5 0 0 1 6\\n")
        ...     read_kitti_poses(Path(folder, "00.txt")).poses.tolist()
        [[4.0, 5.0, 6.0, 1.0, 0.0, 0.0, 0.0]]
    """
    from scipy.spatial.transform import Rotation

    matrices = rows_of(path, "KITTI", 12).reshape(-1, 3, 4)
    R = matrices[:, :, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        off, turn = np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)), np.linalg.det(R)
    if (wrong := np.flatnonzero(~((off <= 1e-2) & (turn > 0.0)))).size:
        raise FormatError(f"{path}: the matrix of pose {wrong[0] + 1} is no rotation")
    ts = np.arange(len(R), dtype=np.float64) if times is None else rows_of(times, "KITTI", 1)[:, 0]
    if len(ts) != len(R):
        raise FormatError(f"{times} has {len(ts)} times; expected {len(R)}, one for each pose of {path}")
    return Trajectory(ts, np.hstack([matrices[:, :, 3], Rotation.from_matrix(R).as_quat()[:, [3, 0, 1, 2]]]))


def rows_of(path: PathLike, kind: str, width: int) -> Array:
    """The numbers of all lines ``(N, width)``."""
    rows: list[list[float]] = []
    for i, line in enumerate(text_lines(path, kind), 1):
        if not (words := line.partition("#")[0].split()):
            continue
        rows.append(row := _numbers(words))
        if len(row) != width or not np.isfinite(row).all():
            raise FormatError(f"{path}, line {i}: {line[:40]!r} is not {counted(width, 'finite number')}")
    if not rows:
        raise FormatError(f"{path} holds no poses; expected lines of {counted(width, 'number')}")
    return np.array(rows)


def _numbers(words: list[str]) -> list[Any]:
    try:
        return [float(word) for word in words]
    except ValueError:
        return []
