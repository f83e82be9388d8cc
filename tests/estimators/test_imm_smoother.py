"""Smoothing of several models: exact sequences, the smoother of one model, and a manoeuvre."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, Mixture, ModelError, Readings, Space
from pilotage.estimators import EKF, GPB1, GPB2, IMM, KF, UKF, MultipleModel, smooth
from pilotage.models import compass, constant_turn, constant_velocity, dynamics, position, unicycle

from .linear import close
from .test_modes import CALM, DT, PUSHED, STAY, TAPE, readings

FIX = position(2, std=1.0)
FLY, TURN = constant_velocity(2, density=0.1), constant_turn(2, density=3.0, turn_density=0.02)


@cache
def enumerated(seed: int, steps: int) -> tuple[Any, Any]:
    """Means and probabilities of modes at each step given all readings: a smoother for each sequence of modes."""
    models, count, zs = (CALM, PUSHED), steps, readings(seed, steps)
    H, R = TAPE.on(CALM.state).linearize(np.zeros(2)), np.array([[0.25]])
    logs, means, sequences = [], [], list(itertools.product(range(2), repeat=count))
    for sequence in sequences:
        x, P, log = np.zeros(2), np.eye(2), 0.0
        w = np.array([0.5, 0.5]) @ STAY
        filtered, predicted = [], []
        for k, (mode, z) in enumerate(zip(sequence, zs, strict=True)):
            log += math.log(w[mode] if k == 0 else STAY[sequence[k - 1], mode])
            F = models[mode].linearize(x, [], DT)[0]
            x, P = F @ x, F @ P @ F.T + models[mode].noise(x, [], DT)
            predicted.append((x, P, F))
            S, y = H @ P @ H.T + R, z - H @ x
            K = P @ H.T @ np.linalg.inv(S)
            log -= 0.5 * (y @ np.linalg.solve(S, y) + math.log(np.linalg.det(S)))
            x, P = x + K @ y, P - K @ S @ K.T
            filtered.append((x, P))
        track = [filtered[-1][0]]
        for k in range(count - 2, -1, -1):
            (x, P), (ahead, cov, F) = filtered[k], predicted[k + 1]
            track.insert(0, x + P @ F.T @ np.linalg.solve(cov, track[0] - ahead))
        logs.append(log)
        means.append(track)
    w = np.exp(np.array(logs) - max(logs))
    w /= w.sum()
    return np.einsum("s,ski->ki", w, np.array(means)), w @ np.array(sequences)


def runs(kind: Any, zs: Any) -> Any:
    one = Gaussian.of(CALM.state, std=1.0)
    estimator = kind((CALM, PUSHED), STAY, dt=DT, filter=KF())
    return estimator, estimator.start(belief=Mixture([one, one])).run(None, zs, sensor=TAPE)


@pytest.mark.parametrize("kind", [IMM, GPB1, GPB2])
def test_smoothing_comes_near_to_all_sequences(kind: Any) -> None:
    """On average nearer than filtering: four times for the states, twice for the probabilities of modes."""
    gained, kept = np.zeros(2), np.zeros(2)
    for seed in range(6):
        means, pushed = enumerated(seed, 6)
        estimator, run = runs(kind, readings(seed, 6))
        for found, total in ((run.beliefs, kept), (smooth(run), gained)):
            total += [
                np.abs(found.moments().mean - means).mean(),
                np.abs(estimator.probabilities(found)[:, 1] - pushed).mean(),
            ]
    assert (gained < np.array([0.25, 0.5]) * kept).all(), (gained, kept)


def test_the_end_of_a_run_stays() -> None:
    _, run = runs(IMM, readings(1, 6))
    found = smooth(run)
    close(found.weights[-1], run.beliefs.weights[-1], 1e-12)
    close(found.components[1].mean[-1], run.beliefs.components[1].mean[-1], 1e-15)
    assert found.moments().std[0, 1] < run.beliefs.moments().std[0, 1]


@pytest.mark.parametrize(("filter", "tolerance"), [(EKF(), 1e-9), (UKF(), 0.02)], ids=["EKF", "UKF"])
def test_one_model_is_smoothed_as_its_filter(filter: Any, tolerance: float) -> None:
    """With a heading, several sensors at their own times, two of them at once, and readings that are missing."""
    car, rng = unicycle(noise=(0.1, 0.1, 0.05)), np.random.default_rng(0)
    zs = rng.normal(size=(8, 2))
    zs[3], zs[5, 0] = np.nan, np.nan
    sources = [
        Readings(position(2, std=0.5), zs, np.arange(1, 9) * 0.1),
        Readings(compass(std=0.2), [[3.1], [-3.1]], [0.25, 0.4]),
    ]
    us, ts = rng.normal(size=(9, 2)), np.arange(1, 10) * 0.1
    start = Gaussian.of(car.state, [0.0, 0.0, 3.0], std=0.5)
    alone = smooth(type(filter)(car, dt=0.1).start(belief=start).run(us, sources, ts))
    many = smooth(IMM((car,), 1.0, dt=0.1, filter=filter).start(belief=Mixture([start])).run(us, sources, ts))
    close(many.components[0].mean, alone.mean, tolerance)
    close(many.components[0].cov, alone.cov, tolerance)


def test_static_models_keep_their_last_probabilities() -> None:
    zs = readings(2, 8)
    run = MultipleModel((CALM, PUSHED), dt=DT, filter=KF()).start(std=1.0).run(None, zs, sensor=TAPE)
    found = smooth(run)
    close(found.weights, np.tile(run.beliefs.weights[-1], (8, 1)), 1e-12)
    for model, part in zip((CALM, PUSHED), found.components, strict=True):
        alone = smooth(KF(model, dt=DT).start(std=1.0).run(None, zs, sensor=TAPE))
        close(part.mean, alone.mean, 1e-10)
        close(part.cov, alone.cov, 1e-10)


def test_a_batch_of_runs_is_smoothed_row_by_row() -> None:
    imm, rng = IMM((FLY, TURN), 0.9, dt=DT), np.random.default_rng(0)
    zs = np.cumsum(rng.normal(size=(4, 6, 2)), axis=1)
    zs[2, 1] = np.nan
    start = imm.first(std=1.0)
    together = smooth(imm.run(start, None, None, zs, sensor=FIX))
    for i in (0, 2):
        alone = smooth(imm.run(start, None, None, zs[i], sensor=FIX))
        close(together.weights[i], alone.weights, 1e-9)
        close(together.components[1].mean[i], alone.components[1].mean, 1e-9)


def test_modes_with_a_heading_are_smoothed_around_half_a_turn() -> None:
    @dynamics(state=Space("yaw: angle", "x [m]"), action=Space(), noise=(0.02, 0.1))
    def still(x, u, p, m):
        return 0.0, 0.0

    @dynamics(state=Space("x [m]", "yaw: angle"), action=Space(), noise=(0.1, 0.5))
    def adrift(x, u, p, m):
        return 0.0, 0.3

    imm = IMM((still(), adrift()), 0.9, dt=DT)
    zs = np.array([[2.9], [3.1], [-3.1], [-2.9], [-2.8]])
    found = smooth(imm.start(mean={"yaw": 2.8}, std=0.2).run(None, zs, sensor=compass(std=0.1))).moments()
    yaw = found.space.index("yaw")
    assert np.abs(np.angle(np.exp(1j * (found.mean[:, yaw] - zs[:, 0])))).max() < 0.2


def test_a_manoeuvre_is_smoothed() -> None:
    """Smoothing helps in every one of ten flights, and in most finds the ends of the turn within two steps."""
    straight, turning = constant_velocity(density=0.1), constant_turn(density=0.1, turn_density=0.02)
    imm, x, xs = IMM((straight, turning), 0.98, dt=1.0), np.array([0.0, 0.0, 50.0, 0.0, 0.0]), []
    for k in range(80):
        x[4] = 0.15 if 30 <= k < 50 else 0.0
        x = turning.step(x, [], 1.0)
        xs.append(x[:2])
    zs = np.array(xs) + np.random.default_rng(0).normal(0.0, 10.0, (10, 80, 2))
    start = imm.first(mean={"vx": 50.0}, std={"yaw_rate": 0.1, "vx": 5.0, "vy": 5.0})
    run = imm.run(start, None, None, zs, sensor=position(std=10.0))
    found = smooth(run)
    before, after = (np.sqrt(((b.moments().mean[..., :2] - xs) ** 2).sum(-1).mean(-1)) for b in (run.beliefs, found))
    assert (after < 0.9 * before).all()
    assert after.mean() < 0.75 * before.mean()
    turns = [np.flatnonzero(w > 0.5) for w in found.weights[..., 1]]
    assert np.median([abs(t[0] - 30) for t in turns]) <= 2
    assert np.median([abs(t[-1] - 49) for t in turns]) <= 2


def test_a_run_of_moments_has_no_modes_to_smooth() -> None:
    imm = IMM((constant_velocity(1), constant_velocity(1, density=9.0)), 0.9, dt=0.1).start(std=1.0)
    run = imm.run(None, np.zeros((3, 1)), sensor=position(1), keep="moments")
    with pytest.raises(ModelError, match="keep='beliefs'"):
        smooth(run)
