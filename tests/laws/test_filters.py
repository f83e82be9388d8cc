"""Laws of the filter shell, over every estimator that starts one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, Mixture, PilotageError, Space, SpaceError
from pilotage.core.results import same_belief
from pilotage.estimators import EKF, IMM, Filter
from pilotage.estimators._startable import Startable
from pilotage.models import unicycle

from .test_every_implementation import CART, ESTIMATORS

MADE = {name: make() for name, make in ESTIMATORS.items()}
PLANE = {"HistogramFilter", "MonteCarloLocalization", "LandmarkLocalization", "LandmarkLocalization of UKFs"}
MODEL = {name: unicycle() if name in PLANE else CART for name in MADE}
STARTED: dict[str, Any] = {
    name: replace(each, dynamics=MODEL[name], dt=0.1)
    for name, each in MADE.items()
    if isinstance(each, Startable) and "dynamics" in {field.name for field in fields(each)}  # pyright: ignore[reportArgumentType]
}
ELSEWHERE = (Space("p q"), Space("p", "q: angle", "r"))


@pytest.mark.parametrize("name", STARTED)
def test_a_belief_on_another_space_is_refused(name: str) -> None:
    """At the start, where it is set, and by the pure functions; the filter keeps what it had."""
    estimator, model = STARTED[name], MODEL[name]
    own = Gaussian.of(model.state, std=0.1)
    filter = estimator.start(belief=own)
    before = filter.belief
    for other in ELSEWHERE:
        wrong = Gaussian.of(other, std=0.1)
        with pytest.raises(SpaceError):
            filter.belief = wrong
        with pytest.raises(SpaceError):
            Filter.of(estimator, model, wrong)
        with pytest.raises(SpaceError):
            estimator.start(belief=wrong)
        with pytest.raises(PilotageError):
            estimator.predict(wrong, model, None, 0.1)
        assert same_belief(filter.belief, before)
    filter.belief = own


class Custom:
    """An estimator of a user."""

    own_contexts = False

    def predict(self, belief: Any, dynamics: Any, u: Any, dt: float, *, rng: Any = None) -> Any:
        return belief


def test_an_estimator_of_a_user_may_hold_more_than_the_state() -> None:
    """Such as a map beside the robot; what lacks a part of the state is refused."""
    more = Gaussian.of(Space("x [m]", "vx [m/s]", "wall [m]"), std=1.0)
    less = Gaussian.of(Space("x [m]"), std=1.0)
    filter = Filter.of(Custom(), CART, more)
    assert filter.belief is more
    for wrong in (less, Gaussian.of(ELSEWHERE[0], std=1.0)):
        with pytest.raises(SpaceError):
            filter.belief = wrong
        with pytest.raises(SpaceError):
            Filter.of(Custom(), CART, wrong)


def test_every_mode_refuses_another_space() -> None:
    filter = IMM((CART, CART), 0.9, dt=0.1, filter=EKF()).start(std=1.0)
    one = Gaussian.of(CART.state, std=1.0)
    for wrong in (
        Mixture([one, Gaussian.of(Space("x [m]"), std=1.0)]),
        Mixture([Gaussian.of(ELSEWHERE[0], std=1.0)] * 2),
    ):
        with pytest.raises(SpaceError):
            filter.belief = wrong
    np.testing.assert_array_equal(filter.belief.weights, [0.5, 0.5])
