"""Swept footprints against the robot at a thousand poses; concave polygons against the union of their pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pilotage.maps import Footprint, FootprintConstraint, OccupancyGrid
from pilotage.maps._polygon import convex_pieces, outline

from .polygons import gap, placed, squares
from .test_footprint import POSE, SHAPES, poses_on, world

ELL = Footprint.polygon([[0.0, 0.0], [0.9, 0.0], [0.9, 0.2], [0.25, 0.2], [0.25, 0.7], [0.0, 0.7]])
FORK = Footprint.polygon(
    [[-0.4, -0.3], [0.6, -0.3], [0.6, -0.2], [0.0, -0.2], [0.0, 0.2], [0.6, 0.2], [0.6, 0.3], [-0.4, 0.3]]
)
CONCAVE = {"ell": ELL, "fork": FORK}
ALL = SHAPES | CONCAVE


def way(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    return POSE.interpolate(a, b, np.linspace(0.0, 1.0, count))


def nearest(shape: Footprint, pose: np.ndarray, others: np.ndarray) -> float:
    """Distance of a footprint, concave or not, to the nearest of the squares."""
    if not shape.hull:
        return gap(shape, pose, others)
    return min(
        gap(Footprint(shape.discs, tuple(map(tuple, each))), pose, others)
        for each in convex_pieces(np.array(shape.hull))
    )


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*ALL]))
def test_swept_cells_are_those_that_the_robot_touches(seed: int, name: str) -> None:
    """Clearances at many poses to one cell after the other, in a map so wide that its edge plays no part."""
    rng, shape, wide = np.random.default_rng(seed), ALL[name], (40, 40)
    grid = OccupancyGrid.from_occupied(np.zeros(wide, dtype=bool), 0.25, (1.0, -2.0, rng.uniform(-3, 3)))
    a = np.append(grid.grid_to_world(rng.uniform(18, 22, 2)), rng.uniform(-3, 3))
    b = a + np.append(rng.uniform(-1, 1, 2), rng.uniform(-3, 3))
    swept = shape.swept(grid, [a, b])
    np.testing.assert_array_equal(swept, shape.swept(grid, [b, a, a]))
    poses, count = way(a, b, 2000), 2000
    step = (np.linalg.norm(b[:2] - a[:2]) + shape.radius * np.pi) / (count - 1)
    around = ndimage.binary_dilation(swept, iterations=2) & ~swept
    for cells in (np.argwhere(swept), np.argwhere(around)):
        for cell in rng.permutation(cells)[:4]:
            mask = np.zeros(wide, dtype=bool)
            mask[tuple(cell)] = True
            alone = OccupancyGrid.from_occupied(mask, grid.resolution, grid.origin).obstacles()
            closest = shape.clearance(alone, poses).min()
            assert closest > 0.0 or swept[tuple(cell)]
            assert closest <= step + 1e-3 * grid.resolution or not swept[tuple(cell)]


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*ALL]))
def test_a_way_is_clear_when_the_robot_is_at_all_poses_on_it(seed: int, name: str) -> None:
    grid, rng = world(seed, share=0.03)
    shape, a = ALL[name], poses_on(grid, rng, 15)
    b = a + rng.normal(0.0, (0.2, 0.2, 0.5), a.shape)
    allowed = FootprintConstraint(grid.obstacles(), shape, POSE).edges_allowed(a, b)
    along = POSE.interpolate(a[:, None], b[:, None], np.linspace(0.0, 1.0, 400))
    least = shape.clearance(grid.obstacles(), along).min(-1)
    clear = np.array([shape.sweeps_clear(grid.obstacles(), ends)[0] for ends in zip(a, b, strict=True)])
    assert (least[clear] > 0.0).all()
    assert (least[~clear] < 0.01).all()
    assert (clear | ~allowed).all()  # the constraint is conservative


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_convex_pieces_are_the_polygon(seed: int) -> None:
    """Their areas add up, and a point is in the polygon exactly if it is in one of them."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 15)))
    if np.diff(angles, append=angles[0] + 2 * np.pi).max() >= np.pi - 0.05:
        return  # not a star around the origin
    shape = outline(np.column_stack((np.cos(angles), np.sin(angles))) * rng.uniform(0.3, 1.0, (len(angles), 1)))
    pieces = convex_pieces(shape)

    def area(p: np.ndarray) -> float:
        return 0.5 * float(p[:, 0] @ np.roll(p[:, 1], -1) - p[:, 1] @ np.roll(p[:, 0], -1))

    assert sum(area(piece) for piece in pieces) == pytest.approx(area(shape))
    points = rng.uniform(-1, 1, (300, 2))
    a, b = shape, np.roll(shape, -1, axis=0)
    x, y = points[:, None, 0], points[:, None, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = (a[:, 1] > y) != (b[:, 1] > y)
        crossed = left & (x < a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1]))
    inside = crossed.sum(-1) % 2 == 1
    found = np.zeros(300, dtype=bool)
    for piece in pieces:
        d, p = np.roll(piece, -1, axis=0) - piece, points[:, None] - piece
        turns = d[:, 0] * p[..., 1] - d[:, 1] * p[..., 0]
        assert (np.roll(d, 1, axis=0)[:, 0] * d[:, 1] - np.roll(d, 1, axis=0)[:, 1] * d[:, 0] >= -1e-9).all()
        found |= (turns >= 0.0).all(-1)
    np.testing.assert_array_equal(found, inside)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*CONCAVE]))
