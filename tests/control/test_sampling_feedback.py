"""Laws of samples that follow the last plan with feedback gains."""

# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false
from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.control import CEM, ICEM, ILQR, MPPI, PredictiveSampling, reach
from pilotage.control.receding import Stopwatch
from pilotage.control.sampling._samples import DRAWN, Samples, key_of
from pilotage.core import ActionStatus, SettingError
from pilotage.models import bicycle, cart_pole
from pilotage.testing import check_controller

from .test_ilqr import A, B, Q, R, linear, quadratic, trajectory
from .worlds import PlainDynamics, PlainTask, cart, forward, rod

CAR = bicycle(wheelbase=2.0)
GOAL = reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1)
X = np.array([0.0, 0.0, 3.0, 1.0])
KINDS: list[Any] = [CEM, ICEM, MPPI, PredictiveSampling]
STEPS = 12


def made(kind: Any, model: Any = CAR, task: Any = GOAL, **more: Any) -> Any:
    return kind(model, task, **{"horizon": STEPS, "samples": 100, "rng": 5, "feedback": True, **more})


def drawn(samples: Samples, plan: Any, **more: Any) -> tuple[Any, Any]:
    """The actions and the costs of all samples around a plan."""
    rows = np.zeros((STEPS + 1, 0))
    samples.roll(X, plan, rows, key_of(3) + DRAWN, Stopwatch(None), **more)
    return samples.taken(np.arange(100), plan), samples.costs.copy()


PLAN = np.tile([0.4, 0.05], (STEPS, 1))


@pytest.mark.parametrize("scales", [1.0, (1.0, 0.3, 0.1)])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_gains_of_zero_change_no_bit(precision: str, scales: Any) -> None:
    samples = made(MPPI, precision=precision)._workspace
    nominal = CAR.rollout(X + [0.3, -0.2, 0.4, 0.1], PLAN, 0.1)
    us, costs = drawn(samples, PLAN, law=(nominal, PLAN, np.zeros((STEPS, 2, 4))))
    again, same = drawn(samples, PLAN, kept=np.stack([PLAN, PLAN]))
    assert np.array_equal(us, again)
    assert np.array_equal(costs, same)


@pytest.mark.parametrize("scales", [1.0, (1.0, 0.3, 0.1)])
def test_every_second_sample_follows_the_law(scales: Any) -> None:
    """Step by step in numpy; over an angle that wraps, and with limits that act."""
    samples = made(ICEM, scales=scales)._workspace
    free, _ = drawn(samples, PLAN, kept=np.stack([PLAN, PLAN]))
    nominal = CAR.state.normalize(CAR.rollout(X, PLAN, 0.1) + [0.3, -0.2, 0.4, 0.1])
    gains = np.random.default_rng(0).normal(0.0, 2.0, (STEPS, 2, 4))
    us, costs = drawn(samples, PLAN, law=(nominal, PLAN + 0.1, gains))
    for k in range(100):
        x, followed = X, free[k].copy()
        if k >= 1 and (k - 1) // np.size(scales) % 2 == 0:
            for t in range(STEPS):
                followed[t] = CAR.action.clip(followed[t] + 0.1 + gains[t] @ CAR.state.minus(x, nominal[t]))
                x = CAR.step(x, followed[t], 0.1)
        assert np.allclose(us[k], followed, atol=1e-9)
        assert np.isclose(costs[k], trajectory(CAR, GOAL, X, us[k]))


def test_the_gains_are_those_of_lqr_and_of_ilqr() -> None:
    from scipy.linalg import solve_discrete_are

    P = solve_discrete_are(A, B, Q, R)
    model, task, still = linear(-9.0, 9.0), quadratic(P), np.zeros((STEPS, B.shape[1]))
    samples = made(MPPI, model, task)._workspace
    xs, _, gains = samples.law(np.array([0.1, 0.0, 0.0]), still, np.zeros((STEPS + 1, 0)))
    assert np.allclose(gains, -np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A), atol=1e-8)
    assert np.allclose(xs, model.rollout(np.array([0.1, 0.0, 0.0]), still, task.dt))
    plan = ILQR(CAR, GOAL, horizon=STEPS).solve(X)
    _, _, gains = made(MPPI)._workspace.law(X, plan.us, np.zeros((STEPS + 1, 0)))
    assert np.allclose(gains, plan.stats["gains"], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unstable_system_is_held_on_an_estimate(kind: Any) -> None:
    """A pole whose state is known to a centimetre and some degrees: feedback saves a third, on the same noise."""
    model, costs = cart_pole(noise=0.0), []
    task = reach(model, [0.0] * 4, weights=[1.0, 0.1, 10.0, 0.1], effort=0.01, dt=0.05)
    for feedback in (False, True):
        rng, x, cost = np.random.default_rng(1), np.array([0.2, 0.0, 0.05, 0.0]), 0.0
        drive = made(kind, model, task, horizon=30, samples=200, feedback=feedback)
        for tick in range(60):
            u = drive.act(x + rng.normal(0.0, (0.01, 0.05, 0.02, 0.05)), 0.05 * tick).u
            cost += float(task.cost(x, u))
            x = model.step(x, u, 0.05)
        costs.append(cost)
    assert costs[1] < 0.67 * costs[0]


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_is_one_course_in_any_thread_and_process(kind: Any) -> None:
    def course(drive: Any) -> np.ndarray:
        x, us = X, []
        for _ in range(4):
            us.append(drive.act(x + [0.01, 0.0, 0.02, 0.0]).u)
            x = CAR.step(x, us[-1], 0.1)
        return np.array(us)

    first, threaded = course(made(kind)), made(kind, threads=3)
    assert np.array_equal(first, course(threaded))
    threaded.reset()
    assert np.array_equal(first, course(pickle.loads(pickle.dumps(threaded))))
    assert np.allclose(first, course(made(kind, precision="single")), atol=2e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wall_is_kept(kind: Any) -> None:
    drive, x = made(kind, cart(), forward(dt=0.1), horizon=20, samples=200), np.zeros(2)
    for tick in range(50):
        x = cart().step(x, drive.act(x, 0.1 * tick).u, 0.1)
        assert x[0] < 1.0
    assert x[0] > 0.6
    assert made(kind, cart(), forward(dt=0.1), horizon=9).act([0.5, 3.0]).status is ActionStatus.FALLBACK


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind: Any) -> None:
    check_controller(made(kind), CAR)


@pytest.mark.parametrize("kind", KINDS)
def test_models_without_derivatives_are_refused(kind: Any) -> None:
    for model, task in ((PlainDynamics(CAR), GOAL), (CAR, PlainTask(GOAL, CAR.state))):
        with pytest.raises(SettingError, match="feedback"):
            made(kind, model, task)


def test_samples_that_diverge_leave_the_plan_finite() -> None:
    """What a gain makes of a deviation may overflow; it has no share in the mean of the samples then."""
    drive = made(MPPI, rod(), reach(rod(), [0.0, 0.0]))
    law = (np.full((STEPS + 1, 2), 1e308), np.zeros((STEPS, 1)), np.full((STEPS, 1, 2), 1e308))
    drive._workspace.roll(
        np.zeros(2), np.zeros((STEPS, 1)), np.zeros((STEPS + 1, 0)), key_of(1), Stopwatch(None), law=law
    )
    assert np.isfinite(drive._workspace.taken(np.arange(100), np.zeros((STEPS, 1)))).all()
