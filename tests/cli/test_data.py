"""`pilotage data`: what is there, whether it is as listed, and what it becomes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from pilotage.cli.main import main
from pilotage.core import Space
from pilotage.io import Episode, Sequences, minari_facts, read_track_csv, read_tum, write_minari, write_sequences

Capture = pytest.CaptureFixture[str]


def walk(steps: int) -> Episode:
    none = np.zeros(steps, bool)
    return Episode(np.arange(2.0 * steps + 2).reshape(-1, 2), np.ones((steps, 1)), np.zeros(steps), none, none)


def test_the_list_tells_kinds_and_sizes(tmp_path: Path, capsys: Capture) -> None:
    write_sequences(tmp_path / "walks", [walk(3)])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/drive.bag").write_bytes(b"12345")
    (tmp_path / "sub/graph.g2o.gz").write_bytes(b"1")
    assert main(["data", "list", str(tmp_path), "--json"]) == 0
    found = {row["name"]: (row["kind"], row["bytes"]) for row in json.loads(capsys.readouterr().out)}
    assert found["sub/drive.bag"] == ("ROS 1 bag", 5)
    assert found["sub/graph.g2o.gz"][0] == "pose graph (g2o)"
    assert found["walks"][0] == "Sequences(1 episodes, 3 steps)" and len(found) == 3
    (tmp_path / "walks/index.json").write_text("{")
    assert main(["data", "list", str(tmp_path)]) == 0
    assert "damaged" in capsys.readouterr().out


def test_checksums_find_what_changed(tmp_path: Path, capsys: Capture) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    assert main(["data", "verify", str(tmp_path)]) == 2, "there is no list yet"
    assert main(["data", "verify", str(tmp_path), "--write"]) == 0
    digest = hashlib.sha256(b"a").hexdigest()
    assert (tmp_path / "SHA256SUMS").read_text().splitlines()[0] == f"{digest}  a", "as sha256sum writes it"
    assert main(["data", "verify", str(tmp_path)]) == 0
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").unlink()
    (tmp_path / "d").write_text("d")
    capsys.readouterr()
    assert main(["data", "verify", str(tmp_path), "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"verified": 1, "wrong": {"a": "differs", "b": "missing"}, "unlisted": ["d"]}


@pytest.mark.parametrize("line", ["abc  a", "g" * 64 + "  a", "0" * 64 + "  ../a", "0" * 64 + "  /etc/hosts", "0" * 64])
def test_other_lists_are_refused(tmp_path: Path, line: str, capsys: Capture) -> None:
    (tmp_path / "SHA256SUMS").write_text("\n".join(["0" * 64 + "  a", line]))
    assert main(["data", "verify", str(tmp_path)]) == 2
    assert "line 2" in capsys.readouterr().err


def test_episodes_are_converted_both_ways(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    write_minari(tmp_path / "minari", [walk(3), walk(5)], "walk-v0")
    minari, walks, again, robot = (str(tmp_path / name) for name in ("minari", "walks", "again", "walks.lerobot"))
    assert main(["data", "convert", minari, walks]) == 0
    assert Sequences(walks).lengths.tolist() == [3, 5]
    assert main(["data", "convert", walks, again, "--id", "walk-v1"]) == 0
    assert minari_facts(again)["total_steps"] == 8
    assert main(["data", "convert", walks, again]) == 2, "it exists"
    pytest.importorskip("pyarrow")
    assert main(["data", "convert", walks, robot, "--fps", "5"]) == 0
    assert json.loads(Path(robot, "meta/info.json").read_text())["fps"] == 5


def test_traffic_and_bags_are_converted(data: Path, tmp_path: Path) -> None:
    tracks = {
        "pedestrians_eth_ucy/biwi_hotel.txt.gz": (6543, []),
        "commonroad_ngsim/USA_US101-1_1_T-1.xml.gz": (122, []),
        "ngsim_i80/i80_0400-0415_lanes1-3_partA.csv.gz": (None, ["--units", "metres"]),
    }
    for name, (rows, extra) in tracks.items():
        file = tmp_path / f"{Path(name).name}.csv"
        assert main(["data", "convert", str(data / "traffic" / name), str(file), *extra]) == 0
        if rows is not None:
            assert len(read_track_csv(file, Space("x y [m]"))) == rows
    pytest.importorskip("rosbags")
    assert main(["data", "convert", str(data / "bags/nav2_turtlebot.mcap"), str(tmp_path / "way.txt")]) == 0
    assert len(read_tum(tmp_path / "way.txt").ts) == 135


def test_what_cannot_be_converted_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.bin").write_bytes(b"a")
    assert main(["data", "convert", str(tmp_path / "a.bin"), str(tmp_path / "b.png")]) == 2
    assert main(["data", "convert", str(tmp_path / "none"), str(tmp_path / "b.csv")]) == 2
    assert "none" in capsys.readouterr().err
