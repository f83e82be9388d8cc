"""Predictive control: one whole tick, from a state to an action."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, row

GOAL = (8.0, 3.0, 1.5)
STEPS, DT = 30, 0.1
STD, TEMPERATURE = (1.0, 0.2), 1.0


def contest(samples: int) -> Contest:
    """A car on its way to a point: the same model, cost, noise, limits and temperature on both sides."""
    ours, peer = pilotage_mppi(samples), pytorch_mppi(samples)
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
    note="bicycle (Euler), 1000 samples x 30 steps, noise included; float64 against the peer's faster float32",
)
def mppi(quick: bool) -> Contest:
    return contest(1000)


@row(
    "mppi_10k",
    peer="pytorch_mppi",
    bar=4,
    unit="us",
    needs=["torch", "pytorch_mppi"],
    note="the same with 10 000 samples",
)
def mppi_10k(quick: bool) -> Contest:
    return contest(10_000)


def pilotage_mppi(samples: int) -> Any:
    from pilotage.control import MPPI
    from pilotage.core import Space
    from pilotage.models import bicycle, task

    @task(state=Space("x y [m]", "yaw: angle", "speed [m/s]"), action=Space("accel [m/s^2]", "steer [rad]"))
    def near(x: Any, u: Any, p: Any, m: Any) -> Any:
        px, py, _, v = x
        gx, gy, gv = GOAL
        return (px - gx) ** 2 + (py - gy) ** 2 + 0.5 * (v - gv) ** 2 + 0.1 * u[0] ** 2 + 0.1 * u[1] ** 2

    car = bicycle(integrator="euler")
    settings: dict[str, Any] = {"horizon": STEPS, "samples": samples, "temperature": TEMPERATURE, "std": STD}
    drive = MPPI(car, near(dt=DT), correlation=0.0, pull=1.0, rng=0, **settings)
    return lambda x: drive.act(x).u


def pytorch_mppi(samples: int) -> Any:
    import torch
    from pytorch_mppi import MPPI  # pyright: ignore[reportMissingImports]

    from pilotage.models import bicycle

    car = bicycle()
    wheelbase = car.params["wheelbase"]

    def step(x: Any, u: Any) -> Any:
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
    return lambda x: drive.command(torch.from_numpy(x).float()).numpy()


def driven(controller: Any, ticks: int = 60) -> float:
    """Cost of a drive to the goal, on the true model."""
    from pilotage.models import bicycle

    car, x, total = bicycle(integrator="euler"), np.array([0.0, 0.0, 0.1, 1.0]), 0.0
    for _ in range(ticks):
        u = np.asarray(controller(x), dtype=float)
        total += (x[0] - GOAL[0]) ** 2 + (x[1] - GOAL[1]) ** 2 + 0.5 * (x[3] - GOAL[2]) ** 2 + 0.1 * float(u @ u)
        x = car.step(x, u, DT)
    return float(total)
