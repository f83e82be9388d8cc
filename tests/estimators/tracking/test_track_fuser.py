"""Fusers of tracks, against one tracker with all scans, and by the consistency of their beliefs."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from pilotage.core import Gaussian, Space
from pilotage.core.errors import PilotageError, SettingError, SpaceError
from pilotage.estimators import EKF, IMM, KF, UKF, SquareRootKF
from pilotage.estimators.tracking import Detector, Gate, MofN, Pairs, Tracker, Tracks, TrackStatus
from pilotage.estimators.tracking.fusion import (
    CovarianceIntersection,
    Fusion,
    IndependentFusion,
    InformationFusion,
    InverseCovarianceIntersection,
    TrackFuser,
    information_fusion,
)
from pilotage.estimators.tracking.fusion._pairs import near, partners
from pilotage.models import constant_turn, constant_velocity, dynamics, position, sensor

CAR = constant_velocity(density=0.5)
FIX = position(std=1.0)
SURE = Detector(FIX, detection=0.95, clutter=1e-9)
STD = {"x": 3000.0, "y": 3000.0, "vx": 4.0, "vy": 4.0}
BIRTH = Gaussian.of(CAR.state, std=STD)
RULES: dict[str, Fusion] = {
    "intersection": CovarianceIntersection(),
    "inverse": InverseCovarianceIntersection(),
    "information": InformationFusion(),
}
ALL: dict[str, Fusion] = {**RULES, "independent": IndependentFusion()}


class Together(InformationFusion):
    """Information fusion of tracks that begin with scans of one time, from the birth."""

    def fuse(self, central: Gaussian, source: Gaussian, common: Gaussian | None) -> Gaussian:
        return information_fusion(central, source, BIRTH if common is None else common)


def tracker(filter: Any = None, **options: Any) -> Tracker:
    filter = KF(CAR, dt=1.0) if filter is None else filter
    birth = filter.first(std=STD) if isinstance(filter, IMM) else BIRTH
    return Tracker(filter, SURE, birth, **{"gate": 1.0 - 1e-9, "management": MofN(enough=(1, 1)), **options})


def fuser(rule: Fusion | None = None, **options: Any) -> TrackFuser:
    return TrackFuser(KF(CAR, dt=1.0), rule, **{"gate": 1.0 - 1e-9, **options})


def truth(targets: int, steps: int, seed: int) -> Any:
    """Targets that move as the model says, far apart, ``(T, n, 4)``."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(targets)))
    x = np.zeros((targets, 4))
    x[:, 0], x[:, 1] = 500.0 * (np.arange(targets) // side), 500.0 * (np.arange(targets) % side)
    x[:, 2:] = 4.0 * rng.normal(size=(targets, 2))
    L, xs = np.linalg.cholesky(CAR.noise(x[0], [], 1.0)), [x]
    for _ in range(steps - 1):
        xs.append(CAR.step(xs[-1], np.zeros((targets, 0)), 1.0) + rng.normal(size=(targets, 4)) @ L.T)
    return np.array(xs)


def scan(x: Any, rng: np.random.Generator, detection: float = 1.0) -> Any:
    z = x[:, :2] + rng.normal(size=(len(x), 2))
    return z[rng.random(len(x)) < detection]


def errors_squared(tracks: Tracks, x: Any) -> Any:
    """NEES of the track nearest to each target, ``(n,)``."""
    belief = tracks.belief[np.flatnonzero(tracks.confirmed)].moments()
    d = x[:, None] - belief.mean[None]
    nearest = np.hypot(d[..., 0], d[..., 1]).argmin(1)
    d = d[np.arange(len(x)), nearest]
    return np.einsum("ni,ni->n", d, np.linalg.solve(belief.cov[nearest], d[..., None])[..., 0])


def bounds(count: int, dim: int = 4, probability: float = 0.999) -> tuple[float, float]:
    """The interval of the mean of so many squared errors."""
    low, high = chi2.interval(probability, count * dim)
    return float(low) / count, float(high) / count


def same(a: Any, b: Any, tol: float = 1e-7) -> None:
    np.testing.assert_allclose(a.mean, b.mean, atol=tol, rtol=tol)
    np.testing.assert_allclose(a.cov, b.cov, atol=tol, rtol=tol)


def in_order(tracks: Tracks) -> Any:
    """The beliefs, in order of their places."""
    belief = tracks.belief
    return belief[np.argsort(belief.mean @ [1.0, 7.0, 0.0, 0.0])]


@pytest.mark.parametrize("name", RULES)
def test_one_source_is_copied(name: str) -> None:
    """The fuser of one tracker that tells every scan says the same as the tracker."""
    one, all = tracker(), fuser(RULES[name])
    rng = np.random.default_rng(0)
    for t, x in enumerate(truth(4, 8, 0)):
        mine = one.update(scan(x, rng, 0.8), float(t))
        found = all.update(mine, source="one")
        np.testing.assert_array_equal(found.ids, mine.ids)
        np.testing.assert_array_equal(found.status, mine.status)
        same(found.belief, mine.belief)


def test_information_fusion_at_full_rate_is_one_tracker_with_all_scans() -> None:
    left, right, all, central = tracker(), tracker(), fuser(Together(), merge=0.0), tracker(merge=0.0)
    rng = np.random.default_rng(1)
    for t, x in enumerate(truth(6, 12, 1)):
        scans = [scan(x, rng), scan(x, rng)]
        for source, name, z in zip((left, right), ("left", "right"), scans, strict=True):
            central.update(z, float(t))
            all.update(source.update(z, float(t)), source=name)
        same(all.tracks.belief, central.tracks.belief, 1e-6)
    assert all.tracks.ids.tolist() == central.tracks.ids.tolist() == [1, 2, 3, 4, 5, 6]


def test_two_fusers_that_tell_each_other_all_know_what_one_tracker_with_all_scans_knows() -> None:
    """Exactly, with messages in both directions at each step: what is sent is taken away from the answer."""
    trackers, central = (tracker(), tracker()), tracker(merge=0.0)
    fusers = fuser(Together(), merge=0.0), fuser(Together(), merge=0.0)
    rng = np.random.default_rng(8)
    for t, x in enumerate(truth(4, 12, 8)):
        for one, mine in zip(fusers, trackers, strict=True):
            z = scan(x, rng)
            central.update(z, float(t))
            one.update(mine.update(z, float(t)), source="own")
        for a, b in (fusers, fusers[::-1]):
            b.update(a.send("other"), source="other")
        for one in fusers:
            same(in_order(one.tracks), in_order(central.tracks), 1e-6)


def rumour(rule: Fusion, seed: int = 0, targets: int = 36, steps: int = 30) -> tuple[float, float]:
    """Mean NEES and mean std of x of two fusers that tell each other all they know, at every step."""
    trackers = tracker(), tracker()
    fusers = fuser(rule, merge=0.0), fuser(rule, merge=0.0)
    rng, xs = np.random.default_rng(seed), truth(targets, steps, seed)
    for t, x in enumerate(xs):
        for one, mine in zip(fusers, trackers, strict=True):
            one.update(mine.update(scan(x, rng), float(t)), source="own")
        for a, b in (fusers, fusers[::-1]):
            b.update(a.send("other"), source="other")
    found = fusers[1].tracks
    return float(errors_squared(found, xs[-1]).mean()), float(found.belief.std[:, 0].mean())


def test_rumours_make_independent_fusion_overconfident_and_no_other() -> None:
    """Two fusers feed each other what they heard: only the rule that counts it twice is wrong about its errors."""
    low, high = bounds(36)
    found = {name: rumour(rule) for name, rule in ALL.items()}
    assert found["independent"][0] > 3.0 * high, found
    assert found["intersection"][0] < high, found
    assert low < found["information"][0] < high, found
    assert found["independent"][1] < found["information"][1] < found["intersection"][1], found


def test_a_rumour_dies() -> None:
    """A target that vanishes is not kept alive by two fusers that tell each other of it."""
    one, fusers = tracker(), (fuser(patience=4.0), fuser(patience=4.0))
    for t in range(20):
        fusers[0].update(one.update([[0.0, 0.0]] if t < 6 else np.zeros((0, 2)), float(t)), source="own")
        for a, b in (fusers, fusers[::-1]):
            b.update(a.send("other"), source="other")
        assert len(fusers[0].tracks) == len(fusers[1].tracks) == (1 if t <= 9 else 0)


@pytest.mark.parametrize("rule", [CovarianceIntersection(), InformationFusion()])
def test_late_messages_take_their_place(rule: Fusion) -> None:
    """Messages in any order within the lag, and what is sent between, give what messages in order give."""
    left, right, rng = tracker(), tracker(), np.random.default_rng(2)
    messages = []
    for t, x in enumerate(truth(4, 10, 2)):
        messages.append((left.update(scan(x, rng, 0.9), float(t)), "left"))
        messages.append((right.update(scan(x, rng, 0.9), t + 0.5), "right"))
    ordered, late = fuser(rule), fuser(rule, lag=3.0)
    for tracks, name in messages:
        ordered.update(tracks, source=name)
    for k in range(0, len(messages), 4):
        for j in (0, 2, 1, 3):
            late.update(*messages[k + j])
    same(in_order(late.tracks), in_order(ordered.tracks))


def test_sources_see_different_targets() -> None:
    """A target that both see is one track; one that a single source sees is a track too; a silent source ends."""
    left, right, all = tracker(), tracker(), fuser(patience=3.0)
    for t in range(8):
        all.update(left.update([[1.0 * t, 0.0], [100.0, 0.0]], float(t)), source="left")
        if t < 4:
            all.update(right.update([[1.0 * t, 0.2], [0.0, 300.0]], float(t)), source="right")
    assert all.tracks.ids.tolist() == [1, 2]
    assert [track.status for track in all.tracks] == [TrackStatus.CONFIRMED] * 2
    assert all.tracks.of(1).age == 7.0


def test_tracks_need_enough_messages_and_end_with_those_of_the_sources() -> None:
    one, all = tracker(), fuser(enough=3)
    counts = [len(all.update(one.update([[1.0 * t, 0.0]], float(t)), source="one")) for t in range(4)]
    assert counts == [0, 0, 1, 1]
    found = all.tracks
    for t in range(4, 9):
        found = all.update(one.update(np.zeros((0, 2)), float(t)), source="one")
        assert len(found) == len(one.tracks)
        assert all.tracks.status.tolist() == [TrackStatus.COASTING] * len(found)
    assert [(track.id, track.status) for track in found.deleted] == [(1, TrackStatus.DELETED)]


def test_two_tracks_of_one_target_become_one() -> None:
    """Where one began outside of the gate of the other, and no source says that they are two."""
    left, right, all = tracker(), tracker(), fuser(gate=0.5, merge=0.5)
    all.update(left.update([[0.0, 0.0]], 0.0), source="left")
    all.update(right.update([[3.0, 3.0]], 0.0), source="right")
    assert len(all.tracks) == 2
    for t in range(1, 8):
        all.update(left.update([[0.0, 0.0]], float(t)), source="left")
        all.update(right.update([[0.1, 0.0]], float(t)), source="right")
    assert all.tracks.ids.tolist() == [1]


def test_targets_side_by_side_stay_two() -> None:
    """No merging and no swap of what both sources tell apart."""
    left, right, all = tracker(merge=0.0), tracker(merge=0.0), fuser(merge=0.9)
    for t in range(10):
        for source, name in ((left, "left"), (right, "right")):
            all.update(source.update([[0.0, 0.0], [0.0, 1.5]], float(t)), source=name)
    assert all.tracks.ids.tolist() == [1, 2]
    np.testing.assert_allclose(all.tracks.mean[:, 1], [0.0, 1.5], atol=0.1)


def test_pairs_of_before_come_first_and_as_many_as_possible() -> None:
    rows, columns = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    pairs = Pairs(rows, columns, np.array([3.0, 1.0, 1.0, 3.0]), 2, 2)
    nearest = partners(pairs, np.zeros(4, bool), 9.0)
    before = partners(pairs, rows == columns, 9.0)
    assert nearest[1].tolist() == [1, 0] and before[1].tolist() == [0, 1]
    lonely = Pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.0, 8.9, 8.9]), 2, 2)
    assert partners(lonely, np.zeros(3, bool), 9.0)[1].tolist() == [1, 0]


