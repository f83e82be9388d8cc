"""Every MJCF and URDF file of the public data as a model: a filter, controllers and planners run on it unchanged."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

pytest.importorskip("mujoco")

from pilotage.control import ILQR, MPPI, dlqr, reach
from pilotage.core import Gaussian, PlanStatus, Problem, Space
from pilotage.core.linearize import jacobian
from pilotage.envs import BulletDynamics, CollisionConstraint, MujocoDynamics
from pilotage.estimators import EKF
from pilotage.models import LinearSensor
from pilotage.planners import RRT

FILES = [f"mjcf/{name}.xml" for name in ("acrobot", "cartpole", "cheetah", "pendulum", "point_mass", "reacher")]
FILES += [f"urdf/{name}.urdf" for name in ("2link_robot", "iiwa7", "panda_no_gripper", "turtlebot3_burger")]
DT = 0.02


@cache
def model_of(path) -> MujocoDynamics:
    return MujocoDynamics(path, meshes=False, noise=0.01)


@pytest.fixture(params=FILES)
def model(request, data) -> MujocoDynamics:
    return model_of(data / "robot_models" / request.param)


def inside(model: MujocoDynamics, scale: float) -> np.ndarray:
    """A state near the start, within the bounds."""
    rng = np.random.default_rng(1)
    return model.state.clip(model.start() + scale * rng.normal(size=model.state.size))


def test_derivatives_are_those_of_the_step(model):
    assert model.action.size == model.model.nu > 0
    x, u = inside(model, 0.01), 0.1 * np.ones(model.action.size)
    F, B = model.linearize(x, u, DT)
    slope = jacobian(lambda y: model.step(y, u, DT), x, model.state, model.state)
    np.testing.assert_allclose(F, slope, atol=2e-3 * (1.0 + np.abs(slope).max()))
    turn = jacobian(lambda v: model.step(x, v, DT), u, model.action, model.state)
    np.testing.assert_allclose(B, turn, atol=2e-3 * (1.0 + np.abs(turn).max()))


def test_a_filter_follows_it(model):
    """From readings of the positions, an EKF finds the velocities."""
    n = model.model.nq
    seen = Space(*model.state.parts[:n])
    encoders = LinearSensor(np.eye(n), R=np.eye(n) * 1e-4, state=seen, reading=seen)
    x, u = inside(model, 0.05), np.zeros(model.action.size)
    ekf = EKF(model, dt=DT).start(belief=Gaussian.of(model.state, model.start(), std=0.3))
    before = np.abs(model.state.minus(x, ekf.belief.mean)[n:]).max()
    rng = np.random.default_rng(0)
    for _ in range(25):
        x = model.step(x, u, DT)
        ekf.predict(u=u)
        ekf.update(encoders, z=x[:n] + 0.01 * rng.normal(size=n))
    error = model.state.minus(x, ekf.belief.mean)
    assert (np.abs(error) < 5.0 * np.sqrt(np.diag(ekf.belief.cov))).all()
    assert np.diag(ekf.belief.cov)[n:].max() < 0.09 and np.abs(error[:n]).max() < 0.05 + before


@pytest.mark.parametrize("make", [ILQR, MPPI])
def test_controllers_move_it(model, make):
    """The plan is cheaper than no action."""
    n = model.model.nq
    goal = model.start()
    goal[n - 1] += 0.1
    goal = model.state.clip(goal)
    effort = 1e-6 * np.ones(model.action.size)
    errand = reach(
        model, goal, weights=[1.0] * n + [1e-3] * model.model.nv, effort=effort, final=10.0, dt=DT, horizon=10
    )
    x, u = model.start(), np.zeros(model.action.size)
    strength = np.abs(model.linearize(x, u, DT)[1]).max()  # of an action, in rad/s or m/s a step
    settings = {"iterations": 4} if make is ILQR else {"samples": 24, "std": float(0.3 / strength)}
    action = make(model, errand, horizon=10, **settings).act(x)

    def cost(us):
        xs = model.rollout(x, us, DT)
        return float(errand.cost(xs[:-1], us).sum() + errand.terminal_cost(xs[-1]))

    assert cost(action.plan) < cost(np.zeros((10, model.action.size))), action.status


def test_planners_find_a_path(request, model, data):
    path = data / "robot_models" / request.node.callspec.params["model"]
    clear = CollisionConstraint(model_of(path).model, resolution=0.2)
    q = clear.space.clip(model.start()[: clear.space.size])
    far = clear.space.clip(q + 0.4)
    names = [name for name, low in zip(clear.space.names, clear.space.low) if not np.isfinite(low)]
    bounded = clear.space.bounded(dict.fromkeys(names, (-4.0, 4.0)))
    plan = RRT().plan(Problem(bounded, q, far, clear, resolution=0.2), rng=0)
    assert plan.status is PlanStatus.SOLVED, plan.reason
    assert (clear(plan.xs) <= 0.0).all()


@pytest.mark.parametrize("name", ["2link_robot", "iiwa7", "panda_no_gripper"])
def test_torques_of_a_urdf_file_are_those_in_bullet(data, name):
    """Motors that MuJoCo gets push as much as Bullet's, within the efforts of the file."""
    pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")
    path = data / "robot_models" / "urdf" / f"{name}.urdf"
    one, other = model_of(path), BulletDynamics(path, meshes=False)
    np.testing.assert_array_equal(one.action.high, other.action.high)
    x, u, h = inside(one, 0.05), 0.3 * np.linspace(-1.0, 1.0, one.action.size), 1e-6
    mine, bullets = ((model.step(x, u, h) - model.step(x, -u, h))[len(u) :] / h for model in (one, other))
    assert np.abs(mine).max() > 0.1
    np.testing.assert_allclose(mine, bullets, rtol=3e-3, atol=1e-3)


def test_an_estimate_balances_the_cart_pole(data):
    """LQG in MuJoCo: an EKF reads noisy positions, and LQR of the model's own derivatives acts on its belief."""
    model = MujocoDynamics(data / "robot_models" / "mjcf" / "cartpole.xml", noise=[1e-3, 1e-3, 0.02, 0.05])
    rest, seen = model.start(), Space(*model.state.parts[:2])
    K = dlqr(*model.linearize(rest, [0.0], DT), np.diag([1.0, 10.0, 0.1, 0.1]), np.eye(1)).K
    encoders = LinearSensor(np.eye(2), R=np.diag([0.01, 0.02]) ** 2, state=seen, reading=seen)
    x, rng = np.array([0.1, 0.1, 0.0, 0.0]), np.random.default_rng(0)
    ekf = EKF(model, dt=DT).start(mean=rest, std=[0.2, 0.2, 0.2, 0.2])
    tail = []
    for _ in range(300):
        u = model.action.clip(-K @ ekf.belief.mean)
        x = model.step(x, u, DT)
        ekf.predict(u=u)
        ekf.update(encoders, z=x[:2] + [0.01, 0.02] * rng.normal(size=2))
        tail.append(x)
    assert np.abs(np.array(tail)[200:, 1]).max() < 0.05 and np.abs(np.array(tail)[200:, 0]).max() < 0.3
    assert np.abs(model.rollout(np.array([0.1, 0.1, 0, 0]), np.zeros((100, 1)), DT)[-1, 1]) > 0.5, "alone, it falls"
