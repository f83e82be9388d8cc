"""The smoother against the joint Gaussian of all states and readings, and on spaces with angles."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import FilterStatus, Gaussian, ModelError, Readings, Space
from pilotage.estimators import EKF, GHKF, KF, UKF, ParticleFilter, SquareRootEKF, smooth
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    compass,
    constant_velocity,
    discrete_dynamics,
    dynamics,
    gnss,
    position,
    sensor,
    unicycle,
)

from .linear import close, seeds, spd


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


@settings(max_examples=15)
@given(seeds, st.sampled_from([1, 3]), st.booleans())
def test_random_systems_with_gaps(seed: int, n: int, vague: bool) -> None:
    """Stable and unstable systems, singular noise and start, unequal steps, missing components: the joint Gaussian."""
    rng = np.random.default_rng(seed)
    A, G = 0.5 * rng.normal(size=(n, n)), rng.normal(size=(n, max(1, n - 1)))
    model = LinearDynamics(A, rng.normal(size=(n, 1)), Qc=G @ G.T)
    P0 = 25.0 * np.eye(n) if vague else np.outer(G[:, 0], G[:, 0])
    start = Gaussian.trusted(model.state, rng.normal(size=n), P0)
    sensors = [LinearSensor(rng.normal(size=(k, n)), spd(rng, k)) for k in (1, 2)]
    stamps = [np.sort(rng.choice(np.arange(1, 16), size=6, replace=False)) * 0.1 for _ in sensors]
    zs = [np.where(rng.random((6, k)) < 0.3, np.nan, rng.normal(size=(6, k))) for k in (1, 2)]
    filters = [kind(model).start(belief=start) for kind in (KF, UKF, SquareRootEKF)]
    runs = [each.run(None, [Readings(*given) for given in zip(sensors, zs, stamps)]) for each in filters]
    seen, counts, ts = [], [0, 0], runs[0].ts
    for k, j in enumerate(runs[0].which):
        z = zs[j][counts[j]]
        counts[j] += 1
        on = ~np.isnan(z)
        H, R = np.asarray(sensors[j].linearize(np.zeros(n))), np.asarray(sensors[j].noise(np.zeros(n)))
        seen.append((k, H[on], R[np.ix_(on, on)], z[on]))
    mean, cov = joint(model, start.mean, P0, ts, np.zeros((len(ts), 1)), seen)
    for run in runs:
        np.testing.assert_array_equal(run.ts, ts)
        smoothed = smooth(run)
        close(smoothed.mean, mean, 1e-6)
        close(smoothed.cov, cov, 1e-6)
        least = np.linalg.eigvalsh(smoothed.cov).min(-1)
        assert (least >= -1e-12 * np.trace(smoothed.cov, axis1=-2, axis2=-1)).all()


def test_the_gain_of_a_ukf_is_that_of_its_points() -> None:
    """The covariance of a state with the next one, by quadrature on x' = x + sin(3 x) / 2: no Jacobian gives that."""

    @dynamics(state=Space("x"), action=Space(), noise=(0.1,), integrator="euler")
    def wave(x, u, p, m):
        return (0.5 * m.sin(3.0 * x[0]),)

    model, tape = wave(), LinearSensor([[1.0]], 0.04, state=Space("x"))
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    weights = weights / weights.sum()
    run = GHKF(model, dt=1.0, order=5).start([0.3], std=0.5).run(None, [[0.4], [0.9]], sensor=tape)
    x, P = run.beliefs.mean[0, 0], run.beliefs.cov[0, 0, 0]
    moved = np.array([model.step(np.array([x + np.sqrt(P) * e]), np.zeros(0), 1.0)[0] for e in nodes])
    C = np.sqrt(P) * (weights * nodes) @ (moved - weights @ moved)
    G = C / run.predicted.cov[1, 0, 0]
    smoothed = smooth(run)
    close(smoothed.mean[0, 0], x + G * (run.beliefs.mean[1, 0] - run.predicted.mean[1, 0]), 1e-12)
    close(smoothed.cov[0, 0, 0], P + G**2 * (run.beliefs.cov[1, 0, 0] - run.predicted.cov[1, 0, 0]), 1e-12)
    slope = 1.0 + 1.5 * np.cos(3.0 * x)
    assert abs(slope * P / run.predicted.cov[1, 0, 0] - G) > 0.02


