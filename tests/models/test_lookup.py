"""Rasters inside models: value and slope agree in numpy, torch and compiled code, inside, outside and at the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from pilotage.core import ModelError, Raster, Space, jacobian
from pilotage.models import discrete_dynamics, parameters, task

from .machine import one_by_one, side_by_side

PLANE, HEIGHT = Space("x y [m]"), Space("x y [m]", "height [m]")
LANES = 40


def hills(rows: int, columns: int, seed: int = 0) -> Raster:
    return Raster(np.random.default_rng(seed).standard_normal((rows, columns)), 0.5, (1.0, -2.0, 0.7))


@discrete_dynamics(state=HEIGHT, action=Space(), params={"scale": 3.0, "ground": hills(4, 5), "other": hills(3, 3, 1)})
def walker(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    a, b, _ = x
    return a + dt, b, p.scale * m.lookup(p.ground, a, b) + m.lookup(p.other, b, a)


def points(raster: Raster, count: int = LANES) -> np.ndarray:
    """States on and around a raster."""
    rows, columns = raster.shape
    uv = np.random.default_rng(2).uniform([-1.5, -1.5], [columns + 1.5, rows + 1.5], (count, 2)) * raster.resolution
    x, y, yaw = raster.origin
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack([x + c * uv[:, 0] - s * uv[:, 1], y + s * uv[:, 0] + c * uv[:, 1], np.zeros(count)], -1)


def oracle(raster: Raster, xy: np.ndarray) -> np.ndarray:
    """scipy's linear interpolation, clamped to the border."""
    x, y, yaw = raster.origin
    c, s = np.cos(yaw), np.sin(yaw)
    d = xy - [x, y]
    u = (c * d[:, 0] + s * d[:, 1]) / raster.resolution - 0.5
    v = (c * d[:, 1] - s * d[:, 0]) / raster.resolution - 0.5
    return scipy.ndimage.map_coordinates(raster.values, [v, u], order=1, mode="nearest")


