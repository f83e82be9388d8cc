"""Inputs that do not fit a model raise a clear error, from every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import PilotageError, Space
from pilotage.models import LinearDynamics, bicycle, range_to, task


@task(state=Space("x y [m]"), action=Space("vx vy [m/s]"))
def second_component(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[1] * x[1]


car, cart, beacon, cost = bicycle(), LinearDynamics([[0, 1], [0, 0]], [[0], [1]]), range_to(), second_component()
X, U = np.zeros(3), np.zeros(2)

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (lambda: car.step("ahead", U, 0.1), "not an array of numbers"),
    "ragged": (lambda: car.noise([[0, 1], [2]], U, 0.1), "not an array of numbers"),
    "a bigger state": (lambda: beacon.observe(X, [0, 0]), r"holding x, y; mount it on a bigger state by .on\(space\)"),
    "text for a sensor": (lambda: beacon.observe("here", [0, 0]), "not an array of numbers"),
    "text for a context": (lambda: beacon.observe([0, 0], "there"), "context for range_to is not an array of numbers"),
    "ragged context": (lambda: beacon.noise([0, 0], [[0, 1], [2]]), "context for range_to is not an array of numbers"),
    "long state": (lambda: cost.cost(X, U), "state for second_component has shape"),
    "long action": (lambda: cost.cost(U, X), "action for second_component has shape"),
    "a number for a state": (lambda: cost.terminal_cost(3.0), "state for second_component has shape"),
    "batches of a step": (lambda: car.step(np.zeros((3, 4)), np.zeros((2, 2)), 0.1), "do not broadcast"),
    "batches of a linear step": (lambda: cart.step(np.zeros((3, 2)), np.zeros((2, 1)), 0.1), "do not broadcast"),
    "batches of a Jacobian": (lambda: car.linearize(np.zeros((3, 4)), np.zeros((2, 2)), 0.1), "do not broadcast"),
    "batches of a rollout": (lambda: car.rollout(np.zeros((3, 4)), np.zeros((2, 4, 2)), 0.1), "do not broadcast"),
    "batches of a reading": (lambda: beacon.observe(np.zeros((3, 2)), np.zeros((2, 2))), "do not broadcast"),
    "batches of a cost": (lambda: cost.cost(np.zeros((3, 2)), np.zeros((2, 2))), "do not broadcast"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_a_sentence(case: str) -> None:
    call, sentence = WRONG[case]
    with pytest.raises(PilotageError, match=sentence):
        call()


def test_cost_has_the_whole_batch_and_only_what_it_depends_on() -> None:
    """Actions widen the batch of a cost that ignores them, and infinity elsewhere in the state is not its business."""
    assert cost.cost([np.inf, 2.0], np.zeros((5, 2))).tolist() == [4.0] * 5
    assert cost.terminal_cost(np.full((3, 1, 2), np.inf)).tolist() == np.zeros((3, 1)).tolist()
    assert cost.cost(np.zeros((0, 2)), U).shape == (0,)
