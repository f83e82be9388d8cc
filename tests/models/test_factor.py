"""Factors of any number of variables: the derivative by each of them, and all backends."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, Space
from pilotage.core.mathematics import numpy_math
from pilotage.models import code_of, factor, parameters
from pilotage.testing import check_sensor

from .factors import KINDS, PIXEL, POSE, pixel


@factor(variables={"a": Space("x y [m]"), "b": Space("x y [m]")}, reading=Space("x y [m]"))
def difference(a: Any, b: Any, c: Any, p: Any, m: Any) -> Any:
    return b[0] - a[0], b[1] - a[1]


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_by_each_variable(kind: str) -> None:
    """E, a block of columns for each variable, against differences of the residual in the tangents; the residual
    against the function as it was written, on numbers."""
    h, spaces, reading, context = KINDS[kind]
    made = factor(variables=spaces, reading=reading, context=context)(h)()
    code, rng, step = code_of(made, "e E"), np.random.default_rng(1), 1e-6

    def residual(xs: Sequence[Any], c: Any, z: Any) -> Any:
        return reading.minus(z, reading.normalize(np.array(h(*(list(x) for x in xs), list(c), None, numpy_math))))

    for _ in range(5):
        xs = [space.sample(rng=rng) for space in spaces.values()]
        c, z = abs(context.sample(rng=rng)), reading.sample(rng=rng)
        got = code.run(np.concatenate(xs), c, z, parameters(made))
        np.testing.assert_allclose(got["e"], residual(xs, c, z), rtol=1e-10, atol=1e-10)
        first = 0
        for n, space in enumerate(spaces.values()):
            for d in step * np.eye(space.dim):
                ahead, behind = ([*xs[:n], space.plus(xs[n], s * d), *xs[n + 1 :]] for s in (1, -1))
                wanted = (residual(ahead, c, z) - residual(behind, c, z)) / (2.0 * step)
                np.testing.assert_allclose(got["E"][:, first], wanted, atol=1e-6 * (1.0 + abs(wanted).max()))
                first += 1
        assert first == got["E"].shape[1]


def test_factors_are_sensors() -> None:
    """All backends agree, what the function reads from outside is kept, and other processes know the factor."""
    for h, spaces, reading, context in KINDS.values():
        check_sensor(factor(variables=spaces, reading=reading, context=context, std=0.1)(h)(), tensors=False)
    sent = pickle.loads(pickle.dumps(difference(std=0.5)))
    assert sent == difference(std=0.5) != difference()
    assert sent.observe([1.0, 2.0, 5.0, 4.0]).tolist() == [4.0, 2.0]
    offset = 2.0

    @factor(variables={"a": Space("x"), "b": Space("x")}, reading=Space("sum"))
    def total(a: Any, b: Any, c: Any, p: Any, m: Any) -> Any:
        return a[0] + b[0] + offset

    first = total()
    offset = 3.0
    assert [float(s.observe([1.0, 1.0])[0]) for s in (first, total())] == [4.0, 5.0]
    assert first.state.names == ("a.x", "b.x")


@pytest.mark.parametrize(("declare", "sentence"), [
    (lambda: factor(pixel), r"@factor needs parentheses .* @factor\(variables=..., reading=..."),
    (lambda: factor(variables=[POSE], reading=PIXEL), "variables of a factor"),
    (lambda: factor(variables={"a": "x"}, reading=PIXEL), "variables of a factor"),
    (lambda: factor(variables={"a": POSE}, reading=PIXEL)(pixel), "a factor function takes"),
    (lambda: factor(variables={}, reading=PIXEL)(lambda c, p, m: (0.0, 0.0)), "no components"),
])  # fmt: skip
def test_misuse_is_answered_in_a_sentence(declare: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        declare()
