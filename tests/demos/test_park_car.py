"""The demo of parking: car and truck get into their bays, and touch nothing when their plans are driven."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[2]


def load() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("park_car", ROOT / "demos" / "park_car.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_get_into_their_bays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = load()
    assert demo.main(out=tmp_path) == 0
    said = capsys.readouterr().out
    assert said.count("expansions") == 2 and "1 change of direction" in said
    lengths = [float(line[8:].split(" m,")[0]) for line in said.splitlines()[:2]]
    paths = [np.linalg.norm(np.diff(run.plan.xs[:, :2], axis=0), axis=1).sum() for run in (demo.park(), demo.dock())]
    np.testing.assert_allclose(lengths, paths, rtol=0.01)
    assert [file.name for file in tmp_path.iterdir()] == ["park-car.png"]


def test_the_margin_of_the_truck_covers_the_way_between_two_checks() -> None:
    """Cauchy-Schwarz in the metric of the problem: |d_xy| + arm |d_yaw| <= |(1, arm / weight)| resolution."""
    demo = load()
    for body, weight in ((demo.CAB, 3.0), (demo.TRAILER, 4.0)):
        assert 0.5 * 0.12 * np.hypot(1.0, body.arm / weight) < demo.MARGIN
