"""Particle filters: resampling, and localization with a lidar."""

from __future__ import annotations

from typing import Any

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


def systematic(W: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Systematic resampling of the package particles: `inverse_cdf`, which is plain Python where numba is missing."""
    M, j, s = len(W), 0, W[0]
    su = (rng.random() + np.arange(M)) / M
    A = np.empty(M, dtype=np.int64)
    for n in range(M):
        while su[n] > s and j < M - 1:
            j += 1
            s += W[j]
        A[n] = j
    return A


class Weights:
    """Log-weights lw, weights W and the effective size, as the package particles has them."""

    def __init__(self, lw: np.ndarray) -> None:
        self.lw = lw
        w = np.exp(lw - lw.max())
        self.W = w / w.sum()
        self.mean = 0.0
        self.ESS = 1.0 / np.sum(self.W**2)


@row(
    "bootstrap",
    peer="particles' idiom",
    bar=10,
    unit="us",
    note="one step of 10 000 particles on the growth model, always resampled; the peer has no numba, so inverse_cdf "
    "is a loop of Python: with searchsorted in its place it takes about 0.6 ms, less than ours",
)
def bootstrap(quick: bool) -> Contest:
    from benchmarks.ungm import EYE, LINE, MODEL
    from pilotage.core import Particles
    from pilotage.estimators import ParticleFilter

    n, u, z = 10_000, np.array([3.0]), np.array([2.0])
    start = np.random.default_rng(1).normal(size=(n, 1)) * 2.0
    filter, ours, theirs = ParticleFilter(threshold=1.0), np.random.default_rng(2), np.random.default_rng(3)
    first = filter.update(Particles(LINE, start), EYE, z).belief
    weights = Weights(np.array(first.log_weights))

    def step() -> Any:
        return filter.update(filter.predict(first, MODEL, u, 1.0, rng=ours), EYE, z, rng=ours).belief

    def idiom() -> Weights:
        x = start[systematic(weights.W, theirs), 0]
        x = 0.5 * x + 25.0 * x / (1.0 + x**2) + 8.0 * np.cos(1.2 * u[0])
        x = x + np.sqrt(10.0) * theirs.standard_normal(n)
        found = Weights(-0.5 * (z[0] - x**2 / 20.0) ** 2 - 0.5 * np.log(2.0 * np.pi))
        found.mean = found.W @ x
        return found

    def check() -> None:
        mine = [step().moments().mean[0] for _ in range(10)]
        peers = [idiom().mean for _ in range(10)]
        assert abs(np.mean(mine) - np.mean(peers)) < 0.3, "the two filters disagree"

    return Contest(step, idiom, check)
