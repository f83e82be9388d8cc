"""Normal numbers and normalised weights over lanes, against scipy."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import kstest

from pilotage.estimators._elementary import normal_numbers, normalized


def test_normal_numbers_are_normal_and_independent():
    e = normal_numbers((50_001, 2), np.random.default_rng(1))
    assert kstest(e.ravel(), "norm").pvalue > 1e-3
    apart = [1, 2, 31, 32, 33, 63, 64]  # the two numbers of a pair lie a block of lanes apart
    flat = e.ravel()
    for k in apart:
        assert abs(np.corrcoef(flat[k:], flat[:-k])[0, 1]) < 5.0 / np.sqrt(flat.size)
        assert abs(np.corrcoef(flat[k:] ** 2, flat[:-k] ** 2)[0, 1]) < 5.0 / np.sqrt(flat.size)


def test_no_number_beyond_the_unit_interval_is_lost():
    class Ends(np.random.Generator):
        def random(self, size):  # pyright: ignore[reportIncompatibleMethodOverride]
            return np.resize([0.0, 1.0 - 2.0**-53], size)

    e = normal_numbers((64,), Ends(np.random.PCG64(1)))
    assert np.isfinite(e).all() and abs(e).max() <= np.sqrt(106.0 * np.log(2.0)) + 1e-9


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
