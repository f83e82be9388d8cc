"""Consistency of the filters: NEES, NIS, gates; and covariances that bear a million steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.core import Gaussian, Space
from pilotage.estimators import EKF, KF, UKF
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    compass,
    constant_velocity,
    dynamics,
    gnss,
    gyroscope,
    position,
    quadrotor,
    range_bearing,
    unicycle,
)

RUNS, STEPS, DT = 200, 60, 0.1
ROBOT = unicycle(noise=(0.05, 0.05, 0.03))
SONAR = range_bearing(std=(0.2, 0.03))
LANDMARKS = np.array([[6.0, 5.0], [-6.0, 3.0], [1.0, -7.0]])


def inside(values: Any, dim: int, level: float = 0.99) -> None:
    """The mean of independent chi-square values of `dim` degrees lies in its interval."""
    count = np.size(values)
    low, high = stats.chi2.interval(level, dim * count)
    assert low / count < np.mean(values) < high / count, (
        f"mean {np.mean(values):.3f} over {count} runs; {level:.0%} interval {low / count:.3f} to {high / count:.3f}"
    )


def drives(rng: np.random.Generator) -> tuple[Any, ...]:
    """Robots that circle among landmarks, headings through half a turn: starts, states (R, T, 3), actions, readings."""
    space = ROBOT.state
    start = Gaussian.of(space, [0.0, 0.0, 2.5], std=[0.3, 0.3, 0.1])
    x = start.sample(RUNS, rng=rng)
    us = np.tile([1.0, 0.6], (STEPS, 1))
    seen = np.tile(LANDMARKS, (STEPS // 3, 1))
    L = np.linalg.cholesky(ROBOT.noise(x[0], us[0], DT))
    xs, zs = np.empty((RUNS, STEPS, 3)), np.empty((RUNS, STEPS, 2))
    for t in range(STEPS):
        x = space.plus(ROBOT.step(x, us[t], DT), rng.normal(size=(RUNS, 3)) @ L.T)
        z = SONAR.observe(x, seen[t])
        xs[:, t], zs[:, t] = x, SONAR.reading.plus(z, rng.normal(size=z.shape) * [0.2, 0.03])
    return start, xs, us, zs, seen


@pytest.mark.parametrize("estimator", [EKF(), UKF()], ids=["EKF", "UKF"])
def test_nees_and_nis(estimator: Any) -> None:
    start, xs, us, zs, seen = drives(np.random.default_rng(4))
    assert (np.abs(np.diff(xs[..., 2])) > np.pi).any(), "the headings are to cross half a turn"
    result = estimator.run(start, ROBOT, us, zs, DT, sensor=SONAR, contexts=seen)
    e = ROBOT.state.minus(xs, result.beliefs.mean)
    nees = np.einsum("rti,rti->rt", e, np.linalg.solve(result.beliefs.cov, e[..., None])[..., 0])
    for t in (0, 2, 20, STEPS - 1):
        inside(nees[:, t], 3)
        inside(result.nis[:, t], 2)
    inside(result.nis.ravel(), 2)  # innovations are independent over time, too
    assert stats.kstest(result.nis.ravel(), "chi2", (2,)).pvalue > 1e-3


@pytest.mark.parametrize("estimator", [KF(gate=0.95), EKF(gate=0.95), UKF(gate=0.95)], ids=["KF", "EKF", "UKF"])
def test_gate(estimator: Any) -> None:
    """Of good readings the share p passes; also where only a part of the components was measured."""
    target, reads = constant_velocity(2), position(2, std=0.5)
    belief = Gaussian.of(target.state, [1.0, 2.0, 0.0, 0.0], std=0.7)
    rng, n = np.random.default_rng(5), 20_000
    zs = belief.mean[:2] + rng.normal(size=(n, 2)) * np.hypot(0.5, 0.7)
    zs[: n // 2, 0] = np.nan
    update = estimator.update(belief, reads, zs)
    for half in (update.accepted[: n // 2], update.accepted[n // 2 :]):
        assert stats.binomtest(int(half.sum()), half.size, 0.95).pvalue > 1e-4
    refused = np.flatnonzero(~update.accepted)
    np.testing.assert_array_equal(update.belief.mean[refused], np.tile(belief.mean, (len(refused), 1)))
    filter = type(estimator)(target, dt=DT, gate=0.99).start(belief=belief)
    outlier = filter.update(reads, [50.0, -40.0])
    assert not outlier.accepted
    assert outlier.nis > 1000.0
    np.testing.assert_array_equal(filter.belief.mean, belief.mean)
    np.testing.assert_array_equal(filter.belief.cov, belief.cov)


HARD = {
    # A vague start, a sensor that is almost exact, next to no process noise; metres beside nanometres.
    "scales": (
        LinearDynamics.discrete(
            [[1.0, 1e-3, 0.0], [0.0, 1.0, 1e-9], [0.0, 0.0, 1.0]], Q=np.diag([1e-16, 1e-16, 1e-22])
        ),
        LinearSensor([[1.0, 0.0, 0.0]], 1e-12),
        np.diag([1e12, 1e6, 1.0]),
    ),
    # Two readings that are nearly the same one. Closer than 1e-6 the second pivot of S, 1e12 times the square of that,
    # would drown in its rounding, and the gain with it.
    "twins": (
        LinearDynamics.discrete([[1.0, 0.01], [0.0, 1.0]], Q=np.diag([1e-16, 1e-12])),
        LinearSensor([[1.0, 0.0], [1.0, 1e-6]], np.diag([1e-12, 1e-12])),
        np.diag([1e12, 1e12]),
    ),
    # Nothing shakes a state that is read again and again: the variance along one slanting direction shrinks for ever,
    # to 1e-12 of the other, which is as far as a covariance in double precision can tell the two apart.
    "still": (
        LinearDynamics.discrete(np.eye(2), Q=np.zeros((2, 2))),
        LinearSensor([[1.0, 1.0]], 1e-2),
        1e4 * np.eye(2),
    ),
}


@pytest.mark.parametrize("problem", HARD)
@pytest.mark.parametrize("estimator", [KF(), EKF(), UKF()], ids=["KF", "EKF", "UKF"])
def test_a_million_steps(estimator: Any, problem: str) -> None:
    model, reads, P = HARD[problem]
    belief = Gaussian(model.state, np.zeros(len(P)), P)
    rng, m = np.random.default_rng(6), reads.reading.dim
    steps = 50_000
    for _ in range(20):
        zs = 1e-6 * rng.normal(size=(steps, m))
        result = estimator.run(belief, model, None, zs, 1.0, sensor=reads)
        P = result.beliefs.cov
        np.testing.assert_array_equal(P, P.swapaxes(1, 2))
        scale = 1.0 / np.sqrt(np.diagonal(P, axis1=1, axis2=2))
        correlation = P * scale[:, :, None] * scale[:, None, :]
        assert np.linalg.eigvalsh(correlation[::97]).min() > -1e-13
        assert (np.diagonal(P, axis1=1, axis2=2) > 0.0).all()
        assert np.isfinite(result.log_likelihood).all()
        belief = result.beliefs[-1]
    np.linalg.cholesky(belief.cov)


@pytest.mark.parametrize("make", [EKF, UKF], ids=["EKF", "UKF"])
def test_quaternions(make: Any) -> None:
    """A quadrotor's attitude is found from gyroscope-like and position readings; its quaternion keeps length 1."""
    craft, fix = quadrotor(), gnss(3, std=0.05)
    space = craft.state
    truth = space.identity()
    hover = np.zeros(craft.action.size)
    low, high = craft.action.low, craft.action.high
    hover[np.isfinite(low) & np.isfinite(high)] = 0.5 * (low + high)[np.isfinite(low) & np.isfinite(high)]
    rng = np.random.default_rng(7)
    start = Gaussian.of(space, truth, std=0.1)
    filter = make(craft, dt=0.02).start(belief=start)
    x = start.sample(1, rng=rng)[0]
    spin, before = gyroscope(std=0.01), np.linalg.norm(space.minus(x, start.mean))
    for _ in range(300):
        x = craft.step(x, hover, 0.02)
        filter.predict(u=hover)
        filter.update(fix, fix.on(space).observe(x) + 0.05 * rng.normal(size=3))
        filter.update(spin, spin.on(space).observe(x) + 0.01 * rng.normal(size=3))
    np.testing.assert_allclose(space.normalize(filter.belief.mean), filter.belief.mean, atol=1e-12)
    np.linalg.cholesky(filter.belief.cov)
    e = space.minus(x, filter.belief.mean)
    assert e @ np.linalg.solve(filter.belief.cov, e) < stats.chi2.ppf(0.9999, space.dim)
    attitude = [i for i, name in enumerate(space.tangent.names) if not name.startswith("z")]
    assert np.sqrt(np.diag(filter.belief.cov)[attitude].max()) < before * 2.0