def test_gates_are_those_of_the_difference() -> None:
    """Against `Gate` with one covariance for all, on a flat space and on one with an angle."""
    rng = np.random.default_rng(9)
    for space in (Space("x y"), Space("x", "yaw: angle")):
        a, b = (Gaussian(space, rng.normal(size=(12, 2)), np.eye(2) * s) for s in (0.5, 1.5))
        found = near(a, b, Gate(0.5))
        wanted = Gate(0.5).pairs(space, np.array(a.mean), a.cov + b.cov[0], np.array(b.mean))
        np.testing.assert_array_equal(found.rows, wanted.rows)
        np.testing.assert_array_equal(found.columns, wanted.columns)
        np.testing.assert_allclose(found.distances, wanted.distances)


@pytest.mark.parametrize("rule", [CovarianceIntersection(), InformationFusion()])
def test_feedback_gives_sources_what_the_fuser_knows(rule: Fusion) -> None:
    left, right, all, rng = tracker(), tracker(), fuser(rule), np.random.default_rng(4)
    xs = truth(36, 25, 4)
    for t, x in enumerate(xs):
        sources = {"left": left, "right": right}
        for name, one in sources.items():
            all.update(one.update(scan(x, rng), float(t)), source=name)
        for name, one in sources.items():
            all.feedback(one, name)
            same(in_order(one.tracks), in_order(all.tracks))
    assert errors_squared(all.tracks, xs[-1]).mean() < bounds(36)[1]


