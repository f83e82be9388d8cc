"""Compiled steps of trackers against the same in plain numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import Detector, Gate, Pairs, Shares
from pilotage.estimators.tracking._distinct import distinct
from pilotage.estimators.tracking._doubles import doubled
from pilotage.estimators.tracking._evidence import weighed_evidence
from pilotage.estimators.tracking._hypotheses import Cluster, masses, renumbered, used
from pilotage.estimators.tracking._state import SURE, GatedPairs, Scan, newborn
from pilotage.estimators.tracking._targets import Targets

from .test_tracker import CAR, FIX

TARGETS = Targets(KF(CAR, dt=1.0))


def situation(rng: Any, hard: bool) -> Any:
    """Tracks, detections in their gates, and shares."""
    n, k = 12, 9
    inside = rng.random((n, k)) < 0.3
    rows, columns = (each.copy() for each in np.nonzero(inside))
    beta = rng.random(len(rows)) * rng.choice([0.2, 1.0], len(rows))
    beta /= np.maximum(np.bincount(rows, beta, n), 1.0)[rows]
    if hard:
        beta = np.zeros(len(rows))
        beta[np.unique(columns, return_index=True)[1]] = 1.0
        beta[np.bincount(rows, beta, n)[rows] > 1.0] = 0.0
    missed = np.clip(1.0 - np.bincount(rows, beta, n), 1e-6, 1.0)
    belief = Gaussian.of(CAR.state, rng.normal(size=(n, 4)), std=1.0)
    state = newborn(TARGETS.pack(belief), np.arange(n), np.arange(n), 0.0, rng.uniform(0.1, 0.9, n))
    state = state.changed(score=rng.normal(size=n), best=1.0 + rng.random(n), hits=rng.integers(0, 2**63, n, np.uint64))
    seen = np.where(rng.random(n) < 0.2, 0.0, 0.9)
    found = GatedPairs(Pairs(rows, columns, np.zeros(len(rows)), n, k), state.rows, rng.normal(size=len(rows)), seen,
                     0.99 * seen)  # fmt: skip
    scan = Scan(1.0, Detector(FIX), np.zeros((k, 2)), 3 + np.arange(k), np.zeros(0), {})
    return state, found, beta, missed, scan


@pytest.mark.parametrize("weight", ["one", "existence", "mixed"])
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_evidence_is_that_of_the_formulas(seed: int, hard: bool, weight: str) -> None:
    """Source, score, existence and history of detections, track by track as the docstrings of the rules say."""
    state, found, beta, missed, scan = situation(np.random.default_rng(seed), hard)
    even = np.arange(found.pairs.tracks) % 2 == 0
    weights = np.where({"one": False, "existence": True, "mixed": even}[weight], state.existence, 1.0)
    after, taken, given = weighed_evidence(state, found, Shares(beta, missed), weights, scan, 0.5)
    bits, before = after.evidence.hits, state.evidence.hits
    rows, columns, P = found.pairs.rows, found.pairs.columns, found.P
    share = np.zeros((found.pairs.tracks, found.pairs.detections))
    share[rows, columns] = beta
    wanted = np.zeros(found.pairs.detections)
    for i in range(found.pairs.tracks):
        j, r, mine = int(share[i].argmax()), weights[i], rows == i
        exists = 1.0 if hard else missed[i] * r * (1.0 - P[i]) / (1.0 - r * P[i]) + 1.0 - missed[i] if r < 1.0 else 1.0
        np.testing.assert_allclose(given.beta[mine], beta[mine] / exists, atol=1e-15)
        if not hard and missed[i] > 1e-6:
            assert given.missed[i] == pytest.approx(1.0 - given.beta[mine].sum(), abs=1e-12)
        best = share[i, j] / exists > 0.5 and share[:, j].argmax() == i
        assert after.source[i] == (scan.places[j] if best else -1)
        assert after.seen[i] == (scan.t if best else state.seen[i])
        w = found.w[mine & (columns == j)]
        none = np.log1p(-P[i])
        soft = np.log(exists / r) + np.log1p(-r * P[i]) - np.log(missed[i])
        ratio = (w[0] if share[i, j] == 1.0 else none) if hard else soft
        visible = found.seen[i] > 0.0
        assert after.score[i] == pytest.approx(state.score[i] + ratio * visible, abs=1e-12)
        assert after.best[i] == max(state.best[i], after.score[i])
        assert after.scans[i] == state.scans[i] + visible
        assert int(bits[i]) == ((int(before[i]) << 1 | int(best)) % 2**64 if visible else int(before[i]))
        r = state.existence[i]
        alive = min(r * np.exp(ratio) / (1.0 - r + r * np.exp(ratio)), SURE)
        assert after.existence[i] == pytest.approx(alive, abs=1e-12)
        wanted += share[i] / (exists if alive >= 0.5 else 1.0)
    np.testing.assert_allclose(taken, wanted, atol=1e-12)


@pytest.mark.parametrize("parted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_doubles_are_those_around_a_better_track(seed: int, parted: bool) -> None:
    rng, gate = np.random.default_rng(seed), Gate(0.5)
    A = rng.normal(size=(25, 4, 4))
    belief = Gaussian.of(CAR.state, rng.normal(size=(25, 4)), cov=A @ A.swapaxes(1, 2) + 0.1 * np.eye(4))
    worse, apart = rng.random(25) < 0.5, rng.random((25, 25)) < 0.3
    apart = apart | apart.T if parted else np.zeros((0, 0), bool)
    wanted = np.zeros(25, bool)
    order = np.argsort(worse, kind="stable")
    for a, i in enumerate(order):
        for j in order[a + 1 :] if not wanted[i] else []:
            e = belief.mean[j] - belief.mean[i]
            near = e @ np.linalg.solve(belief.cov[i], e) <= gate.limit(4)
            wanted[j] |= near and not (parted and apart[i, j])
    np.testing.assert_array_equal(doubled(TARGETS, gate, TARGETS.pack(belief), worse, apart), wanted)
    assert 0 < wanted.sum() < 24


@pytest.mark.parametrize("seed", range(5))
def test_hypotheses_that_are_the_same_are_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaves, logs = rng.integers(-1, 2, (40, 3)), rng.normal(size=40)
    wanted, same = np.unique(leaves, axis=0, return_inverse=True)
    table, total = distinct(leaves, logs)
    np.testing.assert_array_equal(table, wanted)
    np.testing.assert_allclose(np.exp(total), np.bincount(same.ravel(), np.exp(logs)), rtol=1e-12)


def test_leaves_of_a_forest_have_their_masses_and_numbers() -> None:
    forest = [Cluster.alone(4), Cluster(np.array([[0, -1], [2, 6]]), np.log([3.0, 1.0]))]
    kept = used(forest)
    assert kept.tolist() == [0, 2, 4, 6]
    np.testing.assert_allclose(masses(forest, 8), [0.75, 0, 0.25, 0, 1, 0, 0.25, 0])
    after = renumbered(forest, kept)
    assert [cluster.leaves.tolist() for cluster in after] == [[[2]], [[0, -1], [1, 3]]]
    assert used([]).tolist() == [] and masses([], 2).tolist() == [0.0, 0.0]
