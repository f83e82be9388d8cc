"""A robot's bag is replayed: scans and odometry in, its way on the map and the commands to a goal out.

    drive    a robot with a simulated lidar drives through a depot; its wheels drift, and its scans come late
    record   a ROS 2 bag (MCAP) of /odom, /scan, /tf_static and /initialpose, as a robot would record it
    replay   the program of `pilotage node` on that bag: Monte Carlo localization, a plan, and commands

Without ROS. With a bag of yours, use `pilotage replay`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pilotage.cli.picture import save_picture
from pilotage.cli.robot import Robot, RobotSettings
from pilotage.control import RegulatedPurePursuit
from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.io import (
    BagMessage,
    LaserScan,
    Odometry,
    StampedPose,
    StampedTransform,
    Twist,
    planar,
    read_bag,
    spatial,
    write_bag,
)
from pilotage.io.ros_values import NANO
from pilotage.maps import Footprint, Lidar, OccupancyGrid
from pilotage.models import unicycle
from pilotage.planners import AStar

PLANE, DT, LATE = Space("pose: SE2"), 0.1, 0.07
START, END, GOAL = np.array([5.0, 1.0, 0.3]), (23.5, 8.0), (12.0, 3.5)
ANGLES, REACH = np.linspace(-np.pi, np.pi, 180, endpoint=False), 12.0
NOTHING = np.zeros((6, 6))


def drive(grid: OccupancyGrid, rng: np.random.Generator, ticks: int) -> tuple[list[BagMessage], Array]:
    """What a robot records that drives along a path, and its true poses ``(ticks, 3)``."""
    robot, lidar = unicycle(), Lidar(grid, angles=ANGLES, max_range=REACH, sigma=0.02, mount=(0.1, 0.0, 0.0))
    plan = AStar().plan(grid.problem(START[:2], END, Footprint.disc(0.3)), costs=grid.soft_costs(0.6, peak=5.0))
    pursuit = RegulatedPurePursuit(robot, plan, grid=grid, speed=0.8)
    mount = (StampedTransform(0, "base_link", "laser", spatial([0.1, 0.0, 0.0])),)
    known = StampedPose(0, "map", spatial(START + [0.3, -0.2, 0.1]), np.diag([0.1, 0.1, 0.0, 0.0, 0.0, 0.03]))
    messages = [BagMessage(0.0, "/tf_static", mount), BagMessage(0.0, "/initialpose", known)]
    x, wheels, u, poses, due = START, np.zeros(3), np.zeros(2), list[Array](), list[BagMessage]()
    for k in range(ticks):
        t, stamp = k * DT, round(k * DT * NANO)
        twist = np.array([u[0], 0.0, 0.0, 0.0, 0.0, u[1]])
        messages += [*due, BagMessage(t, "/odom", Odometry(stamp, "odom", "base_link", spatial(wheels), NOTHING, twist,
                                                           NOTHING))]  # fmt: skip
        ranges = lidar.sample(x, rng=rng)
        scan = LaserScan(stamp, "laser", -np.pi, 2.0 * np.pi / len(ANGLES), ranges, 0.05, REACH)
        due = [BagMessage(t + LATE, "/scan", scan)] if k % 3 == 0 else []
        poses.append(x)
        u = pursuit.act(x, t).u
        x = robot.step(x, u, DT)
        slip = u * (1.0 + rng.normal(0.03, 0.05, 2)) + rng.normal(0.0, 0.01, 2) * (u != 0.0).any()
        wheels = robot.step(wheels, slip, DT)
    return messages, np.array(poses)


def replay(robot: Robot, file: Path) -> tuple[Array, Array, Array]:
    """Times ``(N,)`` and poses ``(N, 3)`` on the map, and commands ``(M, 2)``: speed and turn rate."""
    ts, poses, commands = list[float](), list[Array](), list[Array]()
    for t, topic, value in read_bag(file).messages:
        for name, out in robot.receive(t, topic, value):
            if name == "/pose" and out.frame == "map":
                ts.append(t)
                poses.append(planar(out.pose))
            elif isinstance(out, Twist):
                commands.append(out.velocity[[0, 5]])
    return np.array(ts), np.array(poses), np.array(commands)


def main(*, seed: int = 0, ticks: int = 400, out: Path = Path("pilotage-demo")) -> int:
    """Record and replay a bag; ends with the errors, and a picture of the way.

    Args:
        seed: Seed of the wheels, the lidar and the particles.
        ticks: Length of the drive in tenths of a second.
        out: Folder for the bag and the picture.
    """
    grid, file = OccupancyGrid.load("depot.yaml"), out / f"drive-{seed}-{ticks}"
    out.mkdir(parents=True, exist_ok=True)
    messages, truth = drive(grid, np.random.default_rng(seed), ticks)
    if not file.exists():
        write_bag(file, messages)
    ts, poses, commands = replay(Robot(grid, GOAL, RobotSettings(seed=seed)), file)
    k = np.rint(ts / DT).astype(int)
    error = np.hypot(*(poses - truth[k])[:, :2].T)
    wheels = PLANE.compose(START, planar(np.array([m.value.pose for m in messages if isinstance(m.value, Odometry)])))
    drift = float(np.hypot(*(wheels[-1] - truth[-1])[:2]))
    save_picture(grid, poses, np.stack([poses[0, :2], GOAL]), out / "bag-replay.png")
    print(
        f"depot (simulated): {len(messages)} messages, {ticks * DT:.0f} s\n"
        f"  position error    {100 * np.median(error):.1f} cm in the middle, {100 * error[-1]:.1f} cm at the end\n"
        f"  wheels alone      {100 * drift:.0f} cm at the end\n"
        f"  commands          {len(commands)}, up to {np.abs(commands[:, 0]).max():.2f} m/s\n"
        f"  see               {out / 'bag-replay.png'}, {file}"
    )
    good = np.median(error) < 0.1 and error[-1] < 0.25 * max(drift, 0.4) and len(commands) > 0.9 * len(ts)
    if not good:
        print("not as it should be: within 10 cm, closer than the wheels, and with commands all the time")
    return 0 if good else 1
