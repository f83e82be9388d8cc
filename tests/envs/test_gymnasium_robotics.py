"""Our planners and controllers drive environments of Gymnasium-Robotics, and these are branchable and models as well.

Of Gymnasium-Robotics 1.4.2 with MuJoCo 4, the mazes, the Adroit hands and the kitchen can be made; Fetch and the Shadow
hand compare types of joints in a way that MuJoCo 4 does not support.
"""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium_robotics", reason="Gymnasium-Robotics is not installed (extra peers)")

import gymnasium_robotics

from pilotage.control import MPPI, dlqr, reach
from pilotage.envs import EnvDynamics, MujocoDynamics, restore_state, save_state
from pilotage.maps import OccupancyGrid
from pilotage.planners import AStar

gymnasium.register_envs(gymnasium_robotics)


def maze(name, **settings):
    env = gymnasium.make(name, continuing_task=False, **settings)
    return env, env.reset(seed=0)[0]


def map_of(env) -> OccupancyGrid:
    """The map of a maze, whose middle is the origin; its first row is the farthest."""
    walls = np.array(env.unwrapped.maze.maze_map) == 1
    ny, nx = walls.shape
    return OccupancyGrid.from_occupied(np.kron(walls[::-1], np.ones((20, 20))) > 0.0, 0.05, (-nx / 2, -ny / 2, 0.0))


def test_mppi_pushes_the_ball_to_its_goal():
    env, seen = maze("PointMaze_Open-v3")
    ball = MujocoDynamics(env.unwrapped.model)
    place = dict(zip(ball.state.names, seen["desired_goal"], strict=False))
    task = reach(ball, place, weights=1.0, effort=0.01, final=5.0, dt=0.05)
    drive, info = MPPI(ball, task, horizon=25, samples=64, rng=0), {"success": False}
    assert np.hypot(*(seen["desired_goal"] - seen["achieved_goal"])) > 1.0
    for tick in range(100):
        u = drive.act(seen["observation"], 0.05 * tick).u
        for _ in range(5):
            seen, _, terminated, _, info = env.step(u.astype(np.float32))
        if terminated:
            break
    assert info["success"] and terminated


def test_a_plan_and_lqr_bring_it_round_the_wall():
    env, _ = maze("PointMaze_UMaze-v3", reset_target=False)
    seen, _ = env.reset(seed=1, options={"goal_cell": np.array([3, 1]), "reset_cell": np.array([1, 1])})
    goal = seen["desired_goal"]
    plan = AStar().plan(map_of(env).inflate(0.25), seen["achieved_goal"], goal)
    assert plan.ok, plan.reason
    assert plan.cost > 1.5 * np.hypot(*(goal - seen["achieved_goal"])), "there is a wall between them"
    ball = MujocoDynamics(env.unwrapped.model)
    way, K = np.vstack([plan.xs, goal]), dlqr(*ball.linearize(seen["observation"], [0.0, 0.0], 0.01), 1.0, 1.0).K
    ahead, terminated, info = 0, False, {}
    for _ in range(3000):
        x = seen["observation"]
        while ahead < len(way) - 1 and np.hypot(*(way[ahead] - x[:2])) < 0.3:
            ahead += 1
        u = ball.action.clip(K @ ([*way[ahead], 0.0, 0.0] - x))
        seen, _, terminated, _, info = env.step(u.astype(np.float32))
        if terminated:
            break
    assert terminated and info["success"]


@pytest.mark.parametrize("name", ["PointMaze_UMaze-v3", "AntMaze_UMaze-v5", "AdroitHandDoor-v1"])
def test_a_restored_episode_is_equal_to_the_bit(name):
    env = gymnasium.make(name)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(3):
        env.step(env.action_space.sample())
    saved, actions = save_state(env), [env.action_space.sample() for _ in range(5)]
    once = [env.step(u) for u in actions]
    restore_state(env, saved)
    for u, row in zip(actions, once, strict=True):
        again = env.step(u)
        assert again[1] == row[1]
        for a, b in zip(
            *(each[0].values() if isinstance(each[0], dict) else [each[0]] for each in (again, row)), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_an_environment_is_a_model():
    """As dynamics, a maze moves as its file does, and MPPI plans with the steps of the environment itself."""
    env, seen = maze("PointMaze_Open-v3")
    model = EnvDynamics(env)
    x, u = np.array([*seen["achieved_goal"], 0.3, -0.2]), np.array([0.5, 1.0])
    np.testing.assert_allclose(model.step(x, u, 0.01), MujocoDynamics(env.unwrapped.model).step(x, u, 0.01), atol=1e-6)
    place = dict(zip(model.state.names, x[:2] + 0.2, strict=False))
    task = reach(model, place, weights=1.0, effort=0.01, dt=0.01)
    action = MPPI(model, task, horizon=10, samples=16, rng=0).act(x)
    free = model.rollout(x, np.zeros((10, 2)), 0.01)
    planned = model.rollout(x, action.plan, 0.01)
    assert task.terminal_cost(planned[-1]) < task.terminal_cost(free[-1])
