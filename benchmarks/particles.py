"""Particle filters: drawing particles anew, a whole filter step, and localization with a lidar."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Contest, absolute, row


@row("resample", peer="filterpy", bar=100, unit="us", needs=["filterpy"], note="systematic, 10 000 particles")
def resample(quick: bool) -> Contest:
    from filterpy.monte_carlo import systematic_resample

    from pilotage.estimators import resample as ours

    rng = np.random.default_rng(1)
    # A fresh cloud every time: a processor foresees the branches of weights that it has seen before.
    clouds = rng.exponential(size=(16, 10_000))
    clouds /= clouds.sum(1, keepdims=True)
    turns = {"ours": 0, "peer": 0}

    def fresh(side: str) -> np.ndarray:
        turns[side] = (turns[side] + 1) % len(clouds)
        return clouds[turns[side]]

    def check() -> None:
        for w in clouds:
            for drawn in (ours(w, rng=rng), systematic_resample(w)):
                copies = np.bincount(drawn, minlength=len(w))
                assert (np.abs(copies - len(w) * w) < 1.0 + 1e-6).all(), "more or fewer copies than systematic gives"

    return Contest(lambda: ours(fresh("ours"), rng=rng), lambda: systematic_resample(fresh("peer")), check)


@row(
    "particle_step",
    peer="filterpy",
    bar=3,
    unit="us",
    needs=["filterpy"],
    note="predict and update, 1000 particles, 3 states; the peer is numpy around filterpy's resampling, as its book does",
)
def particle_step(quick: bool) -> Contest:
    from filterpy.monte_carlo import systematic_resample

    from pilotage.estimators import ParticleFilter
    from pilotage.models import gnss, unicycle

    n, dt, u, z, std = 1000, 0.1, np.array([1.0, 0.2]), np.array([0.1, 0.0]), 0.1
    run = ParticleFilter(unicycle(), dt=dt, n=n, threshold=1.0).start([0, 0, 0], 0.1, rng=1)
    sensor, rng = gnss(std=std), np.random.default_rng(1)
    cloud = {"x": rng.normal(size=(n, 3)) * 0.1, "w": np.full(n, 1.0 / n)}

    def peer() -> None:
        x = cloud["x"][systematic_resample(cloud["w"])]
        x[:, 2] = (x[:, 2] + u[1] * dt + 0.02 * np.sqrt(dt) * rng.standard_normal(n) + np.pi) % (2 * np.pi) - np.pi
        x[:, 0] += u[0] * dt * np.cos(x[:, 2]) + 0.02 * np.sqrt(dt) * rng.standard_normal(n)
        x[:, 1] += u[0] * dt * np.sin(x[:, 2]) + 0.02 * np.sqrt(dt) * rng.standard_normal(n)
        w = np.exp(-0.5 * ((x[:, :2] - z) ** 2).sum(1) / std**2) + 1e-300
        cloud["x"], cloud["w"] = x, w / w.sum()

    def ours() -> None:
        run.predict(u=u)
        run.update(sensor, z)

    return Contest(ours, peer)


@absolute("localization", limit=2.0, unit="ms", note="one scan: 2000 particles x 60 beams on a map of 30 m x 15 m")
def localization(quick: bool) -> Contest:
    from pilotage.estimators.localization import MonteCarloLocalization
    from pilotage.maps import Lidar, OccupancyGrid
    from pilotage.models import unicycle

    walls = np.pad(np.zeros((298, 598)), 1, constant_values=1)
    grid = OccupancyGrid.from_occupied(walls, 0.05).with_discs(
        [[5, 5], [12, 9], [20, 3], [25, 11]], [1.0, 0.5, 0.8, 1.2]
    )
    lidar = Lidar(grid, angles=60, max_range=12.0)
    mcl = MonteCarloLocalization(grid, unicycle(), dt=0.1, particles=(2000, 50_000))
    x = np.array([9.0, 4.0, 0.5])
    start = mcl.start(x, [0.05, 0.05, 0.02], rng=1).belief
    z, rng = lidar.observe(x), np.random.default_rng(1)
    assert len(start.particles.points) == 2000
    return Contest(lambda: mcl.update(start, lidar, z, rng=rng))
