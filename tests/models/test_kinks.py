"""Kinks, jumps and the ends of the line: all backends give one value there, and the derivative that was agreed upon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import numpy_math, torch_math
from pilotage.models import FAST, STRICT
from pilotage.models.tracing.derivative import derivative
from pilotage.models.tracing.emit import Signature, in_place
from pilotage.models.tracing.emit_lanes import lanes
from pilotage.models.tracing.graph import Graph
from pilotage.models.tracing.tracer import SymbolicMath
from pilotage.models.tracing.vectorized import Vectorized

from .test_functions import compiled

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
LANES = 64


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
    """What numpy says, ``(N, K)``."""
    a, b = PAIRS.T
    with np.errstate(all="ignore"):
        return np.stack([f(numpy_math, a, b) for f in FUNCTIONS.values()], -1)


@pytest.fixture(scope="module")
def one_by_one() -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values ``(N, K)`` and derivatives ``(N, K, 2)`` as filters compile them."""
    y, J = traced()
    f = compiled(in_place(Signature("f", ("x",)), [("y", y), ("J", J)]), STRICT)

    def run(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = np.empty((len(pairs), len(NAMES))), np.empty((len(pairs), len(NAMES), 2))
        for i in range(len(pairs)):
            f(pairs[i], values[i], slopes[i])
        return values, slopes

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


def test_compiled_values(expected: np.ndarray, one_by_one: Any) -> None:
    assert_same(one_by_one(PAIRS)[0], expected, "compiled")


def test_values_side_by_side(expected: np.ndarray) -> None:
    f = compiled(lanes(Signature("f", ("x",)), [("y", traced()[0])]), FAST)
    padded = np.concatenate([PAIRS, np.ones((-len(PAIRS) % LANES, 2))])
    y = np.empty((len(NAMES), len(padded)))
    for k in range(0, len(padded), LANES):
        out = np.empty((len(NAMES), LANES))
        f(np.ascontiguousarray(padded[k : k + LANES].T), out)
        y[:, k : k + LANES] = out
    documented = {
        "atan2": lambda a, b: np.isinf(a) & np.isinf(b),
        "hypot": lambda a, b: np.isnan(a) | np.isnan(b),  # C says infinity of an infinite and a missing side
        "power": lambda a, b: a == -np.inf,  # with FAST, a^1.5 may be a sqrt(a)
        "modulo of two": lambda a, b: np.isinf(b) | (np.abs(a) > 1e15 * np.abs(b)),
    }
    assert_same(y.T[: len(PAIRS)], expected, "vectorised", documented)


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
def test_derivatives_at_kinks(name: str, at: tuple[float, float], slope: tuple[float, float], one_by_one: Any) -> None:
    k, pair = NAMES.index(name), np.array([at])
    with np.errstate(all="ignore"):
        batched = Vectorized(traced()[1][k], ("x", "u"))(pair, np.zeros((1, 0)))[0]
    np.testing.assert_allclose(batched, slope, rtol=1e-13, err_msg="numpy")
    np.testing.assert_allclose(one_by_one(pair)[1][0, k], slope, rtol=1e-13, err_msg="compiled")
