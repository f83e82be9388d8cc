"""The polynomials of code for lanes against multiprecision arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pilotage.models.trace.graph import Graph
from pilotage.models.trace.llvm import emit
from pilotage.models.trace.tracer import SymbolicMath

from .machine import compiled, side_by_side

mpmath = pytest.importorskip("mpmath")  # comes with sympy

N = 400
DRAW = np.random.default_rng(1)
NEAR = DRAW.uniform(-4.0, 4.0, N)
DOMAINS: dict[str, Any] = {
    "sin": np.concatenate([DRAW.uniform(-1e5, 1e5, N), NEAR, 1e-3 * NEAR]),
    "cos": np.concatenate([DRAW.uniform(-1e5, 1e5, N), NEAR, 1e-3 * NEAR]),
    "tan": DRAW.uniform(-1.5, 1.5, N),
    "exp": np.concatenate([DRAW.uniform(-700.0, 709.0, N), NEAR]),
    "log": np.concatenate([10.0 ** DRAW.uniform(-300, 300, N), DRAW.uniform(0.5, 2.0, N)]),
    "tanh": np.concatenate([NEAR, 1e-2 * NEAR]),
    "sinh": np.concatenate([5.0 * NEAR, 1e-2 * NEAR]),
    "cosh": 5.0 * NEAR,
    "asin": 0.25 * NEAR,
    "acos": 0.25 * NEAR,
    "atan": np.concatenate([NEAR, 100.0 * NEAR]),
}


def expression(name: str) -> Any:
    """The function of x[0], or of x[0] and x[1]."""
    graph = Graph()
    m: Any = SymbolicMath(graph)
    x = graph.inputs("x", 2)
    if name == "mod":
        return x[0] % x[1]
    return getattr(m, name)(*(x if name in ("atan2", "hypot") else x[:1]))


def lane(name: str, a: Any, b: Any = 0.0) -> np.ndarray:
    """Values of the function in lanes."""
    pairs = np.stack(np.broadcast_arrays(np.atleast_1d(a).astype(float), b), -1)
    return side_by_side(compiled([expression(name)], lanes=True), pairs)["y"][:, 0]


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_accuracy_without_calls(name: str) -> None:
    a = DOMAINS[name]
    with mpmath.workdps(40):
        exact = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in a])
    assert np.max(np.abs(lane(name, a) - exact) / np.maximum(1.0, np.abs(exact))) < 6e-16
    text = emit("f", [expression(name)], {"x": "a"}, frozenset("x"))
    called = [line for line in text.splitlines() if "call" in line and "@llvm." not in line]
    assert not called, "a call of the C library keeps lanes from being SIMD"


def test_atan2_in_all_quadrants() -> None:
    y, x = DRAW.normal(size=(2, N))
    got = lane("atan2", y, x)
    assert np.max(np.abs(got - np.arctan2(y, x))) < 6e-16
    for a, b in ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0)):
        assert lane("atan2", a, b)[0] == math.atan2(a, b)


def test_ends_of_the_line() -> None:
    assert lane("exp", [1000.0, math.inf, -1000.0, -math.inf]).tolist() == [math.inf, math.inf, 0.0, 0.0]
    assert lane("log", [0.0, math.inf]).tolist() == [-math.inf, math.inf]
    assert np.isnan([*lane("exp", math.nan), *lane("log", [math.nan, -1.0]), *lane("sin", [math.nan, math.inf])]).all()


def test_nan_stays_nan() -> None:
    """No polynomial makes a number of NaN, or of an argument outside its domain."""
    for name in ("sin", "cos", "tan", "exp", "log", "tanh", "sinh", "cosh", "asin", "acos", "atan", "wrap", "floor"):
        assert np.isnan(lane(name, math.nan)).all(), name
    for name in ("atan2", "hypot", "mod"):
        assert np.isnan(lane(name, [math.nan, 1.0], [1.0, math.nan])).all(), name
    beyond = [1.0 + 1e-15, -2.0, 1e300, math.inf]
    assert np.isnan([lane("asin", beyond), lane("acos", beyond)]).all()
    assert np.isnan([*lane("sin", 1e300), *lane("cos", -1e300)]).all()


def test_large_angles() -> None:
    a = DRAW.uniform(-1e8, 1e8, N)
    for name in ("sin", "cos"):
        assert np.max(np.abs(lane(name, a) - getattr(np, name)(a))) < 1e-12, name


def test_wrap() -> None:
    assert lane("wrap", [math.pi, -math.pi]).tolist() == [math.pi, math.pi]
    a = np.concatenate([DRAW.uniform(-50.0, 50.0, N), [1e16, -1e16, 1e300, -1e300]])
    w = lane("wrap", a)
    assert ((w > -math.pi) & (w <= math.pi)).all()
    np.testing.assert_allclose(np.sin(w[:N]), np.sin(a[:N]), atol=1e-13)
