"""Predictive control: one whole tick, from a state to an action."""

from __future__ import annotations

import copy
import os
from functools import cache
from typing import Any

import numpy as np

from benchmarks.harness import Contest, absolute, row

GOAL = (8.0, 3.0, 1.5)
STEPS, DT = 30, 0.1
STD, TEMPERATURE = (1.0, 0.2), 1.0


def contest(samples: int, model: Any = None) -> Contest:
    """A car on its way to a point: the same model, cost, noise, limits and temperature on both sides.

    Args:
        samples: rollouts of a tick.
        model: a learned model; None for the bicycle.
    """
    ours, peer = pilotage_mppi(samples, model and model.traced()), pytorch_mppi(samples, model)
    x = np.array([0.0, 0.0, 0.1, 1.0])

    def check() -> str:
        mine, theirs = driven(ours), driven(peer)
        assert mine < 1.1 * theirs, f"closed-loop cost {mine:.1f} against {theirs:.1f}"
        return f"closed-loop cost {mine:.1f} against {theirs:.1f}"

    return Contest(ours=lambda: ours(x), peer=lambda: peer(x), check=check)


@row(
    "mppi",
    peer="pytorch_mppi",
    bar=10,
    unit="us",
    needs=["torch", "pytorch_mppi"],
    note="bicycle (Euler), 1000 samples x 30 steps, noise included; both in single precision",
)
def mppi(quick: bool) -> Contest:
    return contest(1000)


@row(
    "mppi_10k",
    peer="pytorch_mppi",
    bar=5,
    unit="us",
    needs=["torch", "pytorch_mppi"],
    note="the same with 10 000 samples",
)
def mppi_10k(quick: bool) -> Contest:
    return contest(10_000)


@row(
    "mlp_dynamics",
    peer="pytorch_mppi",
    bar=5,
    unit="us",
    needs=["torch", "pytorch_mppi"],
    note="1000 samples x 30 steps on the same learned network of two layers of 64; both in single precision",
)
def mlp_dynamics(quick: bool) -> Contest:
    return contest(1000, learned_car())


@absolute(
    "mppi_nav",
    limit=1.5,
    unit="ms",
    note="differential drive, 2000 samples x 56 steps, five costs (goal, path, costmap, speed, effort), "
    "single precision and noise that is drawn once and used again, as in Nav2, whose C++ takes 7.5 ms for 2000 x 50 "
    "with its critics (navigation2 PR 4621)",
)
def mppi_nav(quick: bool) -> Contest:
    from pilotage.control import MPPI
    from pilotage.core import Raster, Space
    from pilotage.models import task, unicycle

    ys, xs = 0.05 * np.mgrid[0:200, 0:200]
    discs = ((3.0, 0.8), (5.0, 4.2), (6.0, 2.4))
    costmap = np.sum([np.exp(-5.0 * np.maximum(np.hypot(xs - a, ys - b) - 0.4, 0.0)) for a, b in discs], axis=0)
    robot, speed, (c, s) = unicycle(integrator="euler"), 0.5, (8.0 / 89.0**0.5, 5.0 / 89.0**0.5)

    @task(
        state=Space("x y [m]", "yaw: angle"),
        action=Space("speed [m/s] in [-0.35, 0.5]", "yaw_rate [rad/s] in [-1.9, 1.9]"),
        params={"costmap": Raster(np.zeros((1, 1)), 1.0)},
    )
    def navigate(x: Any, u: Any, p: Any, m: Any) -> Any:
        px, py, _ = x
        goal, aside = (px - 8.0) ** 2 + (py - 5.0) ** 2, c * py - s * px
        effort = 0.1 * u[0] ** 2 + 0.1 * u[1] ** 2
        return 0.1 * goal + aside**2 + 2.0 * m.lookup(p.costmap, px, py) + (u[0] - speed) ** 2 + effort

    errand = navigate(costmap=Raster(costmap, 0.05), dt=0.05)
    settings: dict[str, Any] = {
        "horizon": 56, "samples": 2000, "std": (0.2, 0.4), "temperature": 0.3, "precision": "single",
    }  # fmt: skip
    drive, x = MPPI(robot, errand, correlation=0.0, redraw=False, rng=0, **settings), np.zeros(3)

    def check() -> str:
        made, ways = MPPI(robot, errand, correlation=0.0, redraw=False, rng=0, **settings), [x]
        for _ in range(500):
            ways.append(robot.step(ways[-1], made.act(ways[-1]).u, 0.05))
        ways = np.array(ways)
        room = min(np.hypot(ways[:, 0] - a, ways[:, 1] - b).min() for a, b in discs)
        off = np.hypot(ways[:, 0] - 8.0, ways[:, 1] - 5.0).min()
        assert room > 0.3 and off < 0.5, (room, off)
        return f"the robot passes {off:.2f} m from the goal and {room:.2f} m from the centre of an obstacle"

    return Contest(ours=lambda: drive.act(x), check=check)


MUJOCO: dict[str, Any] = {"peer": "mujoco.rollout", "bar": 0.8, "unit": "ms", "needs": ["mujoco", "gymnasium"]}
THREADS = os.cpu_count() or 1


@row("mppi_mujoco", note="Gymnasium's half cheetah, 100 samples x 20 steps of 5 substeps, all threads on both sides; a "
     "whole tick against the same rollouts alone", **MUJOCO)  # fmt: skip
def mppi_mujoco(quick: bool) -> Contest:
    return simulated("half_cheetah", 5)


@row("mppi_mujoco_pole", note="the same with the inverted pendulum and 2 substeps", **MUJOCO)
def mppi_mujoco_pole(quick: bool) -> Contest:
    return simulated("inverted_pendulum", 2)