def test_clearance_of_a_concave_polygon_is_brute_force_and_its_constraint_conservative(seed: int, name: str) -> None:
    grid, rng = world(seed)
    shape, poses = CONCAVE[name], poses_on(grid, rng, 5)
    exact, others = shape.clearance(grid.obstacles(), poses), squares(grid)
    for pose, clearance in zip(poses, exact, strict=True):
        assert max(clearance, 0.0) == pytest.approx(nearest(shape, pose, others), abs=1e-9)
    room = -FootprintConstraint(grid.obstacles(), shape, POSE)(poses).max(-1)
    assert (room <= np.maximum(exact, 0.0) + 1e-12).all()


def test_a_forklift_takes_a_pallet_between_its_forks() -> None:
    """Its convex hull would be in collision."""
    mask = np.zeros((60, 80), dtype=bool)
    mask[28:32, 30:38] = True
    grid = OccupancyGrid.from_occupied(mask, 0.05)
    pose = [1.3, 1.5, 0.0]
    corners = placed(np.array(FORK.hull), np.array(pose))
    assert corners[:, 0].max() > 1.7
    assert grid.clearance(pose, FORK) == pytest.approx(0.1)
    assert grid.clearance(pose, Footprint.rectangle(1.0, 0.6, (0.1, 0.0))) < 0.0
    assert FORK.sweeps_clear(grid.obstacles(), [[0.8, 1.5, 0.0], pose, [1.3, 1.5, 1.5]]).tolist() == [True, False]
    problem = grid.refined(2).problem([0.7, 1.5, 0.0], pose, FORK)
    assert problem.edges_allowed([0.7, 1.5, 0.0], pose)
    assert not problem.edges_allowed(pose, [1.3, 1.5, 1.5])


def test_poses_may_lie_in_memory_in_any_order() -> None:
    grid = OccupancyGrid.from_ascii(["....", "....", "#..."])
    poses, shape = np.array([[1.5, 1.2, 0.0], [1.5, 1.2, -1.5], [1.5, 1.2, -3.0]]), Footprint.rectangle(1.6, 0.2)
    found = shape.sweeps_clear(grid.obstacles(), np.asfortranarray(poses))
    np.testing.assert_array_equal(found, shape.sweeps_clear(grid.obstacles(), poses))
    np.testing.assert_array_equal(shape.swept(grid, np.asfortranarray(poses)), shape.swept(grid, poses))
