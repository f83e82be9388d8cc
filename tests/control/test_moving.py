"""Moving obstacles: predictive controllers keep clear of walkers that cross their way."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.control import CEM, ICEM, ILQR, MPPI, PredictiveSampling, follow, reach
from pilotage.core import ActionStatus, MovingObstacle, SettingError, SpaceError
from pilotage.models import unicycle
from pilotage.models.trace import code_of
from pilotage.planners import PredictedTrack

from .worlds import stop

ROBOT, RADIUS, DT = unicycle(), 0.3, 0.1
WALKERS = [
    MovingObstacle([0.0, 8.0], [[1.6, -3.0], [1.6, 3.0]], 0.35),
    MovingObstacle([0.0, 8.0], [[3.2, 4.0], [2.6, -4.0]], 0.35),
]
CONTROLLERS: dict[str, Any] = {
    "ILQR": lambda task: ILQR(ROBOT, task, horizon=25, iterations=30),
    "MPPI": lambda task: MPPI(ROBOT, task, horizon=25, samples=400, std=(0.4, 0.8), rng=0),
    "CEM": lambda task: CEM(ROBOT, task, horizon=25, samples=200, std=(0.4, 0.8), rng=0),
    "ICEM": lambda task: ICEM(ROBOT, task, horizon=25, samples=100, std=(0.4, 0.8), rng=0),
    "PredictiveSampling": lambda task: PredictiveSampling(ROBOT, task, horizon=25, samples=300, std=(0.4, 0.8), rng=0),
}
TASKS = {
    "follow": lambda: follow([[0.0, 0.0], [4.5, 0.0]], speed=0.8, dt=DT),
    "reach": lambda: reach(ROBOT, [4.5, 0.0, 0.0], weights=[1.0, 1.0, 0.1], tolerance=[0.2, 0.2, 3.2], dt=DT),
}


def drive(controller: Any, ticks: int = 120) -> tuple[np.ndarray, ActionStatus]:
    xs, status = [np.zeros(3)], ActionStatus.SOLVED
    for tick in range(ticks):
        action = controller.act(xs[-1], DT * tick)
        if (status := action.status) is ActionStatus.DONE:
            break
        xs.append(ROBOT.step(xs[-1], action.u, DT))
    return np.array(xs), status


def least_room(xs: np.ndarray, walkers: Any = WALKERS) -> float:
    """Between the discs, at all times of the straight ways between states."""
    ts = DT * np.arange(len(xs))
    return float(min(each.room(xs[:, :2], ts).min() for each in walkers)) - RADIUS


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", CONTROLLERS)
def test_walkers_are_not_touched(name: str, kind: str) -> None:
    xs, status = drive(CONTROLLERS[name](TASKS[kind]().avoiding(WALKERS, radius=RADIUS)))
    assert least_room(xs) > -0.01, "the constraint is kept at steps, and nearly so between them"
    assert status is ActionStatus.DONE


def test_without_the_constraint_they_are() -> None:
    xs, _ = drive(CONTROLLERS["ILQR"](TASKS["follow"]()))
    assert least_room(xs) < -0.1


def test_the_constraint_is_that_of_discs_at_their_times() -> None:
    rng, task = np.random.default_rng(0), TASKS["follow"]().avoiding(WALKERS, radius=RADIUS).on(ROBOT.state)
    xs, t = rng.uniform(-4.0, 4.0, (6, 3)), 1.7
    rows, carry = task.references(xs[0], t, 5)
    g = task.constraint(xs, np.zeros((6, 2)), rows)
    for i, walker in enumerate(WALKERS):
        away = np.linalg.norm(xs[:, :2] - walker.at(t + DT * np.arange(6)), axis=-1)
        assert np.allclose(g[:, i], RADIUS + 0.35 - away, atol=1e-9)
    plain, before = TASKS["follow"]().on(ROBOT.state).references(xs[0], t, 5)
    assert np.array_equal(rows[:, : plain.shape[1]], plain)
    assert carry == before
    assert np.allclose(task.cost(xs, np.zeros((6, 2)), rows), TASKS["follow"]().cost(xs, np.zeros((6, 0)), plain))


def test_other_predictions_compile_nothing_and_travel() -> None:
    task = TASKS["reach"]().avoiding(WALKERS)
    other = task.avoiding([WALKERS[0].later(-3.0), WALKERS[0]])
    assert code_of(task, "g gx gu").address == code_of(other, "g gx gu").address
    sent = pickle.loads(pickle.dumps(other))
    assert np.array_equal(sent.references(np.zeros(3), 4.0, 2)[0], other.references(np.zeros(3), 4.0, 2)[0])
    assert other.avoiding([]).constraints == 0
    assert task.avoiding(WALKERS[0]).constraints == 1
    assert other.avoiding([]).stage.size == 0


def test_the_larger_radius_counts_between_two_times() -> None:
    grows = MovingObstacle([0.0, 1.0, 2.0], np.zeros((3, 2)), [0.1, 0.5, 0.2])
    assert grows.radius_at([-1.0, 0.5, 1.5, 9.0]).tolist() == [0.1, 0.5, 0.5, 0.2]


def test_mistakes_have_a_sentence() -> None:
    with pytest.raises(SpaceError, match="y"):
        stop().avoiding(WALKERS)
    with pytest.raises(SettingError, match="moving of avoiding is 3; expected a list"):
        TASKS["reach"]().avoiding(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="avoiding"):
        TASKS["reach"]().avoiding([[1.0, 2.0]])  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="radius is -1"):
        TASKS["reach"]().avoiding(WALKERS, radius=-1.0)


@pytest.mark.parametrize("name", ["ILQR", "MPPI"])
def test_tracks_are_touched_with_their_risk_at_most(name: str) -> None:
    """A walker whose velocity is uncertain, as a filter predicts it; 1000 of them walk."""
    rng, risk, ts = np.random.default_rng(1), 0.1, np.array([0.0, 2.0, 4.0, 6.0, 8.0])
    start, velocity, std = np.array([2.0, -1.3]), np.array([0.0, 0.8]), 0.12
    track = PredictedTrack(
        ts, start + ts[:, None] * velocity, np.array([(0.02 + (std * t) ** 2) * np.eye(2) for t in ts]), radius=0.3
    )
    walkers = [
        MovingObstacle(ts, first + ts[:, None] * v, 0.3)
        for first, v in zip(
            start + np.sqrt(0.02) * rng.normal(size=(1000, 2)), velocity + std * rng.normal(size=(1000, 2)), strict=True
        )
    ]
    frequency = []
    for task in (TASKS["reach"]().avoiding([track.obstacle(risk)], radius=RADIUS), TASKS["reach"]()):
        xs, status = drive(CONTROLLERS[name](task), 200)
        assert status is ActionStatus.DONE
        frequency.append(np.mean([least_room(xs, [walker]) < 0.0 for walker in walkers]))
    assert frequency[0] <= risk < 0.3 < frequency[1], "with the constraint, and without"
