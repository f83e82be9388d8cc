"""Bundle adjustment problems in the format of "Bundle Adjustment in the Large" (BAL): text, plain or gzipped.

Format: https://grail.cs.washington.edu/projects/bal. Words in this order, in any lines:

    cameras points observations
    camera point x y                        for each observation: numbers of both, and pixels from the middle, y up
    r1 r2 r3 t1 t2 t3 f k1 k2               for each camera: X' = R(r) X + t, which looks along -Z; focal length; lens
    X Y Z                                   for each point

They are turned into the frames of Pilotage: the pose of a camera in the world, which looks along Z, with X to the right
and Y, and so v, down.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, counted

from .contents import text_lines

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class BundleProblem:
    """A bundle adjustment problem: a guess of cameras and points, and the pixels that they have to explain.

    Attributes:
        poses: x, y, z, qw, qx, qy, qz of each camera ``(F, 7)``.
        lenses: focal length [px], k1 and k2 of each ``(F, 3)``.
        points: ``(P, 3)``.
        frames, landmarks: numbers of the camera and of the point of each reading ``(K,)``.
        pixels: u, v from the middle of the image ``(K, 2)`` [px].

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "problem.txt")
        ...     _ = file.write_text("1 1 1\\n0 0 10 20\\n0 0 0 0 0 0 400 0 0\\n1 2 -40\\n")
        ...     problem = read_bal(file)
        >>> problem, problem.pixels.tolist()
        (BundleProblem(1 camera, 1 point, 1 reading), [[10.0, -20.0]])
    """

    poses: Array
    lenses: Array
    points: Array
    frames: Indices
    landmarks: Indices
    pixels: Array

    def __repr__(self) -> str:
        counts = ((len(self.poses), "camera"), (len(self.points), "point"), (len(self.pixels), "reading"))
        return f"BundleProblem({', '.join(counted(*each) for each in counts)})"


def read_bal(path: PathLike) -> BundleProblem:
    """The problem of a BAL file, plain or gzipped.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if the file is not valid; the message names what is wrong.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "problem.txt")
        ...     _ = file.write_text("1 1 1\\n0 0 10 20\\n0 0 0 0 0 0 400 0 0\\n1 2 -40\\n")
        ...     read_bal(file).poses.tolist()
        [[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]]
    """
    words = " ".join(text_lines(path, "BAL")).split()
    cameras, points, readings = _counts(words[:3], path)
    wanted = 4 * readings + 9 * cameras + 3 * points
    if len(words) - 3 != wanted:
        raise FormatError(
            f"{path} has {len(words) - 3} numbers after the first three; expected {wanted} for {cameras} cameras, "
            f"{points} points and {readings} observations"
        )
    numbers = _numbers(words[3:], path)
    seen, rest = numbers[: 4 * readings].reshape(-1, 4), numbers[4 * readings :]
    poses, lenses = _cameras(rest[: 9 * cameras].reshape(-1, 9))
    frames, landmarks = (_indices(seen[:, k], count, path) for k, count in ((0, cameras), (1, points)))
    return BundleProblem(
        poses, lenses, rest[9 * cameras :].reshape(-1, 3), frames, landmarks, seen[:, 2:] * [1.0, -1.0]
    )


def _counts(words: list[str], path: PathLike) -> tuple[int, int, int]:
    """The numbers of cameras, points and observations."""
    if len(words) == 3 and all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        cameras, points, readings = map(int, words)
        if cameras and points and readings:
            return cameras, points, readings
    raise FormatError(
        f"{path} begins with {' '.join(words)[:40]!r}; expected the numbers of cameras, points and observations"
    )


def _numbers(words: list[str], path: PathLike) -> Array:
    """All words as finite numbers."""
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise FormatError(f"{path}: {error}; expected numbers") from None
    if not (np.abs(numbers) < 1e150).all():
        k = int(np.argmin(np.abs(numbers) < 1e150))
        raise FormatError(f"{path}: number {k + 4} is {words[k][:40]!r}; expected finite numbers")
    return numbers


def _indices(numbers: Array, count: int, path: PathLike) -> Indices:
    """Whole numbers from 0 to count - 1."""
    wrong = (numbers < 0) | (numbers >= count) | (numbers % 1.0 != 0.0)
    if wrong.any():
        raise FormatError(f"{path}: an observation names {numbers[wrong][0]:g}; expected numbers from 0 to {count - 1}")
    return numbers.astype(np.int64)


def _cameras(rows: Array) -> tuple[Array, Array]:
    """Poses in the world that look along Z, and lenses."""
    from scipy.spatial.transform import Rotation

    back = Rotation.from_rotvec(rows[:, :3]).inv()
    q = (back * Rotation.from_matrix(np.diag([1.0, -1.0, -1.0]))).as_quat()[:, [3, 0, 1, 2]]
    return np.hstack([0.0 - back.apply(rows[:, 3:6]), q]), rows[:, 6:]
