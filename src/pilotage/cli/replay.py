"""`pilotage replay`: the program of a robot on a bag, with the trajectory, the commands and a picture as results."""

from __future__ import annotations

import json as jsonlib
import time
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pilotage.core import PilotageError
from pilotage.core.arrays import Array
from pilotage.io import (
    Bag,
    BagMessage,
    Odometry,
    StampedPose,
    Twist,
    planar,
    read_bag,
    spatial,
    write_bag,
    write_tum,
)
from pilotage.io.ros_values import NANO
from pilotage.maps import OccupancyGrid

from .picture import save_picture
from .robot import Robot, RobotSettings
from .wording import finite, rounded

KNOWN = (0.1, 0.1, 0.0, 0.0, 0.0, 0.05)
"""Standard deviation of a start that is given: x, y, z [m] and rotations [rad]."""


def replay(
    bag: Path,
    *,
    map: Path | None = None,
    goal: tuple[float, float] | None = None,
    start: tuple[float, float, float] | None = None,
    speed: float = 0.5,
    radius: float = 0.2,
    base: str = "base_link",
    seed: int = 0,
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Run the program of a robot on a bag: estimate its way, and the commands to a goal.

    Args:
        bag: A bag: a .bag or .mcap file, or the folder of a ROS 2 bag.
        map: The ROS map (.yaml) of the place, or the name of a stock map. Default: the map in the bag, if there is one.
        goal: x and y to drive to [m]: commands are written. The robot of the bag does not obey them.
        start: x, y and yaw of the robot on the map at the beginning [m, m, rad], known to a few centimetres, such as
            where `pilotage slam` has ended. Default: what the bag says, or anywhere.
        speed: Largest speed of the commands [m/s].
        radius: Radius of the robot [m].
        base: Frame of the robot in TF.
        seed: Seed of the particles.
        out: Folder for the results, which must be new: trajectory.txt (TUM), way.png, and drive, a bag of what the
            robot publishes.
        json: Print one JSON object instead of text.
    """
    if out is not None and out.exists():
        raise PilotageError(f"{out} exists; give the name of a new folder as --out")
    recorded = _with_odometry(read_bag(bag), base)
    if start is not None:
        recorded = _with_start(recorded, start)
    grid = None if map is None else OccupancyGrid.load(map)
    robot = Robot(grid, goal, RobotSettings(speed=speed, radius=radius, base=base, seed=seed))
    published, ticks = _run(robot, recorded)
    way = [(t, v) for t, topic, v in published if topic == "/pose" and isinstance(v, StampedPose)]
    if not way:
        raise PilotageError(f"nothing was estimated from {recorded!r}; expected odometry. {robot.trouble}".strip())
    frame = way[-1][1].frame
    ts = np.array([t for t, v in way if v.frame == frame])
    poses = planar(np.array([v.pose for _, v in way if v.frame == frame]))
    facts = rounded(finite(_facts(bag, robot, recorded, published, ts, poses, frame, ticks)))
    if out is not None:
        out.mkdir(parents=True)
        write_tum(out / "trajectory.txt", recorded.start / NANO + ts, spatial(poses))
        write_bag(out / "drive", published, start=recorded.start)
        _draw(robot.grid, poses, goal, out / "way.png")
    print(jsonlib.dumps(facts) if json else _text(facts, out))
    return 0


def _with_odometry(bag: Bag, base: str) -> Bag:
    """The bag, with odometry from the transform odom -> base, if it has none of its own."""
    odom = RobotSettings().odom
    if bag.of(Odometry) or odom not in bag.transforms().frames:
        return bag
    tree, messages, last = bag.transforms(), list[BagMessage](), -np.inf
    low, high = tree.span(odom, base)
    for each in bag.messages:
        messages.append(each)
        if isinstance(each.value, tuple) and last < each.t and low <= each.t <= high:
            pose, stamp, last = tree.lookup(odom, base, each.t), bag.start + round(each.t * NANO), each.t
            blank = np.zeros((6, 6))
            messages.append(BagMessage(each.t, "/tf", Odometry(stamp, odom, base, pose, blank, np.zeros(6), blank)))
    return replaced(bag, messages=tuple(messages))


def _with_start(bag: Bag, start: tuple[float, float, float]) -> Bag:
    """The bag, with the pose of the robot on the map at its first odometry, and none that it says itself."""
    first = next((k for k, each in enumerate(bag.messages) if isinstance(each.value, Odometry)), None)
    if first is None or not np.isfinite(start).all():
        raise PilotageError(f"--start {' '.join(map(str, start))} asks for odometry in {bag!r}, and finite numbers")
    t = bag.messages[first].t
    stamped = StampedPose(bag.start + round(t * NANO), "map", spatial(start), np.diag(KNOWN) ** 2)
    rest = [each for each in bag.messages if not each.topic.endswith("initialpose")]
    return replaced(bag, messages=(BagMessage(t, "/initialpose", stamped), *rest))


def _run(robot: Robot, bag: Bag) -> tuple[list[BagMessage], Array]:
    """The messages that the robot publishes, and the time that each message of odometry took [s]."""
    published, ticks = list[BagMessage](), list[float]()
    for t, topic, value in tqdm(bag.messages, unit="message", disable=None, leave=False):
        began = time.perf_counter()
        made = robot.receive(t, topic, value)
        if isinstance(value, Odometry):
            ticks.append(time.perf_counter() - began)
        published += [BagMessage(t, name, each) for name, each in made]
    return published, np.array(ticks)


def _facts(
    bag: Path, robot: Robot, recorded: Bag, published: list[BagMessage], ts: Array, poses: Array, frame: str,
    ticks: Array,
) -> dict[str, Any]:  # fmt: skip
    count = sum(count for _, count in recorded.topics.values())
    way = float(np.hypot(*np.diff(poses[:, :2], axis=0).T).sum())
    commands = np.array([v.velocity for _, _, v in published if isinstance(v, Twist)]).reshape(-1, 6)
    std = np.sqrt(np.diag(robot.now.belief.cov))
    return {
        "bag": str(bag), "seconds": float(np.ptp(ts)), "messages": count, "frame": frame,
        "poses": len(ts), "way": way, "end": poses[-1].tolist(), "std": std.tolist(), "dropped": robot.dropped,
        "from_tf": _difference(recorded, robot.options, frame, ts, poses), "commands": len(commands),
        "fastest": float(np.abs(commands[:, 0]).max(initial=0.0)), "tick": float(np.median(ticks)),
        "slow_tick": float(np.quantile(ticks, 0.99)), "trouble": robot.trouble,
    }  # fmt: skip


def _difference(bag: Bag, names: RobotSettings, frame: str, ts: Array, poses: Array) -> float | None:
    """The median distance of the poses from those of TF in the bag [m]; None if it has none of them."""
    try:
        tree = bag.transforms()
        low, high = tree.span(frame, names.base)
        inside = (ts >= low) & (ts <= high)
        theirs = planar(tree.lookup(frame, names.base, ts[inside]))
    except PilotageError:
        return None
    return float(np.median(np.hypot(*(poses[inside] - theirs)[:, :2].T))) if inside.any() else None


def _draw(grid: OccupancyGrid | None, poses: Array, goal: Any, file: Path) -> None:
    """The way on the map, or on an empty one around it."""
    ends = np.stack([poses[0, :2], poses[-1, :2] if goal is None else np.asarray(goal, dtype=np.float64)])
    if grid is None:
        low, high = poses[:, :2].min(0) - 1.0, poses[:, :2].max(0) + 1.0
        cell = max(float((high - low).max()) / 400.0, 0.01)
        columns, rows = np.ceil((high - low) / cell).astype(int)
        grid = OccupancyGrid.from_occupied(np.zeros((rows, columns)), cell, (*low.tolist(), 0.0))
    save_picture(grid, poses, ends, file)


def _text(facts: dict[str, Any], out: Path | None) -> str:
    x, y, yaw = facts["end"]
    lines = [
        f"{facts['bag']}: {facts['messages']} messages, {facts['seconds']:.1f} s",
        f"  way        {facts['way']:.2f} m in the frame {facts['frame']}, {facts['poses']} poses",
        f"  end        {x:.3f} {y:.3f} m, {yaw:.3f} rad, +- {facts['std'][0]:.3f} {facts['std'][1]:.3f} m, "
        f"{facts['std'][2]:.3f} rad",
        f"  cost       {1e3 * facts['tick']:.2f} ms a step in the middle, 99 % below {1e3 * facts['slow_tick']:.1f} ms",
    ]
    if facts["from_tf"] is not None:
        lines.append(f"  TF         {facts['from_tf']:.3f} m from it in the middle")
    if facts["commands"]:
        lines.append(f"  commands   {facts['commands']}, up to {facts['fastest']:.2f} m/s")
    if facts["trouble"]:
        lines.append(f"  trouble    {facts['trouble']}")
    if out is not None:
        lines.append(f"  see        {out / 'way.png'}, {out / 'trajectory.txt'}, {out / 'drive'}")
    return "\n".join(lines)
