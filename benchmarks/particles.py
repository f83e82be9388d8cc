"""Particle filters: resampling, and localization with a lidar."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Contest, absolute, row


@row("resample", peer="filterpy", bar=100, unit="us", needs=["filterpy"], note="systematic, 10 000 particles")
def resample(quick: bool) -> Contest:
    from filterpy.monte_carlo import systematic_resample  # pyright: ignore[reportMissingImports]

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
    robot = unicycle()
    mcl = MonteCarloLocalization(grid, robot, dt=0.1, particles=(2000, 50_000))
    x, u = np.array([9.0, 4.0, 0.5]), np.array([0.6, 0.0])
    run, rng = mcl.start(x, [0.05, 0.05, 0.02], rng=1), np.random.default_rng(1)
    for _ in range(10):  # a robot that knows where it is, and moves: from one place only the first scan counts
        run.predict(u=u)
        x = robot.step(x, u, 0.1)
        run.update(lidar, lidar.observe(x))
    run.predict(u=u)
    known, z = run.belief, lidar.observe(robot.step(x, u, 0.1))
    assert len(known.particles.points) == 2000

    def check() -> None:
        after = mcl.update(known, lidar, z, rng=rng).belief
        assert after.converged and after is not known

    return Contest(lambda: mcl.update(known, lidar, z, rng=rng), check=check)
