"""Noise on states: a root of every covariance, and readings drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import Sensor, Space
from pilotage.core.covariances import scattered, symmetric_root


@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_symmetric_root(rank):
    rng = np.random.default_rng(rank)
    A = rng.normal(size=(4, 5, rank))
    cov = A @ A.swapaxes(-1, -2)
    root = symmetric_root(cov)
    np.testing.assert_allclose(root @ root, cov, atol=1e-12)
    np.testing.assert_allclose(root, root.swapaxes(-1, -2), atol=1e-12)
    cov[1] = np.nan
    np.testing.assert_allclose(symmetric_root(cov)[[0, 2, 3]], root[[0, 2, 3]], atol=1e-12)


def test_noise_is_in_the_tangent():
    space = Space("pose: SE2")
    x, z = np.array([1.0, 2.0, np.pi / 2]), np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(scattered(space, x, np.diag([0.25, 0.0, 0.0]), z), [1.0, 2.5, np.pi / 2], atol=1e-15)


class Beacon(Sensor):
    state, reading = Space("x y [m]"), Space("range [m]", "bearing: angle")

    def observe(self, x, context=None):
        d = np.asarray(context) - x
        return np.stack([np.hypot(d[..., 0], d[..., 1]), np.arctan2(d[..., 1], d[..., 0])], -1)

    def noise(self, x, context=None):
        return np.array([[0.04, 0.01], [0.01, 0.09]])


class Coin(Beacon):
    def sample(self, x, context=None, *, rng=None):
        return self.observe(x, context) + np.random.default_rng(rng).choice([-1.0, 1.0])


def test_readings_are_drawn_as_the_noise_says():
    beacon, x, place = Beacon(), np.array([4.0, 0.1]), [0.0, 0.0]  # the bearing is near half a turn
    drawn = beacon.sample(np.tile(x, (20_000, 1)), place, rng=1)
    assert drawn.shape == (20_000, 2)
    assert (np.abs(drawn[:, 1]) <= np.pi).all()
    d = beacon.reading.minus(drawn, beacon.observe(x, place))
    np.testing.assert_allclose(d.mean(0), 0.0, atol=0.01)
    np.testing.assert_allclose(np.cov(d.T), beacon.noise(x), atol=0.003)


@pytest.mark.parametrize("batch", [(), (1,), (0,), (3, 1, 2)])
def test_a_seed_replays_the_readings(batch):
    x = Beacon.state.sample(batch, rng=0)
    first, again, other = (Beacon().sample(x, [9.0, 9.0], rng=seed) for seed in (1, 1, 2))
    assert first.shape == (*batch, 2)
    np.testing.assert_array_equal(first, again)
    assert first.size == 0 or not np.array_equal(first, other)


@pytest.mark.parametrize("kind", [Beacon, Coin])
def test_a_sensor_on_a_bigger_state_draws_the_same(kind):
    wide = kind().on(Space("speed [m/s]", "x y [m]"))
    small = kind().sample(np.array([1.0, 2.0]), [9.0, 9.0], rng=3)
    np.testing.assert_array_equal(wide.sample(np.array([7.0, 1.0, 2.0]), [9.0, 9.0], rng=3), small)
