"""Normal numbers and normalised weights over lanes, against scipy."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import kstest

from pilotage.estimators._elementary import _code, _map, _uniform, normal_numbers, normalized
from pilotage.models.trace import LANES


def test_normal_numbers_are_normal_and_independent():
    e = normal_numbers((50_001, 2), np.random.default_rng(1))
    assert kstest(e.ravel(), "norm").pvalue > 1e-3
    apart = [1, 2, 31, 32, 33, 63, 64]  # the two numbers of a pair lie a block of lanes apart
    flat = e.ravel()
    for k in apart:
        assert abs(np.corrcoef(flat[k:], flat[:-k])[0, 1]) < 5.0 / np.sqrt(flat.size)
        assert abs(np.corrcoef(flat[k:] ** 2, flat[:-k] ** 2)[0, 1]) < 5.0 / np.sqrt(flat.size)


def test_the_ends_of_the_uniform_numbers_give_finite_normal_ones():
    pairs = np.repeat([1.0, 2.0 - 2.0**-52], LANES)
    for u in (pairs, pairs[::-1].copy()):
        _map.compiled(_code("normal").address, 2 * LANES, u)
        assert np.isfinite(u).all() and abs(u).max() <= np.sqrt(104.0 * np.log(2.0)) + 1e-9


def test_uniform_numbers_are_those_of_the_published_generators():
    words = (1 << 64) - 1
    turned = lambda x, k: ((x << k) | (x >> (64 - k))) & words

    def splitmix(seed):
        while True:
            seed = (seed + 0x9E3779B97F4A7C15) & words
            z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & words
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & words
            yield z ^ (z >> 31)

    def xoshiro(a, b, c, d):
        while True:
            yield 1.0 + (((a + d) & words) >> 12) / 2.0**52
            shifted = (b << 17) & words
            c, d = c ^ a, d ^ b
            b, a = b ^ c, a ^ d
            c, d = c ^ shifted, turned(d, 45)

    for seed in (0, 5, (1 << 62) - 1):
        states = np.array([s for s, _ in zip(splitmix(seed), range(4 * LANES), strict=False)], dtype=object)
        lanes = [xoshiro(*column) for column in states.reshape(4, LANES).T]
        found = np.empty(5 * LANES, np.int64)
        _uniform.compiled(seed, np.empty(4 * LANES, np.int64), found)
        assert found.view(np.float64).tolist() == [next(lane) for _ in range(5) for lane in lanes]


def test_normalized_weights_are_those_of_scipy():
    rng = np.random.default_rng(2)
    for shape in ((1,), (31,), (3, 100), (2, 2, 33)):
        logs = rng.normal(scale=300.0, size=shape)
        logs[..., 0] = -np.inf if shape[-1] > 1 else 0.0
        log_weights, weights, total = normalized(logs)
        np.testing.assert_allclose(total, logsumexp(logs, axis=-1), rtol=1e-14)
        np.testing.assert_allclose(log_weights, logs - np.asarray(total)[..., None], rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(weights, np.exp(log_weights), rtol=1e-12, atol=1e-300)


def test_weights_in_any_order_of_memory():
    logs = np.random.default_rng(3).normal(size=(3, 40))
    for mine, theirs in zip(normalized(np.asfortranarray(logs)), normalized(logs), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_row_without_weight_leaves_the_others():
    _, weights, total = normalized(np.array([[-np.inf, -np.inf], [0.0, 0.0]]))
    assert total[0] == -np.inf and total[1] == np.log(2.0) and weights[1].tolist() == [0.5, 0.5]
