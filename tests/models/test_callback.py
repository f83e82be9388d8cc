"""Models that are no formula run in the same compiled drivers, by a callback; they hold nothing, and hide nothing."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, ModelError, Sensor, Space
from pilotage.models import (
    LANES,
    bicycle,
    code_of,
    dynamics,
    parameters,
    range_bearing,
    relative_pose,
    sensor,
    unicycle,
)

from .machine import one_by_one, side_by_side
from .test_driver import roll

STATE, ACTION = np.array([1.0, -2.0, 0.5]), np.array([1.0, 0.3])


@dynamics(state=Space("q: quaternion", "w [rad/s]"), action=Space("torque [N m]"), noise=0.1, integrator="midpoint")
def tumble(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[4], 0.3 * m.sin(x[4]), -x[4], u[0] - 0.1 * x[4]


@sensor(state=Space("q: quaternion"), reading=Space("forward left [m/s^2]"), std=0.2)
def down(x: Any, c: Any, p: Any, m: Any) -> Any:
    w, i, j, k = x
    return 2.0 * (i * k - w * j), 2.0 * (j * k + w * i)


class Wrapped(Dynamics):
    """Traced dynamics behind the protocol's methods, so that nobody sees what they are made of."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.state, self.action = inner, inner.state, inner.action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.step(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.noise(x, u, dt)

    def linearize(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.linearize(x, u, dt)


class WrappedSensor(Sensor):
    def __init__(self, inner: Any) -> None:
        self.inner, self.state, self.reading, self.context = inner, inner.state, inner.reading, inner.context

    def observe(self, x: Any, context: Any = None) -> Any:
        return self.inner.observe(x, context)

    def noise(self, x: Any, context: Any = None) -> Any:
        return self.inner.noise(x, context)

    def linearize(self, x: Any, context: Any = None) -> Any:
        return self.inner.linearize(x, context)

    def linearize_context(self, x: Any, context: Any = None) -> Any:
        return self.inner.linearize_context(x, context)


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize("model", [bicycle(), tumble()], ids=["plane", "rotation"])
def test_dynamics_called_back_are_those_compiled(model: Any, lanes: bool) -> None:
    x, u = model.state.sample(5, rng=1), model.action.sample(5, rng=2)
    run = side_by_side if lanes else one_by_one
    answers = [run(code_of(each, "Q y B F", lanes), x, u, [0.1], parameters(each)) for each in (model, Wrapped(model))]
    for name in ("y", "F", "B", "Q"):
        np.testing.assert_allclose(answers[1][name], answers[0][name], rtol=1e-11, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize(
    ("reader", "context"),
    [
        (range_bearing().on(bicycle().state), [4.0, 3.0]),
        (down().on(tumble().state), []),
        (relative_pose(), [4.0, 3.0, 1.0]),
        (relative_pose(3), [4.0, 3.0, 1.0, 0.5, 0.5, -0.5, 0.5]),
    ],
    ids=["plane", "rotation", "pose", "pose in space"],
)
def test_sensors_called_back_are_those_compiled(reader: Any, context: Any, lanes: bool) -> None:
    x = reader.state.sample(5, rng=1)
    c, z = np.tile(context, (5, 1)).reshape(5, -1), reader.reading.sample(5, rng=2)
    exact = [code_of(reader, "C E G").run(x[i], c[i], z[i], parameters(reader)) for i in range(5)]
    for each in (reader, WrappedSensor(reader)):
        code = code_of(each, "e h H R C E G", lanes)
        if lanes:
            rows = np.arange(LANES) % 5
            got = code.run(x[rows].T, c[rows].T, z[rows].T, parameters(each))
            got = {name: np.moveaxis(value, -1, 0)[:5] for name, value in got.items()}
        else:
            single = [code.run(x[i], c[i], z[i], parameters(each)) for i in range(5)]
            got = {name: np.stack([one[name] for one in single]) for name in single[0]}
        given = c if len(context) else None
        np.testing.assert_allclose(got["h"], reader.observe(x, given), atol=1e-13)
        np.testing.assert_allclose(got["H"], reader.linearize(x, given), atol=1e-13)
        np.testing.assert_allclose(got["e"], reader.reading.minus(z, reader.observe(x, given)), atol=1e-13)
        for name in ("C", "E", "G"):
            np.testing.assert_allclose(got[name], [one[name] for one in exact], atol=1e-11, err_msg=name)


class Careless(Wrapped):
    """Works on its arguments in place, and gives them back."""

    def step(self, x: Any, u: Any, dt: float) -> Any:
        x += self.inner.step(x, u, dt) - x
        u *= 0.0
        return x


def test_models_have_no_hold_on_what_drivers_hand_over() -> None:
    u = ACTION.copy()
    code = code_of(Careless(unicycle()), "y")
    x = STATE.copy()
    roll(code.address, x, u, np.array([0.1]), np.zeros(0), 1)
    np.testing.assert_array_equal(u, ACTION)
    np.testing.assert_allclose(x, 2.0 * unicycle().step(STATE, ACTION, 0.1), atol=1e-15)


@pytest.mark.parametrize("answer", [None, "left", [[1.0], 2.0], np.zeros(2)])
def test_answers_that_are_no_state_are_refused(answer: Any) -> None:
    class Odd(Wrapped):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            return answer

    with pytest.raises(ModelError, match=r"Odd.step returned .*\(3,\)"):
        code_of(Odd(unicycle()), "y").run(STATE, ACTION, [0.1])


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt])
def test_what_a_model_raises_comes_out_and_leaves_nan(kind: type[BaseException]) -> None:
    calls: list[int] = []

    class Failing(Wrapped):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            calls.append(1)
            raise kind("of the model")

    code = code_of(Failing(unicycle()), "y")
    x = STATE.copy()
    roll(code.address, x, ACTION.copy(), np.array([0.1]), np.zeros(0), 5)
    assert np.isnan(x).all()
    assert len(calls) == 1, "after the first error the model is not asked again"
    with pytest.raises(kind, match="of the model"):
        code.check()
    code.check()  # raised once


