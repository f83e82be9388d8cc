"""The noise of MPPI: Philox as published, normal to every test, the same wherever it is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pilotage.control.sampling._noise import coloured, normals
from pilotage.models.trace import LANES

WORD = 0xFFFFFFFF


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10, word for word from the paper's definition."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 1 << 32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
    return c


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([WORD] * 4, [WORD] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_oracle_gives_the_published_answers(counter: list[int], key: list[int], answer: list[int]) -> None:
    assert philox(counter, key) == answer


def drawn(seed: tuple[int, int, int], first: int = 0, rows: int = 8) -> np.ndarray:
    e = np.empty((rows, LANES))
    normals(np.array(seed, dtype=np.int64), first, np.empty((4, LANES), np.int64), e)
    return e


@pytest.mark.parametrize("seed", [(0, 0, 0), (WORD, WORD, 2**40 + 3), (0x12345678, 0x9ABCDEF0, 77)])
def test_draws_are_philox_through_box_and_muller(seed: tuple[int, int, int]) -> None:
    e = drawn(seed, first=128)
    for row in (0, 4):
        for lane in (0, 5, 31):
            words = philox([128 + lane, row, seed[2] & WORD, seed[2] >> 32], list(seed[:2]))
            for pair in (0, 2):
                radius = math.sqrt(-2.0 * math.log((words[pair] + 0.5) / 2**32))
                angle = 2.0 * math.pi * words[pair + 1] / 2**32
                want = [radius * math.cos(angle), radius * math.sin(angle)]
                assert np.allclose(e[row + pair : row + pair + 2, lane], want, rtol=0.0, atol=1e-13)


def test_a_sample_does_not_depend_on_its_block() -> None:
    assert not np.array_equal(drawn((1, 2, 3), first=64)[:, 0], drawn((1, 2, 3), first=0)[:, 0])
    assert np.array_equal(drawn((1, 2, 3), first=16)[:, :16], drawn((1, 2, 3), first=0)[:, 16:])


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    """(ticks, rows, samples), half a million numbers."""
    blocks = [[drawn((7, 8, tick), first=LANES * b, rows=60) for b in range(16)] for tick in range(16)]
    return np.concatenate([np.concatenate(row, axis=1)[None] for row in blocks])


def test_normal(many: np.ndarray) -> None:
    z = many.ravel()
    n = len(z)
    assert abs(z.mean()) < 4.0 / math.sqrt(n)
    assert abs(z.var() - 1.0) < 4.0 * math.sqrt(2.0 / n)
    assert abs(stats.skew(z)) < 4.0 * math.sqrt(6.0 / n)
    assert abs(stats.kurtosis(z)) < 4.0 * math.sqrt(24.0 / n)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert 4.2 < np.abs(z).max() < 6.8


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("lag", [1, 2, 4])
def test_neighbours_are_independent(many: np.ndarray, axis: int, lag: int) -> None:
    z = np.moveaxis(many, axis, 0)
    for f in (lambda a: a, np.square):
        a, b = f(z[:-lag]).ravel(), f(z[lag:]).ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / math.sqrt(a.size)


def test_coloured_noise_keeps_its_variance() -> None:
    parts = [drawn((5, 5, tick), rows=200) for tick in range(80)]
    for e in parts:
        coloured(0.8, 2, e)
    x = np.concatenate(parts, axis=1).reshape(100, 2, -1)
    assert abs(x.var() - 1.0) < 0.03
    for lag in (1, 3):
        got = (x[:-lag] * x[lag:]).mean()
        assert abs(got - 0.8**lag) < 0.03
    assert abs((x[:, 0] * x[:, 1]).mean()) < 0.03
