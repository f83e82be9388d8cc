"""Localization on real maps, and the parts it is made of."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from pilotage.core import Gaussian, ModelError, Particles, PilotageError, ShapeError, Space, SpaceError
from pilotage.core.errors import FormatWarning, SettingError
from pilotage.estimators.kld import expected_bins, particles_needed
from pilotage.estimators.localization import (
    BeamSkip,
    Localization,
    MonteCarloLocalization,
    free_poses,
    kld_bound,
    odometry_motion,
    odometry_move,
    omni_motion,
    omni_move,
)
from pilotage.estimators.localization.annealing import Annealing, Scored, log_belief
from pilotage.estimators.localization.bins import connect_bins, count_bins
from pilotage.estimators.localization.hypotheses import log_odds_variance
from pilotage.estimators.localization.pose import pose_indices
from pilotage.estimators.localization.roughening import roughened
from pilotage.estimators.localization.survival import resample_hypotheses
from pilotage.estimators.localization.travel import Travel
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import constant_velocity, gnss, range_bearing, unicycle
from tests.estimators.wandering import DT, ROBOT, Wanderer

POSE = Space("x y [m]", "yaw: angle")
POSE_SE2 = Space("pose: SE2")


@pytest.fixture(scope="module")
def depot(data: Path) -> OccupancyGrid:
    with pytest.warns(FormatWarning, match="grey 205"):  # all of it is free, as its yaml file says
        return OccupancyGrid.load(data / "ros_maps/nav2/depot.yaml")


@pytest.fixture(scope="module")
def hexagon(data: Path) -> OccupancyGrid:
    """The TurtleBot3 world: nine pillars in a hexagon, nearly the same after a sixth of a turn."""
    return OccupancyGrid.load(data / "ros_maps/turtlebot3_world/map.yaml")


def room() -> OccupancyGrid:
    """Eight metres by six, with two pillars of different width."""
    walls = np.pad(np.zeros((118, 158)), 1, constant_values=1)
    return OccupancyGrid.from_occupied(walls, 0.05, (-4.0, -3.0, 0.0)).with_discs([[-1, -1], [2.5, 2]], [0.5, 0.8])


def lost(
    grid: OccupancyGrid, seed: int, *, steps: int, carried: int | None = None, reach: float = 8.0, **settings: Any
) -> list[bool]:
    """Whether a robot that starts anywhere knows its pose, step by step."""
    robot, lidar = Wanderer(grid, seed), Lidar(grid, angles=60, max_range=reach)
    mcl = MonteCarloLocalization(grid, ROBOT, dt=DT, clearance=0.15, **settings).start(rng=seed + 1000)
    right = []
    for k in range(steps):
        if k == carried:
            robot.carry_away()
        mcl.predict(u=robot.move())
        right.append(robot.found(mcl.update(lidar, robot.scan(lidar)).belief))
    return right


# --- on real maps ---


def test_finds_itself_in_the_hexagon(hexagon: OccupancyGrid) -> None:
    assert sum(lost(hexagon, seed, steps=25)[-1] for seed in range(8)) == 8


def test_finds_itself_in_the_depot(depot: OccupancyGrid) -> None:
    assert sum(lost(depot, seed, steps=40, reach=12.0)[-1] for seed in range(8)) >= 7


def test_is_carried_away(hexagon: OccupancyGrid) -> None:
    assert sum(lost(hexagon, seed, steps=120, carried=40)[-1] for seed in range(6)) == 6


def test_recovery_can_be_switched_off(hexagon: OccupancyGrid) -> None:
    right = lost(hexagon, 1, steps=80, carried=40, kidnapped=0.0)
    assert right[39]
    assert not any(right[40:])


@pytest.mark.slow
def test_finds_itself_anywhere(hexagon: OccupancyGrid, depot: OccupancyGrid) -> None:
    for grid, steps in ((hexagon, 100), (depot, 250)):
        assert sum(lost(grid, seed, steps=steps)[-1] for seed in range(100, 130)) >= 0.95 * 30


@pytest.mark.slow
def test_comes_back(hexagon: OccupancyGrid, depot: OccupancyGrid) -> None:
    for grid, steps in ((hexagon, 200), (depot, 400)):
        assert sum(lost(grid, seed, steps=steps, carried=60)[-1] for seed in range(20)) >= 0.95 * 20


@pytest.mark.parametrize("clutter", [0.0, 0.2])
def test_tracks_and_knows_how_well(depot: OccupancyGrid, clutter: float) -> None:
    lidar, errors, nees = Lidar(depot, angles=60, max_range=8.0), [], []
    for seed in range(4):
        robot = Wanderer(depot, seed, clutter=clutter)
        mcl = MonteCarloLocalization(depot, ROBOT, dt=DT).start(robot.x, [0.1, 0.1, 0.05], rng=seed)
        for _ in range(120):
            mcl.predict(u=robot.move())
            belief = mcl.update(lidar, robot.scan(lidar)).belief
            d = POSE.minus(robot.x, belief.best.mean)
            errors.append(d)
            nees.append(d @ np.linalg.solve(belief.best.cov, d))
            assert belief.converged
    rmse = np.sqrt(np.mean(np.square(errors), axis=0))
    assert np.hypot(rmse[0], rmse[1]) < 0.06
    assert rmse[2] < np.deg2rad(1.0)
    # Three is honest. Above, the robot would be too sure; a cell of 5 cm is what it cannot see below.
    assert 0.75 < np.mean(nees) < 3.5


def test_beam_model_tracks(hexagon: OccupancyGrid) -> None:
    lidar, robot = Lidar(hexagon, angles=30, max_range=5.0, model="beam"), Wanderer(hexagon, 3)
    mcl = MonteCarloLocalization(hexagon, ROBOT, dt=DT).start(robot.x, [0.1, 0.1, 0.05], rng=1)
    for _ in range(40):
        mcl.predict(u=robot.move())
        assert robot.found(mcl.update(lidar, robot.scan(lidar)).belief)


# --- what is not new evidence, and what is not refuted ---


@pytest.mark.parametrize("model", ["odometry", "shaking"])
def test_standing_still_teaches_nothing(model: str) -> None:
    """After 100 scans from one place the robot knows no more than one scan tells, and its errors fit what it knows."""
    grid = room()
    lidar, dynamics = Lidar(grid, angles=60, max_range=8.0), odometry_motion() if model == "odometry" else ROBOT
    mcl, nees = MonteCarloLocalization(grid, dynamics, dt=DT, particles=(500, 5000), candidates=100), []
    left: list[np.ndarray] = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = np.array([1.0, 0.5, 0.3]) + rng.normal(size=3) * [0.1, 0.1, 0.05]
        run, std = mcl.start([1.0, 0.5, 0.3], [0.1, 0.1, 0.05], rng=seed), []
        for _ in range(100):
            run.predict(u=np.zeros(dynamics.action.size))
            run.update(lidar, np.clip(lidar.observe(x) + 0.03 * rng.normal(size=60), 0.0, 8.0))
            std.append(run.belief.best.std)
        cloud = run.belief.particles
        assert len(np.unique(cloud.points, axis=0)) > 0.1 * len(cloud.points), "diversity dies"
        left.append(std[-1] / std[0])
        if model == "odometry":  # no motion and no noise: nothing happens at all
            np.testing.assert_allclose(std[-1], std[5], rtol=0.3)
        d = POSE.minus(x, run.belief.best.mean)
        nees.append(float(d @ np.linalg.solve(run.belief.best.cov, d)))
    # Not too sure: the sum of 20 NEES stays below its quantile of 99.9 %. A power of 0.2 makes it rather too unsure.
    assert np.sum(nees) < chi2.ppf(0.999, 3 * 20)
    # The deviations after the first scan differ by half from run to run, so one run is held to less than their median.
    assert np.min(left) > 0.3 and (np.median(left, axis=0) > 0.8).all(), "further scans told something"


def test_it_starts_in_free_space() -> None:
    """Half of a belief beside a wall lies in it or behind it: the particles are that of the other half."""
    grid = room()
    mcl = MonteCarloLocalization(grid, ROBOT, dt=DT, particles=(2000, 4000))
    wall = float(grid.grid_to_world(np.array([[0.0, 0.0]]))[0, 0])
    belief = Gaussian.of(POSE, [wall, 0.0, 0.0], std=[0.5, 0.3, 0.1])
    points = mcl.start(belief=belief, rng=1).belief.particles.points
    drawn = belief.sample(4000, rng=2)
    expected = drawn[grid.is_free(drawn[:, :2])]
    assert grid.is_free(points[:, :2]).all() and not grid.is_free(drawn[:, :2]).all()
    np.testing.assert_allclose(points.mean(0), expected.mean(0), atol=0.05)
    with pytest.raises(ModelError, match="outside of the free space"):
        mcl.start([-100.0, 0.0, 0.0], 0.1, rng=1)


def test_a_start_behind_a_wall_has_enough_particles() -> None:
    """Few samples of the belief lie in free space: it is sampled until the least number does."""
    grid = room()
    mcl = MonteCarloLocalization(grid, ROBOT, dt=DT, particles=(1000, 4000))
    wall = float(grid.grid_to_world(np.array([[0.0, 0.0]]))[0, 0])
    points = mcl.start([wall - 1.0, 0.0, 0.0], std=[0.5, 0.3, 0.1], rng=1).belief.particles.points
    assert len(np.unique(points, axis=0)) >= 1000
    assert grid.is_free(points[:, :2]).all()


def test_readings_count_after_motion() -> None:
    grid, start = room(), Gaussian.of(POSE, [1.0, 0.5, 0.3], std=[0.1, 0.1, 0.05])
    lidar, mcl = Lidar(grid, angles=60, max_range=8.0), MonteCarloLocalization(grid, odometry_motion(), dt=1.0)
    first = mcl.update(start, lidar, lidar.observe([1.0, 0.5, 0.3]), rng=1).belief
    still = mcl.predict(first, odometry_motion(), odometry_move([0, 0, 0], [0, 0, 0]), 1.0, rng=1)
    again = mcl.update(still, lidar, lidar.observe([1.0, 0.5, 0.3]), rng=1)
    assert again.belief is still and again.log_likelihood == 0.0 and again.accepted
    assert mcl.update(still, gnss(std=0.1), [1.0, 0.5], rng=1).belief is not still, "another sensor is new evidence"
    on = mcl.predict(still, odometry_motion(), odometry_move([0, 0, 0], [0.06, 0, 0]), 1.0, rng=1)
    assert mcl.update(on, lidar, lidar.observe([1.06, 0.5, 0.3]), rng=1).belief is not on
    every = replace(mcl, independent=(0.0, 0.0))
    assert every.update(still, lidar, lidar.observe([1.0, 0.5, 0.3]), rng=1).belief is not still


def test_share_of_evidence_grows_with_the_way() -> None:
    """However finely a way is divided into readings, it adds up to the same evidence."""
    origin = np.zeros((1, 3))

    def total(pieces: int) -> float:
        travel, last, shares = Travel(), Travel(), 0.0
        for _ in range(pieces):
            travel = travel.moved(origin, np.array([[0.04 / pieces, 0.0, 0.0]]))
            shares, last = shares + travel.share(last, 0.05, 0.05), travel
        return shares

    assert total(1) == pytest.approx(0.8)
    assert total(40) == pytest.approx(0.8)
    there = Travel().moved(origin, np.array([[1.0, 0.0, np.pi]]))
    back = there.moved(origin, np.array([[1.0, 0.0, -np.pi]]))
    assert back.share(Travel(), 0.05, 0.05) == pytest.approx(0.0, abs=1e-6), "where it was before, nothing is new"


@pytest.mark.parametrize(
    ("steps", "particles"), [(30, (500, 10_000)), pytest.param(100, (1000, 50_000), marks=pytest.mark.slow)]
)
def test_twins_are_never_resolved_by_chance(steps: int, particles: tuple[int, int]) -> None:
    """An empty rectangle looks the same after half a turn, so the odds of the two poses are even for ever."""
    walls = np.pad(np.zeros((118, 158)), 1, constant_values=1)
    grid = OccupancyGrid.from_occupied(walls, 0.05, (-4.0, -3.0, 0.0))
    lidar = Lidar(grid, angles=30, max_range=12.0)
    for seed in range(20):
        robot = Wanderer(grid, seed)
        mcl = MonteCarloLocalization(grid, ROBOT, dt=DT, clearance=0.15, particles=particles)
        run = mcl.start(rng=seed + 1000)
        belief = run.belief
        for k in range(steps):
            run.predict(u=robot.move())
            belief = run.update(lidar, robot.scan(lidar)).belief
            assert not belief.converged, (seed, k)
        poses = [cloud.moments().mean for weight, cloud in belief.hypotheses if weight > 1e-30]
        twin = POSE.normalize(np.array([-robot.x[0], -robot.x[1], robot.x[2] + np.pi]))
        for truth in (robot.x, twin):
            assert min(np.linalg.norm(POSE.minus(pose, truth)) for pose in poses) < 0.3, "a hypothesis was lost"


def test_variance_of_log_odds_against_simulation() -> None:
    rng, n = np.random.default_rng(1), 400
    estimates, predicted, inside, w = [], [], np.zeros(n, bool), np.ones(n)
    for _ in range(2000):
        inside, w = rng.random(n) < 0.3, rng.exponential(size=n)
        w /= w.sum()
        estimates.append(np.log(w[inside].sum() / w[~inside].sum()))
        predicted.append(log_odds_variance(w, 1 - inside, np.arange(n))[1])
    assert np.mean(predicted) == pytest.approx(np.var(estimates), rel=0.1)
    twice = log_odds_variance(np.repeat(w, 2) / 2.0, 1 - np.repeat(inside, 2), np.repeat(np.arange(n), 2))
    assert twice[1] == pytest.approx(predicted[-1]), "copies of an ancestor tell nothing more"
    assert log_odds_variance(w, np.zeros(n, int), np.arange(n)) == 0.0


def test_variance_of_log_odds_counts_what_hypotheses_have_in_common_once() -> None:
    """Weights of three ancestors with normal logarithms, of which two hypotheses have shares, against simulation."""
    rng, variance = np.random.default_rng(1), np.array([4e-4, 9e-4, 1e-4])
    w, cluster, origin = np.array([0.5, 0.1, 0.2, 0.15, 0.05]), np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 2, 0])
    drawn = w * np.exp(rng.normal(size=(200_000, 3)) * np.sqrt(variance))[:, origin]
    W = np.stack([drawn[:, cluster == g].sum(1) for g in range(3)], axis=1)
    expected = np.log(W / W[:, :1]).var(0)
    np.testing.assert_allclose(log_odds_variance(w, cluster, origin, variance), expected, rtol=0.02)


def test_light_hypotheses_survive_resampling() -> None:
    here, there = two_places(0.5)
    log_weights = np.log(np.repeat([0.9995, 0.0005], 500) / 500.0)
    known = Localization(Particles(POSE, POSE.normalize(np.concatenate([here, there])), log_weights))
    chosen, log_weights = resample_hypotheses(known, 1000, 100, "systematic", np.random.default_rng(1))
    assert np.exp(log_weights).sum() == pytest.approx(1.0)
    light = chosen >= 500
    assert light.sum() == 100
    assert np.exp(log_weights[light]).sum() == pytest.approx(0.0005)


def test_roughening_keeps_the_moments_and_parts_copies() -> None:
    rng = np.random.default_rng(2)
    points = POSE.normalize(rng.normal([1.25, 0.25, 3.1], [0.04, 0.02, 0.02], (400, 3)))
    points[:, 1] += points[:, 0]  # correlated
    bins = count_bins(points, 0.5, np.deg2rad(10.0))
    chosen = np.sort(rng.integers(0, 400, 4000))
    spread = roughened(POSE, points, chosen, bins, np.zeros(3), rng)
    assert len(np.unique(spread, axis=0)) > 0.99 * 4000
    before, after = (Particles(POSE, x).moments() for x in (points[chosen], spread))
    np.testing.assert_allclose(POSE.minus(after.mean, before.mean), 0.0, atol=2e-3)
    np.testing.assert_allclose(after.cov, before.cov, atol=0.1 * before.cov.max())
    alone = roughened(POSE, points, np.full(5000, 7), bins, np.array([0.01, 0.01, 0.002]), rng)
    np.testing.assert_allclose(Particles(POSE, alone).moments().std, [0.01, 0.01, 0.002], rtol=0.1)


# --- one step ---


def test_replay() -> None:
    grid = room()
    lidar = Lidar(grid, angles=40, max_range=8.0)

    def end(seed: int) -> Localization:
        mcl = MonteCarloLocalization(grid, ROBOT, dt=DT, particles=(300, 3000)).start(rng=seed)
        for _ in range(5):
            mcl.predict(u=[0.3, 0.1])
            mcl.update(lidar, lidar.observe([1.0, 0.0, 0.2]))
        return mcl.belief

    assert end(3).particles.points.tobytes() == end(3).particles.points.tobytes()
    assert end(3).particles.points.tobytes() != end(4).particles.points.tobytes()


def test_pose_is_found_by_name() -> None:
    grid, state = room(), Space("speed [m/s]", "body: SE2")
    lidar = Lidar(grid, angles=60, max_range=8.0)
    prior = Gaussian.of(state, [0.7, 1.1, -1.1, 1.9], std=[0.1, 0.2, 0.2, 0.2])
    mcl = MonteCarloLocalization(grid, particles=(20_000, 20_000))
    found = mcl.update(prior, lidar, lidar.observe([1.0, -1.0, 2.0]), rng=1).belief
    np.testing.assert_allclose(found.best.mean, [0.7, 1.0, -1.0, 2.0], atol=0.06)


def test_other_sensors() -> None:
    grid = room()
    mcl = MonteCarloLocalization(grid, power=1.0, kidnapped=0.0, particles=(20_000, 20_000))
    prior = Gaussian.of(POSE, [1.0, 0.0, 0.5], std=[0.3, 0.3, 0.1])
    found = mcl.update(prior, gnss(std=0.4), [1.5, 0.0], rng=2)
    gain = 0.3**2 / (0.3**2 + 0.4**2)
    np.testing.assert_allclose(found.belief.particles.moments().mean, [1.0 + 0.5 * gain, 0.0, 0.5], atol=0.02)
    assert found.nis == pytest.approx(0.5**2 / (0.3**2 + 0.4**2), rel=0.05)


def test_unmeasured_changes_nothing() -> None:
    grid = room()
    lidar, mcl = Lidar(grid, angles=8, max_range=5.0), MonteCarloLocalization(grid, particles=(50, 500))
    belief = mcl.localization(mcl.anywhere(POSE, rng=1), POSE)
    found = mcl.update(belief, lidar, np.full(8, np.nan), rng=1)
    assert found.belief is belief
    assert found.log_likelihood == 0.0


def two_places(weight: float = 0.7, n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Clouds near two poses, `weight` of the particles in the first."""
    rng, first = np.random.default_rng(1), round(weight * n)
    here = rng.normal([0, 0, 3.1], [0.1, 0.1, 0.1], (first, 3))
    return here, rng.normal([6, 0, 0], [0.2, 0.2, 0.1], (n - first, 3))


