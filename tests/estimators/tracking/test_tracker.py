"""Trackers of every association over every kind of filter, against the filter of a single target, and by their laws."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, Scans, ShapeError, Space
from pilotage.core.errors import ModelError, PilotageError, SettingError
from pilotage.estimators import CKF, EKF, IEKF, IMM, KF, UKF, SquareRootKF
from pilotage.estimators.tracking import (
    CPHD,
    GMPHD,
    GNN,
    JIPDA,
    JPDA,
    LMB,
    MHT,
    PDA,
    PMBM,
    Detector,
    Existence,
    Gate,
    IndependentPDA,
    Management,
    MofN,
    NearestNeighbor,
    ScoreTest,
    Tracker,
    Tracks,
    TrackStatus,
    crossing,
)
from pilotage.models import constant_turn, constant_velocity, position, sensor

CAR, FIX = constant_velocity(density=0.1), position(std=0.5)
RADAR = Detector(FIX, detection=0.9, clutter=1e-4)
STD = {"x": 100.0, "y": 100.0, "vx": 4.0, "vy": 4.0}
BIRTH = Gaussian.of(CAR.state, std=STD)
TURN = IMM((CAR, constant_turn(density=0.1)), 0.95, dt=1.0)
FILTERS: dict[str, Any] = {
    "KF": KF(CAR, dt=1.0),
    "EKF": EKF(CAR, dt=1.0),
    "IEKF": IEKF(CAR, dt=1.0),
    "UKF": UKF(CAR, dt=1.0),
    "CKF": CKF(CAR, dt=1.0),
    "SquareRootKF": SquareRootKF(CAR, dt=1.0),
    "IMM": TURN,
}
ASSOCIATIONS: dict[str, Any] = {
    "nearest": NearestNeighbor(),
    "GNN": GNN(),
    "PDA": IndependentPDA(),
    "JPDA": JPDA(),
    "JIPDA": JIPDA(),
    "MHT": MHT(),
    "PMBM": PMBM(rate=0.05),
    "PHD": GMPHD(rate=0.05),
    "CPHD": CPHD(rate=0.05),
    "LMB": LMB(rate=0.05),
}
SETS = ["PHD", "CPHD", "LMB"]
SEVERAL = ["GNN", "MHT", "PMBM", *SETS]
"""One method that keeps a single hypothesis, those that keep several, and those that keep sets of targets."""
MANAGEMENTS: dict[str, Management] = {"MofN": MofN(), "Existence": Existence(), "ScoreTest": ScoreTest()}


@sensor(
    state=Space("x y [m]"), reading=Space("range [m]", "azimuth: angle"), params={"place": (0.0, 0.0)}, std=(0.5, 0.02)
)
def polar(x: Any, c: Any, p: Any, m: Any) -> Any:
    dx, dy = x[0] - p.place[0], x[1] - p.place[1]
    return m.hypot(dx, dy), m.atan2(dy, dx)


def polar_from(place: Any, std: Any) -> Any:
    """Range and azimuth from a place."""
    return polar(std=std, place=tuple(place))


def managed(association: str, management: str) -> Any:
    """The management, where the method lets one choose."""
    return None if association in ("PMBM", *SETS) else MANAGEMENTS[management]


def birth(filter: Any) -> Any:
    return filter.first(std=STD) if isinstance(filter, IMM) else BIRTH


def scene(seed: int, *, targets: int = 4, clutter: float = 8.0, steps: int = 40, detection: float = 0.9) -> Any:
    """Scans of targets in clutter over 100 m by 100 m, and where they are, ``(T, n, 4)``."""
    rng = np.random.default_rng(seed)
    corners = np.array([[-40.0, -40.0, 1.0, 1.0], [40.0, 30.0, -1.5, 0.0], [-40.0, 30.0, 1.5, 0.5], [0.0, 45.0, 0, -1]])
    x = corners[:targets]
    L = np.linalg.cholesky(CAR.noise(x[0], [], 1.0))
    given, truth = [], []
    for _ in range(steps):
        x = CAR.step(x, np.zeros((targets, 0)), 1.0) + 0.3 * rng.normal(size=(targets, 4)) @ L.T
        z = (x[:, :2] + 0.5 * rng.normal(size=(targets, 2)))[rng.random(targets) < detection]
        given.append(rng.permutation(np.concatenate([z, rng.uniform(-50.0, 50.0, (rng.poisson(clutter), 2))])))
        truth.append(x)
    return given, np.array(truth)


def followed(tracker: Tracker, scans: Any, dt: float = 1.0) -> list[Tracks]:
    return [tracker.update(z, dt * k) for k, z in enumerate(scans)]


@pytest.mark.parametrize("association", ASSOCIATIONS)
@pytest.mark.parametrize("name", FILTERS)
def test_a_single_target_without_clutter_has_its_own_filter(name: str, association: str) -> None:
    """One-point initiation is the update of the birth, and each scan one step of the filter."""
    filter, rng = FILTERS[name], np.random.default_rng(0)
    zs = np.cumsum(0.2 * rng.normal(size=(8, 2)), axis=0)
    sure, rule, gate = Detector(FIX, detection=1.0 - 1e-13, clutter=1e-12), ASSOCIATIONS[association], 0.99
    if association in ("PHD", "CPHD"):  # a detection may be of a new target too, and one outside the gate missed
        rule, gate = replace(rule, rate=1e-12, undetected=1.0), 1.0 - 1e-13
    tracks = followed(Tracker(filter, sure, birth(filter), rule, gate=gate), [z[None] for z in zs])
    alone = filter.start(belief=birth(filter))
    alone.update(FIX, zs[0])
    for z, found in zip(zs[1:], tracks[1:], strict=True):
        alone.predict()
        alone.update(FIX, z)
        assert len(found.ids) == 1
        mine, wanted = found.track(0).belief.moments(), alone.belief.moments()
        np.testing.assert_allclose(mine.mean, wanted.mean, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(mine.cov, wanted.cov, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("association", ["PDA", "JPDA"])
def test_a_single_target_in_clutter_has_the_pda_filter(association: str) -> None:
    """`PDA` is the filter of one target; a tracker that holds one says the same."""
    rng = np.random.default_rng(1)
    zs = [np.concatenate([[[k, 0.1]], [k, 0.0] + 2.0 * rng.normal(size=(3, 2))]) for k in range(8)]
    one = Tracker(KF(CAR, dt=1.0), Detector(FIX, detection=0.9, clutter=0.05), BIRTH, ASSOCIATIONS[association],
                  threshold=0.0, management=MofN(misses=(64, 64), enough=(1, 1)))  # fmt: skip
    one._method = one._method.__class__(**{**vars(one._method), "threshold": 0.5})
    one.update(zs[0][:1], 0.0)
    one._method = one._method.__class__(**{**vars(one._method), "threshold": 0.0})
    alone = PDA(CAR, dt=1.0, filter=KF(gate=0.99), detection=0.9, clutter=0.05).start(belief=BIRTH)
    alone.update(FIX, zs[0][0])
    for k, z in enumerate(zs[1:], 1):
        found = one.update(z, float(k))
        alone.predict()
        alone.update(FIX, z)
        np.testing.assert_allclose(found.belief.mean[0], alone.belief.mean, atol=1e-9)
        np.testing.assert_allclose(found.belief.cov[0], alone.belief.cov, atol=1e-9)


@pytest.mark.parametrize("management", ["Existence", "ScoreTest"])
@pytest.mark.parametrize("association", [name for name in ASSOCIATIONS if name != "PDA"])  # which draws tracks together
def test_targets_in_clutter_are_found_and_nothing_else(association: str, management: str) -> None:
    missed = false = 0
    for seed in range(5):
        given, truth = scene(seed)
        tracker = Tracker(
            KF(CAR, dt=1.0), Detector(FIX, clutter=8e-4), BIRTH, ASSOCIATIONS[association],
            management=managed(association, management),
        )  # fmt: skip
        for k, tracks in enumerate(followed(tracker, given)):
            if k >= 15:
                d = np.linalg.norm(tracks.mean[:, None, :2] - truth[k, None, :, :2], axis=-1)
                missed += int((d.min(0, initial=9.0) > 3.0).sum())
                false += int((d.min(1, initial=9.0) > 3.0).sum())
    assert missed <= 0.05 * 5 * 25 * 4
    assert false <= 0.05 * 5 * 25 * 4


def test_beliefs_of_tracks_are_consistent() -> None:
    """NEES of confirmed tracks in light clutter, with the process noise that the targets have."""
    errors = list[Any]()
    for seed in range(10):
        rng, x = np.random.default_rng(seed), np.array([0.0, 0.0, 1.0, 1.0])
        L = np.linalg.cholesky(CAR.noise(x, [], 1.0))
        tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=1e-3), BIRTH, JPDA())
        for k in range(40):
            x = CAR.step(x, [], 1.0) + L @ rng.normal(size=4)
            z = (x[:2] + 0.5 * rng.normal(size=(1, 2)))[rng.random(1) < 0.9]
            tracks = tracker.update(
                np.concatenate([z, x[:2] + rng.uniform(-25.0, 25.0, (rng.poisson(2.5), 2))]), float(k)
            )
            near = [t for t in tracks if k > 10 and np.linalg.norm(t.belief.mean[:2] - x[:2]) < 5.0]
            if near:
                e = near[0].belief.mean - x
                errors.append(e @ np.linalg.solve(near[0].belief.cov, e))
    assert len(errors) > 200
    assert 3.0 < np.mean(errors) < 5.0  # 4 degrees of freedom, and neighbours in time are alike


def test_crossing_targets_keep_their_numbers_under_jpda() -> None:
    kept = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        ways = np.array([[-20.0, -8.0, 2.0, 0.8], [-20.0, 8.0, 2.0, -0.8]])
        tracker = Tracker(KF(constant_velocity(density=0.01), dt=1.0), Detector(FIX, clutter=1e-4), BIRTH, JPDA())
        names = list[Any]()
        for k in range(21):
            x = ways[:, :2] + k * ways[:, 2:]
            z = (x + 0.5 * rng.normal(size=(2, 2)))[rng.random(2) < 0.95]
            tracks = tracker.update(z, float(k))
            near = [min(tracks, key=lambda t: np.linalg.norm(t.belief.mean[:2] - at), default=None) for at in x]
            names.append([t and t.id for t in near])
        kept += names[7] == names[20] and None not in names[20]
    assert kept >= 8


@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_late_scans_take_their_place(association: str) -> None:
    """Scans in any order within the lag give what scans in order give, to the bit, with the same numbers."""
    given, _ = scene(3)
    order = [0, 2, 1, 3, 6, 5, 4, 7, 8, 10, 9, *range(11, 40)]
    make = lambda: Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, ASSOCIATIONS[association], lag=3.0)
    one, other = make(), make()
    for k in range(40):
        one.update(given[k], float(k))
        other.update(given[order[k]], float(order[k]))
    a, b = one.tracks, other.tracks
    assert len(a) >= 3
    np.testing.assert_array_equal(a.mean, b.mean)
    with pytest.raises(PilotageError, match="lag"):
        one.update([], 30.0)


@pytest.mark.parametrize("association", SEVERAL)
def test_numbers_stay_when_a_late_scan_comes(association: str) -> None:
    """Tracks that began after it keep the numbers that they were shown with."""
    radar = Detector(FIX, detection=0.9, clutter=1e-6)
    tracker = Tracker(KF(CAR, dt=1.0), radar, BIRTH, ASSOCIATIONS[association], lag=5.0)
    tracker.update([[0.0, 0.0]], 0.0)
    before = tracker.update([[1.0, 0.0], [50.0, 50.0]], 2.0)
    after = tracker.update([[0.5, 0.0], [-50.0, 50.0]], 1.0)
    assert before.ids.tolist() == [1, 2]
    assert sorted(after.ids.tolist()) == [1, 2, 3]
    assert after.of(2).belief.mean[:2] == pytest.approx([50.0, 50.0], abs=0.1)


@pytest.mark.parametrize("association", SEVERAL)
def test_two_detectors_at_their_own_times_and_contexts(association: str) -> None:
    """A radar in polar coordinates from a place of its own beside fixes, never at the same time."""
    site = np.array([-20.0, 10.0])
    polar = Detector(polar_from(site, std=(0.3, 0.01)), detection=0.95, clutter=1e-2)
    fixes = Detector(FIX, detection=0.95, clutter=1e-4)
    tracker = Tracker(EKF(CAR, dt=0.5), {"fixes": fixes, "radar": polar}, BIRTH, ASSOCIATIONS[association])
    rng, tracks = np.random.default_rng(0), tracker.tracks
    for k in range(20):
        x = np.array([0.4 * k, 5.0])
        tracker.update(x + 0.5 * rng.normal(size=(1, 2)), 0.4 * k, detector="fixes")
        d = x + [0.08, 0.0] - site
        z = [np.hypot(*d) + 0.3 * rng.normal(), np.arctan2(d[1], d[0]) + 0.01 * rng.normal()]
        tracks = tracker.update([z], 0.4 * k + 0.08, detector="radar")
    assert len(tracks) == 1
    (track,) = tracks
    assert track.belief.mean[:2] == pytest.approx([0.4 * 19, 5.0], abs=0.6)
    assert track.age == pytest.approx(0.4 * 19 + 0.08)
    with pytest.raises(PilotageError, match="fixes, radar"):
        tracker.update([], 9.0, detector="sonar")


@pytest.mark.parametrize("association", SEVERAL)
def test_a_track_begins_at_a_polar_detection_from_a_wide_birth(association: str) -> None:
    """The mode of birth and detection, which one linearization at the mean of the birth misses by far."""
    site, x = np.array([10.0, -30.0]), np.array([-60.0, 40.0])
    d = x - site
    tracker = Tracker(EKF(CAR, dt=1.0), Detector(polar_from(site, std=(0.5, 0.02))), BIRTH, ASSOCIATIONS[association])
    row = tracker.update([[np.hypot(*d), np.arctan2(d[1], d[0])]], 0.0).track(0)
    assert row.belief.mean[:2] == pytest.approx(x, abs=0.2)
    across = 0.02 * np.hypot(*d)
    assert np.linalg.eigvalsh(row.belief.cov[:2, :2]) == pytest.approx([0.25, across**2], rel=0.1)
    assert np.diagonal(row.belief.cov)[2:] == pytest.approx([16.0, 16.0])


def test_a_track_out_of_view_is_not_missed() -> None:
    """It coasts through the dark half of the field, for longer than any rule allows in the light."""
    lit = Detector(FIX, detection=0.95, clutter=1e-4, field=lambda x, context: x[..., 0] < 10.0)
    still = constant_velocity(density=1e-4)
    for management in (MofN(), ScoreTest(), Existence(lifetime=np.inf)):
        tracker = Tracker(KF(still, dt=1.0), lit, BIRTH, management=management)
        for k in range(40):
            tracker.update([[1.0 * k, 0.0]] if k < 10 else [], float(k))
        assert [t.id for t in tracker.tracks] == [1], management
        assert not len(followed(Tracker(KF(still, dt=1.0), RADAR, BIRTH, management=management),
                                [*([[1.0 * k, 0.0]] for k in range(10)), *([[]] * 30)])[-1])  # fmt: skip


@pytest.mark.parametrize("association", SEVERAL)
@pytest.mark.parametrize("management", MANAGEMENTS)
def test_a_track_begins_tentative_is_confirmed_coasts_and_ends(management: str, association: str) -> None:
    tracker = Tracker(
        KF(CAR, dt=1.0), RADAR, BIRTH, ASSOCIATIONS[association], management=managed(association, management), history=5
    )
    seen = [tracker.update([[1.0 * k, 0.0]], float(k)).track(0).status for k in range(8)]
    assert seen[0] is TrackStatus.TENTATIVE and seen[-1] is TrackStatus.CONFIRMED
    tracks = tracker.update([], 8.0)
    assert tracks.track(0).status is TrackStatus.COASTING and len(tracks) == 1
    assert [t for t, _ in tracker.past(1)] == [4.0, 5.0, 6.0, 7.0, 8.0]
    coasting = [tracks]
    while len(coasting[-1].ids):
        coasting.append(tracker.update([], 8.0 + len(coasting)))
        assert len(coasting) < 40
    (ended,) = coasting[-1].deleted
    assert (ended.id, ended.status, ended.seen) == (1, TrackStatus.DELETED, 7.0)
    np.testing.assert_array_equal(ended.belief.mean, coasting[-2].of(1).belief.mean)
    assert not any(tracks.deleted for tracks in coasting[:-1]) and not tracker.update([], 99.0).deleted
    again = tracker.update([[30.0, 30.0]], 100.0)
    assert again.ids.tolist() == [2]


@pytest.mark.parametrize("rule", [JPDA(), JIPDA()])
def test_tentative_tracks_are_those_of_integrated_association(rule: Any) -> None:
    """Existence, belief and score of two tracks that share detections, against the sum over all joint events."""
    tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX, detection=0.8, clutter=0.01), BIRTH, rule, gate=0.99,
                      management=Existence(start=0.3, lifetime=50.0), merge=0.0, threshold=0.0)  # fmt: skip
    tracker._method = tracker._method.__class__(**{**vars(tracker._method), "threshold": 0.5})
    tracker.update([[0.0, 0.0], [1.5, 0.5]], 0.0)
    tracker._method = tracker._method.__class__(**{**vars(tracker._method), "threshold": 0.0})
    prior = tracker.predicted(1.0)
    z = np.array([[0.5, 0.2], [1.0, 0.9]])
    tracks = tracker.update(z, 1.0)
    r, P = 0.3 * np.exp(-1.0 / 50.0), 0.8 * 0.99
    after = [[KF().update(prior.track(i).belief, FIX, one) for one in z] for i in (0, 1)]
    total, exists, means = 0.0, np.zeros(2), np.zeros((2, 4))
    for a in (-2, -1, 0, 1):  # -2 does not exist, -1 not detected, else the detection
        for b in (-2, -1, 0, 1):
            if a == b >= 0:
                continue
            weight, found = 1.0, list[Any]()
            for i, choice in enumerate((a, b)):
                step = after[i][choice]
                weight *= {-2: 1.0 - r, -1: r * (1.0 - P)}.get(choice, r * 0.8 * np.exp(step.log_likelihood) / 0.01)
                found.append(step.belief.mean if choice >= 0 else prior.track(i).belief.mean)
            total += weight
            exists += weight * np.array([a > -2, b > -2])
            means += weight * np.array([[a > -2], [b > -2]]) * found
    assert tracks.existence == pytest.approx(exists / total, rel=1e-9)
    np.testing.assert_allclose(tracks.belief.mean, means / exists[:, None], rtol=1e-9)
    odds = exists / (total - exists) / (r / (1.0 - r))
    assert tracker._state.score == pytest.approx(np.log(odds), rel=1e-9)


@pytest.mark.parametrize("rule", [JPDA(), JIPDA()])
@pytest.mark.parametrize(("seen", "begins"), [([[0.5, 0.0]], False), ([], True)])
def test_a_track_begins_where_only_an_unlikely_one_explains_a_detection(rule: Any, seen: Any, begins: bool) -> None:
    """A track that was detected again keeps its next detection; one that was missed at once leaves it to a new one."""
    radar = Detector(FIX, detection=0.9, clutter=1e-2)
    tracker = Tracker(KF(CAR, dt=1.0), radar, BIRTH, rule, management=ScoreTest())
    tracker.update([[0.0, 0.0]], 0.0)
    tracker.update(seen, 1.0)
    assert len(tracker.update([[1.0, 0.0]], 2.0).ids) == 1 + begins


@pytest.mark.parametrize("rule", [JPDA(), JIPDA()])
def test_false_tracks_take_little_from_those_of_targets(rule: Any) -> None:
    """In clutter so dense that false tracks are in every gate, targets that cross are confirmed nearly all the time."""
    missed = 0
    for seed in range(5):
        given = crossing(angle=0.2, clutter=10.0, rng=seed)
        birth = Gaussian.of(CAR.state, std=[170.0, 30.0, 10.0, 10.0])
        tracker = Tracker(KF(CAR, dt=1.0), Detector(position(std=3.0), clutter=given.clutter), birth, rule)
        found = tracker.run(given.scans)
        missed += 2 * 25 - min(2 * 25, int((found.t >= 15.0).sum()))
    assert missed < 0.1 * 5 * 2 * 25


@pytest.mark.filterwarnings("ignore:there may be more targets")
@pytest.mark.parametrize("association", SEVERAL)
def test_scans_that_hold_nothing_or_too_much(association: str) -> None:
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, ASSOCIATIONS[association])
    assert len(tracker.update([], 0.0).ids) == 0
    assert len(tracker.update(np.full((3, 2), np.nan), 0.0).ids) == 0
    point = np.zeros((1000, 2))
    for k in range(4):
        tracks = tracker.update(point, 1.0 + k)
        assert np.isfinite(tracks.belief.mean).all()
    again = tracker.update(point[:1], 4.0)  # the same time once more
    assert again.t == 4.0
    padded = tracker.update([[np.nan, np.nan], [5.0, 5.0]], 5.0)
    assert padded.source.max() <= 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([[1.0, 2.0, 3.0]], ShapeError),
        ([1.0, 2.0], ShapeError),
        ([[1.0, np.nan]], ShapeError),
        ([[np.inf, 0.0]], ShapeError),
        ([["a", "b"]], ShapeError),
    ],
)
def test_bad_scans_leave_the_tracks_as_they_were(given: Any, error: type[Exception]) -> None:
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH)
    tracker.update([[0.0, 0.0]], 0.0)
    with pytest.raises(error):
        tracker.update(given, 1.0)
    assert tracker.t == 0.0 and tracker.tracks.ids.tolist() == [1]


def test_bad_times_and_settings() -> None:
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH)
    tracker.update([[0.0, 0.0]], 5.0)
    for t in (4.0, np.nan, np.inf, 1.7e12):
        with pytest.raises(PilotageError, match=f"{t:g}"[:3]):
            tracker.update([], t)
        with pytest.raises(PilotageError, match=f"{t:g}"[:3]):
            tracker.predicted(t)
    with pytest.raises(SettingError, match="soon"):
        tracker.predicted("soon")  # type: ignore[arg-type]
    with pytest.raises(PilotageError, match="sonar"):
        tracker.update([], 6.0, detector=["sonar"])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="filter"):
        Tracker("KF", RADAR, BIRTH)
    for name, value in (("history", -1), ("history", 2.5), ("merge", 1.0), ("threshold", 2.0), ("lag", -1.0)):
        with pytest.raises(SettingError, match=f"{name} of Tracker is {value}"):
            Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"Detector, not position.*Detector\(sensor"):
        Tracker(KF(CAR, dt=1.0), FIX, BIRTH)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"\[0, 0, 0, 0\].*Gaussian"):
        Tracker(KF(CAR, dt=1.0), RADAR, [0, 0, 0, 0])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="misses"):
        MofN(misses=(6, 5))
    with pytest.raises(SettingError, match=r"0\.1"):
        Existence(doubtful=0.2)
    with pytest.raises(ModelError, match=r"1\.5"):
        Detector(FIX, detection=lambda x, context: 1.5).seen(np.zeros((2, 4)))
    with pytest.raises(ModelError, match="shape"):
        Detector(FIX, clutter=lambda z: np.ones(7)).density(np.zeros((2, 2)))


@pytest.mark.parametrize("association", ["nearest", "GNN", "JPDA"])
def test_tracks_begin_where_they_may(association: str) -> None:
    """Two targets, of which one may not begin a track; rows of NaN are none, wherever they are."""
    tracker = Tracker(FILTERS["KF"], RADAR, BIRTH, ASSOCIATIONS[association])
    for t in range(6):
        z = [[np.nan, np.nan], [1.0 * t, 0.0], [50.0, -1.0 * t]]
        tracker.update(z, float(t), begins=np.array([True, False, True]))
    tracks = tracker.tracks
    assert tracks.ids.tolist() == [1] and tracks.source.tolist() == [2]
    tracks = tracker.update([[6.0, 0.0], [50.0, -6.0]], 6.0, begins=[True, False])
    assert tracks.ids.tolist() == [1, 2]
    for begins in ([True], [1, 0], [[True, True]]):
        with pytest.raises(ShapeError):
            tracker.update([[6.0, 0.0], [50.0, -6.0]], 7.0, begins=begins)
    several = Tracker(FILTERS["KF"], RADAR, BIRTH, MHT())
    with pytest.raises(PilotageError, match="begins"):
        several.update([[1.0, 2.0]], 0.0, begins=[True])


def test_an_imm_takes_mixtures_of_its_modes_only() -> None:
    tracker = Tracker(TURN, RADAR, birth(TURN))
    tracks = tracker.update([[1.0, 2.0]], 0.0)
    tracker.adopt({1: tracks.belief[[0]]}, 0.0)
    np.testing.assert_allclose(tracker.tracks.belief.moments().mean, tracks.belief.moments().mean)
    with pytest.raises(PilotageError, match="mixtures"):
        tracker.adopt({1: BIRTH}, 0.0)


def test_clutter_and_detection_may_depend_on_the_place() -> None:
    """Where clutter is dense, a detection says less of a track."""
    dense = Detector(FIX, clutter=lambda z: np.where(z[..., 0] > 0.0, 1.0, 1e-6))
    tracker = Tracker(KF(CAR, dt=1.0), dense, BIRTH)
    for k in range(4):
        tracker.update([[-10.0, 0.0], [10.0, 0.0]], float(k))
    tracks = tracker.tracks
    assert tracks.status.tolist()[0] == TrackStatus.CONFIRMED
    assert tracks.existence[0] > 0.999 > 0.99 > tracks.existence[1]


@pytest.mark.parametrize("association", SEVERAL)
def test_a_run_over_scans_is_the_loop(association: str) -> None:
    given, _ = scene(5)
    for filter in (KF(CAR, dt=1.0), TURN):
        one, other = (Tracker(filter, RADAR, birth(filter), ASSOCIATIONS[association]) for _ in range(2))
        table = one.run(Scans(FIX, given, np.arange(40.0)))
        last = followed(other, given)[-1]
        np.testing.assert_array_equal(table.at(39.0).x, last.mean)
        np.testing.assert_array_equal(table.at(39.0).id, last.ids[last.confirmed])
    assert not len(Tracker(KF(CAR, dt=1.0), RADAR, BIRTH).run(Scans(FIX, [[], []], [0.0, 1.0])).t)


def test_scans_of_another_sensor_are_refused() -> None:
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH)
    assert len(tracker.run(Scans(position(std=9.0), [[[0.0, 0.0]]], [0.0])).t) == 0  # detections alike
    with pytest.raises(PilotageError, match="polar"):
        tracker.run(Scans(polar_from([0.0, 0.0], std=(0.5, 0.02)), [[[3.0, 0.1]]], [1.0]))
    with pytest.raises(SettingError, match="Scans"):
        tracker.run([[[0.0, 0.0]]])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"Scans.*run\(a, b\)"):
        tracker.run([Scans(FIX, [[]], [0.0])])  # type: ignore[arg-type]


@pytest.mark.parametrize("association", SEVERAL)
def test_a_tracker_is_saved_and_goes_on(association: str) -> None:
    given, _ = scene(6)
    tracker = Tracker(TURN, RADAR, TURN.first(std=STD), ASSOCIATIONS[association], history=3)
    followed(tracker, given[:20])
    other = pickle.loads(pickle.dumps(tracker))
    for k in range(20, 40):
        tracker.update(given[k], float(k))
        other.update(given[k], float(k))
    a, b = tracker.tracks, other.tracks
    np.testing.assert_array_equal(a.mean, b.mean)
    assert a.ids.tolist() == b.ids.tolist()


def test_a_gate_of_the_filter_is_left_to_the_tracker() -> None:
    """A filter with a narrow gate of its own tracks as one without."""
    given, _ = scene(7)
    one, other = (Tracker(f, RADAR, BIRTH, gate=Gate(0.99)) for f in (KF(CAR, dt=1.0, gate=0.1), KF(CAR, dt=1.0)))
    np.testing.assert_array_equal(followed(one, given)[-1].mean, followed(other, given)[-1].mean)


def test_scans_of_a_file_have_the_name_of_no_detector() -> None:
    """`read_radar_csv` calls the sensor "radar": a tracker of one detector without a name takes such scans."""
    scans = Scans("radar", [[[0.0, 0.0]], [[0.1, 0.0]], [[0.2, 0.0]]], ts=[0.0, 1.0, 2.0])
    found = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH).run(scans)
    named = Tracker(KF(CAR, dt=1.0), {"radar": RADAR}, BIRTH).run(scans)
    assert found.ids.tolist() == named.ids.tolist()
    with pytest.raises(PilotageError, match="'radar'.*sonar"):
        Tracker(KF(CAR, dt=1.0), {"sonar": RADAR}, BIRTH).run(scans)
