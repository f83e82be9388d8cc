"""`pilotage slam`: a map from a raw log, a bag or an environment, and what it says about logs that are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pilotage.cli.slam as verb
from pilotage.cli.main import main
from pilotage.estimators.slam.scans import ScanMapper
from pilotage.io import (
    BagMessage,
    LaserScan,
    Odometry,
    StampedTransform,
    read_g2o,
    read_tum,
    spatial,
    write_bag,
    write_tum,
)
from pilotage.io.carmen import beam_angles
from pilotage.maps import OccupancyGrid
from tests.estimators.slam.rooms import PLANE, RING, lap, ranges, wheels

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


CORNER = lap()[34:64]
"""Around a corner, where a laser off the middle of the robot moves sideways."""
MOUNT = np.array([0.3, 0.1, 0.4])
NONE = np.zeros((6, 6))


def bag_of(folder: Path, *, mounted: bool = True, second: bool = False) -> Path:
    """A bag of the drive: odometry at 20 Hz, scans between its stamps, of a laser ahead of the middle of the robot."""
    pytest.importorskip("rosbags")
    rng, angles = np.random.default_rng(0), np.linspace(-2.0, 2.0, 181)
    messages = []
    if mounted:
        place = tuple(StampedTransform(0, "base_link", f, spatial(MOUNT)) for f in ("laser", "rear"))
        messages.append(BagMessage(0.0, "/tf_static", place))
    odometry = wheels(CORNER, scale=1.0)
    for k in range(29):
        for share in (0.0, 0.5):
            t = 0.1 * (k + share)
            pose = PLANE.plus(odometry[k], share * PLANE.minus(odometry[k + 1], odometry[k]))
            value = Odometry(round(1e9 * t), "odom", "base_link", spatial(pose), NONE, np.zeros(6), NONE)
            messages.append(BagMessage(t, "/odom", value))
        t, true = 0.1 * (k + 0.25), PLANE.plus(CORNER[k], 0.25 * PLANE.minus(CORNER[k + 1], CORNER[k]))
        r = ranges(RING, PLANE.compose(true, MOUNT), angles) + rng.normal(0.0, 0.01, 181)
        r = np.where(r < 6.0, r, np.inf)
        messages.append(BagMessage(t, "/scan", LaserScan(round(1e9 * t), "laser", -2.0, 4.0 / 180, r, 0.1, 6.0)))
        if second and k % 2:
            messages.append(BagMessage(t, "/rear", LaserScan(round(1e9 * t), "rear", -2.0, 0.5, r[:9], 0.1, 6.0)))
    write_bag(folder / "walk", messages)
    return folder / "walk"


def test_a_bag_is_mapped_with_the_laser_where_it_is(tmp_path: Path, capsys: Capture) -> None:
    bag = bag_of(tmp_path, second=True)
    truth = [PLANE.plus(CORNER[k], 0.25 * PLANE.minus(CORNER[k + 1], CORNER[k])) for k in range(29)]
    write_tum(tmp_path / "truth.tum", 0.1 * (np.arange(29) + 0.25), np.array(truth))
    for words, beams in (([], 181), (["--mount", "0.3", "0.1", "0.4"], 181), (["--scans", "/scan"], 181)):
        assert main(["slam", str(bag), "--out", str(tmp_path / "map"), "--truth", str(tmp_path / "truth.tum"),
                     "--json", "--force", *words]) == 0  # fmt: skip
        facts = json.loads(capsys.readouterr().out)
        assert facts["beams"] == beams and facts["lost"] == 0 and not facts["left_out"]
        assert facts["ate"]["rmse"] < 0.04 and facts["odometry"] == "the log's"
        made = OccupancyGrid.load(facts["files"]["map"])
        start = truth[0]
        walls = PLANE.compose(start, np.pad(made.cell_to_world(np.argwhere(made.occupied)), ((0, 0), (0, 1))))
        straight = walls[(walls[:, 0] > 13.0) & (walls[:, 1] > 4.5) & (walls[:, 1] < 6.5)]  # the outer wall
        assert len(straight) > 20 and np.quantile(np.abs(straight[:, 0] - 14.0), 0.9) < 0.1
    assert main(["slam", str(bag), "--out", str(tmp_path / "map"), "--truth", str(tmp_path / "truth.tum"),
                 "--json", "--force", "--mount", "0", "0", "0"]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["ate"]["rmse"] > 0.08  # where the laser is matters


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scans", "/nowhere"], "/nowhere"),
        (["--odometry", "/scan"], "/scan"),
        (["--map", "depot"], "--map"),
        (["--mount", "0", "0", "nan"], "mount"),
        (["--base", "gripper"], "gripper"),
    ],
)
def test_bags_that_are_asked_for_what_they_lack(tmp_path: Path, capsys: Capture, words: list[str], said: str) -> None:
    bag = bag_of(tmp_path)
    assert main(["slam", str(bag), "--out", str(tmp_path / "map"), *words]) == 2
    assert said in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["walk"]


def test_bags_without_tf_and_truncated_ones_are_refused(tmp_path: Path, capsys: Capture) -> None:
    bag = bag_of(tmp_path, mounted=False)
    assert main(["slam", str(bag), "--out", str(tmp_path / "map")]) == 2
    assert "mount" in capsys.readouterr().err
    whole = (bag / "walk.mcap").read_bytes()
    for share in (0.0, 0.4, 0.99):
        (tmp_path / "cut.mcap").write_bytes(whole[: int(share * len(whole))])
        assert main(["slam", str(tmp_path / "cut.mcap"), "--out", str(tmp_path / "map")]) == 2
        assert "cut.mcap" in capsys.readouterr().err


def test_a_run_that_was_killed_goes_on(
    log: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(self: ScanMapper, *arguments: object) -> object:
        if len(self.trajectory[0]) == 17:
            raise Killed
        return update(self, *arguments)  # type: ignore[arg-type]

    update, words = ScanMapper.update, ["slam", str(log), "--json", "--force", "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(ScanMapper, "update", dies)
        patch.setattr(verb, "EVERY", -1.0)
        with pytest.raises(Killed):
            main([*words, str(tmp_path / "again"), "--state", str(tmp_path / "state.npz")])
    assert main([*words, str(tmp_path / "again"), "--state", str(tmp_path / "state.npz")]) == 0
    whole, again = ((tmp_path / f"{name}.tum").read_bytes() for name in ("whole", "again"))
    assert whole == again and (tmp_path / "whole.pgm").read_bytes() == (tmp_path / "again.pgm").read_bytes()
    capsys.readouterr()
    other = tmp_path / "other.log"
    other.write_text("\n".join(log.read_text().splitlines()[1:]))
    assert main([*words, str(tmp_path / "other"), "--state", str(tmp_path / "state.npz")]) == 0  # all scans were taken
    capsys.readouterr()
    assert main(["slam", str(other), "--out", str(tmp_path / "x"), "--state", str(tmp_path / "state.npz")]) == 2
    assert "another log" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "x"), "--state", str(tmp_path / "state.npz"), "--no-loops"]) == 2
    assert "loops" in capsys.readouterr().err


def test_the_map_grows_in_an_animation(log: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert main(["slam", str(log), "--out", str(tmp_path / "m"), "--animation", str(tmp_path / "m.gif")]) == 0
    with Image.open(tmp_path / "m.gif") as film:
        assert 10 < getattr(film, "n_frames", 1) <= 31
        first = np.asarray(film.convert("RGB"))
        film.seek(getattr(film, "n_frames", 1) - 1)
        assert (np.asarray(film.convert("RGB")) != first).mean() > 0.05


def test_an_environment_maps_itself_and_is_lived_in(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("gymnasium")
    solid = np.pad(np.zeros((30, 50), dtype=bool), 1, constant_values=True)
    solid[:18, 25], solid[24:28, 38:42] = True, True
    OccupancyGrid.from_occupied(solid, 0.1).save(tmp_path / "rooms.yaml")
    words = ["slam", "pilotage/Navigation-v0", "--map", str(tmp_path / "rooms.yaml"), "--out", str(tmp_path / "made")]
    assert main([*words, "--goals", "1", "--seed", "2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["drive"]["seen"] > 0.9 and facts["ate"]["rmse"] < 0.1 and facts["lost"] == 0
    assert facts["patrol"]["reached"] == 1 and facts["patrol"]["median"] < 0.1
    assert "explored" in (tmp_path / "made.md").read_text()
    assert main([*words, "--goals", "0", "--seed", "2", "--seconds", "1", "--force"]) == 0
    assert "the time is over" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pilotage/Nothing-v0"], "Nothing"),
        (["CartPole-v1"], "CartPole"),
        (["pilotage/Navigation-v0", "--map", "nowhere.yaml"], "nowhere"),
        (["pilotage/Navigation-v0", "--truth", "x.tum"], "--truth"),
        (["pilotage/Navigation-v0", "--no-odometry", "--state", "x.npz"], "--no-odometry, --state"),
        (["pilotage/Navigation-v0", "--seconds", "0"], "--seconds"),
    ],
)
def test_environments_that_are_refused(tmp_path: Path, capsys: Capture, words: list[str], said: str) -> None:
    pytest.importorskip("gymnasium")
    assert main(["slam", *words, "--out", str(tmp_path / "made")]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
