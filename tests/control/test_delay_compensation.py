"""Compensation of delays: with an exact model, a late loop is the loop without a delay, that much later.

MPCC #57, mav_control_rw #35, Nav2 #6249: where is the time considered that passes until an action acts?
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.bench import Fixed, benchmark_task, simulate
from pilotage.control import ILQR, LQR, MPPI, DelayCompensation, reach
from pilotage.core import ActionStatus, Gaussian
from pilotage.core.errors import SettingError
from pilotage.models import double_integrator, unicycle

CART = double_integrator(1, limits={"ax": (-1.0, 1.0)})
ROBOT = unicycle()
START = {"cart": np.array([2.0, 0.5]), "robot": np.array([0.0, 0.0, 2.0])}
MODELS: dict[str, Any] = {"cart": CART, "robot": ROBOT}
DRIVES: dict[str, Any] = {
    "cart": lambda: LQR(CART, [0.0, 0.0]),
    "robot": lambda: ILQR(ROBOT, reach(ROBOT, [2.0, 1.0, 0.0]), horizon=15),
}
STEP = 0.05
"""Resolution of the plants; ticks are 0.1 s apart."""


def late(drive: Any, model: Any, x: np.ndarray, delay: int, ticks: int = 30) -> np.ndarray:
    """States every 0.05 s of a plant whose actions act `delay` steps after they were asked for, at rest before."""
    xs, us = [x], [model.action.clip(np.zeros(model.action.size))] * delay
    for k in range(2 * ticks):
        if k % 2 == 0:
            us += [drive.act(xs[-1], STEP * k).u] * 2
        xs.append(model.step(xs[-1], us[k], STEP))
    return np.array(xs)


@pytest.mark.parametrize("delay", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("name", DRIVES)
def test_with_an_exact_model_only_time_is_lost(name: str, delay: int) -> None:
    model, make = MODELS[name], DRIVES[name]
    one = DelayCompensation(make(), model, delay=STEP * delay, dt=STEP)
    xs = late(one, model, START[name], delay)
    prompt = late(make(), model, xs[delay], 0)
    np.testing.assert_allclose(xs[delay:], prompt[: len(xs) - delay], atol=1e-6)


def test_a_pole_is_balanced_in_spite_of_the_delay() -> None:
    pole = benchmark_task("cart_pole_balance")
    model, balance = pole.known
    for seed in (3, 4):
        best = simulate(pole, ILQR(model, balance), seed=seed).cost
        falls = simulate(pole, ILQR(model, balance), seed=seed, delays=Fixed(0.1)).cost
        drive = DelayCompensation(ILQR(model, balance), model, delay=0.1, dt=0.02)
        assert simulate(pole, drive, seed=seed, delays=Fixed(0.1)).cost < 2.0 * best < 0.1 * falls


def test_a_clock_that_goes_back_and_a_reset_begin_again() -> None:
    drive = DelayCompensation(DRIVES["cart"](), CART, delay=0.3)
    first = drive.act(START["cart"], 0.0).u
    for k in range(1, 5):
        drive.act(START["cart"], 0.1 * k)
    np.testing.assert_array_equal(drive.act(START["cart"], 0.0).u, first)
    drive.act(START["cart"])
    drive.reset()
    np.testing.assert_array_equal(drive.act(START["cart"]).u, first)


def test_it_travels_and_takes_beliefs_and_lost_states() -> None:
    drive = DelayCompensation(MPPI(CART, reach(CART, [0.0, 0.0]), samples=32, horizon=8, rng=1), CART, delay=0.15)
    for k in range(3):
        drive.act(START["cart"], 0.1 * k)
    copy = pickle.loads(pickle.dumps(drive))
    belief = Gaussian.of(CART.state, START["cart"], std=0.1)
    np.testing.assert_array_equal(drive.act(belief, 0.3).u, copy.act(START["cart"], 0.3).u)
    assert drive.act([np.nan, 0.0], 0.4).status is ActionStatus.FALLBACK
    assert drive.act(START["cart"], 0.5).status is ActionStatus.SOLVED


@pytest.mark.parametrize("settings", [{"delay": -0.1}, {"delay": np.nan}, {"delay": 0.1, "dt": 0.0}])
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        DelayCompensation(DRIVES["cart"](), CART, **settings)
