"""Quadratic programs of linear predictive control, at one residual of the given problem for every side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import Figures, table
from benchmarks.harness import Contest, row

Array = NDArray[np.float64]
RESIDUAL = 1e-6
EPISODES, TICKS, STEPS = 6, 15, 10
NOTE = (
    "quadcopter of OSQP's documentation, N = 10, warm closed loops, residuals 1e-6 asserted; a tick from x to the plan"
)


def quadcopter() -> tuple[Array, Array]:
    """The linear quadcopter of OSQP's documentation: 12 states, 4 actions, 0.1 s a step."""
    F, B = np.eye(12), np.zeros((12, 4))
    F[[0, 1, 2], [6, 7, 8]] = 0.1
    F[3, [0, 6, 9]] = F[4, [1, 7, 10]] = 0.0488, 0.0016, 0.0992
    F[4, [1, 7]] *= -1.0
    F[5, 11] = 0.0992
    F[9, [0, 6, 9]] = F[10, [1, 7, 10]] = 0.9734, 0.0488, 0.9846
    F[10, [1, 7]] *= -1.0
    F[11, 11] = 0.9846
    side, ahead = np.array([0.0, -1.0, 0.0, 1.0]), np.array([-1.0, 0.0, 1.0, 0.0])
    for i, size in ((0, 0.0726), (3, 0.0006), (6, 1.4512), (9, 0.0236)):
        B[i] = size * side
    for i, size in ((1, 0.0726), (4, -0.0006), (7, 1.4512), (10, -0.0236)):
        B[i] = size * ahead
    B[2], B[8] = 0.0152 * np.array([-1, 1, -1, 1]), 0.3049 * np.array([-1, 1, -1, 1])
    B[5], B[11] = 0.0106, 0.2107
    return F, B


def weights() -> tuple[Array, Array]:
    return np.diag([0, 0, 10, 10, 10, 10, 0, 0, 0, 5, 5, 5.0]), 0.1 * np.eye(4)


def limits() -> tuple[Array, Array, Array, Array]:
    """Lowest and highest action and state."""
    low, high = np.full(12, -np.inf), np.full(12, np.inf)
    low[:2], high[:2], low[5] = -np.pi / 6, np.pi / 6, -1.0
    return np.full(4, 9.6 - 10.5916), np.full(4, 13 - 10.5916), low, high


GOAL = np.array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0.0])
"""The third state is to be 1 [m in the documentation's order]."""


def stacked(F: Array, B: Array, steps: int) -> tuple[Array, Array]:
    """S and G of the states of steps 1 to N, ``X = S x + G U``."""
    (n, m), powers = B.shape, [np.eye(len(F))]
    for _ in range(steps):
        powers.append(F @ powers[-1])
    G = np.zeros((steps, n, steps, m))
    for k in range(steps):
        for i in range(k + 1):
            G[k, :, i] = powers[k - i] @ B
    return np.concatenate(powers[1:]), G.reshape(steps * n, steps * m)


def program() -> Any:
    """The condensed program, whose parameters are the state: half of the usual cost, as libraries write it."""
    from pilotage.control import QuadraticProgram

    (F, B), (Q, R), (ulow, uhigh, low, high) = quadcopter(), weights(), limits()
    S, G = stacked(F, B, STEPS)
    W = np.kron(np.eye(STEPS), Q)
    bounded = np.tile(np.isfinite(low) | np.isfinite(high), STEPS)
    return QuadraticProgram(
        G.T @ W @ G + np.kron(np.eye(STEPS), R),
        -G.T @ W @ np.tile(GOAL, STEPS),
        np.concatenate([np.eye(4 * STEPS), G[bounded]]),
        np.concatenate([np.tile(ulow, STEPS), np.tile(low, STEPS)[bounded]]),
        np.concatenate([np.tile(uhigh, STEPS), np.tile(high, STEPS)[bounded]]),
        F=G.T @ W @ S,
        E=np.concatenate([np.zeros((4 * STEPS, 12)), S[bounded]]),
    )


