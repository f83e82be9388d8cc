"""The first plan of an unstable system: its rollout falls within the horizon, and is no good begin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are

from pilotage.control import ILQR, SQP
from pilotage.models import cart_pole, task

POLE = cart_pole(noise=0.0)
WEIGHTS = (1.0, 0.1, 10.0, 0.1, 0.01)
X = np.array([-0.11, 0.07, 0.1, 0.19])
STEPS = 30
DRIVES: dict[str, Any] = {
    "ILQR": ILQR,
    "SQP": SQP,
    "SQP, 20 programs": lambda *args, **more: SQP(*args, iterations=20, **more),
    "SQP, real time": lambda *args, **more: SQP(*args, real_time=True, **more),
}


def leaning(x: Any, u: Any, p: Any, m: Any) -> Any:
    return m.abs(x[2]) - 0.5


def upright(constraint: Any) -> Any:
    """The pole stays upright."""

    @task(
        state=POLE.state, action=POLE.action, constraint=constraint, weights=WEIGHTS,
        terminal=lambda x, p, m: [*x], terminal_weights=WEIGHTS[:4],
    )  # fmt: skip
    def balance(x: Any, u: Any, p: Any, m: Any) -> Any:
        return [*x, u[0]]

    return balance(dt=0.05)


@pytest.mark.parametrize("constraint", [None, leaning], ids=["free", "constrained"])
@pytest.mark.parametrize("make", DRIVES.values(), ids=DRIVES)
def test_a_pole_is_balanced_from_rest(make: Any, constraint: Any) -> None:
    """The first plan costs hardly more than LQR, which is near the optimum; from the rollout, it costs 600."""
    falling = POLE.rollout(X, np.zeros((STEPS, 1)), 0.05)
    assert np.abs(falling[:, 2]).max() > 2.0
    errand = upright(constraint)
    F, B = POLE.linearize(np.zeros(4), np.zeros(1), 0.05)
    P = solve_discrete_are(F, B, np.diag(WEIGHTS[:4]), np.diag(WEIGHTS[4:]))
    drive = make(POLE, errand, horizon=STEPS)
    for plan in (drive.solve(X).us, drive.act(X).plan):
        xs = POLE.rollout(X, plan, 0.05)
        cost = float(errand.cost(xs[:-1], plan).sum() + errand.terminal_cost(xs[-1]))
        assert cost < 1.1 * X @ P @ X
        assert np.abs(xs[:, 2]).max() < 0.5


@pytest.mark.parametrize("make", DRIVES.values(), ids=DRIVES)
def test_a_guess_of_the_user_is_kept(make: Any) -> None:
    """A plan that is more than one action is where the solver begins: from the optimum, there is nothing left to do."""
    drive = make(POLE, upright(None), horizon=STEPS)
    found = drive.solve(X)
    assert found.stats["iterations"] > 3
    assert drive.solve(X, us=found.us).stats["iterations"] <= 2
