"""Kinks, jumps and the ends of the line: all backends give one value there, and the derivative that was agreed upon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import numpy_math, torch_math
from pilotage.models.trace.derivative import derivative
from pilotage.models.trace.graph import Graph
from pilotage.models.trace.tracer import SymbolicMath
from pilotage.models.trace.vectorized import Vectorized

from .machine import compiled, one_by_one, side_by_side

FUNCTIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "abs": lambda m, a, b: m.abs(a),
    "sign": lambda m, a, b: m.sign(a),
    "floor": lambda m, a, b: m.floor(a),
    "wrap": lambda m, a, b: m.wrap(a),
    "sqrt": lambda m, a, b: m.sqrt(a),
    "exp": lambda m, a, b: m.exp(a),
    "log": lambda m, a, b: m.log(a),
    "asin": lambda m, a, b: m.asin(a),
    "acos": lambda m, a, b: m.acos(a),
    "atan": lambda m, a, b: m.atan(a),
    "tanh": lambda m, a, b: m.tanh(a),
    "minimum": lambda m, a, b: m.minimum(a, b),
    "maximum": lambda m, a, b: m.maximum(a, b),
    "maximum of a constant": lambda m, a, b: m.maximum(0.0, a),
    "clip": lambda m, a, b: m.clip(a, -1.0, 1.0),
    "clip between values": lambda m, a, b: m.clip(a, -1.0, b),
    "where": lambda m, a, b: m.where(a > b, a, b),
    "where at least": lambda m, a, b: m.where(a >= b, a, 3.0),
    "where equal": lambda m, a, b: m.where((a == b) | (a != a), 1.0, -1.0),
    "gate": lambda m, a, b: b * (a > 0.0) + 2.0 * (a <= 0.0),
    "modulo": lambda m, a, b: a % 0.1,
    "modulo of two": lambda m, a, b: a % b,
    "square": lambda m, a, b: a**2,
    "reciprocal": lambda m, a, b: a**-1,
    "fifteenth": lambda m, a, b: a**15,
    "root": lambda m, a, b: a**0.5,
    "power": lambda m, a, b: a**1.5,
    "zeroth": lambda m, a, b: a**0,
    "power of two": lambda m, a, b: a**b,
    "atan2": lambda m, a, b: m.atan2(a, b),
    "hypot": lambda m, a, b: m.hypot(a, b),
}
NAMES = list(FUNCTIONS)
POINTS = [0.0, 1.0, -1.0, 0.3, -0.3, 2.0, -2.5, 5.0, 1e-300, -1e-300, 1e8, math.inf, -math.inf, math.nan]
PAIRS = np.array([(a, b) for a in POINTS for b in POINTS])


def traced() -> tuple[list[Any], list[list[Any]]]:
    """All functions, and their derivatives by both arguments."""
    graph = Graph()
    m: Any = SymbolicMath(graph)
    a, b = graph.inputs("x", 2)
    y = [graph.lift(f(m, a, b)) for f in FUNCTIONS.values()]
    columns = [derivative(y, {seed: graph.one}) for seed in (a, b)]
    return y, [list(row) for row in zip(*columns, strict=True)]


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """The values of numpy, ``(N, K)``."""
    a, b = PAIRS.T
    with np.errstate(all="ignore"):
        return np.stack([f(numpy_math, a, b) for f in FUNCTIONS.values()], -1)


@pytest.fixture(scope="module")
def single() -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values ``(N, K)`` and derivatives ``(N, K, 2)`` in machine code of one state."""
    y, J = traced()
    code = compiled([*y, *(e for row in J for e in row)])

    def run(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        got = one_by_one(code, pairs)["y"]
        return got[:, : len(NAMES)], got[:, len(NAMES) :].reshape(len(pairs), len(NAMES), 2)

    return run


def assert_same(
    got: np.ndarray, wanted: np.ndarray, what: str, but: dict[str, Callable[..., Any]] | None = None
) -> None:
    """NaN is NaN and infinity infinity; 0.0 and -0.0 are one, and so are the angles pi and -pi."""
    a, b = PAIRS.T
    for k, name in enumerate(NAMES):
        close = np.isclose(got[:, k], wanted[:, k], rtol=1e-13, atol=1e-14, equal_nan=True)
        if name in ("atan2", "wrap"):
            close |= np.abs(np.abs(got[:, k]) - math.pi) + np.abs(np.abs(wanted[:, k]) - math.pi) < 1e-14
            close |= np.abs(got[:, k] - wanted[:, k]) < 4e-16 * np.abs(a)  # of whole turns that were taken off
        close |= (but or {}).get(name, lambda a, b: False)(a, b)
        wrong = np.flatnonzero(~close)
        assert not len(wrong), f"{what} {name}: {[(*PAIRS[i], got[i, k], wanted[i, k]) for i in wrong[:5]]}"


def test_compiled_values(expected: np.ndarray, single: Any) -> None:
    assert_same(single(PAIRS)[0], expected, "compiled")


def test_values_side_by_side(expected: np.ndarray) -> None:
    y = side_by_side(compiled(traced()[0], lanes=True), PAIRS)["y"]
    documented = {
        "atan2": lambda a, b: np.isinf(a) & np.isinf(b),
        "hypot": lambda a, b: np.isnan(a) | np.isnan(b),  # C says infinity of an infinite and a missing side
        "modulo of two": lambda a, b: np.isinf(b) | (np.abs(a) > 1e15 * np.abs(b)),
    }
    assert_same(y, expected, "vectorised", documented)


def test_torch_values(expected: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    a, b = torch.tensor(PAIRS.T)
    y = torch.stack([f(torch_math(), a, b) * torch.ones_like(a) for f in FUNCTIONS.values()], -1).numpy()
    assert_same(y, expected, "torch", {"sign": lambda a, b: np.isnan(a)})


NONE = (math.nan, math.nan)
AGREED = [
    ("abs", (0.0, 1.0), (0.0, 0.0)),
    ("sign", (0.0, 1.0), (0.0, 0.0)),
    ("floor", (2.0, 1.0), (0.0, 0.0)),
    ("wrap", (math.pi, 1.0), (1.0, 0.0)),
    ("wrap", (-math.pi, 1.0), (1.0, 0.0)),
    ("sqrt", (0.0, 1.0), (math.inf, 0.0)),
    ("root", (0.0, 1.0), (math.inf, 0.0)),
    ("minimum", (2.0, 2.0), (1.0, 0.0)),
    ("maximum", (2.0, 2.0), (1.0, 0.0)),
    ("maximum of a constant", (0.0, 1.0), (1.0, 0.0)),
    ("clip", (1.0, 0.0), (1.0, 0.0)),
    ("clip", (-1.0, 0.0), (1.0, 0.0)),
    ("clip", (1.5, 0.0), (0.0, 0.0)),
    ("clip between values", (2.0, 1.0), (0.0, 1.0)),
    ("where", (2.0, 2.0), (0.0, 1.0)),
    ("where at least", (2.0, 2.0), (1.0, 0.0)),
    ("gate", (0.0, 5.0), (0.0, 0.0)),
    ("gate", (1.0, 5.0), (0.0, 1.0)),
    ("modulo", (0.35, 1.0), (1.0, 0.0)),
    ("modulo of two", (7.5, 2.0), (1.0, -3.0)),
    ("modulo of two", (-0.5, 2.0), (1.0, 1.0)),
    ("square", (0.0, 1.0), (0.0, 0.0)),
    ("power", (0.0, 1.0), (0.0, 0.0)),
    ("zeroth", (0.0, 1.0), (0.0, 0.0)),
    ("power of two", (0.0, 2.0), (0.0, 0.0)),
    ("fifteenth", (-1.0, 0.0), (15.0, 0.0)),
    ("hypot", (0.0, 0.0), NONE),
    ("atan2", (0.0, 0.0), NONE),
    ("atan2", (0.0, -2.0), (-0.5, 0.0)),
]


@pytest.mark.parametrize(("name", "at", "slope"), AGREED)
def test_derivatives_at_kinks(name: str, at: tuple[float, float], slope: tuple[float, float], single: Any) -> None:
    k, pair = NAMES.index(name), np.array([at])
    with np.errstate(all="ignore"):
        batched = Vectorized(traced()[1][k], ("x", "u"))(pair, np.zeros((1, 0)))[0]
    np.testing.assert_allclose(batched, slope, rtol=1e-13, err_msg="numpy")
    np.testing.assert_allclose(single(pair)[1][0, k], slope, rtol=1e-13, err_msg="compiled")
