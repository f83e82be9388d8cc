"""An interior point method for quadratic programs with dense matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from ...core.arrays import Array
from ._elastic import Elastic
from ._methods import Method, worst
from .program import QPSolution, QuadraticProgram

Mask = NDArray[np.bool_]
REGULAR = (1e-13, 1e-11, 1e-9, 1e-7)
"""Static regularisation of the factors, relative to the diagonal, of which the first that suffices is used; iterative
refinement takes it back."""


class InteriorPoint(Method):
    """Mehrotra's predictor-corrector method, with static regularisation and iterative refinement.

    ::

        min 1/2 x' H x + g' x,    A x = b (multipliers y),    C x + s = h (multipliers l),    s l = mu -> 0

        [H + C' S^-1 L C   A'] [dx]     [r_d + C' S^-1 (L r_i - r_c)]      r_d = H x + g + A' y + C' l
        [A                 0 ] [dy] = - [r_e                        ]      r_e = A x - b,   r_i = C x + s - h
        dl = S^-1 (L (C dx + r_i) - r_c),   ds = -C dx - r_i

    with ``r_c = s l`` for the predictor and ``s l + ds dl - sigma mu`` for the corrector, ``sigma = (mu_aff / mu)^3``.
    The solver has no memory: each solve starts from the beginning.

    Args:
        program: the problem; soft rows get slack variables.
        tolerance: largest residual of a solution.
        iterations: most iterations.

    Source: Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optimization 2 (1992);
    Nocedal and Wright, "Numerical optimization" (2006), algorithm 16.4.

    Example:
        >>> program = QuadraticProgram([[2.0, 0.0], [0.0, 2.0]], [-2.0, -5.0], [[1.0, 1.0]], upper=[1.0])
        >>> InteriorPoint(program).solve().z.round(6).tolist()
        [-0.25, 1.25]
    """

    def __init__(self, program: QuadraticProgram, tolerance: float = 1e-9, iterations: int = 100) -> None:
        super().__init__(program, tolerance)
        self.iterations, self._elastic = iterations, Elastic(program)

    def run(self, theta: Array) -> QPSolution:
        g, e = self.vectors(theta)
        wide, n = self._elastic, len(g)
        lower, upper = self.bounds - e
        equal, up, low = lower == upper, (lower != upper) & np.isfinite(upper), (lower != upper) & np.isfinite(lower)
        C, h = np.concatenate([wide.A[up], -wide.A[low], -wide.slacks]), np.zeros(up.sum() + low.sum() + wide.count)
        h[: up.sum()], h[up.sum() : up.sum() + low.sum()] = upper[up], -lower[low]
        iterate = Iterate(wide.H, np.concatenate([g, wide.weights]), wide.A[equal], upper[equal], C, h)
        best = None
        for k in range(self.iterations):
            lam = iterate.multipliers(equal, up, low)
            found = self.judged(iterate.x[:n], lam, k, g, e, lam, iterate.x[:n])
            better = best is None or worst(found) < worst(best)
            best = found if better or found.certificate is not None else best
            if (found.ok and found.gap <= self.tolerance * (1.0 + abs(found.cost))) or found.certificate is not None:
                return found
            if self.late() or not iterate.advance():
                break
        assert best is not None
        return best


class Iterate:
    """The variables and multipliers of one solve; letters as in `InteriorPoint`."""

    def __init__(self, H: Array, g: Array, A: Array, b: Array, C: Array, h: Array) -> None:
        self.H, self.g, self.A, self.b, self.C, self.h = H, g, A, b, C, h
        self.x, self.y = np.zeros(len(g)), np.zeros(len(b))
        self.s, self.l = np.ones(len(h)), np.ones(len(h))
        self._start()

    def _start(self) -> None:
        """Mehrotra's start: the predictor from s = l = 1, moved into the interior."""
        self._factor()
        dx, dy, ds, dl = self._step(*self._residuals(), self.s * self.l)
        self.x, self.y = self.x + dx, self.y + dy
        self.s, self.l = np.maximum(1.0, np.abs(self.s + ds)), np.maximum(1.0, np.abs(self.l + dl))

    def multipliers(self, equal: Mask, up: Mask, low: Mask) -> Array:
        """The multipliers of the two-sided rows."""
        lam, k = np.zeros(len(equal)), int(up.sum())
        lam[equal] = self.y
        lam[up] += self.l[:k]
        lam[low] -= self.l[k : k + int(low.sum())]
        return lam

    def advance(self) -> bool:
        """A predictor and a corrector step; False where the factors fail or no step is left."""
        try:
            self._factor()
        except np.linalg.LinAlgError:
            return False
        s, l, residuals = self.s, self.l, self._residuals()
        dx, dy, ds, dl = self._step(*residuals, s * l)
        if len(s):
            alpha, mu = min(_longest(s, ds), _longest(l, dl)), s @ l
            sigma = ((s + alpha * ds) @ (l + alpha * dl) / mu) ** 3
            dx, dy, ds, dl = self._step(*residuals, s * l + ds * dl - sigma * mu / len(s))
        alpha = min(1.0, 0.995 * min(_longest(s, ds, np.inf), _longest(l, dl, np.inf)))
        if not (np.isfinite(dx).all() and alpha > 1e-12):
            return False
        self.x, self.y, self.s, self.l = self.x + alpha * dx, self.y + alpha * dy, s + alpha * ds, l + alpha * dl
        return True

    def _residuals(self) -> tuple[Array, Array, Array]:
        dual = self.H @ self.x + self.g + self.A.T @ self.y + self.C.T @ self.l
        return dual, self.A @ self.x - self.b, self.C @ self.x + self.s - self.h

    def _factor(self) -> None:
        """Cholesky factors of ``K = H + C' S^-1 L C`` and of its Schur complement ``A K^-1 A'``, regularised."""
        self._K = self.H + (self.C.T * (self.l / self.s)) @ self.C
        self._outer = _cholesky(self._K)
        self._KA = cho_solve(self._outer, self.A.T, check_finite=False)
        self._inner: Any = _cholesky(self.A @ self._KA) if len(self.A) else None

    def _solve(self, r: Array, q: Array) -> tuple[Array, Array]:
        """``K dx + A' dy = -r, A dx = -q`` by the regularised factors."""
        dx = cho_solve(self._outer, -r, check_finite=False)
        if self._inner is None:
            return dx, np.zeros(0)
        dy = cho_solve(self._inner, self.A @ dx + q, check_finite=False)
        return dx - self._KA @ dy, dy

    def _step(self, rd: Array, re: Array, ri: Array, rc: Array) -> tuple[Array, Array, Array, Array]:
        right = rd + self.C.T @ ((self.l * ri - rc) / self.s)
        dx, dy = self._solve(right, re)
        for _ in range(3):  # iterative refinement
            cx, cy = self._solve(self._K @ dx + self.A.T @ dy + right, self.A @ dx + re)
            dx, dy = dx + cx, dy + cy
        moved = self.C @ dx + ri
        return dx, dy, -moved, (self.l * moved - rc) / self.s


def _cholesky(K: Array) -> Any:
    """The Cholesky factor of K with as little regularisation as it needs."""
    diagonal = np.diag(K)
    for shift in REGULAR:
        try:
            return cho_factor(K + np.diag(shift * (diagonal + np.max(diagonal) * 1e-3 + 1e-3)), check_finite=False)
        except np.linalg.LinAlgError:
            continue
    raise np.linalg.LinAlgError("the matrix is not positive semidefinite")


def _longest(v: Array, d: Array, most: float = 1.0) -> float:
    """The longest step along d, at most `most`, that keeps v non-negative."""
    falling = d < 0.0
    return min(most, float((-v[falling] / d[falling]).min(initial=np.inf)))
