"""A dual active set method for small dense quadratic programs, in compiled code.

Letters: z the variables, y = A z + E theta the rows, lam their multipliers (positive at the upper bound, negative at
the lower), G = A H^-1 A'. The working set holds the rows that are kept at a bound; ``L D L'`` is its block of G.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...models.trace import call, driver
from .._clock import CLOCK
from ._factor import solve_working, subtract
from ._methods import Method
from ._working_set import enter, leave, most_violated, restart, room
from .program import INFEASIBLE, LIMIT, NAN, SOLVED, QPSolution, QuadraticProgram

DEFINITE, PROXIMAL = 1e-7, 1e-5
"""Smallest eigenvalue of a definite H, scaled to a diagonal of ones, and the eps of proximal iterations for others;
relative to the largest."""
NOISE = 1e-13
"""Rounding of rows, relative to the largest where H is semidefinite, which is no violation."""
ROUNDS = 200
"""Most proximal iterations."""


@driver
def dual_active_set(
    y: Any, bounds: Any, G: Any, weight: Any, lam: Any, side: Any, tolerance: float, limit: int, end: Any, memory: Any
) -> Any:
    """Maximise the dual over the multipliers: a status, the number of iterations and the size of the working set.

    ::

        max  lam' y - 1/2 lam' G lam - sum_i lam_i b_i,      0 <= lam_i <= weight_i at the upper bound b_i

    Newton's step within the working set, shortened where a multiplier meets zero or its weight, which then leaves;
    after a full step, the row that is violated most enters.

    Source: Arnström, Bemporad and Axehill, "A dual active-set solver for embedded quadratic programming using recursive
    LDL' updates", IEEE Trans. Automatic Control 67 (2022), algorithm 1; for two-sided rows, and multipliers with upper
    limits. After half of the iterations, the first violated row enters, which cannot cycle for long.

    `end` is the address of the clock and the second by it at which no further iteration begins.
    """
    L, D, s, W = memory
    clock, deadline = end
    count = restart(y, bounds, G, weight, lam, side, L, D, W)
    for iteration in range(limit):
        if deadline < math.inf:
            call(clock, s, s, s, s, s)
            if s[0] > deadline:
                return LIMIT, iteration, count
        for a in range(count):
            i = W[a]
            s[a] = y[i] - bounds[1 if side[i] > 0 else 0, i]
        solve_working(L, D, count, s)
        step, block = 1.0, -1
        for a in range(count):
            r = room(W[a], s[a], lam, side, bounds, weight)
            if r < step:
                step, block = max(r, 0.0), a
        for a in range(count):
            lam[W[a]] += step * s[a]
            subtract(G, W[a], step * s[a], y)
        if block >= 0:
            count = leave(block, lam, side, weight, L, D, W, count)
            continue
        j = most_violated(y, bounds, G, side, tolerance, 2 * iteration > limit)
        if j < 0:
            return SOLVED, iteration + 1, count
        count = enter(j, y, bounds, G, weight, lam, side, L, D, W, s, count)
        if count < 0:
            return INFEASIBLE, iteration + 1, -count
    return LIMIT, limit, count


@driver
def residual(V: Any, A: Any, given: Any, lam: Any, z: Any, w: Any) -> None:
    """``w = (r, y)``, ``r = H z + g + A' lam`` and ``y = A z + e``, from ``V = (H, A')`` and ``given = (g, e)``."""
    n = len(z)
    for i in range(len(w)):
        w[i] = given[i]
    for j in range(n):
        subtract(V, j, -z[j], w)
    for i in range(len(lam)):
        if lam[i] != 0.0:
            subtract(A, i, -lam[i], w[:n])


@driver
def polish(
    N: Any, P: Any, bounds: Any, lam: Any, side: Any, tolerance: float, z: Any, r: Any, y: Any, memory: Any, n: int
) -> bool:
    """One step of iterative refinement within the working set of n rows; False when there is nothing left to refine.

    ::

        z <- z - H^-1 r,    G_WW d = y_W - b_W,    lam_W <- lam_W + d,    z <- z - H^-1 A_W' d
    """
    L, D, s, W = memory
    worst = 0.0
    for i in range(len(z)):
        worst = max(worst, math.fabs(r[i]))
    for a in range(n):
        i = W[a]
        s[a] = y[i] - bounds[1 if side[i] > 0 else 0, i]
        worst = max(worst, math.fabs(s[a]))
    if not worst > 0.1 * tolerance:
        return False
    for j in range(len(z)):
        subtract(N, j, r[j], z)
        for a in range(n):
            s[a] -= P[W[a], j] * r[j]
    solve_working(L, D, n, s)
    for a in range(n):
        lam[W[a]] += s[a]
        subtract(P, W[a], s[a], z)
    return True


@driver
def measure(g: Any, e: Any, bounds: Any, weight: Any, lam: Any, z: Any, r: Any, y: Any, report: Any) -> None:
    """Residuals in the infinity norm, duality gap and cost, of the problem as it was given; see `QPSolution`.

    ::

        gap = z' r + lam' (b - y) + weight' violation,    cost = z' (r + g) / 2 - lam' (y - e) / 2 + weight' violation
    """
    primal, dual, gap, cost = 0.0, 0.0, 0.0, 0.0
    for i in range(len(z)):
        dual = max(dual, math.fabs(r[i]))
        cost += 0.5 * z[i] * (r[i] + g[i])
        gap += z[i] * r[i]
    for i in range(len(lam)):
        out = max(max(y[i] - bounds[1, i], bounds[0, i] - y[i]), 0.0)
        if weight[i] < math.inf:
            gap += weight[i] * out
            cost += weight[i] * out
        else:
            primal = max(primal, out)
        if lam[i] != 0.0:
            b = bounds[1 if lam[i] > 0.0 else 0, i]
            gap += lam[i] * (b - y[i]) if math.fabs(b) < math.inf else 0.0  # a multiplier rounded to the wrong side
            cost -= 0.5 * lam[i] * (y[i] - e[i])
    report[1], report[2], report[3], report[4] = primal, dual, math.fabs(gap), cost


@driver("i8(i8, i8, i8, f8[::1], f8[::1], f8[:,::1], f8[::1], i8[::1], f8[::1], i8[::1], f8[::1], f8[::1], i8, f8)")
def solve(
    n: int, m: int, p: int, data: Any, theta: Any, bounds: Any, lam: Any, side: Any, memory: Any, W: Any, z: Any,
    report: Any, clock: int, deadline: float,
) -> int:  # fmt: skip
    """The solution for the parameters `theta`, from the working set in `side` and the multipliers `lam`.

    Args:
        n, m, p: numbers of variables, rows and parameters.
        data, memory, W: what `ActiveSet` makes.
        theta: parameters (p,).
        bounds: lower and upper (2, m).
        lam, side: multipliers and sides of the last solution (m,), or zeros; they become those of this one.
        z: becomes the solution (n,).
        report: becomes iterations, primal and dual residual, gap, cost, size of the working set.
        clock, deadline: address of the clock, and the second by it at which no further iteration begins.

    A Hessian that is only semidefinite has eps added to its diagonal, and proximal iterations take it back:
    ``z_k+1 = argmin 1/2 z' H z + g' z + eps/2 |z - z_k|^2``.
    """
    k, q, at = n + m, min(n, m) + 1, 0
    V, at = data[at : at + n * k].reshape(n, k), at + n * k
    A, at = data[at : at + m * n].reshape(m, n), at + m * n
    P, at = data[at : at + m * n].reshape(m, n), at + m * n
    N, at = data[at : at + n * n].reshape(n, n), at + n * n
    G, at = data[at : at + m * m].reshape(m, m), at + m * m
    change, at = data[at : at + 2 * p * k].reshape(p, 2 * k), at + 2 * p * k
    fixed, weight, (eps, tolerance, limit, rounds) = data[at : at + 2 * k], data[at + 2 * k :][:m], data[-4:]
    L, D, s = memory[: q * q].reshape(q, q), memory[q * q :][: q - 1], memory[q * q + q :][:q]
    center, w, given = memory[q * q + 2 * q :][:n], memory[q * q + 2 * q + n :][:k], memory[-2 * k :]
    g, e, free, start, r, y = given[:n], given[n:k], given[k : k + n], given[k + n :], w[:n], w[n:]
    work = L, D, s, W
    for i in range(m):
        if not bounds[0, i] <= bounds[1, i]:
            return NAN
    for i in range(2 * k):
        given[i] = fixed[i]
    for j in range(p):
        subtract(change, j, -theta[j], given)
    for i in range(2 * k):
        if not math.fabs(given[i]) < math.inf:
            return NAN
    report[0], status, slack = 0.0, LIMIT, 0.5 * tolerance
    for i in range(n):
        z[i] = center[i]
    for _ in range(int(rounds)):
        for i in range(m):
            y[i] = start[i]
        for i in range(n):
            center[i], z[i] = z[i], free[i]
        if eps > 0.0:
            for i in range(n):
                subtract(N, i, -eps * center[i], z)
            residual(V, A, given, lam, z, w)
            for i in range(m):
                slack = max(slack, NOISE * math.fabs(y[i]))
        status, iterations, count = dual_active_set(
            y, bounds, G, weight, lam, side, slack, int(limit), (clock, deadline), work
        )  # fmt: skip
        report[0], report[5] = report[0] + iterations, count
        if status == INFEASIBLE:
            return status
        for i in range(m):
            if lam[i] != 0.0:
                subtract(P, i, lam[i], z)
        residual(V, A, given, lam, z, w)
        for _ in range(3):
            if not polish(N, P, bounds, lam, side, tolerance, z, r, y, work, count):
                break
            residual(V, A, given, lam, z, w)
        measure(g, e, bounds, weight, lam, z, r, y, report)
        if (
            eps == 0.0
            or (status == LIMIT and deadline < math.inf)
            or (report[1] <= tolerance and report[2] <= tolerance)
        ):
            break
    return status if report[1] <= tolerance and report[2] <= tolerance else LIMIT


class ActiveSet(Method):
    """The dual active set method for one quadratic program; the working set of a solve is where the next begins.

    Everything that does not depend on parameters and bounds is computed once: ``N = H^-1``, ``P = A N``,
    ``G = A N A'``, ``K = -N F`` and ``Y = E + A K``.

    Args:
        program: the problem; its H has to be positive semidefinite.
        tolerance: largest residual of a solution, in the units of the problem.
        iterations: limit of changes of the working set; default ``100 + 10 m``.

    Example:
        >>> program = QuadraticProgram([[2.0, 0.0], [0.0, 2.0]], [-2.0, -5.0], [[1.0, 1.0]], upper=[1.0])
        >>> ActiveSet(program).solve().z.round(3).tolist()
        [-0.25, 1.25]
    """

    def __init__(self, program: QuadraticProgram, tolerance: float = 1e-9, iterations: int | None = None) -> None:
        super().__init__(program, tolerance)
        H, A, F, E = program.H, program.A, program.F, program.E
        n, m = len(H), len(A)
        self._sizes = n, m, F.shape[1]
        size = sizes(H)
        eps = proximal(H, size)
        N = np.linalg.inv((H + eps * np.eye(n)) / size / size[:, None]) / size / size[:, None]
        N = 0.5 * (N + N.T)
        P = A @ N
        limit, rounds = 100 + 10 * m if iterations is None else iterations, ROUNDS if eps else 1
        self._minus = np.concatenate([np.eye(n), np.zeros((m, n)), -N, -P])
        change = np.concatenate([F, E, -N @ F, E - P @ F])
        parts = [np.concatenate([H, A.T], axis=1), A, P, N, P @ A.T, change.T, self._minus @ program.f, program.soft]
        self._data = np.concatenate([*(part.ravel() for part in parts), [eps, tolerance, limit, rounds]])
        self._linear = self._data[len(self._data) - 4 - m - len(self._minus) :][: len(self._minus)]
        q = min(n, m) + 1
        self._memory, self._W = np.zeros(q * q + 2 * q + n + 3 * (n + m)), np.zeros(q, dtype=np.int64)
        self._s, self._center = self._memory[q * q + q :][:q], self._memory[q * q + 2 * q :][:n]
        self._solve = solve.compiled

    def replace(self, f: Array) -> None:
        """Another f."""
        self.f = f
        self._linear[:] = self._minus @ f

    def run(self, theta: Array) -> QPSolution:
        n, m, p = self._sizes
        z, report, status = np.empty(n), np.empty(6), NAN
        if self.warm is None:
            lam, side = np.zeros(m), np.zeros(m, dtype=np.int64)
            self._center[:] = 0.0
        else:
            lam, side = self.warm[0].copy(), self.warm[1].copy()
        if len(theta) == p:
            status = self._solve(
                n,
                m,
                p,
                self._data,
                theta,
                self.bounds,
                lam,
                side,
                self._memory,
                self._W,
                z,
                report,
                CLOCK,
                self.deadline,
            )
            if status == SOLVED or (status == LIMIT and self.late()):
                self.warm = lam, side
            if status == SOLVED:
                return QPSolution(status, z, lam, report)
        g, e = self.vectors(theta)  # which raises what is wrong with the input
        ray, count = np.zeros(m), int(report[5]) if status == INFEASIBLE else 0
        ray[self._W[:count]] = self._s[:count]
        return self.judged(z, lam, int(report[0]), g, e, ray, z - self._center)


def sizes(H: Array) -> Array:
    """Roots of the diagonal of H, by which its variables are scaled; those of almost nothing are not."""
    diagonal = np.diag(H)
    return np.sqrt(np.maximum(diagonal, 1e-12 * (diagonal.max(initial=0.0) or 1e12)))


def proximal(H: Array, size: Array) -> float:
    """The eps that proximal iterations add to the diagonal of H: zero if H is definite, in variables of like size."""
    if not len(H) or (values := np.linalg.eigvalsh(H / size / size[:, None]))[0] > DEFINITE * values[-1]:
        return 0.0
    return PROXIMAL * (np.linalg.eigvalsh(H)[-1] or 1.0)
