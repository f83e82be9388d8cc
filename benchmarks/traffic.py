"""Traffic: a tick of fifty cars, beside highway-env, and the rasters of world models."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, absolute, row

CARS, WORLDS = 50, 64


def highway() -> Any:
    """The environment of highway-env with as many cars, lanes and ticks a second."""
    import gymnasium
    import highway_env  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]

    settings = {
        "lanes_count": 6, "vehicles_count": CARS, "simulation_frequency": 10, "policy_frequency": 10,
        "duration": 100000, "observation": {"type": "Kinematics", "vehicles_count": 7},
        "action": {"type": "ContinuousAction"}, "offscreen_rendering": True,
    }  # fmt: skip
    env = gymnasium.make("highway-v0", config=settings)
    env.reset(seed=0)
    return env


@row(
    "traffic_step", peer="highway_env", bar=300.0, needs=["highway_env", "gymnasium"],
    note=f"a step of an environment, {WORLDS} of ours in a vector: {CARS} other cars, 6 lanes, 0.1 s, kinematics seen",
)  # fmt: skip
def traffic_step(quick: bool) -> Contest:
    from pilotage.envs.traffic import TrafficVector

    ours, peer = TrafficVector(num_envs=WORLDS, observe="neighbours"), highway()
    ours.reset(seed=0)
    rest, none = np.zeros((WORLDS, 2)), np.zeros(2)

    def drive() -> None:
        ours.step(rest)

    def drive_peer() -> None:
        for _ in range(WORLDS):
            peer.step(none)

    return Contest(drive, drive_peer, None, work=WORLDS)


@row(
    "traffic_single", peer="highway_env", bar=100.0, needs=["highway_env", "gymnasium"],
    note=f"a step of one environment: {CARS} other cars on 6 lanes, one simulation step of 0.1 s, kinematics observed",
)  # fmt: skip
def traffic_single(quick: bool) -> Contest:
    from pilotage.envs.traffic import IDMDriver, Traffic

    ours, driver, peer = Traffic(observe="neighbours"), IDMDriver(), highway()
    start = ours.world.start(np.random.default_rng(0))
    u, rest, steps = driver(start)[0], np.zeros(2), 3 if quick else 10

    def drive() -> None:
        ours.reset(options={"state": start})
        for _ in range(steps):
            ours.step(u)

    def drive_peer() -> None:
        for _ in range(steps):
            peer.step(rest)

    return Contest(drive, drive_peer, None, work=steps)


@absolute("traffic_agents", limit=2.0, unit="us", note=f"a car of {CARS + 1} in {WORLDS} worlds, a tick")
def traffic_agents(quick: bool) -> Contest:
    from pilotage.envs.traffic import ReactiveTraffic

    traffic = ReactiveTraffic(cars=CARS)
    xs = np.stack([traffic.start(k) for k in range(WORLDS)])
    us = np.zeros((WORLDS, 2))
    return Contest(lambda: traffic.step(xs, us, 0.1), work=WORLDS * (CARS + 1))


@absolute("traffic_raster", limit=100.0, unit="us", note=f"a raster 3 x 117 x 24 of {CARS} cars")
def traffic_raster(quick: bool) -> Contest:
    from pilotage.envs.traffic import ContextRaster, ReactiveTraffic

    traffic, look = ReactiveTraffic(cars=CARS), ContextRaster(CARS)
    xs = np.stack([traffic.start(k) for k in range(WORLDS)])
    return Contest(lambda: look.images(xs), work=WORLDS)
