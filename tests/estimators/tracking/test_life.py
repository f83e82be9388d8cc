"""The life of tracks: events, merges, splits and re-identification, by their laws and against enumeration."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, ShapeError, Space, SpaceError, TrackTable
from pilotage.core.errors import PilotageError, SettingError
from pilotage.estimators import KF
from pilotage.estimators.tracking import (
    GNN,
    JPDA,
    MHT,
    PMBM,
    Detector,
    EventKind,
    IndependentPDA,
    Initiation,
    Merging,
    Reidentification,
    Splitting,
    Tracker,
    Tracks,
    TrackStatus,
    births_and_deaths,
    bridged,
    occlusion,
    parallel,
)
from pilotage.estimators.tracking._independent import inherited
from pilotage.estimators.tracking._life import Living
from pilotage.estimators.tracking.scores import score
from pilotage.models import constant_velocity

from .test_tracker import ASSOCIATIONS, BIRTH, CAR, FILTERS, FIX, RADAR, SEVERAL, birth, scene

REID = Reidentification(keep=60.0)
LINE = Space("x [m]", "vx [m/s]")


def told(tracker: Tracker, scans: Any, features: Any = None) -> list[tuple[float, str]]:
    """The events of a run, births and deletions of tentative tracks left out."""
    found, sure = list[tuple[float, str]](), set[int]()
    for k, z in enumerate(scans):
        tracks = tracker.update(z, float(k), features=None if features is None else features[k])
        sure |= {track.id for track in tracks}
        found += [
            (float(k), str(event))
            for event in tracks.events
            if event.kind is not EventKind.BORN and (event.id in sure or event.kind is not EventKind.DELETED)
        ]
    return found


def hidden(first: int, last: int, steps: int = 60, offset: float = 0.0) -> list[Any]:
    """Scans of one target that is behind a wall for a while."""
    return [[] if first <= k < last else [[1.5 * k - 40.0, offset]] for k in range(steps)]


def scans_of(one: Any) -> list[Any]:
    return [one.scans[k] for k in range(len(one.scans.ts))]


# -- events


@pytest.mark.parametrize("reidentify", [None, REID], ids=["", "again"])
@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_events_lead_from_one_scan_to_the_next(association: str, reidentify: Any) -> None:
    """Numbers after a scan are those before it, with those born and found again, without those that ended; also where
    scans come late."""
    given, _ = scene(2, clutter=5.0)
    order = [0, 2, 1, 3, 6, 5, 4, 7, 8, 10, 9, *range(11, 40)]
    split = None if reidentify is None else Splitting()
    tracker = Tracker(
        KF(CAR, dt=1.0), Detector(FIX, clutter=5e-4), BIRTH, ASSOCIATIONS[association], lag=3.0, reidentify=reidentify,
        split=split,
    )  # fmt: skip
    alive, sure = set[int](), set[int]()
    for k in order:
        before, tracks = tracker.tracks, tracker.update(given[k] if k < 20 or k > 30 else [], float(k))
        ended = [event.id for event in tracks.events if event.kind in (EventKind.DELETED, EventKind.MERGED)]
        assert [(track.id, track.status) for track in tracks.deleted] == [
            (id, TrackStatus.DELETED) for id in before.ids.tolist() if id in ended
        ]
        for event in tracks.events:
            if event.kind in (EventKind.BORN, EventKind.REIDENTIFIED):
                assert event.id not in alive
                alive.add(event.id)
            if event.kind in (EventKind.DELETED, EventKind.MERGED):
                alive.remove(event.id)
            if event.kind is EventKind.REIDENTIFIED:
                assert event.other is not None
                alive.remove(event.other)
                sure.add(event.id)
            if event.kind is EventKind.CONFIRMED:
                assert event.id not in sure
                sure.add(event.id)
            if event.kind in (EventKind.MERGED, EventKind.SPLIT):
                assert event.other != event.id
        assert alive == set(tracks.ids.tolist()) == set(tracker.tracks.ids.tolist())
        assert [str(event) for event in tracker.tracks.events] == [str(event) for event in tracks.events]
        sure &= {track.id for track in tracks}  # targets may be in doubt again
        assert sure == {track.id for track in tracks}
    assert tracker.predicted(50.0).events == []


def test_without_its_parts_the_life_of_tracks_costs_nothing() -> None:
    assert not isinstance(Tracker(KF(CAR, dt=1.0), RADAR, BIRTH)._method, Living)
    assert isinstance(Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, split=Splitting())._method, Living)


# -- merges


@pytest.mark.parametrize("association", [GNN(), JPDA(), MHT()], ids=["GNN", "JPDA", "MHT"])
def test_targets_side_by_side_are_never_merged(association: Any) -> None:
    """One standard deviation apart, so that under soft shares both tracks say the same."""
    both = merges = 0
    start = Gaussian.of(CAR.state, [200.0, 0.0, 0.0, 0.0], std=[200.0, 50.0, 10.0, 10.0])
    for seed in range(4):
        one = parallel(gap=3.0, clutter=2.0, steps=50, rng=seed)
        tracker = Tracker(KF(CAR, dt=1.0), Detector(one.scans.sensor, clutter=one.clutter), start, association)
        sure = set[int]()
        for k, t in enumerate(one.scans.ts.tolist()):
            tracks = tracker.update(one.scans[k], t)
            sure |= {track.id for track in tracks}
            merges += sum(event.kind is EventKind.MERGED and event.id in sure for event in tracks.events)
            both += t >= 20.0 and len(tracks) >= 2
    assert merges == 0
    assert both >= 0.95 * 4 * 30


def two_tracks(rule: Merging, scans: int, together: int) -> int:
    """Scans until two confirmed tracks with one belief are merged, if a scan has so many detections; 0 for never."""
    tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX, detection=0.9, clutter=1e-3), BIRTH, IndependentPDA(), merge=rule)
    for k in range(10):
        tracker.update([[1.0 * k, 0.0], [1.0 * k, 30.0]], float(k))
    first = tracker.tracks.of(1).belief
    tracker.adopt({1: first, 2: first}, 9.0)
    for k in range(10, 10 + scans):
        z = [[1.0 * k, 0.0]] if together == 1 else [[1.0 * k, 0.4], [1.0 * k, -0.4]]
        tracks = tracker.update(z[:together], float(k))
        if merged := [event for event in tracks.events if event.kind is EventKind.MERGED and event.id == 2]:
            assert merged[0].other == 1
            assert tracks.of(1).status is TrackStatus.CONFIRMED
            return k - 9
    return 0


def test_a_double_is_merged_after_as_many_scans_as_its_evidence_asks_for() -> None:
    """``log(1 / false) / log(1 / (2 (1 - P)))`` scans; never where each scan has two detections or none."""
    step = -np.log(2.0 * (1.0 - 0.9 * 0.99))
    for false in (1e-1, 1e-3, 1e-6):
        assert two_tracks(Merging(false=false), 30, together=1) == int(np.ceil(-np.log(false) / step))
    assert two_tracks(Merging(), 30, together=2) == 0
    assert two_tracks(Merging(), 5, together=0) == 0


def test_the_older_number_goes_on_with_the_later_belief() -> None:
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, GNN())
    for k in range(8):
        tracker.update([[1.0 * k, 0.0], [1.0 * k, 30.0]] if k < 6 else [[1.0 * k, 30.0]], float(k))
    state = tracker._state
    after = inherited(state, {1: 0})
    assert after.ids.tolist() == [1, 2] and after.seen.tolist() == [7.0, 7.0]
    np.testing.assert_array_equal(after.rows.tables[0][0], state.rows.tables[0][1])
    assert inherited(state, {0: 1}) is state


@pytest.mark.parametrize("seed", range(4))
def test_the_evidence_is_the_likelihood_ratio_of_one_target_against_two(seed: int) -> None:
    """All ways to give the detections of a scan to one target, and to two, none to both."""
    rng = np.random.default_rng(seed)
    w, P = rng.gamma(0.5, 4.0, (2, 3)), rng.uniform(0.3, 0.99, 2)
    ways = np.concatenate([(1.0 - P)[:, None], w], axis=1)  # missed, or one of the detections
    both = sum(ways[0, a] * ways[1, b] for a in range(4) for b in range(4) if a != b or a == 0)
    found = Merging().evidence(w[0], P[0], w[1], P[1])
    assert found == pytest.approx(np.log(ways[0].sum()) - np.log(both), abs=1e-12)


def test_scans_tell_as_much_as_their_detections() -> None:
    large, none, P = np.array([1e9, 0.0]), np.zeros(2), 0.9
    assert Merging().evidence(large, P, large, P) == pytest.approx(-np.log(2.0 * (1.0 - P)))
    assert Merging().evidence(large, 0.4, large, 0.4) < 0.0
    assert Merging().evidence(large, P, large[::-1], P) < -10.0  # each its own
    assert Merging().evidence(large, P, none, P) == pytest.approx(-np.log(1.0 - P))
    assert Merging().evidence(none, P, none, P) == 0.0  # both may be hidden


@pytest.mark.parametrize(("offset", "merged"), [(0.3, True), (2.0, True), (6.0, False)])
def test_evidence_is_kept_while_two_tracks_may_be_of_one_target(offset: float, merged: bool) -> None:
    """The second track is held that many standard deviations beside the first, which are 4 in chi2(4) for two."""
    tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX, detection=0.9, clutter=1e-3), BIRTH, IndependentPDA())
    for k in range(10):
        tracker.update([[1.0 * k, 0.0], [1.0 * k, 30.0]], float(k))
    ended = list[int]()
    for k in range(10, 20):
        belief = tracker.tracks.of(1).belief
        if 2 in tracker.tracks.ids:
            beside = belief.mean + [0.0, offset * np.sqrt(belief.cov[1, 1]), 0.0, 0.0]
            tracker.adopt({2: Gaussian(CAR.state, beside, belief.cov)}, tracker.t)
        events = tracker.update([[1.0 * k, 0.0]], float(k)).events
        ended += [event.id for event in events if event.kind is EventKind.MERGED]
    assert (2 in ended) is merged


# -- splits


@pytest.mark.parametrize("association", ["GNN", "JPDA", "MHT"])
def test_one_that_becomes_two_is_told(association: str) -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, ASSOCIATIONS[association], split=Splitting(), history=50)
    scans = []
    for k in range(40):
        gap = max(0.0, 0.8 * (k - 15))
        x = np.array([[1.0 * k - 20.0, 0.5 * gap], [1.0 * k - 20.0, -0.5 * gap]])
        scans.append((x if gap > 2.0 else x[:1]) + 0.3 * rng.normal(size=(2 if gap > 2.0 else 1, 2)))
    splits = [event for event in told(tracker, scans) if "split" in event[1]]
    assert len(splits) == 1
    child = int(splits[0][1].split()[0])
    assert splits[0][1] == f"{child} split (1)"
    assert tracker.tracks.of(child).parent == 1 and tracker.tracks.of(1).parent is None
    past = tracker.past(child)
    assert past[0][0] == 0.0 and len(past) == 40  # with that of its parent
    np.testing.assert_array_equal(past[3][1].mean, tracker.past(1)[3][1].mean)


def test_targets_that_pass_are_no_split() -> None:
    """Of targets that appear anywhere, hardly one appears within the gate of another."""
    splits = confirmed = 0
    for seed in range(4):
        one = births_and_deaths(20, clutter=5.0, rng=seed)
        start = Gaussian.of(CAR.state, std=[300.0, 300.0, 10.0, 10.0])
        tracker = Tracker(
            KF(CAR, dt=1.0), Detector(one.scans.sensor, clutter=one.clutter), start, JPDA(), split=Splitting()
        )
        events = told(tracker, scans_of(one))
        splits += sum("split" in event for _, event in events)
        confirmed += sum("confirmed" in event for _, event in events)
    assert confirmed >= 50
    assert splits <= 0.02 * confirmed


def test_a_coarse_detector_may_see_two_as_one() -> None:
    """A new track beyond the gate of the old one, but within the resolution of the detector."""
    plane = Space("x y [m]")
    old, new = Gaussian.of(plane, [[0.0, 0.0]], std=1.0), Gaussian.of(plane, [[9.0, 0.0], [0.0, 9.0]], std=1.0)
    assert Splitting().parents(new, old).tolist() == [-1, -1]
    assert Splitting(resolution={"x": 5.0}).parents(new, old).tolist() == [0, -1]
    with pytest.raises(SettingError, match="height"):
        Splitting(resolution={"height": 5.0}).parents(new, old)
    for bad in (5.0, {"x": -1.0}):
        with pytest.raises(SettingError, match="resolution"):
            Splitting(resolution=bad)


# -- re-identification


@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_a_target_that_was_hidden_gets_its_number_back(association: str) -> None:
    make = lambda rule: Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, ASSOCIATIONS[association], reidentify=rule, history=80)
    events = told(tracker := make(REID), hidden(20, 35))
    assert [event.split(" (")[0] for _, event in events if "re" in event or "deleted" in event] == [
        "1 deleted", "1 reidentified",
    ]  # fmt: skip
    (track,) = tracker.tracks
    assert track.id == 1 and track.age == 59.0
    assert [t for t, _ in tracker.past(1)][:20] == list(np.arange(20.0))
    assert {59.0} <= {t for t, _ in tracker.past(1)}
    told(other := make(None), hidden(20, 35))
    assert [track.id for track in other.tracks] != [1]
    np.testing.assert_array_equal(other.tracks.mean, tracker.tracks.mean)  # numbers change, beliefs do not


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_finds_its_targets_again(name: str) -> None:
    filter = FILTERS[name]
    tracker = Tracker(filter, RADAR, birth(filter), reidentify=REID)
    assert [event for _, event in told(tracker, hidden(20, 32))][-1].startswith("1 reidentified")


def test_a_target_is_found_again_time_after_time() -> None:
    scans = [[] if 15 <= k < 27 or 45 <= k < 57 else [[1.0 * k - 40.0, 0.0]] for k in range(75)]
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, reidentify=REID)
    assert sum("1 reidentified" in event for _, event in told(tracker, scans)) == 2
    assert [track.id for track in tracker.tracks] == [1]


@pytest.mark.parametrize("case", ["late", "elsewhere", "slow", "present", "young"])
def test_others_get_numbers_of_their_own(case: str) -> None:
    """One that comes too late, in another place, with another speed, while the target was there, or after one that was
    confirmed for too short a time."""
    scans = hidden(20, 35)
    rule = Reidentification(keep=10.0) if case == "late" else Reidentification(keep=60.0, least=30)
    rule = rule if case in ("late", "young") else REID
    if case == "elsewhere":
        scans = [*scans[:35], *([[1.5 * k - 40.0, 60.0]] for k in range(35, 60))]
    if case == "slow":
        scans = [*scans[:35], *([[12.5, 6.0 * (k - 35.0)]] for k in range(35, 60))]
    if case == "present":  # it is there from the beginning, and comes to the place of the other
        scans = [[*z, [12.0, 1.0]] for z in hidden(20, 60)]
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, reidentify=rule)
    assert not any("reidentified" in event for _, event in told(tracker, scans))


def test_the_probabilities_are_those_of_all_ways_to_share_out() -> None:
    """Against the sum over all maps of lost targets to tracks, each taken once; pairs are taken where it is sure."""
    rng = np.random.default_rng(4)
    start = Gaussian.of(LINE, std=[50.0, 5.0])
    taken = 0
    for _ in range(60):
        lost = Gaussian.of(LINE, rng.normal(size=(3, 2)) * [25.0, 3.0], std=[6.0, 2.0])
        found = Gaussian.of(LINE, lost.mean[rng.permutation(3)[:2]] + rng.normal(size=(2, 2)) * [4.0, 1.5], std=1.0)
        w = np.zeros((3, 2))
        for i, j in np.ndindex(3, 2):
            gap = Gaussian(LINE, lost.mean[i], lost.cov[i] + found.cov[j]).log_prob(found.mean[j])
            w[i, j] = 0.7 / 0.3 / 2.0 * np.exp(gap - start.log_prob(found.mean[j]))
        total, beta = 0.0, np.zeros((3, 2))
        for choice in itertools.product([-1, 0, 1], repeat=3):
            used = [j for j in choice if j >= 0]
            if len(set(used)) == len(used):
                weight = np.prod([w[i, j] for i, j in enumerate(choice) if j >= 0])
                total += weight
                for i, j in enumerate(choice):
                    if j >= 0:
                        beta[i, j] += weight
        rule = Reidentification(sure=0.8, returns=0.7, newcomers=2.0, gate=1.0 - 1e-12, alone=False)
        pairs = {
            *zip(*(each.tolist() for each in rule.matched(lost, found, start, np.ones((3, 2), bool))), strict=True)
        }
        assert pairs == {(i, j) for i, j in np.ndindex(3, 2) if beta[i, j] / total > 0.8}
        taken += len(pairs)
    assert taken > 30


def test_alone_leaves_out_what_has_a_rival() -> None:
    """Of the same pairs, those whose target and track are in no other gate."""
    start, every = Gaussian.of(LINE, std=[90.0, 5.0]), np.ones((3, 2), bool)
    lost = Gaussian.of(LINE, [[0.0, 0.0], [12.0, 0.0], [60.0, 0.0]], std=[3.0, 1.0])
    found = Gaussian.of(LINE, [[1.0, 0.0], [60.0, 0.0]], std=[0.5, 0.2])
    for alone, wanted in ((False, [[0, 2], [0, 1]]), (True, [[2], [1]])):
        rule = Reidentification(alone=alone, gate=0.9999)
        assert [each.tolist() for each in rule.matched(lost, found, start, every)] == wanted


def test_two_side_by_side_are_not_told_apart_but_by_their_looks() -> None:
    """Both come out of a long occlusion: motion alone leaves it open who is who."""
    scans = [[] if 20 <= k < 40 else [[1.5 * k - 40.0, 3.0], [1.5 * k - 40.0, -3.0]] for k in range(60)]
    looks = [np.zeros((0, 2)) if len(z) == 0 else [[1.0, 0.1], [0.1, 1.0]] for z in scans]
    turned = [each if k < 40 else each[::-1] for k, each in enumerate(looks)]  # they have changed places
    unknown = [np.full((len(z), 2), np.nan) for z in scans]
    again = lambda features, rule: sorted(
        event
        for _, event in told(Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, reidentify=rule), scans, features)
        if "reid" in event
    )
    seeing = Reidentification(keep=60.0, appearance=0.3)
    assert again(None, REID) == again(unknown, seeing) == []
    assert again(looks, seeing) == ["1 reidentified (3)", "2 reidentified (4)"]
    assert again(turned, seeing) == ["1 reidentified (4)", "2 reidentified (3)"]


def test_a_target_that_looks_different_is_another_one() -> None:
    scans = hidden(20, 30)
    for angle, count in ((0.2, 1), (1.5, 0)):
        looks = [[[np.cos(angle), np.sin(angle)]] if k >= 30 else [[1.0, 0.0]][: len(z)] for k, z in enumerate(scans)]
        looks = [np.reshape(each, (-1, 2)) for each in looks]
        rule = Reidentification(keep=60.0, appearance=0.3)
        events = told(Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, reidentify=rule), scans, looks)
        assert sum("reid" in event for _, event in events) == count


@pytest.mark.parametrize("association", SEVERAL)
def test_late_scans_and_copies_find_the_same_targets(association: str) -> None:
    scans = hidden(20, 35)
    order = [*range(34), 35, 34, 37, 36, 38, 40, 39, *range(41, 60)]
    make = lambda: Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, ASSOCIATIONS[association], reidentify=REID, lag=3.0)
    one, other = make(), make()
    for k in range(60):
        one.update(scans[k], float(k))
        other.update(scans[order[k]], float(order[k]))
        if k == 25:
            other = pickle.loads(pickle.dumps(other))
    np.testing.assert_array_equal(one.tracks.mean, other.tracks.mean)
    assert [track.id for track in one.tracks] == [track.id for track in other.tracks] == [1]


@pytest.mark.parametrize("association", ["GNN", "JPDA", "MHT", "PMBM"])
def test_after_an_occlusion_identity_is_kept(association: str) -> None:
    """Targets far enough apart to be told from each other; bridged, the time behind the wall counts too."""
    start = Gaussian.of(CAR.state, [300.0, 0.0, 0.0, 0.0], std=[200.0, 100.0, 10.0, 10.0])
    without, with_it, whole = (list[float]() for _ in range(3))
    for seed in range(3):
        one = occlusion(gap=40.0, width=150.0, steps=60, clutter=2.0, rng=seed)
        detector = Detector(one.scans.sensor, detection=0.95, clutter=one.clutter)
        plain, again = (
            Tracker(KF(CAR, dt=1.0), detector, start, ASSOCIATIONS[association], reidentify=rule).run(one.scans)
            for rule in (None, REID)
        )
        without.append(score(one.truth, plain, cutoff=20.0).identity.idf1)
        with_it.append(score(one.truth, again, cutoff=20.0).identity.idf1)
        whole.append(score(one.truth, bridged(again, KF(CAR, dt=1.0), one.scans.ts), cutoff=20.0).identity.idf1)
    assert np.mean(with_it) > np.mean(without) + 0.2
    assert np.mean(whole) > np.mean(with_it) + 0.1


@pytest.mark.parametrize("association", ["GNN", "JPDA", "MHT", "PMBM"])
def test_targets_that_do_not_return_are_hardly_ever_found(association: str) -> None:
    """Births and deaths over a square: new targets that have nothing to do with those that ended."""
    false = confirmed = 0
    method = PMBM(rate=0.3, lifetime=30.0) if association == "PMBM" else ASSOCIATIONS[association]
    start = Gaussian.of(CAR.state, std=[300.0, 300.0, 10.0, 10.0])
    for seed in range(4):
        one = births_and_deaths(20, life=15.0, clutter=5.0, rng=seed)
        tracker = Tracker(
            KF(CAR, dt=1.0), Detector(one.scans.sensor, clutter=one.clutter), start, method,
            reidentify=Reidentification(keep=20.0),
        )  # fmt: skip
        events = told(tracker, scans_of(one))
        false += sum("reid" in event for _, event in events)
        confirmed += sum("confirmed" in event for _, event in events)
    assert confirmed >= 40
    assert false <= 0.02 * confirmed


def test_memory_of_lost_targets_is_bounded() -> None:
    """Targets come and go for ever: at most so many are remembered, and for so long."""
    rule = Reidentification(keep=30.0, most=4, least=1)
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, reidentify=rule, split=Splitting())
    most, rng, places = 0, np.random.default_rng(0), np.zeros((3, 2))
    for k in range(300):
        if k % 12 == 0:
            places = rng.uniform(-50.0, 50.0, (3, 2))
        tracker.update(places, float(k), features=np.eye(3))
        state = tracker._state
        most = max(most, len(state.lost.ids))
        known = set(tracker.tracks.ids.tolist()) | set(state.lost.ids.tolist())
        assert {*state.scans, *state.parents, *state.suspects, *state.names.values()} <= known
        assert set(state.looks) <= known
    assert most == 4
    tracker.update([], 400.0)
    assert not len(tracker._state.lost.ids)


class AtRest(Initiation):
    """A track begins at each detection, at rest."""

    def begin(self, targets: Any, sensor: Any, z: Any, context: Any) -> Any:
        mean = np.concatenate([z, 0.0 * z], axis=1)
        return targets.pack(Gaussian.of(CAR.state, mean, std=[0.5, 0.5, 3.0, 3.0])), np.arange(len(z))


def test_bad_parts_and_features() -> None:
    with pytest.raises(SettingError, match="AtRest"):
        Tracker(KF(CAR, dt=1.0), RADAR, AtRest(), reidentify=REID)
    own = Reidentification(keep=60.0, birth=BIRTH)
    events = told(Tracker(KF(CAR, dt=1.0), RADAR, AtRest(), reidentify=own), hidden(20, 30))
    assert events[-1][1].startswith("1 reid")
    for bad in ("split", "reidentify"):
        with pytest.raises(SettingError, match="3"):
            Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, **{bad: 3})  # type: ignore[arg-type]
    for name, value in (("sure", 0.4), ("keep", 0.0), ("returns", 1.0), ("appearance", 3.0), ("most", 0)):
        with pytest.raises(SettingError, match=name):
            Reidentification(**{name: value})  # type: ignore[arg-type]
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, BIRTH, reidentify=REID)
    for looks in ([[1.0]], [1.0, 2.0]):
        with pytest.raises(ShapeError, match="features"):
            tracker.update([[0.0, 0.0], [9.0, 9.0]], 0.0, features=looks)
    assert np.isnan(tracker.t)
    tracker.update([[0.0, 0.0]], 0.0)
    with pytest.raises(PilotageError, match="re-identification"):
        tracker.adopt({1: BIRTH}, 0.0)


# -- bridging


def test_a_bridge_is_the_posterior_of_both_ends() -> None:
    """Against the joint Gaussian of the states in the gap, given the first belief and the last."""
    car, rng = constant_velocity(1, density=0.4), np.random.default_rng(0)
    ts, ends = np.array([0.0, 1.0, 2.5, 3.0, 5.0]), []
    for _ in range(2):
        A = rng.normal(size=(2, 2))
        ends.append(A @ A.T + 0.1 * np.eye(2))
    x = np.array([[0.0, 2.0], [9.0, 1.0]])
    other = TrackTable(ts, [2] * 5, np.ones((5, 2)), space=car.state, cov=[np.eye(2)] * 5)
    table = TrackTable([0.0, 5.0], [1, 1], x, space=car.state, cov=ends)
    found = bridged(table.joined(other), KF(car, dt=1.0)).of(1)
    assert found.cov is not None
    assert found.t.tolist() == ts.tolist()
    mean, cov = np.zeros(10), np.zeros((10, 10))
    mean[:2], cov[:2, :2] = x[0], ends[0]
    for k, dt in enumerate(np.diff(ts)):
        F, Q = car.linearize(x[0], [], dt)[0], car.noise(x[0], [], dt)
        a, b = slice(2 * k, 2 * k + 2), slice(2 * k + 2, 2 * k + 4)
        mean[b] = F @ mean[a]
        cov[b, : 2 * k + 2] = F @ cov[a, : 2 * k + 2]
        cov[: 2 * k + 2, b] = cov[b, : 2 * k + 2].T
        cov[b, b] = F @ cov[a, a] @ F.T + Q
    gain = cov[:, 8:] @ np.linalg.inv(cov[8:, 8:] + ends[1])
    mean, cov = mean + gain @ (x[1] - mean[8:]), cov - gain @ cov[8:]
    for k in (1, 2, 3):
        np.testing.assert_allclose(found.x[k], mean[2 * k : 2 * k + 2], atol=1e-9)
        np.testing.assert_allclose(found.cov[k], cov[2 * k : 2 * k + 2, 2 * k : 2 * k + 2], atol=1e-9)
    np.testing.assert_array_equal(found.x[[0, 4]], x)


def test_what_is_no_gap_stays_as_it_is() -> None:
    car = constant_velocity(1)
    table = TrackTable([0.0, 4.0, 2.0], [1, 1, 2], np.ones((3, 2)), space=car.state, cov=[np.eye(2)] * 3)
    assert len(bridged(table, KF(car, dt=1.0), longest=3.0)) == 3
    assert len(bridged(table, KF(car, dt=1.0))) == 4
    with pytest.raises(ShapeError, match="covariances"):
        bridged(TrackTable([0.0], [1], [[0.0, 0.0]], space=car.state), KF(car, dt=1.0))
    with pytest.raises(SpaceError, match="y"):
        bridged(table, KF(CAR, dt=1.0))
    with pytest.raises(SettingError, match="longest"):
        bridged(table, KF(car, dt=1.0), longest=0.0)


def test_tracks_of_others_tell_no_events() -> None:
    """`Tracks` that were made by hand, as by a fuser, have none."""
    assert Tracker(KF(CAR, dt=1.0), RADAR, BIRTH).tracks.events == []
    assert isinstance(Tracker(KF(CAR, dt=1.0), RADAR, BIRTH).tracks, Tracks)


def test_detections_that_begin_no_track_with_reidentification() -> None:
    """The mask of detections that may begin tracks reaches the association under what happens to tracks later."""
    belief = Gaussian.of(CAR.state, std=[100.0, 100.0, 5.0, 5.0])
    tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX), belief, reidentify=Reidentification())
    assert len(tracker.update([[0.0, 0.0], [30.0, 0.0]], 0.0, begins=np.array([True, False])).ids) == 1
