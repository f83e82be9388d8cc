"""A robot in PyBullet wakes up anywhere in a room, finds out where it is with its lidar, and drives to its dock.

world      wheels, motors and friction of PyBullet; 19 ray tests a scan, with an error of 2 cm; encoders on the wheels
belief     Monte Carlo localization on a map of the room, from scans and encoders, from an unknown start
wander     while the belief is not sure, the robot drives where there is room
drive      A* from the estimated pose to the dock, pure pursuit on the estimated pose
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from pilotage.control import RegulatedPurePursuit
from pilotage.core import ActionStatus
from pilotage.core.arrays import Array
from pilotage.envs import BulletDynamics, BulletLidar, boxes_urdf
from pilotage.estimators.localization import MonteCarloLocalization, free_poses, odometry_motion, odometry_move
from pilotage.io import write_atomic
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import unicycle
from pilotage.planners import AStar
from pilotage.viz import draw_goals, draw_grid, draw_particles, draw_path, draw_pose, map_figure, write_animation
from pilotage.viz.palette import ESTIMATE, SURPRISE, TRUTH
from pilotage.viz.paths import arrow, beams

CELL, WIDTH, DEPTH = 0.05, 6.0, 4.0
WALLS = ((-0.1, -0.1, 6.2, 0.1), (-0.1, 4.0, 6.2, 0.1), (-0.1, 0.0, 0.1, 4.0), (6.0, 0.0, 0.1, 4.0))
TWINS = ((1.0, 2.9, 0.4, 1.1), (2.3, 0.0, 0.3, 1.3))
THINGS = (*TWINS, *((WIDTH - x - a, DEPTH - y - b, a, b) for x, y, a, b in TWINS), (0.0, 1.2, 0.7, 0.5))
"""Walls, and what stands in the room: lower left corner, width and depth [m]. All but the last thing come in twins,
so that the room looks the same from a place and from its twin, half a turn around the middle."""
DOCK = np.array([5.4, 3.5])
RADIUS, WHEEL, TRACK = 0.14, 0.05, 0.2
"""Radius of the robot, of a wheel, and the distance between the wheels [m]."""
DT, SPEED, REACH, SIGMA = 0.1, 0.4, 3.0, 0.02
ANGLES = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 19)
SURE = 10
"""The number of ticks in a row for which the belief has to be sure before the robot drives to its dock."""
NEAR = 0.15
"""The robot is at its dock within this distance [m]."""

WHEELS = "".join(
    f"""<link name="{name}"><inertial><mass value="0.2"/><inertia ixx="2e-4" iyy="3e-4" izz="2e-4" ixy="0" ixz="0"
    iyz="0"/></inertial><collision><origin rpy="1.5707963 0 0"/><geometry><cylinder radius="{WHEEL}" length="0.02"/>
    </geometry></collision><contact><lateral_friction value="1"/></contact></link><joint name="{name}"
    type="continuous"><parent link="base"/><child link="{name}"/><origin xyz="0 {y} 0"/><axis xyz="0 1 0"/>
    <limit effort="2" velocity="20"/></joint>"""
    for name, y in (("left", 0.5 * TRACK), ("right", -0.5 * TRACK))
)
CASTERS = "".join(
    f'<collision><origin xyz="{x} 0 -0.03"/><geometry><sphere radius="0.02"/></geometry></collision>'
    for x in (0.08, -0.08)
)
ROBOT = f"""<robot name="robot"><link name="base"><inertial><mass value="3"/><inertia ixx="0.02" iyy="0.02" izz="0.03"
ixy="0" ixz="0" iyz="0"/></inertial><collision><geometry><box size="0.2 0.16 0.05"/></geometry></collision>{CASTERS}
<contact><lateral_friction value="0"/></contact></link>{WHEELS}</robot>"""
"""A robot on two driven wheels and two casters without friction, as URDF."""


class Drive(NamedTuple):
    """What happened: true and estimated poses, both ``(T, 3)``, scans ``(T, B)``, and some particles of each tick.

    Attributes:
        found: the first tick of the drive to the dock; T if the robot never knew where it was.
        docked: whether the robot thinks that it has arrived.
    """

    truth: Array
    mean: Array
    scans: Array
    clouds: list[Array]
    found: int
    docked: bool

    @property
    def error(self) -> Array:
        """Distance between true and estimated positions ``(T,)`` [m]."""
        return np.hypot(*(self.truth - self.mean)[:, :2].T)


class Navigator:
    """The program of the robot, which knows the map, and else what its lidar and its encoders read."""

    def __init__(self, grid: OccupancyGrid, seed: int) -> None:
        self.grid, self.lidar = grid, Lidar(grid, ANGLES, REACH, sigma=0.05, inset=0.5 * CELL)
        mcl = MonteCarloLocalization(grid, odometry_motion(), dt=DT, clearance=RADIUS)
        self.localization = mcl.start(rng=seed)
        self.pose, self.sure, self.docked = np.zeros(3), 0, False  # the pose by the encoders alone
        self.pursuit: RegulatedPurePursuit | None = None

    def roll(self, turned: Array) -> None:
        """Both wheels, left and right, have turned by these angles [rad]."""
        left, right = WHEEL * turned
        moved = unicycle(integrator="rk4").step(self.pose, [0.5 * (left + right), (right - left) / TRACK], 1.0)
        self.localization.predict(u=odometry_move(self.pose, moved))
        self.pose = np.asarray(moved)

    def act(self, ranges: Array, t: float) -> Array:
        """The speeds of the wheels after a scan ``(2,)`` [rad/s]."""
        belief = self.localization.update(self.lidar, ranges).belief
        self.sure = self.sure + 1 if belief.converged else 0
        if self.pursuit is None and self.sure >= SURE:
            plan = AStar().plan(self.grid.inflate(RADIUS + 0.2), belief.best.mean[:2], DOCK)
            self.pursuit = RegulatedPurePursuit(unicycle(), plan, speed=SPEED, tolerance=0.1) if plan.ok else None
        speed, turn = wandering(ranges) if self.pursuit is None else self.pursue(belief.best.mean, t)
        return np.array([speed - 0.5 * turn * TRACK, speed + 0.5 * turn * TRACK]) / WHEEL

    def pursue(self, pose: Array, t: float) -> tuple[float, float]:
        """Speed and yaw rate along the path; one that cannot be followed to its end is planned again."""
        assert self.pursuit is not None
        action = self.pursuit.act(pose, t)
        self.docked = action.status is ActionStatus.DONE
        if action.status is ActionStatus.STUCK:
            self.pursuit = None
        return float(action.u[0]), float(action.u[1])


def wandering(ranges: Array) -> tuple[float, float]:
    """Speed and yaw rate towards where there is room."""
    left, right = ((side > 0.3) & (side < 1.8) for side in (ANGLES, -ANGLES))
    if ranges[np.abs(ANGLES) < 0.5].min() < 0.45:
        return 0.0, 1.2
    return SPEED, 0.6 * float(np.clip(ranges[left].mean() - ranges[right].mean(), -1.0, 1.0))


def room() -> OccupancyGrid:
    """The map of the room."""
    floor = np.zeros((round(DEPTH / CELL), round(WIDTH / CELL)), dtype=bool)
    walls = np.pad(floor, 2, constant_values=True)
    boxes = np.array(THINGS)
    middles = np.column_stack([boxes[:, :2] + 0.5 * boxes[:, 2:], np.zeros(len(boxes))])
    return OccupancyGrid.from_occupied(walls, CELL, (-2 * CELL, -2 * CELL, 0.0)).with_rectangles(middles, boxes[:, 2:])


def robot() -> BulletDynamics:
    """The robot in the room, in PyBullet."""
    floor = boxes_urdf([[0.5 * WIDTH, 0.5 * DEPTH, -0.5, 20.0, 20.0, 1.0]], name="floor")
    solid = [[x + 0.5 * a, y + 0.5 * b, 0.3, a, b, 0.6] for x, y, a, b in (*WALLS, *THINGS)]
    return BulletDynamics(ROBOT, fixed=False, drive="velocity", scenery=[floor, boxes_urdf(solid, name="room")])


def standing(model: BulletDynamics, pose: Array) -> Array:
    """The state of the robot that stands at a pose ``(x, y, yaw)``."""
    x = model.start()
    x[:7] = pose[0], pose[1], WHEEL, np.cos(0.5 * pose[2]), 0.0, 0.0, np.sin(0.5 * pose[2])
    return x


def pose_of(x: Array) -> Array:
    """The pose ``(x, y, yaw)`` in a state."""
    return np.array([x[0], x[1], 2.0 * np.arctan2(x[6], x[3])])


def drive(seed: int, seconds: float) -> Drive:
    """The robot wakes up anywhere in the room, and drives until it is at its dock."""
    model, grid, rng = robot(), room(), np.random.default_rng(seed)
    lidar = BulletLidar(model, ANGLES, max_range=REACH, mount=(0.0, 0.0, 0.1), std=SIGMA)
    brain, wheels = Navigator(grid, seed), [model.state.index("left"), model.state.index("right")]
    x = standing(model, free_poses(grid, 1, clearance=0.3, rng=rng)[0])
    log: list[tuple[Any, ...]] = []
    for tick in tqdm(range(round(seconds / DT)), desc="scans", disable=None, leave=False):
        scan = lidar.sample(x, rng=rng)
        u = brain.act(scan, DT * tick)
        belief = brain.localization.belief
        log.append((pose_of(x), belief.best.mean, scan, belief.particles.points[::20, :2], brain.pursuit is not None))
        if brain.docked:
            break
        before, x = x, model.step(x, model.action.clip(u), DT)
        brain.roll(x[wheels] - before[wheels])
    truth, mean, scans, clouds, knew = zip(*log, strict=True)
    found = (*knew, True).index(True)
    return Drive(np.array(truth), np.array(mean), np.array(scans), [*clouds], found, brain.docked)


def picture(done: Drive, film: Path | None) -> Figure:
    """The way of the robot on the map, with the first particles; with a file, the animation of particles and scans."""
    figure, ax = map_figure(room(), width=8.0, dpi=100)
    draw_grid(ax, room())
    draw_goals(ax, [DOCK], names=False)
    cloud = draw_particles(ax, done.clouds[0], label="particles at first")
    (hits,) = ax.plot([], [], ".", ms=3.0, color=SURPRISE, zorder=6, label="scan, seen from the estimated pose")
    path = draw_path(ax, done.truth, color=TRUTH, label="true path")
    (sure,) = ax.plot([], [], ".", ms=3.0, color=ESTIMATE, zorder=6, label="estimate on the way to the dock")
    true = draw_pose(ax, done.truth[0], size=RADIUS, color=TRUTH)

    def update(i: int) -> None:
        i = min(i, len(done.truth) - 1)
        cloud.set_offsets(done.clouds[i])
        path.set_data(*done.truth[: i + 1, :2].T)
        sure.set_data(*done.mean[done.found : i + 1, :2].T)
        hits.set_data(*beams(done.mean[i], done.scans[i], ANGLES, REACH)[:, 1].T)
        true.set_xy(arrow(done.truth[i], RADIUS))

    if film is not None:
        write_animation(film, figure, [cloud, path, hits, sure, true], update, len(done.truth) + 10, fps=1.0 / DT)
    update(len(done.truth))
    cloud.set_offsets(done.clouds[0])
    ax.legend(loc="lower left", fontsize=7, framealpha=0.9)
    return figure


def main(*, seed: int = 3, seconds: float = 60.0, out: Path = Path("pilotage-demo"), no_animation: bool = False) -> int:
    """Localize a robot in PyBullet with its lidar, and drive it to its dock; ends with a table and pictures.

    Args:
        seed: Seed of the start, of the errors of the scans, and of the particles.
        seconds: The longest time of the drive.
        out: Folder for the pictures.
        no_animation: Write the picture only.
    """
    done = drive(seed, seconds)
    known, off = done.error[done.found :], float(np.hypot(*(done.truth[-1, :2] - DOCK)))
    if not len(known):
        print("not as it should be: the robot never knew where it was")
        return 1
    print(
        f"at first          {done.error[0]:.2f} m from where it thinks it is\n"
        f"sure              after {DT * done.found:.1f} s, {len(known)} scans before the end\n"
        f"error since then  {100 * np.median(known):.1f} cm in the middle, {100 * known.max():.1f} cm at most\n"
        f"at the end        {'docked' if done.docked else 'not docked'}, {100 * off:.0f} cm from the dock"
    )
    out.mkdir(parents=True, exist_ok=True)
    film, drawn = None if no_animation else out / "lidar-room.gif", io.BytesIO()
    picture(done, film).savefig(drawn, format="png", dpi=130)
    write_atomic(out / "lidar-room.png", drawn.getvalue())
    print(f"see               {out / 'lidar-room.png'}{'' if film is None else f' and {film}'}")
    if done.docked and off < NEAR and np.median(known) < 0.03 and known.max() < 0.15:
        return 0
    print("not as it should be: it docks, and is never 15 cm from where it thinks it is once it is sure")
    return 1