@row("mppi_mujoco_arm", note="the same with the reacher and 2 substeps", **MUJOCO)
def mppi_mujoco_arm(quick: bool) -> Contest:
    return simulated("reacher", 2)


def simulated(name: str, substeps: int) -> Contest:
    """MPPI on a model of Gymnasium, against the rollouts of its first tick by the simulator alone."""
    from pathlib import Path

    import gymnasium
    import mujoco
    from mujoco import rollout

    from pilotage.control import MPPI
    from pilotage.core import Space
    from pilotage.envs import MujocoDynamics
    from pilotage.models import task

    file = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / f"{name}.xml"
    plant = MujocoDynamics(file, threads=THREADS)
    first = plant.state.names[-1]

    @task(state=Space(first), action=plant.action)
    def slow(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.1 * sum(each * each for each in u) + x[0] * x[0]

    dt, x, m = substeps * plant.model.opt.timestep, plant.start(), plant.action.size
    drive = MPPI(plant, slow(dt=dt), horizon=20, samples=100, rng=0)
    model, pool = mujoco.MjModel.from_xml_path(str(file)), rollout.Rollout(nthread=THREADS)  # pyright: ignore[reportAttributeAccessIssue]
    data = [mujoco.MjData(model) for _ in range(THREADS)]  # pyright: ignore[reportAttributeAccessIssue]
    drive.act(x)
    us = drive._workspace.taken(np.arange(100), np.zeros((20, m))).repeat(substeps, axis=1)  # of its first tick
    states = np.tile(np.concatenate([[0.0], x]), (100, 1))
    return Contest(ours=lambda: drive.act(x), peer=lambda: pool.rollout(model, data, states, us, nstep=20 * substeps))


@cache
def learned_car() -> Any:
    """A network of two layers of 64 that was trained on drives of the bicycle."""
    from pilotage.learning import LearnedDynamics, fit
    from pilotage.models import bicycle

    car, rng = bicycle(integrator="euler"), np.random.default_rng(0)
    x0 = rng.uniform((-5.0, -5.0, -3.0, -1.0), (10.0, 10.0, 3.0, 3.0), (400, 4))
    us = rng.uniform((-3.0, -0.6), (3.0, 0.6), (400, 20, 2))
    return fit(LearnedDynamics(car.state, car.action), car.rollout(x0, us, DT), us, DT, epochs=30, rng=0).model


def pilotage_mppi(samples: int, model: Any = None) -> Any:
    from pilotage.control import MPPI
    from pilotage.core import Space
    from pilotage.models import bicycle, task

    @task(state=Space("x y [m]", "yaw: angle", "speed [m/s]"), action=Space("accel [m/s^2]", "steer [rad]"))
    def near(x: Any, u: Any, p: Any, m: Any) -> Any:
        px, py, _, v = x
        gx, gy, gv = GOAL
        return (px - gx) ** 2 + (py - gy) ** 2 + 0.5 * (v - gv) ** 2 + 0.1 * u[0] ** 2 + 0.1 * u[1] ** 2

    car = model or bicycle(integrator="euler")
    settings: dict[str, Any] = {"horizon": STEPS, "samples": samples, "temperature": TEMPERATURE, "std": STD}
    drive = MPPI(car, near(dt=DT), correlation=0.0, pull=1.0, rng=0, precision="single", **settings)
    return lambda x: drive.act(x).u


def pytorch_mppi(samples: int, model: Any = None) -> Any:
    import torch
    from pytorch_mppi import MPPI  # pyright: ignore[reportMissingImports]

    from pilotage.models import bicycle

    car = bicycle()
    wheelbase = car.params["wheelbase"]
    network = model and copy.deepcopy(model.network).float()

    def step(x: Any, u: Any) -> Any:
        if model is not None:
            yaw = x[:, 2:3]
            phi = torch.cat([x[:, :2], torch.cos(yaw), torch.sin(yaw), x[:, 3:], u], dim=1)
            return x + DT * model.scaling.outward(network(model.scaling.inward(phi)))
        yaw, v, accel, steer = x[:, 2], x[:, 3], u[:, 0], u[:, 1]
        rates = torch.stack([v * torch.cos(yaw), v * torch.sin(yaw), v * torch.tan(steer) / wheelbase, accel], dim=1)
        return x + DT * rates

    def cost(x: Any, u: Any) -> Any:
        gx, gy, gv = GOAL
        away = (x[:, 0] - gx) ** 2 + (x[:, 1] - gy) ** 2
        return away + 0.5 * (x[:, 3] - gv) ** 2 + 0.1 * u[:, 0] ** 2 + 0.1 * u[:, 1] ** 2

    torch.manual_seed(0)
    low, high = (torch.tensor(b.copy(), dtype=torch.float32) for b in (car.action.low, car.action.high))
    drive = MPPI(
        step, cost, 4, noise_sigma=torch.diag(torch.tensor(STD, dtype=torch.float32) ** 2), num_samples=samples,
        horizon=STEPS, lambda_=TEMPERATURE, u_min=low, u_max=high,
    )  # fmt: skip

    def command(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return drive.command(torch.from_numpy(x).float()).numpy()

    return command


def driven(controller: Any, ticks: int = 60) -> float:
    """Cost of a drive to the goal, on the true model."""
    from pilotage.models import bicycle

    car, x, total = bicycle(integrator="euler"), np.array([0.0, 0.0, 0.1, 1.0]), 0.0
    for _ in range(ticks):
        u = np.asarray(controller(x), dtype=float)
        total += (x[0] - GOAL[0]) ** 2 + (x[1] - GOAL[1]) ** 2 + 0.5 * (x[3] - GOAL[2]) ** 2 + 0.1 * float(u @ u)
        x = car.step(x, u, DT)
    return float(total)
