"""Numeric Jacobians, and the defaults of dynamics, sensors and tasks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pilotage.core import Dynamics, Gaussian, ModelError, Sensor, ShapeError, Space, SpaceError, Task, jacobian

POSE = Space("pose: SE2", "speed [m/s]")


class Rover(Dynamics):
    """Drives along its heading, turns as told."""

    state, action = POSE, Space("accel", "turn")

    def step(self, x, u, dt):
        d = np.stack(np.broadcast_arrays(x[..., 3] * dt, 0 * x[..., 3], u[..., 1] * dt, u[..., 0] * dt), -1)
        return self.state.plus(x, d)


class Bearing(Sensor):
    state, reading = Space("x y [m]", "yaw: angle"), Space("range [m]", "bearing: angle")

    def observe(self, x, context=None):
        dx, dy = context[0] - x[..., 0], context[1] - x[..., 1]
        return self.reading.normalize(np.stack([np.hypot(dx, dy), np.arctan2(dy, dx) - x[..., 2]], -1))

    def noise(self, x, context=None):
        return np.array([[0.04, 0.002], [0.002, 0.01]])


def test_jacobian_of_the_group_is_the_adjoint():
    """minus(plus(x, d) * a, x * a): d carried through a fixed pose is Ad(a^-1) d, exact for SE(2)."""
    space = Space("pose: SE2")
    a, x = np.array([0.7, -0.2, 0.9]), space.sample((4,), rng=1)
    c, s = np.cos(a[2]), np.sin(a[2])
    adjoint = np.linalg.inv(np.array([[c, -s, a[1]], [s, c, -a[0]], [0, 0, 1]]))

    def compose(y):
        cy, sy = np.cos(y[..., 2]), np.sin(y[..., 2])
        return space.normalize(
            np.stack([y[..., 0] + cy * a[0] - sy * a[1], y[..., 1] + sy * a[0] + cy * a[1], y[..., 2] + a[2]], -1)
        )

    np.testing.assert_allclose(jacobian(compose, x, space, space), np.broadcast_to(adjoint, (4, 3, 3)), atol=1e-9)


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_jacobian_takes_batches_and_one_call(batch):
    source, target, calls = Space("x y", "yaw: angle"), Space("b: angle", "r"), []

    def f(x):
        calls.append(x.shape)
        return np.stack([np.arctan2(x[..., 1], x[..., 0]) + x[..., 2], np.hypot(x[..., 0], x[..., 1])], -1)

    x = source.sample(batch, rng=2)
    J = jacobian(f, x, source, target)
    assert calls == [(7, *batch, 3)]
    px, py = x[..., 0], x[..., 1]
    r2 = px**2 + py**2
    zero, one = np.zeros(batch), np.ones(batch)
    oracle = np.stack(
        [np.stack([-py / r2, px / r2, one], -1), np.stack([px / np.sqrt(r2), py / np.sqrt(r2), zero], -1)], -2
    )
    np.testing.assert_allclose(J, oracle, rtol=1e-7, atol=1e-8)


def test_jacobian_far_from_the_origin():
    """UTM coordinates: rounding of the coordinate must not drown the difference."""
    space = Space("x y [m]")
    x = np.array([5e5, 4.6e6])
    landmark = x + [30.0, 40.0]
    J = jacobian(lambda y: np.hypot(*np.moveaxis(landmark - y, -1, 0))[..., None], x, space, Space("r"))
    np.testing.assert_allclose(J, [[-0.6, -0.8]], atol=1e-5)


def test_jacobian_of_tensors():
    torch = pytest.importorskip("torch")
    space = Space("a b")
    x = space.sample(5, rng=3)
    for kind, tolerance in ((torch.float64, 1e-8), (torch.float32, 1e-2)):
        J = jacobian(lambda y: torch.sin(y), torch.tensor(x, dtype=kind), space, space)
        assert J.dtype == kind
        np.testing.assert_allclose(J, np.cos(x)[..., None] * np.eye(2), atol=tolerance)


@pytest.mark.parametrize(("bx", "bu"), [((), ()), ((3,), ()), ((), (3,)), ((2, 1), (3,))])
def test_dynamics_linearize_broadcasts(bx, bu):
    rover = Rover()
    x, u = POSE.sample(bx, rng=4), rover.action.sample(bu, rng=5)
    F, B = rover.linearize(x, u, 0.1)
    batch = np.broadcast_shapes(bx, bu)
    assert F.shape == (*batch, 4, 4)
    assert B.shape == (*batch, 4, 2)
    h = 0.01
    d, e = h * np.array([1.0, -0.5, 0.3, 0.7]), h * np.array([0.5, 2.0])
    there = POSE.minus(rover.step(POSE.plus(x, d), u + e, 0.1), rover.step(POSE.plus(x, -d), u - e, 0.1)) / 2
    np.testing.assert_allclose(F @ d + B @ e, there, atol=1e-6)
    assert rover.noise(x, u, 0.1).shape == (*batch, 4, 4)
    assert not rover.noise(x, u, 0.1).any()


class Sighting(Sensor):
    """A place in the frame of a pose."""

    state, reading, context = Space("pose: SE2"), Space("forward left [m]"), Space("x y [m]")

    def observe(self, x, context=None):
        both = np.concatenate([x, context], -1)
        c, s, dx, dy = (
            np.cos(both[..., 2]),
            np.sin(both[..., 2]),
            both[..., 3] - both[..., 0],
            both[..., 4] - both[..., 1],
        )
        return np.stack([c * dx + s * dy, c * dy - s * dx], -1)

    def noise(self, x, context=None):
        return np.eye(2)


@pytest.mark.parametrize(("bx", "bc"), [((), ()), ((3,), ()), ((), (7,)), ((), (5,)), ((2, 1), (3,))])
@pytest.mark.parametrize("sensor", [Sighting(), Sighting().on(POSE)], ids=["own state", "bigger state"])
def test_sensor_derivatives_broadcast(bx, bc, sensor):
    """Seven and five states in one call are those of all directions of a pose and a place: they must not pair up."""
    x, c = sensor.state.sample(bx, rng=4), sensor.context.sample(bc, rng=5)
    H, C = sensor.linearize(x, c), sensor.linearize_context(x, c)
    batch = np.broadcast_shapes(bx, bc)
    yaw = np.broadcast_to(x[..., 2], batch)
    turned = np.moveaxis(np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]]), (0, 1), (-2, -1))
    np.testing.assert_allclose(C, turned, atol=1e-9)
    assert H.shape == (*batch, 2, sensor.state.dim)
    z = np.einsum("...ij,...j", turned, c - x[..., :2])
    wanted = np.concatenate(
        [np.broadcast_to(-np.eye(2), (*batch, 2, 2)), np.stack([z[..., 1], -z[..., 0]], -1)[..., None]], -1
    )
    np.testing.assert_allclose(H[..., :3], wanted, atol=1e-8)
    assert not H[..., 3:].any()


def test_a_block_keeps_its_components_apart_on_a_bigger_state():
    class Sum(Sensor):
        state, reading = Space("z: float64[3]"), Space("sum")

        def observe(self, x, context=None):
            return x @ np.array([[1.0], [2.0], [3.0]])

        def noise(self, x, context=None):
            return np.eye(1)

    H = Sum().on(Space("x", "z: float64[3]", "yaw: angle")).linearize(np.zeros(5))
    np.testing.assert_allclose(H, [[0.0, 1.0, 2.0, 3.0, 0.0]], atol=1e-9)


def test_rollout_is_repeated_steps():
    rover = Rover()
    x0, us = POSE.sample(rng=6), rover.action.sample((5, 7), rng=7)
    xs = rover.rollout(x0, us, 0.1)
    assert xs.shape == (5, 8, 4)
    x = x0
    for t in range(7):
        np.testing.assert_array_equal(xs[2, t], x)
        x = rover.step(x, us[2, t], 0.1)
    np.testing.assert_array_equal(xs[2, 7], x)


def test_a_rollout_of_what_answers_nothing_is_a_sentence():
    class Silent(Rover):
        def step(self, x, u, dt): ...

    with pytest.raises(ModelError, match=r"Silent.step returned None \(is its `return` missing\?\)"):
        Silent().rollout(np.zeros(4), np.zeros((3, 2)), 0.1)
    with pytest.raises(ShapeError, match=r"actions of a rollout have the axes \(..., T, 2\); \(2,\) was given"):
        Rover().rollout(np.zeros(4), np.zeros(2), 0.1)


def test_rollout_of_tensors_keeps_gradients():
    torch = pytest.importorskip("torch")

    class Cart(Dynamics):
        state, action = Space("x v"), Space("a")

        def step(self, x, u, dt):
            return torch.stack([x[..., 0] + dt * x[..., 1], x[..., 1] + dt * u[..., 0]], -1)

    us = torch.ones((4, 1), dtype=torch.float64, requires_grad=True)
    xs = Cart().rollout(np.zeros(2), us, 0.5)
    xs[-1, 0].backward()
    np.testing.assert_allclose(us.grad[:, 0], 0.25 * np.array([3, 2, 1, 0]))
    assert Cart().noise(xs, us[:1], 0.5).dtype == torch.float64
    F, B = Cart().linearize(xs.detach(), us.detach()[:1], 0.5)
    np.testing.assert_allclose(F[0], [[1, 0.5], [0, 1]], atol=1e-9)
    np.testing.assert_allclose(B[0], [[0], [0.5]], atol=1e-9)


def test_sensor_log_prob_is_the_gaussian_of_the_innovation():
    sensor = Bearing()
    x, z = sensor.state.sample((6, 1), rng=8), sensor.reading.sample(4, rng=9)
    d = sensor.reading.minus(z, sensor.observe(x, (3, 4)))
    oracle = stats.multivariate_normal(np.zeros(2), sensor.noise(x)).logpdf(d)
    np.testing.assert_allclose(sensor.log_prob(z, x, (3, 4)), oracle, rtol=1e-12)


@pytest.mark.parametrize("hidden", [0, 1])
def test_what_was_not_measured_is_marginalised(hidden):
    sensor = Bearing()
    x, z = sensor.state.sample(5, rng=10), sensor.reading.sample(5, rng=11)
    z[2:, hidden] = np.nan
    other = 1 - hidden
    d = sensor.reading.minus(z, sensor.observe(x, (3, 4)))
    R = sensor.noise(x)
    oracle = stats.multivariate_normal(np.zeros(2), R).logpdf(d[:2])
    marginal = stats.norm(0, np.sqrt(R[other, other])).logpdf(d[2:, other])
    np.testing.assert_allclose(sensor.log_prob(z, x, (3, 4)), np.concatenate([oracle, marginal]), rtol=1e-12)
    np.testing.assert_allclose(sensor.log_prob([np.nan, np.nan], x, (3, 4)), 0.0, atol=1e-15)


class Tilt(Sensor):
    """A quaternion read whole."""

    state = reading = Space("q: quaternion")

    def observe(self, x, context=None):
        return x

    def noise(self, x, context=None):
        return 0.01 * np.eye(3)


def test_a_hidden_quaternion_component_hides_the_rotation():
    x = Tilt().state.sample(2, rng=12)
    z = x.copy()
    z[1, 2] = np.nan
    density = Tilt().log_prob(z, x)
    assert density[0] == pytest.approx(-1.5 * np.log(2 * np.pi * 0.01))
    assert density[1] == 0.0


@pytest.mark.parametrize(
    "space",
    [
        Space("speed", "yaw: angle", "y x [m]"),
        Space("car.x car.y [m]", "car.yaw: angle", "goal"),
        Space("speed", "pose: SE2"),
        Space("pose: SE2", "speed"),
    ],
    ids=str,
)
def test_a_sensor_on_a_bigger_state(space):
    small, landmark = Bearing(), (30.0, 4.0)
    big = small.on(space)
    x = space.sample((4,), rng=13)
    pick = [next(i for i, n in enumerate(space.names) if n.split(".")[-1] == name) for name in small.state.names]
    np.testing.assert_array_equal(big.observe(x, landmark), small.observe(x[:, pick], landmark))
    H = big.linearize(x, landmark)
    oracle = jacobian(lambda y: small.observe(y[..., pick], landmark), x, space, small.reading)
    np.testing.assert_allclose(H, oracle, atol=1e-8)
    z = small.reading.sample(4, rng=14)
    np.testing.assert_array_equal(big.log_prob(z, x, landmark), small.log_prob(z, x[:, pick], landmark))
    np.testing.assert_array_equal(big.noise(x), small.noise(x[:, pick]))
    assert big.on(space) is big
    assert big.on(small.state) is small
    assert small.on(small.state) is small


def test_components_that_cannot_be_found():
    with pytest.raises(SpaceError, match="no component 'yaw'"):
        Bearing().on(Space("x y"))
    with pytest.raises(SpaceError, match=r"any of a\.x, b\.x"):
        Bearing().on(Space("a.x b.x y yaw"))


def test_a_name_in_full_wins_over_an_ending():
    class Position(Tilt):
        state = reading = Space("x")

    assert Position().on(Space("a.x b.x x")).observe(np.array([1.0, 2.0, 3.0])) == [3.0]


def test_defaults_of_a_task():
    class Park(Task):
        initial, dt, horizon = Gaussian.of(POSE, std=1), 0.1, 20

        def cost(self, x, u, r=None):
            return (np.asarray(u) ** 2).sum(-1) + 0 * x[..., 0]

    task, x, u = Park(), POSE.sample((5, 1), rng=15), np.ones((3, 2))
    assert task.cost(x, u).shape == (5, 3)
    assert task.terminal_cost(x).shape == (5, 1)
    assert task.constraint(x, u).shape == (5, 3, 0)
    assert task.done(x).dtype == bool
    assert not task.done(x).any()
    assert task.references(x[0, 0], 0.0, 20) == (None, None)
    assert task.stage.size == task.state.size == 0


def test_a_mounted_sensor_linearizes_tensors():
    torch = pytest.importorskip("torch")

    class Needle(Sensor):
        state, reading = Space("yaw: angle"), Space("course: angle")

        def observe(self, x, context=None):
            return 1.0 * x

        def noise(self, x, context=None):
            return np.eye(1)

    H = Needle().on(Space("x y [m]", "yaw: angle")).linearize(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    assert isinstance(H, torch.Tensor)
    np.testing.assert_allclose(H.numpy(), [[0.0, 0.0, 1.0]], atol=1e-9)
