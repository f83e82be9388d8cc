"""Equations of motion against Lagrange's, made by sympy from where the bodies are; no two parameters are equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import sympy

from pilotage.models import acrobot, cart_pole, pendulum, planar_arm

Body = tuple[Any, Any, tuple[Any, Any], Any]
"""Mass, inertia about the centre of mass, place of it, angle."""


def along(length: Any, angle: Any) -> tuple[Any, Any]:
    """A way from a joint, its angle counted counter-clockwise from +x."""
    return length * sympy.cos(angle), length * sympy.sin(angle)


def plus(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
    return a[0] + b[0], a[1] + b[1]


def accelerations(bodies: Sequence[Body], gravity: float, q: Any, v: Any, force: Any, at: Any) -> np.ndarray:
    """q'' from d/dt dL/dv - dL/dq = force, at the numbers ``(q, v)``."""
    lagrangian = sympy.Integer(0)
    for mass, inertia, place, angle in bodies:
        speed = [
            sum(sympy.diff(c, qi) * vi for qi, vi in zip(q, v, strict=True)) for c in (*place, sympy.sympify(angle))
        ]
        lagrangian += mass * (speed[0] ** 2 + speed[1] ** 2) / 2 + inertia * speed[2] ** 2 / 2
        lagrangian -= mass * gravity * place[1]
    momentum = sympy.Matrix([sympy.diff(lagrangian, vi) for vi in v])
    mass_matrix = momentum.jacobian(list(v))
    rest = momentum.jacobian(list(q)) * sympy.Matrix(v) - sympy.Matrix([sympy.diff(lagrangian, qi) for qi in q])
    numbers = dict(zip((*q, *v), map(sympy.Float, at), strict=True))
    M, c = (np.array(e.subs(numbers), dtype=float) for e in (mass_matrix, rest))
    return np.linalg.solve(M, np.asarray(force, dtype=float) - c[:, 0])


def pendulum_case() -> tuple[Any, Callable[..., Any]]:
    mass, length, damping = 1.3, 0.7, 0.4

    def bodies(q: Any) -> list[Body]:
        # theta counts from upright, counter-clockwise
        return [(mass, mass * length**2 / 12, along(length / 2, q[0] + sympy.pi / 2), q[0])]

    model = pendulum(mass=mass, length=length, gravity=9.7, damping=damping)
    return model, lambda q, rates, u: (bodies(q), 9.7, [u[0] - damping * rates[0]])


def cart_pole_case() -> tuple[Any, Callable[..., Any]]:
    M, m, half = 1.7, 0.3, 0.6

    def bodies(q: Any) -> list[Body]:
        pole = plus((q[0], 0), along(half, sympy.pi / 2 - q[1]))  # theta grows towards +x
        return [(M, 0, (q[0], sympy.Integer(0)), 0), (m, m * (2 * half) ** 2 / 12, pole, -q[1])]

    model = cart_pole(cart_mass=M, pole_mass=m, half_length=half, gravity=9.6)
    return model, lambda q, rates, u: (bodies(q), 9.6, [u[0], 0.0])


def acrobot_case() -> tuple[Any, Callable[..., Any]]:
    p = {
        "mass1": 1.1,
        "mass2": 0.7,
        "length1": 0.9,
        "center1": 0.4,
        "center2": 0.55,
        "inertia1": 0.23,
        "inertia2": 0.31,
        "gravity": 9.5,
    }

    def bodies(q: Any) -> list[Body]:
        first, second = q[0] - sympy.pi / 2, q[0] + q[1] - sympy.pi / 2  # zero hangs down
        elbow = along(p["length1"], first)
        return [
            (p["mass1"], p["inertia1"], along(p["center1"], first), first),
            (p["mass2"], p["inertia2"], plus(elbow, along(p["center2"], second)), second),
        ]

    return acrobot(**p), lambda q, rates, u: (bodies(q), 9.5, [0.0, u[0]])


def arm_case(links: int) -> tuple[Any, Callable[..., Any]]:
    lengths, masses, damping = (0.5, 0.8, 0.3)[:links], (1.0, 0.4, 2.0)[:links], 0.2

    def bodies(q: Any) -> list[Body]:
        out: list[Body] = []
        joint: tuple[Any, Any] = (sympy.Integer(0), sympy.Integer(0))
        for i in range(links):
            angle = sum(q[: i + 1])
            out.append((masses[i], masses[i] * lengths[i] ** 2 / 12, plus(joint, along(lengths[i] / 2, angle)), angle))
            joint = plus(joint, along(lengths[i], angle))
        return out

    model = planar_arm(links, lengths=lengths, masses=masses, damping=damping, gravity=9.4)
    return model, lambda q, rates, u: (bodies(q), 9.4, np.asarray(u) - damping * np.asarray(rates))


CASES: dict[str, Callable[[], tuple[Any, Callable[..., Any]]]] = {
    "pendulum": pendulum_case,
    "cart_pole": cart_pole_case,
    "acrobot": acrobot_case,
    **{f"planar_arm {n}": lambda n=n: arm_case(n) for n in (1, 2, 3)},  # type: ignore[misc]
}
PLACES = {"cart_pole": ([0, 2], [1, 3])}
"""Indices of coordinates and rates in the state, when not one after the other."""


@pytest.mark.parametrize("name", CASES)
def test_lagrange(name: str) -> None:
    model, mechanics = CASES[name]()
    n = model.state.size // 2
    where, moving = PLACES.get(name, ([*range(n)], [*range(n, 2 * n)]))
    q, v = sympy.symbols(f"q:{n}", real=True), sympy.symbols(f"v:{n}", real=True)
    model = type(model)(model._body, state=model.state, action=model.action, params=model.params, rule="euler")
    h = 2.0**-12
    for seed in range(3):
        x, u = model.state.sample(rng=seed), model.action.sample(rng=seed)
        x[moving] *= 2.0
        rates = model.state.minus(model.step(x, u, h), x) / h
        bodies, gravity, force = mechanics(q, x[moving], u)
        expected = accelerations(bodies, gravity, q, v, force, [*x[where], *x[moving]])
        np.testing.assert_allclose(rates[where], x[moving], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(rates[moving], expected, rtol=1e-9, atol=1e-9)
