"""Filters of extended objects, against the sum over all partitions and associations, and by what they are for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm

from pilotage.core import Gaussian, TrackTable
from pilotage.core.errors import ModelError, SettingError, ShapeError
from pilotage.estimators import KF
from pilotage.estimators.tracking import PMBM, Detector, Gate, MofN, Pairs, Tracker
from pilotage.estimators.tracking._hypotheses import Cluster
from pilotage.estimators.tracking.extended import (
    GGIWPHD,
    GGIWPMBM,
    SHAPE,
    DistancePartitions,
    Ellipse,
    LineOfSight,
    Partitions,
    PredictionPartitions,
    Rectangle,
    SampledPartitions,
    shape_table,
    wasserstein,
)
from pilotage.estimators.tracking.extended._choices import Choices, probable
from pilotage.estimators.tracking.extended._solid import apart
from pilotage.estimators.tracking.scores import compare, gospa
from pilotage.models import constant_velocity, position

from .oracle import CAR, Body, updated
from .test_partitions import all_partitions

P_D, CLUTTER, NUMBER, LIFE, STD = 0.8, 0.05, 1.5, 10.0, 0.2
SMALL = Ellipse(2.0, 1.2, certainty=12.0, rate=2.0, rate_std=1.2, memory=5.0, rate_memory=4.0)
NEAR = Gaussian.of(CAR.state, std={"x": 3.0, "y": 3.0, "vx": 1.0, "vy": 1.0})


class All(Partitions):
    """All partitions."""

    reach = 1e6

    def divide(self, z: Any, nearby: Any) -> list[Any]:
        return [np.array(way) for way in all_partitions(len(z))]


def missed(b: Body) -> tuple[Body, float]:
    """A belief without a point, by the moments of its rate, and the probability of that."""
    none = (b.beta / (b.beta + 1.0)) ** b.alpha
    q = 1.0 - P_D + P_D * none
    w = P_D * none / q
    mean = (1.0 - w) * b.alpha / b.beta + w * b.alpha / (b.beta + 1.0)
    square = b.alpha * (b.alpha + 1.0) * ((1.0 - w) / b.beta**2 + w / (b.beta + 1.0) ** 2)
    variance = square - mean**2
    return b._replace(alpha=mean**2 / variance, beta=mean / variance), q


def predicted(b: Body, dt: float) -> Body:
    """A belief later."""
    fade, keep = np.exp(-dt / SMALL.rate_memory), np.exp(-dt / SMALL.memory)
    belief = KF().predict(Gaussian(CAR.state, b.m, b.P), CAR, np.zeros(0), dt)
    return Body(b.alpha * fade, b.beta * fade, belief.mean, belief.cov, 6.0 + keep * (b.v - 6.0), keep * b.V)


def hypotheses(scans: list[Any]) -> list[tuple[float, list[tuple[float, Body]]]]:
    """All global hypotheses: weight, and existence and belief of each track; by enumeration."""
    R = STD**2 * np.eye(2)
    new = Body(*SMALL.gamma, NEAR.mean, NEAR.cov, 6.0 + SMALL.certainty, SMALL.certainty * SMALL.matrix)
    unseen, born, ways = NUMBER, new, [(1.0, list[tuple[float, Body]]())]
    for k, z in enumerate(scans):
        if k:
            ways = [(w, [(r * np.exp(-1.0 / LIFE), predicted(b, 1.0)) for r, b in tracks]) for w, tracks in ways]
            unseen *= np.exp(-1.0 / LIFE)
            moved = predicted(born, 1.0)
            born = new._replace(m=moved.m, P=moved.P)  # undetected objects keep the rate and the extent of new ones
        after = []
        for weight, tracks in ways:
            for labels in all_partitions(len(z)):
                cells = [z[np.array(labels) == c] for c in range(max(labels) + 1)]
                after += assigned(weight, tracks, cells, unseen, born, R)
        ways = after
        unseen *= missed(born)[1]
    total = sum(w for w, _ in ways)
    return [(w / total, tracks) for w, tracks in ways]


def assigned(weight: float, tracks: Any, cells: list[Any], unseen: float, born: Body, R: Any) -> list[Any]:
    """The hypotheses of one partition: each cell of a track that has none yet, or of none."""
    ways: list[Any] = [(weight, {})]
    for c, cell in enumerate(cells):
        grown = []
        for w, taken in ways:
            for i, (r, b) in enumerate(tracks):
                if i not in taken:
                    body, log = updated(b, cell, R, SMALL.scale)
                    grown.append((w * r * P_D * np.exp(log), {**taken, i: (1.0, body)}))
            body, log = updated(born, cell, R, SMALL.scale)
            rho = unseen * P_D * np.exp(log)
            own = rho + (CLUTTER if len(cell) == 1 else 0.0)
            grown.append((w * own, {**taken, ("new", c): (rho / own, body)}))
        ways = grown
    found = []
    for w, taken in ways:
        rows = []
        for i, (r, b) in enumerate(tracks):
            if i in taken:
                rows.append(taken[i])
            else:
                body, q = missed(b)
                w *= 1.0 - r + r * q
                rows.append((r * q / (1.0 - r + r * q), body))
        found.append((w, rows + [value for key, value in taken.items() if isinstance(key, tuple)]))
    return found


EXACT = GGIWPMBM(
    SMALL, All(), rate=1e-13, lifetime=LIFE, undetected=NUMBER, hypotheses=10**15, depth=None, least=0.0, forget=0.0,
    faint=1e-12, keep=10**6,
)  # fmt: skip
"""Nothing is left out, and all objects are there from the first scan on."""


@pytest.mark.parametrize("seed", range(3))
def test_pmbm_is_the_sum_over_all_partitions_and_associations(seed: int) -> None:
    """The expected number of objects, and of means and extents weighed by it, as from an enumeration by hand."""
    rng = np.random.default_rng(seed)
    scans = [rng.normal(size=(4, 2)) * 0.8, rng.normal(size=(3, 2)) * 0.8 + [0.3, 0.0]]
    tracker = Tracker(
        KF(CAR, dt=1.0), Detector(position(std=STD), detection=P_D, clutter=CLUTTER), NEAR, EXACT,
        gate=Gate(1.0 - 1e-13), merge=0.0,
    )  # fmt: skip
    for t, z in enumerate(scans):
        tracker.update(z, float(t))
    state = tracker._state.histories
    targets: Any = tracker._method.targets
    mass = np.zeros(len(state.leaves.ids) + 1)
    for cluster in state.forest:
        np.add.at(mass, cluster.leaves, cluster.weights[:, None])
    there = mass[:-1] * state.leaves.existence
    X, gamma = targets.extent(state.leaves.rows), state.leaves.rows.gamma
    found = [there.sum(), there @ targets.means(state.leaves.rows)[:, 0], there @ X[:, 0, 1], there @ gamma[:, 0]]
    expected = np.zeros(4)
    for w, tracks in hypotheses(scans):
        for r, b in tracks:
            expected += w * r * np.array([1.0, b.m[0], b.V[0, 1] / (b.v - 6.0), b.alpha])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_kinds_of_new_objects_are_weighed_by_their_likelihood() -> None:
    """The expected number of objects of each kind after a scan, over all partitions."""
    rng = np.random.default_rng(3)
    z, R = rng.normal(size=(4, 2)) * 0.7, STD**2 * np.eye(2)
    kinds = (SMALL, Ellipse(1.4, 1.0, certainty=12.0, rate=1.5, rate_std=1.0, share=2.0))
    method = replace(EXACT, extent=kinds)
    lidar = Detector(position(std=STD), detection=P_D, clutter=CLUTTER)
    tracker = Tracker(KF(CAR, dt=1.0), lidar, NEAR, method, gate=Gate(1.0 - 1e-13), merge=0.0)
    tracker.update(z, 0.0)
    state = tracker._state.histories
    mass = np.zeros(len(state.leaves.ids) + 1)
    for cluster in state.forest:
        np.add.at(mass, cluster.leaves, cluster.weights[:, None])
    found = np.bincount(state.leaves.rows.kind, mass[:-1] * state.leaves.existence)
    born = [Body(*k.gamma, NEAR.mean, NEAR.cov, 18.0, 12.0 * k.matrix) for k in kinds]
    total, expected = 0.0, np.zeros(2)
    for labels in all_partitions(len(z)):
        weight, own = 1.0, np.zeros(2)
        for c in range(max(labels) + 1):
            cell = z[np.array(labels) == c]
            rho = np.array(
                [NUMBER * w / 3.0 * P_D * np.exp(updated(b, cell, R, 0.25)[1]) for w, b in zip((1, 2), born)]
            )
            d = rho.sum() + (CLUTTER if len(cell) == 1 else 0.0)
            weight, own = weight * d, own + rho / d
        total, expected = total + weight, expected + weight * own
    np.testing.assert_allclose(found, expected / total, rtol=1e-9)


def intensity(scans: list[Any]) -> list[tuple[float, Body]]:
    """The intensity of detected objects by its formulas, over all partitions."""
    R, found = STD**2 * np.eye(2), list[tuple[float, Body]]()
    born = Body(*SMALL.gamma, NEAR.mean, NEAR.cov, 6.0 + SMALL.certainty, SMALL.certainty * SMALL.matrix)
    unseen = NUMBER
    for k, z in enumerate(scans):
        if k:
            found = [(w * np.exp(-1.0 / LIFE), predicted(b, 1.0)) for w, b in found]
            moved = predicted(born, 1.0)
            unseen, born = unseen * np.exp(-1.0 / LIFE), born._replace(m=moved.m, P=moved.P)
        after = [(w * missed(b)[1], missed(b)[0]) for w, b in found]
        total, weighed = 0.0, []
        for labels in all_partitions(len(z)):
            weight, own = 1.0, []
            for c in range(max(labels) + 1):
                cell = z[np.array(labels) == c]
                parts = [(w, *updated(b, cell, R, SMALL.scale)) for w, b in [*found, (unseen, born)]]
                masses = [w * P_D * np.exp(log) for w, _, log in parts]
                d = sum(masses) + (CLUTTER if len(cell) == 1 else 0.0)
                weight *= d
                own += [(mass / d, body) for mass, (_, body, _) in zip(masses, parts, strict=True)]
            total += weight
            weighed += [(weight, w, body) for w, body in own]
        found = after + [(weight / total * w, body) for weight, w, body in weighed]
        unseen *= missed(born)[1]
    return found


@pytest.mark.parametrize("seed", range(2))
def test_phd_is_the_sum_over_all_partitions(seed: int) -> None:
    """The expected number of objects, and of means and extents weighed by it; beliefs are merged by nobody."""
    rng = np.random.default_rng(seed)
    scans = [rng.normal(size=(3, 2)) * 0.8, rng.normal(size=(3, 2)) * 0.8 + [0.3, 0.0]]
    method = GGIWPHD(
        SMALL, All(), rate=1e-13, lifetime=LIFE, undetected=NUMBER, faint=0.0, near=0.0, components=10**6, keep=10**6
    )
    lidar = Detector(position(std=STD), detection=P_D, clutter=CLUTTER)
    tracker = Tracker(KF(CAR, dt=1.0), lidar, NEAR, method, gate=Gate(1.0 - 1e-13))
    for t, z in enumerate(scans):
        tracker.update(z, float(t))
    state, targets = tracker._state, tracker._method.targets
    X, w = targets.extent(state.bodies), state.weights
    found = [w.sum(), w @ targets.means(state.bodies)[:, 0], w @ X[:, 0, 1], w @ state.bodies.gamma[:, 0]]
    expected = np.zeros(4)
    for each, b in intensity(scans):
        expected += each * np.array([1.0, b.m[0], b.V[0, 1] / (b.v - 6.0), b.alpha])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_objects_out_of_view_are_not_missed() -> None:
    """A car drives out of the field of view, and its existence stays."""
    rng = np.random.default_rng(0)
    lidar = Detector(position(std=0.1), detection=0.98, clutter=1e-4, field=lambda x, context: x[..., 0] < 5.0)
    blind = Detector(position(std=0.1), detection=0.98, clutter=1e-4)
    method = GGIWPMBM(BODY, DistancePartitions(), undetected=3.0, lifetime=1e3)
    found = []
    for one in (lidar, blind):
        tracker = Tracker(KF(CAR, dt=0.1), one, WIDE, method, gate=0.999)
        for k in range(14):
            z = cars(rng, [[0.0, 0.0]], 0.1 * k, 10.0) if k < 7 else np.zeros((0, 2))
            tracks = tracker.update(z, 0.1 * k)
        found.append(len(tracks))
    assert found == [1, 0]


def test_hypotheses_with_objects_in_one_place_give_way() -> None:
    """Trees 7 and 9 overlap: the hypothesis of both is less likely, and goes on with 9 alone, as the same other one."""
    ids = np.array([7, 7, 9, 9, 4])
    forest = [Cluster(np.array([[0, 2], [-1, 2], [1, -1]]), np.log([0.5, 0.3, 0.2])), Cluster.alone(4)]
    one, other = apart(forest, ids, [(7, 9)])
    assert other is forest[1]
    rows = {tuple(row): weight for row, weight in zip(one.leaves.tolist(), np.exp(one.logs).tolist(), strict=True)}
    assert rows == {(-1, 2): pytest.approx(0.3, rel=1e-6), (1, -1): pytest.approx(0.2)}


def test_improbable_partitions_are_dropped() -> None:
    """The likeliest by their bound are kept, in order, and none that is far below."""
    none = np.zeros(0, np.int64)
    other = np.array([0.0, 0.0, 5.0, -40.0, 1.0])
    choices = Choices(Pairs(none, none, none, 0, 5), np.zeros(0), np.zeros(0), other, np.zeros(6, np.int64), none, 0)
    parts = [np.array(each) for each in ([0, 1], [2], [3], [0, 4])]
    kept, bound = probable(parts, choices, np.zeros(5), 10)
    assert [each.tolist() for each in kept] == [[2], [0, 4], [0, 1]]
    assert bound.tolist() == [5.0, 1.0, 0.0]
    assert len(probable(parts, choices, np.zeros(5), 2)[0]) == 2


def test_points_that_are_objects_are_those_of_the_filter_of_points() -> None:
    """Objects without size and with one point each have the tracks of `PMBM`."""
    dot = Ellipse(1e-4, 1e-4, certainty=1e7, rate=50.0, rate_std=0.5, memory=1e6, rate_memory=1e6)
    fine = Ellipse(1e-4, 1e-4, certainty=1e7, rate=1.0, rate_std=1e-3, memory=1e6, rate_memory=1e6)
    assert dot.matrix[0, 0] == fine.matrix[0, 0]
    car = constant_velocity(density=0.1)
    birth = Gaussian.of(car.state, std={"x": 50.0, "y": 50.0, "vx": 4.0, "vy": 4.0})
    detect = 1.0 - np.exp(-1.0)  # one point or none: more than one is improbable where each cell is one point
    filters = {
        "points": Tracker(
            KF(car, dt=1.0), Detector(position(std=0.5), detection=0.9 * detect, clutter=1e-4), birth, PMBM(rate=0.1)
        ),
        "objects": Tracker(
            KF(car, dt=1.0), Detector(position(std=0.5), detection=0.9, clutter=1e-4), birth,
            GGIWPMBM(fine, DistancePartitions((0.01,)), rate=0.1),
        ),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    for t in range(8):
        z = np.array([[2.0 * t, 0.0], [20.0 - t, 12.0]]) + 0.5 * rng.normal(size=(2, 2))
        found = {name: one.update(z, float(t)) for name, one in filters.items()}
    one, other = found["points"], found["objects"]
    assert one.ids.tolist() == other.ids.tolist() == [1, 2]
    np.testing.assert_allclose(other.belief.mean, one.belief.mean, atol=1e-5)
    np.testing.assert_allclose(other.belief.cov, one.belief.cov, atol=1e-5)


def cars(rng: Any, places: Any, t: float, speed: float = 5.0) -> Any:
    """Points all over cars that drive side by side."""
    return np.concatenate([
        np.asarray(at) + [speed * t, 0.0] + rng.uniform([-2.2, -0.9], [2.2, 0.9], (rng.poisson(12), 2)) for at in places
    ])  # fmt: skip


WIDE = Gaussian.of(CAR.state, std={"x": 20.0, "y": 10.0, "vx": 5.0, "vy": 2.0})
BODY = Rectangle(4.4, 1.8, certainty=50.0, rate=12.0, rate_std=4.0)
CASES = {
    "PMBM": GGIWPMBM(BODY, undetected=3.0),
    "PHD": GGIWPHD(BODY),
    "sampled": GGIWPMBM(BODY, SampledPartitions(steps=10), undetected=3.0),
}


@pytest.mark.parametrize("name", CASES)
def test_two_cars_side_by_side_stay_two_and_one_stays_one(name: str) -> None:
    """Over seeds, nine of ten scans have the true number of tracks after a second."""
    right = []
    for seed in range(2):
        for places in ([[0.0, 0.0]], [[0.0, -1.4], [0.3, 1.4]]):
            rng = np.random.default_rng(seed)
            lidar = Detector(position(std=0.1), detection=0.98, clutter=1e-4)
            tracker = Tracker(KF(constant_velocity(density=1.0), dt=0.1), lidar, WIDE, CASES[name], gate=0.999)
            for k in range(25):
                tracks = tracker.update(cars(rng, places, 0.1 * k), 0.1 * k)
                right += [len(tracks) == len(places)] if k >= 10 else []
    assert np.mean(right) > 0.9


def test_a_car_behind_another_is_not_missed() -> None:
    """Its existence stays while it is hidden, and falls without a line of sight; its number is the same after."""

    def drive(sight: LineOfSight | None) -> Any:
        rng, found = np.random.default_rng(0), []
        method = GGIWPMBM(Ellipse(4.4, 1.8, rate=12.0, rate_std=4.0), sight=sight, undetected=3.0, lifetime=1e3)
        lidar = Detector(position(std=0.1), detection=0.98, clutter=1e-4)
        birth = Gaussian.of(CAR.state, [0, 15, 0, 0], std={"x": 20.0, "y": 10.0, "vx": 5.0, "vy": 2.0})
        tracker = Tracker(KF(constant_velocity(density=0.3), dt=0.1), lidar, birth, method, gate=0.999)
        for k in range(30):
            near, far = [-9.0 + 0.6 * k, 8.0], [0.0, 18.0]
            z = cars(rng, [near], 0.0) if 12 <= k < 19 else cars(rng, [near, far], 0.0)
            found.append(tracker.update(z, 0.1 * k))
        return found

    seen, blind = drive(LineOfSight((0.0, 0.0))), drive(None)
    behind = [one for one in seen[10] if one.belief.mean[1] > 13.0]
    assert len(behind) == 1
    assert seen[18].of(behind[0].id).existence > 0.8
    assert all(one.belief.mean[1] < 13.0 for one in blind[18])
    assert seen[-1].of(behind[0].id).status.name == "CONFIRMED"


def test_a_rectangle_finds_the_middle_of_a_car_of_which_a_lidar_sees_two_sides() -> None:
    rng, place = np.random.default_rng(0), (0.0, 0.0)
    car = Rectangle(4.4, 1.8, certainty=50.0, rate=14.0, rate_std=5.0, even=True)
    lidar = Detector(position(std=0.05), detection=0.98, clutter=1e-4)
    method = GGIWPMBM(car, DistancePartitions((1.0, 2.0)), LineOfSight(place), undetected=3.0)
    tracker = Tracker(KF(constant_velocity(density=1.0), dt=0.1), lidar, WIDE, method, gate=0.999)
    for k in range(25):
        middle = np.array([-12.0 + 0.5 * k, 9.0])
        side = middle + np.stack([rng.uniform(-2.2, 2.2, 10), np.full(10, -0.9)], -1)
        end = np.stack([np.full(4, 2.2), rng.uniform(-0.9, 0.9, 4)], -1) * [-np.sign(middle[0]), 1.0] + middle
        z = np.concatenate([side, end if abs(middle[0]) > 2.2 else side[:0]])
        tracks = tracker.update(z + 0.03 * rng.normal(size=z.shape), 0.1 * k)
    (track,) = tracks
    assert np.linalg.norm(track.extent.center - middle) < 0.35
    assert track.extent.length == pytest.approx(4.4, abs=0.6)
    assert abs(track.extent.heading) < 0.15


def test_kinds_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    kinds = (Ellipse(4.4, 1.8, "car", 50.0, 12.0, 4.0), Ellipse(0.6, 0.6, "pedestrian", 50.0, 3.0, 1.5))
    lidar = Detector(position(std=0.1), detection=0.98, clutter=1e-4)
    tracker = Tracker(KF(constant_velocity(density=1.0), dt=0.1), lidar, WIDE, GGIWPMBM(kinds, undetected=3.0))
    for k in range(12):
        walker = [8.0, 6.0] + rng.uniform(-0.2, 0.2, (3, 2))
        tracks = tracker.update(np.concatenate([cars(rng, [[0.0, 0.0]], 0.1 * k), walker]), 0.1 * k)
    assert sorted(each.kind for each in tracks.extents) == ["car", "pedestrian"]


def test_scans_that_come_late_take_their_place() -> None:
    rng = np.random.default_rng(0)
    scans = [cars(rng, [[0.0, 0.0]], 0.1 * k) for k in range(6)]
    lidar = Detector(position(std=0.1), detection=0.98, clutter=1e-4)
    trackers = [Tracker(KF(CAR, dt=0.1), lidar, WIDE, GGIWPMBM(BODY), lag=1.0) for _ in range(2)]
    for order, tracker in zip(([0, 1, 2, 3, 4, 5], [0, 1, 3, 2, 5, 4]), trackers, strict=True):
        for k in order:
            tracker.update(scans[k], 0.1 * k)
    one, other = (each.tracks for each in trackers)
    np.testing.assert_allclose(one.belief.mean, other.belief.mean)
    np.testing.assert_allclose(one.extents[0].matrix, other.extents[0].matrix)


def test_gospa_of_shapes_is_that_of_the_closed_form() -> None:
    """The Wasserstein distance by a matrix root of scipy."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(6, 3)), rng.uniform(1.0, 5.0, (6, 2))], -1)
    y = np.concatenate([rng.normal(size=(6, 3)), rng.uniform(1.0, 5.0, (6, 2))], -1)

    def matrix(a: Any) -> Any:
        c, s = np.cos(a[2]), np.sin(a[2])
        T = np.array([[c, -s], [s, c]])
        return T @ np.diag(0.25 * a[3:] ** 2) @ T.T

    expected = []
    for a, b in zip(x, y, strict=True):
        A, B = matrix(a), matrix(b)
        r = np.real(sqrtm(A))
        expected.append(np.sqrt(np.sum((a[:2] - b[:2]) ** 2) + np.trace(A + B - 2.0 * np.real(sqrtm(r @ B @ r)))))
    np.testing.assert_allclose(wasserstein(x, y), expected, rtol=1e-9)
    truth, found = (TrackTable(np.arange(6.0), np.ones(6), each, space=SHAPE) for each in (x, y))
    value = gospa(compare(truth, found, distance=wasserstein, cutoff=20.0))
    assert value.localisation == pytest.approx(np.mean(expected), rel=1e-6)
    np.testing.assert_allclose(wasserstein(x, x + [3.0, 4.0, 0.0, 0.0, 0.0]), 5.0)
    with pytest.raises(ShapeError, match="y"):
        wasserstein(x, y[:, :4])