def test_models_of_one_state_get_a_hint_in_lanes() -> None:
    class Single(Wrapped):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            a, b, c = x
            return np.array([a, b, c])

    with pytest.raises(ValueError, match="too many values") as caught:
        code_of(Single(unicycle()), "y", lanes=True).run(np.zeros((3, LANES)), np.zeros((2, LANES)), [0.1])
    assert any("batch" in note for note in caught.value.__notes__)


class Places(Sensor):
    """The distance to a place that is looked up by name."""

    state, reading = Space("x y [m]"), Space("range [m]")

    def observe(self, x: Any, context: Any = None) -> Any:
        return np.linalg.norm(np.asarray(x) - {"dock": [3.0, 4.0], "gate": [0.0, 1.0]}[context], axis=-1, keepdims=True)

    def noise(self, x: Any, context: Any = None) -> Any:
        return 0.01 * np.eye(1)


def test_contexts_may_be_objects() -> None:
    code = code_of(Places(), "h R")
    code.objects = ["dock", "gate"]
    assert code.run([0.0, 0.0], [0.0])["h"].tolist() == [5.0]
    assert code.run([0.0, 0.0], [1.0])["h"].tolist() == [1.0]


def test_derivatives_of_what_takes_objects() -> None:
    """There are none by the context; those by the state are there."""
    code = code_of(Places(), "e E G")
    code.objects = ["dock"]
    got = code.run([0.0, 0.0], [0.0], [5.5])
    np.testing.assert_allclose(got["E"], [[0.6, 0.8]], atol=1e-9)
    assert got["G"].shape == (1, 0)
    with pytest.raises(ModelError, match="Places declares no space of its context"):
        Places().linearize_context(np.zeros(2), "dock")


def test_derivatives_of_the_wrong_shape_are_refused() -> None:
    class Flat(WrappedSensor):
        def linearize_context(self, x: Any, context: Any = None) -> Any:
            return np.zeros(2)

    with pytest.raises(ModelError, match=r"Flat.linearize_context returned .*\(2, 2\)"):
        code_of(Flat(range_bearing()), "G").run(np.zeros(3), [1.0, 2.0], np.zeros(2))


def test_results_that_a_model_does_not_have() -> None:
    with pytest.raises(ModelError, match="l.*y, F, B, Q"):
        code_of(Wrapped(unicycle()), "y l")
    with pytest.raises(ModelError, match="W"):
        code_of(unicycle(), "W")


def test_code_lives_as_long_as_it_is_held() -> None:
    def made(k: float) -> Callable[[], Any]:
        @dynamics(state=Space("x [m]"), action=Space("v [m/s]"))
        def cart(x: Any, u: Any, p: Any, m: Any) -> Any:
            return (k * u[0],)

        return cart().code("y")

    codes: list[Any] = [made(float(k)) for k in range(40)]
    gc.collect()
    for k, code in enumerate(codes):
        assert code.run([0.0], [1.0], [1.0], [])["y"].tolist() == [float(k)]
