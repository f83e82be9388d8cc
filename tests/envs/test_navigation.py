from __future__ import annotations

import itertools

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import SyncVectorEnv

import pilotage.envs
from pilotage.core import MissingFile, PilotageError
from pilotage.envs import Navigation, NavigationVector, Robot
from pilotage.envs.navigation.arena import Arena, Tour
from pilotage.envs.navigation.robots import differential_drive
from pilotage.envs.navigation.scenarios import MARGIN
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import constant_velocity, pendulum, unicycle
from pilotage.testing import check_dynamics

NAME = "pilotage/Navigation-v0"
ROOM = OccupancyGrid.from_ascii(["#" * 40, *["#" + "." * 38 + "#"] * 38, "#" * 40], resolution=0.2, origin=(-4, -4, 0))
TURNED = OccupancyGrid.from_occupied(ROOM.occupied, 0.2, (1.0, 2.0, 0.7))


@pytest.mark.parametrize("robot", ["differential_drive", "bicycle"])
@pytest.mark.parametrize("map", ["turtlebot3_world.yaml", "depot.yaml", "tb3_sandbox.yaml"])
def test_gymnasium_finds_nothing_to_say(map, robot):
    check_env(gymnasium.make(NAME, map=map, robot=robot, render_mode="rgb_array").unwrapped)


def test_options():
    env = gymnasium.make(NAME, map=TURNED, obstacles=0, goals=1, beams=[0.0, 0.5], localized=True, dt=0.05)
    check_env(env.unwrapped, skip_render_check=True)
    observation, info = env.reset(seed=2)
    assert set(observation) == {"lidar", "odometry", "goal", "pose"}
    assert observation["lidar"].shape == (2,)
    np.testing.assert_allclose(observation["pose"], info["pose"], atol=1e-6)
    np.testing.assert_allclose(observation["goal"], info["goal"], atol=1e-6)
    assert env.unwrapped.metadata["render_fps"] == 20


def test_episodes_end_by_themselves_after_2000_ticks():
    env = gymnasium.make(NAME, map=ROOM, beams=1, obstacles=0, goals=1, disable_env_checker=True)
    env.reset(seed=0)
    ticks, truncated = 0, False
    while not truncated:
        *_, terminated, truncated, info = env.step(np.zeros(2))
        assert not terminated
        ticks += 1
    assert ticks == 2000
    assert np.linalg.norm(info["pose"][:2] - info["goal"]) > 0.35


@pytest.mark.parametrize("robot", ["differential_drive", "bicycle"])
def test_the_vector_form_is_many_single_ones(robot):
    many = SyncVectorEnv([lambda: gymnasium.make(NAME, map=ROOM, robot=robot, max_episode_steps=40)] * 4)
    ours = gymnasium.make_vec(NAME, num_envs=4, map=ROOM, robot=robot, max_episode_steps=40)
    assert isinstance(ours, NavigationVector)
    assert ours.observation_space == many.observation_space
    a, b = ours.reset(seed=1), many.reset(seed=1)
    assert data_equivalence(a[0], b[0])
    rng = np.random.default_rng(1)
    ends = np.zeros(2, dtype=int)
    for _ in range(150):
        us = rng.uniform([0.5, -0.3], [1.0, 0.3], (4, 2))
        a, b = ours.step(us), many.step(us)
        assert data_equivalence(a[0], b[0])
        for mine, theirs in zip(a[1:4], b[1:4], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9)
        assert a[4].keys() == b[4].keys()
        for name in a[4]:
            np.testing.assert_allclose(a[4][name], b[4][name], atol=1e-9, err_msg=name)
        ends += [a[2].sum(), a[3].sum()]
    assert (ends > 0).all(), "collisions and time limits were both meant to happen"