def test_belief_is_the_whole_cloud_and_best_the_leading_hypothesis() -> None:
    here, there = two_places()
    cloud = Particles(POSE, POSE.normalize(np.concatenate([here, there])))
    belief = Localization(cloud)
    assert [w for w, _ in belief.hypotheses] == pytest.approx([0.7, 0.3], abs=0.02)
    np.testing.assert_allclose(POSE.minus(belief.best.mean, [0, 0, 3.1]), 0.0, atol=0.02)
    np.testing.assert_allclose(belief.best.cov, np.cov(here.T), atol=2e-3)
    assert not belief.converged
    assert Localization(Particles(POSE, POSE.normalize(here))).converged
    assert "1 other hypothesis" in str(belief)
    # moments, sample and log_prob are of one distribution
    drawn = belief.sample(100_000, rng=1)
    np.testing.assert_allclose(belief.moments().mean[:2], drawn[:, :2].mean(0), atol=0.03)
    np.testing.assert_allclose(belief.moments().cov[:2, :2], np.cov(drawn[:, :2].T), atol=0.05)
    assert belief.moments().mean[0] == pytest.approx(1.8, abs=0.1)
    x = drawn[:5]
    np.testing.assert_array_equal(belief.log_prob(x), cloud.log_prob(x))


def test_wide_is_not_converged() -> None:
    poses = np.random.default_rng(1).uniform([0, 0, -3], [4, 4, 3], (20_000, 3))
    belief = Localization(Particles(POSE, poses))
    assert belief.certainty > 0.95
    assert not belief.converged


