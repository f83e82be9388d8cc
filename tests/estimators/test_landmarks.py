"""Localization on landmarks: the association against brute force, and robots on maps of landmarks."""

from __future__ import annotations

import copy
import gzip
import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from pilotage.core import FilterStatus, Gaussian, Readings, Scans, ShapeError, Space
from pilotage.core.errors import SettingError
from pilotage.estimators import EKF, IEKF, UKF
from pilotage.estimators.localization import LandmarkLocalization
from pilotage.estimators.localization.association import associate
from pilotage.models import compass, gnss, range_bearing, relative_position, unicycle

ROBOT, SEEN = unicycle(noise=(0.05, 0.05, 0.02)), range_bearing(std=[0.1, 0.02])
MARKS = np.array([[6.0, 0.0], [0.0, 6.0], [-6.0, 1.0], [1.0, -6.0], [7.0, 7.0], [-5.0, 6.0], [5.0, -6.0]])
POSE = Space("x y [m]", "yaw: angle")
START = Gaussian.of(ROBOT.state, [0.0, 0.0, 0.0], std=[0.2, 0.2, 0.05])


def drive(seed: int, steps: int, shown: int = 3) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """True poses ``(T, 3)``, and scans of `shown` random landmarks with their indices."""
    rng, x = np.random.default_rng(seed), START.sample(1, rng=seed)[0]
    poses, scans, ids = [], [], []
    for _ in range(steps):
        x = rng.multivariate_normal(ROBOT.step(x, [0.6, 0.25], 0.2), ROBOT.noise(x, [0.6, 0.25], 0.2))
        chosen = rng.choice(len(MARKS), shown, replace=False)
        poses.append(x)
        scans.append(SEEN.sample(x, MARKS[chosen], rng=rng))
        ids.append(chosen)
    return np.array(poses), scans, ids


# --- the association ---


def hypotheses(K: int, L: int) -> Any:
    """Every way to pair K detections with L landmarks, each at most once."""
    for way in itertools.product(range(-1, L), repeat=K):
        taken = [j for j in way if j >= 0]
        if len(taken) == len(set(taken)):
            yield way


def brute_force(y: Any, H: Any, R: Any, P: Any, gate: float) -> list[tuple[int, float, tuple[int, ...]]]:
    """Compatible hypotheses with number of pairings and D^2 + log det S, of the stacked readings, best first."""
    found = []
    for way in hypotheses(*y.shape[:2]):
        pairs = [(i, j) for i, j in enumerate(way) if j >= 0]
        if not pairs:
            found.append((0, 0.0, way))
            continue
        e, J = (np.concatenate(each) for each in zip(*[(y[i, j], H[j]) for i, j in pairs], strict=True))
        m = y.shape[2]
        S = J @ P @ J.T
        for k, (_, j) in enumerate(pairs):
            S[m * k : m * k + m, m * k : m * k + m] += R[j]
        alone = [y[i, j] @ np.linalg.solve(H[j] @ P @ H[j].T + R[j], y[i, j]) <= chi2.ppf(gate, m) for i, j in pairs]
        D = e @ np.linalg.solve(S, e)
        if all(alone) and chi2.ppf(gate, m * len(pairs)) >= D:
            found.append((len(pairs), D + np.linalg.slogdet(S)[1], way))
    return sorted(found, key=lambda each: (-each[0], each[1]))


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 3), st.sampled_from([1.0, 5.0]))
def test_association_against_brute_force(seed: int, K: int, L: int, odds: float) -> None:
    rng = np.random.default_rng(seed)
    d, m = 3, 2
    root, H = rng.normal(size=(d, d)), rng.normal(size=(L, m, d))
    P, R = root @ root.T, np.stack([np.diag(rng.uniform(0.2, 2.0, m)) for _ in range(L)])
    y = rng.normal(size=(K, L, m)) * 2.5
    ranked = brute_force(y, H, R, P, 0.95)
    most, cost, best = ranked[0]
    expected = list(best)
    for i, j in enumerate(best):
        others = [c for n, c, way in ranked if n == most and way[i] != j]
        if j >= 0 and others and min(others) - cost < 2.0 * np.log(odds):
            expected[i] = -1
    assert associate(y, H, R, P, 0.95, odds).tolist() == expected


