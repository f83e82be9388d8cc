"""Derived Jacobians against two independent derivations: sympy's, and differences of fifty-digit numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from pilotage.core import Sensor, Space
from pilotage.models.trace.integrators import integrator
from pilotage.models.trace.params import Values

from .namespaces import LongMath, SympyMath, long
from .registry import DYNAMICS, SENSORS, body_of, seed_of

DT = 0.1
TRACED = [name for name in DYNAMICS if not name.startswith("Linear")]
FLAT = [
    pytest.param(name, marks=pytest.mark.slow) if name == "planar_arm 4" else name
    for name in TRACED
    if DYNAMICS[name]().state.flat
]
STEP = mpmath.mpf(10) ** -20


def no_pose(space: Space) -> bool:
    """Whether a state has no part whose translation turns with it; sympy's exponentials of these take minutes."""
    return all(len(part.names) in (1, 4) for part, _, _ in space.layout)


def values(model: Any, number: Callable[[float], Any] = float) -> Values:
    """The parameters of a model as some kind of number."""

    def convert(value: Any) -> Any:
        if np.ndim(value) == 0:
            return number(float(value))
        return tuple(convert(v) for v in value)

    return Values({name: convert(value) for name, value in model.params.items()})


def step(model: Any, x: Sequence[Any], u: Sequence[Any], p: Values, m: Any, dt: Any) -> Sequence[Any]:
    """One step of a traced model on any kind of number."""
    body = body_of(model)
    if model.integrator == "step":
        return body(x, u, dt, p, m)
    return integrator(model.integrator)(lambda y: body(y, u, p, m), model.state, x, dt, m)


def long_jacobian(f: Callable[[Sequence[Any]], Sequence[Any]], x: Any, source: Space, target: Space) -> np.ndarray:
    """Central differences over 1e-20, exact to far more digits than a double has."""
    m, x = LongMath(), long(x)
    columns = []
    for j in range(source.dim):
        d = [STEP * (i == j) for i in range(source.dim)]
        ahead, behind = f(source.components_plus(x, d, m)), f(source.components_plus(x, [-c for c in d], m))
        columns.append([float(c / (2 * STEP)) for c in target.components_minus(ahead, behind, m)])
    return np.array(columns).T.reshape(target.dim, source.dim)


@pytest.mark.parametrize("name", TRACED)
def test_dynamics_against_long_differences(name: str) -> None:
    model: Any = DYNAMICS[name]()
    x = model.state.sample(rng=seed_of(name))
    u = model.action.sample(rng=seed_of(name))
    p, m, dt = values(model, mpmath.mpf), LongMath(), mpmath.mpf(DT)
    F, B = model.linearize(x, u, DT)
    exact = long_jacobian(lambda y: step(model, y, long(u), p, m, dt), x, model.state, model.state)
    np.testing.assert_allclose(F, exact, rtol=1e-11, atol=1e-11)
    exact = long_jacobian(lambda v: step(model, long(x), v, p, m, dt), u, model.action, model.state)
    np.testing.assert_allclose(B, exact, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", TRACED)
def test_steps_have_full_precision(name: str) -> None:
    model: Any = DYNAMICS[name]()
    x, u = model.state.sample(rng=seed_of(name)), model.action.sample(rng=seed_of(name))
    exact = step(model, long(x), long(u), values(model, mpmath.mpf), LongMath(), mpmath.mpf(DT))
    exact = model.state.components_normalize(exact, LongMath())
    np.testing.assert_allclose(model.step(x, u, DT), [float(c) for c in exact], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", [n for n in SENSORS if n != "LinearSensor"])
def test_sensors_against_long_differences(name: str) -> None:
    sensor: Any = SENSORS[name]()
    x = sensor.state.sample(rng=seed_of(name))
    c = sensor.context.normalize(3.0 * np.random.default_rng(seed_of(name)).standard_normal(sensor.context.size))
    p, m = values(sensor, mpmath.mpf), LongMath()
    exact = long_jacobian(lambda y: body_of(sensor)(y, long(c), p, m), x, sensor.state, sensor.reading)
    given = c if len(c) else None
    np.testing.assert_allclose(sensor.linearize(x, given), exact, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(Sensor.linearize(sensor, x, given), exact, rtol=1e-7, atol=1e-7)
    exact = long_jacobian(lambda d: body_of(sensor)(long(x), d, p, m), c, sensor.context, sensor.reading)
    np.testing.assert_allclose(sensor.linearize_context(x, given), exact, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(Sensor.linearize_context(sensor, x, given), exact, rtol=1e-7, atol=1e-7)


def numeric(expressions: sympy.Matrix, symbols: list[Any], at: Any) -> np.ndarray:
    """A matrix of expressions at a point, worked out by sympy's own printer."""
    f = sympy.lambdify([symbols], expressions, modules="numpy", cse=True)
    return np.asarray(f(at), dtype=float).reshape(expressions.shape)


@pytest.mark.parametrize("name", FLAT)
def test_dynamics_against_sympy(name: str) -> None:
    """Euler's step, whose Jacobian is I + dt df/dx; steps in closed form as they are."""
    model: Any = DYNAMICS[name]()
    if model.integrator != "step":
        model = type(model)(body_of(model), state=model.state, action=model.action, params=model.params, rule="euler")
    x = sympy.symbols(f"x:{model.state.size}", real=True)
    u = sympy.symbols(f"u:{model.action.size}", real=True)
    y = sympy.Matrix([sympy.sympify(c) for c in step(model, x, u, values(model), SympyMath(), DT)])
    at_x, at_u = model.state.sample(rng=seed_of(name)), model.action.sample(rng=seed_of(name))
    symbols, at = [*x, *u], np.concatenate([at_x, at_u])
    F, B = model.linearize(at_x, at_u, DT)
    np.testing.assert_allclose(F, numeric(y.jacobian(x), symbols, at), rtol=1e-11, atol=1e-11)
    if u:
        np.testing.assert_allclose(B, numeric(y.jacobian(u), symbols, at), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", [n for n in SENSORS if n != "LinearSensor" and no_pose(SENSORS[n]().state)])
def test_sensors_against_sympy(name: str) -> None:
    """d h(x (+) d) / d d at d = 0; a quaternion moves as q * (1, d / 2) to first order."""
    sensor: Any = SENSORS[name]()
    x = sympy.symbols(f"x:{sensor.state.size}", real=True)
    d = sympy.symbols(f"d:{sensor.state.dim}", real=True)
    at = sensor.state.sample(rng=seed_of(name))
    c = 3.0 * np.random.default_rng(seed_of(name)).standard_normal(sensor.context.size)
    readings = body_of(sensor)(moved(sensor.state, x, d), c, values(sensor), SympyMath())
    z = sympy.Matrix([sympy.sympify(e) for e in readings])
    at_rest = z.jacobian(d).subs(dict.fromkeys(d, 0))
    H = sensor.linearize(at, c if len(c) else None)
    np.testing.assert_allclose(H, numeric(at_rest, list(x), at), rtol=1e-11, atol=1e-11)


def moved(space: Space, x: Sequence[Any], d: Sequence[Any]) -> list[Any]:
    """x (+) d to first order, in sympy's own quaternions."""
    out: list[Any] = []
    for part, where, along in space.layout:
        if part.kind == "quaternion":
            turned = sympy.Quaternion(*x[where]) * sympy.Quaternion(1, *(c / 2 for c in d[along]))
            out += [turned.a, turned.b, turned.c, turned.d]
        else:
            out += [a + b for a, b in zip(x[where], d[along], strict=True)]
    return out