def test_sentences() -> None:
    grid = room()
    with pytest.raises(SpaceError, match="no component 'yaw'"):
        MonteCarloLocalization(grid, constant_velocity(2))
    with pytest.raises(ModelError, match="MonteCarloLocalization has no dynamics"):
        MonteCarloLocalization(grid).start()
    wrong: dict[str, tuple[Any, ...]] = {
        "kidnapped": (1.0,), "confidence": (0.4,), "candidates": (2.5, -1), "side": (0.0,), "angle": (-0.1,),
        "power": (np.inf, "high"), "error": (0.0,), "clearance": (np.nan, -0.1), "threshold": ([0.5], 2.0),
        "alpha_slow": ("low", 0.5), "independent": (0.1, (0.1, -0.1)), "particles": ((500, 100), 10), "dt": (0.0,),
        "resampling": ("roulette",), "grid": ("depot.yaml",), "dynamics": (unicycle,),
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(SettingError, match=name):
                MonteCarloLocalization(**{"grid": grid, name: value})
    near, marks = Gaussian.of(POSE, [0.0, 0.0, 0.0], std=0.1), np.ones((3, 2))
    with pytest.raises(ShapeError, match=r"one context was expected, \(3,\) of them"):
        MonteCarloLocalization(grid).update(near, range_bearing(), [1.0, 0.0], marks)
    batch = Particles(POSE, np.zeros((2, 30, 3)))
    with pytest.raises(ShapeError, match="one cloud, not a batch"):
        MonteCarloLocalization(grid).update(batch, gnss(), [0.0, 0.0])
    with pytest.raises(PilotageError, match="error is 0.0; expected a positive"):
        kld_bound(50, error=0.0)
    with pytest.raises(ModelError, match="no free cell"):
        free_poses(OccupancyGrid.from_ascii(["##"], resolution=1.0), 1)
    lidar = Lidar(grid, angles=8, max_range=5.0)
    mcl = MonteCarloLocalization(grid, unicycle(), dt=0.1, particles=(10, 100)).start(rng=1)
    with pytest.raises(ShapeError, match="reading"):
        mcl.update(lidar, np.ones(7))


# --- annealing ---


def test_annealing_finds_sharp_peaks_and_their_weights() -> None:
    """Two peaks of 2 cm in ten metres, one three times as likely: hardly a particle hits them at the start."""
    plane = Space("x y [m]", "yaw: angle")
    centers, sigma = np.array([[2.0, 2.0, 0.5], [8.0, 7.0, -2.0]]), 0.02

    def score(points: np.ndarray) -> np.ndarray:
        d = plane.minus(points[:, None, :], centers)
        return np.logaddexp.reduce(-0.5 * (d**2).sum(-1) / sigma**2 + np.log([0.75, 0.25]), axis=1)

    shares, means = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        points = rng.uniform([0, 0, -np.pi], [10, 10, np.pi], (20_000, 3))
        count = len(points)
        start = Scored(plane, points, np.full(count, -np.log(count)), score(points), np.arange(count))
        equal = lambda cloud, rng=rng: (rng.choice(20_000, 20_000, p=cloud.weights), np.full(20_000, -np.log(20_000)))
        anywhere, flat = lambda xy: np.ones(len(xy), bool), lambda x: np.zeros(len(x))
        after, total = Annealing(score, flat, anywhere, equal, np.array([0.25, 0.25, 0.1]), rng).weigh(start, 1.0)
        cloud = after.cloud()
        assert np.exp(cloud.log_weights).sum() == pytest.approx(1.0)
        first = np.linalg.norm(plane.minus(cloud.points, centers[0]), axis=-1) < 0.5
        shares.append(cloud.weights[first].sum())
        means.append(np.exp(total))
        near = np.sqrt(cloud.weights[first] @ plane.minus(cloud.points[first], centers[0]) ** 2 / shares[-1])
        np.testing.assert_allclose(near, sigma, rtol=0.35)
    assert np.mean(shares) == pytest.approx(0.75, abs=0.12)
    exact = (2.0 * np.pi) ** 1.5 * sigma**3 / (100.0 * 2.0 * np.pi)
    assert np.mean(means) == pytest.approx(exact, rel=0.3)


def test_annealing_is_the_plain_update_where_particles_are_right() -> None:
    rng = np.random.default_rng(1)
    points, logs = rng.normal(size=(100, 3)), -0.1 * rng.random(100)
    start = Scored(POSE, points, np.full(100, -np.log(100.0)), logs, np.arange(100))
    never: Any = None
    after, total = Annealing(never, never, never, never, np.ones(3), rng).weigh(start, 1.0)
    assert after.points is points
    assert total == pytest.approx(np.log(np.exp(logs).mean()))


@pytest.mark.parametrize("kidnapped", [0.0, 0.01])
@pytest.mark.parametrize("std", [[0.5, 0.5, 0.03], [1.0, 0.03, 0.03]])
def test_annealing_keeps_what_is_not_seen(std: list[float], kidnapped: float) -> None:
    """A position of 2 cm, where the particles knew half a metre, tells nothing of the heading: as Kalman says."""
    mcl = MonteCarloLocalization(room(), power=1.0, kidnapped=kidnapped, particles=(20_000, 20_000))
    prior = Gaussian.of(POSE, [0.0, 0.0, 0.5], std=std)
    found = mcl.update(prior, gnss(std=0.02), [0.1, 0.0], rng=1).belief.best
    variance = np.square(std)
    variance[:2] = variance[:2] * 0.02**2 / (variance[:2] + 0.02**2)
    np.testing.assert_allclose(found.std, np.sqrt(variance), rtol=0.15)
    assert np.abs(found.mean - [0.1, 0.0, 0.5])[:2].max() < 0.01
    assert abs(found.mean[2] - 0.5) < 0.003


def test_belief_before_is_normal_or_anywhere() -> None:
    rng = np.random.default_rng(3)
    P = np.array([[0.3, 0.1, 0.02], [0.1, 0.2, 0.0], [0.02, 0.0, 0.05]])
    space = Space("speed [m/s]", "x y [m]", "yaw: angle")
    truth = Gaussian(
        space, np.array([1.0, 2.0, 3.0, 3.1]), np.block([[np.eye(1), np.zeros((1, 3))], [np.zeros((3, 1)), P]])
    )
    cloud = Particles(space, truth.sample(400_000, rng=rng))
    x = np.concatenate([truth.sample(50, rng=rng), truth.sample(50, rng=rng) + [0.0, 30.0, 0.0, 0.0]])
    pose = truth.marginal(["x", "y", "yaw"])
    for k in (0.0, 0.02):
        with np.errstate(divide="ignore"):
            exact = np.logaddexp(np.log1p(-k) + pose.log_prob(x[:, 1:]), np.log(k / 500.0))
        found = log_belief([(0.4, cloud), (0.6, cloud)], k, 500.0)(x)
        np.testing.assert_allclose(found[:50], exact[:50], atol=0.15)
        np.testing.assert_allclose(found[50:], exact[50:], rtol=0.02)


def test_belief_known_without_error_stays() -> None:
    """Particles that agree in a component have no width there, and no density; the rest has one."""
    cloud = Particles(POSE, np.random.default_rng(1).normal(size=(500, 3)) * [1.0, 0.0, 0.1])
    here, aside = log_belief([(1.0, cloud)], 0.0, 1.0)(np.array([[0.0, 0.0, 0.0], [0.0, 0.01, 0.0]]))
    assert np.isfinite(here)
    assert aside < here - 1000.0


# --- KLD-sampling ---


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_bound_is_the_chi_square_quantile(confidence: float) -> None:
    k = np.array([2, 5, 20, 100, 1000])
    exact = chi2.ppf(confidence, k - 1) / (2.0 * 0.05)
    # Wilson and Hilferty's approximation is good to a percent, from two bins on to three.
    np.testing.assert_allclose(kld_bound(k, 0.05, confidence), exact, rtol=0.03)
    np.testing.assert_allclose(kld_bound(k, 0.05, confidence)[2:], exact[2:], rtol=1e-3)
    assert kld_bound(1) == 1.0


def test_bound_is_not_the_one_with_the_probability_as_quantile() -> None:
    k = 50.0
    a = 2.0 / (9.0 * (k - 1.0))
    wrong = (k - 1.0) / 0.1 * (1.0 - a + np.sqrt(a) * 0.99) ** 3
    assert kld_bound(k) > 1.2 * wrong
    assert chi2.cdf(0.1 * wrong, k - 1.0) == pytest.approx(0.84, abs=0.01)


def test_needed_is_where_sequential_sampling_stops() -> None:
    """Fox's algorithm, draw by draw."""
    rng = np.random.default_rng(2)
    masses = rng.dirichlet(np.full(300, 0.3))
    stops = []
    for _ in range(40):
        draws = rng.choice(len(masses), 20_000, p=masses)
        met: set[int] = set()
        n = 0
        for n, b in enumerate(draws, 1):
            met.add(int(b))
            if n >= 10 and n >= kld_bound(len(met)):
                break
        stops.append(n)
    assert particles_needed(masses, 10, 20_000) == pytest.approx(np.mean(stops), rel=0.03)


@given(st.integers(1, 2000), st.integers(1, 5000))
def test_expected_bins_are_bounded(bins: int, n: int) -> None:
    equal = np.full(bins, 1.0 / bins)
    assert 0.0 < expected_bins(equal, n) <= min(bins, n) * (1.0 + 1e-9)


def test_needed_grows_with_the_belief() -> None:
    widths = [particles_needed(np.full(b, 1.0 / b), 100, 10_000) for b in (1, 10, 100, 5000)]
    assert widths == sorted(widths)
    assert widths[0] == 100
    assert widths[-1] == 10_000


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-9, 9)), min_size=1, max_size=80))
def test_bins_against_sets(rows: list[tuple[float, float, float]]) -> None:
    poses = np.array(rows)
    bins = count_bins(poses, 0.5, np.deg2rad(10.0))
    turn = np.floor(poses[:, 2] * (36 / (2.0 * np.pi))).astype(int) % 36
    keys = [(int(a), int(b), int(c)) for a, b, c in zip(*np.floor(poses[:, :2] / 0.5).T, turn, strict=True)]
    assert len(bins.places) == len(set(keys))
    assert [tuple(bins.places[label]) for label in bins.labels] == keys
    weights = np.arange(1.0, len(poses) + 1.0)
    np.testing.assert_array_equal(bins.masses(weights), np.bincount(bins.labels, weights))
    states = np.insert(poses[:, [2, 0, 1]], 1, 7.0, axis=1)
    among = count_bins(states, 0.5, np.deg2rad(10.0), columns=(2, 3, 0))
    np.testing.assert_array_equal(among.places[among.labels], bins.places[bins.labels])


