"""A robot that does not know where it is finds out with its lidar, and drives to five goals past unmapped obstacles.

    perceive   Monte Carlo localization: wheels tell how the robot moved, the lidar where it can be. What the lidar
               sees and the map does not show goes into a layer beside the map.
    plan       A* on map and layer, inflated by the robot's radius, once the robot is sure where it is.
    act        MPPI along the path, clear of all that was seen. Until it is sure, the robot wanders.

The robot is an `Agent` in the Gymnasium environment `pilotage/Navigation-v0`: its wheels slip, nobody tells its pose.
"""

from __future__ import annotations

import io
import math
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from tqdm import tqdm

from pilotage.control import MPPI, follow
from pilotage.core import Action, ActionStatus, Agent, Plan, PlanStatus, Space
from pilotage.envs import Navigation
from pilotage.estimators.localization import MonteCarloLocalization
from pilotage.io import write_atomic
from pilotage.maps import ObstacleLayer, OccupancyGrid
from pilotage.planners import AStar
from pilotage.viz import NavigationRun, navigation_animation, navigation_picture

POSE = Space("x y [m]", "yaw: angle")
MAPS = ("depot.yaml", "turtlebot3_world.yaml")
LIDAR = {"beams": 120, "max_range": 12.0}
DT, SPEED, WINDOW = 0.1, 0.8, 3.5
SURE = 15
"""Ticks in a row that the belief must have converged for: one scan is easily mistaken in a symmetric hall."""
WEIGHTS = {"along": 4.0, "across": 8.0, "heading": 5.0, "near": 20.0}
"""Of `follow`: forwards rather than backwards, and not too shy for a narrow gap."""
KEPT = 0.03
"""What the robot keeps between itself and obstacles [m]."""
GAPS = (0.10, 0.05, 0.03)
"""What a plan leaves between robot and obstacles [m]; the first one that leads to the goal is taken."""


