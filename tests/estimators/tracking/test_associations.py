"""Associations against all joint events, every way to assign, and each other."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from pilotage.core import Gaussian, Space
from pilotage.estimators import KF
from pilotage.estimators.tracking import (
    GNN,
    JIPDA,
    JPDA,
    Association,
    Detector,
    Existence,
    Gate,
    IndependentPDA,
    NearestNeighbor,
    Pairs,
    ScoreTest,
    Tracker,
    crossing,
)
from pilotage.estimators.tracking._assignment import best_assignments
from pilotage.models import constant_velocity

ASSOCIATIONS: dict[str, Association] = {
    "nearest": NearestNeighbor(),
    "GNN": GNN(),
    "PDA": IndependentPDA(),
    "JPDA": JPDA(),
    "JPDA, belief propagation": JPDA(marginals="belief-propagation"),
    "JPDA, k-best": JPDA(marginals="k-best"),
    "JIPDA": JIPDA(),
}


def problem(seed: int, tracks: int, detections: int, density: float = 0.7, spread: float = 2.0) -> tuple[Pairs, Any]:
    """Random pairs and their log-odds."""
    rng = np.random.default_rng(seed)
    rows, columns = np.nonzero(rng.random((tracks, detections)) < density)
    return Pairs(rows, columns, np.zeros(len(rows)), tracks, detections), spread * rng.normal(size=len(rows))


def events(pairs: Pairs, log_odds: Any) -> tuple[Any, Any]:
    """Marginals of pairs and of no detection, by all joint events; the oracle."""
    options = [[-1, *np.flatnonzero(pairs.rows == i)] for i in range(pairs.tracks)]
    beta, missed, total = np.zeros(len(log_odds)), np.zeros(pairs.tracks), 0.0
    for event in itertools.product(*options):
        taken = [p for p in event if p >= 0]
        if len({int(pairs.columns[p]) for p in taken}) < len(taken):
            continue
        weight = float(np.exp(sum(log_odds[p] for p in taken)))
        total += weight
        beta[taken] += weight
        missed += weight * np.array([p < 0 for p in event])
    return beta / total, missed / total


sizes = st.tuples(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5), st.floats(0.1, 1.0))


@given(sizes)
def test_jpda_is_the_sum_over_all_joint_events(size: tuple[int, int, int, float]) -> None:
    pairs, log_odds = problem(*size)
    found, wanted = JPDA().share(pairs, log_odds), events(pairs, log_odds)
    np.testing.assert_allclose(found.beta, wanted[0], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found.missed, wanted[1], rtol=1e-9, atol=1e-13)


@given(sizes)
def test_the_likeliest_events_are_all_where_there_are_few(size: tuple[int, int, int, float]) -> None:
    pairs, log_odds = problem(*size)
    found, wanted = JPDA(marginals="k-best", events=2000).share(pairs, log_odds), events(pairs, log_odds)
    np.testing.assert_allclose(found.beta, wanted[0], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found.missed, wanted[1], rtol=1e-9, atol=1e-13)
    one = JPDA(marginals="k-best", events=1).share(pairs, log_odds)
    np.testing.assert_array_equal(one.beta, GNN().share(pairs, log_odds).beta)


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4), st.floats(0.2, 1.0), st.integers(1, 40))
def test_the_best_assignments_are_ranked(seed: int, tracks: int, detections: int, density: float, count: int) -> None:
    pairs, log_odds = problem(seed, tracks, detections, density)
    options = [[-1, *np.flatnonzero(pairs.rows == i)] for i in range(tracks)]
    every = []
    for event in itertools.product(*options):
        taken = [p for p in event if p >= 0]
        if len({int(pairs.columns[p]) for p in taken}) == len(taken):
            every.append(-float(sum(log_odds[p] for p in taken)))
    costs, chosen = best_assignments(pairs.starts, pairs.columns, -log_odds, detections, count)
    np.testing.assert_allclose(costs, sorted(every)[:count], atol=1e-12)
    assert len({tuple(each) for each in chosen.tolist()}) == len(chosen)


def test_jpda_holds_for_detections_that_open_and_close_in_turn() -> None:
    """A chain of tracks, each with the detections of its neighbours: few are open, so the sum is exact for hundreds."""
    tracks, rng = 300, np.random.default_rng(0)
    rows = np.repeat(np.arange(tracks), 3)
    pairs = Pairs(rows, rows + np.tile([0, 1, 2], tracks), np.zeros(3 * tracks), tracks, tracks + 2)
    log_odds = 2.0 * rng.normal(size=3 * tracks)
    whole = JPDA().share(pairs, log_odds)
    first = Pairs(pairs.rows[:15], pairs.columns[:15], pairs.distances[:15], 5, 7)
    np.testing.assert_allclose(whole.beta[:3], events(first, log_odds[:15])[0][:3], atol=0.02)  # the end of the chain
    close = JPDA(width=1).share(pairs, log_odds)  # too wide for that: by propagation
    assert 1e-6 < np.abs(close.beta - whole.beta).max() < 0.2


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_propagation_is_exact_where_pairs_form_no_loop(seed: int, tracks: int) -> None:
    """Track i shares detection i with track i + 1, and nothing else."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(tracks), 2)
    pairs = Pairs(rows, rows + np.tile([0, 1], tracks), np.zeros(2 * tracks), tracks, tracks + 1)
    log_odds = 2.0 * rng.normal(size=2 * tracks)
    found = JPDA(marginals="belief-propagation", rounds=200, accuracy=1e-12).share(pairs, log_odds)
    np.testing.assert_allclose(found.beta, events(pairs, log_odds)[0], atol=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12), st.floats(0.1, 1.0))
