"""The smoother against the joint Gaussian of all states and readings, and on spaces with angles."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, ModelError, Readings
from pilotage.estimators import EKF, KF, UKF, ParticleFilter, smooth
from pilotage.models import LinearDynamics, LinearSensor, compass, constant_velocity, gnss, position, unicycle

from .linear import close


def joint(model: LinearDynamics, x0: Any, P0: Any, times: Any, us: Any, seen: Any) -> tuple[Any, Any]:
    """Means (T, n) and covariances (T, n, n) of the states at `times` given all readings, conditioned at once.

    `seen` holds (index of the time, H, R, z). The vector of all states is normal, and so is it with the readings.
    """
    n, T = len(x0), len(times)
    mean, cov = np.zeros(n * T), np.zeros((n * T, n * T))
    x, last = np.array(x0), 0.0
    cross, P = np.zeros((n, n * T)), np.array(P0)
    for k, t in enumerate(times):
        at = slice(n * k, n * k + n)
        if t > last:
            F, B, Q = model.discretized(t - last)
            x, P, cross = F @ x + B @ us[k], F @ P @ F.T + Q, F @ cross
        mean[at], cov[at, at] = x, P
        cov[at, : n * k], cov[: n * k, at] = cross[:, : n * k], cross[:, : n * k].T
        cross[:, at], last = P, t
    H = np.zeros((sum(len(z) for *_, z in seen), n * T))
    R, zs, row = np.zeros((len(H), len(H))), [], 0
    for k, h, r, z in seen:
        here = slice(row, row + len(z))
        H[here, n * k : n * k + n], R[here, here] = h, r
        zs.append(z)
        row += len(z)
    gain = cov @ H.T @ np.linalg.inv(H @ cov @ H.T + R)
    mean, cov = mean + gain @ (np.concatenate(zs) - H @ mean), cov - gain @ H @ cov
    return mean.reshape(T, n), np.stack([cov[n * k : n * k + n, n * k : n * k + n] for k in range(T)])


def test_joint_gaussian_of_two_sensors() -> None:
    """Readings of two sensors at times of their own, some at one instant, and actions that change in between."""
    rng = np.random.default_rng(0)
    model = LinearDynamics([[0.0, 1.0], [-0.2, -0.3]], [[0.0], [1.0]], Qc=np.diag([0.1, 0.4]))
    tape = LinearSensor([[1.0, 0.0]], 0.2)
    both = LinearSensor([[1.0, 0.5], [0.0, 1.0]], [[0.3, 0.1], [0.1, 0.5]])
    first, second = np.arange(1, 9) * 0.5, np.array([0.3, 0.5, 1.7, 3.0, 3.9])
    z1, z2 = rng.normal(size=(8, 1)), rng.normal(size=(5, 2))
    ticks, actions = np.array([1.0, 2.0, 4.0]), rng.normal(size=(3, 1))
    start = Gaussian(model.state, [1.0, -1.0], [[2.0, 0.3], [0.3, 1.0]])
    for estimator in (KF(model), EKF(model), UKF(model)):
        filter = estimator.start(belief=start)
        run = filter.run(actions, [Readings(tape, z1, first), Readings(both, z2, second)], ticks)
        smoothed = smooth(run)
        times = run.ts
        us = actions[np.searchsorted(ticks, times - 1e-9)]
        seen, counts = [], [0, 0]
        for k, j in enumerate(run.which):
            sensor, z = ((tape, z1), (both, z2))[j]
            seen.append((k, np.asarray(sensor.linearize(np.zeros(2))), sensor.noise(np.zeros(2)), z[counts[j]]))
            counts[j] += 1
        assert counts == [8, 5]
        mean, cov = joint(model, start.mean, start.cov, times, us, seen)
        close(smoothed.mean, mean, 1e-9)
        close(smoothed.cov, cov, 1e-9)
        close(run.beliefs.mean[-1], mean[-1], 1e-9)
        assert abs(filter.t - 4.0) < 1e-12


def test_headings_across_half_a_turn() -> None:
    """A robot that turns through pi: smoothed states are nearer to the truth than filtered ones, and honest."""
    rng, robot, dt = np.random.default_rng(3), unicycle(noise=(0.05, 0.05, 0.05)), 0.1
    fix, needle = gnss(std=0.3).on(robot.state), compass(std=0.2).on(robot.state)
    runs, steps, us = 40, 80, np.tile([1.0, 0.5], (80, 1))
    x = Gaussian.of(robot.state, [0.0, 0.0, 2.0], std=0.2).sample(runs, rng=rng)
    xs, fixes, needles = np.empty((runs, steps, 3)), np.empty((runs, steps, 2)), np.empty((runs, steps // 2, 1))
    for k in range(steps):
        e = rng.normal(size=(runs, 3)) * np.sqrt(np.diag(robot.noise(x[0], us[0], dt)))
        x = robot.state.plus(robot.step(x, us[k], dt), e)
        xs[:, k], fixes[:, k] = x, fix.sample(x, rng=rng)
        if k % 2:
            needles[:, k // 2] = needle.sample(x, rng=rng)
    ts = dt * np.arange(1, steps + 1)
    start = Gaussian.of(robot.state, [0.0, 0.0, 2.0], std=0.2)
    run = EKF(dt=dt).run(start, robot, us, [Readings(fix, fixes, ts), Readings(needle, needles, ts[1::2])], ts=ts)
    smoothed, last = smooth(run), np.append(np.diff(run.ts) > 1e-6, True)
    off, before = (robot.state.minus(xs, b.mean[:, last]) for b in (smoothed, run.beliefs))
    assert np.sqrt((off**2).mean()) < 0.8 * np.sqrt((before**2).mean())
    nees = np.einsum("rti,rti->rt", off, np.linalg.solve(smoothed.cov[:, last], off[..., None])[..., 0])
    assert 2.5 < nees.mean() < 3.5


def test_one_sequence_of_a_batch_is_the_sequence_alone() -> None:
    rng = np.random.default_rng(5)
    model, sensor = LinearDynamics([[0.0, 1.0], [0.0, 0.0]], Qc=np.diag([0.0, 1.0])), LinearSensor([[1.0, 0.0]], 0.5)
    start, zs = Gaussian.of(model.state, rng.normal(size=(3, 2)), std=1.0), rng.normal(size=(3, 6, 1))
    many = smooth(KF().run(start, model, None, zs, 0.2, sensor=sensor))
    for i in range(3):
        one = smooth(KF().run(start[i], model, None, zs[i], 0.2, sensor=sensor))
        close(many.mean[i], one.mean, 1e-12)
        close(many.cov[i], one.cov, 1e-12)


def test_an_estimator_smooths_its_runs_in_its_own_way() -> None:
    """`smooth` asks the estimator that a run names, and hands it the random stream; without one it is RTS."""
    model, sensor = LinearDynamics([[0.0, 1.0], [0.0, 0.0]], Qc=np.diag([0.0, 1.0])), LinearSensor([[1.0, 0.0]], 0.5)
    run = EKF(model, dt=0.2).start(std=1.0).run(None, np.ones((3, 1)), sensor=sensor)
    assert run.estimator == EKF(model, dt=0.2)

    class Own:
        def smoothed(self, run: Any, *, rng: Any = None) -> Any:
            return run, rng

    mine = dataclasses.replace(run, estimator=Own())
    assert smooth(mine, rng=3) == (mine, 3)
    close(smooth(dataclasses.replace(run, estimator=None)).mean, smooth(run).mean, 1e-12)


def test_runs_of_particles_are_refused() -> None:
    particles = ParticleFilter(constant_velocity(1), dt=1.0, n=50).start(std=1.0, rng=0)
    run = particles.run(None, np.zeros((3, 1)), sensor=position(1))
    with pytest.raises(ModelError, match="are Particles; expected those of a KF, EKF or UKF"):
        smooth(run)
