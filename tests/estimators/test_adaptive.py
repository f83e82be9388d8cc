"""Filters that estimate noise: they find it, are consistent again, and lose nothing where models were right."""

from __future__ import annotations

import copy
import math
import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from pilotage.core import FilterStatus, Gaussian, Readings, ShapeError, Space
from pilotage.core.results import same_belief
from pilotage.estimators import EKF, KF, AdaptiveEKF, NoiseBelief, VariationalEKF, smooth
from pilotage.models import LinearSensor, constant_velocity, position, range_bearing, unicycle

from .linear import close, spd

DT, ROWS, STEPS, LAST = 0.5, 30, 600, 200
MODEL = constant_velocity(2, density=0.5)
FIX, START = position(2, std=1.0), np.zeros((ROWS, 4))
LEARNERS = {"AdaptiveEKF": AdaptiveEKF(), "VariationalEKF": VariationalEKF()}
learners = pytest.mark.parametrize("learner", LEARNERS)


@cache
def flights(density: float = 0.5) -> tuple[Any, Any]:
    """States ``(T, B, 4)`` and readings ``(T, B, 2)`` of std 1."""
    rng = np.random.default_rng(4)
    truth, nothing = constant_velocity(2, density=density), np.zeros(0)
    F, L = truth.linearize(START[0], nothing, DT)[0], np.linalg.cholesky(truth.noise(START[0], nothing, DT))
    xs = np.empty((STEPS, ROWS, 4))
    x = rng.normal(size=(ROWS, 4))
    for t in range(STEPS):
        x = xs[t] = x @ F.T + rng.normal(size=(ROWS, 4)) @ L.T
    return xs, xs[..., :2] + rng.normal(size=(STEPS, ROWS, 2))


@cache
def flown(estimator: Any, sensor: Any, density: float = 0.5) -> tuple[Any, float, float]:
    """The last belief, and root mean square error of positions and mean NEES of the last steps."""
    xs, zs = (np.swapaxes(each, 0, 1) for each in flights(density))
    run = estimator.run(Gaussian(MODEL.state, START, np.eye(4)), MODEL, None, zs, DT, sensor=sensor)
    last = run.beliefs[:, -LAST:]
    e = xs[:, -LAST:] - last.mean
    nees = np.einsum("bti,bti->tb", e, np.linalg.solve(last.cov, e[..., None])[..., 0])
    return run.beliefs[:, -1], math.sqrt(np.mean(e[..., :2] ** 2)), float(np.mean(nees[:: LAST - 1]))


def consistent(nees: float) -> bool:
    """Whether the mean NEES of two far instants of all rows lies in its interval of 99.9 %."""
    low, high = chi2.ppf([0.0005, 0.9995], 4 * 2 * ROWS) / (2 * ROWS)
    return low < nees < high


@learners
@pytest.mark.parametrize("std", [math.sqrt(0.1), math.sqrt(10.0)], ids=["too small", "too large"])
def test_a_noise_wrong_by_ten(learner: str, std: float) -> None:
    """R comes within a fifth of the truth and the NEES into its interval, in which that of the KF is not."""
    sensor = position(2, std=std)
    assert not consistent(flown(KF(), sensor)[2])
    belief, error, nees = flown(LEARNERS[learner], sensor)
    R = belief.noise(sensor)
    assert (np.linalg.eigvalsh(R) > 0.0).all()
    close(R.mean(0), np.eye(2), 0.2)
    assert consistent(nees)
    assert error < 1.02 * flown(KF(), FIX)[1]


@learners
def test_a_noise_that_is_right(learner: str) -> None:
    """Nothing is lost: the error is that of the KF within 2 %."""
    assert flown(LEARNERS[learner], FIX)[1] < 1.02 * flown(KF(), FIX)[1]


@pytest.mark.parametrize("size", [0.1, 10.0])
def test_a_process_noise_wrong_by_ten(size: float) -> None:
    """The factor finds the size of Q, and with it the consistency that the KF lacks."""
    density = 0.5 * math.sqrt(size)
    assert not consistent(flown(KF(), FIX, density)[2])
    belief, error, nees = flown(AdaptiveEKF(adapts="Q", window=15), FIX, density)
    close(np.log10(belief.factor).mean(), math.log10(size), 0.2)
    assert consistent(nees)
    assert error < 0.95 * flown(KF(), FIX, density)[1]


