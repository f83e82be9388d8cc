"""Paths by arc length, projection on them, and progress along them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.control import Path, Progress, PurePursuit
from pilotage.control.paths._polyline import paced, sighted
from pilotage.core import ActionStatus, Plan, PlanStatus, ShapeError, Space
from pilotage.models import unicycle

number = st.floats(-20.0, 20.0)
paths = st.lists(st.tuples(number, number), min_size=1, max_size=12)
CORNER = Path([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])


def dense(path: Path) -> tuple[np.ndarray, np.ndarray]:
    s = np.linspace(0.0, path.length, 4001)
    return s, path.at(s)


@given(paths, st.tuples(number, number))
def test_projection_is_the_nearest_point(points: list[tuple[float, float]], xy: tuple[float, float]) -> None:
    path = Path(points)
    among = dense(path)[1]
    found = path.project(xy)
    assert 0.0 <= found <= path.length
    least = np.hypot(*(among - xy).T).min()
    assert np.hypot(*(path.at(found) - xy)) <= least + 1e-9


@given(paths, st.tuples(number, number), st.floats(0, 30), st.floats(0, 30))
def test_projection_stays_in_its_window(
    points: list[tuple[float, float]], xy: tuple[float, float], a: float, b: float
) -> None:
    path = Path(points)
    low, high = min(a, b), max(a, b) + 1e-3
    found = path.project(xy, low, high)
    assert min(low, path.length) - 1e-9 <= found <= high + 1e-9
    s, among = dense(path)
    inside = (s >= low) & (s <= high)
    if inside.any():
        assert np.hypot(*(path.at(found) - xy)) <= np.hypot(*(among[inside] - xy).T).min() + 1e-9


def test_ends_and_repeated_points() -> None:
    path = Path([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    assert len(path.points) == 2
    assert path.at([-1.0, 0.0, 1.0, 5.0]).tolist() == [[1.0, 1.0], [1.0, 1.0], [2.0, 1.0], [2.0, 1.0]]
    point = Path([[1.0, 2.0]])
    assert point.length == 0.0 == point.project([5.0, 5.0])


def test_an_array_of_poses_is_a_path_with_headings() -> None:
    xs = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.2, 0.0], [0.0, 0.2, 0.0]])
    planned = Path(Plan(PlanStatus.SOLVED, Space("x y [m]", "yaw: angle"), xs))
    path = Path(xs)
    assert path == planned and path != Path(xs[:, :2])
    assert [leg.direction for leg in path.legs] == [1.0, -1.0]
    assert PurePursuit(unicycle(), xs).act([1.9, 0.1, 0.0]).status is not ActionStatus.FALLBACK
    back = PurePursuit(unicycle(), xs[3:]).act([1.0, 0.2, 0.0])
    assert back.u[0] < 0.0, "driven backwards, as the headings say"


def test_bad_paths_are_refused() -> None:
    for bad in ([], [[0.0]], [1.0, 2.0], [[0.0, np.nan]], np.zeros((3, 4))):
        with pytest.raises(ShapeError, match="a path "):
            Path(bad)
    with pytest.raises(ShapeError, match=r"a point of shape \(3,\) was given"):
        CORNER.project([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match="no path to follow: goal in another component"):
        Path(Plan(PlanStatus.NO_PATH, reason="goal in another component"))


def reached(progress: Progress, places: np.ndarray | list[list[float]]) -> list[float]:
    s: list[float] = []
    for place in places:
        s.append(progress.advance(s[-1] if s else None, place))
    return s


def test_progress_never_goes_back() -> None:
    rng = np.random.default_rng(0)
    s = reached(Progress(CORNER), CORNER.at(np.linspace(0.0, 7.0, 200)) + rng.normal(0.0, 0.2, (200, 2)))
    assert (np.diff(s) >= 0.0).all()
    assert s[-1] > 6.5


def test_progress_does_not_jump_to_a_near_part_of_the_path() -> None:
    hairpin = Path([[0.0, 0.0], [10.0, 0.0], [10.0, 0.4], [0.0, 0.4]])
    s = reached(Progress(hairpin), [[0.0, 0.0], *([0.1 * k, 0.3] for k in range(1, 40))])
    assert np.allclose(s, 0.1 * np.arange(40), atol=0.5)


def loops(rng: np.random.Generator) -> np.ndarray:
    """Circles on a line, to both sides."""
    circle, x, points = np.linspace(0.0, 2.0 * np.pi, 40), 0.0, [np.zeros((1, 2))]
    for side in rng.choice([-1.0, 1.0], 4):
        x += rng.uniform(0.3, 1.0)
        points.append([x, 0.0] + rng.uniform(0.12, 0.6) * np.stack([np.sin(circle), side * (1 - np.cos(circle))], -1))
    return np.concatenate([*points, [[x + 1.0, 0.0]]])


def serpentine(rng: np.random.Generator) -> np.ndarray:
    """Lanes that are driven to and fro."""
    k = np.arange(12)
    return np.stack([rng.uniform(0.5, 3.0) * ((k + 1) // 2 % 2), rng.uniform(0.13, 0.4) * (k // 2)], -1)


def wandering(rng: np.random.Generator) -> np.ndarray:
    """Arcs of radii from 0.25 m on, which cross one another."""
    yaw = np.cumsum(np.repeat(rng.uniform(-0.2, 0.2, 12), 20))
    return np.cumsum(0.05 * np.stack([np.cos(yaw), np.sin(yaw)], -1), axis=0)


@pytest.mark.parametrize("noise", [0.0, 0.03])
@pytest.mark.parametrize("kind", [loops, serpentine, wandering])
@pytest.mark.parametrize("seed", range(8))
def test_progress_on_a_path_that_comes_near_itself_is_that_of_the_robot(kind: Any, noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = Path(kind(rng))
    driven = np.arange(0.0, path.length, 0.04)
    s = reached(Progress(path), path.at(driven) + noise * rng.normal(size=(len(driven), 2)))
    assert abs(s - driven).max() < (0.25 if noise else 1e-6)


@pytest.mark.parametrize("push", [0.04, 0.08, 0.12])
@pytest.mark.parametrize("length", [0.8, 5.0])
def test_a_robot_pushed_towards_the_next_lane_leaves_out_no_more_than_its_end(length: float, push: float) -> None:
    k = np.arange(8)
    path = Path(np.stack([length * ((k + 1) // 2 % 2), 0.13 * (k // 2)], -1))
    driven = np.arange(0.0, path.length, 0.01)
    s = np.array(reached(Progress(path), path.at(driven) + [0.0, push]))
    assert (s - driven).max() < 3.5 * push


def test_progress_keeps_up_on_a_path_that_jitters() -> None:
    """Its arc length is four times the distance that a robot moves."""
    points = np.column_stack([np.linspace(0.0, 9.0, 900), np.zeros(900)])
    path = Path(points + np.random.default_rng(0).normal(0.0, 0.02, (900, 2)))
    x = np.arange(0.0, 9.0, 0.05)
    s = reached(Progress(path), np.column_stack([x, 0.0 * x]))
    assert abs(path.at(s)[:, 0] - x).max() < 0.3


def test_a_robot_of_which_nothing_is_known_is_at_the_first_of_places_alike() -> None:
    for s in np.linspace(0.0, CORNER.length, 30):
        assert Progress(CORNER).find(CORNER.at(s)) == pytest.approx(s), "where there is one place, it is the nearest"
    eight = Path([[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    assert Progress(eight).find([2.1, 2.0]) == pytest.approx(np.hypot(2.05, 2.05))
    assert Progress(eight).find([-0.1, 0.1]) == pytest.approx(0.0)
    assert Progress(eight, alike=0.0).find([-0.1, 0.1]) == pytest.approx(eight.length - 0.1)
    assert Progress(Path([[1.0, 2.0]])).find([5.0, 5.0]) == 0.0


def test_progress_begins_again_when_carried_away() -> None:
    progress = Progress(CORNER)
    assert progress.advance(None, [3.0, 2.0]) == 5.0
    assert progress.advance(None, [1.0, 0.0]) == 1.0
    assert progress.advance(1.0, [3.0, 4.0]) == 7.0


def test_states_are_kept_whole() -> None:
    space = Space("speed [m/s]", "y x [m]", "yaw: angle")
    xs = np.array([[1.0, 0.0, 0.0, 0.3], [1.0, 0.0, 0.0, 0.9], [2.0, 4.0, 3.0, 0.9]])
    path = Path(Plan(PlanStatus.SOLVED, space, xs))
    assert path.points.tolist() == [[0.0, 0.0], [3.0, 4.0]]
    assert path.length == 5.0
    assert path.along.tolist() == [0.0, 0.0, 5.0]
    assert np.array_equal(path.states, xs)
    assert path.space == space


@given(paths, st.floats(0.0, 1.0), st.floats(0.05, 3.0))
def test_pace_is_monotone_and_ends_at_the_goal(points: list[tuple[float, float]], share: float, speed: float) -> None:
    path = Path(points)
    rows = np.empty((400, 5))
    paced(path.points, path.s, path.legs[0].headings, share * path.length, speed, 1.0, 0.1, speed, rows)
    moved = np.hypot(*np.diff(rows[:, :2], axis=0).T)
    assert (moved <= speed * 0.1 + 1e-9).all()
    assert np.allclose(np.hypot(rows[:, 2], rows[:, 3]), 1.0)
    where = [path.project(row, share * path.length) for row in rows[:3, :2]]
    assert (np.hypot(*(path.at(where) - rows[:3, :2]).T) < 1e-6).all()
    if 400 * speed * 0.1 > 2.0 * path.length + 20.0 * speed:
        assert np.hypot(*(rows[-1, :2] - path.goal)) < 0.05 + 0.05 * speed


def test_pace_on_a_line() -> None:
    path = Path([[0.0, 0.0], [2.0, 0.0]])
    rows = np.empty((100, 5))
    paced(path.points, path.s, path.legs[0].headings, 0.0, 0.5, 1.0, 0.1, 0.5, rows)
    assert np.allclose(rows[:30, 0], 0.05 * np.arange(30))
    assert np.allclose(rows[:, 1:4], [0.0, 1.0, 0.0])
    assert np.allclose(rows[:, 4], 2.0 - rows[:, 0])
    assert abs(rows[-1, 0] - 2.0) < 1e-3


@given(st.tuples(number, number), st.floats(0.1, 5.0))
def test_the_target_is_as_far_away_as_asked(xy: tuple[float, float], distance: float) -> None:
    s = CORNER.project(xy)
    target = np.array(sighted(CORNER.points, CORNER.s, s, *xy, distance))
    offset = np.hypot(*(CORNER.at(s) - xy))
    if offset < distance:
        assert abs(np.hypot(*(target - xy)) - distance) < 1e-9
    else:
        assert np.allclose(target, CORNER.at(s))
