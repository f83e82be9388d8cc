"""Values on a grid as the terminal cost of a task, against scipy's interpolation, in all backends."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from pilotage.core import ModelError, ShapeError, Space, SpaceError
from pilotage.models import parameters, task

from .machine import one_by_one, side_by_side

SHAPES = [(6,), (4, 5), (3, 2, 4), (3, 4, 2, 3)]
LOW, HIGH = np.array([-np.pi, -1.0, 0.5, -3.0]), np.array([np.pi, 2.0, 1.0, 4.0])


@task(state=Space("a: angle"), action=Space("u"), params={"table": 2.0}, terminal=lambda x, p, m: p.table * x[0])
def turned(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[0] * x[0]


def mounted(shape: tuple[int, ...], values: np.ndarray) -> Any:
    n = len(shape)
    more = Space("a: angle", *([f"b{i}" for i in range(1, n)]))
    return turned().on(more).ending(values, LOW[:n], HIGH[:n])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_table_is_interpolated_in_all_backends(shape: tuple[int, ...]) -> None:
    n, rng = len(shape), np.random.default_rng(0)
    values = rng.normal(size=shape)
    ended = mounted(shape, values)
    low, high = LOW[:n], HIGH[:n]
    axes = [np.linspace(a, b, k) for a, b, k in zip(low, high, shape, strict=True)]
    x = rng.uniform(low - 0.3, high + 0.3, (40, n))
    x[0], x[1] = low, high
    wrapped = np.clip(np.concatenate([(x[:, :1] + np.pi) % (2.0 * np.pi) - np.pi, x[:, 1:]], -1), low, high)
    expected = RegularGridInterpolator(axes, values)(wrapped)
    inside = np.abs(np.abs(x[:, 0]) - np.pi) > 1e-9  # where an angle is cut, both sides are right
    p, u, r = parameters(ended), np.zeros((40, 1)), np.zeros(0)
    lanes = side_by_side(ended.code("T", lanes=True), x, u, r, p)["T"]
    for found in (ended.terminal_cost(x), one_by_one(ended.code("T"), x, u, r, p)["T"], lanes):
        np.testing.assert_allclose(np.reshape(found, -1)[inside], expected[inside], atol=1e-12)
    assert float(ended.terminal_cost(x[5])) == pytest.approx(expected[5])
    slope = one_by_one(ended.code("Tx"), x[2:], u, r, p)["Tx"]
    for i in range(n):
        step = 1e-7 * np.eye(n)[i]
        by_difference = (ended.terminal_cost(x[2:] + step) - ended.terminal_cost(x[2:] - step)) / 2e-7
        np.testing.assert_allclose(slope[:, i], by_difference, atol=1e-5)


def test_the_rest_of_the_task_is_kept() -> None:
    """Its cost, its parameters of any name, and other values in the table without another trace."""
    ended = mounted((4, 5), np.ones((4, 5)))
    other = mounted((4, 5), np.zeros((4, 5)))
    assert float(ended.cost([0.5, 0.0], [0.0])) == 0.25 and ended.replace(table=3.0).params["table"] == 3.0
    assert float(ended.replace(table=3.0).terminal_cost([0.0, 0.0])) == 1.0
    assert other != ended and other.code("T").address == ended.code("T").address
    again = pickle.loads(pickle.dumps(ended))
    assert again.terminal_cost([0.1, 0.2]) == ended.terminal_cost([0.1, 0.2])


def test_what_is_no_table_is_refused() -> None:
    line = turned()
    for values, low, high in (([1.0], [0.0], [1.0]), ([1.0, 2.0], [0.0, 0.0], [1.0, 1.0]), (1.0, [], [])):
        with pytest.raises(ShapeError, match="values have shape"):
            line.ending(values, low, high)
    with pytest.raises(ModelError, match="low < high"):
        line.ending([1.0, 2.0], [1.0], [0.0])
    with pytest.raises((ModelError, SpaceError), match="2 axes"):
        line.ending(np.ones((2, 2)), [0.0, 0.0], [1.0, 1.0])
    pose = turned(reads=None).on(Space("a: angle", "pose: SE2"))
    with pytest.raises(ModelError, match="4 axes"):
        pose.ending(np.ones((2, 2, 2, 2)), LOW, HIGH)
