"""Logs of iSAM: the steps of a robot and the landmarks that it saw, as in the Victoria Park data set.

Format: Kaess, Ranganathan and Dellaert, iSAM (2008). The lines are, matrices by their upper triangle,

    ODOMETRY i j x y yaw M11 M12 M13 M22 M23 M33     the pose j in the frame of the pose i before it
    LANDMARK i j x y M11 M12 M22                     the landmark j in the frame of the pose i

Poses and landmarks share one row of numbers. The matrices say how precise a reading is, but programs differ in what
they write: square roots of information matrices in iSAM, covariances in the Victoria Park log that GTSAM comes with.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError

from .contents import text_lines

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
WORDS = {"ODOMETRY": (3, 3), "LANDMARK": (2, 2)}


@dataclass(frozen=True, eq=False)
class LandmarkLog:
    """The steps of a robot, and the landmarks that it saw on the way.

    Attributes:
        steps: each pose in the frame of the one before ``(T, 3)`` [m, rad]; there are T + 1 poses.
        step_matrices: the matrices of the steps ``(T, 3, 3)``, as they are in the file.
        at: number of the pose of each sighting ``(K,)``, from 0 to T, in ascending order.
        landmarks: number of the landmark of each sighting ``(K,)``, from 0 in the order of their first.
        sightings: positions of the landmarks in the frames of the poses ``(K, 2)`` [m].
        sighting_matrices: their matrices ``(K, 2, 2)``, as they are in the file.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "one.txt"
        >>> _ = file.write_text("ODOMETRY 0 1 1 0 0.1 1 0 0 1 0 1\\nLANDMARK 1 2 5 3 4 0 4\\n")
        >>> log = read_isam(file)
        >>> log.steps.tolist(), log.at.tolist(), log.sightings.tolist()
        ([[1.0, 0.0, 0.1]], [1], [[5.0, 3.0]])
    """

    steps: Array
    step_matrices: Array
    at: Indices
    landmarks: Indices
    sightings: Array
    sighting_matrices: Array


def read_isam(path: str | os.PathLike[str]) -> LandmarkLog:
    """The log of a file, plain or gzipped.

    Raises:
        MissingFile: if there is no such file.
        FormatError: if the file is not valid; the message names the wrong line.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "one.txt"
        >>> _ = file.write_text("ODOMETRY 0 1 1 0 0.1 1 0 0 1 0 1\\n")
        >>> len(read_isam(file).steps)
        1
    """
    rows: dict[str, list[list[float]]] = {name: [] for name in WORDS}
    number: dict[int, int] = {}
    trees: dict[int, int] = {}
    for k, line in enumerate(text_lines(path, "log of iSAM")):
        if not (words := line.split()):
            continue
        place = f"{path}, line {k + 1}"
        if words[0] not in WORDS:
            raise FormatError(f"{place}: unknown element {words[0][:40]!r}; known are {', '.join(WORDS)}")
        i, j, values = _row(words, place)
        if words[0] == "ODOMETRY":
            _step(i, j, number, trees, place)
            rows["ODOMETRY"].append(values)
        else:
            if i not in number or j in number:
                raise FormatError(f"{place}: from {i} to {j}; expected a pose that a step led to, and a landmark")
            rows["LANDMARK"].append([float(number[i]), float(trees.setdefault(j, len(trees))), *values])
    if not rows["ODOMETRY"]:
        raise FormatError(f"{path}: the file has no steps; expected lines with ODOMETRY")
    steps, seen = np.array(rows["ODOMETRY"]), np.array(rows["LANDMARK"]).reshape(-1, 7)
    seen = seen[np.argsort(seen[:, 0], kind="stable")]
    indices = seen[:, :2].astype(np.int64)
    return LandmarkLog(
        steps[:, :3], _matrices(steps[:, 3:], 3), indices[:, 0], indices[:, 1], seen[:, 2:4], _matrices(seen[:, 4:], 2)
    )


def _row(words: list[str], place: str) -> tuple[int, int, list[float]]:
    """The two numbers of a line, and its values."""
    size, dim = WORDS[words[0]]
    count = size + dim * (dim + 1) // 2
    try:
        i, j, values = int(words[1]), int(words[2]), [float(word) for word in words[3:]]
    except (ValueError, IndexError) as error:
        raise FormatError(f"{place}: {error}; expected two whole numbers and {count} others") from None
    if len(values) != count or not np.isfinite(values).all():
        raise FormatError(f"{place}: has {len(values)} values; expected {count} finite ones")
    return i, j, values


def _step(i: int, j: int, number: dict[int, int], trees: dict[int, int], place: str) -> None:
    """Number the pose that a step leads to."""
    if not number:
        number[i] = 0
    if number.get(i) != len(number) - 1 or j in number or j in trees:
        raise FormatError(f"{place}: a step from {i} to {j}; expected one from the last pose to a new one")
    number[j] = len(number)


def _matrices(upper: Array, dim: int) -> Array:
    """Symmetric matrices ``(K, dim, dim)`` of their upper triangles, row by row."""
    found, (a, b) = np.zeros((len(upper), dim, dim)), np.triu_indices(dim)
    found[:, a, b] = found[:, b, a] = upper
    return found
