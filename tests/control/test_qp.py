"""Quadratic programs: the conditions of optimality, proofs that there is no solution, and other libraries."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from pilotage.control import QPStatus, QuadraticProgram
from pilotage.control.mpc._methods import Auto
from pilotage.control.mpc.active_set import ActiveSet
from pilotage.core.errors import MissingExtra, SettingError, ShapeError

OURS = ("active_set", "interior_point")
SEEDS = st.integers(0, 10**6)


def random_program(seed: int, *, feasible: bool = True, soft: bool = False) -> QuadraticProgram:
    """A program with a point that satisfies it, of any rank, with redundant, parallel, equal and unbounded rows."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 9)), int(rng.integers(0, 18))
    M, A = rng.normal(size=(int(rng.integers(1, n + 1)) if seed % 3 == 0 else n, n)), rng.normal(size=(m, n))
    A = np.round(A) if seed % 2 else A
    if m > 3:
        A[1], A[2] = A[0], -2.0 * A[0]
    at = A @ np.round(rng.normal(size=n), 1)
    low, high = (at + s * np.where(rng.random(m) < 0.3, 0.0, rng.exponential(size=m)) for s in (-1.0, 1.0))
    if not feasible and m:
        low, high = low + rng.normal(size=m), high + rng.normal(size=m)
        low, high = np.minimum(low, high), np.maximum(low, high)
    low, high = np.where(rng.random(m) < 0.3, -np.inf, low), np.where(rng.random(m) < 0.3, np.inf, high)
    weights = np.where(rng.random(m) < 0.5, rng.exponential(size=m) + 0.1, np.inf) if soft else None
    return QuadraticProgram(M.T @ M, M.T @ rng.normal(size=len(M)), A, low, high, weights)


def assert_optimal(p: QuadraticProgram, z: np.ndarray, lam: np.ndarray, limit: float = 1e-7) -> None:
    """Karush, Kuhn and Tucker's conditions of the problem as given."""
    y, hard = p.A @ z, np.isinf(p.soft)
    assert np.abs(p.H @ z + p.f + p.A.T @ lam).max() <= limit
    assert (y[hard] <= p.upper[hard] + limit).all()
    assert (y[hard] >= p.lower[hard] - limit).all()
    assert (np.abs(lam) <= p.soft + limit).all()
    full = np.abs(lam) > p.soft - 1e-6
    for sign, bound in ((1.0, p.upper), (-1.0, p.lower)):
        share = sign * lam > 1e-9
        past = sign * (y - bound)[share]
        assert (np.abs(lam[share]) * past >= -1e-6).all(), "a multiplier away from its bound"
        assert (past[~full[share]] <= 1e-5).all(), "a violated row whose multiplier is not its weight"
    for over in (y - p.upper, p.lower - y):
        assert full[over > 1e-5].all()


@settings(max_examples=60, derandomize=True)
@given(SEEDS, st.sampled_from(OURS), st.booleans())
@example(456, "active_set", False)
def test_solutions_are_optimal(seed: int, method: str, soft: bool) -> None:
    p = random_program(seed, soft=soft)
    found = p.solve(method=method, tolerance=1e-8)
    assert found.ok, found
    assert_optimal(p, found.z, found.multipliers)
    assert found.gap <= 1e-5 * (1.0 + abs(found.cost))
    out = np.maximum(np.maximum(p.A @ found.z - p.upper, p.lower - p.A @ found.z), 0.0)
    paid = float(p.soft[np.isfinite(p.soft)] @ out[np.isfinite(p.soft)])
    cost = 0.5 * found.z @ p.H @ found.z + p.f @ found.z + paid
    assert found.cost == pytest.approx(cost, rel=1e-8, abs=1e-8)


@settings(max_examples=25, derandomize=True)
@given(SEEDS, st.booleans())
def test_both_methods_have_one_minimum(seed: int, soft: bool) -> None:
    p = random_program(seed, soft=soft)
    costs = [p.solve(method=method, tolerance=1e-8).cost for method in OURS]
    assert costs[0] == pytest.approx(costs[1], rel=1e-6, abs=1e-6)


