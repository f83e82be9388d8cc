"""EKF-SLAM of public parts, alone and in a `Filter`: a belief that grows by a landmark when one is first seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.control import MPPI, reach
from pilotage.core import (
    FilterStatus,
    Gaussian,
    ModelError,
    Readings,
    Scans,
    ShapeError,
    Space,
    Update,
    augment,
    carry,
    condition,
)
from pilotage.estimators import EKF, Filter
from pilotage.maps import OccupancyGrid
from pilotage.models import gnss, range_bearing, sensor, unicycle
from pilotage.planners import AStar

ROBOT, LAND, DT = unicycle(noise=(0.02, 0.02, 0.01)), Space("x y [m]"), 0.5
SONAR, REACH, U = range_bearing(std=(0.1, 0.02)), 7.0, np.array([1.5, 0.25])


@sensor(state=ROBOT.state, context=Space("range [m]", "bearing: angle"), reading=LAND, noise=0.0)
def placed(x: Any, z: Any, p: Any, m: Any) -> Any:
    """The landmark that is read as z from x."""
    return x[0] + z[0] * m.cos(x[2] + z[1]), x[1] + z[0] * m.sin(x[2] + z[1])


PLACED, POSE = placed(), [part.name for part in ROBOT.state.parts]


def moved(belief: Gaussian, u: Any) -> Gaussian:
    """The belief a step later; landmarks stay."""
    x = belief.marginal(POSE).mean
    F, _ = ROBOT.linearize(x, u, DT)
    return augment(belief, ROBOT.state, ROBOT.step(x, u, DT), F, ROBOT.noise(x, u, DT), of=POSE)


def seen(belief: Gaussian, name: str, z: Any) -> Update:
    """The update with a reading of a landmark, known or new."""
    x, parts = belief.marginal(POSE).mean, LAND.prefixed(name)
    if parts.names[0] not in belief.space.names:
        G, C = PLACED.linearize(x, z), PLACED.linearize_context(x, z)
        y = PLACED.observe(x, z)
        after = augment(belief, parts, y, G, C @ SONAR.noise(x, y) @ C.T, of=POSE)
        return Update(after, np.full(2, np.nan), np.eye(2), 0.0, 0.0)
    y = belief.marginal(parts.names).mean
    H = np.hstack([SONAR.linearize(x, y), SONAR.linearize_context(x, y)])
    innovation = SONAR.reading.minus(z, SONAR.observe(x, y))
    return condition(belief, innovation, H, SONAR.noise(x, y), of=[*POSE, *parts.names])


class SLAM:
    """EKF-SLAM; a context is the name of each detection's landmark, and where there is none the nearest is meant."""

    own_contexts = True

    def predict(self, belief: Any, dynamics: Any, u: Any, dt: float, *, rng: Any = None) -> Gaussian:
        assert dt == pytest.approx(DT)
        return moved(belief, np.zeros(2) if u is None else u)

    def update(self, belief: Any, sensor: Any, z: Any, context: Any = None, *, rng: Any = None) -> Update:
        ys, logs = [np.full(2, np.nan)] * (len(z) == 0), 0.0
        for k, one in enumerate(z):
            found = seen(belief, self.nearest(belief, one) if context is None else context[k], one)
            belief, logs = found.belief, logs + found.log_likelihood
            ys.append(found.innovation)
        status = FilterStatus.ACCEPTED if len(z) else FilterStatus.NO_READING
        return Update(belief, np.array(ys), np.eye(2), 0.0, logs, status=status)

    def nearest(self, belief: Gaussian, z: Any) -> str:
        """The landmark of least NIS, or a new one."""
        names = [name[:-2] for name in belief.space.names[3::2]]
        nis = {name: seen(belief, name, z).nis for name in names}
        best = min(nis, key=nis.__getitem__, default="")
        return best if names and nis[best] < stats.chi2.ppf(0.9999, 2) else f"n{len(names)}"


def mapped(seed: int, turns: float = 1.2) -> tuple[Gaussian, np.ndarray, list[Any]]:
    """The last belief of a robot that circles among 15 landmarks, the truth on its space, and names and scans."""
    rng = np.random.default_rng(seed)
    angle, radius = np.arange(15) * 2.0 * np.pi / 15, np.where(np.arange(15) % 2, 9.0, 4.0)
    lands = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(size=(15, 2))
    x = np.array([6.0, 0.0, np.pi / 2])
    belief, log = Gaussian.of(ROBOT.state, x, std=1e-6), []
    for _ in range(round(turns * 2.0 * np.pi / (U[1] * DT))):
        x = ROBOT.state.plus(ROBOT.step(x, U, DT), rng.normal(size=3) * np.sqrt(np.diag(ROBOT.noise(x, U, DT))))
        belief, near = moved(belief, U), np.flatnonzero(np.linalg.norm(lands - x[:2], axis=1) < REACH)
        log.append(([f"l{i}" for i in near], [SONAR.sample(x, lands[i], rng=rng) for i in near]))
        for name, z in zip(*log[-1], strict=True):
            belief = seen(belief, name, z).belief
    order = [int(name[1:].split(".")[0]) for name in belief.space.names[3::2]]
    return belief, np.concatenate([x, lands[order].ravel()]), log