def test_the_variational_fixed_point() -> None:
    """One reading of a number: R is where ``w R0 + (z - x)^2 + P`` and ``w + 1`` say, x and P the update under it."""
    model, fix = constant_velocity(1), position(1, std=2.0)
    belief = Gaussian.of(model.state, [1.0, 0.0], std=[3.0, 1.0])
    found = VariationalEKF(trust=4.0, forgetting=0.5, iterations=200).update(belief, fix, [9.0])
    R = 4.0
    for _ in range(1000):
        K = 9.0 / (9.0 + R)
        R = (2.0 * 4.0 + (8.0 * (1.0 - K)) ** 2 + (1.0 - K) * 9.0) / 3.0
    close(found.belief.noise(fix), [[R]], 1e-9)
    close(found.belief.moments().mean[0], 1.0 + 8.0 * 9.0 / (9.0 + R), 1e-9)
    close(found.belief.moments().cov[0, 0], 9.0 * R / (9.0 + R), 1e-9)
    close(found.S, [[13.0]], 1e-12)


@pytest.mark.parametrize("seen", [[True, True, True], [True, False, True]])
def test_evidence(seen: list[bool]) -> None:
    """R moves towards the noise's second moment, by the joint Gaussian of state and noise given what was measured."""
    rng = np.random.default_rng(2)
    R, P, H, y = spd(rng, 3), spd(rng, 4), rng.normal(size=(3, 4)), rng.normal(size=3)
    space = Space("a b c d")
    sensor, belief = LinearSensor(H, R, state=space), Gaussian(space, np.zeros(4), P)
    found = AdaptiveEKF(trust=4.0).update(belief, sensor, np.where(seen, y, np.nan)).belief
    joint = np.block([[P, np.zeros((4, 3))], [np.zeros((3, 4)), R]])
    h = np.hstack([H, np.eye(3)])[seen]
    K = joint @ h.T @ np.linalg.inv(h @ joint @ h.T)
    mean, cov = K @ y[seen], joint - K @ h @ joint
    expected = np.outer(mean[4:], mean[4:]) + cov[4:, 4:]
    close(5.0 * found.noise(sensor) - 4.0 * R, expected, 1e-12)


@learners
def test_in_a_filter_with_two_sensors(learner: str) -> None:
    """Each sensor has its noise; runs, single steps, copies and journeys agree, and NaN teaches nothing."""
    estimator = LEARNERS[learner]
    rng, T = np.random.default_rng(3), 60
    robot = type(estimator)(dynamics=unicycle(), dt=0.1)
    camera, wheel = range_bearing(std=(0.1, 0.1)), position(2, std=0.5)
    ranges = np.array([5.0, 0.0]) + rng.normal(size=(T, 2)) * [1.0, 0.1]
    fixes = rng.normal(size=(T, 2)) * 0.5
    ranges[7, 0], fixes[9] = np.nan, np.nan
    ts, mark = 0.1 * np.arange(1, T + 1), [5.0, 0.0]
    start = {"mean": [0.0, 0.0, 0.0], "std": 0.5, "sensors": {"camera": camera, "wheel": wheel}}
    one, other = robot.start(**start), robot.start(**start)
    run = one.run(None, [Readings("camera", ranges, ts, contexts=np.tile(mark, (T, 1))), Readings("wheel", fixes, ts)])
    for k in range(T):
        other.predict()
        before = other.belief.noise(camera)
        other.update("camera", ranges[k], context=mark)
        assert before is None or (k == 7) == np.isnan(ranges[k]).any()
        known = other.belief.noise(wheel)
        other.update("wheel", fixes[k])
        if k == 9:
            np.testing.assert_array_equal(other.belief.noise(wheel), known)
        if k == 20:
            other = pickle.loads(pickle.dumps(copy.copy(other)))
    assert len(run.status) == 2 * T
    close(one.belief.moments().mean, other.belief.moments().mean, 1e-9)
    close(one.belief.noise(wheel), other.belief.noise(wheel), 1e-9)
    close(one.belief.noise(camera), other.belief.noise(camera), 1e-9)
    assert same_belief(one.belief, pickle.loads(pickle.dumps(one)).belief)
    found = one.belief.noise(camera)
    assert found[0, 0] > 0.2 > found[1, 1]
    assert len(one.belief.noises) == 2
    assert copy.deepcopy(one).belief.moments().mean.shape == (3,)
    expected = robot.expect(one.belief, camera, mark)
    close(one.update("camera", [5.0, 0.1], context=mark).S, expected.cov, 1e-12)


