"""What robots in PyBullet meet: rooms seen by a lidar, arms that keep clear, a robot on two wheels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")

import pybullet_data

from pilotage.core import ModelError, PlanStatus, Problem, SettingError
from pilotage.envs import BulletCollisionConstraint, BulletDynamics, BulletLidar, boxes_urdf
from pilotage.estimators import EKF
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import unicycle
from pilotage.planners import RRTConnect
from pilotage.testing import check_sensor

FLOOR = boxes_urdf([[0, 0, -0.5, 20, 20, 1]], name="floor")
# A room of 6 m x 4 m with a box.
WALLS = boxes_urdf(
    [[3.05, 0, 0.5, 0.1, 4, 1], [-3.05, 0, 0.5, 0.1, 4, 1], [0, 2.05, 0.5, 6, 0.1, 1], [0, -2.05, 0.5, 6, 0.1, 1],
     [2.0, 1.0, 0.5, 0.6, 0.4, 1]], name="room",
)  # fmt: skip
WHEEL = """<link name="{0}"><inertial><mass value="0.2"/><inertia ixx="2e-4" iyy="3e-4" izz="2e-4" ixy="0" ixz="0"
iyz="0"/></inertial><collision><origin rpy="1.5707963 0 0"/><geometry><cylinder radius="0.05" length="0.02"/></geometry>
</collision><contact><lateral_friction value="1"/></contact></link>
<joint name="{0}" type="continuous"><parent link="base"/><child link="{0}"/><origin xyz="0 {1} 0"/><axis xyz="0 1 0"/>
<limit effort="2" velocity="20"/></joint>"""
CASTER = """<collision><origin xyz="{} 0 -0.03"/><geometry><sphere radius="0.02"/></geometry></collision>"""
ROBOT = f"""<robot name="robot"><link name="base"><inertial><mass value="3"/><inertia ixx="0.02" iyy="0.02" izz="0.03"
ixy="0" ixz="0" iyz="0"/></inertial><collision><geometry><box size="0.2 0.16 0.05"/></geometry></collision>
{CASTER.format(0.08)}{CASTER.format(-0.08)}<contact><lateral_friction value="0"/></contact></link>
{WHEEL.format("left", 0.1)}{WHEEL.format("right", -0.1)}</robot>"""


def driving(**settings):
    return BulletDynamics(ROBOT, fixed=False, drive="velocity", scenery=[FLOOR, WALLS], **settings)


@pytest.fixture(scope="module")
def robot():
    return driving()


def placed(robot, x, y, yaw, z=0.05):
    start = robot.start()
    start[:7] = x, y, z, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
    return start


def room_ranges(x, y, angles):
    """Distances from a point to the inside of the walls, and to the box, in closed form (slabs)."""
    c, s = np.cos(angles), np.sin(angles)
    with np.errstate(divide="ignore"):
        walls = np.minimum(np.where(c > 0, 3 - x, -3 - x) / c, np.where(s > 0, 2 - y, -2 - y) / s)
        near = np.array([((2.0 + sign * 0.3) - x) / c for sign in (-1, 1)])
        side = np.array([((1.0 + sign * 0.2) - y) / s for sign in (-1, 1)])
    enter, leave = np.maximum(near.min(0), side.min(0)), np.minimum(near.max(0), side.max(0))
    return np.where((enter <= leave) & (enter > 0), np.minimum(walls, enter), walls)


def test_ranges_are_those_of_the_room(robot):
    angles = np.linspace(-3.0, 3.1, 37)
    lidar = BulletLidar(robot, angles, max_range=8.0, mount=(0.0, 0.0, 0.1))
    for x, y, yaw in ((0.0, 0.0, 0.0), (-1.3, 0.7, 2.0), (1.2, 1.1, -0.4)):
        z = lidar.observe(placed(robot, x, y, yaw))
        np.testing.assert_allclose(z, room_ranges(x, y, angles + yaw), atol=2e-5)
    short = BulletLidar(robot, angles, max_range=1.5, mount=(0.0, 0.0, 0.1))
    z = short.observe(placed(robot, 0, 0, 0))
    np.testing.assert_allclose(z, np.minimum(room_ranges(0.0, 0.0, angles), 1.5), atol=2e-3)
    assert lidar.observe(np.stack([placed(robot, 0, 0, 0)] * 2)).shape == (2, 37)


def test_the_lidar_is_a_sensor():
    ball = """<robot name="ball"><link name="ball"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0"
    ixz="0" iyz="0"/></inertial></link></robot>"""
    sides = np.array([[*(1.5 * way), *(2.0 - abs(way))] for way in np.vstack([np.eye(3), -np.eye(3)])])
    round_room = BulletDynamics(ball, fixed=False, scenery=[boxes_urdf(50.0 * sides)])
    check_sensor(BulletLidar(round_room, np.linspace(-0.5, 0.5, 5), max_range=200.0))


def test_a_beam_that_hits_nothing_reads_the_largest_range(robot):
    """Its error would make a return of it, at a place where nothing is."""
    lidar = BulletLidar(robot, [0.0, np.pi], max_range=2.5, mount=(0.0, 0.0, 0.1), std=0.05)
    x = placed(robot, -1.0, -0.5, 0.0)
    z = lidar.sample(np.tile(x, (500, 1)), rng=0)
    assert (z[:, 0] == 2.5).all()
    assert abs(z[:, 1].mean() - 2.0) < 0.01 and abs(z[:, 1].std() - 0.05) < 0.005
    near = BulletLidar(robot, [np.pi], max_range=2.0 + 1e-6, mount=(0.0, 0.0, 0.1), std=0.05)
    assert near.reading.contains(near.sample(np.tile(x, (50, 1)), rng=0)).all()


def test_two_wheels_drive_it(robot):
    """The wheels roll: v = r (left + right) / 2, and the yaw turns by r (right - left) / width."""
    x = placed(robot, -1.5, 0.0, 0.0)
    x = robot.rollout(x, np.tile([6.0, 6.0], (30, 1)), 0.05)[-1]
    ahead = robot.rollout(x, np.tile([6.0, 6.0], (20, 1)), 0.05)[-1]
    assert ahead[0] - x[0] == pytest.approx(0.3, rel=0.05) and abs(ahead[1]) < 0.02
    turned = robot.rollout(placed(robot, 0, 0, 0), np.tile([-2.0, 2.0], (30, 1)), 0.05)[-1]
    assert 2.0 * np.arctan2(turned[6], turned[3]) == pytest.approx(0.05 * 4.0 / 0.2 * 1.5, rel=0.15)
    assert robot.action.units == ("rad/s", "rad/s") and robot.action.high.tolist() == [20.0, 20.0]


def test_a_wall_stops_it(robot):
    x = placed(robot, 2.6, -1.0, 0.0)
    x = robot.rollout(x, np.tile([15.0, 15.0], (40, 1)), 0.05)[-1]
    assert 2.8 < x[0] < 2.95, "the front of the robot is 0.1 m ahead of its middle"
    clear = BulletCollisionConstraint(robot)
    assert clear(x[: clear.space.size])[0] < 0.01


def test_it_travels_to_other_processes():
    twin = pickle.loads(pickle.dumps(driving()))
    x, u = placed(twin, 0.5, 0.5, 1.0), [3.0, 5.0]
    np.testing.assert_array_equal(twin.step(x, u, 0.1), driving().step(x, u, 0.1))


ARMS = {
    "panda": ("franka_panda/panda.urdf", ("panda_finger_joint1", "panda_finger_joint2")),
    "iiwa": ("kuka_iiwa/model.urdf", ()),
}


@pytest.mark.parametrize("name", ARMS)
def test_arms_move_and_keep_clear(name):
    """Both arms of pybullet_data: gravity is held by the torques that the model itself asks for; a path is free."""
    file, locked = ARMS[name]
    table = boxes_urdf([[0.6, 0.0, 0.1, 0.5, 1.0, 0.2]], name="table")
    arm = BulletDynamics(Path(pybullet_data.getDataPath()) / file, locked=locked, scenery=[table])
    assert arm.state.size == 14 and arm.action.size == 7
    clear = BulletCollisionConstraint(arm, resolution=0.2)
    x = arm.state.clip(np.array([0.3, -0.4, 0.1, -1.2, 0.1, 0.9, 0.1] + [0.0] * 7))
    assert clear(x[:7])[0] <= 0.0, clear.describe(x[:7])
    _, B = arm.linearize(x, np.zeros(7), 0.01)
    torque = -np.linalg.lstsq(B[7:], arm.step(x, np.zeros(7), 0.01)[7:] - x[7:], rcond=None)[0]
    still = arm.step(x, np.clip(torque, arm.action.low, arm.action.high), 0.01)
    assert np.abs(still[7:]).max() < 0.05 < np.abs(arm.step(x, np.zeros(7), 0.01)[7:]).max()
    down = x[:7].copy()
    down[1] = 1.9 if name == "iiwa" else 1.5
    down[3] = 0.0 if name == "iiwa" else -0.1
    assert clear(down)[0] > 0.0 and "table" in clear.describe(down)
    goal = x[:7].copy()
    goal[0] = -0.9
    plan = RRTConnect().plan(Problem(clear.space, x[:7], goal, clear, resolution=0.2), rng=0)
    assert plan.status is PlanStatus.SOLVED, plan.reason


def test_links_that_a_joint_connects_may_touch():
    """A folded arm of three rods touches itself: the first rod and the third, not its neighbours."""
    rod = """<link name="{0}"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>
    </inertial><collision><origin xyz="0.5 0 0"/><geometry><box size="1 0.1 0.1"/></geometry></collision></link>"""
    hinge = """<joint name="{0}" type="continuous"><parent link="{1}"/><child link="{2}"/><origin xyz="1 0 0"/>
    <axis xyz="0 0 1"/></joint>"""
    arm = BulletDynamics(
        f'<robot name="arm">{rod.format("a")}{rod.format("b")}{rod.format("c")}'
        f"{hinge.format('one', 'a', 'b')}{hinge.format('two', 'b', 'c')}</robot>"
    )
    clear = BulletCollisionConstraint(arm)
    assert clear([0.0, 0.0])[0] <= 0.0 and clear([2.0, 0.0])[0] <= 0.0
    folded = [0.8 * np.pi, 0.8 * np.pi]
    assert clear(folded)[0] > 0.0
    assert {clear.contacts(folded)[0].first, clear.contacts(folded)[0].second} == {"a", "c"}
    assert BulletCollisionConstraint(arm, within=False)(folded)[0] <= 0.0


def test_what_is_no_box_and_no_joint():
    with pytest.raises(ModelError, match="-1"):
        boxes_urdf([[0, 0, 0, 1, -1, 1]])
    with pytest.raises(ModelError, match="'elbow'"):
        BulletDynamics(ROBOT, locked=["elbow"])
    with pytest.raises(SettingError, match="steam"):
        BulletDynamics(ROBOT, drive="steam")  # pyright: ignore[reportArgumentType]


def test_a_robot_localizes_with_its_lidar():
    """An EKF with a unicycle and a map of the room finds the pose of the simulated robot from 24 ranges."""
    robot, rng, dt = driving(), np.random.default_rng(0), 0.1
    angles = np.linspace(-np.pi, np.pi, 24, endpoint=False)
    lidar = BulletLidar(robot, angles, mount=(0.0, 0.0, 0.1), std=0.02)
    cells = np.zeros((82, 122), dtype=bool)  # of 5 cm, with the walls around
    cells[[0, -1]] = cells[:, [0, -1]] = True
    cells[57:65, 95:107] = True
    room = Lidar(OccupancyGrid.from_occupied(cells, 0.05, (-3.05, -2.05, 0.0)), angles, 10.0, sigma=0.05)
    x = placed(robot, -1.0, -0.5, 0.3)
    np.testing.assert_allclose(room.observe([-1.0, -0.5, 0.3]), lidar.observe(x), atol=0.03)
    ekf = EKF(unicycle(), dt=dt).start(mean=[-0.85, -0.62, 0.42], std=[0.15, 0.15, 0.15])
    for _ in range(25):
        x = robot.step(x, [5.0, 6.0], dt)
        speed, turn = 0.05 * 5.5, 0.05 * 1.0 / 0.2  # of wheels that roll
        ekf.predict(u=[speed, turn])
        ekf.update(room, z=lidar.sample(x, rng=rng))
    yaw = 2.0 * np.arctan2(x[6], x[3])
    assert np.hypot(*(ekf.belief.mean[:2] - x[:2])) < 0.04 and abs(ekf.belief.mean[2] - yaw) < 0.03
