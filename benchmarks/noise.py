"""Filters that estimate noise, on flights whose sensor is ten times as noisy as its model says, or as little."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from pilotage.core import Gaussian
from pilotage.estimators import KF, AdaptiveEKF, VariationalEKF
from pilotage.models import constant_velocity, position

DT, ROWS, LAST = 0.5, 50, 100
MODEL = constant_velocity(2, density=0.5)


def flights(steps: int) -> tuple[Any, Any]:
    """States ``(T, B, 4)`` and readings ``(T, B, 2)`` whose variance is 1."""
    rng, nothing = np.random.default_rng(7), np.zeros(0)
    F, Q = MODEL.linearize(np.zeros(4), nothing, DT)[0], MODEL.noise(np.zeros(4), nothing, DT)
    L, x, xs = np.linalg.cholesky(Q), rng.normal(size=(ROWS, 4)), np.empty((steps, ROWS, 4))
    for t in range(steps):
        x = xs[t] = x @ F.T + rng.normal(size=(ROWS, 4)) @ L.T
    return xs, xs[..., :2] + rng.normal(size=(steps, ROWS, 2))


def flown(estimator: Any, variance: float, steps: int) -> tuple[float, float, float]:
    """Error of positions, NEES per component and the estimate of the variance, over the last steps."""
    sensor = position(2, std=math.sqrt(variance))
    belief: Any = Gaussian(MODEL.state, np.zeros((ROWS, 4)), np.eye(4))
    squares, nees, found = [], [], [variance]
    for t, (x, z) in enumerate(zip(*flights(steps), strict=True)):
        belief = estimator.update(estimator.predict(belief, MODEL, None, DT), sensor, z).belief
        if t >= steps - LAST:
            known = belief.moments()
            e = x - known.mean
            squares.append(np.mean(e[:, :2] ** 2))
            nees.append(np.mean(e * np.linalg.solve(known.cov, e[..., None])[..., 0]))
            if not isinstance(belief, Gaussian):
                found.append(np.mean(belief.noise(sensor)[:, [0, 1], [0, 1]]))
    return math.sqrt(np.mean(squares)), float(np.mean(nees)), float(np.mean(found[1:] or found))


@table("noise", note="50 flights; the true variance of a reading is 1; NEES per component, which is 1 if consistent")
def noise(quick: bool) -> Figures:
    steps = 700 if quick else 1000
    best = flown(KF(), 1.0, steps)
    lines: list[list[object]] = [["KF", 1.0, *best]]
    bars: list[tuple[str, bool]] = []
    for estimator in (KF(), AdaptiveEKF(), VariationalEKF()):
        name = type(estimator).__name__
        for variance in (0.1, 1.0, 10.0):
            if name == "KF" and variance == 1.0:
                continue
            error, nees, R = flown(estimator, variance, steps)
            lines.append([name, variance, error, nees, R])
            if name != "KF":
                bars.append((f"{name} told {variance:g}: R within 20 %", abs(R - 1.0) < 0.2))
                bars.append((f"{name} told {variance:g}: error within 2 % of the best", error < 1.02 * best[0]))
    return Figures(["filter", "variance told", "error [m]", "NEES / d", "variance found"], lines, bars)