@pytest.mark.parametrize("grid", [ROOM, TURNED, "turtlebot3_world.yaml"], ids=["room", "turned", "turtlebot3"])
def test_scenarios_leave_room(grid):
    env = Navigation(map=grid, obstacles=5, goals=4)
    arena = env.world.dynamics
    assert isinstance(arena, Arena)
    for seed in range(8):
        x = arena.start(np.random.default_rng(seed))
        assert arena.clearance(x) > MARGIN - 1.5 * env.grid.resolution
        goals, discs = arena.goals_of(x), arena.obstacles_of(x)
        assert env.grid.is_free(goals).all()
        apart = np.linalg.norm(goals[:, None] - discs[None, :, :2], axis=-1) - discs[:, 2]
        assert (apart > env.robot.footprint.radius).all()
        # A flood over the cells where the robot fits, obstacles stamped onto the map, reaches every goal.
        stamped = env.grid.with_discs(discs[:, :2], discs[:, 2])
        fits = OccupancyGrid.from_occupied(~stamped.free, env.grid.resolution, env.grid.origin).inflate(
            env.robot.footprint.radius
        )
        reached = fits.free_component(arena.pose(x)[:2])
        rows, columns = np.moveaxis(env.grid.world_to_cell(goals), -1, 0)
        assert reached[rows, columns].all()


def test_own_start_and_goals():
    goals = [[2.0, 2.0], [-2.0, 1.0]]
    env = gymnasium.make(NAME, map=ROOM, start=(0.0, 0.0, 1.0), goals=goals, obstacles=6)
    arena = env.unwrapped.world.dynamics
    poses, discs = [], []
    for seed in range(3):
        _, info = env.reset(seed=seed)
        poses.append(info["pose"])
        discs.append(arena.obstacles_of(info["state"]))
        np.testing.assert_array_equal(arena.goals_of(info["state"]), goals)
        # Obstacles leave room around each of the places.
        apart = np.linalg.norm(discs[-1][:, None, :2] - np.array([[0, 0], *goals]), axis=-1) - discs[-1][:, 2:]
        assert (apart > env.unwrapped.robot.footprint.radius).all()
    np.testing.assert_array_equal(poses, [[0.0, 0.0, 1.0]] * 3)
    assert not np.array_equal(discs[0], discs[1])
    many = NavigationVector(2, ROOM, goals=goals, start=(0.0, 0.0))
    infos = many.reset(seed=0)[1]
    np.testing.assert_array_equal(infos["pose"][:, :2], np.zeros((2, 2)))
    assert infos["pose"][0, 2] != infos["pose"][1, 2], "a heading that is not given is drawn"
    np.testing.assert_array_equal(infos["goal"], [goals[0]] * 2)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"goals": [[30.0, 0.0]]}, r"goal 1 \(30.00, 0.00\) is off the map"),
        (
            {"goals": [[0.0, 0.0], [3.7, 0.0]]},
            r"goal 2 \(3.70, 0.00\) is 0.20 m from what is not free; the robot needs 0.3",
        ),
        ({"start": (-3.7, 0.0, 0.0)}, "start .* from what is not free"),
        ({"start": (0.0,)}, r"start must be x, y or x, y, yaw, not an array of shape \(1,\)"),
        ({"start": "left"}, "start is not an array of numbers"),
        ({"start": (0.0, np.nan)}, "expected finite numbers"),
        ({"goals": [1.0, 2.0]}, r"points \(K, 2\), not an array of shape \(2,\)"),
        ({"goals": [[1.0, 2.0], [3.0]]}, "goals is not an array of numbers"),
        ({"goals": "many"}, "goals is 'many'; expected a whole number"),
        ({"goals": np.full((500, 2), np.nan)}, r"goals is list \[\[nan, nan\].{1,70}; expected finite numbers"),
        ({"obstacles": 1.5}, "obstacles is 1.5; expected a whole number"),
        ({"tolerance": {}}, "tolerance is {}; expected a positive number"),
        ({"range_std": "low"}, "range_std is 'low'; expected a number, 0 or more"),
        ({"slip": -1.0}, "slip is -1.0; expected a number, 0 or more"),
        ({"localized": "yes"}, "localized is 'yes'; expected True or False"),
        ({"robot": ["bicycle"]}, r"there is no robot \['bicycle'\]"),
        ({"dt": 0.0}, "dt of the task is 0.0; expected a positive number"),
        ({"goals": np.zeros((0, 2))}, r"points \(K, 2\)"),
        ({"goal": 3}, "Navigation has no setting 'goal'; it has obstacles, goals, start"),
    ],
)
def test_settings_refused_in_sentences(settings, sentence):
    with pytest.raises(PilotageError, match=sentence):
        Navigation(ROOM, **settings)
    with pytest.raises(PilotageError, match=sentence):
        NavigationVector(2, ROOM, **settings)


