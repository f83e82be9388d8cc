"""Sparse nonlinear programs by a primal-dual interior point method with sparse LU factors."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from ...core.arrays import Array

MOST_REGULAR = 1e10
HALVINGS = 25


class Program(Protocol):
    """``min f(v) subject to c(v) = 0, low <= v <= high``; inequalities have slack variables among v."""

    low: Array
    high: Array

    def values(self, v: Array) -> tuple[float, Array]:
        """f and c."""
        ...

    def slopes(self, v: Array) -> tuple[Array, Any]:
        """The gradient of f, and the sparse Jacobian J of c."""
        ...

    def hessian(self, v: Array, y: Array) -> Any:
        """The sparse Hessian of ``f + y' c``."""
        ...


class Point(NamedTuple):
    """The last point: v, multipliers y of c, iterations, largest ``|c|`` and residual of the optimality conditions."""

    v: Array
    y: Array
    iterations: int
    violation: float
    error: float


def minimise(program: Program, v: Array, iterations: int, tolerance: float) -> Point:
    """A local minimum near v, by Newton's method on the conditions of the barrier problem, mu towards 0.

    ::

        [H + zl / a + zu / b + delta I    J'] [dv]     [grad f - mu / a + mu / b + J' y]      a = v - low
        [J                                0 ] [dy] = - [c                              ]      b = high - v

    delta grows until dv sees positive curvature. A step is accepted by a filter of pairs of ``|c|`` and barrier
    function, after one try with a second-order correction. There is no restoration phase: where no step is accepted,
    delta grows and the filter is emptied.

    Source: Waechter and Biegler, "On the implementation of an interior-point filter line-search algorithm", Math.
    Program. 106 (2006), sections 2.1 to 2.4; Chiang and Zavala, "An inertia-free filter line-search algorithm", Comput.
    Optim. Appl. 64 (2016), for delta.
    """
    at, spent = Iterate(program, v), 0
    while spent < iterations and np.isfinite(at.f) and at.error(0.0) > tolerance:
        at.lower(tolerance)
        lu = at.newton()
        if lu is None or not at.search(lu):
            break
        spent += 1
    return Point(at.v, at.y, spent, float(np.abs(at.c).max()), at.error(0.0))