def test_a_changed_localization_derives_its_clusters_anew_and_keeps_the_rest() -> None:
    cloud = Particles(POSE, np.repeat([[0.0, 0.0, 0.0], [9.0, 0.0, 3.0]], [30, 10], axis=0))
    before = Localization(cloud, np.arange(40), np.zeros(40, np.int64), np.zeros(1), slow=0.5)
    assert len(before.clusters[1]) == 2
    after = before.changed(particles=Particles(POSE, cloud.points[:30]), ancestors=np.arange(30))
    assert len(after.clusters[1]) == 1 and after.slow == 0.5 and after.groups is before.groups
    assert not after.ancestors.flags.writeable and len(before.ancestors) == 40


def test_the_share_of_a_reading_is_that_of_the_geodesic_between_poses() -> None:
    rng = np.random.default_rng(3)
    for here, there in rng.uniform(-3.0, 3.0, (50, 2, 3)):
        x, y, yaw = POSE_SE2.minus(here, there)
        d, a = np.sqrt(x * x + y * y + 0.25), np.sqrt(yaw * yaw + 0.09)
        found = Travel(tuple(here.tolist()), (0.5, 0.1)).share(Travel(tuple(there.tolist()), (0.25, 0.01)), 9.0, 8.0)
        assert found == pytest.approx(min(1.0, np.hypot(d / 9.0, a / 8.0)), rel=1e-12)