@settings(max_examples=60, derandomize=True)
@given(SEEDS, st.sampled_from(OURS))
@example(1128, "active_set")
def test_infeasible_problems_have_a_proof(seed: int, method: str) -> None:
    p = random_program(seed, feasible=False)
    found = p.solve(method=method, tolerance=1e-8)
    rows, b = np.concatenate([p.A, -p.A]), np.concatenate([p.upper, -p.lower])
    finite = np.isfinite(b)
    oracle = linprog(np.zeros(len(p.f)), rows[finite], b[finite], bounds=(None, None)).status if finite.any() else 0
    assert (found.status is QPStatus.INFEASIBLE) == (oracle == 2)
    if oracle == 2:
        c = found.certificate
        assert np.abs(p.A.T @ c).max() <= 1e-6 * np.abs(p.A).max() * np.abs(c).max()
        assert np.where(c > 0.0, p.upper, p.lower)[c != 0.0] @ c[c != 0.0] < 0.0
        assert (found.rows == np.flatnonzero(c)).all()


@pytest.mark.parametrize("method", OURS)
def test_unbounded_problems_have_a_direction(method: str) -> None:
    p = QuadraticProgram(np.diag([1.0, 0.0]), [0.0, -1.0], [[1.0, 1.0], [1.0, 0.0]], [2.0, -9.0], [np.inf, 9.0])
    found = p.solve(method=method)
    assert found.status is QPStatus.UNBOUNDED
    d = found.certificate
    assert np.abs(p.H @ d).max() < 1e-5 and p.f @ d < 0.0 and (p.A @ d >= [-1e-6, -1e-6]).all()
    one = QuadraticProgram(p.H, p.f, p.A, p.lower, [6.0, 9.0]).solve(method=method)
    assert one.ok
    np.testing.assert_allclose(one.z, [-1.0, 7.0], atol=1e-6)
    # a penalty below the slope does not hold the cost, one above does
    for weight, status in ((0.5, QPStatus.UNBOUNDED), (2.0, QPStatus.SOLVED)):
        assert (
            QuadraticProgram([[0.0]], [-1.0], [[1.0]], upper=[3.0], soft=[weight]).solve(method=method).status is status
        )


