"""Methods of several hypotheses, against single-hypothesis tracking and against sums over all hypotheses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import crossing as crossings
from pilotage.core import Gaussian
from pilotage.core.errors import SettingError
from pilotage.estimators import KF
from pilotage.estimators.tracking import GNN, MHT, PMBM, Detector, Existence, Gate, MofN, ScoreTest, Tracker, crossing
from pilotage.estimators.tracking._hypotheses import Cluster, decided
from pilotage.models import position

from .test_tracker import BIRTH, CAR, FIX, followed, scene


@pytest.mark.parametrize("management", [ScoreTest(start=0.5), Existence(start=0.5), MofN(start=0.5)])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_mht_with_one_hypothesis_is_gnn(depth: int, management: Any) -> None:
    """All decisions are those of the best assignment at once, whatever the depth."""
    for seed in range(2):
        given, _ = scene(seed, clutter=15.0)
        one, other = (
            followed(Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=2e-3), BIRTH, rule, management=management), given)
            for rule in (GNN(), MHT(hypotheses=1, depth=depth))
        )
        for a, b in zip(one, other, strict=True):
            for name in ("ids", "status", "source", "born", "seen", "gone"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
            np.testing.assert_allclose(a.belief.mean, b.belief.mean, rtol=1e-9)
            np.testing.assert_allclose(a.existence, b.existence, rtol=1e-9)


def test_a_later_scan_changes_an_earlier_decision() -> None:
    """A false detection is nearer than the true one, and later ones say so: MHT goes back, GNN cannot.

    The belief is then that of the filter which had the true detections alone.
    """
    radar = Detector(FIX, detection=0.9, clutter=1e-2)
    true = [[float(k), 0.0] for k in range(6)] + [[6.0, -0.9], [7.0, -1.4], [8.0, -2.2], [9.0, -3.0], [10.0, -3.8]]
    rows = [[z] for z in true]
    rows[6] = [[6.0, 0.8], true[6]]
    alone = KF(CAR, dt=1.0).start(belief=BIRTH)
    for k, z in enumerate(true):
        if k:
            alone.predict()
        alone.update(FIX, z)
    near = {}
    for name, rule in {"GNN": GNN(), "MHT": MHT(depth=8)}.items():
        tracks = followed(Tracker(KF(CAR, dt=1.0), radar, BIRTH, rule), rows)
        assert tracks[6].of(1).source == 0
        near[name] = np.allclose(tracks[-1].of(1).belief.mean, alone.belief.mean, atol=1e-9)
    assert near == {"GNN": False, "MHT": True}


def confirmed_histories(tracker: Tracker) -> dict[int, list[int]]:
    """The detections of each confirmed track, in the last scans, the latest first; -1 for none."""
    state, tracks = getattr(tracker._state, "histories", tracker._state), tracker.tracks
    best = {leaf for cluster in state.forest for leaf in cluster.leaves[0].tolist() if leaf >= 0}
    path = {int(state.leaves.ids[leaf]): state.path[leaf, :, 1].tolist() for leaf in best}
    return {int(id): path[int(id)] for id in tracks.ids[tracks.confirmed]}


@pytest.mark.parametrize("rule", [MHT(), PMBM()])
def test_a_target_keeps_its_number_when_another_hypothesis_becomes_the_best(rule: Any) -> None:
    """No track is confirmed in place of one that had a detection in common with it, as in doubt about the first one."""
    for seed in (1, 12, 15, 21):
        given = crossing(angle=0.2, clutter=10.0, rng=seed)
        birth = Gaussian.of(CAR.state, std=[170.0, 30.0, 10.0, 10.0])
        tracker = Tracker(KF(CAR, dt=1.0), Detector(position(std=3.0), clutter=given.clutter), birth, rule)
        before = dict[int, list[int]]()
        for k in range(15):
            tracker.update(given.scans[k], float(k))
            after = confirmed_histories(tracker)
            for new in after.keys() - before.keys():
                for old in before.keys() - after.keys():
                    pairs = zip(after[new][1:], before[old][:-1], strict=True)
                    assert not any(a == b >= 0 for a, b in pairs), (seed, k)
            before = after


def test_an_association_is_decided_by_the_weight_of_all_hypotheses() -> None:
    """Two hypotheses of 0.3 that agree about the past are likelier than one of 0.4 that does not."""
    cluster = Cluster(np.array([[0, 3], [1, 3], [1, 4]]), np.log([0.4, 0.3, 0.3]))
    (found,) = decided([cluster], np.array([0, 1, -1, 2, 2]))
    assert found.leaves.tolist() == [[1, 3], [1, 4]]


P_D, CLUTTER, NUMBER, LIFE = 0.7, 0.02, 1.5, 4.0
ALL = PMBM(
    rate=1e-13, lifetime=LIFE, undetected=NUMBER, hypotheses=10**9, depth=None, least=0.0, forget=0.0, faint=1e-10
)
"""Nothing is left out, and all targets are there from the first scan on."""
NEAR = Gaussian.of(CAR.state, std={"x": 4.0, "y": 4.0, "vx": 1.0, "vy": 1.0})
Chain = tuple[tuple[int, int], ...]
"""Detections of one target: scan, and place in it."""


def chain_weight(chain: Chain, scans: Any) -> tuple[float, float, Any]:
    """Density that undetected targets cause just these detections, the part of it alive at the end, and the belief."""
    target, own = KF(CAR, dt=1.0).start(belief=NEAR), dict(chain)
    alive, dead, stays = NUMBER, 0.0, np.exp(-1.0 / LIFE)
    for k, scan in enumerate(scans):
        if k:
            target.predict()
            dead += alive * (1.0 - stays) if k > chain[0][0] else 0.0  # before, it would not be detected
            alive *= stays
        if k in own:
            alive, dead = alive * P_D * np.exp(target.update(FIX, scan[own[k]]).log_likelihood), 0.0
        else:
            alive *= 1.0 - P_D
    return alive + dead, alive, target.belief


def partitions(scans: Any) -> list[list[Chain]]:
    """All ways to share out all detections among chains, with one of each scan at most."""
    ways: list[list[Chain]] = [[]]
    for k, scan in enumerate(scans):
        for j in range(len(scan)):
            ways = [
                [*way[:i], (*way[i], (k, j)), *way[i + 1 :]] if i < len(way) else [*way, ((k, j),)]
                for way in ways
                for i in range(len(way) + 1)
                if i == len(way) or way[i][-1][0] < k
            ]
    return ways


@pytest.mark.parametrize("seed", range(3))
def test_pmbm_is_the_sum_over_all_partitions(seed: int) -> None:
    """The probability that a target with just these detections is there, its belief, and the undetected ones.

    The posterior by brute force: each chain of detections is a target, a single detection may be a false one, and the
    weight of a partition is the product of theirs.
    """
    rng = np.random.default_rng(seed)
    starts = np.array([[0.0, 0.0], [3.0, 1.0]])
    scans = [starts[: 2 - k % 2] + 1.5 * rng.normal(size=(2 - k % 2, 2)) for k in range(3)]
    scans[1] = np.concatenate([scans[1], rng.uniform(-3.0, 5.0, (1, 2))])
    weights = {chain: chain_weight(chain, scans) for way in partitions(scans) for chain in way}
    total, there = 0.0, dict.fromkeys(weights, 0.0)
    for way in partitions(scans):
        weight = float(np.prod([weights[c][0] + (CLUTTER if len(c) == 1 else 0.0) for c in way]))
        total += weight
        for c in way:
            there[c] += weight * weights[c][1] / (weights[c][0] + (CLUTTER if len(c) == 1 else 0.0))
    radar = Detector(FIX, detection=P_D, clutter=CLUTTER)
    tracker = Tracker(KF(CAR, dt=1.0), radar, NEAR, ALL, gate=Gate(1.0 - 1e-13), merge=0.0)
    followed(tracker, scans)
    state = tracker._state.histories
    mass = np.zeros(len(state.leaves.ids) + 1)
    for cluster in state.forest:
        np.add.at(mass, cluster.leaves, cluster.weights[:, None])
    means, found = tracker._method.targets.means(state.leaves.rows), mass[:-1] * state.leaves.existence
    expected = np.array([p / total for p in there.values()])
    at = np.array([weights[c][2].mean for c in there])
    some, real = found > 1e-9, expected > 1e-9
    means, found, at, expected = means[some], found[some], at[real], expected[real]
    assert len(found) == len(expected) > 10
    order, other = np.lexsort(means.round(6).T), np.lexsort(at.round(6).T)
    np.testing.assert_allclose(means[order], at[other], atol=1e-7)
    np.testing.assert_allclose(found[order], expected[other], rtol=1e-6, atol=1e-9)
    left = NUMBER * (1.0 - P_D) ** 3 * np.exp(-2.0 / LIFE)
    assert tracker._state.poisson.weights.sum() == pytest.approx(left, rel=1e-9)


def test_pmbm_needs_a_belief_and_no_management() -> None:
    with pytest.raises(SettingError, match="management"):
        Tracker(KF(CAR, dt=1.0), Detector(FIX), BIRTH, PMBM(), management=MofN())
    with pytest.raises(SettingError, match="lifetime"):
        PMBM(lifetime=np.inf)


@pytest.mark.slow
def test_several_hypotheses_keep_crossing_targets() -> None:
    """Over 100 scenarios, MHT and PMBM are nearer to the truth than GNN and JPDA; all three swap numbers less."""
    found = crossings.table(100, names=crossings.FEW)
    gospa, swaps = ({name: rows[:, i] for name, rows in found.items()} for i in (0, 3))
    for rule in ("MHT", "PMBM"):
        for other in ("GNN", "JPDA"):
            less = gospa[other] - gospa[rule]
            assert less.mean() > 1.96 * less.std(ddof=1) / 10.0, (rule, other)
    assert gospa["JPDA"].mean() < gospa["GNN"].mean()
    for rule in ("JPDA", "MHT", "PMBM"):
        less = swaps["GNN"] - swaps[rule]
        assert less.mean() > 1.64 * less.std(ddof=1) / 10.0, rule