def test_gnn_is_the_best_assignment(seed: int, tracks: int, detections: int, density: float) -> None:
    pairs, log_odds = problem(seed, tracks, detections, density)
    costs = np.full((tracks, detections + tracks), 1e6)
    costs[pairs.rows, pairs.columns] = -log_odds
    costs[np.arange(tracks), detections + np.arange(tracks)] = 0.0
    best = costs[linear_sum_assignment(costs)].sum()
    beta = GNN().share(pairs, log_odds).beta
    assert -(beta * log_odds).sum() == pytest.approx(best, abs=1e-9)
    assert (NearestNeighbor().share(pairs, log_odds).beta * log_odds).sum() <= -best + 1e-9


@pytest.mark.parametrize("name", ASSOCIATIONS)
@given(sizes)
def test_shares_of_a_track_and_of_a_detection(name: str, size: tuple[int, int, int, float]) -> None:
    pairs, log_odds = problem(*size)
    shares = ASSOCIATIONS[name].share(pairs, log_odds)
    assert (shares.beta >= 0.0).all() and (shares.missed >= 0.0).all()
    np.testing.assert_allclose(shares.missed + np.bincount(pairs.rows, shares.beta, pairs.tracks), 1.0, atol=1e-9)
    if name != "PDA":  # the only one in which a detection may have several tracks
        assert (np.bincount(pairs.columns, shares.beta, pairs.detections) <= 1.0 + 1e-4).all()


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_shares_do_not_depend_on_the_order_of_tracks(name: str) -> None:
    pairs, log_odds = problem(3, 6, 5)
    turned = np.argsort(5 - pairs.rows, kind="stable")
    other = Pairs(5 - pairs.rows[turned], pairs.columns[turned], pairs.distances[turned], 6, 5)
    shares, mirrored = (ASSOCIATIONS[name].share(*each) for each in ((pairs, log_odds), (other, log_odds[turned])))
    np.testing.assert_allclose(mirrored.beta, shares.beta[turned], atol=1e-5)
    np.testing.assert_allclose(mirrored.missed, shares.missed[::-1], atol=1e-5)


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_odds_beyond_floating_point(name: str) -> None:
    """A pair that is sure, one that is impossible, and no pairs at all."""
    pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), np.zeros(3), 2, 2)
    shares = ASSOCIATIONS[name].share(pairs, np.array([900.0, -900.0, 1.0]))
    assert np.isfinite(shares.beta).all() and shares.beta[0] == pytest.approx(1.0, abs=1e-9)
    assert shares.beta[1] == pytest.approx(0.0, abs=1e-9)
    none = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 3, 0)
    assert ASSOCIATIONS[name].share(none, np.zeros(0)).missed.tolist() == [1.0, 1.0, 1.0]


@given(st.integers(0, 10_000), st.floats(0.5, 0.999))
def test_the_gate_is_the_ellipsoid(seed: int, probability: float) -> None:
    rng = np.random.default_rng(seed)
    N, K, m = 4, 30, 3
    A = rng.normal(size=(N, m, m))
    S, expected, z = (
        A @ np.swapaxes(A, -1, -2) + 0.1 * np.eye(m),
        rng.normal(size=(N, m)),
        2.0 * rng.normal(size=(K, m)),
    )
    pairs = Gate(probability).pairs(Space("x y z [m]"), expected, S, z)
    y = z[None] - expected[:, None]
    d2 = np.einsum("nki,nij,nkj->nk", y, np.linalg.inv(S), y)
    inside = d2 <= chi2.ppf(probability, m)
    assert np.array_equal(np.nonzero(inside), (pairs.rows, pairs.columns))
    np.testing.assert_allclose(pairs.distances, d2[inside], rtol=1e-6)


def test_the_gate_goes_around_the_circle() -> None:
    """A bearing of -179 degrees is two degrees from 179."""
    space = Space("bearing: angle")
    pairs = Gate().pairs(space, np.array([[np.radians(179.0)]]), np.array([[[0.01]]]), np.array([[np.radians(-179.0)]]))
    assert pairs.distances == pytest.approx([np.radians(2.0) ** 2 / 0.01])


@pytest.mark.parametrize("rule", [JPDA(), JIPDA()])
def test_tracks_are_managed_as_the_association_needs(rule: Association) -> None:
    """A tracker without a management is one with that of the association: of JIPDA, by existence."""
    scene = crossing(clutter=5.0, rng=0)
    car = constant_velocity(density=0.3)
    birth = Gaussian.of(car.state, std=[300.0, 300.0, 15.0, 15.0])
    radar = Detector(scene.scans.sensor, clutter=scene.clutter)
    found = [
        Tracker(KF(car, dt=1.0), radar, birth, rule, management=each).run(scene.scans)
        for each in (None, rule.management, Existence() if isinstance(rule, JPDA) else ScoreTest())
    ]
    np.testing.assert_array_equal(found[0].x, found[1].x)
    assert found[0].t.tolist() != found[2].t.tolist()