def test_a_body_at_rest_has_one_pose() -> None:
    """Without motion and noise all smoothed beliefs are the last one, on a curved space too."""
    space = Space("pose: SE3")

    @dynamics(state=space, action=Space())
    def still(x, u, p, m):
        return (0.0,) * 6

    @sensor(state=space, reading=Space("u", "v"), std=(0.3, 0.3))
    def sight(x, c, p, m):
        return x[0] + x[4] * x[2], x[1] - x[5]

    rng = np.random.default_rng(1)
    start = Gaussian(space, space.identity(), spd(rng, 6))
    run = EKF(still(), dt=0.1).start(belief=start).run(None, rng.normal(size=(5, 2)), sensor=sight())
    smoothed = smooth(run)
    for k in range(5):
        close(space.minus(smoothed.mean[k], run.beliefs.mean[-1]), np.zeros(6), 1e-9)
        close(smoothed.cov[k], run.beliefs.cov[-1], 1e-9)


def test_a_failed_reading_of_a_batch_is_smoothed_as_a_missing_one() -> None:
    """The prediction before a reading that failed has moved the belief, and the smoother goes back through it."""
    model, sensor = LinearDynamics([[0.0, 1.0], [0.0, 0.0]], Qc=np.diag([0.0, 1.0])), LinearSensor([[1.0, 0.0]], 0.5)
    zs = np.random.default_rng(5).normal(size=(2, 6, 1))
    zs[1] = zs[0]
    zs[0, 3], zs[1, 3] = np.inf, np.nan
    run = EKF().run(Gaussian.of(model.state, std=np.ones((2, 2))), model, None, zs, 0.2, sensor=sensor)
    assert run.status[0, 3] > FilterStatus.NO_READING
    close(smooth(run).mean[0], smooth(run).mean[1], 1e-12)
    close(smooth(run).cov[0], smooth(run).cov[1], 1e-12)


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


def test_moments_of_a_run_of_particles_are_refused() -> None:
    particles = ParticleFilter(constant_velocity(1), dt=1.0, n=50).start(std=1.0, rng=0)
    run = particles.run(None, np.zeros((3, 1)), sensor=position(1), keep="moments")
    with pytest.raises(ModelError, match="Gaussian; expected Particles"):
        smooth(run)


def test_gains_that_repeat_follow_the_model_when_it_changes() -> None:
    """Covariances settle, to the last bit; then the pace changes, and they settle again: the recursion in numpy."""
    model, fix, dts = constant_velocity(1, density=0.5), position(1, std=0.8), np.repeat([0.1, 0.25, 0.1], 400)
    rng = np.random.default_rng(8)
    zs = rng.normal(size=(13, len(dts), 1))
    start = Gaussian.of(model.state, rng.normal(size=(13, 2)), std=np.linspace(1.0, 4.0, 26).reshape(13, 2))
    run = KF().run(start, model, None, zs, dts, sensor=fix)
    settled = (run.beliefs.cov[:, 1:] == run.beliefs.cov[:, :-1]).all((0, -2, -1))
    assert settled[300:398].any() and settled[1100:].any()
    many, one = smooth(run), smooth(KF().run(start[4], model, None, zs[4], dts, sensor=fix))
    x, P = run.beliefs.mean.copy(), run.beliefs.cov.copy()
    for t in range(len(dts) - 2, -1, -1):
        F, M = model.linearize(np.zeros(2), [], dts[t + 1])[0], run.predicted.cov[:, t + 1]
        G = P[:, t] @ F.T @ np.linalg.inv(M)
        x[:, t] += (G @ (x[:, t + 1] - run.predicted.mean[:, t + 1])[..., None])[..., 0]
        P[:, t] += G @ (P[:, t + 1] - M) @ G.swapaxes(-1, -2)
    close(many.mean, x)
    close(many.cov, P)
    close(one.mean, x[4])
    close(one.cov, P[4])


def test_a_sequence_rests_while_others_of_its_block_move() -> None:
    @discrete_dynamics(state=Space("x"), action=Space(), noise=(0.1,))
    def root(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        return [m.sqrt(x[0])]

    model, sensor, zs = root(), LinearSensor([[1.0]], 0.5, state=root().state), np.ones((13, 4, 1))
    zs[0, 1] = -40.0
    run = EKF().run(Gaussian.of(model.state, np.ones((13, 1)), std=0.5), model, None, zs, 1.0, sensor=sensor)
    assert run.status[0, 2] > FilterStatus.NO_READING >= run.status[1:, 2].max()
    smoothed = smooth(run)
    close(smoothed.mean[0, 1], smoothed.mean[0, 2], 1e-12)
    close(smoothed.cov[0, 1], smoothed.cov[0, 2], 1e-12)