def test_tables_of_shapes() -> None:
    rng = np.random.default_rng(0)
    lidar = Detector(position(std=0.1), detection=0.98, clutter=1e-4)
    tracker = Tracker(KF(CAR, dt=0.1), lidar, WIDE, GGIWPMBM(BODY))
    found = [tracker.update(cars(rng, [[0.0, 0.0]], 0.1 * k), 0.1 * k) for k in range(5)]
    table = shape_table(found)
    assert table.space == SHAPE
    np.testing.assert_allclose(table.at(0.4).x[0, :2], found[-1].extents[0].center)


@pytest.mark.parametrize("filter", [GGIWPMBM, GGIWPHD])
def test_partitions_by_predictions_alone_find_new_objects(filter: Any) -> None:
    rng = np.random.default_rng(0)
    lidar = Detector(position(std=0.1), detection=0.98, clutter=1e-4)
    tracker = Tracker(KF(CAR, dt=0.1), lidar, WIDE, filter(BODY, PredictionPartitions(3.0)))
    z = cars(rng, [[0.0, 0.0]], 0.0)
    (one,) = tracker.update(z, 0.0).extents
    np.testing.assert_allclose(one.center, z.mean(0), atol=0.05)


class Given(Partitions):
    """The answer of a user."""

    reach = 1e6

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def divide(self, z: Any, nearby: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("answer", [[], np.zeros(3, np.int64), [np.zeros(2, np.int64)]])
def test_partitions_that_do_not_fit_are_refused(answer: Any) -> None:
    tracker = Tracker(KF(CAR, dt=0.1), Detector(position(std=0.1)), WIDE, GGIWPMBM(BODY, Given(answer)))
    with pytest.raises(ModelError, match="3 points"):
        tracker.update(np.zeros((3, 2)), 0.0)


def test_objects_of_the_intensity_filter_may_live_for_ever() -> None:
    """With an infinite lifetime the expected number is needed; None is that of a rate and a lifetime."""
    with pytest.raises(SettingError, match="lifetime"):
        GGIWPHD(lifetime=np.inf, undetected=None)
    assert GGIWPHD(lifetime=np.inf).first == 5.0
    assert GGIWPHD(rate=0.1, lifetime=20.0, undetected=None).first == 2.0


def test_filters_refuse_what_they_do_not_use() -> None:
    lidar = Detector(position(std=0.1))
    for one in (GGIWPMBM(), GGIWPHD()):
        with pytest.raises(SettingError, match="management"):
            Tracker(KF(CAR, dt=1.0), lidar, NEAR, one, management=MofN())
        with pytest.raises(SettingError, match="3"):
            Tracker(KF(CAR, dt=1.0), lidar, NEAR, type(one)(partitions=(3,)))  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="lifetime"):
        GGIWPMBM(lifetime=np.inf)
