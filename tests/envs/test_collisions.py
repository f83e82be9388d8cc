"""Collisions of MuJoCo models: distances known in closed form, edges without gaps, and planners that keep clear."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("mujoco")

from pilotage.core import PlanStatus, SettingError
from pilotage.envs import CollisionConstraint
from pilotage.planners import BITStar, LazyPRM, RRTConnect
from pilotage.testing import check_planner

# A rod of one metre that turns in the plane, with a forearm, and a ball 0.8 m away to the left.
ARM = """<mujoco><worldbody><geom name="ball" size="0.1" pos="0 0.8 0"/>
<body name="upper"><joint name="shoulder" range="-170 170"/><geom name="rod" type="capsule" fromto="0.2 0 0 0.5 0 0"
size="0.02"/><body name="lower" pos="0.5 0 0"><joint name="elbow" range="-150 150"/>
<geom name="forearm" type="capsule" fromto="0.1 0 0 0.5 0 0" size="0.02"/></body></body></worldbody></mujoco>"""


def ball_gap(q: np.ndarray) -> float:
    """The distance between the arm's two rods and the ball."""
    a, b = q[0], q[0] + q[1]
    elbow = 0.5 * np.array([np.cos(a), np.sin(a)])
    gaps = []
    for base, angle, low, high in ((np.zeros(2), a, 0.2, 0.5), (elbow, b, 0.1, 0.5)):
        along = np.array([np.cos(angle), np.sin(angle)])
        t = np.clip(along @ ([0.0, 0.8] - base), low, high)
        gaps.append(np.linalg.norm([0.0, 0.8] - base - t * along) - 0.12)
    return min(gaps)


def test_values_are_distances() -> None:
    rng = np.random.default_rng(0)
    clear = CollisionConstraint(ARM, clearance=0.3)
    qs = clear.space.sample(200, rng=rng)
    values = clear(qs)[:, 0]
    gaps = np.array([ball_gap(q) for q in qs])
    near = (gaps < 0.29) & (abs(qs[:, 1]) < 1.5)  # a folded arm touches itself
    assert near.sum() > 20
    np.testing.assert_allclose(values[near], 0.3 - gaps[near], atol=1e-6)
    assert (values[(gaps > 0.31) & (abs(qs[:, 1]) < 1.5)] < 0.0).all()
    assert clear.space.names == ("shoulder", "elbow")
    np.testing.assert_allclose(clear.space.high, np.radians([170, 150]))


def test_batches_are_rows_and_edges_are_points() -> None:
    rng = np.random.default_rng(1)
    clear = CollisionConstraint(ARM, resolution=0.02)
    a, b = clear.space.sample((2, 5, 4), rng=rng)
    np.testing.assert_array_equal(clear(a), [[clear(q) for q in row] for row in a])
    fine = clear.edges_allowed(a, b)
    shares = np.linspace(0.0, 1.0, 2000)
    dense = (clear(clear.space.interpolate(a[..., None, :], b[..., None, :], shares))[..., 0] <= 0.0).all(-1)
    assert (dense <= fine).all(), "a clear edge was refused"
    assert (fine & ~dense).sum() <= 1, "points 0.02 apart miss but grazes"
    assert 0 < fine.sum() < fine.size
    assert not clear.edges_allowed([np.nan, 0.0], [0.0, 0.0])


def test_reasons_name_the_bodies() -> None:
    clear = CollisionConstraint(ARM, clearance=0.05)
    assert "ball and forearm overlap by 0.12" in clear.describe([np.pi / 2, 0.0]).replace(
        "forearm and ball", "ball and forearm"
    )
    assert clear.describe([0.0, 0.0]) == ""
    near = np.array([np.pi / 2 + 0.185, 0.0])
    assert 0.0 < ball_gap(near) < 0.05
    assert "0.05 m are asked for" in clear.describe(near)
    start = clear.problem([np.pi / 2, 0.0], [0.0, 0.0])
    plan = RRTConnect().plan(start, rng=0)
    assert plan.status is PlanStatus.INVALID
    assert "overlap" in plan.reason
    with pytest.raises(SettingError, match="clearance"):
        CollisionConstraint(ARM, clearance=-1.0)


def test_planners_keep_clear() -> None:
    clear = pickle.loads(pickle.dumps(CollisionConstraint(ARM, clearance=0.01)))
    problem = clear.problem([0.2, 0.0], [2.9, 0.0])
    for planner in (RRTConnect(), BITStar(iterations=200), LazyPRM(size=200)):
        check_planner(planner, problem)
        plan = planner.plan(problem, rng=0)
        assert (
            min(ball_gap(q) for a, b in zip(plan.xs[:-1], plan.xs[1:], strict=True) for q in np.linspace(a, b, 20))
            > 0.0
        )