class Iterate:
    """An iterate of `minimise`: v with f, c, their slopes, and multipliers y of c, zl and zu of the bounds."""

    def __init__(self, program: Program, v: Array) -> None:
        self.program, low, high = program, program.low, program.high
        edge = 1e-2 * np.minimum(1.0, np.where(np.isfinite(high - low), high - low, 1.0))
        self.zl, self.zu = np.isfinite(low) * 1.0, np.isfinite(high) * 1.0
        self.mu, self.delta, self.filter = 0.1, 0.0, list[tuple[float, float]]()
        v = np.clip(v, low + edge, high - edge)
        self._put(v, *program.values(v))
        self.y = _multipliers(self.g - self.zl + self.zu, self.J)

    def _put(self, v: Array, f: float, c: Array) -> None:
        self.v, self.f, self.c, (self.g, self.J) = v, f, c, self.program.slopes(v)
        self.a, self.b = v - self.program.low, self.program.high - v

    def error(self, mu: float) -> float:
        """The largest residual of the optimality conditions of the barrier problem."""
        scale = max(1.0, np.abs(self.y).mean() / 100.0, (self.zl.mean() + self.zu.mean()) / 100.0)
        gaps = (np.abs(_times(room, z) - mu * (z > 0)).max() for room, z in ((self.a, self.zl), (self.b, self.zu)))
        dual = np.abs(self.g + self.J.T @ self.y - self.zl + self.zu).max()
        return float(max(dual / scale, np.abs(self.c).max(), max(gaps) / scale))

    def lower(self, tolerance: float) -> None:
        """Lower mu, when the barrier problem is solved to ten times mu."""
        while self.error(self.mu) <= 10.0 * self.mu and self.mu > 0.1 * tolerance:
            self.mu = max(0.1 * tolerance, min(0.2 * self.mu, self.mu**1.5))
            self.filter.clear()

    @property
    def slope(self) -> Array:
        """The gradient of the barrier function."""
        return self.g - self.mu / self.a + self.mu / self.b

    def newton(self) -> Any:
        """The factors of the matrix of Newton's step, which becomes dv and dy; None where there are none."""
        H, n, k = self.program.hessian(self.v, self.y), len(self.v), len(self.c)
        bent = self.zl / self.a + self.zu / self.b
        while self.delta <= MOST_REGULAR:
            K = sp.bmat([[H + sp.diags(bent + self.delta), self.J.T], [self.J, -1e-10 * sp.eye(k)]], format="csc")
            try:
                lu = splu(K)
            except RuntimeError:  # exactly singular
                lu = None
            if lu is not None:
                step = lu.solve(-np.concatenate([self.slope + self.J.T @ self.y, self.c]))
                self.dv, self.dy = step[:n], step[n:]
                curvature = self.dv @ (H @ self.dv) + (bent + self.delta) @ (self.dv * self.dv)
                if curvature >= 1e-10 * (self.dv @ self.dv):
                    return lu
            self.delta = max(1e-4, 8.0 * self.delta)
        return None

    def search(self, lu: Any) -> bool:
        """Move along dv, or raise delta where no step is accepted; False when that cannot help any more."""
        tau, mu, dv = max(0.99, 1.0 - self.mu), self.mu, self.dv
        alpha, down = self._longest(dv), float(self.slope @ dv)
        found = None
        for trial in range(HALVINGS):
            w = self.v + alpha * dv
            values = self.program.values(w)
            found = self._accepted(w, *values, alpha, down)
            if found is None and trial == 0 and np.abs(values[1]).sum() >= np.abs(self.c).sum():
                rhs = np.concatenate([self.slope + self.J.T @ self.y, alpha * self.c + values[1]])
                more = lu.solve(-rhs)[: len(dv)]
                w = self.v + self._longest(more) * more
                found = self._accepted(w, *self.program.values(w), alpha, down)
            if found is not None:
                break
            alpha *= 0.5
        if found is None:
            self.filter.clear()
            self.delta = max(1e-2, 10.0 * self.delta)
            return self.delta <= MOST_REGULAR
        dzl = mu / self.a - self.zl - self.zl / self.a * dv
        dzu = mu / self.b - self.zu + self.zu / self.b * dv
        dual = min(_longest(self.zl, dzl, tau), _longest(self.zu, dzu, tau))
        self._put(*found)
        self.y = self.y + alpha * self.dy
        self.zl, self.zu = (
            np.where(z > 0.0, np.clip(z + dual * dz, mu / room / 1e10, mu / room * 1e10), 0.0)
            for z, dz, room in ((self.zl, dzl, self.a), (self.zu, dzu, self.b))
        )
        self.delta = 0.25 * self.delta if self.delta > 1e-5 else 0.0
        return True

    def _longest(self, dv: Array) -> float:
        tau = max(0.99, 1.0 - self.mu)
        return min(_longest(self.a, dv, tau), _longest(self.b, -dv, tau))

    def _barrier(self, v: Array, f: float) -> float:
        inside = _finite(v - self.program.low), _finite(self.program.high - v)
        return f - self.mu * float(sum(np.log(np.maximum(a, 1e-300)).sum() for a in inside))

    def _accepted(self, w: Array, f: float, c: Array, alpha: float, down: float) -> tuple[Array, float, Array] | None:
        """The point w with f and c, if the filter accepts it; the filter grows where ``|c|`` had to fall."""
        before, now = float(np.abs(self.c).sum()), float(np.abs(c).sum())
        phi, new = self._barrier(self.v, self.f), self._barrier(w, f)
        if not np.isfinite(now + new) or any(now >= t and new >= p for t, p in self.filter):
            return None
        rounding = 1e-13 * abs(phi)
        if down < 0.0 and alpha * (-down) ** 2.3 > before**1.1 and before < 1e-4 * max(1.0, len(c)):
            return (w, f, c) if new <= phi + 1e-4 * alpha * down + rounding else None
        if now > (1.0 - 1e-5) * before and new > phi - 1e-5 * before + rounding:
            return None
        self.filter.append(((1.0 - 1e-5) * before, phi - 1e-5 * before))
        return w, f, c


def _finite(a: Array) -> Array:
    """The entries that have a bound."""
    return a[np.isfinite(a)]


def _multipliers(g: Array, J: Any) -> Array:
    """The multipliers with the least ``|g + J' y|``, or 0 where they are large."""
    n, k = len(g), J.shape[0]
    if not np.isfinite(g.sum() + J.data.sum()):
        return np.zeros(k)
    K = sp.bmat([[sp.eye(n), J.T], [J, -1e-8 * sp.eye(k)]], format="csc")
    y = splu(K).solve(-np.concatenate([g, np.zeros(k)]))[n:]
    return y if np.abs(y).max(initial=0.0) < 1e3 else np.zeros(k)


def _times(room: Array, z: Array) -> Array:
    """``room z``, 0 where there is no bound."""
    return np.where(z > 0.0, room, 0.0) * z


def _longest(a: Array, da: Array, tau: float) -> float:
    """The longest step, at most 1, that leaves ``a + step da >= (1 - tau) a``."""
    falling = da < 0.0
    return float(min(1.0, (tau * a[falling] / -da[falling]).min(initial=1.0)))
