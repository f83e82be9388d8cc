"""FastSLAM: tends to exact posteriors, shares landmarks, and needs fewer particles in version 2."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import FilterStatus, ModelError, PilotageError, ShapeError
from pilotage.core.errors import SettingError
from pilotage.estimators.slam.landmarks import EKFSLAM, LandmarkMapper
from pilotage.estimators.slam.particles import FastSLAM
from pilotage.estimators.slam.particles._pairing import likeliest
from pilotage.estimators.slam.particles._shared_landmarks import NONE, SharedLandmarks
from pilotage.models import gnss, range_bearing, range_to, unicycle

from .test_landmark_slam import PLACE, loop, offset, walk

VERSIONS = pytest.mark.parametrize("version", [1, 2])
MARKS = np.array([[3.0, 1.0], [-2.0, 4.0], [5.0, -3.0]])


def linear_drive(robots: list[LandmarkMapper], steps: int = 6) -> list[float]:
    """The logarithm of the likelihood of all readings by each mapper, on a linear problem."""
    rng, x, total = np.random.default_rng(1), np.zeros(2), np.zeros(len(robots))
    for k in range(steps):
        u = np.array([1.0, 0.5 * (-1) ** k])
        x = rng.multivariate_normal(x + u, [[0.02, 0.01], [0.01, 0.03]])
        ids = np.array([0, 1, 2])[: 2 + k % 2]
        z = MARKS[ids] - x + rng.normal(size=(len(ids), 2)) * [0.2, 0.3]
        for n, robot in enumerate(robots):
            robot.predict(0.1, u=u)
            total[n] += robot.update(offset(), z, ids=ids).log_likelihood
    return total.tolist()


@VERSIONS
def test_many_particles_tend_to_the_exact_posterior(version: Any) -> None:
    """On a linear problem EKF-SLAM is exact: its mean, covariance, landmarks, and likelihood of all readings."""
    exact = EKFSLAM(walk()).start(mean=[0.5, -0.5], std=[0.4, 0.3])
    ours = FastSLAM(walk(), version=version, particles=6000).start(mean=[0.5, -0.5], std=[0.4, 0.3], rng=0)
    first, second = linear_drive([exact, ours])
    mean, cov = exact.belief.mean, exact.belief.cov
    found = ours.belief.moments()
    assert np.abs(found.mean - mean).max() < 0.1 * np.sqrt(cov.diagonal()).min()
    assert found.cov == pytest.approx(cov, abs=0.1 * cov.max())
    assert second == pytest.approx(first, abs=0.15)
    engine: Any = ours._engine
    w, records = np.exp(engine.cloud.log_weights), engine.marks.table
    places = np.einsum("n,nlc->lc", w, engine.marks.means[records])
    assert np.abs(places - exact.map.means).max() < 0.1 * np.sqrt(exact.map.covs.max())
    spread = engine.marks.means[records] - places
    covs = np.einsum("n,nlc,nlb->lcb", w, spread, spread) + np.einsum("n,nlcb->lcb", w, engine.marks.covs[records])
    assert covs == pytest.approx(exact.map.covs, rel=0.12, abs=0.01)


@VERSIONS
def test_errors_shrink_with_the_number_of_particles(version: Any) -> None:
    exact = EKFSLAM(walk()).start(mean=[0.0, 0.0], std=0.3)
    linear_drive([exact])
    errors = []
    for particles in (20, 2000):
        settings = FastSLAM(walk(), version=version, particles=particles)
        found = []
        for seed in range(10):
            robot = settings.start(mean=[0.0, 0.0], std=0.3, rng=seed)
            linear_drive([robot])
            found.append(robot.belief.moments().mean - exact.belief.mean)
        errors.append(float(np.sqrt(np.mean(np.square(found)))))
    assert errors[1] < 0.3 * errors[0]


@VERSIONS
def test_a_tiny_problem_is_that_of_brute_force(version: Any) -> None:
    """One step on a nonlinear problem, by importance sampling of way and landmark together: no linearisation at all."""
    car, lidar = unicycle(noise=(0.3, 0.3, 0.3)), range_bearing(std=[0.3, 0.05])
    z0, u, z1 = np.array([[5.0, 0.3]]), np.array([1.0, 0.4]), np.array([[4.2, -0.1]])
    robot = FastSLAM(car, version=version, particles=4000).start(mean=[0.0, 0.0, 0.0], std=1e-6, rng=0)
    robot.update(lidar, z0, ids=[0])
    robot.predict(1.0, u=u)
    robot.update(lidar, z1, ids=[0])
    rng, count = np.random.default_rng(0), 400_000
    read = z0 + rng.normal(size=(count, 2)) * [0.3, 0.05]
    marks = read[:, :1] * np.column_stack([np.cos(read[:, 1]), np.sin(read[:, 1])])
    marks_weight = -np.log(read[:, 0])  # the prior of landmarks is flat in the plane
    x = rng.multivariate_normal(car.step(np.zeros(3), u, 1.0), car.noise(np.zeros(3), u, 1.0), count)
    logs = lidar.log_prob(z1[0], x, marks) - marks_weight
    w = np.exp(logs - logs.max())
    mean = (w / w.sum()) @ x
    std = np.sqrt((w / w.sum()) @ (x - mean) ** 2)
    found = robot.belief.moments()
    assert np.abs((found.mean - mean) / std).max() < 0.15
    assert np.sqrt(found.cov.diagonal()) == pytest.approx(std, rel=0.12)


def test_version_2_needs_fewer_particles_with_sharp_readings() -> None:
    """A precise laser and poor wheels: the effective number after a scan, and the error against EKF-SLAM."""
    share, errors = {1: [], 2: []}, {1: [], 2: []}
    for seed in range(3):
        car, lidar, _, log = loop(seed, steps=40, std=(0.01, 0.005), noise=(0.2, 0.2, 0.2))
        for version in (1, 2):
            settings = FastSLAM(car, version=version, particles=20, threshold=0.0)
            robot = settings.start(mean=[0.0, 0.0, 0.0], std=1e-3, rng=seed)
            for u, dt, x, ids, z in log[:12]:
                robot.predict(dt, u=u)
                robot.update(lidar, z, ids=ids)
                errors[version].append(np.hypot(*(robot.belief.moments().mean - x)[:2]))
                engine: Any = robot._engine
                share[version].append(1.0 / np.exp(2.0 * engine.cloud.log_weights).sum() / 20.0)
                engine.cloud.log_weights = np.full(20, -np.log(20.0))
    assert np.mean(share[2]) > 2.0 * np.mean(share[1])
    assert np.sqrt(np.mean(np.square(errors[2]))) < 0.7 * np.sqrt(np.mean(np.square(errors[1])))


@VERSIONS
@pytest.mark.parametrize("known", [True, False])
def test_a_loop_is_driven(version: Any, known: bool) -> None:
    car, lidar, marks, log = loop(5, steps=60, noise=(0.02, 0.02, 0.02))
    robot = FastSLAM(car, version=version, particles=60).start(mean=[0.0, 0.0, 0.0], std=1e-3, rng=0)
    errors = []
    for u, dt, x, ids, z in log:
        robot.predict(dt, u=u)
        robot.update(lidar, z, ids=ids if known else None)
        errors.append(np.hypot(*(robot.belief.moments().mean - x)[:2]))
    assert errors[-1] < 0.3 and max(errors) < 2.0
    apart = np.hypot(*(robot.map.proven.means[:, None] - marks).T)
    assert np.median(apart.min(axis=0)) < 1.2
    assert len(robot.map) == pytest.approx(len(np.unique(np.concatenate([each[3] for each in log]))), abs=3)


# --- landmarks that are shared ---


def test_shared_records_are_landmarks_copied_in_full() -> None:
    rng, count, shared = np.random.default_rng(0), 5, SharedLandmarks(5, 2)
    full: list[dict[int, Any]] = [{} for _ in range(count)]
    for k in range(60):
        rows = np.flatnonzero(rng.random(count) < 0.7)
        means, covs, facts = (
            rng.normal(size=(len(rows), 1, 2)),
            rng.normal(size=(len(rows), 1, 2, 2)),
            np.ones((len(rows), 1, 3)),
        )
        if k % 3 == 0 and len(rows):
            shared.add(rows, np.array([k]), means, covs, facts)
            for n, mean in zip(rows, means[:, 0], strict=True):
                full[n][k] = mean
        i, j = np.nonzero(shared.there & (rng.random(shared.table.shape) < 0.3))
        values = rng.normal(size=(len(i), 2))
        shared.put(i, j, values, np.zeros((len(i), 2, 2)), np.zeros((len(i), 3)))
        for n, column, value in zip(i, j, values, strict=True):
            full[n][int(shared.ids[column])] = value
        index = rng.integers(count, size=count)
        shared.resample(index)
        full = [dict(full[n]) for n in index]
        counted = np.bincount(shared.table[shared.there], minlength=len(shared.references))
        assert np.array_equal(shared.references, counted)
    for n in range(count):
        held = {int(id): shared.means[r] for id, r in zip(shared.ids, shared.table[n], strict=True) if r != NONE}
        assert held.keys() == full[n].keys()
        assert all(np.array_equal(held[id], full[n][id]) for id in held)


def test_memory_is_that_of_what_differs() -> None:
    car, lidar, _, log = loop(0, steps=60)
    robot = FastSLAM(car, particles=100).start(mean=[0.0, 0.0, 0.0], std=1e-3, rng=0)
    for u, dt, _, ids, z in log:
        robot.predict(dt, u=u)
        robot.update(lidar, z, ids=ids)
    marks = robot._engine.marks  # type: ignore[attr-defined]
    assert marks.used < 0.7 * marks.there.sum()


# --- associations ---


def test_the_likeliest_pairs_are_made_first() -> None:
    d = np.array([[[1.0, 2.0], [0.5, 8.0], [50.0, 60.0], [12.0, 40.0]]])
    assert likeliest(d, np.zeros((1, 2)), 9.0, 20.0).tolist() == [[1, 0, -1, -2]]
    assert likeliest(np.zeros((2, 3, 0)), np.zeros((2, 0)), 9.0, 20.0).tolist() == [[-1] * 3] * 2


def test_particles_hold_different_associations() -> None:
    """Two landmarks so near that the pose decides between them: some particles pair one way, some the other."""
    lidar, car = range_bearing(std=[0.05, 0.02]), unicycle(noise=(0.3, 0.01, 0.6))
    robot = FastSLAM(car, version=1, particles=200, threshold=0.0).start(mean=[0.0, 0.0, 0.0], std=1e-6, rng=0)
    robot.update(lidar, [[5.0, 0.0], [5.0, 0.3]])
    robot.predict(0.25, u=[0.0, 0.0])
    robot.update(lidar, [[5.0, 0.15]])
    engine: Any = robot._engine
    seen = engine.marks.facts[engine.marks.table[:, :2], 0] == 2.0
    assert seen[:, 0].any() and seen[:, 1].any() and not seen.all(axis=1).any()


def test_negative_evidence_removes_what_is_not_there() -> None:
    lidar, still = range_bearing(std=[0.1, 0.02]), unicycle(noise=(0.01, 0.01, 0.01))
    view = ((0.0, -1.5), (10.0, 1.5))
    robot = FastSLAM(still, particles=20, view=view, gate=0.999).start(mean=[0.0, 0.0, 0.0], std=1e-3, rng=0)
    robot.update(lidar, [[5.0, 0.5], [4.0, -0.5], [20.0, 0.0]])
    for k in range(4):
        robot.predict(0.1)
        found = robot.update(lidar, [[5.0, 0.5]])
        assert len(robot.map) == (2 if k >= 1 else 3)  # the far one is out of view
        assert found.removed.tolist() == ([1] if k == 1 else [])


def test_landmarks_that_do_not_prove_themselves_are_removed() -> None:
    robot = FastSLAM(unicycle(), particles=10, patience=3).start(mean=[0.0, 0.0, 0.0], std=1e-3, rng=0)
    lidar = range_bearing()
    robot.update(lidar, [[5.0, 0.5], [4.0, -0.5]])
    for _ in range(4):
        robot.update(lidar, [[5.0, 0.5]])
    assert robot.map.ids.tolist() == [0] and robot.map.confirmed.all()


# --- the shell ---


def test_seeds_reproduce_and_copies_go_on_alike() -> None:
    car, lidar, _, log = loop(1, steps=30)
    settings = FastSLAM(car, particles=20)
    first, again = (settings.start(mean=[0, 0, 0], std=1e-3, rng=3) for _ in range(2))
    for robot in (first, again):
        for u, dt, _, _, z in log[:8]:
            robot.predict(dt, u=u)
            robot.update(lidar, z)
    assert np.array_equal(first.belief.means, again.belief.means)
    copies = [copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
    for robot in (first, *copies):
        u, dt, _, _, z = log[8]
        robot.predict(dt, u=u)
        robot.update(lidar, z)
    assert all(np.array_equal(first.belief.means, each.belief.means) for each in copies)
    assert all(np.array_equal(first.map.means, each.map.means) for each in copies)


@VERSIONS
def test_sensors_of_the_vehicle_correct_it(version: Any) -> None:
    exact = EKFSLAM(walk()).start(mean=[0.0, 0.0], std=1.0)
    ours = FastSLAM(walk(), version=version, particles=5000).start(mean=[0.0, 0.0], std=1.0, rng=0)
    for robot in (exact, ours):
        robot.update(gnss(std=0.5), [0.7, -0.4])
    found = ours.belief.moments()
    assert found.mean == pytest.approx(exact.belief.mean, abs=0.04)
    assert found.cov == pytest.approx(exact.belief.cov, abs=0.03)
    assert ours.update(gnss(std=0.5), [np.nan, np.nan]).status is FilterStatus.NO_READING


def test_a_landmark_that_is_seen_twice_in_a_scan_is_used_twice() -> None:
    rows, exact = [[3.0, 1.0], [3.2, 1.1], [2.9, 0.8]], EKFSLAM(walk()).start(mean=[0.0, 0.0], std=1e-9)
    ours = FastSLAM(walk(), particles=5).start(mean=[0.0, 0.0], std=1e-9, rng=0)
    for robot in (exact, ours):
        assert robot.update(offset(), rows, ids=[4, 4, 4]).ids.tolist() == [4, 4, 4]
    assert ours.map.means == pytest.approx(exact.map.means, abs=1e-6)
    assert ours.map.covs == pytest.approx(exact.map.covs, abs=1e-6)


def test_empty_scans_and_rows_of_nan() -> None:
    robot = FastSLAM(unicycle(), particles=5).start(mean=[0.0, 0.0, 0.0], std=0.1, rng=0)
    assert robot.update(range_bearing(), None).status is FilterStatus.NO_READING
    assert robot.update(range_bearing(), [[np.nan, np.nan], [5.0, 0.1]]).ids.tolist() == [-1, 0]
    assert robot.update(range_bearing(), [], ids=[]).status is FilterStatus.NO_READING


@pytest.mark.parametrize(
    ("z", "ids"),
    [([[1.0]], None), ([[np.inf, 0.0]], None), ([[5.0, 0.1]], [1.5]), ([[5.0, 0.1]], [1, 2]), ("far", None)],
)
def test_scans_that_are_refused_change_nothing(z: Any, ids: Any) -> None:
    robot = FastSLAM(unicycle(), particles=5).start(mean=[0.0, 0.0, 0.0], std=0.1, rng=0)
    robot.update(range_bearing(), [[5.0, 0.1]])
    before, count = robot.belief.means.copy(), len(robot.map)
    with pytest.raises((ShapeError, PilotageError)):
        robot.update(range_bearing(), z, ids=ids)
    assert np.array_equal(robot.belief.means, before) and len(robot.map) == count


def test_what_is_refused() -> None:
    with pytest.raises(ModelError):
        FastSLAM().start(mean=[0.0, 0.0], std=1.0)
    with pytest.raises(ModelError, match="determine"):
        FastSLAM(walk()).start(mean=[0.0, 0.0], std=1.0).update(range_to(), [[1.0]], ids=[0])
    wrongs: list[dict[str, Any]] = [{"version": 3}, {"particles": 0}, {"gate": 0.9, "new": 0.5}, {"detection": 0.3}]
    for wrong in wrongs:
        with pytest.raises(SettingError):
            FastSLAM(walk(), **wrong)
    robot = FastSLAM(unicycle(), particles=5).start(mean=[0.0, 0.0, 0.0], std=0.1, rng=0)
    assert PLACE.names == ("x", "y") and not len(robot.map)
    before = robot.belief.means.copy()
    with pytest.raises((ShapeError, PilotageError)):
        robot.predict(0.1, u=[np.nan, 0.0])
    assert np.array_equal(robot.belief.means, before)


def test_a_landmark_that_only_some_particles_hold_keeps_its_column() -> None:
    """Its id has one column, also after those that lack it have begun it."""
    robot = FastSLAM(unicycle(noise=(0.1, 0.1, 0.1)), dt=0.5, particles=10)
    mapper, sensor = robot.start(mean=[0, 0, 0], std=1e-3, rng=0), range_bearing(std=[0.3, 0.1])
    mapper.update(sensor, [[4.0, 0.1]], ids=[6])
    marks: Any = mapper._engine.marks  # pyright: ignore[reportAttributeAccessIssue]
    marks.remove(np.arange(10)[:, None] % 2 == 0)
    for _ in range(3):
        mapper.update(sensor, [[4.0, 0.1]], ids=[6])
    marks = mapper._engine.marks  # pyright: ignore[reportAttributeAccessIssue]
    assert marks.ids.tolist() == [6] and marks.there.all()