def states() -> list[Array]:
    """The states of closed loops from some starts, with the exact solution at every tick."""
    rng, (F, B) = np.random.default_rng(0), quadcopter()
    solver, found = program().solver("active_set"), list[Array]()
    for episode in range(EPISODES):
        x = np.zeros(12) if episode == 0 else rng.normal(size=12) * np.repeat([0.1, 0.5, 0.1, 0.1], 3)
        for _ in range(TICKS):
            solution = solver.solve(x)
            assert solution.ok, solution.reason
            found.append(x)
            x = F @ x + B @ solution.z[:4]
    return found


def asserted(z: Array, lam: Array, x: Array, p: Any, limit: float = RESIDUAL) -> float:
    """The larger of primal and dual residual in the condensed program, in the infinity norm, not scaled."""
    y = p.A @ z + p.E @ x
    primal = float(np.maximum(y - p.upper, p.lower - y).max(initial=0.0))
    dual = float(np.abs(p.H @ z + p.f + p.F @ x + p.A.T @ lam).max())
    assert max(primal, dual) <= limit, f"residuals {primal:.1e} and {dual:.1e}"
    return max(primal, dual)


Side = Callable[[Array], tuple[Array, Array]]
"""From a state to the actions ``(T m,)`` of the plan, and the multipliers of the condensed rows."""


def pilotage() -> Side:
    solver = program().solver("active_set", RESIDUAL)

    def tick(x: Array) -> tuple[Array, Array]:
        found = solver.solve(x)
        return found.z, found.multipliers

    return tick


def daqp() -> Side:
    """Condensed and warm; actions are simple bounds, linear terms and bounds are updated."""
    import daqp as library  # pyright: ignore[reportMissingImports]

    p, model, n = program(), library.Model(), 4 * STEPS
    upper, lower = np.clip(p.upper, None, 1e30), np.clip(p.lower, -1e30, None)
    model.setup(p.H.copy(), p.f.copy(), p.A[n:].copy(), upper, lower, np.zeros(len(upper), dtype=np.int32))
    F, E, f = p.F.copy(), p.E[n:].copy(), p.f.copy()
    up, low, high_rows, low_rows = upper.copy(), lower.copy(), upper[n:].copy(), lower[n:].copy()

    def tick(x: Array) -> tuple[Array, Array]:
        e = E @ x
        np.subtract(high_rows, e, out=up[n:])
        np.subtract(low_rows, e, out=low[n:])
        model.update(f=f + F @ x, bupper=up, blower=low)
        z, _, _, info = model.solve()
        return z, info["lam"]

    return tick


def piqp() -> Side:
    """Its dense solver on the condensed program; only vectors are updated."""
    import piqp as library  # pyright: ignore[reportMissingImports]

    p, n = program(), 4 * STEPS
    solver = library.DenseSolver()
    s = solver.settings
    s.eps_abs, s.eps_rel, s.eps_duality_gap_abs, s.eps_duality_gap_rel = 0.5 * RESIDUAL, 0.0, 1e-4, 0.0
    upper, lower = np.clip(p.upper, None, 1e30), np.clip(p.lower, -1e30, None)
    solver.setup(
        np.asfortranarray(p.H), p.f, G=np.asfortranarray(p.A[n:]), h_l=lower[n:], h_u=upper[n:], x_l=lower[:n],
        x_u=upper[:n],
    )  # fmt: skip
    F, E, f = p.F.copy(), p.E[n:].copy(), p.f.copy()

    def tick(x: Array) -> tuple[Array, Array]:
        e = E @ x
        solver.update(c=f + F @ x, h_l=lower[n:] - e, h_u=upper[n:] - e)
        solver.solve()
        found = solver.result
        return found.x, np.concatenate([found.z_bu - found.z_bl, found.z_u - found.z_l])

    return tick


