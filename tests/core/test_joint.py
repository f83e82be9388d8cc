"""Joint Gaussians that grow and shrink, against closed forms, drawn states, and the filters on the whole state."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import (
    CovarianceError,
    FilterStatus,
    Gaussian,
    ShapeError,
    Space,
    SpaceError,
    Update,
    augment,
    carry,
    condition,
)
from pilotage.estimators import EKF, KF
from pilotage.estimators._stacked import stacked
from pilotage.models import LinearSensor, relative_position, sensor

STATE, NEW = Space("x y [m]", "v [m/s]"), Space("a b [m]")
RNG = np.random.default_rng(5)
ROOT = np.tril(RNG.normal(size=(3, 3))) + 2.0 * np.eye(3)
G, Q = RNG.normal(size=(2, 3)), np.array([[0.5, 0.2], [0.2, 0.3]])
MEAN = np.array([1.0, -2.0, 0.5])
kinds = pytest.mark.parametrize("rooted", [False, True], ids=["covariance", "root"])


def belief(rooted: bool) -> Gaussian:
    return Gaussian.from_root(STATE, MEAN, ROOT) if rooted else Gaussian(STATE, MEAN, ROOT @ ROOT.T)


def close(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(a, b, rtol=0.0, atol=tolerance)


@kinds
def test_new_parts_are_correlated_with_those_they_depend_on(rooted: bool) -> None:
    """Of ``(x, y) = T (e, w)`` the covariance is T blockdiag(P, Q) T'."""
    g = belief(rooted)
    joint = augment(g, NEW, [3.0, 4.0], G, Q)
    T = np.block([[np.eye(3), np.zeros((3, 2))], [G, np.eye(2)]])
    both = np.block([[g.cov, np.zeros((3, 2))], [np.zeros((2, 3)), Q]])
    assert joint.space == STATE * NEW
    assert ("root" in joint.__dict__) == rooted
    close(joint.mean, [*MEAN, 3.0, 4.0])
    close(joint.cov, T @ both @ T.T)
    some = augment(g, NEW, [3.0, 4.0], G[:, :2], Q, of="v x")  # columns in the order of the names
    T[3:, :3] = np.stack([G[:, 1], 0.0 * G[:, 0], G[:, 0]], axis=1)
    close(some.cov, T @ both @ T.T)


@kinds
def test_parts_that_move_are_replaced_where_they_are(rooted: bool) -> None:
    """The prediction of a Kalman filter whose dynamics leave the rest alone."""
    g = belief(rooted)
    moved = augment(g, Space("v [m/s]", "x [m]"), [9.0, 8.0], G, Q)
    F, N = np.eye(3), np.zeros((3, 3))
    F[[2, 0]] = G
    N[np.ix_([2, 0], [2, 0])] = Q
    assert moved.space == STATE
    close(moved.mean, [8.0, -2.0, 9.0])
    close(moved.cov, F @ g.cov @ F.T + N)


@kinds
def test_what_grew_and_is_taken_out_again_was_never_there(rooted: bool) -> None:
    g = belief(rooted)
    joint = augment(augment(g, NEW, [3.0, 4.0], G, Q), NEW.prefixed("next"), [5.0, 6.0], np.eye(2), of="a b")
    for back in (joint.marginal("x y v"), carry(joint, STATE)):
        assert back.space == STATE
        np.testing.assert_array_equal(back.mean, g.mean)
        if rooted:
            close(back.root, g.root, 1e-14)
        else:
            np.testing.assert_array_equal(back.cov, g.cov)
    close(joint.marginal("a b").cov, joint.marginal("next.a next.b").cov)  # a copy, exactly correlated
    close(joint.cov[3:5, 5:], joint.cov[3:5, 3:5])


