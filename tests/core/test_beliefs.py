"""Beliefs against scipy.stats, and against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from pilotage.core import (
    Belief,
    CovarianceError,
    Diagonal,
    Gaussian,
    Mixture,
    Particles,
    Point,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
    jacobian,
)

PLANE = Space("x y [m]")
POSE = Space("pose: SE2", "speed [m/s]")
COV = np.array([[2.0, 0.6], [0.6, 0.5]])


def random_cov(n, seed, scale=1.0):
    A = np.random.default_rng(seed).standard_normal((n, n))
    return scale * (A @ A.T + 0.1 * np.eye(n))


def test_gaussian_density():
    g = Gaussian(PLANE, [1, -2], COV)
    x = np.random.default_rng(0).standard_normal((5, 4, 2))
    np.testing.assert_allclose(g.log_prob(x), stats.multivariate_normal([1, -2], COV).logpdf(x), rtol=1e-12)
    assert g.log_prob([1.0, -2.0]).shape == ()


def test_gaussian_samples_have_its_moments():
    g = Gaussian(PLANE, [1, -2], COV)
    x = g.sample(100_000, rng=1)
    np.testing.assert_allclose(x.mean(0), g.mean, atol=0.02)
    np.testing.assert_allclose(np.cov(x.T), COV, atol=0.04)
    np.testing.assert_array_equal(g.sample(3, rng=2), g.sample(3, rng=2))


def test_density_of_a_pose_integrates_to_one():
    """Over the tangent at the mean, by importance sampling from a wider Gaussian."""
    g = Gaussian(POSE, POSE.sample(rng=1), random_cov(4, 2, 0.02))
    wide = Gaussian(POSE, g.mean, 2.0 * g.cov)
    x = wide.sample(100_000, rng=3)
    assert abs(np.exp(g.log_prob(x) - wide.log_prob(x)).mean() - 1) < 0.02


def test_batches_of_gaussians():
    means = POSE.sample((3, 2), rng=4)
    covs = np.stack([random_cov(4, k, 0.01) for k in range(6)]).reshape(3, 2, 4, 4)
    g = Gaussian(POSE, means, covs)
    x = g.sample(7, rng=5)
    assert x.shape == (3, 2, 7, 4)
    one = Gaussian(POSE, means[1, 1], covs[1, 1])
    np.testing.assert_allclose(g.log_prob(x[..., 0, :])[1, 1], one.log_prob(x[1, 1, 0]), rtol=1e-12)
    np.testing.assert_array_equal(g[1, 1].mean, one.mean)
    np.testing.assert_array_equal(g[1].cov, covs[1])
    assert g.std.shape == (3, 2, 4)
    assert Gaussian(POSE, means, covs[0, 0]).cov.shape == (3, 2, 4, 4)
    assert Gaussian(POSE, means[0, 0], covs).mean.shape == (3, 2, 4)
    assert str(g) == "Gaussians of shape (3, 2) over pose.x, pose.y, pose.yaw, speed"
    with pytest.raises(ShapeError, match="broadcast"):
        Gaussian(POSE, means, covs[:2, :1][:, [0, 0, 0]])
    with pytest.raises(ShapeError, match="no leading axes"):
        one[0]


def test_gaussians_are_values():
    mean, cov = np.array([1.0, 2.0]), COV.copy()
    g = Gaussian(PLANE, mean, cov)
    mean[0] = cov[0, 0] = 9.0
    assert g.mean[0] == 1.0
    assert g.cov[0, 0] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        g.mean[0] = 3.0
    with pytest.raises(AttributeError):
        g.mean = mean


@pytest.mark.parametrize(
    ("cov", "error", "sentence"),
    [
        (np.eye(3), ShapeError, r"expected \(..., 2, 2\)"),
        ([[1, np.nan], [np.nan, 1]], ShapeError, "NaN"),
        ("no", ShapeError, "not an array"),
        ([[1, 0.5], [0.2, 1]], CovarianceError, "not symmetric.*0.3"),
        ([[1, 2], [2, 1]], CovarianceError, "smallest eigenvalue is -1"),
        (np.zeros((2, 2)), CovarianceError, "smallest eigenvalue is 0"),
    ],
)
def test_bad_covariances_are_refused(cov, error, sentence):
    with pytest.raises(error, match=sentence):
        Gaussian(PLANE, [0, 0], cov)


def test_bad_means_and_deviations_are_refused():
    with pytest.raises(ShapeError, match="mean has shape"):
        Gaussian(PLANE, [0, 0, 0], COV)
    with pytest.raises(CovarianceError, match="must be positive"):
        Gaussian.of(PLANE, [0, 0], std=[1, 0])
    with pytest.raises(ShapeError, match="std has shape"):
        Gaussian.of(PLANE, [0, 0], std=[1, 1, 1])
    for both in ({}, {"std": 1, "cov": COV}):
        with pytest.raises(CovarianceError, match="not both"):
            Gaussian.of(PLANE, **both)


def test_rounding_off_symmetry_is_repaired():
    skewed = COV + np.array([[0, 1e-12], [0, 0]])
    g = Gaussian(PLANE, [0, 0], skewed)
    assert g.cov[0, 1] == g.cov[1, 0]


def test_marginal_and_mean_wrap():
    space = Space("x [m]", "q: quaternion", "yaw: angle")
    cov = random_cov(5, 6)
    g = Gaussian(space, [1, 2, 0, 0, 0, 4] / np.array([1, 2, 1, 1, 1, 1]), cov)
    assert g.mean[5] == pytest.approx(4 - 2 * np.pi)
    part = g.marginal("yaw q")
    assert part.space == space.select("yaw q")
    np.testing.assert_array_equal(part.cov, cov[np.ix_([4, 1, 2, 3], [4, 1, 2, 3])])
    np.testing.assert_array_equal(part.mean, g.mean[[5, 1, 2, 3, 4]])


def test_in_words():
    space = Space("x [m]", "yaw: angle", "turn [rad/s]", "pose: SE2", "n")
    g = Gaussian.of(space, [0.312, 0.0209, 0.1, 1, 2, 0.5, 7], std=[0.42, 0.0541, 0.01, 0.1, 20.0, 0.01, 1])
    assert str(g) == (
        "x 0.31 +- 0.42 m, yaw 1.2 +- 3.1 deg, turn 5.73 +- 0.57 deg/s, "
        "pose (1.00, 2, 28.65 deg) +- (0.10 m, 20 m, 0.57 deg), n 7.0 +- 1.0"
    )
    assert repr(g) == f"Gaussian({g})"


def test_singular_gaussians_can_be_drawn_from_but_have_no_density():
    g = Gaussian.trusted(PLANE, np.zeros(2), np.array([[1.0, 1.0], [1.0, 1.0]]))
    x = g.sample(20_000, rng=7)
    np.testing.assert_allclose(x[:, 0], x[:, 1], atol=1e-7)
    assert abs(x[:, 0].std() - 1) < 0.02
    with pytest.raises(CovarianceError, match="no density"):
        g.log_prob([0.0, 0.0])
    with pytest.raises(CovarianceError, match="indefinite"):
        Gaussian.trusted(PLANE, np.zeros(2), np.diag([1.0, -1.0])).sample(1, rng=8)


def test_of_nothing_everything_is_known():
    """A belief over no components at all, such as that of an empty marginal: its density is 1."""
    nothing = Gaussian(Space(), [], np.zeros((0, 0)))
    assert nothing.log_prob([]) == 0.0
    np.testing.assert_array_equal(nothing.log_prob(np.zeros((3, 0))), np.zeros(3))


def test_what_a_kernel_made_is_read_only_too():
    g = Gaussian.trusted(PLANE, np.zeros((5, 2)), np.tile(np.eye(2), (5, 1, 1)))
    cloud = Particles.trusted(PLANE, np.zeros((3, 2)), np.full(3, -np.log(3.0)))
    for a in (g.mean, g.cov, g[1].mean, g.marginal("x").cov, cloud.points, cloud.log_weights):
        with pytest.raises(ValueError, match="read-only"):
            a[...] = 1.0


def test_particles_of_a_gaussian_have_its_moments_and_density():
    g = Gaussian(POSE, POSE.sample(rng=9), random_cov(4, 10, 0.02))
    cloud = Particles(POSE, g.sample(50_000, rng=11))
    m = cloud.moments()
    np.testing.assert_allclose(POSE.minus(m.mean, g.mean), 0, atol=0.01)
    np.testing.assert_allclose(m.cov, g.cov, atol=0.01)
    flat = Particles(PLANE, Gaussian(PLANE, [0, 0], COV).sample(20_000, rng=12))
    x = np.array([[0.0, 0.0], [0.5, 0.2], [1.0, 0.0]])
    np.testing.assert_allclose(flat.log_prob(x), stats.multivariate_normal([0, 0], COV).logpdf(x), atol=0.15)


def test_kernel_density_agrees_with_scipy():
    """scipy scales by the unbiased covariance; we by the plain one."""
    draw = np.random.default_rng(13)
    points, weights = draw.standard_normal((40, 2)), draw.random(40)
    cloud = Particles(PLANE, points, np.log(weights))
    biased = 1 - 1 / cloud.effective_size
    kde = stats.gaussian_kde(points.T, weights=weights)
    kde.set_bandwidth(kde.silverman_factor() * np.sqrt(biased))
    x = draw.standard_normal((6, 2))
    np.testing.assert_allclose(cloud.log_prob(x), kde.logpdf(x.T), rtol=1e-10)


def test_particle_weights():
    cloud = Particles(PLANE, np.zeros((4, 2)), [0.0, 0.0, -np.inf, -np.inf])
    np.testing.assert_allclose(cloud.weights, [0.5, 0.5, 0, 0])
    assert cloud.effective_size == pytest.approx(2.0)
    assert Particles(PLANE, np.zeros((4, 2))).effective_size == pytest.approx(4.0)
    shifted = Particles(PLANE, np.zeros((4, 2)), [-1e4, -1e4, -1e4 + np.log(2), -2e4])
    np.testing.assert_allclose(shifted.weights, [0.25, 0.25, 0.5, 0])
    for bad, sentence in (([np.nan] * 4, "NaN"), ([-np.inf] * 4, "weight zero"), ([0] * 3, "give")):
        with pytest.raises(ShapeError, match=sentence):
            Particles(PLANE, np.zeros((4, 2)), bad)
    with pytest.raises(ShapeError, match="expected"):
        Particles(PLANE, np.zeros(2))
    with pytest.raises(ShapeError, match="take"):
        Particles(PLANE, np.zeros((4, 2)), np.zeros((3, 4)))
    with pytest.raises(CovarianceError, match="no volume"):
        cloud.log_prob([0.0, 0.0])


def test_particles_are_drawn_by_weight():
    points = np.arange(4.0)[:, None]
    weights = np.array([0.1, 0.2, 0.0, 0.7])
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    line = Space("x")
    counts = np.bincount(Particles(line, points, logs).sample(20_000, rng=14)[:, 0].astype(int), minlength=4)
    assert stats.chisquare(counts[weights > 0], 20_000 * weights[weights > 0]).pvalue > 1e-3
    assert counts[2] == 0
    both = Particles(line, np.stack([points, 10 + points]), np.stack([logs, logs[::-1]]))
    x = both.sample(20_000, rng=15)
    assert x.shape == (2, 20_000, 1)
    counts = np.bincount(x[1, :, 0].astype(int) - 10, minlength=4)
    assert stats.chisquare(counts[[0, 2, 3]], 20_000 * np.array([0.7, 0.2, 0.1])).pvalue > 1e-3
    one = both.moments()[1]
    np.testing.assert_allclose(one.mean, [10 * 1 + 0 * 0.7 + 2 * 0.2 + 3 * 0.1])
    assert both.effective_size.shape == (2,)


def test_mixture_density_and_moments():
    means, covs, w = [[0, 0], [3, 1], [-1, 4]], [random_cov(2, k) for k in (16, 17, 18)], np.array([0.2, 0.3, 0.5])
    mix = Mixture([Gaussian(PLANE, m, P) for m, P in zip(means, covs, strict=True)], np.log(w) + 7)
    x = np.random.default_rng(19).standard_normal((6, 2))
    logs = np.stack([stats.multivariate_normal(m, P).logpdf(x) for m, P in zip(means, covs, strict=True)], -1)
    np.testing.assert_allclose(mix.log_prob(x), logsumexp(logs + np.log(w), axis=-1), rtol=1e-12)
    draws = mix.sample(200_000, rng=20)
    np.testing.assert_allclose(mix.moments().mean, draws.mean(0), atol=0.03)
    np.testing.assert_allclose(mix.moments().cov, np.cov(draws.T), atol=0.06)
    np.testing.assert_allclose(mix.weights, w)


def test_mixture_moments_on_a_manifold_agree_with_samples():
    """Covariances must be carried to the tangent at the common mean."""
    a = POSE.sample(rng=21)
    b = POSE.plus(a, [0.5, 0.3, 1.2, 0.0])
    mix = Mixture([Gaussian(POSE, m, random_cov(4, 22, 0.01) + np.diag([0.5, 0, 0, 0])) for m in (a, b)], [0.0, 0.5])
    exact, drawn = mix.moments(), Particles(POSE, mix.sample(200_000, rng=23)).moments()
    np.testing.assert_allclose(POSE.minus(exact.mean, drawn.mean), 0, atol=0.03)
    np.testing.assert_allclose(exact.cov, drawn.cov, atol=0.03)


def test_a_mixture_of_one_is_the_one():
    g = Gaussian(POSE, POSE.sample(rng=24), random_cov(4, 25, 0.01))
    m = Mixture([g]).moments()
    np.testing.assert_allclose(POSE.minus(m.mean, g.mean), 0, atol=1e-12)
    np.testing.assert_allclose(m.cov, g.cov, atol=1e-9)


def test_batches_of_mixtures():
    g = [Gaussian(PLANE, np.random.default_rng(k).standard_normal((3, 2)), COV) for k in (26, 27)]
    w = np.log([[0.1, 0.9], [0.5, 0.5], [1.0, 1e-300]])
    mix = Mixture(g, w)
    assert mix.sample(5, rng=28).shape == (3, 5, 2)
    one = Mixture([g[0][0], g[1][0]], w[0])
    np.testing.assert_allclose(mix.moments().cov[0], one.moments().cov)
    np.testing.assert_allclose(mix.log_prob(np.zeros(2))[0], one.log_prob(np.zeros(2)))


def test_what_is_no_mixture_is_refused():
    with pytest.raises(ShapeError, match="at least one"):
        Mixture([])
    with pytest.raises(SpaceError, match="share no part"):
        Mixture([Gaussian.of(PLANE, std=1), Gaussian.of(Space("z"), std=1)])
    with pytest.raises(SpaceError, match="x is 'x .m.' in one space and 'x' in the other"):
        Mixture([Gaussian.of(PLANE, std=1), Gaussian.of(Space("x"), std=1)])


@pytest.mark.parametrize(
    "belief",
    [
        Gaussian.of(PLANE, std=1),
        Particles(PLANE, np.random.default_rng(29).random((9, 2))),
        Mixture([Gaussian.of(PLANE, std=1)]),
        Mixture([Gaussian.of(Space("v", "y x [m]"), std=1), Gaussian.of(Space("x y [m]", "yaw: angle"), std=1)]),
        Diagonal(PLANE, [1.0, 2.0], 0.25),
        Point(PLANE, [1.0, 2.0]),
        Gaussian.from_root(PLANE, [1.0, 2.0], [[1.0, 0.0], [2.0, 0.5]]),
    ],
    ids=lambda b: type(b).__name__,
)
def test_every_belief_keeps_the_protocol(belief):
    assert isinstance(belief, Belief)
    assert isinstance(belief.moments(), Gaussian)
    assert belief.sample(4, rng=0).shape == (4, 2)
    assert belief.log_prob(np.zeros((3, 2))).shape == (3,)
    assert "x" in str(belief)
    assert repr(belief).startswith(type(belief).__name__)


def test_an_ellipsis_counts_from_the_last_batch_axis():
    plane = Space("x y")
    many = Gaussian(plane, np.arange(12.0).reshape(3, 2, 2), np.eye(2))
    one = many[..., 1]
    np.testing.assert_array_equal(one.mean, many.mean[:, 1])
    assert one.cov.shape == (3, 2, 2)


def test_particles_are_brought_onto_the_space():
    cloud = Particles(Space("yaw: angle"), [[7.0]])
    np.testing.assert_allclose(cloud.points, [[7.0 - 2 * np.pi]])


def test_weights_that_do_not_fit_are_refused_with_a_sentence():
    plane = Space("x y")
    with pytest.raises(ShapeError, match="log_weights has shape"):
        Particles(plane, np.zeros((3, 5, 2)), np.zeros((4, 5)))
    single = Gaussian.of(plane, std=1)
    with pytest.raises(ShapeError, match="leading axes"):
        Mixture([single, single], np.zeros((3, 2))).sample(4, rng=0)


def test_standard_deviations_that_are_no_numbers_are_refused():
    with pytest.raises(ShapeError, match="std is not an array of numbers"):
        Gaussian.of(Space("x y"), std=[1, [2]])


def test_a_root_is_as_good_as_its_covariance():
    """Of any shape that has A A' = cov: a wide one, an upper triangle, one with negative numbers on the diagonal."""
    mean, draw = POSE.sample(rng=30), np.random.default_rng(31)
    for A in (draw.standard_normal((4, 9)), np.triu(draw.standard_normal((4, 4))), -np.eye(4)):
        rooted, plain = Gaussian.from_root(POSE, mean, A), Gaussian(POSE, mean, A @ A.T)
        np.testing.assert_allclose(rooted.root, np.linalg.cholesky(A @ A.T), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(rooted.cov, A @ A.T, atol=1e-12)
        np.testing.assert_allclose(rooted.std, plain.std, rtol=1e-12)
        x = POSE.sample(5, rng=32)
        np.testing.assert_allclose(rooted.log_prob(x), plain.log_prob(x), rtol=1e-8)
        np.testing.assert_allclose(POSE.minus(rooted.sample(9, rng=33), plain.sample(9, rng=33)), 0.0, atol=1e-9)
        names = "speed pose"
        np.testing.assert_allclose(rooted.marginal(names).cov, plain.marginal(names).cov, atol=1e-12)
    many = Gaussian.from_root(POSE, POSE.sample(3, rng=34), draw.standard_normal((4, 4)))
    assert many.root.shape == (3, 4, 4)
    assert many[1].cov.shape == (4, 4)


def test_a_root_keeps_what_a_covariance_loses():
    """Standard deviations of 1 and 1e-9, nearly aligned: the covariance is singular to rounding, its root is not."""
    A = np.array([[1.0, 0.0], [1.0, 1e-9]])
    g = Gaussian.from_root(PLANE, [0.0, 0.0], A)
    np.testing.assert_allclose(g.log_prob([0.0, 0.0]), -np.log(2 * np.pi) + 9 * np.log(10), rtol=1e-12)
    with pytest.raises(CovarianceError):
        Gaussian(PLANE, [0.0, 0.0], A @ A.T)


@pytest.mark.parametrize(
    ("root", "error"),
    [
        (np.eye(3), ShapeError),
        (np.ones((2, 1)), ShapeError),
        (np.zeros((2, 2)), CovarianceError),
        ([[1, np.nan], [0, 1]], ShapeError),
    ],
)
def test_bad_roots_are_refused(root, error):
    with pytest.raises(error, match="root"):
        Gaussian.from_root(PLANE, [0.0, 0.0], root)


def test_a_diagonal_belief_is_the_gaussian_of_its_variances():
    var = np.array([0.01, 0.04, 0.09, 1.0])
    flat, full = Diagonal(POSE, [1.0, 2.0, 3.0, 4.0], var), Gaussian(POSE, [1.0, 2.0, 3.0, 4.0], np.diag(var))
    x = POSE.sample(7, rng=35)
    np.testing.assert_allclose(flat.log_prob(x), full.log_prob(x), rtol=1e-12)
    np.testing.assert_allclose(flat.moments().cov, full.cov, rtol=1e-15)
    np.testing.assert_allclose(flat.sample(6, rng=36), full.sample(6, rng=36), atol=1e-12)
    assert str(flat) == str(full)
    batch = Diagonal(POSE, POSE.sample((2, 3), rng=37), 0.5)
    assert batch.var.shape == batch[..., 0].var.shape[:1] + (3, 4)
    assert batch.marginal("speed").mean.shape == (2, 3, 1)
    for bad, error in ((0.0, CovarianceError), (np.ones(3), ShapeError), (np.inf, CovarianceError)):
        with pytest.raises(error, match="var"):
            Diagonal(POSE, POSE.identity(), bad)


def test_large_states_stay_small():
    space = Space("z: float32[4096]")
    belief = Diagonal(space, np.zeros(4096), np.full(4096, 0.25))
    x = belief.sample(3, rng=38)
    assert x.dtype == belief.mean.dtype == belief.var.dtype == np.float32
    np.testing.assert_allclose(belief.log_prob(x), stats.norm(scale=0.5).logpdf(x.astype(float)).sum(-1), rtol=1e-5)
    assert Point(space, np.ones(4096)).sample(2).dtype == np.float32


def test_a_point_is_certain():
    x = POSE.sample((2,), rng=39)
    known = Point(POSE, x)
    np.testing.assert_array_equal(known.log_prob(x), 0.0)
    np.testing.assert_array_equal(known.log_prob(POSE.plus(x, 1e-3 * np.ones(4))), -np.inf)
    np.testing.assert_array_equal(known.sample(3)[:, 1], x)
    assert not known.moments().cov.any()
    np.testing.assert_array_equal(known.moments().sample(2, rng=0)[1, 0], x[1])
    assert known.marginal("speed")[0].mean == x[0, 3]


def test_a_mixture_over_spaces_is_that_of_the_marginals():
    """Moments, samples and density are those of one distribution, over the parts that all have."""
    one, two = Space("x y [m]", "yaw: angle"), Space("speed [m/s]", "y x [m]")
    a = Gaussian(one, [0, 1, 2], random_cov(3, 40))
    b = Gaussian(two, [9, 3, -1], random_cov(3, 41))
    mix = Mixture([a, b], np.log([0.3, 0.7]))
    assert mix.space == PLANE
    plain = Mixture([a.marginal("x y"), b.marginal("x y")], np.log([0.3, 0.7]))
    x = PLANE.sample(5, rng=42)
    np.testing.assert_allclose(mix.log_prob(x), plain.log_prob(x), rtol=1e-14)
    np.testing.assert_allclose(mix.moments().cov, plain.moments().cov, rtol=1e-14)
    draws = mix.sample(200_000, rng=43)
    np.testing.assert_allclose(mix.moments().mean, draws.mean(0), atol=0.03)
    np.testing.assert_allclose(mix.moments().cov, np.cov(draws.T), atol=0.06)
    assert mix.components == (a, b)
    assert mix.marginal("y").space == Space("y [m]")


def test_mixture_moments_carry_covariances_exactly():
    """G, by differences here, against the closed form that the mixture uses."""
    space = Space("pose: SE3", "n: S2")
    base = space.sample(rng=44)
    draw = np.random.default_rng(45)
    parts = [Gaussian(space, space.plus(base, 0.3 * draw.standard_normal(8)), random_cov(8, k, 0.01)) for k in (46, 47)]
    mix, w = Mixture(parts, np.log([0.4, 0.6])), (0.4, 0.6)
    mean = mix.moments().mean
    cov = np.zeros((8, 8))
    for g, weight in zip(parts, w, strict=True):
        G = jacobian(lambda x: space.minus(x, mean), g.mean, space, space.tangent)
        d = space.minus(g.mean, mean)
        cov += weight * (G @ g.cov @ G.T + np.outer(d, d))
    np.testing.assert_allclose(mix.moments().cov, cov, atol=1e-8)


def test_beliefs_that_were_copied_are_read_only_too():
    import copy
    import pickle

    beliefs = (
        Gaussian.of(PLANE, std=1),
        Gaussian.from_root(PLANE, [0, 0], np.eye(2)),
        Diagonal(PLANE, [0, 0], 1.0),
        Point(PLANE, [0, 0]),
        Particles(PLANE, np.zeros((3, 2))),
        Mixture([Gaussian.of(PLANE, std=1)]),
    )
    for belief in beliefs:
        for twin in (pickle.loads(pickle.dumps(belief)), copy.deepcopy(belief)):
            arrays = [v for v in twin.__dict__.values() if isinstance(v, np.ndarray)]
            assert arrays
            assert not any(a.flags.writeable for a in arrays)
            np.testing.assert_allclose(twin.moments().mean, belief.moments().mean)


BELIEFS: dict[str, Any] = {
    "Gaussian": lambda space: Gaussian(space, [0.0, 0.0], np.eye(2)),
    "Gaussian.of": lambda space: Gaussian.of(space, [0.0, 0.0], std=1.0),
    "Gaussian.from_root": lambda space: Gaussian.from_root(space, [0.0, 0.0], np.eye(2)),
    "Diagonal": lambda space: Diagonal(space, [0.0, 0.0], 1.0),
    "Point": lambda space: Point(space, [0.0, 0.0]),
    "Particles": lambda space: Particles(space, [[0.0, 0.0], [1.0, 1.0]]),
}


@pytest.mark.parametrize("make", BELIEFS.values(), ids=BELIEFS)
def test_a_belief_needs_a_space_and_draws_a_whole_number_of_samples(make: Any) -> None:
    with pytest.raises(SettingError, match=r"\[0, 0\]"):
        make([0, 0])
    belief = make(Space("x y"))
    assert belief.sample(0).shape == (0, 2)
    for n in (-1, 1.5, True):
        with pytest.raises(SettingError, match=f"{n!r}"):
            belief.sample(n)
