"""Files of PyFactorGraph: what is written is read, and what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotage.core.errors import FormatError
from pilotage.io import read_pyfg

PLANE = """VERTEX_SE2 0.0 A0 1 2 0.5
VERTEX_SE2 0.5 A1 2 2 0.5
VERTEX_XY L0 4 6
EDGE_SE2 0.5 A0 A1 1 0 0.1 1 2 3 4 5 6
EDGE_SE2_XY 0.5 A1 L0 3 4 0.5 0.1 0.7
EDGE_RANGE 0.5 A1 L0 5.0 0.2
EDGE_RANGE 0.5 A0 A1 1.0 0.3
"""
SPACE = """VERTEX_SE3:QUAT 0.0 A0 1 2 3 0.1 0.2 0.3 0.9
VERTEX_SE3:QUAT 0.0 A1 1 2 3 0 0 0 1
VERTEX_XYZ L0 4 6 8
EDGE_SE3:QUAT 0.5 A0 A1 1 2 3 0.1 0.2 0.3 0.9 """ + " ".join(map(str, range(21)))


def written(text: str, tmp_path: Path) -> Path:
    file = tmp_path / "graph.pyfg"
    file.write_text(text)
    return file


def test_graph_in_the_plane(tmp_path: Path) -> None:
    graph = read_pyfg(written(PLANE, tmp_path))
    assert graph.names == ("A0", "A1") and graph.landmarks == ("L0",) and graph.ts.tolist() == [0.0, 0.5]
    assert graph.poses.tolist() == [[1, 2, 0.5], [2, 2, 0.5]] and graph.places.tolist() == [[4, 6]]
    assert graph.steps.pairs.tolist() == [[0, 1]] and graph.steps.readings.tolist() == [[1, 0, 0.1]]
    assert graph.steps.covariances[0].tolist() == [[1, 2, 3], [2, 4, 5], [3, 5, 6]]
    assert graph.sightings.pairs.tolist() == [[1, 0]] and graph.sightings.covariances[0].tolist() == [
        [0.5, 0.1],
        [0.1, 0.7],
    ]
    assert graph.ranges.readings.tolist() == [[5.0]] and graph.ranges.covariances[0, 0, 0] == pytest.approx(0.04)
    assert graph.pose_ranges.pairs.tolist() == [[0, 1]] and graph.pose_ranges.covariances[0, 0, 0] == pytest.approx(
        0.09
    )


def test_graph_in_space(tmp_path: Path) -> None:
    graph = read_pyfg(written(SPACE, tmp_path))
    assert graph.poses[0].tolist() == [1, 2, 3, 0.9, 0.1, 0.2, 0.3] and graph.places.tolist() == [[4, 6, 8]]
    assert graph.steps.readings[0].tolist() == [1, 2, 3, 0.9, 0.1, 0.2, 0.3]
    C = graph.steps.covariances[0]
    np.testing.assert_array_equal(C, C.T)
    assert C[0].tolist() == [0, 1, 2, 3, 4, 5] and C[5, 5] == 20 and len(graph.ranges.pairs) == 0


@pytest.mark.parametrize(("line", "sentence"), [
    ("EDGE_WRONG 0 A0 A1 1", "line 8: unknown element 'EDGE_WRONG'"),
    ("VERTEX_SE2 0.0 A0 1 2 0.5", "line 8: vertex 'A0' occurs twice"),
    ("VERTEX_SE2", "line 8: vertex"),
    ("VERTEX_XYZ L1 1 2 3", "line 8: a vertex with 3 axes"),
    ("VERTEX_XY L1 1 nan", "line 8"),
    ("EDGE_RANGE 0.5 A1 L9 5.0 0.2", "line 8: there is no vertex 'L9'"),
    ("EDGE_RANGE 0.5 A1 L0 5.0", "line 8: has 1 numbers; expected 2"),
    ("EDGE_RANGE 0.5 A1", "line 8: has 3 words"),
    ("EDGE_RANGE 0.5 A1 L0 5.0 1e308", "line 8: the standard deviation is 1e\\+308"),
    ("EDGE_RANGE 0.5 A0 A1 5.0 -0.2", "line 8: the standard deviation is -0.2"),
    ("EDGE_SE2 0.5 A0 A1 1 0 x 1 2 3 4 5 6", "line 8"),
    ("EDGE_SE3_XYZ 0.5 A0 L0 1 2 3 1 0 0 1 0 1", "line 8: an edge with 9 numbers"),
])  # fmt: skip
def test_wrong_lines_are_named(line: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=sentence):
        read_pyfg(written(PLANE + line + "\n", tmp_path))


def test_files_without_poses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no poses"):
        read_pyfg(written("", tmp_path))


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_answered_in_a_sentence(seed: int, tmp_path: Path) -> None:
    """Bytes changed and cut at random: a graph of finite numbers and of names that are unique, or an error."""
    rng, refused = np.random.default_rng(seed), 0
    for _ in range(100):
        damaged = bytearray((PLANE if rng.random() < 0.5 else SPACE).encode())
        for _ in range(rng.integers(0, 4)):
            damaged[rng.integers(len(damaged))] = int(rng.integers(32, 127))
        cut = damaged[: rng.integers(len(damaged))]
        file = tmp_path / "damaged.pyfg"
        file.write_bytes(bytes(cut))
        try:
            graph = read_pyfg(file)
        except FormatError:
            refused += 1
            continue
        names = (*graph.names, *graph.landmarks)
        assert len(set(names)) == len(names) and len(graph.poses) == len(graph.names) > 0
        assert all(np.isfinite(x).all() for x in (graph.poses, graph.ts, graph.places))
        for links in (graph.steps, graph.sightings, graph.ranges, graph.pose_ranges):
            assert np.isfinite(links.readings).all() and np.isfinite(links.covariances).all()
            assert ((links.pairs >= 0) & (links.pairs < len(names))).all()
    assert 0 < refused < 100
