"""Products of a matrix among the parameters and a vector are the sums of their terms, in all generated code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, Space
from pilotage.models import LANES, dynamics, task


def test_a_product_of_a_matrix_is_the_sum_of_its_terms() -> None:
    """With and without the bias, of states and of what all lanes share, once and twice derived."""
    rng = np.random.default_rng(2)
    A, b = rng.normal(size=(13, 9)), rng.normal(size=13)
    space, push = Space(" ".join(f"x{i}" for i in range(9))), Space("u")

    def model(product: Any) -> Any:
        @task(state=space, action=push, params={"A": A, "b": b, "c": [0.1] * 9})
        def layer(x: Any, u: Any, p: Any, m: Any) -> Any:
            h = product(p.A, [m.sin(e) * u[0] for e in x], p.b, m)
            shared = product(p.A, p.c, None, m)  # the same for all states
            return sum((m.tanh(e) * f for e, f in zip(h, shared, strict=True)), start=0.0)

        return layer()

    def written_out(A: Any, x: Any, b: Any, m: Any) -> Any:
        return [sum((a * e for a, e in zip(row, x, strict=True)), b[i] if b else 0.0) for i, row in enumerate(A)]

    ours, plain = model(lambda A, x, b, m: m.affine(A, x, b)), model(written_out)
    X, U = rng.normal(size=(9, LANES)), rng.normal(size=(1, LANES))
    results = "l lx lu lxx lxu luu"
    for lanes in (False, True):
        x, u = (X, U) if lanes else (X[:, 0].copy(), U[:, 0].copy())
        found = [each.code(results, lanes=lanes).run(x, u, None, each.vector()) for each in (ours, plain)]
        for name in results.split():
            np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-10, atol=1e-12, err_msg=name)
    assert "affine" in ours.source("l")


def test_a_product_of_wrong_sizes_is_refused() -> None:
    for x, b in (([1.0, 2.0], None), ([1.0, 2.0, 3.0], [1.0])):
        with pytest.raises(ModelError, match="affine"):

            @dynamics(state=Space("x y"), params={"A": np.ones((2, 3))})
            def wrong(q: Any, u: Any, p: Any, m: Any, x: Any = x, b: Any = b) -> Any:
                return m.affine(p.A, x, b)

            wrong()
