"""`pilotage track`: files of boxes and points, their scores and pictures, and what it says of files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pilotage.cli.main import main
from pilotage.cli.track import _at_times
from pilotage.cli.track_picture import GREY, save_tracks
from pilotage.core import BOX, FormatWarning, Space, TrackTable
from pilotage.estimators.tracking import crossing
from pilotage.io import read_kitti_labels, read_mot_tracks, read_track_csv, write_kitti_tracks, write_mot_tracks

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def walk() -> TrackTable:
    """Two boxes that cross at 10 frames a second, one behind the other."""
    t = np.arange(30) / 10.0
    a = np.column_stack((100 + 60 * t, np.full(30, 50.0), np.full(30, 40.0), np.full(30, 90.0)))
    b = np.column_stack((400 - 60 * t, np.full(30, 60.0), np.full(30, 30.0), np.full(30, 80.0)))
    return TrackTable(np.tile(t, 2), np.repeat([1, 2], 30), np.concatenate([a, b]), space=BOX)


def said(capsys: Capture) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("recipe", ["sort", "bytetrack", "ocsort", "imm"])
def test_boxes_of_motchallenge(walk: TrackTable, tmp_path: Path, capsys: Capture, recipe: str) -> None:
    file, out, picture = tmp_path / "det.txt", tmp_path / "out.txt", tmp_path / "out.png"
    write_mot_tracks(file, walk, rate=10.0)
    words = ["track", str(file), "--rate", "10", "--truth", str(file), "--recipe", recipe, "--out", str(out)]
    assert main([*words, "--picture", str(picture), "--json"]) == 0
    facts = said(capsys)
    assert (facts["format"], facts["scans"], facts["detections"], facts["tracks"]) == ("mot", 30, 60, 2)
    if recipe == "imm":
        assert 50 < len(read_mot_tracks(out, rate=10.0)) == facts["rows"]
        return
    assert facts["scores"]["identity"]["IDF1"] == 1.0
    assert len(read_mot_tracks(out, rate=10.0)) == facts["rows"] == 60
    with Image.open(picture) as image:
        assert max(image.size) == 1040


def test_a_camera_that_moves(walk: TrackTable, tmp_path: Path, capsys: Capture) -> None:
    """Boxes that jump with the camera: lost without its motion, tracked with it, given in a file or estimated."""
    file, motion, jumps = tmp_path / "det.txt", tmp_path / "motion.txt", 80.0 * np.tile([0.0, 1.0, 1.0, -1.0, 1.0], 6)
    third = TrackTable(np.arange(30) / 10.0, np.full(30, 3), np.tile([250.0, 300.0, 40.0, 90.0], (30, 1)), space=BOX)
    t, id, x = (np.concatenate([getattr(walk, n), getattr(third, n)]) for n in ("t", "id", "x"))
    seen = x + np.outer(np.cumsum(jumps)[np.rint(10 * t).astype(int)], [1.0, 0.0, 0.0, 0.0])
    write_mot_tracks(file, TrackTable(t, id, seen, space=BOX), rate=10.0)
    motion.write_text("".join(f"{k + 1} 1 0 {d} 0 1 0\n" for k, d in enumerate(jumps)))
    words = ["track", str(file), "--rate", "10", "--truth", str(file), "--recipe", "sort", "--exact", "--json"]
    found = []
    for camera in ("still", str(motion), "boxes"):
        assert main([*words, "--camera", camera]) == 0
        found.append(said(capsys)["scores"]["identity"]["IDF1"])
    assert found[0] < 0.7 and found[1] == 1.0 and found[2] > 0.9


def test_scores_of_boxes_that_begin_tracks(walk: TrackTable, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "det.txt"
    low = TrackTable(walk.t, walk.id, walk.x, space=BOX, score=np.where(walk.id == 1, 0.9, 0.4))
    write_mot_tracks(file, low, rate=10.0)
    for options, tracks in (
        (["--begin-score", "0.5"], 1),
        (["--least-score", "0.5"], 1),
        (["--least-score", "0.3"], 2),
        (["--recipe", "bytetrack", "--least-score", "0.5", "--begin-score", "0.5"], 1),
        (["--recipe", "bytetrack", "--least-score", "0.3", "--begin-score", "0.3"], 2),
    ):
        assert main(["track", str(file), "--rate", "10", "--json", *options]) == 0
        assert said(capsys)["tracks"] == tracks


def test_boxes_of_kitti(walk: TrackTable, tmp_path: Path, capsys: Capture) -> None:
    file, truth, out = tmp_path / "0000.txt", tmp_path / "label.txt", tmp_path / "out.txt"
    corners = np.concatenate([walk.x[:, :2], walk.x[:, :2] + walk.x[:, 2:]], 1)
    rows = zip(np.rint(walk.t * 10), corners, strict=True)
    file.write_text("".join(f"{k:.0f},{','.join(map(str, box))},0.9\n" for k, box in rows))
    write_kitti_tracks(truth, walk)
    assert main(["track", str(file), "--truth", str(truth), "--out", str(out), "--json"]) == 0
    facts = said(capsys)
    assert (facts["format"], facts["scores"]["CLEAR"]["MOTA"]) == ("kitti", 1.0)
    assert len(read_kitti_labels(out).boxes) == 60


@pytest.mark.parametrize("recipe", ["nearest", "gnn", "pda", "jpda", "jipda", "mht", "pmbm", "lmb", "gmphd", "cphd"])
def test_points_of_a_csv_file(tmp_path: Path, capsys: Capture, recipe: str) -> None:
    scene, file, truth, out = crossing(clutter=2.0, rng=1), *(tmp_path / f"{n}.csv" for n in ("z", "truth", "out"))
    rows = [f"{t},{x},{y}" for i, t in enumerate(scene.scans.ts) for x, y in scene.scans[i]]
    file.write_text("\n".join(["time,x,y", *rows]))
    labels = [f"{t},{i},{x[0]},{x[1]}" for t, i, x in zip(scene.truth.t, scene.truth.id, scene.truth.x, strict=True)]
    truth.write_text("\n".join(["time,id,x,y", *labels]))
    words = [
        "track",
        str(file),
        "--recipe",
        recipe,
        "--truth",
        str(truth),
        "--clutter",
        "2",
        "--density",
        "0.3",
        "--std",
        "3",
    ]
    assert main([*words, "--out", str(out)]) == 0
    assert "IDF1" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    facts = said(capsys)
    assert facts["scores"]["HOTA"]["HOTA"] > (0.5 if recipe == "pda" else 0.6)  # pda: several tracks for one target
    assert read_track_csv(out, Space("x y [m]", "vx vy [m/s]")).ids.size == facts["tracks"]


@pytest.mark.parametrize(
    ("name", "text", "options", "wanted"),
    [
        ("det.txt", "1,-1,5,6,10,20,0.9,-1,-1,-1\n", ["--recipe", "jpda"], "--recipe jpda is not for mot files"),
        ("z.csv", "time,x,y\n0,1,2\n", ["--recipe", "sort"], "--recipe sort is not for csv files"),
        ("z.csv", "time,x,y\n0,1,2\n", ["--columns", "x"], "--columns are 'x'"),
        ("z.csv", "time,x,y\n0,1,2\n", ["--std", "0"], "--std is 0"),
        ("z.csv", "time,x,y\n0,1,2\n", ["--columns", "range bearing"], "range"),
        ("det.txt", "1,-1,5,6,10,0,0.9,-1,-1,-1\n", [], "no area"),
        ("det.txt", "1,-1,5,6,10,20,0.9,-1,-1,-1\n", ["--rate", "0"], "--rate is 0"),
        ("det.txt", "1,-1,5,6,10,20,0.9,-1,-1,-1\n", ["--picture", "a.txt"], "not an image format"),
        ("det.txt", "hello\n", [], "det.txt, line 1"),
        ("det.txt", "1,-1,5,6,10,20,0.9,-1,-1,-1\n", ["--std", "4"], "--std is not for mot files"),
        ("z.csv", "time,x,y\n0,1,2\n", ["--clutter", "-3"], "--clutter is -3"),
        ("z.csv", "time,x,y\n0,1,2\n", ["--rate", "25"], "--rate is not for csv files"),
        ("z.csv", "time,x,y\n0,1,2\n", ["--azimuth-std", "0"], "azimuth-std is 0"),
        ("z.csv", "time,x,y,z\n0,1,2,3\n", ["--columns", "x y z", "--azimuth-std", "1"], "--columns are 'x y z'"),
        ("det.txt", "1,-1,5,6,10,20,0.9,-1,-1,-1\n", ["--camera", "nowhere.txt"], "nowhere.txt"),
        ("det.txt", "1,-1,5,6,10,20,0.9,-1,-1,-1\n", ["--recipe", "imm", "--patience", "2"], "--patience"),
    ],
)
def test_what_cannot_be_tracked_is_said_in_one_line(
    tmp_path: Path, capsys: Capture, name: str, text: str, options: list[str], wanted: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert main(["track", str(file), *options]) == 2
    error = capsys.readouterr().err
    assert wanted in error and error.count("\n") == 1


def test_range_and_azimuth_of_a_radar_with_a_clock(tmp_path: Path, capsys: Capture) -> None:
    """Polar detections with times since 1970, and a truth of the same clock at other times."""
    scene, file, truth, out = crossing(clutter=2.0, rng=1), *(tmp_path / f"{n}.csv" for n in ("z", "truth", "out"))
    rows, start = list[str](), 1.7e9
    for t, scan in zip(scene.scans.ts, scene.scans, strict=True):
        x, y = scan[:, 0] + 600.0, scan[:, 1]
        polar = np.column_stack([np.hypot(x, y), np.degrees(np.arctan2(y, x))]).tolist()
        rows += [f"{start + t},{r},{a}" for r, a in polar]
    file.write_text("\n".join(["time,range,azimuth", *rows]))
    ts = np.arange(0.0, 39.0, 0.3)
    true = scene.truth.interpolated(ts)
    labels = [f"{start + t},{i},{x[0] + 600.0},{x[1]}" for t, i, x in zip(true.t, true.id, true.x, strict=True)]
    truth.write_text("\n".join(["time,id,x,y", *labels]))
    words = ["track", str(file), "--columns", "range azimuth", "--azimuth-std", "0.3", "--std", "3", "--clutter", "2"]
    words += ["--truth", str(truth), "--out", str(out), "--density", "0.3", "--picture", str(tmp_path / "a.png")]
    assert main([*words, "--json"]) == 0
    facts = said(capsys)
    assert facts["scores"]["identity"]["IDF1"] > 0.8 and facts["scores"]["GOSPA"]["GOSPA"] < 15.0
    assert read_track_csv(out, Space("x y [m]", "vx vy [m/s]")).t.min() >= start


def test_jipda_confirms_by_existence_and_so_earlier(tmp_path: Path, capsys: Capture) -> None:
    scene, file, found = crossing(clutter=2.0, rng=1), tmp_path / "z.csv", list[int]()
    rows = [f"{t},{x},{y}" for i, t in enumerate(scene.scans.ts) for x, y in scene.scans[i]]
    file.write_text("\n".join(["time,x,y", *rows]))
    for recipe in ("jpda", "jipda"):
        assert main(["track", str(file), "--recipe", recipe, "--clutter", "2", "--std", "3", "--json"]) == 0
        found.append(said(capsys)["rows"])
    assert found[0] < found[1] < 2 * len(scene.scans.ts) + 10


def test_truth_is_not_interpolated_over_its_gaps() -> None:
    t = np.concatenate([np.arange(0.05, 2.0, 0.1), np.arange(8.05, 10.0, 0.1)])
    truth = TrackTable(t, np.ones(len(t)), np.column_stack([t, t]), space=Space("x y [m]"))
    found = _at_times(truth, np.arange(11.0))
    assert found.t.tolist() == [1.0, 9.0] and np.allclose(found.x[:, 0], found.t)
    same = truth.interpolated(t)
    assert _at_times(same, t[:5]) is same
    assert len(_at_times(truth[:0], t)) == 0


def test_the_picture_has_dots_of_detections_and_paths(tmp_path: Path) -> None:
    table = TrackTable([0.0, 1.0], [1, 1], [[0.0, 0.0], [100.0, 50.0]], space=Space("x y [m]"))
    save_tracks(table, np.array([[50.0, 5.0], [900.0, 5.0]]), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        colours = {colour: count for count, colour in image.getcolors(1 << 20) or []}
    assert 5 <= colours[GREY] <= 13  # one dot; the other one is far from the track
    save_tracks(table[:0], np.zeros((0, 2)), tmp_path / "b.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [("z.csv", "time,x,y\n0,1,2\n1,2,b\n"), ("det.txt", "1,-1,5,6,10,20,0.9\n2,-1,5,6,0,20,0.9\n")],
)
def test_faulty_lines_are_dropped_on_demand(tmp_path: Path, capsys: Capture, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert main(["track", str(file)]) == 2
    with pytest.warns(FormatWarning, match="1 faulty"):
        assert main(["track", str(file), "--faulty", "drop"]) == 0
    assert "1 detection" in capsys.readouterr().out


def test_no_tracks_are_explained(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "z.csv"
    file.write_text("time,x,y\n0,1,2\n")
    assert main(["track", str(file)]) == 0
    assert "no track was confirmed" in capsys.readouterr().out


def test_an_empty_file_has_no_tracks(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "det.txt"
    file.write_text("")
    assert main(["track", str(file), "--picture", str(tmp_path / "a.png")]) == 0
    assert "0 tracks" in capsys.readouterr().out