class Robot:
    """Perceives, plans and acts; `agent` joins the three into a loop."""

    def __init__(self, env: Navigation, seed: int) -> None:
        self.grid, self.lidar, self.body = env.grid, env.lidar, env.robot
        self.angles, self.radius = np.asarray(env.lidar.angles, dtype=float), env.robot.footprint.radius
        self.localization = MonteCarloLocalization(
            env.grid, self.body.odometry, DT, particles=(1000, 100_000), power=0.1, candidates=500,
            # Equal gains: how well scans fit varies from place to place here, and would look like being carried away.
            alpha_slow=0.1, alpha_fast=0.1, clearance=self.radius,
        )  # fmt: skip
        self.task = follow([[0.0, 0.0]], self.grid, radius=self.radius + KEPT, dt=DT)
        self.mppi = MPPI(self.body.model, self.task, horizon=30, samples=512, std=(0.3, 0.6), rng=seed)
        self.rehearse()
        self.spent: dict[str, list[float]] = {"perceive": [], "plan": [], "act": []}
        self.agent = Agent(self, self.plan, self.pursue, valid=self.valid, fallback=self.wander)

    def rehearse(self) -> None:
        """Do once what the robot will do, on nothing that is kept, so that all is compiled before time counts."""
        here = np.append(self.grid.cell_to_world(np.argwhere(self.grid.free)[0]), 0.0)
        known, scan = here, self.lidar.observe(here)
        for particles in (self.localization.start(rng=0), self.localization.start(here, std=0.1, rng=0)):
            for _ in range(2):
                particles.predict(DT, u=np.zeros(2))
                known = particles.update(self.lidar, scan).belief.best.mean
        layer = ObstacleLayer(self.grid)
        for _ in range(3):  # of obstacles that are not on the map
            layer = layer.seen(known, 0.5 * scan, self.angles, self.lidar.max_range)
        layer.clearance(known, WINDOW)
        AStar().plan(layer.merged.inflate(self.radius), here, here, costs=layer.merged.soft_costs(self.radius))

    # perceive

    def reset(self, *, seed: int | None = None) -> None:
        self.draw = np.random.default_rng(seed)
        self.filter = self.localization.start(rng=self.draw)
        self.layer, self.ticks, self.target = ObstacleLayer(self.grid), 0, np.full(2, np.nan)
        self.patient, self.again, self.trail = True, False, list[Any]()

    def perceive(self, observation: Any, u: Any, t: float) -> Any:
        began = time.perf_counter()
        self.scan, self.goal = (np.asarray(observation[name], dtype=float) for name in ("lidar", "goal"))
        if u is not None:
            self.filter.predict(to=t, u=np.asarray(observation["odometry"], dtype=float))
        belief = self.filter.update(self.lidar, self.scan).belief
        self.ticks = self.ticks + 1 if belief.converged else 0
        if not self.sure:
            self.layer = self.layer.cleared()
        elif np.trace(belief.best.cov[:2, :2]) < 0.1**2:
            self.layer = self.layer.seen(belief.best.mean, self.scan, self.angles, self.lidar.max_range)
        self.near = self.layer.clearance(belief.best.mean, WINDOW)
        self.watch(belief.best.mean[:2])
        self.spent["perceive"].append(time.perf_counter() - began)
        return belief

    def watch(self, here: Any) -> None:
        """Notice that it gets nowhere: try again closer to obstacles, and if that does not help either, be lost."""
        if not self.sure or not np.array_equal(self.goal, self.target):
            self.target, self.trail, self.patient = self.goal, [], True
            return
        self.trail.append(here)
        if len(self.trail) <= 50 or np.ptp(self.trail[-50:], axis=0).max() >= 0.6:
            return
        if not self.patient:  # it is not where it thinks it is
            self.filter, self.ticks = self.localization.start(t=self.filter.t, rng=self.draw), 0
        self.patient, self.again, self.trail = not self.patient, True, []

    @property
    def sure(self) -> bool:
        return self.ticks >= SURE

    # plan

    def plan(self, belief: Any) -> Plan:
        if not self.sure:
            return Plan(PlanStatus.INVALID, reason="the robot is not sure where it is")
        began, plan, merged, self.again = time.perf_counter(), None, self.layer.merged, False
        costs = merged.soft_costs(4.0 * self.radius, peak=5.0)
        for gap in GAPS:
            plan = AStar().plan(merged.inflate(self.radius + gap), belief.best, self.goal, costs=costs)
            if plan.ok:
                break
        self.spent["plan"].append(time.perf_counter() - began)
        assert plan is not None
        return plan

    def valid(self, plan: Plan, belief: Any) -> bool:
        """Whether it leads to the goal, the way ahead is clear, and the robot is on it."""
        if not self.sure or self.again or plan.xs is None:
            return False
        if np.hypot(*(plan.xs[-1, :2] - self.goal)) > self.grid.resolution:
            return False
        away = np.hypot(*(plan.xs[:, :2] - belief.best.mean[:2]).T)
        ahead = plan.xs[int(away.argmin()) :][:60, :2]
        return bool(away.min() < 0.6 and (self.near.at(ahead) > self.radius).all())

    # act

    def pursue(self, plan: Plan) -> Robot.Driver:
        margin = 0.2 if self.patient else 0.05
        settings: dict[str, Any] = {"speed": SPEED, "radius": self.radius + KEPT, "tolerance": 0.15, "turn_rate": 1.0}
        self.task = follow(plan, self.near, margin=margin, weights=WEIGHTS, dt=DT, **settings)
        return Robot.Driver(self)

    class Driver:
        """MPPI that is told the obstacles around the robot every tick."""

        def __init__(self, robot: Robot) -> None:
            self.robot = robot

        def reset(self, *, seed: int | None = None) -> None:
            """A new path does not make the last actions worse to start from."""

        def act(self, belief_or_state: Any, t: float | None = None) -> Action:
            began, mppi = time.perf_counter(), self.robot.mppi
            mppi.retarget(self.robot.task.replace(clearance=self.robot.near))
            action = mppi.act(belief_or_state.best, t)
            self.robot.spent["act"].append(time.perf_counter() - began)
            return action

    def wander(self, belief: Any, plan: Plan) -> Action:
        """Turn to where there is room, and go there: needs no map, and shows the lidar more of the place."""
        c, s = np.cos(self.angles), np.sin(self.angles)
        x, y = self.scan * c, self.scan * s
        along, across = np.outer(x, c) + np.outer(y, s), np.outer(y, c) - np.outer(x, s)
        room = np.where((along > 0) & (np.abs(across) < self.radius + 0.1), along, np.inf).min(axis=0)
        best = self.angles[np.argmax(np.minimum(room, 3.0) - 0.8 * np.abs(self.angles))]
        ahead = room[np.abs(self.angles).argmin()] - self.radius - 0.3
        speed = np.clip(0.5 * ahead, 0.0, 0.4) if abs(best) < 0.8 else 0.0
        return Action(np.array([speed, np.clip(2.0 * best, -1.0, 1.0)]), ActionStatus.FALLBACK, reason=plan.reason)