@given(st.integers(0, 2**32))
def test_groups_against_networkx(seed: int) -> None:
    networkx = pytest.importorskip("networkx")
    poses = np.random.default_rng(seed).uniform([0, 0, -np.pi], [4, 4, np.pi], (60, 3))
    bins = count_bins(poses, 0.5, np.deg2rad(30.0))
    kept = np.random.default_rng(seed + 1).random(len(bins.places)) < 0.8
    graph = networkx.Graph()
    graph.add_nodes_from(np.flatnonzero(kept))
    for i in np.flatnonzero(kept):
        for j in np.flatnonzero(kept):
            d = np.abs(bins.places[i] - bins.places[j])
            if i < j and d[0] <= 1 and d[1] <= 1 and min(d[2], 12 - d[2]) <= 1:
                graph.add_edge(i, j)
    groups = connect_bins(bins, kept)
    assert (groups[~kept] == -1).all()
    expected = {frozenset(int(i) for i in c) for c in networkx.connected_components(graph)}
    assert {frozenset(np.flatnonzero(groups == g).tolist()) for g in range(groups.max() + 1)} == expected


# --- poses and odometry ---


def test_free_poses_are_uniform_and_free() -> None:
    grid = OccupancyGrid.from_ascii(["..#", "###", "#.."], resolution=0.5, origin=(1.0, -2.0, 0.7))
    poses = free_poses(grid, 40_000, rng=1)
    assert grid.is_free(poses[:, :2]).all()
    rows, columns = grid.world_to_cell(poses[:, :2]).T
    shares = np.bincount(rows * 3 + columns, minlength=9) / len(poses)
    np.testing.assert_allclose(shares[shares > 0], 0.25, atol=0.01)
    np.testing.assert_allclose(np.histogram(poses[:, 2], 8, (-np.pi, np.pi))[0] / len(poses), 0.125, atol=0.01)
    wide = free_poses(room(), 2000, clearance=0.5, rng=1)
    assert (room().clearance(wide[:, :2]) > 0.4).all()