def test_a_map_that_grows_is_consistent() -> None:
    """NEES of the robot, of the landmarks and of all together, over 6 drives; the loop closes."""
    drives = [mapped(seed) for seed in range(6)]
    for names, dim in ((POSE, 3), (None, 33)):
        nees = []
        for belief, truth, _ in drives:
            assert belief.space.dim == 33
            index = belief.space.indices(names or [part.name for part in belief.space.parts])
            e = belief.space.minus(truth, belief.mean)[index[1]]
            nees.append(e @ np.linalg.solve(belief.cov[np.ix_(index[1], index[1])], e))
        low, high = stats.chi2.interval(0.99, dim * len(nees))
        assert low < sum(nees) < high, f"{names}: NEES {np.mean(nees):.2f} of {dim} components"
    belief, _, _ = drives[0]
    assert belief.std[:2].max() < 0.15
    assert belief.marginal("l3.x l3.y").space == LAND.prefixed("l3")


def test_a_pose_among_landmarks_is_the_robot() -> None:
    """Components by bare names are those of the pose, for sensors, planners and controllers alike."""
    space = LAND.prefixed("tree7") * Space("pose: SE2")
    A = np.random.default_rng(3).normal(size=(5, 5))
    belief = Gaussian(space, [5.0, 5.0, 1.0, 2.0, 0.3], A @ A.T + np.eye(5))
    fixed = EKF().update(belief, gnss(std=0.5), [1.4, 2.3]).belief
    named = EKF().update(belief, gnss(std=0.5, reads="pose.x pose.y"), [1.4, 2.3]).belief
    np.testing.assert_array_equal(fixed.mean, named.mean)
    np.testing.assert_array_equal(fixed.cov, named.cov)
    assert np.abs(fixed.mean - belief.mean)[:4].min() > 1e-3
    pose = carry(fixed, Space("pose: SE2"))
    np.testing.assert_array_equal(pose.mean, fixed.mean[2:])
    np.testing.assert_array_equal(pose.cov, fixed.cov[2:, 2:])
    grid = OccupancyGrid.from_occupied(np.zeros((20, 20), dtype=bool), resolution=0.5)
    plans = [AStar().plan(grid, start, (8.0, 8.0)) for start in (fixed, pose.mean)]
    assert plans[0].xs is not None
    np.testing.assert_array_equal(plans[0].xs, plans[1].xs)
    task = reach(ROBOT, [8.0, 8.0, 0.0])
    u, same = (MPPI(ROBOT, task, samples=32, rng=0).act(x).u for x in (fixed, pose.mean))
    np.testing.assert_array_equal(u, same)


def followed(scans: list[Any], contexts: Any) -> Any:
    """The run of a filter over scans."""
    ts, start = DT * np.arange(1, len(scans) + 1), Gaussian.of(ROBOT.state, [6.0, 0.0, np.pi / 2], std=1e-6)
    us = np.tile(U, (len(scans), 1))
    return Filter.of(SLAM(), ROBOT, start).run(us, [Scans(SONAR, scans, ts, contexts)], ts)


def test_a_run_over_scans_is_the_loop() -> None:
    """With names as contexts, and without, where the estimator itself finds the landmark of each detection."""
    whole, _, log = mapped(0, turns=0.4)
    names, scans = [name for name, _ in log], [scan for _, scan in log]
    told, alone = followed(scans, names), followed(scans, None)
    assert told.beliefs[-1].space == whole.space
    assert alone.beliefs[-1].space.names[3:5] == ("n0.x", "n0.y")
    for run in (told, alone):
        np.testing.assert_allclose(run.beliefs[-1].mean, whole.mean, rtol=0.0, atol=1e-9)
        np.testing.assert_allclose(run.beliefs[-1].cov, whole.cov, rtol=0.0, atol=1e-9)
        assert [len(y) for y in run.innovations] == [max(1, len(scan)) for scan in scans]
        assert run.status.shape == run.log_likelihood.shape == (len(scans),)
        assert run.predicted[-1].space.dim == whole.space.dim


def test_ids_of_readings_are_contexts_of_the_estimator_alone() -> None:
    """One reading a time, each of a landmark that is named; an EKF asks the sensor what a context is."""

    class Single(SLAM):
        def update(self, belief: Any, sensor: Any, z: Any, context: Any = None, *, rng: Any = None) -> Update:
            return seen(belief, context, z)

    start, ts = Gaussian.of(ROBOT.state, [0.0, 0.0, 0.0], std=0.1), [DT, DT, 2.0 * DT]
    readings = Readings(SONAR, [[4.9, 0.3], [3.0, 0.2], [4.7, 0.3]], ts, contexts=["tree", "rock", "tree"])
    run = Filter.of(Single(), ROBOT, start).run(None, [readings])
    assert [belief.space.dim for belief in run.beliefs] == [5, 7, 7]
    loop = Filter.of(Single(), ROBOT, start)
    events = zip(ts, readings.z, readings.contexts, strict=True)
    last = [loop.update(SONAR, z, t, context=name) for t, z, name in events][-1]
    np.testing.assert_allclose(run.beliefs[-1].mean, last.belief.mean, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(run.innovations[-1], last.innovation, rtol=0.0, atol=1e-12)
    with pytest.raises(ShapeError, match="context"):
        EKF(ROBOT).start(belief=start).run(None, [readings])


def test_an_estimator_says_whose_the_contexts_are() -> None:
    class Silent:
        def predict(self, belief: Any, dynamics: Any, u: Any, dt: float, *, rng: Any = None) -> Any:
            return belief

    with pytest.raises(ModelError, match="own_contexts"):
        Filter.of(Silent(), ROBOT, Gaussian.of(ROBOT.state, std=1.0))
