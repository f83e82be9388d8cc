"""A robot maps a building that nobody has mapped, live, and then lives in its map.

    perceive   SLAM: each scan is matched to those before it, and loops are closed where the robot comes back
    plan       the nearest frontier between what is known and what is not, until there are none
    act        MPPI along the path, clear of the walls that it has seen
    live       the map goes straight into Monte Carlo localization, with the last pose, and the robot drives from place
               to place in it

The robot is in the Gymnasium environment `pilotage/Navigation-v0`: its wheels slip, and nobody tells its pose.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.envs import Exploration, Explorer, Navigation, Patrol, free_places
from pilotage.estimators.slam.scores import absolute_trajectory_error
from pilotage.io import write_atomic
from pilotage.maps import OccupancyGrid
from pilotage.viz import (
    MappingFrame,
    NavigationRun,
    draw_grid,
    draw_path,
    map_figure,
    mapping_animation,
    navigation_picture,
)

from ._ring import ring

POSE, DT, REACH = Space("pose: SE2"), 0.1, 8.0
APART = 2.0
"""Time between two frames of the animation [s]."""


@dataclass
class World:
    """The environment, the robot in it, and the truth in the frame of its start."""

    env: Navigation
    seed: int
    t: float = 0.0
    ended: bool = False
    start: Array = field(default_factory=lambda: np.zeros(3))
    truth: list[Array] = field(default_factory=list[Array])

    def reset(self) -> Any:
        observation, info = self.env.reset(seed=self.seed)
        self.start = info["pose"]
        self.truth.append(np.zeros(3))
        return observation

    def step(self, u: Any) -> Any:
        observation, _, self.ended, _, info = self.env.step(u)
        self.t += DT
        self.truth.append(np.asarray(POSE.compose(POSE.inverse(self.start), info["pose"])))
        return observation


def explore(world: World, seconds: float) -> tuple[Exploration, Any, Array, list[MappingFrame]]:
    """The exploration at its end, the last observation, the true poses of its scans, and frames of an animation."""
    agent = Explorer(world.env.robot, world.env.lidar.angles, REACH, DT).start(seed=world.seed)
    observation, at, frames = world.reset(), list[Array](), list[MappingFrame]()
    with tqdm(total=seconds, desc="explore", unit="s", disable=None, leave=False, bar_format="{desc} {n:.0f} s") as bar:
        while not (agent.done or world.ended) and world.t < seconds:
            action = agent.step(observation, world.t)
            if len(agent.mapper.trajectory[0]) > len(at):
                at.append(world.truth[-1])
            if world.t >= APART * len(frames):
                plan = agent.agent.plan
                ahead = np.zeros((0, 2)) if plan is None or plan.xs is None else plan.xs
                way = agent.mapper.trajectory[1]
                frames.append(MappingFrame(agent.mapper.map(0.1), way, ahead, f"{world.t:.0f} s"))
            observation = world.step(action.u)
            bar.update(DT)
    agent.mapper.finish()
    frames.append(MappingFrame(agent.mapper.map(0.1), agent.mapper.trajectory[1], text=f"{world.t:.0f} s   done"))
    return agent, observation, np.array(at), frames


def live(world: World, agent: Exploration, observation: Any, grid: OccupancyGrid, goals: int) -> NavigationRun:
    """The drive from place to place in the map, localized by the laser."""
    robot, rng, begun = world.env.robot, np.random.default_rng(world.seed), world.t
    places = free_places(grid, agent.pose, robot.footprint.radius, goals, rng)
    angles = np.asarray(world.env.lidar.angles)
    patrol = Patrol(robot, grid, agent.pose, places, angles, REACH, dt=DT, seed=world.seed)
    rows, reached, count = list[tuple[Any, ...]](), np.full(len(places), np.nan), 0
    with tqdm(total=len(places), desc="live", unit="place", disable=None, leave=False) as bar:
        while not (patrol.done or world.ended) and world.t - begun < 120.0 * goals:
            action, known = patrol.step(observation, world.t), patrol.belief
            reached[count : patrol.reached] = world.t - begun
            bar.update(patrol.reached - count)
            count = patrol.reached
            rows.append((world.t - begun, world.truth[-1], known.mean, known.cov, observation["lidar"]))
            observation = world.step(action.u)
    ts, truth, mean, cov, scans = (np.array(column) for column in zip(*rows, strict=True))
    return NavigationRun(
        grid, ts, truth, mean, cov, np.ones(len(ts), dtype=bool), scans=scans, angles=angles, max_range=REACH,
        goals=places, reached=reached, radius=robot.footprint.radius,
    )  # fmt: skip


def seen(world: World, grid: OccupancyGrid) -> float:
    """The share of the places where the robot can be that are free in its map."""
    building, radius = world.env.grid, world.env.robot.footprint.radius
    cells = np.argwhere(building.inflate(radius + 0.1).free_component(world.start))
    there = POSE.compose(POSE.inverse(world.start), np.pad(building.cell_to_world(cells), ((0, 0), (0, 1))))
    return float(grid.is_free(np.asarray(there)[:, :2]).mean())


def picture(grid: OccupancyGrid, agent: Exploration, truth: Array, title: str) -> bytes:
    """The map, the way by SLAM and the true one, and loop closures."""
    sheet, ax = map_figure(grid, width=9.0)
    draw_grid(ax, grid)
    at = agent.mapper.keyframes.poses
    for closure in agent.mapper.keyframes.closures[::3]:
        draw_path(ax, [at[closure.first][:2], at[closure.second][:2]], linewidth=0.6, color="tab:green")
    draw_path(ax, agent.mapper.trajectory[1], label="by SLAM", color="tab:blue")
    draw_path(ax, truth, label="true", color="tab:orange", linewidth=1.0, linestyle=(0, (3, 2)))
    ax.plot(0.0, 0.0, "o", color="black", markersize=5, label="start")
    ax.legend(loc="upper right")
    ax.set_title(title)
    return png(sheet)


def png(sheet: Any) -> bytes:
    kept = io.BytesIO()
    sheet.savefig(kept, format="png")
    return kept.getvalue()


def main(
    *,
    map: str = "ring",
    seed: int = 0,
    seconds: float = 900.0,
    goals: int = 4,
    out: Path = Path("pilotage-demo"),
    no_animation: bool = False,
) -> int:
    """Map a building live, and drive on in the map; ends with errors, a ROS map, two pictures and an animation.

    Args:
        map: The building: "ring", a ROS map (.yaml), or the name of a stock map (depot, tb3_sandbox, turtlebot3_world).
        seed: Seed of everything random: start, unmapped obstacles, noise, and the robot's own draws.
        seconds: Longest time of the exploration [s].
        goals: Number of places to drive to in the map.
        out: Folder for the map, the pictures and the animation.
        no_animation: Write pictures only.
    """
    building = ring() if map == "ring" else map
    world = World(Navigation(building, beams=180, max_range=REACH, tolerance=1e-9, dt=DT), seed)
    agent, observation, truth, frames = explore(world, seconds)
    grid, (_, poses), explored = agent.mapper.map(), agent.mapper.trajectory, world.t
    share, error = seen(world, grid), absolute_trajectory_error(truth, poses)
    run = live(world, agent, observation, grid, goals)
    name, frames_of = Path(map).stem, agent.mapper.keyframes
    places, middle = int(np.isfinite(run.reached).sum()), float(np.median(run.error))
    print(
        f"{name}: {grid}\n"
        f"  explored          {explored:.0f} s, {np.hypot(*np.diff(truth[:, :2], axis=0).T).sum():.0f} m; {share:.1%} "
        f"seen; {agent.reason or 'the time is over'}\n"
        f"  graph             {len(frames_of)} keyframes, {len(frames_of.closures)} loop closures\n"
        f"  way by SLAM       {100 * error.rmse:.1f} cm RMSE, at most {100 * error.max:.1f} cm\n"
        f"  lived in the map  {places} of {len(run.goals)} places in {run.times[-1]:.0f} s, {100 * middle:.1f} cm of "
        f"error in the middle, 95 % below {100 * np.quantile(run.error, 0.95):.1f} cm"
    )
    out.mkdir(parents=True, exist_ok=True)
    grid.save(out / "explore.yaml")
    title = f"{name}: explored in {explored:.0f} s, {100 * error.rmse:.1f} cm RMSE"
    write_atomic(out / "explore-map.png", picture(grid, agent, truth, title))
    lived = f"{name}: {places} of {len(run.goals)} places in its own map, {100 * middle:.1f} cm of error"
    write_atomic(out / "explore-live.png", png(navigation_picture(run, title=lived)))
    files = [out / "explore.yaml", out / "explore-map.png", out / "explore-live.png"]
    if not no_animation:
        files.append(mapping_animation(out / "explore.gif", frames))
    print(f"  see               {', '.join(str(file) for file in files)}")
    good = agent.done and not world.ended and share > 0.9 and error.rmse < 0.15 and places and middle < 0.15
    if not good:
        print("not as it should be: explored to the end, nine tenths seen, no collision, and errors below 15 cm")
    return 0 if good else 1
