"""The number of targets: its distribution, and the step of the CPHD filter against sums over all associations."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.estimators import KF
from pilotage.estimators.tracking import Cardinality, Detector, Tracker
from pilotage.estimators.tracking._elementary import corrected, thinned
from pilotage.estimators.tracking.cardinality import poisson

from .test_tracker import BIRTH, CAR, FIX, followed, scene


def counted(p: Any, rho: Any, m: float, W: float) -> tuple[Any, float, Any]:
    """Number of targets, mean number of those missed, and which detections are of targets: by all associations.

    Each of n targets is missed or causes one of the detections, which no other then causes.
    """
    K, N = len(rho), len(p) - 1
    after, missed, used = np.zeros(N + 1), 0.0, np.zeros(K)
    for n in range(N + 1):
        for way in itertools.product(range(-1, K), repeat=n):
            taken = [j for j in way if j >= 0]
            if len(set(taken)) < len(taken):
                continue
            weight = p[n] * float(np.prod([m / W if j < 0 else rho[j] / W for j in way]))
            after[n] += weight
            missed += weight * (n - len(taken))
            used[taken] += weight
    return after / after.sum(), missed / after.sum(), used / after.sum()


@given(st.integers(0, 10_000), st.integers(0, 3), st.integers(0, 4))
def test_cphd_is_the_sum_over_all_numbers_and_associations(seed: int, K: int, N: int) -> None:
    rng = np.random.default_rng(seed)
    p, rho, m, W = rng.dirichlet(np.ones(N + 1)), np.exp(rng.normal(size=K)), rng.uniform(0.0, 2.0), 3.0
    after, left, gains = corrected(np.log(p), rho, m, W)
    wanted = counted(p, rho, m, W)
    np.testing.assert_allclose(np.exp(after), wanted[0], rtol=1e-9)
    assert left * m == pytest.approx(wanted[1], rel=1e-9)
    np.testing.assert_allclose(gains * rho, wanted[2], rtol=1e-9)


def test_cphd_holds_for_odds_of_all_sizes() -> None:
    """25 detections of odds from 1e-12 to 1e12, in exact fractions: nothing cancels and nothing overflows."""
    rng = np.random.default_rng(0)
    K, N, m, W = 25, 30, 1e-9, 7.0
    p, rho = rng.dirichlet(np.ones(N + 1)), 10.0 ** rng.uniform(-12.0, 12.0, K)
    _, left, gains = corrected(np.log(p), rho, m, W)

    def symmetric(x: list[Fraction]) -> list[Fraction]:
        e = [Fraction(1)]
        for each in x:
            e = [a + each * b for a, b in zip([*e, Fraction(0)], [Fraction(0), *e], strict=True)]
        return e

    def inner(u: int, e: list[Fraction]) -> Fraction:
        total = Fraction(0)
        for n in range(N + 1):
            for j in range(min(len(e) - 1, n - u) + 1):
                falling = Fraction(1)
                for k in range(j + u):
                    falling *= n - k
                total += Fraction(p[n]) * falling * Fraction(m) ** (n - j - u) / Fraction(W) ** n * e[j]
        return total

    x = [Fraction(each) for each in rho]
    whole = inner(0, symmetric(x))
    assert left == pytest.approx(float(inner(1, symmetric(x)) / whole), rel=1e-9)
    wanted = [float(inner(1, symmetric(x[:j] + x[j + 1 :])) / whole) for j in range(K)]
    np.testing.assert_allclose(gains, wanted, rtol=1e-9)


@given(st.integers(0, 10_000), st.integers(0, 20))
def test_cphd_of_a_poisson_number_is_phd(seed: int, K: int) -> None:
    """Those missed keep their weight, each detection is shared out by 1 / (1 + rho), and the rest stays Poisson."""
    rng = np.random.default_rng(seed)
    rho, m = np.exp(2.0 * rng.normal(size=K)), rng.uniform(0.01, 4.0)
    W = m + rng.uniform(0.0, 4.0)
    after, left, gains = corrected(np.log(np.maximum(poisson(W, 150), 1e-300)), rho, m, W)
    assert left == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(gains, 1.0 / (1.0 + rho), rtol=1e-9)
    number = Cardinality(rho / (1.0 + rho), m).probabilities[:151]
    np.testing.assert_allclose(np.exp(after)[: len(number)], number, atol=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0.0, 1.0, exclude_min=True))
def test_thinned_numbers_are_those_that_stay(seed: int, N: int, stays: float) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(N + 1))
    wanted = sum(p[n] * np.pad(Cardinality(np.full(n, stays)).probabilities, (0, N - n)) for n in range(N + 1))
    np.testing.assert_allclose(thinned(p, stays), wanted, atol=1e-12)


def test_cardinality_is_the_sum_of_independent_numbers() -> None:
    r, known = np.array([0.2, 0.9, 0.5]), np.array([0.1, 0.6, 0.3])
    wanted = np.zeros(6)
    for n, *each in itertools.product(range(3), *([0, 1],) * 3):
        wanted[n + sum(each)] += known[n] * np.prod([p if b else 1.0 - p for p, b in zip(r, each, strict=True)])
    number = Cardinality(r, known=known)
    np.testing.assert_allclose(number.probabilities, wanted, atol=1e-15)
    more = Cardinality(r, 3.3, known)
    for one in (number, more):
        p, n = one.probabilities, np.arange(len(one.probabilities))
        assert p.sum() == pytest.approx(1.0)
        assert one.mean == pytest.approx(p @ n) and one.variance == pytest.approx(p @ n**2 - (p @ n) ** 2)
        assert one.mode == p.argmax()
    assert Cardinality().probabilities.tolist() == [1.0]


def test_the_number_of_tracks_follows_from_their_existence() -> None:
    given, _ = scene(0, steps=6)
    tracks = followed(Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=8e-4), BIRTH), given)[-1]
    assert tracks.cardinality.mean == pytest.approx(tracks.existence.sum()) and tracks.cardinality.mean > 3.0


def test_odds_beyond_floating_point() -> None:
    """Nothing, all but nothing, and far too much."""
    known = np.log(np.full(4, 0.25))
    for m, W, rho in ((0.0, 1.0, 0.0), (1e-310, 1e-310, 1e-310), (0.0, 0.0, 0.0), (1e300, 1e300, 1e300)):
        after, left, gains = corrected(known, np.full(3, rho), m, W)
        assert np.isfinite(after).all() and np.isfinite(left) and np.isfinite(gains).all()
        assert np.exp(after).sum() == pytest.approx(1.0)
