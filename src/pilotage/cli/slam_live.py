"""`pilotage slam ENVIRONMENT`: the robot of an environment maps its building, and drives on in the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.core.errors import PilotageError
from pilotage.envs import Explorer, Navigation, Patrol, free_places
from pilotage.estimators.slam.scans import ScanMapper, ScanSLAM
from pilotage.maps import OccupancyGrid

if TYPE_CHECKING:
    from .slam import Film

POSE = Space("pose: SE2")
DT, APART = 0.1, 3.0
"""Time of a tick, and between two frames of an animation [s]."""
PLACES = 2000
"""Places of the building that are looked for in the map."""
Known = tuple[Array, NDArray[np.int64]]


def explored(
    name: str, slam: ScanSLAM, building: str | None, seed: int, seconds: float, goals: int,
    drawn: tuple[float, float], film: Film | None,
) -> tuple[ScanMapper, Known, dict[str, Any]]:  # fmt: skip
    """The mapper of a robot that has explored the building of an environment, its true poses, and more facts."""
    env, inner = _environment(name, building)
    far = min(slam.max_range, float(inner.lidar.max_range))
    settings = ScanSLAM(max_range=far, loops=slam.loops)
    agent = Explorer(inner.robot, inner.lidar.angles, far, DT, slam=settings).start(seed=seed)
    observation, info = env.reset(seed=seed)
    start, t, truth, taken = info["pose"], 0.0, list[Array](), -np.inf
    with tqdm(total=seconds, unit="s", disable=None, leave=False, bar_format=BAR) as bar:
        while not agent.done and t < seconds:
            action, pose = agent.step(observation, t), info["pose"]
            if len(agent.mapper.trajectory[0]) > len(truth):
                truth.append(np.asarray(POSE.compose(POSE.inverse(start), pose)))
            observation, _, ended, _, info = env.step(action.u)
            if ended:
                raise PilotageError(f"the robot has touched something at {t:.1f} s; try another --seed, and tell us")
            t += DT
            bar.update(DT)
            bar.set_postfix(keyframes=len(agent.mapper.keyframes), refresh=False)
            if film is not None and t - taken >= APART:
                taken, plan = t, agent.agent.plan
                film.take(agent.mapper, f"{t:.0f} s", None if plan is None else plan.xs)
    agent.mapper.finish()
    grid = agent.mapper.map(*drawn)
    drive = {"seconds": t, "reason": agent.reason or "the time is over", "seen": seen(inner.grid, start, grid, inner)}
    facts = {"odometry": "the wheels'", "drive": drive}
    if goals:
        facts["patrol"] = _patrol(env, inner, agent.pose, grid, observation, start, t, goals, seed)
    env.close()
    return agent.mapper, (np.array(truth), np.arange(len(truth))), facts


BAR = "{n:.0f} of {total:.0f} s {bar} [{elapsed}{postfix}]"


def _environment(name: str, building: str | None) -> tuple[gymnasium.Env[Any, Any], Navigation]:
    """The environment without an end, and what is within its wrappers."""
    words: dict[str, Any] = {"tolerance": 1e-9, "beams": 180, "dt": DT, "max_episode_steps": 10**9}
    if building is not None:
        words["map"] = building
    try:
        env = gymnasium.make(name, **words)
    except (gymnasium.error.Error, TypeError) as error:
        raise PilotageError(
            f"{name} is no environment with a lidar, such as pilotage/Navigation-v0: {error}"
        ) from error
    if not isinstance(env.unwrapped, Navigation):
        raise PilotageError(f"{name} has no lidar and wheels; expected pilotage/Navigation-v0")
    return env, env.unwrapped


def seen(building: OccupancyGrid, start: Array, grid: OccupancyGrid, env: Navigation) -> float:
    """The share of the places where the robot can be that are free in its map."""
    free = building.inflate(env.robot.footprint.radius + 0.1).free_component(start)
    cells = np.argwhere(free)
    if not len(cells):
        return 0.0
    places = building.cell_to_world(cells[np.random.default_rng(0).integers(len(cells), size=PLACES)])
    there = np.asarray(POSE.compose(POSE.inverse(start), np.column_stack([places, np.zeros(PLACES)])))
    return float(grid.is_free(there[:, :2]).mean())


def _patrol(
    env: gymnasium.Env[Any, Any], inner: Navigation, pose: Array, grid: OccupancyGrid, observation: Any, start: Array,
    t: float, goals: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Drive on in the map that was made, localized in it."""
    places = free_places(grid, pose, inner.robot.footprint.radius, goals, np.random.default_rng(seed))
    patrol = Patrol(inner.robot, grid, pose, places, inner.lidar.angles, inner.lidar.max_range, dt=DT, seed=seed)
    errors, begun, info = list[float](), t, dict[str, Any]()
    with tqdm(total=len(places), unit="place", disable=None, leave=False) as bar:
        while not patrol.done and t - begun < 120.0 * goals:
            action = patrol.step(observation, t)
            if info:
                truth = POSE.compose(POSE.inverse(start), info["pose"])
                errors.append(float(np.hypot(*(truth - patrol.pose)[:2])))
            observation, _, ended, _, info = env.step(action.u)
            t += DT
            bar.n = patrol.reached
            bar.update(0)
            if ended:
                break
    found = errors or [np.inf]
    return {
        "goals": len(places), "reached": patrol.reached, "seconds": t - begun,
        "median": float(np.median(found)), "most": float(np.quantile(found, 0.95)),
    }  # fmt: skip