def test_joint_compatibility_sees_what_single_gates_do_not() -> None:
    """A shift of the whole scan explains two detections together, which alone would go to the wrong landmarks."""
    H, R, P = np.ones((3, 1, 1)), np.full((3, 1, 1), 0.01), np.eye(1)
    marks, shift = np.array([0.0, 1.0, 2.0]), 0.9
    z = marks[:2] + shift  # seen where landmarks 1 and 2 are expected
    y = (z[:, None] - marks)[..., None]
    # Either shift is possible, but 0.9 is compatible with one number for all; a mixed pairing is not.
    found = associate(y, H, R, P, 0.99, 1.0).tolist()
    assert found in ([0, 1], [1, 2])
    three = associate((marks[:, None] + shift - marks)[..., None], H, R, P, 0.99, 10.0)
    assert three.tolist() == [0, 1, 2], "only one shift explains all three"


def test_wrong_associations_are_rarer_than_the_gate_says() -> None:
    rng, wrong, total, missed = np.random.default_rng(3), 0, 0, 0
    marks = rng.uniform(-10.0, 10.0, (30, 2))
    near = LandmarkLocalization(marks, ROBOT, gate=0.99)
    for seed in range(400):
        x = START.sample(1, rng=seed)[0]
        chosen = rng.choice(30, 3, replace=False)
        found: Any = near.update(START, SEEN, SEEN.sample(x, marks[chosen], rng=rng))
        wrong += int(((found.landmarks != chosen) & (found.landmarks >= 0)).sum())
        missed += int((found.landmarks < 0).sum())
        total += 3
    assert wrong <= 0.01 * total
    assert missed < 0.2 * total, "not for the reason that hardly any is used"


def test_ambiguous_matches_are_refused() -> None:
    """Two landmarks that lie as far from where a detection points: none is taken, unless odds of 1 are enough."""
    twins = np.array([[5.0, 0.15], [5.0, -0.15], [0.0, 6.0]])
    z = SEEN.observe([0.0, 0.0, 0.0], np.array([[5.0, 0.01], [0.0, 6.0]]))
    careful, bold = (LandmarkLocalization(twins, ROBOT, odds=odds) for odds in (10.0, 1.0))
    found: Any = careful.update(START, SEEN, z)
    assert found.landmarks.tolist() == [-1, 2]
    taken: Any = bold.update(START, SEEN, z)
    assert taken.landmarks.tolist() == [0, 2]
    nothing = careful.update(START, SEEN, z[:1])
    assert nothing.status is FilterStatus.GATED
    np.testing.assert_array_equal(nothing.belief.mean, START.mean)


def test_clutter_is_left_out() -> None:
    z = np.concatenate([SEEN.observe([0.0, 0.0, 0.0], MARKS[:2]), [[2.5, 0.8], [1.0, -2.0]]])
    found: Any = LandmarkLocalization(MARKS, ROBOT).update(START, SEEN, z)
    assert found.landmarks.tolist() == [0, 1, -1, -1]
    alone = LandmarkLocalization(MARKS, ROBOT).update(START, SEEN, z[:2])
    np.testing.assert_allclose(found.belief.mean, alone.belief.mean)
    assert found.log_likelihood == pytest.approx(alone.log_likelihood)


# --- the filter ---


@pytest.mark.parametrize("filter", [EKF(), IEKF(), UKF()], ids=lambda f: type(f).__name__)
def test_known_and_unknown_correspondence_agree(filter: Any) -> None:
    """On a well separated map, in which no landmark is taken for another."""
    poses, scans, ids = drive(1, 60)
    robot = LandmarkLocalization(MARKS, ROBOT, dt=0.2, filter=filter, gate=0.9999)
    unknown, known, nees = robot.start(belief=START), robot.start(belief=START), []
    for x, z, chosen in zip(poses, scans, ids, strict=True):
        for each in (unknown, known):
            each.predict(u=[0.6, 0.25])
        found: Any = unknown.update(SEEN, z)
        told = known.update(SEEN, z, context=chosen)
        assert found.landmarks.tolist() == chosen.tolist()
        assert found.log_likelihood == told.log_likelihood
        np.testing.assert_array_equal(unknown.belief.mean, known.belief.mean)
        e = ROBOT.state.minus(x, unknown.belief.mean)
        nees.append(e @ np.linalg.solve(unknown.belief.cov, e))
    assert 1.5 < np.mean(nees) < 5.0


