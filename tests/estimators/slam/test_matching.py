"""Scan matchers: they find known transforms, know their errors, and say what scans do not tell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from pilotage.core import Gaussian
from pilotage.core.errors import PilotageError, SettingError, ShapeError
from pilotage.estimators.slam.matching import (
    CorrelativeMatcher,
    LikelihoodFieldMatcher,
    MatchStatus,
    PointToLineICP,
    Surface,
    join,
    scan_surface,
)
from pilotage.maps import Lidar, OccupancyGrid

from .rooms import ANGLES, CORRIDOR, FAR, PLANE, ROOM, scan

ICP, FIELD, CORRELATIVE = PointToLineICP(), LikelihoodFieldMatcher(), CorrelativeMatcher()
MATCHERS = [ICP, FIELD, CORRELATIVE, CorrelativeMatcher(refine=None)]


def surface(walls: Any, pose: Any, rng: np.random.Generator | None = None) -> Surface:
    return scan_surface(scan(walls, pose, rng), ANGLES, FAR)


def relative(a: Any, b: Any) -> Any:
    return np.asarray(PLANE.compose(PLANE.inverse(a), b))


steps = st.tuples(*(st.floats(-limit, limit) for limit in (0.25, 0.25, 0.15)))
places = st.tuples(st.floats(-0.5, 2.0), st.floats(-1.2, 1.2), st.floats(-math.pi, math.pi))


@pytest.mark.parametrize("matcher", MATCHERS, ids=lambda m: f"{type(m).__name__}-{getattr(m, 'refine', '') is None}")
@given(place=places, step=steps)
@settings(max_examples=15)
def test_finds_the_transform(matcher: Any, place: Any, step: Any) -> None:
    there = np.asarray(PLANE.plus(place, step))
    match = matcher.match(surface(ROOM, place), surface(ROOM, there), [0.0, 0.0, 0.0])
    off = np.abs(PLANE.minus(relative(place, there), match.pose))
    limit = {FIELD: 0.025, MATCHERS[3]: 0.08}.get(matcher, 0.01)
    assert match.status is MatchStatus.MATCHED, match.reason
    assert off[:2].max() < limit and off[2] < limit


@pytest.mark.parametrize("seed", range(3))
def test_matchers_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place, there = np.array([0.5, 0.2, rng.uniform(-3, 3)]), np.zeros(3)
    there = np.asarray(PLANE.plus(place, rng.normal(0.0, [0.1, 0.1, 0.05])))
    first, second = surface(ROOM, place, rng), surface(ROOM, there, rng)
    poses = [matcher.match(first, second, [0.0, 0.0, 0.0]).pose for matcher in (ICP, FIELD, CORRELATIVE)]
    assert np.abs(poses[1] - poses[0]).max() < 0.015
    assert np.abs(poses[2] - poses[0]).max() < 1e-3


@pytest.mark.parametrize("matcher", [ICP, FIELD], ids=lambda m: type(m).__name__)
def test_covariance_is_consistent(matcher: Any) -> None:
    runs = 150
    rng, nees = np.random.default_rng(0), []
    for _ in range(runs):
        place = np.array([rng.uniform(-0.5, 2.0), rng.uniform(-1.2, 1.2), rng.uniform(-np.pi, np.pi)])
        there = np.asarray(PLANE.plus(place, rng.normal(0.0, [0.1, 0.1, 0.05])))
        match = matcher.match(surface(ROOM, place, rng), surface(ROOM, there, rng), [0.0, 0.0, 0.0])
        assert match.status is MatchStatus.MATCHED, match.reason
        e = np.asarray(PLANE.minus(relative(place, there), match.pose))
        nees.append(e @ np.linalg.solve(match.cov, e))
    low, high = chi2.ppf([0.005, 0.995], 3 * runs) / runs
    assert low < np.mean(nees) < high


def test_covariance_of_a_cell_is_no_smaller_than_its_error() -> None:
    matcher, rng, nees = CorrelativeMatcher(refine=None), np.random.default_rng(1), []
    for _ in range(40):
        place = np.array([rng.uniform(-0.5, 2.0), rng.uniform(-1.2, 1.2), rng.uniform(-np.pi, np.pi)])
        there = np.asarray(PLANE.plus(place, rng.normal(0.0, [0.1, 0.1, 0.05])))
        match = matcher.match(surface(ROOM, place, rng), surface(ROOM, there, rng), [0.0, 0.0, 0.0])
        e = np.asarray(PLANE.minus(relative(place, there), match.pose))
        nees.append(e @ np.linalg.solve(match.cov, e))
    assert np.mean(nees) < chi2.ppf(0.995, 3 * 40) / 40


@pytest.mark.parametrize("matcher", [ICP, FIELD, CORRELATIVE], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("yaw", [0.0, 0.7, 1.5708])
def test_a_corridor_is_degenerate_along_itself(matcher: Any, yaw: float) -> None:
    rng = np.random.default_rng(3)
    first, second = surface(CORRIDOR, [0.0, 0.0, yaw], rng), surface(CORRIDOR, [0.4, 0.1, yaw], rng)
    guess = relative([0.0, 0.0, yaw], [0.1, 0.0, yaw])
    match = matcher.match(first, second, guess)
    along = np.array([np.cos(yaw), -np.sin(yaw)])  # the corridor in the frame of the scan
    assert match.status is MatchStatus.DEGENERATE and match.ok, match.reason
    assert len(match.free) == 1 and abs(match.free[0, :2] @ along) > 0.99
    moved = np.asarray(PLANE.compose([0.0, 0.0, yaw], match.pose))
    assert abs(moved[1] - 0.1) < 0.02 and abs(match.pose[2]) < 0.01  # across it, the scan tells
    assert abs(moved[0] - 0.1) < 0.02  # along it, the guess stays
    assert along @ match.cov[:2, :2] @ along > 1.0
    assert (np.linalg.eigvalsh(match.cov)[:2] < 0.02**2).all()


@pytest.mark.parametrize("matcher", [ICP, FIELD, CORRELATIVE], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("yaw", [0.0, 0.3, 0.7])
def test_a_corridor_without_noise_is_degenerate_too(matcher: Any, yaw: float) -> None:
    first, second = surface(CORRIDOR, [0.0, 0.0, yaw]), surface(CORRIDOR, [0.2, 0.1, yaw])
    match = matcher.match(first, second, relative([0.0, 0.0, yaw], [0.1, 0.0, yaw]))
    assert match.status is MatchStatus.DEGENERATE, match.reason
    assert np.allclose(PLANE.compose([0.0, 0.0, yaw], match.pose), [0.1, 0.1, yaw], atol=0.03)


def test_a_prior_holds_along_a_corridor_what_scans_do_not() -> None:
    rng = np.random.default_rng(4)
    first, second = surface(CORRIDOR, [0.0, 0.0, 0.0], rng), surface(CORRIDOR, [0.4, 0.1, 0.0], rng)
    prior = Gaussian(PLANE, [0.35, 0.0, 0.0], np.diag([0.05, 0.3, 0.1]) ** 2)
    match = ICP.match(first, second, prior)
    assert math.sqrt(match.cov[0, 0]) == pytest.approx(0.05, rel=0.05)
    assert abs(match.pose[0] - 0.35) < 0.01 and abs(match.pose[1] - 0.1) < 0.02


def test_prior_and_scan_combine_as_information() -> None:
    rng = np.random.default_rng(5)
    first, second = surface(ROOM, [0.0, 0.0, 0.0], rng), surface(ROOM, [0.1, 0.0, 0.02], rng)
    alone, tight = ICP.match(first, second, [0.0, 0.0, 0.0]), np.diag([1e-4, 1e-4, 1e-4]) ** 2
    held = ICP.match(first, second, Gaussian(PLANE, [0.0, 0.0, 0.0], tight))
    loose = ICP.match(first, second, Gaussian(PLANE, [0.0, 0.0, 0.0], np.eye(3) * 100.0))
    assert np.abs(held.pose).max() < 2e-3 and np.allclose(held.cov, tight, rtol=0.1, atol=1e-10)
    assert np.allclose(loose.pose, alone.pose, atol=1e-4) and np.allclose(loose.cov, alone.cov, rtol=1e-3)


@pytest.mark.parametrize("shift", [[0.8, -0.6, 0.4], [-1.0, 0.5, -0.5]])
def test_correlative_search_needs_no_guess(shift: Any) -> None:
    place = np.array([0.3, 0.0, 0.5])
    first, second = surface(ROOM, place), surface(ROOM, PLANE.plus(place, shift))
    match = CorrelativeMatcher(window=1.5, turn=0.8).match(first, second, [0.0, 0.0, 0.0])
    assert match.status is MatchStatus.MATCHED
    assert np.abs(PLANE.minus(relative(place, PLANE.plus(place, shift)), match.pose)).max() < 0.01


@given(seed=st.integers(0, 10_000), levels=st.integers(0, 5))
@settings(max_examples=10)
def test_branch_and_bound_finds_what_trying_all_does(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    place = np.array([rng.uniform(-0.5, 2.0), rng.uniform(-1.2, 1.2), rng.uniform(-3, 3)])
    first, second = surface(ROOM, place, rng), surface(ROOM, PLANE.plus(place, [0.1, 0.1, 0.05]), rng)
    one = CorrelativeMatcher(window=0.3, turn=0.1, levels=levels, least=0.01).search(first, second, np.zeros(3))
    all_tried = CorrelativeMatcher(window=0.3, turn=0.1, levels=0, least=0.01).search(first, second, np.zeros(3))
    assert one[1] == all_tried[1]


def test_partners_that_alternate_settle() -> None:
    lidar = Lidar(OccupancyGrid.load("turtlebot3_world.yaml"), angles=180, max_range=3.5)
    rng = np.random.default_rng(140)  # full steps jump between two sets of partners for ever
    place = np.array([-2.0, rng.uniform(-0.6, 0.6), rng.uniform(-3, 3)])
    there = np.asarray(PLANE.plus(place, rng.normal(0, [0.1, 0.1, 0.1])))
    scans = [lidar.observe(pose) + rng.normal(0, 0.01, 180) for pose in (place, there)]
    match = ICP.match(*(scan_surface(each, lidar.angles, 3.5) for each in scans), guess=[0.0, 0.0, 0.0])
    assert match.status is MatchStatus.MATCHED, match.reason
    assert np.abs(PLANE.minus(relative(place, there), match.pose)).max() < 0.02


def test_rival_of_the_best_pose_is_elsewhere() -> None:
    first, second = surface(CORRIDOR, [0.0, 0.0, 0.0]), surface(CORRIDOR, [0.1, 0.0, 0.0])
    search = CorrelativeMatcher(window=1.5, turn=0.1)
    best, score = search.search(first, second, np.zeros(3))
    other, rival = search.search(first, second, np.zeros(3), avoid=best, apart=0.5)
    assert np.hypot(*(other - best)[:2]) >= 0.45 and rival > 0.9 * score  # a corridor looks alike everywhere
    _, lonely = search.search(surface(ROOM, [0, 0, 0]), surface(ROOM, [0, 0, 0]), np.zeros(3), np.zeros(3), 0.5)
    assert lonely < 0.9


def test_walls_seen_from_both_sides_do_not_mix() -> None:
    near, behind = scan_surface(np.full(31, 2.0), np.linspace(-0.1, 0.1, 31), FAR), None
    behind = near.moved([4.05, 0.0, np.pi])  # the same wall, 5 cm thick, from the other side
    match = ICP.match(behind, near, [0.0, 0.0, 0.0])
    assert match.status is MatchStatus.NO_OVERLAP


@pytest.mark.parametrize("matcher", MATCHERS[:3], ids=lambda m: type(m).__name__)
def test_nothing_to_match(matcher: Any) -> None:
    room, none = surface(ROOM, [0.0, 0.0, 0.0]), scan_surface(np.full(5, np.nan), np.arange(5.0), FAR)
    far = room.moved([500.0, 0.0, 0.0])
    for first, second in ((room, none), (none, room), (none, none), (room, far)):
        match = matcher.match(first, second, [0.1, 0.2, 0.3])
        assert match.status is MatchStatus.NO_OVERLAP and not match.ok
        assert np.allclose(match.pose, [0.1, 0.2, 0.3]) and match.cov[0, 0] > 10.0


@pytest.mark.parametrize(
    "given", [np.full(271, np.nan), np.full(271, np.inf), np.zeros(271), np.full(271, -3.0), np.full(271, FAR)]
)
def test_readings_that_are_no_points(given: Any) -> None:
    assert len(scan_surface(given, ANGLES, FAR)) == 0


@pytest.mark.parametrize(
    ("given", "angles", "far", "kind"),
    [
        ([1.0, 2.0], [0.0], 10.0, ShapeError),
        ([[1.0], [2.0]], [0.0], 10.0, ShapeError),
        ([1.0], [np.nan], 10.0, ShapeError),
        (["a"], [0.0], 10.0, ShapeError),
        ([1.0], [0.0], 0.0, SettingError),
        ([1.0], [0.0], np.nan, SettingError),
    ],
)
def test_scans_that_are_refused(given: Any, angles: Any, far: float, kind: type[PilotageError]) -> None:
    with pytest.raises(kind):
        scan_surface(given, angles, far)


def test_guesses_that_are_refused() -> None:
    room = surface(ROOM, [0.0, 0.0, 0.0])
    for wrong in ([0.0, 0.0], [np.nan, 0.0, 0.0], "here"):
        with pytest.raises(ShapeError):
            ICP.match(room, room, wrong)
    with pytest.raises(SettingError):
        ICP.match([1.0], room, [0.0, 0.0, 0.0])  # pyright: ignore[reportArgumentType]


def test_windows_that_no_memory_holds() -> None:
    room = surface(ROOM, [0.0, 0.0, 0.0])
    with pytest.raises(SettingError):
        CorrelativeMatcher(window=1e4).match(room, room, [0.0, 0.0, 0.0])


def test_surfaces_move_and_join() -> None:
    room, pose = surface(ROOM, [0.3, 0.4, 0.5]), np.array([1.0, -2.0, 2.5])
    moved = room.moved(pose)
    assert np.allclose(moved.moved(PLANE.inverse(pose)).table, room.table, equal_nan=True)
    assert np.allclose(moved.points, PLANE.act(pose, room.points))
    both = join([room, moved])
    assert len(both) == 2 * len(room) and (both.windows[len(room) :] == room.windows + len(room)).all()


def test_walls_at_a_flat_angle_have_lines() -> None:
    hall = surface(CORRIDOR, [0.0, 0.0, 0.0])
    far = (np.abs(hall.points[:, 0]) > 4.5) & (np.abs(hall.points[:, 0]) < 6.0)  # where points are half a metre apart
    assert far.sum() > 4 and np.isfinite(hall.normals[far]).all()
    assert np.abs(hall.normals[np.isfinite(hall.normals[:, 0]), 0]).max() < 0.01


def test_lines_of_a_wall_are_exact() -> None:
    angles = np.linspace(-0.6, 0.6, 61)
    wall = scan_surface(2.0 / np.cos(angles), angles, FAR).moved([0.0, 0.0, 0.3])
    assert np.allclose(wall.normals, [-np.cos(0.3), -np.sin(0.3)])
    assert np.allclose(wall.table[:, 9], 0.0, atol=1e-12)
