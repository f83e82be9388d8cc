"""Every function of the mathematics: value and derivative, in every dialect, against torch's autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import Space, numpy_math, torch_math
from pilotage.models import discrete_dynamics, parameters
from pilotage.models.trace.derivative import derivative
from pilotage.models.trace.graph import Graph
from pilotage.models.trace.tracer import SymbolicMath
from pilotage.models.trace.vectorized import Vectorized

from .machine import compiled, one_by_one, side_by_side

torch = pytest.importorskip("torch")

COUNT = 64

ONE: dict[str, tuple[Callable[[Any, Any], Any], float, float]] = {
    "neg": (lambda m, a: -a, -3.0, 3.0),
    "sqrt": (lambda m, a: m.sqrt(a), 1e-3, 50.0),
    "exp": (lambda m, a: m.exp(a), -30.0, 30.0),
    "log": (lambda m, a: m.log(a), 1e-6, 1e6),
    "sin": (lambda m, a: m.sin(a), -40.0, 40.0),
    "cos": (lambda m, a: m.cos(a), -40.0, 40.0),
    "tan": (lambda m, a: m.tan(a), -1.5, 1.5),
    "asin": (lambda m, a: m.asin(a), -0.999, 0.999),
    "acos": (lambda m, a: m.acos(a), -0.999, 0.999),
    "atan": (lambda m, a: m.atan(a), -30.0, 30.0),
    "sinh": (lambda m, a: m.sinh(a), -10.0, 10.0),
    "cosh": (lambda m, a: m.cosh(a), -10.0, 10.0),
    "tanh": (lambda m, a: m.tanh(a), -10.0, 10.0),
    "abs": (lambda m, a: m.abs(a), -3.0, 3.0),
    "abs()": (lambda m, a: abs(a), -3.0, 3.0),
    "sign": (lambda m, a: m.sign(a) * a, -3.0, 3.0),
    "floor": (lambda m, a: m.floor(a) * a, -6.5, 6.5),
    "wrap": (lambda m, a: m.wrap(a), -40.0, 40.0),
    "square": (lambda m, a: a**2, -3.0, 3.0),
    "cube": (lambda m, a: a**3, -3.0, 3.0),
    "fifteenth": (lambda m, a: a**15, -1.5, 1.5),
    "reciprocal": (lambda m, a: a**-1 + 1.0 / a**2, 0.1, 3.0),
    "root": (lambda m, a: a**0.5 + a**-1.7, 0.1, 9.0),
    "power of two": (lambda m, a: 2.0**a, -6.0, 6.0),
    "modulo": (lambda m, a: a % 2.5, -9.0, 9.0),
    "clip": (lambda m, a: m.clip(a, -1.0, 2.0), -4.0, 4.0),
    "polynomial": (lambda m, a: 1.0 + a * (2.0 - a / 3.0) - 4.0 / (1.0 + a * a), -3.0, 3.0),
}
TWO: dict[str, tuple[Callable[[Any, Any, Any], Any], float, float]] = {
    "add": (lambda m, a, b: a + b, -3.0, 3.0),
    "sub": (lambda m, a, b: a - b, -3.0, 3.0),
    "mul": (lambda m, a, b: a * b, -3.0, 3.0),
    "div": (lambda m, a, b: a / b, 0.2, 3.0),
    "pow": (lambda m, a, b: a**b, 0.2, 3.0),
    "atan2": (lambda m, a, b: m.atan2(a, b), -3.0, 3.0),
    "hypot": (lambda m, a, b: m.hypot(a, b), -3.0, 3.0),
    "minimum": (lambda m, a, b: m.minimum(a, b), -3.0, 3.0),
    "maximum": (lambda m, a, b: m.maximum(a, b), -3.0, 3.0),
    "where": (lambda m, a, b: m.where(a < b, a * a, m.sin(b)), -3.0, 3.0),
    "and": (lambda m, a, b: m.where((a < b) & (a > -b), a, b * b), -3.0, 3.0),
    "or": (lambda m, a, b: m.where((a <= b) | (a >= 1.0), a, b * b), -3.0, 3.0),
    "not": (lambda m, a, b: m.where(~(a < b), a, b * b), -3.0, 3.0),
    "equal": (lambda m, a, b: m.where((a == b) | (m.sign(a) != m.sign(b)), a * b, a + b), -3.0, 3.0),
    "guarded": (lambda m, a, b: m.where(a > 0.0, m.sqrt(m.where(a > 0.0, a, 1.0)), b), -3.0, 3.0),
}


NAMES = [*ONE, *TWO]


def function(name: str) -> Callable[[Any, Any, Any], Any]:
    """The function, its domain stretched over arguments between 0 and 1."""
    if name in ONE:
        single, low, high = ONE[name]
        return lambda m, a, b: single(m, low + (high - low) * a)
    double, low, high = TWO[name]
    return lambda m, a, b: double(m, low + (high - low) * a, low + (high - low) * b)


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arguments ``(N, 2)``, values ``(N, K)`` and derivatives ``(N, K, 2)``: the functions on tensors, no tracer."""
    x = np.random.default_rng(0).random((COUNT, 2))
    y, J = np.empty((COUNT, len(NAMES))), np.zeros((COUNT, len(NAMES), 2))
    t = torch.tensor(x, requires_grad=True)
    for k, name in enumerate(NAMES):
        value = function(name)(torch_math(), t[:, 0], t[:, 1])
        y[:, k] = value.detach()
        J[:, k] = torch.autograd.grad(value.sum(), t)[0]
    return x, y, J


