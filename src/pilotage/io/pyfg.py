"""Graphs of poses and landmarks in the format of PyFactorGraph: `.pyfg` files, plain or gzipped.

Format: Papalia, https://github.com/MarineRoboticsGroup/PyFactorGraph. The lines are

    VERTEX_SE2 time name x y yaw              VERTEX_SE3:QUAT time name x y z q       VERTEX_XY name x y, VERTEX_XYZ
    EDGE_SE2 time a b x y yaw C               EDGE_SE3:QUAT time a b x y z q C        covariances C: upper triangle
    EDGE_SE2_XY time pose landmark x y C      EDGE_SE3_XYZ                            EDGE_RANGE time a b range std

with q = qx qy qz qw. Vertices hold the truth. Names begin with the letter of a robot, or with L for landmarks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError

from .contents import text_lines
from .trajectories import TO_WXYZ

Array = NDArray[np.float64]
Pairs = NDArray[np.intp]
PathLike = str | os.PathLike[str]

POSES = {"VERTEX_SE2": (2, 3), "VERTEX_SE3:QUAT": (3, 7)}
PLACES = {"VERTEX_XY": 2, "VERTEX_XYZ": 3}
STEPS = {"EDGE_SE2": (3, 3), "EDGE_SE3:QUAT": (7, 6)}
SIGHTINGS = {"EDGE_SE2_XY": (2, 2), "EDGE_SE3_XYZ": (3, 3)}
RANGE = {"EDGE_RANGE": (1, 1)}
LARGEST = 1e150
"""Standard deviation whose square is still a number."""


@dataclass(frozen=True, eq=False)
class Links:
    """Readings between two vertices.

    Attributes:
        pairs: indices of both vertices of each reading ``(K, 2)``.
        readings: ``(K, size)``.
        covariances: ``(K, dim, dim)``.
    """

    pairs: Pairs
    readings: Array
    covariances: Array


@dataclass(frozen=True, eq=False)
class LandmarkGraph:
    """Poses, landmarks, and the readings between them.

    Attributes:
        names: names of the poses.
        poses: true poses ``(N, 3)`` (x, y, yaw) or ``(N, 7)`` (x, y, z, qw, qx, qy, qz).
        ts: times of the poses [s].
        landmarks: names of the landmarks.
        places: true positions ``(L, 2)`` or ``(L, 3)``.
        steps: relative poses, from a pose to another.
        sightings: positions of landmarks, as seen from a pose.
        ranges: distances from a pose to a landmark.
        pose_ranges: distances from a pose to another.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "one.pyfg"
        >>> _ = file.write_text("VERTEX_SE2 0.0 A0 1 2 0.5\\nVERTEX_SE2 0.1 B0 4 6 0\\nEDGE_RANGE 0 A0 B0 5.1 0.1\\n")
        >>> graph = read_pyfg(file)
        >>> len(graph.ranges.pairs), graph.pose_ranges.pairs.tolist()
        (0, [[0, 1]])
    """

    names: tuple[str, ...]
    poses: Array
    ts: Array
    landmarks: tuple[str, ...]
    places: Array
    steps: Links
    sightings: Links
    ranges: Links
    pose_ranges: Links


def read_pyfg(path: PathLike) -> LandmarkGraph:
    """The graph of a file.

    Raises:
        MissingFile: if there is no such file.
        FormatError: if the file is not valid; the message names the wrong line.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "one.pyfg"
        >>> _ = file.write_text("VERTEX_SE2 0.0 A0 1 2 0.5\\nVERTEX_XY L0 4 6\\nEDGE_RANGE 0.0 A0 L0 5.1 0.1\\n")
        >>> graph = read_pyfg(file)
        >>> graph.names, graph.landmarks, graph.ranges.readings.tolist()
        (('A0',), ('L0',), [[5.1]])
    """
    reader = _Reader()
    for number, line in enumerate(text_lines(path, "pyfg")):
        if words := line.split():
            reader.take(words, f"{path}, line {number + 1}")
    if not reader.poses:
        raise FormatError(f"{path}: the file has no poses; expected lines with {' or '.join(POSES)}")
    return reader.graph()


class _Reader:
    """The poses, landmarks and factors read so far."""

    def __init__(self) -> None:
        self.axes = 0
        self.poses: dict[str, list[float]] = {}
        self._places: dict[str, list[float]] = {}
        self._links: dict[str, list[tuple[str, str, str, list[float]]]] = {"step": [], "sighting": [], "range": []}

    def take(self, words: list[str], place: str) -> None:
        """Take a line."""
        tag = words[0]
        if tag in POSES:
            axes, size = POSES[tag]
            self._vertex(self.poses, words[2:3], axes, [words[1:2], words[3:]], size + 1, place)
        elif tag in PLACES:
            self._vertex(self._places, words[1:2], PLACES[tag], [words[2:]], PLACES[tag], place)
        else:
            for kind, tags in (("step", STEPS), ("sighting", SIGHTINGS), ("range", RANGE)):
                if tag in tags:
                    size, dim = tags[tag]
                    wanted = size + dim * (dim + 1) // 2
                    self._links[kind].append((place, *_two(words, place), _numbers(words[4:], wanted, place)))
                    return
            known = ", ".join((*POSES, *PLACES, *STEPS, *SIGHTINGS, *RANGE))
            raise FormatError(f"{place}: unknown element {tag[:40]!r}; known are {known}")

    def _vertex(self, into: dict[str, list[float]], name: Any, axes: int, parts: Any, size: int, place: str) -> None:
        if self.axes not in (0, axes):
            raise FormatError(f"{place}: a vertex with {axes} axes among those with {self.axes}; expected one kind")
        self.axes = axes
        if not name or name[0] in self.poses or name[0] in self._places:
            raise FormatError(f"{place}: vertex {name[0] if name else ''!r} occurs twice or has no name")
        into[name[0]] = _numbers([word for part in parts for word in part], size, place)

    def graph(self) -> LandmarkGraph:
        """All of it."""
        of_pose = {name: k for k, name in enumerate(self.poses)}
        of_place = {name: k for k, name in enumerate(self._places)}
        x = np.array(list(self.poses.values()))
        poses = x[:, 1:][:, TO_WXYZ] if self.axes == 3 else x[:, 1:]
        places = np.array(list(self._places.values())).reshape(-1, self.axes)
        ranges = self._links["range"]
        return LandmarkGraph(
            tuple(self.poses), poses, x[:, 0], tuple(self._places), places,
            _links(self._links["step"], of_pose, of_pose, *STEPS["EDGE_SE2" if self.axes == 2 else "EDGE_SE3:QUAT"]),
            _links(self._links["sighting"], of_pose, of_place, self.axes, self.axes),
            _links([each for each in ranges if each[2] in of_place], of_pose, of_place, 1, 1, squared=True),
            _links([each for each in ranges if each[2] not in of_place], of_pose, of_pose, 1, 1, squared=True),
        )  # fmt: skip


def _links(
    given: Any, first: dict[str, int], second: dict[str, int], size: int, dim: int, squared: bool = False
) -> Links:
    """Readings with the indices of their vertices."""
    pairs = np.zeros((len(given), 2), dtype=np.intp)
    values = np.zeros((len(given), size + dim * (dim + 1) // 2))
    for k, (place, a, b, row) in enumerate(given):
        if a not in first or b not in second:
            raise FormatError(f"{place}: there is no vertex {b if a in first else a!r} for this kind of edge")
        if len(row) != values.shape[1]:
            raise FormatError(f"{place}: an edge with {len(row)} numbers; expected {values.shape[1]} in this file")
        if squared and not 0.0 <= row[-1] < LARGEST:
            raise FormatError(f"{place}: the standard deviation is {row[-1]:g}; expected 0 to {LARGEST:g}")
        pairs[k], values[k] = (first[a], second[b]), row
    if squared:  # standard deviations
        values[:, size:] **= 2
    covariances = np.zeros((len(given), dim, dim))
    upper = np.triu_indices(dim)
    covariances[:, upper[0], upper[1]] = covariances[:, upper[1], upper[0]] = values[:, size:]
    readings = values[:, :size][:, TO_WXYZ] if size == 7 else values[:, :size]
    return Links(pairs, readings, covariances)


def _two(words: list[str], place: str) -> tuple[str, str]:
    if len(words) < 4:
        raise FormatError(f"{place}: has {len(words)} words; expected a time and two vertices")
    return words[2], words[3]


def _numbers(words: list[str], count: int, place: str) -> list[float]:
    try:
        found = [float(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{place}: {error}; expected numbers") from None
    if len(found) != count or not np.isfinite(found).all():
        raise FormatError(f"{place}: has {len(found)} numbers; expected {count} finite ones")
    return found
