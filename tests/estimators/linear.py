"""Linear systems for tests, and the Kalman filter as textbooks write it: an oracle that shares no code with ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from pilotage.core import Dynamics, Gaussian, Mixture, Sensor, Space
from pilotage.estimators import IMM
from pilotage.models import LinearDynamics, LinearSensor, dynamics

DT = 0.5


@dataclass
class System:
    """``x' = F x + B u + e``, ``z = H x + v``: the matrices, our models of them, and data."""

    F: Any
    B: Any
    Q: Any
    H: Any
    R: Any
    x0: Any
    P0: Any
    us: Any
    zs: Any

    @property
    def dynamics(self) -> LinearDynamics:
        return LinearDynamics.discrete(self.F, self.B, Q=self.Q)

    @property
    def sensor(self) -> LinearSensor:
        return LinearSensor(self.H, self.R)


def spd(rng: np.random.Generator, n: int, rank: int | None = None) -> np.ndarray:
    """A random symmetric positive (semi)definite matrix."""
    A = rng.normal(size=(n, n if rank is None else rank))
    return A @ A.T / n + (0.1 * np.eye(n) if rank is None else 0.0)


def system(seed: int, n: int = 3, m: int = 2, k: int = 1, steps: int = 8) -> System:
    """A random stable system: n states, m readings with correlated noise, k actions, Q of deficient rank."""
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n, n))
    F *= rng.uniform(0.5, 1.0) / np.abs(np.linalg.eigvals(F)).max()
    B, H = rng.normal(size=(n, k)), rng.normal(size=(m, n))
    Q = spd(rng, n, rank=max(1, n - 1))
    return System(
        F,
        B,
        Q,
        H,
        spd(rng, m),
        rng.normal(size=n),
        spd(rng, n),
        rng.normal(size=(steps, k)),
        rng.normal(size=(steps, m)) * 2.0,
    )


seeds = st.integers(0, 2**31)
shapes = st.sampled_from([(1, 1, 1), (3, 2, 1), (4, 2, 2)])  # few, as each shape is compiled once


def textbook_predict(s: System, x: Any, P: Any, u: Any) -> tuple[Any, Any]:
    """One prediction."""
    return s.F @ x + s.B @ u, s.F @ P @ s.F.T + s.Q


def textbook_update(H: Any, R: Any, x: Any, P: Any, z: Any) -> tuple[Any, ...]:
    """One update on the components of z that are not NaN: x, P, NIS, log-likelihood."""
    seen = ~np.isnan(z)
    if not seen.any():
        return x, P, 0.0, 0.0
    H, R, z = H[seen], R[np.ix_(seen, seen)], z[seen]
    S = H @ P @ H.T + R
    K, y = P @ H.T @ np.linalg.inv(S), z - H @ x
    nis = float(y @ np.linalg.inv(S) @ y)
    return x + K @ y, P - K @ S @ K.T, nis, -0.5 * (nis + np.linalg.slogdet(2.0 * np.pi * S)[1])


def textbook_run(s: System) -> tuple[Any, ...]:
    """Means (T, n), covariances (T, n, n), NIS (T,) and log-likelihoods (T,)."""
    x, P, out = s.x0, s.P0, []
    for u, z in zip(s.us, s.zs, strict=True):
        x, P, nis, log_likelihood = textbook_update(s.H, s.R, *textbook_predict(s, x, P, u), z)
        out.append((x, P, nis, log_likelihood))
    return tuple(np.array(column) for column in zip(*out, strict=True))


def posterior_of_all(s: System) -> tuple[Any, Any, float]:
    """Mean and covariance of the last state, and the log-likelihood, from the joint Gaussian of all that happened.

    The vector (x_0, e_1 .. e_T, v_1 .. v_T) is normal, states and readings are linear in it, and conditioning on all
    readings at once is one formula: nothing recursive about it.
    """
    n, m, T = len(s.x0), len(s.H), len(s.zs)
    N = n * (T + 1) + m * T
    prior = np.zeros((N, N))
    prior[:n, :n] = s.P0
    mean = np.zeros(N)
    mean[:n] = s.x0
    state, offset, rows, offsets = np.eye(n, N), np.zeros(n), [], []
    for t in range(T):
        e, v = slice(n * (t + 1), n * (t + 2)), slice(n * (T + 1) + m * t, n * (T + 1) + m * (t + 1))
        prior[e, e], prior[v, v] = s.Q, s.R
        state, offset = s.F @ state, s.F @ offset + s.B @ s.us[t]
        state[:, e] += np.eye(n)
        row = s.H @ state
        row[:, v] += np.eye(m)
        rows.append(row)
        offsets.append(s.H @ offset)
    A, z = np.concatenate(rows), s.zs.ravel()
    seen = ~np.isnan(z)
    A, y = A[seen], (z - np.concatenate(offsets))[seen] - A[seen] @ mean
    S = A @ prior @ A.T
    gain = state @ prior @ A.T @ np.linalg.inv(S)
    likelihood = -0.5 * (y @ np.linalg.solve(S, y) + np.linalg.slogdet(2.0 * np.pi * S)[1])
    return state @ mean + offset + gain @ y, state @ prior @ state.T - gain @ A @ prior @ state.T, float(likelihood)


@cache
def at_rest(space: Space) -> Any:
    """Dynamics that leave every state where it is, and shake it a little."""

    @dynamics(state=space, action=Space(), noise=(0.1,) * space.dim)
    def still(x, u, p, m):
        return (0.0,) * space.dim

    return still()


class Plain(Dynamics):
    """Dynamics that no tracer sees: everything passes through the protocol's methods, in Python."""

    def __init__(self, inner: Dynamics) -> None:
        self.inner, self.state, self.action = inner, inner.state, inner.action
        self.linear = inner.linear

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.step(x, u, dt)

    def linearize(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.linearize(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.noise(x, u, dt)


class Modes:
    """IMM of two modes of one model, started as a filter of that model is."""

    def __init__(self, model: Dynamics, dt: float) -> None:
        self.model, self.imm = model, IMM((model, model), 0.9, dt=dt)

    def start(self, mean: Any = None, std: Any = None, *, belief: Any = None, t: float = 0.0) -> Any:
        one = Gaussian.of(self.model.state, mean, std=std) if belief is None else belief
        return self.imm.start(belief=Mixture([one, one], np.log([0.7, 0.3])), t=t)


class PlainSensor(Sensor):
    """A sensor that no tracer sees."""

    def __init__(self, inner: Sensor) -> None:
        self.inner, self.state, self.reading = inner, inner.state, inner.reading
        self.linear = inner.linear

    def observe(self, x: Any, context: Any = None) -> Any:
        return self.inner.observe(x, context)

    def linearize(self, x: Any, context: Any = None) -> Any:
        return self.inner.linearize(x, context)

    def noise(self, x: Any, context: Any = None) -> Any:
        return self.inner.noise(x, context)


def close(a: Any, b: Any, tolerance: float = 1e-10) -> None:
    """Equal to `tolerance`, relative to the largest entry (or to one)."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    np.testing.assert_allclose(a, b, rtol=0.0, atol=tolerance * max(1.0, float(np.nanmax(np.abs(b), initial=0.0))))


PLANE = Space("x1", "x2", "x3")