@kinds
@pytest.mark.parametrize("missing", [False, True])
def test_a_linear_reading_of_some_parts_is_an_update_of_the_whole(rooted: bool, missing: bool) -> None:
    """Against the Kalman filter with a sensor of all parts."""
    g = augment(belief(rooted), NEW, [3.0, 4.0], G, Q)
    H, R = RNG.normal(size=(2, 2)), np.array([[0.4, 0.1], [0.1, 0.2]])
    z = np.array([1.0, np.nan if missing else 2.0])
    found = condition(g, z - H @ g.mean[[4, 1]], H, R, of="b y")
    whole = np.zeros((2, 5))
    whole[:, [4, 1]] = H
    expected = KF().update(g, LinearSensor(whole, R, state=g.space), z)
    assert ("root" in found.belief.__dict__) == rooted
    close(found.belief.mean, expected.belief.mean)
    close(found.belief.cov, expected.belief.cov)
    close(found.innovation, expected.innovation)
    close(found.S, expected.S)
    close([found.nis, found.log_likelihood], [expected.nis, expected.log_likelihood])


@kinds
def test_batches(rooted: bool) -> None:
    """Rows of a batch are those alone."""
    one = belief(rooted)
    means = MEAN + RNG.normal(size=(4, 3))
    many = Gaussian.from_root(STATE, means, ROOT) if rooted else Gaussian(STATE, means, one.cov)
    Gs, ys, Hs = RNG.normal(size=(4, 2, 3)), RNG.normal(size=(4, 2)), RNG.normal(size=(4, 2, 2))
    joint = augment(many, NEW, ys, Gs, Q)
    found = condition(joint, ys, Hs, Q, of="b y")
    for i in range(4):
        alone = augment(many[i], NEW, ys[i], Gs[i], Q)
        close(joint.cov[i], alone.cov)
        single = condition(alone, ys[i], Hs[i], Q, of="b y")
        close(found.belief.mean[i], single.belief.mean)
        close(found.belief.cov[i], single.belief.cov)
        close(found.log_likelihood[i], single.log_likelihood)
    assert condition(many, ys[0], Hs[0], Q, of="x y").innovation.shape == (4, 2)
    spread = condition(one, ys, Hs[0], Q, of="x y")  # one belief, four readings
    assert spread.belief.cov.shape == (4, 3, 3)
    close(spread.belief.mean[2], condition(one, ys[2], Hs[0], Q, of="x y").belief.mean)
    assert augment(one, NEW, ys, Gs[0]).cov.shape == (4, 5, 5)


def test_a_space_under_a_name_is_the_same_but_for_names() -> None:
    space = Space(
        "x [m] in [0, 5]", "yaw: angle", "q: quaternion", "pose: SE2", "body: SE3", "n: S2", "b: float64[2, 3]"
    )
    one, two = space.prefixed("one"), space.prefixed("two")
    assert one.same_kinds(space)
    assert one.names == tuple(f"one.{name}" for name in space.names)
    assert (one * two).dim == 2 * space.dim
    np.testing.assert_array_equal(one.high, space.high)
    assert one.units == space.units


LAND = Space("x y [m]")
CALLS: list[int] = []


@sensor(state=Space("pose: SE2"), context=LAND, reading=LAND, noise=0.0)
def seen_at(x: Any, z: Any, p: Any, m: Any) -> Any:
    """The place of what is seen at z from the pose x."""
    CALLS.append(1)
    s, c = m.sin(x[2]), m.cos(x[2])
    return x[0] + c * z[0] - s * z[1], x[1] + s * z[0] + c * z[1]


landmark = seen_at()


