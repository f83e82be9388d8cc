"""The Rao-Blackwellised filter: where it is exact, which components are linear, and its belief."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.core import CovarianceError, Dynamics, Gaussian, ModelError, ShapeError, Space
from pilotage.estimators import KF, GaussianParticles, ParticleFilter, RaoBlackwellizedParticleFilter
from pilotage.models import constant_velocity, discrete_dynamics, gnss, position, quadrotor, sensor, unicycle

MIXED = Space("n [m]", "l m [m]")


@discrete_dynamics(state=MIXED, action=Space(), noise=(0.3, 0.2, 0.2))
def mixed(x, u, dt, p, m):  # pyright: ignore[reportMissingParameterType]
    """Linear terms in the nonlinear component, with coefficients that depend on it."""
    n, a, b = x
    return 0.8 * n + m.cos(n) * a, 0.9 * a + 0.3 * b + m.sin(n), 0.7 * b - 0.2 * a


@sensor(state=MIXED, reading=Space("z", "w"), std=(0.3, 0.4))
def watched(x, c, p, m):  # pyright: ignore[reportMissingParameterType]
    return 0.5 * x[0] * x[0] + x[1], m.exp(-x[0] * x[0]) * x[2]


ZS = [[0.5, 0.1], [0.9, np.nan], [0.2, -0.3], [1.1, 0.4]]


def test_all_linear_is_the_kalman_filter() -> None:
    model, fix = constant_velocity(2), position(2, std=0.5)
    zs = np.random.default_rng(1).normal(size=(6, 2))
    exact = KF(model, dt=0.3).start(std=1.0).run(None, zs, sensor=fix)
    run = RaoBlackwellizedParticleFilter(model, dt=0.3, n=3).start(std=1.0, rng=1).run(None, zs, sensor=fix)
    np.testing.assert_allclose(run.beliefs.mean, exact.beliefs.mean, atol=1e-9)
    np.testing.assert_allclose(run.beliefs.cov, exact.beliefs.cov, atol=1e-9)
    np.testing.assert_allclose(run.log_likelihood, exact.log_likelihood, atol=1e-9)
    np.testing.assert_allclose(run.nis, exact.nis, atol=1e-9)


def test_mixed_model_against_many_particles() -> None:
    """200 Gaussians say what 100 000 particles say."""
    model, eye = mixed(), watched()
    filter = RaoBlackwellizedParticleFilter(model, dt=1.0, n=200)
    few = [filter.start(std=1.0, rng=seed, sensors={"eye": eye}) for seed in range(30)]
    assert few[0].belief.sampled == (0,)
    runs = [one.run(None, ZS, sensor=eye, keep="moments") for one in few]
    many = ParticleFilter(model, dt=1.0, n=100_000).start(std=1.0, rng=1).run(None, ZS, sensor=eye, keep="moments")
    means = np.array([run.beliefs.mean for run in runs])
    slack = 4.0 * means.std(0) / np.sqrt(len(runs)) + 0.02
    assert (np.abs(means.mean(0) - many.beliefs.mean) < slack).all()
    covs = np.array([run.beliefs.cov for run in runs]).mean(0)
    np.testing.assert_allclose(covs, many.beliefs.cov, atol=0.06)
    ratios = np.exp([run.log_likelihood.sum() - many.log_likelihood.sum() for run in runs])
    assert abs(ratios.mean() - 1.0) < 4.0 * ratios.std() / np.sqrt(len(ratios)) + 0.02
    whole = ParticleFilter(model, dt=1.0, n=200)
    rough = [whole.start(std=1.0, rng=seed).run(None, ZS, sensor=eye, keep="moments") for seed in range(30)]
    assert means[:, -1].std(0).max() < np.array([run.beliefs.mean[-1] for run in rough]).std(0).max()


def test_linear_components_are_found() -> None:
    def linear(model: Any, *sensors: Any) -> list[str]:
        filter = RaoBlackwellizedParticleFilter(model, dt=0.1, n=2)
        sensors = tuple(each.on(model.state) for each in sensors)
        belief = filter.cloud(Gaussian.of(model.state, std=0.1), rng=1, models=(model, *sensors))
        return [name for j, name in enumerate(model.state.tangent_names) if j not in belief.sampled]

    assert linear(constant_velocity(2)) == ["x", "y", "vx", "vy"]
    assert linear(unicycle(), gnss()) == ["x", "y"]
    assert linear(quadrotor())[-3:] == ["vx", "vy", "vz"]
    assert linear(mixed(), watched()) == ["l", "m"]
    assert linear(mixed()) == ["l", "m"]


def test_models_that_are_not_affine_are_refused() -> None:
    start = Gaussian.of(MIXED, std=1.0)
    for names in ("n", "n l"):
        with pytest.raises(ModelError, match="mixed is not affine in n.*because of n"):
            RaoBlackwellizedParticleFilter(linear=names).predict(start, mixed(), None, 1.0, rng=1)
    with pytest.raises(ModelError, match="watched is not affine"):
        RaoBlackwellizedParticleFilter(linear="n").update(start, watched(), [0.0, 0.0], rng=1)

    class Drift(Dynamics):
        state, action = Space("a", "b"), Space()

        def step(self, x: Any, u: Any, dt: float) -> Any:
            return 0.9 * x

        def noise(self, x: Any, u: Any, dt: float) -> Any:
            return 0.1 * np.eye(2)

    known = Gaussian.of(Drift.state, std=1.0)
    with pytest.raises(ModelError, match="Drift does not tell"):
        RaoBlackwellizedParticleFilter().predict(known, Drift(), None, 1.0, rng=1)
    after = RaoBlackwellizedParticleFilter(n=50, linear="b").predict(known, Drift(), None, 1.0, rng=1)
    np.testing.assert_allclose(after.covs[:, 1, 1], 0.81 + 0.1)


def test_moments_samples_and_densities_agree() -> None:
    rng = np.random.default_rng(1)
    space, n = Space("x [m]", "yaw: angle", "v [m/s]"), 400
    means = np.stack([rng.normal(size=n), 3.1 + 0.2 * rng.normal(size=n), rng.normal(size=n)], axis=-1)
    A = rng.normal(size=(n, 2, 2))
    covs = np.zeros((n, 3, 3))
    covs[:, [[0], [2]], [0, 2]] = 0.3 * A @ A.swapaxes(-1, -2)
    logs = rng.normal(size=n)
    logs -= np.log(np.exp(logs).sum())
    belief = GaussianParticles(space, np.asarray(space.normalize(means)), covs, logs, (1,))
    known, drawn = belief.moments(), belief.sample(40_000, rng=2)
    e = np.asarray(space.minus(drawn, known.mean))
    np.testing.assert_allclose(e.mean(0), 0.0, atol=0.03)
    np.testing.assert_allclose(e.T @ e / len(e), known.cov, atol=0.05)
    assert belief.marginal("yaw v").sampled == (0,)
    np.testing.assert_allclose(belief.marginal("v x").moments().cov, known.cov[[2, 0]][:, [2, 0]])
    # The density integrates to one: importance sampling from a wide normal around the mean.
    wide = Gaussian(space, known.mean, 4.0 * known.cov)
    x = wide.sample(4_000, rng=3)
    assert np.exp(belief.log_prob(x) - wide.log_prob(x)).mean() == pytest.approx(1.0, abs=0.1)
    flat = GaussianParticles(space.select(["x"]), np.array([[1.0]]), np.array([[[4.0]]]), np.zeros(1), ())
    assert flat.log_prob([2.0]) == pytest.approx(stats.norm(1.0, 2.0).logpdf(2.0))
    same = np.ones((3, 1)), np.zeros((3, 1, 1)), np.full(3, -np.log(3.0))
    with pytest.raises(CovarianceError, match="span no volume"):
        GaussianParticles(space.select(["x"]), *same, sampled=(0,)).log_prob([1.0])
    with pytest.raises(ValueError, match="read-only"):
        belief.means[0] = 0.0
    assert "400 Gaussians" in str(belief)
    two = GaussianParticles(space, *(np.stack([a, a]) for a in (belief.means, belief.covs, belief.log_weights)), (1,))
    np.testing.assert_array_equal(two[1].moments().cov, two.moments().cov[1])
    assert two.sample(5, rng=1).shape == (2, 5, 3)


def test_arrays_that_are_given_are_copied() -> None:
    """Weights may have any sum; the arrays are copied, and what does not fit is refused."""
    space, means, covs = Space("x y [m]"), np.zeros((2, 2)), np.array([np.diag([0.0, 1.0])] * 2)
    belief = GaussianParticles(space, means, covs, np.zeros(2), sampled=(0,))
    means[:], covs[:] = 7.0, 7.0
    known = belief.moments()
    np.testing.assert_allclose(known.mean, 0.0)
    np.testing.assert_allclose(known.cov, np.diag([0.0, 1.0]))
    for wrong in ((np.zeros(2), covs), (means, covs[:1]), (means[:, :1], covs), (means, covs, np.zeros(3))):
        with pytest.raises(ShapeError):
            GaussianParticles(space, *wrong)
    assert not pickle.loads(pickle.dumps(belief)).means.flags.writeable
