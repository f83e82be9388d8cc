"""A pole on a cart: balance and swing-up."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

from ...control import reach
from ...core import Gaussian, Space
from ...core.mathematics import Mathematics
from ...core.parts import Components
from ...models import TracedTask, cart_pole, sensor, task
from ...models.trace.params import Values
from ..benchmark_task import BenchmarkTask, tasks
from ..optimum.store import known
from ._common import UPRIGHT, estimated, impulse, mismatch, slow, wind


@sensor(state=Space("x [m]", "theta: angle"), reading=Space("x [m]", "theta: angle"), std=(0.01, 0.01))
def encoders(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The position of the cart and the angle of the pole."""
    return x


CART = cart_pole(noise=0.0)
TRACK, TILT = 2.4, 0.5
"""Where balancing has failed [m, rad]."""
DISTURBANCES = {
    "heavy": mismatch(pole_mass=2.0),
    "light": mismatch(pole_mass=0.5),
    "long": mismatch(half_length=1.3),
    "cart": mismatch(cart_mass=1.3),
    "wind": wind("theta_rate", 0.3),
    "push": impulse("theta_rate", 0.4),
}


def _cart_pole(name: str, judged: TracedTask, planning: TracedTask) -> BenchmarkTask:
    seen = {"encoders": slow(encoders(), judged.dt)}
    return BenchmarkTask(
        name, CART, judged, planning=planning, success=lambda x: abs(x[2]) < UPRIGHT and abs(x[3]) < 1.0,
        optimum=known(name), disturbances=DISTURBANCES,
        **estimated(cart_pole(), cast(Gaussian, judged.initial), seen, judged.dt),
    )  # fmt: skip


def _fallen(x: Any, u: Any, p: Any, m: Any) -> Any:
    return m.abs(x[0]) - TRACK, m.abs(x[2]) - TILT


@task(state=CART.state, action=CART.action, constraint=_fallen, weights=(1.0, 0.1, 10.0, 0.1, 0.01))
def balance(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Stay in the middle and upright."""
    return *x, u[0]


@tasks.add
@cache
def cart_pole_balance() -> BenchmarkTask:
    """A pole on a cart stays upright, with its position and angle measured slowly and late."""
    begin = Gaussian.of(CART.state, [0.0] * 4, std=[0.2, 0.1, 0.05, 0.1])
    stay = balance(initial=begin, dt=0.05, horizon=100)
    return _cart_pole("cart_pole_balance", stay, stay)


@tasks.add
@cache
def cart_pole_swingup() -> BenchmarkTask:
    """A hanging pole on a cart swings up, with its position and angle measured slowly and late."""
    begin = Gaussian.of(CART.state, [0.0, 0.0, math.pi - 0.1, 0.0], std=[0.1, 0.05, 0.05, 0.05])

    def upright(final: float) -> TracedTask:
        weights = [0.5, 0.05, 1.0, 0.05]
        return reach(CART, [0.0] * 4, weights=weights, effort=0.001, final=final, initial=begin, dt=0.05, horizon=120)

    return _cart_pole("cart_pole_swingup", upright(0.0), upright(20.0))
