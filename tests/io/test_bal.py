"""Bundle adjustment problems of BAL: cameras that look along -Z become ours, and what is wrong is named."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pilotage.core.errors import FormatError, MissingFile
from pilotage.estimators.slam import LevenbergMarquardt, SolveStatus
from pilotage.estimators.slam.vision import free_lens_graph
from pilotage.io import read_bal
from pilotage.models import pinhole

HEAD = "1 1 1\n0 0 10 20\n0 0 0 0 0 0 400 0 0\n1 2 -40\n"


def shown(cameras: Any, point: Any, k: int) -> Any:
    """The pixel as the page of BAL defines it."""
    P = Rotation.from_rotvec(cameras[k, :3]).apply(point) + cameras[k, 3:6]
    p = -P[:2] / P[2]
    f, k1, k2 = cameras[k, 6:]
    r2 = p @ p
    return f * (1.0 + k1 * r2 + k2 * r2 * r2) * p


def problem(noise: float = 0.0) -> tuple[Any, Any, list[Any]]:
    rng = np.random.default_rng(0)
    cameras = np.hstack([
        rng.normal(0.0, 0.1, (5, 3)), rng.normal(0.0, 0.5, (5, 3)), np.tile([500.0, -0.1, 0.02], (5, 1))
    ])  # fmt: skip
    cameras[:, 5] -= 8.0
    points = rng.uniform(-2.0, 2.0, (40, 3))
    rows = [
        (k, n, *(shown(cameras, points[n], k) + noise * rng.standard_normal(2))) for k in range(5) for n in range(40)
    ]
    return cameras, points, rows


def text(cameras: Any, points: Any, rows: list[Any]) -> str:
    lines = [f"{len(cameras)} {len(points)} {len(rows)}"]
    lines += [" ".join(map(str, row)) for row in rows]
    lines += [repr(float(x)) for x in cameras.ravel()] + [repr(float(x)) for x in points.ravel()]
    return "\n".join(lines)


def test_pixels_are_those_of_our_cameras(tmp_path: Path) -> None:
    file = tmp_path / "problem.txt.gz"
    file.write_bytes(gzip.compress(text(*problem()).encode()))
    found = read_bal(file)
    assert found.pixels.shape == (200, 2) and repr(found) == "BundleProblem(5 cameras, 40 points, 200 readings)"
    lens = pinhole(distorted=True, focal=(500.0, 500.0), centre=(0.0, 0.0), distortion=(-0.1, 0.02, 0.0, 0.0))
    z = lens.observe(found.poses[found.frames], found.points[found.landmarks])
    assert np.abs(z - found.pixels).max() < 1e-9
    local = found.points[found.landmarks] - found.poses[found.frames, :3]
    ahead = Rotation.from_quat(found.poses[found.frames, 3:], scalar_first=True).inv().apply(local)[:, 2]
    assert (ahead > 0.0).all()


def test_lenses_are_found_too(tmp_path: Path) -> None:
    cameras, points, rows = problem(noise=0.2)
    guess = cameras.copy()
    guess[:, 6:] = [450.0, 0.0, 0.0]
    file = tmp_path / "problem.txt"
    file.write_text(text(guess, points + np.random.default_rng(1).normal(0.0, 0.02, points.shape), rows))
    found = read_bal(file)
    apart = float(np.linalg.norm(found.poses[1, :3] - found.poses[0, :3]))
    graph = free_lens_graph(found, std=0.2, distances=[(0, 1, apart)])
    solution = LevenbergMarquardt().solve(graph)
    assert solution.status is SolveStatus.CONVERGED
    assert solution.chi2[-1] < 1.5 * (graph.residuals - graph.unknowns)
    assert np.abs(solution["lens"][:, 0] - 500.0).max() < 25.0
    free = LevenbergMarquardt().solve(free_lens_graph(found, std=0.2))
    assert free.status is SolveStatus.UNDETERMINED and "scale" in free.reason


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: "", "begins with ''"),
        (lambda s: s.replace("1 1 1", "1 1"), "begins with .1 1 0."),
        (lambda s: s.replace("1 1 1", "0 1 1"), "begins with '0 1 1'"),
        (lambda s: s.replace("1 1 1", "1 1 -1"), "begins with"),
        (lambda s: s.replace("1 1 1", "999999999 1 1"), "expected"),
        (lambda s: s + "7", "has 17 numbers"),
        (lambda s: s.replace("0 0 10 20", "1 0 10 20"), "names 1"),
        (lambda s: s.replace("0 0 10 20", "0 0.5 10 20"), "names 0.5"),
        (lambda s: s.replace("400", "nan"), "number 14 is 'nan'"),
        (lambda s: s.replace("400", "1e999"), "1e999"),
        (lambda s: s.replace("400", "lens"), "lens"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, change: Any, sentence: str) -> None:
    file = tmp_path / "problem.txt"
    file.write_text(change(HEAD))
    with pytest.raises(FormatError, match=sentence):
        read_bal(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read_bal(tmp_path / "none.txt")
