"""Troubles with trackers of many targets that users of other libraries reported in public; each test names its thread."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pilotage.core import BOX, Gaussian, PilotageError, Scans, SettingError, ShapeError, TrackTable
from pilotage.estimators import EKF, IMM, KF
from pilotage.estimators.tracking import CPHD, GNN, MHT, PMBM, Detector, Existence, MofN, ScoreTest, Tracker, TwoPoint
from pilotage.estimators.tracking.boxes import OCSORT, SORT, BoxMotion, BoxTracker, ByteTrack, IMMBoxes, boxes_of
from pilotage.estimators.tracking.scores import score
from pilotage.io import write_kitti_tracks
from pilotage.models import constant_acceleration, constant_turn, position

from .test_tracker import ASSOCIATIONS, BIRTH, CAR, RADAR, SEVERAL, STD, polar_from

MANAGED = ["nearest", "GNN", "PDA", "JPDA", "JIPDA", "MHT"]
RECIPES = [SORT, ByteTrack, OCSORT]


def tracker_of(association: str, detector: Detector = RADAR, **more: Any) -> Tracker:
    return Tracker(KF(CAR, dt=1.0), detector, BIRTH, ASSOCIATIONS[association], **more)


@pytest.mark.parametrize("association", MANAGED)
def test_a_track_that_may_be_anywhere_hides_no_new_target(association: str) -> None:
    """autoware_universe PR 13004: the old track stayed, and those of new, correct detections were pruned for it."""
    tracker = tracker_of(association)
    for k in range(5):
        tracker.update([[float(k), 0.0]], float(k))
    seen = [tracker.update([[float(k), 0.0], [9.0, 9.0]], 600.0 + k) for k in range(5)]
    old, *new = seen[0].ids.tolist()
    assert len(new) == 2 and all(np.isin(new, tracks.ids).all() for tracks in seen), "none is ended for the old one"
    assert seen[-1].confirmed[np.isin(seen[-1].ids, new)].all() and old == 1


@pytest.mark.parametrize("management", [ScoreTest(), MofN(enough=(2, 3))], ids=["score", "m of n"])
@pytest.mark.parametrize("association", ["GNN", "JPDA", "MHT"])
def test_targets_that_leave_the_field_of_view_are_forgotten(association: str, management: Any) -> None:
    """strands_perception_people #186, Stone Soup's UpdateTimeDeleter: tracks that nothing ends fill all memory."""
    near = Detector(position(std=0.5), clutter=1e-4, field=lambda x, context: np.abs(x[..., 0]) < 50.0)
    tracker = tracker_of(association, near, management=management)
    held = list[int]()
    for k in range(300):  # one after another drives through, at 5 m/s
        held.append(len(tracker.update([[5.0 * (k % 20) - 47.5, 0.0]], float(k)).ids))
    assert max(held[200:]) <= max(held[:200]) <= 100 / 20 + 2
    assert len(tracker.update([], 301.0).ids) > 3, "they are kept for a while, since they may come back"


def test_patience_is_for_what_no_detector_can_see() -> None:
    """A detector that sees the target keeps its track, however often another one cannot."""
    blind = Detector(position(std=0.5), clutter=1e-4, field=lambda x, context: np.zeros(x.shape[:-1]))
    tracker = Tracker(KF(CAR, dt=1.0), {"far": RADAR, "near": blind}, BIRTH, GNN(), management=ScoreTest(patience=5.0))
    for k in range(40):
        detections = [[0.0, 0.0]] if k % 4 == 0 else []
        tracks = tracker.update(detections, float(k), detector="far" if k % 4 == 0 else "near")
    assert tracks.ids.tolist() == [1] and tracks.confirmed.all()
    for k in range(40, 45):
        tracks = tracker.update([], float(k), detector="near")
    assert not len(tracks.ids)


@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_a_robot_that_sleeps_over_the_weekend_goes_on(association: str) -> None:
    """roboflow/trackers PR 509, boxmot #1505: a gap in time led to NaN, and the tracker raised."""
    for gap in (60.0, 1e5, 1e9):
        tracker = tracker_of(association)
        for k in range(6):
            tracker.update([[float(k), 0.0]], float(k))
        for k in range(12):
            tracks = tracker.update([[float(k), 0.0], [30.0, 30.0]], gap + k)
            assert np.isfinite(tracks.belief.moments().cov).all()
            tracks = tracker.update([], gap + k, features=None)  # a second scan at the same time
            tracks = tracker.update([[float(k), 0.0], [30.0, 30.0]], gap + k)
        found = tracks.mean[:, :2].round()
        assert {(11.0, 0.0), (30.0, 30.0)} <= {(x, y) for x, y in found.tolist()}