@pytest.mark.parametrize("make", [EKF, UKF], ids=["EKF", "UKF"])
def test_poses(make: Any) -> None:
    """A pose of SE(2) driven by body velocities: through many turns, with a compass and position readings."""

    @dynamics(state=Space("pose: SE2"), action=Space("speed [m/s]", "turn [rad/s]"), noise=(0.02, 0.02, 0.02))
    def rover(x, u, p, m):
        return u[0], 0.0, u[1]

    model = rover()
    fix, needle, space = gnss(std=0.1), compass(std=0.05), model.state
    rng = np.random.default_rng(8)
    nees = []
    for _ in range(20):
        start = Gaussian.of(space, [0.0, 0.0, 3.0], std=0.2)
        filter, x = make(model, dt=0.1).start(belief=start), start.sample(1, rng=rng)[0]
        for _ in range(50):
            x = space.plus(model.step(x, [1.0, 0.9], 0.1), 0.02 * np.sqrt(0.1) * rng.normal(size=3))
            filter.predict(u=[1.0, 0.9])
            filter.update(fix, fix.on(space).observe(x) + 0.1 * rng.normal(size=2))
            filter.update(needle, needle.on(space).observe(x) + 0.05 * rng.normal(size=1))
        e = space.minus(x, filter.belief.mean)
        nees.append(e @ np.linalg.solve(filter.belief.cov, e))
    inside(nees, 3, 0.999)
