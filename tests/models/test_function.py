"""Traced functions: results by name, derivatives by any input, and constants that are the same in every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, Space
from pilotage.models import bicycle, code_of, constant_velocity, dynamics, gnss, range_bearing, sensor, task, unicycle
from pilotage.testing import check_dynamics

POSE = Space("pose: SE2")
drag = 0.0


@sensor(state=POSE, reading=Space("between: SE2"), context=Space("from: SE2"), std=(0.1, 0.1, 0.05))
def between(x: Any, c: Any, p: Any, m: Any) -> Any:
    """The pose x seen from the pose c."""
    dx, dy = x[0] - c[0], x[1] - c[1]
    return m.cos(c[2]) * dx + m.sin(c[2]) * dy, m.cos(c[2]) * dy - m.sin(c[2]) * dx, x[2] - c[2]


def differences(f: Any, x: np.ndarray, space: Space) -> np.ndarray:
    """Central differences of numbers along the tangent of x."""
    h = 1e-6
    steps = h * np.eye(space.dim)
    return np.stack([(f(space.plus(x, d)) - f(space.plus(x, -d))) / (2.0 * h) for d in steps], -1)


def test_residuals_and_their_derivatives_by_state_and_context() -> None:
    """Exact far from zero residual, too, where the derivative of the reading would be wrong."""
    x, c, z = np.array([1.0, 2.0, 0.4]), np.array([-0.5, 0.7, -2.0]), np.array([0.3, -0.9, 1.1])
    sighting = between()
    got = code_of(sighting, "e E G").run(x, c, z, sighting.vector())

    def residual(x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return sighting.reading.minus(z, sighting.observe(x, c))

    np.testing.assert_allclose(got["e"], residual(x, c), atol=1e-13)
    np.testing.assert_allclose(got["E"], differences(lambda y: residual(y, c), x, POSE), atol=1e-8)
    np.testing.assert_allclose(got["G"], differences(lambda d: residual(x, d), c, POSE), atol=1e-8)


@task(
    state=Space("pose: SE2", "v [m/s]"),
    action=Space("a w"),
    params={"goal": (1.0, 2.0)},
    terminal=lambda x, p, m: (x[0] - p.goal[0]) ** 2 * m.cos(x[2]) + x[3] ** 4,
    constraint=lambda x, u, p, m: (x[0] ** 2 + x[1] - 4.0, m.abs(u[0]) - 1.0),
)
def wander(x: Any, u: Any, p: Any, m: Any) -> Any:
    return m.sin(x[0]) * m.cos(x[2] + u[1]) + u[0] ** 2 * x[3] + (x[1] - p.goal[1]) ** 2


def test_gradients_and_hessians_in_the_tangent() -> None:
    errand = wander()
    x, u = np.array([0.3, -0.4, 0.8, 1.5]), np.array([0.2, -0.3])
    got = code_of(errand, "l lx lu lxx lxu luu g gx gu T Tx Txx").run(x, u, None, errand.vector())
    state, action = errand.state, errand.action

    def gradient(x: np.ndarray, u: np.ndarray, name: str) -> np.ndarray:
        return code_of(errand, name).run(x, u, None, errand.vector())[name]

    np.testing.assert_allclose(got["l"], errand.cost(x, u), atol=1e-14)
    np.testing.assert_allclose(got["T"], errand.terminal_cost(x), atol=1e-14)
    np.testing.assert_allclose(got["lx"], differences(lambda y: errand.cost(y, u), x, state), atol=1e-8)
    np.testing.assert_allclose(got["lu"], differences(lambda v: errand.cost(x, v), u, action), atol=1e-8)
    np.testing.assert_allclose(got["gx"], differences(lambda y: errand.constraint(y, u), x, state), atol=1e-8)
    np.testing.assert_allclose(got["gu"], differences(lambda v: errand.constraint(x, v), u, action), atol=1e-8)
    np.testing.assert_allclose(got["Tx"], differences(errand.terminal_cost, x, state), atol=1e-8)
    np.testing.assert_allclose(got["luu"], differences(lambda v: gradient(x, v, "lu"), u, action), atol=1e-8)
    np.testing.assert_allclose(got["lxu"], differences(lambda v: gradient(x, v, "lx"), u, action), atol=1e-8)
    for name, cost in (("lxx", lambda y: errand.cost(y, u)), ("Txx", errand.terminal_cost)):
        np.testing.assert_allclose(got[name], second_differences(cost, x, state), atol=1e-5)
        np.testing.assert_allclose(got[name], got[name].T, atol=1e-14)


def second_differences(f: Any, x: np.ndarray, space: Space) -> np.ndarray:
    """Second differences of ``d -> f(x (+) d)`` at 0."""
    h, d = 1e-4, space.dim
    steps = h * np.eye(d)
    return np.array([[
        sum(a * b * f(space.plus(x, a * steps[i] + b * steps[j])) for a in (1, -1) for b in (1, -1)) / (4.0 * h * h)
        for j in range(d)] for i in range(d)])  # fmt: skip


def test_residual_costs_have_the_hessian_of_gauss_and_newton() -> None:
    @task(
        state=Space("x v"),
        action=Space("u"),
        params={"w": (2.0, 0.5)},
        weights="w",
        terminal=lambda x, p, m: (x[1],),
        terminal_weights=(3.0,),
    )
    def squares(x: Any, u: Any, p: Any, m: Any) -> Any:
        return m.sin(x[0]) + u[0], x[1] * u[0]

    x, u = np.array([0.4, -0.7]), np.array([0.9])
    errand = squares()
    r = np.array([np.sin(0.4) + 0.9, -0.63])
    J = np.array([[np.cos(0.4), 0.0, 1.0], [0.0, 0.9, -0.7]])
    W = np.diag([2.0, 0.5])
    got = code_of(errand, "l lx lu lxx lxu luu Txx").run(x, u, None, errand.vector())
    np.testing.assert_allclose(got["l"], r @ W @ r)
    np.testing.assert_allclose(np.concatenate([got["lx"], got["lu"]]), 2.0 * J.T @ W @ r)
    H = 2.0 * J.T @ W @ J
    np.testing.assert_allclose(np.block([[got["lxx"], got["lxu"]], [got["lxu"].T, got["luu"]]]), H, atol=1e-14)
    np.testing.assert_allclose(got["Txx"], [[0.0, 0.0], [0.0, 6.0]])
    np.testing.assert_allclose(errand.replace(w=(4.0, 0.5)).cost(x, u) - errand.cost(x, u), 2.0 * r[0] ** 2)


def test_dependencies_say_what_is_linear() -> None:
    assert constant_velocity().dependencies("F") == {"dt"}
    assert {"x", "u"} <= bicycle().dependencies("F")
    assert not gnss().dependencies("H")
    assert "context" in range_bearing().dependencies("H")

    @dynamics(state=Space("x [m]"), action=Space())
    def saturated(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (m.minimum(x[0], 1000.0),)

    assert "x" in saturated().dependencies("F"), "linear near zero only"


def test_models_are_values() -> None:
    assert gnss(std=1.5) == gnss(std=1.5)
    assert hash(gnss(std=1.5)) == hash(gnss(std=1.5))
    assert gnss(std=1.5) != gnss(std=1.6)
    assert gnss(std=1.5).on(unicycle().state) == gnss(std=1.5).on(unicycle().state)
    assert gnss(std=1.5).on(unicycle().state) != gnss(std=1.5)
    assert bicycle() != unicycle()
    assert bicycle(wheelbase=2.0) == bicycle().replace(wheelbase=2.0)


def test_numbers_from_outside_are_frozen_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """All backends of one model use the value that was read when it was made; a new model reads it again."""

    @dynamics(state=Space("v [m/s]"), action=Space())
    def sliding(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (-drag * x[0],)

    before = sliding()
    assert before.frozen == {"drag": 0.0}
    monkeypatch.setitem(globals(), "drag", 1.0)
    after = sliding()
    assert after.frozen == {"drag": 1.0}
    for model in (before, after):
        check_dynamics(model)
    assert before.step([1.0], [], 0.5).tolist() == before.rollout([1.0], np.zeros((1, 0)), 0.5)[-1].tolist() == [1.0]
    assert after.step([1.0], [], 0.5)[0] < 0.7
    assert before != after


def test_helpers_and_attributes_are_read_too() -> None:
    class Settings:
        gain = 2.0

    settings = Settings()
    settings.gain = 3.0

    def helper(a: Any) -> Any:
        return settings.gain * a

    @dynamics(state=Space("v"), action=Space())
    def growing(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (helper(x[0]),)

    first = growing(integrator="euler")
    settings.gain = 4.0
    second = growing(integrator="euler")
    assert first.step([1.0], [], 1.0).tolist() == [4.0]
    assert second.step([1.0], [], 1.0).tolist() == [5.0]


def test_source_is_readable_python() -> None:
    text = unicycle(integrator="euler").source("y F")
    assert text.startswith("def unicycle(x, u, dt, p, y, F):")
    assert "x_yaw" in text
    with pytest.raises(ModelError, match="nothing"):
        unicycle().source("nothing")