def test_scan_is_the_updates_one_after_the_other() -> None:
    _, scans, ids = drive(2, 1)
    belief, total, nis = START, 0.0, 0.0
    for z, j in zip(scans[0], ids[0], strict=True):
        one = EKF().update(belief, SEEN, z, MARKS[j])
        belief, total, nis = one.belief, total + one.log_likelihood, nis + one.nis
    found: Any = LandmarkLocalization(MARKS).update(START, SEEN, scans[0], ids[0])
    np.testing.assert_array_equal(found.belief.mean, belief.mean)
    np.testing.assert_array_equal(found.belief.cov, belief.cov)
    assert (found.log_likelihood, found.nis) == (pytest.approx(total), pytest.approx(nis))
    assert found.innovation.shape == (3, 2) and found.S.shape == (3, 2, 2)
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert again == found
        assert again.landmarks.tolist() == ids[0].tolist()


def test_batches_are_rows() -> None:
    _, scans, _ = drive(3, 4)
    robot = LandmarkLocalization(MARKS)
    means = START.sample(4, rng=1) * 0.2
    beliefs = Gaussian(ROBOT.state, means, START.cov)
    z = np.array(scans)
    z[1, 1:] = np.nan
    z[2] = np.nan
    z[3, 0] = [1.0, 1.0]  # clutter
    together: Any = robot.update(beliefs, SEEN, z)
    assert together.status.tolist()[2] == FilterStatus.NO_READING
    for i in range(4):
        alone: Any = robot.update(Gaussian(ROBOT.state, means[i], START.cov), SEEN, z[i])
        np.testing.assert_array_equal(together.landmarks[i], alone.landmarks)
        np.testing.assert_allclose(together.belief.mean[i], alone.belief.mean, atol=1e-12)
        np.testing.assert_allclose(together.belief.cov[i], alone.belief.cov, atol=1e-12)
        assert together.nis[i] == pytest.approx(alone.nis)
        assert together.status[i] == alone.status


def test_an_infinite_detection_has_a_status() -> None:
    robot, z = LandmarkLocalization(MARKS), np.array(drive(3, 1)[1])[0]
    zs = np.array([z, z])
    zs[1, 0, 0] = np.inf
    with pytest.raises(ShapeError, match="holds infinity"):
        robot.update(START, SEEN, zs[1])
    together: Any = robot.update(START, SEEN, zs)
    assert together.status.tolist() == [FilterStatus.ACCEPTED, FilterStatus.NOT_FINITE_READING]
    np.testing.assert_array_equal(together.belief.mean[1], START.mean)
    np.testing.assert_allclose(together.belief.mean[0], robot.update(START, SEEN, z).belief.mean, atol=1e-12)
    assert (together.landmarks[1] == -1).all()


