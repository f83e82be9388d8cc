"""Troubles with trackers that users of other libraries reported in public; each test names its thread."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pilotage.core import BOX, PilotageError, Scans, SettingError, ShapeError, TrackTable, boxes_from_corners
from pilotage.estimators import EKF, IMM, KF
from pilotage.estimators.tracking import CPHD, GNN, Detector, MofN, ScoreTest, Tracker, TwoPoint
from pilotage.estimators.tracking.boxes import OCSORT, SORT, BoxMotion, BoxTracker, ByteTrack, IMMBoxes, boxes_of
from pilotage.estimators.tracking.scores import score
from pilotage.io import read_kitti_labels, write_kitti_tracks
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
    tracks = tracker.tracks
    for k in range(5):
        tracks = tracker.update([[float(k), 0.0], [9.0, 9.0]], 600.0 + k)
    assert {(4.0, 0.0), (9.0, 9.0)} <= {(x, y) for x, y in tracks.mean[:, :2].round().tolist()}


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
    tracks = tracker.tracks
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
        tracks = tracker.tracks
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
    """norfair #315, OC_SORT PR 127, boxmot #1338, supervision #688: the class changed at times, or was lost."""
    scans, ts, kinds = flickering([[10.0, 20.0, 30.0, 30.0], [200.0, 20.0, 20.0, 60.0]])
    make: Any = (lambda: BoxTracker(recipe())) if recipe in RECIPES else recipe
    table = make().run(Scans("camera", scans, ts, kinds=kinds), coasting=True)
    first, second = sorted(table.ids.tolist())
    assert table.kind is not None
    assert set(table.kind[table.id == first].tolist()) == {"car"}
    assert set(table.kind[table.id == second].tolist()) == {"person"}
    write_kitti_tracks(tmp_path / "tracks.txt", table)
    assert {line.split()[2] for line in (tmp_path / "tracks.txt").read_text().splitlines()} == {"car", "person"}
    assert make().run(Scans("camera", scans, ts)).kind is None


def test_kinds_of_two_words_and_of_none_are_written(tmp_path: Any) -> None:
    """COCO's "traffic light" made a line of KITTI with a word too many, and no kind one with a word too few."""
    table = TrackTable([0.0, 0.0], [1, 2], [[0, 0, 9, 9.0]] * 2, space=BOX, kind=["traffic light", ""])
    write_kitti_tracks(tmp_path / "tracks.txt", table, kind="Van")
    boxes = read_kitti_labels(tmp_path / "tracks.txt").boxes
    assert boxes.kind is not None and boxes.kind.tolist() == ["traffic_light", "Van"]


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


def test_more_targets_than_are_counted_are_told() -> None:
    """norfair #309, boxmot #43: fewer objects were tracked than detected, and nothing said why."""
    places = np.array([[20.0 * i, 20.0 * j] for i in range(4) for j in range(3)])
    enough, few = (Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, CPHD(rate=0.05, most=most)) for most in (40, 6))
    for k in range(8):
        enough.update(places, float(k))
    assert len(enough.tracks) == len(places)
    with pytest.warns(RuntimeWarning, match=r"more targets than 6.*`most`"):
        few.run(Scans("radar", [places] * 8, np.arange(8.0)))


def test_boxes_of_corners_are_told_from_others() -> None:
    """abewley/sort #121, TrackEval #52: boxes as x1, y1, x2, y2 went where x, y, width and height belong."""
    corners = np.array([[[10.0, 20.0, 40.0, 80.0], [np.nan] * 4]])
    np.testing.assert_array_equal(boxes_from_corners(corners), [[[10.0, 20.0, 30.0, 60.0], [np.nan] * 4]])
    assert boxes_from_corners([]).shape == (0, 4) and boxes_from_corners([5, 5, 5, 9]).tolist() == [5.0, 5.0, 0.0, 4.0]
    with pytest.raises(ShapeError, match=r"\[200.*left, top, right, bottom"):
        boxes_from_corners([[200.0, 40.0, 20.0, 50.0]])
    with pytest.raises(ShapeError, match=r"\(1, 5\)"):
        boxes_from_corners([[10.0, 20.0, 40.0, 80.0, 0.9]])