def test_a_place_that_is_cut_off():
    walls = ROOM.occupied.copy()
    walls[20] = True
    halves = OccupancyGrid.from_occupied(walls, ROOM.resolution, ROOM.origin)
    with pytest.raises(PilotageError, match="cut off for a robot of this size"):
        Navigation(halves, start=(0.0, -2.0), goals=[[0.0, 2.0]])


def test_what_is_solid_is_what_the_lidar_sees():
    """Cells of which nothing is known stop neither the robot nor a beam."""
    log_odds = ROOM.log_odds.copy()
    log_odds[15:25, 22:26] = np.nan
    blank = OccupancyGrid(log_odds, ROOM.resolution, ROOM.origin)
    env = Navigation(blank, obstacles=0, start=(0.0, 0.0, 0.0), slip=0.0, goals=[[3.0, 0.0]])
    observation, _ = env.reset(seed=0)
    gap, terminated = float(observation["lidar"][np.abs(env.lidar.angles).argmin()]), False
    assert gap == pytest.approx(3.8, abs=0.1)
    while not terminated:
        _, _, terminated, _, info = env.step([1.0, 0.0])
        assert not info["collision"]
    assert info["reached"] == 1


def test_maps_that_come_along_go_by_name():
    assert Navigation("depot").grid is Navigation("depot.yaml").grid


@pytest.mark.parametrize("given", [OccupancyGrid, ROOM.inflate(0.3), 3, None])
def test_a_map_that_is_none(given):
    with pytest.raises(PilotageError, match="an OccupancyGrid is needed, not"):
        Navigation(given)


def test_the_yaw_of_a_start_is_wrapped():
    env = Navigation(ROOM, start=(0.0, 0.0, 10.0))
    assert env.reset(seed=0)[1]["pose"].tolist() == pytest.approx([0.0, 0.0, 10.0 - 4 * np.pi])
    state = env.reset(seed=0)[1]["state"].copy()
    state[2] += 4 * np.pi
    assert env.reset(options={"state": state})[1]["pose"][2] == pytest.approx(10.0 - 4 * np.pi)


def test_a_room_that_is_too_small():
    tiny = OccupancyGrid.from_ascii(["###", "#.#", "###"], resolution=0.1)
    with pytest.raises(
        PilotageError, match=r"no room for a robot of radius 0\.17 m|no room for a robot of radius 0\.18 m"
    ):
        Navigation(map=tiny)
    with pytest.raises(PilotageError, match="no room for a robot"):
        Navigation(OccupancyGrid(np.zeros((9, 9)), 0.5))


def world(**settings):
    env = Navigation(map=ROOM, obstacles=0, goals=1, **settings)
    env.reset(seed=0)
    return env, env.world.dynamics


def placed(env, pose, slip=(0.0, 0.0)):
    x = env.state
    x[:3] = pose
    x[3:5] = slip
    env.reset(options={"state": x})


def test_the_scan_is_that_of_the_map_and_of_obstacles():
    env = Navigation(map=ROOM, obstacles=1, goals=1, beams=[0.0, np.pi / 2], range_std=1e-9, max_range=6.0)
    env.reset(seed=0)
    x = env.state
    x[:3] = [-3.0, 0.0, 0.0]
    x[7:10] = [0.0, 0.05, 0.3]
    observation, _ = env.reset(options={"state": x})
    ahead = 3.0 - np.sqrt(0.3**2 - 0.05**2)
    np.testing.assert_allclose(observation["lidar"], [ahead, 3.8], atol=1e-6)
    x[2] = np.pi
    observation, _ = env.reset(options={"state": x})
    np.testing.assert_allclose(observation["lidar"], [0.8, 3.8], atol=1e-6)
    x[7] = 100.0
    x[2] = 0.0
    observation, _ = env.reset(options={"state": x})
    np.testing.assert_allclose(observation["lidar"], [6.0, 3.8], atol=1e-6)  # nothing within range


