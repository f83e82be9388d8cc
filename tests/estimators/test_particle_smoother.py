"""Particle smoothers against the Rauch-Tung-Striebel smoother, and a grid's on the growth model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, Particles, Readings, SettingError, Space
from pilotage.estimators import (
    EKF,
    KF,
    AuxiliaryParticleFilter,
    GuidedParticleFilter,
    ParticleFilter,
    smooth,
    smooth_particles,
)
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    constant_velocity,
    discrete_dynamics,
    gnss,
    position,
    sensor,
    unicycle,
)

LINE = Space("x [m]")


@discrete_dynamics(state=LINE, action=Space("k"), noise=10.0**0.5)
def growth(x, u, dt, p, m):  # pyright: ignore[reportMissingParameterType]
    return 0.5 * x[0] + 25.0 * x[0] / (1.0 + x[0] * x[0]) + 8.0 * m.cos(1.2 * u[0])


@sensor(state=LINE, reading=Space("z"), std=1.0)
def square(x, c, p, m):  # pyright: ignore[reportMissingParameterType]
    return x[0] * x[0] / 20.0


def grid_smoother(zs: np.ndarray) -> np.ndarray:
    """Means ``(T,)`` of the growth model given all readings, by numeric integration forwards and backwards."""
    x = np.linspace(-45.0, 45.0, 901)
    p, filtered, kernels = np.exp(-0.5 * x**2 / 5.0), [], []
    for k, z in enumerate(zs):
        moved = x / 2.0 + 25.0 * x / (1.0 + x**2) + 8.0 * np.cos(1.2 * k)
        kernels.append(np.exp(-0.5 * (x[:, None] - moved) ** 2 / 10.0))
        p = (kernels[-1] @ p) * np.exp(-0.5 * (z - x**2 / 20.0) ** 2)
        p /= p.sum()
        filtered.append(p)
    means, later = [x @ p], p
    for k in range(len(zs) - 2, -1, -1):
        predicted = kernels[k + 1] @ filtered[k]
        later = filtered[k] * (kernels[k + 1].T @ (later / np.maximum(predicted, 1e-300)))
        means.append(x @ later / later.sum())
    return np.array(means[::-1])


@pytest.mark.parametrize("kind", [ParticleFilter, AuxiliaryParticleFilter, GuidedParticleFilter])
def test_tends_to_rauch_tung_striebel(kind: Any) -> None:
    """Two sensors, two of whose readings fall on one time, and a missing one."""
    model = constant_velocity(1, density=0.5)
    readings = [
        Readings(position(1, std=0.5), [[0.2], [0.7], [np.nan], [2.0], [2.2]], [0.5, 1.0, 1.5, 2.0, 2.5]),
        Readings(position(1, std=0.8), [[0.4], [2.6]], [1.0, 2.5]),
    ]
    exact = smooth(KF(model, dt=0.5).start(std=0.7).run(None, readings))
    run = kind(model, dt=0.5, n=1500).start(std=0.7, rng=2).run(None, readings)
    drawn, weighed = smooth_particles(run, 600, rng=1), smooth_particles(run, method="marginal")
    for found, slack in ((drawn, 0.25), (weighed, 0.2)):
        known = found.moments()
        assert (np.abs(known.mean - exact.mean) < slack * exact.std).all()
        np.testing.assert_allclose(known.cov, exact.cov, atol=0.3 * exact.cov.max())
    assert drawn.points.shape == (7, 600, 2)
    np.testing.assert_array_equal(drawn.points[1], drawn.points[2])  # one state at one time
    # The joint law, not only each step: velocities of trajectories are those of their positions.
    apart = np.diff(drawn.points[[2, 3, 4]], axis=0)[..., 0] / 0.5 - drawn.points[2:4, :, 1]
    assert apart.std() < 0.35


def test_growth_model_against_a_grid() -> None:
    rng, model = np.random.default_rng(4), growth()
    x, zs, us = rng.normal(0.0, 5.0**0.5, 1), [], np.arange(40.0)[:, None]
    for u in us:
        x = model.step(x, u, 1.0) + 10.0**0.5 * rng.normal(size=1)
        zs.append(x**2 / 20.0 + rng.normal(size=1))
    exact = grid_smoother(np.array(zs)[:, 0])
    run = ParticleFilter(model, dt=1.0, n=800).start([0.0], [5.0**0.5], rng=1).run(us, zs, sensor=square())
    filtered = np.sqrt(np.mean((run.beliefs.moments().mean[:, 0] - exact) ** 2))
    for found in (smooth_particles(run, 300, rng=2), smooth_particles(run, method="marginal")):
        assert np.sqrt(np.mean((found.moments().mean[:, 0] - exact) ** 2)) < 0.5
    assert filtered > 1.0, "where smoothing changes nothing, nothing is tested"


def test_singular_noise_keeps_to_ancestors() -> None:
    """Noise along one direction of two: no other particle leads exactly to a state, so paths are those of ancestors."""
    cart = LinearDynamics.discrete([[1.0, 0.4], [-0.3, 0.9]], Q=np.outer([0.3, 0.6], [0.3, 0.6]))
    tape = LinearSensor([[1.0, 0.0]], [[0.1]])
    run = ParticleFilter(cart, dt=1.0, n=200).start([0, 0], 1.0, rng=1).run(None, [[0.3], [1.0], [0.4]], sensor=tape)
    smoothed = smooth_particles(run, 50, rng=1)
    F = np.array([[1.0, 0.4], [-0.3, 0.9]])
    e = smoothed.points[1:] - smoothed.points[:-1] @ F.T
    np.testing.assert_allclose(e @ [2.0, -1.0], 0.0, atol=1e-9)
    spread = ParticleFilter(cart, dt=1.0, n=200, smoothing=0.5, threshold=1.0).start([0, 0], 1.0, rng=1)
    moved = spread.run(None, [[0.3], [1.0], [0.4]], sensor=tape)
    with pytest.raises(ModelError, match="noise of .* is singular"):
        smooth_particles(moved, rng=1)


def test_headings_are_smoothed_across_half_a_turn() -> None:
    robot, fix = unicycle(noise=(0.1, 0.1, 0.1)), gnss(std=0.1).on(unicycle().state)
    rng, x, zs, us = np.random.default_rng(1), np.array([0.0, 0.0, 3.0]), [], np.tile([1.0, 0.3], (12, 1))
    for u in us:
        x = robot.state.plus(robot.step(x, u, 0.2), rng.normal(size=3) * 0.1 * 0.2**0.5)
        zs.append(fix.sample(x, rng=rng))
    start = {"mean": [0.0, 0.0, 3.0], "std": [0.1, 0.1, 0.3]}
    exact = smooth(EKF(robot, dt=0.2).start(**start).run(us, zs, sensor=fix))
    run = GuidedParticleFilter(robot, dt=0.2, n=800).start(**start, rng=1).run(us, zs, sensor=fix)
    apart = robot.state.minus(smooth_particles(run, 300, rng=1).moments().mean, exact.mean)
    assert (np.abs(exact.mean[:, 2]) > 3.0).any()
    assert (np.abs(apart) < 0.5 * exact.std).all()


def test_refusals() -> None:
    model, fix = constant_velocity(1), position(1)
    kalman = KF(model, dt=1.0).start(std=1.0).run(None, np.zeros((3, 1)), sensor=fix)
    with pytest.raises(ModelError, match="Gaussian.*without adapt"):
        smooth_particles(kalman)
    filter = ParticleFilter(model, dt=1.0, n=20)
    run = filter.start(std=1.0, rng=1).run(None, np.zeros((3, 1)), sensor=fix)
    assert isinstance(smooth(run, rng=1), Particles)
    with pytest.raises(SettingError, match="method"):
        smooth_particles(run, method="forward")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="n is"):
        smooth_particles(run, 0)
    assert isinstance(run.beliefs, Particles)
    again = [smooth_particles(run, rng=3).points for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_smooth_takes_runs_of_particles() -> None:
    filter = ParticleFilter(constant_velocity(1), dt=1.0, n=100).start(std=1.0, rng=1)
    run = filter.run(None, np.arange(5.0)[:, None], sensor=position(1))
    np.testing.assert_array_equal(smooth(run, rng=3).points, smooth_particles(run, rng=3).points)