@pytest.mark.parametrize("recipe", [SORT, ByteTrack])
def test_boxes_that_move_far_from_image_to_image(recipe: Any) -> None:
    """multi-object-tracker #24: a box of 200 by 100 px falls by 45 to 50 px an image, with ever new numbers."""
    rng, y, ids = np.random.default_rng(0), 100.0, set[int]()
    tracker = BoxTracker(recipe(motion=BoxMotion(speed=5.0)))
    for k in range(300):
        ids |= set(tracker.update([[100.0, y, 200.0, 100.0]], k / 30).ids.tolist())
        y += rng.uniform(45.0, 50.0)
    assert ids == {1}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_box_is_told_while_it_is_hidden_and_keeps_its_number(recipe: Any) -> None:
    """sort #55, #22, supervision #132: tracks were not told without a detection, or came back with another number."""
    tracker = BoxTracker(recipe())
    for k in range(20):
        tracker.update([[10.0 + 4 * k, 20.0, 30.0, 60.0]] if k < 10 else [], k / 25)
    np.testing.assert_allclose(boxes_of(tracker.tracks), [[10.0 + 4 * 19, 20.0, 30.0, 60.0]], atol=4.0)
    assert tracker.update([[10.0 + 4 * 20, 20.0, 30.0, 60.0]], 20 / 25).ids.tolist() == [1]


def test_switches_are_counted_along_the_truth() -> None:
    """py-motmetrics #159 asks whether T1 T1 T1 T2 T1 are two switches; #18: numbers may be negative, as any name."""
    t, boxes = np.arange(5.0), [[0.0, 0.0, 10.0, 10.0]] * 5
    truth = TrackTable(t, [1] * 5, boxes, space=BOX)
    found = score(truth, TrackTable(t, [-1, -1, -1, 2**40, -1], boxes, space=BOX))
    assert found.clear.idsw == 2 and found.clear.mota == pytest.approx(0.6)


@pytest.mark.parametrize("association", ["MHT", "PMBM", "JPDA"])
def test_five_detections_at_one_place_end_in_no_explosion(association: str) -> None:
    """openmht #4, #8: with five detections a scan and a depth of three, the third scan never came to an end."""
    rng, tracker = np.random.default_rng(0), tracker_of(association)
    for k in range(30):
        tracker.update(rng.normal(0.0, 0.3, (5, 2)), float(k))
    assert len(tracker.tracks) <= 5 and len(tracker.tracks.ids) < 20


def test_trackers_in_threads_and_copies_are_on_their_own() -> None:
    """norfair #181, sort #106, trackers PR 419: numbers were counted by the class, for all trackers of a process."""

    def tracked(name: str) -> list[Any]:
        rng, boxes, points = np.random.default_rng(3), BoxTracker(OCSORT()), tracker_of(name)
        for k in range(20):
            z = rng.uniform(0.0, 90.0, (9, 4)) + 9.0
            boxes.update(z, k / 30)
            points.update(z[:, :2], float(k))
        right, twin, saved = points.tracks, copy.deepcopy(points), pickle.loads(pickle.dumps(points))
        last = [each.update([[0.0, 0.0]], 20.0) for each in (points, twin, saved)]
        return [(each.ids.tolist(), each.mean.tolist()) for each in (boxes.tracks, right, *last)]

    alone = [tracked(name) for name in ("GNN", "JPDA", "MHT", "PMBM")]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(tracked, ("GNN", "JPDA", "MHT", "PMBM"))) == alone
    assert all(each[2] == each[3] == each[4] for each in alone)


@pytest.mark.parametrize("association", ["GNN", "JPDA", "MHT", "PMBM"])
def test_bearings_go_around(association: str) -> None:
    """filterpy #53 and many others: a target that crosses a bearing of pi was lost, and bearings from 0 to 2 pi too."""
    for turn in (0.0, 2 * np.pi):
        radar = Detector(polar_from((0.0, 0.0), (0.5, 0.01)), clutter=1e-3)
        tracker = Tracker(EKF(CAR, dt=1.0), radar, BIRTH, ASSOCIATIONS[association])
        x, y = -50.0, 10.0
        for k in range(20):
            y = 10.0 - k
            tracker.update([[np.hypot(x, y), np.arctan2(y, x) % turn if turn else np.arctan2(y, x)]], float(k))
        tracks = tracker.tracks
        assert tracks.ids[tracks.confirmed].tolist() == [1]
        np.testing.assert_allclose(tracks.mean[0, :2], [x, y], atol=1.0)