def test_pose_indices() -> None:
    assert pose_indices(Space("yaw: angle", "speed", "y x")).tolist() == [3, 2, 0]
    space = Space("attitude: quaternion", "x y [m]", "yaw: angle")
    assert pose_indices(space).tolist() == [4, 5, 6]
    assert pose_indices(space, tangent=True).tolist() == [3, 4, 5]


@given(*[st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3))] * 2)
def test_odometry_leads_from_pose_to_pose(before: tuple[float, ...], after: tuple[float, ...]) -> None:
    end = odometry_motion().step(np.array(before), odometry_move(before, after), 1.0)
    assert POSE.distance(end, np.array(after)) < 2e-3


def test_odometry_noise_is_that_of_the_book() -> None:
    """Draws of table 5.6 against the covariance to first order."""
    alphas: dict[str, Any] = {"alpha1": 0.002, "alpha2": 0.001, "alpha3": 0.003, "alpha4": 0.001}
    model, u, x = odometry_motion(**alphas), np.array([0.5, 1.0, -0.3]), np.array([1.0, 2.0, 0.7])
    rng = np.random.default_rng(1)
    a1, a2, a3, a4 = alphas.values()
    std = np.sqrt([
        a1 * 0.25 + a2, a3 + a4 * (0.25 + 0.09), a1 * 0.09 + a2,
    ])  # fmt: skip
    out, s, back = (u - std * rng.normal(size=(200_000, 3))).T
    drawn = np.stack([x[0] + s * np.cos(x[2] + out), x[1] + s * np.sin(x[2] + out), x[2] + out + back], -1)
    np.testing.assert_allclose(model.noise(x, u, 1.0), np.cov(drawn.T), atol=4e-5)


