"""The published results of SORT on its detections of MOT15: a plain copy of its algorithm, and our recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from pilotage.core import BOX, Scans, TrackTable, iou
from pilotage.estimators.tracking.boxes import OCSORT, SORT, BoxTracker, ByteTrack, CameraMotion, IMMBoxes
from pilotage.estimators.tracking.scores import clear, compare
from pilotage.io import read_mot_detections, read_mot_truth

PUBLISHED = {
    "TUD-Campus": (25, 62.7, 6, 15, 113),
    "ETH-Sunnyday": (14, 59.1, 22, 319, 418),
    "ETH-Pedcross2": (14, 45.4, 77, 330, 3014),
    "KITTI-17": (10, 60.2, 9, 38, 225),
}
"""Frames a second; MOTA [%], switches, false and missed boxes: README of abewley/sort."""
RECIPES: dict[str, Any] = {
    "SORT": SORT(score=0.6, begin=0.9),
    "ByteTrack": ByteTrack(sure=0.65, begin=0.85),
    "OC-SORT": OCSORT(score=0.7, begin=0.9),
}
AGE, HITS, LEAST = 1, 3, 0.3
F, Q = np.eye(7) + np.eye(7, k=4), np.diag([1, 1, 1, 1, 0.01, 0.01, 1e-4])
R, P0 = np.diag([1.0, 1.0, 10.0, 10.0]), np.diag([10.0, 10.0, 10.0, 10.0, 1e4, 1e4, 1e4])


def sequence(data: Path, name: str) -> tuple[TrackTable, Scans]:
    """Truth and detections."""
    folder, rate = data / "mot/mot15" / name, PUBLISHED[name][0]
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    files = (folder / "gt.txt", folder / "det.txt")
    gt, det = (file if file.exists() else file.with_name(file.name + ".gz") for file in files)
    return read_mot_truth(gt, rate=rate), read_mot_detections(det, rate=rate)


def plain_sort(scans: Scans) -> TrackTable:
    """SORT with the settings of its code: the state is centre, area, aspect ratio, and rates of the first three."""
    tracks, rows, number = list[dict[str, Any]](), list[Any](), 0
    for k, t in enumerate(scans.ts.tolist()):
        z = scans[k].reshape(-1, 4)
        for a in tracks:
            if a["x"][2] + a["x"][6] <= 0.0:
                a["x"][6] = 0.0
            a["x"], a["P"] = F @ a["x"], F @ a["P"] @ F.T + Q
            a["streak"] = 0 if a["misses"] else a["streak"]
            a["misses"] += 1
        o = iou(z, np.array([box(a["x"]) for a in tracks]).reshape(-1, 4))
        pairs = {i: j for i, j in zip(*linear_sum_assignment(-o), strict=True) if o[i, j] >= LEAST}
        for i, one in enumerate(z):
            m = np.array([one[0] + one[2] / 2, one[1] + one[3] / 2, one[2] * one[3], one[2] / one[3]])
            if i in pairs:
                a = tracks[pairs[i]]
                K = a["P"][:, :4] @ np.linalg.inv(a["P"][:4, :4] + R)
                a.update(x=a["x"] + K @ (m - a["x"][:4]), P=a["P"] - K @ a["P"][:4], misses=0, streak=a["streak"] + 1)
            else:
                number += 1
                tracks.append({"id": number, "x": np.append(m, np.zeros(3)), "P": P0, "misses": 0, "streak": 0})
        shown = [a for a in tracks if a["misses"] == 0 and (a["streak"] >= HITS or k < HITS)]
        rows += [(t, a["id"], *box(a["x"])) for a in shown]
        tracks = [a for a in tracks if a["misses"] <= AGE]
    table = np.array(rows)
    return TrackTable(table[:, 0], table[:, 1], table[:, 2:], space=BOX)


def box(x: Any) -> Any:
    """Left, top, width and height."""
    width = np.sqrt(x[2] * x[3])
    return np.array([x[0] - width / 2, x[1] - x[2] / width / 2, width, x[2] / width])


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_plain_copy_of_sort_has_the_published_results(data: Path, name: str) -> None:
    """MOTA, switches, false and missed boxes are those of the README: with our scores, on these boxes."""
    truth, scans = sequence(data, name)
    c = clear(compare(truth, plain_sort(scans)))
    assert (round(100 * c.mota, 1), c.idsw, c.fp, c.fn) == PUBLISHED[name][1:]


@pytest.mark.parametrize("name", PUBLISHED)
def test_our_recipes_have_the_published_mota_and_fewer_switches(data: Path, name: str) -> None:
    """One set of settings each, and the motion of the camera from the boxes."""
    truth, scans = sequence(data, name)
    cameras = CameraMotion().of(scans)
    for recipe in RECIPES.values():
        c = clear(compare(truth, BoxTracker(recipe).run(scans, cameras=cameras)))
        assert round(100 * c.mota, 1) >= PUBLISHED[name][1] and c.idsw < PUBLISHED[name][2]


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_imm_has_the_published_mota_and_fewer_switches(data: Path, name: str) -> None:
    truth, scans = sequence(data, name)
    c = clear(compare(truth, IMMBoxes(score=0.65, begin=0.85).run(scans, cameras=CameraMotion().of(scans))))
    assert round(100 * c.mota, 1) >= PUBLISHED[name][1] and c.idsw < PUBLISHED[name][2]


@pytest.mark.parametrize("name", ["SORT", "ByteTrack"])
def test_the_motion_of_the_camera_helps_where_it_turns(data: Path, name: str) -> None:
    """ETH-Pedcross2, from a stroller on the pavement: more boxes right, and fewer switches."""
    truth, scans = sequence(data, "ETH-Pedcross2")
    tables = (BoxTracker(RECIPES[name]).run(scans, cameras=c) for c in (None, CameraMotion().of(scans)))
    still, moved = (clear(compare(truth, table)) for table in tables)
    assert moved.mota > still.mota and moved.idsw < still.idsw