@learners
def test_rows_of_a_batch(learner: str) -> None:
    """Each is as it would be alone; rows without a reading, with an infinite one or a gated one keep their noise."""
    estimator = type(LEARNERS[learner])(gate=0.999)
    beliefs: Any = Gaussian(MODEL.state, START[:5], np.eye(4))
    beliefs = estimator.update(beliefs, FIX, np.full((5, 2), 1.5)).belief
    zs = np.array([[0.3, 1.0], [np.nan, 1.0], [np.nan, np.nan], [np.inf, 0.0], [80.0, 0.0]])
    found = estimator.update(beliefs, FIX, zs)
    assert found.status.tolist()[:3] == [0, 0, 2]
    assert found.accepted.tolist() == [True, True, False, False, False]
    for i in range(5):
        if i == 3:
            with pytest.raises(ShapeError, match="infinity"):
                estimator.update(beliefs[i], FIX, zs[i])
        else:
            alone = estimator.update(beliefs[i], FIX, zs[i]).belief
            close(alone.noise(FIX), found.belief.noise(FIX)[i], 1e-12)
            close(alone.moments().mean, found.belief.moments().mean[i], 1e-12)
        changed = not np.array_equal(found.belief.noise(FIX)[i], beliefs.noise(FIX)[i])
        assert changed == (i < 2)


def test_a_prediction_that_fails() -> None:
    """The row keeps its belief, and the factor of Q does not touch it."""
    beliefs = NoiseBelief(Gaussian(MODEL.state, START[:2], np.stack([np.eye(4), np.eye(4)])), (), np.array([2.0, 2.0]))
    bad = Gaussian.trusted(MODEL.state, np.array([[0.0] * 4, [np.inf] * 4]), np.array(beliefs.gaussian.cov))
    how = np.zeros(2, dtype=int)
    after = AdaptiveEKF().predict(NoiseBelief(bad, (), beliefs.factor), MODEL, None, DT, status=how)
    assert how[0] == 0 < how[1]
    np.testing.assert_array_equal(after.moments().cov[1], np.eye(4))
    F, Q = MODEL.linearize(START[0], np.zeros(0), DT)[0], MODEL.noise(START[0], np.zeros(0), DT)
    close(after.moments().cov[0], F @ F.T + 2.0 * Q, 1e-12)
    assert same_belief(EKF().predict(beliefs, MODEL, None, DT)[0], EKF().predict(beliefs.gaussian, MODEL, None, DT)[0])


@learners
def test_a_run_keeps_the_history_of_the_noise(learner: str) -> None:
    """Beliefs of a run are those of single steps, with R before and after each, for rows in lanes and one alone."""
    estimator = type(LEARNERS[learner])(gate=0.99)
    rng, T = np.random.default_rng(5), 12
    camera = position(2, std=3.0)
    zs, others = rng.normal(size=(2, 20, T, 2)) * 2.0
    zs[3, 4], zs[6, 5], zs[7, 6, 0] = np.nan, np.inf, np.nan
    ts = DT * np.arange(1, T + 1)
    start = Gaussian(MODEL.state, np.zeros((20, 4)), np.eye(4))
    run = estimator.run(start, MODEL, None, [Readings(FIX, zs, ts), Readings(camera, others[:, 3:], ts[3:])])
    assert isinstance(run.beliefs, NoiseBelief)
    assert run.beliefs.noise(FIX).shape == (20, len(run.ts), 2, 2)
    assert np.isnan(run.beliefs.noise(camera)[:, 0]).all()
    assert run.status[6, np.flatnonzero(run.which == 0)[5]] == FilterStatus.NOT_FINITE_READING
    for i in (0, 3, 7):
        belief: Any = start[i]
        for k, j in enumerate(run.which):
            if run.dts[k]:
                belief = estimator.predict(belief, MODEL, None, float(run.dts[k]))
            before, after = run.predicted[i, k], run.beliefs[i, k]
            close(before.mean, belief.mean, 1e-12)
            assert len(before.noises) == len(belief.noises)
            z = zs[i, round(run.ts[k] / DT) - 1] if j == 0 else others[i, round(run.ts[k] / DT) - 1]
            belief = estimator.update(belief, run.sensors[j], z).belief
            close(after.cov, belief.cov, 1e-12)
            close(after.noise(run.sensors[j]), belief.noise(run.sensors[j]), 1e-12)
    smoothed = smooth(run)
    close(smoothed.mean[:, -1], run.beliefs.mean[:, -1], 1e-12)
    assert (smoothed.std[:, 0] < run.beliefs.std[:, 0] + 1e-12).all()


