"""Grid SLAM with particles: shared tiles are full maps, weights are integrals, and nothing bad comes of bad scans."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import KDTree

from pilotage.core import Gaussian, Particles
from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam.matching import scan_surface
from pilotage.estimators.slam.particles import GridRBPF, ParticleMapper
from pilotage.estimators.slam.particles._paths import Paths
from pilotage.estimators.slam.particles._tile_maps import TileMaps
from pilotage.estimators.slam.scans import ScanSLAM
from pilotage.estimators.slam.scores import absolute_trajectory_error, map_quality, relation_errors
from pilotage.io import read_gfs_json, read_relations
from pilotage.maps import InverseBeamModel, InverseConeModel, InverseLikelihoodModel, OccupancyMap

from .rooms import ANGLES, FAR, PLANE, RING, ROOM, lap, scan, wheels

POSES = lap()
CLAMP = (0.12, 0.97)


def readings(seed: int = 0, noise: float = 0.01) -> Any:
    rng = np.random.default_rng(seed)
    return np.array([scan(RING, pose, rng, noise) for pose in POSES])


def drive(settings: GridRBPF, ranges: Any, odometry: Any, count: int | None = None, rng: Any = 0) -> ParticleMapper:
    mapper = settings.start(ANGLES, rng=rng)
    for k in range(len(ranges) if count is None else count):
        mapper.update(ranges[k], None if odometry is None else odometry[k], 0.1 * k)
    return mapper


def error(mapper: ParticleMapper) -> float:
    poses = mapper.trajectory[1]
    return absolute_trajectory_error(POSES[: len(poses)], poses).rmse


@pytest.fixture(scope="module")
def ring() -> ParticleMapper:
    return drive(GridRBPF(particles=15, max_range=FAR), readings(), wheels(POSES, turn=0.1))


# --- shared tiles ---


@pytest.mark.parametrize("model", [InverseBeamModel(), InverseLikelihoodModel(), InverseConeModel(width=0.1)])
def test_shared_tiles_are_maps_copied_in_full(model: Any) -> None:
    """The oracle: an `OccupancyMap` for each particle, copied in full when particles are resampled."""
    rng, count = np.random.default_rng(0), 4
    tiles = TileMaps(count, 0.05, model, CLAMP, FAR)
    full = [OccupancyMap(0.05, model=model, clamp=CLAMP) for _ in range(count)]
    for _ in range(12):
        poses = rng.uniform([-2.0, -1.5, -3.0], [2.0, 1.5, 3.0], (count, 3))
        tiles.make_room(poses[:, :2].min(axis=0), poses[:, :2].max(axis=0))
        for n, pose in enumerate(poses):
            seen = scan(ROOM, pose, rng)
            tiles.add(n, pose, seen, ANGLES, 0.0)
            full[n].insert(pose, seen, ANGLES, FAR)
        index = rng.integers(count, size=count)
        tiles.resample(index)
        full = [copy.copy(full[n]) for n in index]
    for n in range(count):
        ours, theirs = tiles.grid(n), full[n].grid()
        assert np.allclose(ours.origin, theirs.origin)
        assert np.array_equal(ours.log_odds, theirs.log_odds, equal_nan=True)


def test_a_map_of_a_particle_is_that_of_its_way(ring: ParticleMapper) -> None:
    """Through all resampling: the map of each particle is made of its own poses."""
    for n in (0, 7, ring.best):
        poses = ring._paths.of(n)
        scans = readings()[[k for k, (_, at, _) in enumerate(ring._track) if k == 0 or at > ring._track[k - 1][1]]]
        made = OccupancyMap(0.05, clamp=CLAMP).insert(poses, scans, ANGLES, FAR).grid()
        grid = ring.map(n)
        assert np.array_equal(grid.log_odds, made.log_odds, equal_nan=True)


def test_references_count_the_maps_that_hold_a_tile(ring: ParticleMapper) -> None:
    maps = ring.maps
    counted = np.bincount(maps.tables[maps.tables != 0].ravel(), minlength=len(maps.references))
    assert np.array_equal(maps.references[1:], counted[1:])
    assert maps._counts[0] == np.count_nonzero(maps.references == 0)
    assert maps.nbytes < 0.8 * maps.unshared


def test_memory_stays_where_the_robot_stays() -> None:
    mapper = GridRBPF(particles=4, max_range=FAR, distance=0.0).start(ANGLES, rng=0)
    rng, sizes = np.random.default_rng(1), []
    for k in range(60):
        mapper.update(scan(ROOM, [0.3 * np.sin(k), 0.0, 0.1 * k], rng), [0.3 * np.sin(k), 0.0, 0.1 * k])
        sizes.append(mapper.maps.nbytes)
    assert max(sizes[30:]) <= 1.2 * max(sizes[:30])


def test_far_poses_are_refused_before_memory_is_asked_for() -> None:
    with pytest.raises(ShapeError, match="tiles"):
        TileMaps(1, 0.05, InverseBeamModel(), CLAMP, FAR).make_room(np.zeros(2), np.full(2, 1e6))


# --- the proposal ---


def likelihood(mapper: ParticleMapper, n: int, points: Any, normals: Any, poses: Any) -> Any:
    """Logarithms of the likelihoods of poses ``(P, 3)``, from the formula: a k-d tree of the ends in occupied cells."""
    s, maps = mapper.settings, mapper.maps
    row, column = np.indices(maps.tables.shape[1:])
    cells, ends = maps.evidence[maps.tables[n]], maps.ends[maps.tables[n]]
    inner = np.moveaxis(np.indices((32, 32))[::-1], 0, -1)
    at = 32 * np.stack([column, row], axis=-1)[:, :, None, None] + inner
    held = (cells > 0.0) & (ends[..., 2] > 0.0)
    means = maps.corner[:2] + 0.05 * (at[held] + ends[held][:, :2])
    known = ~((cells == 0.0) & np.signbit(cells))
    tree, found = KDTree(means), []
    for x, y, yaw in poses:
        c, d = np.cos(yaw), np.sin(yaw)
        turn = np.array([[c, d], [-d, c]])
        q, m = points @ turn + [x, y], normals @ turn
        apart, k = tree.query(q)
        e = np.where(np.isnan(m[:, 0]), apart, ((q - means[k % len(means)]) * m).sum(axis=1))
        i, j = np.floor((q - maps.corner[:2]) / 0.05).astype(int).T
        blind = s.unseen * ~known[j // 32, i // 32, j % 32, i % 32] + s.worst * known[j // 32, i // 32, j % 32, i % 32]
        near = apart < s.sigma * np.sqrt(2.0 * s.worst)
        found.append(-s.power * np.where(near, np.minimum(0.5 * (e / s.sigma) ** 2, s.worst), blind).sum())
    return np.array(found)


def placed(**settings: Any) -> tuple[ParticleMapper, Any, Gaussian]:
    """A mapper with a map of the room, a scan from another place, and the motion to there by the odometry."""
    mapper = GridRBPF(max_range=FAR, **settings).start(ANGLES, rng=0)
    mapper.update(scan(ROOM, [0.0, 0.0, 0.0]), [0.0, 0.0, 0.0])
    surface = scan_surface(scan(ROOM, [0.2, 0.1, 0.1], np.random.default_rng(1)), ANGLES, FAR)
    return mapper, surface, mapper.settings.odometry.step([0.0, 0.0, 0.0], [0.22, 0.09, 0.12])


@pytest.mark.parametrize("power", [0.05, 0.3])
def test_weights_are_integrals(power: float) -> None:
    """The integral of likelihood times motion over all poses, by sums over a fine grid and a formula of its own."""
    mapper, surface, motion = placed(particles=1, samples=4000, power=power, spread=1.5)
    guess = np.array(motion.mean)[None]
    x, log_weight, lost = mapper._propose(surface, motion, guess, guess)
    std = np.sqrt(np.diagonal(motion.cov)) / 4.0
    axes = [np.linspace(-w, w, 13) for w in np.maximum(0.08, std)]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) * [1.0, 1.0, 0.5]
    center = np.array([0.2, 0.1, 0.1])
    poses = center + offsets
    prior = Gaussian(PLANE, motion.mean, motion.cov).log_prob(poses) + 1.5 * np.log(2.0 * np.pi)
    target = likelihood(mapper, 0, surface.points, surface.normals, poses) + prior
    volume = np.prod([a[1] - a[0] for a in axes]) * 0.5
    brute = np.log(np.exp(target - target.max()).sum() * volume) + target.max() - 1.5 * np.log(2.0 * np.pi)
    assert lost == 0
    assert log_weight[0] == pytest.approx(brute, abs=0.1)
    w = np.exp(target - target.max())
    mean = (w[:, None] * poses).sum(axis=0) / w.sum()
    spread = np.sqrt((w[:, None] * (poses - mean) ** 2).sum(axis=0) / w.sum())
    assert np.abs(x[0] - mean).max() < 5.0 * spread.max()


def test_poses_are_drawn_from_the_weighted_samples() -> None:
    """Moments of many particles that start alike: those of the target over all poses."""
    mapper, surface, motion = placed(particles=400, samples=200, spread=1.5)
    guesses = np.tile(np.asarray(motion.mean), (400, 1))
    x, _, _ = mapper._propose(surface, motion, guesses, guesses)
    offsets = np.random.default_rng(0).uniform(-1.0, 1.0, (1500, 3)) * [0.06, 0.06, 0.03]
    poses = x.mean(axis=0) + offsets
    target = likelihood(mapper, 0, surface.points, surface.normals, poses) + motion.log_prob(poses)
    w = np.exp(target - target.max())
    mean = (w[:, None] * poses).sum(axis=0) / w.sum()
    std = np.sqrt((w[:, None] * (poses - mean) ** 2).sum(axis=0) / w.sum())
    assert np.abs(x.mean(axis=0) - mean).max() < 0.3 * std.max()
    assert x.std(axis=0) == pytest.approx(std, rel=0.2)


def test_resampling_is_unbiased_and_takes_the_maps_along() -> None:
    mapper = GridRBPF(particles=4, max_range=FAR, threshold=1.0).start(ANGLES, rng=0)
    mapper.update(scan(ROOM, [0.0, 0.0, 0.0]), [0.0, 0.0, 0.0])
    poses, weights, counts = (
        np.column_stack([np.arange(4.0), np.zeros((4, 2))]),
        np.array([0.1, 0.4, 0.2, 0.3]),
        np.zeros(4),
    )
    for _ in range(500):
        each = copy.deepcopy(mapper)
        each.rng = mapper.rng
        each.belief, each.scores = Particles(PLANE, poses, np.log(weights)), np.arange(4.0)
        each._resample()
        taken = each.belief.points[:, 0].astype(int)
        assert np.array_equal(each.scores, taken)
        counts += np.bincount(taken, minlength=4)
    assert counts / counts.sum() == pytest.approx(weights, abs=0.025)


def test_ways_are_those_of_a_full_history() -> None:
    rng, paths, full = np.random.default_rng(3), Paths(), np.zeros((6, 0, 1))
    for k in range(40):
        poses = rng.normal(size=(6, 1))
        paths.append(poses)
        full = np.concatenate([full, poses[:, None]], axis=1)
        for _ in range(rng.integers(3)):
            index = np.sort(rng.integers(6, size=6))
            paths.resample(index)
            full = full[index]
        assert all(np.array_equal(paths.of(n), full[n]) for n in range(6)) and len(paths) == k + 1
    assert len(paths.common) > 20


# --- drives ---


def test_a_lap_closes(ring: ParticleMapper) -> None:
    assert error(ring) < 0.1
    assert absolute_trajectory_error(POSES, wheels(POSES, turn=0.1)).rmse > 10.0 * error(ring)


def test_the_map_agrees_with_scans_from_other_places(ring: ParticleMapper) -> None:
    place = np.asarray(PLANE.compose(PLANE.inverse(POSES[0]), [[4.0, 1.5, 1.0], [12.5, 5.0, 2.0], [7.0, 8.6, -1.0]]))
    seen = [scan(RING, PLANE.compose(POSES[0], pose)) for pose in place]
    quality = map_quality(ring.map(), place, seen, ANGLES, FAR)
    assert quality.ends > 0.9 and quality.passages > 0.97


def test_one_sure_particle_is_scan_matching() -> None:
    """Without spread, a single particle keeps to the best match: as near to the truth as a chain of matched scans."""
    ranges, odometry = readings(), wheels(POSES)
    ours = drive(GridRBPF(particles=1, max_range=FAR, spread=1e-3, distance=0.0), ranges, odometry, 45)
    theirs = ScanSLAM(max_range=FAR, loops=None).start(ANGLES)
    for k in range(45):
        theirs.update(ranges[k], odometry[k])
    apart = np.asarray(PLANE.minus(ours.trajectory[1], theirs.trajectory[1]))
    assert np.abs(apart).max() < 0.05


def test_odometry_is_no_need() -> None:
    mapper = drive(GridRBPF(particles=5, max_range=FAR), readings(1), None, 60)
    assert error(mapper) < 0.1


def test_seeds_reproduce() -> None:
    ranges, odometry = readings(), wheels(POSES)
    first, again, other = (drive(GridRBPF(particles=5, max_range=FAR), ranges, odometry, 20, rng) for rng in (1, 1, 2))
    assert np.array_equal(first.belief.points, again.belief.points)
    assert np.array_equal(first.map().log_odds, again.map().log_odds, equal_nan=True)
    assert not np.array_equal(first.belief.points, other.belief.points)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_go_on_alike_and_on_their_own(copied: Any) -> None:
    ranges, odometry = readings(), wheels(POSES)
    mapper = drive(GridRBPF(particles=5, max_range=FAR), ranges, odometry, 12)
    other, before = copied(mapper), mapper.map().log_odds.copy()
    for k in range(12, 18):
        other.update(ranges[k], odometry[k])
    assert np.array_equal(mapper.map().log_odds, before, equal_nan=True)
    for k in range(12, 18):
        mapper.update(ranges[k], odometry[k])
    assert np.array_equal(mapper.belief.points, other.belief.points)
    assert np.array_equal(mapper.map().log_odds, other.map().log_odds, equal_nan=True)


def test_odometry_is_believed_where_nothing_is_seen() -> None:
    ranges, odometry = readings(), wheels(POSES, turn=0.0, scale=1.0, curl=0.0)
    ranges[20:26] = np.nan
    mapper = drive(GridRBPF(particles=10, max_range=FAR, distance=0.0), ranges, odometry, 20)
    lost = [mapper.update(ranges[k], odometry[k]).lost for k in range(20, 40)]
    assert lost[:6] == [10] * 6 and max(lost[8:]) == 0
    assert error(mapper) < 0.15


# --- bad scans ---


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0, 1e9])
def test_scans_of_nothing(bad: float) -> None:
    mapper = GridRBPF(particles=5, max_range=FAR).start(ANGLES, rng=0)
    step = [mapper.update(np.full(len(ANGLES), bad), [0.5 * k, 0.0, 0.0]) for k in range(3)][-1]
    assert step.lost == 5 and np.abs(step.pose - [1.0, 0.0, 0.0]).max() < 0.5
    assert np.isfinite(mapper.belief.points).all() and mapper.map().shape


@pytest.mark.parametrize(
    ("ranges", "odometry"),
    [
        (np.ones(5), [0.0, 0.0, 0.0]),
        (np.ones((1, len(ANGLES))), [0.0, 0.0, 0.0]),
        (np.ones(len(ANGLES)), [np.nan, 0.0, 0.0]),
        (np.ones(len(ANGLES)), [0.0, 0.0]),
        (np.ones(len(ANGLES)), [1e9, 0.0, 0.0]),
        ("none", None),
    ],
)
def test_scans_that_are_refused_change_nothing(ranges: Any, odometry: Any) -> None:
    mapper = drive(GridRBPF(particles=3, max_range=FAR), readings(), wheels(POSES), 5)
    pose, points, count = mapper.pose.copy(), mapper.belief.points, len(mapper.trajectory[0])
    with pytest.raises(ShapeError):
        mapper.update(ranges, odometry)
    assert np.array_equal(mapper.pose, pose) and np.array_equal(mapper.belief.points, points)
    assert len(mapper.trajectory[0]) == count


@pytest.mark.parametrize(
    ("angles", "pose"), [("all", [0, 0, 0]), ([], [0, 0, 0]), ([[0.0]], [0, 0, 0]), ([0.0], [0, 0])]
)
def test_starts_that_are_refused(angles: Any, pose: Any) -> None:
    with pytest.raises(ShapeError):
        GridRBPF().start(angles, pose)


@pytest.mark.parametrize(
    "wrong", [{"particles": 0}, {"power": 0.0}, {"samples": 1}, {"overlap": 1.5}, {"clamp": (0.9, 0.1)}]
)
def test_settings_that_are_refused(wrong: Any) -> None:
    with pytest.raises((SettingError, ShapeError)):
        GridRBPF(**wrong)


def test_before_the_first_scan_there_is_nothing() -> None:
    mapper = GridRBPF(particles=3).start(ANGLES, [1.0, 2.0, 0.5], rng=0)
    assert mapper.pose.tolist() == [1.0, 2.0, 0.5] and mapper.trajectory[1].shape == (0, 3)
    assert not mapper.map().occupied.any()
    with pytest.raises(SettingError):
        mapper.map(3)


@pytest.mark.slow
def test_intel_from_raw_odometry(data: Path) -> None:
    """Not above the column of Rao-Blackwellised particle filters of Kümmerle et al. (2009), 0.070 +- 0.083 m."""
    log = read_gfs_json(data / "lidar_logs/intel_raw_odometry_gfs.json.gz")
    known = read_relations(data / "lidar_logs/intel.relations.gz")
    mapper = GridRBPF().start(log.angles, rng=0)
    for ranges, odometry, t in zip(log.ranges, log.odometry, log.ts.tolist(), strict=True):
        mapper.update(np.where(ranges < 50.0, ranges, np.nan), odometry, t)
    errors = relation_errors(known.poses, known.times, *mapper.trajectory)
    assert errors.mean <= 0.07
    assert mapper.maps.nbytes < 0.3 * mapper.maps.unshared
