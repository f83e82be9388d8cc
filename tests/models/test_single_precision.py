"""Code for lanes of single precision beside that of double, and its polynomials beside numpy's functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, ModelError, Raster, SettingError, Space
from pilotage.models import LANES, code_of, dynamics, parameters, task, unicycle
from pilotage.models.trace import ParameterMemory
from pilotage.models.trace.llvm import emit
from pilotage.models.trace.reals import SINGLE

from .machine import compiled
from .registry import DYNAMICS, TIME_STEP, seed_of
from .test_lane_math import expression

N = 64 * LANES
DRAW = np.random.default_rng(1)
NEAR = DRAW.uniform(-4.0, 4.0, N)
SMALL = NEAR * 10.0 ** DRAW.uniform(-44, 0, N)
DOMAINS: dict[str, list[Any]] = {
    "sin": [NEAR, SMALL, DRAW.uniform(-1e4, 1e4, N)],
    "cos": [NEAR, SMALL, DRAW.uniform(-1e4, 1e4, N)],
    "tan": [NEAR, SMALL, DRAW.uniform(-1e4, 1e4, N)],
    "exp": [NEAR, SMALL, DRAW.uniform(-87.0, 88.0, N)],
    "log": [10.0 ** DRAW.uniform(-44.5, 38.0, N), DRAW.uniform(0.5, 2.0, N)],
    "tanh": [NEAR, SMALL, 3.0 * NEAR, DRAW.uniform(-1e30, 1e30, N)],
    "sinh": [NEAR, SMALL, 20.0 * NEAR],
    "cosh": [NEAR, SMALL, 20.0 * NEAR],
    "asin": [0.25 * NEAR, 0.25 * SMALL],
    "acos": [0.25 * NEAR, 1.0 - 10.0 ** DRAW.uniform(-7.0, 0.0, N)],
    "atan": [NEAR, SMALL, NEAR * 10.0 ** DRAW.uniform(0.0, 37.0, N)],
}
EXACT = {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan}


def lane(name: str, a: Any, b: Any = 0.0) -> np.ndarray:
    """Values of the function in lanes of single precision."""
    rows = np.zeros((2, -(-np.size(a) // LANES) * LANES), np.float32)
    rows[0, : np.size(a)], rows[1, : np.size(a)] = a, b
    code = compiled([expression(name)], lanes=True, precision="single")
    parts = [code.run(rows[:, k : k + LANES])["y"][0] for k in range(0, rows.shape[1], LANES)]
    assert parts[0].dtype == np.float32
    return np.concatenate(parts)[: np.size(a)].astype(float)


@pytest.mark.parametrize("name", DOMAINS)
def test_a_few_units_in_the_last_place(name: str) -> None:
    """Against numpy in double precision, at the same arguments: 2^-24 is 6e-8."""
    for a in DOMAINS[name]:
        a = np.asarray(a, np.float32).astype(float)
        exact = (EXACT[name] if name in EXACT else getattr(np, name))(a)
        got = lane(name, a)
        assert np.max(np.abs(got - exact) / np.maximum(1.0, np.abs(exact))) < 3e-7, name
        if name in ("exp", "tanh", "sinh", "cosh", "log", "tan"):
            assert np.all(np.abs(got - exact) <= 4e-7 * np.abs(exact) + 1e-45), f"{name} where it is small"
    text = emit("f", [expression(name)], {"x": "a"}, frozenset("x"), SINGLE)
    assert "double" not in text
    assert not [line for line in text.splitlines() if "call" in line and "@llvm." not in line]


def test_atan2_in_all_quadrants() -> None:
    y, x = (DRAW.normal(size=(2, N)) * 10.0 ** DRAW.uniform(-15, 15, N)).astype(np.float32)
    assert np.max(np.abs(lane("atan2", y, x) - np.arctan2(y.astype(float), x.astype(float)))) < 4e-7
    for a, b in ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0)):
        assert lane("atan2", [a], [b])[0] == pytest.approx(math.atan2(a, b), abs=2e-7)


def test_tanh_is_never_beyond_one() -> None:
    """So that the root of ``1 - tanh(a)^2`` is a number."""
    a = np.linspace(-9.5, 9.5, 200 * LANES)
    assert np.abs(lane("tanh", a)).max() == 1.0


def test_ends_of_the_line() -> None:
    inf, nan = math.inf, math.nan
    assert lane("exp", [100.0, inf, -100.0, -inf]).tolist() == [inf, inf, 0.0, 0.0]
    assert lane("log", [0.0, inf]).tolist() == [-inf, inf]
    assert lane("tanh", [inf, -inf, 0.0]).tolist() == [1.0, -1.0, 0.0]
    assert np.isnan([*lane("log", [nan, -1.0]), *lane("sin", [nan, inf, 1e30]), *lane("tan", [inf, nan])]).all()
    for name in ("sin", "cos", "tan", "exp", "log", "tanh", "sinh", "cosh", "asin", "acos", "atan", "wrap", "floor"):
        assert np.isnan(lane(name, [nan])).all(), name
    for name in ("atan2", "hypot", "mod"):
        assert np.isnan(lane(name, [nan, 1.0], [1.0, nan])).all(), name
    assert np.isnan(lane("asin", [1.0 + 1e-6, -2.0, inf])).all()


def test_wrap() -> None:
    pi = float(np.float32(math.pi))
    assert lane("wrap", [pi, -pi]).tolist() == [pi, pytest.approx(2.0 * math.pi - pi, abs=2.5e-7)]
    a = np.concatenate([NEAR, DRAW.uniform(-1e4, 1e4, N), [1e16, -1e16, 1e30]]).astype(np.float32).astype(float)
    w = lane("wrap", a)
    assert ((w > -pi) & (w <= pi)).all()
    turn = np.abs(w - a)[: 2 * N] / (2.0 * math.pi)
    assert np.max(np.abs(turn - np.round(turn))) < 1e-7, "the difference is whole turns"


@pytest.mark.parametrize("name", DYNAMICS)
def test_rollouts_of_every_model(name: str) -> None:
    """Twenty steps of each precision, apart by 2e-5 of the size of the states, in the tangent of the space."""
    model, dt = DYNAMICS[name](), TIME_STEP.get(name, 0.05)
    rng = np.random.default_rng(seed_of(name))
    x0 = model.state.sample(LANES, rng=rng)
    us = np.stack([model.action.sample(LANES, rng=rng).T for _ in range(20)])
    ends = []
    for precision in ("double", "single"):
        code, p = code_of(model, "y", lanes=True, precision=precision), parameters(model, dt)
        x = x0.T
        for u in us:
            x = code.run(x, u, dt, p)["y"]
        ends.append(x.T.astype(float))
    size = np.maximum(1.0, np.abs(ends[0]).max(-1, keepdims=True))
    assert np.isfinite(ends[1]).all()
    assert np.max(np.abs(model.state.minus(ends[1], ends[0])) / size) < 2e-5


def test_a_network_and_a_raster() -> None:
    """Products of matrices, activations as loops, and places in tables, beside double precision."""
    rng = np.random.default_rng(3)
    A, B = rng.normal(size=(19, 3)), rng.normal(size=(5, 19)) / 4.0
    values = np.cumsum(rng.normal(size=(300, 400)), axis=1)

    @task(
        state=Space("a b c"), action=Space("u"), params={"A": A, "B": B, "bias": [0.1] * 19, "map": Raster(values, 0.1)}
    )
    def layers(x: Any, u: Any, p: Any, m: Any) -> Any:
        h = [m.tanh(e) for e in m.affine(p.A, x, p.bias)]
        return m.lookup(p.map, 8.0 * x[0], 8.0 * x[1]) + sum(m.affine(p.B, h))

    made = layers()
    x, u = rng.uniform(-1.0, 5.0, (3, LANES)), np.zeros((1, LANES))
    double, single = (
        code_of(made, "l", lanes=True, precision=each).run(x, u, None, parameters(made))["l"]
        for each in ("double", "single")
    )
    assert np.max(np.abs(double - single)) < 1e-3, "of a raster whose slope is 10 for each metre, 40 metres away"


@pytest.mark.parametrize("precision", ["double", "single"])
def test_activations_become_a_loop_where_nothing_else_reads_them(precision: str) -> None:
    A = np.random.default_rng(4).normal(size=(40, 40))

    @dynamics(state=Space(" ".join(f"x{i}" for i in range(40))), params={"A": A})
    def net(x: Any, u: Any, p: Any, m: Any) -> Any:
        h = m.affine(p.A, [m.tanh(m.where(e > 0.0, e, 0.1 * e)) for e in m.affine(p.A, x)])
        return [-e for e in h]

    text = emit("f", net()._function.value("y").components, {"x": "a", "dt": "c", "p": "p"}, frozenset("x"), SINGLE)
    assert text.count("fdiv") == 1, "one quotient in the one loop that all stages of RK4 run"
    x = np.random.default_rng(5).normal(size=(40, LANES))
    got = code_of(net(), "y", lanes=True, precision=precision).run(x, None, 0.01, parameters(net()))["y"]
    assert np.max(np.abs(got.T - net().step(x.T, [], 0.01))) < (1e-12 if precision == "double" else 1e-4)


def test_what_has_no_single_precision_says_so() -> None:
    class Simulator(Dynamics):
        state, action = unicycle().state, unicycle().action

        def step(self, x: Any, u: Any, dt: float) -> Any:
            return x

    with pytest.raises(ModelError, match="no traced model"):
        code_of(Simulator(), "y", lanes=True, precision="single")
    with pytest.raises(ModelError, match="one state"):
        code_of(unicycle(), "y", precision="single")
    with pytest.raises(SettingError, match="half"):
        code_of(unicycle(), "y", lanes=True, precision="half")

    @task(state=Space("a b"), action=Space(), params={"map": Raster(np.zeros((1, 1)), 1.0)})
    def wide(x: Any, u: Any, p: Any, m: Any) -> Any:
        return m.lookup(p.map, x[0], x[1])

    with pytest.raises(ModelError, match="16777216"):
        ParameterMemory(wide(map=Raster(np.zeros((4096, 4096)), 1.0)), precision="single")
