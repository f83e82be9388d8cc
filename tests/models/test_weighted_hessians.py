"""Hessians of weighted sums of results, as Lagrangians have them, against differences of the first derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, Space
from pilotage.models import bicycle, cart_pole, quadrotor, task
from pilotage.models.trace import code_of, parameters


def differences(f: Any, x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    return np.array([(f(x + h * e) - f(x - h * e)) / (2.0 * h) for e in np.eye(len(x))])


@pytest.mark.parametrize("model", [cart_pole(), bicycle()], ids=str)
def test_dynamics(model: Any) -> None:
    rng, dt = np.random.default_rng(0), 0.1
    x, u, a = (0.3 * rng.normal(size=n) for n in (model.state.size, model.action.size, model.state.dim))
    found = code_of(model, "yxx yxu yuu").run(x, u, [dt, *a], parameters(model))
    by_x = differences(lambda x: np.hstack([a @ J for J in model.linearize(x, u, dt)]), x)
    by_u = differences(lambda u: a @ model.linearize(x, u, dt)[1], u)
    assert np.allclose(np.hstack([found["yxx"], found["yxu"]]), by_x, atol=1e-8)
    assert np.allclose(found["yuu"], by_u, atol=1e-8)


@task(
    state=Space("x y [m]"), action=Space("v"), stage=Space("at [m]"),
    constraint=lambda x, u, r, p, m: (x[0] * x[0] * x[1] - r[0], m.sin(x[1]) * u[0] * u[0]),
)  # fmt: skip
def bent(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
    return x[0]


def test_constraint() -> None:
    x, u, b = np.array([0.7, 0.4]), np.array([1.3]), np.array([2.0, 3.0])
    found = code_of(bent(), "gxx gxu guu").run(x, u, [5.0, *b], parameters(bent()))
    assert np.allclose(found["gxx"], [[2.0 * 2.0 * 0.4, 2.0 * 1.4], [2.0 * 1.4, -3.0 * np.sin(0.4) * 1.69]])
    assert np.allclose(found["gxu"], [[0.0], [3.0 * np.cos(0.4) * 2.6]])
    assert np.allclose(found["guu"], [[6.0 * np.sin(0.4)]])


def test_states_with_rotations_have_none() -> None:
    with pytest.raises(ModelError, match="rotations"):
        code_of(quadrotor(), "yxx yxu yuu")