def test_odometry_backwards_is_no_turn() -> None:
    move = odometry_move([0.0, 0.0, 0.0], [-1.0, 0.0, 0.0])
    assert abs(move[0]) == pytest.approx(np.pi)
    forth = odometry_move([0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    model = odometry_motion()
    back, ahead = (np.diagonal(model.noise(np.zeros(3), u, 1.0)) for u in (move, forth))
    np.testing.assert_allclose(back, ahead, atol=1e-12)
    assert not model.noise(np.zeros(3), np.zeros(3), 1.0).any()


def test_odometry_alone_moves_a_cloud() -> None:
    grid = room()
    lidar, mcl = Lidar(grid, angles=60, max_range=8.0), MonteCarloLocalization(grid, odometry_motion(), dt=1.0)
    run = mcl.start([0.0, 0.5, 0.0], [0.1, 0.1, 0.05], rng=2)
    for k in range(8):
        run.predict(u=odometry_move([0.1 * k, 0.0, 0.0], [0.1 * (k + 1), 0.0, 0.0]))
        run.update(lidar, lidar.observe([0.1 * (k + 1), 0.5, 0.0]))
    np.testing.assert_allclose(run.belief.best.mean, [0.8, 0.5, 0.0], atol=0.08)


# --- what users of AMCL expect ---


def test_ranges_of_zero_are_not_measured() -> None:
    """Beams that the lidar does not measure neither explain a scan nor fail to: it is a scan of the others."""
    grid = room()
    lidar, part = (Lidar(grid, angles=np.linspace(-2, 2, n), max_range=8.0, min_range=0.1) for n in (41, 21))
    mcl = MonteCarloLocalization(grid, particles=(500, 500), kidnapped=0.0)
    prior = mcl.localization(Gaussian.of(POSE, [1.0, 0.5, 0.3], std=[0.1, 0.1, 0.05]), POSE, rng=1)
    nothing = mcl.update(prior, lidar, np.tile([0.0, 0.05, np.nan], 14)[:41], rng=1)
    assert nothing.belief is prior and nothing.status.name == "NO_READING"
    z = lidar.observe([1.0, 0.5, 0.3])
    halved = np.where(np.arange(41) % 2 == 0, z, 0.0)
    some, alone = mcl.update(prior, lidar, halved, rng=1), mcl.update(prior, part, z[::2], rng=1)
    assert some.belief.fast == pytest.approx(alone.belief.fast), "how well a scan is explained"
    np.testing.assert_allclose(some.belief.particles.log_weights, alone.belief.particles.log_weights, atol=1e-9)
    wide = Space("speed [m/s]", "body: SE2")
    assert np.isnan(lidar.on(wide).cleaned(np.zeros(41))).all()


def test_pose_is_set_while_running() -> None:
    """AMCL's `initialpose` and its global localization: any belief becomes particles, of which the first scan tells."""
    grid = room()
    lidar = Lidar(grid, angles=60, max_range=8.0)
    run: Any = MonteCarloLocalization(grid, ROBOT, dt=DT, particles=(300, 3000)).start([-3.0, -2.0, 0.0], 0.1, rng=1)
    run.update(lidar, lidar.observe([-3.0, -2.0, 0.0]))
    run.belief = Gaussian.of(POSE, [1.0, 0.5, 0.3], std=[0.2, 0.2, 0.1])
    assert np.hypot(*(run.belief.best.mean[:2] - [1.0, 0.5])) < 0.1
    told = run.update(lidar, lidar.observe([1.1, 0.5, 0.3])).belief
    assert told.converged and np.hypot(*(told.best.mean[:2] - [1.1, 0.5])) < 0.05
    run.belief = run.estimator.anywhere(POSE, rng=2)
    assert len(run.belief.particles.points) == 3000 and not run.belief.converged
    with pytest.raises(SpaceError, match="the dynamics move"):
        run.belief = Gaussian.of(Space("x y [m]"), [0.0, 0.0], std=1.0)
    assert len(run.belief.particles.points) == 3000


def test_map_changes_while_running() -> None:
    """The belief goes on under another map, on which the next scan counts fully."""
    old = room()
    new = old.with_discs([[1.0, -2.0]], [0.4])
    mcl = MonteCarloLocalization(old, ROBOT, dt=DT, particles=(300, 3000))
    run = mcl.start([1.0, 0.5, 0.3], [0.1, 0.1, 0.05], rng=1)
    run.update(Lidar(old, angles=60, max_range=8.0), Lidar(old, angles=60, max_range=8.0).observe([1.0, 0.5, 0.3]))
    on = replace(mcl, grid=new).start(belief=run.belief, t=run.t, rng=1)
    assert on.belief is run.belief
    lidar = Lidar(new, angles=60, max_range=8.0)
    assert on.update(lidar, lidar.observe([1.0, 0.5, 0.3])).belief is not run.belief
    assert on.belief.converged


def test_filter_is_saved_and_goes_on() -> None:
    grid = room()
    lidar = Lidar(grid, angles=60, max_range=8.0)
    run = MonteCarloLocalization(grid, ROBOT, dt=DT, particles=(300, 3000)).start([1.0, 0.5, 0.3], 0.1, rng=1)
    run.update(lidar, lidar.observe([1.0, 0.5, 0.3]))
    again = pickle.loads(pickle.dumps(run))
    for each in (run, again):
        each.predict(u=[0.5, 0.0])
        each.update(lidar, lidar.observe([1.05, 0.515, 0.3]))
    np.testing.assert_array_equal(again.belief.particles.points, run.belief.particles.points)


def test_thresholds_of_amcl() -> None:
    """With fresh=1, a scan counts once the robot has gone 0.25 m or turned 0.2 rad, and not before."""
    grid, model = room(), odometry_motion(alpha1=0.0, alpha2=0.0, alpha3=0.0, alpha4=0.0)
    lidar = Lidar(grid, angles=60, max_range=8.0)
    mcl = MonteCarloLocalization(grid, model, dt=1.0, independent=(0.25, 0.2), fresh=1.0, particles=(300, 3000))
    for step in ([0.0, 0.06, 0.0], [0.0, 0.0, 0.06]):
        run, taken, x = mcl.start([1.0, 0.5, 0.3], [0.1, 0.1, 0.05], rng=1), [], np.array([1.0, 0.5, 0.3])
        for _ in range(10):
            before = run.belief
            taken.append(run.update(lidar, lidar.observe(x)).belief is not before)
            x = model.step(x, np.array(step), 1.0)
            run.predict(u=step)
        every = 5 if step[1] else 4
        assert taken == [k % every == 0 for k in range(10)]


def test_people_are_skipped() -> None:
    """People around a robot stand in every beam of one side; it is as sure and as right as if they were not there."""
    grid, truth = room(), np.array([1.0, -1.0, 0.3])
    lidar = Lidar(grid, angles=120, max_range=8.0)
    crowd = np.abs(np.asarray(lidar.angles) - 0.5) < 0.8
    z = lidar.observe(truth)
    z[crowd] = np.minimum(z[crowd], 0.6)
    skip = BeamSkip()
    gone = np.isnan(skip.applied(lidar, z, np.tile(truth, (50, 1))))
    assert gone[crowd & (lidar.observe(truth) > 1.2)].all()
    assert not gone[~crowd].any()
    lost_ones = np.array([[-3.0, 2.0, 2.0]])
    strict = BeamSkip(distance=0.05, most=0.5)
    np.testing.assert_array_equal(strict.applied(lidar, z, lost_ones), z, err_msg="a lost robot hears all beams")
    clean, kept, all_of_it = (
        MonteCarloLocalization(grid, ROBOT, dt=DT, kidnapped=0.0, beam_skip=rule, particles=(2000, 2000))
        for rule in (None, skip, None)
    )
    found = []
    for mcl, scan in ((clean, np.where(gone, np.nan, z)), (kept, z), (all_of_it, z)):
        prior = Gaussian.of(POSE, truth, std=[0.1, 0.1, 0.05])
        found.append(mcl.update(mcl.localization(prior, POSE, rng=1), lidar, scan, rng=1).belief.particles)
    np.testing.assert_array_equal(found[0].log_weights, found[1].log_weights)
    assert not np.array_equal(found[0].log_weights, found[2].log_weights)


@given(*[st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3))] * 2)
def test_omni_odometry_leads_from_pose_to_pose(before: tuple[float, ...], after: tuple[float, ...]) -> None:
    end = omni_motion().step(np.array(before), omni_move(before, after), 1.0)
    assert POSE.distance(end, np.array(after)) < 1e-9


