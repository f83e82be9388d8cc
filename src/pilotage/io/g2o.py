"""Pose graphs in the plane and in space in the format of g2o: `.g2o` files, plain or gzipped.

Format: Kümmerle, Grisetti, Strasdat, Konolige and Burgard, "g2o: A General Framework for Graph Optimization", 2011,
https://github.com/RainerKuemmerle/g2o/wiki/File-Format. The lines are

    VERTEX_SE2 id x y yaw               EDGE_SE2 i j x y yaw I11 I12 I13 I22 I23 I33
    VERTEX_SE3:QUAT id x y z q          EDGE_SE3:QUAT i j x y z q I11 I12 ... I16 I22 ... I66
    FIX id ...                          # comment

with q = qx qy qz qw. Information matrices have the order [translation, rotation]; the file holds the upper triangle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import FormatError, ShapeError, counted
from pilotage.core.settings import instance

from .atomic import write_atomic
from .contents import path_of, text_lines
from .trajectories import TO_WXYZ, TO_XYZW

Array = NDArray[np.float64]
PathLike = str | os.PathLike[str]

KINDS = {2: ("VERTEX_SE2", "EDGE_SE2"), 3: ("VERTEX_SE3:QUAT", "EDGE_SE3:QUAT")}
"""Tags of vertices and edges by the number of axes."""
AXES = {tag: axes for axes, tags in KINDS.items() for tag in tags}


@dataclass(frozen=True, eq=False, repr=False)
class PoseGraph:
    """A pose graph: N poses, and E edges with measurements of one pose relative to another.

    Attributes:
        ids: ids of the poses in the file ``(N,)``; the other arrays refer to poses by their index in this array.
        poses: initial guess of the poses, ``(N, 3)`` (x, y, yaw) or ``(N, 7)`` (x, y, z, qw, qx, qy, qz); None if the
            file has only edges.
        edges: indices of the first and the second pose of each edge, ``(E, 2)``.
        readings: pose of the second relative to the first, ``(E, 3)`` or ``(E, 7)``; NaN if not measured.
        information: inverse covariances of the readings ``(E, 3, 3)`` or ``(E, 6, 6)``, in the tangent order
            [translation, rotation]. Some well-known files, such as cubicle, have negative eigenvalues here.
        fixed: indices of the poses that are held fixed ``(F,)``.

    Raises:
        ShapeError: if the arrays do not match, hold NaN or infinity, or refer to a pose that does not exist.

    Example:
        >>> graph = PoseGraph([0, 1], None, [[0, 1]], [[1.0, 0.0, 0.1]], [np.eye(3)])
        >>> graph.axes, len(graph.edges)
        (2, 1)
    """

    ids: NDArray[np.intp]
    poses: Array | None
    edges: NDArray[np.intp]
    readings: Array
    information: Array
    fixed: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    def __post_init__(self) -> None:
        for name in ("ids", "edges", "fixed"):
            object.__setattr__(self, name, _whole(getattr(self, name), name))
        for name in ("poses", "readings", "information"):
            if name != "poses" or self.poses is not None:
                object.__setattr__(self, name, _finite(getattr(self, name), name))
        count, size = self.readings.shape if self.readings.ndim == 2 else (0, 0)
        if count == 0 or size not in (3, 7):
            raise ShapeError(
                f"readings of a pose graph have shape {self.readings.shape}; expected one or more rows, (E, 3 or 7)"
            )
        dim, n = 3 if size == 3 else 6, len(np.atleast_1d(self.ids))
        wanted = {"ids": (n,), "edges": (count, 2), "information": (count, dim, dim)}
        for name, shape in (wanted if self.poses is None else wanted | {"poses": (n, size)}).items():
            if (given := getattr(self, name).shape) != shape:
                raise ShapeError(
                    f"{name} of a pose graph has shape {given}; expected {shape} for {counted(n, 'pose')} and "
                    f"{counted(count, 'edge')}"
                )
        for name in ("edges", "fixed"):
            places = getattr(self, name)
            if (wrong := places[(places < 0) | (places >= n)]).size:
                raise ShapeError(f"{name} of a pose graph refers to pose {wrong[0]}; expected indices 0 to {n - 1}")
        ids, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise ShapeError(f"ids of a pose graph have {ids[counts > 1][0]} twice; expected another one for each pose")

    def __repr__(self) -> str:
        where = "in the plane" if self.axes == 2 else "in space"
        return f"PoseGraph({counted(len(self.ids), 'pose')} {where}, {counted(len(self.edges), 'edge')})"

    @property
    def axes(self) -> int:
        """2 in the plane, 3 in space."""
        return 2 if self.readings.shape[-1] == 3 else 3

    def with_edges(self, which: ArrayLike) -> PoseGraph:
        """The same poses with some of the edges.

        Args:
            which: indices of the edges, or a mask ``(E,)``.

        Example:
            >>> graph = PoseGraph([0, 1], None, [[0, 1], [1, 0]], [[1.0, 0.0, 0.1]] * 2, [np.eye(3)] * 2)
            >>> graph.with_edges([True, False]).edges.tolist()
            [[0, 1]]
        """
        k = np.asarray(which)
        return replace(self, edges=self.edges[k], readings=self.readings[k], information=self.information[k])


def read_g2o(path: PathLike) -> PoseGraph:
    """The pose graph of a file, with the poses in the order of the vertices or, without vertices, of their ids.

    Raises:
        FormatError: if the file is not valid; the message names the wrong line.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "two.g2o"
        >>> _ = file.write_text("EDGE_SE2 4 7 1.0 0.0 0.1 1 0 0 1 0 9\\n")
        >>> graph = read_g2o(file)
        >>> graph.ids.tolist(), graph.edges.tolist(), graph.information[0].diagonal().tolist()
        ([4, 7], [[0, 1]], [1.0, 1.0, 9.0])
    """
    vertices: dict[int, list[float]] = {}
    edges: list[tuple[str, int, int]] = []
    numbers: list[list[float]] = []
    fixed: list[tuple[str, int]] = []
    axes = 0
    for place, words in _lines(path):
        tag = words[0]
        if tag == "FIX":
            fixed += [(place, _id(word, place)) for word in words[1:]]
            continue
        if tag not in AXES:
            raise FormatError(f"{place}: unknown element {tag[:40]!r}; known are {', '.join((*AXES, 'FIX'))}")
        axes = axes or AXES[tag]
        if AXES[tag] != axes:
            raise FormatError(f"{place}: {tag} among elements of {KINDS[axes][0]}; a graph must have one kind of pose")
        if tag.startswith("VERTEX"):
            name = _vertex(words, axes, place)
            if name in vertices:
                raise FormatError(f"{place}: pose {name} occurs twice; ids must be unique")
            vertices[name] = _numbers(words[2:], place)
        else:
            edges.append((place, *_ends(words, axes, place)))
            numbers.append(_numbers(words[3:], place))
    if not edges:
        raise FormatError(f"{path}: the file has no edges; expected lines with {KINDS[2][1]} or {KINDS[3][1]}")
    return _graph(vertices, edges, numbers, fixed, axes)


def write_g2o(path: PathLike, graph: PoseGraph) -> None:
    """Write a pose graph, without rounding the numbers.

    Args:
        path: the file.
        graph: the pose graph; for a solution, ``dataclasses.replace(graph, poses=solution["pose"])``.

    Raises:
        MissingFile: if the folder does not exist.
        SettingError: if `graph` is not a `PoseGraph`.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "two.g2o"
        >>> write_g2o(file, PoseGraph([4, 7], None, [[0, 1]], [[1.0, 0.0, 0.1]], [np.eye(3)]))
        >>> file.read_text()
        'EDGE_SE2 4 7 1.0 0.0 0.1 1.0 0.0 0.0 1.0 0.0 1.0\\n'
    """
    path = path_of(path)
    vertex, edge = KINDS[instance(graph, PoseGraph, "write_g2o").axes]
    order = TO_XYZW if graph.axes == 3 else range(3)
    upper = np.triu_indices(graph.information.shape[-1])
    lines = [] if graph.poses is None else [[vertex, i, *x] for i, x in _rows(graph.ids, graph.poses[:, order])]
    lines += [["FIX", i] for i in graph.ids[graph.fixed].tolist()]
    readings = np.hstack([graph.readings[:, order], graph.information[:, *upper]])
    lines += [[edge, *ends, *values] for ends, values in _rows(graph.ids[graph.edges], readings)]
    write_atomic(path, "".join(" ".join(map(str, line)) + "\n" for line in lines))


def _whole(given: Any, name: str) -> NDArray[np.intp]:
    found = numbers(given, f"{name} of a pose graph")
    if not (np.isfinite(found).all() and (found == np.rint(found)).all()):
        raise ShapeError(f"{name} of a pose graph holds numbers that are not whole; expected whole numbers")
    return np.asarray(given if found.size else found, dtype=np.intp)  # large ids would lose digits as floats


def _finite(given: Any, name: str) -> Array:
    """Finite numbers; a reading may be NaN if it was not measured."""
    measured = name == "readings"
    found = numbers(given, f"{name} of a pose graph", missing=measured)
    if np.isinf(found).any() or (np.isnan(found).any() and not measured):
        raise ShapeError(f"{name} of a pose graph holds NaN or infinity; expected finite numbers")
    return found


def _rows(names: NDArray[np.intp], values: Array) -> Iterator[tuple[list[int], list[float]]]:
    return zip(names.tolist(), values.tolist(), strict=True)


def _lines(path: PathLike) -> Iterator[tuple[str, list[str]]]:
    """The position and the words of each line that is not empty."""
    for number, line in enumerate(text_lines(path, "g2o")):
        words = line.partition("#")[0].split()
        if words:
            yield f"{path}, line {number + 1}", words


def _vertex(words: list[str], axes: int, place: str) -> int:
    size = 3 if axes == 2 else 7
    if len(words) != size + 2:
        raise FormatError(f"{place}: {words[0]} takes an id and {size} numbers, not {len(words) - 1} words")
    return _id(words[1], place)


def _ends(words: list[str], axes: int, place: str) -> tuple[int, int]:
    size = 9 if axes == 2 else 28
    if len(words) != size + 3:
        raise FormatError(f"{place}: {words[0]} takes two ids and {size} numbers, not {len(words) - 1} words")
    first, second = _id(words[1], place), _id(words[2], place)
    if first == second:
        raise FormatError(f"{place}: the edge leads from pose {first} to itself; expected two poses")
    return first, second


def _id(word: str, place: str) -> int:
    try:
        return int(np.int64(word))
    except (ValueError, OverflowError):
        raise FormatError(f"{place}: {word[:40]!r} is not an id; expected a 64-bit integer") from None


def _numbers(words: Sequence[str], place: str) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{place}: {str(error)[:100]}") from None


def _graph(
    vertices: dict[int, list[float]],
    edges: list[tuple[str, int, int]],
    numbers: list[list[float]],
    fixed: list[tuple[str, int]],
    axes: int,
) -> PoseGraph:
    ids = list(vertices) or sorted({i for _, *ends in edges for i in ends})
    where = {name: i for i, name in enumerate(ids)}
    for place, *ends in (*edges, *fixed):
        if missing := [i for i in ends if i not in where]:
            raise FormatError(f"{place}: vertex {missing[0]} does not exist; expected one of the file's {len(ids)}")
    places = [place for place, *_ in edges]
    size = 3 if axes == 2 else 7
    values = np.array(numbers)
    return PoseGraph(
        np.array(ids, dtype=np.intp),
        _poses(np.array(list(vertices.values())), [f"pose {i}" for i in ids]) if vertices else None,
        np.array([(where[i], where[j]) for _, i, j in edges], dtype=np.intp),
        _poses(values[:, :size], places),
        _information(values[:, size:], places),
        np.array([where[i] for _, i in fixed], dtype=np.intp),
    )


def _poses(values: Array, places: Sequence[str]) -> Array:
    """Poses with quaternions wxyz normalised to length 1; files with few digits are slightly off."""
    _refuse(~np.isfinite(values).all(axis=-1), places, "a number is NaN or infinite; expected finite numbers")
    if values.shape[-1] == 3:
        return values
    values = values[:, TO_WXYZ]
    length = np.linalg.norm(values[:, 3:], axis=-1)
    _refuse(abs(length - 1.0) > 1e-2, places, "the quaternion qx qy qz qw is not of length 1")
    values[:, 3:] /= length[:, None]
    return values


def _information(upper: Array, places: Sequence[str]) -> Array:
    dim = 3 if upper.shape[-1] == 6 else 6
    _refuse(~np.isfinite(upper).all(axis=-1), places, "the information matrix holds NaN or infinity")
    full = np.zeros((len(upper), dim, dim))
    rows, columns = np.triu_indices(dim)
    full[:, rows, columns] = full[:, columns, rows] = upper
    return full


def _refuse(bad: Any, places: Sequence[str], sentence: str) -> None:
    if bad.any():
        raise FormatError(f"{places[int(np.argmax(bad))]}: {sentence}")