@pytest.mark.parametrize(
    "filter",
    [IMM((CAR, constant_turn(density=0.5)), 0.95, dt=1.0), UKF(CAR, dt=1.0), SquareRootKF(CAR, dt=1.0)],
    ids=["IMM", "UKF", "SquareRootKF"],
)
def test_sources_with_other_filters(filter: Any) -> None:
    """Tracks of several models are fused by their moments over what the fuser knows of."""
    left, right, rng = tracker(filter), tracker(), np.random.default_rng(5)
    all = TrackFuser(SquareRootKF(CAR, dt=1.0), gate=1.0 - 1e-9)
    xs = truth(25, 15, 5)
    now = xs[0]
    for t, x in enumerate(xs):
        all.update(left.update(scan(x, rng), float(t)), source="left")
        now = CAR.step(x, np.zeros((25, 0)), 0.25)
        all.update(right.update(scan(now, rng), t + 0.25), source="right")
    assert len(all.tracks) == 25
    assert errors_squared(all.tracks, now).mean() < bounds(25)[1]


UNICYCLE_STATE = Space("x y [m]", "yaw: angle", "speed [m/s]")


@dynamics(state=UNICYCLE_STATE, action=Space(), noise=[0.01, 0.01, 0.02, 0.05])
def cruise(x: Any, u: Any, p: Any, m: Any) -> Any:
    _, _, yaw, v = x
    return v * m.cos(yaw), v * m.sin(yaw), 0.0 * v, 0.0 * v