def traced() -> tuple[list[Any], list[list[Any]]]:
    """All functions and their derivatives as one graph."""
    graph = Graph()
    m: Any = SymbolicMath(graph)
    a, b = graph.inputs("x", 2)
    y = [graph.lift(function(name)(m, a, b)) for name in NAMES]
    columns = [derivative(y, {seed: graph.one}) for seed in (a, b)]
    return y, [list(row) for row in zip(*columns, strict=True)]


def assert_same(got: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    """Each function by its name, with an error relative to values above 1."""
    for k, name in enumerate(NAMES):
        gap = (np.abs(got[:, k] - expected[:, k]) / np.maximum(1.0, np.abs(expected[:, k]))).max()
        assert gap <= tolerance, f"{what} of {name} is off by {gap:.1e}"


def test_numpy(truth: Any) -> None:
    x, y, _ = truth
    got = np.stack([function(name)(numpy_math, x[:, 0], x[:, 1]) for name in NAMES], -1)
    assert_same(got, y, 1e-13, "the value in numpy")


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_components_dialect(truth: Any, kind: str) -> None:
    x, y, J = truth
    values, slopes = traced()
    flat = [*values, *(e for row in slopes for e in row)]
    f = Vectorized(flat, ("x", "u"))
    got = f(x, np.zeros((COUNT, 0))) if kind == "numpy" else f(torch.tensor(x), torch.zeros(COUNT, 0)).numpy()
    assert_same(got[:, : len(NAMES)], y, 1e-13, f"the value in {kind}")
    assert_same(got[:, len(NAMES) :].reshape(J.shape), J, 1e-12, f"the derivative in {kind}")


@pytest.mark.parametrize("lanes", [False, True])
def test_machine_code(truth: Any, lanes: bool) -> None:
    x, y, J = truth
    values, slopes = traced()
    flat = [*values, *(e for row in slopes for e in row)]
    got = (side_by_side if lanes else one_by_one)(compiled(flat, lanes), x)["y"]
    assert_same(got[:, : len(NAMES)], y, 1e-13, "the compiled value")
    assert_same(got[:, len(NAMES) :].reshape(J.shape), J, 1e-12, "the compiled derivative")


def edges(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    a = x[0]
    return m.wrap(a), m.floor(a), m.clip(a, -1.0, 1.0), m.sign(a), m.abs(a)


def test_edges_agree() -> None:
    """Odd multiples of pi, whole numbers, huge numbers, NaN: all backends give what numpy gives."""
    turns = np.pi * np.arange(-41.0, 43.0, 2.0)
    beside = (np.nextafter(turns, np.inf), np.nextafter(turns, -np.inf))
    hard = np.concatenate([turns, *beside, [0.0, 3.0, -3.0, 1e6, np.nan]])
    model = discrete_dynamics(state=Space("a b c d e"), action=Space())(edges)()
    x = np.zeros((len(hard), 5))
    x[:, 0] = hard
    none = np.zeros((len(hard), 0))
    expected = model.step(x, none, 0.1)
    assert (expected[:-1, 0] > -np.pi).all()
    assert (expected[:-1, 0] <= np.pi).all()
    assert np.isnan(expected[-1]).all()
    rest = none, [0.1], parameters(model)
    single, wide = one_by_one(model.code("y"), x, *rest)["y"], side_by_side(model.code("y", True), x, *rest)["y"]
    for got, what in ((single, "compiled"), (wide, "vectorised")):
        assert (got[:-1, 0] > -np.pi).all(), what
        assert (got[:-1, 0] <= np.pi).all(), what
        np.testing.assert_allclose(np.sin(got[:, 0]), np.sin(expected[:, 0]), atol=1e-13, err_msg=what)
        np.testing.assert_array_equal(got[:, 1:], expected[:, 1:], err_msg=what)
