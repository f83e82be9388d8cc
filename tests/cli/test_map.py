"""`pilotage map`: the map of a room from its log, and what it says about logs that are none."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pilotage.cli.main import main
from pilotage.io import read_carmen
from pilotage.io.carmen import beam_angles
from pilotage.maps import OccupancyGrid

Capture = pytest.CaptureFixture[str]
ROOM = OccupancyGrid.from_occupied(np.pad(np.zeros((38, 58)), 1, constant_values=1), 0.1, (-1.0, -1.0, 0.0))


def line(pose: np.ndarray, ranges: np.ndarray) -> str:
    place = " ".join(f"{value:.6f}" for value in pose)
    return f"FLASER {len(ranges)} {' '.join(f'{r:.4f}' for r in ranges)} {place} {place} 0.0 host 0.0"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a robot that turns around in two places of a room; every tenth beam has failed."""
    turns = np.linspace(-np.pi, np.pi, 24)
    poses = np.concatenate([np.column_stack((np.full(24, x), np.full(24, 1.0), turns)) for x in (0.5, 3.0)])
    ranges = ROOM.raycast(poses, beam_angles(181), 15.0) + 0.001  # behind the face, as rounding has no side
    ranges[:, ::10] = 81.91
    file = tmp_path / "walk.log"
    file.write_text("# a walk\n" + "\n".join(map(line, poses, ranges)) + "\n")
    return file


