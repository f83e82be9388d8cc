"""Files of tracks and detections: what is read, what comes back after writing, and what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import BOX, FormatError, FormatWarning, MissingFile, PilotageError, Scans, Space, TrackTable
from pilotage.io import (
    read_adsb,
    read_ais,
    read_camera_motion,
    read_geographic,
    read_kitti_detections,
    read_kitti_labels,
    read_mot_detections,
    read_mot_tracks,
    read_mot_truth,
    read_radar_csv,
    read_track_csv,
    write_kitti_tracks,
    write_mot_tracks,
    write_track_csv,
)
from pilotage.models import LocalFrame, position

GT = "1,1,10,20,30,40,1,-1,-1,-1\n1,2,50,20,30,40,0,-1,-1,-1\n3,1,12,20,30,40,1,-1,-1,-1\n"
MOT16 = "1,1,10,20,30,40,1,1,0.8\n1,2,50,20,30,40,1,8,1.0\n2,1,12,20,30,40,0,1,0.5\n"
DET = "3,-1,12,20,30,40,0.2,-1,-1,-1\n1,-1,10,20,30,40,0.9,-1,-1,-1\n1,-1,50,20,30,40,0.8,-1,-1,-1\n"
LABEL = "0 3 Car 0 0 0.1 10 20 50 40 1.5 1.6 4.0 2.0 1.7 12.0 0.3\n"
REGION = "0 -1 DontCare -1 -1 -10 1 2 5 4 -1000 -1000 -1000 -10 -1 -1 -1\n"
BOXES = TrackTable(
    [0.0, 0.1, 0.1], [4, 4, 7], np.arange(1.0, 13.0).reshape(3, 4) / 3.0, space=BOX, score=[0.5, 1.0, 0.1]
)


def test_mot_truth_counts_what_trackeval_counts(tmp_path: Path) -> None:
    file = tmp_path / "gt.txt"
    file.write_bytes(gzip.compress(GT.encode()))
    truth = read_mot_truth(file, rate=10.0)
    assert truth.t.tolist() == [0.0, 0.2] and truth.id.tolist() == [1, 1] and truth.kind is None
    assert truth.x[1].tolist() == [12.0, 20.0, 30.0, 40.0]
    assert len(read_mot_truth(file, ignored=True)) == 3
    file.write_text(MOT16)
    assert read_mot_truth(file).id.tolist() == [1]
    everything = read_mot_truth(file, classes=None, ignored=True)
    assert everything.kind is not None and everything.kind.tolist() == ["1", "8", "1"]
    assert everything.score is not None and everything.score.tolist() == [1.0, 1.0, 0.0]


def test_mot_detections_are_a_scan_a_frame(tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text(DET)
    scans = read_mot_detections(file, rate=10.0, frames=5)
    assert scans.scores is not None and scans.scores.tolist() == [0.9, 0.8, 0.2]
    assert [len(scan) for scan in scans] == [2, 0, 1, 0, 0] and scans.ts.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert len(read_mot_detections(file, least=0.5).z) == 2
    with pytest.raises(FormatError, match="frame 3"):
        read_mot_detections(file, frames=2)


@pytest.mark.parametrize("rate", [1.0, 10.0, 29.97])
def test_mot_results_come_back(tmp_path: Path, rate: float) -> None:
    file = tmp_path / "result.txt"
    table = TrackTable(np.rint(BOXES.t * 10.0) / rate, BOXES.id, BOXES.x, space=BOX, score=BOXES.score)
    write_mot_tracks(file, table, rate=rate)
    again = read_mot_tracks(file, rate=rate)
    for column in ("id", "x", "score"):
        np.testing.assert_array_equal(getattr(again, column), getattr(table, column))
    np.testing.assert_allclose(again.t, table.t, atol=1e-12)


def test_kitti_results_come_back(tmp_path: Path) -> None:
    file = tmp_path / "0000.txt"
    write_kitti_tracks(file, BOXES, kind="Van")
    again = read_kitti_labels(file).boxes
    assert again.kind is not None and again.kind.tolist() == ["Van"] * 3
    np.testing.assert_allclose(again.x, BOXES.x, rtol=1e-14)
    np.testing.assert_array_equal(again.score, BOXES.score)
    np.testing.assert_allclose(again.t, BOXES.t, atol=1e-12)


@pytest.mark.parametrize("write", [write_mot_tracks, write_kitti_tracks])
def test_what_is_no_box_or_between_frames_is_not_written(tmp_path: Path, write: Callable[..., None]) -> None:
    with pytest.raises(FormatError, match="0.05 s"):
        write(tmp_path / "a.txt", TrackTable([0.05], [1], [[1, 2, 3, 4]], space=BOX), rate=10.0)
    with pytest.raises(FormatError, match="BOX"):
        write(tmp_path / "a.txt", TrackTable([0.0], [1], [[1, 2]], space=Space("x y")))
    with pytest.raises(MissingFile):
        write(tmp_path / "no" / "a.txt", BOXES, rate=10.0)
    assert not [*tmp_path.iterdir()]


def test_kitti_labels_in_the_frame_of_the_vehicle(tmp_path: Path) -> None:
    """A car whose front points to camera-right (rotation 0) looks to -y; turned by -pi/2 it looks ahead."""
    file = tmp_path / "0000.txt"
    file.write_text(LABEL + REGION + LABEL.replace("0 3 Car", "2 5 Van").replace(" 0.3\n", " 0.0\n"))
    labels = read_kitti_labels(file)
    assert labels.boxes.id.tolist() == [3, 5] and labels.boxes.t.tolist() == [0.0, 0.2]
    assert [len(scan) for scan in labels.ignored] == [1, 0, 0] and labels.ignored.z.tolist() == [[1, 2, 4, 2]]
    solid = labels.solids
    np.testing.assert_allclose(solid.x[0], [12.0, -2.0, -1.7, -0.5 * np.pi - 0.3, 4.0, 1.6, 1.5])
    heading = np.array([np.cos(solid.x[1, 3]), np.sin(solid.x[1, 3])])
    np.testing.assert_allclose(heading, [0.0, -1.0], atol=1e-12)
    assert read_kitti_labels(file, kinds=["Van"]).boxes.id.tolist() == [5]


def test_kitti_detections(tmp_path: Path) -> None:
    file = tmp_path / "0000.txt"
    file.write_text("0,10,20,50,40,0.9\n2,11,20,51,40,0.1\n")
    scans = read_kitti_detections(file, kind="Car", least=0.5, frames=4)
    assert scans.z.tolist() == [[10.0, 20.0, 40.0, 20.0]] and len(scans) == 4
    assert scans.kinds is not None and scans.kinds.tolist() == ["Car"]


Reader = Callable[[Path], Any]
BAD: list[tuple[Reader, str, int]] = [
    (read_mot_truth, GT + "4,1,nan,20,30,40,1,-1,-1,-1\n", 4),
    (read_mot_truth, GT + "4,1,12,20,0,40,1,-1,-1,-1\n", 4),
    (read_mot_truth, GT + "4,1,12,20,30,-40,1,-1,-1,-1\n", 4),
    (read_mot_truth, GT + "3,1,12,20,30,40,1,-1,-1,-1\n", 4),
    (read_mot_truth, GT + "\n0,1,12,20,30,40,1,-1,-1,-1\n", 5),
    (read_mot_truth, GT + "2.5,1,12,20,30,40,1,-1,-1,-1\n", 4),
    (read_mot_truth, GT + "4,one,12,20,30,40,1,-1,-1,-1\n", 4),
    (read_mot_truth, GT + "4,1,12,20,30,40,1\n", 4),
    (read_mot_truth, GT + "4,1.5,12,20,30,40,1,-1,-1,-1\n", 4),
    (read_mot_tracks, GT + "1e300,1,12,20,30,40,1,-1,-1,-1\n", 4),
    (read_mot_tracks, GT + "4,1,12,20,30,40,nan,-1,-1,-1\n", 4),
    (read_mot_detections, DET + "4,-1,inf,20,30,40,1,-1,-1,-1\n", 4),
    (read_kitti_labels, LABEL + LABEL, 2),
    (read_kitti_labels, LABEL + LABEL.replace("0 3", "x 3"), 2),
    (read_kitti_labels, LABEL + LABEL.replace("50 40", "5 40").replace("0 3", "1 3"), 2),
    (read_kitti_labels, LABEL + "1 3 Car\n", 2),
    (read_kitti_detections, "0,10,20,50,40,0.9\n1,10,20,10,40,0.9\n", 2),
    (read_kitti_detections, "0,10,20,50,40,0.9\n1,10,20,50,40,nan\n", 2),
]


@pytest.mark.parametrize(("read", "text", "line"), BAD)
def test_faulty_lines_are_named_or_dropped(tmp_path: Path, read: Callable[..., Any], text: str, line: int) -> None:
    file = tmp_path / "seq.txt"
    file.write_text(text)
    with pytest.raises(FormatError, match=rf"seq\.txt, line {line}:"):
        read(file)
    with pytest.warns(FormatWarning, match="1 faulty"):
        dropped = read(file, faulty="drop")
    file.write_text("".join(text.splitlines(keepends=True)[: line - 1]))
    kept = read(file)
    assert repr(dropped) == repr(kept)


@pytest.mark.parametrize("read", [read_mot_truth, read_mot_tracks, read_mot_detections, read_kitti_labels])
def test_empty_and_absent_files(tmp_path: Path, read: Reader) -> None:
    with pytest.raises(MissingFile):
        read(tmp_path / "seq.txt")
    (tmp_path / "seq.txt").write_text("\n")
    found = read(tmp_path / "seq.txt")
    assert len(found) == 0 if isinstance(found, TrackTable | Scans) else len(found.boxes) == 0
    (tmp_path / "seq.txt").write_text("1,2,3\n")
    with pytest.raises(FormatError, match=r"seq\.txt, line 1"):
        read(tmp_path / "seq.txt")


# -- latitude and longitude

ORIGIN = LocalFrame(0.9, 0.1, 20.0)
SHIPS = "# Timestamp,MMSI,Latitude,Longitude,SOG,COG\n"


def at(x: float, y: float, z: float = 0.0) -> tuple[float, float, float]:
    """Latitude and longitude in degrees, and height, of a place in the local frame."""
    lat, lon, height = ORIGIN.geodetic([x, y, z])
    return float(np.degrees(lat)), float(np.degrees(lon)), float(height)


@given(x=st.floats(-5e3, 5e3), y=st.floats(-5e3, 5e3))
def test_aircraft_are_where_they_are(tmp_path_factory: pytest.TempPathFactory, x: float, y: float) -> None:
    file = tmp_path_factory.getbasetemp() / "states.csv"
    lat, lon, height = at(x, y, 1000.0)
    head = "icao24,time,lat,lon,velocity,heading,vertrate,onground,baroaltitude,geoaltitude\n"
    rows = f"a0b1c2,100,{lat!r},{lon!r},100,60,2,False,,{height!r}\n"
    rows += f"a0b1c2,101,,,100,60,2,False,,\nffffff,102.5,{lat!r},{lon!r},,,,True,{height!r},\n"
    file.write_text(head + rows)
    planes = read_adsb(file, origin=ORIGIN)
    assert planes.tracks.id.tolist() == [0xA0B1C2, 0xFFFFFF] and planes.start == 100.0
    assert planes.tracks.t.tolist() == [0.0, 2.5] and planes.names[0xA0B1C2] == "a0b1c2"
    np.testing.assert_allclose(planes.tracks.x, [[x, y, 1000.0]] * 2, atol=1e-6)
    moving = read_adsb(file, velocity=True, ground=False, origin=ORIGIN).tracks
    np.testing.assert_allclose(moving.x[:, 3:], [[100 * np.sin(np.pi / 3), 50.0, 2.0]])


def test_positions_of_aircraft_at_the_times_at_which_they_were_received(tmp_path: Path) -> None:
    file = tmp_path / "states.csv"
    (lat, lon, _), (east, further, _) = at(0.0, 0.0), at(100.0, 0.0)
    head = "icao24,time,lat,lon,velocity,heading,vertrate,onground,baroaltitude,geoaltitude,lastposupdate\n"
    rows = [f"a0b1c2,110,{lat!r},{lon!r},,,,False,,0,104.5", f"a0b1c2,120,{lat!r},{lon!r},,,,False,,0,104.5"]
    rows += ["a0b1c2,125,,,,,,False,,0,", f"a0b1c2,130,{east!r},{further!r},,,,False,,0,129.25"]
    file.write_text(head + "\n".join(rows))
    planes = read_adsb(file, time="lastposupdate", origin=ORIGIN)
    assert planes.start == 104.5 and planes.tracks.t.tolist() == [0.0, 24.75]
    np.testing.assert_allclose(planes.tracks.x[:, 0], [0.0, 100.0], atol=1e-2)
    assert read_adsb(file, origin=ORIGIN).tracks.t.tolist() == [0.0, 10.0, 20.0]
    with pytest.raises(FormatError, match="arrival"):
        read_adsb(file, time="arrival")


def test_ships_and_what_ais_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "ais.csv"
    (lat, lon, _), (east, further, _) = at(0.0, 0.0), at(100.0, 0.0)
    rows = f"2017-01-01 00:00:00,235000001,{lat!r},{lon!r},102.3,360\n"
    rows += f"2017-01-01 00:00:10,235000001,{east!r},{further!r},19.43844492440605,90\n"
    file.write_text(SHIPS + rows)
    ships = read_ais(file, origin=ORIGIN)
    np.testing.assert_allclose(ships.tracks.x, [[0.0, 0.0], [100.0, 0.0]], atol=1e-2)
    assert ships.start == 1483228800.0 and ships.tracks.t.tolist() == [0.0, 10.0]
    moving = read_ais(file, velocity=True, origin=ORIGIN).tracks
    np.testing.assert_allclose(moving.x[:, 2:], [[10.0, 0.0]], atol=1e-12)


def test_a_frame_in_the_middle_and_across_the_date_line(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("time,latitude,longitude\n0,0.0,179.999\n1,0.0,-179.999\n")
    found = read_geographic(file)
    assert abs(found.frame.longitude) == pytest.approx(np.pi)
    np.testing.assert_allclose(found.tracks.x[:, 0], [-111.3, 111.3], atol=0.1)


@pytest.mark.parametrize(
    ("read", "text", "named"),
    [
        (read_ais, SHIPS + "2017-01-01,235000001,91,0,1,1\n", "line 2"),
        (read_ais, SHIPS + "yesterday,235000001,1,0,1,1\n", "line 2"),
        (read_ais, SHIPS + "2017-01-01,tug,1,0,1,1\n", "line 2"),
        (read_ais, SHIPS + "5,7,1,0,1,1\n5,7,1,0,1,1\n", "line 3"),
        (read_ais, "MMSI,LAT,LON\n", "time"),
        (read_ais, SHIPS, "origin"),
        (read_adsb, "time,lat,lon\n", "icao24"),
        (read_geographic, "time,latitude,longitude\n0,1,\n", "line 2"),
        (read_geographic, "", "no column"),
    ],
)
def test_other_places_are_refused(tmp_path: Path, read: Reader, text: str, named: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FormatError, match=named):
        read(tmp_path / "a.csv")


# -- csv files of one's own

POSE = Space("x y [m]", "yaw: angle")


@given(rows=st.integers(0, 20), seed=st.integers(0, 99), labelled=st.booleans())
def test_csv_tracks_come_back(tmp_path_factory: pytest.TempPathFactory, rows: int, seed: int, labelled: bool) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.permutation(100)[:rows]
    more: dict[str, Any] = {"score": rng.random(rows), "kind": ["big, red"] * rows} if labelled else {}
    x = POSE.normalize(rng.normal(size=(rows, 3)))
    table = TrackTable(0.1 * (cells % 10), cells // 10, x, space=POSE, **more)
    file = tmp_path_factory.getbasetemp() / "tracks.csv"
    write_track_csv(file, table)
    again = read_track_csv(file, POSE)
    for column in ("t", "id", "x", *more):
        np.testing.assert_array_equal(getattr(again, column), getattr(table, column))


def test_csv_tracks_with_words_and_degrees(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("\ufeffwhen,who,e,n,course\n1,bus,1,2,270\n1,car,3,4,90\n", encoding="utf-8")
    table = read_track_csv(file, POSE, "e n course", time="when", id="who", degrees="course")
    assert table.id.tolist() == [1, 2]
    np.testing.assert_allclose(table.x, [[1, 2, -0.5 * np.pi], [3, 4, 0.5 * np.pi]])
    with pytest.raises(PilotageError, match="2 columns"):
        read_track_csv(file, POSE, "e n", time="when", id="who")


def test_csv_detections(tmp_path: Path) -> None:
    file = tmp_path / "radar.csv"
    file.write_text("time,x,y,snr,type\n7.02,3,4,9.5,car\n5.0,1,2,8.5,bus\n5.01,5,6,7.5,car\n")
    scans = read_radar_csv(file, "x y", sensor=position(2), score="snr", kind="type", together=0.02)
    assert scans.ts.tolist() == [5.0, 7.02] and [len(scan) for scan in scans] == [2, 1]
    assert scans.scores is not None and scans.kinds is not None
    assert scans.scores.tolist() == [8.5, 7.5, 9.5] and scans.kinds.tolist() == ["bus", "car", "car"]
    file.write_text("time,x,y\n1,2,three\n")
    with pytest.raises(FormatError, match="line 2"):
        read_radar_csv(file, "x y")
    with pytest.warns(FormatWarning, match="1 faulty"):
        assert len(read_radar_csv(file, "x y", faulty="drop")) == 0
    with pytest.raises(FormatError, match="no column z"):
        read_radar_csv(file, "x z")


def test_two_files_of_one_clock_stay_on_it(tmp_path: Path) -> None:
    """A radar that was switched on later, and truth, have the times that are in their files."""
    for name, start in ("a", 1.7e9), ("b", 1.7e9 + 2.5):
        (tmp_path / name).write_text(f"time,id,x,y\n{start},1,3,4\n{start + 1},1,4,5\n")
    a, b = (read_radar_csv(tmp_path / name, "x y") for name in "ab")
    assert b.ts[0] - a.ts[0] == 2.5
    np.testing.assert_array_equal(read_track_csv(tmp_path / "b", Space("x y [m]")).t, b.ts)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_are_separated_as_in_the_header(tmp_path: Path, mark: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text("time,id,x,y\n0,1,2.5,3\n".replace(",", mark))
    assert read_track_csv(file, Space("x y [m]")).x.tolist() == [[2.5, 3.0]]
    assert read_radar_csv(file, "x y").z.tolist() == [[2.5, 3.0]]


# -- the public data


def test_every_public_sequence_is_read(data: Path) -> None:
    folder = data / "mot"
    if not folder.is_dir():
        pytest.skip(f"no data of tracking at {folder}")
    truth = {file.parent.name: read_mot_truth(file) for file in folder.glob("mot15/*/gt*")}
    assert {name: len(table.ids) for name, table in truth.items()} == {
        "TUD-Campus": 8,
        "ETH-Sunnyday": 30,
        "ETH-Pedcross2": 133,
        "KITTI-17": 9,
        "PETS09-S2L1": 19,
        "ADL-Rundle-6": 24,
    }
    assert sum(len(read_mot_detections(file).z) for file in folder.glob("mot15/*/det*")) == 16373
    cars = read_kitti_labels(folder / "kitti_tracking/label_02/0012.txt")
    assert len(cars.boxes) + len(cars.ignored.z) == 354
    assert len(read_kitti_detections(folder / "kitti_tracking/det2d_rrc/Car/0012.txt").z) == 139
    planes = read_adsb(folder / "stonesoup/OpenSky_Plane_States.csv.gz", velocity=True)
    assert len(planes.tracks) == 6052 and len(planes.names) == 84


def test_reported_velocities_are_those_of_the_positions(data: Path) -> None:
    """East and north are not swapped: aircraft move as they say, to within wind, turns and 10 s between reports."""
    file = data / "mot/stonesoup/OpenSky_Plane_States.csv.gz"
    if not file.exists():
        pytest.skip(f"no data of tracking at {file}")
    tracks = read_adsb(file, velocity=True).tracks
    errors = list[float]()
    for i in tracks.ids[:20]:
        own = tracks.of(int(i))
        moved = np.diff(own.x[:, :2], axis=0) / np.diff(own.t)[:, None]
        errors += np.linalg.norm(moved - 0.5 * (own.x[1:, 3:5] + own.x[:-1, 3:5]), axis=1).tolist()
    assert np.median(errors) < 15.0


@pytest.mark.parametrize("separator", [" ", ", ", "\t"])
def test_motions_of_a_camera_in_any_order_with_frames_left_out(tmp_path: Path, separator: str) -> None:
    file, rng = tmp_path / "motion.txt", np.random.default_rng(0)
    for numbers, shape in ((6, (2, 3)), (9, (3, 3))):
        rows = rng.normal(size=(3, numbers))
        lines = [separator.join(map(repr, [k, *row])) for k, row in zip((4, 2, 9), rows.tolist(), strict=True)]
        file.write_text("\n".join(lines))
        found = read_camera_motion(file, frames=4, first=1)
        np.testing.assert_array_equal(found[3, : shape[0]], rows[0].reshape(shape))
        np.testing.assert_array_equal(found[1, : shape[0]], rows[1].reshape(shape))
        np.testing.assert_array_equal(found[[0, 2]], [np.eye(3)] * 2)


@pytest.mark.parametrize("text", ["1 2 3", "1 1 0 0 0 1 0 3", "1 1 0 0 0 1 x", "1.5 1 0 0 0 1 0", "1 1 0 nan 0 1 0",
                                  "1 1 0 0 0 1 0\n1 1 0 0 0 1 0"])  # fmt: skip
def test_motions_of_a_camera_that_are_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "motion.txt"
    file.write_text(text)
    with pytest.raises(FormatError, match="line"):
        read_camera_motion(file, frames=3)
