"""Resampling: every method draws particle i on average n w_i times, and strays from it as little as it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import ShapeError
from pilotage.core.errors import SettingError
from pilotage.estimators import resample
from pilotage.estimators.resampling import METHODS, Resampling

WEIGHTS = np.array([0.1, 0.2, 0.0, 0.05, 0.65])
weights = st.lists(st.just(0.0) | st.floats(1e-6, 1e6), min_size=1, max_size=60).filter(any)


def counts(w: np.ndarray, n: int, method: Resampling, rng: np.random.Generator) -> np.ndarray:
    return np.bincount(resample(w, n, method, rng), minlength=len(w))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 3, 7, 50])
def test_unbiased(method: Resampling, n: int) -> None:
    rng, runs = np.random.default_rng(5), 4000
    drawn = np.array([counts(WEIGHTS, n, method, rng) for _ in range(runs)])
    # No method strays further than independent draws do, of variance n w (1 - w).
    margin = 5.0 * np.sqrt(n * WEIGHTS * (1.0 - WEIGHTS) / runs)
    assert (np.abs(drawn.mean(0) - n * WEIGHTS) <= margin + 1e-12).all()


def test_order_of_variances() -> None:
    rng = np.random.default_rng(6)
    w = rng.dirichlet(np.full(40, 0.5))
    spread = {m: np.array([counts(w, 40, m, rng) for _ in range(3000)]).var(0).sum() for m in METHODS}
    expected = float((40 * w * (1.0 - w)).sum())
    assert spread["multinomial"] == pytest.approx(expected, rel=0.05)
    assert spread["systematic"] < spread["multinomial"]
    assert spread["stratified"] < spread["multinomial"]
    assert spread["residual"] < spread["multinomial"]


@given(weights, st.integers(1, 200), st.integers(0, 2**32))
def test_promises(w: list[float], n: int, seed: int) -> None:
    p = np.array(w) / np.sum(w)
    slack = 1e-9 * n
    rng = np.random.default_rng(seed)
    for method in METHODS:
        indices = resample(w, n, method, rng)
        assert indices.shape == (n,)
        assert (p[indices] > 0.0).all(), f"{method} drew what is impossible"
        c = np.bincount(indices, minlength=len(p))
        if method == "systematic":
            assert (np.abs(c - n * p) < 1.0 + slack).all()
        elif method == "stratified":
            assert (np.abs(c - n * p) < 2.0 + slack).all()
        elif method == "residual":
            assert (c >= np.floor(n * p - slack)).all()


@given(weights, st.integers(1, 200), st.integers(0, 2**32))
def test_systematic_against_search(w: list[float], n: int, seed: int) -> None:
    u = np.random.default_rng(seed).random(1)
    shares = np.cumsum(np.array(w) / np.sum(w))
    positions = (np.arange(n) + u) / n
    found = resample(w, n, "systematic", seed)
    expected = np.minimum(np.searchsorted(shares, positions, side="right"), np.flatnonzero(w)[-1])
    clear = np.abs(shares[:, None] - positions).min(0) > 1e-12  # on a border either neighbour is right
    assert (found == expected)[clear].all()


@pytest.mark.parametrize("method", METHODS)
def test_replay_and_scale(method: Resampling) -> None:
    w = np.random.default_rng(1).exponential(size=1000)
    first = resample(w, method=method, rng=9)
    assert (first == resample(w, method=method, rng=9)).all()
    assert (first == resample(w * 2.0**-30, method=method, rng=9)).all()
    assert (first != resample(w, method=method, rng=10)).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-1030, -1000, -900, 900])
def test_weights_at_the_ends_of_floats(method: Resampling, exponent: int) -> None:
    w = np.array([0.5, 0.0, 0.25, 0.25])
    found = np.bincount(resample(w * 2.0**exponent, 8, method, rng=3), minlength=4)
    assert found.sum() == 8 and found[1] == 0
    if method != "multinomial":
        assert found == pytest.approx([4, 0, 2, 2], abs=1 if method == "stratified" else 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("w", "sentence"),
    [
        ([0.0, 0.0], "at least one must be positive"),
        ([1.0, np.nan], "1 of 2 weights are NaN"),
        ([1.0, np.inf], "1 of 2 weights are NaN or infinite"),
        ([2.0, -1.0], "the smallest is -1"),
        ([], "expected"),
        ([[1.0]], "expected"),
    ],
)
def test_bad_weights(method: Resampling, w: list[float], sentence: str) -> None:
    with pytest.raises(ShapeError, match=sentence):
        resample(w, method=method, rng=0)


def test_bad_arguments() -> None:
    with pytest.raises(SettingError, match="roulette"):
        resample([1.0], method="roulette", rng=0)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="n is 0"):
        resample([1.0], 0, rng=0)
    with pytest.raises(SettingError, match="n is 2.5"):
        resample([1.0], 2.5, rng=0)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="weights is not an array of numbers"):
        resample(["heavy"], rng=0)
