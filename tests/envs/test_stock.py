"""The environments that come along: Gymnasium's check, seeds, branches to the bit, vector versions, and their laws."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import pilotage.envs
from pilotage.bench import benchmark_task
from pilotage.core import Sensor, SettingError, Space
from pilotage.envs.maze import LAYOUTS, Maze
from pilotage.envs.occluded_ball import BouncingBall
from pilotage.envs.registry import ENVIRONMENTS
from pilotage.envs.tracking import Radar, detections
from pilotage.testing import check_dynamics

NAMES = [f"pilotage/{name}-v0" for name, *_ in ENVIRONMENTS]
NEW = [name for name in NAMES if not any(old in name for old in ("Navigation", "Truck", "CartPole"))]
pytestmark = pytest.mark.filterwarnings("ignore:.*symmetric and normalized space.*")


def equal(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    return np.array_equal(one, other)


def row_of(seen, i):
    return {name: rows[i] for name, rows in seen.items()} if isinstance(seen, dict) else seen[i]


def results(env, actions):
    return [env.step(u) for u in actions]


def all_equal(one, other) -> bool:
    return all(equal(a, b) for row, twin in zip(one, other, strict=True) for a, b in zip(row, twin, strict=True))


@pytest.mark.parametrize("name", NEW)
def test_gymnasium_finds_nothing_to_say(name):
    check_env(gymnasium.make(name, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_episode_is_equal_to_the_bit(name):
    env = gymnasium.make(name)
    env.reset(seed=1)
    env.action_space.seed(0)
    results(env, [env.action_space.sample() for _ in range(5)])
    saved = env.unwrapped.get_state()
    actions = [env.action_space.sample() for _ in range(12)]
    once = results(env, actions)
    env.unwrapped.set_state(saved)
    assert all_equal(once, results(env, actions))
    other = gymnasium.make(name)
    other.reset(seed=9)
    other.unwrapped.set_state(pickle.loads(pickle.dumps(saved)))
    assert all_equal(once, results(other, actions))


@pytest.mark.parametrize("name", NEW)
def test_the_vector_version_is_many_single_ones(name):
    many = gymnasium.make_vec(name, num_envs=3, vectorization_mode="vector_entry_point")
    seen, _ = many.reset(seed=4)
    singles = [gymnasium.make(name) for _ in range(3)]
    for i, env in enumerate(singles):
        assert equal(row_of(seen, i), env.reset(seed=4 + i)[0])
    many.action_space.seed(0)
    saved = many.unwrapped.get_state()
    actions = [many.action_space.sample() for _ in range(4)]
    once = results(many, actions)
    for i, env in enumerate(singles):
        for u, row in zip(actions, once, strict=True):
            alone = env.step(u[i])
            assert equal(row_of(row[0], i), alone[0])
            np.testing.assert_allclose(row[1][i], alone[1], rtol=1e-12)
    many.unwrapped.set_state(saved)
    assert all_equal(once, results(many, actions))


TASKS = {"Pendulum": "pendulum", "Acrobot": "acrobot", "Reacher": "reacher", "Parking": "parking"}
TASKS |= {"Quadrotor": "quadrotor_hover"}


@pytest.mark.parametrize("name", TASKS)
def test_the_return_is_minus_the_cost_of_the_benchmark(name):
    """One task: the rewards of an episode are the cost that the benchmark charges for the same actions."""
    env, known = gymnasium.make(f"pilotage/{name}-v0"), benchmark_task(TASKS[name])
    x = known.first(2)
    env.reset(seed=0, options={"state": x})
    rng, total, ended = np.random.default_rng(0), 0.0, False
    states, actions = [x], []
    while not ended:
        u = known.task.action.clip(0.05 * rng.normal(size=known.task.action.size))
        u = known.plant.action.clip(u).astype(np.float32).astype(np.float64)
        _, reward, terminated, truncated, info = env.step(u)
        total, ended = total + float(reward), terminated or truncated
        states.append(info["state"])
        actions.append(u)
    xs, us = known.plant.rollout(x, np.array(actions), known.task.dt), np.array(actions)
    if not terminated:
        assert len(us) == known.task.horizon
        np.testing.assert_allclose(known.plant.state.minus(xs, np.array(states)), 0.0, atol=1e-9)
        cost = known.task.cost(xs[:-1], us).sum() + known.task.terminal_cost(xs[-1])
        assert total == pytest.approx(-float(cost), rel=1e-9)


def test_states_of_another_environment_are_refused():
    env = gymnasium.make("pilotage/Pendulum-v0").unwrapped
    env.reset(seed=0)
    other = gymnasium.make("pilotage/Acrobot-v0").unwrapped
    other.reset(seed=0)
    with pytest.raises(SettingError, match="another environment"):
        env.set_state(other.get_state())
    env.set_state([1.0, 0.5])
    np.testing.assert_array_equal(env.state, [1.0, 0.5])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_walls_of_mazes_are_solid(layout):
    """Whatever the push and however long the tick, nothing enters a wall; what is free moves."""
    maze, rng = Maze(layout), np.random.default_rng(0)
    check_dynamics(maze)
    x = np.stack([maze.start(rng) for _ in range(50)])
    before = x.copy()
    for t in range(120):
        x = maze.step(x, np.sign(rng.normal(size=(50, 2))), 0.1 if t % 2 else 0.5)
        assert not maze.blocked(x[:, :2]).any()
    assert (np.abs(x - before)[:, :2].max(1) > 0.3).mean() > 0.9
    np.testing.assert_array_equal(x[:, 4:], before[:, 4:])


def test_a_wall_stops_only_what_it_is_in_the_way_of():
    x = Maze(["####", "#..#", "#..#", "####"]).step([2.7, 1.5, 2.0, 1.0, 1.5, 1.5], [0.0, 0.0], 0.1)
    assert x[0] == pytest.approx(2.75, abs=1e-6) and x[2] == 0.0 and x[1] == pytest.approx(1.59) and x[3] == 0.9


@pytest.mark.parametrize("layout", ["cave", ["..."], ["###", "#.#", "###"], ["####", "#.."], []])
def test_layouts_that_are_none(layout):
    with pytest.raises(SettingError, match="layout"):
        Maze(layout)


def test_a_ball_keeps_its_energy():
    ball, x = BouncingBall(), np.array([0.4, 0.7, 0.9, 0.3])
    check_dynamics(ball)
    xs = ball.rollout(x, np.zeros((200, 2)), 0.05)
    energy = 0.5 * (xs[:, 2:] ** 2).sum(1) + 2.0 * xs[:, 1]
    np.testing.assert_allclose(energy, energy[0], rtol=1e-9)
    assert xs[:, 0].min() >= 0.08 and xs[:, 0].max() <= 1.92 and xs[:, 1].min() >= 0.08


def test_a_hidden_ball_is_in_no_picture():
    env = gymnasium.make("pilotage/OccludedBall-v0")
    empty = env.reset(seed=0, options={"state": [1.0, 0.5, 0.0, 0.0]})[0]
    for x in (0.9, 1.1):
        hidden, info = env.reset(options={"state": [x, 0.3, 0.0, 0.0]})
        assert info["hidden"]
        np.testing.assert_array_equal(hidden, empty)
    seen, info = env.reset(options={"state": [0.3, 0.3, 0.0, 0.0]})
    assert not info["hidden"] and (seen != empty).any()


def test_a_radar_detects_as_often_as_it_says():
    radar, rng = Radar(), np.random.default_rng(0)
    x = np.array([400.0, 300.0, 0.0, 0.0, np.arctan2(3.0, 4.0) + 0.1])
    scans = [detections(radar.sample(x, rng=rng)) for _ in range(1500)]
    near = np.array([(np.abs(scan - [500.0, np.arctan2(3.0, 4.0)]) < [25.0, 0.05]).all(1).any() for scan in scans])
    assert near.mean() == pytest.approx(0.9, abs=0.03)
    assert np.mean([len(scan) for scan in scans]) == pytest.approx(2.9, abs=0.12)
    beside = np.array([[400.0, 300.0, 0.0, 0.0, 2.0]] * 300)
    assert np.mean([len(detections(z)) for z in radar.sample(beside, rng=rng)]) == pytest.approx(2.0, abs=0.3)
    assert len(detections(radar.observe(x))) == 1 and not len(detections(radar.observe(beside[0])))


def test_a_tolerance_of_controllers_ends_no_episode():
    """A car that overlaps by half a millimetre goes on, one that overlaps by two does not."""
    env = gymnasium.make("pilotage/Parking-v0")
    constraint = env.unwrapped.world.task.constraint
    for inside, over in ((5e-4, False), (2e-3, True)):
        x = np.array([5.0, 4.9 + inside, 0.0, 0.0])
        assert constraint(x, np.zeros(2)).max() == pytest.approx(inside)
        env.reset(seed=0, options={"state": x})
        _, _, terminated, _, info = env.step(np.zeros(2, np.float32))
        assert (terminated, info["violated"]) == (over, over)


class FirstComponent(Sensor):
    reading, context = Space("first"), Space()

    def __init__(self, state):
        self.state = state

    def observe(self, x, context=None):
        return x[..., :1]

    def noise(self, x, context=None):
        return np.zeros((1, 1))


@pytest.mark.parametrize("name", [name for name in NAMES if "Navigation" not in name])
def test_sensors_replace_the_observation(name):
    first = FirstComponent(gymnasium.make(name).unwrapped.world.dynamics.state)
    several = gymnasium.make_vec(name, num_envs=2, vectorization_mode="vector_entry_point", sensors=first)
    assert gymnasium.make(name, sensors=first).reset(seed=0)[0].shape == (1,)
    assert several.reset(seed=0)[0].shape == (2, 1)


def test_names_that_are_registered_are_all_there():
    assert set(NAMES) <= set(gymnasium.registry) and len(NAMES) == 15
    assert pilotage.envs.ModelEnv is not None
