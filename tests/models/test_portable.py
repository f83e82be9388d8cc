"""Models travel: by pickle to processes that know nothing yet, and by copy."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

from pilotage.core import Raster, Space
from pilotage.models import bicycle, compass, dynamics, gnss, sensor, task, unicycle

from .registry import DYNAMICS, SENSORS, seed_of

PLACE = Space("x y [m]")


def growing(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    return [p.gain * dt * (1.0 + x[0] * x[0])]


@dynamics(state=Space("x [m]"), action=Space("v [m/s]"), params={"gain": 1.0}, noise=growing)
def cart(x: Any, u: Any, p: Any, m: Any) -> Any:
    return (p.gain * u[0],)


def far(x: Any, p: Any, m: Any) -> Any:
    return 10.0 * m.hypot(x[0], x[1])


def arrived(x: Any) -> Any:
    return np.abs(x[..., 0]) < 0.1


@task(state=PLACE, action=Space("vx vy [m/s]"), params={"ground": Raster(np.eye(3), 1.0)}, terminal=far)
def stroll(x: Any, u: Any, p: Any, m: Any) -> Any:
    return m.lookup(p.ground, x[0], x[1]) + u[0] * u[0]


def sent(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("again", [sent, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("name", DYNAMICS)
def test_dynamics(name: str, again: Any) -> None:
    model: Any = DYNAMICS[name]()
    x, u = model.state.sample(rng=seed_of(name)), model.action.sample(rng=seed_of(name))
    before = [model.step(x, u, 0.1), *model.linearize(x, u, 0.1), model.noise(x, u, 0.1)]
    other = again(model)
    assert type(other) is type(model)
    assert other == model
    assert other.code("y") is model.code("y"), "compiled code is shared"
    for a, b in zip([other.step(x, u, 0.1), *other.linearize(x, u, 0.1), other.noise(x, u, 0.1)], before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("again", [sent, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("name", SENSORS)
def test_sensors(name: str, again: Any) -> None:
    reader: Any = SENSORS[name]()
    x, c = reader.state.sample(rng=seed_of(name)), np.ones(reader.context.size) if reader.context.size else None
    other = again(reader)
    assert type(other) is type(reader)
    assert other == reader
    assert hash(other) == hash(reader)
    np.testing.assert_array_equal(other.observe(x, c), reader.observe(x, c))
    np.testing.assert_array_equal(other.noise(x, c), reader.noise(x, c))


def test_settings_travel() -> None:
    car = bicycle(wheelbase=1.9, integrator="euler", noise=0.3, action_noise=0.2, limits={"steer": (-0.1, 0.1)})
    other = sent(car)
    assert (other.integrator, other.params["wheelbase"]) == ("euler", 1.9)
    assert other.action == car.action
    np.testing.assert_array_equal(other.noise([0, 0, 0, 1], [0, 0], 0.1), car.noise([0, 0, 0, 1], [0, 0], 0.1))
    named = compass(reads="theta")
    assert sent(named).on(Space("theta: angle")).observe([0.3]).tolist() == [0.3]
    mounted = gnss(std=2.0).on(car.state)
    assert sent(mounted) == mounted


def test_own_models() -> None:
    model = cart(gain=3.0)
    np.testing.assert_array_equal(sent(model).noise([2.0], [1.0], 0.1), model.noise([2.0], [1.0], 0.1))
    cost = stroll(done=arrived, horizon=7).on(bicycle().state, Space("vx vy [m/s]"))
    other = sent(cost)
    x = np.array([0.5, 0.6, 0.0, 1.0])
    assert other.horizon == 7
    assert other.code("l") is cost.code("l")
    assert other.cost(x, [2.0, 0.0]) == cost.cost(x, [2.0, 0.0])
    assert other.terminal_cost(x) == cost.terminal_cost(x)
    assert not other.done(x)
    assert sent(cart) is cart


def test_functions_inside_functions_cannot_be_found_elsewhere() -> None:
    @sensor(state=PLACE, reading=Space("d [m]"))
    def nearby(x: Any, c: Any, p: Any, m: Any) -> Any:
        return m.hypot(x[0], x[1])

    with pytest.raises((pickle.PicklingError, AttributeError), match="nearby"):
        pickle.dumps(nearby())
    assert copy.deepcopy(nearby()).observe([3.0, 4.0]).tolist() == [5.0]


def simulate(model: Any) -> np.ndarray:
    return model.rollout(model.state.identity(), np.ones((5, model.action.size)), 0.1)[-1]


def test_processes_that_start_afresh() -> None:
    models = [unicycle(), bicycle(wheelbase=1.5)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for got, model in zip(pool.map(simulate, models), models, strict=True):
            np.testing.assert_allclose(got, simulate(model), rtol=1e-15)
