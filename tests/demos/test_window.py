"""The demo of the window: its judge measures where the wall was crossed, and it asserts its own result."""

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
    spec = importlib.util.spec_from_file_location("window", ROOT / "demos" / "window.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_feedback_gets_through(demo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(seeds=3, out=tmp_path) == 0
    through = {
        line[:12].strip(): line[12:].split()[0] for line in capsys.readouterr().out.splitlines() if "/3 " in line
    }
    assert through["SQP"] == through["TrackingLQR"] == "3/3" != through["open loop"]
    assert [file.name for file in tmp_path.iterdir()] == ["window.png"]


def test_a_frame_that_is_touched_counts(demo: Any) -> None:
    xs = np.zeros((3, 13))
    xs[:, 0], xs[:, 1], xs[:, 2] = [0.0, 2.0, 4.0], [0.0, 0.4, 0.6], 1.5
    at = demo.crossing(xs)
    np.testing.assert_allclose(at, [0.5, 1.5])
    assert demo.Flight(xs, at).passed and not demo.Flight(xs, at + [0.0, 0.3]).passed
    assert not demo.Flight(xs[:2], demo.crossing(xs[:2])).passed, "it never gets to the wall"
