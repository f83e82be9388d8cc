"""One namespace, two kinds of numbers; and the raster both look up."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from pilotage.core import Mathematics, ModelError, Raster, ShapeError, math_for, numpy_math, torch_math
from pilotage.maps import OccupancyGrid

UNARY = [
    "sqrt",
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "abs",
    "sign",
    "floor",
    "wrap",
]
BINARY = ["atan2", "hypot", "minimum", "maximum"]


def test_numpy_and_torch_offer_the_whole_protocol():
    pytest.importorskip("torch")
    functions = {name for name in vars(Mathematics) if not name.startswith("_")}
    assert functions == {*UNARY, *BINARY, "clip", "where", "lookup", "lookup_slope", "affine"}
    for m in (numpy_math, torch_math()):
        assert m.pi == np.pi
        assert all(callable(getattr(m, name)) for name in functions)


def test_torch_agrees_with_numpy():
    torch = pytest.importorskip("torch")
    m = torch_math()
    a, b = np.random.default_rng(0).uniform(0.05, 0.95, (2, 50))
    ta, tb = torch.tensor(a), torch.tensor(b)
    for name in UNARY:
        np.testing.assert_allclose(getattr(m, name)(ta), getattr(numpy_math, name)(a), rtol=1e-14, err_msg=name)
        np.testing.assert_allclose(getattr(m, name)(0.5), getattr(numpy_math, name)(0.5), rtol=1e-14, err_msg=name)
    for name in BINARY:
        for left, right in ((ta, tb), (ta, 0.5), (0.5, tb), (0.25, 0.5)):
            expected = getattr(numpy_math, name)(np.asarray(left), np.asarray(right))
            np.testing.assert_allclose(getattr(m, name)(left, right), expected, rtol=1e-14, err_msg=name)
    np.testing.assert_allclose(m.clip(ta, 0.3, tb), numpy_math.clip(a, 0.3, b))
    np.testing.assert_allclose(m.where(ta < 0.5, 0.0, tb), numpy_math.where(a < 0.5, 0.0, b))
    assert float(m.where(True, 1.0, 2.0)) == 1.0


def test_the_sign_of_nan_is_nan_in_torch_as_in_numpy():
    torch = pytest.importorskip("torch")
    a = torch.tensor([-2.0, 0.0, torch.nan, 3.0], dtype=torch.float64, requires_grad=True)
    found = torch_math().sign(a)
    np.testing.assert_array_equal(found.detach(), numpy_math.sign(a.detach().numpy()))
    found[[0, 1, 3]].sum().backward()
    assert a.grad.tolist() == [0.0] * 4
    assert np.isnan(float(torch_math().sign(np.nan)))


def test_what_is_no_raster_is_refused():
    torch = pytest.importorskip("torch")
    grid = OccupancyGrid.from_ascii("#.")
    for m, x in ((numpy_math, 0.5), (torch_math(), torch.tensor(0.5))):
        for call in (lambda m=m, x=x: m.lookup(grid, x, x), lambda m=m, x=x: m.lookup_slope(grid, x, x, 0)):
            with pytest.raises(ModelError, match=r"read a Raster, not OccupancyGrid.*grid.distance_field\(\)"):
                call()
    with pytest.raises(ModelError, match=r"read a Raster, not array"):
        numpy_math.lookup(np.zeros((2, 2)), 0.5, 0.5)


def test_the_array_picks_the_namespace():
    torch = pytest.importorskip("torch")
    assert math_for(1.0, np.zeros(2)) is numpy_math
    assert math_for(np.zeros(2), torch.zeros(2)) is torch_math()


def test_core_never_loads_torch():
    code = (
        "import sys, pilotage.core as c; s = c.Space('pose: SE3', 'yaw: angle'); x = s.sample(3, rng=0); s.mean(x)\n"
        "assert 'torch' not in sys.modules\n"
        "try: c.torch_math()\n"
        "except RuntimeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "import torch first" in done.stdout


@pytest.fixture
def hills() -> Raster:
    return Raster(np.random.default_rng(1).random((5, 7)), resolution=0.5, origin=(2.0, -1.0, 0.4))


def world(raster, u, v):
    """World point of column u, row v of the cell centres."""
    ox, oy, yaw = raster.origin
    lx, ly = (u + 0.5) * raster.resolution, (v + 0.5) * raster.resolution
    return np.stack([ox + np.cos(yaw) * lx - np.sin(yaw) * ly, oy + np.sin(yaw) * lx + np.cos(yaw) * ly], -1)


def test_raster_interpolates_like_scipy(hills):
    draw = np.random.default_rng(2)
    u, v = draw.uniform(0, 6, 200), draw.uniform(0, 4, 200)
    oracle = RegularGridInterpolator((np.arange(5), np.arange(7)), hills.values)((v, u))
    np.testing.assert_allclose(hills.at(world(hills, u, v)), oracle, atol=1e-13)


def test_raster_holds_its_border_outside(hills):
    np.testing.assert_allclose(hills.at(world(hills, -3.0, 2.0)), hills.values[2, 0])
    np.testing.assert_allclose(hills.at(world(hills, 99.0, 99.0)), hills.values[-1, -1])
    np.testing.assert_allclose(hills.at(world(hills, 6.0, 4.0)), hills.values[-1, -1])
    assert np.isnan(hills.at([np.nan, 0.0]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1)])
def test_thin_rasters(shape):
    raster = Raster(np.arange(4.0)[: max(shape)].reshape(shape), resolution=1.0)
    xy = np.random.default_rng(3).uniform(-1, 5, (30, 2))
    along = np.zeros(30) if max(shape) == 1 else xy[:, int(shape[1] == 1)]
    np.testing.assert_allclose(raster.at(xy), np.clip(along - 0.5, 0, max(shape) - 1))


def test_raster_gradients(hills):
    torch = pytest.importorskip("torch")
    xy = torch.tensor(world(hills, np.array([1.3, 4.6, -2.0]), np.array([2.2, 0.4, 1.5])), requires_grad=True)
    hills.at(xy).sum().backward()
    points, h = xy.detach().numpy(), 1e-6
    for axis in range(2):
        e = h * np.eye(2)[axis]
        np.testing.assert_allclose(xy.grad[:, axis], (hills.at(points + e) - hills.at(points - e)) / (2 * h), atol=1e-8)
        slope = numpy_math.lookup_slope(hills, points[:, 0], points[:, 1], axis)
        np.testing.assert_allclose(slope, xy.grad[:, axis], atol=1e-12)
        slope = torch_math().lookup_slope(hills, xy[:, 0].detach(), xy[:, 1].detach(), axis)
        np.testing.assert_allclose(slope, xy.grad[:, axis], atol=1e-12)
    np.testing.assert_allclose(hills.at(xy).detach(), hills.at(points), atol=1e-14)


@pytest.mark.parametrize(
    ("values", "resolution", "origin", "sentence"),
    [
        ([1.0, 2.0], 1.0, (0, 0, 0), r"expected \(ny, nx\)"),
        ([[np.nan]], 1.0, (0, 0, 0), "NaN"),
        ([[1.0]], 0.0, (0, 0, 0), "resolution"),
        ([[1.0]], 1.0, (0, 0), "origin"),
        ([[1.0]], 1.0, (0, 0, np.inf), "origin"),
    ],
)
def test_bad_rasters_are_refused(values, resolution, origin, sentence):
    with pytest.raises(ShapeError, match=sentence):
        Raster(values, resolution, origin)


def test_a_raster_is_a_value(hills):
    with pytest.raises(ValueError, match="read-only"):
        hills.values[0, 0] = 1.0
    with pytest.raises(ShapeError, match="expected"):
        hills.at([1.0, 2.0, 3.0])
    copy = pickle.loads(pickle.dumps(hills))
    np.testing.assert_array_equal(copy.values, hills.values)
    assert repr(hills) == "Raster(5 x 7 cells of 0.5 m, origin (2.0, -1.0, 0.4))"