def test_poses_and_points() -> None:
    """Moments of drawn poses and of the points seen from them; a reading of both is the EKF's on the whole state."""
    pose = Gaussian(Space("pose: SE2"), [1.0, 2.0, 3.1], np.diag([0.02, 0.01, 0.03]) ** 2 + 5e-5)
    z, R = np.array([4.0, 1.0]), np.diag([1e-4, 4e-4])
    at = landmark.observe(pose.mean, z)
    G, C = landmark.linearize(pose.mean, z), landmark.linearize_context(pose.mean, z)
    joint = augment(pose, LAND.prefixed("tree"), at, G, C @ R @ C.T)
    rng = np.random.default_rng(7)
    x = pose.sample(200_000, rng=rng)
    zs = z + rng.normal(size=(len(x), 2)) @ np.sqrt(R)
    drawn = np.concatenate([x, landmark.observe(x, zs)], axis=-1)
    e = joint.space.minus(drawn, joint.mean)
    scale = np.outer(joint.std, joint.std)
    close(np.einsum("ni,nj->ij", e, e) / len(e) / scale, joint.cov / scale, 0.015)
    read = relative_position(std=(0.05, 0.1))
    H = np.hstack([read.linearize(pose.mean, at), read.linearize_context(pose.mean, at)])
    found = condition(joint, [0.03, -0.1], H, read.noise(pose.mean, at), of="pose tree.x tree.y")

    @sensor(state=joint.space, reading=LAND, noise=(0.05, 0.1))
    def both(x: Any, c: Any, p: Any, m: Any) -> Any:
        dx, dy, s, c = x[3] - x[0], x[4] - x[1], m.sin(x[2]), m.cos(x[2])
        return c * dx + s * dy, c * dy - s * dx

    expected = EKF().update(joint, both(), z + [0.03, -0.1])
    close(found.belief.mean, expected.belief.mean)
    close(found.belief.cov, expected.belief.cov)
    close(found.log_likelihood, expected.log_likelihood)


def test_growth_traces_nothing() -> None:
    """A function is traced once, whatever the size of the belief."""
    joint = Gaussian.of(Space("pose: SE2"), std=0.1)
    counts = []
    for k in range(12):
        pose, z = joint.marginal("pose").mean, np.array([1.0 + k, 0.5])
        G, C = landmark.linearize(pose, z), landmark.linearize_context(pose, z)
        joint = augment(joint, LAND.prefixed(f"l{k}"), landmark.observe(pose, z), G, C @ C.T, of="pose")
        counts.append(len(CALLS))
    assert joint.space.dim == 27
    assert joint.space.names[-1] == "l11.y"
    assert counts[0] == counts[-1] > 0


def test_a_root_is_used_whether_the_covariance_was_seen_or_not() -> None:
    """Deviations of 1e-9 behind ones of 1 are in the root, and lost in the covariance."""
    space, parts = Space("x y"), Space("w")
    fresh, seen = (Gaussian.from_root(space, [0.0, 0.0], [[1.0, 0.0], [1.0, 1e-9]]) for _ in range(2))
    assert seen.cov.shape == (2, 2)
    for g in (fresh, seen, pickle.loads(pickle.dumps(seen)), copy.copy(seen)):
        found = condition(g, [1.0], [[1.0, -1.0]], [[1e-18]])
        close(found.belief.mean, [0.0, -0.5], 1e-6)
        np.testing.assert_allclose(found.S, [[2e-18]], rtol=1e-6)
        np.testing.assert_allclose(g.log_prob([0.0, 1e-9]), np.log(1e9 / (2.0 * np.pi)) - 0.5, rtol=1e-6)
        more = (g.marginal("y x"), augment(g, parts, [0.0], [[1.0, 1.0]], [[1.0]]))
        assert all(each.rooted for each in (g, found.belief, *more, carry(g, Space("y"))))
        np.testing.assert_array_equal(more[0].std, fresh.marginal("y x").std)
        assert pickle.dumps(g) == pickle.dumps(fresh)
        assert Update(g, g.mean, g.mean, 0.0, 0.0) == Update(fresh, g.mean, g.mean, 0.0, 0.0)
    run = stacked([fresh, seen])
    assert run.rooted
    np.testing.assert_array_equal(run[1].root, fresh.root)
    assert not pickle.loads(pickle.dumps(belief(False))).rooted


@kinds
def test_no_covariance_is_refused(rooted: bool) -> None:
    """Noise that is singular is fine, noise that is indefinite or not symmetric is not."""
    g = belief(rooted)
    close(augment(g, NEW, [0.0, 0.0], 0.0 * G, np.ones((2, 2))).cov[3:, 3:], np.ones((2, 2)))
    for wrong, why in (([[-3.0, 0.0], [0.0, 1.0]], "indefinite"), ([[1.0, 5.0], [0.0, 1.0]], "not symmetric")):
        with pytest.raises(CovarianceError, match=f"cov is {why}"):
            augment(g, NEW, [0.0, 0.0], G, wrong)
        with pytest.raises(CovarianceError, match="R is no covariance"):
            condition(g, [0.0, 0.0], G, wrong)
    exact = condition(g, [0.5, 0.0], np.eye(2), np.zeros((2, 2)), of="x y").belief
    close(exact.mean[:2], MEAN[:2] + [0.5, 0.0])
    close(exact.cov[:2], 0.0)