def piqp_multistage() -> Side:
    """Its solver for stages, on the sparse program in (u_0, x_1, u_1, ...); only vectors are updated."""
    import piqp as library  # pyright: ignore[reportMissingImports]
    from scipy import sparse

    (F, B), (Q, R), (ulow, uhigh, low, high) = quadcopter(), weights(), limits()
    hold = np.concatenate([-B, np.eye(12)], axis=1)
    A = np.kron(np.eye(STEPS), hold)
    for k in range(1, STEPS):
        A[12 * k : 12 * k + 12, 16 * k - 12 : 16 * k] = -F
    solver = library.SparseSolver()
    s = solver.settings
    s.eps_abs, s.eps_rel, s.eps_duality_gap_abs, s.eps_duality_gap_rel = 0.02 * RESIDUAL, 0.0, 1e-4, 0.0
    s.kkt_solver = library.KKTSolver.sparse_multistage
    bounds = [np.clip(np.tile(np.r_[u, x], STEPS), -1e30, 1e30) for u, x in ((ulow, low), (uhigh, high))]
    P = sparse.csc_matrix(np.kron(np.eye(STEPS), np.block([[R, np.zeros((4, 12))], [np.zeros((12, 4)), Q]])))
    b = np.zeros(12 * STEPS)
    c = np.tile(np.r_[np.zeros(4), -Q @ GOAL], STEPS)
    solver.setup(P, c, sparse.csc_matrix(A), b, x_l=bounds[0], x_u=bounds[1])
    places = np.arange(16 * STEPS).reshape(STEPS, 16)
    actions, rows = places[:, :4].ravel(), places[:, 4:][:, np.isfinite(low) | np.isfinite(high)].ravel()

    def tick(x: Array) -> tuple[Array, Array]:
        b[:12] = F @ x
        solver.update(b=b)
        solver.solve()
        found = solver.result
        lam = found.z_bu - found.z_bl
        return found.x[actions], np.concatenate([lam[actions], lam[rows]])

    return tick


def clarabel_condensed() -> Side:
    """Condensed, with updates of the linear term and the bounds."""
    import clarabel  # pyright: ignore[reportMissingImports]
    from scipy import sparse

    library: Any = clarabel

    p = program()
    up, low = np.isfinite(p.upper), np.isfinite(p.lower)
    A = sparse.csc_matrix(np.concatenate([p.A[up], -p.A[low]]))
    b, E = np.concatenate([p.upper[up], -p.lower[low]]), np.concatenate([p.E[up], -p.E[low]])
    settings = library.DefaultSettings()
    settings.verbose, settings.max_threads, settings.presolve_enable = False, 1, False
    settings.tol_feas, settings.tol_gap_abs, settings.tol_gap_rel = 0.01 * RESIDUAL, 1e-6, 1e-6
    cones = [library.NonnegativeConeT(len(b))]
    solver = library.DefaultSolver(sparse.triu(p.H, format="csc"), p.f.copy(), A, b, cones, settings)
    F, f, ups = p.F.copy(), p.f.copy(), int(up.sum())

    def tick(x: Array) -> tuple[Array, Array]:
        solver.update(q=f + F @ x, b=b - E @ x)
        found = solver.solve()
        z, lam = np.asarray(found.z), np.zeros(len(p.A))
        lam[up] += z[:ups]
        lam[low] -= z[ups:]
        return np.asarray(found.x), lam

    return tick


def contest(peer: Callable[[], Side]) -> Contest:
    """All ticks of the closed loops, on both sides."""
    xs, p, ours, theirs = states(), program(), pilotage(), peer()

    def check() -> str:
        mine, other = (max(asserted(*side(x), x, p) for x in xs) for side in (ours, theirs))
        return f"residuals {mine:.0e} against {other:.0e}"

    def ran(side: Side) -> Callable[[], None]:
        def loop() -> None:
            for x in xs:
                side(x)

        return loop

    return Contest(ran(ours), ran(theirs), check, work=len(xs))


