"""The demo of the pedestrians: no declared risk is exceeded, and contacts between two steps are seen."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("pedestrians", ROOT / "demos" / "pedestrians.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_risk_is_exceeded(demo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(scenes=2, drives=5, out=tmp_path) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line[:11].strip() in demo.RISKS]
    realised = {line[:11].strip(): float(line[11:].split()[1]) for line in lines}
    assert realised["means only"] > 0.5
    assert all(realised[name] < realised["means only"] for name, risk in demo.RISKS.items() if risk is not None)
    assert [file.name for file in tmp_path.iterdir()] == ["pedestrians.png"]


def test_a_contact_counts_at_a_step_and_between_two(demo: Any) -> None:
    ways = (
        ([[5.0, 5.0], [0.5, 0.0], [5.0, 5.0]], True),  # touches at a step
        ([[-1.5, 0.5], [1.5, 0.5], [5.0, 0.5]], True),  # passes close by between two
        ([[-1.5, 0.8], [1.5, 0.8], [5.0, 0.8]], False),  # passes far enough away
    )
    for way, expected in ways:
        assert demo.touches(np.zeros((3, 2)), np.array(way)[:, None]) is expected


def test_a_pedestrian_walks_as_predicted(demo: Any) -> None:
    rng = np.random.default_rng(0)
    _, belief = demo.approaching(rng)
    track, xs = demo.predicted(belief, 0.0), belief.sample(2000, rng=rng)
    for _ in range(demo.STEPS):
        xs = np.array([demo.walked_on(x, rng) for x in xs])
    e = xs[:, :2] - track.means[-1]
    squared = np.einsum("ni,ij,nj->n", e, np.linalg.inv(track.covariances[-1]), e)
    assert abs(squared.mean() - 2.0) < 5.0 * 2.0 / np.sqrt(2000), "chi-square of two degrees of freedom"
