"""Extended poses and perturbations on the left, against matrices of the groups; beliefs from one side to the other."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from scipy.linalg import expm, logm
from scipy.spatial.transform import Rotation

from pilotage.core import (
    SE2,
    Diagonal,
    ExtendedPose,
    Gaussian,
    LeftPerturbed,
    Mixture,
    Particles,
    Point,
    Real,
    SettingError,
    Space,
    SpaceError,
    augment,
    carry,
)
from pilotage.models import gnss
from pilotage.models.trace import code_of

from ..models.machine import one_by_one, side_by_side
from .test_groups import skew

SPACES = [Space("map: SE2[tree, rock]"), Space("nav: SE3[v]"), Space("nav: SE3[v, tree]"), Space("pose: SE3")]
SIZES = [0.0, 1e-9, 1e-4, 0.3, 0.4999, 0.5001, 1.5, 3.1, np.pi - 1e-6]


def group_matrix(space: Space, x: Any) -> Any:
    """The rotation with the vectors beside it, above rows of the identity."""
    d = 2 if space.size % 2 and space.names[-1].endswith("yaw") else 3
    vectors = x[: -1 if d == 2 else -4].reshape(-1, d).T
    X = np.eye(d + vectors.shape[1])
    angle = x[-1] if d == 2 else 0.0
    plane = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    X[:d, :d] = plane if d == 2 else Rotation.from_quat(x[-4:], scalar_first=True).as_matrix()
    X[:d, d:] = vectors
    return X


def hat(space: Space, e: Any) -> Any:
    """The matrix of the algebra."""
    d = 2 if space.names[-1].endswith("yaw") else 3
    turns = 1 if d == 2 else 3
    vectors = e[:-turns].reshape(-1, d).T
    X = np.zeros((d + vectors.shape[1],) * 2)
    X[:d, :d] = np.array([[0, -e[-1]], [e[-1], 0]]) if d == 2 else skew(e[-3:])
    X[:d, d:] = vectors
    return X


def steps(space: Space, size: float, count: int = 6) -> Any:
    """Tangent vectors with turns of one size."""
    d = np.random.default_rng(2).standard_normal((count, space.dim))
    w = d[:, space.parts[0].turning]
    w *= size / np.linalg.norm(w, axis=-1, keepdims=True)
    return d


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_plus_is_the_matrix_exponential_on_either_side(space: Space, size: float) -> None:
    left = space.perturbed("left")
    for x, d in zip(space.sample(6, rng=1), steps(space, size), strict=True):
        X, E = group_matrix(space, x), expm(hat(space, d))
        np.testing.assert_allclose(group_matrix(space, space.plus(x, d)), X @ E, atol=1e-12)
        np.testing.assert_allclose(group_matrix(space, left.plus(x, d)), E @ X, atol=1e-12)
        np.testing.assert_allclose(left.minus(left.plus(x, d), x), d, atol=1e-10)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_minus_is_the_matrix_logarithm_and_groups_are_matrix_groups(space: Space) -> None:
    left, (x, y) = space.perturbed("left"), space.sample(2, rng=3)
    X, Y = group_matrix(space, x), group_matrix(space, y)
    np.testing.assert_allclose(hat(space, space.minus(y, x)), np.real(logm(np.linalg.inv(X) @ Y)), atol=1e-10)
    np.testing.assert_allclose(hat(space, left.minus(y, x)), np.real(logm(Y @ np.linalg.inv(X))), atol=1e-10)
    for each in (space, left):
        np.testing.assert_allclose(group_matrix(space, each.compose(x, y)), X @ Y, atol=1e-12)
        np.testing.assert_allclose(group_matrix(space, each.inverse(x)), np.linalg.inv(X), atol=1e-12)
        d = steps(space, 1.0)[0]
        np.testing.assert_allclose(hat(space, each.adjoint(x) @ d), X @ hat(space, d) @ np.linalg.inv(X), atol=1e-11)
        part, p = space.parts[0], np.array([1.0, 2.0, 3.0])[: space.parts[0].acts_on]
        np.testing.assert_allclose(
            each.act(x, p), X[: len(p), : len(p)] @ p + x[: len(p)], atol=1e-13, err_msg=str(part)
        )


@pytest.mark.parametrize("space", SPACES[:3], ids=str)
@pytest.mark.parametrize("size", [0.0, 0.4999, 0.5001, 3.0])
def test_transport_is_the_inverse_jacobian_of_its_side(space: Space, size: float) -> None:
    """``ad / (1 - exp(-ad))`` on the right, ``ad / (exp(ad) - 1)`` on the left, as the corner of an exponential."""
    d, n, x = steps(space, size)[0], space.dim, space.sample(rng=5)
    algebra = [hat(space, e) for e in np.eye(n)]
    brackets = [hat(space, d) @ e - e @ hat(space, d) for e in algebra]
    flat = np.array([e.ravel() for e in algebra]).T
    ad = np.linalg.lstsq(flat, np.array([b.ravel() for b in brackets]).T, rcond=None)[0]
    for each, sign in ((space, -1.0), (space.perturbed("left"), 1.0)):
        block = np.block([[sign * ad, np.eye(n)], [np.zeros((n, 2 * n))]])
        oracle = np.linalg.inv(expm(block)[:n, n:])
        np.testing.assert_allclose(each.transport(each.plus(x, d), x), oracle, atol=1e-10)


@pytest.mark.parametrize("text", ["nav: SE3[v]", "nav: SE3[v] left", "map: SE2[tree] left"])
def test_machine_code_and_lanes_are_numpy(text: str) -> None:
    space = Space(text)
    x, count = space.sample(5, rng=6), 5
    other = space.perturbed("left" if space == space.perturbed("right") else "right")
    for size in (0.0, 1e-3, 3.1):
        y = space.plus(x, steps(space, size, count))
        kept = np.linalg.solve(space.swapped(other, y), space.swapped(other, x))
        expected = {"minus": space.minus(y, x), "transport": space.transport(y, x)}
        sides = {space.parts[0].side: np.eye(space.dim)[None], other.parts[0].side: kept}
        expected |= {f"reframed_{side}": np.broadcast_to(A, kept.shape) for side, A in sides.items()}
        for lanes, run in ((False, one_by_one), (True, side_by_side)):
            for name, values in expected.items():
                got = run(code_of(space, name, lanes), y, x)[name]
                np.testing.assert_allclose(got, values, atol=1e-10, err_msg=name)
            got = run(code_of(space, "plus", lanes), x, steps(space, size, count))["plus"]
            np.testing.assert_allclose(got, y, atol=1e-10)


def test_names_and_text() -> None:
    nav = Space("nav: SE3[v]")
    assert nav.names[:6] == ("nav.x", "nav.y", "nav.z", "nav.vx", "nav.vy", "nav.vz")
    assert nav.units[:6] == ("m",) * 3 + ("m/s",) * 3
    assert nav == Space(ExtendedPose("nav"))
    plane = Space("map: SE2[tree, m] left", "bias [rad/s]")
    assert plane.names == ("map.x", "map.y", "map.tree.x", "map.tree.y", "map.mx", "map.my", "map.yaw", "bias")
    assert plane == Space(LeftPerturbed("map", ExtendedPose("map", vectors=("tree", "m"), dimension=2)), "bias [rad/s]")
    assert plane.find("x") == 0, "the position is meant, and not a landmark"
    assert gnss().on(plane).observe(np.arange(8.0)).tolist() == [0.0, 1.0]
    assert Space("pose: SE2", "s").perturbed("left").perturbed("right") == Space("pose: SE2", "s")
    assert Space("yaw: angle", "x", "n: S2").perturbed("left") == Space("yaw: angle", "x", "n: S2")
    assert (Space("pose: SE2 left") * Space("pose: SE2 left").prefixed("truck")).names[3] == "truck.pose.x"
    bounded = plane.bounded({"map.tree.x": (0, 2)})
    assert bounded.high[2] == 2.0
    assert (bounded.sample(50, rng=1)[:, 2] <= 2.0).all()
    assert "map" in str(Gaussian.of(plane, std=0.1))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Space("n: S2 left"),
        lambda: Space("yaw: angle left"),
        lambda: Space("nav: SE3[]"),
        lambda: Space("nav: SE3[v] up"),
        lambda: Space("nav: SE3[v v]"),
        lambda: Space("nav: SE3[x]", "nav.xx"),
        lambda: ExtendedPose("nav", vectors=()),
        lambda: ExtendedPose("nav", dimension=4),
        lambda: LeftPerturbed("x", cast(Any, Real("x"))),
        lambda: LeftPerturbed("p", cast(Any, LeftPerturbed("p", SE2("p")))),
        lambda: Space("pose: SE2").swapped(Space("pose: SE3"), np.zeros(3)),
        lambda: Space("map: SE2[tree]").swapped(Space("map: SE2[rock] left"), np.zeros(5)),
        lambda: carry(Gaussian.of(Space("nav: SE3[v]"), std=1.0), Space("nav: SE3[w] left")),
        lambda: carry(Gaussian.of(Space("map: SE2[a]"), std=1.0), Space("map: SE2[b]")),
    ],
)
def test_groups_that_do_not_fit_are_refused(wrong: Any) -> None:
    with pytest.raises(SpaceError):
        wrong()


def test_a_side_is_right_or_left() -> None:
    with pytest.raises(SettingError):
        Space("pose: SE2").perturbed("up")


@pytest.mark.parametrize("text", ["pose: SE2", "nav: SE3[v]", "q: quaternion", "map: SE2[tree]"])
def test_a_belief_is_the_same_on_either_side(text: str) -> None:
    """The same density, as Ad has determinant 1; there and back; a root stays a root."""
    space, draw = Space(text, "s"), np.random.default_rng(7)
    A = 0.3 * draw.standard_normal((3, space.dim, space.dim)) + 0.2 * np.eye(space.dim)
    belief = Gaussian(space, space.sample(3, rng=draw), A @ A.swapaxes(1, 2))
    other = carry(belief, space.perturbed("left"))
    assert other.space == space.perturbed("left")
    assert np.abs(other.cov - belief.cov).max() > 1e-2, "the frames differ"
    x = belief.sample(4, rng=draw)
    for i in range(3):
        np.testing.assert_allclose(other[i].log_prob(x[i]), belief[i].log_prob(x[i]), rtol=1e-9)
    np.testing.assert_allclose(carry(other, space).cov, belief.cov, atol=1e-12)
    rooted = carry(Gaussian.from_root(space, belief.mean, A), space.perturbed("left"))
    assert rooted.rooted
    np.testing.assert_allclose(rooted.cov, other.cov, atol=1e-12)
    both = carry(Mixture([belief[0], belief[1]]), space.perturbed("left"))
    np.testing.assert_allclose(both.components[1].cov, other.cov[1], atol=1e-12)


def test_points_stay_where_they_are_and_parts_still_come_and_go() -> None:
    space = Space("pose: SE2", "s")
    left = space.perturbed("left")
    cloud = Particles(space, space.sample(9, rng=8))
    np.testing.assert_array_equal(carry(cloud, left).points, cloud.points)
    assert carry(Point(space, [1.0, 2.0, 0.5, 3.0]), left).space == left
    assert carry(Diagonal(space, [1.0, 2.0, 0.5, 3.0], [1.0] * 4), left).space == left
    wider = carry(Gaussian.of(space, [1, 2, 0.5, 3], std=0.1), Space("b", "pose: SE2 left"), {"b": (5.0, 0.5)})
    assert wider.mean.tolist() == [5.0, 1.0, 2.0, 0.5]
    np.testing.assert_allclose(wider.cov[1:, 1:], carry(Gaussian.of(space.select("pose"), [1, 2, 0.5], std=0.1),
                                                        left.select("pose")).cov, atol=1e-15)  # fmt: skip
    joint = augment(Gaussian.of(left, std=0.1), Space("tree.x tree.y [m]"), [1.0, 2.0], np.eye(2, 4))
    assert joint.space == left * Space("tree.x tree.y [m]")