@pytest.mark.parametrize("method", OURS)
def test_equalities_may_be_redundant(method: str) -> None:
    A = [[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [0.0, 1.0, 1.0]]
    p = QuadraticProgram(np.eye(3), [0.0, 0.0, 1.0], A, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    found = p.solve(method=method)
    K = np.block([[np.eye(3), np.array(A).T], [np.array(A), np.zeros((3, 3))]])
    expected = np.linalg.lstsq(K, [0.0, 0.0, -1.0, 1.0, 2.0, 3.0])[0][:3]
    np.testing.assert_allclose(found.z, expected, atol=1e-8)
    other = QuadraticProgram(np.eye(3), np.zeros(3), A, [1.0, 2.5, 3.0], [1.0, 2.5, 3.0]).solve(method=method)
    assert other.rows.tolist() == [0, 1]


@given(SEEDS)
@settings(max_examples=20, derandomize=True)
def test_penalties_are_exact(seed: int) -> None:
    p = random_program(seed)
    hard = p.solve(tolerance=1e-8)
    weights = np.abs(hard.multipliers) + 0.5
    soft = QuadraticProgram(p.H, p.f, p.A, p.lower, p.upper, weights).solve(tolerance=1e-8)
    assert soft.ok and soft.cost == pytest.approx(hard.cost, rel=1e-6, abs=1e-6)


def test_warm_is_cold() -> None:
    rng = np.random.default_rng(4)
    M, A = rng.normal(size=(12, 12)), rng.normal(size=(30, 12))
    F, E = rng.normal(size=(12, 3)), 0.1 * rng.normal(size=(30, 3))
    p = QuadraticProgram(M.T @ M + np.eye(12), rng.normal(size=12), A, -np.ones(30), np.ones(30), F=F, E=E)
    warm, theta, spent = p.solver("active_set"), rng.normal(size=3), [0, 0]
    for tick in range(40):
        theta = theta + 0.02 * rng.normal(size=3)
        f, upper = (rng.normal(size=12), 1.0 + rng.random(30)) if tick % 20 == 19 else (None, None)
        found, cold = warm.solve(theta, f=f, upper=upper), p.solver("active_set")
        expected = cold.solve(theta, f=warm.f, upper=warm.bounds[1])
        np.testing.assert_allclose(found.z, expected.z, atol=1e-8)
        np.testing.assert_allclose(found.multipliers, expected.multipliers, atol=1e-7)
        spent = [spent[0] + found.iterations, spent[1] + expected.iterations]
        plain = QuadraticProgram(
            p.H, warm.f + p.F @ theta, A, warm.bounds[0] - p.E @ theta, warm.bounds[1] - p.E @ theta
        )
        np.testing.assert_allclose(plain.solve(method="interior_point").z, found.z, atol=1e-6)
    assert spent[0] < 0.7 * spent[1]


def test_auto_has_a_second_method() -> None:
    p = random_program(10)
    auto = Auto(p, 1e-8)
    auto.first = ActiveSet(p, 1e-8, iterations=1)
    assert auto.first.solve().status is QPStatus.LIMIT
    assert "after 1 iterations" in auto.first.solve().reason
    found = auto.solve()
    assert found.ok and found.cost == pytest.approx(p.solve().cost, rel=1e-6)


@pytest.mark.parametrize("method", ["piqp", "clarabel", "osqp", "daqp"])
def test_other_libraries(method: str) -> None:
    pytest.importorskip(method)
    rng = np.random.default_rng(1)
    M, A = rng.normal(size=(6, 6)), rng.normal(size=(9, 6))
    low, high = np.r_[0.3, -np.ones(8)], np.r_[0.3, np.full(4, np.inf), np.ones(4)]
    soft = np.r_[np.full(7, np.inf), 0.2, 0.2]
    p = QuadraticProgram(M.T @ M, 3.0 * rng.normal(size=6), A, low, high, soft, F=rng.normal(size=(6, 2)))
    theirs, ours = p.solver(method, 1e-6), p.solver()
    for _ in range(3):
        theta, f = rng.normal(size=2), rng.normal(size=6)
        found, expected = theirs.solve(theta, f=f), ours.solve(theta, f=f)
        assert found.ok, found
        np.testing.assert_allclose(found.z, expected.z, atol=1e-4)
        np.testing.assert_allclose(found.multipliers, expected.multipliers, atol=1e-3)


def test_piqp_prints_nothing_about_rows_without_bounds(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("piqp")
    A, low, high = np.eye(3), np.array([-np.inf, 0.5, -np.inf]), np.array([np.inf, 1.0, 0.2])
    p = QuadraticProgram(np.eye(3), [1.0, 1.0, -1.0], A, low, high)
    found = p.solve(method="piqp")
    np.testing.assert_allclose(found.z, [-1.0, 0.5, 0.2], atol=1e-6)
    np.testing.assert_allclose(found.multipliers, p.solve().multipliers, atol=1e-6)
    assert capfd.readouterr() == ("", "")


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piqp", None)
    with pytest.raises(MissingExtra, match=r"pilotage\[qp\]"):
        random_program(1).solve(method="piqp")


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"H": [[1.0, 2.0], [0.0, 1.0]]}, SettingError, "H"),
        ({"H": -np.eye(2)}, SettingError, "-1"),
        ({"H": np.eye(3)}, ShapeError, "H"),
        ({"f": [np.nan, 0.0]}, ShapeError, "f"),
        ({"A": [[1.0]], "upper": [1.0]}, ShapeError, "A"),
        ({"A": [[1.0, 0.0]], "lower": [2.0], "upper": [1.0]}, SettingError, "row 0"),
        ({"A": [[1.0, 0.0]], "upper": [np.nan]}, ShapeError, "upper"),
        ({"A": [[1.0, 0.0]], "upper": [1.0], "soft": [0.0]}, SettingError, "soft"),
    ],
)
def test_bad_programs(arguments: dict[str, Any], error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        QuadraticProgram(**{"H": np.eye(2), "f": np.zeros(2), **arguments})


@pytest.mark.parametrize("method", OURS)
def test_bad_parameters(method: str) -> None:
    solver = QuadraticProgram(np.eye(2), np.zeros(2), np.eye(2), F=np.eye(2)).solver(method)
    with pytest.raises(ShapeError, match="NaN"):
        solver.solve([np.nan, 0.0])
    with pytest.raises(ShapeError, match="theta"):
        solver.solve()
    with pytest.raises(SettingError, match="row 1"):
        solver.solve([0.0, 0.0], lower=[0.0, 3.0], upper=[1.0, 2.0])
    with pytest.raises(SettingError, match="simplex"):
        solver.program.solve(method="simplex")
