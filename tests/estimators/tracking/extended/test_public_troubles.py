"""What users of trackers of extended objects and of clusters report, rebuilt in their own words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import Detector, Tracker, Tracks
from pilotage.estimators.tracking.extended import GGIWPHD, GGIWPMBM, Ellipse, Extent, Rectangle
from pilotage.estimators.tracking.extended._bodies import frames
from pilotage.estimators.tracking.extended._solid import reaches
from pilotage.models import constant_velocity, position

MOTION, LIDAR = constant_velocity(density=1.0), Detector(position(std=0.05), detection=0.98, clutter=1e-3)
CAR, BOX = Ellipse(4.5, 1.8, rate=12.0), Rectangle(4.5, 1.8, rate=12.0, certainty=30.0)
PERSON = Ellipse(0.6, 0.45, rate=5.0, rate_std=1.0, certainty=50.0)
METHODS = {"PMBM": GGIWPMBM, "PHD": GGIWPHD}


def tracker_of(method: str, extent: Extent, side: float = 30.0, speed: float = 6.0, at: Any = (0.0, 0.0)) -> Tracker:
    birth = Gaussian.of(MOTION.state, [*at, 0.0, 0.0], std=[side, side, speed, speed])
    return Tracker(KF(MOTION, dt=0.1), LIDAR, birth, METHODS[method](extent))


def car(rng: Any, x: float, y: float = 0.0, heading: float = 0.0, size: Any = (4.5, 1.8), n: int = 12) -> Any:
    """Points all over an object."""
    half = 0.5 * np.asarray(size)
    return [x, y] + rng.uniform(-half, half, (n, 2)) @ frames(np.asarray(heading)).T


def followed(tracker: Tracker, scans: Any) -> list[Tracks]:
    return [tracker.update(z, 0.1 * k) for k, z in enumerate(scans)]


def numbers(found: list[Tracks]) -> set[int]:
    return {track.id for tracks in found for track in tracks}


def apart(heading: float, other: float, turn: float) -> float:
    """The angle between directions that are the same after such a turn."""
    return abs((heading - other + 0.5 * turn) % turn - 0.5 * turn)


@pytest.mark.parametrize("method", METHODS)
def test_the_points_of_a_new_object_begin_one_track(method: str) -> None:
    """usdot-fhwa-stol/multiple_object_tracking 87: duplicates, and associations that flip-flop between them."""
    rng = np.random.default_rng(0)
    found = followed(tracker_of(method, CAR), [car(rng, 0.5 * k) for k in range(15)])
    assert [len(tracks) for tracks in found] == [1] * 15 and len(numbers(found)) == 1


@pytest.mark.parametrize("method", METHODS)
def test_objects_nearer_than_the_step_of_clusters_keep_their_numbers_and_places(method: str) -> None:
    """autoware_ai 969: objects closer than the threshold are merged, all of them with the same ID and position."""
    rng, scans = np.random.default_rng(0), []
    gaps = np.maximum(6.0 - 0.2 * np.arange(30), 2.6)  # 0.8 m between them
    for k, gap in enumerate(gaps):
        scans.append(np.concatenate([car(rng, 0.5 * k), car(rng, 0.5 * k, gap)]))
    found = followed(tracker_of(method, CAR), scans)
    assert {len(tracks) for tracks in found} == {2} and len(numbers(found)) == 2
    assert np.ptp([each.center[1] for each in found[-1].extents]) == pytest.approx(2.6, abs=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_there_are_as_many_tracks_as_objects(method: str) -> None:
    """multiple-object-tracking-lidar 23: the code publishes 6 clusters; autoware 2225: the size is always 1."""
    rng = np.random.default_rng(0)
    places = [(x, y) for x in (-45.0, -15.0, 15.0, 45.0) for y in (-40.0, 0.0, 40.0)]
    tracker = tracker_of(method, CAR, side=60.0)
    found = followed(tracker, [np.concatenate([car(rng, x, y) for x, y in places]) for _ in range(5)])
    assert [len(tracks) for tracks in found] == [12] * 5
    assert method == "PHD" or len(numbers(found)) == 12


@pytest.mark.parametrize("method", METHODS)
def test_a_pole_before_a_car_does_not_divide_it(method: str) -> None:
    """SARosPerceptionKitti 1: the car has multiple boxes, since DBSCAN clusters it into several."""
    rng = np.random.default_rng(0)
    whole = [car(rng, 0.5 * k - 10.0, n=16) for k in range(30)]
    found = followed(tracker_of(method, CAR), [z[np.abs(z[:, 0]) > 0.6] for z in whole])
    assert {len(tracks) for tracks in found} == {1} and len(numbers(found)) == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_box_of_a_car_that_backs_up_is_never_at_right_angles(method: str) -> None:
    """autoware_universe 10864: front and rear are confused, and the blend of 0 and 180 degrees is 90; 6449."""
    rng, x, places = np.random.default_rng(0), 0.0, list[float]()
    for k in range(50):
        x += 0.1 * max(5.0 - 0.6 * max(k - 12, 0), -4.0)
        places.append(x)
    found = followed(tracker_of(method, BOX), [car(rng, x) for x in places])
    assert len(numbers(found)) == 1
    outlines = [tracks.extents[0] for tracks in found[3:]]
    assert max(apart(each.heading, 0.0, np.pi) for each in outlines) < 0.35
    assert all(4.0 < each.length < 5.2 and 1.4 < each.width < 2.4 for each in outlines)
    assert apart(outlines[-1].heading, np.pi, 2.0 * np.pi) < 0.35  # the front is where it goes


@pytest.mark.parametrize("method", METHODS)
def test_parked_cars_keep_numbers_sizes_and_directions(method: str) -> None:
    """autoware 1566, 1666: when the vehicle stops, the ids of the static objects change."""
    rng = np.random.default_rng(0)
    scans = [np.concatenate([car(rng, 0.0, 0.0, 0.7), car(rng, 12.0, 3.0)]) for _ in range(60)]
    found = followed(tracker_of(method, BOX), scans)
    assert len(numbers(found)) == 2 and len(found[-1]) == 2
    for tracks in found[20:]:
        for each in tracks.extents:
            assert apart(each.heading, 0.7 if each.center[0] < 6.0 else 0.0, np.pi) < 0.3
            assert 4.0 < each.length < 5.2 and 1.4 < each.width < 2.3


@pytest.mark.parametrize("method", METHODS)
def test_points_far_away_make_no_object_huge(method: str) -> None:
    """autoware_universe 7159: a huge object, with a length of 6 km."""
    rng, scans = np.random.default_rng(0), []
    for k in range(25):
        others = [[3000.0, 3000.0], [0.5 * k + 6.0, 0.0], *rng.uniform(-30.0, 30.0, (3, 2))]
        scans.append(np.concatenate([car(rng, 0.5 * k), others if k % 5 == 4 else np.zeros((0, 2))]))
    found = followed(tracker_of(method, CAR), scans)
    assert max(each.length for tracks in found for each in tracks.extents) < 7.0


def test_a_car_of_which_a_third_is_seen_hardly_shrinks() -> None:
    """autoware_universe 1683: bounding boxes should not shrink."""
    rng, scans = np.random.default_rng(0), []
    for k in range(45):
        z = car(rng, 0.2 * k)
        scans.append(z[z[:, 0] > 0.2 * k + 1.2] if k >= 20 else z)
    found = followed(tracker_of("PMBM", Rectangle(4.5, 1.8, rate=12.0, certainty=100.0)), scans)
    assert len(numbers(found)) == 1
    assert min(each.length for tracks in found for each in tracks.extents) > 3.2  # until 1.5 m are seen for 2.5 s


@pytest.mark.parametrize("method", METHODS)
def test_a_person_beside_a_wall_is_no_part_of_it(method: str) -> None:
    """leg_tracker 33: ghosts beside the target when it walks near a wall, and switches of its id."""
    rng, scans, x = np.random.default_rng(0), [], np.linspace(-8.0, 8.0, 80)
    for k in range(20):
        wall = np.stack([x, 3.0 + 0.02 * rng.normal(size=80)], -1)
        scans.append(np.concatenate([wall, car(rng, 0.12 * k - 4.0, 2.2, size=(0.5, 0.4), n=5)]))
    found = followed(tracker_of(method, PERSON, side=15.0, speed=2.0), scans)
    walker = [
        [track.id for track in tracks if np.hypot(*(track.extent.center - [0.12 * k - 4.0, 2.2])) < 0.4]
        for k, tracks in enumerate(found)
    ]
    assert walker == [walker[0]] * 20 and len(walker[0]) == 1
    assert {len(tracks) for tracks in found[5:]} == {2}


def test_two_legs_are_one_person() -> None:
    """assistive-rehab 285: the legs can be detected as a single obstacle or as two."""
    rng, scans = np.random.default_rng(0), []
    for k in range(40):
        step, place = 0.3 * np.sin(0.8 * k), np.array([0.12 * k - 3.0, 0.0])
        legs = [place + [side * step, side * 0.1] for side in (-1.0, 1.0)]
        scans.append(np.concatenate([leg + 0.04 * rng.normal(size=(rng.poisson(2.5), 2)) for leg in legs]))
    found = followed(tracker_of("PMBM", PERSON, side=10.0, speed=2.0), scans)
    assert np.mean([[track.id for track in tracks] == [1] for tracks in found]) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_coordinates_of_a_map_lose_nothing(method: str) -> None:
    """Eastings of 500 km and northings of 5400 km, whose squares have no digits left for centimetres."""
    shown, place = list[Any](), np.array([5e5, 5.4e6])
    for origin in (np.zeros(2), place):
        rng = np.random.default_rng(0)
        scans = [np.concatenate([car(rng, 0.5 * k), car(rng, 0.5 * k, 2.6)]) + origin for k in range(15)]
        found = followed(tracker_of(method, CAR, at=origin), scans)
        shown.append([(track.id, *(track.extent.center - origin), track.extent.length) for track in found[-1]])
    np.testing.assert_allclose(shown[0], shown[1], atol=1e-4)


@pytest.mark.parametrize("extent", [CAR, BOX], ids=["ellipse", "rectangle"])
def test_objects_reach_as_far_as_their_outline(extent: Extent) -> None:
    """A thin one, such as a wall, does not reach a place beside its end."""
    tracker = tracker_of("PMBM", extent)
    targets: Any = tracker._method.targets
    motion = targets.inner.pack(Gaussian.of(MOTION.state, np.zeros((1, 4)), std=np.ones(4)))
    bodies = targets.born(motion, 0)
    bodies.V[:] = np.diag([80.0, 0.2]) * (bodies.v - extent.free)
    bodies.heading[:] = 0.0
    angle = np.linspace(-np.pi, np.pi, 40)
    u = np.stack([np.cos(angle), np.sin(angle)], -1)
    edge = reaches(targets, bodies, u[None])[0][:, None] * u / np.sqrt([80.0, 0.2])
    size = np.abs(edge).max(-1) if extent.boxed else np.linalg.norm(edge, axis=-1)
    np.testing.assert_allclose(size, 1.0, rtol=1e-9)
