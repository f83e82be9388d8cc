"""The demo of the pedestrians: no declared risk is exceeded, and contacts between two steps are seen."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from pilotage.core import Plan, PlanStatus

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
    assert demo.main(scenes=2, futures=1000, out=tmp_path) == 0
    worst = {line[:11].strip(): float(line.split()[-2]) for line in capsys.readouterr().out.splitlines()[2:6]}
    assert worst["means only"] > 0.3
    assert all(worst[name] <= risk for name, risk in demo.RISKS.items() if risk is not None)
    assert [file.name for file in tmp_path.iterdir()] == ["pedestrians.png"]


def test_a_contact_counts_at_a_step_and_between_two(demo: Any) -> None:
    plan = Plan(PlanStatus.SOLVED, demo.MODEL.state, np.zeros((3, 4)))
    ways = np.array([
        [[5.0, 5.0], [0.5, 0.0], [5.0, 5.0]],  # touches at a step
        [[-1.5, 0.5], [1.5, 0.5], [5.0, 0.5]],  # passes close by between two
        [[-1.5, 0.8], [1.5, 0.8], [5.0, 0.8]],  # passes far enough away
    ])  # fmt: skip
    futures = ways.transpose(1, 0, 2)[None]
    assert demo.touching(plan, futures).tolist() == [True, True, False]


def test_the_futures_are_distributed_as_predicted(demo: Any) -> None:
    rng = np.random.default_rng(0)
    belief = demo.tracked(rng)
    futures, track = demo.futures_of(belief, 4000, rng), demo.predicted(belief)
    e = futures[-1] - track.means[-1]
    squared = np.einsum("ni,ij,nj->n", e, np.linalg.inv(track.covariances[-1]), e)
    assert abs(squared.mean() - 2.0) < 5.0 * 2.0 / np.sqrt(4000), "chi-square of two degrees of freedom"
