"""The nonlinear program of direct collocation: a mesh, the points of the states and actions on it, their conditions."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import scipy.sparse as sp

from ...core.arrays import Array
from ...models.trace import ParameterMemory, call, code_of, driver
from ...models.trace.dynamics import TracedDynamics

SMALL = 2.0**-10
"""Seconds of an Euler step that gives the rates: short, so that no angle wraps."""
GAUSS = 0.5 - np.sqrt(1.0 / 12.0)


@driver("void(i8, f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1])")
def each(address: int, xs: Any, us: Any, cs: Any, p: Any, out: Any) -> None:
    """Results of a model's machine code for each row of its inputs."""
    for i in range(xs.shape[0]):
        call(address, xs[i], us[i], cs[i], p, out[i])


class Evaluated:
    """Results of a traced model at many points, by its machine code."""

    def __init__(self, model: Any, dt: float | None = None) -> None:
        self._model, self._memory, self._run = model, ParameterMemory(model, dt), each.compiled
        self._codes: dict[str, Any] = {}

    def __call__(self, results: str, xs: Array, us: Array, cs: Array) -> list[Array]:
        """One array ``(P, ...)`` for each of the results."""
        if results not in self._codes:
            self._codes[results] = code_of(self._model, results)
        code = self._codes[results]
        out = np.empty((len(xs), code.size))
        self._memory.refresh()
        self._run(code.address, np.ascontiguousarray(xs), np.ascontiguousarray(us), cs, self._memory.vector, out)
        first = code.offsets
        return [out[:, first[r] : first[r] + int(np.prod(s))].reshape(len(xs), *s) for r, s in code.shapes.items()]


