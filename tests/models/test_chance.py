"""A trace calls a function once, so a function of a model that draws random numbers or reads a clock is refused."""

# ruff: noqa: NPY002  # the streams of modules are what is tested
from __future__ import annotations

import datetime
import os
import random
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.random as draws
import pytest
from numpy.random import normal
from scipy.stats import norm

from pilotage.core import ModelError, Space
from pilotage.models import dynamics, sensor, task

LINE, NOTHING = Space("v"), Space()
HELD, OLD, PLAIN, ENTROPY = np.random.default_rng(0), np.random.RandomState(0), random.Random(0), random.SystemRandom()


class Robot:
    """Something that holds a random stream; only `shaken` draws from it."""

    def __init__(self) -> None:
        self.stream = np.random.default_rng(1)

    def still(self, v: Any) -> Any:
        return 2.0 * v

    def shaken(self, v: Any) -> Any:
        return v + self.stream.normal()

    def elsewhere(self) -> float:
        return float(np.random.normal()) + time.time()


ROBOT = Robot()


def gust(v: Any) -> Any:
    return v + np.random.uniform()


def imports(v: Any) -> Any:
    import random as chance

    return v + chance.random()


def drops_out(v: Any) -> Any:
    return v if random.random() < 1e-9 else 2.0 * v


def by_default(v: Any, stream: Any = np.random.default_rng(2)) -> Any:  # noqa: B008
    return v + stream.normal()


RANDOM: dict[str, Callable[[Any], Any]] = {
    "np.random.normal": lambda v: v + np.random.normal(),
    "draws.normal": lambda v: v + draws.normal(),
    "normal": lambda v: v + normal(),
    "norm.rvs": lambda v: v + norm.rvs(),
    "np.random.default_rng": lambda v: v + np.random.default_rng().normal(),
    "HELD.normal": lambda v: v + HELD.normal(),
    "OLD.normal": lambda v: v + OLD.normal(),
    "PLAIN.random": lambda v: v + PLAIN.random(),
    "ENTROPY.random": lambda v: v + ENTROPY.random(),
    "random.gauss": lambda v: v + random.gauss(0.0, 1.0),
    "ROBOT.shaken": lambda v: ROBOT.shaken(v),
    "np.random.uniform in gust": lambda v: gust(v),
    "random in imports": imports,
    "random.random in drops_out": drops_out,
    "stream of by_default": lambda v: by_default(v),
    "secrets.randbelow": lambda v: v + secrets.randbelow(10**9),
    "os.urandom": lambda v: v + int.from_bytes(os.urandom(4), "big"),
    "uuid.uuid4": lambda v: v + uuid.uuid4().int,
    "time.time": lambda v: v + time.time(),
    "time.perf_counter": lambda v: v + time.perf_counter(),
    "datetime.datetime.now": lambda v: v + datetime.datetime.now().microsecond,
}
CERTAIN: dict[str, Callable[[Any], Any]] = {
    "a method of what can draw": lambda v: ROBOT.still(v),
    "a seeded stream of its own": lambda v: v + np.random.default_rng(0).normal(),
    "a clock that is not used": lambda v: (time.perf_counter(), 2.0 * v)[1],
    "numpy without random numbers": lambda v: v + np.clip(0.5, 0.0, 1.0),
    "facts about the machine": lambda v: v + len(os.sep),
}


def cart(body: Callable[[Any], Any]) -> Any:
    def rolling(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (body(x[0]),)

    return dynamics(state=LINE, action=NOTHING)(rolling)()


@pytest.mark.parametrize("name", RANDOM)
def test_a_function_that_gives_another_number_each_time_is_refused(name: str) -> None:
    with pytest.raises(ModelError) as error:
        cart(RANDOM[name])
    assert all(word in str(error.value) for word in ("rolling", name, "noise="))


@pytest.mark.parametrize("name", CERTAIN)
def test_a_function_that_gives_the_same_each_time_is_traced(name: str) -> None:
    one, other = cart(CERTAIN[name]), cart(CERTAIN[name])
    assert one.step([3.0], [], 0.5).tolist() == other.step([3.0], [], 0.5).tolist()


def test_tensors_drawn_in_a_function_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ModelError, match=r"torch\.rand"):
        cart(lambda v: v + torch.rand(()))


def uncertain(*given: Any) -> Any:
    return (np.random.uniform(),)


MODELS: dict[str, Callable[[], Any]] = {
    "noise of dynamics": lambda: dynamics(state=LINE, action=NOTHING, noise=uncertain)(lambda x, u, p, m: (x[0],))(),
    "sensor": lambda: sensor(state=LINE, reading=LINE, std=1.0)(lambda x, c, p, m: uncertain())(),
    "noise of a sensor": lambda: sensor(state=LINE, reading=LINE, noise=uncertain)(lambda x, c, p, m: (x[0],))(),
    "cost": lambda: task(state=LINE, action=NOTHING)(lambda x, u, p, m: x[0] * uncertain()[0])(),
    "constraint": lambda: task(state=LINE, action=NOTHING, constraint=uncertain)(lambda x, u, p, m: x[0])(),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_function_of_a_model_is_watched(name: str) -> None:
    with pytest.raises(ModelError, match=r"np\.random\.uniform in uncertain"):
        MODELS[name]()
