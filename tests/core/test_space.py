"""Declaring spaces, asking them, and averaging on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import (
    SE2,
    Angle,
    Particles,
    Quaternion,
    Real,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
    means,
    numpy_math,
)


def test_grammar():
    space = Space("x y [m]", "yaw: angle", "speed [m/s] in [-2, 1e1]", "q: quaternion", "a.b: SE2", "n")
    assert space.names == ("x", "y", "yaw", "speed", "q.w", "q.x", "q.y", "q.z", "a.b.x", "a.b.y", "a.b.yaw", "n")
    assert space.tangent_names[4:10] == ("q.rx", "q.ry", "q.rz", "a.b.vx", "a.b.vy", "a.b.omega")
    assert space.units[:4] == ("m", "m", "rad", "m/s")
    assert (space.size, space.dim) == (12, 11)
    assert (space.low[3], space.high[3]) == (-2, 10)
    assert (space.low[2], space.high[2]) == (-np.pi, np.pi)
    assert np.isinf(space.low[0])
    assert space.tangent.names == space.tangent_names


def test_strings_and_parts_declare_the_same_space():
    strings = Space("x [m]", "speed [m/s] in [-inf, 3]", "yaw: angle", "q: quaternion", "pose: SE2")
    parts = Space(Real("x", "m"), Real("speed", "m/s", maximum=3), Angle("yaw"), Quaternion("q"), SE2("pose"))
    assert strings == parts
    assert hash(strings) == hash(parts)
    assert {strings: 1}[parts] == 1


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "does not declare"),
        ("x [m", "does not declare"),
        ("x in [0]", "does not declare"),
        ("x in", "does not declare"),
        ("x in [a, b]", "does not declare"),
        ("2x [m]", "does not declare"),
        ("yaw: angel", "no kind of part"),
        ("yaw: angle [rad]", "does not declare"),
        ("x in [2, 1]", "must not exceed"),
        ("x y yaw: angle", "'x y', 'yaw: angle' if only the last"),
        ("a b: SE2", "'a: SE2', 'b: SE2'"),
        ("x: real", "without a kind"),
        ("pose: SE2[3]", "does not declare"),
        ("camera: uint8", "does not declare"),
        ("camera: uint8[0]", "1 or more"),
        ("camera: uint8[2] in [0, 300]", "more than uint8 holds"),
        (3, "not int"),
    ],
)
def test_malformed_strings_are_refused(given, sentence):
    with pytest.raises(SpaceError, match=sentence):
        Space(given)


@pytest.mark.parametrize("given", [("x x",), ("x", "x: angle"), ("pose.x", "pose: SE2"), ("q", "q: quaternion")])
def test_a_name_is_used_once(given):
    with pytest.raises(SpaceError, match="used twice"):
        Space(*given)


def test_a_space_is_frozen():
    space = Space("x")
    with pytest.raises(AttributeError, match="frozen"):
        space.parts = ()
    with pytest.raises(ValueError, match="read-only"):
        space.low[0] = 1.0


def test_new_spaces_from_old():
    space = Space("x y [m]", "pose: SE2")
    assert space.select("pose y") == Space("pose: SE2", "y [m]")
    assert space * Space("z") == space.join(Space("z")) == Space("x y [m]", "pose: SE2", "z")
    assert space.bounded(x=(0, 1)).high[0] == 1
    assert space.bounded({"pose.y": (0, 1)}).high[3] == 1
    storage, tangent = Space("q: quaternion", "x").indices("x q")
    assert storage.tolist() == [4, 0, 1, 2, 3]
    assert tangent.tolist() == [3, 0, 1, 2]
    for wrong, sentence in (("pose.x", "as a whole"), ("w", "no part")):
        with pytest.raises(SpaceError, match=sentence):
            space.select([wrong])
    for wrong in (3, ("low", 1), (0, 1, 2)):
        with pytest.raises(SpaceError, match="two numbers"):
            space.bounded(x=wrong)
    with pytest.raises(SpaceError, match="joined with spaces"):
        space.join("z")
    with pytest.raises(SpaceError, match="rotation"):
        space.bounded({"pose.yaw": (0, 1)})
    with pytest.raises(SpaceError, match="no component"):
        space.index("w")
    assert (space.find("yaw"), space.find("x")) == (4, 0)
    with pytest.raises(SpaceError, match="no component 'speed', which gnss reads"):
        space.find("speed", "gnss")
    with pytest.raises(SpaceError, match="could be any of"):
        Space("a: SE2", "b: SE2").find("yaw")


def test_a_bare_name_means_the_part_under_the_fewest_names():
    """The robot, not the things under names of their own, in whatever order they stand."""
    land = Space("x y [m]", "yaw: angle")
    robots = [(Space("pose: SE2"), "pose.x"), (land, "x"), (Space("pose: SE2").prefixed("car"), "car.pose.x")]
    for robot, name in robots:
        for space in (robot * land.prefixed("map.tree7"), land.prefixed("map.tree7") * robot):
            assert space.names[space.find("x")] == name
            assert space.names[space.find("tree7.x")] == "map.tree7.x"
    assert land.prefixed("tree7").find("yaw") == 2
    with pytest.raises(SpaceError, match=r"any of a\.pose\.x, b\.x; name"):
        (Space("pose: SE2").prefixed("a") * land.prefixed("b") * land.prefixed("c.d")).find("x")


def test_check_tells_what_is_wrong():
    space = Space("x [m]", "yaw: angle", "q: quaternion")
    good = [1, 2, 1, 0, 0, 0]
    assert space.check(good).dtype == np.float64
    for bad, sentence in (
        ([1, 2], r"goal has shape \(2,\); expected \(..., 6\)"),
        (1.0, "has shape"),
        ([1, np.nan, 1, 0, 0, 0], "NaN or infinite in yaw"),
        ([1, 2, 2, 0, 0, 0], "length 1"),
        ("abc", "goal is not an array of numbers"),
    ):
        with pytest.raises(ShapeError, match=sentence):
            space.check(bad, "goal")
    assert np.isnan(space.check([1, np.nan, 1, 0, 0, 0], finite=False)[1])
    with pytest.raises(ShapeError, match=r"action has shape \(1,\); expected \(..., 0\) holding nothing"):
        Space().check([1.0], "action")


def test_wrong_lengths_never_broadcast():
    with pytest.raises(ShapeError, match="state of shape"):
        Space("x y").plus([1.0], [1.0, 2.0])
    with pytest.raises(ShapeError, match="tangent vector"):
        Space("q: quaternion").plus([1, 0, 0, 0], [0, 0, 0, 0])


@given(st.floats(-1e6, 1e6))
def test_wrap_is_half_open_and_keeps_the_direction(a):
    r = float(numpy_math.wrap(a))
    assert -np.pi < r <= np.pi
    assert np.isclose(np.cos(r), np.cos(a), atol=1e-9)
    assert np.isclose(np.sin(r), np.sin(a), atol=1e-9)
    if -np.pi < a <= np.pi:
        assert r == a


@pytest.mark.parametrize(
    "a",
    [-np.pi, np.pi, 3 * np.pi, -5 * np.pi, *(np.nextafter(a, b) for a, b in ((-np.pi, 0), (-np.pi, -4), (np.pi, 4)))],
)
def test_wrap_at_the_seam(a):
    torch = pytest.importorskip("torch")
    from pilotage.core import torch_math

    r = float(numpy_math.wrap(a))
    assert -np.pi < r <= np.pi
    t = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    wrapped = torch_math().wrap(t)
    assert wrapped.item() == r
    wrapped.backward()
    assert t.grad.item() == 1.0
    if a == -np.pi:
        assert r == np.pi


def test_mean_of_widely_scattered_headings():
    """The first sample points away from the rest; the mean must not stay on its side."""
    draw = np.random.default_rng(1)
    yaw = np.concatenate([[np.pi], draw.normal(0.1, 0.8, 2000)])
    for space, column in ((Space("yaw: angle"), 0), (Space("pose: SE2"), 2)):
        xs = np.zeros((len(yaw), space.size))
        xs[:, column] = yaw
        mean = space.mean(xs)[column]
        assert abs(mean - 0.1) < 0.1


def test_mean_of_an_unscented_transform_with_large_weights():
    """alpha = 1e-3 (van der Merwe): the weight in the middle is about -1e6."""
    space = Space("x", "yaw: angle", "q: quaternion")
    n, alpha = space.dim, 1e-3
    c = alpha**2 * n
    x = space.plus(space.identity(), 0.5 * np.ones(n))
    x[1] = 3.14
    d = np.sqrt(c) * 0.1 * np.vstack([np.zeros(n), np.eye(n), -np.eye(n)])
    w = np.full(2 * n + 1, 1 / (2 * c))
    w[0] = 1 - n / c
    np.testing.assert_allclose(space.minus(space.mean(space.plus(x, d), w), x), 0, atol=1e-9)


def test_mean_of_reals_is_the_average_exactly():
    xs, w = np.random.default_rng(2).standard_normal((4, 9, 2)), np.random.default_rng(3).random((4, 9))
    oracle = np.stack([np.average(x, axis=0, weights=v) for x, v in zip(xs, w, strict=True)])
    np.testing.assert_allclose(Space("x y").mean(xs, w), oracle, rtol=1e-13)


def test_mean_takes_any_axis_but_the_last():
    space = Space("pose: SE2")
    xs = space.plus(space.identity(), 0.3 * np.random.default_rng(4).standard_normal((5, 7, 3)))
    expected = space.mean(np.swapaxes(xs, 0, 1))
    np.testing.assert_allclose(space.mean(xs, axis=0), expected, atol=1e-13)
    np.testing.assert_allclose(space.mean(xs, axis=-3), expected, atol=1e-13)
    for axis in (-1, 2):
        with pytest.raises(ShapeError, match="cannot be averaged"):
            space.mean(xs, axis=axis)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([1, -1], "positive, finite sum"),
        ([np.nan, 1], "positive, finite sum"),
        ([np.inf, 1], "positive, finite sum"),
        ([1, 1, 1], "give one each"),
    ],
)
def test_mean_refuses_weights_that_mean_nothing(weights, sentence):
    with pytest.raises(ShapeError, match=sentence):
        Space("x").mean([[0.0], [1.0]], weights)


@pytest.mark.parametrize("kind", ["angle", "quaternion", "SE2", "SE3"])
def test_mean_of_what_is_scattered_all_over_annuls_the_residuals(kind):
    space = Space(f"p: {kind}")
    for n in (2, 7, 600):
        xs = space.sample(n, rng=n)
        w = np.random.default_rng(n).random(n)
        residual = (w[:, None] * space.minus(xs, space.mean(xs, w))).sum(0) / w.sum()
        np.testing.assert_allclose(residual, 0.0, atol=1e-12)


def test_mean_of_poses_far_from_the_origin_is_found_in_a_few_steps(monkeypatch):
    monkeypatch.setattr(means, "_MOST_STEPS", 15)
    space = Space("pose: SE3")
    x = space.sample(rng=1)
    x[:3] = [4e6, -7e6, 1e3]
    d = 0.2 * np.vstack([np.zeros(6), np.eye(6), -np.eye(6)])
    w = np.array([-5.0, *np.full(12, 0.5)])
    np.testing.assert_allclose(space.minus(space.mean(space.plus(x, d), w), x), 0.0, atol=1e-7)


def test_a_mean_that_is_not_found_is_a_sentence():
    """Sigma points more than a quarter turn away, of which the middle one weighs less than nothing."""
    space, draw = Space("pose: SE3"), np.random.default_rng(0)
    w = np.array([-5.0, *np.full(12, 0.5)])
    refusals = []
    for _ in range(50):
        d = 0.6 * draw.standard_normal((6, 6))
        xs = space.plus(space.sample(rng=draw), np.vstack([np.zeros(6), d, -d]))
        try:
            residual = (w[:, None] * space.minus(xs, space.mean(xs, w))).sum(0)
        except ShapeError as error:
            refusals.append(str(error))
        else:
            np.testing.assert_allclose(residual, 0.0, atol=1e-6)
    assert refusals
    assert all("scattered over more than a quarter turn" in text for text in refusals)


def test_mean_of_nothing():
    with pytest.raises(ShapeError, match="at least one"):
        Space("x").mean(np.zeros((0, 1)))
    assert Space("yaw: angle").mean(np.zeros((0, 3, 1))).shape == (0, 1)


@pytest.mark.parametrize("others", [[], ["yaw: angle"], ["y in [0, inf]"]])
def test_samples_between_bounds_whose_distance_overflows_are_finite(others: list[str]) -> None:
    x = Space("x in [-1.5e308, 1.5e308]", *others).sample(1000, rng=0)
    assert np.isfinite(x).all() and x[:, 0].min() < -1.4e308 and x[:, 0].max() > 1.4e308


def test_samples_fill_bounds_and_rotations():
    space = Space("x in [2, 4]", "yaw: angle", "q: quaternion", "half in [1, inf]")
    x = space.sample(20000, rng=5)
    assert abs(x[:, 0].mean() - 3) < 0.02
    assert abs(x[:, 0].std() - 2 / np.sqrt(12)) < 0.02
    np.testing.assert_allclose(np.exp(1j * x[:, 1]).mean(), 0, atol=0.03)
    # Uniform rotations: the second moment of a uniform unit quaternion is a quarter of the identity.
    np.testing.assert_allclose(x[:, 2:6].T @ x[:, 2:6] / len(x), np.eye(4) / 4, atol=0.01)
    assert x[:, 6].min() >= 1
    assert space.sample(rng=6).shape == (7,)
    assert space.sample((2, 3), rng=6).shape == (2, 3, 7)
    np.testing.assert_array_equal(space.sample(4, rng=7), space.sample(4, rng=7))


def test_normalize_gives_an_array_of_its_own():
    for space in (Space("x"), Space("yaw: angle"), Space("q: quaternion")):
        x = space.identity()
        space.normalize(x)[:] = 7.0
        np.testing.assert_array_equal(x, space.identity())


def test_clip_and_contains():
    space = Space("x in [0, 1]", "yaw: angle")
    np.testing.assert_allclose(space.clip([3.0, 4.0]), [1.0, 4.0 - 2 * np.pi])
    assert space.contains([[0.5, 0.0], [1.5, 0.0]]).tolist() == [True, False]


def test_a_tensor_among_arrays_makes_a_tensor():
    torch = pytest.importorskip("torch")
    space = Space("x", "yaw: angle", "pose: SE2")
    x, d = space.sample(3, rng=8), 0.1 * np.ones(space.dim)
    for kind in (torch.float32, torch.float64):
        out = space.plus(torch.tensor(x, dtype=kind), d)
        assert out.dtype == kind
        np.testing.assert_allclose(out, space.plus(x, d), atol=1e-6)
    mean = space.mean(torch.tensor(x), np.array([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(mean, space.mean(x, [0.2, 0.3, 0.5]), atol=1e-12)
    np.testing.assert_allclose(space.clip(torch.tensor(x)), space.clip(x))


def test_whole_numbers_are_not_cut_off():
    torch = pytest.importorskip("torch")
    moved = Space("x y").plus(torch.tensor([1, 2]), [0.5, 0.25])
    assert moved.dtype == torch.float64
    assert moved.tolist() == [1.5, 2.25]


def test_tensors_meet_arrays_that_are_read_only():
    torch = pytest.importorskip("torch")
    space = Space("x [m] in [0, 1]", "yaw: angle")
    fixed = space.identity()
    fixed.flags.writeable = False
    assert space.minus(torch.tensor([0.5, 3.0]), fixed).tolist() == [0.5, 3.0]
    assert space.interpolate([0, 3.0], [1, -3.0], torch.tensor(0.5)).shape == (2,)
    assert space.contains(torch.tensor([[0.5, 0.0], [1.5, 0.0]])).tolist() == [True, False]
    assert space.clip(torch.tensor([1.5, 0.0])).tolist() == [1.0, 0.0]


def test_sample_takes_any_kind_of_count():
    space = Space("x y", "yaw: angle")
    np.testing.assert_array_equal(space.sample(np.int64(3), rng=1), space.sample(3, rng=1))
    for wrong in (-1, 2.5, "two", (2, -1)):
        with pytest.raises(SettingError, match="^n is "):
            space.sample(wrong)


def test_what_is_no_number_is_refused():
    line = Space("x")
    for call in (
        lambda: line.plus("far", [1.0]),
        lambda: line.mean([[1.0], [2.0]], ["heavy", 1.0]),
        lambda: line.interpolate([1.0], [2.0], "half"),
        lambda: line.check([10**400]),
        lambda: Particles(line, [[1.0], [2.0]], [0.0, "heavy"]),
    ):
        with pytest.raises(ShapeError, match="not an array of numbers"):
            call()


def test_contains_refuses_other_lengths():
    with pytest.raises(ShapeError, match=r"expected \(\.\.\., 2\)"):
        Space("x y").contains([1.0])


def test_arrays_whose_leading_axes_do_not_fit_are_refused_with_both() -> None:
    space = Space("x y")
    for f in (space.plus, space.minus, space.distance):
        with pytest.raises(ShapeError, match=r"\([34],\).*\([34],\)"):
            f(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ShapeError, match="'x'"):
        space.check([{"x": 1.0}, 2.0], "state")


def test_extents_are_the_longest_differences_of_states_in_bounds() -> None:
    space = Space("x [m] in [-1, 4]", "yaw: angle", "q: quaternion", "b: uint8[2]", "n: S2", "free")
    poses = Space("a: SE2", "c: SE3").bounded({"a.x": (0, 2), "a.y": (1, 2), "c.x": (0, 1), "c.y": (0, 3)})
    turn = [np.pi] * 3
    np.testing.assert_array_equal(space.extents, [5.0, np.pi, *turn, 255, 255, np.pi, np.pi, np.inf])
    np.testing.assert_array_equal(poses.extents, [2.0, 1.0, np.pi, 1.0, 3.0, np.inf, *turn])
    bounded = space.bounded(free=(0, 1))
    x, y = bounded.sample((2, 500), rng=0)
    assert (abs(bounded.minus(y, x)) <= bounded.extents).all()
    np.testing.assert_array_equal(space.reals, [[0, 6, 7, 11], [0, 5, 6, 9]])