class Transcription:
    """The nonlinear program of a mesh; see `DirectCollocation`. Its variables: points (x, u), slacks of g, duration.

    ::

        points      the nodes, and with Hermite and Simpson the middles of the intervals
        A x - T W f(x, u) = 0,    q: weights of the quadrature         constant matrices of the mesh and the method
    """

    def __init__(
        self, dynamics: TracedDynamics, task: Any, method: str, mesh: Array, x0: Array, goal: Array,
        duration: tuple[float, float],
    ) -> None:  # fmt: skip
        self.mesh, self.duration, self.free = mesh, duration, duration[0] < duration[1]
        self.state, self.d, self.m = dynamics.state, dynamics.state.size, dynamics.action.size
        self.rates, self.costs, self.dt = Evaluated(dynamics._with(rule="euler")), Evaluated(task), task.dt
        self.taus, self.A, self.W, self.q = MATRICES[method](mesh)
        P, d, m = len(self.taus), self.d, self.m
        self.P, self.k = P, task.constraints
        self.x0, self.goal = x0, goal
        wanted = np.flatnonzero(np.isfinite(goal))
        ends = sp.lil_matrix((d + len(wanted), P * (d + m)))
        for row, column in enumerate([*range(d), *((P - 1) * (d + m) + wanted)]):
            ends[row, column] = 1.0
        self.ends: Any = ends.tocsr()
        self.fixed = np.concatenate([x0, goal[wanted]])
        self.linear = sp.kron(self.A, sp.eye(d, d + m)).tocsr()
        self.weights: Any = sp.kron(self.W, sp.eye(d)).tocsr()
        low = np.tile(np.concatenate([dynamics.state.low, dynamics.action.low]), (P, 1))
        high = np.tile(np.concatenate([dynamics.state.high, dynamics.action.high]), (P, 1))
        turns = np.abs(np.diag(self.state.minus(x0 + 2.0 * np.pi * np.eye(d), x0))) < 1.0  # angles, which have no ends
        low[:, :d][:, turns], high[:, :d][:, turns] = -np.inf, np.inf
        low[0, :d], high[0, :d] = -np.inf, np.inf
        last, extra = int(self.free), self.k * (P - 1)
        self.low = np.concatenate([low.ravel(), np.zeros(extra), [duration[0]] * last])
        self.high = np.concatenate([high.ravel(), np.full(extra, np.inf), [duration[1]] * last])
        i, j = np.meshgrid(np.arange(d + m), np.arange(d + m), indexing="ij")
        self._block = (
            (i.ravel() + (d + m) * np.arange(P)[:, None]).ravel(),
            (j.ravel() + (d + m) * np.arange(P)[:, None]).ravel(),
        )

    def split(self, v: Array) -> tuple[Array, Array, Array, float]:
        """States, actions, slacks and duration."""
        n = self.P * (self.d + self.m)
        points = v[:n].reshape(self.P, -1)
        slacks = v[n : n + self.k * (self.P - 1)].reshape(self.P - 1, self.k)
        return points[:, : self.d], points[:, self.d :], slacks, float(v[-1]) if self.free else self.duration[0]

    def joined(self, xs: Array, us: Array, T: float) -> Array:
        """Variables with slacks that keep the constraint where it is kept."""
        g = self._costs("g", xs[1:], us[1:])[0] if self.k else np.zeros((self.P - 1, 0))
        return np.concatenate([np.hstack([xs, us]).ravel(), np.maximum(-g, 0.1).ravel(), [T] * int(self.free)])

    def f(self, xs: Array, us: Array) -> Array:
        """Rates ``(P, d)``."""
        y = self.rates("y", xs, us, np.full((len(xs), 1), SMALL))[0]
        return self.state.minus(y, xs) / SMALL

    def _costs(self, results: str, xs: Array, us: Array, weights: Array | None = None) -> list[Array]:
        return self.costs(results, xs, us, np.zeros((len(xs), 0)) if weights is None else weights)

    def values(self, v: Array) -> tuple[float, Array]:
        xs, us, slacks, T = self.split(v)
        cost = T / self.dt * self.q @ self._costs("l", xs, us)[0]
        cost += self._costs("T", xs[-1:], us[-1:])[0][0]
        parts = [self.A @ xs - T * (self.W @ self.f(xs, us)), self.ends @ v[: self.ends.shape[1]] - self.fixed]
        if self.k:
            parts.append(self._costs("g", xs[1:], us[1:])[0] + slacks)
        return float(cost), np.concatenate([p.ravel() for p in parts])

    def slopes(self, v: Array) -> tuple[Array, Any]:
        xs, us, _, T = self.split(v)
        P, d, m, k = self.P, self.d, self.m, self.k
        F, B = self.rates("F B", xs, us, np.ones((P, 1)))
        D = _diagonal(np.concatenate([F - np.eye(d), B], 2))
        J = self.linear - T * self.weights @ D
        l, lx, lu = self._costs("l lx lu", xs, us)
        grad = T / self.dt * self.q[:, None] * np.hstack([lx, lu])
        grad[-1, :d] += self._costs("Tx", xs[-1:], us[-1:])[0][0]
        slack, column, by_T = np.zeros(k * (P - 1)), list[Any](), list[float]()
        if self.free:
            column, by_T = [sp.csr_matrix(-(self.W @ self.f(xs, us)).reshape(-1, 1))], [self.q @ l / self.dt]
        rows: list[list[Any]] = [[J, None, *column], [self.ends, None, *[None for _ in column]]]
        if k:
            gx, gu = self._costs("gx gu", xs[1:], us[1:])
            G = sp.hstack([sp.csr_matrix((k * (P - 1), d + m)), _diagonal(np.concatenate([gx, gu], 2))])
            rows.append([G, sp.eye(k * (P - 1)), *[None for _ in column]])
        else:
            rows = [[row[0], *row[2:]] for row in rows]
        return np.concatenate([grad.ravel(), slack, by_T]), sp.bmat(rows, format="csr")

    def hessian(self, v: Array, y: Array) -> Any:
        xs, us, _, T = self.split(v)
        P, d, m, k = self.P, self.d, self.m, self.k
        held, n = self.weights.T @ y[: self.weights.shape[0]], P * (d + m)
        H = np.zeros((P, d + m, d + m))

        def add(parts: list[Array], scale: Any = 1.0, first: int = 0) -> None:
            xx, xu, uu = parts
            H[first:, :d, :d] += scale * xx
            H[first:, :d, d:] += scale * xu
            H[first:, d:, :d] += scale * xu.transpose(0, 2, 1)
            H[first:, d:, d:] += scale * uu

        add(self._costs("lxx lxu luu", xs, us), scale=(T / self.dt * self.q)[:, None, None])
        add(self.rates("yxx yxu yuu", xs, us, np.hstack([np.ones((P, 1)), -T * held.reshape(P, d)])))
        H[-1, :d, :d] += self._costs("Txx", xs[-1:], us[-1:])[0][0]
        if k:
            price = np.ascontiguousarray(y[-k * (P - 1) :].reshape(P - 1, k))
            add(self._costs("gxx gxu guu", xs[1:], us[1:], price), first=1)
        size = len(v)
        rows, columns, entries = [*self._block, H.ravel()]
        if self.free:
            F, B = self.rates("F B", xs, us, np.ones((P, 1)))
            _, lx, lu = self._costs("l lx lu", xs, us)
            cross = self.q[:, None] / self.dt * np.hstack([lx, lu])
            cross -= np.einsum("pi,pij->pj", held.reshape(P, d), np.concatenate([F - np.eye(d), B], 2))
            at, end = np.arange(n), np.full(n, size - 1)
            rows, columns = np.concatenate([rows, at, end]), np.concatenate([columns, end, at])
            entries = np.concatenate([entries, cross.ravel(), cross.ravel()])
        return sp.csr_matrix((entries, (rows, columns)), shape=(size, size))

    def interpolated(self, v: Array, taus: Array) -> tuple[Array, Array, Array]:
        """States, their rates and actions at fractions of the duration, by the polynomials of the method.

        The rates are a polynomial through those at the points, whose integral is the state; so are the actions.
        """
        xs, us, _, T = self.split(v)
        f, step = self.f(xs, us), 1 if len(self.taus) == len(self.mesh) else 2
        i = np.clip(np.searchsorted(self.mesh, taus, side="right") - 1, 0, len(self.mesh) - 2)
        h, first = np.diff(self.mesh)[i][:, None], step * i
        s = (taus[:, None] - self.mesh[i][:, None]) / h
        if step == 1:
            rate, u = f[first] + s * (f[first + 1] - f[first]), us[first] + s * (us[first + 1] - us[first])
            return xs[first] + T * h * (s * f[first] + s * s / 2 * (f[first + 1] - f[first])), rate, u
        a, b, c = 1 - 3 * s + 2 * s * s, 4 * s - 4 * s * s, 2 * s * s - s
        A, B, C = s - 1.5 * s**2 + 2 / 3 * s**3, 2 * s**2 - 4 / 3 * s**3, 2 / 3 * s**3 - s**2 / 2
        parts = [p[first + j] for p in (f, us) for j in range(3)]
        x = xs[first] + T * h * (A * parts[0] + B * parts[1] + C * parts[2])
        return x, a * parts[0] + b * parts[1] + c * parts[2], a * parts[3] + b * parts[4] + c * parts[5]

    def errors(self, v: Array) -> Array:
        """An estimate of the error of the states over each interval: ``T h |dx/dt - f(x, u)|`` between the points."""
        xs, _, _, T = self.split(v)
        h, scale, worst = np.diff(self.mesh), 1.0 + np.abs(xs).max(0), np.zeros(len(self.mesh) - 1)
        for s in (GAUSS, 1.0 - GAUSS):
            x, rate, u = self.interpolated(v, self.mesh[:-1] + s * h)
            worst = np.maximum(worst, (np.abs(rate - self.f(x, u)) / scale).max(1) * T * h)
        return worst


