"""Checks of what cannot even be called end in a sentence, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import PurePursuit
from pilotage.core import Action, Dynamics, Sensor, Space
from pilotage.estimators import EKF
from pilotage.models import bicycle, gnss, unicycle
from pilotage.planners import AStar
from pilotage.testing import (
    check_controller,
    check_dynamics,
    check_estimator,
    check_planner,
    check_sensor,
    check_space,
)


class Cart(Dynamics):
    state, action = Space("x [m]"), Space("speed [m/s]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return [x[0] + dt * u[0]] if np.ndim(x) == 1 else x[:, 7]


class Tape(Sensor):
    state, reading = Space("x [m]"), Space("tape [m]")

    def observe(self, x: Any, context: Any = None) -> Any:
        return np.array(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        raise ZeroDivisionError("one by nothing")


class Broken:
    """Everything it is asked for fails."""

    own_contexts = False

    def fail(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("out of order")

    predict = expect = update = plan = act = fail

    def reset(self, *, seed: int | None = None) -> None: ...


class Touchy(Broken):
    """A controller that trips over NaN."""

    def act(self, belief_or_state: Any, t: float = 0.0) -> Action:
        x = belief_or_state.mean if hasattr(belief_or_state, "moments") else belief_or_state
        return Action(np.array([round(x[0]) * 0.0, 0.0]))


def driving(controller: Any) -> None:
    check_controller(controller, unicycle())


@pytest.mark.parametrize(("check", "given", "sentence"), [
    (check_dynamics, Cart, r"Cart is a class; make one to check it: Cart\(\.\.\.\)"),
    (check_dynamics, bicycle, r"bicycle has no method `step`, .*; call it to make one: bicycle\(\.\.\.\)"),
    (check_dynamics, Cart(), r"Cart\.step raised IndexError for arrays of shape \(3, 1\), \(3, 1\): index 7 is out"),
    (check_dynamics, 3, r"int has no method `step`"),
    (check_sensor, Tape, r"Tape is a class"),
    (check_sensor, gnss, r"gnss has no method `observe`, .*; call it to make one"),
    (check_sensor, Tape(), r"Tape\.noise raised ZeroDivisionError for arrays of shape \(3, 1\): one by nothing"),
    (check_estimator, EKF, "EKF is a class"),
    (check_estimator, Broken(), "`predict` raised RuntimeError: out of order"),
    (check_planner, AStar, "AStar is a class"),
    (check_planner, Broken(), r"`plan` from \[2.25 2.25\] to .* raised RuntimeError: out of order"),
    (driving, PurePursuit, "PurePursuit is a class"),
    (driving, Broken(), r"`act` in the state \[0.* raised RuntimeError: out of"),
    (driving, Touchy(), "`act` in a state of NaN raised ValueError: .*fall back"),
    (check_space, Space, "Space is a class"),
])  # fmt: skip
def test_a_sentence_says_what_cannot_be_called(check: Any, given: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check(given)
