"""Chance constraints against Monte Carlo: collisions are as rare as declared, and not absurdly rarer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from pilotage.core import CovarianceError, Gaussian, Plan, PlanStatus, Problem, SettingError, ShapeError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import gnss, unicycle
from pilotage.planners import (
    AStar,
    ChanceConstraint,
    Dubins,
    MovingObstacle,
    PredictedTrack,
    RRTConnect,
    chance_constrained,
    collision_risk,
    predicted_covariances,
)

POINT = Space("x y [m]")
TRIALS = 2000


def at_least(hits: int, trials: int) -> float:
    """The probability that is below the true one with confidence 0.999 (Clopper and Pearson)."""
    return float(beta.ppf(0.001, hits, trials - hits + 1)) if hits else 0.0


def wall() -> OccupancyGrid:
    """A wall with one door of a metre, and a way around that is open but longer."""
    occupied = np.zeros((120, 120), bool)
    occupied[:90, 58:62] = True
    occupied[30:50, 58:62] = False
    return OccupancyGrid.from_occupied(occupied, resolution=0.05)


DISC = Footprint.disc(0.15)
START, GOAL = [1.0, 2.0], [5.0, 2.0]


@pytest.mark.parametrize("risk", [0.2, 0.05, 0.01])
def test_an_error_that_stays_collides_no_more_often_than_declared(risk: float) -> None:
    grid = wall()
    P = np.array([[0.01, 0.006], [0.006, 0.01]])
    problem = chance_constrained(grid.problem(START, GOAL, DISC), P, risk=risk)
    plan = AStar().plan(problem)
    assert plan
    errors = np.random.default_rng(0).multivariate_normal([0.0, 0.0], P, TRIALS)
    rows = plan.xs[:: max(len(plan.xs) // 30, 1)]
    hits = int((grid.clearance(rows[None] + errors[:, None], DISC) < 0.0).any(-1).sum())
    assert at_least(hits, TRIALS) <= risk


@pytest.mark.parametrize("risk", [0.2, 0.02])
def test_an_error_drawn_at_each_step_collides_no_more_often_than_declared(risk: float) -> None:
    """Along a wall, as near as the constraint allows, where the bound is at its tightest."""
    grid = OccupancyGrid.from_occupied(np.zeros((200, 200), bool), resolution=0.05)
    problem = grid.problem([2.0, 5.0], [8.0, 5.0], DISC)
    P, steps = 0.1**2 * np.eye(2), 20
    chance = ChanceConstraint(problem.constraint, P, risk, steps)
    y = 0.15 + float(chance.margin([2.0, 5.0]))
    xs = np.column_stack([np.linspace(2.0, 8.0, steps), np.full(steps, y)])
    assert chance(xs).max() == pytest.approx(0.0, abs=0.02)
    errors = 0.1 * np.random.default_rng(1).normal(size=(TRIALS, steps, 2))
    hits = int((grid.clearance(xs + errors, DISC) < 0.0).any(-1).sum())
    assert at_least(hits, TRIALS) <= risk
    assert hits / TRIALS > risk / 20.0  # half the plane is free, and the tail is that of a disc: a factor below ten


def test_the_margin_of_a_disc_is_exact() -> None:
    """The error of a round Gaussian exceeds the margin with probability risk."""
    problem = wall().problem(START, GOAL, DISC)
    margin = float(ChanceConstraint(problem.constraint, 0.2**2 * np.eye(2), risk=0.1).margin(START))
    errors = 0.2 * np.random.default_rng(2).normal(size=(200_000, 2))
    assert (np.linalg.norm(errors, axis=-1) > margin).mean() == pytest.approx(0.1, abs=0.003)


def test_less_risk_takes_the_way_around() -> None:
    belief = Gaussian.of(POINT, START, std=0.1)
    problem = wall().problem(belief, GOAL, DISC)
    costs = [AStar().plan(chance_constrained(problem, belief, risk=risk)).cost for risk in (0.2, 1e-6)]
    assert costs[0] < 4.2 < 6.0 < costs[1]


def test_a_turning_robot_with_an_uncertain_heading() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((160, 160), bool), resolution=0.05)
    car = Footprint.rectangle(0.8, 0.3)
    P = np.diag([0.05, 0.05, 0.15]) ** 2
    problem = chance_constrained(grid.problem([2.0, 2.0, 0.0], [6.0, 6.0, 1.0], car), P, risk=0.05)
    plan = RRTConnect().plan(problem, rng=0)
    assert plan
    near = np.array([4.0, 0.0, 0.0])
    near[1] = float(problem.constraint.footprint.discs[0][2]) + abs(problem.constraint.footprint.discs[0][1]) + 1e-6
    errors = np.random.default_rng(3).multivariate_normal(np.zeros(3), P, TRIALS)
    hits = int((grid.clearance(near + errors, car) < 0.0).sum())
    assert at_least(hits, TRIALS) <= 0.05


def test_a_covariance_of_the_state() -> None:
    """Near the wall the robot knows where it is: there a sampling planner may pass the door."""
    grid = wall()
    base = grid.problem(START, GOAL, DISC)

    def covariance(x):
        std = np.where(abs(x[..., 0] - 3.0) < 1.0, 0.02, 0.2)
        return std[..., None, None] ** 2 * np.eye(2)

    problem = chance_constrained(base, covariance, risk=0.01)
    assert isinstance(problem, Problem)
    plan = RRTConnect().plan(problem, rng=0)
    assert plan
    assert (problem.violations(plan.xs) <= 0.0).all()
    assert not RRTConnect().plan(chance_constrained(base, 0.9 * np.eye(2), risk=0.01), rng=0)


def test_predicted_covariances_are_those_of_simulated_errors() -> None:
    """Errors of a filter on a robot that drives the plan, simulated with the gains of a filter written here."""
    robot, sensor = unicycle(), gnss(std=0.2)
    plan = Dubins(1.0).connect([0.0, 0.0, 0.0], [6.0, 2.0, 1.0], spacing=0.3)
    P0 = np.diag([0.1, 0.1, 0.05]) ** 2
    found = predicted_covariances(plan, P0, robot, [sensor])
    draw = np.random.default_rng(4)
    errors, P, H = draw.multivariate_normal(np.zeros(3), P0, 20_000), P0, np.eye(2, 3)
    for x, u, dt in zip(plan.xs, plan.us, np.diff(plan.ts), strict=False):
        F, Q = robot.linearize(x, u, dt)[0], robot.noise(x, u, dt)
        errors = errors @ F.T + draw.multivariate_normal(np.zeros(3), Q, len(errors))
        P = F @ P @ F.T + Q
        K = P @ H.T @ np.linalg.inv(H @ P @ H.T + 0.04 * np.eye(2))
        errors = errors - (errors[:, :2] + 0.2 * draw.normal(size=(len(errors), 2))) @ K.T
        P = (np.eye(3) - K @ H) @ P
    np.testing.assert_allclose(found[-1], np.cov(errors.T), atol=0.05 * np.trace(found[-1]))


@pytest.mark.parametrize("speed", [0.5, 1.0])
def test_risk_with_a_track_bounds_the_frequency(speed: float) -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((120, 200), bool), resolution=0.05)
    problem = grid.problem([1.0, 1.0], [9.0, 1.0], DISC)
    ts = np.linspace(0.0, 8.0, 21)
    plan = Plan(PlanStatus.SOLVED, POINT, np.column_stack([1.0 + ts, np.full(21, 1.0)]), ts=ts, cost=8.0)
    P, growth = 0.08**2 * np.eye(2), np.linspace(0.02, 0.2, 5)
    means = np.column_stack([np.full(5, 5.0), 4.6 - speed * np.linspace(0.0, 8.0, 5)])
    walker = PredictedTrack(np.linspace(0.0, 8.0, 5), means, growth[:, None, None] ** 2 * np.eye(2), radius=0.3)
    risk = collision_risk(plan, problem, P, [walker])
    draw = np.random.default_rng(5)
    mine = plan.xs + 0.08 * draw.normal(size=(TRIALS, 21, 2))
    where, covariances = walker.at(ts)
    theirs = where + np.sqrt(covariances[:, 0, 0])[:, None] * draw.normal(size=(TRIALS, 21, 2))
    hit = (np.linalg.norm(mine - theirs, axis=-1) < 0.45) | (grid.clearance(mine, DISC) < 0.0)
    for k in range(21):
        assert at_least(int(hit[:, k].sum()), TRIALS) <= risk[k]
    assert at_least(int(hit.any(-1).sum()), TRIALS) <= risk.sum()
    alone = collision_risk(plan, problem, P)
    assert (risk >= alone).all() and risk.max() > alone.max()


def test_risk_is_that_of_the_robot_and_not_of_its_margin() -> None:
    base = wall().problem(START, GOAL, DISC)
    plan = Plan(PlanStatus.SOLVED, POINT, [START, [2.6, 2.0]], ts=[0.0, 2.0], cost=1.6)
    P = 0.1**2 * np.eye(2)
    np.testing.assert_array_equal(
        collision_risk(plan, chance_constrained(base, P, risk=0.01), P), collision_risk(plan, base, P)
    )


def test_tracks_of_beliefs() -> None:
    beliefs = [Gaussian.of(Space("y x [m]"), [k, 2.0 * k], std=0.1) for k in range(3)]
    track = PredictedTrack.of([0.0, 1.0, 2.0], beliefs, radius=0.2)
    means, covariances = track.at([0.5, 9.0])
    np.testing.assert_allclose(means, [[1.0, 0.5], [4.0, 2.0]])
    np.testing.assert_allclose(covariances[1], 0.01 * np.eye(2))


def test_a_track_of_poses_varies_along_the_axes_of_the_world() -> None:
    """The errors of a pose are along and across its heading; those of a track are of x and y."""
    pose = Gaussian(Space("pose: SE2"), [1.0, 2.0, 1.2], np.diag([0.09, 0.0004, 1e-4]))
    samples = np.asarray(pose.sample(20_000, rng=0))[:, :2]
    found = PredictedTrack.of([0.0], [pose]).at([0.0])[1][0]
    np.testing.assert_allclose(found, np.cov(samples.T), atol=0.003)


@pytest.mark.parametrize("yaw", [0.0, 0.7, 1.57])
def test_risk_of_a_pose_with_a_track_bounds_the_frequency(yaw: float) -> None:
    """The covariance of a pose is along the axes of the robot, and the obstacle may be on any side of it."""
    pose = Gaussian(Space("pose: SE2"), [3.0, 2.0, yaw], np.diag([0.3**2, 0.05**2, 1e-6]))
    problem = OccupancyGrid.from_ascii(["......"] * 6).problem(pose.mean, [5, 3, 0], DISC, space=pose.space)
    track = PredictedTrack([0.0], [[3.0, 3.1]], 1e-4 * np.eye(2)[None], radius=0.2)
    plan = Plan(PlanStatus.SOLVED, pose.space, pose.mean[None], ts=[0.0])
    risk = collision_risk(plan, problem, pose.cov, [track])[0]
    wall_risk = collision_risk(plan, problem, pose.cov)[0]
    samples = np.asarray(pose.sample(40_000, rng=1))[:, :2]
    met = np.linalg.norm(samples - [3.0, 3.1], axis=-1) < DISC.radius + 0.2
    assert risk - wall_risk >= met.mean() - 4.0 * met.std() / 200.0


def test_a_moving_obstacle_is_a_track_without_variance() -> None:
    """The risk with it bounds the frequency, and is 1 where the discs overlap for sure."""
    grid = OccupancyGrid.from_occupied(np.zeros((200, 200), bool), resolution=0.05)
    walker = MovingObstacle([0.0, 4.0], [[5.0, 3.0], [5.0, 7.0]], [0.3, 0.5])
    problem = grid.problem([3.0, 5.0], [7.0, 5.0], DISC, moving=[walker])
    ts = np.linspace(0.0, 4.0, 9)
    plan = Plan(PlanStatus.SOLVED, POINT, np.column_stack([3.0 + ts, np.full(9, 5.0)]), ts=ts, cost=4.0)
    P = 0.2**2 * np.eye(2)
    risk, alone = collision_risk(plan, problem, P), collision_risk(plan, problem.still, P)
    errors = 0.2 * np.random.default_rng(0).normal(size=(TRIALS, 9, 2))
    hits = np.linalg.norm(plan.xs + errors - walker.at(ts), axis=-1) < walker.radius_at(ts) + 0.15
    for k in range(9):
        assert at_least(int(hits[:, k].sum()), TRIALS) <= risk[k]
    assert (risk >= alone).all() and risk.max() == 1.0 and risk[0] < 1e-9
    fixed = PredictedTrack([0.0, 4.0], walker.xys, np.zeros((2, 2, 2)), radius=0.5)
    np.testing.assert_allclose(risk, collision_risk(plan, problem.still, P, [fixed]), atol=1e-12)
    with pytest.raises(ShapeError, match="times"):
        collision_risk(replace(plan, ts=None), problem, P)


@pytest.mark.parametrize("bad", [-np.eye(2), [[1.0, 100.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]])
def test_what_is_no_covariance_is_refused(bad: Any) -> None:
    line = Dubins(1.0).connect([0.0, 0.0, 0.0], [3.0, 0.0, 0.0], spacing=0.5)
    start = np.eye(3)
    start[:2, :2] = bad
    with pytest.raises(CovarianceError):
        PredictedTrack([0.0, 1.0], np.zeros((2, 2)), [np.eye(2), bad])
    with pytest.raises(CovarianceError):
        predicted_covariances(line, start, unicycle())
    with pytest.raises(CovarianceError):
        collision_risk(Plan(PlanStatus.SOLVED, POINT, [START], ts=[0.0]), wall().problem(START, GOAL, DISC), bad)


def test_a_track_keeps_its_own_numbers() -> None:
    means = np.zeros((2, 2))
    track = PredictedTrack([0.0, 1.0], means, [np.eye(2)] * 2)
    means[:] = 9.0
    assert track.at([0.5])[0].tolist() == [[0.0, 0.0]]


def test_bad_input() -> None:
    problem = wall().problem(START, GOAL, DISC)
    with pytest.raises(CovarianceError, match="semidefinite"):
        chance_constrained(problem, -np.eye(2))
    with pytest.raises(ShapeError, match=r"\(5,\)"):
        chance_constrained(problem, np.ones(5))
    with pytest.raises(SettingError, match="risk"):
        chance_constrained(problem, np.eye(2), risk=1.5)
    with pytest.raises(SettingError, match="FootprintConstraint"):
        chance_constrained(Problem(POINT, START, GOAL), np.eye(2))
    with pytest.raises(ShapeError, match="ascend"):
        PredictedTrack([1.0, 0.0], np.zeros((2, 2)), np.zeros((2, 2, 2)))
    with pytest.raises(ShapeError, match="track"):
        PredictedTrack.of([], [])
    with pytest.raises(SettingError, match="Belief"):
        PredictedTrack.of([0.0], [[1.0, 2.0]])
    two = Plan(PlanStatus.SOLVED, POINT, [START, GOAL], ts=[0.0, 4.0], cost=4.0)
    for covariances in (np.stack([np.eye(2)] * 3), np.ones(2)):
        with pytest.raises(ShapeError, match="covariances have shape"):
            collision_risk(two, problem, covariances)
    with pytest.raises(ShapeError):
        predicted_covariances(Dubins(1.0).connect([0, 0, 0], [3, 0, 0]), np.full((3, 3), np.nan), unicycle())
    with pytest.raises(SettingError, match=r"tracks .* list"):
        collision_risk(two, problem, np.eye(2), PredictedTrack([0.0], [[1.0, 1.0]], [np.eye(2)]))
    with pytest.raises(ShapeError, match="controls"):
        predicted_covariances(Plan(PlanStatus.SOLVED, POINT, [START], cost=0.0), np.eye(2), unicycle())
