"""Statistics against closed forms, scipy, and simulated coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pilotage.bench import bootstrap, cvar, paired, wilson
from pilotage.bench.statistics import more_seeds, sign_flips
from pilotage.core import SettingError, ShapeError


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_bootstrap_agrees_with_scipy(method: str, statistic: object) -> None:
    x = np.random.default_rng(3).lognormal(size=40)
    ours = bootstrap(x, statistic, resamples=20000, method=method)
    theirs = stats.bootstrap(
        (x,), statistic, n_resamples=20000, method=method, random_state=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert abs(ours.low - theirs.low) < 0.05 * width and abs(ours.high - theirs.high) < 0.05 * width


def test_intervals_of_skewed_samples_cover_the_mean() -> None:
    rng = np.random.default_rng(0)
    mean = math.exp(0.5 * 0.3**2)
    inside = 0  # as many as with the bootstrap of scipy
    for trial in range(400):
        found = bootstrap(rng.lognormal(sigma=0.3, size=60), resamples=500, rng=trial)
        inside += found.low <= mean <= found.high
    assert 0.90 <= inside / 400 <= 0.97


def test_bootstrap_of_too_little() -> None:
    assert bootstrap([2.0]) == (-math.inf, 2.0, math.inf)
    assert bootstrap([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    with pytest.raises(ShapeError, match="values"):
        bootstrap([])
    with pytest.raises(SettingError, match="level"):
        bootstrap([1.0, 2.0], level=1.0)


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_intervals_depend_neither_on_the_order_nor_on_rounding(statistic: object) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 4, 20) / 10.0  # many resamples have exactly the mean of the sample
    found = bootstrap(x, statistic)
    for _ in range(5):
        assert bootstrap(rng.permutation(x), statistic) == found
        rounded = bootstrap(x + 1e-16 * rng.standard_normal(20), statistic)
        assert rounded == pytest.approx(found, rel=1e-9)
    assert bootstrap(np.full(3, 0.1) * [1.0, 1.0 + 2e-16, 1.0]) == pytest.approx((0.1, 0.1, 0.1))


def test_a_paired_comparison_does_not_depend_on_the_order_of_the_seeds() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal(20) + 0.4, rng.standard_normal(20)
    order = rng.permutation(20)
    assert paired(a[order], b[order]) == paired(a, b)


@pytest.mark.parametrize(("k", "n"), [(0, 30), (1, 30), (15, 30), (30, 30), (3, 7)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    theirs = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((theirs.low, k / n, theirs.high))


def test_cvar_is_the_mean_of_the_tail() -> None:
    x = np.random.default_rng(0).standard_normal(200_000)
    assert cvar(x, 0.1) == pytest.approx(stats.norm.pdf(stats.norm.ppf(0.9)) / 0.1, abs=0.02)
    # With a share between two values it is the minimum over v of v + E[(x - v)+] / share (Rockafellar and Uryasev).
    y = np.array([1.0, 4.0, 2.0, 8.0, 5.0])
    assert cvar(y, 0.3) == pytest.approx(min(v + np.maximum(y - v, 0).mean() / 0.3 for v in y))
    assert cvar([1.0, math.inf, 2.0], 0.4) == math.inf


def test_paired_differences_remove_what_seeds_have_in_common() -> None:
    rng = np.random.default_rng(1)
    hard = rng.lognormal(sigma=2.0, size=30)
    a, b = hard + 0.1 + 0.05 * rng.standard_normal(30), hard.copy()
    apart = paired(a, b)
    assert apart.separated and apart.more == 0 and apart.difference.value == pytest.approx((a - b).mean())
    assert paired(b, a).wins == 30 - int((b > a).sum()) and "more" not in str(apart)
    one_failed = paired(np.where(np.arange(30) == 3, np.inf, a), b)
    assert one_failed.seeds == 29
    same = paired(a, a)
    assert not same.separated and same.more is None and "equal" in str(same)
    assert paired([np.inf], [1.0]).seeds == 0


def test_the_seeds_that_are_asked_for_separate() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal(15)
    first = (first - first.mean()) / first.std(ddof=1) + 0.4  # mean 0.4, standard deviation 1
    more = more_seeds(first)
    assert more is not None and not paired(first, np.zeros(15)).separated
    d = 0.4 + rng.standard_normal((4000, 15 + more))
    found = np.abs(d.mean(1)) > stats.norm.ppf(0.975) * d.std(1, ddof=1) / np.sqrt(d.shape[1])
    assert found.mean() == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_equal_controllers_are_seldom_told_apart(n: int) -> None:
    """At a level of 90 %, in at most 10 % of the comparisons, however few the seeds."""
    rng = np.random.default_rng(n)
    false = sum(paired(rng.standard_normal(n), np.zeros(n), level=0.9).separated for _ in range(200))
    assert false <= stats.binom(200, 0.1).ppf(0.999)


def test_signs_agree_with_scipy() -> None:
    d = np.random.default_rng(0).normal(0.5, 1.0, 9)
    found = stats.permutation_test(
        (d,), lambda x, axis: np.abs(x.mean(axis)), permutation_type="samples", alternative="greater", n_resamples=2**9
    )
    assert sign_flips(d) == pytest.approx(found.pvalue)
    many = np.random.default_rng(1).normal(0.3, 1.0, 40)
    assert sign_flips(many) == pytest.approx(stats.ttest_1samp(many, 0.0).pvalue, abs=0.02)


@pytest.mark.parametrize("n", [1, 3, 5])
def test_the_missing_seeds_are_enough_for_a_verdict(n: int) -> None:
    few = paired(np.zeros(n), np.ones(n))
    assert not few.separated and few.more is not None and few.more >= 6 - n
    assert paired(np.zeros(6), np.ones(6)).separated