def test_wheels_do_not_notice_that_they_slip():
    env, _ = world(slip=0.0)
    placed(env, (-3.0, 0.0, 0.5), slip=(0.2, -0.1))
    observation, _, _, _, info = env.step([1.0, 0.6])
    np.testing.assert_allclose(observation["odometry"], [1.0, 0.6], atol=0.03)
    moved = info["pose"] - [-3.0, 0.0, 0.5]
    assert moved[2] == pytest.approx(0.06 * 1.1, rel=1e-9)
    chord = 0.8 * 0.1 * np.sinc(moved[2] / 2 / np.pi)
    assert np.hypot(*moved[:2]) == pytest.approx(chord, rel=1e-3)
    assert np.arctan2(moved[1], moved[0]) == pytest.approx(0.5 + moved[2] / 2, abs=0.005)


def test_slip_is_an_ornstein_uhlenbeck_process():
    _, arena = world(slip=0.1)
    x = np.tile(arena.state.identity(), (4000, 1))
    rng = np.random.default_rng(0)
    x[:, 3:5] = 0.1 * rng.standard_normal((4000, 2))
    first = x[:, 3].copy()
    for _ in range(10):  # one second, half the time for which it lasts
        Q = np.diagonal(arena.noise(x, np.zeros(2), 0.1), axis1=-2, axis2=-1)
        x = arena.state.plus(arena.step(x, np.zeros(2), 0.1), np.sqrt(Q) * rng.standard_normal(Q.shape))
    assert x[:, 3].std() == pytest.approx(0.1, rel=0.05)
    assert np.corrcoef(first, x[:, 3])[0, 1] == pytest.approx(np.exp(-0.5), abs=0.05)


def test_collisions_are_exact():
    env, _ = world(slip=0.0)
    # The wall's face is at 3.8 m, the robot's radius 0.175 m.
    placed(env, (3.8 - 0.175 - 0.101, 0.3, 0.0))
    *_, terminated, _, info = env.step([1.0, 0.0])
    assert not terminated
    assert info["clearance"] == pytest.approx(0.001, abs=2e-4)
    _, reward, terminated, _, info = env.step([0.1, 0.0])
    assert terminated
    assert info["collision"]
    assert reward < -1000


def test_goals_are_reached_in_their_order():
    env = Navigation(map=ROOM, obstacles=0, goals=2, slip=0.0)
    env.reset(seed=0)
    x = env.state
    x[:3] = [0.0, 0.0, 0.0]
    x[7:11] = [0.5, 0.0, 1.5, 0.0]
    observation, info = env.reset(options={"state": x})
    np.testing.assert_allclose(observation["goal"], [0.5, 0.0])
    course, costs = [], []
    terminated = False
    while not terminated:
        observation, reward, terminated, truncated, info = env.step([1.0, 0.0])
        course.append(info["reached"])
        costs.append(-reward)
        assert not truncated
    assert course == sorted(course)
    assert set(course) == {0, 1, 2}
    assert info["pose"][0] == pytest.approx(1.5 - 0.35, abs=0.1)
    assert not info["violated"]
    assert costs[0] == pytest.approx(0.1 * (0.1 * 1.5 + 0.01), rel=0.02)
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(costs))


@pytest.mark.parametrize("robot", ["differential_drive", "bicycle"])
def test_the_arena_is_dynamics_and_its_senses_are_sensors(robot):
    env = Navigation(map=ROOM, robot=robot, beams=9, localized=True)
    arena = env.world.dynamics
    assert isinstance(arena, Arena)
    x = np.array([arena.start(np.random.default_rng(seed)) for seed in range(3)])
    x = arena.step(x, arena.action.sample(3, rng=0), 0.1)  # wheels that turn
    # Reaching a goal is a jump, which has no derivative; none is reached here.
    check_dynamics(arena, x=x, u=arena.action.sample(3, rng=1), tolerance=1e-4)
    for sensor in env.world.sensors.values():
        z = sensor.sensor.observe(x)
        assert z.shape == (3, sensor.reading.size)
        for i in range(3):
            np.testing.assert_allclose(sensor.sensor.observe(x[i]), z[i], atol=1e-12)


