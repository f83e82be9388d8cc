"""Scenes of a lidar: points lie on objects, and none behind another object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import SettingError, ShapeError
from pilotage.estimators.tracking.extended import LidarScene, lidar_traffic
from pilotage.estimators.tracking.extended.lidar_scene import cast_rays

ACROSS, US, NOBODY = [[6.0, 4.0, 0.7, 0.0], [12.0, 8.0, 0.7, 0.0]], np.zeros((2, 1, 2)), np.zeros((0, 4))


def test_points_lie_on_the_sides_of_cars() -> None:
    scene = LidarScene.of(ACROSS, US, NOBODY, steps=1, lost=0.0, clutter=0.0, std=1e-9, rng=0)
    rows = scene.truth.at(0.0)
    own = rows.x[np.searchsorted(rows.id, scene.causes)]
    c, s = np.cos(own[:, 2]), np.sin(own[:, 2])
    d = scene.scans[0] - own[:, :2]
    x = np.stack([c * d[:, 0] + s * d[:, 1], c * d[:, 1] - s * d[:, 0]], -1) / (0.5 * own[:, 3:5])
    np.testing.assert_allclose(np.abs(x).max(-1), 1.0, atol=1e-6)


def test_ranges_are_those_of_a_walk_along_the_beams() -> None:
    """The first of many small steps that is inside of an object."""
    scene = LidarScene.of(ACROSS, US, [[3.0, -2.0, 1.0, 0.0]], steps=1, rng=0)
    rows = scene.truth.at(0.0)
    angles, ranges, hit = cast_rays(scene.place, rows, 0.0, 180, 30.0)
    r = np.arange(0.0, 30.0, 0.005)
    for angle in 2.0 * np.pi * np.arange(180) / 180:
        p = r[:, None] * [np.cos(angle), np.sin(angle)]
        inside = np.zeros(len(r), bool)
        for x in rows.x[:2]:
            c, s = np.cos(x[2]), np.sin(x[2])
            d = p - x[:2]
            inside |= (np.abs(c * d[:, 0] + s * d[:, 1]) < 0.5 * x[3]) & (
                np.abs(c * d[:, 1] - s * d[:, 0]) < 0.5 * x[4]
            )
        k = np.flatnonzero(np.isclose(angles, angle) & (hit < 2))
        if len(k):
            assert ranges[k[0]] == pytest.approx(r[inside.argmax()], abs=0.01)
        elif inside.any():
            assert np.isclose(angles, angle).any()  # a leg before it


def test_what_is_behind_is_hidden() -> None:
    scene = LidarScene.of(ACROSS, US, NOBODY, steps=1, lost=0.0, clutter=0.0, rng=0)
    alone = LidarScene.of(ACROSS[1:], np.zeros((1, 1, 2)), NOBODY, steps=1, lost=0.0, clutter=0.0, rng=0)
    assert scene.points[0] > 20
    assert scene.points[1] < 0.5 * alone.points[0]
    np.testing.assert_array_equal(scene.points, [(scene.causes == 1).sum(), (scene.causes == 2).sum()])


def test_a_seed_draws_the_same_scene() -> None:
    one, other = (lidar_traffic(steps=5, rng=4) for _ in range(2))
    np.testing.assert_array_equal(one.scans.z, other.scans.z)
    np.testing.assert_array_equal(one.truth.x, other.truth.x)
    assert one.seed == 4
    assert not np.array_equal(one.truth.x, lidar_traffic(steps=5, rng=5).truth.x)


def test_cars_of_the_stock_scene_do_not_touch() -> None:
    for seed in range(5):
        scene = lidar_traffic(rng=seed)
        for t in scene.truth.times:
            x = scene.truth.at(float(t)).x[:6]
            d = np.linalg.norm(x[:, None, :2] - x[:, :2], axis=-1) + 100.0 * np.eye(len(x))
            assert d.min() > 2.0


def test_a_scene_may_have_one_scan_and_nobody_on_foot() -> None:
    assert len(LidarScene.of(ACROSS, np.zeros((2, 0, 2)), NOBODY, steps=1).scans) == 1
    assert len(lidar_traffic(steps=1, pedestrians=0, rng=1).truth.ids) == 6


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="us of cars"):
        LidarScene.of(ACROSS, np.zeros((3, 1, 2)), NOBODY, steps=4)
    scene: Any = {"cars": ACROSS, "us": US, "walkers": NOBODY, "steps": 4}
    for name, given in (
        ("cars", {"cars": [[1.0, 2.0, 3.0]], "us": US[:1]}),
        ("us of cars", {"us": np.zeros((2, 1, 3))}),
        ("us of cars", {"us": np.zeros((2, 0, 2))}),
        ("walkers", {"walkers": [[1.0, 2.0, 3.0]]}),
        ("sizes", {"sizes": [4.0, 2.0, 1.5]}),
        ("place", {"place": (0.0, 0.0, 1.0)}),
    ):
        with pytest.raises(ShapeError, match=name):
            LidarScene.of(**scene | given)
    with pytest.raises(SettingError, match="-1"):
        lidar_traffic(steps=2, std=-1.0)
