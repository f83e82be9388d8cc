"""The polynomials of vectorised loops against multiprecision arithmetic, and that loops of them become SIMD."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from numba import njit

from pilotage.models.binding import lane_math

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


def compiled(name: str, arguments: int = 1) -> Any:
    for other in vars(lane_math):
        if other.startswith("lane_"):
            function = getattr(lane_math, other)
            STRICT.setdefault(other, njit(error_model="numpy", fastmath={"contract", "nsz"})(function))
    return STRICT[name]


STRICT: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def jitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lane functions call each other by name: compile them all, as a generated file does."""
    compiled("lane_sin")
    for name, function in STRICT.items():
        monkeypatch.setattr(lane_math, name, function)


def looped(name: str) -> Any:
    """The function over an array, in the loop of a rollout with all its liberties."""
    function = STRICT[f"lane_{name}"]

    @njit(error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc", "afn"})
    def loop(a, out):
        for i in range(out.size):
            out[i] = function(a[i])

    return loop


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_accuracy_and_simd(name: str) -> None:
    a, loop = DOMAINS[name], looped(name)
    out = np.empty_like(a)
    loop(a, out)
    with mpmath.workdps(40):
        exact = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in a])
    assert np.max(np.abs(out - exact) / np.maximum(1.0, np.abs(exact))) < 6e-16
    (assembly,) = loop.inspect_asm().values()
    if "x86" in assembly or "xmm" in assembly:
        assert re.search(r"v?mulpd|vfm\w+pd|vfn\w+pd", assembly), "the loop did not become SIMD"


def test_atan2_in_all_quadrants() -> None:
    y, x = DRAW.normal(size=(2, N))
    got = np.array([STRICT["lane_atan2"](a, b) for a, b in zip(y, x, strict=True)])
    assert np.max(np.abs(got - np.arctan2(y, x))) < 6e-16
    for a, b in ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0)):
        assert STRICT["lane_atan2"](a, b) == math.atan2(a, b)


def test_ends_of_the_line() -> None:
    exp, log, sin = STRICT["lane_exp"], STRICT["lane_log"], STRICT["lane_sin"]
    assert exp(1000.0) == math.inf == exp(math.inf)
    assert exp(-1000.0) == 0.0 == exp(-math.inf)
    assert log(0.0) == -math.inf
    assert log(math.inf) == math.inf
    assert all(math.isnan(v) for v in (exp(math.nan), log(math.nan), log(-1.0), sin(math.nan), sin(math.inf)))


def test_what_is_no_number_stays_none() -> None:
    """No polynomial makes a number of NaN, or of an argument outside its domain."""
    for name in ("sin", "cos", "tan", "exp", "log", "tanh", "sinh", "cosh", "asin", "acos", "atan", "wrap", "floor"):
        assert math.isnan(STRICT[f"lane_{name}"](math.nan)), name
    for name in ("atan2", "hypot", "mod"):
        assert math.isnan(STRICT[f"lane_{name}"](math.nan, 1.0)), name
        assert math.isnan(STRICT[f"lane_{name}"](1.0, math.nan)), name
    for beyond in (1.0 + 1e-15, -2.0, 1e300, math.inf):
        assert math.isnan(STRICT["lane_asin"](beyond))
        assert math.isnan(STRICT["lane_acos"](beyond))
    assert math.isnan(STRICT["lane_sin"](1e300))
    assert math.isnan(STRICT["lane_cos"](-1e300))


def test_large_angles() -> None:
    a = DRAW.uniform(-1e8, 1e8, N)
    for name in ("sin", "cos"):
        got = np.array([STRICT[f"lane_{name}"](v) for v in a])
        assert np.max(np.abs(got - getattr(np, name)(a))) < 1e-12, name


def test_wrap() -> None:
    wrap = STRICT["lane_wrap"]
    assert all(-math.pi < wrap(a) <= math.pi for a in (1e16, -1e16, 1e300, -1e300))
    assert wrap(math.pi) == math.pi == wrap(-math.pi)
    for a in DRAW.uniform(-50.0, 50.0, N):
        assert -math.pi < wrap(a) <= math.pi
        assert math.isclose(math.sin(wrap(a)), math.sin(a), abs_tol=1e-13)
