"""Binding: drivers that are compiled or run as Python are the same drivers; what cannot be bound is told why."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from math import sin
from typing import Any

import numpy as np
import pytest
from numba import njit

from pilotage.core import Dynamics, ModelError, Sensor, Space
from pilotage.models import (
    LinearSensor,
    bicycle,
    bind,
    dynamics,
    parameters,
    pendulum,
    range_bearing,
    sensor,
    unicycle,
)
from pilotage.models.binding.slots import (
    ND,
    NE,
    linearized_observe,
    linearized_step,
    observe,
    process_noise,
    reading_minus,
    reading_noise,
    state_minus,
    state_plus,
    step,
)

FAR = math.inf
STEPS = np.int64(2)
TABLE = np.arange(3.0)
STATE = np.array([1.0, -2.0, 0.5])


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
        self.inner, self.state, self.reading = inner, inner.state, inner.reading
        self.context_size = inner.context_size

    def observe(self, x: Any, context: Any = None) -> Any:
        return self.inner.observe(x, context)

    def noise(self, x: Any, context: Any = None) -> Any:
        return self.inner.noise(x, context)

    def linearize(self, x: Any, context: Any = None) -> Any:
        return self.inner.linearize(x, context)


def trace_of(A: Any) -> float:
    total = 0.0
    for i in range(A.shape[0]):
        total += A[i, i]
    return total


def everything(
    x: Any, u: Any, dt: float, p: Any, c: Any, s: Any, d: Any, y: Any, F: Any, Q: Any, z: Any, H: Any
) -> float:
    """All slots of filters once, with algebra between them."""
    linearized_step(x, u, dt, p, y, F, Q)
    R = np.empty((NE, NE))
    linearized_observe(y, c, s, z, H, R)
    e, v = np.empty(NE), np.empty(ND)
    seen = np.empty_like(z)
    observe(x, c, s, seen)
    reading_minus(z, seen, e)
    state_minus(y, x, v)
    for i in range(ND):
        d[i] = v[i] * dt
    state_plus(x, d, y)
    step(y, u, dt, p, y)
    process_noise(y, u, dt, p, Q)
    reading_noise(y, c, s, R)
    return trace_of(Q) + trace_of(R) + e[0] * v[0]


MODELS: dict[str, Callable[[], tuple[Any, Any, np.ndarray]]] = {
    "plane": lambda: (bicycle(), range_bearing().on(bicycle().state), np.array([4.0, 3.0])),
    "rotation": lambda: (tumble(), down().on(tumble().state), np.zeros(0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_compiled_and_python_are_one_driver(name: str) -> None:
    """Four ways: both models traced, one of them, none."""
    model, reader, context = MODELS[name]()
    x, u = model.state.sample(rng=1), model.action.sample(rng=1)
    n, d, k, e = model.state.size, model.state.dim, reader.reading.size, reader.reading.dim
    answers = []
    plain, plain_sensor = Wrapped(model), WrappedSensor(reader)
    for one, other in ((model, reader), (plain, reader), (model, plain_sensor), (plain, plain_sensor)):
        out = [np.zeros(d), np.empty(n), np.empty((d, d)), np.empty((d, d)), np.empty(k), np.empty((e, d))]
        run = bind(everything, dynamics=one, sensor=other)
        value = run(x.copy(), u, 0.1, parameters(one), context, parameters(other), *out)
        answers.append([np.array(value), *out])
    for answer in answers[1:]:
        for got, expected in zip(answer, answers[0], strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


def advance(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
    step(x, u, dt, p, y)


def run(driver: Any, model: Any = None) -> np.ndarray:
    """What `driver` makes of one step of a unicycle."""
    model = unicycle() if model is None else model
    y = np.zeros(3)
    bind(driver, dynamics=model)(STATE, np.array([1.0, 0.3]), 0.1, parameters(model), y)
    return y


@njit
def plus_one(a: float) -> float:
    return a + 1.0


def with_constants(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
    for _ in range(STEPS):
        step(x, u, dt, p, y)
    y[0] = min(FAR, 1e300)
    y[1] = plus_one(y[1])


def test_constants_and_compiled_helpers() -> None:
    y = run(with_constants)
    expected = unicycle().step(STATE, [1.0, 0.3], 0.1)
    assert y[0] == 1e300
    assert y[1] == pytest.approx(expected[1] + 1.0, abs=1e-15)


def of_another_module() -> Any:
    """A function of a module that has a number of the same name."""
    space: dict[str, Any] = {"__name__": "elsewhere", "STEPS": 3}
    exec("def elsewhere(x):\n    return x * STEPS\n", space)
    return space["elsewhere"]


elsewhere = of_another_module()


def calls_elsewhere(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
    step(x, u, dt, p, y)
    y[0] = elsewhere(y[0]) * STEPS


def test_numbers_of_two_modules_are_not_mixed_up() -> None:
    with pytest.raises(ModelError, match="two constants named STEPS meet in one driver, .* rename one"):
        run(calls_elsewhere)


def with_imported_function(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
    step(x, u, dt, p, y)
    y[0] = sin(y[0])


def with_table(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
    step(x, u, dt, p, y)
    y[0] = TABLE[1]


def closed_over() -> Any:
    gain = 2.0

    def with_closure(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
        step(x, u, dt, p, y)
        y[0] *= gain

    return with_closure


def without_source() -> Any:
    space: dict[str, Any] = {"step": step}
    exec("def unseen(x, u, dt, p, y):\n    step(x, u, dt, p, y)\n", space)
    return space["unseen"]


@pytest.mark.parametrize(
    ("driver", "sentence"),
    [
        (
            with_imported_function,
            r"with_imported_function cannot be compiled: it uses sin, .*only math\. and np\.",
        ),
        (with_table, r"with_table cannot be compiled: it uses TABLE"),
        (closed_over(), "with_closure cannot be compiled: it uses gain of the function around it"),
        (lambda x, u, dt, p, y: step(x, u, dt, p, y), "<lambda> cannot be compiled: its source is not at hand"),
        (without_source(), "unseen cannot be compiled: its source is not at hand"),
    ],
)
def test_what_cannot_be_compiled_is_told_why(driver: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        bind(driver, dynamics=unicycle())
    expected = unicycle().step(STATE, [1.0, 0.3], 0.1)
    np.testing.assert_allclose(run(driver, Wrapped(unicycle()))[1:], expected[1:], err_msg="as Python it may")


class Careless(Wrapped):
    """Works on its arguments in place, and gives them back."""

    def step(self, x: Any, u: Any, dt: float) -> Any:
        x += self.inner.step(x, u, dt) - x
        u *= 0.0
        return x


def test_models_have_no_hold_on_what_drivers_hand_over() -> None:
    x, u, y = STATE.copy(), np.array([1.0, 0.3]), np.zeros(3)
    bind(advance, dynamics=Careless(unicycle()))(x, u, 0.1, parameters(None), y)
    np.testing.assert_array_equal(x, STATE)
    np.testing.assert_array_equal(u, [1.0, 0.3])
    np.testing.assert_allclose(y, unicycle().step(STATE, u, 0.1), atol=1e-15)


class Shy(WrappedSensor):
    """Moves the landmark that it is asked about."""

    def observe(self, x: Any, context: Any = None) -> Any:
        context += 1.0
        return self.inner.observe(x, context)


def test_sensors_have_no_hold_on_contexts() -> None:
    place, z = np.array([4.0, 3.0]), np.zeros(2)
    shy = Shy(range_bearing().on(unicycle().state))
    bind(look, dynamics=unicycle(), sensor=shy)(
        STATE, np.array([1.0, 0.3]), 0.1, parameters(unicycle()), place, parameters(shy), np.zeros(3), z
    )
    np.testing.assert_array_equal(place, [4.0, 3.0])


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "None"), ("left", "a str"), ([[1.0], 2.0], "a list"), (np.zeros(2), r"an array of shape \(2,\)")],
)
def test_answers_that_are_no_state_are_told(answer: Any, said: str) -> None:
    class Odd(Wrapped):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            return answer

    with pytest.raises(ModelError, match=rf"Odd.step returned {said}.*; \(3,\) was expected for this state"):
        run(advance, Odd(unicycle()))


def look(x: Any, u: Any, dt: float, p: Any, c: Any, s: Any, y: Any, z: Any) -> None:
    step(x, u, dt, p, y)
    observe(y, c, s, z)


def test_missing_and_mismatched_models() -> None:
    with pytest.raises(ModelError, match="the driver calls observe, but bind was not given a sensor"):
        bind(look, dynamics=unicycle())
    with pytest.raises(ModelError, match=r"on the state \(x1, x2\) and the dynamics on \(x, y, yaw\); mount"):
        bind(look, dynamics=unicycle(), sensor=LinearSensor([[1.0, 0.0]], 1.0))
    with pytest.raises(ModelError, match="step is a place that `bind` fills"):
        advance(STATE, np.zeros(2), 0.1, np.zeros(0), np.zeros(3))


def test_first_binding_by_many_threads() -> None:
    """A model of which nothing has been derived is bound and called by four threads at once."""
    for k in range(3):

        @dynamics(state=unicycle().state, action=unicycle().action, noise=0.1, params={"gain": 1.0 + k})
        def rover(x: Any, u: Any, p: Any, m: Any) -> Any:
            return p.gain * u[0] * m.cos(x[2]), u[0] * m.sin(x[2]), u[1] * m.tanh(x[0])

        model, gate, answers = rover(), threading.Barrier(4), list[np.ndarray]()

        def first(model: Any = model, gate: Any = gate, answers: Any = answers) -> None:
            gate.wait()
            y, F, Q = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
            bind(linearize, dynamics=model)(STATE, np.array([1.0, 0.3]), 0.1, parameters(model), y, F, Q)
            answers.append(F)

        threads = [threading.Thread(target=first) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 4
        for F in answers:
            np.testing.assert_allclose(F, rover().linearize(STATE, [1.0, 0.3], 0.1)[0], atol=1e-13)


def linearize(x: Any, u: Any, dt: float, p: Any, y: Any, F: Any, Q: Any) -> None:
    linearized_step(x, u, dt, p, y, F, Q)


def test_binding_again_is_cheap_and_the_same() -> None:
    """Wrappers around the compiled code do not pile up."""
    first = bind(advance, dynamics=pendulum())
    load = first._cache.load_overload
    for length in (1.0, 2.0, 3.0):
        assert bind(advance, dynamics=pendulum(length=length)) is first
    assert first._cache.load_overload is load