@pytest.mark.parametrize("stamp", [1.7e12, 1.7e18], ids=["ms", "ns"])
def test_stamps_in_other_units_are_refused(stamp: float) -> None:
    """autoware_universe PR 6775, FoundationVision/ByteTrack: stamps of another clock led to tracks that never last."""
    boxes = BoxTracker(SORT())
    for update in (lambda t: tracker_of("GNN").update([[0.0, 0.0]], t), lambda t: boxes.update([[0, 0, 9, 9]], t)):
        with pytest.raises(PilotageError, match=r"times are in seconds"):
            update(stamp)
        assert update(1.7e9).t == 1.7e9, "seconds since 1970 are as good as any"
    with pytest.raises(PilotageError, match=r"times are in seconds"):
        boxes.update([[0, 0, 9, 9]], stamp)
    assert boxes.t == 1.7e9


@pytest.mark.parametrize("begin", [lambda belief: belief, lambda belief: TwoPoint(belief, speed=20.0)])
def test_births_that_do_not_fit_the_filter_are_refused_at_once(begin: Any) -> None:
    """Stone-Soup #877: parts that do not fit are told by an error deep inside, at the first scan."""
    turning = IMM((CAR, constant_turn(density=0.1), constant_acceleration(2, density=0.5)), 0.95, dt=1.0)
    for detector in (RADAR, Detector(polar_from((0.0, 0.0), (0.5, 0.01)), clutter=1e-3)):
        with pytest.raises(SettingError, match=r"birth of Tracker.*3 models"):
            Tracker(turning, detector, begin(BIRTH))
        with pytest.raises(ShapeError, match=r"Mixture of 3"):
            Tracker(turning, detector, begin(IMM((CAR, CAR), 0.95, dt=1.0).first(std=STD)))
        Tracker(turning, detector, begin(turning.first(std=5.0)))


def flickering(boxes: Any) -> Any:
    """Scans of two targets, one of which is called by another name at times, and once not at all."""
    names = ["bus", "car", "car", "bus", "car", "car", "car", "car"]
    scans = [boxes if k != 4 else boxes[1:] for k in range(8)]
    kinds = [[name, "person"] if k != 4 else ["person"] for k, name in enumerate(names)]
    return scans, np.arange(8) / 10, kinds


@pytest.mark.parametrize("recipe", [*RECIPES, IMMBoxes])
def test_a_track_has_the_kind_of_most_of_its_boxes(recipe: Any, tmp_path: Any) -> None:
    """norfair #315, OC_SORT PR 127, boxmot #1338, supervision #688: the class changed from frame to frame, or was lost."""
    scans, ts, kinds = flickering([[10.0, 20.0, 30.0, 30.0], [200.0, 20.0, 20.0, 60.0]])
    tracker = IMMBoxes() if recipe is IMMBoxes else BoxTracker(recipe())
    table = tracker.run(Scans("camera", scans, ts, kinds=kinds), coasting=True)
    first, second = sorted(table.ids.tolist())
    assert table.kind is not None
    assert set(table.of(first).kind or ()) == {"car"} if table.of(first).kind is None else True
    assert {str(kind) for kind in table.kind[table.id == first]} == {"car"}
    assert {str(kind) for kind in table.kind[table.id == second]} == {"person"}
    write_kitti_tracks(tmp_path / "tracks.txt", table)
    assert {line.split()[2] for line in (tmp_path / "tracks.txt").read_text().splitlines()} == {"car", "person"}
    without = IMMBoxes() if recipe is IMMBoxes else BoxTracker(recipe())
    assert without.run(Scans("camera", scans, ts)).kind is None


@pytest.mark.parametrize("association", ["GNN", "JPDA", *SEVERAL[1:]])
def test_a_track_of_points_has_the_kind_of_most_of_its_detections(association: str) -> None:
    """The same for points, with a second detector that knows no kinds."""
    scans, ts, kinds = flickering([[0.0, 0.0], [30.0, 0.0]])
    detectors = {"camera": RADAR, "radar": Detector(position(std=0.5), clutter=1e-4)}
    tracker = Tracker(KF(CAR, dt=1.0), detectors, BIRTH, ASSOCIATIONS[association])
    camera, radar = Scans("camera", scans, 10 * ts, kinds=kinds), Scans("radar", scans + scans, np.arange(16.0) + 0.5)
    table = tracker.run(camera, radar)
    assert table.kind is not None and len(table.ids) == 2
    for kind, x in (("car", 0.0), ("person", 30.0)):
        assert set(table.kind[np.abs(table.x[:, 0] - x) < 5.0].tolist()) == {kind}
