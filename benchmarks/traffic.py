"""Traffic: a tick of fifty cars, beside highway-env, and the rasters of world models."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, absolute, row

CARS, WORLDS = 50, 64


@row(
    "traffic_step", peer="highway_env", bar=300.0, needs=["highway_env", "gymnasium"],
    note=f"a step of the environment: {CARS} other cars on 6 lanes, one simulation step of 0.1 s, kinematics observed",
)  # fmt: skip
def traffic_step(quick: bool) -> Contest:
    import gymnasium
    import highway_env  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]

    from pilotage.envs.traffic import IDMDriver, Traffic

    steps = 3 if quick else 10
    ours, driver = Traffic(observe="neighbours"), IDMDriver()
    settings = {
        "lanes_count": 6, "vehicles_count": CARS, "simulation_frequency": 10, "policy_frequency": 10,
        "duration": 100000, "observation": {"type": "Kinematics", "vehicles_count": 7},
        "action": {"type": "ContinuousAction"}, "offscreen_rendering": True,
    }  # fmt: skip
    peer: Any = gymnasium.make("highway-v0", config=settings)
    start = ours.world.start(np.random.default_rng(0))
    u, rest = driver(start)[0], np.zeros(2)
    peer.reset(seed=0)

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
