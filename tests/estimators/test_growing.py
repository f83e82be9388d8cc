"""EKF-SLAM in thirty lines of public parts: a belief that grows by a landmark when one is first seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from pilotage.control import MPPI, reach
from pilotage.core import Gaussian, Space, augment, carry, condition
from pilotage.estimators import EKF
from pilotage.maps import OccupancyGrid
from pilotage.models import gnss, range_bearing, sensor, unicycle
from pilotage.planners import AStar

ROBOT, LAND, DT = unicycle(noise=(0.02, 0.02, 0.01)), Space("x y [m]"), 0.5
SONAR, REACH = range_bearing(std=(0.1, 0.02)), 7.0


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


def seen(belief: Gaussian, name: str, z: Any) -> Any:
    """The belief after a reading of a landmark, known or new."""
    x, parts = belief.marginal(POSE).mean, LAND.prefixed(name)
    if parts.names[0] not in belief.space.names:
        G, C = PLACED.linearize(x, z), PLACED.linearize_context(x, z)
        y = PLACED.observe(x, z)
        return augment(belief, parts, y, G, C @ SONAR.noise(x, y) @ C.T, of=POSE)
    y = belief.marginal(parts.names).mean
    H = np.hstack([SONAR.linearize(x, y), SONAR.linearize_context(x, y)])
    innovation = SONAR.reading.minus(z, SONAR.observe(x, y))
    return condition(belief, innovation, H, SONAR.noise(x, y), of=[*POSE, *parts.names]).belief


def mapped(seed: int, turns: float = 1.2) -> tuple[Gaussian, np.ndarray]:
    """The last belief of a robot that circles among 15 landmarks, and the truth on its space."""
    rng = np.random.default_rng(seed)
    angle, radius = np.arange(15) * 2.0 * np.pi / 15, np.where(np.arange(15) % 2, 9.0, 4.0)
    lands = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(size=(15, 2))
    x = np.array([6.0, 0.0, np.pi / 2])
    belief, u = Gaussian.of(ROBOT.state, x, std=1e-6), np.array([1.5, 0.25])
    for _ in range(round(turns * 2.0 * np.pi / (u[1] * DT))):
        x = ROBOT.state.plus(ROBOT.step(x, u, DT), rng.normal(size=3) * np.sqrt(np.diag(ROBOT.noise(x, u, DT))))
        belief = moved(belief, u)
        for i in np.flatnonzero(np.linalg.norm(lands - x[:2], axis=1) < REACH):
            belief = seen(belief, f"l{i}", SONAR.sample(x, lands[i], rng=rng))
    order = [int(name[1:].split(".")[0]) for name in belief.space.names[3::2]]
    return belief, np.concatenate([x, lands[order].ravel()])


def test_a_map_that_grows_is_consistent() -> None:
    """NEES of the robot, of the landmarks and of all together, over 6 drives; the loop closes."""
    drives = [mapped(seed) for seed in range(6)]
    for names, dim in ((POSE, 3), (None, 33)):
        nees = []
        for belief, truth in drives:
            assert belief.space.dim == 33
            index = belief.space.indices(names or [part.name for part in belief.space.parts])
            e = belief.space.minus(truth, belief.mean)[index[1]]
            nees.append(e @ np.linalg.solve(belief.cov[np.ix_(index[1], index[1])], e))
        low, high = stats.chi2.interval(0.99, dim * len(nees))
        assert low < sum(nees) < high, f"{names}: NEES {np.mean(nees):.2f} of {dim} components"
    belief, _ = drives[0]
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
