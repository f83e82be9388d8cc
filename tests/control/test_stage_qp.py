"""Quadratic programs along time, against Clarabel on the same program written as one large one."""

from __future__ import annotations

from typing import Any

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp

from pilotage.control.trajectory.stage_qp import INDEFINITE, SIGNATURE, SOLVED, interior_point, memory_for

solve_stages = interior_point.entry("solve_stages", SIGNATURE)


class Stages:
    """A random program along time: T steps, a state of dim d, m actions, k inequalities and bounds of everything."""

    def __init__(self, seed: int, T: int, d: int, m: int, k: int, price: float = np.inf) -> None:
        rng = np.random.default_rng(seed)
        z = rng.normal
        self.T, self.d, self.m, self.k = T, d, m, k
        self.F, self.B = np.eye(d) + 0.2 * z(size=(T, d, d)), z(size=(T, d, m))
        self.defect, self.dx0 = 0.3 * z(size=(T, d)), 0.1 * z(size=d)
        H, E = z(size=(T, d + m, d + m)), z(size=(d, d))
        self.H, self.h = H @ H.transpose(0, 2, 1) + 0.1 * np.eye(d + m), z(size=(T, d + m))
        self.E, self.e = E @ E.T + 0.1 * np.eye(d), z(size=d)
        self.g, self.G = -0.5 + 0.3 * z(size=(T, k)), z(size=(T, k, d + m))  # of (next state, action)
        self.index, self.sign = np.tile(np.arange(m + d), 2), np.repeat([1.0, -1.0], m + d)
        self.room = 0.3 + 2.0 * np.abs(z(size=(T, 2 * (m + d))))
        self.price = np.full(k, price)

    def solve(self, warm: float = 1.0, lam: Any = None) -> tuple[int, Any, np.ndarray]:
        T, d, m, k = self.T, self.d, self.m, self.k
        flat = lambda a: a.reshape(T, -1)
        costs = [np.zeros((T, 1)), self.h, *map(flat, (self.H[:, :d, :d], self.H[:, :d, d:], self.H[:, d:, d:]))]
        bounds = [self.g, flat(self.G[:, :, :d]), flat(self.G[:, :, d:])]
        program = (
            np.hstack([flat(self.F), flat(self.B)]), self.defect, np.hstack(costs), np.hstack(bounds),
            np.concatenate([[0.0], self.e, self.E.ravel()]), (self.index.astype(np.int64), self.sign, self.room),
            self.price,
        )  # fmt: skip
        point, memory = memory_for(T, d, m, len(self.sign) + k)
        point[0][0] = self.dx0
        if lam is not None:
            point[3][:] = lam
        report = np.zeros(4)
        return solve_stages(60, 1e-9, warm, 0.0, program, point, memory, report), point, report

    def reference(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """dx after the first, du and the violations z, by Clarabel."""
        T, d, m, k = self.T, self.d, self.m, self.k
        soft = bool(np.isfinite(self.price).all()) and k > 0
        nu, n = T * m, T * (m + d)
        N = n + (T * k if soft else 0)
        U, X = np.eye(N)[: T * m].reshape(T, m, N), np.eye(N)[nu:n].reshape(T, d, N)
        P, q, A, b, C, c = np.zeros((N, N)), np.zeros(N), [], [], [], []
        before, known = np.zeros((d, N)), self.dx0
        for t in range(T):
            v, fixed = np.vstack([before, U[t]]), np.concatenate([known, np.zeros(m)])
            P += v.T @ self.H[t] @ v
            q += v.T @ (self.h[t] + self.H[t] @ fixed)
            A.append(X[t] - self.F[t] @ before - self.B[t] @ U[t])
            b.append(self.defect[t] + self.F[t] @ known)
            C.append(self.sign[:, None] * np.vstack([U[t], X[t]])[self.index])
            c.append(self.room[t])
            rows = self.G[t] @ np.vstack([X[t], U[t]])
            if soft:
                Z = np.eye(N)[n + t * k : n + t * k + k]
                rows, q = rows - Z, q + self.price @ Z
                C.append(-Z)
                c.append(np.zeros(k))
            C.append(rows)
            c.append(-self.g[t])
            before, known = X[t], np.zeros(d)
        P, q = P + before.T @ self.E @ before, q + before.T @ self.e
        settings = clarabel.DefaultSettings()
        settings.verbose, settings.tol_gap_abs, settings.tol_gap_rel, settings.tol_feas = False, 1e-11, 1e-11, 1e-11
        cones = [clarabel.ZeroConeT(T * d), clarabel.NonnegativeConeT(sum(map(len, C)))]
        solver = clarabel.DefaultSolver(
            sp.csc_matrix(np.triu(P)), q, sp.csc_matrix(np.vstack(A + C)), np.concatenate(b + c), cones, settings
        )
        found = solver.solve()
        assert str(found.status) == "Solved"
        x = np.array(found.x)
        return x[nu:n].reshape(T, d), x[:nu].reshape(T, m), x[n:].reshape(T, -1)


SIZES = [(20, 4, 2, 0), (20, 4, 2, 2), (30, 3, 1, 1), (8, 6, 3, 3), (1, 2, 1, 1)]


@pytest.mark.parametrize("price", [np.inf, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_equals_a_dense_solver(seed: int, price: float) -> None:
    """Bounds and inequalities, hard and at a price; the residuals it states are small."""
    program = Stages(seed, *SIZES[seed], price)
    status, (dx, du, _, _, _, z), report = program.solve()
    xs, us, over = program.reference()
    assert status == SOLVED
    assert report[1:].max() < 1e-6
    assert np.allclose(dx[1:], xs, atol=1e-5)
    assert np.allclose(du, us, atol=1e-5)
    if over.shape[1]:
        assert np.allclose(z[:, -program.k :], over, atol=1e-5)


def test_some_inequalities_are_violated_at_a_price() -> None:
    """Else the test above would say nothing about z."""
    assert Stages(1, *SIZES[1], 5.0).reference()[2].max() > 0.1


def test_residuals_are_those_of_the_optimality_conditions() -> None:
    """The gradient of the Lagrangian by the multipliers that it returns, by plain matrices."""
    p = Stages(3, *SIZES[3])
    _, (dx, du, pi, lam, _, _), report = p.solve()
    rows = [p.sign[:, None] * np.eye(p.m + p.d)[p.index] for _ in range(p.T)]  # of (action, next state)
    G = [np.vstack([r, np.hstack([g[:, p.d :], g[:, : p.d]])]) for r, g in zip(rows, p.G, strict=True)]
    worst = 0.0
    for t in range(p.T):
        v = np.concatenate([dx[t], du[t]])
        grad = p.h[t] + p.H[t] @ v + np.vstack([p.F[t].T, p.B[t].T]) @ pi[t]
        grad[p.d :] += G[t][:, : p.m].T @ lam[t]
        if t:
            worst = max(worst, np.abs(grad[: p.d] - pi[t - 1] + G[t - 1][:, p.m :].T @ lam[t - 1]).max())
        worst = max(worst, np.abs(grad[p.d :]).max())
    assert worst == pytest.approx(report[2], abs=1e-10)
    assert worst < 1e-8


def test_a_warm_start_needs_fewer_iterations() -> None:
    program = Stages(0, *SIZES[0])
    _, point, cold = program.solve()
    _, again, warm = program.solve(1e-6, point[3])
    assert warm[0] < cold[0]
    assert np.allclose(again[1], point[1], atol=1e-6)


def test_a_program_without_minimum_is_said() -> None:
    program = Stages(0, *SIZES[0])
    program.H[3] -= 1e4 * np.eye(6)
    assert program.solve()[0] == INDEFINITE