def test_the_map_of_a_room_is_the_room(log: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "room.yaml"
    assert main(["map", str(log), "--resolution", "0.1", "--noise", "0", "--out", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    made = OccupancyGrid.load(out)
    assert (facts["scans"], facts["beams"]) == (48, 181)
    assert facts["cells"] == list(made.shape[::-1])
    assert facts["size"] == pytest.approx(ROOM.size, abs=0.11)
    assert facts["out"] == str(out)
    assert made.resolution == 0.1
    assert made.is_free(ROOM.cell_to_world(np.argwhere(ROOM.free))).all()
    walls = ROOM.cell_to_world(np.argwhere(ROOM.occupied))
    assert made.is_occupied(walls).mean() > 0.95
    assert not made.is_free(walls).any()
    assert (made.occupied_thresh, made.free_thresh) == (0.65, 0.196), "as other readers of ROS maps expect"


def test_the_map_is_named_as_its_log(log: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(log.parent)
    assert main(["map", str(log)]) == 0
    said = capsys.readouterr().out
    assert "48 scans of 181 beams" in said
    assert "cells of 0.05 m" in said
    assert {"walk.yaml", "walk.pgm"} <= {file.name for file in log.parent.iterdir()}


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda text: "", [], "no scan (FLASER)"),
        (lambda text: text.replace("FLASER 181", "FLASER 180", 1), [], "a scan of 180 ranges has"),
        (lambda text: text.replace("81.9100", "far", 1), [], "is not a scan"),
        (lambda text: text.replace(" 0.500000 1.000000 ", " 1e6 1e6 ", 1), [], "leave out poses that are wrong"),
        (lambda text: text, ["--failed", "0"], "no scan of this log says anything"),
        (lambda text: text, ["--failed", "nan"], ": --failed is nan"),
        (lambda text: text, ["--failed", "-1"], ": --failed is -1"),
        (lambda text: text, ["--resolution", "0"], ": --resolution is 0"),
        (lambda text: text, ["--resolution", "1e-7"], "a larger resolution"),
        (lambda text: text, ["--noise", "-1"], ": --noise is -1"),
        (lambda text: text, ["--max-range", "-1"], ": --max-range is -1"),
        (lambda text: text, ["--out", "map.png"], "a ROS map is a .yaml file"),
        (lambda text: text, ["--out", "nowhere/map.yaml"], "nowhere does not exist"),
        (lambda text: text, ["--negate-mask"], "--negate-mask goes with a --mask that is an image"),
    ],
)
def test_errors_are_one_sentence_and_write_nothing(
    change: Callable[[str], str],
    options: list[str],
    said: str,
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.setattr("pilotage.cli.main.progress", contextlib.nullcontext)  # compiling is no error
    monkeypatch.chdir(log.parent)
    before = {file.name for file in log.parent.iterdir()}
    log.write_text(change(log.read_text()))
    assert main(["map", str(log), *options]) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert said in caught.err
    assert caught.err.count("\n") == 1
    assert {file.name for file in log.parent.iterdir()} == before


@pytest.mark.parametrize("name", ["walk.yaml", "walk.pgm"])
@pytest.mark.parametrize("options", [[], ["--out", "walk.yaml"]])
def test_a_map_is_replaced_by_force_alone(
    name: str, options: list[str], log: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(log.parent)
    kept = log.parent / name
    kept.write_text("mine")
    assert main(["map", str(log), *options]) == 2
    assert f"{name} exists; give --force" in capsys.readouterr().err
    assert kept.read_text() == "mine" and {file.name for file in log.parent.iterdir()} == {"walk.log", name}
    assert main(["map", str(log), *options, "--force"]) == 0
    assert OccupancyGrid.load("walk.yaml").occupied.any()


def test_a_log_is_not_read_for_a_map_that_cannot_be_written(tmp_path: Path, capsys: Capture) -> None:
    """It may take minutes."""
    for out, said in (("map.png", "is a .yaml file"), ("nowhere/map.yaml", "does not exist")):
        assert main(["map", str(tmp_path / "none.log"), "--out", str(tmp_path / out)]) == 2
        assert said in capsys.readouterr().err


def test_what_is_written_has_no_noise_of_rounding(log: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "room.yaml"
    words = ["map", str(log), "--resolution", "0.05", "--out", str(out), "--json", "--origin", "-0.2", "0.1", "0"]
    assert main(words) == 0
    for text in (out.read_text(), capsys.readouterr().out):
        assert not [number for number in re.findall(r"\d+\.\d+", text) if len(number.partition(".")[2]) > 9]


def test_a_missing_log_is_a_sentence(tmp_path: Path, capsys: Capture) -> None:
    assert main(["map", str(tmp_path / "none.log")]) == 2
    assert "there is no file none.log" in capsys.readouterr().err


def test_the_map_of_a_real_building(data: Path, tmp_path: Path, capsys: Capture) -> None:
    """The robot drove through free space, and what it saw at two visits of a place agrees."""
    out = tmp_path / "intel.yaml"
    source = data / "lidar_logs/intel-corrected.log.gz"
    assert main(["map", str(source), "--resolution", "0.1", "--out", str(out)]) == 0
    made, log = OccupancyGrid.load(out), read_carmen(source)
    assert made.is_free(log.poses[:, :2]).mean() > 0.99
    ends = log.ranges < 10.0
    bearing = log.poses[:, 2:] + log.angles
    hits = log.poses[:, None, :2] + log.ranges[..., None] * np.stack((np.cos(bearing), np.sin(bearing)), axis=-1)
    assert made.is_occupied(hits[ends]).mean() > 0.9


def test_the_map_may_have_another_frame(log: Path, tmp_path: Path) -> None:
    """The room, as seen from a pose in it: the wall that the log has at x = 5 lies where its frame says."""
    out = tmp_path / "room.yaml"
    pose = [1.0, 0.5, 0.5 * np.pi]
    words = ["map", str(log), "--resolution", "0.1", "--noise", "0", "--out", str(out)]
    assert main([*words, "--origin", *map(str, pose)]) == 0
    made, (x, y, _) = OccupancyGrid.load(out), pose
    inside = ROOM.cell_to_world(np.argwhere(ROOM.free)) - (x, y)
    walls = ROOM.cell_to_world(np.argwhere(ROOM.occupied)) - (x, y)
    turned = (points[:, ::-1] * (1.0, -1.0) for points in (inside, walls))  # by -90 degrees
    free, occupied = next(turned), next(turned)
    assert made.is_free(free).mean() > 0.95
    assert made.is_occupied(occupied).mean() > 0.9
    assert main([*words, "--origin", "0", "nan", "0"]) == 2


def test_what_a_laser_does_not_see_is_marked_by_a_mask(log: Path, tmp_path: Path, capsys: Capture) -> None:
    from PIL import Image

    out, glass = tmp_path / "room.yaml", tmp_path / "glass.yaml"
    OccupancyGrid.from_ascii(["###"], 0.2, (1.0, 0.5, 0.0)).save(glass)
    assert main(["map", str(log), "--resolution", "0.1", "--out", str(out), "--mask", str(glass)]) == 0
    made = OccupancyGrid.load(out)
    assert made.is_occupied([[1.1, 0.6], [1.5, 0.6]]).all()
    assert made.is_free([[1.1, 0.9], [1.8, 0.6]]).all()
    shades = np.zeros(made.shape, dtype=np.uint8)
    shades[:3] = 255
    Image.fromarray(shades).save(tmp_path / "strip.png")
    capsys.readouterr()
    words = ["map", str(log), "--resolution", "0.1", "--out", str(out), "--force", "--json", "--negate-mask"]
    assert main([*words, "--mask", str(tmp_path / "strip.png")]) == 0
    assert json.loads(capsys.readouterr().out)["mask_cells"] == 3 * made.shape[1]
    assert OccupancyGrid.load(out).occupied[-3:].all()