def test_runs_with_other_sensors() -> None:
    """Scans of landmarks, known in part, between fixes and a compass, as from one call after another."""
    poses, scans, ids = drive(4, 20)
    ts, rng = 0.2 * np.arange(1, 21), np.random.default_rng(1)
    fix, needle = gnss(std=0.5), compass(std=0.05)
    fixes = poses[::4, :2] + 0.5 * rng.normal(size=(5, 2))
    contexts = [chosen if k % 2 else None for k, chosen in enumerate(ids)]
    robot = LandmarkLocalization(MARKS, ROBOT, dt=0.2)
    run = robot.start(belief=START)
    readings = [Scans(SEEN, scans, ts, contexts), Readings(fix, fixes, ts[::4]), Readings(needle, poses[:, 2:], ts)]
    result = run.run(np.tile([0.6, 0.25], (20, 1)), readings, ts)
    by_hand = robot.start(belief=START)
    for k in range(20):
        by_hand.predict(u=[0.6, 0.25])
        by_hand.update(SEEN, scans[k], context=contexts[k])
        if k % 4 == 0:
            by_hand.update(fix, fixes[k // 4])
        by_hand.update(needle, poses[k, 2:])
    np.testing.assert_allclose(run.belief.mean, by_hand.belief.mean, atol=1e-12)
    assert len(result.ts) == 45
    again = pickle.loads(pickle.dumps(run))
    np.testing.assert_array_equal(again.belief.mean, run.belief.mean)


def test_landmarks_in_space_and_any_state() -> None:
    """A sensor of relative positions, on a state with more than the pose."""
    state, rel = Space("speed [m/s]", "pose: SE2"), relative_position(std=0.1)
    belief = Gaussian.of(state, [0.5, 0.1, -0.1, 0.05], std=[0.1, 0.2, 0.2, 0.05])
    z = rel.observe([0.0, 0.0, 0.0], MARKS[[2, 0]])
    found: Any = LandmarkLocalization(MARKS).update(belief, rel, z)
    assert found.landmarks.tolist() == [2, 0]
    assert np.abs(found.belief.mean[1:3]).max() < 0.1


def test_empty_scan_and_sentences() -> None:
    robot = LandmarkLocalization(MARKS, ROBOT, dt=0.1)
    nothing: Any = robot.update(START, SEEN, [])
    assert nothing.status is FilterStatus.NO_READING and nothing.landmarks.shape == (0,)
    assert nothing.belief is START or np.array_equal(nothing.belief.mean, START.mean)
    with pytest.raises(ShapeError, match="one a row"):
        robot.update(START, SEEN, [5.0, 0.1])
    for ids in ([0], [0, 7], [0, 0.5]):
        with pytest.raises(ShapeError, match="landmarks of 2 detections"):
            robot.update(START, SEEN, np.ones((2, 2)), ids)
    for name, value in {"gate": 1.5, "odds": 0.5, "landmarks": [1.0, 2.0], "filter": "EKF"}.items():
        with pytest.raises(SettingError, match=name):
            LandmarkLocalization(**{"landmarks": MARKS, name: value})


# --- real data ---


def mrclam(data: Path, robot: str) -> tuple[Any, Any, list[Any]]:
    """True poses ``(T, 3)`` and steps of odometry of a robot of UTIAS MRCLAM 6, and its detections at each pose."""
    poses, moves, marks, seen = [], [], {}, {}
    with gzip.open(data / "landmark_slam/mrclam6.pyfg.gz", "rt") as file:
        for words in map(str.split, file):
            if words[0] == "VERTEX_XY":
                marks[words[1]] = [float(w) for w in words[2:4]]
            elif words[0] == "VERTEX_SE2" and words[2][0] == robot:
                poses.append([float(w) for w in words[3:6]])
            elif words[0] == "EDGE_SE2" and words[2][0] == robot == words[3][0]:
                moves.append([float(w) for w in words[4:7]])
            elif words[0] == "EDGE_SE2_XY" and words[2][0] == robot:
                seen.setdefault(int(words[2][1:]), []).append((words[3], float(words[4]), float(words[5])))
    names = list(marks)
    scans = [seen.get(k, []) for k in range(len(poses))]
    scans = [([names.index(a) for a, *_ in scan], np.array([b for _, *b in scan]).reshape(-1, 2)) for scan in scans]
    return np.array(poses), np.array(moves), [np.array([marks[name] for name in names]), scans]


@pytest.mark.slow
def test_mrclam_known_and_unknown(data: Path) -> None:
    """A robot among 15 landmarks, in groups 18 cm apart, with jumps of up to 0.7 m and 1.6 rad in its odometry.

    Told which landmark it sees, it is right to 13 cm (median). Without being told it uses one detection in ten, and
    stays on the map; without the margin it takes the wrong ones, and is lost.
    """
    poses, moves, (marks, scans) = mrclam(data, "A")
    sensor, wheels = range_bearing(std=[0.15, 0.03]), unicycle(noise=(0.03, 0.03, 0.05))
    median, rmse = {}, {}
    for name, odds in {"told": 10.0, "found": 10.0, "found without a margin": 1.0}.items():
        run, errors = LandmarkLocalization(marks, wheels, dt=1.0, odds=odds).start(poses[0], [0.1, 0.1, 0.05]), []
        nees = []
        for k, (ids, z) in enumerate(scans):
            if k:
                run.predict(u=moves[k - 1][[0, 2]])
            if len(ids):
                detections = np.stack([np.hypot(*z.T), np.arctan2(z[:, 1], z[:, 0])], axis=-1)
                run.update(sensor, detections, context=ids if name == "told" else None)
            e = POSE.minus(poses[k], run.belief.mean)
            errors.append(np.hypot(*e[:2]))
            nees.append(e @ np.linalg.solve(run.belief.cov, e))
        median[name], rmse[name] = float(np.median(errors)), float(np.sqrt(np.mean(np.square(errors))))
        if name != "found without a margin":
            assert np.median(nees) < chi2.ppf(0.5, 3), "in the middle it is not too sure"
    assert median["told"] < 0.2 and rmse["told"] < 0.4
    assert median["found"] < 0.4 and rmse["found"] < 1.0
    assert rmse["found without a margin"] > 1.2