@row("qp_quadrotor", peer="DAQP", bar=1.5, needs=["daqp"], note=f"{NOTE}; condensed on both sides")
def qp_quadrotor(quick: bool) -> Contest:
    return contest(daqp)


@row(
    "qp_quadrotor_piqp", peer="PIQP", bar=1.5, needs=["piqp"], note=f"{NOTE}; the faster of its dense and stage solver"
)
def qp_quadrotor_piqp(quick: bool) -> Contest:
    xs, sides = states(), {make: make() for make in (piqp, piqp_multistage)}
    spent = {make: min(_seconds(side, xs) for _ in range(5)) for make, side in sides.items()}
    return contest(min(spent, key=lambda make: spent[make]))


@row("qp_quadrotor_clarabel", peer="Clarabel", bar=1.5, needs=["clarabel"], note=f"{NOTE}; updated in place")
def qp_quadrotor_clarabel(quick: bool) -> Contest:
    return contest(clarabel_condensed)


def _seconds(side: Side, xs: list[Array]) -> float:
    begun = time.perf_counter()
    for x in xs:
        side(x)
    return time.perf_counter() - begun


def walking() -> Iterator[Any]:
    """A humanoid as a linear inverted pendulum: jerk of the centre of mass, the pressure point under each foot."""
    from pilotage.control import QuadraticProgram
    from pilotage.models import LinearDynamics

    chain = LinearDynamics([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [[0], [0], [1]])
    F, B = chain.linearize(np.zeros(3), np.zeros(1), 0.1)
    S, G = stacked(F, B, 16)
    pressure = np.kron(np.eye(16), [[1.0, 0.0, -0.84 / 9.81]])
    end = np.zeros((48, 48))
    end[-3:, -3:] = np.eye(3)
    for start in range(8):
        foot = np.where((np.arange(16) + start) // 8 % 2, -0.09, 0.09)
        single = (np.arange(16) + start) % 8 != 0
        width = np.where(single, 0.0325, 100.0)
        goal = np.r_[np.zeros(45), foot[-1], 0.0, 0.0]
        x = np.array([0.0, 0.15 * (-1.0) ** (start > 7), -1.05])
        A, e = pressure @ G, pressure @ S @ x
        H = G.T @ end @ G + 1e-3 * np.eye(16)
        yield QuadraticProgram(H, G.T @ end @ (S @ x - goal), A, foot - width - e, foot + width - e)


def balancing() -> Iterator[Any]:
    """A wheeled inverted pendulum, 50 steps of 20 ms: acceleration of the wheels, bounded."""
    from pilotage.control import QuadraticProgram
    from pilotage.models import LinearDynamics

    w2 = 9.81 / 0.58
    A = np.zeros((4, 4))
    A[0, 2] = A[1, 3] = 1.0
    A[3, 1] = w2
    F, B = LinearDynamics(A, [[0], [0], [1], [-w2 / 9.81]]).linearize(np.zeros(4), np.zeros(1), 0.02)
    S, G = stacked(F, B, 50)
    W = np.eye(200)
    W[-4:, -4:] *= 10.0
    for k in range(8):
        v = 0.5 + np.cos(0.1 * k)
        goal = np.stack([v * 0.02 * np.arange(1, 51), *np.zeros((1, 50)), np.full(50, v), np.zeros(50)], -1).ravel()
        x = np.array([0.0, 0.02 * k, 0.1 * k, -0.3])
        H = G.T @ W @ G + 1e-3 * np.eye(50)
        yield QuadraticProgram(H, G.T @ W @ (S @ x - goal), np.eye(50), np.full(50, -10.0), np.full(50, 10.0))


def trotting() -> Iterator[Any]:
    """A quadruped by its centroidal model, 10 steps of 50 ms: forces of four feet in pyramids of friction."""
    from pilotage.control import QuadraticProgram

    dt, mass, inertia, steps = 0.05, 12.0, np.diag([0.1, 0.25, 0.3]), 10
    feet = np.array([[x, y, -0.3] for x in (0.2, -0.2) for y in (0.15, -0.15)])
    F, B = np.eye(12), np.zeros((12, 12))
    F[:6, 6:] = dt * np.eye(6)
    for i, (x, y, z) in enumerate(feet):
        turn = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        B[6:9, 3 * i : 3 * i + 3], B[9:, 3 * i : 3 * i + 3] = dt / mass * np.eye(3), dt * np.linalg.inv(inertia) @ turn
    drop = np.zeros(12)
    drop[8] = -9.81 * dt
    S, G = stacked(F, B, steps)
    fall = np.concatenate(
        [sum((np.linalg.matrix_power(F, i) @ drop for i in range(k + 1)), 0.0 * drop) for k in range(steps)]
    )
    W = np.kron(np.eye(steps), np.diag([1, 1, 50, 25, 25, 10, 1, 1, 1, 0.3, 0.3, 0.1]))
    cone = np.array([[1, 0, 0.6], [1, 0, -0.6], [0, 1, 0.6], [0, 1, -0.6], [0, 0, 1.0]])
    A = np.kron(np.eye(4 * steps), cone)
    inf = np.inf
    for k in range(8):
        stance = np.tile([1, 0, 0, 1] if k % 2 else [0, 1, 1, 0], (steps, 1))
        stance[steps // 2 :] = 1 - stance[steps // 2 :]
        on = (np.ones_like(stance) if k == 0 else stance).ravel()[:, None]
        low, high = on * np.array([0, -200, 0, -200, 0.0]), on * np.array([200, 0, 200, 0, 150.0])
        low[on[:, 0] == 1, 1:4:2], high[on[:, 0] == 1, 0:3:2] = -inf, inf
        x = np.zeros(12)
        x[3:5], x[6] = 0.02 * k, 0.1 * k
        free = S @ x + fall
        yield QuadraticProgram(G.T @ W @ G + 1e-6 * np.eye(12 * steps), G.T @ W @ free, A, low.ravel(), high.ravel())


def flying() -> Iterator[Any]:
    """The quadcopter of `qp_quadrotor`."""
    from pilotage.control import QuadraticProgram

    p = program()
    for x in states()[::12]:
        e = p.E @ x
        yield QuadraticProgram(p.H, p.f + p.F @ x, p.A, p.lower - e, p.upper - e)


METHODS = {"Pilotage": "auto", "DAQP": "daqp", "Clarabel": "clarabel", "PIQP": "piqp"}


@table(
    "qp_suite",
    needs=["daqp", "clarabel", "piqp"],
    note="the kinds of mpc_qpbenchmark, made by our models; cold, with set-up, each through `QuadraticProgram.solve`",
)
def qp_suite(quick: bool) -> Figures:
    """How many problems each side solves at residuals 1e-6 and 1e-9, and its mean time at 1e-6."""
    lines, all_solved = [], True
    for kind in (walking, balancing, trotting, flying):
        problems = list(kind())
        for name, method in METHODS.items():
            solved = {limit: sum(_solved(p, method, limit) for p in problems) for limit in (1e-6, 1e-9)}
            best = min(_mean(problems, method) for _ in range(1 if quick else 5))
            size = f"{len(problems[0].f)} x {len(problems[0].A)}"
            lines.append([kind.__name__, size, name, *(f"{s}/{len(problems)}" for s in solved.values()), best * 1e3])
            all_solved &= name != "Pilotage" or solved[1e-6] == len(problems)
    return Figures(["kind", "size", "solver", "1e-6", "1e-9", "ms"], lines, [("all solved at 1e-6", all_solved)])


def _solved(p: Any, method: str, limit: float) -> bool:
    found = p.solve(method=method, tolerance=limit)
    return bool(found.primal_residual <= limit and found.dual_residual <= limit)


def _mean(problems: list[Any], method: str) -> float:
    begun = time.perf_counter()
    for p in problems:
        p.solve(method=method, tolerance=RESIDUAL)
    return (time.perf_counter() - begun) / len(problems)
