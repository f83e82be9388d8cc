"""Beliefs taken from one space to another."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import Diagonal, Gaussian, Mixture, Particles, Point, Space, SpaceError, carry

STRAIGHT = Space("x y [m]", "vx vy [m/s]")
TURNING = Space("y [m]", "yaw: angle", "x [m]", "speed [m/s] in [0, 30]")
POSES = Space("pose: SE2", "speed [m/s] in [0, 30]")


def cov(n, seed):
    A = np.random.default_rng(seed).standard_normal((n, n))
    return A @ A.T + 0.1 * np.eye(n)


def test_what_is_shared_is_the_marginal_and_what_is_new_independent():
    g, prior = Gaussian(STRAIGHT, [1, 2, 3, 4], cov(4, 1)), Gaussian(POSES, [7, 8, 3, 5], cov(4, 2))
    fill = Mixture([prior.marginal("speed")])
    here = carry(g, Space("speed [m/s]", "y x [m]"), fill)
    np.testing.assert_allclose(here.mean, [5, 2, 1])
    assert here.cov[0, 0] == pytest.approx(prior.cov[3, 3])
    np.testing.assert_array_equal(here.cov[0, 1:], 0.0)
    np.testing.assert_allclose(here.cov[1:, 1:], g.cov[np.ix_([1, 0], [1, 0])])


@pytest.mark.parametrize("rooted", [False, True])
def test_gaussians_and_their_roots(rooted):
    P = cov(4, 3)
    g = (
        Gaussian.from_root(STRAIGHT, [1, 2, 3, 4], np.linalg.cholesky(P))
        if rooted
        else Gaussian(STRAIGHT, [1, 2, 3, 4], P)
    )
    there = carry(g, TURNING, {"yaw": (3.5, 0.2), "speed": (5.0, 1.5)})
    assert ("root" in there.__dict__) == rooted
    np.testing.assert_allclose(there.mean, [2, 3.5 - 2 * np.pi, 1, 5])
    oracle = np.diag([P[1, 1], 0.04, P[0, 0], 2.25])
    oracle[0, 2] = oracle[2, 0] = P[0, 1]
    np.testing.assert_allclose(there.cov, oracle, atol=1e-12)
    assert there.space == TURNING
    back = carry(there, STRAIGHT.select("x y"))
    np.testing.assert_allclose(back.cov, P[:2, :2], atol=1e-12)
    assert carry(g, STRAIGHT) is g


def test_batches_of_gaussians():
    g = Gaussian(STRAIGHT, STRAIGHT.sample((3, 2), rng=4), cov(4, 5))
    there = carry(g, TURNING, {"yaw": (0.0, 0.2), "speed": (5.0, 1.5)})
    assert there.mean.shape == (3, 2, 4)
    np.testing.assert_array_equal(there[1, 1].cov, carry(g[1, 1], TURNING, {"yaw": (0, 0.2), "speed": (5, 1.5)}).cov)


@pytest.mark.parametrize("batch", [(), (3,)])
def test_particles_draw_what_is_new(batch):
    points = np.random.default_rng(6).standard_normal((*batch, 20_000, 4)) + [1, 2, 3, 4]
    cloud = Particles(STRAIGHT, points, np.random.default_rng(7).standard_normal(20_000))
    there = carry(cloud, TURNING, {"yaw": (0.5, 0.2), "speed": (5.0, 1.5)}, rng=8)
    np.testing.assert_array_equal(there.points[..., [2, 0]], points[..., :2])
    np.testing.assert_array_equal(there.log_weights, cloud.log_weights)
    m = there.moments()
    np.testing.assert_allclose(m.mean[..., [1, 3]] - [0.5, 5.0], 0.0, atol=0.08)
    np.testing.assert_allclose(m.std[..., [1, 3]] / [0.2, 1.5], 1.0, atol=0.05)
    np.testing.assert_allclose(m.cov[..., 1, [0, 2, 3]], 0.0, atol=0.02)
    if batch:
        assert not np.array_equal(there.points[0, :, 1], there.points[1, :, 1])
    assert carry(cloud, STRAIGHT.select("vy x")).points.shape == (*batch, 20_000, 2)


def test_components_of_a_mixture_are_carried_each():
    """Also what only some of them know."""
    mix = Mixture(
        [Gaussian(STRAIGHT, [1, 2, 3, 4], cov(4, 9)), Gaussian(TURNING, [5, 1, 6, 7], cov(4, 10))], [0.0, 1.0]
    )
    there = carry(mix, TURNING, {"yaw": (0.0, 0.2), "speed": (5.0, 1.5)})
    assert there.components[1] is mix.components[1]
    assert there.components[0].std[3] == 1.5
    np.testing.assert_allclose(there.log_weights, mix.log_weights)


def test_diagonal_beliefs_and_points_stay_what_they_are():
    d = carry(Diagonal(STRAIGHT, [1, 2, 3, 4], [1, 2, 3, 4]), TURNING, {"yaw": (0.0, 0.2), "speed": (5.0, 1.5)})
    assert isinstance(d, Diagonal)
    np.testing.assert_allclose(d.var, [2, 0.04, 1, 2.25])
    known = carry(Point(STRAIGHT, [1, 2, 3, 4]), TURNING, Point(TURNING, [0, 1, 0, 9]))
    assert isinstance(known, Point)
    np.testing.assert_array_equal(known.mean, [2, 1, 1, 9])
    doubtful = carry(Point(STRAIGHT, [1, 2, 3, 4]), TURNING, {"yaw": (0.0, 0.2), "speed": (5.0, 1.5)})
    np.testing.assert_allclose(doubtful.std, [0, 0.2, 0, 1.5])


def test_what_cannot_be_carried_is_a_sentence():
    g = Gaussian.of(STRAIGHT, std=1)
    with pytest.raises(SpaceError, match="knows nothing of yaw, speed"):
        carry(g, TURNING)
    with pytest.raises(SpaceError, match="knows nothing of yaw"):
        carry(g, TURNING, {"speed": (0.0, 1.0)})
    with pytest.raises(SpaceError, match="x is 'x .km.' in one space and 'x .m.' in the other"):
        carry(g, Space("x [km]"))
    with pytest.raises(SpaceError, match="vx"):
        carry(g, Space("vx: angle"))


def test_bounds_need_not_agree():
    g = Gaussian.of(Space("speed [m/s] in [0, 30]"), [3.0], std=1)
    assert carry(g, Space("speed [m/s]")).space == Space("speed [m/s]")
