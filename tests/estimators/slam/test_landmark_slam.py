"""SLAM by landmarks: against batch solutions, brute force and factor graphs, and with input of all kinds."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from pilotage.core import FilterStatus, ModelError, PilotageError, ShapeError, Space
from pilotage.core.errors import SettingError
from pilotage.estimators.joint_compatibility import joint_pairing
from pilotage.estimators.slam import FactorGraph, Factors, GaussNewton, Variables
from pilotage.estimators.slam.landmarks import (
    EKFSLAM,
    DelayedInitiation,
    InvariantEKFSLAM,
    JointCompatibility,
    NearestNeighbor,
)
from pilotage.estimators.slam.landmarks.association import UNCLEAR
from pilotage.models import (
    absolute_pose,
    bicycle,
    discrete_dynamics,
    dynamics,
    gnss,
    range_bearing,
    range_to,
    relative_pose,
    relative_position,
    sensor,
    unicycle,
)

PLACE, POSE = Space("x y [m]"), Space("pose: SE2")
BOTH = pytest.mark.parametrize("algorithm", [EKFSLAM, InvariantEKFSLAM])


@discrete_dynamics(state=PLACE, action=Space("dx dy [m]"), noise=lambda x, u, dt, p, m: [[0.02, 0.01], [0.01, 0.03]])
def walk(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """A linear vehicle without a heading."""
    return x[0] + u[0], x[1] + u[1]


@sensor(state=PLACE, reading=Space("dx dy [m]"), context=PLACE, std=(0.2, 0.3))
def offset(x: Any, c: Any, p: Any, m: Any) -> Any:
    """A linear sensor of landmarks."""
    return c[0] - x[0], c[1] - x[1]


@discrete_dynamics(
    state=POSE,
    action=Space("forward left [m]", "turn [rad]"),
    noise=lambda x, u, dt, p, m: [[p.a**2, 0, 0], [0, p.a**2, 0], [0, 0, p.b**2]],
    params={"a": 0.05, "b": 0.02},
)
def odometer(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """A pose that moves by what the odometry says."""
    c, s = m.cos(x[2]), m.sin(x[2])
    return x[0] + c * u[0] - s * u[1], x[1] + s * u[0] + c * u[1], x[2] + u[2]


def loop(
    seed: int,
    *,
    laps: int = 1,
    radius: float = 10.0,
    steps: int = 80,
    noise: Any = (0.05, 0.05, 0.05),
    std: Any = (0.1, 0.02),
    see: float = 12.0,
) -> tuple[Any, Any, Any, list[Any]]:
    """A unicycle that drives in circles between landmarks: dynamics, sensor, landmarks, and u, dt, x, ids, z a step."""
    rng, car, lidar = np.random.default_rng(seed), unicycle(noise=noise), range_bearing(std=std)
    turn = 2.0 * np.pi * np.arange(24) / 24.0
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    marks = np.array([0.0, radius]) + np.vstack([(radius + 3.0) * ring, (radius - 3.0) * ring])
    x, u, dt = np.zeros(3), np.array([2.0, 2.0 / radius]), np.pi * radius / steps
    log = []
    for _ in range(laps * steps):
        x = car.state.normalize(rng.multivariate_normal(car.step(x, u, dt), car.noise(x, u, dt)))
        ids = np.flatnonzero(np.hypot(*(marks - x[:2]).T) < see)
        log.append((u, dt, x, ids, lidar.sample(x, marks[ids], rng=rng)))
    return car, lidar, marks, log


def driven(slam: Any, lidar: Any, log: list[Any], known: bool = True) -> tuple[Any, Any]:
    """The mapper at the end of a drive, and the NEES of the pose on the way."""
    robot, nees = slam.start(mean=[0.0, 0.0, 0.0], std=1e-3), []
    for u, dt, x, ids, z in log:
        robot.predict(dt, u=u)
        robot.update(lidar, z, ids=ids if known else None)
        e = slam.dynamics.state.minus(x, robot.belief.mean)
        nees.append(e @ np.linalg.solve(robot.belief.cov, e))
    return robot, np.array(nees)


# --- the filter against batch solutions ---


def test_linear_problem_is_the_batch_solution() -> None:
    """With linear models, EKF-SLAM is least squares over all poses and landmarks at once, in mean and covariance."""
    rng, steps, marks = np.random.default_rng(1), 12, np.array([[3.0, 1.0], [-2.0, 4.0], [5.0, -3.0]])
    robot = EKFSLAM(walk()).start(mean=[0.5, -0.5], std=[0.4, 0.3])
    unknowns = 2 * (steps + 1 + len(marks))
    rows, values = [np.eye(2, unknowns) / [[0.4], [0.3]]], [np.array([0.5, -0.5]) / [0.4, 0.3]]
    root, x, seen = np.linalg.inv(np.linalg.cholesky([[0.02, 0.01], [0.01, 0.03]])), np.zeros(2), set[int]()
    for k in range(steps):
        u = rng.normal(size=2)
        x = x + u + np.linalg.solve(root, rng.normal(size=2))
        A = np.zeros((2, unknowns))
        A[:, 2 * k : 2 * k + 2], A[:, 2 * k + 2 : 2 * k + 4] = -np.eye(2), np.eye(2)
        rows.append(root @ A)
        values.append(root @ u)
        robot.predict(1.0, u=u)
        ids = rng.choice(3, rng.integers(0, 4), replace=False) if k else np.array([2])
        z = marks[ids] - x + rng.normal(size=(len(ids), 2)) * [0.2, 0.3]
        for j, each in zip(ids, z, strict=True):
            A = np.zeros((2, unknowns))
            A[:, 2 * k + 2 : 2 * k + 4], A[:, 2 * (steps + 1 + j) :][:, :2] = -np.eye(2), np.eye(2)
            rows.append(A / [[0.2], [0.3]])
            values.append(each / [0.2, 0.3])
        assert robot.update(offset(), z, ids=ids).ids.tolist() == ids.tolist()
        seen |= set(ids.tolist())
    assert seen == {0, 1, 2}
    A, b = np.vstack(rows), np.concatenate(values)
    P = np.linalg.inv(A.T @ A)
    best = P @ A.T @ b
    now = slice(2 * steps, 2 * steps + 2)
    np.testing.assert_allclose(robot.belief.mean, best[now], atol=1e-9)
    np.testing.assert_allclose(robot.belief.cov, P[now, now], atol=1e-9)
    for j in range(3):
        own = slice(2 * (steps + 1 + j), 2 * (steps + 2 + j))
        np.testing.assert_allclose(robot.map.belief(j).mean, best[own], atol=1e-9)
        np.testing.assert_allclose(robot.map.belief(j).cov, P[own, own], atol=1e-9)


@BOTH
def test_close_to_the_factor_graph(algorithm: Any) -> None:
    """Where the noise is small, the map is that of full smoothing, to a fraction of its standard deviations."""
    rng, marks, steps = np.random.default_rng(3), np.random.default_rng(4).uniform(-8.0, 8.0, (8, 2)), 60
    car, lidar = odometer(a=0.02, b=0.01), range_bearing(std=(0.1, 0.02), reads=("pose.x", "pose.y", "pose.yaw"))
    robot, x, poses, us, seen = algorithm(car).start(std=1e-4), np.zeros(3), [np.zeros(3)], [], []
    for k in range(steps):
        u = np.array([0.5, 0.0, 0.15])
        x = np.asarray(POSE.plus(car.step(x, u, 1.0), rng.normal(size=3) * [0.02, 0.02, 0.01]))
        robot.predict(1.0, u=u)
        ids = np.flatnonzero(np.hypot(*(marks - x[:2]).T) < 9.0)
        z = lidar.sample(x, marks[ids], rng=rng)
        robot.update(lidar, z, ids=ids)
        us.append(u)
        poses.append(x)
        seen += [(k + 1, j, each) for j, each in zip(ids, z, strict=True)]
    at, which, z = (np.array(each) for each in zip(*seen, strict=True))
    graph = FactorGraph(
        {"pose": Variables(POSE, np.array(poses), fixed=[0]), "mark": Variables(PLACE, marks)},
        [
            Factors(
                relative_pose(std=(0.02, 0.02, 0.01)),
                np.array(us),
                ("pose", range(steps)),
                ("pose", range(1, steps + 1)),
            ),
            Factors(range_bearing(std=(0.1, 0.02)), z, ("pose", at), ("mark", which)),
        ],
    )
    solution = GaussNewton().solve(graph)
    assert len(robot.map) == len(marks)
    for j in range(len(marks)):
        ours, best = robot.map.belief(j), solution.belief("mark", j)
        assert (abs(ours.mean - best.mean) < 0.35 * best.std).all()
        np.testing.assert_allclose(ours.std, best.std, rtol=0.15)


# --- consistency ---


def test_a_robot_that_stands_still_learns_no_heading() -> None:
    """Landmarks of unknown places tell nothing of the heading: the invariant filter knows it, EKF-SLAM does not.

    Source: Julier and Uhlmann, "A counter example to the theory of simultaneous localization and map building", 2001.
    """
    lidar, rng, heading = range_bearing(std=[0.1, 0.1]), np.random.default_rng(0), {}
    marks = np.array([[6.0, 2.0], [3.0, -5.0], [-4.0, 4.0]])
    scans = [lidar.sample(np.zeros(3), marks, rng=rng) for _ in range(60)]
    for algorithm in (EKFSLAM, InvariantEKFSLAM):
        robot = algorithm(unicycle(noise=(0.0, 0.0, 0.0))).start(mean=[0.0, 0.0, 0.0], std=[0.1, 0.1, 0.2])
        for z in scans:
            robot.predict(0.1)
            robot.update(lidar, z, ids=[0, 1, 2])
        heading[algorithm] = robot.belief.std[2]
    assert heading[InvariantEKFSLAM] == pytest.approx(0.2, rel=1e-6)
    assert heading[EKFSLAM] < 0.19


def test_the_two_kinds_of_poses_are_one() -> None:
    """A pose of three numbers and one of kind SE2 lead the invariant filter to the same beliefs."""
    rng, marks = np.random.default_rng(5), np.array([[4.0, 1.0], [2.0, -3.0], [6.0, 5.0]])
    flat = InvariantEKFSLAM(unicycle(noise=(0.0, 0.0, 0.0))).start(mean=[0.0, 0.0, 0.0], std=[0.3, 0.3, 0.2])
    whole = InvariantEKFSLAM(odometer(a=0.0, b=0.0)).start(std=[0.3, 0.3, 0.2])
    lidar = range_bearing(std=[0.2, 0.05])
    for k in range(15):
        z = lidar.sample([0.1 * k, 0.0, 0.0], marks, rng=rng)
        flat.predict(0.1, u=[1.0, 0.0])
        whole.predict(0.1, u=[0.1, 0.0, 0.0])
        flat.update(lidar, z, ids=[0, 1, 2])
        whole.update(range_bearing(std=[0.2, 0.05], reads=("pose.x", "pose.y", "pose.yaw")), z, ids=[0, 1, 2])
    np.testing.assert_allclose(flat.belief.mean, whole.belief.mean, atol=1e-9)
    np.testing.assert_allclose(flat.map.means, whole.map.means, atol=1e-9)
    np.testing.assert_allclose(flat.map.covs, whole.map.covs, atol=1e-9)


# --- association ---


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 3))
def test_joint_compatibility_is_the_best_of_all_hypotheses(seed: int, K: int, L: int) -> None:
    """With landmarks that are uncertain themselves, so that no state explains all correlations."""
    rng, m = np.random.default_rng(seed), 2
    root = rng.normal(size=(L * m, L * m + 2))
    G, R = root @ root.T, np.stack([np.diag(rng.uniform(0.2, 2.0, m)) for _ in range(L)])
    y = rng.normal(size=(K, L, m)) * 4.0
    ranked = []
    for way in itertools.product(range(-1, L), repeat=K):
        pairs = [(i, j) for i, j in enumerate(way) if j >= 0]
        if len({j for _, j in pairs}) < len(pairs):
            continue
        rows = [j * m + a for _, j in pairs for a in range(m)]
        S, e = G[np.ix_(rows, rows)].copy(), np.concatenate([np.zeros(0), *(y[i, j] for i, j in pairs)])
        for k, (_, j) in enumerate(pairs):
            S[m * k : m * k + m, m * k : m * k + m] += R[j]
        single = [slice(m * k, m * k + m) for k in range(len(pairs))]
        D = [e[s] @ np.linalg.solve(S[s, s], e[s]) for s in single]
        if pairs and (max(D) > chi2.ppf(0.95, m) or e @ np.linalg.solve(S, e) > chi2.ppf(0.95, m * len(pairs))):
            continue
        cost = e @ np.linalg.solve(S, e) + np.linalg.slogdet(S)[1] if pairs else 0.0
        ranked.append((-len(pairs), cost, way))
    assert joint_pairing(y, G, R, 0.95).tolist() == list(min(ranked)[2])


def test_a_search_that_gives_up_has_a_compatible_answer() -> None:
    """Of twelve detections that each fit twelve landmarks, the search cannot look at all pairings."""
    rng, n = np.random.default_rng(0), 12
    y = rng.normal(size=(n, n, 1)) * 0.5
    found = joint_pairing(y, np.ones((n, n)), np.ones((n, 1, 1)), 0.99, tries=300)
    used = found[found >= 0]
    assert len(used) == len(set(used.tolist())) == n
    S = np.ones((n, n)) + np.eye(n)
    e = y[np.arange(n), found, 0]
    assert e @ np.linalg.solve(S, e) <= chi2.ppf(0.99, n)


def test_joint_compatibility_where_the_nearest_neighbour_is_wrong() -> None:
    """The whole scan is shifted by nearly the distance of two landmarks: only one pairing explains all of it."""
    marks, shift = np.array([0.0, 1.0, 2.5]), 0.9
    y = (marks[:2, None] + shift - marks)[..., None]
    G, R = np.ones((3, 3)), np.full((3, 1, 1), 0.01)
    assert JointCompatibility(odds=1.0).pair(y, G, R).tolist() == [0, 1]
    assert NearestNeighbor().pair(y, G, R).tolist() == [1, 2]


def test_a_vague_pose_recognises_several_landmarks_but_not_one() -> None:
    """Where any landmark would fit, one detection says nothing; three that fit together are no coincidence."""
    G: Any = np.kron(np.ones((3, 3)), 4.0 * np.eye(2))
    R = np.tile(0.01 * np.eye(2), (3, 1, 1))
    marks = np.array([[0.0, 0.0], [5.0, 1.0], [-3.0, 4.0]])
    y = marks[:, None] + [1.0, -1.0] - marks
    joint, density = JointCompatibility(), np.full(3, 0.1)
    assert joint.pair(y, G, R).tolist() == [0, 1, 2]
    assert joint.pair(y, G, R, density).tolist() == [0, 1, 2]
    assert joint.pair(y[:1, :1], G[:2, :2], R[:1]).tolist() == [0]
    assert joint.pair(y[:1, :1], G[:2, :2], R[:1], density[:1]).tolist() == [UNCLEAR]


@pytest.mark.parametrize("seed", range(3))
def test_a_park_without_ids(seed: int) -> None:
    """Two rounds through trees at least 4 m apart, some seen at a time, with an odometry that drifts by 10 m."""
    rng, car, laser = np.random.default_rng(seed), unicycle(noise=(0.1, 0.1, 0.03)), range_bearing(std=[0.2, 0.02])
    trees = np.zeros((0, 2))
    for p in rng.uniform(-50.0, 50.0, (250, 2)):
        if not len(trees) or np.hypot(*(trees - p).T).min() > 4.0:
            trees = np.vstack([trees, p])
    x, u, owner = np.zeros(3), np.array([2.0, 0.08]), dict[int, list[int]]()
    robot = InvariantEKFSLAM(car, dt=0.25).start(mean=x, std=1e-3)
    for _ in range(700):
        x = car.state.normalize(rng.multivariate_normal(car.step(x, u, 0.25), car.noise(x, u, 0.25)))
        ids = np.flatnonzero((np.hypot(*(trees - x[:2]).T) < 12.0) & (rng.random(len(trees)) < 0.3))
        robot.predict(u=u)
        for found, true in zip(robot.update(laser, laser.sample(x, trees[ids], rng=rng)).ids, ids, strict=True):
            owner.setdefault(int(found), []).append(int(true))
    main = [max(set(owner[int(i)]), key=owner[int(i)].count) for i in robot.map.proven.ids]
    assert len(main) - len(set(main)) <= 1, "each tree is on the map once"
    wrong = sum(len(each) - each.count(max(set(each), key=each.count)) for id, each in owner.items() if id >= 0)
    assert wrong <= 0.01 * sum(map(len, owner.values()))
    e = car.state.minus(x, robot.belief.mean)
    assert e @ np.linalg.solve(robot.belief.cov, e) < chi2.ppf(0.999, 3)


@pytest.mark.parametrize("association", [JointCompatibility(), NearestNeighbor()], ids=lambda a: type(a).__name__)
def test_a_lap_without_ids(association: Any) -> None:
    """Every detection is paired with the landmark that it shows, and the loop closes: as good as with ids."""
    car, lidar, marks, log = loop(2, noise=(0.02, 0.02, 0.02), std=(0.1, 0.01), see=7.0)
    slam = EKFSLAM(car, association=association)
    robot, owner = slam.start(mean=[0.0, 0.0, 0.0], std=1e-3), dict[int, int]()
    for u, dt, _, ids, z in log:
        robot.predict(dt, u=u)
        for found, true in zip(robot.update(lidar, z).ids.tolist(), ids.tolist(), strict=True):
            if found >= 0:
                assert owner.setdefault(found, true) == true, "a landmark is taken for another"
    shown = [owner[int(i)] for i in robot.map.proven.ids]
    assert sorted(shown) == list(range(len(marks))), "each landmark is on the map once"
    truth = np.array([marks[owner[int(i)]] for i in robot.map.ids])
    e = robot.map.means - truth
    nees = np.einsum("ki,kij,kj->k", e, np.linalg.inv(robot.map.covs), e)
    assert np.median(nees) < 5.0


def test_a_loop_that_closes_moves_the_whole_map() -> None:
    """On the way around the pose gets uncertain; when the first landmarks come back, it is certain again."""
    car, lidar, _, log = loop(4, noise=(0.05, 0.05, 0.03), see=5.0)
    robot, stds = EKFSLAM(car).start(mean=[0.0, 0.0, 0.0], std=1e-3), []
    middle, late = 0.0, 0
    for k, (u, dt, _, ids, z) in enumerate(log):
        robot.predict(dt, u=u)
        robot.update(lidar, z, ids=ids)
        stds.append(robot.belief.std[:2].max())
        if k == 60:
            late = int(robot.map.ids[-1])
            middle = robot.map.belief(late).std.max()
    assert stds[-1] < 0.5 * max(stds)
    assert robot.map.belief(late).std.max() < 0.8 * middle


def test_landmarks_prove_themselves() -> None:
    """A detection of nothing begins a landmark that is removed; real ones are confirmed."""
    lidar, robot = range_bearing(), EKFSLAM(unicycle(), dt=0.1, confirm=3, patience=5).start(std=0.01)
    real = np.array([[5.0, 0.3], [4.0, -1.0]])
    first = robot.update(lidar, [*real, [7.0, 2.0]])
    assert first.ids.tolist() == [0, 1, 2] and first.new.all()
    assert not robot.map.confirmed.any()
    removed = list[int]()
    for _ in range(5):
        found = robot.update(lidar, real)
        assert found.ids.tolist() == [0, 1] and not found.new.any()
        removed += found.removed.tolist()
    assert removed == [2] and robot.map.ids.tolist() == [0, 1] and robot.map.confirmed.all()
    assert robot.update(lidar, [[7.0, 2.0]]).ids.tolist() == [3], "ids are not used twice"
    assert len(robot.map.proven) == 2


# --- landmarks that one reading does not determine ---


def beacons(algorithm: Any, us: Any, std: float = 0.1) -> tuple[Any, Any, list[int]]:
    """A mapper that reads ranges to two beacons, the true pose, and the lengths of the map."""
    rng, car, sonar = np.random.default_rng(1), unicycle(noise=(0.01, 0.01, 0.01)), range_to(std=std)
    marks, x, counts = np.array([[4.0, 6.0], [9.0, -3.0]]), np.zeros(3), []
    robot = algorithm(car, dt=0.5).start(mean=[0.0, 0.0, 0.0], std=1e-3)
    for u in us:
        x = rng.multivariate_normal(car.step(x, u, 0.5), car.noise(x, u, 0.5))
        robot.predict(u=u)
        robot.update(sonar, sonar.sample(x[:2], marks, rng=rng), ids=[3, 8])
        counts.append(len(robot.map))
    return robot, x, counts


@BOTH
def test_range_only_landmarks_begin_after_a_turn(algorithm: Any) -> None:
    """On a straight road a beacon may lie on either side; after a turn it is where it is, and no reading is lost."""
    straight, turning = [[1.0, 0.0]] * 14, [[1.0, 0.6]] * 16
    robot, _, counts = beacons(algorithm, straight)
    assert counts[-1] == 0, "two places explain the readings"
    robot, x, counts = beacons(algorithm, straight + turning)
    assert counts[-1] == 2 and sorted(robot.map.ids.tolist()) == [3, 8]
    for id, place in ((3, [4.0, 6.0]), (8, [9.0, -3.0])):
        e, cov = robot.map.belief(id).mean - place, robot.map.belief(id).cov
        assert e @ np.linalg.solve(cov, e) < chi2.ppf(0.999, 2)
        assert np.sqrt(cov.trace()) < 0.3
    e = robot.dynamics.state.minus(x, robot.belief.mean)
    assert e @ np.linalg.solve(robot.belief.cov, e) < chi2.ppf(0.999, 3)


def test_readings_of_one_component_do_not_begin_a_landmark_of_two() -> None:
    """They wait; once another sensor has begun it, they make it more certain along their component alone."""

    @sensor(state=PLACE, reading=Space("along [m]"), context=PLACE, params={"c": 1.0, "s": 0.0}, std=0.1)
    def along(x: Any, c: Any, p: Any, m: Any) -> Any:
        return (p.c * (c[0] - x[0]) + p.s * (c[1] - x[1]),)

    robot = EKFSLAM(walk(), initiation=DelayedInitiation(precision=10.0)).start(mean=[0.0, 0.0], std=0.2)
    assert robot.update(along(), [[3.1]], ids=[0]).ids.tolist() == [-1]
    assert len(robot.map) == 0
    robot.predict(1.0, u=[0.5, 0.0])
    robot.update(offset(), [[2.0, 1.0]], ids=[0])  # begins it by itself
    assert robot.map.ids.tolist() == [0]
    before = robot.map.belief(0).std.copy()
    robot.update(along(), [[2.1]], ids=[0])
    assert robot.map.belief(0).std[0] < before[0] and robot.map.belief(0).std[1] <= before[1] + 1e-12


def test_the_readings_of_a_beacon_are_thinned_out() -> None:
    """A beacon that stays ambiguous keeps a bounded number of clones."""
    robot, _, counts = beacons(lambda car, dt: EKFSLAM(car, dt=dt, initiation=DelayedInitiation(readings=8)),
                               [[0.5, 0.0]] * 60)  # fmt: skip
    assert counts[-1] == 0
    assert robot._engine.joint.n <= 3 + 2 * 8 * 3


# --- spaces and shells ---


def test_landmarks_in_space() -> None:
    """Poses in space that see landmarks in space."""
    state = Space("pose: SE3")

    @discrete_dynamics(state=state, action=Space("forward [m]"), noise=lambda x, u, dt, p, m: [1e-6] * 6)
    def flyer(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        return [x[0] + u[0], *x[1:]]

    marks, camera, rng = np.array([[5.0, 1.0, 2.0], [6.0, -2.0, -1.0]]), relative_position(3, std=0.05), None
    robot, x, rng = EKFSLAM(flyer()).start(std=1e-3), state.identity(), np.random.default_rng(0)
    for _ in range(20):
        x[0] += 0.1
        robot.predict(1.0, u=[0.1])
        assert robot.update(camera, camera.sample(x, marks, rng=rng)).ids.tolist() == [0, 1]
    np.testing.assert_allclose(robot.map.means, marks, atol=0.1)


@BOTH
def test_a_vehicle_with_more_than_a_pose(algorithm: Any) -> None:
    """A car with a speed; GNSS fixes go in beside the landmarks."""
    robot = algorithm(bicycle(), dt=0.1).start(
        mean=[0.0, 0.0, 0.0, 2.0], std=[0.5, 0.5, 0.1, 0.5], sensors={"lidar": range_bearing(), "fix": gnss(std=0.2)}
    )
    for _ in range(20):
        robot.predict(u=[0.0, 0.1])
        robot.update("lidar", [[5.0, 0.1], [7.0, -0.4]], ids=[0, 1])
    before = robot.belief.std.copy()
    found = robot.update("fix", [4.0, 0.4])
    assert found.status is FilterStatus.ACCEPTED and found.dof == 2 and found.ids.shape == (0,)
    assert (robot.belief.std[:2] < before[:2]).all()
    assert robot.update("fix", [np.nan, np.nan]).status is FilterStatus.NO_READING
    assert robot.t == pytest.approx(2.0)


def test_times() -> None:
    robot = EKFSLAM(unicycle(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.01, sensors={"lidar": range_bearing()})
    robot.update("lidar", [[5.0, 0.0]], t=0.35, u=[1.0, 0.0])
    assert robot.t == pytest.approx(0.35) and robot.belief.mean[0] == pytest.approx(0.35, abs=1e-6)
    with pytest.raises(PilotageError, match="u = "):
        robot.update("lidar", [[5.0, 0.0]], u=[1.0, 0.0])
    with pytest.raises(PilotageError):
        robot.update("lidar", [[5.0, 0.0]], t=0.1)


def test_dynamics_without_rates_take_a_way_in_one_step() -> None:
    """An odometer moves by all of u, however long it took; poses that were not measured say nothing."""
    robot = InvariantEKFSLAM(odometer(), dt=0.1).start(std=0.1)
    robot.predict(to=2.5, u=[1.0, 0.0, 0.1])
    assert robot.t == pytest.approx(2.5)
    np.testing.assert_allclose(robot.belief.mean, [1.0, 0.0, 0.1], atol=1e-12)
    assert robot.update(absolute_pose(), [np.nan] * 3).status is FilterStatus.NO_READING
    assert robot.update(absolute_pose(), [1.0, 0.0, 0.1], t=3.0, u=[0.0, 0.0, 0.0]).dof == 3


def test_a_way_that_fails_is_not_begun() -> None:
    """A model that has no answer from x = 1 on: the steps before are taken back."""

    @dynamics(state=Space("x y [m]", "yaw: angle"), action=Space("speed [m/s]"), noise=(0.1, 0.1, 0.1))
    def edge(x: Any, u: Any, p: Any, m: Any) -> Any:
        return u[0] + 1e-9 * m.sqrt(1.0 - x[0]), 0.0, 0.0

    robot = EKFSLAM(edge(), dt=0.25).start(mean=[0.0, 0.0, 0.0], std=0.1)
    with pytest.raises(ModelError, match="edge"):
        robot.predict(to=3.0, u=[1.0])
    assert robot.t == 0.0 and robot.belief.mean.tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(robot.belief.std, 0.1)


def test_copies_go_on_alone() -> None:
    car, lidar, _, log = loop(0)
    robot, _ = driven(EKFSLAM(car), lidar, log[:20])
    twin, sent = copy.deepcopy(robot), pickle.loads(pickle.dumps(robot))
    mean = robot.belief.mean
    u, dt, _, ids, z = log[20]
    for each in (twin, sent):
        each.predict(dt, u=u)
        each.update(lidar, z, ids=ids)
    np.testing.assert_array_equal(robot.belief.mean, mean)
    robot.predict(dt, u=u)
    robot.update(lidar, z, ids=ids)
    for each in (twin, sent):
        np.testing.assert_array_equal(each.belief.mean, robot.belief.mean)
        np.testing.assert_array_equal(each.map.covs, robot.map.covs)


# --- bad input ---


def test_scans_without_detections() -> None:
    lidar, robot = range_bearing(), EKFSLAM(unicycle(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.01)
    for empty in ([], np.zeros((0, 2)), None, [[np.nan, np.nan]]):
        found = robot.update(lidar, empty)
        assert found.status is FilterStatus.NO_READING and not found.accepted and (found.ids == -1).all()
    found = robot.update(lidar, [[np.nan, np.nan], [5.0, 0.1]])
    assert found.ids.tolist() == [-1, 0] and found.new.tolist() == [False, True]
    assert robot.update(lidar, [[5.0, 0.1], [3.0, 0.0]], ids=[0, -1]).ids.tolist() == [0, -1]


@pytest.mark.parametrize("scan", [
    [[np.inf, 0.0]], [[5.0, np.nan]], [5.0, 0.1], [[1.0, 2.0, 3.0]], [["a", "b"]], [[[5.0, 0.1]]],
])  # fmt: skip
def test_scans_that_are_none(scan: Any) -> None:
    lidar, robot = range_bearing(), EKFSLAM(unicycle(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.01)
    robot.update(lidar, [[4.0, 0.0]])
    before = robot.belief.mean, robot.map.means
    with pytest.raises(ShapeError):
        robot.update(lidar, scan)
    np.testing.assert_array_equal(robot.belief.mean, before[0])
    np.testing.assert_array_equal(robot.map.means, before[1])


@pytest.mark.parametrize("ids", [[0], [0, 1, 2], [0.5, 1], [-2, 0], [np.nan, 0], "ab", [[0, 1]], [1e300, 0]])
def test_ids_that_are_none(ids: Any) -> None:
    robot = EKFSLAM(unicycle(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.01)
    with pytest.raises(ShapeError):
        robot.update(range_bearing(), [[5.0, 0.1], [4.0, 0.0]], ids=ids)
    assert len(robot.map) == 0


def test_repeated_ids_are_readings_of_one_landmark() -> None:
    """Twice in the scan that begins it, and twice later: as two scans one after the other."""
    lidar, z = range_bearing(), np.array([[5.0, 0.1], [5.1, 0.11], [5.05, 0.09]])
    together, apart = (EKFSLAM(unicycle(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.01) for _ in range(2))
    assert together.update(lidar, z, ids=[7, 7, 7]).ids.tolist() == [7, 7, 7]
    for each in z:
        apart.update(lidar, [each], ids=[7])
    assert len(together.map) == 1 and together.map.sightings.tolist() == [3]
    np.testing.assert_allclose(together.map.means, apart.map.means, atol=1e-3)
    np.testing.assert_allclose(together.map.covs, apart.map.covs, atol=1e-4)


def test_a_thousand_detections() -> None:
    """All at once, at random places, with ids and without: landmarks are distinct, and the belief stays one."""
    rng, lidar = np.random.default_rng(0), range_bearing(std=[0.01, 0.001])
    z = np.column_stack([rng.uniform(1.0, 60.0, 1000), rng.uniform(-3.1, 3.1, 1000)])
    for ids in (None, np.arange(1000)):
        robot = EKFSLAM(unicycle(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.01)
        first = robot.update(lidar, z[:300], ids=None if ids is None else ids[:300])
        again = robot.update(lidar, z, ids=ids)
        used = again.ids[again.ids >= 0]
        assert len(used) == len(set(used.tolist())) > 900
        both = (first.ids >= 0) & (again.ids[:300] >= 0)
        assert (first.ids[both] == again.ids[:300][both]).mean() > 0.95
        engine: Any = robot._engine
        P = engine.joint.P
        some = rng.choice(len(P), 100, replace=False)
        assert (P == P.T).all() and np.linalg.eigvalsh(P[np.ix_(some, some)])[0] > 0.0


def test_detections_at_the_robot_itself() -> None:
    """A landmark at the sensor has no bearing: it is left out, and nothing becomes NaN."""
    lidar, robot = range_bearing(), EKFSLAM(unicycle(noise=(0.0, 0.0, 0.0)), dt=1.0).start(mean=[0, 0, 0], std=0.1)
    robot.update(lidar, [[1.0, 0.0]], ids=[0])
    robot.predict(u=[1.0, 0.0])
    for ids in ([0], None):
        robot.update(lidar, [[0.5, 0.0]], ids=ids)
        assert np.isfinite(robot.belief.mean).all() and np.isfinite(robot.map.means).all()


def test_what_is_refused() -> None:
    robot = EKFSLAM(unicycle(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.01)
    with pytest.raises(ModelError, match="range_to"):
        robot.update(range_to(), [[5.0]])
    with pytest.raises(ModelError, match="relative_pose"):
        robot.update(relative_pose(reads=("x", "y", "yaw")), [[1.0, 0.0, 0.0]], ids=[0])
    with pytest.raises(ModelError, match="lidar"):
        robot.update("lidar", [[5.0, 0.0]])
    with pytest.raises(ShapeError, match="gnss"):
        robot.update(gnss(), [1.0, 2.0], ids=[0])
    with pytest.raises(ShapeError, match="9"):
        robot.map.belief(9)
    with pytest.raises(ShapeError):
        robot.predict(u=[np.nan, 0.0])
    with pytest.raises(ShapeError):
        robot.predict(u=[[1.0, 0.0]])
    with pytest.raises(ModelError, match="EKFSLAM"):
        EKFSLAM().start(mean=[0.0], std=1.0)
    with pytest.raises(ModelError, match="yaw"):
        InvariantEKFSLAM(walk()).start(std=1.0)
    with pytest.raises(SettingError, match=r"0\.5"):
        JointCompatibility(gate=0.9, new=0.5)
    wrong: Any
    for wrong in ({"confirm": 0}, {"gate": 2.0}, {"association": "nearest"}, {"dt": -1.0}):
        with pytest.raises(SettingError):
            EKFSLAM(unicycle(), **wrong)
