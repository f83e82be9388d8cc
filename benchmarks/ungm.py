"""The univariate nonstationary growth model: all filters beside an exact one, which integrates over a grid."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from pilotage.core import Gaussian, Space
from pilotage.estimators import (
    CKF,
    EKF,
    GHKF,
    IEKF,
    UKF,
    AuxiliaryParticleFilter,
    EnsembleKF,
    GuidedParticleFilter,
    ParticleFilter,
)
from pilotage.models import discrete_dynamics, sensor

STEPS, Q, R, P0 = 100, 10.0, 1.0, 5.0
LINE = Space("x")


@discrete_dynamics(state=LINE, action=Space("k"), noise=Q**0.5)
def growth(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """x' = x / 2 + 25 x / (1 + x^2) + 8 cos(1.2 k); the action is the step k."""
    return 0.5 * x[0] + 25.0 * x[0] / (1.0 + x[0] * x[0]) + 8.0 * m.cos(1.2 * u[0])


@sensor(state=LINE, reading=Space("y"), std=R**0.5)
def square(x: Any, c: Any, p: Any, m: Any) -> Any:
    """y = x^2 / 20: the sign of x is not seen."""
    return x[0] * x[0] / 20.0


MODEL, EYE = growth(), square()
US = np.arange(float(STEPS))[:, None]


def simulated(runs: int) -> tuple[np.ndarray, np.ndarray]:
    """States and readings ``(runs, T, 1)`` of seed 0."""
    rng = np.random.default_rng(0)
    x, xs, zs = rng.normal(0.0, P0**0.5, (runs, 1)), [], []
    for u in US:
        x = MODEL.step(x, u, 1.0) + rng.normal(0.0, Q**0.5, (runs, 1))
        xs.append(x)
        zs.append(EYE.observe(x) + rng.normal(0.0, R**0.5, (runs, 1)))
    return np.stack(xs, axis=1), np.stack(zs, axis=1)


def grid_filter(zs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and variances ``(runs, T)`` by numeric integration over a grid of 1201 points."""
    x = np.linspace(-45.0, 45.0, 1201)
    p, means, variances = np.repeat(np.exp(-0.5 * x**2 / P0)[:, None], len(zs), axis=1), [], []
    for k in range(STEPS):
        moved = MODEL.step(x[:, None], US[k], 1.0)[:, 0]
        p = np.exp(-0.5 * (x[:, None] - moved) ** 2 / Q) @ p
        p *= np.exp(-0.5 * (zs[:, k, 0] - x[:, None] ** 2 / 20.0) ** 2 / R)
        p /= p.sum(0)
        means.append(x @ p)
        variances.append(x**2 @ p - means[-1] ** 2)
    return np.array(means).T, np.array(variances).T


def kalman(filter: Any) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Means and variances of a Kalman filter, all runs side by side."""

    def run(zs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start = Gaussian(LINE, np.zeros((len(zs), 1)), [[P0]])
        beliefs = filter.run(start, MODEL, US, zs, 1.0, sensor=EYE).beliefs
        return beliefs.mean[..., 0], beliefs.cov[..., 0, 0]

    return run


def cloud(filter: Any) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The same of a filter with particles or members."""

    def run(zs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng, means, variances = np.random.default_rng(1), [], []
        belief: Any = Gaussian(LINE, np.zeros((len(zs), 1)), [[P0]])
        for k in range(STEPS):
            belief = filter.predict(belief, MODEL, US[k], 1.0, rng=rng)
            belief = filter.update(belief, EYE, zs[:, k], rng=rng).belief
            known = belief.moments()
            means.append(known.mean[:, 0])
            variances.append(known.cov[:, 0, 0])
        return np.array(means).T, np.array(variances).T

    return run


FILTERS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "exact, on a grid": grid_filter,
    "bootstrap, 100": cloud(ParticleFilter(n=100)),
    "bootstrap, 500": cloud(ParticleFilter(n=500)),
    "bootstrap, 1000": cloud(ParticleFilter(n=1000)),
    "bootstrap, 5000": cloud(ParticleFilter(n=5000)),
    "regularised, 1000": cloud(ParticleFilter(n=1000, smoothing=0.2)),
    "auxiliary, 1000": cloud(AuxiliaryParticleFilter(n=1000)),
    "auxiliary by UKFs, 1000": cloud(AuxiliaryParticleFilter(n=1000, filter=UKF(kappa=2.0))),
    "guided by EKFs, 1000": cloud(GuidedParticleFilter(n=1000)),
    "guided by UKFs, 1000": cloud(GuidedParticleFilter(n=1000, filter=UKF(kappa=2.0))),
    "EnsembleKF, 100": cloud(EnsembleKF(n=100)),
    "EKF": kalman(EKF()),
    "IEKF": kalman(IEKF()),
    "UKF, kappa = 2": kalman(UKF(kappa=2.0)),
    "CKF": kalman(CKF()),
    "GHKF, order 5": kalman(GHKF(order=5)),
}
PUBLISHED = {
    "bootstrap, 100": 4.93,
    "bootstrap, 500": 4.65,
    "bootstrap, 1000": 4.58,
    "bootstrap, 5000": 4.56,
    "UKF, kappa = 2": 11.4,
    "CKF": 13.5,
    "EKF": 20.8,
}
"""Mean RMSE of these filters as others wrote them, over 200 runs."""


@table("ungm", note="growth model, 100 steps, 200 runs; no component is linear, so none is Rao-Blackwellised")
def ungm(quick: bool) -> Figures:
    xs, zs = simulated(20 if quick else 200)
    lines, found = [], {}
    for name, run in FILTERS.items():
        begun = time.perf_counter()
        means, variances = run(zs)
        spent = (time.perf_counter() - begun) / means.size
        e = means - xs[..., 0]
        found[name] = float(np.sqrt((e**2).mean(1)).mean())
        nees, ratio = e**2 / variances, found[name] / found["exact, on a grid"]
        lines.append((name, found[name], ratio, float(nees.mean()), float(np.median(nees)), spent * 1e6))
    best = found["exact, on a grid"]
    bars = [("bootstrap with 1000 particles within 3 % of the exact filter", found["bootstrap, 1000"] < 1.03 * best)]
    bars += [(f"{name}: {value}, within 2 %", found[name] < 1.02 * value) for name, value in PUBLISHED.items()]
    return Figures(("filter", "RMSE", "ratio to exact", "NEES", "its median", "us/step"), lines, bars)
