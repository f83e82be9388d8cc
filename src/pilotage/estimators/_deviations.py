"""A run as a linear model of its own errors, from which the likelihood of other noise follows without filtering again.

The deviation ``d = x (-) x-`` of the true state from the predicted one moves by known matrices::

    d+ = d - (x+ (-) x-),     d' = F d+ + w,  w ~ N(0, Q),     y = H d + v,  v ~ N(0, R)

A Kalman filter on d with other Q and R gives the likelihood of the run's innovations y under that noise: exact for
linear models, to first order for others, whichever estimator made the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..core import FilterRun, FilterStatus, Mixture
from ..core.arrays import Array
from ..models.trace import driver
from ._adaptive import NoiseEstimator

LONGEST = 400
"""Steps after which a long run is cut into pieces, which are filtered side by side."""
FAR = 100.0
"""NIS beyond which a reading that was gated counts as an outlier rather than as one of wrong noise; a heuristic."""


@dataclass(frozen=True)
class Deviations:
    """The linear model of a run's errors: B rows of T steps, d tangent components, m of the widest reading.

    Attributes:
        P: covariance before each update, ``(B, T, d, d)``.
        F, Q: motion and noise before each step, ``(B, T, d, d)``; the identity and zero where nothing moves.
        H, R: readings, ``(B, T, m, d)`` and ``(B, T, m, m)``; zero and the identity where not measured.
        y: innovations ``(B, T, m)``, zero where not measured.
        seen: what was measured, ``(B, T, m)``.
        shift: ``x+ (-) x-``, ``(B, T, d)``.
        which: the sensor of each step, ``(B, T)``.
    """

    P: Array
    F: Array
    Q: Array
    H: Array
    R: Array
    y: Array
    seen: Any
    shift: Array
    which: Any

    def pieces(self) -> Deviations:
        """Pieces of at most `LONGEST` steps as rows; each begins with the covariance that the run had there."""
        (B, T, m), d = self.y.shape, self.shift.shape[-1]
        count = -(-T // LONGEST)
        length = -(-T // count)
        still = {"F": np.eye(d), "R": np.eye(m), "P": np.eye(d)}

        def cut(name: str) -> Any:
            a = getattr(self, name)
            rest = np.broadcast_to(still.get(name, 0), (B, count * length - T, *a.shape[2:])).astype(a.dtype)
            return np.concatenate([a, rest], axis=1).reshape(B * count, length, *a.shape[2:])

        return Deviations(**{f.name: cut(f.name) for f in fields(self)})


def deviations(run: FilterRun) -> Deviations | None:
    """The linear model of a run's errors, or None.

    Sensors or modes may have no common linearisation; filters that learn noise use another than that of the models.
    """
    dynamics, before = _dynamics_of(run)
    known = all(s.context is not None for s in run.sensors) and len(run.contexts) == len(run.sensors)
    if dynamics is None or not known or isinstance(run.estimator, NoiseEstimator):
        return None
    after, space = run.beliefs.moments(), before.space
    d, m, T = space.dim, run.innovations.shape[-1], len(run.dts)
    batch = before.mean.shape[:-2]
    B = math.prod(batch)
    xs, ys = (a.mean.reshape(B, T, space.size) for a in (before, after))
    P = np.array(before.cov).reshape(B, T, d, d)
    F, Q = np.tile(np.eye(d), (B, T, 1, 1)), np.zeros((B, T, d, d))
    us = np.broadcast_to(run.us, (*batch, *run.us.shape[-2:])).reshape(B, T, run.us.shape[-1])
    stuck = run.status.reshape(B, T) > FilterStatus.NO_READING
    for dt in np.unique(run.dts[1:][run.dts[1:] > 0.0]):
        at = 1 + np.flatnonzero(run.dts[1:] == dt)
        x, u = ys[:, at - 1], us[:, at]
        F[:, at], Q[:, at] = dynamics.linearize(x, u, float(dt))[0], dynamics.noise(x, u, float(dt))
    if isinstance(run.dynamics, tuple):
        Q[:, 1:] = _added(P[:, 1:], F[:, 1:], np.array(after.cov).reshape(P.shape)[:, :-1])
        Q[:, run.dts == 0.0] = 0.0
    F[stuck], Q[stuck] = np.eye(d), 0.0
    y = run.innovations.reshape(B, T, m)
    seen = (
        np.isfinite(y) & ~((run.status.reshape(B, T) == FilterStatus.GATED) & (run.nis.reshape(B, T) > FAR))[..., None]
    )
    H, R = np.zeros((B, T, m, d)), np.tile(np.eye(m), (B, T, 1, 1))
    for j, sensor in enumerate(run.sensors):
        at, k = np.flatnonzero(run.which == j), sensor.reading.dim
        told, size = run.contexts[j], run.contexts[j].shape[-1]
        c = np.broadcast_to(told, (*batch, *told.shape[-2:])).reshape(B, len(at), size) if size else None
        H[:, at, :k], R[:, at, :k, :k] = sensor.linearize(xs[:, at], c), sensor.noise(xs[:, at], c)
    both = seen[..., :, None] & seen[..., None, :]
    H, R = np.where(seen[..., None], H, 0.0), np.where(both, R, np.eye(m))
    which = np.broadcast_to(run.which, (B, T))
    shift = np.asarray(space.minus(ys, xs))
    return Deviations(P, F, Q, H, R, np.where(seen, y, 0.0), seen, shift, which)


def _added(later: Array, F: Array, before: Array) -> Array:
    """The noise that a prediction by several modes added: what F does not explain of the covariance."""
    values, vectors = np.linalg.eigh(later - F @ before @ F.swapaxes(-1, -2))
    return np.asarray((vectors * np.maximum(values, 0.0)[..., None, :]) @ vectors.swapaxes(-1, -2))


def _dynamics_of(run: FilterRun) -> tuple[Any, Any]:
    """The dynamics and the predicted moments of a run; of several modes, those most likely on the whole, for F."""
    before = run.predicted.moments()
    if not isinstance(run.dynamics, tuple):
        return run.dynamics, before
    if not isinstance(run.predicted, Mixture) or any(f.state != before.space for f in run.dynamics):
        return None, before
    weights = np.exp(run.predicted.log_weights).reshape(-1, len(run.dynamics)).mean(0)
    return run.dynamics[int(weights.argmax())], before


@driver(
    "void(f8[:,:,:,::1], f8[:,:,:,::1], f8[:,:,:,::1], f8[:,:,:,::1], f8[:,:,:,::1], f8[:,:,::1], b1[:,:,::1], "
    "f8[:,:,::1], i8[:,::1], f8[:,::1], f8[:,:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], "
    "f8[:,::1], f8[:,::1], f8[::1], f8[:,:,::1], f8[:,::1])",
    nogil=True,
)
def filter_deviations(P, F, Q, H, R, y, seen, shift, which, q, r, X, Y, S, A, G, V, N, logs, information, slope):
    """Kalman filters on the deviations of all rows, under each scaling of the noise; X to N are scratch.

    The columns of X after the first are the derivatives of its mean by biases of the readings.
    """
    d, m, width = F.shape[2], y.shape[2], X.shape[1]
    for k in range(q.shape[0]):
        for b in range(y.shape[0]):
            for i in range(d):
                for j in range(d):
                    S[i, j] = P[b, 0, i, j]
                for j in range(width):
                    X[i, j] = 0.0
            for t in range(y.shape[1]):
                if t > 0:
                    move(F[b, t], Q[b, t], q[k], X, Y, S, A)
                if which[b, t] < r.shape[1]:
                    j = which[b, t]
                    logs[k] += correct(H[b, t], R[b, t], y[b, t], seen[b, t], r[k, j], j * m, X, S, G, V, N)
                    for i in range(m):
                        for g in range(1, width):
                            slope[k, g - 1] += N[i, g] * N[i, 0]
                            for h in range(1, width):
                                information[k, g - 1, h - 1] += N[i, g] * N[i, h]
                for i in range(d):
                    X[i, 0] -= shift[b, t, i]


@driver
def move(F, Q, q, X, Y, S, A):
    """X = F X,  S = F S F' + q Q q'."""
    d = S.shape[0]
    for i in range(d):
        for j in range(X.shape[1]):
            Y[i, j] = 0.0
            for g in range(d):
                Y[i, j] += F[i, g] * X[g, j]
        for j in range(d):
            A[i, j] = 0.0
            for g in range(d):
                A[i, j] += F[i, g] * S[g, j]
    for i in range(d):
        for j in range(X.shape[1]):
            X[i, j] = Y[i, j]
        for j in range(d):
            S[i, j] = q[i] * Q[i, j] * q[j]
            for g in range(d):
                S[i, j] += A[i, g] * F[j, g]


@driver
def correct(H, R, y, seen, r, first, X, S, G, V, N):
    """The update of X and S by a reading; its log-likelihood without the constant. N becomes L^-1 (y - H X)."""
    d, m, width = S.shape[0], y.shape[0], X.shape[1]
    for i in range(m):
        for j in range(width):
            N[i, j] = y[i] if j == 0 else (1.0 if seen[i] and j == 1 + first + i else 0.0)
            for g in range(d):
                N[i, j] -= H[i, g] * X[g, j]
        for j in range(d):
            G[i, j] = 0.0
            for g in range(d):
                G[i, j] += H[i, g] * S[g, j]
        for j in range(i + 1):
            V[i, j] = R[i, j] * (r[i] * r[j] if seen[i] and seen[j] else 1.0)
            for g in range(d):
                V[i, j] += G[i, g] * H[j, g]
    log = 0.0
    for i in range(m):
        for j in range(i + 1):  # L L' = H S H' + R, row by row
            for g in range(j):
                V[i, j] -= V[i, g] * V[j, g]
            V[i, j] = math.sqrt(V[i, j]) if i == j else V[i, j] / V[j, j]
        for j in range(width):
            for g in range(i):
                N[i, j] -= V[i, g] * N[g, j]
            N[i, j] /= V[i, i]
        for j in range(d):
            for g in range(i):
                G[i, j] -= V[i, g] * G[g, j]
            G[i, j] /= V[i, i]
        log -= 0.5 * N[i, 0] * N[i, 0] + math.log(V[i, i])
    for i in range(d):
        for g in range(m):
            for j in range(width):
                X[i, j] += G[g, i] * N[g, j]
            for j in range(d):
                S[i, j] -= G[g, i] * G[g, j]
    return log


def likelihoods(model: Deviations, q: Array, r: Array, biases: bool = False) -> tuple[Array, Array, Array]:
    """Log-likelihoods of a run under noise that is scaled, and what is needed to fit biases of readings.

    Args:
        model: the run.
        q: C factors of the standard deviation of each tangent component's process noise, ``(C, d)``.
        r: C factors of each sensor's measurement noise, ``(C, J, m)``.
        biases: whether A and c are asked for.

    Returns:
        Log-likelihoods ``(C,)``; A ``(C, p, p)`` and c ``(C, p)``, p = J m, with which biases b of the readings raise
        them by ``c' b - b' A b / 2``.
    """
    (_, _, m), C, d, J = model.y.shape, len(q), model.shift.shape[-1], r.shape[1]
    p = J * m if biases else 0
    log, A, c = np.zeros(C), np.zeros((C, p, p)), np.zeros((C, p))
    scratch = [np.empty(shape) for shape in ((d, 1 + p), (d, 1 + p), (d, d), (d, d), (m, d), (m, m), (m, 1 + p))]
    given = [np.array(getattr(model, f.name)) for f in fields(model)]
    filter_deviations.compiled(*given, np.ascontiguousarray(q), np.ascontiguousarray(r), *scratch, log, A, c)
    return log, A, c