@learners
def test_sensors_that_come_later(learner: str) -> None:
    """A filter makes room for another sensor: links, late readings, copies and beliefs that are set all go on."""
    robot = type(LEARNERS[learner])(dynamics=MODEL, dt=DT).start(std=1.0, history=10.0)
    pure: Any = robot.belief
    sensors = [position(2, std=float(std)) for std in range(1, 9)]
    rng = np.random.default_rng(6)
    for k, sensor in enumerate((*sensors, *sensors)):
        z = rng.normal(size=2) * 5.0
        result = robot.step(sensor, z)
        robot = pickle.loads(pickle.dumps(robot)) if k == 11 else robot
        pure = robot.estimator.update(robot.estimator.predict(pure, MODEL, None, DT), sensor, z)
        close(result.nis, pure.nis, 1e-12)
        pure = pure.belief
    assert len(robot.belief.noises) == len(sensors)
    for sensor in sensors:
        close(robot.belief.noise(sensor), pure.noise(sensor), 1e-12)
    saved = robot.belief
    robot.belief = NoiseBelief(saved.gaussian, saved.noises[2:4], saved.factor)
    assert robot.belief.noise(sensors[0]) is None
    close(robot.belief.noise(sensors[2]), saved.noise(sensors[2]), 0.0)
    others = [
        Readings(sensor, np.zeros((2, 2)), robot.t + DT * np.arange(1, 3)) for sensor in (FIX, position(2, std=20.0))
    ]
    robot.run(None, others)
    robot.update(sensors[5], [0.0, 0.0])
    known = robot.belief
    robot.predict()
    robot.update(position(2, std=30.0), [0.0, 0.0])  # of another size: what was remembered has shorter rows
    robot.update(sensors[5], [1.0, 1.0], t=robot.t - DT)
    first = robot.estimator.update(known, sensors[5], [1.0, 1.0]).belief
    second = robot.estimator.predict(first, MODEL, None, DT)
    second = robot.estimator.update(second, position(2, std=30.0), [0.0, 0.0]).belief
    close(robot.belief.mean, second.mean, 1e-12)
    close(robot.belief.noise(sensors[5]), second.noise(sensors[5]), 1e-12)


@learners
def test_an_update_that_fails_leaves_the_noise(learner: str) -> None:
    """A single filter stays what it was, also where a sensor was never read; a row of a batch has no estimate."""
    robot = type(LEARNERS[learner])(dynamics=MODEL, dt=DT).start(std=1.0)
    before = robot.belief
    with pytest.raises(ShapeError, match="infinity"):
        robot.update(FIX, [np.inf, 0.0])
    assert same_belief(robot.belief, before)
    rows = robot.estimator.update(Gaussian(MODEL.state, START[:2], np.eye(4)), FIX, [[np.inf, 0.0], [0.0, 0.0]])
    assert np.isnan(rows.belief.noise(FIX)[0]).all()
    assert rows.belief[0].noises == ()
    assert rows.belief[..., 1].noise(FIX).shape == (2, 2)


def test_a_run_is_smoothed_under_the_process_noise_that_it_used() -> None:
    """The textbook's recursion with the factor of each prediction; of many sequences, each has its own."""
    _, readings = flights(density=1.5)
    zs = readings[:80, :3].swapaxes(0, 1)
    start = Gaussian(MODEL.state, np.zeros((3, 4)), np.eye(4))
    estimator = AdaptiveEKF(adapts="Q", window=10.0)
    run = estimator.run(start, MODEL, None, zs, DT, sensor=FIX)
    used = run.predicted.factor
    assert used.max() > 3.0
    assert np.ptp(used[:, -1]) > 0.1
    found = smooth(run)
    F, Q = MODEL.linearize(START[0], np.zeros(0), DT)[0], MODEL.noise(START[0], np.zeros(0), DT)
    for i in range(3):
        xs, Ps = run.beliefs.mean[i], run.beliefs.cov[i]
        x, P = xs[-1], Ps[-1]
        for k in range(len(xs) - 2, -1, -1):
            M = F @ Ps[k] @ F.T + used[i, k + 1] * Q
            G = Ps[k] @ F.T @ np.linalg.inv(M)
            x, P = xs[k] + G @ (x - F @ xs[k]), Ps[k] + G @ (P - M) @ G.T
            close(found.mean[i, k], x, 1e-9)
            close(found.cov[i, k], P, 1e-9)
        close(smooth(estimator.run(start[i], MODEL, None, zs[i], DT, sensor=FIX)).cov, found.cov[i], 1e-9)