@pytest.mark.parametrize("shape", [(4, 5), (7, 2), (1, 6), (6, 1), (1, 1)])
def test_all_backends_agree(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    ground, none = hills(*shape, seed=3), np.zeros((LANES, 0))
    model = walker(ground=ground)
    x = points(ground)
    expected = 3.0 * oracle(ground, x[:, :2]) + oracle(model.params["other"], x[:, 1::-1])
    y = model.step(x, none, 0.1)
    np.testing.assert_allclose(y[:, 2], expected, atol=1e-12)

    t = torch.tensor(x, requires_grad=True)
    height = model.step(t, torch.zeros(LANES, 0, dtype=torch.float64), 0.1)[:, 2]
    np.testing.assert_allclose(height.detach(), expected, atol=1e-12)
    slopes = torch.autograd.grad(height.sum(), t)[0].numpy()[:, :2]

    F, _ = model.linearize(x, none, 0.1)
    np.testing.assert_allclose(F[:, 2, :2], slopes, atol=1e-11)
    F_torch, _ = model.linearize(t.detach(), torch.zeros(LANES, 0, dtype=torch.float64), 0.1)
    np.testing.assert_allclose(F_torch, F, atol=1e-12)
    numeric = jacobian(lambda z: model.step(z, none, 0.1), x, HEIGHT, HEIGHT)
    np.testing.assert_allclose(F, numeric, atol=1e-7)

    rest = none, [0.1], parameters(model)
    single, wide = one_by_one(model.code("y F"), x, *rest), side_by_side(model.code("y F", True), x, *rest)
    for got in (single, wide):
        np.testing.assert_allclose(got["y"], y, atol=1e-12)
        np.testing.assert_allclose(got["F"], F, atol=1e-11)


@discrete_dynamics(state=HEIGHT, action=Space(), params={"ground": hills(4, 5)})
def climber(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    a, b, _ = x
    return m.lookup_slope(p.ground, a, b, 0), m.lookup_slope(p.ground, a, b, 1), m.lookup(p.ground, a, b)


def test_slopes_are_the_derivatives_of_values() -> None:
    """A model may read them itself: in numpy, compiled, side by side, and in torch."""
    torch = pytest.importorskip("torch")
    model, ground = climber(), climber().params["ground"]
    x, none = points(ground), np.zeros((LANES, 0))
    y = model.step(x, none, 0.1)
    np.testing.assert_allclose(y[:, :2], model.linearize(x, none, 0.1)[0][:, 2, :2], atol=1e-12)
    step = 1e-6
    for axis in (0, 1):
        d = step * np.eye(2)[axis]
        central = (oracle(ground, x[:, :2] + d) - oracle(ground, x[:, :2] - d)) / (2.0 * step)
        np.testing.assert_allclose(y[:, axis], central, atol=1e-8)
    np.testing.assert_allclose(model.step(torch.tensor(x), torch.tensor(none), 0.1), y, atol=1e-12)
    rest = none, [0.1], parameters(model)
    np.testing.assert_allclose(one_by_one(model.code("y"), x, *rest)["y"], y, atol=1e-12)
    np.testing.assert_allclose(side_by_side(model.code("y", True), x, *rest)["y"], y, atol=1e-12)


def test_other_rasters_are_other_parameters_only() -> None:
    small, large = walker(ground=hills(2, 2)), walker(ground=hills(50, 80))
    assert small.code("y F") is large.code("y F")
    assert small != large


def test_nan_and_infinite_places() -> None:
    """A place that is no number has no value; one at infinity has that of the border. Nothing reads out of bounds."""
    model = walker()
    p = parameters(model)
    for place in ([np.nan, 0.0], [0.0, np.nan], [1e300, 0.0], [-1e300, 1e300], [np.inf, -np.inf]):
        y = model.code("y").run([*place, 0.0], [], [0.1], p)["y"]
        with np.errstate(invalid="ignore"):
            expected = model.step([*place, 0.0], [], 0.1)
        np.testing.assert_allclose(y[2], expected[2], atol=1e-12)
        assert np.isnan(y[2]) == (any(np.isnan(place)) or all(np.isinf(place)))


def test_lookups_of_lookups_and_shared_places() -> None:
    """A raster read at a place that another raster gives, and one read at a fixed place, in a cost side by side."""

    @task(state=PLANE, action=Space("u"), params={"first": hills(4, 5), "second": hills(6, 3, 5), "spot": (1.5, -1.0)})
    def nested(x: Any, u: Any, p: Any, m: Any) -> Any:
        shift = m.lookup(p.first, x[0], x[1])
        return m.lookup(p.second, x[0] + shift, x[1]) + m.lookup(p.first, p.spot[0], p.spot[1]) * u[0]

    cost = nested()
    xy = points(hills(4, 5))[:, :2]
    u = np.random.default_rng(3).standard_normal((LANES, 1))
    first, second = cost.params["first"], cost.params["second"]
    shift = oracle(first, xy)
    expected = oracle(second, xy + np.stack([shift, 0 * shift], -1)) + oracle(first, np.array([[1.5, -1.0]])) * u[:, 0]
    np.testing.assert_allclose(cost.cost(xy, u), expected, atol=1e-12)

    p = parameters(cost)
    np.testing.assert_allclose(side_by_side(cost.code("l", True), xy, u, None, p)["l"], expected, atol=1e-12)
    np.testing.assert_allclose(one_by_one(cost.code("l"), xy, u, None, p)["l"], expected, atol=1e-12)


def test_only_parameters_are_read() -> None:
    with pytest.raises(ModelError, match=r"m\.lookup reads a Raster that is a parameter of the model"):

        @discrete_dynamics(state=HEIGHT, action=Space())
        def closed_over(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
            return x[0], x[1], m.lookup(hills(2, 2), x[0], x[1])

        closed_over()
