"""Filters on random finite sets, against sums over all that may have happened, and against each other."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks import births
from pilotage.core import Gaussian
from pilotage.core.errors import SettingError
from pilotage.estimators import KF
from pilotage.estimators.tracking import (
    CPHD,
    GMPHD,
    JIPDA,
    LMB,
    Detector,
    Existence,
    Gate,
    MofN,
    Tracker,
)

from .test_hypotheses import ALL, CLUTTER, LIFE, NEAR, NUMBER, P_D, chain_weight, partitions
from .test_tracker import BIRTH, CAR, FIX, followed, scene

WIDE = Gate(1.0 - 1e-13)
WHOLE: dict[str, Any] = {
    "rate": 1e-13, "lifetime": LIFE, "undetected": NUMBER, "least": 0.0, "forget": 0.0, "faint": 1e-10,
    "begin": 0.0, "components": 10**6,
}  # fmt: skip
"""Nothing is left out, and all targets are there from the first scan on."""
EACH: dict[str, Any] = {
    "PHD": GMPHD(**WHOLE),
    "CPHD": CPHD(**WHOLE),
    "LMB": LMB(**WHOLE),
}


def exact(rule: Any, clutter: float = CLUTTER, **settings: Any) -> Tracker:
    radar = Detector(FIX, detection=P_D, clutter=clutter)
    return Tracker(KF(CAR, dt=1.0), radar, NEAR, rule, gate=WIDE, merge=0.0, **settings)


def masses(tracker: Tracker) -> tuple[Any, Any]:
    """Weights of all beliefs and their means, in an order of their own."""
    state = tracker._state
    means = tracker._method.targets.means(state.leaves.rows)
    order = np.lexsort(means.round(6).T)
    return state.weights[order], means[order]


def ordered(found: list[tuple[float, Any]]) -> tuple[Any, Any]:
    """The same, of weights and means that another way gives."""
    weights, means = np.array([w for w, _ in found]), np.array([m for _, m in found])
    order = np.lexsort(means.round(6).T)
    return weights[order], means[order]


def scans_of(seed: int, count: int = 2) -> list[Any]:
    rng = np.random.default_rng(seed)
    starts = np.array([[0.0, 0.0], [3.0, 1.0]])
    return [starts + 1.5 * rng.normal(size=(2, 2)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_phd_is_the_expected_number_over_all_causes_of_all_detections(seed: int) -> None:
    """Each detection may come from any belief, a target never detected, or clutter: all ways, one after another.

    The targets of a Poisson process cause detections independently, so that no cause is used up.
    """
    scans, tracker = scans_of(seed), exact(EACH["PHD"])
    tracker.update(scans[0], 0.0)
    before = tracker._method.predict(tracker._state, 1.0)
    beliefs = [
        *tracker._method.targets.unpack(before.leaves.rows),
        *tracker._method.targets.unpack(before.poisson.rows),
    ]
    weights = np.concatenate([before.weights, before.poisson.weights])
    each = [[KF().update(b, FIX, z) for z in scans[1]] for b in beliefs]
    causes = range(len(beliefs) + 1)  # the last is clutter
    odds = np.array([[w * P_D * np.exp(u.log_likelihood) for u in row] for w, row in zip(weights, each, strict=True)])
    odds = np.concatenate([odds, np.full((1, 2), CLUTTER)])
    total, number = 0.0, np.zeros((len(beliefs), 2))
    for ways in itertools.product(causes, repeat=2):
        weight = odds[ways[0], 0] * odds[ways[1], 1]
        total += weight
        for j, i in enumerate(ways):
            if i < len(beliefs):
                number[i, j] += weight
    count = len(before.weights)
    known = [(w * (1.0 - P_D), b.mean) for w, b in zip(weights[:count], beliefs, strict=False)]
    known += [(number[i, j] / total, each[i][j].belief.mean) for i in range(len(beliefs)) for j in range(2)]
    tracker.update(scans[1], 1.0)
    found, expected = masses(tracker), ordered([each for each in known if each[0] > 1e-12])
    some = found[0] > 1e-12
    np.testing.assert_allclose(found[0][some], expected[0], rtol=1e-7)
    np.testing.assert_allclose(found[1][some], expected[1], atol=1e-7)
    assert tracker.tracks.cardinality.mean == pytest.approx(found[0].sum() + weights[count:].sum() * (1.0 - P_D))


def test_the_first_scan_of_cphd_is_that_of_phd_and_its_mass_is_its_mean() -> None:
    scans, one, other = scans_of(4, 4), exact(EACH["PHD"]), exact(EACH["CPHD"])
    one.update(scans[0], 0.0)
    other.update(scans[0], 0.0)
    np.testing.assert_allclose(masses(one)[0], masses(other)[0], rtol=1e-9)
    for k, z in enumerate(scans[1:], 1):
        tracks = other.update(z, float(k))
        assert tracks.cardinality.mean == pytest.approx(other._state.total, rel=1e-6)
    assert abs(one.update(scans[1], 1.0).cardinality.mean - other._state.total) > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_lmb_is_the_sum_over_all_partitions_of_two_scans(seed: int) -> None:
    """After one scan the posterior is labelled multi-Bernoulli, so that the second one is exact.

    Oracle: each chain of detections is a target, a single detection may be false, and the weight of a partition is the
    product of theirs.
    """
    scans = scans_of(seed)
    ways = partitions(scans)
    weights = {chain: chain_weight(chain, scans) for way in ways for chain in way}
    total, there = 0.0, dict.fromkeys(weights, 0.0)
    for way in ways:
        weight = float(np.prod([weights[c][0] + (CLUTTER if len(c) == 1 else 0.0) for c in way]))
        total += weight
        for c in way:
            there[c] += weight * weights[c][1] / (weights[c][0] + (CLUTTER if len(c) == 1 else 0.0))
    tracker = exact(EACH["LMB"])
    followed(tracker, scans)
    found, expected = masses(tracker), ordered([(there[c] / total, weights[c][2].mean) for c in there])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-7)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-7)


def test_lmb_of_one_target_is_the_bernoulli_filter() -> None:
    """Over four scans, by all histories of one target: each scan missed, or one of its detections; it may be gone."""
    rng = np.random.default_rng(1)
    scans = [np.zeros((1, 2)), *([k, 0.2 * k] + rng.normal(size=(2, 2)) for k in range(1, 4))]
    tracker = exact(replace(EACH["LMB"], faint=10.0))  # undetected targets are dropped after the first scan
    followed(tracker, scans)
    stays, first = np.exp(-1.0 / LIFE), KF(CAR, dt=1.0).start(belief=NEAR)
    rho = NUMBER * P_D * np.exp(first.update(FIX, scans[0][0]).log_likelihood)
    r = rho / (CLUTTER + rho)

    def history(way: tuple[int, ...]) -> tuple[float, Any]:
        """Weight of a target that lives through these scans, with these detections, and its mean."""
        target, weight = KF(CAR, dt=1.0).start(belief=first.belief), r
        for k, j in enumerate(way, 1):
            target.predict()
            detected = j >= 0 and P_D * np.exp(target.update(FIX, scans[k][j]).log_likelihood) / CLUTTER
            weight *= stays * (detected if j >= 0 else 1.0 - P_D)
        return weight, target.belief.mean

    lives = [[history(way) for way in itertools.product(range(-1, 2), repeat=scan)] for scan in range(4)]
    gone = 1.0 - r + (1.0 - stays) * sum(w for each in lives[:3] for w, _ in each)
    total = gone + sum(w for w, _ in lives[3])
    found, expected = masses(tracker), ordered([(w / total, m) for w, m in lives[3]])
    some = found[0] > 1e-9  # the others come from births, which are all but none
    np.testing.assert_allclose(found[0][some], expected[0], rtol=1e-7)
    np.testing.assert_allclose(found[1][some], expected[1], atol=1e-7)
    assert tracker.tracks.existence[0] == pytest.approx(1.0 - gone / total, rel=1e-9)


def test_lmb_has_the_existence_of_jipda() -> None:
    """Two tracks, of one belief each, that share two detections."""
    first, z = np.array([[0.0, 0.0], [1.5, 0.5]]), np.array([[0.5, 0.2], [1.0, 0.9]])
    one = exact(replace(EACH["LMB"], faint=10.0))
    r = one.update(first, 0.0).existence
    start = Existence(start=float(r[0]), lifetime=LIFE, doubtful=1e-9, sure=0.9999)
    for_one = exact(JIPDA(), management=start)
    one._state = replace(one._state, weights=np.full(2, r[0]))
    one._state = replace(one._state, leaves=one._state.leaves.changed(existence=np.full(2, r[0])))
    for_one.update(first, 0.0)
    found, wanted = one.update(z, 1.0), for_one.update(z, 1.0)
    np.testing.assert_allclose(found.existence[:2], wanted.existence[:2], rtol=1e-9)


def test_lmb_and_pmbm_say_the_same_of_two_scans() -> None:
    """Their posteriors are then one, and so are the numbers of targets."""
    scans, one, other = scans_of(9), exact(EACH["LMB"]), exact(ALL)
    followed(one, scans)
    followed(other, scans)
    state = other._state.histories
    mass = np.zeros(len(state.leaves.ids) + 1)
    for cluster in state.forest:
        np.add.at(mass, cluster.leaves, cluster.weights[:, None])
    assert one._state.weights.sum() == pytest.approx((mass[:-1] * state.leaves.existence).sum(), rel=1e-9)


@pytest.mark.parametrize("name", EACH)
def test_the_order_of_detections_does_not_matter(name: str) -> None:
    given, _ = scene(2, steps=8)
    rule = {"PHD": GMPHD(rate=0.05), "CPHD": CPHD(rate=0.05), "LMB": LMB(rate=0.05)}[name]
    one, other = (Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=8e-4), BIRTH, rule) for _ in range(2))
    followed(one, given)
    followed(other, [z[::-1] for z in given])
    np.testing.assert_allclose(masses(one)[0], masses(other)[0], rtol=1e-6, atol=1e-9)


def population(seed: int, steps: int, rate: float, life: float, density: float) -> Any:
    """Scans of a world that is just as the filters think, and the number of targets at each time."""
    rng, side = np.random.default_rng(seed), 160.0
    L = np.linalg.cholesky(CAR.noise(np.zeros(4), [], 1.0))
    std = np.sqrt(np.diagonal(CENTRE.cov))
    x = rng.normal(size=(rng.poisson(rate * life), 4)) * std
    scans, numbers = list[Any](), list[int]()
    for k in range(steps):
        if k:
            x = x[rng.random(len(x)) < np.exp(-1.0 / life)]
            x = CAR.step(x, np.zeros((len(x), 0)), 1.0) + rng.normal(size=x.shape) @ L.T
            born = rng.poisson(rate * life * (1.0 - np.exp(-1.0 / life)))
            x = np.concatenate([x, rng.normal(size=(born, 4)) * std])
        z = (x[:, :2] + 0.5 * rng.normal(size=(len(x), 2)))[rng.random(len(x)) < 0.9]
        false = rng.uniform(-side, side, (rng.poisson(density * 4.0 * side**2), 2))
        scans.append(np.concatenate([z, false]))
        numbers.append(len(x))
    return scans, np.array(numbers)


CENTRE = Gaussian.of(CAR.state, std={"x": 40.0, "y": 40.0, "vx": 2.0, "vy": 2.0})


@pytest.mark.parametrize("name", EACH)
def test_the_number_of_targets_is_consistent(name: str) -> None:
    """In a world just as the filter thinks, its mean is not biased, and errors of CPHD and LMB are as it says."""
    rule = {"PHD": GMPHD, "CPHD": CPHD, "LMB": LMB}[name](rate=0.2, lifetime=30.0)
    radar, errors = Detector(FIX, detection=0.9, clutter=1e-4), list[float]()
    scaled = list[float]()
    for seed in range(10):
        scans, numbers = population(seed, 24, 0.2, 30.0, 1e-4)
        for k, tracks in enumerate(followed(Tracker(KF(CAR, dt=1.0), radar, CENTRE, rule, merge=0.0), scans)):
            if k % 4 == 3:
                number = tracks.cardinality
                errors.append(number.mean - numbers[k])
                scaled.append(errors[-1] / np.sqrt(number.variance))
    assert abs(np.mean(errors)) < 0.4  # of six targets
    if name != "PHD":  # which has the variance of a Poisson number, far too much
        assert 0.6 < np.std(scaled) < 1.5
        assert np.std(errors) < 1.3


@pytest.mark.parametrize("name", EACH)
def test_detection_and_clutter_that_depend_on_the_place(name: str) -> None:
    """Functions that are the same everywhere are numbers; where clutter is dense, a detection says less of a target."""
    rule = {"PHD": GMPHD, "CPHD": CPHD, "LMB": LMB}[name](rate=0.05)
    given, _ = scene(1, steps=8)
    same = Detector(FIX, lambda x, c: np.full(x.shape[:-1], 0.9), lambda z: np.full(z.shape[:-1], 8e-4))
    one, other = (Tracker(KF(CAR, dt=1.0), each, BIRTH, rule) for each in (Detector(FIX, 0.9, 8e-4), same))
    followed(one, given)
    followed(other, given)
    np.testing.assert_array_equal(masses(one)[0], masses(other)[0])
    dense = Detector(FIX, clutter=lambda z: np.where(z[..., 0] > 0.0, 1e-2, 1e-6))
    tracks = followed(Tracker(KF(CAR, dt=1.0), dense, BIRTH, rule), [[[-10.0, 0.0], [10.0, 0.0]]] * 3)[-1]
    left, right = (tracks.existence[tracks.belief.mean[:, 0] * side > 0.0].max(initial=0.0) for side in (-1.0, 1.0))
    assert left > 0.9 > 0.7 > right


@pytest.mark.parametrize("name", EACH)
def test_a_target_in_the_dark_is_not_missed(name: str) -> None:
    """Scans that cannot see it say nothing of it, be they empty or full of clutter."""
    lit = Detector(FIX, detection=0.95, clutter=1e-4, field=lambda x, context: x[..., 0] < 10.0)
    rule = {"PHD": GMPHD, "CPHD": CPHD, "LMB": LMB}[name](rate=1e-6, lifetime=np.inf, undetected=1.0)
    tracker, rng = Tracker(KF(CAR, dt=0.1), lit, BIRTH, rule), np.random.default_rng(0)
    for k in range(10):
        tracker.update([[3.0 * k, 0.0]], float(k))
    before = tracker.tracks.existence[0]
    for k in range(30):
        tracker.update(rng.uniform(-90.0, -50.0, (k % 3, 2)), 10.0 + 0.1 * k)
    tracks = tracker.tracks
    assert [t.id for t in tracks] == [1]
    assert tracks.of(1).existence == pytest.approx(before, abs=0.01)


def test_two_targets_that_part_are_two_tracks_of_phd() -> None:
    """They begin as one belief; as soon as it is two, each with the weight of a target, they have two numbers."""
    for rule in (GMPHD(rate=0.01), CPHD(rate=0.01)):
        tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=1e-5), BIRTH, rule)
        for k in range(14):
            gap = 1.2 * max(k - 4, 0)
            tracker.update([[2.0 * k, gap], [2.0 * k, -gap]], float(k))
        tracks = tracker.tracks
        assert len(tracks) == 2 and len(set(tracks.ids.tolist())) == len(tracks.ids)
        assert sorted(tracks.mean[:, 1].round().tolist()) == [-11.0, 11.0]


def test_a_track_coasts_where_it_is_missed_and_not_where_another_takes_its_detection() -> None:
    """Two confirmed tracks of one target: each detection is shared out, and the lesser track is none."""
    tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=1e-4), BIRTH, GMPHD(rate=1e-6, undetected=1.0), merge=0.0)
    followed(tracker, [[[1.0 * k, 0.0]] for k in range(6)])
    state = tracker._state
    both = state.leaves.joined(state.leaves.changed(ids=state.leaves.ids + 8))
    weights = np.concatenate([0.8 * state.weights, 0.2 * state.weights])
    for scan, expected in (([[6.0, 0.0]], [1]), ([], [1, 9])):
        tracker._state = replace(state, leaves=both, weights=weights)
        assert [t.id for t in tracker.update(scan, 6.0)] == expected


def test_no_more_beliefs_than_wanted_are_kept() -> None:
    """The heaviest of all, or of each track, whose existence is as with all."""
    given, _ = scene(4, steps=12, clutter=20.0)
    radar = Detector(FIX, clutter=2e-3)
    for name, rule in (("PHD", GMPHD(components=6)), ("CPHD", CPHD(components=6)), ("LMB", LMB(components=2))):
        one, whole = (
            Tracker(KF(CAR, dt=1.0), radar, BIRTH, each, merge=0.0) for each in (rule, replace(rule, components=10**6))
        )
        followed(one, given[:-1])
        whole._state = one._state
        tracks, more = one.update(given[-1], 11.0), whole.update(given[-1], 11.0)
        count = np.unique(one._state.leaves.ids, return_counts=True)[1]
        assert (count.max() if name == "LMB" else count.sum()) == rule.components < len(whole._state.weights)
        if name == "LMB":
            np.testing.assert_allclose(tracks.existence, more.existence, rtol=1e-9)
        else:
            np.testing.assert_allclose(one._state.weights.sum(), np.sort(whole._state.weights)[-6:].sum(), rtol=1e-9)


@pytest.mark.filterwarnings("ignore:there may be more targets")
def test_more_targets_than_cphd_counts() -> None:
    """It says that there are as many as it can count, and its weights stay finite."""
    tracker = Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=1e-6), BIRTH, CPHD(rate=0.1, most=3))
    for k in range(8):
        tracker.update([[20.0 * i + k, 10.0 * i] for i in range(-2, 3)], float(k))
    assert tracker.tracks.cardinality.mode == 3
    assert np.isfinite(tracker._state.weights).all()


@pytest.mark.slow
def test_sets_that_know_more_are_nearer_to_the_truth() -> None:
    """Targets that are born and die, over 30 seeds: in OSPA, LMB and PMBM are before GMPHD, and these before GNN."""
    ospa = {name: rows[:, 0] for name, rows in births.table(30).items()}
    for better, worse in (("LMB", "GMPHD"), ("PMBM", "GMPHD"), ("LMB", "CPHD"), ("GMPHD", "GNN"), ("CPHD", "GNN")):
        less = ospa[worse] - ospa[better]
        assert less.mean() > 1.96 * less.std(ddof=1) / np.sqrt(30), (better, worse)


def test_what_the_filters_need_of_a_tracker() -> None:
    for rule in EACH.values():
        name = type(rule).__name__
        with pytest.raises(SettingError, match=f"management.*{name}"):
            Tracker(KF(CAR, dt=1.0), Detector(FIX), BIRTH, rule, management=MofN())
        with pytest.raises(SettingError, match=f"lifetime of {name}"):
            replace(rule, lifetime=np.inf, undetected=None)
        with pytest.raises(SettingError, match=f"sure of {name} is 2"):
            replace(rule, sure=2.0)
