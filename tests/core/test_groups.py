"""Poses and rotations against matrix exponentials and scipy's rotations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm, logm
from scipy.spatial.transform import Rotation

from pilotage.core import Space, SpaceError, numpy_math

PLANE, BODY, TURN = Space("pose: SE2"), Space("pose: SE3"), Space("q: quaternion")

angles = st.one_of(st.floats(-3.1, 3.1), st.floats(-1e-3, 1e-3), st.floats(-1e-9, 1e-9))
lengths = st.floats(-10, 10)


def skew(w):
    return np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])


def plane_matrix(x):
    c, s = np.cos(x[2]), np.sin(x[2])
    return np.array([[c, -s, x[0]], [s, c, x[1]], [0, 0, 1]])


def plane_hat(d):
    return np.array([[0, -d[2], d[0]], [d[2], 0, d[1]], [0, 0, 0]])


def body_matrix(x):
    X = np.eye(4)
    X[:3, :3] = Rotation.from_quat(x[3:], scalar_first=True).as_matrix()
    X[:3, 3] = x[:3]
    return X


def body_hat(d):
    X = np.zeros((4, 4))
    X[:3, :3] = skew(d[3:])
    X[:3, 3] = d[:3]
    return X


@given(st.tuples(lengths, lengths, angles), st.tuples(lengths, lengths, angles))
def test_se2_plus_is_the_matrix_exponential(x, d):
    x, d = np.array(x), np.array(d)
    np.testing.assert_allclose(plane_matrix(PLANE.plus(x, d)), plane_matrix(x) @ expm(plane_hat(d)), atol=1e-12)


@given(st.tuples(lengths, lengths, lengths), st.tuples(angles, angles, angles))
def test_se3_plus_is_the_matrix_exponential(v, w):
    x = BODY.sample(rng=1)
    d = np.array([*v, *w])
    np.testing.assert_allclose(body_matrix(BODY.plus(x, d)), body_matrix(x) @ expm(body_hat(d)), atol=1e-12)


def test_se2_minus_is_the_matrix_logarithm():
    x, y = PLANE.sample(20, rng=2), PLANE.sample(20, rng=3)
    for a, b in zip(x, y, strict=True):
        log = logm(np.linalg.inv(plane_matrix(a)) @ plane_matrix(b)).real
        np.testing.assert_allclose(plane_hat(PLANE.minus(b, a)), log, atol=1e-10)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 0.01, 0.1, 0.2499, 0.2501, 0.4999, 0.5001, 1.0, 2.0, 3.1, np.pi])
def test_rotations_agree_with_scipy(angle):
    """At every switch between series and closed form, and at half a turn."""
    draw = np.random.default_rng(4)
    w = draw.standard_normal((50, 3))
    w *= angle / np.linalg.norm(w, axis=-1, keepdims=True)
    q = TURN.plus(TURN.identity(), w)
    oracle = Rotation.from_rotvec(w)
    np.testing.assert_allclose(Rotation.from_quat(q, scalar_first=True).as_matrix(), oracle.as_matrix(), atol=1e-14)
    back = TURN.minus(q, TURN.identity())
    if angle == np.pi:  # both ways round are right
        back = back * np.sign((back * w).sum(-1, keepdims=True))
    np.testing.assert_allclose(back, w, rtol=1e-13, atol=1e-15)


def test_a_quaternion_and_its_negative_are_one_rotation():
    x, y = TURN.sample(50, rng=5), TURN.sample(50, rng=6)
    np.testing.assert_allclose(TURN.minus(-y, x), TURN.minus(y, x), atol=1e-14)
    assert np.linalg.norm(TURN.minus(y, x), axis=-1).max() <= np.pi


def test_quaternion_mean_agrees_with_scipy_on_a_tight_cluster():
    """scipy averages chords, we average arcs: equal to second order in the spread."""
    q = TURN.plus(TURN.sample(rng=7), 1e-3 * np.random.default_rng(8).standard_normal((30, 3)))
    w = np.random.default_rng(9).random(30)
    oracle = Rotation.from_quat(q, scalar_first=True).mean(w).as_quat(scalar_first=True)
    np.testing.assert_allclose(TURN.minus(TURN.mean(q, w), oracle), 0, atol=1e-8)


@pytest.mark.parametrize(
    ("space", "hat"), [(PLANE, plane_hat), (BODY, body_hat), (TURN, skew)], ids=["SE2", "SE3", "quaternion"]
)
def test_bracket_is_the_commutator(space, hat):
    draw = np.random.default_rng(10)
    a, b = draw.standard_normal((2, space.dim))
    bracket = np.array(space.parts[0].bracket(list(a), list(b)))
    np.testing.assert_allclose(hat(bracket), hat(a) @ hat(b) - hat(b) @ hat(a), atol=1e-14)


@pytest.mark.parametrize("space", [PLANE, BODY, TURN, Space("x", "yaw: angle", "pose: SE3"), Space("n: S2")], ids=str)
def test_rate_is_the_velocity_in_the_chart(space):
    """d/dt ((x (+) d) (+) t v) (-) x at t = 0; what the series leaves out is of fourth order in d."""
    draw = np.random.default_rng(11)
    x, v, direction = space.sample(rng=12), draw.standard_normal(space.dim), draw.standard_normal(space.dim)
    errors = []
    for size in (0.2, 0.1):
        d, h = size * direction, 1e-5
        y = space.plus(x, d)
        oracle = (space.minus(space.plus(y, h * v), x) - space.minus(space.plus(y, -h * v), x)) / (2 * h)
        errors.append(np.abs(np.array(space.components_rate(list(x), list(d), list(v), numpy_math)) - oracle).max())
    assert errors[0] < 2e-3
    assert errors[1] < max(errors[0] / 14, 1e-9)


@pytest.mark.parametrize("kind", ["angle", "quaternion", "SE2", "SE3", "S2"])
@pytest.mark.parametrize("size", [0.0, 1e-9, 0.05, 0.3, 0.4999, 0.5001, 0.9999, 1.0001, 2.5])
def test_torch_gradients_are_finite_and_right(kind, size):
    """d/dd of plus and of minus, at zero and on both sides of every switch, against finite differences."""
    torch = pytest.importorskip("torch")
    space = Space(f"p: {kind}")
    x = torch.tensor(space.sample(rng=13))
    d = np.random.default_rng(14).standard_normal(space.dim)
    d = torch.tensor(size * d / np.linalg.norm(d))
    there_and_back = torch.autograd.functional.jacobian(lambda e: space.minus(space.plus(x, e), x), d)
    np.testing.assert_allclose(there_and_back, np.eye(space.dim), atol=1e-12)
    plus = torch.autograd.functional.jacobian(lambda e: space.plus(x, e), d).numpy()
    steps = 1e-6 * np.eye(space.dim)
    numeric = (space.plus(x.numpy(), d.numpy() + steps) - space.plus(x.numpy(), d.numpy() - steps)).T / 2e-6
    np.testing.assert_allclose(plus, numeric, atol=1e-8)


def test_gradient_of_the_distance_of_a_point_to_itself_is_finite():
    torch = pytest.importorskip("torch")
    space = Space("pose: SE3", "yaw: angle")
    x = torch.tensor(space.sample(rng=15), requires_grad=True)
    space.distance(x, x.detach()).backward()
    assert torch.isfinite(x.grad).all()


def matrix_of(space, x):
    if space == PLANE:
        return plane_matrix(x)
    return body_matrix(x) if space == BODY else Rotation.from_quat(x, scalar_first=True).as_matrix()


@pytest.mark.parametrize(
    ("space", "hat"), [(PLANE, plane_hat), (BODY, body_hat), (TURN, skew)], ids=["SE2", "SE3", "SO3"]
)
def test_groups_are_matrix_groups(space, hat):
    """Product, inverse, adjoint and action against matrices."""
    x, y = space.sample(2, rng=20)
    X, Y = matrix_of(space, x), matrix_of(space, y)
    np.testing.assert_allclose(matrix_of(space, space.compose(x, y)), X @ Y, atol=1e-13)
    np.testing.assert_allclose(matrix_of(space, space.inverse(x)), np.linalg.inv(X), atol=1e-13)
    d = np.random.default_rng(21).standard_normal(space.dim)
    np.testing.assert_allclose(hat(space.adjoint(x) @ d), X @ hat(d) @ np.linalg.inv(X), atol=1e-13)
    k = space.parts[0].acts_on
    p = np.random.default_rng(22).standard_normal((5, k))
    q = np.concatenate([p, np.ones((5, len(X) - k))], axis=-1) @ X.T
    np.testing.assert_allclose(space.act(x, p), q[:, :k], atol=1e-13)


@pytest.mark.parametrize(
    ("space", "hat"), [(PLANE, plane_hat), (BODY, body_hat), (TURN, skew)], ids=["SE2", "SE3", "SO3"]
)
@pytest.mark.parametrize("size", [0.0, 1e-6, 0.3, 0.4999, 0.5001, 1.5, 3.0])
def test_transport_is_the_inverse_right_jacobian(space, hat, size):
    """Against the power series sum_k (-1)^k B_k / k! ad^k, whose sum is x / (1 - exp(-x)) of the commutator matrix."""
    draw = np.random.default_rng(23)
    x, d = space.sample(rng=draw), draw.standard_normal(space.dim)
    d *= size / np.linalg.norm(d)
    basis = np.eye(space.dim)
    ad = np.array([space.parts[0].bracket(list(d), list(e)) for e in basis], dtype=float).T
    n = space.dim  # the integral of exp(-s ad) over [0, 1] is a corner of one matrix exponential
    block = np.block([[-ad, np.eye(n)], [np.zeros((n, 2 * n))]])
    oracle = np.linalg.inv(expm(block)[:n, n:])
    np.testing.assert_allclose(space.transport(space.plus(x, d), x), oracle, atol=2e-12)


def test_what_is_no_group_says_so():
    sphere = Space("n: S2", "x")
    for call in (
        lambda: sphere.compose(sphere.identity(), sphere.identity()),
        lambda: sphere.inverse(sphere.identity()),
        lambda: sphere.adjoint(sphere.identity()),
        lambda: sphere.act(sphere.identity(), [1.0, 2.0, 3.0]),
        lambda: Space("a: SE2", "b: SE2").act(np.zeros(6), [1.0, 2.0]),
        lambda: BODY.act(BODY.identity(), [1.0, 2.0, 3.0], "speed"),
    ):
        with pytest.raises(SpaceError):
            call()
    pair = Space("a: SE2", "b: angle", "x")
    np.testing.assert_allclose(pair.act([9, 9, 9, np.pi / 2, 9], [[1.0, 2.0]], "b"), [[-2.0, 1.0]], atol=1e-15)
    x = pair.sample(rng=24)
    np.testing.assert_allclose(pair.compose(pair.inverse(x), x), pair.identity(), atol=1e-14)


def test_transport_takes_tensors():
    torch = pytest.importorskip("torch")
    space = Space("pose: SE3", "plane: SE2", "q: quaternion", "v")
    x, y = (space.sample(3, rng=seed) for seed in (1, 2))
    found = space.transport(torch.tensor(y, requires_grad=True), torch.tensor(x[0]))
    np.testing.assert_allclose(found.detach().numpy(), space.transport(y, x[0]), atol=1e-14)
    assert found.requires_grad
