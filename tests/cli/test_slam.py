"""`pilotage slam`: a map from a raw log, and what it says about logs that are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pilotage.cli.main import main
from pilotage.estimators.slam.scans import ScanMapper
from pilotage.io import read_g2o, read_tum, write_tum
from pilotage.io.carmen import beam_angles
from pilotage.maps import OccupancyGrid
from tests.estimators.slam.rooms import RING, lap, ranges, wheels

Capture = pytest.CaptureFixture[str]
POSES = lap()[:30]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a drive along a corridor, with wheels that are wrong; every twentieth beam has failed."""
    rng, lines, angles = np.random.default_rng(0), [], beam_angles(181)
    for k, (true, pose) in enumerate(zip(POSES, wheels(POSES, scale=1.05), strict=True)):
        r = ranges(RING, true, angles) + rng.normal(0.0, 0.01, 181)
        r[::20] = 81.91
        place = " ".join(f"{value:.6f}" for value in pose)
        lines.append(f"FLASER 181 {' '.join(f'{each:.4f}' for each in r)} {place} {place} {0.5 * k} host {0.5 * k}")
    file = tmp_path_factory.mktemp("slam") / "walk.log"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_everything_is_written(log: Path, tmp_path: Path, capsys: Capture) -> None:
    write_tum(tmp_path / "truth.tum", 0.5 * np.arange(30), POSES)
    options = ["--out", str(tmp_path / "depot"), "--truth", str(tmp_path / "truth.tum"), "--json"]
    assert main(["slam", str(log), *options]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["scans"] == 30 and facts["beams"] == 181 and facts["lost"] == 0
    assert facts["ate"]["rmse"] < 0.03 and facts["ate"]["count"] == 30
    made = OccupancyGrid.load(facts["files"]["map"])
    walls = made.cell_to_world(np.argwhere(made.occupied)) + POSES[0, :2]
    straight = walls[(walls[:, 0] > 2.6) & (walls[:, 0] < 3.8)]  # of the corridor, without boxes
    off = np.minimum(np.abs(straight[:, 1]), np.abs(straight[:, 1] - 2.5))
    assert len(straight) > 20 and np.quantile(off, 0.9) < 0.1
    assert len(read_tum(facts["files"]["trajectory"]).ts) == 30
    assert len(read_g2o(facts["files"]["graph"]).poses) == facts["keyframes"]
    with Image.open(facts["files"]["picture"]) as image:
        assert image.size[0] > 500
    assert "walk.log" in Path(facts["files"]["report"]).read_text()


def test_scans_are_enough(log: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["slam", str(log), "--no-odometry", "--no-loops", "--out", str(tmp_path / "depot")]) == 0
    said = capsys.readouterr().out
    assert "30 scans of 181 beams" in said and "odometry: none" in said and "depot.yaml" in said
    x = read_tum(tmp_path / "depot.tum").planar
    assert np.hypot(*x[-1, :2]) == pytest.approx(np.hypot(*(POSES[-1] - POSES[0])[:2]), abs=0.05)


def test_files_are_replaced_only_by_force(log: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "depot.g2o").write_text("kept")
    assert main(["slam", str(log), "--out", str(tmp_path / "depot")]) == 2
    assert "depot.g2o exists" in capsys.readouterr().err
    assert (tmp_path / "depot.g2o").read_text() == "kept" and len(list(tmp_path.iterdir())) == 1
    assert main(["slam", str(log), "--out", str(tmp_path / "depot"), "--force"]) == 0
    assert (tmp_path / "depot.g2o").read_text() != "kept"


def test_one_scan_has_no_graph(log: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "one.log").write_text(log.read_text().splitlines()[0])
    assert main(["slam", str(tmp_path / "one.log"), "--out", str(tmp_path / "one")]) == 0
    assert (tmp_path / "one.yaml").exists() and not (tmp_path / "one.g2o").exists()


def test_many_lost_scans_are_a_warning(log: Path, tmp_path: Path, capsys: Capture) -> None:
    lines = log.read_text().splitlines()
    blind = [" ".join(["FLASER 181", *["81.91"] * 181, *line.split()[-9:]]) for line in lines]
    for count, warned in ((2, False), (10, True)):
        (tmp_path / "walk.log").write_text("\n".join([*lines[: 30 - count], *blind[30 - count :]]))
        assert main(["slam", str(tmp_path / "walk.log"), "--out", str(tmp_path / "map"), "--force"]) == 0
        assert ("warning: " in capsys.readouterr().out) == warned


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere.log"], "nowhere.log"),
        (["--resolution", "0"], "--resolution"),
        (["--noise", "0"], "--noise"),
        (["--max-range", "-1"], "max"),
        (["--out", "no/such/folder"], "no/such"),
        (["--truth", "nowhere.tum"], "nowhere.tum"),
        (["--truth", "later.tum"], "later.tum has no poses"),
        (["--relations", "nowhere.relations"], "nowhere.relations"),
    ],
)
def test_bad_options_are_refused_before_the_scans_are_matched(
    log: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    monkeypatch.setattr(ScanMapper, "update", None)
    write_tum("later.tum", 1e6 + 0.5 * np.arange(30), POSES)
    words = options if options[0].endswith(".log") else [str(log), *options]
    out = [] if "--out" in options else ["--out", str(tmp_path / "depot")]
    assert main(["slam", *words, *out]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "FLASER 3 1.0 2.0", "FLASER 2 1 nan 0 0 0 0 0 0 0 host 0", "\x00\x01"])
def test_logs_that_are_refused(tmp_path: Path, capsys: Capture, text: str) -> None:
    (tmp_path / "bad.log").write_text(text)
    assert main(["slam", str(tmp_path / "bad.log"), "--out", str(tmp_path / "map")]) == 2
    assert "bad.log" in capsys.readouterr().err


def test_a_truncated_archive_is_refused(log: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress(log.read_bytes())[:-2000])
    assert main(["slam", str(tmp_path / "cut.log.gz"), "--out", str(tmp_path / "map")]) == 2
    assert "damaged" in capsys.readouterr().err
    (tmp_path / "cut.log").write_bytes(log.read_bytes()[:-500])  # in the middle of the last scan
    assert main(["slam", str(tmp_path / "cut.log"), "--out", str(tmp_path / "map")]) == 2
    assert "line 30" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 2


def test_a_log_without_ranges_has_no_map(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "far.log").write_text("FLASER 3 81.9 81.9 81.9 0 0 0 0 0 0 1.0 host 1.0\n" * 3)
    assert main(["slam", str(tmp_path / "far.log"), "--out", str(tmp_path / "map")]) == 2
    assert "says anything" in capsys.readouterr().err
