"""Footprints: discs that cover them, clearances against separating axes, fields that never promise too much."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import PilotageError, Raster, ShapeError, Space, torch_math
from pilotage.maps import Footprint, FootprintConstraint, OccupancyGrid
from pilotage.maps.distance import signed_distance
from pilotage.maps.obstacles import AWAY, CORNER

from .polygons import depth, gap, overlapping, placed, point_to_polygons, squares

POSE = Space("x y [m]", "yaw: angle")
SHAPES = {
    "point": Footprint.disc(0.0),
    "disc": Footprint.disc(0.21),
    "discs": Footprint([[0.3, 0.0, 0.2], [-0.2, 0.1, 0.25]]),
    "car": Footprint.rectangle(0.9, 0.4, (0.25, 0.0)),
    "triangle": Footprint.polygon([[0.4, 0.0], [-0.2, -0.3], [-0.2, 0.3]]),
    "clockwise": Footprint.polygon([[0.3, 0.3], [0.3, -0.1], [-0.1, -0.2], [-0.3, 0.1]], rows=1),
}


def world(seed: int, share: float = 0.08) -> tuple[OccupancyGrid, np.random.Generator]:
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 1.0, np.nan], (11, 14), p=[1 - 1.2 * share, share, 0.2 * share])
    return OccupancyGrid.from_probability(p, 0.25, (1.0, -2.0, rng.uniform(-3, 3))), rng


def poses_on(grid: OccupancyGrid, rng: np.random.Generator, count: int) -> np.ndarray:
    xy = grid.grid_to_world(rng.uniform((-1, -1), np.add(grid.shape[::-1], 1), (count, 2)))
    return np.column_stack((xy, rng.uniform(-np.pi, np.pi, count)))


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*SHAPES]), unknown=st.sampled_from(["blocked", "free"]))
def test_clearance_is_brute_force(seed: int, name: str, unknown: str) -> None:
    grid, rng = world(seed)
    poses, shape, others = poses_on(grid, rng, 12), SHAPES[name], squares(grid, unknown)
    found = shape.clearance(grid.obstacles(unknown), poses)
    for pose, clearance in zip(poses, found, strict=True):
        expected = gap(shape, pose, others)
        assert max(clearance, 0.0) == pytest.approx(expected, abs=1e-9)
        if expected > 1e-9:
            assert clearance > 0.0
    batch = shape.clearance(grid.obstacles(unknown), poses.reshape(3, 4, 3))
    np.testing.assert_array_equal(batch, found.reshape(3, 4))


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(["car", "triangle", "clockwise"]))
def test_depth_of_a_polygon_is_its_way_out_of_a_cell(seed: int, name: str) -> None:
    grid, rng = world(seed)
    shape, others = SHAPES[name], squares(grid, margin=0)
    reach = shape.radius / grid.resolution
    ny, nx = grid.shape
    xy = grid.grid_to_world(rng.uniform((reach, reach), (nx - reach, ny - reach), (12, 2)))
    poses = np.column_stack((xy, rng.uniform(-np.pi, np.pi, 12)))
    for pose, clearance in zip(poses, grid.clearance(poses, shape), strict=True):
        assert max(-clearance, 0.0) == pytest.approx(depth(placed(np.array(shape.hull), pose), others), abs=1e-9)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*SHAPES]))
def test_clearance_changes_by_no_more_than_the_robot_moves(seed: int, name: str) -> None:
    """At contact as elsewhere."""
    grid, rng = world(seed)
    shape, poses = SHAPES[name], poses_on(grid, rng, 200)
    steps = rng.normal(size=(200, 2)) * 10.0 ** rng.uniform(-4, 0, (200, 1))
    moved = np.column_stack((poses[:, :2] + steps, poses[:, 2]))
    change = grid.clearance(moved, shape) - grid.clearance(poses, shape)
    centers = np.concatenate([shape.centers(poses)[0], shape.centers(moved)[0]], axis=1)
    on_map = grid.contains_cell(grid.world_to_cell(centers)).all(-1)
    assert (abs(change) <= np.linalg.norm(steps, axis=-1) + 1e-9)[on_map].all()


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*SHAPES, "hollow"]))
def test_the_gradient_of_clearance_is_that_of_finite_differences(seed: int, name: str) -> None:
    """Where the differences to both sides agree, so that the clearance is smooth: outside, inside and off the map."""
    hollow = Footprint.polygon([[0.4, 0.4], [-0.4, 0.4], [-0.4, -0.4], [0.4, -0.4], [0.4, -0.2], [-0.1, 0.0]])
    grid, rng = world(seed)
    shape, poses, h = SHAPES.get(name, hollow), poses_on(grid, rng, 60), 1e-6
    here, moves = grid.clearance(poses, shape), h * np.eye(3)
    ahead, behind = (grid.clearance(poses[:, None] + side * moves, shape) for side in (1, -1))
    smooth = abs(ahead + behind - 2.0 * here[:, None]).max(-1) < 1e-9
    assert smooth.mean() > 0.8
    found = grid.clearance_gradient(poses, shape)
    np.testing.assert_allclose(found[smooth], ((ahead - behind) / (2.0 * h))[smooth], atol=1e-5)
    np.testing.assert_array_equal(grid.clearance_gradient(poses.reshape(3, 20, 3), shape), found.reshape(3, 20, 3))
    if not shape.turns:
        np.testing.assert_array_equal(grid.clearance_gradient(poses[:, :2], shape), found[:, :2])


def test_the_gradient_at_a_face_is_its_normal_and_nan_stays_nan() -> None:
    room = OccupancyGrid.from_ascii(["....", "....", "...#"])
    np.testing.assert_array_equal(room.clearance_gradient([[3.0, 0.4], [3.4, 1.0]]), [[-1.0, 0.0], [0.0, 1.0]])
    poses = [[np.nan, 1.0, 0.0], [1.4, 1.0, 0.0]]
    assert np.isnan(room.clearance_gradient(poses, SHAPES["car"])).tolist() == [[True] * 3, [False] * 3]


def test_a_footprint_is_short_in_messages() -> None:
    gon = Footprint.polygon([[np.cos(a), np.sin(a)] for a in np.linspace(0, 6, 30)], rows=6)
    assert repr(gon) == "Footprint(polygon of 30 corners, 2 x 2 m)"
    assert repr(Footprint.disc(0.25)) == "Footprint(1 disc, radius 0.25 m)"


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_depth_of_a_point_is_its_way_out(seed: int) -> None:
    grid, rng = world(seed, share=0.4)
    points = poses_on(grid, rng, 12)[:, :2]
    open_cells = np.argwhere(grid.free)
    low = open_cells[:, None, ::-1]
    free = grid.grid_to_world(low + np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    for point, clearance in zip(points, grid.clearance(points), strict=True):
        if clearance < 0.0 and grid.contains_cell(grid.world_to_cell(point)):
            assert -clearance == pytest.approx(point_to_polygons(point, free).min(), abs=1e-9)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*SHAPES]))
def test_the_constraint_never_calls_a_robot_clear_that_is_not(seed: int, name: str) -> None:
    grid, rng = world(seed)
    poses, shape = poses_on(grid, rng, 200), SHAPES[name]
    room = -FootprintConstraint(grid.obstacles(), shape, POSE)(poses).max(-1)
    exact = shape.clearance(grid.obstacles(), poses)
    outside = exact > 0.0
    assert (room[outside] <= exact[outside] + 1e-12).all()
    assert (room[~outside] <= 1e-12).all()


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_and_is_seldom_wrong_by_more_than_it_says(seed: int) -> None:
    grid, rng = world(seed, share=0.02)
    points = poses_on(grid, rng, 300)[:, :2]
    exact, room = grid.clearance(points), grid.obstacles().field.at(points)
    far = exact > 2.0 * grid.resolution
    assert (exact[far] - room[far] <= 0.8 * grid.resolution).all()  # on ridges, interpolation cuts off the top


def test_the_excess_of_interpolation_over_distances_to_squares() -> None:
    """The two numbers that the field stands back by, maximised over where a square and a point may lie."""
    s, t = np.meshgrid(np.linspace(0, 1, 101), np.linspace(0, 1, 101))

    def distance(x: np.ndarray, y: np.ndarray, i: int, j: int) -> np.ndarray:
        dx, dy = np.abs(x - i) - 0.5, np.abs(y - j) - 0.5
        return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0)

    worst = {"corner": -1.0, "away": -1.0}
    for i in range(-5, 7):
        for j in range(-5, 7):
            at = [distance(np.array(x), np.array(y), i, j) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))]
            blocked = [i == x and j == y for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))]
            at = [d - (CORNER if b else AWAY) for d, b in zip(at, blocked, strict=True)]
            mean = (1 - s) * (1 - t) * at[0] + s * (1 - t) * at[1] + (1 - s) * t * at[2] + s * t * at[3]
            true = distance(s, t, i, j)
            kind = "corner" if i in (0, 1) and j in (0, 1) else "away"
            worst[kind] = max(worst[kind], float((mean - np.maximum(true, 0.0)).max()))
    for excess in worst.values():
        assert -1e-3 < excess <= 1e-12


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_distances_to_squares_are_brute_force(seed: int, rows: int, columns: int) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.2
    found = signed_distance(mask)
    for y in range(rows):
        for x in range(columns):
            out, into = (
                min(
                    (math.hypot(max(abs(y - u) - 0.5, 0), max(abs(x - v) - 0.5, 0)) for u, v in np.argwhere(cells)),
                    default=math.hypot(rows, columns),
                )
                for cells in (mask, ~mask)
            )
            assert found[y, x] == pytest.approx(out - into, abs=1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*SHAPES]), kind=st.sampled_from(["flat", "group"]))
def test_no_wall_hides_between_samples_of_an_edge(seed: int, name: str, kind: str) -> None:
    """An edge that is allowed is clear at a thousand poses along it; one that is refused has little room somewhere."""
    grid, rng = world(seed, share=0.03)
    space = POSE if kind == "flat" else Space("pose: SE2")
    shape = SHAPES[name]
    check = FootprintConstraint(grid.obstacles(), shape, space)
    a, b = poses_on(grid, rng, 40), poses_on(grid, rng, 40)
    b[:20, :2] = a[:20, :2] + rng.uniform(-0.5, 0.5, (20, 2))
    allowed = check.edges_allowed(a, b)
    along = space.interpolate(a[:, None], b[:, None], np.linspace(0, 1, 1001))
    exact = shape.clearance(grid.obstacles(), along).min(-1)
    assert (exact[allowed] > 0.0).all()
    assert (exact[~allowed] < 0.8 * grid.resolution + 0.1).all()


def test_polygons_are_covered_by_their_discs() -> None:
    rng = np.random.default_rng(3)
    for shape in SHAPES.values():
        if not shape.hull:
            continue
        hull = np.array(shape.hull)
        inside = rng.dirichlet(np.ones(len(hull)), 2000) @ hull
        discs = np.array(shape.discs)
        apart = np.linalg.norm(np.concatenate((inside, hull))[:, None] - discs[:, :2], axis=-1)
        assert (apart <= discs[:, 2] + 1e-12).any(-1).all()
    for rows in (1, 2, 3):
        shape = Footprint.rectangle(4.5, 1.8, rows=rows)
        assert len(shape.discs) == rows * math.ceil(2.5 * rows)
        beyond = max(max(abs(x) + r - 2.25, abs(y) + r - 0.9) for x, y, r in shape.discs)
        assert 0.0 < beyond <= 0.31 * 1.8 / rows


def test_one_formula_for_numpy_and_torch() -> None:
    import torch

    grid, rng = world(2)
    shape, poses = SHAPES["car"], poses_on(grid, rng, 50)
    check = FootprintConstraint(grid.obstacles(), shape, POSE)
    x = torch.tensor(poses, requires_grad=True)
    found = check(x)
    np.testing.assert_allclose(found.detach().numpy(), check(poses), atol=1e-12)
    found.sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    columns = shape.constraint(x[:, 0], x[:, 1], x[:, 2], grid.obstacles().field, torch_math())
    assert torch.equal(torch.stack(columns, -1), found)


def test_a_constraint_finds_the_pose_in_a_larger_state() -> None:
    grid, rng = world(5)
    poses = poses_on(grid, rng, 30)
    car = Space("speed [m/s]", "pose: SE2")
    found = FootprintConstraint(grid.obstacles(), SHAPES["car"], car)
    x = np.column_stack((np.ones(30), poses))
    np.testing.assert_array_equal(found(x), FootprintConstraint(grid.obstacles(), SHAPES["car"], POSE)(poses))
    np.testing.assert_array_equal(found.clearance(x), SHAPES["car"].clearance(grid.obstacles(), poses))


def test_words_for_a_collision() -> None:
    hall = OccupancyGrid.from_ascii(["......", "...#..", "......"], resolution=0.5)
    check = FootprintConstraint(hall.obstacles(), Footprint.disc(0.2), POSE)
    assert check.describe([0.75, 0.75, 0.0]) == ""
    assert check.describe([1.42, 0.75, 0.0]) == "is in collision by 0.12 m"
    problem = hall.problem([1.42, 0.75], [2.75, 0.75], Footprint.disc(0.2))
    assert problem.explain(problem.start, "start") == "start (1.42, 0.75) is in collision by 0.12 m"


def test_values_are_equal_hashed_and_pickled() -> None:
    assert Footprint.disc(0.3) == Footprint.disc(0.3)
    assert len({SHAPES["car"], Footprint.rectangle(0.9, 0.4, (0.25, 0.0))}) == 1
    assert pickle.loads(pickle.dumps(SHAPES["triangle"])) == SHAPES["triangle"]
    assert not SHAPES["disc"].turns
    assert SHAPES["car"].turns
    assert Footprint([[0.3, 0.4, 0.1]]).radius == pytest.approx(0.6)


def test_poses_that_are_not_finite_have_no_clearance() -> None:
    grid, _ = world(1)
    assert np.isnan(SHAPES["car"].clearance(grid.obstacles(), [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, np.nan]])).all()


def test_separating_axes_of_the_oracle() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    diamond = placed(square - 0.5, np.array([2.0, 0.5, math.pi / 4]))
    assert not overlapping(diamond, square[None]).any()
    assert overlapping(diamond - [0.4, 0.0], square[None]).all()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Footprint([]), r"expected \(K, 3\)"),
        (lambda: Footprint([[0, 0]]), r"expected \(K, 3\)"),
        (lambda: Footprint([[0, 0, -1]]), "radii 0 or more"),
        (lambda: Footprint([[np.inf, 0, 1]]), "expected finite rows"),
        (lambda: Footprint.disc(-1.0), "radius of a footprint"),
        (lambda: Footprint.polygon([[0, 0], [1, 0]]), "three or more"),
        (lambda: Footprint.polygon([[0, 0], [2, 0], [1, 0]]), "not a simple polygon"),
        (lambda: Footprint.polygon([[0, 0], [2, 0], [0, 1], [2, 1]]), "not a simple polygon"),
        (lambda: Footprint.polygon([[1, 0], [-0.8, 0.6], [0.3, -1], [0.3, 1], [-0.8, -0.6]]), "not a simple polygon"),
        (lambda: SHAPES["car"].swept(world(0)[0], [0.0, 0.0, 0.0]), "expected finite"),
        (lambda: SHAPES["car"].swept(world(0)[0], [[0.0, 0.0]]), "expected finite"),
        (lambda: SHAPES["disc"].swept(world(0)[0], [[0.0, np.nan]]), "expected finite"),
        (lambda: SHAPES["car"].sweeps_clear(world(0)[0], [[0.0, 0.0, 0.0]]), "needs Obstacles, not OccupancyGrid"),
        (lambda: Footprint.rectangle(0.0, 1.0), "length"),
        (lambda: SHAPES["car"].clearance(world(0)[0].obstacles(), [0.0, 0.0]), "expected .* for x, y, yaw"),
        (lambda: world(0)[0].obstacles("maybe"), "unknown is 'maybe'"),
        (lambda: FootprintConstraint(world(0)[0].obstacles(), SHAPES["car"], Space("x y [m]")), "no component 'yaw'"),
        (
            lambda: FootprintConstraint(world(0)[0].obstacles(), SHAPES["disc"], Space("p: SE3")),
            "not a pose in the plane",
        ),
        (lambda: FootprintConstraint(world(0)[0].obstacles(), SHAPES["car"], POSE).cells, "needs a round footprint"),
        (lambda: FootprintConstraint(world(0)[0], SHAPES["disc"], POSE), "needs Obstacles, not OccupancyGrid"),
        (lambda: FootprintConstraint(world(0)[0].obstacles(), 0.3, POSE), "needs a Footprint, not 0.3"),
        (lambda: FootprintConstraint(world(0)[0].obstacles(), Footprint, POSE), r"is \(\) missing\?"),
        (lambda: SHAPES["car"].clearance(world(0)[0], [0.0, 0.0, 0.0]), "needs Obstacles, not OccupancyGrid"),
        (lambda: world(0)[0].clearance([0.0, 0.0, 0.0], 0.3), "needs a Footprint, not 0.3"),
        (lambda: world(0)[0].problem((0, 0), (1, 1), 0.3), "needs a Footprint, not 0.3"),
        (lambda: world(0)[0].problem((0, 0), (1, 1), space="x y"), "needs a Space, not 'x y'"),
        (lambda: world(0)[0].obstacles(["free"]), r"unknown is \['free'\]"),
        (lambda: SHAPES["car"].centers([0.0, 0.0]), r"expected \(\.\.\., 3\)"),
        (lambda: Footprint.rectangle(1.0, 1.0, center=3), "center is 3; expected x and y"),
        (lambda: Footprint(-np.ones((300, 3))), r"^.{1,160}$"),
        (lambda: Footprint.polygon(np.random.default_rng(0).normal(size=(300, 2))), r"^.{1,200}$"),
    ],
)
def test_what_makes_no_footprint_is_a_sentence(make: object, sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        make()  # type: ignore[operator]


def test_the_field_is_a_raster_with_the_ring_around_the_map() -> None:
    grid, _ = world(4)
    field = grid.obstacles().field
    assert isinstance(field, Raster)
    assert field.shape == tuple(np.add(grid.shape, 2))
    assert (field.at(grid.grid_to_world([[-0.5, 3.0], [-50.0, 3.0], [3.0, 100.0]])) < 0.0).all()
    assert isinstance(ShapeError("x"), ValueError)
