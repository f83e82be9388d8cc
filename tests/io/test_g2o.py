"""g2o files: orders of quaternions and of information, both ways, and damage as sentences."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from pilotage.core import FormatError, PilotageError, ShapeError
from pilotage.io import PoseGraph, read_g2o, write_g2o

PLANE = """# a square
VERTEX_SE2 7 0 0 0
VERTEX_SE2 3 1.5 -2 0.25
FIX 3
EDGE_SE2 7 3 1 2 0.5 11 12 13 22 23 33
"""
SPACE = (
    "VERTEX_SE3:QUAT 0 0 0 0 0 0 0 1\nVERTEX_SE3:QUAT 1 1 2 3 0.1 0.2 0.3 0.9273618495495704\n"
    "EDGE_SE3:QUAT 0 1 1 2 3 0.1 0.2 0.3 0.9273618495495704 "
    + " ".join(str(100 if i == j else i + j / 10) for i in range(6) for j in range(i, 6))
)


def written(folder: Path, text: str) -> Path:
    file = folder / "graph.g2o"
    file.write_text(text)
    return file


def test_plane(tmp_path: Path) -> None:
    graph = read_g2o(written(tmp_path, PLANE.replace("11 12 13 22 23 33", "110 12 13 220 23 330")))
    assert graph.axes == 2
    assert graph.ids.tolist() == [7, 3]
    assert graph.fixed.tolist() == [1]
    assert graph.edges.tolist() == [[0, 1]]
    assert graph.poses is not None
    assert graph.poses[1].tolist() == [1.5, -2.0, 0.25]
    assert graph.readings[0].tolist() == [1.0, 2.0, 0.5]
    assert graph.information[0].tolist() == [[110, 12, 13], [12, 220, 23], [13, 23, 330]]


def test_space_has_wxyz_in_memory_and_translation_first(tmp_path: Path) -> None:
    graph = read_g2o(written(tmp_path, SPACE))
    assert graph.axes == 3
    assert graph.poses is not None
    assert graph.poses[0].tolist() == [0, 0, 0, 1, 0, 0, 0]
    np.testing.assert_allclose(graph.readings[0], [1, 2, 3, 0.92736185, 0.1, 0.2, 0.3], rtol=1e-8)
    W = graph.information[0]
    np.testing.assert_array_equal(W, W.T)
    assert W[0, 4] == 0.4
    assert W[2, 5] == 2.5


@pytest.mark.parametrize("text", [PLANE.replace(" 11 12", " 99 12").replace("33\n", "99\n"), SPACE])
@pytest.mark.parametrize("packed", [False, True])
def test_there_and_back(text: str, packed: bool, tmp_path: Path) -> None:
    first = read_g2o(written(tmp_path, text))
    write_g2o(tmp_path / "again.g2o", first)
    if packed:
        (tmp_path / "again.g2o").write_bytes(gzip.compress((tmp_path / "again.g2o").read_bytes()))
    again = read_g2o(tmp_path / "again.g2o")
    for name in ("ids", "poses", "edges", "readings", "information", "fixed"):
        np.testing.assert_allclose(getattr(again, name), getattr(first, name), rtol=1e-15, atol=1e-16)


def test_edges_only(tmp_path: Path) -> None:
    graph = read_g2o(written(tmp_path, "EDGE_SE2 9 4 1 2 0.5 1 0 0 1 0 1\nEDGE_SE2 4 5 1 2 0.5 1 0 0 1 0 1\n"))
    assert graph.poses is None
    assert graph.ids.tolist() == [4, 5, 9]
    assert graph.edges.tolist() == [[2, 0], [0, 1]]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("EDGE_SE2", "EDGE_SE9"), "line 5"),
        (("EDGE_SE2 7 3", "EDGE_SE2 7 4"), "line 5"),
        (("EDGE_SE2 7 3", "EDGE_SE2 7 7"), "line 5"),
        (("EDGE_SE2 7 3", "EDGE_SE2 7 3.5"), "line 5"),
        ((" 33\n", "\n"), "line 5"),
        ((" 33\n", " 33 1\n"), "line 5"),
        ((" 33\n", " nan\n"), "line 5"),
        (("0.5", "half"), "line 5"),
        (("0.5", "half" * 9000), "line 5"),
        (("VERTEX_SE2 3", "VERTEX_SE2 " + 30 * "3"), "line 3"),
        (("VERTEX_SE2 3", "VERTEX_SE2 7"), "line 3"),
        (("-2 0.25", "-2"), "line 3"),
        (("FIX 3", "FIX 4"), "line 4"),
        (("VERTEX_SE2 3", "VERTEX_SE3:QUAT 3"), "line 3"),
        ((PLANE, ""), "no edges"),
        (("square", "squ\u00e4re"), "not a g2o text file"),
    ],
)
def test_damage(change: tuple[str, str], line: str, tmp_path: Path) -> None:
    text = PLANE.replace("11 12 13 22 23 33", "99 12 13 99 23 33")
    file = tmp_path / "graph.g2o"
    file.write_text(text.replace(*change) if change[0] in text else "", encoding="utf-8")
    with pytest.raises(FormatError, match=line) as caught:
        read_g2o(file)
    assert "graph.g2o" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_quaternion_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 3: the quaternion"):
        read_g2o(written(tmp_path, SPACE.replace("0.9273618495495704 100", "0.5 100")))


def test_places_of_values() -> None:
    graph = PoseGraph([0, 1], None, [[0, 1]], [[1.0, 0.0, 0.1]], [np.eye(3)])
    assert graph.information.dtype == np.float64
    assert graph.edges.dtype == np.intp


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"edges": [[0, 1], [1, 9]]}, "edges of a pose graph names pose 9; expected places from 0 to 2"),
    ({"edges": [[0, 1]]}, r"edges of a pose graph has shape \(1, 2\); expected \(2, 2\)"),
    ({"edges": [[0, 1.5], [1, 2]]}, "edges of a pose graph holds numbers that are not whole"),
    ({"edges": [["a", "b"]]}, "edges of a pose graph is not an array of numbers"),
    ({"readings": [[1.0, 2.0]] * 2}, r"readings of a pose graph have shape \(2, 2\)"),
    ({"readings": np.zeros((0, 3))}, "expected one or more rows"),
    ({"readings": [[np.inf, 0.0, 0.0]] * 2}, "readings of a pose graph holds NaN or infinity"),
    ({"poses": np.full((3, 3), np.nan)}, "poses of a pose graph holds NaN"),
    ({"information": np.eye(3)}, r"information of a pose graph has shape \(3, 3\); expected \(2, 3, 3\)"),
    ({"poses": np.zeros((2, 3))}, r"poses of a pose graph has shape \(2, 3\); expected \(3, 3\)"),
    ({"fixed": [7]}, "fixed of a pose graph names pose 7"),
])  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(changed: dict[str, object], sentence: str) -> None:
    fits = {
        "ids": [4, 5, 6], "poses": None, "edges": [[0, 1], [1, 2]],
        "readings": [[1.0, 0.0, 0.1]] * 2, "information": [np.eye(3)] * 2, "fixed": [0],
    }  # fmt: skip
    assert repr(PoseGraph(**fits)) == "PoseGraph(3 poses in the plane, 2 edges)"  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=sentence):
        PoseGraph(**(fits | changed))  # type: ignore[arg-type]


def test_only_a_pose_graph_is_written(tmp_path: Path) -> None:
    graph = PoseGraph([0, 1], None, [[0, 1]], [[1.0, 0.0, 0.1]], [np.eye(3)])
    for swapped in ((graph, tmp_path / "a.g2o"), (tmp_path / "a.g2o", PoseGraph), (tmp_path / "a.g2o", "graph")):
        with pytest.raises(PilotageError, match="PoseGraph"):
            write_g2o(*swapped)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
