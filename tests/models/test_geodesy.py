"""Geodesy against the geometry of the ellipsoid and published values."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import ShapeError
from pilotage.models import LocalFrame, ecef, geodetic, normal_gravity

A, B = 6378137.0, 6356752.314245179
RNG = np.random.default_rng(0)
PLACES = np.stack(
    [RNG.uniform(-np.pi / 2, np.pi / 2, 500), RNG.uniform(-np.pi, np.pi, 500), RNG.uniform(-1e4, 2e6, 500)], axis=-1
).reshape(5, 100, 3)


@pytest.mark.parametrize(
    ("place", "point"),
    [
        ((0.0, 0.0, 7.0), (A + 7.0, 0.0, 0.0)),
        ((0.0, np.pi / 2, 0.0), (0.0, A, 0.0)),
        ((np.pi / 2, 0.0, 100.0), (0.0, 0.0, B + 100.0)),
        ((-np.pi / 2, 0.0, 0.0), (0.0, 0.0, -B)),
        ((np.pi / 4, 0.0, 0.0), (A**2 / np.sqrt(A**2 + B**2), 0.0, B**2 / np.sqrt(A**2 + B**2))),
    ],
)
def test_closed_forms(place: tuple[float, ...], point: tuple[float, ...]) -> None:
    np.testing.assert_allclose(ecef(place), point, atol=1e-8)
    back = geodetic(point)
    np.testing.assert_allclose(back[[0, 2]], np.array(place)[[0, 2]], atol=1e-8)


def test_points_are_above_the_ellipsoid_along_its_normal() -> None:
    """The foot is on the ellipsoid, and the way up is its gradient: what defines geodetic coordinates."""
    lat, lon, h = np.moveaxis(PLACES, -1, 0)
    up = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    foot = ecef(PLACES) - h[..., None] * up
    np.testing.assert_allclose(np.sum((foot / [A, A, B]) ** 2, axis=-1), 1.0, atol=1e-14)
    gradient = foot / np.square([A, A, B])
    np.testing.assert_allclose(gradient / np.linalg.norm(gradient, axis=-1, keepdims=True), up, atol=1e-14)


def test_there_and_back() -> None:
    back = geodetic(ecef(PLACES))
    np.testing.assert_allclose(back[..., 2], PLACES[..., 2], atol=1e-7)
    np.testing.assert_allclose(A * (back[..., :2] - PLACES[..., :2]), 0.0, atol=1e-7)
    frame = LocalFrame(0.9, -2.0, 150.0)
    local = RNG.normal(size=(4, 50, 3)) * 1e4
    np.testing.assert_allclose(frame.enu(frame.geodetic(local)), local, atol=1e-6)


def test_axes_point_east_north_up() -> None:
    """Small changes of latitude, longitude and height move along the axes, by the radii of curvature."""
    lat, h = 0.8, 1e-7
    frame, e2 = LocalFrame(lat, 0.4, 30.0), 1.0 - (B / A) ** 2
    place, w = np.array([lat, 0.4, 30.0]), np.sqrt(1.0 - e2 * np.sin(lat) ** 2)
    np.testing.assert_allclose(frame.enu(place), 0.0, atol=1e-9)
    moved = frame.enu(place + np.diag([h, h, 1.0])) / [[h], [h], [1.0]]
    north, east = A * (1.0 - e2) / w**3 + 30.0, (A / w + 30.0) * np.cos(lat)
    np.testing.assert_allclose(moved, [[0.0, north, 0.0], [east, 0.0, 0.0], [0.0, 0.0, 1.0]], atol=0.6)


def test_published_gravity() -> None:
    assert normal_gravity(0.0) == pytest.approx(9.7803253359, abs=1e-9)
    assert normal_gravity(np.pi / 2) == pytest.approx(9.8321849378, abs=1e-9)
    assert normal_gravity(0.0) - normal_gravity(0.0, 1000.0) == pytest.approx(3.086e-3, rel=2e-3)


def test_degrees_are_refused() -> None:
    with pytest.raises(ShapeError, match="51.04.*radians"):
        ecef([51.04, 13.79, 0.0])
    with pytest.raises(ShapeError, match="51.04"):
        LocalFrame(51.04, 13.79)
    with pytest.raises(ShapeError, match=r"\(2,\)"):
        LocalFrame(0.9, 0.2).enu([0.9, 0.2])