def world(map: str | Path | OccupancyGrid, goals: int) -> tuple[gymnasium.Env[Any, Any], Navigation]:
    """The environment, and what is within its wrappers."""
    made = gymnasium.make("pilotage/Navigation-v0", map=map, goals=goals, max_episode_steps=4000, dt=DT, **LIDAR)
    assert isinstance(made.unwrapped, Navigation)
    return made, made.unwrapped


def drive(name: str | Path, seed: int, goals: int) -> tuple[NavigationRun, dict[str, list[float]], bool]:
    """One episode; the run, seconds by stage, and whether the robot touched something."""
    made, env = world(name, goals)
    if (
        env.grid.resolution > env.robot.footprint.radius
    ):  # distances between such cells say too little about a robot among them
        made, env = world(env.grid.refined(math.ceil(2.0 * env.grid.resolution / env.robot.footprint.radius)), goals)
    robot, rows, plans, clouds = Robot(env, seed), [], [], []
    observation, info = made.reset(seed=seed)
    robot.agent.reset(seed=seed)
    arena: Any = env.world.dynamics
    places, obstacles = arena.goals_of(info["state"]), arena.obstacles_of(info["state"])
    t, u, over, reached = 0.0, None, False, np.full(goals, np.nan)

    def record(known: Any) -> None:
        rows.append((t, info["pose"], known.best.mean, known.best.cov, robot.sure, robot.scan))
        plans.append(robot.agent.plan.xs if robot.agent.plan is not None and robot.sure else None)
        clouds.append(known.particles.points[:: max(1, len(known.particles.points) // 1000)].astype(np.float32))

    # Without a terminal there is no live line.
    with tqdm(total=goals, desc=Path(name).stem, unit="goal", disable=None, leave=False) as bar:
        while not over:
            u = robot.agent.step(observation, t).u
            known: Any = robot.agent.belief
            record(known)
            observation, _, terminated, truncated, info = made.step(u)
            t, over = t + DT, terminated or truncated
            before, now = int(np.isfinite(reached).sum()), int(info["reached"])
            reached[before:now] = t
            bar.update(now - before)
            bar.set_postfix_str(f"{t:.1f} s, " + (f"{known.best}" if robot.sure else "where am I?"), refresh=False)
        record(robot.perceive(observation, u, t))  # where it came to a stop
    made.close()
    times, truth, mean, cov, sure, scans = (np.array(column) for column in zip(*rows, strict=True))
    run = NavigationRun(
        env.grid, times, truth, mean, cov, sure, clouds, plans, scans, robot.angles, env.lidar.max_range,
        places, reached, obstacles[obstacles[:, 2] > 0], robot.radius,
    )  # fmt: skip
    return run, robot.spent, bool(info["collision"])


def judge(run: NavigationRun, collided: bool) -> dict[str, float]:
    """What the run amounts to; errors count from when the robot was sure where it is."""
    e = np.asarray(POSE.minus(run.mean, run.truth))[run.known]
    P = run.cov[run.known]
    return {
        "goals": float(np.isfinite(run.reached).sum()),
        "collisions": float(collided),
        "seconds": float(run.times[-1]),
        "metres": float(np.hypot(*np.diff(run.truth[:, :2], axis=0).T).sum()),
        "sure": float(run.times[run.found]) if run.known.any() else np.inf,
        "position": float(np.sqrt(np.mean(e[:, 0] ** 2 + e[:, 1] ** 2))) if len(e) else np.inf,
        "heading": float(np.degrees(np.sqrt(np.mean(e[:, 2] ** 2)))) if len(e) else np.inf,
        "nees": float(np.mean(np.einsum("ti,ti->t", e, np.linalg.solve(P, e[..., None])[..., 0])))
        if len(e)
        else np.inf,
    }


def report(name: str, run: NavigationRun, found: dict[str, float], spent: dict[str, list[float]]) -> str:
    """The table of one map."""
    lines = [
        ("goals reached", f"{found['goals']:.0f} of {len(run.goals)}"),
        ("collisions", f"{found['collisions']:.0f}"),
        ("drove", f"{found['metres']:.1f} m in {found['seconds']:.1f} s, past {len(run.obstacles)} unmapped obstacles"),
        ("sure where it is", f"after {found['sure']:.1f} s" if run.known.any() else "never"),
    ]
    if run.known.any():
        lines += [
            ("position RMSE", f"{100 * found['position']:.1f} cm"),
            ("heading RMSE", f"{found['heading']:.2f} deg"),
            ("NEES", f"{found['nees']:.1f} (3 is honest)"),
        ]
    for stage, seconds in spent.items():
        median, worst = 1e3 * np.quantile(seconds or [0.0], [0.5, 0.99])
        lines.append((f"{stage} takes", f"{median:.2f} ms, 99 % below {worst:.1f} ms ({len(seconds)} times)"))
    return "\n".join([name, *(f"  {what:17} {value}" for what, value in lines)])


def main(
    *,
    map: list[Path] | None = None,
    seed: int = 0,
    goals: int = 5,
    out: Path = Path("pilotage-demo"),
    no_animation: bool = False,
) -> int:
    """Localize, plan and drive on real maps; ends with a table, a picture and an animation.

    Args:
        map: A ROS map (.yaml) or the name of a stock map (depot, tb3_sandbox, turtlebot3_world). Repeat the option for
            several maps. Default: depot and turtlebot3_world.
        seed: Seed of everything random: start, goals, unmapped obstacles, noise, and the robot's own draws.
        goals: Number of goals.
        out: Folder for the pictures and animations.
        no_animation: Write pictures only.
    """
    missed: list[str] = []
    for name in map or MAPS:
        run, spent, collided = drive(name, seed, goals)
        found, stem = judge(run, collided), Path(name).stem
        print(report(stem, run, found, spent))
        out.mkdir(parents=True, exist_ok=True)
        sure = f"{100 * found['position']:.1f} cm RMSE" if run.known.any() else "never sure where it was"
        title = f"{stem}: {found['goals']:.0f} of {goals} goals, {sure}"
        picture = io.BytesIO()
        navigation_picture(run, title=title).savefig(picture, format="png")
        write_atomic(out / f"{stem}.png", picture.getvalue())
        written = [out / f"{stem}.png"]
        if not no_animation:
            written.append(navigation_animation(out / f"{stem}.gif", run))
        print(f"  {'see':17} {', '.join(str(file) for file in written)}\n")
        if found["goals"] < goals or collided or found["position"] > 0.15:
            missed.append(stem)
    if missed:
        print(
            f"not as it should be on: {', '.join(missed)}; every goal, no collision, position within 15 cm is asked for"
        )
    return 1 if missed else 0