def _diagonal(blocks: Array) -> Any:
    """The block diagonal matrix of ``(P, r, c)``."""
    P, r, c = blocks.shape
    rows = np.repeat(np.arange(P * r), c)
    columns = (np.arange(c) + c * np.arange(P)[:, None, None] + np.zeros((1, r, 1), int)).ravel()
    return sp.csr_matrix((blocks.ravel(), (rows, columns)), shape=(P * r, P * c))


def _trapezoidal(mesh: Array) -> tuple[Array, Any, Any, Array]:
    """``x_{k+1} - x_k = h / 2 (f_k + f_{k+1})``."""
    K, h = len(mesh) - 1, np.diff(mesh)
    here, there, half = sp.eye(K, K + 1).tocsr(), sp.eye(K, K + 1, 1).tocsr(), cast(Any, sp.diags(h / 2))
    q = np.concatenate([h, [0.0]]) / 2 + np.concatenate([[0.0], h]) / 2
    return mesh, there - here, half @ (here + there), q


def _hermite_simpson(mesh: Array) -> tuple[Array, Any, Any, Array]:
    """``x_{k+1} - x_k = h / 6 (f_k + 4 f_m + f_{k+1})`` and ``x_m = (x_k + x_{k+1}) / 2 + h / 8 (f_k - f_{k+1})``."""
    K, h = len(mesh) - 1, np.diff(mesh)
    taus = np.sort(np.concatenate([mesh, mesh[:-1] + h / 2]))
    here, middle, there = (
        sp.csr_matrix((np.ones(K), (np.arange(K), 2 * np.arange(K) + i)), shape=(K, 2 * K + 1)) for i in range(3)
    )
    A = sp.vstack([there - here, middle - (here + there) / 2]).tocsr()
    W = sp.vstack([sp.diags(h / 6) @ (here + 4 * middle + there), sp.diags(h / 8) @ (here - there)]).tocsr()
    q = np.asarray((sp.diags(h / 6) @ (here + 4 * middle + there)).sum(0)).ravel()
    return taus, A, W, q


MATRICES = {"hermite-simpson": _hermite_simpson, "trapezoidal": _trapezoidal}