@kinds
def test_rows_that_fail_keep_their_belief(rooted: bool) -> None:
    """All others are what they are alone."""
    one, H, R = belief(rooted), np.eye(2, 3), np.broadcast_to(np.eye(2), (6, 2, 2)).copy()
    y = np.ones((6, 2))
    R[1], R[2, 0, 1], H = -2.0 * R[1], 5.0, np.stack([H] * 6)
    y[3] = np.inf, 0.0
    R[4], H[4] = 0.0, 0.0
    y[5, 0] = np.nan
    found = condition(one, y, H, R)
    S = FilterStatus
    bad = [S.IMPOSSIBLE_NOISE, S.IMPOSSIBLE_NOISE, S.NOT_FINITE_READING, S.SINGULAR_INNOVATION]
    assert list(found.status) == [S.ACCEPTED, *bad, S.ACCEPTED]
    for i in (0, 5):
        alone = condition(one, y[i], H[i], R[i])
        assert alone.status is S.ACCEPTED
        close(found.belief.mean[i], alone.belief.mean)
        close(found.belief.cov[i], alone.belief.cov)
        close([found.nis[i], found.log_likelihood[i]], [alone.nis, alone.log_likelihood])
    for i in (1, 2, 3, 4):
        np.testing.assert_array_equal(found.belief.mean[i], one.mean)
        np.testing.assert_array_equal(found.belief.held[i], one.held)
        assert np.isnan([*found.innovation[i], *found.S[i].ravel(), found.nis[i], found.log_likelihood[i]]).all()
        with pytest.raises(ShapeError if i == 3 else CovarianceError, match="the belief is unchanged"):
            condition(one, y[i], H[i], R[i])
    lost = Gaussian.trusted(STATE, np.array([MEAN, np.full(3, np.nan)]), belief(False).cov[None].repeat(2, 0))
    assert list(condition(lost, y[0], H[0], R[0]).status) == [S.ACCEPTED, S.NOT_FINITE_BELIEF]


def test_parts_that_move_keep_their_bounds() -> None:
    """The space of a belief stays that of the belief: the same one, where nothing is new."""
    g = Gaussian.of(Space("x [m] in [0, 1]", "v [m/s]"), [0.5, 0.0], std=0.1)
    moved = augment(g, Space("x [m]"), [0.6], [[1.0]], of="x")
    assert moved.space is g.space
    grown = augment(g, Space("x [m]", "w in [2, 3]"), [0.6, 2.5], [[1.0], [0.0]], np.eye(2), of="x")
    assert grown.space == g.space * Space("w in [2, 3]")


def test_what_does_not_fit_is_a_sentence() -> None:
    g = belief(False)
    with pytest.raises(ShapeError, match=r"G has shape \(2, 2\)"):
        augment(g, NEW, [0.0, 0.0], np.eye(2))
    with pytest.raises(ShapeError, match="cov has shape"):
        augment(g, NEW, [0.0, 0.0], G, np.eye(3))
    with pytest.raises(ShapeError, match="y is a number"):
        condition(g, 1.0, G, Q)
    with pytest.raises(ShapeError, match=r"y \(4,\), H \(3,\)"):
        condition(g, np.zeros((4, 2)), np.stack([G] * 3), Q)
    with pytest.raises(SpaceError, match="no part 'w'"):
        augment(g, NEW, [0.0, 0.0], G, of="w")
    with pytest.raises(SpaceError, match="v: angle"):
        augment(g, Space("v: angle"), [0.0], G[:1])
    for rooted in (False, True):
        with pytest.raises(CovarianceError, match="innovation covariance"):
            condition(belief(rooted), [0.0], np.zeros((1, 3)), [[0.0]])