def test_omni_noise_is_that_of_amcl() -> None:
    """Draws of OmniMotionModel::odometryUpdate against the covariance."""
    a1, a2, a3, a4, a5 = (0.002, 0.001, 0.003, 0.001, 0.004)
    model, u, x = omni_motion(alpha1=a1, alpha2=a2, alpha3=a3, alpha4=a4, alpha5=a5), np.array([0.5, 1.0, -0.3]), 0.7
    rng, (bearing, s, turn) = np.random.default_rng(1), u
    trans = s + np.sqrt(a3 * s**2 + a1 * turn**2) * rng.normal(size=200_000)
    rot = turn + np.sqrt(a4 * turn**2 + a2 * s**2) * rng.normal(size=200_000)
    strafe = np.sqrt(a1 * turn**2 + a5 * s**2) * rng.normal(size=200_000)
    c, n = np.cos(bearing + x), np.sin(bearing + x)
    drawn = np.stack([trans * c + strafe * n, trans * n - strafe * c, rot])
    np.testing.assert_allclose(model.noise(np.array([0.0, 0.0, x]), u, 1.0), np.cov(drawn), atol=4e-5)


def test_each_hypothesis_counts_with_its_own_drift() -> None:
    """Sampling cannot have favoured a hypothesis before it was there, nor over what was a part of it until just now."""
    here, there = two_places(0.5)
    cloud = Particles(POSE, POSE.normalize(np.concatenate([here, there])), np.repeat([0.0, -18.0], 500))
    ancestors, one, two = np.arange(1000), np.zeros(1000, int), np.repeat([0, 1], 500)
    drifted = Localization(cloud, ancestors, two, np.array([0.0, 11.0]))
    assert drifted.sampling_variance[1] == pytest.approx(11.0, abs=0.01)
    assert not drifted.converged
    assert not Localization(cloud, ancestors, two, np.array([11.0, 0.0])).converged, "the other one led before"
    assert Localization(cloud, ancestors, two, np.array([0.0, 1.0])).converged
    assert Localization(cloud, ancestors, one, np.array([11.0])).converged, "the other one has just left it"
    fresh = Localization(cloud, np.append(ancestors[:500], np.full(500, 500)), one[:500], np.zeros(1))
    assert fresh.sampling_variance[1] == pytest.approx(1.0, abs=0.01), "drawn once"
    assert fresh.converged


def test_twins_are_not_resolved_by_the_luck_of_a_draw() -> None:
    """A robot is carried into one of two rooms that are alike; poses drawn from free space hit one of them better."""
    rooms = np.ones((120, 320))
    for left in (5, 110, 215):
        rooms[5:-5, left : left + 100] = 0
    pillars = [[1.5, 1.5], [3.5, 4.0], [7.0, 1.8], [12.25, 1.8]]
    grid = OccupancyGrid.from_occupied(rooms, 0.05).with_discs(pillars, [0.5, 0.7, 0.4, 0.4])
    lidar = Lidar(grid, angles=30, max_range=12.0)
    mcl = MonteCarloLocalization(grid, ROBOT, dt=DT, clearance=0.15, particles=(500, 10_000))
    for seed in (3, 5, 7):
        robot = Wanderer(grid, seed)
        while robot.x[0] > 5.3:
            robot.x = robot.somewhere()
        run = mcl.start(robot.x, [0.1, 0.1, 0.05], rng=seed + 1000)
        for k in range(30):
            while k == 10 and robot.x[0] < 5.3:
                robot.x = robot.somewhere()
            run.predict(u=robot.move())
            belief = run.update(lidar, robot.scan(lidar)).belief
            assert belief.converged == (k < 10), (seed, k)


def test_how_well_a_scan_is_explained_is_a_mean_over_the_beams_that_are_used() -> None:
    grid = room()
    chosen = np.arange(21) * 81 // 21
    every = Lidar(grid, angles=np.linspace(-3, 3, 81), max_range=8.0, beams=21)
    some = Lidar(grid, angles=np.asarray(every.angles)[chosen], max_range=8.0)
    mcl = MonteCarloLocalization(grid, particles=(500, 500), kidnapped=0.0)
    prior = mcl.localization(Gaussian.of(POSE, [1.0, 0.5, 0.3], std=[0.1, 0.1, 0.05]), POSE, rng=1)
    z = every.observe([1.0, 0.5, 0.3])
    found = [mcl.update(prior, lidar, scan, rng=1).belief.fast for lidar, scan in ((every, z), (some, z[chosen]))]
    assert found[0] == pytest.approx(found[1])


def test_a_belief_leaves_the_arrays_of_its_caller_as_they_are() -> None:
    ancestors = np.array([0, 0, 1])
    where = Localization(Particles(Space("x y [m]", "yaw: angle"), np.zeros((3, 3))), ancestors, np.zeros(2, int))
    ancestors[0] = 1
    assert where.ancestors.tolist() == [0, 0, 1]
    assert not where.ancestors.flags.writeable


def test_arrays_of_a_localization_are_checked_once_and_nobody_changes_them() -> None:
    cloud, batch = (Particles(POSE, np.zeros((*axes, 4, 3))) for axes in ((), (2,)))
    given = np.arange(4)
    view = given.view()
    view.setflags(write=False)
    held = Localization(cloud, ancestors=view, groups=np.zeros(4, int), drifts=np.zeros(1))
    given[1] = 3
    assert held.ancestors.tolist() == [0, 1, 2, 3]
    wrong: list[dict[str, Any]] = [
        {"groups": np.array([0, 1, 3, 0]), "drifts": np.zeros(2)}, {"ancestors": np.array([-1, 0, 0, 0])},
        {"ancestors": np.zeros((2, 2), int)}, {"ancestors": np.zeros(4)}, {"drifts": np.zeros((2, 2))},
    ]  # fmt: skip
    for arrays in wrong:
        with pytest.raises(ShapeError, match=next(iter(arrays))):
            Localization(cloud, **arrays)
    with pytest.raises(ShapeError, match="one cloud"):
        Localization(batch)
