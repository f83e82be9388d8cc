"""Robots that map a building on their own, and drive on in the map they have made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import SettingError, Space
from pilotage.envs import Exploration, Explorer, Navigation, Patrol, free_places
from pilotage.maps import OccupancyGrid

POSE = Space("pose: SE2")
ROOMS = """
########################
#.......#..............#
#.......#..............#
#......................#
#......................#
#.......#......##......#
#.......#......##......#
########################
"""
WORLD = OccupancyGrid.from_ascii(ROOMS.strip().split("\n")).refined(4)
WORLD = OccupancyGrid.from_occupied(WORLD.occupied, 0.1)


def world() -> Navigation:
    return Navigation(WORLD, obstacles=0, beams=120, max_range=3.0, start=(1.2, 1.2, 0.5), tolerance=1e-9)


def explored(env: Navigation, most: float = 120.0) -> tuple[Exploration, Any, float, float]:
    """The exploration at its end, the observation then, the time, and the largest error of the pose."""
    agent = Explorer(env.robot, env.lidar.angles, 3.0).start(seed=0)
    observation, info = env.reset(seed=0)
    start, t, worst = info["pose"], 0.0, 0.0
    while not agent.done and t < most:
        action = agent.step(observation, t)
        truth = POSE.compose(POSE.inverse(start), info["pose"])
        worst = max(worst, float(np.hypot(*(truth - agent.pose)[:2])))
        observation, _, ended, _, info = env.step(action.u)
        assert not ended, "the robot has touched a wall"
        t += 0.1
    return agent, observation, t, worst


def test_a_building_is_mapped_and_lived_in() -> None:
    env = world()
    agent, observation, t, worst = explored(env)
    assert agent.done and agent.reason and worst < 0.15
    grid, start = agent.mapper.map(0.05), np.array([1.2, 1.2, 0.5])
    cells = np.argwhere(WORLD.inflate(0.15).free)
    rooms = cells[np.random.default_rng(0).integers(len(cells), size=500)]
    there = np.asarray(POSE.compose(POSE.inverse(start), np.column_stack([WORLD.cell_to_world(rooms), np.zeros(500)])))
    assert grid.is_free(there[:, :2]).mean() > 0.95
    goals = free_places(grid, agent.pose, env.robot.footprint.radius, 2, np.random.default_rng(1))
    patrol, errors = Patrol(env.robot, grid, agent.pose, goals, env.lidar.angles, 3.0), list[float]()
    while not patrol.done and t < 200.0:
        action = patrol.step(observation, t)
        observation, _, ended, _, info = env.step(action.u)
        assert not ended
        truth = POSE.compose(POSE.inverse(start), info["pose"])
        errors.append(float(np.hypot(*(truth - patrol.pose)[:2])))
        t += 0.1
    assert patrol.done and patrol.reached == 2 and not patrol.skipped
    assert np.median(errors) < worst + 0.1  # the map is as wrong as the robot was while it mapped
    assert not patrol.step(observation, t).u.any()  # it stands still


def test_a_robot_that_sees_nothing_gives_up() -> None:
    env = world()
    agent = Explorer(env.robot, env.lidar.angles, 3.0).start()
    blind = {"lidar": np.full(120, np.nan), "odometry": np.zeros(2)}
    actions = [agent.step(blind, 0.1 * k) for k in range(100)]
    assert agent.done and agent.reason and not actions[-1].u.any()


def test_places_that_cannot_be_reached_are_skipped() -> None:
    env = world()
    patrol = Patrol(env.robot, WORLD, [1.2, 1.2, 0.5], [[50.0, 50.0], [0.05, 0.05]], env.lidar.angles, 3.0)
    observation, _ = env.reset(seed=0)
    assert not patrol.step(observation, 0.0).u.any()
    assert patrol.done and patrol.skipped == 2 and patrol.reached == 0
    walls = OccupancyGrid.from_occupied(np.ones((9, 9)), 0.1)
    assert len(free_places(walls, [0.4, 0.4, 0.0], 0.2, 3, np.random.default_rng(0))) == 0


def test_robots_that_are_not_driven_by_speed_and_yaw_rate_are_refused() -> None:
    env = Navigation(WORLD, "bicycle")
    with pytest.raises(SettingError, match="speed"):
        Explorer(env.robot, env.lidar.angles, 3.0)
    with pytest.raises(SettingError, match="speed"):
        Patrol(env.robot, WORLD, [1.0, 1.0, 0.0], [[2.0, 1.0]], env.lidar.angles, 3.0)
    with pytest.raises(SettingError):
        Explorer(world().robot, env.lidar.angles, -1.0)
