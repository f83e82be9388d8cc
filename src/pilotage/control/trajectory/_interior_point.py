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
    """The last point: v, multipliers y of c, iterations, largest ``|c|`` and error of the optimality conditions."""

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
    low, high = program.low, program.high
    edge = 1e-2 * np.minimum(1.0, np.where(np.isfinite(high - low), high - low, 1.0))
    v = np.clip(v, low + edge, high - edge)
    (f, c), (g, J) = program.values(v), program.slopes(v)
    zl, zu = np.isfinite(low) * 1.0, np.isfinite(high) * 1.0
    y = _multipliers(g - zl + zu, J)
    mu, delta, error, blocked = 0.1, 0.0, np.inf, list[tuple[float, float]]()
    for count in range(iterations):
        a, b = v - low, high - v
        scale = max(1.0, np.abs(y).mean() / 100.0, (zl.mean() + zu.mean()) / 100.0)

        def error_at(mu: float, dual: Array, a: Array, b: Array, zl: Array, zu: Array, c: Array, scale: float) -> float:
            gap = max(np.abs(_times(a, zl) - mu * (zl > 0)).max(), np.abs(_times(b, zu) - mu * (zu > 0)).max())
            return max(np.abs(dual).max() / scale, np.abs(c).max(), gap / scale)

        state = g + J.T @ y - zl + zu, a, b, zl, zu, c, scale
        error = error_at(0.0, *state)
        if not np.isfinite(f + error) or error <= tolerance:
            return Point(v, y, count, float(np.abs(c).max()), float(error))
        while error_at(mu, *state) <= 10.0 * mu and mu > 0.1 * tolerance:
            mu = max(0.1 * tolerance, min(0.2 * mu, mu**1.5))
            blocked.clear()
        H, slope = program.hessian(v, y), g - mu / a + mu / b
        bent = zl / a + zu / b
        while True:
            K = sp.bmat([[H + sp.diags(bent + delta), J.T], [J, -1e-10 * sp.eye(len(c))]], format="csc")
            try:
                lu = splu(K)
                step = lu.solve(-np.concatenate([slope + J.T @ y, c]))
            except RuntimeError:  # exactly singular
                lu, step = None, np.full(len(v) + len(c), np.nan)
            dv, dy = step[: len(v)], step[len(v) :]
            curvature = dv @ (H @ dv) + (bent + delta) @ (dv * dv)
            if curvature >= 1e-10 * (dv @ dv) or delta > MOST_REGULAR:
                break
            delta = max(1e-4, 8.0 * delta)
        if lu is None or delta > MOST_REGULAR:
            break
        tau = max(0.99, 1.0 - mu)
        dzl, dzu = mu / a - zl - zl / a * dv, mu / b - zu + zu / b * dv
        longest, dual = (
            min(_longest(a, dv, tau), _longest(b, -dv, tau)),
            min(_longest(zl, dzl, tau), _longest(zu, dzu, tau)),
        )

        search = Search(program, mu, f, c, v, float(slope @ dv))
        alpha, found = longest, None
        for trial in range(HALVINGS):
            found = search.accepted(v + alpha * dv, alpha, blocked)
            if found is None and trial == 0 and search.worse(v + alpha * dv):
                more = lu.solve(-np.concatenate([slope + J.T @ y, alpha * c + program.values(v + alpha * dv)[1]]))
                more = more[: len(v)]
                part = min(_longest(a, more, tau), _longest(b, -more, tau))
                found = search.accepted(v + part * more, alpha, blocked)
            if found is not None:
                break
            alpha *= 0.5
        if found is None:
            blocked.clear()
            delta = max(1e-2, 10.0 * delta)
            if delta > MOST_REGULAR:
                break
            continue
        v, f, c = found
        g, J = program.slopes(v)
        y, zl, zu = y + alpha * dy, zl + dual * dzl, zu + dual * dzu
        a, b = v - low, high - v
        zl = np.where(zl > 0.0, np.clip(zl, mu / a / 1e10, mu / a * 1e10), 0.0)
        zu = np.where(zu > 0.0, np.clip(zu, mu / b / 1e10, mu / b * 1e10), 0.0)
        delta = 0.25 * delta if delta > 1e-5 else 0.0
    return Point(v, y, iterations, float(np.abs(c).max()), float(error))


class Search:
    """The test of steps from a point: its ``|c|``, barrier function and the slope of that along the step."""

    def __init__(self, program: Program, mu: float, f: float, c: Array, v: Array, slope: float) -> None:
        self.program, self.mu, self.slope = program, mu, slope
        self.theta, self.phi = float(np.abs(c).sum()), self._barrier(v, f)

    def _barrier(self, v: Array, f: float) -> float:
        inside = _finite(v - self.program.low), _finite(self.program.high - v)
        return f - self.mu * float(sum(np.log(np.maximum(a, 1e-300)).sum() for a in inside))

    def worse(self, w: Array) -> bool:
        """Whether ``|c|`` is larger at w."""
        return float(np.abs(self.program.values(w)[1]).sum()) >= self.theta

    def accepted(self, w: Array, alpha: float, blocked: list[tuple[float, float]]) -> tuple[Array, float, Array] | None:
        """The point w with f and c, if the filter accepts it; the filter grows where ``|c|`` had to fall."""
        f, c = self.program.values(w)
        theta, phi = float(np.abs(c).sum()), self._barrier(w, f)
        if not np.isfinite(theta + phi) or any(theta >= t and phi >= p for t, p in blocked):
            return None
        rounding = 1e-13 * abs(self.phi)
        if self.slope < 0.0 and alpha * (-self.slope) ** 2.3 > self.theta**1.1 and self.theta < 1e-4 * max(1.0, len(c)):
            return (w, f, c) if phi <= self.phi + 1e-4 * alpha * self.slope + rounding else None
        if theta > (1.0 - 1e-5) * self.theta and phi > self.phi - 1e-5 * self.theta + rounding:
            return None
        blocked.append(((1.0 - 1e-5) * self.theta, self.phi - 1e-5 * self.theta))
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