def test_a_robot_of_ones_own():
    given = differential_drive()
    fat = Robot(given.model, given.odometry, Footprint([[0.3, 0.0, 0.4], [-0.3, 0.0, 0.4]]))
    assert fat.footprint.radius == pytest.approx(0.7)
    env = Navigation(map=ROOM, robot=fat, obstacles=0)
    _, info = env.reset(seed=0)
    assert info["clearance"] > 0


def test_the_robots_own_models_fit_it():
    for name in ("differential_drive", "bicycle"):
        env = Navigation(map=ROOM, robot=name)
        assert env.robot.odometry.action.names == ("speed", "yaw_rate")
        assert env.robot.odometry.state.names == ("x", "y", "yaw")
        assert env.lidar.reading.size == env.observation_space["lidar"].shape[0]


def test_the_task_has_a_belief_to_start_from():
    env = Navigation(map=ROOM)
    arena = env.world.dynamics
    assert isinstance(arena, Arena)
    assert Tour(arena, 0.1).initial.sample(3, rng=0).shape == (3, arena.state.size)


def test_pictures_show_what_lies_over_them():
    env = gymnasium.make(NAME, map=TURNED, render_mode="rgb_array").unwrapped
    _, info = env.reset(seed=0)
    before = env.render()
    env.scene.extras.update(
        path=[info["pose"][:2], info["goal"]], particles=info["pose"] + np.zeros((3, 3)), estimate=info["pose"]
    )
    assert (env.render() != before).any()


def test_sentences():
    with pytest.raises(MissingFile, match="there is no file nowhere in .* depot"):
        Navigation(map="nowhere")
    with pytest.raises(PilotageError, match="there is no robot 'tank'; there are differential_drive, bicycle"):
        Navigation(map=ROOM, robot="tank")


@pytest.mark.parametrize("settings", [{"goals": 0}, {"goals": 1.5}, {"obstacles": -1}, {"tolerance": 0.0}])
def test_settings_that_make_no_episode(settings):
    with pytest.raises(PilotageError, match=rf"{next(iter(settings))}|goal"):
        Navigation(**settings)


def test_gymnasium_imports_the_room_by_itself():
    assert isinstance(gymnasium.make(f"pilotage.envs:{NAME}").unwrapped, Navigation)


def test_names_are_lazy():
    assert "Navigation" in dir(pilotage.envs)
    with pytest.raises(AttributeError, match="has no 'Flying'"):
        _ = pilotage.envs.Flying


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ((unicycle, unicycle(), [[0, 0, 1]]), "the model of a robot is .*; expected Dynamics"),
        ((unicycle(), unicycle(), [[0, 0, 1]]), "expected a Footprint"),
        ((unicycle(), pendulum(), Footprint.disc(1.0)), "driven by speed and yaw rate, not by torque"),
        ((constant_velocity(2), unicycle(), Footprint.disc(1.0)), "no component 'yaw'"),
    ],
)
def test_robots_that_are_none_are_refused(parts, sentence):
    with pytest.raises(PilotageError, match=sentence):
        Robot(*parts)


def test_a_robot_that_is_slower():
    """Slower than those that come along, and told so as a list."""
    slow = unicycle(limits={"speed": (0.0, 0.4), "yaw_rate": (-0.5, 0.5)})
    env = Navigation(ROOM, Robot(slow, slow, Footprint.disc(0.25)), start=(0.0, 0.0, 0.0), goals=[[1.0, 0.0]], slip=0.0)
    env.reset(seed=0)
    assert env.action_space.high.tolist() == pytest.approx([0.4, 0.5])
    assert env.step([1.0, 0.0])[4]["pose"][0] == pytest.approx(0.04, abs=0.01)


def test_it_says_what_it_is():
    env = Navigation("depot.yaml", goals=2, obstacles=1)
    assert repr(env) == f"Navigation({env.grid!r}, {env.robot.model!r}, goals=2, obstacles=1)"
