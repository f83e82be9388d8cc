"""The five scenarios of kalman-py 0.1.1 (MIT, joslo2345/kalman-py, tests/vectors), which its sister libraries share.

Their models are taken over, their frozen data are not: readings are drawn here, from seeds of our own. The bars are
that filters are consistent (NEES and NIS lie in their chi-square intervals), that covariances stay symmetric and
positive definite, and that two algorithms that share no inner step, Joseph's form and a square root, agree.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.accuracy import Figures, table
from pilotage.core import Gaussian, Space
from pilotage.estimators import EKF, KF, UKF, SquareRootEKF, SquareRootUKF
from pilotage.models import LinearDynamics, LinearSensor, constant_velocity, position, sensor

SURE = 0.9999


@sensor(state=Space("x y [m]"), reading=Space("range [m]", "bearing: angle"), std=(0.5, math.radians(0.5)))
def sweep(x: Any, c: Any, p: Any, m: Any) -> Any:
    """Range and bearing of a target, from the origin."""
    return m.hypot(x[0], x[1]), m.atan2(x[1], x[0])


def inertial(dt: float) -> tuple[Any, Any, Any]:
    """Errors of an inertial system at rest, to first order: position, velocity, attitude, biases; fix and velocity."""
    A, across = np.zeros((15, 15)), 9.81 * np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    A[:3, 3:6], A[3:6, 6:9], A[3:6, 9:12], A[6:9, 12:] = np.eye(3), -across, -np.eye(3), -np.eye(3)
    q, p = np.repeat([0.0, 0.05, 1e-3, 1e-4, 1e-5], 3), np.repeat([10.0, 1.0, 0.01, 0.1, 0.01], 3)
    model = LinearDynamics.discrete(np.eye(15) + A * dt, Q=np.diag(q**2 * dt))
    reads = LinearSensor(np.eye(6, 15), np.diag(np.repeat([1.0, 0.1], 3) ** 2))
    return model, reads, Gaussian(model.state, np.zeros(15), np.diag(p**2))


def ill_conditioned() -> tuple[Any, Any, Any]:
    """Two precise sensors that look in odd directions."""
    dt, q = 0.5167034084532541, 5.653514
    F, G = np.eye(4), np.eye(2)
    F[:2, 2:] = dt * G
    Q = q * np.block([[dt**3 / 3.0 * G, dt**2 / 2.0 * G], [dt**2 / 2.0 * G, dt * G]])
    H = [[0.33043707618, -1.30315723160, 0.90535586667, 0.44637457236],
         [-0.53695323536, 0.58111810420, 0.36457239619, 0.29413249666]]  # fmt: skip
    R = [[3.99702913532e-5, -1.09996659995e-5], [-1.09996659995e-5, 6.68904273417e-5]]
    model = LinearDynamics.discrete(F, Q=Q)
    return model, LinearSensor(H, R), Gaussian(model.state, [-0.482119, 0.598846, 0.039722, -0.292457], np.eye(4))


def simulated(model: Any, reads: Any, start: Gaussian, dt: float, steps: int, seed: int, runs: int = 1) -> Any:
    """States ``(runs, steps, n)`` and readings ``(runs, steps, m)`` of a linear model."""
    rng, nothing = np.random.default_rng(seed), np.zeros(model.action.size)
    F, Q = model.linearize(start.mean, nothing, dt)[0], model.noise(start.mean, nothing, dt)
    w, V = np.linalg.eigh(Q)
    e = rng.normal(size=(runs, steps, len(w))) @ (V * np.sqrt(w.clip(0.0))).T
    x, xs = start.sample(runs, rng=rng), np.empty((runs, steps, len(w)))
    for k in range(steps):
        x = x @ F.T + e[:, k]
        xs[:, k] = x
    return xs, reads.on(model.state).sample(xs, rng=rng)


def inside(values: Any, dim: int) -> bool:
    """Whether the sum of independent chi-square values of `dim` degrees is in its interval."""
    low, high = stats.chi2.interval(SURE, dim * len(values))
    return bool(low < np.sum(values) < high)


def consistency(name: str, estimators: Any, made: Any, dt: float, steps: int, runs: int) -> tuple[Any, Any]:
    """A line of the table for each estimator, and the bars."""
    model, reads, start = made
    xs, zs = simulated(model, reads, start, dt, steps, seed=7, runs=runs)
    lines, bars, means = list[Any](), list[Any](), list[Any]()
    for estimator in estimators:
        many = Gaussian(start.space, np.broadcast_to(start.mean, (runs, start.space.size)), start.cov)
        run = estimator.run(many, model, None, zs, dt, sensor=reads)
        e = model.state.minus(xs, run.beliefs.mean)
        last = np.einsum("ri,rij,rj->r", e[:, -1], np.linalg.inv(run.beliefs.cov[:, -1]), e[:, -1])
        who, m = f"{name} {type(estimator).__name__}", zs.shape[-1]
        good = inside(run.nis.ravel(), m) and (runs < 2 or inside(last, e.shape[-1]))
        least = float(np.linalg.eigvalsh(run.beliefs.cov[0, ::50]).min())
        position = float(np.sqrt(np.square(e[..., : 3 if e.shape[-1] == 15 else m]).sum(-1).mean()))
        lines.append([who, runs * steps, position, float(run.nis.mean() / m), least])
        bars.append((f"{who} is consistent, its covariances positive definite", good and least > 0.0))
        means.append(run.beliefs.mean)
    gap = float(np.abs(means[0] - means[-1]).max() / np.abs(means[0]).max())
    if isinstance(estimators[0], KF):
        bars.append((f"{name}: Joseph's form and the square root agree to 1e-9 (they do to {gap:.0e})", gap < 1e-9))
    return lines, bars


def endurance(steps: int) -> tuple[Any, Any]:
    """S4: how far each filter gets without losing symmetry, positive definiteness or a reading."""
    model, reads, start = ill_conditioned()
    chunk, estimators = min(steps, 100_000), (KF(), SquareRootEKF(), SquareRootUKF())
    beliefs, passed, nis, truth = [start] * len(estimators), [0] * len(estimators), [0.0] * len(estimators), start
    for k in range(steps // chunk):
        xs, zs = simulated(model, reads, truth, 1.0, chunk, seed=k)
        truth = Gaussian(model.state, xs[0, -1], 1e-24 * np.eye(4))
        for i, estimator in enumerate(estimators):
            if passed[i] < k * chunk:
                continue  # it failed
            run = estimator.run(beliefs[i], model, None, zs[0], 1.0, sensor=reads)
            P = run.beliefs.cov
            beliefs[i] = run.beliefs[-1]
            nis[i] += float(run.nis.sum())
            good = (P.swapaxes(1, 2) == P).all() and run.accepted.all() and np.linalg.eigvalsh(P[::10]).min() > 0.0
            passed[i] += chunk if good else 0
    lines, bars = list[Any](), list[Any]()
    for estimator, belief, count, total in zip(estimators, beliefs, passed, nis, strict=True):
        who, mean = f"S4 {type(estimator).__name__}", total / (2.0 * steps)
        lines.append([who, count, "", mean, float(np.linalg.eigvalsh(belief.cov).min())])
        bars.append((f"{who} passes {steps} steps in double precision", count == steps))
        bars.append((f"{who} is consistent", abs(mean - 1.0) < 4.0 / math.sqrt(steps)))
    return lines, bars


@table("kalman_py_scenarios", note="S1 to S5 of kalman-py; S4 is a million steps")
def kalman_py_scenarios(quick: bool) -> Figures:
    steps, runs = (1000 if quick else 10_000), (40 if quick else 200)
    line, plane = constant_velocity(1, density=0.5**0.5), constant_velocity(2, density=0.5**0.5)
    first = line, position(1, std=0.5), Gaussian(line.state, [0.0, 1.0], np.eye(2))
    second = plane, LinearSensor(np.eye(2, 4), np.diag([0.5, 0.8]), state=plane.state), Gaussian(
        plane.state, [0.0, 0.0, 1.0, -1.0], np.diag([1.0, 1.0, 0.5, 0.5])
    )  # fmt: skip
    behind = constant_velocity(2, density=0.1)
    third = behind, sweep(), Gaussian(behind.state, [-200.0, 60.0, 0.5, -0.8], np.diag([25.0, 25.0, 0.04, 0.04]))
    both = KF(), SquareRootEKF()
    parts = [
        consistency("S1", both, first, 0.1, steps, 1),
        consistency("S2", both, second, 0.1, steps, 1),
        consistency("S3", (EKF(), UKF(), SquareRootUKF()), third, 1.0, 500, runs),
        endurance(10_000 if quick else 1_000_000),
        consistency("S5", both, inertial(0.01), 0.01, steps, 1),
    ]
    columns = ["scenario and filter", "steps", "RMSE of position [m]", "NIS a component", "least eigenvalue"]
    return Figures(columns, [each for lines, _ in parts for each in lines], [bar for _, bars in parts for bar in bars])
