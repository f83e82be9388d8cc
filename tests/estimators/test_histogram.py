"""The histogram filter: against direct summation, against the Kalman filter, and as the oracle of particles."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from pilotage.core import FilterStatus, Gaussian, ModelError, Particles, Readings, ShapeError, Space, SpaceError
from pilotage.core.errors import SettingError
from pilotage.estimators import KF
from pilotage.estimators.localization import Histogram, HistogramFilter, MonteCarloLocalization, odometry_motion
from pilotage.estimators.localization.cells import Cells
from pilotage.estimators.localization.convolution import Kernels, convolved
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import compass, gnss, position, unicycle
from pilotage.models import constant_velocity as cv

POSE = Space("x y [m]", "yaw: angle")
ROBOT = unicycle(noise=(0.1, 0.1, 0.1))


def room() -> OccupancyGrid:
    walls = np.pad(np.zeros((38, 48)), 1, constant_values=1)
    return OccupancyGrid.from_occupied(walls, 0.1).with_discs([[1.5, 1.0], [3.5, 3.0]], [0.3, 0.5])


# --- motion ---


def test_convolution_against_summation() -> None:
    """Every cell of every class, entry by entry, on open and closed axes."""
    rng = np.random.default_rng(1)
    p = rng.random((4, 5, 6))
    p[1, 2] = 0.0
    mu, root = rng.normal(size=(4, 3)), 0.4 * rng.normal(size=(4, 3, 3))
    kernels = Kernels.of(mu, root @ np.swapaxes(root, -1, -2))
    for by, closed in (((0,), (True, False, False)), ((0,), (False, True, True)), ((2,), (False, False, True))):
        q = np.moveaxis(rng.random((4, 5, 6)), 0, 2) if by == (2,) else p
        expected = np.zeros_like(q)
        for cell in np.ndindex(q.shape):
            c = cell[by[0]]
            for e in range(kernels.starts[c], kernels.starts[c + 1]):
                to = np.array(cell) + kernels.offsets[e]
                to = np.where(closed, to % q.shape, to)
                if (to >= 0).all() and (to < q.shape).all():
                    expected[tuple(to)] += kernels.weights[e] * q[cell]
        np.testing.assert_allclose(convolved(q, by, kernels, closed), expected, atol=1e-14)


@pytest.mark.parametrize("std", [0.6, 1.0, 2.5])
def test_kernels_have_the_moments_of_the_motion(std: float) -> None:
    mu, S = np.array([0.37, -2.2]), np.array([[std**2, 0.3 * std], [0.3 * std, 1.0]])
    kernel = Kernels.of(mu[None], S[None])
    o, w = kernel.offsets, kernel.weights
    np.testing.assert_allclose(w @ o, mu, atol=5e-3)
    np.testing.assert_allclose(np.einsum("n,ni,nj->ij", w, o - mu, o - mu), S, rtol=0.01, atol=0.01)


def test_a_robot_that_stands_still_stays() -> None:
    filter = HistogramFilter.on_map(room(), odometry_motion(), dt=1.0)
    run = filter.start([1.0, 2.5, 0.3], 0.2)
    before = run.belief.p
    run.predict(u=[0.0, 0.0, 0.0])
    np.testing.assert_allclose(run.belief.p, before, atol=1e-15)


def test_turns_wrap_and_the_way_follows_the_heading() -> None:
    run = HistogramFilter.on_map(room(), odometry_motion(alpha2=0.01, alpha3=0.01), dt=1.0).start([2.0, 2.0, 3.0], 0.1)
    run.predict(u=[0.0, 0.5, 0.3])
    known = run.belief.moments()
    np.testing.assert_allclose(known.mean[:2], [2.0 + 0.5 * np.cos(3.0), 2.0 + 0.5 * np.sin(3.0)], atol=0.02)
    assert POSE.distance(known.mean, [known.mean[0], known.mean[1], 3.3]) < 0.02


# --- the filter ---


def test_kalman_filter_on_a_line() -> None:
    """Belief, likelihood and expected readings are those of the Kalman filter, up to the cells."""
    target, see = cv(1, noise=0.8), position(1, std=0.4)
    start = Gaussian.of(target.state, [0.0, 0.5], std=[0.5, 0.4])
    cells = HistogramFilter({"x": (-6.0, 6.0, 240), "vx": (-4.0, 4.0, 160)}, target, dt=0.5).start(belief=start)
    exact, rng = KF(target, dt=0.5).start(belief=start), np.random.default_rng(2)
    for z in rng.normal([0.2, 0.5, 0.8, 1.2, 1.5], 0.3):
        found, told = (each.step(see, [z]) for each in (cells, exact))
        assert found.log_likelihood == pytest.approx(told.log_likelihood, abs=0.02)
        assert found.nis == pytest.approx(told.nis, rel=0.05, abs=0.01)
        np.testing.assert_allclose(cells.belief.moments().mean, exact.belief.mean, atol=0.01)
        np.testing.assert_allclose(cells.belief.moments().cov, exact.belief.cov, rtol=0.02, atol=0.005)


def test_particles_tend_to_it() -> None:
    """Monte Carlo localization in a small room, from anywhere: its cloud tends to the exact belief as it grows."""
    grid, u = room(), np.array([0.4, 0.3])
    lidar, rng = Lidar(grid, angles=8, max_range=6.0, sigma=0.3, power=0.3), np.random.default_rng(3)
    exact = HistogramFilter.on_map(grid, ROBOT, dt=1.0).start()
    x, readings = np.array([1.0, 2.5, 0.3]), []
    for _ in range(3):
        x = ROBOT.step(x, u, 1.0)
        readings.append(lidar.sample(x, rng=rng))
        exact.predict(u=u)
        exact.update(lidar, readings[-1])
    coarse = pooled(exact.belief)
    gaps = []
    for n in (300, 30_000):
        far = []
        for seed in range(3):
            mcl = MonteCarloLocalization(
                grid, ROBOT, dt=1.0, particles=(n, n), power=1.0, independent=(0.0, 0.0), kidnapped=0.0
            ).start(rng=seed)
            for z in readings:
                mcl.predict(u=u)
                mcl.update(lidar, z)
            far.append(0.5 * np.abs(pooled(exact.estimator.histogram(mcl.belief.particles)) - coarse).sum())
        gaps.append(float(np.mean(far)))
    assert gaps[1] < 0.12, "total variation over bins of half a metre and 30 degrees"
    assert gaps[1] < 0.5 * gaps[0]


def pooled(belief: Histogram) -> np.ndarray:
    """Probabilities of bins of half a metre and 30 degrees."""
    nx, ny, turns = belief.p.shape
    return belief.p.reshape(nx // 5, 5, ny // 5, 5, turns // 6, 6).sum((1, 3, 5))


def test_finds_itself_and_says_when_it_cannot_tell() -> None:
    """In an empty rectangle two poses stay as likely as each other, for ever."""
    walls = np.pad(np.zeros((28, 38)), 1, constant_values=1)
    grid = OccupancyGrid.from_occupied(walls, 0.1)
    lidar = Lidar(grid, angles=16, max_range=8.0)
    run = HistogramFilter.on_map(grid, ROBOT, dt=1.0).start()
    x = np.array([1.0, 1.0, 0.2])
    for _ in range(3):
        run.predict(u=[0.3, 0.1])
        x = ROBOT.step(x, [0.3, 0.1], 1.0)
        run.update(lidar, lidar.observe(x))
    here, twin = x, np.array([4.0 - x[0], 3.0 - x[1], x[2] - np.pi])
    near = [
        run.belief.p.ravel()[np.linalg.norm(POSE.minus(run.belief.cells.centers, pose), axis=-1) < 0.5].sum()
        for pose in (here, twin)
    ]
    np.testing.assert_allclose(near, 0.5, atol=0.03)


def test_readings_missing_impossible_and_of_other_sensors() -> None:
    run = HistogramFilter.on_map(room(), ROBOT, dt=1.0).start([2.0, 2.0, 0.3], 0.2)
    before = run.belief
    lidar = Lidar(room(), angles=8, max_range=6.0, min_range=0.1)
    assert run.update(lidar, np.zeros(8)).status is FilterStatus.NO_READING
    assert run.update(gnss(std=0.1), [500.0, 0.0]).status is FilterStatus.STARVED
    assert run.belief is before
    assert run.update(gnss(std=0.3), [2.1, np.nan]).accepted
    assert run.belief.moments().mean[0] > 2.0
    turned = run.update(compass(std=0.05), [0.35])
    assert turned.innovation.shape == (1,)
    lost = [run.run(np.zeros((2, 2)), [Readings(gnss(std=0.3), [[2.0, 2.0]] * 2, [1.0, 2.0])], [1.0, 2.0]).status]
    assert np.array(lost).tolist() == [[FilterStatus.ACCEPTED] * 2]


def test_beliefs_become_histograms_and_back() -> None:
    filter = HistogramFilter.on_map(room(), side=0.1, angle=np.deg2rad(5.0))
    known = Gaussian.of(POSE, [2.0, 2.0, 3.1], std=[0.3, 0.2, 0.3])
    found = filter.histogram(known)
    assert POSE.distance(found.moments().mean, known.mean) < 1e-3
    np.testing.assert_allclose(found.moments().std, known.std, rtol=0.02)
    drawn = found.sample(50_000, rng=1)
    again = filter.histogram(Particles(POSE, drawn))
    assert 0.5 * np.abs(again.p - found.p).sum() < 0.2
    inside = drawn[:100]
    assert np.abs(found.log_prob(inside) - known.log_prob(inside)).mean() < 0.25
    assert found.log_prob([50.0, 0.0, 0.0]) == -np.inf
    plane = found.marginal(["y", "x"])
    assert plane.p.shape == (40, 50)
    assert plane.p.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(plane.p.sum(1), found.p.sum((0, 2)))
    np.testing.assert_allclose(plane.moments().mean, found.moments().mean[[1, 0]], atol=1e-12)
    np.testing.assert_allclose(plane.moments().cov, found.moments().cov[:2, :2][::-1, ::-1], atol=1e-12)
    around = found.marginal("yaw x y")
    np.testing.assert_array_equal(around.p, np.moveaxis(found.p / found.p.sum(), 2, 0))
    assert around.cells.closed == (True, False, False)
    for names in (["x", "x"], "heading"):
        with pytest.raises(SpaceError):
            found.marginal(names)
    for copied in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        np.testing.assert_array_equal(copied.p, found.p)
        assert copied.cells == found.cells


def test_density_is_per_unit() -> None:
    cells = Cells.of(Space("x [m]"), {"x": (-5.0, 5.0, 200)})
    x = cells.centers[:, 0]
    p = norm.pdf(x, 0.3, 0.8)
    belief = Histogram(cells, p / p.sum())
    np.testing.assert_allclose(np.exp(belief.log_prob(x[:, None])), p, rtol=1e-3)
    assert belief.moments().mean[0] == pytest.approx(0.3, abs=1e-6)


def test_free_space_is_where_it_starts() -> None:
    filter = HistogramFilter.on_map(room(), ROBOT, dt=1.0, clearance=0.3)
    plane = filter.anywhere(POSE).marginal(["x", "y"]).p
    xy = filter.anywhere(POSE).cells.centers.reshape(50, 40, -1, 3)[:, :, 0, :2]
    assert (room().clearance(xy[plane > 0.0]) > 0.15).all()
    assert np.ptp(plane[plane > 0.0]) < 1e-15


def test_more_cells_than_memory_are_refused() -> None:
    with pytest.raises(SettingError, match=r"50000 x 40000 x 72, 1.44e\+11 in all.*1.15e\+03 GB"):
        HistogramFilter.on_map(room(), ROBOT, dt=1.0, side=1e-4).start()


def test_sentences() -> None:
    grid: Any = "map.yaml"
    with pytest.raises(SettingError, match="OccupancyGrid"):
        HistogramFilter.on_map(grid)
    for cells in (3, {"x": (0.0, 1.0)}, {"x": (1.0, 0.0, 5), "y": (0.0, 1.0, 5), "yaw": 8}, {"x": (0.0, 1.0, 0)}):
        with pytest.raises(SettingError, match="cells"):
            HistogramFilter(cells, ROBOT)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpaceError, match="numbers and angles"):
        HistogramFilter({}).cells_of(Space("attitude: quaternion"))
    run = HistogramFilter.on_map(room(), ROBOT, dt=1.0).start([2.0, 2.0, 0.0], 0.1)
    with pytest.raises(ModelError, match="leads off the cells"):
        run.predict(u=[500.0, 0.0])
    with pytest.raises(ModelError, match="outside of the cells"):
        run.estimator.histogram(Particles(POSE, [[99.0, 0.0, 0.0]]))
    with pytest.raises(ShapeError, match="one belief"):
        run.estimator.histogram(Gaussian(POSE, np.zeros((2, 3)), np.eye(3)))
    with pytest.raises(ShapeError, match="one reading"):
        run.update(gnss(), np.zeros((2, 2)))


def test_probabilities_that_are_given_are_copied() -> None:
    cells, p = Cells.of(Space("x [m]"), {"x": (0.0, 2.0, 4)}), np.full(4, 0.25)
    belief = Histogram(cells, p)
    p[:] = [1.0, 0.0, 0.0, 0.0]
    assert belief.moments().mean == pytest.approx(1.0)
    for wrong in (np.full(3, 1.0 / 3.0), np.full(4, 1.0), [2.0, -1.0, 0.0, 0.0]):
        with pytest.raises(ShapeError):
            Histogram(cells, wrong)
