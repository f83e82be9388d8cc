"""SLAM from scans: loops close, odometry is no need, and nothing bad comes of bad scans."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core.errors import FormatError, MissingFile, ShapeError
from pilotage.estimators.slam import LevenbergMarquardt
from pilotage.estimators.slam.closures import Closure
from pilotage.estimators.slam.matching import scan_surface
from pilotage.estimators.slam.scans import Keyframes, LoopCloser, ScanMapper, ScanSLAM
from pilotage.estimators.slam.scores import absolute_trajectory_error, map_quality, relation_errors
from pilotage.io import read_carmen, read_gfs_json, read_relations

from .rooms import ANGLES, FAR, PLANE, RING, lap, scan, wheels
from .rooms import ranges as seen_from

POSES = lap()


def readings(seed: int = 0, noise: float = 0.01) -> Any:
    rng = np.random.default_rng(seed)
    return np.array([scan(RING, pose, rng, noise) for pose in POSES])


def drive(settings: ScanSLAM, ranges: Any, odometry: Any, count: int | None = None) -> ScanMapper:
    mapper = settings.start(ANGLES)
    for k in range(len(ranges) if count is None else count):
        mapper.update(ranges[k], None if odometry is None else odometry[k], 0.1 * k)
    mapper.finish()
    return mapper


def error(mapper: ScanMapper) -> float:
    _, poses = mapper.trajectory
    return absolute_trajectory_error(POSES[: len(poses)], poses).rmse


@pytest.fixture(scope="module")
def ring() -> ScanMapper:
    return drive(ScanSLAM(max_range=FAR), readings(), wheels(POSES, turn=0.1))


def test_a_lap_closes(ring: ScanMapper) -> None:
    assert ring.keyframes.closures and not ring.lost
    assert error(ring) < 0.05
    odometry = absolute_trajectory_error(POSES, wheels(POSES, turn=0.1)).rmse
    assert odometry > 10.0 * error(ring)


def test_wheels_are_calibrated_on_the_way(ring: ScanMapper) -> None:
    found = ring.calibration()
    assert found.advance_gain == pytest.approx(1.0 / 1.03, abs=0.01)
    assert found.turn_gain == pytest.approx(1.0 / 1.1, abs=0.02)


def test_scans_that_are_lost_do_not_calibrate_the_wheels() -> None:
    """Matches that are refused: the wheels are believed, and would measure themselves."""
    mapper = drive(ScanSLAM(max_range=FAR, overlap=1.0, loops=None), readings(noise=0.1), wheels(POSES), 30)
    assert mapper.lost == 29
    with pytest.raises(ShapeError):
        mapper.calibration()


def test_the_map_agrees_with_scans_from_other_places(ring: ScanMapper) -> None:
    grid = ring.map(0.05)
    place = np.asarray(PLANE.compose(PLANE.inverse(POSES[0]), [[4.0, 1.5, 1.0], [12.5, 5.0, 2.0], [7.0, 8.6, -1.0]]))
    seen = [scan(RING, PLANE.compose(POSES[0], pose)) for pose in place]
    quality = map_quality(grid, place, seen, ANGLES, FAR)
    assert quality.ends > 0.9 and quality.passages > 0.97


def test_a_map_that_grows_is_that_of_all_keyframes(ring: ScanMapper) -> None:
    """Asked for at every keyframe, before and after a loop closes, and with other settings in between."""
    ranges, odometry = readings(), wheels(POSES, turn=0.1)
    mapper, grid = ScanSLAM(max_range=FAR).start(ANGLES), None
    for k in range(len(POSES)):
        if mapper.update(ranges[k], odometry[k], 0.1 * k).keyframe and k % 3 == 0:
            grid = mapper.map(0.2 if k == 30 else 0.1)
    mapper.finish()
    grid = mapper.map(0.1)
    assert grid.origin == ring.map(0.1).origin
    assert np.array_equal(grid.log_odds, ring.map(0.1).log_odds, equal_nan=True)


def test_odometry_is_no_need() -> None:
    mapper = drive(ScanSLAM(max_range=FAR), readings(1), None)
    assert error(mapper) < 0.1 and not mapper.lost


@pytest.mark.parametrize("noise", [0.01, 0.02])
def test_a_short_laser_in_a_corridor_says_what_it_does_not_know(noise: float) -> None:
    """Without odometry, nothing tells how far the robot goes: places along the corridor are wrong, and said to be."""
    angles, rng, at = np.radians(np.arange(-180.0, 180.0, 2.0)), np.random.default_rng(1), 0
    poses = lap(0.2)[200:245]
    mapper, wrong, free = ScanSLAM(max_range=1.5, loops=None).start(angles), list[float](), 0
    for k, pose in enumerate(poses):
        seen = seen_from(RING, pose, angles) + noise * rng.normal(size=180)
        step = mapper.update(np.where(seen < 1.5, seen, np.inf))
        if step.match is not None and not step.lost:
            e = np.asarray(PLANE.minus(PLANE.compose(PLANE.inverse(poses[at]), pose), step.match.pose))
            wrong.append(float(np.abs(e / np.sqrt(np.diagonal(step.match.cov))).max()))
            free += len(step.match.free)
        at = k if step.keyframe else at
    assert free > 10 and max(wrong) < 5.0


def test_odometry_is_believed_where_nothing_is_seen() -> None:
    ranges, odometry = readings(), wheels(POSES, turn=0.0, scale=1.0, curl=0.0)
    ranges[20:26] = np.nan
    mapper = drive(ScanSLAM(max_range=FAR), ranges, odometry, 40)
    assert mapper.lost == 6
    assert error(mapper) < 0.05


def test_the_trajectory_is_of_all_scans_and_moves_with_the_keyframes(ring: ScanMapper) -> None:
    ts, poses = ring.trajectory
    assert ts.tolist() == pytest.approx((0.1 * np.arange(len(POSES))).tolist())
    moved = copy.deepcopy(ring)
    moved.keyframes.poses = [np.asarray(PLANE.compose([5.0, 1.0, 2.0], x)) for x in moved.keyframes.poses]
    assert np.allclose(PLANE.minus(moved.trajectory[1], PLANE.compose([5.0, 1.0, 2.0], poses)), 0.0, atol=1e-9)


def test_frames_start_anywhere() -> None:
    start = [3.0, -2.0, 1.0]
    mapper = ScanSLAM(max_range=FAR).start(ANGLES, start)
    ranges, odometry = readings(), wheels(POSES)
    for k in range(12):
        mapper.update(ranges[k], odometry[k])
    expected = PLANE.compose(start, PLANE.compose(PLANE.inverse(POSES[0]), POSES[11]))
    assert np.abs(PLANE.minus(expected, mapper.pose)).max() < 0.05


def test_the_graph_explains_the_poses(ring: ScanMapper) -> None:
    graph = ring.graph
    assert len(graph.edges) == len(ring.keyframes.steps) + len(ring.keyframes.closures)
    z = PLANE.compose(PLANE.inverse(graph.poses[graph.edges[:, 0]]), graph.poses[graph.edges[:, 1]])
    e = np.asarray(PLANE.minus(graph.readings, z))
    chi2 = np.einsum("ij,ijk,ik->i", e, graph.information, e)
    assert np.median(chi2) < 3.0 and chi2.max() < 50.0


def test_a_closure_that_the_graph_contradicts_is_given_up(ring: ScanMapper) -> None:
    mapper = copy.deepcopy(ring)
    frames, good = mapper.keyframes, len(mapper.keyframes.closures)
    before = np.array(frames.poses)
    last = len(frames) - 1
    wrong = np.asarray(PLANE.plus(frames.relative(2, last), [0.6, 0.0, 0.3]))
    frames.closures.append(Closure(2, last, wrong, 1e-4 * np.eye(3)))
    dropped = frames.optimize(mapper.settings.solver, mapper.settings.worst)
    assert len(dropped) >= 1 and any(c.z is wrong for c in dropped)
    assert len(frames.closures) >= good - 1
    assert np.abs(np.array(frames.poses)[:, :2] - before[:, :2]).max() < 0.1


def test_closures_are_given_up_until_the_rest_agrees() -> None:
    """Each false closure hides the next one: with the heaviest gone, the poses contradict another."""
    frames, surface = Keyframes(), scan_surface(scan(RING, POSES[0]), ANGLES, FAR)
    frames.append(surface, np.ones(1), np.zeros(3), np.zeros((3, 3)))
    frames.append(surface, np.ones(1), np.array([1.0, 0.0, 0.0]), 0.02**2 * np.eye(3))
    readings = [(1.8, 0.01), (2.7, 0.02), (1.8, 0.06), (1.9, 0.01), (-0.1, 0.2)]
    frames.closures += [Closure(0, 1, np.array([x, 0.0, 0.0]), std**2 * np.eye(3)) for x, std in readings]
    dropped = frames.optimize(LevenbergMarquardt(), 30.0)
    assert len(dropped) + len(frames.closures) == len(readings)
    assert all(frames.chi2(c) <= 30.0 for c in frames.closures)
    poses = np.array(frames.poses)
    assert not frames.optimize(LevenbergMarquardt(), 30.0)
    assert np.abs(PLANE.minus(np.array(frames.poses), poses)).max() < 1e-6


def test_any_solver_optimises_the_poses() -> None:
    mapper = drive(ScanSLAM(max_range=FAR, solver=LevenbergMarquardt()), readings(), wheels(POSES, turn=0.1))
    assert mapper.keyframes.closures and error(mapper) < 0.05


def test_late_closures_wait_for_votes() -> None:
    ranges, odometry = readings(), wheels(POSES, turn=0.1)
    closer = LoopCloser(sure=0.0, votes=3)
    mapper, accepted, waited = ScanSLAM(max_range=FAR, loops=closer).start(ANGLES), [], 0
    for k in range(len(POSES)):
        step = mapper.update(ranges[k], odometry[k])
        waited = max(waited, len(mapper.pending))
        if step.closures:
            accepted.append(len(step.closures))
    assert waited >= 2 and accepted[0] >= 3
    never = drive(ScanSLAM(max_range=FAR, loops=LoopCloser(sure=0.0, votes=1000)), ranges, odometry)
    assert not never.keyframes.closures and never.pending
    assert error(never) > error(mapper)


@pytest.mark.parametrize("at", [0, 1, 40, 150])
def test_a_mapper_that_was_kept_goes_on_to_the_bit(ring: ScanMapper, tmp_path: Path, at: int) -> None:
    """Killed after any scan: before the first, before the loop closes, with closures that wait and after."""
    settings, ranges, odometry = ScanSLAM(max_range=FAR), readings(), wheels(POSES, turn=0.1)
    mapper = settings.start(ANGLES)
    for k in range(at):
        mapper.update(ranges[k], odometry[k], 0.1 * k)
    mapper.save(tmp_path / "mapper.npz")
    again = settings.resume(tmp_path / "mapper.npz")
    assert len(again.keyframes) == len(mapper.keyframes) and np.array_equal(again.pose, mapper.pose)
    for k in range(at, len(POSES)):
        again.update(ranges[k], odometry[k], 0.1 * k)
    again.finish()
    assert all(np.array_equal(a, b) for a, b in zip(again.trajectory, ring.trajectory, strict=True))
    assert len(again.keyframes.closures) == len(ring.keyframes.closures) and again.lost == ring.lost
    assert np.array_equal(again.graph.information, ring.graph.information)
    assert np.array_equal(again.map(0.1).log_odds, ring.map(0.1).log_odds, equal_nan=True)
    assert vars(again.calibration()) == vars(ring.calibration())


def test_closures_that_wait_are_kept(tmp_path: Path) -> None:
    ranges, odometry, settings = (
        readings(),
        wheels(POSES, turn=0.1),
        ScanSLAM(max_range=FAR, loops=LoopCloser(sure=0.0)),
    )
    mapper, at = settings.start(ANGLES), 0
    while len(mapper.pending) < 2:
        mapper.update(ranges[at], odometry[at])
        at += 1
    mapper.save(tmp_path / "mapper.npz")
    again = settings.resume(tmp_path / "mapper.npz")
    steps = [[m.update(r, o) for r, o in zip(ranges[at:], odometry[at:], strict=True)] for m in (mapper, again)]
    assert [len(s.closures) for s in steps[0]] == [len(s.closures) for s in steps[1]]
    assert any(s.closures for s in steps[0]) and np.array_equal(mapper.pose, again.pose)


def test_files_of_other_settings_and_of_nothing_are_refused(ring: ScanMapper, tmp_path: Path) -> None:
    file = tmp_path / "mapper.npz"
    ring.save(file)
    with pytest.raises(FormatError, match="max_range"):
        ScanSLAM(max_range=FAR + 1.0).resume(file)
    with pytest.raises(MissingFile):
        ScanSLAM().resume(tmp_path / "nowhere.npz")
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for k in range(60):
        damaged = bytearray(whole)
        if k % 2:
            damaged = damaged[: rng.integers(len(whole))]
        for place in rng.integers(max(len(damaged), 1), size=4 if len(damaged) else 0):
            damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged.npz").write_bytes(damaged)
        try:
            again = ScanSLAM(max_range=FAR).resume(tmp_path / "damaged.npz")
        except FormatError:
            continue
        assert np.isfinite(again.trajectory[1]).all()  # bits that nobody reads
    np.savez(file, version="pilotage scan mapper 1", settings=[""])
    with pytest.raises(FormatError):
        ScanSLAM(max_range=FAR).resume(file)


def test_the_laser_may_be_anywhere_on_the_robot() -> None:
    """The robot turns on the spot: a laser ahead of its middle moves, but the robot does not."""
    mount, rng = np.array([0.4, -0.1, 0.7]), np.random.default_rng(2)
    poses = np.array([[1.5, 1.3, 0.15 * k] for k in range(40)])
    seen = [scan(RING, PLANE.compose(pose, mount), rng, 0.01) for pose in poses]
    for odometry in (poses, None):
        mapper = ScanSLAM(max_range=FAR).start(ANGLES, poses[0], mount=mount)
        for k, ranges in enumerate(seen):
            mapper.update(ranges, None if odometry is None else odometry[k])
        _, found = mapper.trajectory
        assert np.hypot(*(found - poses)[:, :2].T).max() < 0.05 and not mapper.lost
    grid = mapper.map(0.05)
    walls = grid.cell_to_world(np.argwhere(grid.occupied))
    assert np.quantile(np.abs(walls[walls[:, 1] < 0.2][:, 1]), 0.9) < 0.1  # of the corridor
    blind = ScanSLAM(max_range=FAR).start(ANGLES, poses[0])
    for ranges in seen:
        blind.update(ranges)
    assert np.hypot(*(blind.trajectory[1] - poses)[:, :2].T).max() > 0.3


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0, 1e9])
def test_scans_of_nothing(bad: float) -> None:
    mapper = ScanSLAM(max_range=FAR).start(ANGLES)
    for k in range(3):
        step = mapper.update(np.full(len(ANGLES), bad), [0.5 * k, 0.0, 0.0])
    assert np.allclose(step.pose, [1.0, 0.0, 0.0]) and mapper.lost == 2


@pytest.mark.parametrize(
    ("ranges", "odometry"),
    [
        (np.ones(5), [0.0, 0.0, 0.0]),
        (np.ones((1, len(ANGLES))), [0.0, 0.0, 0.0]),
        (np.ones(len(ANGLES)), [np.nan, 0.0, 0.0]),
        (np.ones(len(ANGLES)), [0.0, 0.0]),
        ("none", None),
    ],
)
def test_scans_that_are_refused_change_nothing(ranges: Any, odometry: Any) -> None:
    mapper = drive(ScanSLAM(max_range=FAR), readings(), wheels(POSES), 5)
    pose, frames = mapper.pose.copy(), len(mapper.keyframes)
    with pytest.raises(ShapeError):
        mapper.update(ranges, odometry)
    assert np.array_equal(mapper.pose, pose) and len(mapper.keyframes) == frames


@pytest.mark.parametrize(
    ("angles", "pose"),
    [
        ("all", [0, 0, 0]),
        ([], [0, 0, 0]),
        ([[0.0]], [0, 0, 0]),
        ([np.nan], [0, 0, 0]),
        ([0.0], [0, 0]),
        ([0.0], [0, 0, np.inf]),
    ],
)
def test_starts_that_are_refused(angles: Any, pose: Any) -> None:
    with pytest.raises(ShapeError):
        ScanSLAM().start(angles, pose)


@pytest.mark.parametrize("mount", [[0, 0], [0, np.nan, 0], "front"])
def test_mounts_that_are_refused(mount: Any) -> None:
    with pytest.raises(ShapeError):
        ScanSLAM().start([0.0], mount=mount)


def test_a_graph_needs_two_keyframes() -> None:
    mapper = ScanSLAM(max_range=FAR).start(ANGLES)
    with pytest.raises(ShapeError):
        _ = mapper.graph
    mapper.update(scan(RING, POSES[0]))
    with pytest.raises(ShapeError):
        _ = mapper.graph
    with pytest.raises(ShapeError):
        mapper.calibration()


@pytest.mark.slow
def test_intel_from_raw_odometry(data: Path) -> None:
    """Better than the column of Rao-Blackwellised particle filters of Kümmerle et al. (2009), 0.070 +- 0.083 m."""
    log = read_gfs_json(data / "lidar_logs/intel_raw_odometry_gfs.json.gz")
    known = read_relations(data / "lidar_logs/intel.relations.gz")
    corrected = read_carmen(data / "lidar_logs/intel-corrected.log.gz")
    mapper = ScanSLAM().start(log.angles)
    for ranges, odometry, t in zip(log.ranges, log.odometry, log.ts, strict=True):
        mapper.update(ranges, odometry, float(t))
    mapper.finish()
    ts, poses = mapper.trajectory
    errors = relation_errors(known.poses, known.times, ts, poses)
    assert errors.mean < 0.07
    assert absolute_trajectory_error(corrected.poses, poses).rmse < 0.3


@pytest.mark.slow
def test_freiburg_from_scans_alone(data: Path) -> None:
    log = read_carmen(data / "lidar_logs/freiburg-079-corrected.log.gz")
    mapper = ScanSLAM().start(log.angles)
    for ranges in np.where(log.ranges >= 50.0, np.nan, log.ranges):
        mapper.update(ranges)
    mapper.finish()
    assert absolute_trajectory_error(log.poses, mapper.trajectory[1]).rmse < 0.3