@sensor(state=UNICYCLE_STATE, reading=Space("x y [m]", "heading: angle"), std=(0.5, 0.5, 0.05))
def lidar(x: Any, c: Any, p: Any, m: Any) -> Any:
    return x[0], x[1], x[2]


@pytest.mark.parametrize("name", ALL)
def test_headings_are_fused_across_the_cut(name: str) -> None:
    """Cars that drive along the cut of the angle: tracks of both sources and of the fuser agree with the truth."""
    car = cruise()
    seen = Detector(lidar(), detection=0.95, clutter=1e-6)
    birth = Gaussian.of(car.state, std=[100.0, 100.0, 3.0, 5.0])
    sources = [Tracker(EKF(car, dt=0.5), seen, birth, management=MofN(enough=(1, 1))) for _ in range(2)]
    all, rng = TrackFuser(EKF(car, dt=0.5), ALL[name], gate=1.0 - 1e-6), np.random.default_rng(6)
    x = np.array([[0.0, 0.0, np.pi - 0.01, 5.0], [0.0, 40.0, -np.pi + 0.01, 5.0]])
    now = x
    for t in 0.5 * np.arange(16):
        for one, label in zip(sources, ("left", "right"), strict=True):
            z = car.state.normalize(x)[:, :3] + rng.normal(size=(2, 3)) * [0.5, 0.5, 0.05]
            all.update(one.update(z, t), source=label)
        assert len(all.tracks) == 2
        now, x = x, car.step(x, np.zeros((2, 0)), 0.5)
    order = np.argsort(all.tracks.mean[:, 1])
    d = car.state.minus(all.tracks.mean[order], now)
    assert (np.abs(d) < [1.2, 1.2, 0.12, 1.0]).all(), d


def test_fusers_are_pickled_and_predicted() -> None:
    one, all = tracker(), fuser()
    for t in range(4):
        all.update(one.update([[1.0 * t, 0.0]], float(t)), source="one")
    other = pickle.loads(pickle.dumps(all))
    more = one.update([[4.0, 0.0]], 4.0)
    same(other.update(more, source="one").belief, all.update(more, source="one").belief)
    same(all.predicted(6.0).track(0).belief, KF(CAR).predict(all.tracks.track(0).belief, CAR, [], 2.0))


def test_bad_input() -> None:
    one, all = tracker(), fuser(lag=1.0)
    assert len(all.tracks) == 0 and np.isnan(all.t)
    with pytest.raises(PilotageError):
        all.update(one.tracks, source="one")
    with pytest.raises(PilotageError):
        all.update([[0.0, 0.0]], source="one")  # pyright: ignore[reportArgumentType]
    all.feedback(one, "one")
    all.update(one.update([[0.0, 0.0]], 5.0), source="one")
    before = all.tracks
    with pytest.raises(PilotageError, match=r"3 s.*5 s"):
        all.update(tracker().update([[0.0, 0.0]], 3.0), source="two")
    line = constant_velocity(1)
    short = Tracker(KF(line, dt=1.0), Detector(position(1)), Gaussian.of(line.state, std=1.0), management=MofN((1, 1)))
    with pytest.raises(SpaceError):
        all.update(short.update([[0.0]], 6.0), source="short")
    same(all.tracks.belief, before.belief)
    assert all.tracks.t == 5.0
    with pytest.raises(PilotageError, match="4"):
        all.predicted(4.0)
    with pytest.raises(SettingError, match="IMM"):
        TrackFuser(IMM((CAR, constant_turn(density=0.5)), 0.95, dt=1.0))
    with pytest.raises(SettingError, match="patience"):
        fuser(patience=0.0)
    with pytest.raises(PilotageError, match="9"):
        one.adopt({}, 9.0)
    with pytest.raises(PilotageError):
        tracker(lag=1.0).adopt({}, 0.0)
