"""The demo of boxes of a camera that turns holds what it says, on an invented road of another seed, and on KITTI."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main
from pilotage.estimators.tracking.boxes import SORT, BoxTracker
from pilotage.estimators.tracking.scores import clear, compare

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("real", [False, True])
def test_the_motion_of_the_camera_holds_tracks_together(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    real: bool,
) -> None:
    data = request.getfixturevalue("data") if real else tmp_path
    if real and not (data / "mot").is_dir():
        pytest.skip(f"no data of tracking at {data}")
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    assert main(["demo", "camera-boxes", "--seed", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert ("KITTI" in said[0]) == real
    rows = [[float(word) for word in row.split()[-4:]] for row in said[2:8]]
    for still, moved in zip(rows[::2], rows[1::2], strict=True):
        assert moved[0] > still[0] and moved[1] > still[1] and moved[3] <= still[3]
    assert [file.name for file in tmp_path.iterdir()] == ["camera-boxes.png"]


def test_the_picture_marks_the_switches_that_are_counted() -> None:
    spec = importlib.util.spec_from_file_location("camera_boxes", ROOT / "demos" / "camera_boxes.py")
    assert spec is not None and spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    truth, scans = demo.invented(np.random.default_rng(1), frames=150)
    for found in (BoxTracker(SORT()).run(scans), BoxTracker(SORT(least=0.6)).run(scans)):
        assert len(demo.switches(truth, found)) == clear(compare(truth, found)).idsw
